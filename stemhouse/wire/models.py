"""stemhouse/v1/models.proto <-> stemhouse.models."""

import re
from collections.abc import Iterable, Sequence

from stemhouse.models import Model, ModelState, PullProgress
from stemhouse.v1 import models_pb2 as pb
from stemhouse.wire.enums import EnumTable
from stemhouse.wire.validation import NAME, FieldChecks

MODEL_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
"""Files of a model; names of models themselves are plain names, as those of engines."""

MODEL_FILE_SUFFIXES = (".safetensors", ".th", ".yaml", ".yml", ".onnx", ".ckpt", ".pth", ".json")
"""Of checkpoints, and of the file that makes a bag of them."""

_SUFFIXES = ", ".join(MODEL_FILE_SUFFIXES)

LONGEST_LICENCE_NOTE = 2000
MOST_MODEL_FILES = 16

MODEL_STATES = EnumTable(
    {
        ModelState.AVAILABLE: pb.MODEL_STATE_AVAILABLE,
        ModelState.INSTALLED: pb.MODEL_STATE_INSTALLED,
        ModelState.DAMAGED: pb.MODEL_STATE_DAMAGED,
    }
)


def check_model_names(names: Iterable[str]) -> None:
    """Raises InvalidRequest unless all are plain names."""
    checks = FieldChecks()
    for name in names:
        checks.matches("name", name, NAME)
    checks.done()


def check_addition(name: str, file_names: Sequence[str], licence_note: str) -> None:
    """Raises InvalidRequest that lists what is wrong; for clients before bytes travel, and for the router."""
    checks = FieldChecks()
    checks.matches("name", name, NAME)
    checks.within("files", len(file_names), 1, MOST_MODEL_FILES)
    checks.within("licence_note", len(licence_note), 0, LONGEST_LICENCE_NOTE)
    for index, file_name in enumerate(file_names):
        field = f"files[{index}].file_name"
        checks.matches(field, file_name, MODEL_FILE_NAME)
        is_of_a_model = file_name.endswith(MODEL_FILE_SUFFIXES)
        checks.require(field, holds=is_of_a_model, because=f"is {file_name}, but must end in {_SUFFIXES}")
    checks.done()


def model_to_proto(model: Model) -> pb.Model:
    """Value to message."""
    return pb.Model(
        name=model.name,
        engine=model.engine,
        stems=model.stems,
        size_bytes=model.size_bytes,
        licence_note=model.licence_note,
        origin=model.origin,
        state=MODEL_STATES.to_proto(model.state),
        problem=model.problem,
    )


def model_from_proto(message: pb.Model) -> Model:
    """Message to value."""
    return Model(
        name=message.name,
        engine=message.engine,
        stems=tuple(message.stems),
        size_bytes=message.size_bytes,
        licence_note=message.licence_note,
        origin=message.origin,
        state=MODEL_STATES.from_proto("model.state", message.state),
        problem=message.problem,
    )


def pull_progress_to_proto(progress: PullProgress) -> pb.PullProgress:
    """Value to message."""
    return pb.PullProgress(
        file_name=progress.file_name, done_bytes=progress.done_bytes, total_bytes=progress.total_bytes
    )


def pull_progress_from_proto(message: pb.PullProgress) -> PullProgress:
    """Message to value."""
    return PullProgress(message.file_name, message.done_bytes, message.total_bytes)
