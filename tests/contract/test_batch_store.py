"""One suite for the batches in databases and the fakes that unit tests use instead."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine

from services.library.adapters.batch_store import SqlBatchStore
from services.library.adapters.export_record import SqlExportRecord
from services.library.core.batch_ports import BatchRun, BatchStore, Export, ExportKey, ExportRecord, Outlook, Remainder
from services.library.core.ports import FileStamp
from stemhouse.batches import Batch, BatchCounts, BatchItem, BatchLayout, BatchSpec, BatchState, ItemState
from stemhouse.delivery import DeliveryOptions, FileFormat, SampleFormat
from stemhouse.errors import InvalidRequest, NotFound
from stemhouse.jobs import JobError
from stemhouse.tracks import LibraryKind
from tests.unit.library.batch_memory import MemoryBatchStore, MemoryExportRecord

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
SPEC = BatchSpec(
    "/music",
    "/out",
    library=LibraryKind.SERATO,
    crates=("Friday/Peak", "Älter"),
    is_crates_only=True,
    engine="demucs",
    model="htdemucs",
    sum_to_mix=False,
    force=True,
    delivery=DeliveryOptions(FileFormat.FLAC, SampleFormat.PCM16, ("vocals", "drums")),
    layout=BatchLayout.MIRROR,
    is_watching=True,
    probes_vocals=True,
)
RUN = BatchRun(Batch("b", "r", SPEC, BatchState.RUNNING, NOW), "demucs")
KEY = ExportKey("/music/1.mp3", FileStamp(10, 2**62), "a wish", "flac")
EXPORT = Export("/out/1", {"vocals.flac": 2**40, "drums.flac": 5}, 100.0, damage="its end is missing")


@pytest.fixture
def exports(catalogue_kind: Engine | None) -> ExportRecord:
    """Each record in turn."""
    return SqlExportRecord(catalogue_kind) if catalogue_kind else MemoryExportRecord()


@pytest.fixture
def store(catalogue_kind: Engine | None, exports: ExportRecord) -> BatchStore:
    """Each store in turn, with batch `b` of three waiting items."""
    if isinstance(exports, MemoryExportRecord):
        store: BatchStore = MemoryBatchStore(exports)
    else:
        assert catalogue_kind
        store = SqlBatchStore(catalogue_kind)
    store.create(RUN, [item(1), item(2), item(3)])
    return store


def item(place: int, state: ItemState = ItemState.WAITING, job_id: str = "") -> BatchItem:
    """An item of a minute."""
    return BatchItem(
        place, f"/music/{place}.mp3", ("crate", "é"), state, 1, 10 * place, 2**62, audio_s=60.0, job_id=job_id
    )


def put(store: BatchStore, *items: BatchItem) -> None:
    """Let items be as they are given, from whatever they were."""
    for wanted in items:
        known = store.items("b", (), after_place=wanted.place - 1, limit=1)[0]
        assert store.change("b", known, wanted)


def test_batch_and_items_come_back_equal(store: BatchStore) -> None:
    """Every field survives."""
    run = store.run("b")
    assert run == replace(RUN, batch=replace(RUN.batch, counts=BatchCounts(waiting=3)))
    failed = replace(
        item(2, ItemState.FAILED, "job"),
        attempt=4,
        engine_id="e",
        folder="/out/ö",
        file_sizes_bytes={"vocals.wav": 2**40},
        error=JobError("UNREADABLE_AUDIO", "cut", {"file": "2"}),
        remedy="get it anew",
        work_s=1.5,
        tier=3,
        damage="its end is missing",
    )
    put(store, failed)
    assert store.items("b", (), limit=9) == [item(1), failed, item(3)]


def test_create_is_idempotent_by_request(store: BatchStore) -> None:
    """The first batch answers, with its own items."""
    again = replace(RUN, batch=replace(RUN.batch, batch_id="other"))
    assert store.create(again, [item(1)]) == store.run("b").batch
    assert store.find("r") == store.run("b").batch
    assert store.find("unknown") is None
    with pytest.raises(NotFound):
        store.run("other")


def test_many_items_are_added_and_counted(store: BatchStore) -> None:
    """More than one statement takes."""
    run = replace(RUN, batch=replace(RUN.batch, batch_id="c", request_id="s"))
    made = store.create(run, (item(place) for place in range(1, 1202)))
    assert made.counts == BatchCounts(waiting=1201)
    assert store.remainder("c") == Remainder(1201, 1201 * 60.0)


def test_item_is_changed_only_if_it_is_as_it_was(store: BatchStore) -> None:
    """Another state, or another attempt, means that somebody was faster."""
    sent = item(1, ItemState.SENT, "job")
    assert store.change("b", item(1), sent)
    assert not store.change("b", item(1), item(1, ItemState.FAILED))
    assert not store.change("b", replace(sent, attempt=2), item(1, ItemState.DONE))
    assert store.items("b", {ItemState.SENT}, limit=9) == [sent]
    assert store.run("b").batch.counts == BatchCounts(waiting=2, active=1)


def test_items_that_wait_and_items_whose_jobs_are_recalled(store: BatchStore) -> None:
    """The second are not to be taken yet."""
    put(store, item(1, ItemState.WAITING, "old"), item(3, ItemState.CANCELLED, "older"))
    assert [found.place for found in store.waiting("b", limit=9)] == [2]
    assert [found.place for found in store.recalled("b")] == [1, 3]
    put(store, item(2, ItemState.DONE, "done"))
    assert [found.place for found in store.recalled("b")] == [1, 3]


def test_items_are_found_in_order_behind_a_place(store: BatchStore) -> None:
    """In any of some states, or in all."""
    put(store, item(2, ItemState.SENT, "job"))
    assert [found.place for found in store.items("b", (), after_place=1, limit=1)] == [2]
    wanted = {ItemState.WAITING, ItemState.SENT}
    assert [found.place for found in store.items("b", wanted, limit=9)] == [1, 2, 3]
    assert [found.place for found in store.waiting("b", limit=1)] == [1]


def test_appended_items_come_behind(store: BatchStore) -> None:
    """Whatever place they had; the last item of a path tells its stamp."""
    store.append("b", [replace(item(1), size_bytes=77)])
    assert store.items("b", (), after_place=3, limit=9) == [replace(item(1), place=4, size_bytes=77)]
    assert store.stamps("b")["/music/1.mp3"] == FileStamp(77, 2**62)
    assert len(store.stamps("b")) == 3


def test_cancel_ends_all_that_is_open(store: BatchStore) -> None:
    """Jobs stay on record, to be withdrawn; a second time nothing happens."""
    put(store, item(1, ItemState.DONE), item(2, ItemState.SENT, "job"))
    assert store.cancel("b", NOW)
    batch = store.run("b").batch
    assert (batch.state, batch.ended_at) == (BatchState.CANCELLED, NOW)
    assert batch.counts == BatchCounts(done=1, cancelled=2)
    assert [found.job_id for found in store.recalled("b")] == ["job"]
    assert not store.cancel("b", NOW)
    assert store.run("b").batch == batch


def test_retry_begins_another_attempt(store: BatchStore) -> None:
    """Errors are forgotten; a job that may still run is not."""
    failed = replace(item(1, ItemState.FAILED, "over"), error=JobError("X", "x"), remedy="y")
    put(store, failed, item(2, ItemState.CANCELLED, "runs"), item(3, ItemState.DONE))
    assert store.finish("b", NOW)
    assert store.retry("b")
    batch = store.run("b").batch
    assert (batch.state, batch.ended_at, batch.counts) == (
        BatchState.RUNNING,
        None,
        BatchCounts(waiting=2, done=1),
    )
    first, second = store.items("b", {ItemState.WAITING}, limit=9)
    assert first == replace(item(1), attempt=2)
    assert second == replace(item(2), attempt=2, job_id="runs")
    assert not store.retry("b")


def test_finish_needs_every_item_to_be_final(store: BatchStore) -> None:
    """And a batch that runs."""
    put(store, item(1, ItemState.DONE), item(2, ItemState.SKIPPED))
    assert not store.finish("b", NOW)
    put(store, item(3, ItemState.FAILED))
    assert store.set_state("b", BatchState.PAUSED, among={BatchState.RUNNING})
    assert not store.finish("b", NOW)
    assert store.set_state("b", BatchState.RUNNING, among={BatchState.PAUSED})
    assert store.finish("b", NOW)
    assert store.run("b").batch.state is BatchState.DONE
    assert not store.set_state("b", BatchState.PAUSED, among={BatchState.RUNNING})


def test_every_change_raises_the_sequence_once(store: BatchStore) -> None:
    """The same outlook once more, and what was not done, are no changes."""
    sequences = [store.run("b").batch.sequence]

    def note() -> None:
        sequences.append(store.run("b").batch.sequence)

    store.tell("b", Outlook(hindrance="the router is away"))
    note()
    store.tell("b", Outlook(120.0, 60.0, ""))
    note()
    put(store, item(1, ItemState.SENT, "job"))
    note()
    store.append("b", [item(1)])
    note()
    store.set_state("b", BatchState.PAUSED, among={BatchState.RUNNING})
    note()
    assert sequences == [1, 2, 3, 4, 5, 6]
    store.tell("b", Outlook(120.0, 60.0, ""))
    store.change("b", item(1), item(1))
    store.append("b", [])
    store.set_state("b", BatchState.PAUSED, among={BatchState.RUNNING})
    assert store.run("b").batch.sequence == 6
    assert store.run("b").batch.remaining_s == 60.0


def test_unfinished_batches(store: BatchStore) -> None:
    """Those that run, and others that have left something to be done."""
    assert store.unfinished() == ["b"]
    store.set_state("b", BatchState.PAUSED, among={BatchState.RUNNING})
    assert store.unfinished() == []
    put(store, item(1, ItemState.SEPARATED, "job"))
    assert store.unfinished() == ["b"]
    store.cancel("b", NOW)
    assert store.unfinished() == ["b"]
    put(store, item(1, ItemState.CANCELLED))
    assert store.unfinished() == []


def test_batches_are_listed_newest_first(store: BatchStore) -> None:
    """A token is the place of the last one shown."""
    store.create(replace(RUN, batch=replace(RUN.batch, batch_id="c", request_id="s")), [])
    first = store.page(1, "")
    second = store.page(1, first.next_page_token)
    assert [page.batches[0].batch_id for page in (first, second)] == ["c", "b"]
    assert second.next_page_token == ""
    with pytest.raises(InvalidRequest):
        store.page(1, "x")


def test_export_is_found_by_all_of_its_key(store: BatchStore, exports: ExportRecord) -> None:
    """It is remembered even if its item was changed by somebody else; a newer one takes its place."""
    assert not store.change("b", item(1, ItemState.SENT), item(1, ItemState.DONE), (KEY, EXPORT))
    others = [replace(KEY, wish="another"), replace(KEY, path="/x"), replace(KEY, stamp=FileStamp(10, 1))]
    assert exports.find([KEY, *others]) == {KEY: EXPORT}
    newer = replace(EXPORT, folder="/out/2")
    store.change("b", item(1), item(1, ItemState.DONE), (replace(KEY, stamp=FileStamp(10, 1)), newer))
    assert exports.find([KEY, *others]) == {others[2]: newer}
    assert exports.find([]) == {}


def test_exports_are_found_by_the_size_of_their_source(store: BatchStore, exports: ExportRecord) -> None:
    """Wherever it lay, if its digest is known."""
    known = replace(EXPORT, source_sha256="ab")
    store.change("b", item(1), item(1), (KEY, known))
    store.change("b", item(1), item(1), (replace(KEY, path="/music/2.mp3"), replace(EXPORT, folder="/out/2")))
    assert exports.of_files_of_size(KEY.wish, 10) == [known]
    assert exports.of_files_of_size(KEY.wish, 11) == []
    assert exports.of_files_of_size("another", 10) == []


def test_export_whose_files_were_replaced_is_forgotten(store: BatchStore, exports: ExportRecord) -> None:
    """By files of the same names in the same folder; those of another format lie beside them."""
    others = [replace(KEY, wish="starter"), replace(KEY, wish="mp3")]
    store.change("b", item(1), item(1), (KEY, EXPORT))
    store.change("b", item(1), item(1), (others[1], replace(EXPORT, file_sizes_bytes={"vocals.mp3": 1})))
    store.change("b", item(1), item(1), (others[0], EXPORT))
    assert set(exports.find([KEY, *others])) == set(others)


def test_size_of_output_is_measured_by_class(store: BatchStore, exports: ExportRecord) -> None:
    """Bytes over seconds of all deliveries of the class."""
    assert exports.output_bytes_per_s("flac") is None
    other = replace(KEY, path="/music/2.mp3"), Export("/out/2", {"vocals.flac": 300}, 50.0)
    store.change("b", item(1), item(1, ItemState.DONE), (KEY, EXPORT))
    store.change("b", item(2), item(2, ItemState.DONE), other)
    assert exports.output_bytes_per_s("flac") == pytest.approx((2**40 + 305) / 150)
    assert exports.output_bytes_per_s("wav") is None


def test_speed_of_an_engine_adds_up(exports: ExportRecord) -> None:
    """Unknown before any work."""
    assert exports.audio_s_per_wall_s("demucs") is None
    exports.record_work("demucs", 100.0, 50.0, 0)
    exports.record_work("demucs", 200.0, 50.0, 0)
    assert exports.audio_s_per_wall_s("demucs") == 3.0
    assert exports.audio_s_per_wall_s("other") is None


def test_what_the_store_holds_is_measured_by_engine(exports: ExportRecord) -> None:
    """Results of which it is unknown count for the speed alone."""
    exports.record_work("demucs", 100.0, 50.0, 0)
    assert exports.stored_bytes_per_s("demucs") is None
    exports.record_work("demucs", 200.0, 50.0, 2**40)
    exports.record_work("demucs", 300.0, 50.0, 500)
    assert exports.stored_bytes_per_s("demucs") == pytest.approx((2**40 + 500) / 500)
