"""Two tenants of one house, over TLS and with tokens: nobody sees, hits or fetches what is another one's."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import soundfile

from stemhouse.client.sdk import Stemhouse
from stemhouse.delivery import DeliveryOptions
from stemhouse.errors import EngineUnavailable, Forbidden, NotFound
from stemhouse.jobs import CacheHit, Job, SeparationRequest
from stemhouse.local.store import store_settings
from stemhouse.platform.object_stores import connect_object_store
from stemhouse.ports import ObjectStore
from tests.guarded_stack import GuardedStack, guarded_stack
from tests.signals import song

pytestmark = pytest.mark.stack

RATE_HZ = 44_100
SECONDS = 4


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedStack]:
    """One for all tests here."""
    with guarded_stack(tmp_path_factory.mktemp("house")) as stack:
        yield stack


@pytest.fixture(scope="module")
def store(stack: GuardedStack) -> ObjectStore:
    """All of it."""
    return connect_object_store(store_settings(stack.home, stack.addresses["store"]))


@pytest.fixture
def track(tmp_path: Path) -> Path:
    """A song that no test has separated before."""
    file = tmp_path / "song.wav"
    soundfile.write(file, song(SECONDS * RATE_HZ, RATE_HZ, seed=uuid.uuid4().int % 2**32).T, RATE_HZ)
    return file


def separated(client: Stemhouse, track: Path, request_id: str = "") -> Job:
    """The job of a track at its end."""
    wish = SeparationRequest(client.upload(track), engine="starter")
    *_, final = client.watch(client.submit(wish, request_id or uuid.uuid4().hex).job_id)
    return final


def hit(job: Job) -> CacheHit:
    """Where its answer came from."""
    assert job.result, job.error
    return job.result.cache_hit


def test_each_tenant_has_its_own_cache_and_its_own_objects(
    stack: GuardedStack, store: ObjectStore, track: Path
) -> None:
    """The same file, under the same request id: computed for each, a hit for each one's own second wish."""
    jobs = {}
    for holder in ("acme", "zenith", "studio"):
        with stack.client(holder) as client:
            jobs[holder] = separated(client, track, "the-same-id")
            assert hit(jobs[holder]) is CacheHit.NONE
            assert hit(separated(client, track)) is CacheHit.FILE
            assert [job.request_id for job in client.list_jobs()].count("the-same-id") == 1
    assert len({job.job_id for job in jobs.values()}) == len(jobs)
    result = jobs["acme"].result
    assert result
    key = result.stem_set.stems[0].object_key
    assert all(store.size_bytes(f"{prefix}{key}") for prefix in ("", "tenants/acme/", "tenants/zenith/"))


def _intrusions(client: Stemhouse, job: Job, folder: Path) -> list[Callable[[], object]]:
    """All that somebody could try with the job of another one."""
    result = job.result
    assert result
    return [
        lambda: client.get_job(job.job_id),
        lambda: list(client.watch(job.job_id)),
        lambda: client.cancel(job.job_id),
        lambda: client.release_result(job.job_id),
        lambda: client.submit(SeparationRequest(job.request.source, engine="starter"), uuid.uuid4().hex),
        lambda: client.detect_vocals(job.request.source),
        lambda: client.deliver(result, DeliveryOptions(), folder),
    ]


@pytest.mark.parametrize(("owner", "others"), [("acme", ("zenith", "boss")), ("studio", ("acme", "zenith"))])
def test_what_is_anothers_is_not_found(
    owner: str, others: tuple[str, ...], stack: GuardedStack, track: Path, tmp_path: Path
) -> None:
    """His job by its id, his upload by its digests, his stems by their keys: a tenant's, and the house's."""
    with stack.client(owner) as mine:
        job = separated(mine, track)
        assert job.result
        listed = {each.job_id for each in mine.list_jobs()}
        for name in others:
            with stack.client(name) as other:
                for attempt in _intrusions(other, job, tmp_path):
                    with pytest.raises(NotFound):
                        attempt()
                assert not listed & {each.job_id for each in other.list_jobs()}
        assert hit(separated(mine, track)) is CacheHit.FILE
        assert len(mine.deliver(job.result, DeliveryOptions(), tmp_path).files) > 1


def test_tenant_spends_nothing_of_the_house_and_clears_nothing(stack: GuardedStack, track: Path) -> None:
    """No cloud account is its own, whatever it asks for; what costs or removes is for the house."""
    with stack.client("zenith") as zenith:
        with pytest.raises(Forbidden):
            list(zenith.clear_cache(0))
        with pytest.raises(Forbidden):
            zenith.allow_cloud("a", 10)
        assert zenith.cloud_accounts() == []
        wish = SeparationRequest(zenith.upload(track), engine="lalal", cloud_minutes=5.0)
        with pytest.raises(EngineUnavailable):
            zenith.submit(wish, uuid.uuid4().hex)
