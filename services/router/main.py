"""Composition root of the router: settings, adapters, core, servicer."""

import os
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

import structlog
from sqlalchemy import Engine

from services.router.adapters.active_lock import ActiveLock, is_shared
from services.router.adapters.cache_keeper import start_cache_keeper
from services.router.adapters.cache_ledger import SqlCacheLedger
from services.router.adapters.cloud_ledger import SqlCloudLedger
from services.router.adapters.durable_jobs import DurableJobs
from services.router.adapters.engine_speeds import SqlEngineSpeeds
from services.router.adapters.job_ledger import SqlJobLedger
from services.router.adapters.job_room import start_job_room
from services.router.adapters.manifests import parse_manifest
from services.router.adapters.model_fleet import ModelFleet
from services.router.adapters.policy_file import load_policy
from services.router.adapters.result_ledger import SqlResultLedger
from services.router.adapters.separator_fleet import SeparatorFleet
from services.router.adapters.separator_stubs import connect_separators
from services.router.adapters.uploads import MODELS_PREFIX, TRACKS_PREFIX, SpooledUploads
from services.router.core.cache import StemCache
from services.router.core.cache_care import CacheCare, CacheLimits
from services.router.core.cache_sweep import CacheSweep
from services.router.core.choices import EngineChooser
from services.router.core.closed_cloud import ClosedCloudLedger
from services.router.core.cloud_budget import CloudBudget
from services.router.core.engine_runs import EngineRuns
from services.router.core.pipeline import PipelineParts, StemPipeline
from services.router.core.plans import SeparationPlans
from services.router.core.policy import Policy
from services.router.core.ports import Intake
from services.router.core.releases import Releases
from services.router.core.shelf import CacheShelf
from services.router.core.submissions import Submissions
from services.router.migrations import migrate
from services.router.servicer import SERVICE_NAME, RouterParts, RouterServicer, service
from services.router.settings import RouterSettings
from stemhouse.platform.callers import PerTenant
from stemhouse.platform.databases import open_database
from stemhouse.platform.entry import enter
from stemhouse.platform.object_stores import connect_object_store
from stemhouse.platform.server import serve
from stemhouse.platform.settings import read_settings
from stemhouse.platform.standby import standing_by
from stemhouse.platform.telemetry import configure_logging
from stemhouse.platform.tokens import TenantQuota
from stemhouse.ports import ObjectStore
from stemhouse.tenancy import store_of
from stemhouse.tenants import HOUSE, Tenant


@dataclass(frozen=True)
class _House:
    """What all tenants share."""

    settings: RouterSettings
    policy: Policy
    store: ObjectStore
    database: Engine
    jobs: SqlJobLedger
    fleet: SeparatorFleet
    models: ModelFleet
    quotas: Callable[[], Sequence[TenantQuota]]


@dataclass(frozen=True)
class _Room:
    """What each tenant has of its own, and the house as if it were one."""

    parts: RouterParts
    pipeline: StemPipeline
    care: CacheCare


log = structlog.get_logger(__name__)


def main() -> None:
    """Serve until told to stop."""
    settings = read_settings(RouterSettings)
    configure_logging("router", settings.log_level)
    if not _is_active(settings):
        return
    settings.scratch_dir.mkdir(parents=True, exist_ok=True)
    database = open_database(settings.database_url)
    migrate(database)
    directory = connect_separators(settings.separator_addresses, settings.channel_credentials())
    durable = DurableJobs(settings.database_url, settings.concurrent_jobs)
    house = _House(
        settings,
        policy=load_policy(settings.policy),
        store=connect_object_store(settings.store),
        database=database,
        jobs=SqlJobLedger(database, durable.enqueue),
        fleet=SeparatorFleet(directory),
        models=ModelFleet(directory),
        quotas=settings.quotas(),
    )
    rooms = PerTenant(partial(_open_room, house))
    durable.start(house.jobs, lambda job, steps: rooms.of(Tenant(job.tenant)).pipeline.run(job, steps))
    start_cache_keeper(lambda: [rooms.of(tenant).care for tenant in (HOUSE, *_tenants(house))])
    start_job_room(house.fleet.slot_count, durable.allow, settings.concurrent_jobs)
    readiness = connect_object_store(settings.store, is_patient=False)
    servicer = RouterServicer(lambda: rooms.current().parts)
    serve(service(servicer, readiness.probe), settings.listen, entrance=settings.entrance())
    # Running jobs are recorded and resume with the next start; waiting for them would only delay it.
    os._exit(0)


