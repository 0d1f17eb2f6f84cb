"""What the text of a tag says; tags are written by many programs, and some write anything."""

import math
import re
from functools import lru_cache

_HIGHEST_BPM = 1000.0
_LONGEST_CHARS = 4000
_BLANKS = re.compile(r"[\s\x00]+")


def text_from_tag(raw: str) -> str:
    """The text on one line, with single blanks and nothing that UTF-8 cannot hold; cut where no name is that long."""
    return _BLANKS.sub(" ", raw[:_LONGEST_CHARS].encode(errors="replace").decode()).strip()


@lru_cache(maxsize=4096)  # a collection says the same few a million times
def bpm_from_tag(raw: str) -> float:
    """Beats per minute, above 0 and below 1000, with a decimal point or comma; 0.0 if the text is no such number."""
    try:
        bpm = float(raw.strip().replace(",", "."))
    except ValueError:
        return 0.0
    return bpm if math.isfinite(bpm) and 0.0 < bpm < _HIGHEST_BPM else 0.0
