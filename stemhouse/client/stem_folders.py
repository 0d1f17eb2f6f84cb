"""Reading folders of stems: delivered ones by their metadata.json, others by the names of their files."""

import hashlib
import json
import unicodedata
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stemhouse.analysis import HIGHEST_BPM, AnalysisHints
from stemhouse.audio import (
    AudioFormat,
    AudioRef,
    QualityReport,
    SourceFacts,
    SourceRef,
    StemQuality,
    StemRef,
    StemSet,
)
from stemhouse.client.delivery import METADATA
from stemhouse.client.files import read_errors, wire_name
from stemhouse.errors import InvalidRequest, UnreadableAudio, UnsupportedAudio
from stemhouse.jobs import CacheHit, Decision, SeparationResult
from stemhouse.production import LONGEST_HEAD_BYTES, StemFile, StemFolder
from stemhouse.vocab import BASE_STEMS, DERIVED_STEMS, EXTRA_STEMS, in_listing_order
from stemhouse.wire.analysis import LONGEST_GENRE
from stemhouse.wire.audio import MAX_FILE_NAME_CHARACTERS, result_from_proto, result_to_proto

_SUFFIXES = frozenset({".wav", ".wave", ".flac", ".aif", ".aiff"})
_UNTOLD = frozenset({"Cc", "Cs"})
"""Controls, and halves of characters: no text of a tag, and not UTF-8."""
_LOSSY_SUFFIXES = frozenset({".mp3", ".m4a", ".aac", ".mp4", ".ogg", ".oga", ".opus", ".wma"})
_STEMS = frozenset({*BASE_STEMS, *EXTRA_STEMS, *DERIVED_STEMS})
"""What a file must be named after: mixes, bounces and older takes lie beside stems, and would be heard twice."""


@dataclass(frozen=True)
class LocalStems:
    """A folder as the exporter is told of it, the folder itself, and its files by stem.

    `left_alone` are names of audio files in it that are named after no stem.
    """

    folder: StemFolder
    path: Path
    files: Mapping[str, Path]
    left_alone: tuple[str, ...] = ()


def read_stem_folder(path: Path, hints: AnalysisHints | None = None) -> LocalStems:
    """The stems of a folder, with the digests of their files; what is not named after a stem is left alone.

    A hint that is not given is taken from metadata.json. Raises InvalidRequest for a folder without stems, with two
    files for one stem, or with a file that cannot be read; UnsupportedAudio for lossy stems.
    """
    metadata = _metadata(path)
    found = _audio_files(path)
    files = _stem_files(path, found, _source_name(metadata))
    with ThreadPoolExecutor() as pool:  # digests of large files are made beside each other
        stem_files = tuple(pool.map(_stem_file, files.keys(), files.values()))
    folder = StemFolder(
        artist=_text(_part(metadata, "source").get("artist")),
        title=_title(metadata) or wire_name(path.resolve()),
        files=stem_files,
        result=_result(metadata, stem_files),
        hints=_hints(metadata, hints or AnalysisHints()),
        name=wire_name(path.resolve()),
    )
    left_alone = tuple(file.name for file in found if file.stem.lower() not in _STEMS)
    return LocalStems(folder, path, files, left_alone)


def _stem_files(folder: Path, files: Sequence[Path], source_name: str) -> dict[str, Path]:
    """The files by stem, in the order in which stems are listed."""
    found: dict[str, Path] = {}
    for file in files:
        stem = file.stem.lower()
        if stem in found:
            message = f"{folder} has two files for {stem}: {found[stem].name} and {file.name}"
            raise InvalidRequest(message, {"folder": str(folder)})
        if stem in _STEMS:
            found[stem] = file
    lossy = [file.name for file in found.values() if file.suffix.lower() in _LOSSY_SUFFIXES]
    if lossy:
        remedy = f'stemhouse separate "{source_name}" --format wav'
        message = f"{folder}: {', '.join(lossy)} are lossy; `{remedy}` delivers stems to work with"
        raise UnsupportedAudio(message, {"folder": str(folder)})
    if not found:
        message = f"{folder} has no file that is named after a stem, such as vocals.wav"
        raise InvalidRequest(message, {"folder": str(folder)})
    return {stem: found[stem] for stem in in_listing_order(found)}


def _audio_files(folder: Path) -> list[Path]:
    """By name; a link that leads nowhere is among them, and whoever reads it will be told."""
    try:
        files = sorted(folder.iterdir())
    except OSError as error:
        message = f"cannot read {folder}: {error.strerror}"
        raise InvalidRequest(message, {"folder": str(folder)}) from error
    return [file for file in files if file.suffix.lower() in _SUFFIXES | _LOSSY_SUFFIXES and not file.is_dir()]


