"""How many tracks one message may carry: gRPC takes 4 MB, and a beat grid may have a mark for each beat."""

from collections.abc import Iterable
from dataclasses import replace

from stemhouse.tracks import DJFacts, Track

PAGE_BYTES = 1 << 20
_CHAR_BYTES, _MARKER_BYTES, _CUE_BYTES, _FACTS_BYTES, _TRACK_BYTES = 4, 24, 64, 128, 64
"""The most that one takes on the wire, for text in the worst case."""


def fitting(tracks: Iterable[Track]) -> list[Track]:
    """The first tracks, as many as a page holds, at least one.

    One that would not fit by itself comes without what the DJ programs say.
    """
    fitted: list[Track] = []
    left_bytes = PAGE_BYTES
    for track in tracks:
        lean = track if _track_bytes(track) <= PAGE_BYTES else replace(track, dj_facts=())
        left_bytes -= _track_bytes(lean)
        if fitted and left_bytes < 0:
            break
        fitted.append(lean)
    return fitted


def _track_bytes(track: Track) -> int:
    texts = (track.path, track.artist, track.title, track.album, track.genre, track.key, *track.crates)
    return _TRACK_BYTES + _text_bytes(texts) + sum(map(_facts_bytes, track.dj_facts))


def _facts_bytes(facts: DJFacts) -> int:
    texts = (facts.artist, facts.title, facts.album, facts.genre, facts.key, *(cue.name for cue in facts.cues))
    marks_bytes = _MARKER_BYTES * len(facts.grid) + _CUE_BYTES * len(facts.cues)
    return _FACTS_BYTES + marks_bytes + _text_bytes(texts)


def _text_bytes(texts: Iterable[str]) -> int:
    return sum(_CHAR_BYTES * len(text) + _CHAR_BYTES for text in texts)
