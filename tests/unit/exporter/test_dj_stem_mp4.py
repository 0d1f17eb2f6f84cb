"""NI's stem files: what Mixxx asks of them, and what the tool of NI itself writes."""

import json
from collections.abc import Iterator
from importlib.metadata import files
from pathlib import Path

import av
import numpy as np
import pytest
from mutagen.mp4 import MP4
from mutagen.mp4._atom import Atoms

from services.exporter.adapters.stem_mp4 import StemMp4Encoder
from services.exporter.core.dj.stem_mp4 import last_box, with_stems
from services.exporter.core.ports import GridBlock
from stemhouse.errors import InternalFault
from tests.mixxx_rules import box, boxes, complaints
from tests.signals import noise

RATE_HZ = 44_100
FRAMES = 30_011
BLOCK = 16_384


def grid(channel_count: int, seed: int) -> GridBlock:
    """Noise on the grid, of shape (frames, channels)."""
    return np.asarray(noise(FRAMES, seed=seed)[:channel_count].T * 2**20, dtype=np.int32)


def blocks(samples: GridBlock) -> Iterator[GridBlock]:
    """Cut alike."""
    for start in range(0, len(samples), BLOCK):
        yield samples[start : start + BLOCK]


def written(folder: Path, streams: list[GridBlock], *, is_lossless: bool) -> Path:
    """The file."""
    path = folder / "song.stem.mp4"
    encoder = StemMp4Encoder(folder)
    with encoder.encode(RATE_HZ, [blocks(stream) for stream in streams], is_lossless=is_lossless) as file:
        path.write_bytes(b"".join(file.chunks))
        assert path.stat().st_size == file.size_bytes
    return path


def decoded(path: Path, index: int) -> GridBlock:
    """A stream's samples, (frames, channels)."""
    with av.open(str(path)) as container:
        planes = np.concatenate([frame.to_ndarray() for frame in container.decode(audio=index)], axis=1)
    return planes.T if planes.dtype == np.float32 else planes.T >> 8


@pytest.mark.parametrize("channel_count", [1, 2])
def test_alac_is_exact(tmp_path: Path, channel_count: int) -> None:
    """Every stream, to the sample, and mono on both sides at its own level."""
    streams = [grid(channel_count, seed) for seed in range(5)]
    path = written(tmp_path, streams, is_lossless=True)
    assert complaints(path) == []
    for index, stream in enumerate(streams):
        assert np.array_equal(decoded(path, index), np.broadcast_to(stream, (FRAMES, 2)))


def test_aac_streams_have_no_lag(tmp_path: Path) -> None:
    """None against the source, none against each other."""
    streams = [grid(2, seed) for seed in range(5)]
    path = written(tmp_path, streams, is_lossless=False)
    assert complaints(path) == []
    for index, stream in enumerate(streams):
        found = decoded(path, index)[:, 0]
        wanted = stream[8192:12288, 0] / 2**23
        likeness = np.correlate(found[8192 - 2200 : 12288 + 2200], wanted, "valid")
        assert likeness.argmax() == 2200


def test_box_and_roles_are_those_of_the_real_file(tmp_path: Path) -> None:
    """The file inside the package stempeg has been written by NI's own tool."""
    found = next(file for file in files("stempeg") or () if file.name.endswith(".stem.mp4"))
    real = Path(str(found.locate()))
    ours = written(tmp_path, [grid(2, seed) for seed in range(5)], is_lossless=False)
    assert complaints(real) == []
    assert roles(ours) == roles(real) == [(1, 0), (0, 0), (0, 0), (0, 0), (0, 0)]
    documents = [json.loads(box(path.read_bytes(), b"moov", b"udta", b"stem") or b"") for path in (ours, real)]
    assert documents[0].keys() == documents[1].keys()
    for effect, values in documents[1]["mastering_dsp"].items():
        assert documents[0]["mastering_dsp"][effect].keys() == values.keys()
        assert documents[0]["mastering_dsp"][effect]["enabled"] is False
    assert [stem["name"] for stem in documents[0]["stems"]] == ["Drums", "Bass", "Other", "Vocals"]


def roles(path: Path) -> list[tuple[int, int]]:
    """Flags and alternate group of each track, whose heads are of version 0."""
    moov = box(path.read_bytes(), b"moov") or b""
    heads = [box(payload, b"tkhd") or b"" for kind, payload in boxes(moov) if kind == b"trak"]
    assert all(head[0] == 0 for head in heads)
    return [(int.from_bytes(head[1:4]), int.from_bytes(head[34:36])) for head in heads]


def test_tags_leave_the_box_alone(tmp_path: Path) -> None:
    """Another reader of boxes finds it before and after, and the samples where they were."""
    path = written(tmp_path, [grid(2, seed) for seed in range(5)], is_lossless=True)
    before = box(path.read_bytes(), b"moov", b"udta", b"stem")
    tags = MP4(path)
    tags["\xa9nam"] = "Song"
    tags["covr"] = [bytes(100_000)]
    tags.save()
    with path.open("rb") as file:
        assert [atom.name for atom in Atoms(file).path(b"moov", b"udta", b"stem")] == [b"moov", b"udta", b"stem"]
    assert box(path.read_bytes(), b"moov", b"udta", b"stem") == before
    assert np.array_equal(decoded(path, 4), grid(2, 4))


def test_boxes_that_do_not_fit_are_a_defect() -> None:
    """Nothing is patched blindly."""
    with pytest.raises(InternalFault, match="does not fit"):
        with_stems(b"\0\0\0\x10moov" + b"\0\0\0\x20trak", b"{}")
    with pytest.raises(InternalFault, match="not the last"):
        last_box([(b"ftyp", 8), (b"moov", 8), (b"mdat", 8)])
