"""Callers find the one server of a name that is ready."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.active_finder import ADDRESSES, NAME

_TIMEOUT_S = 90


def test_the_one_that_is_ready_is_called(tmp_path: Path) -> None:
    """Every time, and the other one once that is."""
    hosts = tmp_path / "hosts"
    hosts.write_text("".join(f"{address} {NAME}\n" for address in ADDRESSES))
    own_names = ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" /etc/hosts && exec "$@"', str(hosts)]
    if not shutil.which("unshare") or subprocess.run([*own_names, "true"], capture_output=True, check=False).returncode:
        pytest.skip("names of its own take unshare --mount, which this user may not do")
    finder = [*own_names, sys.executable, "-m", "tests.integration.active_finder"]
    done = subprocess.run(finder, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True)
    assert done.stdout.split() == ["1", "2"]
