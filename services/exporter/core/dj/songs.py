"""What is known of a track, as DJ programs and the names of files are told it."""

from dataclasses import dataclass, replace
from itertools import pairwise

from services.exporter.core.dj.naming import NameFields
from stemhouse.analysis import SECONDS_PER_MINUTE, BeatGrid, GridMarker, TrackAnalysis
from stemhouse.dj import DJTrack
from stemhouse.production import StemFolder
from stemhouse.tracks import BeatMarker

_DOWNBEAT = 1


@dataclass(frozen=True)
class DJSong:
    """A track as a whole: `track` has its plain title."""

    names: NameFields
    track: DJTrack

    def of_stem(self, stem: str, gain_db: float | None) -> DJTrack:
        """The same of a file that holds a stem, or several."""
        maker = f" ({self.names.engine})" if self.names.engine else ""
        title = f"{self.track.title} ({stem.capitalize()})"
        return replace(self.track, title=title, comment=f"{stem.capitalize()} by Stemhouse{maker}", gain_db=gain_db)


def dj_song(folder: StemFolder, analysis: TrackAnalysis) -> DJSong:
    """Tags and hints say who and what, the analysis where the beats are.

    The grid is locked: there is less to hear it by in a stem than in the song.
    """
    grid, key = analysis.grid, analysis.key
    bpm = grid.bpm if grid else folder.hints.bpm
    engine = folder.result.stem_set.engine if folder.result else ""
    return DJSong(
        NameFields(folder.artist, folder.title, bpm, key.camelot if key else "", engine),
        DJTrack(
            title=folder.title,
            artist=folder.artist,
            genre=folder.hints.genre,
            key=key.name if key else "",
            bpm=bpm,
            is_grid_locked=grid is not None,
            grid=beat_markers(grid) if grid else (),
        ),
    )


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
