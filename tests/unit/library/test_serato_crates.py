"""Crates of Serato: every record understood or kept, and what is left of damaged ones."""

import random
from pathlib import Path

import pytest
from sidecaramel.db import read_crate

from services.library.core.serato_crates import (
    CrateRecord,
    crate_locations,
    crate_order,
    crate_path_from_file_name,
    parse_crate,
    records_to_bytes,
)
from stemhouse.errors import LibraryRejected
from tests.unit.library.serato_files import crate, record, text, track

PATHS = ("Music/Björk/Jóga.mp3", "Music/日本語/🎧.flac", "Users/me/Music/a.wav")


def test_records_are_in_order_and_nested() -> None:
    """A crate written out byte by byte."""
    data = bytes.fromhex(
        "7672736e 00000038 0031002e0030002f00530065007200610074006f002000530063007200610074006300"
        "68004c00690076006500200043007200610074 0065"
        "6f737274 00000013 7476636e 00000002 0023 62726576 00000001 00"
        "6f74726b 0000000e 7074726b 00000006 0061002f0062"
    )
    version = CrateRecord(b"vrsn", "1.0/Serato ScratchLive Crate".encode("utf-16-be"))
    order = CrateRecord(b"osrt", (CrateRecord(b"tvcn", b"\0#"), CrateRecord(b"brev", b"\0")))
    assert parse_crate(data) == (version, order, CrateRecord(b"otrk", (CrateRecord(b"ptrk", b"\0a\0/\0b"),)))


def test_locations_are_those_of_the_tracks_in_order() -> None:
    """The same file may stand twice."""
    assert crate_locations(parse_crate(crate(*PATHS, PATHS[0]))) == ((*PATHS, PATHS[0]), ())


def test_crate_without_tracks_is_a_crate() -> None:
    """Outer crates are often empty."""
    assert crate_locations(parse_crate(crate())) == ((), ())


def test_what_is_not_known_is_kept() -> None:
    """An unchanged crate gives its own bytes, with tags that nobody has described."""
    unknown = record(b"uxyz", b"\x01\x02\x03") + record(b"onew", b"no records") + record(b"rnew", text(b"tnew", "a"))
    data = crate() + unknown + record(b"otrk", text(b"ptrk", "a.mp3") + record(b"badd", b"\1")) + track("b.mp3")
    records = parse_crate(data)
    assert records_to_bytes(records) == data
    assert CrateRecord(b"uxyz", b"\x01\x02\x03") in records
    assert crate_locations(records) == (("a.mp3", "b.mp3"), ())


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("House.crate", ("House",)),
        ("House%%Deep.crate", ("House", "Deep")),
        ("100% Vinyl%%50%%%x.CRATE", ("100% Vinyl", "50", "%x")),
        ("a.crate.crate", ("a.crate",)),
        ("House%%Deep", ("House", "Deep")),
        ("%%.crate", ("%%",)),
    ],
)
def test_file_name_is_the_path_of_the_crate(name: str, path: tuple[str, ...]) -> None:
    """Two percent signs nest."""
    assert crate_path_from_file_name(name) == path


@pytest.mark.parametrize(
    ("mark", "encoding"), [(b"", "utf-16-be"), (b"\xfe\xff", "utf-16-be"), (b"\xff\xfe", "utf-16-le")]
)
def test_order_of_crates(mark: bytes, encoding: str) -> None:
    """Only lines of crates count; the file has a byte order mark or none."""
    lines = "[begin record]\n[crate]Techno\r\n[crate]House%%Deep\n[other]x\n[end record]\n"
    assert crate_order(mark + lines.encode(encoding)) == (("Techno",), ("House", "Deep"))
    assert crate_order(b"\xff") == ()


@pytest.mark.parametrize(
    "data",
    [b"", b"\0" * 100, b"not a crate" * 50, b"vrsn\xff\xff\xff\xff", text(b"vrsn", "2.0/Serato Scratch LIVE Database")],
)
def test_what_is_no_crate_is_rejected(data: bytes) -> None:
    """It says why."""
    with pytest.raises(LibraryRejected, match="no Serato crate"):
        parse_crate(data)


