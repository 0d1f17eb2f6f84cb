"""The uvr engine: models of Ultimate Vocal Remover, loaded and run by audio-separator, in a process of their own."""
