"""Small libraries for the end-to-end tests, and what is read off them and off the CLI's documents."""

import hashlib
import json
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mutagen.id3
import soundfile

from tests.signals import song

if TYPE_CHECKING:
    import subprocess

RATE_HZ = 44_100


def document(answer: "subprocess.CompletedProcess[str]") -> dict[str, Any]:
    """The one JSON document on stdout."""
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


def new_song(path: Path, genre: str = "") -> Path:
    """One second that was never separated before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, song(RATE_HZ, RATE_HZ, seed=uuid.uuid4().int % 2**32).T, RATE_HZ)
    if genre:
        new_tags(path, genre)
    return path


def new_tags(path: Path, genre: str) -> None:
    """In the place of those that an MP3 had."""
    tags = mutagen.id3.ID3()
    tags.add(mutagen.id3.TCON(text=genre))
    tags.add(mutagen.id3.TIT2(text=path.stem))
    tags.save(path)


def digests(folder: Path) -> dict[str, tuple[str, int]]:
    """Every file's digest and time of change."""
    return {
        str(path): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def states(report: dict[str, Any]) -> dict[str, str]:
    """Each track's state, by the name of its file."""
    return {Path(item["path"]).name: item["state"] for item in report["items"]}
