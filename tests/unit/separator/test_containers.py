"""WAV, AIFF, CAF, Ogg and ASF as bytes: whether all of the audio is there, and where it is."""

import struct
from fractions import Fraction

import pytest

from services.separator.core.asf import NOTE, asf_layout
from services.separator.core.chunks import aiff_layout, caf_layout, flac_layout, wav_layout
from services.separator.core.layouts import Refusal, SourceLayout
from services.separator.core.ogg import ogg_layout
from tests.fakes_separator import encoded
from tests.signals import noise
from tests.sources import by_ffmpeg


def wav(size: int, *, more: bytes = b"", name: bytes = b"RIFF") -> bytes:
    """A WAV whose audio chunk says that size, and has 1000 bytes."""
    return name + bytes(4) + b"WAVE" + more + b"data" + struct.pack("<I", size) + bytes(1000)


def ds64(size: int) -> bytes:
    """RF64's chunk of large sizes."""
    return b"ds64" + struct.pack("<IQQQI", 28, 0, size, 0, 0)


@pytest.mark.parametrize(
    ("data", "is_cut"),
    [
        (wav(1000), False),
        (wav(1001), True),
        (wav(900) + b"tail", False),
        (wav(0x7FFFFFFF), False),
        (wav(0xFFFFFFFF), False),
        (wav(0xFFFFFFFF, more=ds64(1000), name=b"RF64"), False),
        (wav(0xFFFFFFFF, more=ds64(1001), name=b"RF64"), True),
        (wav(1000, more=b"odd " + struct.pack("<I", 3) + bytes(4)), False),
        (wav(1000, more=b"none" + bytes(4)), False),
        (wav(1001, more=(b"none" + bytes(4)) * 10_000), False),
    ],
)
def test_wav_is_cut_if_its_audio_is(data: bytes, *, is_cut: bool) -> None:
    """Sizes that mean "not known" are not held against a file, nor is what comes behind ten thousand chunks."""
    found = wav_layout(data)
    assert found is not None
    assert bool(found.damage) == is_cut


@pytest.mark.parametrize(("size", "is_cut"), [(1000, False), (1001, True)])
def test_aiff_is_cut_if_its_audio_is(size: int, *, is_cut: bool) -> None:
    """Sizes have their highest byte first here."""
    found = aiff_layout(b"FORM" + bytes(4) + b"AIFC" + b"SSND" + struct.pack(">I", size) + bytes(1000))
    assert found is not None
    assert bool(found.damage) == is_cut


def adpcm(fact: int, *, codec: int = 0x11, size: int = 1000) -> bytes:
    """Blocks of 256 bytes with 505 frames, four of them in 1000 bytes, and the number of frames as a program has it."""
    form = struct.pack("<HHIIHHHH", codec, 1, 44100, 22050, 256, 4, 2, 505)
    return wav(size, more=b"fmt " + struct.pack("<I", 20) + form + b"fact" + struct.pack("<II", 4, fact))


@pytest.mark.parametrize(
    ("data", "end"),
    [
        (adpcm(1516), 1516),
        (adpcm(2020), 2020),
        (adpcm(1515), None),
        (adpcm(2021), None),
        (adpcm(0), None),
        (adpcm(2000, codec=0x02), 2000),
        (adpcm(2000, codec=0x31), None),
        (adpcm(2000, size=0x7FFFFFFF), None),
        (adpcm(9, codec=0x01), 1000),  # by bits and channels, not by the size of blocks
        (adpcm(9, codec=0x01, size=512), 512),
    ],
)
def test_wav_tells_its_end(data: bytes, end: int | None) -> None:
    """Of ADPCM by the number of frames, which some programs tell wrongly; it must be within the last block."""
    found = wav_layout(data)
    assert found is not None
    assert found.end_s == (None if end is None else Fraction(end, 44100))


@pytest.mark.parametrize(
    ("riff_bytes", "is_unfinished"), [(0, True), (4, True), (12, True), (1012, False), (0xFFFFFFFF, False)]
)
def test_unfinished_wav_is_known_by_both_sizes(riff_bytes: int, *, is_unfinished: bool) -> None:
    """One that is finished and has no audio is empty, whatever chunks follow."""
    data = wav(0)
    found = wav_layout(data[:4] + struct.pack("<I", riff_bytes) + data[8:])
    assert found is not None
    assert (found.demuxer, "never finished" in found.damage) == (("wav", True) if is_unfinished else ("", False))


