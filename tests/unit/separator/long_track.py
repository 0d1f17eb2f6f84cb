"""A program: ingests a generated track of the given minutes, separates it, and prints how far the memory grew.

Then demucs' engine, which hears the track twice, goes through as many minutes with a network that computes nothing.
"""

import resource
import sys
from pathlib import Path

import numpy as np
import soundfile

from services.separator.core.ingest import ingest_track
from services.separator.core.results import SeparateTask
from services.separator.core.separation import Bench, separate_track
from tests.fakes_separator import (
    CD_STEREO,
    UNWATCHED,
    FakeEngine,
    FakeMixture,
    FolderObjectStore,
    desk_over,
    source_of_file,
)
from tests.signals import song
from tests.unit.separator.idle_network import idle_demucs_engine


def write_track(path: Path, minutes: int) -> None:
    """One loud second of float samples, over and over."""
    second = np.ascontiguousarray(song(CD_STEREO.sample_rate_hz, CD_STEREO.sample_rate_hz).T)
    with soundfile.SoundFile(path, "w", CD_STEREO.sample_rate_hz, 2, subtype="FLOAT", format="WAV") as file:
        for _ in range(60 * minutes):
            file.write(second)


def separate(store: FolderObjectStore, folder: Path, minutes: int) -> int:
    """Ingest and separate; gives the number of frames."""
    path = folder / f"{minutes}.wav"
    write_track(path, minutes)
    with desk_over(store, folder / "scratch") as desk:
        audio = ingest_track(source_of_file(store, path), desk, UNWATCHED).audio
    engine = FakeEngine()
    with desk_over(store, folder / "scratch") as desk:
        task = SeparateTask(audio, engine.spec.engine_id)
        return separate_track(task, engine, Bench(desk, UNWATCHED, lambda: 0.0, {})).audio.frame_count


def hear_by_demucs(minutes: int) -> int:
    """Let demucs' engine hear silence, and give the number of frames that it gave."""
    second = np.zeros((2, CD_STEREO.sample_rate_hz), np.float32)
    mixture = FakeMixture(lambda: (second for _ in range(60 * minutes)))
    return sum(stems["vocals"].shape[1] for stems in idle_demucs_engine(1).separate(mixture))


def peak_bytes() -> int:
    """The largest resident size so far."""
    unit_bytes = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit_bytes


if __name__ == "__main__":
    root = Path(sys.argv[1])
    folder_store = FolderObjectStore(root / "store")
    separate(folder_store, root, 1)
    hear_by_demucs(1)
    after_one_bytes = peak_bytes()
    frame_counts = {separate(folder_store, root, int(sys.argv[2])), hear_by_demucs(int(sys.argv[2]))}
    print(*frame_counts, peak_bytes() - after_one_bytes)
