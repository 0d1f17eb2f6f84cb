"""Vocals judged by the stems alone: the gates, the signals, the estimate."""

from dataclasses import dataclass, field

from services.separator.core.calibrations import Calibrations
from services.separator.core.estimates import Estimate, estimate, obstacle
from services.separator.core.mask_ambiguity import MaskAmbiguity
from services.separator.core.ports import Engine, TaskControl
from services.separator.core.remix import Remix, remix_signal
from services.separator.core.stem_reading import StemReader, mixture_of, pieces, spread_spans
from services.separator.core.survey import Survey
from stemhouse.vocab import VOCALS

_EXCERPT_S, _EXCERPT_COUNT = 4.0, 6
"""What the ambiguity is heard in, among the places where vocals sound."""


@dataclass(frozen=True)
class Judges:
    """What may be asked besides the stems: calibrations, and an engine that works in the audio's format."""

    calibrations: Calibrations = field(default_factory=Calibrations)
    verifier: Engine | None = None


@dataclass(frozen=True)
class Verdict:
    """An estimate, or the note that says why there is none."""

    estimate: Estimate | None = None
    note: str = ""
    remix: Remix | None = None


def judge_vocals(reader: StemReader, survey: Survey, judges: Judges, control: TaskControl) -> Verdict:
    """Where a gate is closed the verifier is not asked. Raises as `remix_signal`."""
    note = obstacle(reader.stem_set, survey)
    if note:
        return Verdict(note=note)
    remix = remix_signal(reader, survey, judges.verifier, control) if judges.verifier else None
    found = estimate(reader.stem_set, ambiguity_db(reader, survey), remix, judges.calibrations)
    return Verdict(found, found.note if found else "there is no calibration of any engine", remix)


def ambiguity_db(reader: StemReader, survey: Survey) -> float:
    """See `mask_ambiguity`; of a few excerpts, so that the length of a track hardly matters."""
    audio = reader.stem_set.audio
    rate_hz = audio.format.sample_rate_hz
    length_frames = round(_EXCERPT_S * rate_hz)
    spans = spread_spans(survey.sounding_centres(VOCALS), length_frames, _EXCERPT_COUNT, audio.frame_count)
    ambiguity = MaskAmbiguity(rate_hz)
    for blocks in reader.excerpts(pieces(spans, rate_hz)):
        ambiguity.add(blocks[VOCALS], mixture_of(blocks))
    return ambiguity.db()
