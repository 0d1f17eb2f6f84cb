"""The plumbing that every server and client starts with: gRPC, object store, logs, settings."""