@pytest.mark.parametrize(
    ("old", "new", "left"),
    [
        (track(PATHS[1]), track(PATHS[1])[:-6], PATHS[::2]),  # bytes are lost
        (track(PATHS[1])[:8], b"otrk\x7f\xff\xff\xff", PATHS),  # its length is wrong, the path's is not
        (track(PATHS[1])[:8], b"otrk\0\0\0\x60", PATHS),  # it swallows the next track
        (track(PATHS[1])[:8], b"ot\0k" + track(PATHS[1])[4:8], PATHS),
        (b"ovct", b"o\0ct", PATHS),
        (text(b"ptrk", PATHS[1]), b"ptrk\xff\xff\xff\xff" + PATHS[1].encode("utf-16-be"), PATHS[::2]),
        (text(b"ptrk", PATHS[1]), record(b"ptrk", b"\xd8\0" * 4), PATHS[::2]),  # no UTF-16
        (text(b"ptrk", PATHS[1]), text(b"ptrk", "a\0b"), PATHS[::2]),
    ],
    ids=["bytes lost", "endless", "swallowing", "no tag", "no column", "endless path", "no UTF-16", "zero in a path"],
)
def test_damage_costs_one_track_at_most(old: bytes, new: bytes, left: tuple[str, ...]) -> None:
    """Those behind it are found, and the damage is said."""
    data = crate(*PATHS).replace(old, new)
    assert data != crate(*PATHS)
    records = parse_crate(data)
    locations, warnings = crate_locations(records)
    assert locations == left
    assert warnings == ("it is damaged or cut in 1 places, where tracks may be lost",)
    assert records_to_bytes(records) == data


def test_damaged_beginning_is_said() -> None:
    """The tracks are there all the same."""
    locations, warnings = crate_locations(parse_crate(b"\0" + crate(*PATHS)[1:]))
    assert locations == PATHS
    assert warnings[0] == "its beginning is damaged"


def test_cut_crate_has_the_tracks_before_the_cut() -> None:
    """At every length: whole tracks, a warning if one is cut, or the rejection of what is no crate yet."""
    data = crate(*PATHS)
    whole = [len(crate(*PATHS[:count])) for count in range(len(PATHS) + 1)]
    between = {64, 91, *whole}  # behind each of the first records
    for length in range(len(data)):
        if length < 64:
            with pytest.raises(LibraryRejected):
                parse_crate(data[:length])
            continue
        locations, warnings = crate_locations(parse_crate(data[:length]))
        assert locations == PATHS[: sum(length >= end for end in whole[1:])]
        assert bool(warnings) == (length not in between)


def test_damage_at_random_never_breaks_the_reader() -> None:
    """Changed bytes give some tracks or a rejection, and whatever was read gives its own bytes."""
    random_ = random.Random(20)  # noqa: S311  # a seeded one, on purpose
    data = crate(*PATHS)
    for _ in range(2000):
        damaged = bytearray(data)
        for _ in range(random_.randint(1, 4)):
            damaged[random_.randrange(len(data))] ^= 1 << random_.randrange(8)
        try:
            records = parse_crate(bytes(damaged))
        except LibraryRejected:
            continue
        assert records_to_bytes(records) == damaged
        assert len(crate_locations(records)[0]) <= len(PATHS)


def test_independent_reader_agrees(tmp_path: Path) -> None:
    """The sidecaramel package finds the same tracks; it makes paths absolute."""
    file = tmp_path / "_Serato_" / "Subcrates" / "House%%Deep.crate"
    file.parent.mkdir(parents=True)
    file.write_bytes(crate(*PATHS))
    theirs = read_crate(str(file))
    assert theirs is not None
    ours, _ = crate_locations(parse_crate(file.read_bytes()))
    assert theirs["track_paths"] == [f"/{path}" for path in ours]
