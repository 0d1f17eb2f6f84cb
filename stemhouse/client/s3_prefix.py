"""Files below a prefix of an S3 bucket, of any endpoint: listed, fetched, stored, removed.

Unlike the object store of the services these are somebody's own: names are people's, and others write there, too.
"""

from collections.abc import Iterator
from pathlib import Path

from minio import Minio
from pydantic_settings import BaseSettings, SettingsConfigDict

from stemhouse.client.prefix_mirror import PrefixFile
from stemhouse.errors import InvalidRequest, NotFound, StorageUnavailable
from stemhouse.platform.object_stores import StoreSettings, s3_client, storage_errors
from stemhouse.platform.settings import read_settings

SCHEME = "s3://"


class MusicStoreSettings(BaseSettings):
    """Where music in an object store is, from environment variables STEMHOUSE_MUSIC_STORE__*."""

    model_config = SettingsConfigDict(env_prefix="STEMHOUSE_", env_nested_delimiter="__", frozen=True)

    music_store: StoreSettings


class S3Prefix:
    """A prefix, as `s3://BUCKET/PREFIX`; every method raises StorageUnavailable if the endpoint does not answer."""

    def __init__(self, client: Minio, url: str) -> None:
        """Keep them, nothing is called; raises InvalidRequest for what is no such URL."""
        bucket, _, key = url.removeprefix(SCHEME).partition("/")
        if not url.startswith(SCHEME) or not bucket or "\0" in url:
            message = f"a place in an object store is s3://BUCKET/PREFIX, not {url!r}"
            raise InvalidRequest(message, {"location": url})
        parts = [part for part in key.split("/") if part]
        self._client, self._bucket = client, bucket
        self._root = "".join(f"{part}/" for part in parts)
        self.url = "/".join([f"{SCHEME}{bucket}", *parts])

    def files(self) -> Iterator[PrefixFile]:
        """See Prefix.files."""
        try:
            yield from self._files()
        except NotFound as error:
            message = f"there is no bucket of {self.url}"
            raise NotFound(message, {"location": self.url}) from error

    def _files(self) -> Iterator[PrefixFile]:
        with storage_errors(self.url):
            for found in self._client.list_objects(self._bucket, self._root, recursive=True):
                path = (found.object_name or "").removeprefix(self._root)
                modified_s = int(found.last_modified.timestamp()) if found.last_modified else 0
                if path and not path.endswith("/"):  # some programs store folders
                    yield PrefixFile(path, found.size or 0, modified_s, found.etag or "")

    def find(self, path: str) -> PrefixFile | None:
        """See Prefix.find."""
        try:
            with storage_errors(f"{self.url}/{path}"):
                found = self._client.stat_object(self._bucket, self._root + path)
        except NotFound:
            return None
        modified_s = int(found.last_modified.timestamp()) if found.last_modified else 0
        return PrefixFile(path, found.size or 0, modified_s, found.etag or "")

    def fetch(self, path: str, target: Path) -> None:
        """See Prefix.fetch."""
        with storage_errors(f"{self.url}/{path}"):
            self._client.fget_object(self._bucket, self._root + path, str(target))

    def store(self, path: str, source: Path) -> PrefixFile:
        """See Prefix.store."""
        size_bytes = source.stat().st_size
        with storage_errors(f"{self.url}/{path}"):
            self._client.fput_object(self._bucket, self._root + path, str(source))
        stored = self.find(path)
        if stored is None or stored.size_bytes != size_bytes:
            message = f"{self.url}/{path} is not as it was stored"
            raise StorageUnavailable(message, {"object_key": path})
        return stored

    def remove(self, path: str) -> None:
        """See Prefix.remove."""
        with storage_errors(f"{self.url}/{path}"):
            self._client.remove_object(self._bucket, self._root + path)


def open_prefix(url: str) -> S3Prefix:
    """The prefix, by the settings of the environment; raises InvalidRequest and StorageUnavailable that name them."""
    return S3Prefix(s3_client(read_settings(MusicStoreSettings).music_store), url)
