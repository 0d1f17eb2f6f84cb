"""Exporter service."""
