"""`stemhouse export-dj`: stems as DJ programs take them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import click

from stemhouse.cli.dj_report import require_room, room_for, tell_exports, tell_outcome, tell_plan, tell_strangers
from stemhouse.cli.dj_steps import import_steps
from stemhouse.cli.exit_codes import exit_code_of_all
from stemhouse.cli.locations import as_destination, as_path_maps
from stemhouse.cli.output import Output, json_option, path_text
from stemhouse.cli.session import open_client
from stemhouse.cli.stem_dirs import hint_options, hints_of, stem_dir_type
from stemhouse.client.dj import DJLibrary, DJPlace, Options, Organized, StemOrganizer, Surveyed
from stemhouse.client.dj_destinations import PREFIX_SCHEME, Destination, open_destination
from stemhouse.client.dj_locations import ProgramLocations
from stemhouse.delivery import FileFormat, SampleFormat
from stemhouse.dj import DJ_SAMPLE_FORMATS, TARGET_FORMATS, DJTarget, OrganizeOptions, StemChoice, StemFileOptions
from stemhouse.production import TREE_RECORD

_FORMATS = [*dict.fromkeys(str(file_format) for formats in TARGET_FORMATS.values() for file_format in formats)]

_TRACK, _MIRROR = "track", "mirror"
_ANY, _NONE = "any", "none"


@click.command("export-dj")
@click.argument("stem_dirs", nargs=-1, required=True, metavar="STEM_DIR...", type=stem_dir_type)
@click.option("--target", required=True, type=click.Choice([*map(str, DJTarget)]), help="Who takes the files.")
@click.option(
    "--output",
    "output_dir",
    callback=as_destination,
    metavar="DIR|s3://BUCKET/PREFIX",
    help="Where all tracks of this target go: a folder, or a prefix of an object store. [default: ./dj/TARGET]",
)
@click.option(
    "--stems",
    type=click.Choice([*map(str, StemChoice)]),
    help="dj: acapella and instrumental; four; all: these and any other. [default: dj; a stem file has four]",
)
@click.option(
    "--format",
    "file_format",
    type=click.Choice(_FORMATS),
    help="rekordbox: aiff or wav; serato: flac or aiff. [default: the first]",
)
@click.option(
    "--bit-depth",
    type=click.Choice([*map(str, DJ_SAMPLE_FORMATS)]),
    help="Of AIFF, WAV and FLAC. [default: 24]",
)
@click.option("--alac", is_flag=True, help="Stem files without loss, several times as large.")
@click.option(
    "--name",
    "name_template",
    metavar="TEMPLATE",
    help="Of files: {stem}, {title}, {artist}, {bpm}, {camelot}, {engine}. [default: {title}_{stem}]",
)
@click.option(
    "--drive-root",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Root of the drive, of which crates name files relative to it. [default: where the volume is mounted]",
)
@click.option(
    "--map",
    "path_maps",
    metavar="THERE=HERE",
    multiple=True,
    callback=as_path_maps,
    help="Where a DJ program on another machine finds what is HERE: /Volumes/USB=/mnt/usb, D:/=/mnt/d. Repeatable.",
)
@click.option(
    "--layout",
    default=_TRACK,
    show_default=True,
    type=click.Choice([_TRACK, _MIRROR]),
    help="All tracks' folders side by side, or in folders as the library has them.",
)
@click.option(
    "--grids-of",
    default=_ANY,
    show_default=True,
    type=click.Choice([_ANY, "rekordbox", "serato", "traktor", _NONE]),
    help="Whose grids and cues count first, of the programs whose libraries were scanned; none: our own grid.",
)
@click.option(
    "--mp3-origin",
    "moves_origin",
    is_flag=True,
    help="Move a grid that lies 20 to 30 ms off the drums, which is the silence of an MP3 encoder, and its cues.",
)
@click.option("--dry-run", is_flag=True, help="Tell what is to be made, and the room that it takes; make nothing.")
@hint_options
@json_option
@click.pass_obj
def export_dj(  # noqa: PLR0913  one parameter for each option
    output: Output,
    stem_dirs: tuple[Path, ...],
    *,
    target: str,
    output_dir: str,
    stems: str | None,
    file_format: str | None,
    bit_depth: str | None,
    alac: bool,
    name_template: str | None,
    drive_root: Path | None,
    path_maps: dict[str, str],
    layout: str,
    grids_of: str,
    moves_origin: bool,
    dry_run: bool,
    tag_bpm: float,
    genre: str,
) -> int:
    """Make folders of stems into what a DJ program takes.

    Each STEM_DIR becomes a folder of tagged files below the output, beside which a collection, crates or playlists name
    all that is there. Files that are there stay as they are, also where a program has written into them. Grids, cues,
    key, album and cover are what the scanned library has of the track; what it has not is heard from the stems.
    """
    taker = DJTarget(target)
    plain = _options(taker, stems, file_format, name_template, is_lossless=alac)
    options = _in_bits(replace(plain, moves_origin=moves_origin), bit_depth)
    if output_dir.startswith(PREFIX_SCHEME) and drive_root:
        raise click.UsageError("--drive-root is a folder here: for an object store --map tells the drive")
    goes_to = output_dir or str(Path("dj", target))
    with open_destination(goes_to, path_maps, tidies=not dry_run) as destination, open_client(output) as client:
        place = DJPlace(destination.folder, drive_root, layout == _MIRROR, destination.path_maps)
        library = None if grids_of == _NONE else DJLibrary(client.library, _program(taker, grids_of))
        organizer = StemOrganizer(client.production, taker, place, library)
        if len(stem_dirs) > 1:
            output.say(f"reading {len(stem_dirs)} folders of stems")
        surveyed = [*organizer.survey(stem_dirs, options, hints_of(tag_bpm, genre))]
        room = room_for(surveyed, path_text(destination.told(place.output_dir.resolve())), destination.free_bytes())
        if library:
            tell_strangers(output, surveyed)
        if dry_run:
            tell_plan(output, surveyed, room)
            return exit_code_of_all([one.error for one in surveyed])
        require_room(output, room)
        outcomes = [*_organized(organizer, surveyed, options, output, destination)]
        lists = organizer.write_lists()
        if lists:
            destination.keep([*lists.files, destination.folder / TREE_RECORD])
    has_files = any(outcome.made for outcome in outcomes)
    there = ProgramLocations(destination.path_maps)
    told = [there.of(path.resolve()) for path in (lists.files[0], place.output_dir)] if lists and has_files else []
    steps = import_steps(taker, *told) if told else []
    tell_exports(output, outcomes, lists, steps, destination.told)
    return exit_code_of_all([outcome.error for outcome in outcomes])


def _organized(
    organizer: StemOrganizer,
    surveyed: Sequence[Surveyed],
    options: Options,
    output: Output,
    destination: Destination,
) -> Iterator[Organized]:
    """What becomes of each folder, in order, told as it does, and kept."""
    made = organizer.organize([one.stems for one in surveyed if one.stems], options)
    for number, one in enumerate(surveyed, 1):
        outcome = next(made) if one.stems else Organized(one.path, error=one.error)
        if outcome.made:
            destination.keep(outcome.made.files)
        tell_outcome(output, outcome, f"{number}/{len(surveyed)} {path_text(one.path)}", destination.told)
        yield outcome


def _program(target: DJTarget, grids_of: str) -> str:
    """A program's own word counts first for what it takes itself."""
    if grids_of != _ANY:
        return grids_of
    return "" if target is DJTarget.STEM_MP4 else target.value


