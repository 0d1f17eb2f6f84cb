"""Ableton Live sets: facts in, bytes out."""
