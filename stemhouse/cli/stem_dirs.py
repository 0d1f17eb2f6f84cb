"""What the commands for folders of stems share: arguments, hints, where results go, and how they are told."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from stemhouse.analysis import HIGHEST_BPM, AnalysisHints
from stemhouse.cli.options import NumberRange
from stemhouse.cli.output import Output, path_text
from stemhouse.cli.session import open_client
from stemhouse.client.dj import DJLibrary
from stemhouse.client.production import ProductionClient
from stemhouse.client.program_grids import with_program_grids
from stemhouse.client.receiving import require_place
from stemhouse.client.sdk import Stemhouse
from stemhouse.client.stem_folders import LocalStems
from stemhouse.client.trees import Made
from stemhouse.errors import Unavailable

Command = TypeVar("Command", bound=Callable[..., Any])

stem_dir_type = click.Path(exists=True, file_okay=False, path_type=Path)

stem_dir_argument = click.argument("stem_dir", metavar="STEM_DIR", type=stem_dir_type)
"""One folder: a delivered one, or any with files that are named after stems."""

output_option = click.option(
    "--output",
    "output_dir",
    type=click.Path(file_okay=False, writable=True, path_type=Path),
    help="Folder in which the new one is made. [default: beside STEM_DIR]",
)


def hint_options(command: Command) -> Command:
    """--tag-bpm, --genre."""
    for option in (
        click.option(
            "--genre",
            default="",
            help="Genre, which says what tempo is likely: the one that is heard, its half or its double.",
        ),
        click.option(
            "--tag-bpm",
            default=0.0,
            type=NumberRange(0, HIGHEST_BPM),
            metavar="BPM",
            help="Tempo that the track is known to have; the analysis settles on it where that fits what is heard.",
        ),
    ):
        command = option(command)
    return command


def hints_of(tag_bpm: float, genre: str) -> AnalysisHints:
    """The options as a value."""
    return AnalysisHints(bpm=tag_bpm, genre=genre)


Make = Callable[[ProductionClient, Sequence[LocalStems], Path], Made]
"""Has something made of folders, in a place."""


def make_tree(output: Output, folders: Sequence[LocalStems], output_dir: Path | None, make: Make) -> None:
    """Have something made, in a folder that is there or can be, and tell about it."""
    for stems in folders:
        tell_what_is_left_alone(output, stems)
    place = output_dir or folders[0].path.resolve().parent
    require_place(place)
    with open_client(output) as client:
        made = make(client.production, hinted(output, client, folders), place)
    for warning in made.warnings:
        output.say(f"note: {warning}")
    output.result(_document(made), _text(made))


def hinted(output: Output, client: Stemhouse, folders: Sequence[LocalStems]) -> list[LocalStems]:
    """The folders with what DJ programs know of their beats, if the library can be asked."""
    try:
        return with_program_grids(folders, DJLibrary(client.library))
    except Unavailable as error:
        output.say(f"note: grids of DJ programs do not count, since the library cannot be asked: {error.message}")
        return list(folders)


def tell_what_is_left_alone(output: Output, stems: LocalStems) -> None:
    """Audio beside the stems that somebody may have meant to be one."""
    if stems.left_alone:
        output.say(f"note: {', '.join(stems.left_alone)}: named after no stem, and left alone")


def _document(made: Made) -> dict[str, Any]:
    return {
        "folder": made.folder,
        "files": made.files,
        "is_reused": made.is_reused,
        "warnings": made.warnings,
    }


def _text(made: Made) -> str:
    state = " (unchanged since it was made)" if made.is_reused else ""
    return "\n".join(
        [f"{path_text(made.folder)}{state}", *(f"  {path_text(path.relative_to(made.folder))}" for path in made.files)]
    )
