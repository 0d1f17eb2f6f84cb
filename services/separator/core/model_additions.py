"""Models of one's own: which of the uploaded files are checkpoints, and how a YAML file puts them into a bag.

File names are those that demucs gives: `{signature}.th`, `{signature}-{first digits of the SHA-256}.th`, or
`{signature}.safetensors`. A bag lists signatures.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import yaml

from services.separator.core.model_fields import UVR_SUFFIXES, check_checkpoint_name, check_segment, check_weights
from services.separator.core.models import DEMUCS, UVR, ModelEntry, ModelFile
from services.separator.core.plain_yaml import plain_yaml
from services.separator.core.uvr_additions import is_uvr_upload, weights_and_parameters
from stemhouse.audio import AudioFormat, SourceRef
from stemhouse.errors import ModelRejected

_LARGEST_BAG_BYTES = 65_536
"""Of a YAML file; a published one has some hundred."""

ADDED_ORIGIN = "added by its user"
NO_LICENCE_NOTE = "none given"

_YAML_SUFFIXES = (".yaml", ".yml")
_LONGEST_CAUSE = 500
"""YAML's own messages quote the document, and all has to fit into the head of an answer."""
_MOST_MODELS = 64
_SIGNATURE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_WITH_DIGEST = re.compile(r"(?P<signature>.+)-(?P<digest>[0-9a-f]{8,64})")
"""Eight digits are what demucs writes; a shorter ending belongs to the signature."""


@dataclass(frozen=True)
class Addition:
    """A model of one's own as it was asked for; `files` have been uploaded."""

    name: str
    files: tuple[SourceRef, ...]
    licence_note: str = ""


@dataclass(frozen=True)
class Bag:
    """Checkpoints in order, and how they are weighed and cut; see ModelEntry."""

    files: tuple[ModelFile, ...]
    weights: tuple[tuple[float, ...], ...] | None = None
    segment_s: float | None = None
    engine: str = DEMUCS


@dataclass(frozen=True)
class Upload:
    """What was given to be a model: checkpoints, and the YAML file of the bag if there is one."""

    checkpoints: tuple[ModelFile, ...]
    bag: ModelFile | None


def uvr_bag(sources: Sequence[SourceRef]) -> Bag | None:
    """A model of UVR if one of the files could be of no other: weights, and parameters. Raises ModelRejected."""
    files = [ModelFile(source.file_name, source.sha256, source.size_bytes) for source in sources]
    if not is_uvr_upload([file.name for file in files]):
        return None
    with _rejecting(f"these files do not make a model: {_listed(files)}"):
        found = weights_and_parameters(files)
        for file in found:
            check_checkpoint_name(file.name, UVR_SUFFIXES)
    return Bag(found, engine=UVR)


def sort_upload(sources: Sequence[SourceRef]) -> Upload:
    """Tell checkpoints and bag apart; raises ModelRejected for other files, and where one is missing or too many."""
    files = [ModelFile(source.file_name, source.sha256, source.size_bytes) for source in sources]
    bags = [file for file in files if file.name.endswith(_YAML_SUFFIXES)]
    checkpoints = tuple(file for file in files if file not in bags)
    with _rejecting(f"these files do not make a model: {_listed(files)}"):
        for file in checkpoints:
            check_checkpoint_name(file.name)
            _check_digest_in_name(file)
        if len(bags) > 1:
            raise ValueError(f"there is more than one bag: {_listed(bags)}")
        if bags and bags[0].size_bytes > _LARGEST_BAG_BYTES:
            raise ValueError(f"{bags[0].name} has {bags[0].size_bytes} bytes, too many for a bag")
        if not checkpoints or (len(checkpoints) > 1 and not bags):
            raise ValueError(f"{len(checkpoints)} checkpoints without a YAML file that makes them a bag")
    return Upload(checkpoints, bags[0] if bags else None)


def bag_from_yaml(document: bytes, file_name: str, checkpoints: Sequence[ModelFile]) -> Bag:
    """The bag that a YAML file makes of the checkpoints: `models`, `weights` and `segment`, as in demucs.

    Raises ModelRejected for anything else, and for checkpoints that are missing, twofold, or not named.
    """
    with _rejecting(f"{file_name} does not make a model"):
        fields = plain_yaml(document)
        if not isinstance(fields, dict):
            raise ValueError("it holds no fields")  # noqa: TRY004 - input of a wrong form, as all else below
        files = _in_bag_order(fields.get("models"), checkpoints)
        weights, segment_s = fields.get("weights"), fields.get("segment")
        check_weights(weights, len(files))
        check_segment(segment_s)
        return Bag(files, tuple(tuple(row) for row in weights) if weights else None, segment_s)


def entry_of_addition(addition: Addition, bag: Bag) -> ModelEntry:
    """The entry, but for stems and audio, which only the loaded checkpoints tell."""
    return ModelEntry(
        name=addition.name,
        engine=bag.engine,
        stems=(),
        audio_format=AudioFormat(0, 0),
        files=bag.files,
        licence_note=addition.licence_note or NO_LICENCE_NOTE,
        origin=ADDED_ORIGIN,
        weights=bag.weights,
        segment_s=bag.segment_s,
    )


def _in_bag_order(signatures: Any, checkpoints: Sequence[ModelFile]) -> tuple[ModelFile, ...]:
    is_list = isinstance(signatures, list) and len(signatures) <= _MOST_MODELS
    if not is_list or not all(isinstance(one, str) and _SIGNATURE.fullmatch(one) for one in signatures):
        raise ValueError("models must be a list of signatures, in quotation marks if they are numbers")
    by_signature = {_signature(file): file for file in checkpoints}
    if len(by_signature) < len(checkpoints):
        raise ValueError(f"two checkpoints have one signature: {_listed(checkpoints)}")
    if sorted(signatures) != sorted(by_signature):
        raise ValueError(f"models are {', '.join(signatures)}, but the checkpoints are {_listed(checkpoints)}")
    return tuple(by_signature[signature] for signature in signatures)


def _signature(file: ModelFile) -> str:
    stem = file.name.rpartition(".")[0]
    match = _WITH_DIGEST.fullmatch(stem)
    return match["signature"] if match else stem


def _check_digest_in_name(file: ModelFile) -> None:
    match = _WITH_DIGEST.fullmatch(file.name.rpartition(".")[0])
    if match and not file.sha256.startswith(match["digest"]):
        raise ValueError(f"{file.name} does not hold what its name says: its SHA-256 is {file.sha256}")


def _listed(files: Sequence[ModelFile]) -> str:
    return ", ".join(file.name for file in files)


@contextmanager
def _rejecting(what: str) -> Iterator[None]:
    """Turn the ValueErrors of the block, and YAML's, into ModelRejected."""
    try:
        yield
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise ModelRejected(f"{what}: {str(error)[:_LONGEST_CAUSE]}") from error
