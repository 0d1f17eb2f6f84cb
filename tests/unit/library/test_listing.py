"""Pages of the catalogue."""

import pytest

from services.library.core.listing import TrackListing
from services.library.core.ports import CatalogueEntry, FileStamp
from stemhouse.errors import InvalidRequest
from stemhouse.tracks import Track
from tests.unit.library.fakes import MemoryFolders, MemoryTrackCatalogue

PATHS = [f"/music/{name}.wav" for name in ("a", "b", "Ö日本", "z")] + ["/other/x.wav"]


@pytest.fixture
def catalogue() -> MemoryTrackCatalogue:
    """Five tracks."""
    catalogue = MemoryTrackCatalogue()
    catalogue.upsert([CatalogueEntry(Track(path, 1), FileStamp(1, 1)) for path in PATHS])
    return catalogue


@pytest.fixture
def listing(catalogue: MemoryTrackCatalogue) -> TrackListing:
    """The core over the catalogue."""
    return TrackListing(catalogue, MemoryFolders())


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


def test_folder_limits_tracks_and_count(listing: TrackListing) -> None:
    """The total is that of the folder."""
    assert _all_pages(listing, 10, "/other") == [["/other/x.wav"]]
    assert listing.page(1, "", "/music").total_count == 4


def test_track_removed_between_pages_hides_no_other(listing: TrackListing, catalogue: MemoryTrackCatalogue) -> None:
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


@pytest.mark.parametrize("token", ["%%%", "abc", "gICA", "ü"])
def test_token_of_nobody_is_refused(listing: TrackListing, token: str) -> None:
    """Not base64, cut, not UTF-8, not ASCII."""
    with pytest.raises(InvalidRequest) as caught:
        listing.page(1, token, "")
    assert "page_token" in caught.value.details
