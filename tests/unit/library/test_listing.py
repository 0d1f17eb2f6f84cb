"""Pages of the catalogue."""

import pytest

from services.library.core.listing import TrackListing
from services.library.core.ports import (
    CatalogueEntry,
    FiledCrate,
    FileStamp,
    LibraryFile,
    LibraryRecord,
    NamedFile,
    VocalShare,
)
from services.library.core.work_order import CatalogueWorkOrder
from stemhouse.errors import InvalidRequest
from stemhouse.tracks import BeatMarker, Crate, DJFacts, LibraryKind, RankedTrack, Track
from stemhouse.wire.tracks import track_page_to_proto
from tests.unit.library.fakes import MemoryCatalogue, MemoryFolders

PATHS = [f"/music/{name}.wav" for name in ("a", "b", "Ö日本", "z")] + ["/other/x.wav"]


@pytest.fixture
def catalogue() -> MemoryCatalogue:
    """Five tracks."""
    catalogue = MemoryCatalogue()
    catalogue.upsert([CatalogueEntry(Track(path, 1), FileStamp(1, 1)) for path in PATHS])
    named = LibraryFile(NamedFile("x.wav", LibraryKind.REKORDBOX, ""), "/other/x.wav", None)
    record = LibraryRecord("/dj/c.xml/", LibraryKind.REKORDBOX, "1")
    catalogue.replace(record, [named], [FiledCrate("Friday", (0,))])
    return catalogue


@pytest.fixture
def listing(catalogue: MemoryCatalogue) -> TrackListing:
    """The core over the catalogue."""
    folders = MemoryFolders()
    return TrackListing(catalogue, catalogue, folders, CatalogueWorkOrder(catalogue, catalogue, folders))


def _all_pages(listing: TrackListing, page_size: int, folder: str = "") -> list[list[str]]:
    pages, token = [], ""
    while True:
        page = listing.page(page_size, token, folder)
        pages.append([track.path for track in page.tracks])
        token = page.next_page_token
        if not token:
            return pages


@pytest.mark.parametrize(("page_size", "page_count"), [(1, 5), (2, 3), (5, 1), (0, 1), (1000, 1)])
def test_pages_hold_every_track_once_in_path_order(listing: TrackListing, page_size: int, page_count: int) -> None:
    """Whatever the page size; the last page has no token."""
    pages = _all_pages(listing, page_size)
    assert [path for page in pages for path in page] == sorted(PATHS)
    assert len(pages) == page_count


@pytest.mark.parametrize(("page_size", "page_count"), [(1, 5), (2, 3), (5, 1), (0, 1)])
def test_ranked_pages_hold_every_track_once(listing: TrackListing, page_size: int, page_count: int) -> None:
    """In the order of work, with places from 1 on."""
    pages: list[tuple[RankedTrack, ...]] = []
    token = ""
    while not pages or token:
        page = listing.ranked_page(page_size, token, "", ["Friday"], is_crates_only=False)
        assert page.total_count == 5
        pages.append(page.tracks)
        token = page.next_page_token
    ranked = [(each.place, each.track.path) for tracks in pages for each in tracks]
    assert ranked == list(enumerate(["/other/x.wav", *sorted(PATHS)[:-1]], start=1))
    assert pages[0][0].reasons == ('crate "Friday"',)
    assert len(pages) == page_count


def test_ranked_pages_follow_the_catalogue(listing: TrackListing, catalogue: MemoryCatalogue) -> None:
    """The order that was made for the first page is good until something changes."""
    first = listing.ranked_page(1, "", "", [], is_crates_only=False)
    assert first.tracks[0].track.path == "/other/x.wav"
    catalogue.record_vocals(PATHS[1], FileStamp(1, 1), VocalShare(0.9, is_probed=True))
    second = listing.ranked_page(1, "", "", [], is_crates_only=False)
    assert (second.tracks[0].track.path, second.tracks[0].reasons) == (PATHS[1], ("vocals: 90% of it (probed)",))


def test_only_tracks_of_the_crates(listing: TrackListing) -> None:
    """In any case of the name."""
    page = listing.ranked_page(10, "", "", ["FRIDAY"], is_crates_only=True)
    assert ([each.track.path for each in page.tracks], page.total_count) == (["/other/x.wav"], 1)


def test_crates_of_a_location(listing: TrackListing) -> None:
    """Of libraries there and below."""
    friday = Crate("Friday", "/dj/c.xml", 1, 0)
    assert listing.crates("") == listing.crates("/dj") == listing.crates("/dj/c.xml") == [friday]
    assert listing.crates("/music") == []


def test_folder_limits_tracks_and_count(listing: TrackListing) -> None:
    """The total is that of the folder."""
    assert _all_pages(listing, 10, "/other") == [["/other/x.wav"]]
    assert listing.page(1, "", "/music").total_count == 4


def test_track_removed_between_pages_hides_no_other(listing: TrackListing, catalogue: MemoryCatalogue) -> None:
    """A page begins after a path, not at a number."""
    first = listing.page(2, "", "")
    catalogue.remove([track.path for track in first.tracks])
    assert [track.path for track in listing.page(2, first.next_page_token, "").tracks] == sorted(PATHS)[2:4]


@pytest.mark.parametrize("page_size", [-1, 1001])
def test_page_size_out_of_range_is_refused(listing: TrackListing, page_size: int) -> None:
    """The error names the field."""
    with pytest.raises(InvalidRequest) as caught:
        listing.page(page_size, "", "")
    assert "page_size" in caught.value.details


@pytest.mark.parametrize("token", ["LTE=", "YQ==", "wrI="])
def test_place_of_nobody_is_refused(listing: TrackListing, token: str) -> None:
    """-1, a letter, and a small 2."""
    with pytest.raises(InvalidRequest, match="page_token"):
        listing.ranked_page(1, token, "", [], is_crates_only=False)


@pytest.mark.parametrize("token", ["%%%", "abc", "gICA", "ü"])
def test_token_of_nobody_is_refused(listing: TrackListing, token: str) -> None:
    """Not base64, cut, not UTF-8, not ASCII."""
    with pytest.raises(InvalidRequest) as caught:
        listing.page(1, token, "")
    assert "page_token" in caught.value.details


def test_page_ends_where_a_message_would_not_hold_more(catalogue: MemoryCatalogue, listing: TrackListing) -> None:
    """Grids with a mark for each beat are large; a track that fills a page by itself comes without them."""
    for index, path in enumerate(PATHS):
        facts = DJFacts("rekordbox", grid=(BeatMarker(0.5, 120.25, 4),) * (60_000 if index == 1 else 15_000))
        catalogue.upsert([CatalogueEntry(Track(path, 1, dj_facts=(facts,)), FileStamp(1, 1))])
    assert [path for page in _all_pages(listing, 0) for path in page] == sorted(PATHS)
    found: list[RankedTrack] = []
    token = ""
    while token or not found:
        page = listing.ranked_page(0, token, "", [], is_crates_only=False)
        token = page.next_page_token
        found += page.tracks
        assert track_page_to_proto(page).ByteSize() < 1 << 20
    assert sorted(ranked.track.path for ranked in found) == sorted(PATHS)
    assert sum(not ranked.track.dj_facts for ranked in found) == 1
