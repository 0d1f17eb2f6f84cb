"""Other tools' clients: only an address is known."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from tests.e2e.conftest import Stack
from tests.signals import song

pytestmark = pytest.mark.stack

_CLIENT = Path(__file__).with_name("reflection_client.py")


def test_client_without_stubs_separates_a_track(stack: Stack, tmp_path: Path) -> None:
    """Upload, submit and watch by server reflection alone."""
    source = tmp_path / "reflected.wav"
    soundfile.write(source, song(44_100, 44_100, seed=99).T, 44_100, subtype="PCM_16")
    command = [sys.executable, str(_CLIENT), stack.endpoints.router, str(source)]
    answer = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert answer.returncode == 0, answer.stderr
    job = json.loads(answer.stdout)
    assert job["state"] == "JOB_STATE_DONE"
    assert [stem["name"] for stem in job["result"]["stemSet"]["stems"]] == ["vocals", "drums", "bass", "other"]
    assert job["result"]["decision"]["reasons"]
