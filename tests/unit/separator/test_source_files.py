"""Every format that is taken in: decoded to the frame, integers exactly, and with what was cut off on record."""

import io
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from mutagen.mp4 import MP4

from services.separator.adapters.source_files import SourceFile, open_source_file
from services.separator.core.pcm import block_frames
from services.separator.core.ports import SourceBlock
from stemhouse.audio import SourceFacts
from tests.fakes_separator import encoded
from tests.signals import Audio, noise, song
from tests.sources import by_ffmpeg, id3v2, lag_frames

RATE_HZ = 44100
FRAMES = 70_001
"""No multiple of any coder's frame."""


def opened(tmp_path: Path, data: bytes) -> SourceFile:
    """The file under a name that says nothing."""
    path = tmp_path / "source"
    path.write_bytes(data)
    return open_source_file(path, "track.bin")


def decoded(tmp_path: Path, data: bytes) -> tuple[SourceBlock, SourceFacts]:
    """All samples, and what the file told."""
    source = opened(tmp_path, data)
    samples = np.concatenate(list(source.blocks()), axis=1)
    return samples, source.facts()


def on_grid(samples: Audio, bits: int) -> Audio:
    """Rounded to integers of that many bits."""
    scale = np.float32(2.0 ** (bits - 1))
    rounded: Audio = np.rint(samples * scale) / scale
    return rounded


def sndfile(samples: Audio, container: str, subtype: str, **more: str) -> bytes:
    """Written by libsndfile, from floats that it need not round."""
    file = io.BytesIO()
    soundfile.write(file, samples.T, RATE_HZ, format=container, subtype=subtype, **more)
    return file.getvalue()


PCM = {
    "WAV float 32": ("WAV", "FLOAT", "wav", 32),
    "WAV float 64": ("WAV", "DOUBLE", "wav", 64),
    "RF64 float": ("RF64", "FLOAT", "wav", 32),
    "EXTENSIBLE float": ("WAVEX", "FLOAT", "wav", 32),
    "AIFC float": ("AIFF", "FLOAT", "aiff", 32),
}


@pytest.mark.parametrize("name", PCM)
def test_floats_come_as_they_are(tmp_path: Path, name: str) -> None:
    """Above full scale, too."""
    container, subtype, kind, bits = PCM[name]
    samples = noise(FRAMES, peak=1.5)
    given, facts = decoded(tmp_path, sndfile(samples, container, subtype))
    assert np.array_equal(given, samples)
    assert (facts.container, facts.codec, facts.bits_per_sample) == (kind, subtype.lower(), bits)
    assert not facts.damage + facts.timing_note


@pytest.mark.parametrize("container", ["WAV", "WAVEX", "RF64", "AIFF"])
@pytest.mark.parametrize("bits", [8, 16, 24, 32])
def test_pcm_integers_come_as_they_are(tmp_path: Path, container: str, bits: int) -> None:
    """Of 8 to 32 bits; libsndfile is fed integers of 32 bits, which it only shifts."""
    integers = np.random.default_rng(bits).integers(-(2**31), 2**31, (FRAMES, 2)) >> (32 - bits) << (32 - bits)
    subtype = f"PCM_{'U' if bits == 8 and container != 'AIFF' else 'S' if bits == 8 else ''}{bits}"
    file = io.BytesIO()
    soundfile.write(file, integers.astype(np.int32), RATE_HZ, format=container, subtype=subtype)
    given, facts = decoded(tmp_path, file.getvalue())
    assert np.array_equal(given, integers.T / 2.0**31)
    assert facts.bits_per_sample == bits


def test_little_endian_aiff_is_taken(tmp_path: Path) -> None:
    """AIFF-C of the kind "sowt", as macOS writes it."""
    samples = on_grid(noise(FRAMES), 16)
    file = io.BytesIO()
    soundfile.write(
        file, (samples.T * 2**15).astype(np.int16), RATE_HZ, format="AIFF", subtype="PCM_16", endian="LITTLE"
    )
    assert b"sowt" in file.getvalue()[:100]
    assert np.array_equal(decoded(tmp_path, file.getvalue())[0], samples)


LOSSLESS = {
    "ALAC 16": ("alac", "ipod", "s16p", "mp4", 16),
    "ALAC 24": ("alac", "ipod", "s32p", "mp4", 24),
    "ALAC 16 in CAF": ("alac", "caf", "s16p", "caf", 16),
    "ALAC 24 in CAF": ("alac", "caf", "s32p", "caf", 24),
    "PCM 24 in CAF": ("pcm_s24be", "caf", "s32", "caf", 24),
    "PCM 16 in QuickTime": ("pcm_s16le", "mov", "s16", "mp4", 16),
    "PCM 8 in QuickTime": ("pcm_u8", "mov", "u8", "mp4", 8),
    "FLAC 16 in Ogg": ("flac", "ogg", "s16", "ogg", 16),
    "FLAC 24 in Ogg": ("flac", "ogg", "s32", "ogg", 24),
    "FLAC 24": ("flac", "flac", "s32", "flac", 24),
}


