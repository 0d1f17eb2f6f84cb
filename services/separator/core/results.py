"""Results as they lie in the store: their keys, and the manifest that is written last and makes one valid.

A result is immutable: manifest and stems under one key never change their samples. What separates again ("force")
writes the same samples there once more.
"""

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

from services.separator.core.ports import Task
from stemhouse.audio import AudioFormat, AudioRef, StemRef, StemSet, result_id
from stemhouse.cloud import CloudOrder
from stemhouse.errors import InternalFault, NotFound
from stemhouse.jobs import DEFAULT_PRIORITY
from stemhouse.ports import ObjectStore


@dataclass(frozen=True)
class SeparateTask(Task[StemSet]):
    """Separate one track by one engine; `force`: even if the result is stored; `cloud`: what it may spend.

    `priority` is that of its job: a low one goes first.
    """

    audio: AudioRef
    engine_id: str
    sum_to_mix: bool = True
    force: bool = False
    cloud: CloudOrder | None = None
    priority: int = DEFAULT_PRIORITY

    @property
    def result_engine_id(self) -> str:
        """The engine id that names the stored samples."""
        return result_id(self.engine_id, sums_to_mix=self.sum_to_mix)

    @property
    def folder(self) -> str:
        """Where the result lies; equal folders mean equal samples."""
        return f"results/{self.audio.pcm_sha256}/{self.result_engine_id}"

    def stem_key(self, stem: str) -> str:
        """Where a stem lies."""
        return f"{self.folder}/{stem}.flac"

    @property
    def manifest_key(self) -> str:
        """Where the manifest lies."""
        return f"{self.folder}/manifest.json"


@dataclass(frozen=True)
class CallOffTask(Task[float | None]):
    """End what was begun in the cloud for a separation that nobody wants any more.

    The answer is what it has cost in minutes; None if nobody can know, or another call is at the same order.
    """

    separation: SeparateTask


def find_result(store: ObjectStore, task: SeparateTask) -> StemSet | None:
    """The stored result, or None. Raises StorageUnavailable, and InternalFault for a manifest that is none."""
    try:
        manifest = b"".join(store.read(task.manifest_key))
    except NotFound:
        return None
    return stem_set_from_manifest(manifest, task.manifest_key)


def manifest_from_stem_set(stem_set: StemSet) -> bytes:
    """The manifest: JSON in UTF-8, one member per field."""
    return json.dumps(dataclasses.asdict(stem_set), indent=1, sort_keys=True).encode()


def stem_set_from_manifest(manifest: bytes, object_key: str) -> StemSet:
    """The inverse; raises InternalFault that names the object."""
    try:
        return _stem_set(json.loads(manifest))
    except (ValueError, KeyError, TypeError) as error:
        message = f"{object_key} is not a manifest: {error!r}"
        raise InternalFault(message, {"object_key": object_key}) from error


def _stem_set(fields: dict[str, Any]) -> StemSet:
    audio = dict(fields["audio"])
    audio_ref = AudioRef(**{**audio, "format": AudioFormat(**audio["format"])})
    stems = tuple(StemRef(**stem) for stem in fields["stems"])
    return StemSet(**{**fields, "audio": audio_ref, "stems": stems})
