"""Ingest: every accepted file becomes the same canonical PCM, every other one is refused with its reason."""

import io
import struct
from pathlib import Path
from typing import cast

import av
import numpy as np
import pytest
import soundfile
from mutagen.easyid3 import EasyID3
from mutagen.flac import FLAC
from mutagen.id3 import ID3, TIT2, TPE1
from mutagen.wave import WAVE

from services.separator.core.ports import TaskControl
from stemhouse.audio import AudioFormat
from stemhouse.errors import Cancelled, InternalFault, NotFound, UnreadableAudio, UnsupportedAudio
from tests.fakes import MemoryObjectStore
from tests.fakes_separator import SeparatorHouse, encoded, stored_source
from tests.signals import noise, sine, song
from tests.sources import id3v2, lag_frames, mp3_by_ffmpeg, without_coder_name


@pytest.fixture
def house(tmp_path: Path) -> SeparatorHouse:
    """A store and a scratch folder."""
    return SeparatorHouse(tmp_path / "scratch")


@pytest.mark.parametrize(("sample_rate_hz", "channel_count"), [(22050, 1), (44100, 2), (48000, 2), (96000, 1)])
@pytest.mark.parametrize(("container", "subtype"), [("WAV", "PCM_16"), ("WAV", "PCM_24"), ("FLAC", "PCM_24")])
def test_integer_samples_are_stored_as_they_are(
    house: SeparatorHouse, container: str, subtype: str, sample_rate_hz: int, channel_count: int
) -> None:
    """Bit by bit, gain 1, with frames and peak as in the file."""
    data = encoded(song(30_001, sample_rate_hz, channel_count), sample_rate_hz, container, subtype)
    true, _ = soundfile.read(io.BytesIO(data), always_2d=True)
    audio = house.ingest(data).audio
    assert audio.format == AudioFormat(sample_rate_hz, channel_count)
    assert (audio.frame_count, audio.gain, audio.peak) == (30_001, 1.0, np.abs(true).max())
    assert np.array_equal(house.integers(audio.object_key), true.T * 2**23)


def test_same_samples_have_one_digest_whatever_the_container_and_tags(house: SeparatorHouse, tmp_path: Path) -> None:
    """WAV and FLAC of 24 bits, and a FLAC with tags; stored once."""
    samples = song(50_000, 44100)
    tagged_path = tmp_path / "tagged.flac"
    tagged_path.write_bytes(encoded(samples, container="FLAC"))
    tags = FLAC(tagged_path)
    tags["title"] = "Night"
    tags.save()
    files = (encoded(samples), encoded(samples, container="FLAC"), tagged_path.read_bytes())
    assert len({house.ingest(data).audio for data in files}) == 1
    assert len(list(house.store.list_keys("audio/"))) == 1


def test_one_changed_sample_changes_the_digest(house: SeparatorHouse) -> None:
    """By a single step of 24 bits."""
    samples = song(50_000, 44100).astype(np.float64)
    first = house.ingest(encoded(samples)).audio
    samples[1, 31_415] += 2**-23
    assert house.ingest(encoded(samples)).audio.pcm_sha256 != first.pcm_sha256


def test_stored_pcm_is_not_written_again(house: SeparatorHouse) -> None:
    """The object of the first ingest stays."""
    data = encoded(noise(10_000))
    key = house.ingest(data).audio.object_key
    house.store.objects[key] = b"as it was"
    assert house.ingest(data).audio.object_key == key
    assert house.store.objects[key] == b"as it was"


