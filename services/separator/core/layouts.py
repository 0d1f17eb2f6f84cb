"""What the bytes of a source tell before anything is decoded: where the audio lies, and what surrounds the music.

A decoder gives *raw* frames: what the encoder put in front (the lead), the music, and what it put behind. Times are
exact fractions of a second, since a container counts in units of its own.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from mmap import mmap

Bytes = bytes | mmap
"""A whole file; a mapped one costs no memory."""

Watch = Callable[[], None]
"""Called now and then by what walks a file from end to end; raises Cancelled if nobody wants the file any more."""


def unwatched() -> None:
    """For files so short that nobody leaves meanwhile."""


@dataclass(frozen=True)
class SourceLayout:
    """How to decode a source, and what to cut off.

    `begin` and `end` bound the audio: no tags and no junk are between them as far as can be told, but in the `gaps`.
    `demuxer` is FFmpeg's name for the container; empty where libsndfile decodes. `lead_s` is what the file says stands
    before the music; None where only the decoder knows, of whose word `lead_share` counts. `end_s` is where the music
    ends in the raw frames; None where the file does not say it exactly. With `is_trimmed_by_decoder` the decoder cuts
    on its own, and `lead_s` and `tail_s` are there to be recorded. `damage` and `timing_note` are for SourceFacts.
    """

    container: str
    begin: int
    end: int
    demuxer: str = ""
    lead_s: Fraction | None = Fraction(0)
    end_s: Fraction | None = None
    tail_s: Fraction = Fraction(0)
    lead_share: Fraction = Fraction(1)
    is_trimmed_by_decoder: bool = False
    damage: str = ""
    timing_note: str = ""
    gaps: tuple[tuple[int, int], ...] = ()

    def spans(self) -> Iterator[tuple[int, int]]:
        """From where to where there is audio."""
        begin = self.begin
        for gap_begin, gap_end in self.gaps:
            yield begin, gap_begin
            begin = gap_end
        yield begin, self.end


@dataclass(frozen=True)
class Refusal:
    """Why a file of a known kind holds nothing that can be decoded: the words behind its name."""

    why: str
    is_unsupported: bool = False


PROTECTED = "is protected against copying (DRM): only its shop's player can decode it"
