"""What all programs together know of a track, as one value."""

from collections.abc import Callable, Sequence

from stemhouse.dj import DJTrack, KnownTrack
from stemhouse.tracks import DJFacts, Track


def known_track(track: Track, program: str) -> KnownTrack:
    """Grid, its lock, cues and colour are those of one program, texts those of the track and then of any.

    The given program counts first, then whichever has a grid, then whichever has cues: the grid of one and the cues of
    another would tell of two origins, since programs do not agree on where an MP3 begins.
    """
    ordered = sorted(track.dj_facts, key=_rank(program))
    marked = next((facts for facts in ordered if facts.grid or facts.cues), None)
    told = DJTrack(
        title=track.title or _first(ordered, "title"),
        artist=track.artist or _first(ordered, "artist"),
        album=track.album or _first(ordered, "album"),
        genre=track.genre or _first(ordered, "genre"),
        key=_first(ordered, "key") or track.key,
        bpm=next((facts.bpm for facts in ordered if facts.bpm), track.bpm),
        color=_first(ordered, "color"),
        is_grid_locked=marked is not None and marked.is_grid_locked,
        grid=marked.grid if marked else (),
        cues=marked.cues if marked else (),
    )
    return KnownTrack(told, marked.program if marked else "")


def _rank(program: str) -> Callable[[DJFacts], tuple[bool, bool, bool, str]]:
    return lambda facts: (facts.program != program, not facts.grid, not facts.cues, facts.program)


def _first(known: Sequence[DJFacts], field: str) -> str:
    return next((str(getattr(facts, field)) for facts in known if getattr(facts, field)), "")