def test_loud_float_source_is_lowered_by_a_power_of_two(house: SeparatorHouse) -> None:
    """A peak of 1.7 gives gain 0.5, no sample clips, and the peak is that of the source."""
    samples = song(40_000, 44100) / np.float32(0.9) * np.float32(1.7)
    audio = house.ingest(encoded(samples, subtype="FLOAT")).audio
    assert audio.gain == 0.5
    assert audio.peak == np.abs(samples).max() == pytest.approx(1.7)
    stored = house.integers(audio.object_key)
    assert np.abs(stored - samples.astype(np.float64) * 2**22).max() <= 0.5


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e30])
def test_sample_that_cannot_be_one_is_named_by_its_frame(house: SeparatorHouse, bad: float) -> None:
    """In the second block of the file, so that the count over blocks is seen."""
    samples = noise(60_000)
    samples[1, 51_234] = bad
    with pytest.raises(UnreadableAudio, match=r"loud\.wav.*frame 51234 ") as caught:
        house.ingest(encoded(samples, subtype="FLOAT"), "loud.wav")
    assert caught.value.details == {"file": "loud.wav", "frame": "51234"}
    assert list(house.store.list_keys("audio/")) == []


@pytest.mark.parametrize(
    ("file_name", "data"),
    [
        ("empty.wav", b""),
        ("letter.mp3", b"Dear DJ, this is not audio.\n" * 4000),
        ("garbage.mp3", np.random.default_rng(5).bytes(200_000)),
        ("garbage.flac", b"fLaC" + np.random.default_rng(6).bytes(50_000)),
        ("no frames.wav", encoded(np.zeros((2, 0)))),
        ("head only.flac", encoded(noise(50_000), container="FLAC")[:60]),
        ("head only.mp3", encoded(noise(50_000), container="MP3", subtype="MPEG_LAYER_III")[:90]),
    ],
)
def test_what_is_not_audio_is_refused_by_name(house: SeparatorHouse, file_name: str, data: bytes) -> None:
    """Whatever its extension says."""
    with pytest.raises(UnreadableAudio, match=file_name):
        house.ingest(data, file_name)
    assert list(house.store.list_keys("audio/")) == []


def test_more_than_two_channels_are_refused_with_their_number(house: SeparatorHouse) -> None:
    """Nothing is mixed down in silence."""
    with pytest.raises(UnsupportedAudio, match="has 6 channels"):
        house.ingest(encoded(noise(1000, channel_count=6)))


def test_rate_that_flac_cannot_hold_is_refused(house: SeparatorHouse) -> None:
    """FLAC frames have no code for 96001 Hz."""
    with pytest.raises(UnsupportedAudio, match="96001 Hz"):
        house.ingest(encoded(noise(1000), 96001))


