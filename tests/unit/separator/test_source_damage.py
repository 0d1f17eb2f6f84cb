"""Files as they are found: cut, damaged, tagged anew, with junk around them, protected, or no audio at all."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from mutagen.easymp4 import EasyMP4
from mutagen.flac import FLAC
from mutagen.mp3 import EasyMP3

from services.separator.adapters.av_source import AvSource
from services.separator.adapters.source_files import open_source_file
from services.separator.core.layouts import SourceLayout
from services.separator.core.mpeg import HIDDEN_NOTE, JOINED_NOTE
from services.separator.core.ports import SourceBlock
from stemhouse.audio import SourceFacts
from stemhouse.errors import InputRejected, UnreadableAudio, UnsupportedAudio
from tests.fakes_separator import SeparatorHouse, encoded
from tests.signals import Audio, noise, sine
from tests.sources import ID3V1, JUNK, by_ffmpeg, frame_bytes, id3v2, lag_frames, mp3_by_ffmpeg

FRAMES = 50_000
FILES: dict[str, Callable[[Audio], bytes]] = {
    "wav": encoded,
    "aiff": lambda samples: encoded(samples, container="AIFF"),
    "flac": lambda samples: encoded(samples, container="FLAC"),
    "mp3": mp3_by_ffmpeg,
    "vorbis": lambda samples: encoded(samples, container="OGG", subtype="VORBIS"),
    "opus": lambda samples: by_ffmpeg(samples, "libopus", "ogg", 48000),
    "ogg flac": lambda samples: by_ffmpeg(samples, "flac", "ogg", sample_type="s16"),
    "aac": lambda samples: by_ffmpeg(samples, "aac", "adts"),
    "m4a": lambda samples: by_ffmpeg(samples, "aac", "ipod"),
    "alac": lambda samples: by_ffmpeg(samples, "alac", "ipod", sample_type="s16p"),
    "wma": lambda samples: by_ffmpeg(samples, "wmav2", "asf", options={"b": "192000"}),
    "caf": lambda samples: by_ffmpeg(samples, "pcm_s16be", "caf", sample_type="s16"),
}


@pytest.fixture(scope="module")
def samples() -> Audio:
    """Nothing that any coder can make much smaller, so that a part of a file is a part of the music."""
    return noise(FRAMES)


def decoded(folder: Path, data: bytes) -> tuple[SourceBlock, SourceFacts]:
    """All that can be decoded, and what the file told."""
    path = folder / "source"
    path.write_bytes(data)
    source = open_source_file(path, "track.bin")
    nothing = np.zeros((source.format.channel_count, 0))
    return np.concatenate([nothing, *source.blocks()], axis=1), source.facts()


def decoded_or_refused(folder: Path, data: bytes) -> tuple[SourceBlock, SourceFacts] | None:
    """None for a file that is refused in words that begin with its name."""
    try:
        return decoded(folder, data)
    except InputRejected as error:
        if not error.message.startswith("track.bin "):
            raise
        return None


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    "behind", [JUNK, bytes(100_000), ID3V1, b"Dear DJ, " * 5000], ids=["junk", "0", "ID3v1", "text"]
)
def test_junk_behind_the_audio_is_not_heard(tmp_path: Path, samples: Audio, name: str, behind: bytes) -> None:
    """Nor is it called damage, whatever it is."""
    data = FILES[name](samples)
    plain, _ = decoded(tmp_path, data)
    given, facts = decoded(tmp_path, data + behind)
    assert np.array_equal(given, plain)
    assert not facts.damage


@pytest.mark.parametrize("name", FILES)
def test_file_cut_anywhere_gives_its_beginning_and_says_so(tmp_path: Path, samples: Audio, name: str) -> None:
    """Or a clear error; what is given is as in the whole file, but for a last block that lacks its neighbour.

    How many frames there should be is told by those whose headers are in front and tell it.
    """
    data = FILES[name](samples)
    plain, _ = decoded(tmp_path, data)
    given_counts = []
    for share in (0.02, 0.3, 0.6, 0.9, 0.97):
        part = decoded_or_refused(tmp_path, data[: int(share * len(data))])
        if part is None:
            continue
        given, facts = part
        sure_frames = max(0, given.shape[1] - 2500)
        assert facts.damage
        told = f" of {FRAMES}" if name in {"wav", "flac", "mp3"} else ""
        assert f"; {given.shape[1]}{told} frames" in facts.damage
        assert np.array_equal(given[:, :sure_frames], plain[:, :sure_frames])
        given_counts.append(given.shape[1])
    # The table of an MP4 is at its end; a page of Opus lasts for a second.
    assert len(given_counts) >= {"m4a": 0, "alac": 0, "opus": 1}.get(name, 3)
    assert given_counts == sorted(given_counts)


def test_cut_m4a_with_its_table_in_front_is_decoded(tmp_path: Path, samples: Audio) -> None:
    """As shops write them."""
    data = by_ffmpeg(samples, "aac", "ipod", muxer={"movflags": "faststart"}, path=tmp_path / "shop.m4a")
    given, facts = decoded(tmp_path, data[: len(data) // 2])
    assert 0.3 < given.shape[1] / FRAMES < 0.7
    assert "its end is missing" in facts.damage


@pytest.mark.parametrize("name", FILES)
def test_damage_in_the_middle_never_ends_in_a_fault(tmp_path: Path, samples: Audio, name: str) -> None:
    """Either finite samples of the right shape, or an error that names the file."""
    data = FILES[name](samples)
    random = np.random.default_rng(7)
    for _ in range(8):
        broken = bytearray(data)
        place = int(random.integers(len(data) - 200))
        broken[place : place + 200] = random.bytes(200)
        part = decoded_or_refused(tmp_path, bytes(broken))
        assert part is None or part[0].shape[0] == 2


@pytest.mark.parametrize("name", ["mp3", "aac"])
@pytest.mark.parametrize(("sample_rate_hz", "channel_count"), [(48000, 2), (44100, 1)])
def test_change_of_format_on_the_way_ends_the_track(
    tmp_path: Path, samples: Audio, name: str, sample_rate_hz: int, channel_count: int
) -> None:
    """All before it is given, and the facts say why no more."""
    other = noise(FRAMES, channel_count)
    first = FILES[name](samples)
    second = mp3_by_ffmpeg(other, sample_rate_hz) if name == "mp3" else by_ffmpeg(other, "aac", "adts", sample_rate_hz)
    plain, _ = decoded(tmp_path, first)
    given, facts = decoded(tmp_path, first + second)
    assert np.array_equal(given, plain)
    assert "changes on the way" in facts.damage


class ChangingSource(AvSource):
    """A decoder that changes its mind, which no container at hand makes one do."""

    def _frames(self) -> Iterator[Any]:
        for sample_rate_hz, layout in ((44100, "stereo"), (44100, "stereo"), (44100, "mono")):
            silence = np.zeros((len(av.AudioLayout(layout).channels), 1000), np.float32)
            frame = av.AudioFrame.from_ndarray(silence, format="fltp", layout=layout)
            frame.sample_rate = sample_rate_hz
            yield frame


def test_decoder_that_changes_its_format_is_stopped(tmp_path: Path) -> None:
    """No block of another shape comes out."""
    source = ChangingSource(tmp_path / "none", "track.m4a", SourceLayout("mp4", 0, 0, "mov"))
    assert [block.shape for block in source.blocks()] == [(2, 2000)]
    assert "changes on the way" in source.facts().damage


def test_joined_mp3s_are_decoded_to_the_end(tmp_path: Path, samples: Audio) -> None:
    """The first one's header tells the length of the first one only."""
    data = mp3_by_ffmpeg(samples)
    for seam in (b"", ID3V1, id3v2(5000), ID3V1 + id3v2(200_000)):
        given, facts = decoded(tmp_path, data + seam + data)
        assert given.shape[1] > 2 * FRAMES
        assert lag_frames(samples, given[:, FRAMES:]) in range(1105, 1105 + 2 * 1152)
        assert (facts.damage, facts.timing_note) == ("", JOINED_NOTE)


