"""Exporter service: the technologies behind its ports."""
