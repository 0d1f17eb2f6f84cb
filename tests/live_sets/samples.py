"""The files that clips play."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from xml.etree.ElementTree import Element

import soundfile

from tests.live_sets.reading import SetFile, attribute, child, number, text

FOLDER = PurePosixPath("Samples/Imported")
MARKER = "Ableton Project Info"
"""Relative paths count from the folder that has this folder."""
FORMATS = {
    "WAV": {"PCM_16", "PCM_24", "FLOAT"},
    "WAVEX": {"PCM_16", "PCM_24", "FLOAT"},
    "FLAC": {"PCM_16", "PCM_24"},
    "AIFF": {"PCM_16", "PCM_24", "FLOAT"},
}
"""What Live plays; of 32 bits only float."""


def relative_path(clip: Element, major: int) -> str:
    """Where the sample is, from the folder of the project."""
    file = child(clip, "SampleRef/FileRef")
    if major > 10:
        return text(file, "RelativePath")
    folders = [attribute(folder, "Dir") for folder in child(file, "RelativePath")]
    return "/".join([*folders, text(file, "Name")])


def paths(found: SetFile) -> Iterator[str]:
    """In `Samples/Imported`, from the project's folder on."""
    for clip in found.root.iter("AudioClip"):
        path = relative_path(clip, found.major)
        if PurePosixPath(path).parent != FOLDER or str(PurePosixPath(path)) != path or "\\" in path:
            yield f"sample at {path!r}"
        if text(clip, "SampleRef/FileRef/Type") not in {"1", "2"}:
            yield "a file of unknown type"
        if not 0 <= number(clip, "SampleRef/LastModDate") < 1e10:
            yield "LastModDate is not in seconds"


def machines(found: SetFile) -> Iterator[str]:
    """Nothing of the machine that wrote it; Live itself notes where it has found a file."""
    for clip in found.root.iter("AudioClip"):
        absolute = clip.find("SampleRef/FileRef/Path")
        if absolute is not None and attribute(absolute, "Value") not in {"", relative_path(clip, found.major)}:
            yield f"sample at {attribute(absolute, 'Value')!r} of some machine"


def files(found: SetFile) -> Iterator[str]:
    """Each file exists, is of a kind that Live plays, and is as the set says."""
    if found.project_root is None:
        return
    if not (found.project_root / MARKER).is_dir():
        yield f"no {MARKER}"
    for clip in found.root.iter("AudioClip"):
        path = found.project_root / relative_path(clip, found.major)
        if not path.is_file():
            yield f"no {path.name}"
        elif _facts(path) != _said(clip, found.major):
            yield f"{path.name} is not as the set says"


def _facts(path: Path) -> tuple[float, ...]:
    info = soundfile.info(path)
    if info.subtype not in FORMATS.get(info.format, set()):
        return ()
    return path.stat().st_size, info.frames, info.samplerate


def _said(clip: Element, major: int) -> tuple[float, ...]:
    sample = child(clip, "SampleRef")
    size = number(sample, "FileRef/SearchHint/FileSize" if major == 10 else "FileRef/OriginalFileSize")
    return size, number(sample, "DefaultDuration"), number(sample, "DefaultSampleRate")
