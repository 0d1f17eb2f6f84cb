"""Local files, addresses and patience of the client."""

import hashlib
from pathlib import Path

import pytest

from stemhouse.client.calls import Calls
from stemhouse.client.endpoints import Endpoints, endpoints_from_text
from stemhouse.client.files import source_ref_from_file, wire_name
from stemhouse.client.patience import Patience
from stemhouse.errors import DeadlineExceeded, EngineUnavailable, InvalidRequest, Unavailable, UnreadableAudio


def test_source_ref_has_both_digests_size_and_base_name(tmp_path: Path) -> None:
    """Of a file longer than one chunk."""
    content = bytes(range(256)) * 5000
    path = tmp_path / "Björk - Jóga.mp3"
    path.write_bytes(content)
    found = source_ref_from_file(path)
    assert (found.sha256, found.size_bytes) == (hashlib.sha256(content).hexdigest(), len(content))
    assert (found.md5, found.file_name) == (hashlib.md5(content).hexdigest(), path.name)  # noqa: S324  the cache's key


def test_empty_file_is_rejected_by_name(tmp_path: Path) -> None:
    """Before anything is sent."""
    path = tmp_path / "empty.mp3"
    path.touch()
    with pytest.raises(UnreadableAudio, match=r"empty\.mp3 is empty"):
        source_ref_from_file(path)


@pytest.mark.parametrize("name", ["missing.mp3", "."])
def test_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    """A missing one and a folder."""
    with pytest.raises(InvalidRequest, match=str(tmp_path)):
        source_ref_from_file(tmp_path / name)


def test_name_that_is_no_utf8_can_be_sent() -> None:
    """Old archives have Latin-1 names, which protobuf would refuse."""
    assert wire_name(Path("caf\udce9.mp3")) == "caf?.mp3"


def test_addresses_by_name() -> None:
    """In any order, with blanks."""
    text = "library=b:2, router=a:1,exporter=[::1]:3"
    assert endpoints_from_text(text) == Endpoints("a:1", "b:2", "[::1]:3")


def test_one_address_stands_for_all() -> None:
    """A gateway."""
    assert endpoints_from_text("host:443") == Endpoints("host:443", "host:443", "host:443")


@pytest.mark.parametrize(
    "text", ["", "host", "host:", ":1", "host:http", "router=a:1", "router=a:1,router=b:2,exporter=c:3", "x=a:1"]
)
def test_bad_addresses_are_refused(text: str) -> None:
    """Each with a message that says what is expected."""
    with pytest.raises(InvalidRequest, match="server address"):
        endpoints_from_text(text)


class _Time:
    """A clock that only sleep moves."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def clock(self) -> float:
        return self.now_s

    def sleep(self, duration_s: float) -> None:
        self.now_s += duration_s


def test_patience_ends_after_its_limit_without_contact() -> None:
    """And not before."""
    time = _Time()
    patience = Patience(10.0, time.clock, time.sleep)

    def go_on() -> None:
        while time.now_s < 100:
            patience.wait_or_raise(Unavailable("lost"))

    with pytest.raises(Unavailable):
        go_on()
    assert 10.0 <= time.now_s <= 12.0


def test_contact_renews_patience() -> None:
    """The limit counts from the loss of contact, not from the start."""
    time = _Time()
    patience = Patience(10.0, time.clock, time.sleep)
    for _ in range(20):
        patience.wait_or_raise(DeadlineExceeded("slow"))
        time.now_s += 8.0
        patience.renew()
    assert time.now_s > 100


def test_service_that_answers_is_not_asked_again() -> None:
    """EngineUnavailable is an answer."""
    calls: list[int] = []

    def action() -> None:
        calls.append(1)
        message = "no engine"
        raise EngineUnavailable(message)

    with pytest.raises(EngineUnavailable):
        Calls(lambda: None).patiently(action, 60.0)
    assert len(calls) == 1
