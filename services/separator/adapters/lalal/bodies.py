"""Bodies of replies, within bounds: a server that sends a byte now and then keeps nobody for ever."""

import time
from collections.abc import Callable, Iterator

import urllib3

from stemhouse.errors import Unavailable

_CHUNK_BYTES = 1 << 18


def chunks_of(
    response: urllib3.BaseHTTPResponse, most_bytes: int, longest_s: float, before_each: Callable[[], None]
) -> Iterator[bytes]:
    """What has arrived, as it arrives; `before_each` may raise.

    Raises Unavailable for more than `most_bytes`, and for what takes longer than `longest_s`.
    """
    end_s, arrived_bytes = time.monotonic() + longest_s, 0
    while chunk := response.read1(_CHUNK_BYTES):
        before_each()
        arrived_bytes += len(chunk)
        if arrived_bytes > most_bytes:
            raise Unavailable("a reply is larger than it can be")
        if time.monotonic() > end_s:
            raise Unavailable("a reply takes too long to arrive")
        yield chunk
