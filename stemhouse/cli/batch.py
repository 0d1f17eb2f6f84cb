"""`stemhouse batch`."""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, replace

import click

from stemhouse.batches import Batch, BatchItem, BatchLayout, BatchPlan, BatchSpec, BatchState, command_to_go_on
from stemhouse.cli.batch_report import batch_line, csv_text, plan_text, report_document, report_text, scan_note
from stemhouse.cli.exit_codes import ExitCode, Interrupted
from stemhouse.cli.library import crate_option, follow_scan, kind_option, maps_option, only_option, scan_text
from stemhouse.cli.locations import as_location, as_output_dir
from stemhouse.cli.options import cloud_option, delivery_of, delivery_options, engine_options
from stemhouse.cli.output import Output, json_option, on_one_line
from stemhouse.cli.session import open_client
from stemhouse.client.library import LibraryClient
from stemhouse.dj import DJTarget
from stemhouse.errors import InternalFault, Unavailable
from stemhouse.tracks import LibraryKind, ScanProblem, ScanProgress

_RUN = "run"


class _RunByDefault(click.Group):
    """A group whose first word may be left out: `batch DIR` is `batch run DIR`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        is_named = bool(args) and (args[0] in self.commands or args[0] in self.get_help_option_names(ctx))
        return super().parse_args(ctx, args if is_named or not args else [_RUN, *args])


@click.group(cls=_RunByDefault)
def batch() -> None:
    """Work through a whole library: `stemhouse batch DIR --output DIR`.

    The batch belongs to the stack: it goes on when this command is interrupted, and after a restart. What has been
    delivered, and is still there, is not done again.
    """


@batch.command(_RUN)
@click.argument("location", metavar="DIR", callback=as_location)
@click.option("--output", "output_dir", required=True, metavar="DIR", callback=as_output_dir, help="Where stems go.")
@kind_option
@maps_option
@crate_option
@only_option
@engine_options
@cloud_option("all its tracks together")
@delivery_options
@click.option(
    "--layout",
    default=BatchLayout.TRACK.value,
    show_default=True,
    type=click.Choice([*map(str, BatchLayout)]),
    help="All tracks' folders side by side, or as the library has its own.",
)
@click.option(
    "--target",
    "targets",
    multiple=True,
    type=click.Choice([*map(str, DJTarget)]),
    help="Make of each track what it takes, too, below dj/TARGET in the output, and lists at the end. Repeatable.",
)
@click.option(
    "--keep-results", "keeps_results", is_flag=True, help="Leave stems in the store, too, when they are delivered."
)
@click.option("--watch", "is_watching", is_flag=True, help="Go on with tracks that come or change, until stopped.")
@click.option(
    "--probe-vocals",
    "probes_vocals",
    is_flag=True,
    help="Listen to tracks whose title tells nothing, shortly before their turn: sung ones go first.",
)
@click.option("--dry-run", is_flag=True, help="Tell what it would do and take; start nothing.")
@click.option("--detach", is_flag=True, help="Start it, and leave it to the stack.")
@json_option
@click.pass_obj
def run_batch(  # noqa: PLR0913  one parameter for each option
    output: Output,
    location: str,
    *,
    output_dir: str,
    kind: str,
    path_maps: dict[str, str],
    crates: tuple[str, ...],
    is_crates_only: bool,
    engine: str,
    model: str,
    force: bool,
    sum_to_mix: bool,
    cloud_minutes: float,
    stems: tuple[str, ...],
    file_format: str,
    bit_depth: str,
    layout: str,
    targets: tuple[str, ...],
    keeps_results: bool,
    is_watching: bool,
    probes_vocals: bool,
    dry_run: bool,
    detach: bool,
) -> ExitCode:
    """Scan a library, and separate all its tracks.

    They go in the order of their priority. Exit code 5 if tracks failed: `stemhouse batch report ID` tells which and
    why; or if something of the library is missing or could not be read, or there is no track in it.
    """
    if is_crates_only and not crates:
        raise click.UsageError("--only-crates needs a --crate")
    spec = BatchSpec(
        location=location,
        output_dir=output_dir,
        library=LibraryKind(kind),
        crates=crates,
        is_crates_only=is_crates_only,
        engine=engine,
        model=model,
        sum_to_mix=sum_to_mix,
        force=force,
        delivery=delivery_of(file_format, bit_depth, stems),
        layout=BatchLayout(layout),
        keeps_results=keeps_results,
        is_watching=is_watching,
        probes_vocals=probes_vocals,
        cloud_minutes=cloud_minutes,
        targets=tuple(dict.fromkeys(map(DJTarget, targets))),
    )
    with open_client(output) as client:
        scan = _scanned(client.library, spec, path_maps, output)
        plan = client.library.plan_batch(spec)
        if dry_run:
            output.result({"plan": plan}, plan_text(plan))
            return ExitCode.UNAVAILABLE if plan.obstacles else ExitCode.OK
        return _run(client.library, spec, plan, output, None if detach else scan)


@dataclass(frozen=True)
class _Scan:
    """How the scan before a batch went."""

    location: str
    outcome: ScanProgress
    problems: list[ScanProblem]

    @property
    def note(self) -> str:
        return scan_note(self.location, self.outcome, self.problems)

    def has_missed(self, items: Iterable[BatchItem]) -> bool:
        """Whether there was trouble with more than the batch's own tracks, each of which tells what became of it."""
        return bool({problem.path for problem in self.problems}.difference(item.path for item in items))


