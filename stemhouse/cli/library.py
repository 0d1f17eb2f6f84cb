"""`stemhouse library`."""

from collections.abc import Iterable
from pathlib import Path

import click

from stemhouse.cli.exit_codes import ExitCode
from stemhouse.cli.output import Output, json_option
from stemhouse.cli.session import open_client
from stemhouse.errors import InternalFault
from stemhouse.tracks import ScanProblem, ScanProgress, Track

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group()
def library() -> None:
    """Read folders of music into the catalogue; nothing in them is ever changed."""


@library.command()
@click.argument("folder", metavar="DIR", type=_FOLDER)
@json_option
@click.pass_obj
def scan(output: Output, folder: Path) -> ExitCode:
    """Read the tracks below a folder; exit code 5 if some could not be read."""
    problems: list[ScanProblem] = []
    with open_client(output) as client:
        outcome = _follow(client.scan(str(folder.resolve())), problems, output)
    document = {"folder": folder.resolve(), "outcome": outcome, "problems": problems}
    output.result(document, _scan_text(outcome))
    return ExitCode.FAILURES if problems else ExitCode.OK


def _follow(reports: Iterable[ScanProgress], problems: list[ScanProblem], output: Output) -> ScanProgress:
    """The last report; collects the problems of all, and tells them as they come."""
    report = ScanProgress()
    for report in reports:
        for problem in report.problems:
            output.say(f"{problem.path}: {problem.reason}")
        problems.extend(report.problems)
    if not report.is_complete:
        message = "the library service ended the scan before it was complete"
        raise InternalFault(message)
    return report


def _scan_text(outcome: ScanProgress) -> str:
    return (
        f"{outcome.found_count} tracks: {outcome.added_count} new, {outcome.updated_count} changed, "
        f"{outcome.unchanged_count} unchanged, {outcome.removed_count} gone"
    )


@library.command()
@click.argument("folder", metavar="[DIR]", required=False, type=_FOLDER)
@json_option
@click.pass_obj
def tracks(output: Output, folder: Path | None) -> None:
    """The tracks of the catalogue: all, or those below a folder."""
    with open_client(output) as client:
        found = list(client.tracks(str(folder.resolve()) if folder else ""))
    output.result(
        {"tracks": found}, "\n".join(map(_line, found)) or "no tracks; `stemhouse library scan DIR` reads some"
    )


def _line(track: Track) -> str:
    name = f"{track.artist} - {track.title}" if track.artist and track.title else track.title or Path(track.path).name
    facts = [f"{track.bpm:.0f} BPM" if track.bpm else "", track.key]
    return "  ".join([name, *filter(None, facts), track.path])
