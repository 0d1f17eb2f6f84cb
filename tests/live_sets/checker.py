"""All that is wrong with a Live set, as far as that can be known without Live."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

from services.exporter.core.ableton.profiles import LiveProfile
from tests.live_sets import clips, identities, mixer, samples
from tests.live_sets.container import opened
from tests.live_sets.reading import SetFile, Unreadable, major_version, with_older_names
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


Check = Callable[[SetFile], Iterator[str]]

WHOEVER_SAVED: tuple[Check, ...] = (
    *(identities.pointees, identities.references, identities.list_members, identities.master_envelopes),
    *(mixer.slots, mixer.sends, mixer.groups, mixer.colors, mixer.names, mixer.tempo, mixer.metre, mixer.locators),
    *(clips.markers, clips.timeline, clips.scenes, clips.bounds, clips.stems_together, clips.samples_agree),
    *(samples.paths, samples.files),
)
"""What a set must keep when Live saves it."""
AS_WRITTEN: tuple[Check, ...] = (
    *(eras, identities.pointee_counts, identities.positions, mixer.routing, samples.machines),
)
"""What Live may do in another way: names and numbers of its own version, words that it shows, paths of its machine."""
CHECKS = (*AS_WRITTEN, *WHOEVER_SAVED)


@dataclass(frozen=True)
class Judgement:
    """Of a set that Live may have saved: who says to have written it, what is wrong, and what we write differently."""

    creator: str
    wrong: tuple[str, ...]
    different: tuple[str, ...]


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
    yield from _found_by(CHECKS, SetFile(root, profile.major, project_root, own_bpm))


def judged(als_bytes: bytes, project_root: Path | None = None) -> Judgement:
    """A set of Live 10, 11 or 12; raises Unreadable for anything else."""
    root, around = opened(als_bytes)
    if root is None:
        raise Unreadable(around[0])
    major = major_version(root)
    set_file = SetFile(with_older_names(root) if major == 12 else root, min(major, 11), project_root)
    schema = schema_of(set_file.major).findings(root)
    wrong = _found_by(WHOEVER_SAVED, set_file)
    return Judgement(root.get("Creator", "nobody"), tuple(wrong), (*around, *schema, *_found_by(AS_WRITTEN, set_file)))


def _found_by(checks: Iterable[Check], set_file: SetFile) -> Iterator[str]:
    for check in checks:
        try:
            yield from (f"{check.__name__}: {finding}" for finding in check(set_file))
        except (Unreadable, LookupError, ValueError) as error:
            yield f"{check.__name__}: {error}"
