"""LIST/INFO of WAV files, which players read that pass over ID3 (Multimedia Programming Interface 1.0, 1991)."""

from stemhouse.dj import DJTrack


def info_chunk(track: DJTrack) -> bytes:
    """The chunk; its texts are UTF-8, each ended by a zero and padded to an even length."""
    told = {b"INAM": track.title, b"IART": track.artist, b"IPRD": track.album, b"IGNR": track.genre}
    told |= {b"ICMT": track.comment, b"IBPM": f"{track.bpm:.2f}" if track.bpm else "", b"IKEY": track.key}
    entries = b"".join(_chunk(name, text.encode(errors="replace") + b"\0") for name, text in told.items() if text)
    return _chunk(b"LIST", b"INFO" + entries)


def _chunk(name: bytes, payload: bytes) -> bytes:
    return name + len(payload).to_bytes(4, "little") + payload + bytes(len(payload) % 2)
