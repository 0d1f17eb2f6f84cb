"""What tests of files for DJs need: an exporter with a delivered folder, and a library beside it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stemhouse.client.dj import DJLibrary, DJPlace, Organized, StemOrganizer
from stemhouse.client.documents import Documents
from stemhouse.client.endpoints import Endpoints
from stemhouse.client.sdk import Stemhouse
from stemhouse.client.stem_folders import LocalStems, read_stem_folder
from stemhouse.delivery import DeliveryOptions
from stemhouse.dj import DJTarget, OrganizeOptions, StemFileOptions
from tests.fakes import MemoryObjectStore
from tests.fakes_exporter import FakeTools, serve_exporter
from tests.fakes_library import FakeLibrary
from tests.unit.exporter.results import Separated, separated

TRACK = separated(70_000)


@dataclass
class House:
    """An exporter, a client of it, a folder that it has delivered, and where DJs' files go."""

    store: MemoryObjectStore
    tools: FakeTools
    library: FakeLibrary
    address: str
    client: Stemhouse
    folder: Path
    output: Path

    def organizer(self, target: DJTarget, root: Path | None = None, *, is_mirror: bool = False) -> StemOrganizer:
        """One that asks the library."""
        place = DJPlace(self.output, root, is_mirror)
        return StemOrganizer(self.client.production, target, place, DJLibrary(self.client.library, target.value))

    def organize(self, target: DJTarget, options: OrganizeOptions | StemFileOptions | None = None) -> Organized:
        """The one folder for a target, with its default options if none are given."""
        organizer = self.organizer(target)
        [outcome] = organizer.organize([self.stems()], options or OrganizeOptions(target))
        return outcome

    def stems(self) -> LocalStems:
        """The folder, read."""
        return read_stem_folder(self.folder)

    def files(self, target: DJTarget, options: OrganizeOptions | StemFileOptions | None = None) -> list[Path]:
        """Of which the record is none."""
        outcome = self.organize(target, options)
        assert outcome.made, outcome.error
        return [*outcome.made.files[:-1]]

    def lists(self, target: DJTarget, root: Path | None = None) -> Documents:
        """What names all files."""
        lists = self.organizer(target, root).write_lists()
        assert lists
        return lists


@contextmanager
def open_house(tmp_path: Path, track: Separated = TRACK) -> Iterator[House]:
    """One, with the stems of a track."""
    scratch_dir = tmp_path / "scratch"
    scratch_dir.mkdir()
    store, tools, library = track.store(), FakeTools(), FakeLibrary()
    with serve_exporter(store, scratch_dir, tools, library) as address, Stemhouse(Endpoints(*[address] * 3)) as client:
        delivered = client.deliver(track.result(), DeliveryOptions(), tmp_path / "out")
        yield House(store, tools, library, address, client, delivered.folder, tmp_path / "dj")
    assert list(scratch_dir.iterdir()) == []
