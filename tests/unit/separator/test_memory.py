"""Memory does not grow with the length of a track."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_six_minutes_take_no_more_memory_than_one() -> None:
    """Six minutes of samples would be 127 MB as float32, once."""
    with tempfile.TemporaryDirectory() as folder:  # pytest would keep a gigabyte for later
        command = [sys.executable, "-m", "tests.unit.separator.long_track", folder, "6"]
        output = subprocess.check_output(command, cwd=ROOT, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    frame_count, growth_bytes = map(int, output.split())
    assert frame_count == 6 * 60 * 44100
    assert growth_bytes < 30e6
