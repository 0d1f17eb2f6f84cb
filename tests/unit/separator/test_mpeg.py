"""MPEG and ADTS streams as bytes: which frames are the music's, and what their headers say."""

import struct
from collections.abc import Callable
from fractions import Fraction
from mmap import ACCESS_READ, mmap
from pathlib import Path

import pytest

from services.separator.core.adts import adts_layout
from services.separator.core.containers import layout_of
from services.separator.core.frames import FrameHead, walk_frames
from services.separator.core.id3 import begin_of_end_tag, end_of_any_tags, end_of_tags, id3v2_bytes
from services.separator.core.layouts import Refusal, SourceLayout, Watch
from services.separator.core.mpeg import JOINED_NOTE, InfoHeader, info_header, mp3_layout, parse_head
from services.separator.core.ogg import ogg_layout, opus_frames
from tests.sources import ID3V1, id3v2


def mp3_frame(
    *, version: int = 3, layer: int = 1, bit_rate: int = 9, rate: int = 0, mode: int = 1, has_checksum: bool = False
) -> bytes:
    """A frame of zeros; by default MPEG 1, layer III, 128 kbit/s, 44.1 kHz, joint stereo."""
    head = bytes([0xFF, 0xE0 | version << 3 | layer << 1 | (not has_checksum), bit_rate << 4 | rate << 2, mode << 6])
    found = parse_head(head)
    assert found is not None
    return head + bytes(found.size_bytes - 4)


def info_frame(delay: int, padding: int, count: int, *, name: bytes = b"LAME3.100", **more: int | bool) -> bytes:
    """A frame with an Info header: all flags set, so that every field is there."""
    frame = mp3_frame(**more)  # type: ignore[arg-type]  # numbers and truths go on as they came
    is_mono, is_mpeg_1 = more.get("mode") == 3, more.get("version", 3) == 3
    offset = 4 + {(True, False): 32, (True, True): 17, (False, False): 17, (False, True): 9}[is_mpeg_1, is_mono]
    header = b"Info" + (15).to_bytes(4) + count.to_bytes(4) + bytes(4 + 100 + 4)
    header += name.ljust(21, b"\0") + (delay << 12 | padding).to_bytes(3) if name else b""
    return frame[:offset] + header + frame[offset + len(header) :]


@pytest.mark.parametrize(
    ("more", "size_bytes", "frame_count"),
    [
        ({}, 417, 1152),
        ({"bit_rate": 14, "rate": 1}, 960, 1152),
        ({"version": 2, "bit_rate": 8}, 208, 576),
        ({"version": 0, "bit_rate": 8, "rate": 2}, 576, 576),
        ({"layer": 2, "bit_rate": 8}, 417, 1152),
        ({"layer": 3, "bit_rate": 12}, 416, 384),
    ],
)
def test_head_tells_size_and_frames(more: dict[str, int], size_bytes: int, frame_count: int) -> None:
    """Of each version and layer, as the standard's tables have it."""
    head = parse_head(mp3_frame(**more))  # type: ignore[arg-type]  # likewise
    assert head is not None
    assert (head.size_bytes, head.frame_count) == (size_bytes, frame_count)


@pytest.mark.parametrize(
    "head",
    [b"\xff\xeb\x90\x40", b"\xff\xf9\x90\x40", b"\xff\xfb\x00\x40", b"\xff\xfb\xf0\x40", b"\xff\xfb\x9c\x40", b"\xff"],
)
def test_head_that_cannot_be_one_is_none(head: bytes) -> None:
    """Reserved versions, layers and rates, a free bit rate, a forbidden one, and the end of the file."""
    assert parse_head(head) is None


@pytest.mark.parametrize("version", [3, 2, 0])
@pytest.mark.parametrize("mode", [1, 3])
@pytest.mark.parametrize("has_checksum", [False, True])
def test_info_header_is_found_in_each_layout(version: int, mode: int, *, has_checksum: bool) -> None:
    """Behind the side information, whose size depends on version and channels."""
    frame = info_frame(576, 1000, 3, version=version, mode=mode, has_checksum=has_checksum)
    assert info_header(frame) == InfoHeader("Info", 3, 576, 1000)


MUSIC = mp3_frame() * 5


def adts_frame(size_bytes: int = 300, rate_index: int = 4, channels: int = 2) -> bytes:
    """A frame of zeros; by default of 44.1 kHz."""
    head = [0xFF, 0xF1, 1 << 6 | rate_index << 2 | channels >> 2, (channels & 3) << 6 | size_bytes >> 11]
    return bytes([*head, size_bytes >> 3 & 0xFF, (size_bytes & 7) << 5, 0]) + bytes(size_bytes - 7)