@pytest.mark.parametrize("channel_count", [1, 2])
@pytest.mark.parametrize("name", LOSSLESS)
def test_lossless_codecs_are_exact(tmp_path: Path, name: str, channel_count: int) -> None:
    """Every bit, every frame, and the true number of bits."""
    codec, container, sample_type, kind, bits = LOSSLESS[name]
    samples = on_grid(song(FRAMES, RATE_HZ, channel_count), bits)
    data = by_ffmpeg(samples, codec, container, sample_type=sample_type)
    source = opened(tmp_path, data)
    given, facts = decoded(tmp_path, data)
    assert source.is_integer
    assert np.array_equal(given, samples)
    assert (facts.container, facts.bits_per_sample) == (kind, bits)
    assert (facts.trimmed_lead_frames, facts.trimmed_tail_frames) == (0, 0)
    assert not facts.damage + facts.timing_note


LOSSY = {
    "AAC, edit list": ("aac", "ipod", True, "mp4", 1024, True),
    "AAC, nothing told": ("aac", "ipod", False, "mp4", 0, False),
    "AAC, ADTS": ("aac", "adts", True, "aac", 0, False),
    "WMA 1": ("wmav1", "asf", True, "asf", 2048, False),
    "WMA 2": ("wmav2", "asf", True, "asf", 2048, False),
    "MP3": ("libmp3lame", "mp3", True, "mp3", 1105, True),
}


@pytest.mark.parametrize("name", LOSSY)
def test_what_a_coder_adds_is_cut_off_and_told(tmp_path: Path, name: str) -> None:
    """Frames in front + lag = the coder's delay; where the file tells the length, not a frame is too many."""
    codec, container, has_times, kind, lead, is_exact = LOSSY[name]
    samples = noise(FRAMES)
    given, facts = decoded(tmp_path, by_ffmpeg(samples, codec, container, options={"b": "192000"}, has_times=has_times))
    delay = 1024 if codec == "aac" else lead
    assert (lag_frames(samples, given), facts.trimmed_lead_frames) == (delay - lead, lead)
    assert (given.shape[1] == FRAMES) == is_exact
    assert (facts.container, facts.bits_per_sample, facts.damage) == (kind, 0, "")
    assert bool(facts.timing_note) == (name not in {"AAC, edit list", "MP3"})


@pytest.mark.parametrize("has_times", [True, False])
def test_itunes_tag_tells_delay_and_length(tmp_path: Path, *, has_times: bool) -> None:
    """iTunSMPB, with an edit list and without."""
    samples = noise(FRAMES)
    path = tmp_path / "itunes.m4a"
    path.write_bytes(by_ffmpeg(samples, "aac", "ipod", has_times=has_times))
    tags = MP4(path)
    smpb = f" 00000000 00000400 00000100 {FRAMES - 500:016X} 00000000".encode()
    tags["----:com.apple.iTunes:iTunSMPB"] = [smpb]
    tags.save()
    given, facts = decoded(tmp_path, path.read_bytes())
    assert (given.shape[1], facts.trimmed_lead_frames) == (FRAMES - 500, 1024)
    assert facts.trimmed_tail_frames >= 500
    assert lag_frames(samples, given) == 0
    assert not facts.timing_note + facts.damage


def test_edit_list_may_begin_anywhere(tmp_path: Path) -> None:
    """In the middle of the fifth block, as in a track that was cut in an editor, which keeps what it does not play.

    An end in milliseconds, half-way, is too coarse to be followed: FFmpeg would.
    """
    samples = noise(FRAMES)
    data = by_ffmpeg(samples, "aac", "ipod")
    place = data.index(b"elst") + 12
    assert data[place + 4 : place + 8] == (1024).to_bytes(4)
    whole, _ = decoded(tmp_path, data)
    given, facts = decoded(tmp_path, data[:place] + (800).to_bytes(4) + (5000).to_bytes(4) + data[place + 8 :])
    assert np.array_equal(given, whole[:, 5000 - 1024 :])
    assert facts.trimmed_lead_frames == 5000


def test_fewer_frames_than_promised_are_damage(tmp_path: Path) -> None:
    """The table of an M4A counts a thousand blocks that are not there."""
    data = by_ffmpeg(noise(FRAMES), "aac", "ipod")
    place = data.index(b"stts") + 12
    promised = int.from_bytes(data[place : place + 4]) + 1000
    given, facts = decoded(tmp_path, data[:place] + promised.to_bytes(4) + data[place + 4 :])
    assert given.shape[1] >= FRAMES
    assert f"damaged; {given.shape[1]} of {FRAMES + 1000 * 1024} frames" in facts.damage


