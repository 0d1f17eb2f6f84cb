"""All that is wrong with a Live set, as far as that can be known without Live."""

from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree.ElementTree import Element

from services.exporter.core.ableton.profiles import LiveProfile
from tests.live_sets import clips, identities, mixer, samples
from tests.live_sets.container import opened
from tests.live_sets.reading import SetFile, Unreadable
from tests.live_sets.schema import schema_of

LIVE_12 = {
    *("MainTrack", "SessionScrollPos", "AutoColorPickerForReturnAndMainTracks", "ViewStateSessionTrackWidth"),
    *("EnabledByUser", "IsSongTempoLeader", "MpeSettings", "MpePitchBendUsesTuning", "SamplesToAutoWarp"),
    *("DefaultGrooveId", "SourceHint", "Root"),
}


def eras(found: SetFile) -> Iterator[str]:
    """Nothing of another version of Live."""
    known = schema_of(found.major).tags
    foreign = (schema_of(10).tags | schema_of(11).tags | LIVE_12) - known
    used = {element.tag for element in found.root.iter()}
    yield from (f"{tag} is of another version" for tag in sorted(used & foreign))
    if any(element.get("Value") == "AudioOut/Main" for element in found.root.iter("Target")):
        yield "AudioOut/Main is of another version"


CHECKS: tuple[Callable[[SetFile], Iterator[str]], ...] = (
    eras,
    *(identities.pointees, identities.pointee_counts, identities.references, identities.list_members),
    *(identities.positions, identities.master_envelopes),
    *(mixer.slots, mixer.sends, mixer.groups, mixer.routing, mixer.colors, mixer.names, mixer.tempo, mixer.metre),
    mixer.locators,
    *(clips.markers, clips.timeline, clips.scenes, clips.bounds, clips.stems_together, clips.samples_agree),
    *(samples.paths, samples.files),
)


def findings(
    als_bytes: bytes, profile: LiveProfile, project_root: Path | None = None, own_bpm: float | None = None
) -> list[str]:
    """What a set for one version of Live has that genuine sets never have, or lacks.

    Files are judged if a folder is given, and the tempo if the song's own is, which the set was asked for in.
    """
    root, found = opened(als_bytes)
    return found if root is None else [*found, *tree_findings(root, profile, project_root, own_bpm)]


def tree_findings(
    root: Element, profile: LiveProfile, project_root: Path | None = None, own_bpm: float | None = None
) -> Iterator[str]:
    """What `findings` says of a set that is open already."""
    yield from schema_of(profile.major).findings(root)
    set_file = SetFile(root, profile.major, project_root, own_bpm)
    for check in CHECKS:
        try:
            yield from (f"{check.__name__}: {finding}" for finding in check(set_file))
        except (Unreadable, LookupError, ValueError) as error:
            yield f"{check.__name__}: {error}"
