"""`stemhouse separate`."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from stemhouse.cli.dry_run import plan_files, planned_document, planned_text
from stemhouse.cli.exit_codes import ExitCode, exit_code_of_all
from stemhouse.cli.options import choice_options, cloud_option, delivery_of, delivery_options, engine_options
from stemhouse.cli.output import Output, json_option
from stemhouse.cli.progress import show_progress
from stemhouse.cli.report import outcome_document, outcome_text
from stemhouse.cli.separation import reference_files, separate_files
from stemhouse.cli.session import open_client
from stemhouse.cli.wish import Wish
from stemhouse.client.receiving import require_place
from stemhouse.jobs import DEFAULT_PRIORITY, Preset

_LOWEST_PRIORITY = 1000


class _TrackFile(click.Path):
    """A file that is there; whoever names a folder is told what takes folders."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """See click.ParamType.convert."""
        if os.path.isdir(value):  # noqa: PTH112  what click gives may be bytes
            self.fail(f"{click.format_filename(value)} is a directory: `stemhouse batch DIR` separates one", param, ctx)
        return super().convert(value, param, ctx)


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=_TrackFile(exists=True, path_type=Path))
@engine_options
@choice_options
@cloud_option("each FILE")
@delivery_options
@click.option(
    "--output",
    "output_dir",
    default="stems",
    show_default=True,
    type=click.Path(file_okay=False, writable=True, path_type=Path),
    help="Folder in which each track gets its own.",
)
@click.option(
    "--reference",
    "reference_dir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of true stems (vocals.wav, drums.wav, ...) to measure against.",
)
@click.option(
    "--priority",
    default=DEFAULT_PRIORITY,
    show_default=True,
    type=click.IntRange(0, _LOWEST_PRIORITY),
    help="0 is first, 1000 last.",
)
@click.option("--dry-run", is_flag=True, help="Tell which engine, why, how long and at what cost; start nothing.")
@json_option
@click.pass_obj
def separate(  # noqa: PLR0913  one parameter for each option
    output: Output,
    files: tuple[Path, ...],
    *,
    engine: str,
    model: str,
    stems: tuple[str, ...],
    output_dir: Path,
    file_format: str,
    bit_depth: str,
    reference_dir: Path | None,
    priority: int,
    force: bool,
    sum_to_mix: bool,
    preset: str,
    is_difficult: bool,
    cloud_minutes: float,
    dry_run: bool,
) -> ExitCode:
    """Separate audio files and write their stems.

    All files are submitted at once and delivered in order; a file that fails does not stop the others.
    """
    delivery = delivery_of(file_format, bit_depth, stems)
    if reference_dir and len(files) > 1:
        raise click.UsageError("--reference is about one FILE")
    wish = Wish(
        output_dir=output_dir,
        delivery=delivery,
        engine=engine,
        model=model,
        priority=priority,
        force=force,
        sum_to_mix=sum_to_mix,
        references=reference_files(reference_dir) if reference_dir else {},
        preset=Preset(preset),
        is_difficult=is_difficult,
        cloud_minutes=cloud_minutes,
    )
    return _plan(output, files, wish) if dry_run else _run(output, files, wish)


def _plan(output: Output, files: Sequence[Path], wish: Wish) -> ExitCode:
    with open_client(output) as client:
        planned = plan_files(client, files, wish)
    output.result({"tracks": list(map(planned_document, planned))}, "\n".join(map(planned_text, planned)))
    return exit_code_of_all([file.error for file in planned])


def _run(output: Output, files: Sequence[Path], wish: Wish) -> ExitCode:
    require_place(wish.output_dir)
    with open_client(output) as client, show_progress(output.say) as progress:
        outcomes = separate_files(client, files, wish, progress)
    output.result(
        {"tracks": [outcome_document(outcome) for outcome in outcomes]},
        "\n".join(outcome_text(outcome) for outcome in outcomes),
    )
    return exit_code_of_all([outcome.error for outcome in outcomes])
