"""HTTP as both ports speak it: whole bodies in, replies out, and the ways in which a reply can break."""

import socket
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from typing import Any

from tests.fake_lalal.faults import Fault, FaultKind

_PIECES = 8


@dataclass(frozen=True)
class Answer:
    """What is to be sent."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class Server(ThreadingHTTPServer):
    """Breaks the connections that are open when it stops, and says nothing of clients that are killed."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, handler: type["Handler"]) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection."""
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget it."""
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that is gone is no error of ours."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def stop(self) -> None:
        """Accept nothing more and break what is open."""
        self.shutdown()
        self.server_close()
        for connection in tuple(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class Handler(BaseHTTPRequestHandler, ABC):
    """Keeps connections alive and says nothing."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    @abstractmethod
    def serve(self) -> None:
        """Answer one request, whatever its method."""

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):
            return self.serve
        raise AttributeError(name)

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""

    def body(self) -> bytes | None:
        """The whole body, by its length or in chunks; None where the client broke off."""
        try:
            return self._body()
        except OSError:
            return None

    def _body(self) -> bytes | None:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return read_chunks(self.rfile)
        length = int(self.headers.get("Content-Length") or 0)
        content = self.rfile.read(length)
        return content if len(content) == length else None

    def drop(self) -> None:
        """Say nothing more on this connection."""
        self.close_connection = True

    def send(self, answer: Answer, fault: Fault | None = None) -> int:
        """Send it, as the fault has it; how many bytes of the body were written."""
        kind = fault.kind if fault else None
        half = answer.body[: len(answer.body) // 2]
        promised = half if kind is FaultKind.WRONG_CONTENT_LENGTH else answer.body
        sent = half if kind in {FaultKind.WRONG_CONTENT_LENGTH, FaultKind.TRUNCATED_BODY} else answer.body
        self.send_response(answer.status)
        for name, value in {**answer.headers, "Content-Length": str(len(promised))}.items():
            self.send_header(name, value)
        if kind is FaultKind.TRUNCATED_BODY:
            self.drop()
        try:
            self.end_headers()
            return 0 if self.command == "HEAD" else self._write(sent, fault)
        except OSError:  # the client is gone
            self.drop()
            return 0

    def _write(self, body: bytes, fault: Fault | None) -> int:
        if fault is None or fault.kind is not FaultKind.SLOW_DRIP:
            self.wfile.write(body)
            return len(body)
        piece_bytes = -(-len(body) // _PIECES) or 1
        for start in range(0, len(body), piece_bytes):
            time.sleep(fault.pause_s)
            self.wfile.write(body[start : start + piece_bytes])
            self.wfile.flush()
        return len(body)


def read_chunks(source: BufferedIOBase) -> bytes | None:
    """A body in chunks; None where it breaks off."""
    content = bytearray()
    while True:
        size_line = source.readline().split(b";")[0].strip()
        if not size_line:
            return None
        size_bytes = int(size_line, 16)
        if not size_bytes:
            return bytes(content) if _ends(source) else None
        chunk = source.read(size_bytes)
        if len(chunk) < size_bytes or source.readline() not in {b"\r\n", b"\n"}:
            return None
        content += chunk


def _ends(source: BufferedIOBase) -> bool:
    """Skip the trailers."""
    while line := source.readline():
        if line in {b"\r\n", b"\n"}:
            return True
    return False
