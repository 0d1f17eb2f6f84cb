"""Jobs of the cloud engine while the service fails in every way and processes are killed: nothing is charged twice.

usage: python -m tests.bench.cloud [--jobs N] [--kills K] [--faults F] [--seed S]
A stack of its own, with the fake of LALAL.AI in the place of the service. Two batches with a cap each and single jobs
run at once, under a cap for the day. At seeded moments kill -9 hits the router or the cloud separator. Prints what was
found and what was promised; exit code 1 if they differ.
"""

import argparse
import os
import random
import sqlite3
import sys
import tempfile
import time
from collections import Counter, defaultdict
from contextlib import closing
from pathlib import Path
from typing import Any

import soundfile

from services.separator.core.cloud.products import PRODUCTS
from stemhouse.client.sdk import Stemhouse
from stemhouse.errors import StemhouseError
from stemhouse.jobs import Job, SeparationRequest
from stemhouse.local.home import Home
from stemhouse.local.record import read_record
from stemhouse.local.stack import ensure_stack, stop_stack
from stemhouse.vocab import JobState
from tests.bench.batch import Findings
from tests.fake_lalal.faults import FaultPlan
from tests.fake_lalal.remote import RemoteFake, fake_process
from tests.signals import song

RATE_HZ = 44_100
SONG_S = 3.0
MINUTES = PRODUCTS[0].minutes(SONG_S)
VICTIMS = ("router", "separator-cloud")
BATCH_SHARES = {"tight": (0.4, 0.5), "wide": (0.4, 1.5)}
"""Of all jobs, and the cap of what they need in all; the rest are single jobs."""
DAY_SHARE = 0.8
_ENDS = {"", "BUDGET_EXCEEDED", "ENGINE_FAILED", "CHARGE_UNCERTAIN"}
_LOOK_S = 0.5
_LONGEST_QUIET_S = 6.0
_LONGEST_S = 1800.0