def _options(
    target: DJTarget,
    stems: str | None,
    file_format: str | None,
    template: str | None,
    *,
    is_lossless: bool,
) -> OrganizeOptions | StemFileOptions:
    """Raises click.UsageError for what does not fit the target."""
    if target not in TARGET_FORMATS:
        if stems or file_format:
            raise click.UsageError(f"--target {target} makes stem files: leave --stems and --format out")
        return StemFileOptions(is_lossless, template or StemFileOptions.name_template)
    if is_lossless:
        raise click.UsageError(f"--alac is for stem files, not for --target {target}")
    if file_format and file_format not in TARGET_FORMATS[target]:
        raise click.UsageError(f"--target {target} takes --format {' or '.join(TARGET_FORMATS[target])}")
    return OrganizeOptions(
        target=target,
        stems=StemChoice(stems) if stems else OrganizeOptions.stems,
        file_format=FileFormat(file_format) if file_format else None,
        name_template=template or OrganizeOptions.name_template,
    )


def _in_bits(options: Options, bit_depth: str | None) -> Options:
    """Raises click.UsageError for stem files, whose codecs have no choice."""
    if not bit_depth:
        return options
    if isinstance(options, StemFileOptions):
        raise click.UsageError("stem files have no --bit-depth")
    return replace(options, sample_format=SampleFormat(bit_depth))
