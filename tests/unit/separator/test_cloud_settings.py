"""The licence key: where it comes from, what it may be, and who is given it."""

from pathlib import Path

import pytest

from services.separator.settings import LalalSettings, SeparatorSettings
from stemhouse.errors import InvalidRequest
from stemhouse.local.home import Home
from stemhouse.local.layout import CLOUD_SEPARATOR, ROUTER, stack_specs
from stemhouse.platform.settings import read_settings


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Of a cloud separator without a key."""
    monkeypatch.setenv("STEMHOUSE_STORE__CREDENTIALS_FILE", "credentials.json")
    monkeypatch.setenv("STEMHOUSE_FLAVOUR", "cloud")
    return monkeypatch


def lalal() -> LalalSettings:
    """As the environment has them."""
    return read_settings(SeparatorSettings).lalal


def test_key_comes_from_a_file_or_the_environment(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without the line's end, and in no representation."""
    (tmp_path / "key").write_text("hunter2\n")
    environment.setenv("STEMHOUSE_LALAL__KEY_FILE", str(tmp_path / "key"))
    assert lalal().key.get_secret_value() == "hunter2"
    assert "hunter2" not in repr(read_settings(SeparatorSettings))
    environment.setenv("STEMHOUSE_LALAL__KEY", " hunter3 ")
    assert lalal().key.get_secret_value() == "hunter3"


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("KEY", "hunter2\nhunter3", "one line of visible ASCII"),
        ("KEY", "hunter2\u2019", "one line of visible ASCII"),
        ("KEY_FILE", "missing", "cannot be read"),
        ("BASE_URL", "http://www.lalal.ai/api/v1", "https://"),
        ("BASE_URL", "www.lalal.ai/api/v1", "https://"),
        ("CHECK_INTERVAL_S", "2.0", "thirty questions a minute"),
    ],
)
def test_settings_that_would_harm_the_account_end_the_start(
    environment: pytest.MonkeyPatch, name: str, value: str, text: str
) -> None:
    """The variable is named, and the key is not."""
    environment.setenv(f"STEMHOUSE_LALAL__{name}", value)
    with pytest.raises(InvalidRequest, match=text) as raised:
        lalal()
    assert "STEMHOUSE_LALAL" in raised.value.message
    assert "hunter" not in raised.value.message


def test_stand_in_on_this_machine_may_be_asked_often(environment: pytest.MonkeyPatch) -> None:
    """Nobody's patience is at stake there."""
    environment.setenv("STEMHOUSE_LALAL__BASE_URL", "http://127.0.0.1:8080/api/v1")
    environment.setenv("STEMHOUSE_LALAL__CHECK_INTERVAL_S", "0.1")
    assert lalal().check_interval_s == 0.1


def test_stack_gives_the_key_to_the_cloud_separator_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """By its environment, not by its command line; without a key there is no such separator."""
    home = Home(tmp_path)
    home.make_dirs()
    monkeypatch.delenv("STEMHOUSE_LALAL__KEY_FILE", raising=False)
    monkeypatch.delenv("STEMHOUSE_LALAL__KEY", raising=False)
    assert CLOUD_SEPARATOR not in [spec.name for spec in stack_specs(home)]
    monkeypatch.setenv("STEMHOUSE_LALAL__KEY", "hunter2")
    specs = {spec.name: spec for spec in stack_specs(home)}
    holders = [name for name, spec in specs.items() if "hunter2" in str(spec.environment)]
    assert (holders, specs[CLOUD_SEPARATOR].environment["STEMHOUSE_FLAVOUR"]) == ([CLOUD_SEPARATOR], "cloud")
    assert not any("hunter2" in part for spec in specs.values() for part in spec.command)
    assert specs[CLOUD_SEPARATOR].address in specs[ROUTER].environment["STEMHOUSE_SEPARATORS"].split(",")