def _scanned(library: LibraryClient, spec: BatchSpec, path_maps: dict[str, str], output: Output) -> _Scan:
    problems: list[ScanProblem] = []
    outcome = follow_scan(library.scan(spec.location, spec.library, path_maps), problems, output)
    output.say(scan_text(outcome))
    return _Scan(spec.location, outcome, problems)


def _run(library: LibraryClient, spec: BatchSpec, plan: BatchPlan, output: Output, watched: _Scan | None) -> ExitCode:
    """`watched` is the scan before a batch that is followed to its end."""
    output.say(plan_text(replace(plan, obstacles=())))
    if plan.obstacles:
        raise Unavailable("; ".join(plan.obstacles))
    started = library.start_batch(spec, uuid.uuid4().hex)
    output.say(f"batch {started.batch_id}: `stemhouse batch pause|cancel|report {started.batch_id}`; ^C leaves it on")
    if not watched:
        output.result({"batch": started}, batch_line(started))
        return ExitCode.OK
    return _report(library, _follow(library, started.batch_id, output), output, watched)


def _follow(library: LibraryClient, batch_id: str, output: Output) -> Batch:
    """The last state; tells each that differs in what people see. Raises Interrupted on ^C."""
    try:
        return _last(library.watch_batch(batch_id), output)
    except KeyboardInterrupt as error:
        message = f"interrupted; the batch goes on: `stemhouse batch watch|cancel {batch_id}`"
        raise Interrupted(message, {"batch_id": batch_id}) from error


def _last(batches: Iterable[Batch], output: Output) -> Batch:
    last, told = None, ""
    for last in batches:
        line = batch_line(last)
        if line != told:
            output.say(line)
            told = line
        if last.state is BatchState.PAUSED:
            break
    if last is None:
        message = "the library service told nothing about the batch"
        raise InternalFault(message)
    return last


def _report(library: LibraryClient, found: Batch, output: Output, scan: _Scan | None = None) -> ExitCode:
    items = list(library.batch_items(found.batch_id))
    document, text = report_document(found, items), report_text(found, items)
    if scan is None:
        output.result(document, text)
        return _code_of(found)
    document |= {"scan": {"outcome": scan.outcome, "problems": scan.problems}}
    is_empty = not (found.counts.total or found.spec.is_watching)
    emptiness = f"there is no track to work on in {on_one_line(scan.location)}" if is_empty else ""
    output.result(document, "\n".join(filter(None, (text, scan.note, emptiness))))
    return ExitCode.FAILURES if is_empty or scan.has_missed(items) else _code_of(found)


def _code_of(found: Batch) -> ExitCode:
    return ExitCode.FAILURES if found.counts.failed or found.counts.cancelled else ExitCode.OK


@batch.command("list")
@json_option
@click.pass_obj
def list_batches(output: Output) -> None:
    """All batches, newest first."""
    with open_client(output) as client:
        found = list(client.library.batches())
    output.result({"batches": found}, "\n".join(map(batch_line, found)) or "no batches")


@batch.command()
@click.argument("batch_id", metavar="ID")
@json_option
@click.pass_obj
def watch(output: Output, batch_id: str) -> ExitCode:
    """Follow a batch to its end."""
    with open_client(output) as client:
        return _report(client.library, _follow(client.library, batch_id, output), output)


@batch.command()
@click.argument("batch_id", metavar="ID")
@click.option("--csv", "is_csv", is_flag=True, help="A row for each track, for a spreadsheet.")
@json_option
@click.pass_obj
def report(output: Output, batch_id: str, *, is_csv: bool) -> ExitCode:
    """Every track: where its files are, or why it failed and what helps.

    Exit code 5 if tracks failed or were cancelled.
    """
    if is_csv and output.is_json:
        raise click.UsageError("--csv and --json are two forms of one report: name one")
    with open_client(output) as client:
        found = client.library.batch(batch_id)
        items = list(client.library.batch_items(batch_id))
    output.result(report_document(found, items), csv_text(items) if is_csv else report_text(found, items))
    return _code_of(found)


@batch.command()
@click.argument("batch_id", metavar="ID")
@json_option
@click.pass_obj
def pause(output: Output, batch_id: str) -> None:
    """Begin nothing new; what is being separated is finished."""
    with open_client(output) as client:
        _tell(client.library.pause_batch(batch_id), output)


@batch.command()
@click.argument("batch_id", metavar="ID")
@json_option
@click.pass_obj
def resume(output: Output, batch_id: str) -> None:
    """Go on with a paused batch."""
    with open_client(output) as client:
        _tell(client.library.resume_batch(batch_id), output)


@batch.command()
@click.argument("batch_id", metavar="ID")
@json_option
@click.pass_obj
def retry(output: Output, batch_id: str) -> None:
    """Try the failed and cancelled tracks again."""
    with open_client(output) as client:
        retried = client.library.retry_batch(batch_id)
    if retried.state.is_final:
        output.say(f"nothing of it failed or was cancelled; `{on_one_line(command_to_go_on(retried))}` begins again")
    _tell(retried, output)


@batch.command()
@click.argument("batch_id", metavar="ID")
@json_option
@click.pass_obj
def cancel(output: Output, batch_id: str) -> None:
    """Stop a batch; files that have been delivered stay."""
    with open_client(output) as client:
        _tell(client.library.cancel_batch(batch_id), output)


def _tell(changed: Batch, output: Output) -> None:
    output.result({"batch": changed}, batch_line(changed))
