"""What a service says of settings that it cannot use."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel
from pydantic_settings import BaseSettings, SettingsConfigDict

from stemhouse.errors import InvalidRequest
from stemhouse.platform.settings import LogLevel, read_settings


class Group(BaseModel):
    """Settings of their own."""

    key_file: Path
    size_bytes: int = 1


class Example(BaseSettings):
    """One variable of each kind."""

    model_config = SettingsConfigDict(env_prefix="STEMHOUSE_", env_nested_delimiter="__")

    store: Group
    count: int = 1
    log_level: LogLevel = "INFO"


@pytest.mark.parametrize(
    ("variables", "text"),
    [
        ({}, "^STEMHOUSE_STORE__KEY_FILE: Field required$"),
        ({"STORE__SIZE_BYTES": "2"}, "^STEMHOUSE_STORE__KEY_FILE: Field required$"),
        ({"STORE__KEY_FILE": "k", "COUNT": "many"}, "^STEMHOUSE_COUNT: .*integer"),
        ({"STORE__KEY_FILE": "k", "STORE__SIZE_BYTES": "big"}, "^STEMHOUSE_STORE__SIZE_BYTES: .*integer"),
        ({"STORE__KEY_FILE": "k", "LOG_LEVEL": "loud"}, "^STEMHOUSE_LOG_LEVEL: .*'DEBUG'"),
        ({"STORE__KEY_FILE": "k", "COUNT": "a", "LOG_LEVEL": "b"}, "STEMHOUSE_COUNT: .*; STEMHOUSE_LOG_LEVEL: "),
        ({"STORE": "no JSON"}, "^STEMHOUSE_STORE: "),
    ],
)
def test_wrong_settings_are_told_by_their_variables(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], text: str
) -> None:
    """All of them at once."""
    for name, value in variables.items():
        monkeypatch.setenv(f"STEMHOUSE_{name}", value)
    with pytest.raises(InvalidRequest, match=text):
        read_settings(Example)


def test_value_is_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be a secret."""
    monkeypatch.setenv("STEMHOUSE_STORE__KEY_FILE", "k")
    monkeypatch.setenv("STEMHOUSE_COUNT", "hunter2")
    with pytest.raises(InvalidRequest) as caught:
        read_settings(Example)
    assert "hunter2" not in caught.value.message


def run_service(name: str, variables: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    """A service's `main` with these variables alone."""
    return subprocess.run(
        [sys.executable, "-m", f"services.{name}.main"],
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("service", ["router", "library", "separator", "exporter"])
def test_service_ends_with_one_line_about_a_wrong_setting(service: str) -> None:
    """And exit code 2, before it does anything."""
    ended = run_service(service, {"STEMHOUSE_LOG_LEVEL": "loud", "STEMHOUSE_STORE__CREDENTIALS_FILE": "none"})
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert ended.stderr.startswith("error: STEMHOUSE_LOG_LEVEL: ")


def test_service_that_cannot_start_ends_with_its_error_as_the_last_line(tmp_path: Path) -> None:
    """Here it has no credentials; exit code 1, and no traceback."""
    missing = tmp_path / "credentials.json"
    ended = run_service("exporter", {"STEMHOUSE_STORE__CREDENTIALS_FILE": str(missing)})
    assert ended.returncode == 1
    assert str(missing) in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr
