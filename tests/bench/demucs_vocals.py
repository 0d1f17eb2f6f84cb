"""What vocals alone of a bag of four full-size networks cost, against all its stems: CPU seconds, without loading."""

import tempfile
import time
from pathlib import Path

from demucs.htdemucs import HTDemucs

from services.separator.adapters.demucs.engine import DemucsModels
from services.separator.core.models import demucs_specs
from services.separator.core.ports import Engine
from tests.bench.demucs import FULL_SIZE, SAMPLE_RATE_HZ
from tests.fakes_separator import FakeMixture
from tests.signals import song
from tests.tiny_demucs import install, seeded

_TRACK_S = 12.0
_WEIGHTS = ((1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0), (0.0, 0.0, 0.0, 1.0))


def vocals_gain(models_dir: Path, network: HTDemucs) -> float:
    """CPU seconds of all stems over those of vocals alone; the same network four times makes the bag."""
    entry = install(models_dir, [network] * 4, name="tuned", weights=_WEIGHTS)
    whole, vocals = (DemucsModels().load(models_dir / entry.name, entry, spec) for spec in demucs_specs(entry))
    spent_s = {name: _cpu_s(engine) for name, engine in (("all stems", whole), ("vocals alone", vocals))}
    print(f"  a bag of four: {', '.join(f'{name} CPU {cpu_s:.1f} s' for name, cpu_s in spent_s.items())}", flush=True)
    return spent_s["all stems"] / spent_s["vocals alone"]


def _cpu_s(engine: Engine) -> float:
    mixture = FakeMixture([song(int(_TRACK_S * SAMPLE_RATE_HZ), SAMPLE_RATE_HZ)])
    began_s = time.process_time()
    for _ in engine.separate(mixture):
        pass
    return time.process_time() - began_s


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        print(f"{vocals_gain(Path(folder), seeded(HTDemucs, FULL_SIZE, seed=1)):.2f} x less CPU")
