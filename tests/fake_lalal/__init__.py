"""A stand-in for the LALAL.AI v1 service on 127.0.0.1: its replies, its money, its links and its bad days."""
