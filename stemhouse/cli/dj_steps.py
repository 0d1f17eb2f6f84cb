"""What is left to do by hand: DJ programs take files and lists in by themselves only."""

from collections.abc import Iterable
from pathlib import Path

from stemhouse.batches import DJ_FOLDER
from stemhouse.cli.output import path_text
from stemhouse.dj import DJTarget


def import_steps(target: DJTarget, first_list: str, place: str) -> list[str]:
    """How a program is told of what was written, a sentence each; paths are as the program finds them."""
    return list(_STEPS[target](path_text(Path(first_list)), path_text(Path(place))))


def steps_of_batch(targets: Iterable[DJTarget], output_dir: str) -> list[str]:
    """The same of all that a batch has made."""
    steps: list[str] = []
    for target in targets:
        place = Path(output_dir, DJ_FOLDER, target.value)
        steps += import_steps(target, str(place / _FIRST_LISTS[target]), str(place))
    return steps


_FIRST_LISTS = {
    DJTarget.REKORDBOX: "rekordbox.xml",
    DJTarget.SERATO: "_Serato_/Subcrates/Stemhouse.crate",
    DJTarget.TRAKTOR: "playlist.nml",
    DJTarget.STEM_MP4: "Stemhouse - Stems.m3u8",
}
"""Those that the exporter names first."""


def _rekordbox(collection: str, _place: str) -> tuple[str, ...]:
    return (
        f"In Preferences > Advanced > Database choose {collection} as rekordbox xml.",
        "In the tree open rekordbox xml > Playlists > Stemhouse, and import what you want from its menu.",
        "rekordbox keeps what it has imported: it takes new values of a track only if you import that again.",
    )


def _serato(crate: str, place: str) -> tuple[str, ...]:
    crates = path_text(Path(crate).parent)
    return (
        f"Serato DJ up to 3: close it, and copy what is in {crates} into _Serato_/Subcrates of the same drive.",
        "On the internal drive that is in the folder Music of the user.",
        f"Serato DJ 4: drag the folder {place} onto the crates, or the .m3u8 files in it.",
    )


def _traktor(playlist: str, _place: str) -> tuple[str, ...]:
    return (
        f"In Traktor's tree choose Import Playlist from the menu of Playlists, and {playlist}.",
        "Traktor on Windows does not load ALAC, which --alac makes.",
    )


def _stem_mp4(playlist: str, _place: str) -> tuple[str, ...]:
    return (
        f"Mixxx 2.6 and later: import {playlist} as a playlist.",
        "Traktor: drag the files onto a deck, or take --target traktor, which makes a playlist with grids.",
    )


_STEPS = {
    DJTarget.REKORDBOX: _rekordbox,
    DJTarget.SERATO: _serato,
    DJTarget.TRAKTOR: _traktor,
    DJTarget.STEM_MP4: _stem_mp4,
}
