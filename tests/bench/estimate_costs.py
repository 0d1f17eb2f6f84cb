"""What an assessment without references costs, beside the separation whose result it judges."""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from services.separator.adapters.adapting import EngineInFormat
from services.separator.adapters.calibration_files import installed_calibrations
from services.separator.core.assessment import AssessTask, assess_stems
from services.separator.core.listening import Judges
from services.separator.core.ports import Block, Engine
from stemhouse.audio import StemSet
from tests.fakes_separator import UNWATCHED, SeparatorHouse, desk_over
from tests.rendered_bands import SynthBand
from tests.rendered_songs import SONGS, songs

_DURATIONS_S = (60, 240)


def print_costs(engine: Engine) -> None:
    """For tracks of one minute and of four, alone and with the engine as its own verifier."""
    song = next(songs(SONGS[1:2], SynthBand()))
    mixture: Block = 0.5 * np.sum(list(song.stems.values()), axis=0)
    for duration_s in _DURATIONS_S:
        with tempfile.TemporaryDirectory() as folder:
            house = SeparatorHouse(Path(folder))
            audio = house.audio(np.tile(mixture, round(duration_s / song.score.duration_s)))
            begun_s = time.monotonic()
            stem_set = house.separate(audio, engine)
            separation_s = time.monotonic() - begun_s
            alone_s = _seconds(house, stem_set, Judges(installed_calibrations()))
            judges = Judges(installed_calibrations(), EngineInFormat(engine, audio.format))
            verified_s = _seconds(house, stem_set, judges)
        _print(
            f"{duration_s} s of audio: separation {separation_s:.2f} s, assessment {alone_s:.2f} s "
            f"({alone_s / separation_s:.1%}), with the verifier {verified_s:.2f} s ({verified_s / separation_s:.1%})"
        )


def _seconds(house: SeparatorHouse, stem_set: StemSet, judges: Judges) -> float:
    """The best of three."""
    times_s = []
    for _ in range(3):
        begun_s = time.monotonic()
        with desk_over(house.store, house.folder) as desk:
            assess_stems(AssessTask(stem_set), desk, judges, UNWATCHED)
        times_s.append(time.monotonic() - begun_s)
    return min(times_s)


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
