"""Library service."""
