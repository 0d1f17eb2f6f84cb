"""Origins of models: a real web server with all its failings, a folder, the object store, and none."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import urllib3

from services.separator.adapters.model_downloads import Patience
from services.separator.adapters.model_origins import WebOrigin, catalogue_origin
from services.separator.core.model_ports import ModelOrigin
from services.separator.core.models import ModelEntry
from stemhouse.errors import Cancelled, EngineUnavailable, ModelRejected, Unavailable
from stemhouse.models import ModelState
from stemhouse.ports import ObjectStore
from tests.fakes_separator import UNWATCHED, FolderObjectStore
from tests.file_server import FileServer, file_server
from tests.model_house import SIZE_BYTES, ModelHouse, file_of, model_entry, noise

GOOD = noise(1)
PATH = "/htdemucs/aa.safetensors"
IMPATIENT = urllib3.Timeout(connect=5.0, read=0.3)


@pytest.fixture
def web() -> Iterator[FileServer]:
    """A server that has the model."""
    with file_server() as server:
        server.files[PATH] = GOOD
        yield server


@pytest.fixture
def house(tmp_path: Path, web: FileServer) -> ModelHouse:
    """A store whose catalogue names the server."""
    return ModelHouse(tmp_path, [entry_at(web)], WebOrigin(timeout=IMPATIENT))


def entry_at(web: FileServer, path: str = PATH) -> ModelEntry:
    """The model at an address of the server."""
    return model_entry(files=[file_of("aa.safetensors", GOOD, web.url + path)])


def begun(house: ModelHouse, content: bytes) -> Path:
    """What an earlier pull has left."""
    partial = house.partial(house.catalogue[0].files[0])
    partial.parent.mkdir(parents=True)
    partial.write_bytes(content)
    return partial


def no_store() -> ObjectStore:
    """For origins that need none."""
    pytest.fail("the object store was opened")


def test_catalogue_names_the_address(house: ModelHouse, web: FileServer) -> None:
    """Nothing is sent that tells who asks, and no coding that would change the bytes is accepted."""
    assert house.pull().state is ModelState.INSTALLED
    assert web.ranges == [""]
    assert not {"authorization", "cookie"} & set(web.headers[0])
    assert web.headers[0]["accept-encoding"] == "identity"


def test_pull_asks_only_for_the_rest(house: ModelHouse, web: FileServer) -> None:
    """And the whole is checked."""
    begun(house, GOOD[:70_000])
    house.pull()
    assert web.ranges == ["bytes=70000-"]
    assert web.sent_bytes == [SIZE_BYTES - 70_000]


def test_server_without_ranges_sends_it_all_again(house: ModelHouse, web: FileServer) -> None:
    """Which replaces what was there, right or wrong."""
    web.knows_ranges = False
    begun(house, noise(9, 70_000))
    assert house.pull().state is ModelState.INSTALLED
    assert web.sent_bytes == [SIZE_BYTES]


def test_wrong_beginning_is_removed_and_the_next_pull_starts_afresh(house: ModelHouse, web: FileServer) -> None:
    """The digest of the whole tells."""
    partial = begun(house, noise(9, 70_000))
    with pytest.raises(ModelRejected, match="is not what was promised"):
        house.pull()
    assert not partial.exists()
    assert house.pull().state is ModelState.INSTALLED
    assert web.ranges == ["bytes=70000-", ""]


def test_range_that_the_server_does_not_have_begins_from_the_start(house: ModelHouse, web: FileServer) -> None:
    """Its file is shorter than what is there, so it is not the promised one."""
    begun(house, GOOD[:70_000])
    web.files[PATH] = GOOD[:60_000]
    with pytest.raises(ModelRejected, match=f"{web.url}{PATH} is not what was promised: it has 60000 bytes"):
        house.pull()
    assert web.ranges == ["bytes=70000-", ""]


def test_another_range_than_asked_for_is_not_taken(house: ModelHouse, web: FileServer) -> None:
    """It would be put into the wrong place."""
    begun(house, GOOD[:70_000])
    web.shifts_ranges = True
    assert house.pull().state is ModelState.INSTALLED
    assert web.ranges == ["bytes=70000-", ""]


def test_pull_ends_when_its_caller_leaves(house: ModelHouse, web: FileServer) -> None:
    """At once for the caller, with the next bytes for the server; what has come is kept."""
    house.origin = WebOrigin()
    web.stall_bytes = 40_960
    with pytest.raises(Cancelled):
        list(house.store.pull("htdemucs", lambda: not web.is_stalled.is_set()))
    web.is_free.set()
    with house.shelf.claim("htdemucs", UNWATCHED):
        assert not (house.root / "htdemucs" / "model.json").exists()
    assert 40_960 <= house.partial(house.catalogue[0].files[0]).stat().st_size < SIZE_BYTES


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (GOOD[:60_000], "it has 60000 bytes of SHA-256"),
        (GOOD[:-1] + b"x", "it has 100000 bytes of SHA-256"),
        (noise(2), file_of("", noise(2)).sha256),
        (GOOD + b"x", "it has more than 100000 bytes"),
    ],
    ids=["truncated", "tampered", "wrong digest", "too long"],
)
@pytest.mark.parametrize("tells_length", [True, False])
def test_other_bytes_are_refused(
    content: bytes,
    reason: str,
    tells_length: bool,  # noqa: FBT001 - a case
    house: ModelHouse,
    web: FileServer,
) -> None:
    """Named are the address and what was found; nothing is kept."""
    web.files[PATH], web.tells_length = content, tells_length
    with pytest.raises(ModelRejected, match=reason) as caught:
        house.pull()
    assert caught.value.details["address"] == web.url + PATH
    assert not house.partial(house.catalogue[0].files[0]).exists()


def test_lost_connection_is_taken_up_again(house: ModelHouse, web: FileServer) -> None:
    """As often as it brings something; each time only the rest is asked for."""
    web.cuts_bytes = [30_000, 30_000, 10_000, 10_000]
    assert house.pull().state is ModelState.INSTALLED
    assert web.ranges == ["", "bytes=30000-", "bytes=60000-", "bytes=70000-", "bytes=80000-"]
    assert web.sent_bytes == [30_000, 30_000, 10_000, 10_000, 20_000]


@pytest.mark.parametrize("status", [429, 500, 503])
def test_server_that_is_busy_is_asked_again(status: int, house: ModelHouse, web: FileServer) -> None:
    """A few times."""
    web.statuses = [status]
    assert house.pull().state is ModelState.INSTALLED
    web.statuses = [status] * 3
    house.catalogue = [model_entry("other", [file_of("bb.th", noise(2), web.url + "/bb.th")])]
    with pytest.raises(Unavailable, match=f"answers {status}"):
        house.pull("other")


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_server_that_refuses_is_asked_once(status: int, house: ModelHouse, web: FileServer) -> None:
    """It will not change its mind in a second."""
    web.statuses = [status] * 3
    with pytest.raises(EngineUnavailable, match=f"{web.url}{PATH} answers {status}"):
        house.pull()
    assert len(web.ranges) == 1


def test_silent_server_is_given_up_and_what_has_come_is_kept(house: ModelHouse, web: FileServer) -> None:
    """The next pull goes on there."""
    partial = begun(house, GOOD[:70_000])
    web.stall_bytes = 0
    with pytest.raises(Unavailable, match=f"{web.url}{PATH} cannot be fetched: .*[Tt]imed out"):
        house.pull()
    assert partial.read_bytes() == GOOD[:70_000]
    web.stall_bytes = None
    assert house.pull().state is ModelState.INSTALLED
    assert web.ranges == ["bytes=70000-"] * 3


def test_server_that_is_not_there_is_told(house: ModelHouse) -> None:
    """With the address, and with what helps where there is no connection at all."""
    file = file_of("aa.th", GOOD, "http://127.0.0.1:1/aa.th")
    house.catalogue = [model_entry(files=[file])]
    told = (
        r"http://127\.0\.0\.1:1/aa\.th cannot be fetched: .*refused.*; without a connection, .*STEMHOUSE_MODELS__MIRROR"
    )
    with pytest.raises(Unavailable, match=told):
        house.pull()


@pytest.mark.parametrize(("longest_s", "attempts"), [(0.0, 1), (3600.0, 4)])
def test_fruitless_attempts_end_with_their_number_or_the_time(
    longest_s: float, attempts: int, house: ModelHouse, web: FileServer
) -> None:
    """Where no host answers each takes long; only what brings something may go on for ever."""
    house.patience = Patience((0.0,) * 4, longest_s)
    web.statuses = [503] * 10
    with pytest.raises(Unavailable, match="answers 503"):
        house.pull()
    assert len(web.ranges) == attempts


def test_redirect_is_followed(house: ModelHouse, web: FileServer) -> None:
    """To another host, with the range; but not for ever."""
    with file_server() as cdn:
        cdn.files["/blob"] = GOOD
        web.redirects = {"/first": "/second", "/second": cdn.url + "/blob", "/loop": "/loop"}
        house.catalogue = [entry_at(web, "/first")]
        begun(house, GOOD[:70_000])
        assert house.pull().state is ModelState.INSTALLED
        assert cdn.ranges == ["bytes=70000-"]
    house.catalogue = [model_entry("loop", [file_of("bb.th", noise(2), web.url + "/loop")])]
    with pytest.raises(Unavailable, match="too many redirects"):
        house.pull("loop")


def mirror_of_web(_folder: Path, web: FileServer) -> ModelOrigin:
    """Its address, with a slash too many."""
    return catalogue_origin(web.url + "/", is_offline=False, open_store=no_store)


def mirror_of_folder(folder: Path, web: FileServer) -> ModelOrigin:
    """Also offline."""
    path = folder / "copies" / PATH[1:]
    path.parent.mkdir(parents=True)
    path.write_bytes(web.files[PATH])
    return catalogue_origin(str(folder / "copies"), is_offline=True, open_store=no_store)


def mirror_of_store(folder: Path, web: FileServer) -> ModelOrigin:
    """Likewise."""
    store = FolderObjectStore(folder / "store")
    store.put("copies/of" + PATH, io.BytesIO(web.files[PATH]))
    return catalogue_origin("s3:copies/of/", is_offline=True, open_store=lambda: store)


Mirror = Callable[[Path, FileServer], ModelOrigin]
MIRRORS = pytest.mark.parametrize("mirror", [mirror_of_web, mirror_of_folder, mirror_of_store])


@MIRRORS
@pytest.mark.parametrize("begun_bytes", [0, 70_000])
def test_mirror_is_asked_instead(begun_bytes: int, mirror: Mirror, tmp_path: Path, web: FileServer) -> None:
    """From the start, or from where an earlier pull ended."""
    house = ModelHouse(tmp_path, origin=mirror(tmp_path, web))
    begun(house, GOOD[:begun_bytes])
    assert house.pull().state is ModelState.INSTALLED


@MIRRORS
@pytest.mark.parametrize("content", [GOOD[:60_000], noise(2)], ids=["truncated", "wrong digest"])
def test_mirror_is_not_trusted(content: bytes, mirror: Mirror, tmp_path: Path, web: FileServer) -> None:
    """Also where the earlier part was right."""
    web.files[PATH] = content
    house = ModelHouse(tmp_path, origin=mirror(tmp_path, web))
    begun(house, GOOD[:70_000])
    with pytest.raises(ModelRejected, match=f"is not what was promised: it has {len(content)} bytes"):
        house.pull()


@MIRRORS
def test_file_that_the_mirror_lacks_is_named(mirror: Mirror, tmp_path: Path, web: FileServer) -> None:
    """With the place where it should be."""
    origin = mirror(tmp_path, web)
    house = ModelHouse(tmp_path, [model_entry("other", [file_of("bb.th", noise(2))])], origin)
    with pytest.raises(EngineUnavailable, match=r"other/bb\.th"):
        house.pull("other")


@pytest.mark.parametrize("mirror", ["", "http://127.0.0.1:1"])
def test_offline_nothing_is_asked(mirror: str, tmp_path: Path, web: FileServer) -> None:
    """The error says which file is wanted, and where it can be put."""
    house = ModelHouse(tmp_path, [entry_at(web)])
    house.origin = catalogue_origin(mirror, is_offline=True, open_store=no_store)
    with pytest.raises(EngineUnavailable, match="since this is offline") as caught:
        house.pull()
    for part in ("100000 bytes", file_of("", GOOD).sha256, "htdemucs/aa.safetensors", "STEMHOUSE_MODELS__MIRROR"):
        assert part in caught.value.message
    assert web.headers == []


def test_model_without_an_address_needs_a_mirror(tmp_path: Path) -> None:
    """As those of one's own catalogue may be."""
    house = ModelHouse(tmp_path, origin=WebOrigin())
    with pytest.raises(EngineUnavailable, match=r"the catalogue has no address of aa\.safetensors; wanted is a file"):
        house.pull()
