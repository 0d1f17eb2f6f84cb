"""A whole run with everything that could tell a secret turned up, and then: who has told one?"""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import psutil
import pytest
import soundfile

from stemhouse.client.sdk import Stemhouse
from stemhouse.errors import StemhouseError
from stemhouse.platform.security import CallerSettings
from tests.guarded_stack import GuardedStack, guarded_stack
from tests.signals import song

pytestmark = pytest.mark.stack

RATE_HZ = 44_100
GUESSED = "a-token-that-somebody-has-guessed"
_RUN_S = 200


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedStack]:
    """One that logs all that it can."""
    with guarded_stack(tmp_path_factory.mktemp("house"), {"STEMHOUSE_LOG_LEVEL": "DEBUG"}) as stack:
        yield stack


def secrets_of(stack: GuardedStack) -> Mapping[str, str]:
    """What nobody may read, by what it is: tokens and their digests' file aside, the store's keys, private keys."""
    store = json.loads(stack.home.credentials_file.read_text())
    private = {str(key): "".join(key.read_text().splitlines()[1:-1])[:40] for key in stack.keys}
    return {**stack.tokens, "the store's secret key": store["secret_key"], "a guessed token": GUESSED, **private}


def command(stack: GuardedStack, folder: Path, token: str) -> "subprocess.Popen[str]":
    """`stemhouse separate` as somebody elsewhere gives it, with the token in its environment."""
    track = folder / "song.wav"
    soundfile.write(track, song(8 * RATE_HZ, RATE_HZ).T, RATE_HZ)
    ends = stack.endpoints
    environment = {
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "STEMHOUSE_SERVER": f"router={ends.router},library={ends.library},exporter={ends.exporter}",
        "STEMHOUSE_TLS__CA": str(stack.authority.cert),
        "STEMHOUSE_TOKEN": token,
    }
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "stemhouse.cli.main",
            "separate",
            track,
            "--engine",
            "starter",
            "--output",
            folder / "o",
        ],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


class ProcessList:
    """Reads the command lines of all processes, again and again, as long as the block lasts."""

    def __init__(self) -> None:
        self.lines: set[str] = set()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _read(self) -> None:
        while not self._end.wait(0.05):
            self.lines |= {" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])}


def errors_of(stack: GuardedStack, token: str) -> Iterator[str]:
    """What is said to somebody whose calls fail: all of it, metadata included."""
    caller = CallerSettings.model_validate({"tls": {"ca": stack.authority.cert}, "token": token})
    with Stemhouse(stack.endpoints, credentials=caller.channel_credentials()) as client:
        for attempt in (lambda: list(client.clear_cache(0)), lambda: client.get_job("none"), client.survey):
            try:
                attempt()
            except StemhouseError as error:
                call = error.__cause__
                trailing: Any = getattr(call, "trailing_metadata", tuple)()
                yield f"{error.message} {error.details} {call!r} {trailing}"


def test_no_secret_is_told_anywhere(stack: GuardedStack, tmp_path: Path) -> None:
    """Logs of all processes, the command's output, errors with their metadata, delivered files, the process list."""
    with ProcessList() as processes:
        separating = command(stack, tmp_path, stack.tokens["studio"])
        said, _ = separating.communicate(timeout=_RUN_S)
        assert separating.returncode == 0, said
        refused = command(stack, tmp_path, GUESSED)
        refusal, _ = refused.communicate(timeout=_RUN_S)
        assert refused.returncode == 4, refusal
        errors = [told for token in (*stack.tokens.values(), GUESSED) for told in errors_of(stack, token)]
    logs = {path.name: path.read_text(errors="replace") for path in stack.home.root.glob("logs/*.log")}
    (metadata,) = tmp_path.rglob("metadata.json")
    told = {
        **logs,
        "output": said + refusal,
        "errors": "\n".join(errors),
        "metadata.json": metadata.read_text(),
        "process list": "\n".join(processes.lines),
    }
    assert errors
    assert "services.router.main" in told["process list"]
    assert "stemhouse.cli.main" in told["process list"]
    assert '"rpc"' in logs["router.log"]
    tellers = [(place, name) for place, text in told.items() for name, it in secrets_of(stack).items() if it in text]
    assert tellers == []


def test_files_with_secrets_are_for_their_owner(stack: GuardedStack) -> None:
    """Those that Stemhouse writes by itself."""
    assert stack.home.credentials_file.stat().st_mode & 0o077 == 0
    assert stack.home.store_dir.stat().st_mode & 0o077 == 0
