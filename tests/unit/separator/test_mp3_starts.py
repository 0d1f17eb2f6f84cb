"""The first sample of an MP3 as three decoders see it, for the headers that coders write.

`pytest -s` prints the table of docs/formats.md: by how many samples each decoder begins before the music.
"""

import io
from collections.abc import Callable
from pathlib import Path

import av
import miniaudio
import numpy as np
import pytest
import soundfile

from services.separator.adapters.source_files import open_source_file
from services.separator.core.ports import SourceBlock
from stemhouse.audio import SourceFacts
from tests.fakes_separator import encoded
from tests.signals import Audio, noise
from tests.sources import JUNK, id3v2, lag_frames, mp3_by_ffmpeg, mp3_by_lameenc, with_vbri, without_coder_name

FRAMES = 60_001
STYLES: dict[str, Callable[[Audio], bytes]] = {
    "LAME, Info header (libsndfile)": lambda samples: encoded(samples, 44100, "MP3", "MPEG_LAYER_III"),
    "Lavf, Info header": mp3_by_ffmpeg,
    "Lavf, Xing header, VBR": lambda samples: mp3_by_ffmpeg(samples, flags="+qscale", global_quality="236"),
    "Lavf, Info header behind 3 ID3v2 tags": lambda samples: id3v2(900) * 3 + mp3_by_ffmpeg(samples),
    "no header, CBR (lameenc)": mp3_by_lameenc,
    "no header, VBR (lameenc)": lambda samples: mp3_by_lameenc(samples, vbr_mode=4),
    "no header, CBR (Lavf)": lambda samples: mp3_by_ffmpeg(samples, has_header=False),
    "Info header without the coder's delay": lambda samples: without_coder_name(mp3_by_ffmpeg(samples)),
    "VBRI header": lambda samples: with_vbri(mp3_by_ffmpeg(samples)),
    "Info header behind junk": lambda samples: JUNK[:3000] + mp3_by_ffmpeg(samples),
}

DR_MP3_STARTS = {
    "Lavf, Info header behind 3 ID3v2 tags": 2257,
    "VBRI header": 2257,
    "Info header behind junk": 2257,
}
"""Where dr_mp3 begins elsewhere: it passes one tag only, and decodes the frame of a header that it does not know."""


def by_us(data: bytes, folder: Path) -> tuple[SourceBlock, SourceFacts]:
    """As ingest decodes it."""
    path = folder / "track"
    path.write_bytes(data)
    source = open_source_file(path, "track.mp3")
    return np.concatenate(list(source.blocks()), axis=1), source.facts()


def by_ffmpeg(data: bytes) -> SourceBlock:
    """With all that FFmpeg cuts off by itself."""
    with av.open(io.BytesIO(data), "r") as container:
        return np.concatenate([frame.to_ndarray() for frame in container.decode(audio=0)], axis=1)


def by_mpg123(data: bytes) -> SourceBlock:
    """libmpg123 inside libsndfile, on a file as it is."""
    samples: SourceBlock = soundfile.read(io.BytesIO(data), always_2d=True)[0]
    return samples.T


def by_dr_mp3(data: bytes) -> SourceBlock:
    """dr_mp3 inside miniaudio."""
    sound = miniaudio.mp3_read_f32(data)
    return np.array(sound.samples).reshape(-1, sound.nchannels).T


def start_of(decode: Callable[[bytes], SourceBlock], data: bytes, samples: Audio) -> int | None:
    """Lag of the music; None if the decoder takes no such file."""
    try:
        return lag_frames(samples, decode(data))
    except soundfile.LibsndfileError:
        return None


@pytest.mark.parametrize("style", STYLES)
def test_start_is_that_of_two_other_decoders_or_told(tmp_path: Path, style: str) -> None:
    """All three agreeing means no note; one that does not means a note, but for what dr_mp3 alone does."""
    samples = noise(FRAMES)
    data = STYLES[style](samples)
    given, facts = by_us(data, tmp_path)
    ours = lag_frames(samples, given)
    others = [start_of(decode, data, samples) for decode in (by_ffmpeg, by_mpg123, by_dr_mp3)]
    cells = (str(cell) for cell in (ours, *others, facts.trimmed_lead_frames, "yes" if facts.timing_note else ""))
    print(f"| {style} | {' | '.join(cells)} |")
    assert others[2] == DR_MP3_STARTS.get(style, ours)
    assert facts.timing_note or others[:2] == [ours, ours]
    assert not (facts.timing_note and others.count(ours) == 3)
    assert ours + facts.trimmed_lead_frames == 1105
    assert not facts.damage