def _stem_file(stem: str, path: Path) -> StemFile:
    """Raises InvalidRequest for a file that cannot be read, UnreadableAudio for an empty one."""
    with read_errors(path), path.open("rb") as file:
        head = file.read(LONGEST_HEAD_BYTES)
        if not head:
            message = f"{path} is empty"
            raise UnreadableAudio(message, {"file": str(path)})
        file.seek(0)
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return StemFile(stem, wire_name(path), sha256, file.tell(), head)


def _metadata(folder: Path) -> dict[str, Any]:
    """What metadata.json holds; empty if there is none that can be read."""
    try:
        metadata = json.loads((folder / METADATA).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return metadata if isinstance(metadata, dict) else {}


def _part(metadata: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = metadata.get(name)
    return part if isinstance(part, dict) else {}


def _hints(metadata: Mapping[str, Any], given: AnalysisHints) -> AnalysisHints:
    """What is given counts; what is not is taken from the tags of the source."""
    source = _part(metadata, "source")
    bpm = source.get("bpm")
    told_bpm = float(bpm) if isinstance(bpm, int | float) and not isinstance(bpm, bool) else 0.0
    return replace(
        given,
        bpm=given.bpm or (told_bpm if 0.0 < told_bpm <= HIGHEST_BPM else 0.0),
        genre=given.genre or _text(source.get("genre"))[:LONGEST_GENRE],
    )


def _text(value: object) -> str:
    """A text as servers can be told it: without controls, and not endless; nothing for whatever else is there."""
    if not isinstance(value, str):
        return ""
    told = (character for character in value if unicodedata.category(character) not in _UNTOLD)
    return "".join(told)[:MAX_FILE_NAME_CHARACTERS]


def _title(metadata: Mapping[str, Any]) -> str:
    """The source's title, else the name that its file had, without the ending."""
    source = _part(metadata, "source")
    return _text(source.get("title")) or Path(_text(source.get("file_name"))).stem


def _source_name(metadata: Mapping[str, Any]) -> str:
    return _text(_part(metadata, "source").get("file_name")) or "SONG"


def _result(metadata: Mapping[str, Any], files: tuple[StemFile, ...]) -> SeparationResult | None:
    """The result that was delivered, with those of its stems whose files are still what was delivered of them."""
    try:
        result = result_from_proto(result_to_proto(_delivered_result(metadata)))
        digests = {file["stem"]: file["sha256"] for file in metadata["files"]}
        gain = float(metadata["delivery"]["gain"])
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, InvalidRequest):
        return None  # none there, of another time, or damaged: the files are all that is known
    untouched = {file.stem for file in files if gain == 1.0 and digests.get(file.stem) == file.sha256}
    stems = tuple(stem for stem in result.stem_set.stems if stem.name in untouched)
    return replace(result, stem_set=replace(result.stem_set, stems=stems))


def _delivered_result(metadata: Mapping[str, Any]) -> SeparationResult:
    source, separation, quality = metadata["source"], metadata["separation"], metadata["quality"]
    return SeparationResult(
        source=SourceRef(source["sha256"], source["md5"], int(source["size_bytes"]), source["file_name"]),
        facts=SourceFacts(
            container=source["container"],
            codec=source["codec"],
            bits_per_sample=source["bits_per_sample"] or 0,
            decoder=source["decoder"],
            trimmed_lead_frames=int(source.get("trimmed_lead_frames", 0)),
            artist=source["artist"],
            title=source["title"],
        ),
        stem_set=_stem_set(metadata),
        quality=QualityReport(quality["method"], tuple(StemQuality(**stem) for stem in quality["stems"])),
        decision=Decision(separation["engine"], separation["engine_id"], tuple(separation["decision_reasons"])),
        cache_hit=CacheHit(separation["cache_hit"]),
    )


def _stem_set(metadata: Mapping[str, Any]) -> StemSet:
    separation, fidelity, objects = metadata["separation"], metadata["fidelity"], metadata["objects"]
    peaks = fidelity["stem_peaks"]
    return StemSet(
        audio=AudioRef(
            object_key=objects["mix"],
            pcm_sha256=objects["pcm_sha256"],
            format=AudioFormat(int(fidelity["sample_rate_hz"]), int(fidelity["channel_count"])),
            frame_count=int(fidelity["frame_count"]),
            gain=float(fidelity["mix_gain"]),
            peak=float(fidelity["mix_peak"]),
        ),
        engine=separation["engine"],
        model=separation["model"],
        engine_id=separation["engine_id"],
        stems=tuple(StemRef(name, key, float(peaks[name])) for name, key in objects["stems"].items()),
        gain=float(fidelity["common_gain"]),
        null_depth_db=float(fidelity["null_depth_db"]),
        instrumental_peak=float(fidelity["instrumental_peak"]),
        sums_to_mix=bool(fidelity["sums_to_mix"]),
        processing_s=float(separation["processing_s"]),
        device=separation["device"],
        versions=dict(metadata["tool_versions"]["separator"]),
    )