@pytest.mark.parametrize(("container", "subtype"), [("WAV", "PCM_24"), ("FLAC", "PCM_16"), ("MP3", "MPEG_LAYER_III")])
def test_truncated_file_gives_what_is_left(house: SeparatorHouse, container: str, subtype: str) -> None:
    """A DJ would rather have most of the track; the facts say what is missing."""
    samples = song(5 * 44100, 44100)
    data = encoded(samples, 44100, container, subtype)
    whole = house.ingest(data)
    part = house.ingest(data[: len(data) // 2])
    assert 0.3 < part.audio.frame_count / whole.audio.frame_count < 0.7
    frame_count = part.audio.frame_count - 2000  # the last frames of a cut MP3 lack their neighbour
    whole_pcm, part_pcm = (house.integers(each.audio.object_key)[:, :frame_count] for each in (whole, part))
    assert np.array_equal(whole_pcm, part_pcm)
    assert container != "FLAC" or part.audio.frame_count % 4096 == 0  # not a frame of the coder is lost
    assert part.facts.damage
    assert not whole.facts.damage


def _libav_frame_count(data: bytes) -> int:
    with av.open(io.BytesIO(data), "r") as container:
        return sum(int(frame.samples) for frame in container.decode(audio=0))


@pytest.mark.parametrize(
    ("coder", "trimmed_frames"), [("lame", 1105), ("lavf", 1105), ("nameless", 0), ("no header", 0)]
)
def test_recorded_trim_of_an_mp3_is_what_was_trimmed(house: SeparatorHouse, coder: str, trimmed_frames: int) -> None:
    """Lag after decoding + trimmed frames = the 1105 that coder and decoder cause."""
    samples = noise(3 * 44100, channel_count=1)
    data = {
        "lame": lambda: encoded(samples, 44100, "MP3", "MPEG_LAYER_III"),
        "lavf": lambda: mp3_by_ffmpeg(samples, has_header=True),
        "nameless": lambda: without_coder_name(mp3_by_ffmpeg(samples, has_header=True)),
        "no header": lambda: mp3_by_ffmpeg(samples, has_header=False),
    }[coder]()
    track = house.ingest(data, "track.mp3")
    assert track.facts.trimmed_lead_frames == trimmed_frames
    assert lag_frames(samples, house.integers(track.audio.object_key)) == 1105 - trimmed_frames
    assert (track.facts.container, track.facts.bits_per_sample) == ("mp3", 0)
    assert not track.facts.damage
    assert track.audio.frame_count == _libav_frame_count(data)


@pytest.mark.parametrize("id3_bytes", [0, 2**20])
def test_mp3_that_does_not_tell_its_length_is_decoded_to_its_end(house: SeparatorHouse, id3_bytes: int) -> None:
    """Loud after quiet at a variable bit rate: a length guessed from the first frames would be half of it."""
    samples = np.concatenate([noise(10 * 44100, 1, peak=0.001), noise(10 * 44100, 1)], axis=1)
    mp3 = mp3_by_ffmpeg(samples, has_header=False, flags="+qscale", global_quality="236")
    data = id3v2(id3_bytes) + mp3 if id3_bytes else mp3
    track = house.ingest(data, "track.mp3")
    assert track.audio.frame_count == _libav_frame_count(data) > samples.shape[1]
    assert not track.facts.damage


@pytest.mark.parametrize("channel_count", [1, 2])
@pytest.mark.parametrize("sample_rate_hz", [22050, 44100, 48000])
def test_mp3_read_in_blocks_has_no_seams(house: SeparatorHouse, sample_rate_hz: int, channel_count: int) -> None:
    """Block by block it decodes to what one long read gives: the decoder's bit reservoir goes on between blocks."""
    data = encoded(song(5 * sample_rate_hz, sample_rate_hz, channel_count), sample_rate_hz, "MP3", "MPEG_LAYER_III")
    at_once, _ = soundfile.read(io.BytesIO(data), always_2d=True)
    audio = house.ingest(data).audio
    stored = house.integers(audio.object_key) / (audio.gain * 2**23)
    assert np.abs(stored - at_once.T).max() < 3 / 2**23  # libmpg123 decodes to single precision


@pytest.mark.parametrize("sample_rate_hz", [16000, 22050, 48000])
def test_trim_is_read_at_other_rates_and_layouts(house: SeparatorHouse, sample_rate_hz: int) -> None:
    """MPEG 2 and stereo have their side information elsewhere."""
    samples = noise(2 * sample_rate_hz)
    track = house.ingest(encoded(samples, sample_rate_hz, "MP3", "MPEG_LAYER_III"), "track.mp3")
    assert track.facts.trimmed_lead_frames == 1105
    assert track.audio.frame_count == samples.shape[1]


def test_loud_mp3_is_lowered_too(house: SeparatorHouse) -> None:
    """A lossy coder overshoots full scale; the overshoot is kept."""
    square = np.sign(sine(441.0, 44100, 44100, peak=1.0)) * np.float32(0.99)
    audio = house.ingest(encoded(square, 44100, "MP3", "MPEG_LAYER_III")).audio
    assert audio.peak > 1.0
    assert audio.gain == 0.5


def test_tags_name_the_track(house: SeparatorHouse, tmp_path: Path) -> None:
    """Vorbis comments, ID3 in MP3, ID3 and RIFF INFO in WAV."""
    samples = noise(20_000)
    named = {"track.flac": ("FLAC", "PCM_16"), "track.mp3": ("MP3", "MPEG_LAYER_III"), "track.wav": ("WAV", "PCM_16")}
    paths = {name: tmp_path / name for name in [*named, "info.wav"]}
    for name, (container, subtype) in named.items():
        paths[name].write_bytes(encoded(samples, 44100, container, subtype))
    flac = FLAC(paths["track.flac"])
    flac.update({"artist": "Ünï", "title": "夜"})
    flac.save()
    easy = EasyID3()
    easy.update({"artist": "Ünï", "title": "夜"})
    easy.save(paths["track.mp3"])
    wave = WAVE(paths["track.wav"])
    wave.add_tags()
    tags = cast("ID3", wave.tags)
    tags.add(TPE1(encoding=3, text="Ünï"))
    tags.add(TIT2(encoding=3, text="夜"))
    wave.save()
    with soundfile.SoundFile(paths["info.wav"], "w", 44100, 2, subtype="PCM_16") as info:
        info.artist, info.title = "Ünï", "夜"
        info.write(samples.T)
    for path in paths.values():
        facts = house.ingest(path.read_bytes(), path.name).facts
        assert (facts.artist, facts.title) == ("Ünï", "夜"), path.name


def test_broken_tags_do_not_reject_a_file(house: SeparatorHouse) -> None:
    """An ID3 chunk of a version that does not exist is none of the decoder's business."""
    data = encoded(noise(20_000))
    id3 = b"ID3\x09\x00\x00\x00\x00\x00\x10" + bytes(16)
    chunk = b"id3 " + struct.pack("<I", len(id3)) + id3
    track = house.ingest(b"RIFF" + struct.pack("<I", len(data) - 8 + len(chunk)) + data[8:] + chunk, "odd.wav")
    assert (track.facts.artist, track.audio.frame_count) == ("", 20_000)


def test_object_with_other_bytes_is_a_fault(house: SeparatorHouse) -> None:
    """The digest is checked while the source is fetched."""
    source = stored_source(house.store, encoded(noise(1000)))
    house.store.objects[f"sources/{source.sha256}"] += b"!"
    with pytest.raises(InternalFault, match="other bytes"):
        house.ingest_source(source)


def test_missing_source_is_not_found(house: SeparatorHouse) -> None:
    """The router may then ask for another upload."""
    source = stored_source(MemoryObjectStore(), b"elsewhere")
    with pytest.raises(NotFound):
        house.ingest_source(source)


def test_cancelled_ingest_stores_nothing(house: SeparatorHouse) -> None:
    """Asked before each chunk and each block."""
    asked = iter([False] * 5)
    with pytest.raises(Cancelled):
        house.ingest(encoded(noise(20 * 44100)), control=TaskControl(lambda: next(asked, True)))
    assert list(house.store.list_keys("audio/")) == []
    assert list(house.folder.iterdir()) == []


def test_cancelled_ingest_looks_no_further_through_a_file(house: SeparatorHouse) -> None:
    """Of pages without number; asked once a chunk, and then while they are walked."""
    source = stored_source(house.store, (b"OggS\0\0" + bytes(20) + b"\0") * 5000)
    chunk_count = len(list(house.store.read(f"sources/{source.sha256}")))
    asked = iter([False] * chunk_count)
    with pytest.raises(Cancelled):
        house.ingest_source(source, TaskControl(lambda: next(asked, True)))


@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
def test_track_beyond_the_limit_is_refused_while_it_is_decoded(house: SeparatorHouse, subtype: str) -> None:
    """A small file can hold years: what is stored and spooled is bounded all the same."""
    data = encoded(noise(3 * 44100), subtype=subtype)
    with pytest.raises(UnsupportedAudio, match=r"track\.wav is longer than 2\.5 s") as caught:
        house.ingest(data, longest_s=2.5)
    assert caught.value.details["most_s"] == "2.5"
    assert list(house.store.list_keys("audio/")) == []
    assert house.ingest(data, longest_s=3.0).audio.frame_count == 3 * 44100
