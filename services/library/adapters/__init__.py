"""Library service: the technologies behind its ports."""
