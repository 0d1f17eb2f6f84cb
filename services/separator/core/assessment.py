"""Assessment of stored stems, on the source's scale: against true ones where there are some, and by themselves."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from services.separator.core.listening import Judges, Verdict, judge_vocals
from services.separator.core.ports import AudioDesk, Task, TaskControl
from services.separator.core.quality import NO_REFERENCE, REFERENCE_METHOD
from services.separator.core.references import ReferenceScores
from services.separator.core.stem_reading import StemReader
from services.separator.core.survey import Survey, peak_db, survey_stems
from stemhouse.audio import AudioRef, QualityReport, StemQuality, StemRef, StemSet
from stemhouse.tenants import HOUSE, Tenant
from stemhouse.vocab import VOCALS, QualityStatus

NO_METHOD = "none"
"""Of a report in which nothing could be judged."""


@dataclass(frozen=True)
class AssessTask(Task[QualityReport]):
    """Measure the stems of a result against references, by stem name, and by themselves.

    With an engine as the verifier it is a task for the device worker, else one for the files worker.
    """

    stem_set: StemSet
    references: Mapping[str, AudioRef] = field(default_factory=dict)
    verifier_engine_id: str = ""
    tenant: Tenant = HOUSE


def assess_stems(task: AssessTask, desk: AudioDesk, judges: Judges, control: TaskControl) -> QualityReport:
    """Score every stem of the result; one that cannot be judged is not applicable, and its note says why.

    Raises NotFound, StorageUnavailable, Cancelled, and InvalidRequest for a verifier without vocals.
    """
    reader = StemReader(task.stem_set, desk, control)
    survey = survey_stems(reader)
    verdict = judge_vocals(reader, survey, judges, control)
    references = ReferenceScores(reader, task.references, desk, control)
    measured = (_with_levels(references.score(stem), stem, survey) for stem in task.stem_set.stems)
    stems = tuple(_with_verdict(stem, verdict) if stem.stem == VOCALS else stem for stem in measured)
    return _report(task, stems, verdict)


def _report(task: AssessTask, stems: tuple[StemQuality, ...], verdict: Verdict) -> QualityReport:
    found = verdict.estimate
    return QualityReport(
        method=REFERENCE_METHOD if task.references else found.method if found else NO_METHOD,
        stems=stems,
        engine_id=task.stem_set.engine_id,
        calibration_id=found.calibration_id if found else "",
        verifier_id=verdict.remix.engine_id if verdict.remix else "",
    )


def _with_levels(quality: StemQuality, stem: StemRef, survey: Survey) -> StemQuality:
    return replace(
        quality,
        level_db=survey.level_db(stem.name),
        peak_db=peak_db(stem),
        clipped_share=survey.stems[stem.name].clipped_share,
        bleed_db=survey.bleed_db(stem.name),
    )


def _with_verdict(vocals: StemQuality, verdict: Verdict) -> StemQuality:
    """An estimate stands beside what was measured, and in its place only where nothing was."""
    is_measured = vocals.status == QualityStatus.MEASURED
    note = "" if vocals.note == NO_REFERENCE else vocals.note
    vocals = replace(vocals, remix_db=verdict.remix.db if verdict.remix else None)
    if verdict.estimate is None:
        return vocals if is_measured else replace(vocals, note=_joined(note, verdict.note))
    return replace(
        vocals,
        status=vocals.status if is_measured else QualityStatus.ESTIMATED,
        note=_joined(note, verdict.note),
        estimated_si_sdr_db=verdict.estimate.si_sdr_db,
        uncertainty_db=verdict.estimate.uncertainty_db,
    )


def _joined(*notes: str) -> str:
    return "; ".join(note for note in notes if note)
