"""The embedded engine: Spleeter's two-stem network and joint Wiener masks, at work on a clean machine."""