def test_caf_tells_what_its_coder_added() -> None:
    """Frames in front and valid frames, of a packet table with a made-up codec."""
    description = b"desc" + struct.pack(">qd4s", 32, 44100.0, b"aac ") + bytes(20)
    table = b"pakt" + struct.pack(">qqqii", 24, 10, 9000, 2112, 100)
    found = caf_layout(b"caff\0\1\0\0" + description + table + b"data" + struct.pack(">q", -1) + bytes(50))
    assert found is not None
    assert (found.lead_s, found.end_s, found.damage) == (Fraction(2112, 44100), Fraction(11112, 44100), "")


def test_flac_tells_its_length() -> None:
    """36 bits of its first block; 0 means that nobody knows."""
    data = encoded(noise(12_345), container="FLAC")
    assert flac_layout(data) == SourceLayout("flac", 0, len(data), end_s=Fraction(12_345, 44100))
    unknown = data[:21] + bytes([data[21] & 0xF0]) + bytes(4) + data[26:]
    assert flac_layout(unknown) == SourceLayout("flac", 0, len(data))


def pages(data: bytes) -> list[bytes]:
    """An Ogg file, page by page."""
    return [b"OggS" + page for page in data.split(b"OggS")[1:]]


@pytest.fixture(scope="module")
def opus_pages() -> list[bytes]:
    """Two pages of headers, and one a second."""
    return pages(by_ffmpeg(noise(200_000), "libopus", "ogg", 48000))


def test_missing_page_is_damage(opus_pages: list[bytes]) -> None:
    """One in the middle, and the last one."""
    for place, words in ((3, "parts of it"), (-1, "its end")):
        left = list(opus_pages)
        del left[place]
        found = ogg_layout(b"".join(left))
        assert found is not None
        assert words in found.damage
    whole = ogg_layout(b"".join(opus_pages))
    assert whole is not None
    assert not whole.damage


def test_names_of_pages_without_pages_are_counted(opus_pages: list[bytes]) -> None:
    """A hundred thousand are no stream: nobody waits for millions."""
    for count, is_all in ((99_000, True), (100_000, False)):
        found = ogg_layout(opus_pages[0] + b"OggS" * count + b"".join(opus_pages[1:]))
        assert found is not None
        assert (found.end_s is not None) == is_all


def test_only_the_first_of_chained_streams_counts(opus_pages: list[bytes]) -> None:
    """The facts say that there are more."""
    data = b"".join(opus_pages)
    found = ogg_layout(data + data)
    assert found is not None
    assert (found.end, found.end_s) == (len(data), Fraction(200_312, 48000))
    assert "only the first" in found.damage


def test_stream_out_of_a_longer_one_has_no_known_length(opus_pages: list[bytes]) -> None:
    """Recorded radio: its granules count from the transmitter's beginning."""
    late = list(opus_pages)
    for place, page in enumerate(late[2:], 2):
        granule = int.from_bytes(page[6:14], "little") + 10**9
        late[place] = page[:6] + granule.to_bytes(8, "little") + page[14:]
    found = ogg_layout(b"".join(late))
    assert found is not None
    assert found.end_s is None


@pytest.fixture(scope="module")
def wma() -> bytes:
    """By FFmpeg, whose muxer leaves its name."""
    return by_ffmpeg(noise(20_000), "wmav2", "asf", options={"b": "192000"})


def asf(data: bytes) -> SourceLayout:
    """Of a file that is taken."""
    found = asf_layout(data)
    assert isinstance(found, SourceLayout)
    return found


def test_delay_of_wma_depends_on_its_coder(wma: bytes) -> None:
    """What FFmpeg's decoder says is right for Windows' coder, and twice too much for its own."""
    assert asf(wma).lead_share == Fraction(1, 2)
    assert asf(wma.replace("Lavf".encode("utf-16-le"), "Wave".encode("utf-16-le"))).lead_share == 1


def test_note_and_damage_of_wma(wma: bytes) -> None:
    """Lossless and professional WMA have no delay that players could disagree about."""
    assert (asf(wma).timing_note, asf(wma).damage) == (NOTE, "")
    assert asf(wma[:-1]).damage
    lossless = wma.replace(struct.pack("<HHI", 0x161, 2, 44100), struct.pack("<HHI", 0x163, 2, 44100))
    assert lossless != wma
    assert not asf(lossless).timing_note


def test_protected_wma_is_refused(wma: bytes) -> None:
    """An encryption object in the header says so."""
    encryption = bytes.fromhex("FBB3112223BDD211B4B700A0C955FC6E") + struct.pack("<Q", 24)
    header_bytes = int.from_bytes(wma[16:24], "little") + len(encryption)
    found = asf_layout(wma[:16] + struct.pack("<Q", header_bytes) + wma[24:30] + encryption + wma[30:])
    assert isinstance(found, Refusal)
    assert found.is_unsupported
