"""The fidelity contract, cell by cell: every engine, source format, rate, channel count and delivered format.

Everything runs in one process, from the bytes of a source to the bytes of the files, over the services' own parts.
"""
