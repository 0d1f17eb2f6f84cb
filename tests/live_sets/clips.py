"""Where clips begin and end, and how their beats lie in their samples."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from xml.etree.ElementTree import Element

import numpy as np
import numpy.typing as npt

from tests.live_sets.reading import (
    SetFile,
    Unreadable,
    all_clips,
    arrangement_clips,
    child,
    group_of,
    number,
    number_attribute,
    session_clips,
    text,
    track_name,
)

HIDDEN_BEATS = 1 / 32
"""How far behind the last visible marker the one stands that holds the tempo after it."""
NEAR_BEATS = 1e-6
LOOP_BOUNDS = ("LoopStart", "LoopEnd", "OutMarker", "HiddenLoopStart", "HiddenLoopEnd")
WARP_MODES = (0, 1, 2, 3, 4, 6)
Points = npt.NDArray[np.float64]


def warp_markers(clip: Element) -> tuple[Points, Points]:
    """Seconds of the sample and beats of the clip, (markers,) each."""
    found = list(child(clip, "WarpMarkers"))
    seconds = [number_attribute(marker, "SecTime") for marker in found]
    beats = [number_attribute(marker, "BeatTime") for marker in found]
    return np.array(seconds), np.array(beats)


def along(at: Points, inputs: Points, outputs: Points) -> Points:
    """A piecewise linear map, which goes on in both directions as steeply as next to its ends."""
    index = np.clip(np.searchsorted(inputs, at, side="right") - 1, 0, len(inputs) - 2)
    slope = (outputs[index + 1] - outputs[index]) / (inputs[index + 1] - inputs[index])
    return np.asarray(outputs[index] + (at - inputs[index]) * slope)


def sample_beats(clip: Element) -> tuple[float, float]:
    """The beats of the first frame of the sample and of its end."""
    duration_s = number(clip, "SampleRef/DefaultDuration") / number(clip, "SampleRef/DefaultSampleRate")
    seconds, beats = warp_markers(clip)
    if not _rise(seconds, beats):
        raise Unreadable("no beats without markers that rise")
    begin, end = along(np.array([0.0, duration_s]), seconds, beats)
    return float(begin), float(end)


def markers(found: SetFile) -> Iterator[str]:
    """Two at least, rising in both, the last one hidden."""
    for clip in found.root.iter("AudioClip"):
        seconds, beats = warp_markers(clip)
        if not _rise(seconds, beats):
            yield "warp markers do not rise"
        elif abs(beats[-1] - beats[-2] - HIDDEN_BEATS) > NEAR_BEATS:
            yield "the last warp marker is not 1/32 beat after the one before"
        if text(clip, "MarkersGenerated") != "true":
            yield "Live may warp the clip again"
        if number(clip, "WarpMode") not in WARP_MODES:
            yield f"warp mode {text(clip, 'WarpMode')}"


def _rise(seconds: Points, beats: Points) -> bool:
    return len(beats) > 1 and bool(np.all(np.diff(seconds) > 0) and np.all(np.diff(beats) > 0))


def timeline(found: SetFile) -> Iterator[str]:
    """Every audio track plays its sample once, from a place on the timeline."""
    for track in found.audio_tracks:
        placed = arrangement_clips(track)
        if len(placed) != 1:
            yield f"{len(placed)} clips on the timeline"
        for clip in placed:
            if number_attribute(clip, "Time") != number(clip, "CurrentStart"):
                yield "Time is not CurrentStart"
            if number_attribute(clip, "Time") < 0:
                yield "a clip before the beginning"
            if text(clip, "Loop/LoopOn") != "false" or number(clip, "Loop/LoopStart") < 0:
                yield "a clip on the timeline loops, or starts at a negative beat"


def scenes(found: SetFile) -> Iterator[str]:
    """Clips in scenes have no place in time."""
    for track in found.audio_tracks:
        for clip in session_clips(track).values():
            if number_attribute(clip, "Time") != 0:
                yield "a clip in a scene has a time"
            if number(clip, "CurrentStart") != number(clip, "Loop/LoopStart"):
                yield "a clip in a scene does not start where its range does"


def bounds(found: SetFile) -> Iterator[str]:
    """As long as its range of the sample, which holds all of that range."""
    for clip in found.root.iter("AudioClip"):
        start, end = number(clip, "CurrentStart"), number(clip, "CurrentEnd")
        loop_start, loop_end = number(clip, "Loop/LoopStart"), number(clip, "Loop/LoopEnd")
        if end <= start:
            yield f"a clip from {start:g} to {end:g}"
        if abs((end - start) - (loop_end - loop_start)) > NEAR_BEATS:
            yield "a clip is not as long as its range"
        if number(clip, "Loop/HiddenLoopStart") >= number(clip, "Loop/HiddenLoopEnd"):
            yield "a loop brace without length"
        yield from _within_sample(clip, loop_start, loop_end)


def _within_sample(clip: Element, loop_start: float, loop_end: float) -> Iterator[str]:
    first, last = sample_beats(clip)
    if loop_start < first - NEAR_BEATS or loop_end > last + NEAR_BEATS:
        yield f"a clip of beats {loop_start:g} to {loop_end:g} of a sample from {first:g} to {last:g}"
    if min(abs(number(clip, "Loop/OutMarker") - end) for end in (last, loop_end)) > NEAR_BEATS:
        yield "OutMarker is neither the end of the sample nor of the range"


def stems_together(found: SetFile) -> Iterator[str]:
    """The tracks of a group share bounds and markers, on the timeline and scene by scene."""
    members = defaultdict(list)
    for track in found.audio_tracks:
        members[group_of(track)].append(track)
    for group, tracks in members.items():
        maps = [_maps(track) for track in tracks]
        if group != "-1" and any(first != second for first, second in pairwise(maps)):
            yield f"the tracks of group {group} lie apart"
    leaders = [_maps(track)[-1] for group, tracks in members.items() if group != "-1" for track in tracks[:1]]
    for track in members["-1"]:
        if leaders and _maps(track)[-1] not in leaders:
            yield f"{track_name(track)} lies apart from every group"


def _maps(track: Element) -> dict[int, list[float]]:
    """Bounds and markers by place of the scene; -1 is the timeline."""
    clips = {-1: arrangement_clips(track)[0], **session_clips(track)}
    return {place: [*_bounds(clip), *np.concatenate(warp_markers(clip))] for place, clip in clips.items()}


def _bounds(clip: Element) -> list[float]:
    loop = child(clip, "Loop")
    return [number(clip, "CurrentStart"), number(clip, "CurrentEnd"), *(number(loop, tag) for tag in LOOP_BOUNDS)]


def samples_agree(found: SetFile) -> Iterator[str]:
    """All clips of a track play one sample; all tracks of a group are equally long."""
    lengths: dict[str, set[tuple[float, ...]]] = defaultdict(set)
    for track in found.audio_tracks:
        facts = {_sample_facts(clip) for clip in all_clips(track)}
        if len(facts) > 1:
            yield f"the clips of {track_name(track)} play different samples"
        lengths[group_of(track)] |= {fact[:2] for fact in facts}
    yield from (
        f"group {group}: samples of different lengths"
        for group, all_lengths in lengths.items()
        if group != "-1" and len(all_lengths) > 1
    )


def _sample_facts(clip: Element) -> tuple[float, ...]:
    sample = child(clip, "SampleRef")
    sizes = [
        number(sample, path)
        for path in ("FileRef/SearchHint/FileSize", "FileRef/OriginalFileSize")
        if sample.find(path) is not None
    ]
    return number(sample, "DefaultDuration"), number(sample, "DefaultSampleRate"), *sizes
