"""What lies beside the files of chops: an index for people and programs, and a kit for samplers."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from math import log10

from services.exporter.core.remix.chops import Chop

_COLUMNS = (
    *("file", "start_s", "end_s", "start_frame", "frame_count", "bar", "beat"),
    *("note", "midi_note", "frequency_hz", "cents", "peak_db", "rms_db"),
)
_LOWEST_KEY, _HIGHEST_KEY = 36, 127


def index_json(chops: Sequence[Chop], file_ending: str) -> str:
    """`chops.json`: one object for each file; what is not known is null."""
    document = {"chops": [_facts(chop, file_ending) for chop in chops]}
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def index_csv(chops: Sequence[Chop], file_ending: str) -> str:
    """`chops.csv`: the same as a table (RFC 4180). Every name begins with a digit, so that none is a formula."""
    text = io.StringIO()
    table = csv.DictWriter(text, _COLUMNS)
    table.writeheader()
    table.writerows(_facts(chop, file_ending) for chop in chops)
    return text.getvalue()


def sfz_kit(chops: Sequence[Chop], file_ending: str) -> str:
    """`chops.sfz`: a chop for each key from C2 on, at its own pitch and to its end; what finds no key is named."""
    keys = range(_LOWEST_KEY, _HIGHEST_KEY + 1)
    lines = ["// Chops by Stemhouse, in the order of the song.", "<global> loop_mode=one_shot ampeg_release=0.05"]
    lines += [f"<region> key={key} sample={chop.name}{file_ending}" for key, chop in zip(keys, chops, strict=False)]
    lines += [f"// no key is left for {chop.name}{file_ending}" for chop in chops[len(keys) :]]
    return "\n".join(lines) + "\n"


def _facts(chop: Chop, file_ending: str) -> Mapping[str, object]:
    pitch = chop.pitch
    return {
        "file": chop.name + file_ending,
        "start_s": round(chop.start_s, 6),
        "end_s": round(chop.end_s, 6),
        "start_frame": chop.start_frame,
        "frame_count": len(chop.samples),
        "bar": chop.bar,
        "beat": None if chop.start_beat is None else round(chop.start_beat, 4),
        "note": pitch.name if pitch else None,
        "midi_note": pitch.midi_note if pitch else None,
        "frequency_hz": round(pitch.frequency_hz, 2) if pitch else None,
        "cents": round(pitch.cents, 1) if pitch else None,
        "peak_db": _db(chop.peak),
        "rms_db": _db(chop.rms),
    }


def _db(level: float) -> float | None:
    return round(20 * log10(level), 2) if level > 0.0 else None
