"""Models of one's own: uploaded, installed, and their bytes dropped."""

from services.router.core.ports import Addition, Cancellation, Models, Uploads
from stemhouse.errors import NotFound, Unavailable
from stemhouse.models import Model


def add_model(models: Models, uploads: Uploads, addition: Addition, cancellation: Cancellation) -> Model:
    """Install a model from uploaded files, which are dropped then, and with every error that will not pass.

    Raises NotFound for a file that was not uploaded, ModelRejected for files that are no model.
    """
    is_over = True
    try:
        _require_files(uploads, addition)
        return models.add(addition, cancellation)
    except Unavailable:
        is_over = False  # the same call comes again, by itself, and without another upload
        raise
    finally:
        if is_over:
            _discard_files(uploads, addition)


def _require_files(uploads: Uploads, addition: Addition) -> None:
    for file in addition.files:
        if not uploads.holds(file):
            message = f"{file.file_name} has not been uploaded"
            raise NotFound(message, {"sha256": file.sha256})


def _discard_files(uploads: Uploads, addition: Addition) -> None:
    for file in addition.files:
        uploads.discard(file)
