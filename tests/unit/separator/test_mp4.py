"""Where the boxes of an MP4 say that the music lies."""

from fractions import Fraction

import pytest

from services.separator.core.layouts import Refusal, SourceLayout
from services.separator.core.mp4 import DISAGREEING_NOTE, NO_DELAY_NOTE, PIECES_NOTE, mp4_layout

RATE_HZ = 44100
Edit = tuple[int, int]
"""Length in units of the movie, and the place in the track where it begins."""


def box(name: bytes, *contents: bytes) -> bytes:
    """With its size in front."""
    inside = b"".join(contents)
    return (8 + len(inside)).to_bytes(4) + name + inside


def u32(*numbers: int) -> bytes:
    """Each in four bytes."""
    return b"".join((number % 2**32).to_bytes(4) for number in numbers)


def u64(*numbers: int) -> bytes:
    """Each in eight bytes."""
    return b"".join((number % 2**64).to_bytes(8) for number in numbers)


def edit_list(edits: list[Edit], *, is_large: bool = False) -> bytes:
    """With numbers of four bytes or eight."""
    pack = u64 if is_large else u32
    return box(b"edts", box(b"elst", u32(is_large << 24, len(edits)), *(pack(*edit) + u32(1 << 16) for edit in edits)))


def itunes_tag(delay: int, padding: int, length: int) -> bytes:
    """As iTunes writes it."""
    text = f" 00000000 {delay:08X} {padding:08X} {length:016X} 00000000".encode()
    data = box(b"data", u32(1, 0), text)
    return box(b"udta", box(b"----", box(b"mean", b"com.apple.iTunes"), box(b"name", u32(0), b"iTunSMPB"), data))


