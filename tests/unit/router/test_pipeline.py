"""The way of one track, on fakes."""

import dataclasses
import io
import json
import uuid
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from services.router.adapters.manifests import parse_manifest
from services.router.core.cache import StemCache
from services.router.core.cache_care import CacheCare, CacheLimits
from services.router.core.cache_ports import entry_of_stems
from services.router.core.cache_sweep import CacheSweep
from services.router.core.choices import EngineChooser
from services.router.core.cloud_budget import CloudBudget
from services.router.core.engine_runs import EngineRuns
from services.router.core.pipeline import PipelineParts, StemPipeline
from services.router.core.policy import Policy
from services.router.core.ports import Accepted, Ingested
from services.router.core.releases import Releases
from services.router.core.shelf import CacheShelf
from stemhouse.audio import QualityReport, SourceRef, StemSet
from stemhouse.errors import Cancelled, EngineUnavailable, NotFound, UnreadableAudio
from stemhouse.jobs import CacheHit, Decision, SeparationRequest, SeparationResult
from stemhouse.vocab import Stage
from tests.fakes import MemoryObjectStore
from tests.fakes_cache import MemoryCacheLedger
from tests.fakes_cloud import MemoryCloudLedger
from tests.fakes_router import (
    DEMUCS,
    FACTS,
    STARTER,
    FakeModels,
    FakeSeparators,
    InlineSteps,
    MemoryJobLedger,
    MemoryResultLedger,
    MemoryUploads,
    audio,
    job,
    source,
    stem_set,
)

FLAC = b"flac"
FULL_WAY = [Stage.LOOKUP, Stage.INGEST, Stage.LOOKUP, Stage.CHOOSE, Stage.SEPARATE, Stage.ASSESS, Stage.ACCEPT]


class House:
    """A router's core on fakes."""

    def __init__(self, chooser_type: type[EngineChooser] = EngineChooser) -> None:
        self.store = MemoryObjectStore()
        self.results = MemoryResultLedger()
        self.jobs = MemoryJobLedger()
        self.separators = FakeSeparators()
        self.models = FakeModels()
        self.uploads = MemoryUploads(source())
        self.model_uploads = MemoryUploads()
        self.cloud_ledger = MemoryCloudLedger()
        self.now = datetime(2026, 1, 2, 12, tzinfo=UTC)
        self.cloud = CloudBudget(
            self.separators, self.cloud_ledger, now=lambda: self.now, new_key=lambda: str(uuid.uuid4())
        )
        self.chooser = chooser_type(self.separators, self.cloud, Policy(), now_s=lambda: 0.0)
        self.entries = MemoryCacheLedger()
        shelf = CacheShelf(self.entries, self.store, parse_manifest, lambda: self.now)
        sweep = CacheSweep(self.entries, shelf, self.store, lambda: self.now)
        care = CacheCare(self.entries, sweep, CacheLimits, lambda: self.now)
        self.cache = StemCache(self.results, shelf, self.chooser, self.uploads, care)
        runs = EngineRuns(self.chooser, self.separators, self.jobs, self.cloud, shelf)
        self.releases = Releases(self.jobs, self.results, shelf)
        self.pipeline = StemPipeline(
            PipelineParts(self.cache, self.results, self.separators, self.uploads, self.chooser, runs, self.releases)
        )
        self.stages: list[Stage] = []
        self._run_count = 0

    def run(self, request: SeparationRequest, batch_id: str = "") -> SeparationResult:
        """Run a new job, noting its stages; its objects are stored as a separator would."""
        self._run_count += 1
        wanted = job(request, f"request-{self._run_count}", f"job-{self._run_count}")
        new = self.jobs.create(replace(wanted, batch_id=batch_id), is_queued=True)
        steps = InlineSteps()
        self.stages = steps.stages
        result = self.pipeline.run(new, steps)
        self.put_objects(result.stem_set)
        return result

    def put_objects(self, stems: StemSet) -> None:
        """Let the store have the objects of a result."""
        for key in [stems.audio.object_key, *(stem.object_key for stem in stems.stems)]:
            self.store.put(key, io.BytesIO(FLAC))
        manifest = json.dumps(dataclasses.asdict(stems)).encode()
        self.store.put(f"{entry_of_stems(stems).place}/manifest.json", io.BytesIO(manifest))


@pytest.fixture
def house() -> House:
    """A fresh one."""
    return House()


