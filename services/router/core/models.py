"""Models of one's own: uploaded, installed, and their bytes dropped."""

from collections.abc import Sequence

from services.router.core.ports import Models, Uploads
from stemhouse.audio import SourceRef
from stemhouse.errors import NotFound
from stemhouse.models import Model


def add_model(models: Models, uploads: Uploads, name: str, files: Sequence[SourceRef], licence_note: str) -> Model:
    """Install a model from uploaded files, which are dropped whatever comes of it.

    Raises NotFound for a file that was not uploaded, ModelRejected for files that are no model.
    """
    try:
        for file in files:
            if not uploads.holds(file):
                message = f"{file.file_name} has not been uploaded"
                raise NotFound(message, {"sha256": file.sha256})
        return models.add(name, files, licence_note)
    finally:
        for file in files:
            uploads.discard(file)
