"""`stemhouse separate`."""

from pathlib import Path

import click

from stemhouse.cli.exit_codes import ExitCode, exit_code_of_all
from stemhouse.cli.output import Output, json_option
from stemhouse.cli.progress import show_progress
from stemhouse.cli.report import outcome_document, outcome_text
from stemhouse.cli.separation import Wish, reference_files, separate_files
from stemhouse.cli.session import open_client
from stemhouse.delivery import DeliveryOptions, FileFormat, SampleFormat
from stemhouse.jobs import DEFAULT_PRIORITY
from stemhouse.vocab import AUTO_ENGINE

_LOWEST_PRIORITY = 1000


def _stem_names(_context: click.Context, _option: click.Parameter, text: str) -> tuple[str, ...]:
    names = dict.fromkeys(name.strip().lower() for name in text.split(","))
    return tuple(name for name in names if name)


@click.command()
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--engine", default=AUTO_ENGINE, show_default=True, help="auto, or an engine that `engines` lists.")
@click.option("--model", default="", help="A model of the engine, as `models list` names it.")
@click.option(
    "--stems", default="", callback=_stem_names, help="Stems to deliver, by comma; also instrumental, acapella."
)
@click.option(
    "--output",
    "output_dir",
    default="stems",
    show_default=True,
    type=click.Path(file_okay=False, writable=True, path_type=Path),
    help="Folder in which each track gets its own.",
)
@click.option("--format", "file_format", default="wav", show_default=True, type=click.Choice([*map(str, FileFormat)]))
@click.option(
    "--bit-depth",
    default="24",
    show_default=True,
    type=click.Choice([*map(str, SampleFormat)]),
    help="32f: float; WAV only.",
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
@click.option("--force", is_flag=True, help="Separate again even if a result is known.")
@click.option(
    "--no-sum-to-mix", "sum_to_mix", flag_value=False, default=True, help="Leave the residual out of the stems."
)
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
) -> ExitCode:
    """Separate audio files and write their stems.

    All files are submitted at once and delivered in order; a file that fails does not stop the others.
    """
    able = FileFormat(file_format).sample_formats
    if bit_depth not in able:
        raise click.UsageError(f"--format {file_format} takes --bit-depth {' or '.join(able)}, not {bit_depth}")
    if reference_dir and len(files) > 1:
        raise click.UsageError("--reference is about one FILE")
    wish = Wish(
        output_dir=output_dir,
        delivery=DeliveryOptions(FileFormat(file_format), SampleFormat(bit_depth), stems),
        engine=engine,
        model=model,
        priority=priority,
        force=force,
        sum_to_mix=sum_to_mix,
        references=reference_files(reference_dir) if reference_dir else {},
    )
    with open_client(output) as client, show_progress(output.say) as progress:
        outcomes = separate_files(client, files, wish, progress)
    output.result(
        {"tracks": [outcome_document(outcome) for outcome in outcomes]},
        "\n".join(outcome_text(outcome) for outcome in outcomes),
    )
    return exit_code_of_all([outcome.error for outcome in outcomes])
