"""What each target takes: which stems, in which files, at which rate."""

from collections.abc import Iterator, Sequence

import numpy as np

from services.exporter.core.ports import FileSpec
from services.exporter.core.production.folders import OpenFolder, total
from services.exporter.core.production.ports import FloatBlock
from stemhouse.delivery import FileFormat
from stemhouse.dj import DJTarget, StemChoice
from stemhouse.errors import InvalidRequest
from stemhouse.production import StemFolder
from stemhouse.vocab import ACAPELLA, BASE_STEMS, BASS, DERIVED_STEMS, DRUMS, INSTRUMENTAL, OTHER, VOCALS

_USUAL_RATES_HZ = (44_100, 48_000)
_RATE_FAMILY_HZ = 11_025
_LARGEST_PLAYED_BYTES, _SAMPLE_BYTES, _TAGS_BYTES = 2**32 - 1, 3, 1 << 24


def target_rate_hz(target: DJTarget, sample_rate_hz: int) -> int:
    """The rate of a file for a target: the track's own, or for all but Serato 44.1 or 48 kHz, whichever is nearer kin.

    Players with a USB socket refuse others; stem files are played at these.
    """
    if target is DJTarget.SERATO or sample_rate_hz in _USUAL_RATES_HZ:
        return sample_rate_hz
    return 48_000 if sample_rate_hz % _RATE_FAMILY_HZ else 44_100


def require_player_room(spec: FileSpec, file_format: FileFormat) -> None:
    """Raises InvalidRequest for files of PCM that need RF64, or the like, which no player takes."""
    size_bytes = spec.frame_count * spec.channel_count * _SAMPLE_BYTES + _TAGS_BYTES
    if file_format is not FileFormat.FLAC and size_bytes > _LARGEST_PLAYED_BYTES:
        message = f"a file of {spec.frame_count / spec.sample_rate_hz / 3600:.1f} hours would be larger than 4 GiB"
        raise InvalidRequest(f"{message}: no player takes that", {"folder": message})


def chosen_stems(folder: StemFolder, choice: StemChoice) -> tuple[str, ...]:
    """The stems that become files, in order; raises InvalidRequest if the folder has not what they are made of."""
    there = tuple(file.stem for file in folder.files)
    halves = (ACAPELLA, INSTRUMENTAL)
    wanted = BASE_STEMS if choice is StemChoice.FOUR else halves
    lacking = [stem for stem in wanted if not _can_be_made(stem, there)]
    if lacking:
        message = f"{', '.join(lacking)} cannot be made of {folder.name or folder.title}: it has {', '.join(there)}"
        raise InvalidRequest(message, {"stems": message})
    if choice is StemChoice.ALL:
        return (*halves, *(stem for stem in there if stem not in halves))
    return wanted


def _can_be_made(stem: str, there: Sequence[str]) -> bool:
    if stem == ACAPELLA:
        return ACAPELLA in there or VOCALS in there
    if stem == INSTRUMENTAL:
        return INSTRUMENTAL in there or bool({*there} - {VOCALS, *DERIVED_STEMS})
    return stem in there


def read_stem(audio: OpenFolder, stem: str, choice: StemChoice) -> Iterator[FloatBlock]:
    """The samples of a chosen stem. One at a time: stems share what they are read from."""
    if stem in audio.stems and not (stem == OTHER and choice is StemChoice.FOUR):
        return audio.stems[stem].read()
    if stem == ACAPELLA:
        return audio.stems[VOCALS].read()
    if stem == INSTRUMENTAL and audio.mix and VOCALS in audio.stems:
        return _difference(audio.mix.read(), audio.stems[VOCALS].read())
    apart = {VOCALS, *DERIVED_STEMS} if stem == INSTRUMENTAL else {VOCALS, DRUMS, BASS, *DERIVED_STEMS}
    return total([audio.stems[part].read() for part in audio.stems if part not in apart])


def _difference(whole: Iterator[FloatBlock], part: Iterator[FloatBlock]) -> Iterator[FloatBlock]:
    for minuend, subtrahend in zip(whole, part, strict=True):
        yield np.subtract(minuend, subtrahend, dtype=np.float64).astype(np.float32)
