"""Separator service."""
