"""Exporter core: what is made of folders of stems."""
