"""Two routers over one PostgreSQL ledger: the active one is lost in the middle of work, the other one goes on."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile
from sqlalchemy import Engine, text

from services.router.adapters.active_lock import LOCK_KEY
from stemhouse.audio import StemSet
from stemhouse.client.endpoints import Endpoints
from stemhouse.client.sdk import Stemhouse
from stemhouse.errors import Unavailable
from stemhouse.jobs import Job, SeparationRequest
from stemhouse.local.ports import free_ports
from stemhouse.platform.databases import open_database
from stemhouse.vocab import JobState, Stage
from tests.e2e.household import NOT_SERVING, SERVING, Household, health, household, wait_for_health
from tests.postgres import postgres_server
from tests.signals import song

pytestmark = pytest.mark.stack

ROUTER = "stemhouse.v1.RouterService"
SEPARATOR = "stemhouse.v1.SeparatorService"
RATE_HZ = 44_100
DURATION_S = 30
TRACKS = 3
KILLED_EXIT_CODE = 1


class Routers:
    """Two of them, `router-a` and `router-b`, before two separators."""

    def __init__(self, house: Household, database_url: str) -> None:
        self.house = house
        self.database_url = database_url
        ports = free_ports(4)
        self.addresses = {
            name: f"127.0.0.1:{port}" for name, port in zip(("router-a", "router-b"), ports, strict=False)
        }
        self._separators = [f"127.0.0.1:{port}" for port in ports[2:]]

    def start_separators(self) -> None:
        """Both, ready."""
        for number, address in enumerate(self._separators):
            self.house.start(f"separator-{number}", {"LISTEN": address, "MODELS__DIR": self.house.home.models_dir})
        for address in self._separators:
            wait_for_health(address, SEPARATOR)

    def start(self, name: str) -> None:
        """And wait until it is alive."""
        settings = {"SEPARATORS": ",".join(self._separators), "DATABASE_URL": self.database_url}
        self.house.start(name, {"LISTEN": self.addresses[name], **settings})
        wait_for_health(self.addresses[name], "")

    def client(self, name: str) -> Stemhouse:
        """Of that one alone; there is neither library nor exporter."""
        address = self.addresses[name]
        return Stemhouse(Endpoints(address, address, address))


@pytest.fixture
def routers(tmp_path: Path) -> Iterator[Routers]:
    """Both run, `router-a` is the active one."""
    with postgres_server(tmp_path) as url, household(tmp_path / "house") as house:
        routers = Routers(house, url)
        routers.start_separators()
        routers.start("router-a")
        wait_for_health(routers.addresses["router-a"], ROUTER)
        routers.start("router-b")
        yield routers


@pytest.fixture
def ledger(routers: Routers) -> Iterator[Engine]:
    """The database of both."""
    engine = open_database(routers.database_url)
    yield engine
    engine.dispose()


def song_file(folder: Path) -> Path:
    """A song that was never separated before."""
    path = folder / f"{uuid.uuid4().hex}.wav"
    samples = song(DURATION_S * RATE_HZ, RATE_HZ, seed=uuid.uuid4().int % 2**32)
    soundfile.write(path, samples.T, RATE_HZ, subtype="PCM_16")
    return path


def submit_until_at_work(client: Stemhouse, folder: Path, count: int) -> list[Job]:
    """Submit tracks and come back while the first of them is being separated."""
    sources = [client.upload(song_file(folder)) for _ in range(count)]
    jobs = [client.submit(SeparationRequest(it, engine="starter"), uuid.uuid4().hex) for it in sources]
    for seen in client.watch(jobs[0].job_id):
        assert not seen.state.is_final, "the song is too short to be killed in the middle"
        if seen.stage is Stage.SEPARATE and seen.progress > 0.1:
            break
    return jobs


def results_of(client: Stemhouse, jobs: list[Job]) -> list[StemSet]:
    """Of jobs that must all be done."""
    finals = [list(client.watch(job.job_id))[-1] for job in jobs]
    assert [final.state for final in finals] == [JobState.DONE] * len(jobs), [final.error for final in finals]
    return [final.result.stem_set for final in finals if final.result]


def check_once(routers: Routers, ledger: Engine, found: list[StemSet]) -> None:
    """One row for each job and each result, one whole result in the store for each track, and nothing else."""
    counts = "SELECT (SELECT count(*) FROM ledger_job), (SELECT count(*) FROM ledger_result)"
    with ledger.connect() as connection:
        assert tuple(connection.execute(text(counts)).one()) == (len(found), len(found))
    stored = set(routers.house.store().list_keys("results/"))
    expected = {
        key
        for it in found
        for key in (
            f"results/{it.audio.pcm_sha256}/{it.engine_id}/manifest.json",
            *(stem.object_key for stem in it.stems),
        )
    }
    assert stored == expected


def lose_the_lock(ledger: Engine) -> list[bool]:
    """Whether the connection that has it was closed, for each that had."""
    is_it = f"locktype = 'advisory' AND granted AND ((classid::bigint << 32) | objid::bigint) = {LOCK_KEY}"
    with ledger.connect() as connection:
        return list(connection.execute(text(f"SELECT pg_terminate_backend(pid) FROM pg_locks WHERE {is_it}")).scalars())  # noqa: S608  our own


def test_standby_takes_over_what_was_at_work(routers: Routers, ledger: Engine, tmp_path: Path) -> None:
    """First the active one is killed; then the next one loses its connection to the database, and ends by itself."""
    first, second = routers.addresses.values()
    assert (health(second, ""), health(second, ROUTER)) == (SERVING, NOT_SERVING)
    with routers.client("router-a") as client:
        jobs = submit_until_at_work(client, tmp_path, TRACKS)
    routers.house.kill("router-a")
    with routers.client("router-b") as client:
        found = results_of(client, jobs)
    check_once(routers, ledger, found)
    assert health(second, ROUTER) == SERVING

    routers.start("router-a")
    assert health(first, ROUTER) == NOT_SERVING
    with routers.client("router-b") as client:
        more = submit_until_at_work(client, tmp_path, 1)
    assert lose_the_lock(ledger) == [True]
    assert routers.house.exit_code("router-b") == KILLED_EXIT_CODE
    with routers.client("router-a") as client:
        found += results_of(client, more)
    check_once(routers, ledger, found)


def test_calls_to_a_standby_are_unavailable(routers: Routers) -> None:
    """Who is patient gets an answer once it is active; a stop ends it in good order."""
    with routers.client("router-b") as client:
        with pytest.raises(Unavailable, match="stands by"):
            client.survey()
        routers.house.kill("router-a")
        assert next(client.list_jobs(), None) is None
