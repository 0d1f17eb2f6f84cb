"""Composition root of the router: settings, adapters, core, servicer."""

import os
import uuid
from datetime import UTC, datetime

from services.router.adapters.durable_jobs import DurableJobs
from services.router.adapters.job_ledger import SqlJobLedger
from services.router.adapters.model_fleet import ModelFleet
from services.router.adapters.result_ledger import SqlResultLedger
from services.router.adapters.separator_fleet import SeparatorFleet
from services.router.adapters.separator_stubs import connect_separators
from services.router.adapters.uploads import SpooledUploads
from services.router.core.cache import StemCache
from services.router.core.pipeline import StemPipeline
from services.router.core.submissions import Submissions
from services.router.migrations import migrate
from services.router.servicer import RouterServicer, service
from services.router.settings import RouterSettings
from stemhouse.platform.databases import open_database
from stemhouse.platform.object_stores import connect_object_store
from stemhouse.platform.server import serve
from stemhouse.platform.telemetry import configure_logging


def main() -> None:
    """Serve until told to stop."""
    settings = RouterSettings()
    configure_logging("router", settings.log_level)
    settings.scratch_dir.mkdir(parents=True, exist_ok=True)
    database = open_database(settings.database_url)
    migrate(database)
    store = connect_object_store(settings.store)
    uploads = SpooledUploads(store, settings.scratch_dir, settings.max_upload_bytes)
    stubs = connect_separators(settings.separator_addresses)
    separators, models = SeparatorFleet(stubs), ModelFleet(stubs)
    results = SqlResultLedger(database)
    durable = DurableJobs(settings.database_url, settings.concurrent_jobs)
    jobs = SqlJobLedger(database, durable.enqueue)
    pipeline = StemPipeline(StemCache(results, store, separators), results, jobs, separators, uploads)
    submissions = Submissions(
        pipeline, jobs, uploads, now=lambda: datetime.now(UTC), new_job_id=lambda: uuid.uuid4().hex
    )
    durable.start(jobs, pipeline.run)
    readiness = connect_object_store(settings.store, is_patient=False)
    serve(service(RouterServicer(submissions, jobs, uploads, separators, models), readiness.probe), settings.listen)
    # Running jobs are recorded and resume with the next start; waiting for them would only delay it.
    os._exit(0)


if __name__ == "__main__":
    main()