@pytest.mark.parametrize(
    ("data", "begin", "lead", "end", "damaged"),
    [
        (MUSIC, 0, 0, 5760, False),
        (info_frame(576, 1000, 5) + MUSIC, 417, 1105, 5289, False),
        (info_frame(576, 1000, 6) + MUSIC, 417, 1105, 5289, False),
        (info_frame(576, 400, 5) + MUSIC, 417, 1105, 5760, False),
        (info_frame(576, 1000, 3) + MUSIC, 417, 1105, 5760, False),
        (info_frame(576, 1000, 9) + MUSIC, 417, 1105, 9897, True),
        (info_frame(576, 4095, 1) + mp3_frame(), 417, 1105, 1152, False),
        (info_frame(0, 0, 5, name=b"") + MUSIC, 417, 0, 5760, False),
        (id3v2(1000) + info_frame(576, 1000, 5) + MUSIC + b"TAG" + bytes(125), 1427, 1105, 5289, False),
        (info_frame(576, 1000, 5) + bytes(586) + MUSIC, 1003, 1105, 5289, False),
        (MUSIC + bytes(100) + MUSIC, 0, 0, 11520, True),
        (MUSIC[:-1], 0, 0, 4608, True),
        (MUSIC + mp3_frame(mode=3) * 5, 0, 0, 5760, True),
    ],
)
def test_music_is_bounded(data: bytes, begin: int, lead: int, end: int, *, damaged: bool) -> None:
    """The coder's header is not decoded, and padding counts only if there are not more frames than it tells."""
    found = mp3_layout(data)
    assert found is not None
    assert found.lead_s is not None
    assert found.end_s is not None
    assert (found.begin, int(found.lead_s * 44100), int(found.end_s * 44100)) == (begin, lead, end)
    assert bool(found.damage) == damaged


def test_adts_is_bounded() -> None:
    """From the first frame to the last whole one; other frames behind are told."""
    music = b"".join(adts_frame(size) for size in (300, 280, 290, 310))
    for data, is_damaged in ((music, False), (music + bytes(500), False), (music[:-1], True)):
        found = adts_layout(id3v2(50) + data)
        assert found is not None
        assert (found.begin, bool(found.damage)) == (60, is_damaged)
    changed = adts_layout(music + adts_frame(channels=1) * 4)
    assert changed is not None
    assert (changed.end, "changes" in changed.damage) == (len(music), True)
    assert mp3_layout(music) is None


def test_few_frames_among_junk_are_none() -> None:
    """Two that follow each other come about by chance in a picture."""
    assert walk_frames(bytes(100) + mp3_frame() * 2 + bytes(5000), 0, parse_head) is None
    found = walk_frames(bytes(100) + mp3_frame() * 3 + bytes(5000), 0, parse_head)
    assert found is not None
    assert (found.begin, found.count) == (100, 3)
    assert isinstance(layout_of(mp3_frame() + bytes(5000)), Refusal)
    assert isinstance(layout_of(mp3_frame()), SourceLayout)


def test_tags_add_up() -> None:
    """With and without a footer; one that would end behind the file hides no more than its header."""
    footed = bytearray(id3v2(20))
    footed[5] = 0x10
    assert id3v2_bytes(bytes(footed)) == 40
    assert end_of_tags(id3v2(20) + id3v2(300) + b"fLaC") == 340
    assert end_of_tags(id3v2(20) + id3v2(300)[:50]) == 40


def ape_tag(*, is_header: bool) -> bytes:
    """Of 100 bytes of items, with a header in front if that is what comes first."""
    parts = [b"APETAGEX" + struct.pack("<IIIIq", 2000, 132, 1, 1 << 31 | flag, 0) for flag in (1 << 29, 0)]
    return parts[0] + bytes(100) + parts[1] if is_header else parts[1]


def test_tags_of_all_kinds_are_passed() -> None:
    """In any order, as joining leaves them; an APE tag's footer alone, too, and one that is cut."""
    tags = ID3V1 + id3v2(300) + ape_tag(is_header=True) + ape_tag(is_header=False) + id3v2(7)
    assert end_of_any_tags(bytes(5) + tags + MUSIC, 5) == 5 + len(tags)
    assert end_of_any_tags(MUSIC + ID3V1[:50], len(MUSIC)) == len(MUSIC) + 50
    assert end_of_any_tags(MUSIC, 0) == 0


