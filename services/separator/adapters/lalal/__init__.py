"""LALAL.AI by its API of version 1."""
