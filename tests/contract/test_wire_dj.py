"""What DJ programs get survives the wire, and bad messages are refused by field."""

from dataclasses import fields, replace

import pytest

from stemhouse.delivery import FileFormat
from stemhouse.dj import (
    TARGET_FORMATS,
    DJCollection,
    DJFile,
    DJTarget,
    DJTrack,
    OrganizeOptions,
    Playlist,
    PlaylistOptions,
    StemChoice,
    StemFileOptions,
)
from stemhouse.errors import InvalidRequest
from stemhouse.tracks import BeatMarker, Cue, CueKind
from stemhouse.wire import dj as wire
from tests.contract.test_wire_production import FOLDER

TRACK = DJTrack(
    title="Jóga (Acapella)",
    artist="Björk",
    album="Homogenic",
    genre="Pop",
    comment="why",
    key="Fm",
    bpm=127.99,
    color="#FF00AA",
    is_grid_locked=True,
    gain_db=-6.5,
    grid=(BeatMarker(0.125, 127.99, 1),),
    cues=(Cue(CueKind.LOOP, 1.5, 2.5, 0, "Intro", "#CC0000", is_locked=True),),
)
FILE = DJFile("/Volumes/USB é/a.aiff", TRACK, 5_000_000_000, 305.4, 44_100, 2_116_800)
COLLECTION = DJCollection((FILE, replace(FILE, location="C:/b.aiff")), (Playlist(("Stemhouse", "Acapella"), (1, 0)),))
LISTS = PlaylistOptions(DJTarget.SERATO, "/Volumes/USB é/dj", "/Volumes/USB é")
FULL = OrganizeOptions(DJTarget.REKORDBOX, StemChoice.ALL, FileFormat.WAV, "{artist} {stem}")


def test_examples_leave_no_field_at_its_default() -> None:
    """So that a field forgotten in the translation cannot hide behind a default."""
    for value in (TRACK, FILE, COLLECTION, LISTS, FULL, StemFileOptions(is_lossless=True, name_template="{bpm}")):
        defaults = {field.name: field.default for field in fields(value)}
        assert [name for name, default in defaults.items() if getattr(value, name) == default] == []


def test_requests_survive() -> None:
    """Each kind, in full and with defaults."""
    for choice in StemChoice:
        for target in TARGET_FORMATS:
            for options in (OrganizeOptions(target, choice), replace(FULL, stems=choice)):
                message = wire.organize_request_to_proto(FOLDER, options)
                assert wire.organize_request_from_proto(message) == (FOLDER, options)
    for stem_file in (StemFileOptions(), StemFileOptions(is_lossless=True, name_template="{bpm}")):
        request = wire.stem_file_request_to_proto(FOLDER, stem_file)
        assert wire.stem_file_request_from_proto(request) == (FOLDER, stem_file)
    for target in DJTarget:
        for collection in (COLLECTION, DJCollection((replace(FILE, track=DJTrack("bare")),), ())):
            lists = replace(LISTS, target=target)
            asked = wire.playlists_request_to_proto(collection, lists)
            assert wire.playlists_request_from_proto(asked) == (collection, lists)


@pytest.mark.parametrize(
    ("field", "options"),
    [
        ("target", OrganizeOptions(DJTarget.TRAKTOR)),
        ("file_format", OrganizeOptions(DJTarget.SERATO, file_format=FileFormat.WAV)),
        ("name_template", OrganizeOptions(DJTarget.SERATO, name_template="{stem}" * 50)),
    ],
)
def test_files_that_no_target_takes_are_refused(field: str, options: OrganizeOptions) -> None:
    """By the name of the field."""
    with pytest.raises(InvalidRequest) as caught:
        wire.organize_request_from_proto(wire.organize_request_to_proto(FOLDER, options))
    assert list(caught.value.details) == [field]


@pytest.mark.parametrize(
    ("field", "collection", "lists"),
    [
        ("files[0].location", DJCollection((replace(FILE, location=""),), ()), LISTS),
        ("files[0].duration_s", DJCollection((replace(FILE, duration_s=float("nan")),), ()), LISTS),
        ("files[0].track", DJCollection((replace(FILE, track=replace(TRACK, bpm=float("inf"))),), ()), LISTS),
        ("files[0].track.color", DJCollection((replace(FILE, track=replace(TRACK, color="red")),), ()), LISTS),
        ("playlists[0].files", replace(COLLECTION, playlists=(Playlist(("a",), (2,)),)), LISTS),
        ("playlists[0].path", replace(COLLECTION, playlists=(Playlist((), (0,)),)), LISTS),
        ("volume_root", COLLECTION, replace(LISTS, volume_root="")),
    ],
)
def test_lists_of_what_is_not_there_are_refused(field: str, collection: DJCollection, lists: PlaylistOptions) -> None:
    """By the name of the field."""
    with pytest.raises(InvalidRequest) as caught:
        wire.playlists_request_from_proto(wire.playlists_request_to_proto(collection, lists))
    assert list(caught.value.details) == [field]
