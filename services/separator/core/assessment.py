"""Assessment of stored stems against true ones, both on the source's scale."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from services.separator.core.control import until_cancelled
from services.separator.core.pcm import block_from_pcm
from services.separator.core.ports import AudioDesk, Block, Task, TaskControl
from services.separator.core.quality import REFERENCE_METHOD, Comparison, StemQualityAnalyzer
from stemhouse.audio import AudioFormat, AudioRef, QualityReport, StemQuality, StemRef, StemSet
from stemhouse.vocab import QualityStatus

NO_METHOD = "none"
"""Of a report without references: nothing is guessed."""

_TOLERATED_S = 0.1
"""References made by another decoder may be some frames shorter or longer; then the common part is compared."""


@dataclass(frozen=True)
class AssessTask(Task[QualityReport]):
    """Measure the stems of a result against references, by stem name."""

    stem_set: StemSet
    references: Mapping[str, AudioRef] = field(default_factory=dict)


def assess_stems(task: AssessTask, desk: AudioDesk, control: TaskControl) -> QualityReport:
    """Score every stem of the result; one without a usable reference is not applicable, and its note says why.

    Raises NotFound, StorageUnavailable, Cancelled.
    """
    bench = _Assessment(task, desk, control)
    scores = tuple(bench.score(stem) for stem in task.stem_set.stems)
    return QualityReport(REFERENCE_METHOD if task.references else NO_METHOD, scores)


@dataclass(frozen=True)
class _Assessment:
    task: AssessTask
    desk: AudioDesk
    control: TaskControl

    def score(self, stem: StemRef) -> StemQuality:
        audio, reference = self.task.stem_set.audio, self.task.references.get(stem.name)
        analyzer = StemQualityAnalyzer()
        if reference is None:
            return analyzer.assess(stem.name, None)
        difference = _difference(audio, reference)
        if difference:
            return StemQuality(stem.name, QualityStatus.NOT_APPLICABLE, note=difference)
        quality = analyzer.assess(stem.name, self._comparison(stem, reference))
        return quality if quality.note else replace(quality, note=_length_note(audio, reference))

    def _comparison(self, stem: StemRef, reference: AudioRef) -> Comparison:
        audio = self.task.stem_set.audio
        frame_count = min(audio.frame_count, reference.frame_count)
        true = self._samples(reference.object_key, reference.gain, frame_count)
        estimated = self._samples(stem.object_key, self.task.stem_set.gain, frame_count)
        return until_cancelled(zip(true, estimated, strict=True), self.control)

    def _samples(self, object_key: str, gain: float, frame_count: int) -> Iterator[Block]:
        """The first frames on the source's scale, cut into the same blocks for every file of one format."""
        remaining_frames = frame_count
        for block in self.desk.open_pcm(object_key, self.task.stem_set.audio.format).blocks():
            if remaining_frames == 0:
                return
            wanted = block[:, :remaining_frames]
            remaining_frames -= wanted.shape[1]
            yield block_from_pcm(wanted, gain)


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


def _length_note(audio: AudioRef, reference: AudioRef) -> str:
    excess_frames = reference.frame_count - audio.frame_count
    if excess_frames == 0:
        return ""
    longer = "longer" if excess_frames > 0 else "shorter"
    return f"the reference is {abs(excess_frames)} frames {longer}; the common part was compared"
