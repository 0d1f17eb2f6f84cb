"""The words that two or more services say to each other.

Stem names are open strings: an engine may bring more (guitar, piano). The known ones are named here.
"""

from enum import StrEnum

VOCALS = "vocals"
DRUMS = "drums"
BASS = "bass"
OTHER = "other"

BASE_STEMS = (VOCALS, DRUMS, BASS, OTHER)
"""What every four-stem engine gives, in the order in which they are listed and delivered."""

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
    SEPARATE = "separate"
    ASSESS = "assess"
    ACCEPT = "accept"


class QualityStatus(StrEnum):
    """Whether a stem's quality could be put into a number."""

    MEASURED = "measured"
    NOT_APPLICABLE = "not_applicable"