def _open_room(house: _House, tenant: Tenant) -> _Room:
    settings, store = house.settings, store_of(house.store, tenant)
    intake = Intake(
        tracks=SpooledUploads(store, settings.scratch_dir, settings.max_upload_bytes, prefix=TRACKS_PREFIX),
        models=SpooledUploads(store, settings.scratch_dir, settings.max_upload_bytes, prefix=MODELS_PREFIX),
    )
    separators, jobs = house.fleet.of(tenant), house.jobs.of(tenant, partial(_most_open_jobs, house, tenant))
    results, entries = SqlResultLedger(house.database, tenant), SqlCacheLedger(house.database, tenant)
    books = SqlCloudLedger(house.database) if tenant == HOUSE else ClosedCloudLedger()
    cloud = CloudBudget(separators, books, now=_now, new_key=lambda: str(uuid.uuid4()))
    shelf = CacheShelf(entries, store, parse_manifest, _now)
    care = CacheCare(entries, CacheSweep(entries, shelf, store, _now), partial(_cache_limits, house, tenant), _now)
    releases = Releases(jobs, results, shelf)
    chooser = EngineChooser(separators, cloud, house.policy, now_s=time.monotonic)
    runs = EngineRuns(chooser, separators, jobs, cloud, shelf)
    cache = StemCache(results, shelf, chooser, intake.tracks, care)
    pipeline = StemPipeline(PipelineParts(cache, results, separators, intake.tracks, chooser, runs, releases))
    submissions = Submissions(pipeline, jobs, intake.tracks, now=_now, new_job_id=lambda: uuid.uuid4().hex)
    parts = RouterParts(
        submissions=submissions,
        jobs=jobs,
        releases=releases,
        intake=intake,
        separators=separators,
        models=house.models,
        plans=SeparationPlans(pipeline, chooser, SqlEngineSpeeds(house.database), cloud),
        cloud=cloud,
        cache=cache,
    )
    return _Room(parts, pipeline, care)


def _tenants(house: _House) -> list[Tenant]:
    return [quota.tenant for quota in house.quotas()]


def _quota(house: _House, tenant: Tenant) -> TenantQuota | None:
    """None for the house, and for a tenant that is not there any more: what it has begun goes on."""
    return next((quota for quota in house.quotas() if quota.tenant == tenant), None)


def _cache_limits(house: _House, tenant: Tenant) -> CacheLimits:
    cache, quota = house.settings.cache, _quota(house, tenant)
    return CacheLimits(quota.max_bytes if quota else cache.max_bytes, cache.kept_s)


def _most_open_jobs(house: _House, tenant: Tenant) -> int | None:
    quota = _quota(house, tenant)
    if tenant == HOUSE:
        return house.settings.max_open_jobs
    return quota.open_jobs if quota else None


def _is_active(settings: RouterSettings) -> bool:
    """Wait until this is the one router that works; False if told to stop before."""
    if not is_shared(settings.database_url):
        return True
    lock = ActiveLock(settings.database_url, _end)
    with standing_by(SERVICE_NAME, settings.listen, settings.entrance()) as stop:
        return lock.take(stop)


def _end(cause: str) -> None:
    """At once, with all that is under way: another router may go on with it from now on."""
    log.critical("lock lost", cause=cause)
    os._exit(1)


def _now() -> datetime:
    return datetime.now(UTC)


if __name__ == "__main__":
    enter(main)