def movie(
    *more: bytes,
    edits: bytes = b"",
    table: tuple[Edit, ...] = ((10, 1024),),
    packed_table: bytes = b"",
    movie_units: int = 1000,
    codec: bytes = b"mp4a",
) -> bytes:
    """A file without audio data, whose tables promise some."""
    description = box(b"stsd", u32(0, 1), box(codec, bytes(28)))
    packed_table = packed_table or b"".join(u32(*entry) for entry in table)
    durations = box(b"stts", u32(0, len(packed_table) // 8), packed_table)
    handler = box(b"hdlr", u32(0, 0), b"soun", bytes(13))
    media_header = box(b"mdhd", u32(0, 0, 0, RATE_HZ, 0, 0))
    media = box(b"mdia", media_header, handler, box(b"minf", box(b"stbl", description, durations)))
    header = box(b"mvhd", u32(0, 0, 0, movie_units, 0), bytes(80))
    return box(b"ftyp", b"M4A ") + box(b"moov", header, box(b"trak", edits, media), *more)


def layout(data: bytes) -> SourceLayout:
    """Of a file that is taken."""
    found = mp4_layout(data)
    assert isinstance(found, SourceLayout)
    return found


def frames(time_s: Fraction | None) -> Fraction | None:
    """In frames; None stays."""
    return None if time_s is None else time_s * RATE_HZ


@pytest.mark.parametrize(
    ("data", "lead", "end", "note"),
    [
        (movie(), None, 10240, NO_DELAY_NOTE),
        (movie(codec=b"alac"), None, 10240, ""),
        (movie(table=((9, 1024), (1, 300))), None, 9516, NO_DELAY_NOTE),
        (movie(edits=edit_list([(200, 1024)])), 1024, 10240, ""),
        (movie(edits=edit_list([(200, 0)])), None, 10240, NO_DELAY_NOTE),
        (movie(edits=edit_list([(50, -1), (200, 1024)])), 1024, 10240, ""),
        (movie(edits=edit_list([(9000, 1024)]), movie_units=RATE_HZ), 1024, 10024, ""),
        (movie(edits=edit_list([(9000, 1024)], is_large=True), movie_units=RATE_HZ), 1024, 10024, ""),
        (movie(edits=edit_list([(18000, 1024)]), movie_units=2 * RATE_HZ), 1024, 10024, ""),
        (movie(edits=edit_list([(0, 1024)]), movie_units=RATE_HZ), 1024, 10240, ""),
        (movie(edits=edit_list([(500, 1024), (400, 1524)]), movie_units=RATE_HZ), 1024, 1924, ""),
        (movie(edits=edit_list([(500, 1024), (400, 4000)]), movie_units=RATE_HZ), 1024, 10240, PIECES_NOTE),
        (movie(itunes_tag(1024, 500, 8716)), 1024, 9740, ""),
        (movie(itunes_tag(1024, 500, 8716), edits=edit_list([(200, 1024)])), 1024, 9740, ""),
        (movie(itunes_tag(1024, 500, 8716), edits=edit_list([(200, 2112)])), 2112, 9740, DISAGREEING_NOTE),
        (movie(itunes_tag(1024, 500, 8716), edits=edit_list([(200, 0)])), 1024, 9740, ""),
        (movie(itunes_tag(1024, 500, 90_000)), None, 10240, NO_DELAY_NOTE),
        (movie(itunes_tag(1024, 500, 8716), table=()), 1024, 9740, ""),
        (movie(table=()), None, None, NO_DELAY_NOTE),
    ],
)
def test_lead_and_end_are_read(data: bytes, lead: int | None, end: int | None, note: str) -> None:
    """From whichever table tells them exactly; the earliest end counts."""
    found = layout(data)
    assert (frames(found.lead_s), frames(found.end_s), found.timing_note) == (lead, end, note)


def test_audio_that_is_not_all_there_is_damage() -> None:
    """The box of the samples says how long it should be; junk behind it is nobody's."""
    data = movie() + box(b"mdat", bytes(1000))
    assert not layout(data).damage
    assert layout(data[:-1]).damage
    assert layout(data + b"TAG" + bytes(125)).end == len(data)


def test_edits_beyond_any_number_are_not_read() -> None:
    """The first ones count, and the end is that of the durations."""
    some = layout(movie(edits=edit_list([(1, 1024 + n) for n in range(1000)]), movie_units=RATE_HZ))
    many = layout(movie(edits=edit_list([(1, 1024 + n) for n in range(1001)]), movie_units=RATE_HZ))
    assert (some.lead_s, some.end_s) == (Fraction(1024, RATE_HZ), Fraction(2024, RATE_HZ))
    assert (many.lead_s, many.end_s, many.timing_note) == (some.lead_s, Fraction(10240, RATE_HZ), "")


def test_durations_beyond_any_number_are_not_summed() -> None:
    """No end is better than a long wait."""
    assert frames(layout(movie(packed_table=u32(1, 1) * 2**10)).end_s) == 2**10
    assert layout(movie(packed_table=u32(1, 1) * (2**20 + 1))).end_s is None


def test_boxes_beyond_any_number_are_not_walked() -> None:
    """Within another, those behind are not there; in the file, all of it goes to the decoder."""
    empty = box(b"free")
    assert frames(layout(movie(empty * 500, itunes_tag(1024, 500, 8716))).lead_s) == 1024
    data = movie() + empty * 2**18
    assert layout(data + b"junk").end == len(data + b"junk")
    assert isinstance(mp4_layout(box(b"moov", empty * 1000, movie()[len(box(b"ftyp", b"M4A ")) + 8 :])), Refusal)


@pytest.mark.parametrize("codec", [b"drms", b"enca"])
def test_protection_is_seen(codec: bytes) -> None:
    """By shops, and by common encryption."""
    found = mp4_layout(movie(codec=codec))
    assert isinstance(found, Refusal)
    assert found.is_unsupported


def test_file_without_its_tables_is_refused() -> None:
    """Cut before them, or within them."""
    for data in (movie()[:12], movie()[:-1], box(b"ftyp", b"M4A ") + box(b"mdat", bytes(100))):
        found = mp4_layout(data)
        assert isinstance(found, Refusal)
        assert "is cut" in found.why
        assert not found.is_unsupported


def test_other_files_are_left_to_others() -> None:
    """None of the names that an MP4 begins with."""
    assert mp4_layout(b"RIFF" + bytes(100)) is None
    assert mp4_layout(b"") is None
