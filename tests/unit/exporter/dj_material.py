"""A collection with all that can be said of tracks, for whoever writes it."""

from stemhouse.dj import DJCollection, DJFile, DJTrack, Playlist
from stemhouse.tracks import BeatMarker, Cue, CueKind

CUES = (
    Cue(CueKind.CUE, 0.125, slot=0, name="Intro", color="#CC0000"),
    Cue(CueKind.CUE, 30.5, slot=4, name="Drøp 🎶", color="#00AA00"),
    Cue(CueKind.CUE, 61.25),
    Cue(CueKind.LOOP, 45.0, 48.75, slot=1, name="Loop <4>", color="#27AAE1", is_locked=True),
)
FULL = DJTrack(
    title="Jóga & Co (Acapella)",
    artist="Björk",
    album="Homogenic",
    genre="Pop",
    comment='says "more" <here>',
    key="Fm",
    bpm=127.994,
    color="#FF00AA",
    is_grid_locked=True,
    grid=(BeatMarker(0.125, 127.994, 1),),
    cues=CUES,
)
DRIFTING = DJTrack(title="b", bpm=100.0, grid=(BeatMarker(1.0, 100.0, 1), BeatMarker(10.6, 101.25, 1)))
LOCATIONS = (
    "/Users/me/Stems/Jóga & Co #1 100%/Jóga_acapella 🎶.aiff",
    "/Volumes/USB é/Stems/b: c?.flac",
    "C:/Music/Stems/d (e)'s.wav",
)
COLLECTION = DJCollection(
    files=(
        DJFile(LOCATIONS[0], FULL, 12_345_678, 305.4, 44_100, 2_116_800),
        DJFile(LOCATIONS[1], DRIFTING, 1000, 20.0, 48_000, 900_000),
        DJFile(LOCATIONS[2], DJTrack(title="c"), 1000, 20.0, 48_000, 2_304_000),
    ),
    playlists=(
        Playlist(("House", "Deep / Slow"), (1, 0)),
        Playlist(("House",), (2,)),
        Playlist(("Empty",), ()),
    ),
)
