"""`stemhouse analyze`, `export-ableton`, `stretch` and `chops`: what producers make of folders of stems."""

from pathlib import Path

import click

from stemhouse.analysis import HIGHEST_BPM, TrackAnalysis
from stemhouse.cli.options import NumberRange, delivery_of, stem_names
from stemhouse.cli.output import Output, json_option, path_text
from stemhouse.cli.progress import show_share
from stemhouse.cli.session import open_client
from stemhouse.cli.stem_dirs import (
    hint_options,
    hinted,
    hints_of,
    make_tree,
    output_option,
    stem_dir_argument,
    stem_dir_type,
    tell_what_is_left_alone,
)
from stemhouse.client.stem_folders import read_stem_folder
from stemhouse.delivery import FileFormat, SampleFormat
from stemhouse.production import (
    LONGEST_RATIO,
    LOWEST_BPM,
    SHORTEST_RATIO,
    AbletonOptions,
    ChopGrid,
    ChopOptions,
    StretchOptions,
)

_BPM = NumberRange(LOWEST_BPM, HIGHEST_BPM)
_CHOP_S = NumberRange(0.01, 600)
_FORMATS = [str(file_format) for file_format in FileFormat if not file_format.is_lossy]


@click.command()
@stem_dir_argument
@hint_options
@json_option
@click.pass_obj
def analyze(output: Output, stem_dir: Path, *, tag_bpm: float, genre: str) -> None:
    """Tell the beats, key and parts of a track by its stems."""
    stems = read_stem_folder(stem_dir, hints_of(tag_bpm, genre))
    tell_what_is_left_alone(output, stems)
    with open_client(output) as client:
        analysis = client.production.analyze(*hinted(output, client, [stems]))
    output.result({"folder": stem_dir, "analysis": analysis}, _analysis_text(stem_dir, analysis))


@click.command("export-ableton")
@click.argument("stem_dirs", nargs=-1, required=True, metavar="STEM_DIR...", type=stem_dir_type)
@click.option("--bpm", type=_BPM, help="Tempo of the set. [default: that of the first song with a beat]")
@output_option
@hint_options
@json_option
@click.pass_obj
def export_ableton(  # noqa: PLR0913  one parameter for each option
    output: Output,
    stem_dirs: tuple[Path, ...],
    *,
    bpm: float | None,
    output_dir: Path | None,
    tag_bpm: float,
    genre: str,
) -> None:
    """Make a project of Ableton Live of folders of stems.

    Each STEM_DIR becomes a group of warped tracks, with the original, muted, beside it; all in one tempo. Sets are
    written for Live 11 and later, and for Live 10. A project that is there is left alone: the new one is "NAME (2)".
    """
    songs = [read_stem_folder(stem_dir, hints_of(tag_bpm, genre)) for stem_dir in stem_dirs]
    options = AbletonOptions(bpm)
    make_tree(output, songs, output_dir, lambda client, given, place: client.export_ableton(given, options, place))


@click.command()
@stem_dir_argument
@click.option("--ratio", type=NumberRange(SHORTEST_RATIO, LONGEST_RATIO), help="Length against what it was: 0.5 to 2.")
@click.option("--bpm", type=_BPM, help="Tempo to reach.")
@click.option("--stems", default="", callback=stem_names, help="Stems to write, by comma. [default: all]")
@click.option("--format", "file_format", default="wav", show_default=True, type=click.Choice(_FORMATS))
@click.option(
    "--bit-depth",
    default=SampleFormat.PCM24.value,
    show_default=True,
    type=click.Choice([*map(str, SampleFormat)]),
    help="32f: float; WAV only.",
)
@output_option
@hint_options
@json_option
@click.pass_obj
def stretch(  # noqa: PLR0913  one parameter for each option
    output: Output,
    stem_dir: Path,
    *,
    ratio: float | None,
    bpm: float | None,
    stems: tuple[str, ...],
    file_format: str,
    bit_depth: str,
    output_dir: Path | None,
    tag_bpm: float,
    genre: str,
) -> None:
    """Make stems longer or shorter at the same pitch.

    All stems of STEM_DIR go through it together, so that they still add up.
    """
    if (ratio is None) == (bpm is None):
        raise click.UsageError("give either --ratio or --bpm")
    options = StretchOptions(ratio, bpm, delivery_of(file_format, bit_depth, stems))
    folder = read_stem_folder(stem_dir, hints_of(tag_bpm, genre))
    with show_share("stretching", output.say) as show:
        make_tree(
            output, [folder], output_dir, lambda client, given, place: client.stretch(given[0], options, place, show)
        )


@click.command()
@stem_dir_argument
@click.option("--stem", default=ChopOptions().stem, show_default=True, help="Stem to cut.")
@click.option(
    "--grid",
    default=ChopGrid.FREE.value,
    show_default=True,
    type=click.Choice([*map(str, ChopGrid)]),
    help="Where chops begin: at onsets, or on the beats' grid.",
)
@click.option("--phrases", is_flag=True, help="Cut whole phrases, from silence to silence.")
@click.option("--shortest", default=ChopOptions().shortest_s, show_default=True, type=_CHOP_S, help="Seconds.")
@click.option("--longest", default=ChopOptions().longest_s, show_default=True, type=_CHOP_S, help="Seconds.")
@output_option
@hint_options
@json_option
@click.pass_obj
def chops(  # noqa: PLR0913  one parameter for each option
    output: Output,
    stem_dir: Path,
    *,
    stem: str,
    grid: str,
    phrases: bool,
    shortest: float,
    longest: float,
    output_dir: Path | None,
    tag_bpm: float,
    genre: str,
) -> None:
    """Cut a stem into pieces, with an index and a sampler kit.

    The index is there as JSON and as CSV, the kit as SFZ.
    """
    if 2 * shortest > longest:
        raise click.UsageError("--longest must be at least twice --shortest: a piece between them could not be cut")
    options = ChopOptions(stem.lower(), ChopGrid(grid), shortest, longest, is_by_phrase=phrases)
    folder = read_stem_folder(stem_dir, hints_of(tag_bpm, genre))
    make_tree(output, [folder], output_dir, lambda client, given, place: client.create_chops(given[0], options, place))


def _analysis_text(stem_dir: Path, analysis: TrackAnalysis) -> str:
    lines = [path_text(stem_dir), f"  {'length':<10}{analysis.duration_s:.2f} s"]
    grid, key = analysis.grid, analysis.key
    if grid:
        manner = "throughout" if grid.is_constant else f"on the whole; it drifts, {len(grid.markers)} markers"
        lines.append(f"  {'tempo':<10}{grid.bpm:.2f} BPM {manner}, first downbeat at {grid.markers[0].time_s:.3f} s")
    if key:
        lines.append(f"  {'key':<10}{key.name} ({key.camelot}), confidence {key.confidence:.2f}")
    lines += [
        f"  {'part':<10}{section.start_s:8.2f} to {section.end_s:8.2f} s  {section.label}"
        for section in analysis.sections
    ]
    if analysis.note:
        lines.append(f"  {'note':<10}{analysis.note}")
    return "\n".join(lines)
