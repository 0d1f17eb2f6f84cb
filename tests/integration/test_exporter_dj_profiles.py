"""Every file for DJs is what its target plays, whatever the stems are: by the bytes of its head, and decoded by others.

Profiles: rekordbox and players take PCM of 16 or 24 bits in WAV (tag 1, not EXTENSIBLE) and AIFF (not AIFC) up to 48
kHz, Serato FLAC and AIFF, Traktor and Mixxx stem files at 44.1 or 48 kHz.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from services.exporter.adapters.soxr_resampler import SoxrResampler
from services.exporter.core.production.ports import AudioShape
from stemhouse.delivery import FileFormat, SampleFormat
from stemhouse.dj import DJTarget, OrganizeOptions, StemChoice, StemFileOptions
from tests.integration.dj_house import House, open_house
from tests.mixxx_rules import complaints

DURATION_S = 1.0
NULL_DB = -90.0
SOURCES = {
    "96 kHz beyond full scale": (96_000, 2, 1.7),
    "192 kHz": (192_000, 2, 0.2),
    "88.2 kHz mono beyond full scale": (88_200, 1, 1.3),
    "48 kHz": (48_000, 2, 0.3),
    "44.1 kHz mono": (44_100, 1, 0.3),
    "22.05 kHz": (22_050, 2, 0.3),
}
WISHES: list[OrganizeOptions | StemFileOptions] = [
    OrganizeOptions(DJTarget.REKORDBOX),
    OrganizeOptions(DJTarget.REKORDBOX, StemChoice.ALL, FileFormat.WAV),
    OrganizeOptions(DJTarget.REKORDBOX, sample_format=SampleFormat.PCM16),
    OrganizeOptions(DJTarget.REKORDBOX, file_format=FileFormat.WAV, sample_format=SampleFormat.PCM16),
    OrganizeOptions(DJTarget.SERATO, StemChoice.FOUR),
    OrganizeOptions(DJTarget.SERATO, sample_format=SampleFormat.PCM16),
    OrganizeOptions(DJTarget.SERATO, StemChoice.ALL, FileFormat.AIFF),
    StemFileOptions(),
    StemFileOptions(is_lossless=True),
]

Samples = npt.NDArray[np.float64]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """One whose folder has other stems in each test."""
    with open_house(tmp_path) as opened:
        yield opened


def stems(rate_hz: int, channel_count: int, peak: float) -> dict[str, Samples]:
    """Four, of which vocals and the mix reach the peak; below 8 kHz, so that no rate cuts them."""
    time_s = np.arange(round(DURATION_S * rate_hz)) / rate_hz
    fade = np.sin(np.pi * time_s / DURATION_S) ** 2  # else a resampler rings at either end
    tones = {"vocals": (440, 1.0), "drums": (2000, 0.3), "bass": (55, 0.4), "other": (7000, 0.2)}
    return {
        stem: np.repeat((peak * level * fade * np.sin(2 * np.pi * hz * time_s))[:, None], channel_count, axis=1)
        for stem, (hz, level) in tones.items()
    }


@pytest.mark.parametrize("source", SOURCES)
def test_files_are_within_their_profile(source: str, house: House) -> None:
    """Each target, choice and format; what belongs together sums to the mix at one gain."""
    rate_hz, channel_count, peak = SOURCES[source]
    (house.folder / "metadata.json").unlink()
    made = stems(rate_hz, channel_count, peak)
    for stem, samples in made.items():
        soundfile.write(house.folder / f"{stem}.wav", samples, rate_hz, "FLOAT")
    for wish in WISHES:
        target = wish.target if isinstance(wish, OrganizeOptions) else DJTarget.TRAKTOR
        files = house.files(target, wish)
        gain = json.loads((files[0].parent / "stemhouse.json").read_text())["gain"]
        assert (gain < 1.0) == (peak > 1.0)
        bits = int(wish.sample_format.value) if isinstance(wish, OrganizeOptions) else 24
        for file in files:
            assert [*complaints_of(file, target, bits)] == []
        if isinstance(wish, OrganizeOptions):
            found = [decoded(file) for file in files[: 4 if wish.stems is StemChoice.FOUR else 2]]
            mix = sum(made.values(), start=np.zeros(()))
            total = sum((samples for samples, _ in found), start=np.zeros(()))
            assert null_db(total, mix * gain, rate_hz, found[0][1]) <= NULL_DB


def complaints_of(file: Path, target: DJTarget, bits: int) -> Iterator[str]:
    """What the target would not play."""
    with av.open(str(file)) as container:
        streams = [(stream.codec_context.name, stream.codec_context.sample_rate) for stream in container.streams.audio]
    for codec, rate_hz in streams:
        if codec not in {name.format(bits) for name in _CODECS[file.suffix]}:
            yield f"{codec} in {file.name}"
        if target is not DJTarget.SERATO and rate_hz not in {44_100, 48_000}:
            yield f"{rate_hz} Hz"
    yield from complaints(file) if file.suffix == ".mp4" else _HEADS[file.suffix](file.read_bytes(), bits)


_CODECS = {".wav": {"pcm_s{}le"}, ".aiff": {"pcm_s{}be"}, ".flac": {"flac"}, ".mp4": {"aac", "alac"}}


def _wav_complaints(head: bytes, wanted_bits: int) -> Iterator[str]:
    at = head.index(b"fmt ") + 8
    tag, bits = int.from_bytes(head[at : at + 2], "little"), int.from_bytes(head[at + 14 : at + 16], "little")
    if (head[:4], tag, bits) != (b"RIFF", 1, wanted_bits):
        yield f"{head[:4]!r} with tag {tag} and {bits} bits"


def _aiff_complaints(head: bytes, _wanted_bits: int) -> Iterator[str]:
    if head[:4] + head[8:12] != b"FORMAIFF":
        yield f"{head[8:12]!r} is no plain AIFF"


def _flac_complaints(head: bytes, wanted_bits: int) -> Iterator[str]:
    bits = (int.from_bytes(head[20:22]) >> 4 & 0x1F) + 1  # of STREAMINFO
    if head[:4] != b"fLaC" or bits != wanted_bits:
        yield f"{bits} bits"


_HEADS = {".wav": _wav_complaints, ".aiff": _aiff_complaints, ".flac": _flac_complaints}


def decoded(file: Path) -> tuple[Samples, int]:
    """The samples as FFmpeg gives them, full scale 1.0, and their rate."""
    with av.open(str(file)) as container:
        stream = container.streams.audio[0]
        blocks = [frame.to_ndarray() for frame in container.decode(stream)]
        rate_hz, channel_count = stream.codec_context.sample_rate, stream.codec_context.layout.nb_channels
    joined = np.concatenate(blocks, axis=1)
    samples = joined.reshape(-1, channel_count) if joined.shape[0] == 1 else joined.T
    return samples.astype(np.float64) / 2.0 ** (8 * samples.itemsize - 1), rate_hz


def null_db(found: Samples, mix: Samples, rate_hz: int, found_hz: int) -> float:
    """What is left of the mix, which is brought to the files' rate first; against full scale."""
    wanted = mix.astype(np.float32)
    if found_hz != rate_hz:
        shape = AudioShape(rate_hz, mix.shape[1], len(mix))
        wanted = np.concatenate([*SoxrResampler().resample([wanted], shape, found_hz)])
    assert found.shape == wanted.shape
    return float(20 * np.log10(np.sqrt(np.mean((found - wanted) ** 2)) + 1e-12))
