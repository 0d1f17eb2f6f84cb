"""What DJ programs get of a batch: made by the exporter from delivered folders, in folders of their own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from services.library.core.track_search import TrackSearch
from stemhouse.batches import DJ_FOLDER, BatchLayout, BatchSpec
from stemhouse.client.dj import DJPlace, StemOrganizer
from stemhouse.client.dj_places import own_place
from stemhouse.client.sdk import Stemhouse
from stemhouse.client.stem_folders import read_stem_folder
from stemhouse.dj import TARGET_FORMATS, DJTarget, FoundTrack, OrganizeOptions, StemFileOptions, TrackClue

_PATIENCE_S = 600.0


@dataclass(frozen=True)
class _OwnSearch:
    """The library asks itself about tracks."""

    search: TrackSearch
    program: str

    def find(self, clues: Sequence[TrackClue | None], *, with_cover_art: bool) -> Mapping[int, FoundTrack]:
        """See TrackFinder.find."""
        places = [place for place, clue in enumerate(clues) if clue]
        told = [clue for clue in clues if clue]
        found = self.search.find(told, self.program, with_cover_art=with_cover_art)
        return {places[index]: track for index, track in found}


class DJExports:
    """Exports over a connection that others may share; one at a time, since the exporter is busy with one."""

    def __init__(self, client: Stemhouse, search: TrackSearch) -> None:
        """Keep them; no call is made here."""
        self._client = client
        self._search = search
        self._organizers: dict[tuple[str, BatchLayout, DJTarget], StemOrganizer] = {}
        self._exporting = Lock()

    def export(self, spec: BatchSpec, path: str, folder: Path) -> None:
        """What the targets take of a track, unless it is there; raises what is in the way of it."""
        for target in spec.targets:
            with self._exporting:
                organizer = self._organizer(spec, target)
                with own_place(_place(spec, target).output_dir, _PATIENCE_S, tidies=False):
                    found = self._search.of_path(path, _program(target))
                    outcome = organizer.organize_one(read_stem_folder(folder), _options(target), found)
            if outcome.error:
                raise outcome.error

    def write_lists(self, spec: BatchSpec) -> None:
        """Make all that is there known to the targets."""
        for target in spec.targets:
            with self._exporting:
                organizer = self._organizer(spec, target)
                with own_place(_place(spec, target).output_dir, _PATIENCE_S):
                    organizer.write_lists()

    def _organizer(self, spec: BatchSpec, target: DJTarget) -> StemOrganizer:
        """The one of before, which has read what is there."""
        key = (spec.output_dir, spec.layout, target)
        if key not in self._organizers:
            finder = _OwnSearch(self._search, _program(target))
            self._organizers[key] = StemOrganizer(self._client.production, target, _place(spec, target), finder)
        return self._organizers[key]


def _place(spec: BatchSpec, target: DJTarget) -> DJPlace:
    folder = Path(spec.output_dir, DJ_FOLDER, target.value)
    return DJPlace(folder, is_mirror=spec.layout is BatchLayout.MIRROR)


def _options(target: DJTarget) -> OrganizeOptions | StemFileOptions:
    return OrganizeOptions(target) if target in TARGET_FORMATS else StemFileOptions()


def _program(target: DJTarget) -> str:
    return "" if target is DJTarget.STEM_MP4 else target.value