def of_unknown_length(flac: bytes) -> bytes:
    """As a coder leaves it that writes into a pipe."""
    return flac[:21] + bytes([flac[21] & 0xF0]) + bytes(4) + flac[26:]


@pytest.mark.parametrize("tag", [b"", ID3V1])
def test_flac_of_unknown_length_is_whole_whatever_its_tag(tmp_path: Path, samples: Audio, tag: bytes) -> None:
    """Yet one that is cut, or has a bad spot, is told."""
    data = FILES["flac"](samples)
    plain, _ = decoded(tmp_path, data)
    given, facts = decoded(tmp_path, of_unknown_length(data) + tag)
    assert np.array_equal(given, plain)
    assert not facts.damage
    place = len(data) // 2
    given, facts = decoded(tmp_path, of_unknown_length(data[:place] + JUNK[:300] + data[place + 300 :]) + tag)
    assert f"damaged; {given.shape[1]} frames" in facts.damage


@pytest.mark.parametrize(("name", "least_share"), [("flac", 0.3), ("mp3", 0.75)])
def test_bad_spot_tells_how_much_there_should_be(tmp_path: Path, samples: Audio, name: str, least_share: float) -> None:
    """The frames that were promised, beside those that came; a FLAC ends there, an MP3 goes on behind it."""
    data = FILES[name](samples)
    place = len(data) // 2
    for fill in (bytes(9000), JUNK[:9000]):
        given, facts = decoded(tmp_path, data[:place] + fill + data[place + 9000 :])
        assert least_share * FRAMES < given.shape[1] < FRAMES
        assert f"{given.shape[1]} of {FRAMES} frames" in facts.damage