def test_first_run_goes_all_the_way(house: House) -> None:
    """Every stage runs once, in the order of the design, and the source's bytes are dropped."""
    result = house.run(SeparationRequest(source()))
    assert house.stages == FULL_WAY
    assert result.stem_set == stem_set()
    assert result.cache_hit is CacheHit.NONE
    assert not house.uploads.held


def damage_demucs(house: House) -> None:
    """Let demucs be offered until its model is loaded, and found to be damaged."""
    house.separators.offered = [DEMUCS, STARTER]

    def find_damage() -> None:
        house.separators.before_result = lambda: None
        house.separators.offered = [STARTER]
        raise EngineUnavailable("the model htdemucs cannot be used: cut")

    house.separators.before_result = find_damage


def test_auto_goes_on_with_the_next_engine_when_a_model_turns_out_damaged(house: House) -> None:
    """And the reason is recorded before all others."""
    damage_demucs(house)
    result = house.run(SeparationRequest(source()))
    assert result.decision.engine == "starter"
    assert result.decision.reasons[0] == "auto: the model htdemucs cannot be used: cut"


def test_auto_goes_through_all_models_even_if_the_damaged_ones_stay_on_offer(house: House) -> None:
    """A volume that cannot be written to keeps no mark of damage; each is tried once, each cause is recorded."""
    other = replace(DEMUCS, model="mine", engine_id="demucs-mine-22222222")
    house.separators.offered = [DEMUCS, other, STARTER]

    def find_damage() -> None:
        engine_id = house.separators.separated[-1].engine_id
        if engine_id != STARTER.engine_id:
            raise EngineUnavailable(f"{engine_id} is cut")

    house.separators.before_result = find_damage
    decision = house.run(SeparationRequest(source())).decision
    tried = [task.engine_id for task in house.separators.separated]
    assert tried == [DEMUCS.engine_id, other.engine_id, STARTER.engine_id]
    assert decision.reasons[:2] == tuple(f"auto: {engine_id} is cut" for engine_id in tried[:2])


def test_auto_gives_up_when_no_engine_can_be_used(house: House) -> None:
    """And tries none twice, however many there are."""
    house.separators.offered = [replace(DEMUCS, engine_id=f"demucs-{number}") for number in range(9)]

    def refuse() -> None:
        raise EngineUnavailable("cut")

    house.separators.before_result = refuse
    with pytest.raises(EngineUnavailable, match="cut"):
        house.run(SeparationRequest(source()))
    tried = [task.engine_id for task in house.separators.separated]
    assert len(tried) == len(set(tried)) == 5


def test_engine_that_was_asked_for_is_not_replaced(house: House) -> None:
    """Nobody gets another engine than the one he named."""
    damage_demucs(house)
    with pytest.raises(EngineUnavailable, match="cut"):
        house.run(SeparationRequest(source(), engine="demucs"))


def test_second_run_of_the_same_file_stops_at_the_first_look_up(house: House) -> None:
    """Known by MD5: nothing is decoded or separated."""
    first = house.run(SeparationRequest(source()))
    second = house.run(SeparationRequest(source()))
    assert house.stages == [Stage.LOOKUP]
    assert (second.cache_hit, second.stem_set) == (CacheHit.FILE, first.stem_set)
    assert len(house.separators.separated) == 1


def test_retagged_file_is_decoded_and_then_known_by_its_samples(house: House) -> None:
    """Another SHA-256 with the same PCM costs an ingest and no separation."""
    house.run(SeparationRequest(source()))
    retagged = SourceRef("b" * 64, "ab" + "c" * 30, 1001, "song.wav")
    house.uploads.held.add(retagged)
    result = house.run(SeparationRequest(retagged))
    assert house.stages == [Stage.LOOKUP, Stage.INGEST, Stage.LOOKUP]
    assert result.cache_hit is CacheHit.PCM
    assert len(house.separators.separated) == 1


def test_same_md5_with_another_sha256_is_not_the_same_file(house: House) -> None:
    """An MD5 collision does not answer: the SHA-256 is checked beside it."""
    house.run(SeparationRequest(source()))
    collision = SourceRef("d" * 64, "a" * 32, 1000, "other.wav")
    house.uploads.held.add(collision)
    house.run(SeparationRequest(collision))
    assert house.separators.ingested == [source(), collision]


def test_force_separates_again(house: House) -> None:
    """A known result does not answer a forced request."""
    house.run(SeparationRequest(source()))
    result = house.run(SeparationRequest(source(), force=True))
    assert result.cache_hit is CacheHit.NONE
    assert [task.force for task in house.separators.separated] == [False, True]


