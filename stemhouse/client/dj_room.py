"""How much room files for DJs take, told before they are made."""

import shutil
from pathlib import Path

from stemhouse.client.stem_folders import LocalStems
from stemhouse.delivery import FileFormat, SampleFormat
from stemhouse.dj import TARGET_FORMATS, OrganizeOptions, StemChoice, StemFileOptions
from stemhouse.footprint import (
    MIX_FLAC24_SHARE,
    PCM24_BYTES_PER_S,
    STEM_FILE_BYTES_PER_S,
    STEM_FLAC24_SHARE,
)
from stemhouse.vocab import DERIVED_STEMS

_SAMPLE_BYTES = 3
_HIGHEST_PLAYED_HZ = 48_000
_FILE_BYTES = 16 * 1024
"""Tags, the heads of a file, and what the file system rounds up."""


def tree_bytes(stems: LocalStems, options: OrganizeOptions | StemFileOptions, cover_bytes: int = 0) -> int:
    """What the files of a folder will take, about: FLAC and ALAC as songs usually do, the rest nearly exactly."""
    pcm_bytes = _pcm24_bytes(stems, options)
    if isinstance(options, StemFileOptions):
        share = MIX_FLAC24_SHARE + 4 * STEM_FLAC24_SHARE
        aac_bytes = pcm_bytes / PCM24_BYTES_PER_S * STEM_FILE_BYTES_PER_S
        return round(pcm_bytes * share if options.is_lossless else aac_bytes) + _FILE_BYTES + cover_bytes
    if options.sample_format is SampleFormat.PCM16:
        pcm_bytes *= 2 / 3
    stem_count, whole_count = _counts(stems, options.stems)
    file_format = options.file_format or TARGET_FORMATS[options.target][0]
    is_flac = file_format is FileFormat.FLAC
    shares = stem_count * STEM_FLAC24_SHARE + whole_count * MIX_FLAC24_SHARE if is_flac else stem_count + whole_count
    return round(pcm_bytes * shares) + (stem_count + whole_count) * (_FILE_BYTES + cover_bytes)


def _counts(stems: LocalStems, choice: StemChoice) -> tuple[int, int]:
    """Files of single stems, and of nearly the whole song."""
    single = len({*stems.files} - {*DERIVED_STEMS})
    return {StemChoice.DJ: (1, 1), StemChoice.FOUR: (4, 0), StemChoice.ALL: (single + 1, 1)}[choice]


def _pcm24_bytes(stems: LocalStems, options: OrganizeOptions | StemFileOptions) -> float:
    """Of one file: by what metadata.json tells, else by the largest file that is there."""
    if not stems.folder.result:
        return max(_unpacked_bytes(path) for path in stems.files.values())
    audio = stems.folder.result.stem_set.audio
    rate_hz = audio.format.sample_rate_hz
    keeps_rate = isinstance(options, OrganizeOptions) and FileFormat.FLAC in TARGET_FORMATS[options.target]
    share = 1.0 if keeps_rate else min(1.0, _HIGHEST_PLAYED_HZ / rate_hz)
    return audio.frame_count * audio.format.channel_count * _SAMPLE_BYTES * share


def _unpacked_bytes(path: Path) -> float:
    size_bytes = path.stat().st_size
    return size_bytes / STEM_FLAC24_SHARE if path.suffix.lower() == ".flac" else size_bytes


def free_bytes(folder: Path) -> int | None:
    """On the disk of a folder that may not be there yet; None if the system does not tell."""
    existing = next((path for path in (folder, *folder.parents) if path.exists()), None)
    try:
        return shutil.disk_usage(existing).free if existing else None
    except OSError:
        return None
