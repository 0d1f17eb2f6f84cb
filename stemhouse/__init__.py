"""Stemhouse: what its services, its SDK and its CLI share. ARCHITECTURE.md says what may live here."""
