"""`python -m tests.fake_lalal`: the fake in a process of its own, on the real clock, until SIGTERM or SIGINT."""

import argparse
import json
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.fake_lalal.clocks import RealClock
from tests.fake_lalal.faults import FaultPlan
from tests.fake_lalal.server import FakeLalal

FAST: dict[str, Any] = {"queue_s": 0.02, "stem_s": 0.03, "checks_per_minute": None}
"""Settings for real processes, unless told otherwise."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Listen, write the state file, serve until a signal comes."""
    wishes = _parser().parse_args(arguments)
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    settings = {**FAST, **json.loads(wishes.settings)}
    with FakeLalal(RealClock(), port=wishes.port, download_port=wishes.download_port, **settings) as fake:
        fake.faults.add_all(FaultPlan.seeded(wishes.faults_seed, wishes.faults_count))
        if wishes.state:
            _write(wishes.state, fake)
        signal.sigwait(signals)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.fake_lalal", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="of the API and of /__fake__/; 0 is a free one")
    parser.add_argument("--download-port", type=int, default=0)
    parser.add_argument("--state", type=Path, help="a file that tells where it listens, written once it does")
    parser.add_argument("--settings", default="{}", help="fields of Settings, as JSON")
    parser.add_argument("--faults-seed", type=int, default=0)
    parser.add_argument("--faults-count", type=int, default=0)
    return parser


def _write(path: Path, fake: FakeLalal) -> None:
    told = {
        "base_url": fake.base_url,
        "download_origin": fake.download_origin,
        "control_origin": fake.control_origin,
        "key": fake.key,
        "pid": os.getpid(),
    }
    unfinished = path.with_name(f"{path.name}.part")
    unfinished.write_text(json.dumps(told))
    unfinished.replace(path)


if __name__ == "__main__":
    main()
