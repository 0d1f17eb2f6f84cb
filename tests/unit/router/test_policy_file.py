"""The policy file: what comes with the router, and a file of one's own."""

import dataclasses
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.router.adapters.policy_file import load_policy, packaged_policy_text
from services.router.core.policy import Policy
from services.router.settings import RouterSettings
from stemhouse.errors import InvalidRequest
from stemhouse.local.home import Home
from stemhouse.local.layout import ROUTER, stack_specs
from stemhouse.platform.settings import read_settings


def own(tmp_path: Path, text: str) -> Path:
    """A file of one's own."""
    file = tmp_path / "policy.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_packaged_file_says_what_the_core_goes_by() -> None:
    """Every key of the one is a field of the other, with the same value: nothing stands there in vain."""
    assert load_policy() == Policy()
    assert tomllib.loads(packaged_policy_text()) == json.loads(json.dumps(dataclasses.asdict(Policy())))


def blocks(text: str) -> Iterator[list[str]]:
    """What stands between empty lines."""
    yield from (block.splitlines() for block in text.split("\n\n"))


def test_every_key_of_the_packaged_file_is_explained() -> None:
    """By a comment right above it, or above its table."""
    for lines in blocks(packaged_policy_text()):
        is_explained = lines[0].startswith("#")
        for above, line in zip(["", *lines], lines, strict=False):
            is_key = "=" in line and not line.startswith("#")
            assert not is_key or is_explained or above.startswith("#"), line


def test_own_file_replaces_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    """A table of it need not be whole; an engine that the packaged file does not know is added."""
    text = '[retry]\nvocals_si_sdr_db = 6\n[presets.best]\nengines = ["mine", "demucs"]\n[speeds]\nmine = 0.5\n'
    policy = load_policy(own(tmp_path, text))
    assert policy.retry == dataclasses.replace(Policy().retry, vocals_si_sdr_db=6.0)
    assert policy.presets.best == dataclasses.replace(Policy().presets.best, engines=("mine", "demucs"))
    assert policy.speeds == {**Policy().speeds, "mine": 0.5}
    assert (policy.presets.fast, policy.breaker) == (Policy().presets.fast, Policy().breaker)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[retry]\nvocals_sdr_db = 7.0", r"retry\.vocals_sdr_db: there is no such key"),
        ("[qualty]\nx = 1", "qualty: "),
        ("[presets]\nmine = { engines = ['a'] }", r"presets\.mine: "),
        ("[retry]\nvocals_si_sdr_db = '7'", r"retry\.vocals_si_sdr_db: .*number"),
        ("[retry]\nvocals_si_sdr_db = nan", r"retry\.vocals_si_sdr_db: .*finite"),
        ("[retry]\nvocals_si_sdr_db = 61.0", r"retry\.vocals_si_sdr_db must be within"),
        ("[retry]\ncalibrated_margin_db = -1.0", r"retry\.calibrated_margin_db must be 0 to"),
        ("[retry]\nuncalibrated_margin_db = 1.0", r"retry\.uncalibrated_margin_db must be at least"),
        ("[retry]\nengines = []", r"retry\.engines must name at least one"),
        ("[presets.fast]\nengines = ['demucs', 'demucs']", r"presets\.fast\.engines must .* none twice"),
        ("[presets.balanced]\nengines = ['demucs', 'startr']", r"balanced\.engines names startr: is starter meant"),
        ("[retry]\nengines = ['lala', 'uvr']", r"retry\.engines names lala: is lalal meant"),
        ("[difficult]\nengines = ['Demucs']", r"difficult\.engines names Demucs: is demucs meant"),
        ("[presets.best.models]\ndemucz = ['a']", r"presets\.best\.models names demucz: is demucs meant"),
        ("[speeds]\ndemuc = 1.0", r"speeds names demuc: is demucs meant"),
        ("[presets.best.models]\ndemucs = []", r"presets\.best\.models\.demucs must"),
        ("[large_files]\nfrom_bytes = 1.5", r"large_files\.from_bytes: .*integer"),
        ("[large_files]\nfrom_bytes = 0", r"large_files\.from_bytes must be above 0"),
        ("[urgent_vocals]\npriority_up_to = 1001", r"urgent_vocals\.priority_up_to must be 0 to 1000"),
        ("[breaker]\nrest_s = 0.0", r"breaker\.rest_s must be above 0"),
        ("[speeds]\ndemucs = 0", r"speeds\.demucs must be above 0"),
        ("retry = 3", "retry: "),
        ("[retry", "is no TOML"),
    ],
)
def test_wrong_policy_ends_the_start_with_one_line_that_names_the_key(tmp_path: Path, text: str, fault: str) -> None:
    """InvalidRequest, which a service's start turns into exit code 2."""
    file = own(tmp_path, text)
    with pytest.raises(InvalidRequest, match=fault) as caught:
        load_policy(file)
    assert caught.value.message.startswith(f"the policy {file}")
    assert "\n" not in caught.value.message


def test_setting_names_a_file_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the start ends with the name of the file."""
    monkeypatch.setenv("STEMHOUSE_STORE__ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("STEMHOUSE_STORE__CREDENTIALS_FILE", str(tmp_path / "keys.json"))
    monkeypatch.setenv("STEMHOUSE_POLICY", str(tmp_path / "nothing.toml"))
    with pytest.raises(InvalidRequest, match=r"nothing\.toml cannot be read: No such file"):
        load_policy(read_settings(RouterSettings).policy)
    monkeypatch.setenv("STEMHOUSE_POLICY", str(own(tmp_path, "")))
    assert load_policy(read_settings(RouterSettings).policy) == Policy()


def test_local_stack_reads_the_policy_of_its_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If there is one, and the environment names no other."""
    monkeypatch.delenv("STEMHOUSE_POLICY", raising=False)
    home = Home(tmp_path)
    home.make_dirs()

    def told() -> str | None:
        router = next(spec for spec in stack_specs(home) if spec.name == ROUTER)
        return router.environment.get("STEMHOUSE_POLICY")

    assert told() is None
    own(tmp_path, "")
    assert told() == str(tmp_path / "policy.toml")
    monkeypatch.setenv("STEMHOUSE_POLICY", "/elsewhere.toml")
    assert told() == "/elsewhere.toml"


def test_digest_changes_with_every_value_that_a_choice_depends_on(tmp_path: Path) -> None:
    """And with no other: a longer rest makes no result worse."""
    texts = [
        '[presets.fast]\nengines = ["demucs"]',
        '[presets.balanced.models]\ndemucs = ["mine"]',
        "[large_files]\nfrom_bytes = 1",
        '[difficult]\nengines = ["demucs"]',
        "[urgent_vocals]\npriority_up_to = 1",
        "[retry]\ncalibrated_margin_db = 1.0",
    ]
    digests = {load_policy(own(tmp_path, text)).digest for text in ["", *texts]}
    assert len(digests) == 1 + len(texts)
    assert load_policy(own(tmp_path, "[breaker]\nrest_s = 1.0\n[speeds]\ndemucs = 9.0")).digest == Policy().digest