@pytest.mark.parametrize("tags", [b"", ID3V1, ape_tag(is_header=True), ape_tag(is_header=True) + ID3V1])
def test_tags_at_the_end_are_found(tags: bytes) -> None:
    """An ID3v1 tag, an APE tag, or both."""
    assert begin_of_end_tag(MUSIC + tags) == len(MUSIC)


def test_beginnings_of_tags_are_counted() -> None:
    """A damaged file may have any number."""
    assert end_of_tags(id3v2(0) * 5000) == end_of_any_tags(id3v2(0) * 5000, 0) == 10_000


def test_tag_that_is_too_large_hides_no_music() -> None:
    """Its size reaches beyond the file: frames are searched behind its header."""
    found = mp3_layout(id3v2(100_000)[:310] + info_frame(576, 1000, 5) + MUSIC)
    assert found is not None
    assert (found.begin, found.lead_s) == (310 + 417, Fraction(1105, 44100))


@pytest.mark.parametrize(
    ("data", "is_joined"),
    [
        (MUSIC, False),
        (info_frame(576, 1000, 5) + MUSIC, False),
        (info_frame(576, 1000, 6) + MUSIC + mp3_frame()[:-8] + b"InfoInfo", False),
        (MUSIC + ID3V1, False),
        (MUSIC + info_frame(576, 1000, 5) + MUSIC, True),
        (info_frame(576, 1000, 5) + MUSIC + ID3V1 + id3v2(300) + info_frame(576, 1000, 5) + MUSIC, True),
        (MUSIC + ID3V1 + MUSIC, True),
        (MUSIC + id3v2(300) + MUSIC, True),
    ],
)
def test_joined_files_are_told(data: bytes, *, is_joined: bool) -> None:
    """By tags or a header between frames, neither of which is damage."""
    found = mp3_layout(data)
    assert found is not None
    assert (JOINED_NOTE in found.timing_note) == is_joined
    assert not found.damage


class Left(Exception):
    """Nobody waits any more."""


def leave() -> None:
    """As a watch."""
    raise Left


@pytest.mark.parametrize(
    ("data", "walker"),
    [
        (mp3_frame(version=2, bit_rate=1, rate=1) * 20_000, mp3_layout),
        (MUSIC + b"\xff\xfb\x90\x00" * 20_000, mp3_layout),
        (MUSIC + bytes(20_000_000), mp3_layout),
        (adts_frame(8) * 20_000, adts_layout),
        ((b"OggS\0\0" + bytes(20) + b"\0") * 5000, ogg_layout),
    ],
    ids=["frames", "false frames", "zeros", "ADTS", "Ogg"],
)
def test_walk_can_be_left(data: bytes, walker: Callable[[bytes, Watch], object], tmp_path: Path) -> None:
    """Of many frames, and through junk; the mapped file can be closed then."""
    assert walker(data, lambda: None) is not None
    path = tmp_path / "mapped"
    path.write_bytes(data)
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as mapped, pytest.raises(Left):
        walker(mapped, leave)  # type: ignore[arg-type]  # as good as bytes


def test_search_through_junk_ends() -> None:
    """After so many false frames that nobody will wait longer; junk that looks like none is searched to its end."""
    tries: list[int] = []

    def counting(head: bytes) -> FrameHead | None:
        tries.append(1)
        return parse_head(head)

    behind_zeros = walk_frames(MUSIC + bytes(30_000_000) + MUSIC, 0, counting)
    assert behind_zeros is not None
    assert (behind_zeros.count, behind_zeros.skipped_bytes, len(tries) < 100) == (10, 30_000_000, True)
    behind_frames = walk_frames(MUSIC + b"\xff\xfb\x90\x00" * 300_000 + MUSIC, 0, counting)
    assert behind_frames is not None
    assert (behind_frames.count, len(tries) < 600_000) == (6, True)


@pytest.mark.parametrize(
    ("packet", "frame_count"),
    [(b"\xfc", 960), (b"\xfd", 1920), (b"\xff\x03", 2880), (b"\x18", 2880), (b"\x68", 960), (b"\x80", 120), (b"", 0)],
)
def test_opus_packets_tell_their_length(packet: bytes, frame_count: int) -> None:
    """Of all three coders inside Opus, and of one, two or more frames."""
    assert opus_frames(packet) == frame_count
