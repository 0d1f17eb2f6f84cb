"""What is known of a track, as DJ programs and the names of files are told it."""

import hashlib
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any

from services.exporter.core.dj.naming import NameFields
from services.exporter.core.dj.origins import disagreement, moved
from services.exporter.core.keys import key_from_name, key_from_text
from stemhouse.analysis import SECONDS_PER_MINUTE, BeatGrid, GridMarker, TrackAnalysis
from stemhouse.dj import DJTrack, KnownTrack
from stemhouse.production import StemFolder
from stemhouse.tracks import BeatMarker

_DOWNBEAT = 1


@dataclass(frozen=True)
class DJSong:
    """A track as a whole: `track` has its plain title, `art` is its cover; `warnings` are for people."""

    names: NameFields
    track: DJTrack
    art: bytes = b""
    warnings: tuple[str, ...] = ()

    def of_stem(self, stem: str, gain_db: float | None) -> DJTrack:
        """The same of a file that holds a stem, or several."""
        maker = f" ({self.names.engine})" if self.names.engine else ""
        title = f"{self.track.title} ({stem.capitalize()})"
        return replace(self.track, title=title, comment=f"{stem.capitalize()} by Stemhouse{maker}", gain_db=gain_db)

    def determining(self) -> dict[str, Any]:
        """What files depend on, as JSON takes it."""
        digest = hashlib.sha256(self.art).hexdigest() if self.art else ""
        return {"names": asdict(self.names), "track": asdict(self.track), "art": digest}


def dj_song(folder: StemFolder, analysis: TrackAnalysis, known: KnownTrack, *, moves_origin: bool = False) -> DJSong:
    """What the library knows counts; the folder's tags and the analysis stand in for what it does not.

    The grid is locked: there is less to hear it by in a stem than in the song.
    """
    placed, warnings = _placed(folder, analysis, known, moves_origin=moves_origin)
    grid = placed.grid or (beat_markers(analysis.grid) if analysis.grid else ())
    key = key_from_text(placed.key) or (key_from_name(analysis.key.name) if analysis.key else None)
    heard_bpm = analysis.grid.bpm if analysis.grid else 0.0
    bpm = placed.bpm or (placed.grid[0].bpm if placed.grid else heard_bpm) or folder.hints.bpm
    artist, title = placed.artist or folder.artist, placed.title or folder.title
    engine = folder.result.stem_set.engine if folder.result else ""
    track = replace(
        placed,
        title=title,
        artist=artist,
        genre=placed.genre or folder.hints.genre,
        key=key.name if key else "",
        bpm=bpm,
        is_grid_locked=bool(grid),
        grid=grid,
    )
    return DJSong(NameFields(artist, title, bpm, key.camelot if key else "", engine), track, known.cover_art, warnings)


def _placed(
    folder: StemFolder, analysis: TrackAnalysis, known: KnownTrack, *, moves_origin: bool
) -> tuple[DJTrack, tuple[str, ...]]:
    """The known track where the drums are, if that is asked for, and what there is to be said of where it is."""
    found = disagreement(known.track.grid, analysis.grid, analysis.duration_s)
    if found is None or not found.is_of_an_origin:
        return known.track, ()
    side = "behind" if found.late_s > 0.0 else "before"
    whose, by_ms = known.program or "the library", f"{abs(found.late_s) * 1000:.0f} ms"
    told = f"{folder.title}: the grid of {whose} lies {by_ms} {side} the drums"
    if moves_origin:
        by_s = found.origin_s(_trimmed_s(folder))
        return moved(known.track, -by_s), (f"{told}; it was moved by {abs(by_s) * 1000:.1f} ms with its cues",)
    return known.track, (f"{told}, as with programs that count an MP3 encoder's silence: --mp3-origin moves it",)


def _trimmed_s(folder: StemFolder) -> float:
    """What our decoder has left out before the music, as far as is known."""
    if not folder.result:
        return 0.0
    return folder.result.facts.trimmed_lead_frames / folder.result.stem_set.audio.format.sample_rate_hz


def beat_markers(grid: BeatGrid) -> tuple[BeatMarker, ...]:
    """The grid's markers with the tempo from each on.

    The first one is moved back by as many whole bars as there are: some programs count from it on only.
    """
    first = grid.markers[0]
    bars = int(max(0.0, first.beat - grid.beat_at(0.0)) // grid.beats_per_bar)
    opening = first.beat - bars * grid.beats_per_bar
    markers = (GridMarker(max(0.0, grid.time_at(opening)), opening), *grid.markers[1:])
    tempos = [_bpm_between(one, two) for one, two in pairwise(markers)]
    return tuple(
        BeatMarker(marker.time_s, bpm, _DOWNBEAT) for marker, bpm in zip(markers, (*tempos, grid.end_bpm), strict=True)
    )


def _bpm_between(one: GridMarker, two: GridMarker) -> float:
    return (two.beat - one.beat) / (two.time_s - one.time_s) * SECONDS_PER_MINUTE