def main() -> None:
    """Run it in a folder of its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--faults", type=int, default=150)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        home = Home(root / "home")
        home.make_dirs()
        home.keep_file.touch()
        with fake_process(root / "fake.json", queue_s=0.3, stem_s=0.1, checks_per_minute=None) as fake:
            _point_at(fake)
            fake.add_faults(FaultPlan.seeded(options.seed, options.faults))
            try:
                findings = run(root, home, fake, options)
            finally:
                stop_stack(home)
    print("\n".join(findings.figures))
    sys.exit(1 if findings.faults else 0)


def _point_at(fake: RemoteFake) -> None:
    os.environ |= {
        "STEMHOUSE_LALAL__KEY": fake.key,
        "STEMHOUSE_LALAL__BASE_URL": fake.base_url,
        "STEMHOUSE_LALAL__DOWNLOAD_HOSTS": "127.0.0.1",
        "STEMHOUSE_LALAL__CHECK_INTERVAL_S": "0.2",
        "STEMHOUSE_CONCURRENT_JOBS": "8",
    }


def run(root: Path, home: Home, fake: RemoteFake, options: argparse.Namespace) -> Findings:
    """Send all jobs, kill, wait for all ends, and hold them against what is promised."""
    day_minutes = round(DAY_SHARE * options.jobs * MINUTES, 2)
    with Stemhouse(ensure_stack(home, print)) as client:
        account = _account(client)
        client.allow_cloud(account, day_minutes)
        job_ids = [_submitted(client, root, number, options.jobs) for number in range(options.jobs)]
    began_s, killed = time.monotonic(), _work_through(home, options)
    findings = Findings()
    with Stemhouse(ensure_stack(home, print)) as client:
        jobs = [client.get_job(job_id) for job_id in job_ids]
    findings.figures.append(
        f"       {options.jobs} jobs in {time.monotonic() - began_s:.0f} s, killed {Counter(killed)}"
    )
    _check_jobs(findings, jobs)
    _check_charges(findings, home, fake, jobs, day_minutes)
    _check_secrets(findings, home, fake)
    return findings


def _account(client: Stemhouse) -> str:
    while not (accounts := client.cloud_accounts()):
        time.sleep(_LOOK_S)
    return accounts[0].account


def _submitted(client: Stemhouse, root: Path, number: int, job_count: int) -> str:
    file = root / f"song {number:03}.wav"
    soundfile.write(file, song(round(SONG_S * RATE_HZ), RATE_HZ, seed=number).T, RATE_HZ, subtype="PCM_16")
    batch_id, cap = _batch_of(number, job_count)
    request = SeparationRequest(client.upload(file), engine="lalal", model="multistem", cloud_minutes=cap)
    return client.submit(request, f"job-{number}", batch_id).job_id


def _batch_of(number: int, job_count: int) -> tuple[str, float]:
    """The batch of a job, and its cap: its own need for a single one."""
    begin = 0.0
    for name, (share, need_share) in BATCH_SHARES.items():
        begin += share * job_count
        if number < begin:
            return name, round(share * job_count * MINUTES * need_share, 2)
    return "", MINUTES


def _work_through(home: Home, options: argparse.Namespace) -> list[str]:
    """Wait until every job is final, and kill somebody from time to time; gives the names of the victims."""
    chance = random.Random(options.seed)  # noqa: S311  no secret
    killed: list[str] = []
    next_kill_s, end_s = time.monotonic() + 2.0, time.monotonic() + _LONGEST_S
    while time.monotonic() < end_s and not _is_over(home):
        if len(killed) < options.kills and time.monotonic() >= next_kill_s:
            killed.append(chance.choice(VICTIMS))
            _kill(home, killed[-1])
            next_kill_s = time.monotonic() + chance.uniform(1.0, _LONGEST_QUIET_S)
        time.sleep(_LOOK_S)
    return killed


def _is_over(home: Home) -> bool:
    try:
        with Stemhouse(ensure_stack(home, lambda _: None)) as client:
            return not list(client.list_jobs([JobState.QUEUED, JobState.RUNNING], page_size=1))
    except StemhouseError:
        return False


def _kill(home: Home, name: str) -> None:
    record = read_record(home)
    child = record.children.get(name) if record else None
    process = child.process.find() if child else None
    if process:
        process.kill()


def _check_jobs(findings: Findings, jobs: list[Job]) -> None:
    """Done with stems that sum, or failed for a reason that such a service gives."""
    ends = Counter(job.error.reason if job.error else "" for job in jobs if job.state.is_final)
    told = ", ".join(f"{reason or 'done'} {count}" for reason, count in sorted(ends.items()))
    findings.expect(f"every job is final: {told}", holds=ends.total() == len(jobs) and set(ends) <= _ENDS)
    done = [job.result.stem_set for job in jobs if job.result]
    worst_db = max((stem_set.null_depth_db for stem_set in done), default=0.0)
    is_whole = worst_db <= -120.0 and all(len(stem_set.stems) == len(PRODUCTS[0].labels) for stem_set in done)
    findings.expect(f"stems of {len(done)} jobs sum to their mix, the worst to {worst_db:.0f} dB", holds=is_whole)


def _check_charges(findings: Findings, home: Home, fake: RemoteFake, jobs: list[Job], day_minutes: float) -> None:
    with closing(sqlite3.connect(f"file:{home.root}/router/ledger.db?mode=ro", uri=True)) as ledger:
        orders = ledger.execute(
            "SELECT idempotency_key, job_id, batch, minutes, state FROM ledger_cloud_order"
        ).fetchall()
    charged = _charged(fake)
    keys = {key: job_id for key, job_id, *_ in orders}
    per_job = Counter(keys.get(key, "unknown") for key, charges in charged.items() for _ in charges)
    findings.expect(
        f"{per_job.total()} charges for {len(per_job)} jobs, none for two", holds=set(per_job.values()) <= {1}
    )
    findings.expect("every charge has an order of the ledger", holds="unknown" not in per_job)
    spent: dict[str, float] = defaultdict(float)
    for key, charges in charged.items():
        spent[next((batch for order, _, batch, *_ in orders if order == key), "")] += sum(charges)
    for name in BATCH_SHARES:
        cap = max(job.request.cloud_minutes for job in jobs if job.batch_id == name)
        findings.expect(
            f"batch {name}: {_spent_of(spent, name):.2f} of {cap:.2f} minutes",
            holds=_spent_of(spent, name) <= cap + 1e-6,
        )
    total = sum(sum(charges) for charges in charged.values())
    counted = sum(minutes for *_, minutes, state in orders if state != "released")
    text = f"the day: {total:.2f} of {day_minutes:.2f} minutes charged, {counted:.2f} counted by the ledger"
    findings.expect(text, holds=total <= day_minutes + 1e-6 and counted >= total - 1e-6)
    findings.figures.append(f"       orders: {Counter(state for *_, state in orders)}")


def _spent_of(spent: dict[str, float], name: str) -> float:
    return sum(minutes for batch, minutes in spent.items() if name in batch)


def _charged(fake: RemoteFake) -> dict[str, list[float]]:
    """The charges of the fake's journal by idempotency key."""
    charged: dict[str, list[float]] = defaultdict(list)
    for entry in fake.journal():
        if entry["charged_minutes"]:
            charged[_key_of(entry)].append(entry["charged_minutes"])
    return charged


def _key_of(entry: dict[str, Any]) -> str:
    return str(entry["body"].get("json", {}).get("idempotency_key", ""))


def _check_secrets(findings: Findings, home: Home, fake: RemoteFake) -> None:
    violations = [violation for entry in fake.journal() for violation in entry["violations"]]
    findings.expect(f"the fake saw {len(violations)} violations {sorted(set(violations))}", holds=not violations)
    logs = [file for file in home.log_file("router").parent.glob("*") if file.is_file()]
    leaks = [file.name for file in logs if fake.key.encode() in file.read_bytes()]
    findings.expect(f"the key is in none of {len(logs)} logs", holds=not leaks)
    faults = fake.faults()
    findings.figures.append(f"       faults: {len(faults['happened'])} happened, {faults['pending']} did not")


if __name__ == "__main__":
    main()
