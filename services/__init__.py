"""The four deployables: separator, router, library, exporter."""
