"""Live sets of songs drawn at random against what genuine sets have in common, and faults that this judge must see.

usage: python -m tests.bench.live_sets [--sets N] [--faults N] [--seed S]
Exits with 1 if a set is wrong or more than one fault in twenty is missed, and prints which.
"""

import argparse
import sys
from collections import Counter
from itertools import cycle

from hypothesis import HealthCheck, given, seed, settings, strategies as st

from services.exporter.core.ableton.exporter import AbletonProjectExporter
from services.exporter.core.ableton.model import LiveSet
from services.exporter.core.ableton.profiles import LIVE_10, LIVE_11, LiveProfile
from tests.live_sets.checker import findings, tree_findings
from tests.live_sets.models import live_sets, own_bpm, plain_set
from tests.live_sets.mutations import FAULTS, mutated

FEWEST_CAUGHT = 0.95
PROFILES = (LIVE_10, LIVE_11)


def main() -> None:
    """Judge sets, then the judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=500)
    parser.add_argument("--faults", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    wrong = wrong_sets(options.sets, options.seed)
    missed = missed_faults(options.faults, options.seed)
    sys.exit(bool(wrong) or missed > options.faults * (1 - FEWEST_CAUGHT))


def wrong_sets(count: int, number: int) -> int:
    """How many of these sets have findings; prints the first ones and what the sets held."""
    totals: Counter[str] = Counter()

    @seed(number)
    @settings(max_examples=count, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(live_sets(), st.sampled_from(PROFILES))
    def judge(live_set: LiveSet, profile: LiveProfile) -> None:
        als_bytes = AbletonProjectExporter().build(live_set, profile)
        found = findings(als_bytes, profile, own_bpm=own_bpm(live_set))
        totals.update(contents(live_set), sets=1, wrong=bool(found))
        if found and totals["wrong"] <= 5:
            print(f"Live {profile.major}: {live_set}\n  " + "\n  ".join(found[:10]))

    judge()
    wrong = totals.pop("wrong")
    print(f"{wrong} wrong of", ", ".join(f"{total:,} {name}" for name, total in totals.items()))
    return wrong


def contents(live_set: LiveSet) -> dict[str, int]:
    """What there is to be got wrong."""
    return {
        "songs": len(live_set.songs),
        "tracks": sum(len(song.tracks) for song in live_set.songs),
        "beat markers": sum(len(song.grid.markers) for song in live_set.songs),
        "songs that drift": sum(not song.grid.is_constant for song in live_set.songs),
        "sections": sum(len(song.sections) for song in live_set.songs),
    }


def missed_faults(count: int, number: int) -> int:
    """How many faults the judge does not see; prints each."""
    sets = {profile.major: AbletonProjectExporter().build(plain_set(), profile) for profile in PROFILES}
    missed = 0
    for chance, profile in zip(range(number * 10_000, number * 10_000 + count), cycle(PROFILES), strict=False):
        mutation = mutated(sets[profile.major], chance)
        if not any(tree_findings(mutation.root, profile, own_bpm=own_bpm(plain_set()))):
            missed += 1
            print(f"missed in Live {profile.major}, {chance}: {mutation.fault}")
    print(f"{count - missed} of {count} faults of {len(FAULTS)} kinds seen, {(count - missed) / count:.1%}")
    return missed


if __name__ == "__main__":
    main()