@pytest.mark.parametrize("sample_rate_hz", [8000, 12000, 16000, 24000, 48000])
def test_opus_is_cut_to_its_granules(tmp_path: Path, sample_rate_hz: int) -> None:
    """Pre-skip in front and padding behind, at each rate that Opus names, whole packets less the music."""
    samples = noise(FRAMES)
    given, facts = decoded(tmp_path, by_ffmpeg(samples, "libopus", "ogg", sample_rate_hz))
    assert (given.shape[1], lag_frames(samples, given)) == (FRAMES, 0)
    assert facts.trimmed_lead_frames == 312 * sample_rate_hz // 48000
    packet_frames = sample_rate_hz // 50
    assert (FRAMES + facts.trimmed_lead_frames + facts.trimmed_tail_frames) % packet_frames == 0
    assert (facts.codec, facts.decoder.split()[0], facts.damage) == ("opus", "libsndfile", "")


def test_two_decoders_agree_on_vorbis_and_opus(tmp_path: Path) -> None:
    """Sample by sample, libsndfile and FFmpeg: that is why libsndfile may decode them."""
    samples = noise(FRAMES)
    for data in (sndfile(samples, "OGG", "VORBIS"), by_ffmpeg(samples, "libopus", "ogg", 48000)):
        given, _ = decoded(tmp_path, data)
        with av.open(io.BytesIO(data), "r") as container:
            theirs = np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)
        assert given.shape == theirs.shape
        assert np.abs(given - theirs).max() < 1e-3


@pytest.mark.parametrize("sample_rate_hz", [8000, 192_000])
def test_lowest_and_highest_rates_are_taken(tmp_path: Path, sample_rate_hz: int) -> None:
    """By either decoder."""
    samples = on_grid(noise(FRAMES, channel_count=1), 16)
    for data in (
        encoded(samples, sample_rate_hz, "FLAC", "PCM_16"),
        by_ffmpeg(samples, "alac", "ipod", sample_rate_hz, sample_type="s16p"),
    ):
        source = opened(tmp_path, data)
        assert (source.format.sample_rate_hz, source.format.channel_count) == (sample_rate_hz, 1)
        assert np.array_equal(np.concatenate(list(source.blocks()), axis=1), samples)


def test_blocks_come_again_and_are_bounded(tmp_path: Path) -> None:
    """The same samples each time, never much more than a second at once."""
    data = by_ffmpeg(noise(5 * RATE_HZ), "aac", "ipod")
    source = opened(tmp_path, data)
    first, second = list(source.blocks()), list(source.blocks())
    assert np.array_equal(np.concatenate(first, axis=1), np.concatenate(second, axis=1))
    assert max(block.shape[1] for block in first) < block_frames(source.format) + 1024
    assert len(first) == 5
    assert {block.dtype for block in first} == {np.dtype(np.float64)}


def test_first_audio_of_a_video_is_taken(tmp_path: Path) -> None:
    """The picture is not looked at."""
    samples = on_grid(noise(FRAMES), 16)
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        picture = output.add_stream("mpeg4", rate=25)
        picture.width = picture.height = 32
        sound = output.add_stream("alac", rate=RATE_HZ, layout="stereo")
        sound.format = "s16p"
        black = av.VideoFrame(32, 32, "yuv420p")
        output.mux(picture.encode(black))
        output.mux(picture.encode(None))
        planar = av.AudioFrame.from_ndarray((samples * 2**15).astype(np.int16), format="s16p", layout="stereo")
        planar.sample_rate = RATE_HZ
        for frame in av.AudioResampler("s16p", "stereo", RATE_HZ, 4096).resample(planar):
            output.mux(sound.encode(frame))
        output.mux(sound.encode(None))
    given, _ = decoded(tmp_path, file.getvalue())
    assert given.shape[1] > FRAMES - 4096
    assert np.array_equal(given, samples[:, : given.shape[1]])


@pytest.mark.parametrize("container", ["flac", "mp3", "ogg", "wav"])
def test_tags_in_front_of_any_size_and_number_are_passed(tmp_path: Path, container: str) -> None:
    """Three megabytes of cover art, and two small ones."""
    samples = on_grid(noise(FRAMES), 16)
    data = {
        "flac": lambda: encoded(samples, container="FLAC", subtype="PCM_16"),
        "mp3": lambda: encoded(samples, container="MP3", subtype="MPEG_LAYER_III"),
        "ogg": lambda: by_ffmpeg(samples, "flac", "ogg", sample_type="s16"),
        "wav": lambda: encoded(samples, subtype="PCM_16"),
    }[container]()
    plain, _ = decoded(tmp_path, data)
    tagged, facts = decoded(tmp_path, id3v2(100) + id3v2(3_000_000) + id3v2(10) + data)
    assert np.array_equal(plain, tagged)
    assert not facts.damage
