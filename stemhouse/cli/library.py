"""`stemhouse library`."""

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import PurePath

import click

from stemhouse.cli.exit_codes import ExitCode
from stemhouse.cli.locations import as_location, as_path_maps
from stemhouse.cli.output import Output, json_option, on_one_line
from stemhouse.cli.progress import show_share
from stemhouse.cli.session import open_client
from stemhouse.errors import InternalFault
from stemhouse.tracks import Crate, LibraryKind, ProbeProgress, RankedTrack, ScanProblem, ScanProgress, Track

_SAMPLE = 20
"""Problems that are told to people; a library from another machine has one for each file."""

kind_option = click.option(
    "--source",
    "kind",
    default=LibraryKind.AUTO.value,
    show_default=True,
    type=click.Choice([*map(str, LibraryKind)]),
    help="What DIR is, where that cannot be told.",
)
maps_option = click.option(
    "--map",
    "path_maps",
    metavar="FROM=TO",
    multiple=True,
    callback=as_path_maps,
    help="Where the files are that the DJ program finds at FROM; repeatable.",
)
crate_option = click.option(
    "--crate",
    "crates",
    metavar="NAME",
    multiple=True,
    help="Comes first, with all crates inside of it; a name as `library crates` prints it. Repeatable.",
)
only_option = click.option("--only-crates", "is_crates_only", is_flag=True, help="Nothing but the named crates.")


@click.group()
def library() -> None:
    """Read libraries of music into the catalogue.

    Nothing in them is ever changed. DIR is a folder of music, one that holds Serato's, a rekordbox XML, Traktor NML or
    M3U file, or s3://BUCKET/PREFIX.
    """


@library.command()
@click.argument("location", metavar="DIR", callback=as_location)
@kind_option
@maps_option
@json_option
@click.pass_obj
def scan(output: Output, location: str, *, kind: str, path_maps: dict[str, str]) -> ExitCode:
    """Read the tracks and crates of a library.

    Exit code 5 if some could not be read, or are missing: the first 20 are told, all of them with --json.
    """
    problems: list[ScanProblem] = []
    with open_client(output) as client:
        outcome = follow_scan(client.library.scan(location, LibraryKind(kind), path_maps), problems, output)
    output.result({"location": location, "outcome": outcome, "problems": problems}, scan_text(outcome))
    return ExitCode.FAILURES if problems else ExitCode.OK


def follow_scan(reports: Iterable[ScanProgress], problems: list[ScanProblem], output: Output) -> ScanProgress:
    """The last report; collects the problems of all, tells the first as they come, and how many more there are."""
    report = ScanProgress()
    for report in reports:
        for problem in report.problems[: max(0, _SAMPLE - len(problems))]:
            output.say(on_one_line(f"{problem.path}: {problem.reason}"))
        problems.extend(report.problems)
    if len(problems) > _SAMPLE:
        output.say(f"and {len(problems) - _SAMPLE:,} more; all of them with `stemhouse library scan DIR --json`")
    if not report.is_complete:
        message = "the library service ended the scan before it was complete"
        raise InternalFault(message)
    return report


def scan_text(outcome: ScanProgress) -> str:
    """The outcome of a scan in a line; what there is none of is left out where it usually is."""
    seldom = {
        "in crates but missing": outcome.missing_count,
        "of our own left alone": outcome.own_count,
        "crates": outcome.crate_count,
    }
    return ", ".join(
        [
            f"{outcome.found_count} tracks: {outcome.added_count} new",
            f"{outcome.updated_count} changed",
            f"{outcome.unchanged_count} unchanged",
            f"{outcome.removed_count} gone",
            *(f"{count} {what}" for what, count in seldom.items() if count),
        ]
    )


@library.command()
@click.argument("location", metavar="[DIR]", required=False, callback=as_location)
@crate_option
@only_option
@click.option("--limit", metavar="N", type=click.IntRange(1, 1000), help="Only the first N, at most 1000.")
@click.option(
    "--probe-vocals",
    "probes_vocals",
    is_flag=True,
    help="First listen to those of the first N (100) whose title does not tell whether they are sung.",
)
@json_option
@click.pass_obj
def tracks(  # noqa: PLR0913  one parameter for each option
    output: Output,
    location: str,
    *,
    crates: tuple[str, ...],
    is_crates_only: bool,
    limit: int | None,
    probes_vocals: bool,
) -> None:
    """The tracks of the catalogue.

    All by path, or those of a library in the order of work, with the reasons.
    """
    if not location and (crates or is_crates_only or probes_vocals):
        raise click.UsageError("--crate and --probe-vocals are about the library that DIR names")
    with open_client(output) as client:
        if location:
            if probes_vocals:
                probes = client.library.probe_tracks(location, crates, is_crates_only=is_crates_only, limit=limit or 0)
                _follow_probes(probes, output)
            listed = client.library.ranked_tracks(location, crates, is_crates_only=is_crates_only)
            ranked = list(islice(listed, limit))
            _tell(output, ranked, map(_ranked_line, ranked))
        else:
            found = list(islice(client.library.tracks(), limit))
            _tell(output, found, map(_line, found))


def _follow_probes(reports: Iterable[ProbeProgress], output: Output) -> None:
    with show_share("listening", output.say) as show:
        for report in reports:
            if report.problem:
                output.say(on_one_line(f"{report.problem.path}: {report.problem.reason}"))
            if report.total_count:
                show(report.done_count / report.total_count)


def _tell(output: Output, found: Sequence[object], lines: Iterable[str]) -> None:
    output.result({"tracks": found}, "\n".join(lines) or "no tracks; `stemhouse library scan DIR` reads some")


@library.command("crates")
@click.argument("location", metavar="[DIR]", required=False, callback=as_location)
@json_option
@click.pass_obj
def list_crates(output: Output, location: str) -> None:
    """The crates and playlists of the catalogue.

    With how many of their files are there.
    """
    with open_client(output) as client:
        found = client.library.crates(location)
    output.result(
        {"crates": found}, "\n".join(map(_crate_line, found)) or "no crates; `stemhouse library scan DIR` reads some"
    )


def _crate_line(crate: Crate) -> str:
    missing = f", {crate.missing_count} missing" if crate.missing_count else ""
    return f"{crate.name}  {crate.track_count} tracks{missing}  {crate.library}"


def _ranked_line(ranked: RankedTrack) -> str:
    because = "; ".join(ranked.reasons)
    return f"{ranked.place:>5}  {_line(ranked.track)}" + (f"\n{'':>7}{because}" if because else "")


def _line(track: Track) -> str:
    name = (
        f"{track.artist} - {track.title}" if track.artist and track.title else track.title or PurePath(track.path).name
    )
    facts = [f"{track.bpm:.0f} BPM" if track.bpm else "", track.key]
    return on_one_line("  ".join([name, *filter(None, facts), track.path]))
