"""Files of models, held against what their records promise before anything is parsed."""

import hashlib
from pathlib import Path

from services.separator.core.models import FOUND_SHA256, ModelFile
from stemhouse.errors import EngineUnavailable, ModelRejected


def read_promised(folder: Path, file: ModelFile) -> bytes:
    """The bytes of a file; raises EngineUnavailable if it cannot be read, ModelRejected if it is another one."""
    path = folder / file.name
    try:
        content = path.read_bytes()
    except OSError as error:
        message = f"{file.name} cannot be read: {error.strerror}"
        raise EngineUnavailable(message, {"file": str(path)}) from error
    sha256 = hashlib.sha256(content).hexdigest()
    if (len(content), sha256) != (file.size_bytes, file.sha256):
        message = (
            f"{file.name} is not the file that was promised: {len(content)} bytes of SHA-256 {sha256}, "
            f"not {file.size_bytes} bytes of {file.sha256}"
        )
        raise ModelRejected(message, {"file": file.name, FOUND_SHA256: sha256, "expected_sha256": file.sha256})
    return content
