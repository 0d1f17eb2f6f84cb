"""Listing the catalogue page by page; a page begins after a path, so tracks that come or go shift nothing."""

import base64
import binascii

from services.library.core.ports import FolderReader, TrackCatalogue
from stemhouse.errors import InvalidRequest
from stemhouse.tracks import TrackPage

DEFAULT_PAGE_SIZE = 100
LARGEST_PAGE_SIZE = 1000


class TrackListing:
    """Tracks in path order."""

    def __init__(self, catalogue: TrackCatalogue, folders: FolderReader) -> None:
        """Keep the ports."""
        self._catalogue = catalogue
        self._folders = folders

    def page(self, page_size: int, page_token: str, folder: str) -> TrackPage:
        """A page of 1 to 1000 tracks (100 if `page_size` is 0), all or those below `folder`.

        Raises InvalidRequest for another page size, a token that no listing gave, or a relative folder.
        """
        if not 0 <= page_size <= LARGEST_PAGE_SIZE:
            message = f"page_size must be from 0 to {LARGEST_PAGE_SIZE}, not {page_size}"
            raise InvalidRequest(message, {"page_size": message})
        size = page_size or DEFAULT_PAGE_SIZE
        prefix = self._folders.prefix(folder) if folder else ""
        found = self._catalogue.page(prefix, _path_from_token(page_token), size + 1)
        tracks = tuple(found[:size])
        next_token = _token_from_path(tracks[-1].path) if len(found) > size else ""
        return TrackPage(tracks, next_token, self._catalogue.count(prefix))


def _token_from_path(path: str) -> str:
    return base64.urlsafe_b64encode(path.encode()).decode()


def _path_from_token(token: str) -> str:
    try:
        return base64.b64decode(token, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        message = f"page_token is not one that a listing gave: {token[:80]}"
        raise InvalidRequest(message, {"page_token": message}) from error
