"""The typed SDK: what a program needs to have music separated, in values instead of protobuf."""
