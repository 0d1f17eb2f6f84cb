"""Scores of stored stems against references: which of them can be compared, and in which frames."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from services.separator.core.control import until_cancelled
from services.separator.core.pcm import block_from_pcm
from services.separator.core.ports import AudioDesk, Block, TaskControl
from services.separator.core.quality import Comparison, StemQualityAnalyzer
from services.separator.core.stem_reading import StemReader
from stemhouse.audio import AudioFormat, AudioRef, StemQuality, StemRef
from stemhouse.vocab import QualityStatus

_TOLERATED_S = 0.1
"""References made by another decoder may be some frames shorter or longer; then the common part is compared."""

_UNRELATED_DB = -20.0
"""SI-SDR of a stem of which a hundredth is the reference: another track, or one that begins elsewhere, has as much."""


@dataclass(frozen=True)
class ReferenceScores:
    """Scores the stems of a result; `references` are by stem name."""

    reader: StemReader
    references: Mapping[str, AudioRef]
    desk: AudioDesk
    control: TaskControl

    def score(self, stem: StemRef) -> StemQuality:
        """A stem without a usable reference is not applicable; raises NotFound, StorageUnavailable, Cancelled."""
        audio, reference = self.reader.stem_set.audio, self.references.get(stem.name)
        analyzer = StemQualityAnalyzer()
        if reference is None:
            return analyzer.assess(stem.name, None)
        difference = _difference(audio, reference)
        if difference:
            return StemQuality(stem.name, QualityStatus.NOT_APPLICABLE, note=difference)
        quality = analyzer.assess(stem.name, self._comparison(stem, reference))
        return quality if quality.note else replace(quality, note=_note(quality, audio, reference))

    def _comparison(self, stem: StemRef, reference: AudioRef) -> Comparison:
        audio = self.reader.stem_set.audio
        frame_count = min(audio.frame_count, reference.frame_count)
        stored = self.desk.open_pcm(reference.object_key, audio.format).blocks()
        true = _first(frame_count, (block_from_pcm(block, reference.gain) for block in stored))
        estimated = _first(frame_count, self.reader.blocks(stem.name))
        return until_cancelled(zip(true, estimated, strict=True), self.control)


def _first(frame_count: int, blocks: Iterator[Block]) -> Iterator[Block]:
    """The first frames, cut into the same blocks for every file of one format."""
    remaining_frames = frame_count
    for block in blocks:
        if remaining_frames == 0:
            return
        wanted = block[:, :remaining_frames]
        remaining_frames -= wanted.shape[1]
        yield wanted


def _difference(audio: AudioRef, reference: AudioRef) -> str:
    """What forbids a comparison; empty if nothing does."""
    if reference.format != audio.format:
        return f"the reference is {_described(reference.format)}, the track {_described(audio.format)}"
    if abs(reference.duration_s - audio.duration_s) >= _TOLERATED_S:
        return f"the reference lasts {reference.duration_s:.3f} s, the track {audio.duration_s:.3f} s"
    return ""


def _described(audio_format: AudioFormat) -> str:
    channels = "mono" if audio_format.channel_count == 1 else "stereo"
    return f"{channels} at {audio_format.sample_rate_hz} Hz"


def _note(quality: StemQuality, audio: AudioRef, reference: AudioRef) -> str:
    if quality.si_sdr_db is not None and quality.si_sdr_db < _UNRELATED_DB:
        return "the stem has nothing of the reference: is it one of this track, from its start?"
    return _length_note(audio, reference)


def _length_note(audio: AudioRef, reference: AudioRef) -> str:
    excess_frames = reference.frame_count - audio.frame_count
    if excess_frames == 0:
        return ""
    longer = "longer" if excess_frames > 0 else "shorter"
    return f"the reference is {abs(excess_frames)} frames {longer}; the common part was compared"
