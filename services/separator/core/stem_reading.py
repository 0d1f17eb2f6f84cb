"""Parts of all stems of a result together, on the source's scale: each file is fetched once, and read in places."""

from collections.abc import Iterable, Iterator, Sequence

from services.separator.core.control import until_cancelled
from services.separator.core.pcm import block_from_pcm
from services.separator.core.ports import AudioDesk, Block, Span, StemBlocks, StoredPcm, TaskControl
from stemhouse.audio import StemSet

PIECE_S = 4.0
"""What is read at once: few enough frames for spectra of all stems, many enough that windows across cuts are few."""


class StemReader:
    """The stems of one result, for one task."""

    def __init__(self, stem_set: StemSet, desk: AudioDesk, control: TaskControl) -> None:
        self.stem_set = stem_set
        self._desk = desk
        self._control = control
        self._opened: dict[str, StoredPcm] = {}

    def blocks(self, stem: str) -> Iterator[Block]:
        """All of one stem. Raises NotFound, StorageUnavailable."""
        return (block_from_pcm(block, self.stem_set.gain) for block in self._file(stem).blocks())

    def excerpts(self, spans: Sequence[Span]) -> Iterator[StemBlocks]:
        """The same part of every stem, for each span; raises NotFound, StorageUnavailable, Cancelled."""
        names = [stem.name for stem in self.stem_set.stems]
        parts = zip(*(self._file(name).excerpts(spans) for name in names), strict=True)
        for blocks in until_cancelled(parts, self._control):
            scaled = (block_from_pcm(block, self.stem_set.gain) for block in blocks)
            yield dict(zip(names, scaled, strict=True))

    def _file(self, stem: str) -> StoredPcm:
        if stem not in self._opened:
            found = next(ref for ref in self.stem_set.stems if ref.name == stem)
            self._opened[stem] = self._desk.open_pcm(found.object_key, self.stem_set.audio.format)
        return self._opened[stem]


def mixture_of(stems: StemBlocks) -> Block:
    """What the stems sum to."""
    first, *others = stems.values()
    return sum(others, first)


def spread_spans(centres: Sequence[int], length_frames: int, count: int, frame_count: int) -> list[Span]:
    """At most `count` spans of that length around some of the `centres` (ascending), evenly chosen, in order.

    They lie within the track and do not overlap; a track that is shorter than all of them is one span.
    """
    if frame_count <= count * length_frames:
        return [(0, frame_count)]
    picks = dict.fromkeys(centres[int((number + 0.5) / count * len(centres))] for number in range(count))
    spans: list[Span] = []
    for centre in picks:
        first = min(max(centre - length_frames // 2, spans[-1][1] if spans else 0), frame_count - length_frames)
        if not spans or first >= spans[-1][1]:
            spans.append((first, first + length_frames))
    return spans


def pieces(spans: Iterable[Span], sample_rate_hz: int) -> list[Span]:
    """The same frames in spans of at most `PIECE_S`."""
    length_frames = round(PIECE_S * sample_rate_hz)
    cuts = [(first, end, range(first, end, length_frames)) for first, end in spans]
    return [(start, min(start + length_frames, end)) for _, end, starts in cuts for start in starts]
