"""The words that two or more services say to each other.

Stem names are open strings: an engine may bring more (guitar, piano). The known ones are named here.
"""

from collections.abc import Iterable
from enum import StrEnum

VOCALS = "vocals"
DRUMS = "drums"
BASS = "bass"
OTHER = "other"

GUITAR = "guitar"
PIANO = "piano"

BASE_STEMS = (VOCALS, DRUMS, BASS, OTHER)
"""What every four-stem engine gives, in the order in which they are listed and delivered."""

EXTRA_STEMS = (GUITAR, PIANO)
"""What some engines give besides, listed behind the others."""


def in_listing_order(stems: Iterable[str]) -> tuple[str, ...]:
    """The base stems first, then the known extra ones, then all others as they come."""
    given = tuple(stems)
    known = (*BASE_STEMS, *EXTRA_STEMS)
    return (*(stem for stem in known if stem in given), *(stem for stem in given if stem not in known))


INSTRUMENTAL = "instrumental"
ACAPELLA = "acapella"

DERIVED_STEMS = (INSTRUMENTAL, ACAPELLA)
"""Made at delivery from what is stored: instrumental = mix - vocals, acapella = vocals."""

AUTO_ENGINE = "auto"
"""The engine name that lets the router choose."""


class JobState(StrEnum):
    """Where a job stands; the last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether nothing will happen to the job any more."""
        return self in {JobState.DONE, JobState.FAILED, JobState.CANCELLED}


class Stage(StrEnum):
    """The step of its way that a running job is on, in order."""

    LOOKUP = "lookup"
    INGEST = "ingest"
    CHOOSE = "choose"
    RESERVE = "reserve"
    SEPARATE = "separate"
    ASSESS = "assess"
    ACCEPT = "accept"


class QualityStatus(StrEnum):
    """Whether a stem's quality could be put into a number."""

    MEASURED = "measured"
    ESTIMATED = "estimated"
    NOT_APPLICABLE = "not_applicable"
