"""What lies beside the files of chops: an index for people and programs, and a kit for samplers."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log10

from services.exporter.core.remix.chops import Chop

_COLUMNS = (
    *("file", "start_s", "end_s", "start_frame", "frame_count", "bar", "beat", "sixteenth", "start_beat"),
    *("note", "midi_note", "frequency_hz", "cents", "peak_db", "rms_db"),
)
_LOWEST_KEY, _HIGHEST_KEY = 36, 127


@dataclass(frozen=True)
class ChopFiles:
    """Chops that lie in files, and the stem that they were cut from."""

    stem: str
    sample_rate_hz: int
    file_ending: str
    chops: Sequence[Chop]

    def names(self) -> list[str]:
        """Of the files, in order."""
        return [chop.name + self.file_ending for chop in self.chops]


def index_json(files: ChopFiles) -> str:
    """`chops.json`: one object for each file; what is not known is null."""
    document = {"stem": files.stem, "sample_rate_hz": files.sample_rate_hz, "chops": _facts(files)}
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def index_csv(files: ChopFiles) -> str:
    """`chops.csv`: the same as a table (RFC 4180). Every name begins with a digit, so that none is a formula."""
    text = io.StringIO()
    table = csv.DictWriter(text, _COLUMNS)
    table.writeheader()
    table.writerows(_facts(files))
    return text.getvalue()


def sfz_kit(files: ChopFiles) -> str:
    """`chops.sfz` (SFZ 1): a chop for each key from C2 on, at its own pitch and to its end.

    There are 92 keys; what finds none is named in a comment.
    """
    keys, names = range(_LOWEST_KEY, _HIGHEST_KEY + 1), files.names()
    lines = ["// Chops by Stemhouse, in the order of the song.", "<group> loop_mode=one_shot ampeg_release=0.05"]
    lines += [
        f"<region> lokey={key} hikey={key} pitch_keycenter={key} sample={name}"
        for key, name in zip(keys, names, strict=False)
    ]
    lines += [f"// no key is left for {name}" for name in names[len(keys) :]]
    return "\n".join(lines) + "\n"


def _facts(files: ChopFiles) -> list[Mapping[str, object]]:
    return [_of(chop, name) for chop, name in zip(files.chops, files.names(), strict=True)]


def _of(chop: Chop, file_name: str) -> Mapping[str, object]:
    position, pitch = chop.position, chop.pitch
    return {
        "file": file_name,
        "start_s": round(chop.start_s, 6),
        "end_s": round(chop.end_s, 6),
        "start_frame": chop.start_frame,
        "frame_count": len(chop.samples),
        "bar": position.bar if position else None,
        "beat": position.beat if position else None,
        "sixteenth": position.sixteenth if position else None,
        "start_beat": position.start_beat if position else None,
        "note": pitch.name if pitch else None,
        "midi_note": pitch.midi_note if pitch else None,
        "frequency_hz": round(pitch.frequency_hz, 2) if pitch else None,
        "cents": round(pitch.cents, 1) if pitch else None,
        "peak_db": _db(chop.peak),
        "rms_db": _db(chop.rms),
    }


def _db(level: float) -> float | None:
    return round(20 * log10(level), 2) if level > 0.0 else None