def test_result_of_an_engine_that_a_silent_separator_may_have_stands(house: House) -> None:
    """Nobody computes anew, and worse, because a separator starts again."""
    house.separators.offered = [DEMUCS, STARTER]
    house.run(SeparationRequest(source()))
    house.separators.offered = [STARTER]
    house.separators.is_partial = True
    assert house.run(SeparationRequest(source())).cache_hit is CacheHit.FILE
    house.separators.is_partial = False
    assert house.run(SeparationRequest(source())).cache_hit is CacheHit.NONE


def test_missing_stem_makes_the_cache_miss(house: House) -> None:
    """A result whose objects were removed is computed again."""
    first = house.run(SeparationRequest(source()))
    house.store.delete(first.stem_set.stems[0].object_key)
    assert house.run(SeparationRequest(source())).cache_hit is CacheHit.NONE


def test_new_weights_of_a_named_engine_make_the_cache_miss(house: House) -> None:
    """A wish for a named engine is tied to its engine id."""
    request = SeparationRequest(source(), engine="demucs")
    house.separators.offered = [DEMUCS]
    house.run(request)
    house.separators.offered = [DEMUCS.__class__(**{**DEMUCS.__dict__, "engine_id": "demucs-htdemucs-22222222"})]
    assert house.run(request).cache_hit is CacheHit.NONE


def test_another_wish_is_another_answer(house: House) -> None:
    """Without the sum, by another engine, or by a model that was named, the accepted result does not count."""
    house.run(SeparationRequest(source()))
    assert house.run(SeparationRequest(source(), sum_to_mix=False)).cache_hit is CacheHit.NONE
    assert house.run(SeparationRequest(source(), engine="starter")).cache_hit is CacheHit.NONE
    assert house.run(SeparationRequest(source(), engine="starter", model="tiny")).cache_hit is CacheHit.NONE
    assert house.run(SeparationRequest(source(), engine="starter", model="tiny")).cache_hit is CacheHit.FILE


@pytest.mark.parametrize("is_whole_first", [False, True])
def test_all_stems_answer_whoever_wants_vocals_alone_but_not_the_other_way(
    is_whole_first: bool,  # noqa: FBT001  a case
    house: House,
) -> None:
    """What leaves stems out is never given to whoever wants them."""
    tuned = replace(DEMUCS, model="htdemucs_ft", engine_id="demucs-htdemucs_ft-1")
    alone = replace(tuned, engine_id="demucs-htdemucs_ft-1-vocals", stems=("vocals", "other"))
    house.separators.offered = [tuned, alone]
    everything = SeparationRequest(source(), engine="demucs")
    vocals = replace(everything, is_vocals_only=True)
    first, second = (everything, vocals) if is_whole_first else (vocals, everything)
    house.run(first)
    answer = house.run(second)
    assert answer.stem_set.engine_id == tuned.engine_id
    assert answer.cache_hit is (CacheHit.FILE if is_whole_first else CacheHit.NONE)
    assert house.run(vocals).stem_set.engine_id == (tuned if is_whole_first else alone).engine_id


def test_answer_of_an_older_policy_is_a_miss(house: House) -> None:
    """Nothing has to be migrated: it is never asked for again."""
    decision = Decision(STARTER.name, STARTER.engine_id, ())
    house.results.record_ingested(source(), Ingested(audio(), FACTS))
    house.results.accept(audio().pcm_sha256, "auto-policy1-sum", Accepted(stem_set(), QualityReport("none"), decision))
    house.put_objects(stem_set())
    assert house.run(SeparationRequest(source())).cache_hit is CacheHit.NONE


def test_references_are_ingested_and_measured_even_on_a_hit(house: House) -> None:
    """True stems asked for later still give figures, without a new separation."""
    house.run(SeparationRequest(source()))
    reference = source("e", "vocals.wav")
    house.uploads.held.add(reference)
    result = house.run(SeparationRequest(source(), references={"vocals": reference}))
    assert house.stages == [Stage.INGEST, Stage.LOOKUP, Stage.ASSESS]
    assert house.separators.assessed[-1] == {"vocals": audio("e")}
    assert result.quality.method == "si_sdr"
    assert len(house.separators.separated) == 1


def test_rejected_source_is_remembered_and_its_bytes_dropped(house: House) -> None:
    """A file that no decoder reads is not tried twice."""
    house.separators.failure = UnreadableAudio("song.wav: not audio")
    for _ in range(2):
        with pytest.raises(UnreadableAudio):
            house.run(SeparationRequest(source()))
    assert len(house.separators.ingested) == 1
    assert not house.uploads.held


