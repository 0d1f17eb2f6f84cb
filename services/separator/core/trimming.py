"""Cutting what an encoder put around the music out of a stream of decoded frames."""

from collections.abc import Iterator

from services.separator.core.layouts import SourceLayout
from services.separator.core.ports import SourceBlock


class Trimmer:
    """Keeps the raw frames from `lead` up to `end` (None: to the last one), and counts what it sees."""

    def __init__(self, lead: int = 0, end: int | None = None) -> None:
        self.lead = lead
        self.end = end
        self.raw_count = 0
        self.given_count = 0

    def trimmed(self, blocks: Iterator[SourceBlock]) -> Iterator[SourceBlock]:
        """What is left of the blocks; reads on behind the end, so that all frames are counted."""
        for block in blocks:
            begin = max(0, self.lead - self.raw_count)
            end = block.shape[1] if self.end is None else max(0, self.end - self.raw_count)
            self.raw_count += block.shape[1]
            kept = block[:, begin:end]
            self.given_count += kept.shape[1]
            if kept.shape[1]:
                yield kept

    @property
    def told_count(self) -> int | None:
        """Frames of music that there should be; None if the file does not say."""
        return None if self.end is None else max(0, self.end - self.lead)

    @property
    def is_short(self) -> bool:
        """Whether fewer frames came than there should be."""
        return self.end is not None and self.raw_count < self.end

    @property
    def lead_count(self) -> int:
        """Frames that were cut off in front."""
        return min(self.lead, self.raw_count)

    @property
    def tail_count(self) -> int:
        """Frames that were cut off behind."""
        return self.raw_count - self.lead_count - self.given_count


def trimmer_for(layout: SourceLayout, sample_rate_hz: int, decoders_lead: int = 0) -> Trimmer:
    """A trimmer as the layout says; `decoders_lead` counts where it does not know."""
    lead_s = layout.lead_s
    lead = layout.lead_share * decoders_lead if lead_s is None else lead_s * sample_rate_hz
    return Trimmer(round(lead), None if layout.end_s is None else round(layout.end_s * sample_rate_hz))


def damage_text(layout: SourceLayout, cause: str, trimmer: Trimmer) -> str:
    """For SourceFacts.damage: what the layout or the decoding found, and how much there is; empty if nothing.

    How much there should be stands there only if the file tells it.
    """
    damage = layout.damage or cause
    told = f" of {trimmer.told_count}" if (trimmer.told_count or 0) > trimmer.given_count else ""
    return f"{damage}; {trimmer.given_count}{told} frames could be decoded" if damage else ""
