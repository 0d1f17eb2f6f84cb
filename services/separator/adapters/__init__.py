"""Separator service: the technologies behind its ports."""
