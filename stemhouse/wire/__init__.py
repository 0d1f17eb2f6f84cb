"""The one translation between protobuf messages and values, with validation of what comes in."""
