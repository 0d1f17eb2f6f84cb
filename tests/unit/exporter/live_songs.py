"""Songs for Live sets, and what is in the sets written of them."""

import gzip
from collections.abc import Sequence

from lxml import etree
from lxml.etree import _Element

from services.exporter.core.ableton.exporter import AbletonProjectExporter
from services.exporter.core.ableton.model import (
    BASS_BLUE,
    DRUMS_GREEN,
    ORIGINAL_GREY,
    OTHER_ORANGE,
    VOCALS_PINK,
    LiveSet,
    LiveSong,
    LiveTrack,
    SampleFile,
)
from services.exporter.core.ableton.profiles import LiveProfile
from stemhouse.analysis import BeatGrid, GridMarker, Section

COLORS = {"Vocals": VOCALS_PINK, "Drums": DRUMS_GREEN, "Bass": BASS_BLUE, "Other": OTHER_ORANGE}
RATE_HZ = 44_100


def grid(bpm: float, *markers: tuple[float, float], beats_per_bar: int = 4) -> BeatGrid:
    """A grid through these times and beats."""
    return BeatGrid(bpm, tuple(GridMarker(*marker) for marker in markers), bpm, beats_per_bar)


def song(beats: BeatGrid, title: str = "Jóga", seconds: float = 60.0, sections: Sequence[Section] = ()) -> LiveSong:
    """Four stems and the original."""
    samples = {name: SampleFile(f"{name}.wav", 1000, round(seconds * RATE_HZ), RATE_HZ) for name in (*COLORS, "Mix")}
    stems = tuple(LiveTrack(name, color, samples[name]) for name, color in COLORS.items())
    original = LiveTrack("Original", ORIGINAL_GREY, samples["Mix"], is_muted=True)
    return LiveSong(title, beats, stems, original, tuple(sections))


def read_set(live_set: LiveSet, profile: LiveProfile) -> _Element:
    """The `LiveSet` element of a set."""
    data = gzip.decompress(AbletonProjectExporter().build(live_set, profile))
    live = etree.fromstring(data).find("LiveSet")
    assert live is not None
    return live


def values(element: _Element, path: str) -> list[str]:
    """`Value` of everything at a path."""
    return [str(found.get("Value")) for found in element.iterfind(path)]


def value(element: _Element, path: str) -> str:
    """`Value` of the only thing at a path."""
    [found] = values(element, path)
    return found


def markers(clip: _Element) -> list[tuple[float, float]]:
    """Times and beats of a clip's warp markers."""
    found = clip.iterfind("WarpMarkers/WarpMarker")
    return [(float(marker.attrib["SecTime"]), float(marker.attrib["BeatTime"])) for marker in found]
