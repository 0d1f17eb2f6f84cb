"""A tree of files in parts, and its record, which comes last."""

import hashlib
import json
from collections.abc import Generator, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any

from services.exporter.core.parts import FileCopy, FileEnd, FileStart, Progress, file_parts
from services.exporter.core.ports import EncodedFile
from stemhouse.production import TREE_RECORD, StemFile, StemFolder, TreePlan

TreePart = TreePlan | Progress | FileStart | bytes | FileEnd | FileCopy
"""A piece of a tree: the plan, then for each file its start, its chunks of at most 1 MiB, its end; or its copy.

Before the first file there may be any number of reports of progress.
"""

Parts = Generator[TreePart, None, None]

SCHEMA = 1
_CHUNK_BYTES = 1024 * 1024


class TreeSender:
    """Sends the files of one tree and writes down what was sent."""

    def __init__(self, plan: TreePlan) -> None:
        """Keep the plan."""
        self._plan = plan
        self._files: list[dict[str, Any]] = []

    def audio(self, path: str, encoding: AbstractContextManager[EncodedFile]) -> Parts:
        """A file that an encoder makes."""
        with encoding as encoded:
            yield from self._file(path, encoded.size_bytes, encoded.chunks)

    def copy(self, path: str, file: StemFile) -> Parts:
        """A file that the client has."""
        yield FileCopy(path, file.size_bytes, file.sha256)
        self._note(path, file.size_bytes, file.sha256)

    def document(self, path: str, data: bytes) -> Parts:
        """A file that is there as a whole."""
        chunks = (data[start : start + _CHUNK_BYTES] for start in range(0, len(data), _CHUNK_BYTES))
        yield from self._file(path, len(data), chunks)

    def record(self, facts: Mapping[str, Any]) -> Parts:
        """The last file; `facts` tell what the others were made of, and how."""
        document = {
            "schema": SCHEMA,
            "delivery_key": self._plan.delivery_key,
            "warnings": self._plan.warnings,
            **facts,
            "files": self._files,
        }
        data = f"{json.dumps(document, allow_nan=False, ensure_ascii=False, indent=2)}\n".encode()
        yield from file_parts(TREE_RECORD, len(data), [data])

    def _file(self, path: str, size_bytes: int, chunks: Iterable[bytes]) -> Parts:
        sha256 = yield from file_parts(path, size_bytes, chunks)
        self._note(path, size_bytes, sha256)

    def _note(self, path: str, size_bytes: int, sha256: str) -> None:
        self._files.append({"path": path, "size_bytes": size_bytes, "sha256": sha256})


def folder_facts(folder: StemFolder) -> dict[str, Any]:
    """What a tree was made of: names, and the digests of the files."""
    return {
        "artist": folder.artist,
        "title": folder.title,
        "stems": {file.stem: file.sha256 for file in folder.files},
        "pcm_sha256": folder.result.stem_set.audio.pcm_sha256 if folder.result else None,
    }


def delivery_key(*determining: Any) -> str:
    """A digest of everything that determines the bytes of a tree's files."""
    return hashlib.sha256(json.dumps(determining, allow_nan=False).encode()).hexdigest()
