"""The texts that WAV files have in their LIST/INFO chunk, where they have no ID3 tag."""

from collections.abc import Iterator, Mapping

_NAMES = {b"INAM": "title", b"IART": "artist", b"IPRD": "album", b"IGNR": "genre"}
_HEAD_BYTES = 8


def chunk_heads(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and length of the chunks' contents, as far as they lie within the data; lengths may reach beyond."""
    at = 0
    while at + _HEAD_BYTES <= len(data):
        length = int.from_bytes(data[at + 4 : at + _HEAD_BYTES], "little")
        yield data[at : at + 4], at + _HEAD_BYTES, length
        at += _HEAD_BYTES + length + length % 2


def names_from_info(data: bytes) -> Mapping[str, str]:
    """Title, artist, album and genre, as far as they are there, from what follows the word INFO."""
    texts = {
        _NAMES[name]: _text(data[start : start + size]) for name, start, size in chunk_heads(data) if name in _NAMES
    }
    return {name: text for name, text in texts.items() if text}


def _text(raw: bytes) -> str:
    """Nobody says which encoding it is; newer programs write UTF-8."""
    text = raw.split(b"\0")[0]
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("cp1252", errors="replace")
