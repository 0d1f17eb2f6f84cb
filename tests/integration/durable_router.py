"""A router without servers, run as a process that tests kill: jobs of two stages that write down what they do.

usage: python -m tests.integration.durable_router DATABASE_URL DIARY [PRIORITY...]
Submits one job for each priority, runs until all jobs are final, prints their states.
"""

import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from services.router.adapters.durable_jobs import DurableJobs
from services.router.adapters.job_ledger import SqlJobLedger
from services.router.core.ports import JobQuery, Steps
from services.router.migrations import migrate
from stemhouse.errors import UnreadableAudio
from stemhouse.jobs import Job, SeparationRequest, SeparationResult
from stemhouse.platform.databases import open_database
from stemhouse.platform.telemetry import configure_logging
from stemhouse.vocab import JobState, Stage
from tests.contract.ledgers import RESULT
from tests.fakes_router import source

SLOW_STAGE_S = 1.0
REJECTED_PRIORITY = 666


def main(database_url: str, diary: Path, *priorities: str) -> None:
    """See the module."""

    def note(line: str) -> None:
        with diary.open("a") as pages:
            pages.write(line + "\n")

    def run_job(job: Job, steps: Steps) -> SeparationResult:
        def first() -> int:
            note(f"{job.job_id} first")
            return 41

        def second(number: int) -> int:
            note(f"{job.job_id} second begins")
            time.sleep(SLOW_STAGE_S)
            if job.request.priority == REJECTED_PRIORITY:
                raise UnreadableAudio("not audio", {"file": "x.mp3"})
            note(f"{job.job_id} second ends")
            return number + 1

        steps.run(Stage.SEPARATE, second, steps.run(Stage.INGEST, first))
        return RESULT

    configure_logging("durable-router")
    database = open_database(database_url)
    migrate(database)
    durable = DurableJobs(database_url, concurrent_jobs=1)
    jobs = SqlJobLedger(database, durable.enqueue)
    durable.start(jobs, run_job)
    for number, priority in enumerate(priorities):
        request = SeparationRequest(source(), priority=int(priority))
        new = Job(f"job-{number}", f"request-{number}", request, JobState.QUEUED, datetime.now(UTC))
        jobs.create(new, is_queued=True)
    note("submitted")
    while not all(job.state.is_final for job in jobs.page(100, "", JobQuery()).jobs):
        time.sleep(0.05)
    for job in jobs.page(100, "", JobQuery()).jobs[::-1]:
        print(job.job_id, job.state.value, job.error.reason if job.error else "-", flush=True)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
