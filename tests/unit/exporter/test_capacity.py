"""What each file format can hold, and what is said where it cannot."""

from dataclasses import replace

import pytest

from services.exporter.core.capacity import require_room
from services.exporter.core.ports import FileSpec
from stemhouse.delivery import FileFormat, SampleFormat
from stemhouse.errors import InvalidRequest

SPEC = FileSpec(SampleFormat.PCM24, 44_100, 2, 44_100)


@pytest.mark.parametrize(
    ("file_format", "held_hz", "refused_hz"),
    [
        (FileFormat.WAV, [7_000, 384_000, 1_000_001], []),
        (FileFormat.FLAC, [7_000, 384_000, 655_350], [655_351]),
        (FileFormat.AIFF, [7_000, 384_000, 1_000_001], []),
        (FileFormat.MP3, [8_000, 11_025, 22_050, 24_000, 44_100, 48_000], [7_999, 9_000, 47_999, 64_000, 96_000]),
        (FileFormat.M4A, [8_000, 22_050, 44_100, 48_000, 88_200, 96_000], [9_000, 48_001, 176_400, 192_000]),
    ],
)
def test_rates_that_a_format_holds(file_format: FileFormat, held_hz: list[int], refused_hz: list[int]) -> None:
    """To the Hz: nothing is converted on the way out."""
    for rate_hz in held_hz:
        require_room(file_format, replace(SPEC, sample_rate_hz=rate_hz))
    for rate_hz in refused_hz:
        with pytest.raises(InvalidRequest, match=str(rate_hz)):
            require_room(file_format, replace(SPEC, sample_rate_hz=rate_hz))


def test_refusal_names_the_formats_that_can() -> None:
    """Format, rate, and the way out."""
    with pytest.raises(InvalidRequest, match=r"^mp3 .* 96000 Hz, .* wav, flac, aiff, m4a can$"):
        require_room(FileFormat.MP3, replace(SPEC, sample_rate_hz=96_000))
    with pytest.raises(InvalidRequest, match=r"^m4a .* 192000 Hz, .*; wav, flac, aiff can$") as caught:
        require_room(FileFormat.M4A, replace(SPEC, sample_rate_hz=192_000))
    assert list(caught.value.details) == ["file_format"]


def test_aiff_ends_at_4_gib() -> None:
    """Where its sizes of 32 bits end; FLAC and WAV go on."""
    most_frames = (2**32 - 1 - 46) // 6
    require_room(FileFormat.AIFF, replace(SPEC, frame_count=most_frames))
    too_long = replace(SPEC, frame_count=most_frames + 1)
    with pytest.raises(InvalidRequest, match=r"4 GiB; wav, flac, mp3, m4a can$"):
        require_room(FileFormat.AIFF, too_long)
    require_room(FileFormat.AIFF, replace(too_long, sample_format=SampleFormat.PCM16))
    require_room(FileFormat.WAV, too_long)
    with pytest.raises(InvalidRequest, match=r"wav, flac can$"):
        require_room(FileFormat.AIFF, replace(too_long, sample_format=SampleFormat.PCM16, frame_count=2**31))


def test_mp3_of_a_millisecond_is_refused() -> None:
    """It would come back longer."""
    require_room(FileFormat.MP3, replace(SPEC, frame_count=47))
    with pytest.raises(InvalidRequest, match="46 frames"):
        require_room(FileFormat.MP3, replace(SPEC, frame_count=46))
