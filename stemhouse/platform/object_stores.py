"""The object store over S3, by the `minio` client.

The client only speaks plain S3, so the endpoint may be SeaweedFS, MinIO or any other; a contract suite holds this
adapter and the tests' in-memory fake to the same behaviour.
"""

import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import BinaryIO

import urllib3
from minio import Minio
from minio.error import InvalidResponseError, S3Error, ServerError
from pydantic import BaseModel, Field, SecretStr

from stemhouse.errors import NotFound, StorageUnavailable

_CHUNK_BYTES = 1024 * 1024
_PART_BYTES = 16 * 1024 * 1024
_MISSING = frozenset({"NoSuchKey", "NoSuchObject", "NoSuchBucket"})
_SIGNED = re.compile(r"\?X-Amz-\S*")
_PROBE_KEY = "probes/ready"
# 0.25 + 0.5 + 1 + 2 + 4 + 5 x 5 s: a restarting SeaweedFS was seen to refuse for up to 13 s.
_PATIENT = urllib3.Retry(
    total=10, backoff_factor=0.25, backoff_max=5.0, status_forcelist=(500, 502, 503, 504), allowed_methods=None
)
_IMPATIENT = urllib3.Retry(0)
_TIMEOUT = urllib3.Timeout(connect=2.0, read=60.0)


class StoreSettings(BaseModel):
    """Where the store is. `credentials_file` is JSON: {"access_key": ..., "secret_key": ...}, for its owner only."""

    endpoint: str = "127.0.0.1:9000"
    bucket: str = "stemhouse"
    region: str = "us-east-1"
    is_secure: bool = Field(default=False, description="TLS to the endpoint")
    credentials_file: Path


class _Credentials(BaseModel):
    access_key: str
    secret_key: SecretStr


class S3ObjectStore:
    """ObjectStore in one bucket of an S3 endpoint; creates the bucket when it is first used."""

    def __init__(self, client: Minio, http: urllib3.PoolManager, bucket: str) -> None:
        """Keep the client; no call is made here."""
        self._client = client
        self._http = http
        self._bucket = bucket

    def probe(self) -> None:
        """Write and read a small object, as readiness means; raises StorageUnavailable."""
        token = os.urandom(8)
        with storage_errors(_PROBE_KEY):
            if not self._client.bucket_exists(self._bucket):
                self._make_bucket()
            self._client.put_object(self._bucket, _PROBE_KEY, io.BytesIO(token), len(token))
            if not b"".join(self.read(_PROBE_KEY)):
                message = "the object store gave an empty probe back"
                raise StorageUnavailable(message)

    def put(self, key: str, source: BinaryIO) -> None:
        """See ObjectStore.put."""
        with storage_errors(key):
            self._client.put_object(self._bucket, key, source, length=-1, part_size=_PART_BYTES)

    def put_if_absent(self, key: str, data: bytes) -> bool:
        """See ObjectStore.put_if_absent. A presigned URL, since put_object of minio-py 7.2 takes no condition."""
        with storage_errors(key):
            url = self._client.presigned_put_object(self._bucket, key, expires=timedelta(minutes=5))
            response = self._http.request("PUT", url, body=data, headers={"If-None-Match": "*"})
        if response.status == HTTPStatus.PRECONDITION_FAILED:
            return False
        if response.status != HTTPStatus.OK:
            message = f"the object store refused {key}: HTTP {response.status}"
            raise StorageUnavailable(message, {"object_key": key})
        return True

    def read(self, key: str, offset_bytes: int = 0) -> Iterator[bytes]:
        """See ObjectStore.read."""
        with storage_errors(key):
            response = self._client.get_object(self._bucket, key, offset=offset_bytes)
            try:
                yield from response.stream(_CHUNK_BYTES)
            finally:
                response.close()
                response.release_conn()

    def size_bytes(self, key: str) -> int | None:
        """See ObjectStore.size_bytes."""
        try:
            with storage_errors(key):
                return self._client.stat_object(self._bucket, key).size
        except NotFound:
            return None

    def delete(self, key: str) -> None:
        """See ObjectStore.delete."""
        with storage_errors(key):
            self._client.remove_object(self._bucket, key)

    def list_keys(self, prefix: str) -> Iterator[str]:
        """See ObjectStore.list_keys."""
        with storage_errors(prefix):
            for found in self._client.list_objects(self._bucket, prefix, recursive=True):
                if found.object_name:
                    yield found.object_name

    def _make_bucket(self) -> None:
        try:
            self._client.make_bucket(self._bucket)
        except S3Error as error:
            if error.code not in {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}:
                raise


def connect_object_store(settings: StoreSettings, *, is_patient: bool = True) -> S3ObjectStore:
    """The store that the settings name; the first call to it connects.

    A patient one waits about half a minute for a store that is starting; the other tells at once, as readiness must.
    Raises StorageUnavailable without usable credentials.
    """
    http = urllib3.PoolManager(maxsize=16, timeout=_TIMEOUT, retries=_PATIENT if is_patient else _IMPATIENT)
    return S3ObjectStore(s3_client(settings, http), http, settings.bucket)


def s3_client(settings: StoreSettings, http: urllib3.PoolManager | None = None) -> Minio:
    """A client for any bucket of the settings' endpoint; each call has a deadline, and patience.

    Raises StorageUnavailable without usable credentials.
    """
    try:
        credentials = _Credentials.model_validate_json(settings.credentials_file.read_bytes())
    except (OSError, ValueError) as error:
        message = f"no usable object store credentials in {settings.credentials_file}: {error}"
        raise StorageUnavailable(message) from error
    return Minio(
        settings.endpoint,
        access_key=credentials.access_key,
        secret_key=credentials.secret_key.get_secret_value(),
        secure=settings.is_secure,
        region=settings.region,
        http_client=http or urllib3.PoolManager(maxsize=16, timeout=_TIMEOUT, retries=_PATIENT),
    )


@contextmanager
def storage_errors(key: str) -> Iterator[None]:
    """Turn what the client raises into NotFound or StorageUnavailable that names the key."""
    try:
        yield
    except S3Error as error:
        if error.code in _MISSING:
            message = f"no object {key}"
            raise NotFound(message, {"object_key": key}) from error
        raise _unavailable(key, error) from error
    except (InvalidResponseError, ServerError, urllib3.exceptions.HTTPError) as error:
        raise _unavailable(key, error) from error


def _unavailable(key: str, error: Exception) -> StorageUnavailable:
    # What was signed into a URL is good for whoever reads it.
    return StorageUnavailable(f"object store: {_SIGNED.sub('', str(error))}", {"object_key": key})
