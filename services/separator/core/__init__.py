"""Separator service: values and decisions, no I/O."""
