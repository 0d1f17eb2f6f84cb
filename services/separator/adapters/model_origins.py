"""Where files of models come from: the catalogue's addresses, a mirror, or what was uploaded. No credentials are sent.

A mirror holds `{model}/{file}`, whatever it is: a folder, a prefix in the object store, or an http(s) address.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import urllib3

from services.separator.core.model_ports import Delivery, ModelOrigin
from services.separator.core.models import ModelFile
from services.separator.core.sources import model_upload_key
from stemhouse.errors import EngineUnavailable, Unavailable
from stemhouse.ports import ObjectStore

OpenStore = Callable[[], ObjectStore]
_OfFile = Callable[[str, ModelFile], str]
"""Of a model's name and one of its files."""

_CHUNK_BYTES = 1024 * 1024
_WEB = ("http://", "https://")
_STORE = "s3:"
_TIMEOUT = urllib3.Timeout(connect=3.0, read=30.0)
_HOW_TO_MIRROR = (
    "put the files as {model}/{file} into a folder, or below a prefix of the object store, and name that in "
    "STEMHOUSE_MODELS__MIRROR (the folder's whole path, or s3:PREFIX)"
)
"""As many words as somebody needs who has never done it."""
_NO_RETRY_BUT_REDIRECTS = urllib3.Retry(connect=0, read=0, status=0, other=0, redirect=5)
_PASSING = frozenset(
    {
        HTTPStatus.REQUEST_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)


def catalogue_origin(mirror: str, *, is_offline: bool, open_store: OpenStore) -> ModelOrigin:
    """The origin of the catalogue's models as the settings have it; the store is opened only to read from it."""
    if mirror.startswith(_STORE):
        return mirror_in(open_store, mirror.removeprefix(_STORE).strip("/"))
    if mirror and not mirror.startswith(_WEB):
        return FolderOrigin(Path(mirror))
    web = WebOrigin(mirror)
    return NoOrigin(web) if is_offline else web


class WebOrigin:
    """ModelOrigin: a mirror at a web address, or without one the catalogue's own addresses."""

    def __init__(self, mirror: str = "", timeout: urllib3.Timeout = _TIMEOUT) -> None:
        self._mirror = mirror.rstrip("/")
        self._http = urllib3.PoolManager(timeout=timeout, retries=_NO_RETRY_BUT_REDIRECTS)

    def address(self, model: str, file: ModelFile) -> str:
        """See ModelOrigin.address."""
        return f"{self._mirror}/{model}/{file.name}" if self._mirror else file.url

    def read(self, model: str, file: ModelFile, offset_bytes: int) -> Delivery:
        """See ModelOrigin.read."""
        address = self.address(model, file)
        if not address:
            raise EngineUnavailable(f"the catalogue has no address of {file.name}; {_wanted(model, file)}")
        response = self._request(address, offset_bytes)
        if response.status == HTTPStatus.OK:
            return Delivery(0, _chunks(response, address), response.close)
        if response.status == HTTPStatus.PARTIAL_CONTENT and _begins_at(response, offset_bytes):
            return Delivery(offset_bytes, _chunks(response, address), response.close)
        response.close()
        if offset_bytes and response.status in {HTTPStatus.PARTIAL_CONTENT, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE}:
            return self.read(model, file, 0)
        kind = Unavailable if response.status in _PASSING else EngineUnavailable
        raise kind(f"{address} answers {response.status} {response.reason}", {"file": file.name, "address": address})

    def _request(self, address: str, offset_bytes: int) -> urllib3.BaseHTTPResponse:
        headers = {"User-Agent": "stemhouse", "Accept-Encoding": "identity"}
        if offset_bytes:
            headers["Range"] = f"bytes={offset_bytes}-"
        with _web_errors(address, f"; without a connection, {_HOW_TO_MIRROR}"):
            return self._http.request("GET", address, headers=headers, preload_content=False)


class StoreOrigin:
    """ModelOrigin: objects of the store, under the keys that `key_of` gives; `remedy` helps where one is missing."""

    def __init__(self, open_store: OpenStore, key_of: _OfFile, remedy: _OfFile) -> None:
        self._open_store = open_store
        self._key_of = key_of
        self._remedy = remedy

    def address(self, model: str, file: ModelFile) -> str:
        """See ModelOrigin.address."""
        return _STORE + self._key_of(model, file)

    def read(self, model: str, file: ModelFile, offset_bytes: int) -> Delivery:
        """See ModelOrigin.read."""
        key, store = self._key_of(model, file), self._open_store()
        size_bytes = store.size_bytes(key)
        if size_bytes is None:
            message = f"the object store has no {key}; {self._remedy(model, file)}"
            raise EngineUnavailable(message, {"file": file.name, "object_key": key})
        first_bytes = offset_bytes if offset_bytes < size_bytes else 0
        return Delivery(first_bytes, store.read(key, first_bytes))


class FolderOrigin:
    """ModelOrigin: a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def address(self, model: str, file: ModelFile) -> str:
        """See ModelOrigin.address."""
        return str(self._path(model, file))

    def read(self, model: str, file: ModelFile, offset_bytes: int) -> Delivery:
        """See ModelOrigin.read."""
        path = self._path(model, file)
        try:
            first_bytes = offset_bytes if offset_bytes < path.stat().st_size else 0
        except OSError as error:
            message = f"{path} cannot be read: {error.strerror}; {_wanted(model, file)}"
            raise EngineUnavailable(message, {"file": file.name, "address": str(path)}) from error
        return Delivery(first_bytes, _chunks_of_file(path, first_bytes))

    def _path(self, model: str, file: ModelFile) -> Path:
        return self._root / model / file.name


class NoOrigin:
    """ModelOrigin: offline. It only tells where a file would come from, and what to do."""

    def __init__(self, online: ModelOrigin) -> None:
        self._online = online

    def address(self, model: str, file: ModelFile) -> str:
        """See ModelOrigin.address."""
        return self._online.address(model, file)

    def read(self, model: str, file: ModelFile, offset_bytes: int) -> Delivery:  # noqa: ARG002 - the port's
        """See ModelOrigin.read; raises EngineUnavailable."""
        address = self.address(model, file) or "anywhere"
        message = f"{file.name} is not fetched from {address}, since this is offline; {_wanted(model, file)}"
        raise EngineUnavailable(message, {"file": file.name, "address": address})


def mirror_in(open_store: OpenStore, prefix: str) -> ModelOrigin:
    """The mirror below a prefix of the store's keys."""
    return StoreOrigin(open_store, lambda model, file: "/".join(filter(None, (prefix, model, file.name))), _wanted)


def uploads_in(open_store: OpenStore) -> ModelOrigin:
    """The origin of models of one's own: what the router has put into the store."""
    return StoreOrigin(
        open_store,
        lambda _model, file: model_upload_key(file.sha256),
        lambda _model, file: f"{file.name} has to be uploaded first",
    )


def _wanted(model: str, file: ModelFile) -> str:
    """What helps."""
    return (
        f"wanted is a file of {file.size_bytes} bytes with the SHA-256 {file.sha256}, as {model}/{file.name}: "
        f"{_HOW_TO_MIRROR}"
    )


def _begins_at(response: urllib3.BaseHTTPResponse, offset_bytes: int) -> bool:
    return response.headers.get("Content-Range", "").startswith(f"bytes {offset_bytes}-")


def _chunks(response: Any, address: str) -> Iterator[bytes]:
    """As they come, so that little is lost when the connection is."""
    with _web_errors(address):
        while chunk := response.read1(_CHUNK_BYTES, decode_content=False):
            yield chunk


def _chunks_of_file(path: Path, offset_bytes: int) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            file.seek(offset_bytes)
            while chunk := file.read(_CHUNK_BYTES):
                yield chunk
    except OSError as error:
        raise EngineUnavailable(f"{path} cannot be read: {error.strerror}", {"address": str(path)}) from error


@contextmanager
def _web_errors(address: str, remedy: str = "") -> Iterator[None]:
    try:
        yield
    except urllib3.exceptions.HTTPError as error:
        cause = error.reason if isinstance(error, urllib3.exceptions.MaxRetryError) and error.reason else error
        if isinstance(cause, urllib3.exceptions.ConnectTimeoutError):
            cause = cause.args[-1]  # the text; the connection object before it tells nobody anything
        raise Unavailable(f"{address} cannot be fetched: {cause}{remedy}", {"address": address}) from error
