"""The command line: options in, calls of `stemhouse.client`, text or JSON out. No gRPC is spoken here."""
