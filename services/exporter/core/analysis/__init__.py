"""Beats, key and parts of a track, from its samples."""
