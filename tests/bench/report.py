"""One report of all that promises a speed: every bench in turn, its figures against their targets.

usage: python -m tests.bench.report [--output DIR] [NAME...]
Writes report.txt, report.json and report.svg. Ends with exit code 1 if a bench failed or a target was missed.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tests.bench.figures import FIGURES_VARIABLE, Figure, kept, picture

BENCHES = {
    "speed": ("-m", "tests.bench.speed"),
    "demucs": ("-m", "tests.bench.demucs_speed", "--repeats", "1", "--tracks", "3"),
    "idle": ("-m", "tests.bench.idle"),
    "library": ("-m", "tests.bench.library"),
    "export": ("-m", "tests.bench.export"),
    "cache": ("-m", "tests.bench.cache"),
}
"""By name: what Python is given, in the order in which they run."""


def main() -> int:
    """Run them; gives the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("build/bench"))
    parser.add_argument("names", nargs="*", choices=[[], *BENCHES])
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    figures_file = options.output / "figures.jsonl"
    figures_file.unlink(missing_ok=True)
    failed = [name for name in options.names or BENCHES if not ran(name, figures_file)]
    figures = kept(figures_file)
    text = table(figures, failed)
    print(text)
    (options.output / "report.txt").write_text(text, encoding="utf-8")
    (options.output / "report.json").write_text(document(figures, failed), encoding="utf-8")
    (options.output / "report.svg").write_text(picture(figures), encoding="utf-8")
    return 1 if failed or any(figure.is_met is False for figure in figures) else 0


def ran(name: str, figures_file: Path) -> bool:
    """Whether a bench, whose own words are shown as it goes, ended well."""
    print(f"== {name}", flush=True)
    environment = {**os.environ, FIGURES_VARIABLE: str(figures_file)}
    return subprocess.run([sys.executable, *BENCHES[name]], env=environment, check=False).returncode == 0


def table(figures: Sequence[Figure], failed: Sequence[str]) -> str:
    """A line for each figure."""
    width = max((len(figure.what) for figure in figures), default=0)
    verdicts = {True: "met", False: "MISSED", None: ""}
    rows = [
        f"{figure.what:{width}}  {figure.value:10.4g} {figure.unit:14} {figure.target:14} {verdicts[figure.is_met]}"
        for figure in figures
    ]
    return "\n".join([machine(), *(row.rstrip() for row in rows), *(f"{name}: FAILED" for name in failed), ""])


def document(figures: Sequence[Figure], failed: Sequence[str]) -> str:
    """The same for programs."""
    listed = [{**asdict(figure), "is_met": figure.is_met} for figure in figures]
    return json.dumps({"machine": machine(), "figures": listed, "failed": list(failed)}, indent=2) + "\n"


def machine() -> str:
    """What it ran on, as far as figures depend on it."""
    return f"{os.cpu_count()} x {platform.machine()}, {platform.system()}, Python {platform.python_version()}"


if __name__ == "__main__":
    sys.exit(main())
