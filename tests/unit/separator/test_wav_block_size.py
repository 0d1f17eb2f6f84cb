"""WAV files whose header tells another block size than their samples have: libsndfile does not care, nor do we."""

from pathlib import Path

import pytest
import soundfile

from tests.fakes_separator import SeparatorHouse
from tests.signals import noise

FRAMES = 10_000
_BLOCK_SIZE_AT = 32


@pytest.mark.parametrize(("subtype", "block_bytes"), [("PCM_16", 8), ("PCM_24", 8), ("PCM_16", 2), ("FLOAT", 4)])
def test_wrong_block_size_costs_nothing(tmp_path: Path, subtype: str, block_bytes: int) -> None:
    """All frames, and no damage."""
    samples = noise(FRAMES)
    path = tmp_path / "song.wav"
    soundfile.write(path, samples.T, 44_100, subtype=subtype, format="WAV")
    data = bytearray(path.read_bytes())
    data[_BLOCK_SIZE_AT : _BLOCK_SIZE_AT + 2] = block_bytes.to_bytes(2, "little")
    ingested = SeparatorHouse(tmp_path).ingest(bytes(data))
    assert (ingested.audio.frame_count, ingested.facts.damage) == (FRAMES, "")
