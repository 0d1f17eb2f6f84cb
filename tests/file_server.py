"""A real HTTP server for files, that can be as unreliable as a test needs it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_PIECE_BYTES = 4096


@dataclass
class FileServer:
    """What is served, how, and what was asked for."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    knows_ranges: bool = True
    shifts_ranges: bool = False
    """Answers with the bytes before those that were asked for."""
    tells_length: bool = True
    statuses: list[int] = field(default_factory=list)
    """Answers to the next requests, before any file is."""
    cuts_bytes: list[int] = field(default_factory=list)
    """After how many bytes the next answers break off."""
    stall_bytes: int | None = None
    """After how many bytes answers wait until `is_free` is set."""
    is_stalled: threading.Event = field(default_factory=threading.Event)
    is_free: threading.Event = field(default_factory=threading.Event)
    ranges: list[str] = field(default_factory=list)
    """The Range header of each request for a file, or an empty text."""
    headers: list[dict[str, str]] = field(default_factory=list)
    sent_bytes: list[int] = field(default_factory=list)
    """How many bytes were written in answer to each request for a file."""


@contextmanager
def file_server() -> Iterator[FileServer]:
    """Serve on a free port until the block ends."""
    served = FileServer()

    class Handler(_Handler):
        wish = served

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    served.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield served
    finally:
        served.is_free.set()
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    wish: FileServer
    number = 0
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer as the wish says."""
        wish = self.wish
        wish.headers.append({name.lower(): value for name, value in self.headers.items()})
        if self.path in wish.redirects:
            self._answer(302, b"", Location=wish.redirects[self.path])
            return
        self.number = len(wish.ranges)
        wish.ranges.append(self.headers.get("Range", ""))
        wish.sent_bytes.append(0)
        if wish.statuses:
            self._answer(wish.statuses.pop(0), b"")
        elif self.path not in wish.files:
            self._answer(404, b"")
        else:
            self._send_file(wish.files[self.path])

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""

    def _send_file(self, content: bytes) -> None:
        first = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
        if self.wish.shifts_ranges:
            first //= 2
        if not self.wish.knows_ranges or not first:
            self._answer(200, content)
        elif first >= len(content):
            self._answer(416, b"", **{"Content-Range": f"bytes */{len(content)}"})
        else:
            last = f"bytes {first}-{len(content) - 1}/{len(content)}"
            self._answer(206, content[first:], **{"Content-Range": last})

    def _answer(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if self.wish.tells_length:
            self.send_header("Content-Length", str(len(body)))
        else:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        cut_bytes = self.wish.cuts_bytes.pop(0) if body and self.wish.cuts_bytes else len(body)
        self._send(body[:cut_bytes])
        if cut_bytes < len(body):
            self.close_connection = True

    def _send(self, body: bytes) -> None:
        stall_bytes = self.wish.stall_bytes
        for start in range(0, len(body), _PIECE_BYTES):
            if stall_bytes is not None and start >= stall_bytes and not self.wish.is_free.is_set():
                self.wish.is_stalled.set()
                self.wish.is_free.wait()
            piece = body[start : start + _PIECE_BYTES]
            try:
                self.wfile.write(piece)
            except OSError:  # the client is gone
                self.close_connection = True
                return
            self.wish.sent_bytes[self.number] += len(piece)
