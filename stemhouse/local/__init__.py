"""The stack on one machine: a supervisor process that owns the store and the services, and how to attach to it."""