def test_mp3_goes_on_behind_any_junk(tmp_path: Path, samples: Audio) -> None:
    """More than libmpg123 would look through; the end is the same to the sample."""
    data = mp3_by_ffmpeg(samples)
    plain, _ = decoded(tmp_path, data)
    place = 0
    for _ in range(20):
        place += frame_bytes(data[place:])
    given, facts = decoded(tmp_path, data[:place] + JUNK + data[place:])
    assert np.array_equal(given, plain)
    assert f"{len(JUNK)} bytes on the way" in facts.damage


@pytest.mark.parametrize("bits", [16, 24])
def test_wav_of_a_recorder_that_crashed_is_read_to_its_end(tmp_path: Path, samples: Audio, bits: int) -> None:
    """Both sizes are 0, and the last frame is not all there."""
    data = encoded(samples, subtype=f"PCM_{bits}")
    plain, _ = decoded(tmp_path, data)
    place = data.index(b"data") + 4
    given, facts = decoded(tmp_path, data[:4] + bytes(4) + data[8:place] + bytes(4) + data[place + 4 : -1])
    assert np.array_equal(given, plain[:, :-1])
    assert "never finished" in facts.damage
    assert f"{FRAMES - 1} frames" in facts.damage


def test_padding_of_adpcm_is_not_heard(tmp_path: Path, samples: Audio) -> None:
    """Where the number of frames is told: libsndfile does of Microsoft's, and tells half of the IMA's."""
    given, facts = decoded(tmp_path, encoded(samples, subtype="MS_ADPCM"))
    assert (given.shape[1], facts.trimmed_tail_frames > 0, facts.damage) == (FRAMES, True, "")
    data = bytearray(encoded(samples, subtype="IMA_ADPCM"))
    padded, _ = decoded(tmp_path, bytes(data))
    place = data.index(b"fact") + 8
    data[place : place + 4] = FRAMES.to_bytes(4, "little")
    given, facts = decoded(tmp_path, bytes(data))
    assert (given.shape[1], facts.damage) == (FRAMES, "")
    assert np.array_equal(given, padded[:, :FRAMES])


def test_tag_that_is_too_large_hides_no_music(tmp_path: Path, samples: Audio) -> None:
    """A tagger wrote nonsense for its size."""
    data = mp3_by_ffmpeg(samples)
    plain, _ = decoded(tmp_path, data)
    given, facts = decoded(tmp_path, id3v2(20_000_000)[:310] + data)
    assert np.array_equal(given, plain)
    assert facts.timing_note == HIDDEN_NOTE


