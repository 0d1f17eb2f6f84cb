"""`stemhouse jobs`."""

import itertools

import click

from stemhouse.cli.output import Output, json_option
from stemhouse.cli.report import job_line, job_text
from stemhouse.cli.session import open_client
from stemhouse.vocab import JobState

_DEFAULT_COUNT = 20


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def jobs(context: click.Context) -> None:
    """List, show and cancel separations; without a subcommand: list."""
    if context.invoked_subcommand is None:
        context.invoke(list_jobs)


@jobs.command("list")
@click.option("--count", default=_DEFAULT_COUNT, show_default=True, type=click.IntRange(1), help="At most so many.")
@click.option(
    "--state", "states", multiple=True, type=click.Choice([*map(str, JobState)]), help="Only these; repeatable."
)
@json_option
@click.pass_obj
def list_jobs(output: Output, *, count: int, states: tuple[str, ...]) -> None:
    """The newest jobs."""
    with open_client(output) as client:
        found = list(itertools.islice(client.list_jobs(map(JobState, states), page_size=min(count, 500)), count))
    output.result({"jobs": found}, "\n".join(map(job_line, found)) or "no jobs")


@jobs.command()
@click.argument("job_id", metavar="ID")
@json_option
@click.pass_obj
def show(output: Output, job_id: str) -> None:
    """All that is known about a job."""
    with open_client(output) as client:
        job = client.get_job(job_id)
    output.result({"job": job}, job_text(job))


@jobs.command()
@click.argument("job_id", metavar="ID")
@json_option
@click.pass_obj
def cancel(output: Output, job_id: str) -> None:
    """Stop a job; one that is final stays as it is.

    What it has begun with a cloud service is called off there; `stemhouse jobs show` tells what that may have cost.
    """
    with open_client(output) as client:
        job = client.cancel(job_id)
    stops = "" if job.state.is_final else "\n  stops     as soon as whoever works on it has noticed"
    output.result({"job": job}, f"{job_text(job)}{stops}")
