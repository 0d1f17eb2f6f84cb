"""Marks as programs take them that have pads and memory cues."""

from collections.abc import Iterator, Sequence

from stemhouse.tracks import Cue


def without_doubles(cues: Sequence[Cue]) -> Iterator[Cue]:
    """All but memory cues where another mark of their kind is, to the millisecond.

    Libraries of rekordbox have each pad's mark as a memory cue, too, since players show no others.
    """
    taken = {_place(cue) for cue in cues if cue.slot is not None}
    for cue in cues:
        if cue.slot is not None or _place(cue) not in taken:
            yield cue
        taken.add(_place(cue))


def _place(cue: Cue) -> tuple[str, int]:
    return cue.kind, round(cue.start_s * 1000)
