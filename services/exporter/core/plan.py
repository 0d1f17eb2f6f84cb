"""What a delivery will be: its stems, their common gain, their names, and a key that tells equal files."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.exporter.core.capacity import require_room
from services.exporter.core.files import StemFileManager
from services.exporter.core.ports import FileSpec
from services.exporter.core.samples import UNITS_FULL_SCALE, gain_to_fit, shift_from_gain, units_from_peak
from stemhouse.audio import AudioRef, StemRef, StemSet
from stemhouse.delivery import DeliveryOptions, DeliveryPlan
from stemhouse.errors import InvalidRequest
from stemhouse.jobs import SeparationResult
from stemhouse.vocab import ACAPELLA, DERIVED_STEMS, INSTRUMENTAL, VOCALS

LAYOUT_VERSION = 1
"""Grows when the bytes of an audio file change for the same result and options."""


@dataclass(frozen=True)
class PlannedDelivery:
    """The files by stem, in order, what each of them holds, and the gain of all of them against the source."""

    options: DeliveryOptions
    spec: FileSpec
    files: Mapping[str, str]
    gain: float
    announcement: DeliveryPlan


def plan_delivery(result: SeparationResult, options: DeliveryOptions, names: StemFileManager) -> PlannedDelivery:
    """The plan.

    Raises InvalidRequest for an unknown stem, a track that the file format cannot hold, or peaks and gains that no
    result can have.
    """
    stems = wanted_stems(result.stem_set, options.stems)
    spec = _file_spec(result.stem_set.audio, options)
    require_room(options.file_format, spec)
    gain = delivery_gain(result.stem_set, options)
    files = {stem: names.file_name(stem, options.file_format) for stem in stems}
    announcement = DeliveryPlan(
        folder=names.folder_name(result.source, result.facts),
        file_names=tuple(files.values()),
        delivery_key=_delivery_key(result.stem_set, options, stems, gain),
        gain=gain,
    )
    return PlannedDelivery(options, spec, files, gain, announcement)


def _file_spec(audio: AudioRef, options: DeliveryOptions) -> FileSpec:
    return FileSpec(options.sample_format, audio.format.sample_rate_hz, audio.format.channel_count, audio.frame_count)


def wanted_stems(stem_set: StemSet, wanted: Sequence[str]) -> tuple[str, ...]:
    """Each wanted stem once, in the order of the wish; all stored ones if there is no wish.

    Raises InvalidRequest that names an unknown stem and lists what there is.
    """
    stored = tuple(stem.name for stem in stem_set.stems)
    derived = DERIVED_STEMS if VOCALS in stored else ()
    for stem in wanted:
        if stem not in stored + derived:
            message = f"no stem {stem} in a result of {stem_set.engine}; it has {', '.join(stored + derived)}"
            raise InvalidRequest(message, {"stems": message})
    return tuple(dict.fromkeys(wanted or stored))


def stored_stem(stem_set: StemSet, name: str) -> StemRef | None:
    """The object that holds a stem; an acapella is the vocals. None for an instrumental, which is mix - vocals."""
    return stem_set.stem(name) or (stem_set.stem(VOCALS) if name == ACAPELLA else None)


def delivery_gain(stem_set: StemSet, options: DeliveryOptions) -> float:
    """1.0 where the files can hold the source's scale, else one gain for the whole set.

    The peaks of all stems count, the instrumental's too, whichever are wanted: so stems that are fetched one by one
    still fit together.
    """
    # No head room for MP3 and AAC: music at full scale was seen to decode at 0.1 dB above it at most, 1 dB where it had
    # been clipped before. Players have that room, and stems of one track keep one level in all formats.
    peaks_units = [_stored_peak_units(stem, stem_set.gain) for stem in stem_set.stems]
    if stem_set.stem(VOCALS) and not stored_stem(stem_set, INSTRUMENTAL):
        shift_from_gain(stem_set.audio.gain)
        peaks_units.append(units_from_peak(stem_set.instrumental_peak, stem_set.gain))
    return gain_to_fit(peaks_units, options.sample_format)


def _stored_peak_units(stem: StemRef, stored_gain: float) -> int:
    """Stored without a gain, a stem fits 24 bits, even if it peaks at -2**23, whose sign the peak does not tell."""
    units = units_from_peak(stem.peak, stored_gain)
    return min(units, UNITS_FULL_SCALE - 1) if stored_gain == 1.0 else units


def _delivery_key(stem_set: StemSet, options: DeliveryOptions, stems: Sequence[str], gain: float) -> str:
    """A digest of everything that determines the bytes of the audio files."""
    determining = [
        LAYOUT_VERSION,
        stem_set.audio.pcm_sha256,
        stem_set.engine_id,
        stem_set.sums_to_mix,
        [[stem.name, stem.object_key] for stem in stem_set.stems],
        options.file_format.value,
        options.sample_format.value,
        list(stems),
        gain,
    ]
    return hashlib.sha256(json.dumps(determining).encode()).hexdigest()
