"""Sources as they lie in the store."""


def source_key(sha256: str) -> str:
    """Where the router puts the bytes of an uploaded track."""
    return f"sources/{sha256}"


def model_upload_key(sha256: str) -> str:
    """Where the router puts the bytes of a model's uploaded file."""
    return f"model-uploads/{sha256}"