@pytest.mark.parametrize("name", ["mp3", "flac", "m4a"])
def test_other_tags_leave_the_samples_alone(tmp_path: Path, samples: Audio, name: str) -> None:
    """The same digest, so nothing is separated twice, and the new tags are told."""
    house = SeparatorHouse(tmp_path / "scratch")
    path = tmp_path / "tagged"
    path.write_bytes(FILES[name](samples))
    plain = house.ingest(path.read_bytes())
    reader: Any = {"mp3": EasyMP3, "flac": FLAC, "m4a": EasyMP4}[name]
    tags = reader(path)
    tags["artist"], tags["title"] = "Ünï", "夜" * 3000
    tags.save()
    tagged = house.ingest(path.read_bytes())
    assert tagged.audio.pcm_sha256 == plain.audio.pcm_sha256
    assert (tagged.facts.artist, tagged.facts.title[:2]) == ("Ünï", "夜夜")


@pytest.mark.parametrize("container", ["WAV", "ipod", "opus"])
def test_more_than_two_channels_are_refused(tmp_path: Path, container: str) -> None:
    """Whoever would decode them; the file and the number are named."""
    surround = noise(FRAMES, channel_count=6)
    data = {
        "WAV": lambda: encoded(surround),
        "ipod": lambda: by_ffmpeg(surround, "aac", "ipod"),
        "opus": lambda: by_ffmpeg(surround, "libopus", "ogg", 48000),
    }[container]()
    with pytest.raises(UnsupportedAudio, match=r"wide\.bin has 6 channels") as caught:
        SeparatorHouse(tmp_path / "scratch").ingest(data, "wide.bin")
    assert caught.value.details == {"file": "wide.bin", "channels": "6"}


@pytest.mark.parametrize("sample_rate_hz", [6000, 352_800])
def test_rates_that_no_engine_can_be_led_through_are_refused(tmp_path: Path, sample_rate_hz: int) -> None:
    """At once, with the rate and the limits."""
    with pytest.raises(UnsupportedAudio, match=rf"odd\.wav .* {sample_rate_hz} Hz: .* 8000 to 192000"):
        SeparatorHouse(tmp_path / "scratch").ingest(encoded(noise(1000), sample_rate_hz), "odd.wav")


def picture_only() -> bytes:
    """An MP4 with a picture and no sound."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        stream = output.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 32
        output.mux(stream.encode(av.VideoFrame(32, 32, "yuv420p")))
        output.mux(stream.encode(None))
    return file.getvalue()


def test_video_without_sound_is_refused(tmp_path: Path) -> None:
    """It is a file that can be read, but there is nothing to separate."""
    with pytest.raises(UnreadableAudio, match=r"track\.bin holds no audio"):
        decoded(tmp_path, picture_only())


def test_protected_file_is_refused(tmp_path: Path) -> None:
    """FairPlay's name stands where the codec's was."""
    data = by_ffmpeg(sine(440, FRAMES, 44100), "aac", "ipod").replace(b"mp4a", b"drms", 1)
    with pytest.raises(UnsupportedAudio, match=r"track\.bin is protected"):
        decoded(tmp_path, data)


def test_codec_that_nobody_knows_is_refused(tmp_path: Path, samples: Audio) -> None:
    """By name of the file."""
    with pytest.raises(UnsupportedAudio, match=r"track\.bin holds audio of a kind that nothing here decodes"):
        decoded(tmp_path, FILES["alac"](samples).replace(b"alac", b"zzzz"))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        JUNK,
        b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/hostname\n",
        b"ffconcat version 1.0\nfile x",
    ],
    ids=["empty", "random", "playlist", "concat"],
)
def test_what_is_no_audio_reaches_no_decoder(tmp_path: Path, data: bytes) -> None:
    """Least of all a playlist: FFmpeg would open what it names."""
    with pytest.raises(UnreadableAudio, match=r"track\.bin is (empty|not audio)"):
        decoded(tmp_path, data)


@pytest.mark.parametrize("name", ["alac", "wma"])
def test_tags_of_another_encoding_do_no_harm(tmp_path: Path, samples: Audio, name: str) -> None:
    """The muxer's name with a letter that is no UTF-8, as tags of the nineties have it."""
    data = FILES[name](samples)
    plain, _ = decoded(tmp_path, data)
    given, facts = decoded(tmp_path, data.replace(b"Lavf", b"La\xe9f"))
    assert np.array_equal(given, plain)
    assert not facts.damage
