"""TLS by files in PEM: of a server, and of who calls one."""

import ssl
import threading
from pathlib import Path
from typing import Self

import grpc
from pydantic import BaseModel, model_validator

from stemhouse.errors import InvalidRequest
from stemhouse.platform.reloaded import Reloaded, file_bytes

_NOT_A_PAIR = "a certificate (CERT) and its key (KEY) come together"
_NO_CERTIFICATE = "who checks certificates of callers (CLIENT_CA) needs one (CERT, KEY)"


class TlsSettings(BaseModel):
    """Files in PEM.

    `cert` (with the chain) and `key` show who this is, to callers and to whom is called. `client_ca` signs the
    certificates that callers must have. `ca` signs those of the servers that are called; with it, calls go by TLS.
    """

    cert: Path | None = None
    key: Path | None = None
    client_ca: Path | None = None
    ca: Path | None = None

    @model_validator(mode="after")
    def _together(self) -> Self:
        if bool(self.cert) != bool(self.key):
            raise ValueError(_NOT_A_PAIR)
        if self.client_ca and not self.cert:
            raise ValueError(_NO_CERTIFICATE)
        return self


def server_credentials(tls: TlsSettings) -> grpc.ServerCredentials | None:
    """Of a server, None without a certificate; changed files count from the next connection on.

    Raises InvalidRequest if a file cannot be read, or is not what it should be.
    """
    if not (tls.cert and tls.key):
        return None
    paths = [path for path in (tls.cert, tls.key, tls.client_ca) if path]
    files = Reloaded(paths, lambda: _server_configuration(tls))
    return grpc.dynamic_ssl_server_credentials(
        files.current(),
        _Changed(files),  # type: ignore[arg-type]
        require_client_authentication=tls.client_ca is not None,
    )


class _Changed:
    """Tells gRPC what is new, once.

    Whatever it is told, gRPC 1.85 puts in the place of what other threads may be shaking hands with: told the same
    again for every connection, it crashed within some thousand of them.
    """

    def __init__(self, files: "Reloaded[grpc.ServerCertificateConfiguration]") -> None:
        self._files = files
        self._told = files.current()
        self._lock = threading.Lock()

    def __call__(self) -> grpc.ServerCertificateConfiguration | None:
        """None: as before, which gRPC's type stubs do not know of."""
        with self._lock:
            before, self._told = self._told, self._files.current()
            return None if self._told is before else self._told


def _server_configuration(tls: TlsSettings) -> grpc.ServerCertificateConfiguration:
    roots = _roots(tls.client_ca)
    return grpc.ssl_server_certificate_configuration([_key_and_chain(tls)], roots)


def channel_credentials(tls: TlsSettings) -> grpc.ChannelCredentials | None:
    """Of who calls, None without a CA; the files are read once.

    Raises InvalidRequest if a file cannot be read, or is not what it should be.
    """
    if not tls.ca:
        return None
    key, chain = _key_and_chain(tls) if tls.cert else (None, None)
    return grpc.ssl_channel_credentials(_roots(tls.ca), key, chain)


def _key_and_chain(tls: TlsSettings) -> tuple[bytes, bytes]:
    if not (tls.cert and tls.key):  # never: settings are checked; for the type checker
        raise InvalidRequest(_NOT_A_PAIR)
    key, chain = file_bytes(tls.key), file_bytes(tls.cert)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(tls.cert, tls.key, password=lambda: b"")  # asks nobody for the password of a key
    except (OSError, ValueError) as error:
        message = f"{tls.cert} and {tls.key} are no certificate and its key in PEM, without a password: {error}"
        raise InvalidRequest(message) from error
    return key, chain


def _roots(ca: Path | None) -> bytes | None:
    if not ca:
        return None
    roots = file_bytes(ca)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(ca)
    except OSError as error:
        message = f"{ca} holds no certificates in PEM: {error}"
        raise InvalidRequest(message) from error
    return roots