@pytest.mark.parametrize("is_readable", [True, False])
def test_job_whose_file_another_job_has_ingested_meanwhile_uses_that(is_readable: bool, house: House) -> None:  # noqa: FBT001  a case
    """The other job dropped the bytes between our look and our decoding: its outcome is ours, good or bad."""

    def other_job_is_faster() -> None:
        if is_readable:
            house.results.record_ingested(source(), Ingested(audio(), FACTS))
        else:
            house.results.record_rejected(source(), UnreadableAudio("song.wav: not audio"))
        house.store.objects[audio().object_key] = b"flac"
        house.uploads.discard(source())

    house.separators.before_ingest = other_job_is_faster
    house.separators.failure = NotFound("no object sources/...")
    if is_readable:
        assert house.run(SeparationRequest(source())).stem_set == stem_set()
    else:
        with pytest.raises(UnreadableAudio):
            house.run(SeparationRequest(source()))


def test_source_that_was_never_uploaded_is_not_found(house: House) -> None:
    """The error names the file."""
    with pytest.raises(NotFound, match=r"gone\.wav"):
        house.run(SeparationRequest(source("f", "gone.wav")))


def test_cancel_during_separation_leaves_nothing_accepted(house: House) -> None:
    """A cancelled job ends in Cancelled and the next run starts anew."""
    house.separators.before_result = lambda: house.jobs.request_cancel("job-1")
    with pytest.raises(Cancelled):
        house.run(SeparationRequest(source()))
    house.separators.before_result = lambda: None
    house.put_objects(stem_set())
    assert house.run(SeparationRequest(source())).cache_hit is CacheHit.NONE


def test_better_engine_that_came_later_answers_auto_anew(house: House) -> None:
    """The starter's result answers `auto` only while nothing better is offered."""
    house.run(SeparationRequest(source()))
    house.separators.offered = [STARTER, DEMUCS]
    result = house.run(SeparationRequest(source()))
    assert (result.cache_hit, result.stem_set.engine) == (CacheHit.NONE, "demucs")


def test_bad_reference_fails_the_job_before_the_work(house: House) -> None:
    """Nobody waits for a separation whose references cannot be read."""
    house.separators.failure = UnreadableAudio("vocals.wav: not audio")
    reference = source("e", "vocals.wav")
    house.uploads.held.add(reference)
    with pytest.raises(UnreadableAudio):
        house.run(SeparationRequest(source(), references={"vocals": reference}))
    assert house.stages == [Stage.INGEST]


def test_quality_against_references_is_not_what_others_get(house: House) -> None:
    """The accepted result carries no figures of one caller's references."""
    reference = source("e", "vocals.wav")
    house.uploads.held.add(reference)
    measured = house.run(SeparationRequest(source(), references={"vocals": reference}))
    assert measured.quality.method == "si_sdr"
    assert house.run(SeparationRequest(source())).quality.method == "none"


def test_decision_carries_the_reasons_of_the_engine_chosen(house: House) -> None:
    """The result can explain itself."""
    decision = house.run(SeparationRequest(source())).decision
    assert decision.engine_id == STARTER.engine_id
    assert decision.reasons


@pytest.mark.parametrize(
    ("codec", "ingest_version", "is_held", "cache_hit"),
    [
        ("mpeg_layer_iii", 1, True, CacheHit.PCM),
        ("mpeg_layer_iii", 1, False, CacheHit.FILE),
        ("mpeg_layer_iii", 2, True, CacheHit.PCM),
        ("mpeg_layer_iii", 3, True, CacheHit.FILE),
        ("opus", 1, True, CacheHit.PCM),
        ("ima_adpcm", 2, True, CacheHit.PCM),
        ("ima_adpcm", 3, True, CacheHit.FILE),
        ("pcm_16", 1, True, CacheHit.FILE),
    ],
)
def test_samples_of_an_older_decoder_are_replaced_while_the_bytes_are_there(
    house: House, codec: str, ingest_version: int, *, is_held: bool, cache_hit: CacheHit
) -> None:
    """Of codecs that are decoded otherwise now; then the ledger has today's version, and the bytes are gone."""
    house.run(SeparationRequest(source()))
    old = Ingested(audio(), replace(FACTS, codec=codec), ingest_version=ingest_version)
    house.results.record_ingested(source(), old)
    if is_held:
        house.uploads.held.add(source())
    assert house.run(SeparationRequest(source())).cache_hit is cache_hit
    found = house.results.find_ingested(source())
    assert found is not None
    assert (found == old) == (cache_hit is CacheHit.FILE)
