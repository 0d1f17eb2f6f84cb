"""Sources as they lie in the store."""


def source_key(sha256: str) -> str:
    """Where the router puts the bytes of an uploaded file."""
    return f"sources/{sha256}"
