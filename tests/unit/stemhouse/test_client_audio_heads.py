"""Sample rates and lengths from the heads of files, and which formats they rule out."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stemhouse.client.audio_heads import duration_s_from_head, require_rate, sample_rate_hz_from_head
from stemhouse.delivery import FileFormat, SampleFormat
from stemhouse.errors import InvalidRequest

RATES_HZ = (8_000, 44_100, 48_000, 88_200, 96_000, 192_000)


def audio(path: Path, rate_hz: int, **form: str) -> Path:
    """Ten frames of silence, as soundfile writes them."""
    soundfile.write(path, np.zeros((10, 2)), rate_hz, **form)
    return path


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.wav", {"subtype": "PCM_16"}),
        ("a.wav", {"subtype": "FLOAT"}),
        ("a.wav", {"format": "WAVEX", "subtype": "PCM_24"}),
        ("a.wav", {"format": "RF64", "subtype": "PCM_24"}),
        ("a.aiff", {"subtype": "PCM_24"}),
        ("a.aiff", {"subtype": "FLOAT"}),
        ("a.flac", {"subtype": "PCM_24"}),
    ],
)
def test_rate_is_read_from_the_head(tmp_path: Path, rate_hz: int, name: str, form: dict[str, str]) -> None:
    """Of every container that a high rate comes in; so is the length."""
    file = audio(tmp_path / name, rate_hz, **form)
    assert sample_rate_hz_from_head(file) == rate_hz
    assert duration_s_from_head(file) == pytest.approx(10 / rate_hz)


@pytest.mark.parametrize("told_bytes", [0, 0xFFFF_FFFF, 10**9])
def test_wav_whose_size_nobody_wrote_lasts_to_its_end(tmp_path: Path, told_bytes: int) -> None:
    """As recorders that were cut off leave it: no more is there than is there."""
    wav = audio(tmp_path / "a.wav", 8_000, subtype="PCM_16").read_bytes()
    assert wav.count(b"data") == 1
    size_at = wav.index(b"data") + 4
    (tmp_path / "a.wav").write_bytes(wav[:size_at] + told_bytes.to_bytes(4, "little") + wav[size_at + 4 :])
    assert duration_s_from_head(tmp_path / "a.wav") == pytest.approx(10 / 8_000)


def test_tag_before_a_flac_is_passed_over(tmp_path: Path) -> None:
    """An ID3v2 tag, which some taggers put there."""
    flac = io.BytesIO()
    soundfile.write(flac, np.zeros(10), 96_000, format="FLAC")
    (tmp_path / "a.flac").write_bytes(b"ID3\x04\x00\x00\x00\x00\x02\x01" + bytes(257) + flac.getvalue())
    assert sample_rate_hz_from_head(tmp_path / "a.flac") == 96_000


def test_chunks_before_the_format_are_passed_over(tmp_path: Path) -> None:
    """Of an odd length, too, which a byte of padding follows."""
    wav = audio(tmp_path / "a.wav", 96_000).read_bytes()
    (tmp_path / "a.wav").write_bytes(wav[:12] + b"JUNK\x03\x00\x00\x00abc\x00" + wav[12:])
    assert sample_rate_hz_from_head(tmp_path / "a.wav") == 96_000


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"RIFF",
        b"RIFF\x00\x00\x00\x00WAVE",
        b"RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01",
        b"fLaC\x00\x00",
        b"FORM\x00\x00\x00\x00AIFFCOMM\x00\x00\x00\x12" + b"\xff" * 18,
        b"FORM\x00\x00\x00\x00AIFFCOMM\x00\x00\x00\x12" + bytes(18),
        b"ID3\x04\x00\x00\x7f\x7f\x7f\x7f",
        b"this is text",
    ],
)
def test_head_that_tells_nothing_gives_no_rate(tmp_path: Path, content: bytes) -> None:
    """Cut, odd, or of another kind: a decoder says later what is wrong with it."""
    (tmp_path / "a").write_bytes(content)
    assert (sample_rate_hz_from_head(tmp_path / "a"), duration_s_from_head(tmp_path / "a")) == (None, None)


def test_file_that_cannot_be_read_gives_no_rate(tmp_path: Path) -> None:
    """Its reader says why."""
    assert sample_rate_hz_from_head(tmp_path / "missing") is None


@pytest.mark.parametrize(
    ("file_format", "rate_hz", "able"),
    [(FileFormat.MP3, 96_000, "wav, flac, aiff, m4a can"), (FileFormat.M4A, 192_000, "wav, flac, aiff can")],
)
def test_format_that_cannot_hold_the_rate_is_refused(
    tmp_path: Path, file_format: FileFormat, rate_hz: int, able: str
) -> None:
    """By the file's name, with the formats that can."""
    path = audio(tmp_path / "song.wav", rate_hz)
    with pytest.raises(InvalidRequest, match=f"cannot hold song.wav: its rate is {rate_hz} Hz.*{able}"):
        require_rate(path, file_format, SampleFormat.PCM24)


@pytest.mark.parametrize("file_format", list(FileFormat))
def test_every_format_holds_44_100_hz(tmp_path: Path, file_format: FileFormat) -> None:
    """And a file that tells no rate is let through."""
    require_rate(audio(tmp_path / "song.wav", 44_100), file_format, SampleFormat.PCM24)
    require_rate(tmp_path / "missing", file_format, SampleFormat.PCM24)
