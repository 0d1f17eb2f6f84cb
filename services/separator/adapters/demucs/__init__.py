"""Demucs: published and local checkpoints through demucs' own model code, on arrays, under our own scheduler."""
