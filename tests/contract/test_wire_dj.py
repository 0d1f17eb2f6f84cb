"""What DJ programs get survives the wire, and bad messages are refused by field."""

from dataclasses import fields, replace

import pytest

from stemhouse.delivery import FileFormat, SampleFormat
from stemhouse.dj import (
    TARGET_FORMATS,
    DJCollection,
    DJFile,
    DJOrder,
    DJTarget,
    DJTrack,
    FoundTrack,
    KnownTrack,
    OrganizeOptions,
    Playlist,
    PlaylistOptions,
    StemChoice,
    StemFileOptions,
    TrackClue,
)
from stemhouse.errors import InvalidRequest
from stemhouse.platform.limits import LimitSettings
from stemhouse.tracks import BeatMarker, Cue, CueKind
from stemhouse.v1 import library_pb2
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
FULL = OrganizeOptions(
    DJTarget.REKORDBOX,
    StemChoice.ALL,
    FileFormat.WAV,
    "{artist} {stem}",
    moves_origin=True,
    sample_format=SampleFormat.PCM16,
)
FULL_FILE = StemFileOptions(is_lossless=True, name_template="{bpm}", moves_origin=True)
ORDER = DJOrder(KnownTrack(TRACK, "serato", b"\xff\xd8\xff"), "key")
CLUE = TrackClue("a" * 64, 5_000_000_000, "Jóga.mp3", 305.4)
FOUND = FoundTrack("/music/Jóga.mp3", ORDER.known, ("House/Deep", "All"), "Björk/1997", (3, 0))


def test_examples_leave_no_field_at_its_default() -> None:
    """So that a field forgotten in the translation cannot hide behind a default."""
    for value in (TRACK, FILE, COLLECTION, LISTS, FULL, FULL_FILE, ORDER, ORDER.known, CLUE, FOUND):
        defaults = {field.name: field.default for field in fields(value)}
        assert [name for name, default in defaults.items() if getattr(value, name) == default] == []


def test_requests_survive() -> None:
    """Each kind, in full and with defaults."""
    for choice in StemChoice:
        for target in TARGET_FORMATS:
            for options in (OrganizeOptions(target, choice), replace(FULL, stems=choice)):
                message = wire.organize_request_to_proto(FOLDER, options, ORDER)
                assert wire.organize_request_from_proto(message) == (FOLDER, options, ORDER)
    for stem_file in (StemFileOptions(), FULL_FILE):
        request = wire.stem_file_request_to_proto(FOLDER, stem_file, DJOrder())
        assert wire.stem_file_request_from_proto(request) == (FOLDER, stem_file, DJOrder())
    for target in DJTarget:
        for collection in (COLLECTION, DJCollection((replace(FILE, track=DJTrack("bare")),), ())):
            lists = replace(LISTS, target=target)
            asked = wire.playlists_requests_to_proto(collection, lists)
            assert wire.playlists_requests_from_proto(asked) == (collection, lists)


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
        wire.organize_request_from_proto(wire.organize_request_to_proto(FOLDER, options, ORDER))
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
    """By the name of the field, in whichever message it comes."""
    with pytest.raises(InvalidRequest) as caught:
        wire.playlists_requests_from_proto(wire.playlists_requests_to_proto(collection, lists))
    assert list(caught.value.details) == [field]


def test_collection_of_any_size_fits_into_messages() -> None:
    """More than one could hold: 20,000 files with a beat grid each; lists go on from message to message."""
    track = replace(TRACK, grid=TRACK.grid * 8)
    files = tuple(replace(FILE, location=f"/Volumes/USB/{number}.aiff", track=track) for number in range(20_000))
    collection = DJCollection(files, (Playlist(("Stemhouse", "All"), tuple(range(20_000)) * 6),))
    messages = [*wire.playlists_requests_to_proto(collection, LISTS)]
    assert max(message.ByteSize() for message in messages) < LimitSettings().message_bytes / 2
    assert wire.playlists_requests_from_proto(messages) == (collection, LISTS)


def test_tracks_are_found_by_clues() -> None:
    """A request of the most clues, and no more; answers tell which of them they are about."""
    asked = library_pb2.FindTracksRequest(clues=[wire.clue_to_proto(CLUE)] * wire.MOST_CLUES)
    assert wire.clues_from_proto(asked) == (CLUE,) * wire.MOST_CLUES
    asked.clues.append(wire.clue_to_proto(CLUE))
    with pytest.raises(InvalidRequest):
        wire.clues_from_proto(asked)
    assert wire.found_track_from_proto(wire.found_track_to_proto(3, FOUND)) == (3, FOUND)
