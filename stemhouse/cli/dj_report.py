"""What `stemhouse export-dj` tells: what is to be made, what became of it, and what is to be done next."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stemhouse.cli.cache import size_text
from stemhouse.cli.output import Output, error_document, path_text
from stemhouse.client.dj import Organized, Surveyed
from stemhouse.client.documents import Documents
from stemhouse.errors import InvalidRequest

Told = Callable[[Path], str]
"""How a path is told of what was made."""

_LACKING = "no cues, album or cover, and grids that are heard (`stemhouse library scan DIR` before changes that)"


@dataclass(frozen=True)
class Room:
    """What is to be written below a folder, and what its disk has; None if the system does not tell."""

    place: str
    needed_bytes: int
    free_bytes: int | None

    @property
    def fits(self) -> bool:
        """As far as can be told."""
        return self.free_bytes is None or self.needed_bytes <= self.free_bytes

    def __str__(self) -> str:
        """For people."""
        free = "free space not known" if self.free_bytes is None else f"{size_text(self.free_bytes)} free"
        return f"{self.place}: about {size_text(self.needed_bytes)} to be written, {free}"


def room_for(surveyed: Sequence[Surveyed], place: str, free_bytes: int | None) -> Room:
    """What is there already takes no more."""
    return Room(place, sum(one.size_bytes for one in surveyed if not one.is_there), free_bytes)


def tell_strangers(output: Output, surveyed: Sequence[Surveyed]) -> None:
    """Before they are made: what is known later makes other files."""
    count = sum(1 for one in surveyed if not (one.error or one.is_there or one.library_track))
    if count:
        output.say(f"note: {count} of {len(surveyed)} tracks are in no library that was scanned: {_LACKING}")


def tell_plan(output: Output, surveyed: Sequence[Surveyed], room: Room) -> None:
    """The result of a dry run."""
    document = {
        "tracks": [_plan_document(one) for one in surveyed],
        "needed_bytes": room.needed_bytes,
        "free_bytes": room.free_bytes,
        "fits": room.fits,
    }
    lines = [*map(_plan_text, surveyed), str(room), *([] if room.fits else ["cannot start: it does not fit"])]
    output.result(document, "\n".join(lines))


def require_room(output: Output, room: Room) -> None:
    """Raises InvalidRequest for what does not fit."""
    if not room.fits:
        raise InvalidRequest(f"{room}: it does not fit", {"folder": room.place})
    if room.needed_bytes:
        output.say(str(room))


def _plan_document(one: Surveyed) -> dict[str, Any]:
    return {
        "stem_dir": one.path,
        "is_there": one.is_there,
        "size_bytes": one.size_bytes,
        "library_track": one.library_track,
        "error": error_document(one.error),
    }


def _plan_text(one: Surveyed) -> str:
    if one.error:
        return f"{path_text(one.path)}: {one.error.message}"
    return f"{path_text(one.path)}: {'there already' if one.is_there else f'about {size_text(one.size_bytes)}'}"


def tell_outcome(output: Output, outcome: Organized, name: str, told: Told) -> None:
    """As soon as it is known: tracks take some seconds each."""
    if outcome.error:
        output.say(f"error: {path_text(outcome.path)}: {outcome.error.message}")
    made = outcome.made
    if not made:
        return
    if not made.is_reused:
        output.say(name)
    for warning in made.warnings:
        output.say(f"note: {warning}")
    if made.edited:
        names = ", ".join(file.name for file in made.edited)
        output.say(f"note: {path_text(told(made.folder))}: edited since, and left alone: {names}")


def tell_exports(
    output: Output, outcomes: Sequence[Organized], lists: Documents | None, steps: Sequence[str], told: Told
) -> None:
    """The result: files and lists, and the steps that are left."""
    for warning in lists.warnings if lists else ():
        output.say(f"note: {warning}")
    document = {
        "tracks": [_document(outcome, told) for outcome in outcomes],
        "lists": [told(file) for file in lists.files] if lists else (),
        "lists_are_reused": lists is not None and lists.is_reused,
        "steps": steps,
    }
    lines = [_text(outcome, told) for outcome in outcomes if outcome.made]
    lines += [path_text(told(file)) for file in lists.files] if lists else []
    output.result(document, "\n".join([*lines, *(f"- {step}" for step in steps)]))


def _document(outcome: Organized, told: Told) -> dict[str, Any]:
    made = outcome.made
    return {
        "stem_dir": outcome.path,
        "folder": told(made.folder) if made else None,
        "files": [told(file) for file in made.files] if made else (),
        "is_reused": made is not None and made.is_reused,
        "warnings": made.warnings if made else (),
        "edited": [told(file) for file in made.edited] if made else (),
        "library_track": outcome.found.path if outcome.found else None,
        "error": error_document(outcome.error),
    }


def _text(outcome: Organized, told: Told) -> str:
    made = outcome.made
    if made is None:
        return ""
    state = " (as it was)" if made.is_reused else ""
    return "\n".join(
        [f"{path_text(told(made.folder))}{state}", *(f"  {path_text(Path(file.name))}" for file in made.files[:-1])]
    )
