"""Stretching and chopping of stems."""
