"""Listing the catalogue page by page.

By path, a page begins after a path, so tracks that come or go shift nothing. In the order of work, a page begins after
a place.
"""

import base64
import binascii
from collections.abc import Sequence

from services.library.core.ordering import OrderedFile, WorkOrder
from services.library.core.page_sizes import fitting
from services.library.core.ports import FolderReader, LibraryCatalogue, TrackCatalogue
from stemhouse.errors import InvalidRequest
from stemhouse.tracks import Crate, RankedPage, RankedTrack, TrackPage

DEFAULT_PAGE_SIZE = 100
LARGEST_PAGE_SIZE = 1000


class TrackListing:
    """Tracks and crates of locations; an empty location means all."""

    def __init__(
        self, catalogue: TrackCatalogue, libraries: LibraryCatalogue, folders: FolderReader, order: WorkOrder
    ) -> None:
        """Keep the ports."""
        self._catalogue = catalogue
        self._libraries = libraries
        self._folders = folders
        self._order = _LastOrder(catalogue, libraries, order)

    def page(self, page_size: int, page_token: str, location: str) -> TrackPage:
        """A page of 1 to 1000 tracks (100 if `page_size` is 0) in path order; fewer if a message would not hold them.

        Raises InvalidRequest for another page size, a token that no listing gave, or a relative location.
        """
        size = checked_page_size(page_size)
        prefix = self._prefix(location)
        found = self._catalogue.page(prefix, _text_from_token(page_token), size + 1)
        tracks = tuple(fitting(found[:size]))
        next_token = _token_from_text(tracks[-1].path) if len(found) > len(tracks) else ""
        return TrackPage(tracks, next_token, self._catalogue.count(prefix))

    def ranked_page(
        self, page_size: int, page_token: str, location: str, crates: Sequence[str], *, is_crates_only: bool
    ) -> RankedPage:
        """A page in the order of work; see WorkOrder.files.

        Raises InvalidRequest as `page` does, and NotFound for a location or a crate that is not known.
        """
        size, start = checked_page_size(page_size), _place_from_token(page_token)
        files = self._order.files(location, crates, is_crates_only=is_crates_only)
        shown = files[start : start + size]
        tracks = self._catalogue.tracks([file.path for file in shown])
        known = [file for file in shown if file.path in tracks]
        fitted = fitting(tracks[file.path] for file in known)
        ranked = [RankedTrack(file.place, track, file.reasons) for file, track in zip(known, fitted, strict=False)]
        end = known[len(fitted)].place - 1 if len(fitted) < len(known) else start + size
        next_token = _token_from_text(str(end)) if len(files) > end else ""
        return RankedPage(tuple(ranked), next_token, len(files))

    def crates(self, location: str) -> Sequence[Crate]:
        """The crates of libraries at a location and below it; raises InvalidRequest for a relative one."""
        return self._libraries.crates(self._prefix(location))

    def _prefix(self, location: str) -> str:
        return self._folders.prefix(location) if location else ""


class _LastOrder:
    """Keeps the order that was asked for last: whoever reads on wants the same one until the catalogue changes."""

    def __init__(self, catalogue: TrackCatalogue, libraries: LibraryCatalogue, order: WorkOrder) -> None:
        self._catalogue = catalogue
        self._libraries = libraries
        self._order = order
        self._last: tuple[object, Sequence[OrderedFile]] | None = None

    def files(self, location: str, crates: Sequence[str], *, is_crates_only: bool) -> Sequence[OrderedFile]:
        wish = (self._catalogue.revision(), self._libraries.revision(), location, tuple(crates), is_crates_only)
        last = self._last  # one look, since calls come from several threads
        if last is None or last[0] != wish:
            last = self._last = (wish, self._order.files(location, crates, is_crates_only=is_crates_only))
        return last[1]


def checked_page_size(wanted: int, field: str = "page_size") -> int:
    """The size, or 100 for 0. Raises InvalidRequest that names the field unless it is from 0 to 1000."""
    if not 0 <= wanted <= LARGEST_PAGE_SIZE:
        message = f"{field} must be from 0 to {LARGEST_PAGE_SIZE}, not {wanted}"
        raise InvalidRequest(message, {field: message})
    return wanted or DEFAULT_PAGE_SIZE


def _token_from_text(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


def _text_from_token(token: str) -> str:
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise _foreign(token) from error


def _place_from_token(token: str) -> int:
    text = _text_from_token(token) or "0"
    if not (text.isascii() and text.isdigit()):
        raise _foreign(token)
    return int(text)


def _foreign(token: str) -> InvalidRequest:
    message = f"page_token is not one that a listing gave: {token[:80]}"
    return InvalidRequest(message, {"page_token": message})
