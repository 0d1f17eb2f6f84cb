"""Stems out of the store and into it: exact, on the source's scale, and only what was announced."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from services.exporter.adapters.audio_objects import StoredAudioObjects
from services.exporter.adapters.soxr_downmixer import SoxrDownmixer
from services.exporter.adapters.spools import ScratchSpools
from services.exporter.adapters.stem_intake import StemIntake
from services.exporter.core.parts import FileCopy, FileStart
from services.exporter.core.production.analyses import Analyses
from services.exporter.core.production.folders import StemFolders
from services.exporter.core.production.live_projects import LiveProjects
from services.exporter.core.production.ports import FloatBlock, IsWanted, OpenAudio
from services.exporter.core.production.trees import TreePart
from services.exporter.core.production.uploads import StemUploads
from stemhouse.errors import Cancelled, InputRejected, InvalidRequest, NotFound
from stemhouse.production import LONGEST_HEAD_BYTES, AbletonOptions, StemFile, StemFolder
from stemhouse.vocab import BASE_STEMS
from tests.fakes import MemoryObjectStore
from tests.fakes_exporter import FakeAnalyzer, FakeSets
from tests.unit.exporter.results import FULL_SCALE, Separated, flac_bytes, separated

FILES = tuple(StemFile(stem, f"{stem}.wav", "a" * 64, 1) for stem in BASE_STEMS)


def folders_over(store: MemoryObjectStore, scratch_dir: Path) -> StemFolders:
    """As `main` wires them."""
    uploads = StemUploads(store, lambda: date(2026, 3, 2))
    return StemFolders(store, uploads, StoredAudioObjects(store, scratch_dir))


def folder_of(track: Separated) -> StemFolder:
    """Its stems, untouched."""
    return StemFolder("", "Song", FILES, track.result())


def test_gain_of_the_store_is_undone(tmp_path: Path) -> None:
    """Exactly, of stems and of the mix, whatever was read before."""
    track = separated(70_000, grid=4, largest=6_000_000, stem_gain=0.5, mix_gain=0.25)
    with folders_over(track.store(), tmp_path).open(folder_of(track), lambda: True) as audio:
        for _ in range(2):
            drums = np.concatenate([*audio.stems["drums"].read()])
            assert (drums * FULL_SCALE == track.stems["drums"]).all()
        assert (np.concatenate([*audio.original()]) * FULL_SCALE == track.mix).all()


def test_reading_ends_when_nobody_listens(tmp_path: Path) -> None:
    """Within a block."""
    track = separated(200_000)
    answers = iter([True] * 7)
    with (
        pytest.raises(Cancelled),
        folders_over(track.store(), tmp_path).open(folder_of(track), lambda: next(answers, False)) as audio,
    ):
        assert len([*audio.original()]) < 3
    assert list(tmp_path.iterdir()) == []


def test_reading_that_is_given_up_ends_before_its_file(tmp_path: Path) -> None:
    """Decoders that read ahead of it would be left with a closed file."""
    track = separated(1_000_000)
    with folders_over(track.store(), tmp_path).open(folder_of(track), lambda: True) as audio:
        blocks = audio.stems["drums"].read()
        next(blocks)
    assert [*blocks] == []


@pytest.mark.parametrize(("gain", "readings"), [(1.0, 1), (0.5, 2)])
def test_samples_for_live_are_read_once(gain: float, readings: int, tmp_path: Path) -> None:
    """Where what is stored tells that 24 bits hold it; else, how high it goes is found out first."""
    track = separated(stem_gain=gain, mix_gain=gain)
    store, counts = track.store(), Counter[str]()
    folders = StemFolders(store, StemUploads(store, lambda: date(2026, 3, 2)), CountedAudio(store, tmp_path, counts))
    projects = LiveProjects(folders, Analyses(store, folders, SoxrDownmixer(), FakeAnalyzer()), FakeSets())
    list(projects.export([folder_of(track)], AbletonOptions(), lambda: True))
    counts.clear()
    list(projects.export([folder_of(track)], AbletonOptions(), lambda: True))
    assert [*counts.values()] == [readings] * (len(BASE_STEMS) + 1)


def test_what_the_client_has_is_copied_there(tmp_path: Path) -> None:
    """A WAV of 24 bits whose bytes are those that would be sent; one of another header is written anew."""
    track = separated()
    store, folder = track.store(), folder_of(track)
    folders = folders_over(store, tmp_path)
    projects = LiveProjects(folders, Analyses(store, folders, SoxrDownmixer(), FakeAnalyzer()), FakeSets())
    written = wav_files(projects.export([folder], AbletonOptions(), lambda: True))
    same = tuple(own_file(stem, written[f"Samples/Imported/{stem}.wav"]) for stem in BASE_STEMS)
    other = replace(same[0], head=same[0].head.replace(b"data", b"LIST"))
    longer = replace(same[1], size_bytes=same[1].size_bytes + 2)
    for files, copied in ((same, same), ((other, longer, *same[2:]), same[2:])):
        parts = [*projects.export([replace(folder, files=files)], AbletonOptions(), lambda: True)]
        copies = [part for part in parts if isinstance(part, FileCopy)]
        assert [(copy.sha256, copy.size_bytes) for copy in copies] == [(it.sha256, it.size_bytes) for it in copied]
        assert {copy.name for copy in copies}.isdisjoint(wav_files(iter(parts)))


def own_file(stem: str, data: bytes) -> StemFile:
    """As a client tells of it."""
    return StemFile(stem, f"{stem}.wav", hashlib.sha256(data).hexdigest(), len(data), data[:LONGEST_HEAD_BYTES])


def wav_files(parts: Iterator[TreePart]) -> dict[str, bytes]:
    """What is sent of each WAV, by its path."""
    sent: dict[str, bytes] = {}
    for part in parts:
        if isinstance(part, FileStart):
            name, sent[part.name] = part.name, b""
        elif isinstance(part, bytes):
            sent[name] += part
    return {name: data for name, data in sent.items() if name.endswith(".wav")}


class CountedAudio(StoredAudioObjects):
    """Counts readings, by object."""

    def __init__(self, store: MemoryObjectStore, scratch_dir: Path, counts: Counter[str]) -> None:
        super().__init__(store, scratch_dir)
        self._counts = counts

    @contextmanager
    def open(self, object_key: str, is_wanted: IsWanted) -> Iterator[OpenAudio]:
        """See AudioObjects.open."""
        with super().open(object_key, is_wanted) as audio:

            def read() -> Iterator[FloatBlock]:
                self._counts[object_key] += 1
                return audio.read()

            yield replace(audio, read=read)


def test_missing_stem_is_named(tmp_path: Path) -> None:
    """Neither stored nor uploaded."""
    track = separated()
    store = track.store()
    store.delete(track.result().stem_set.stems[2].object_key)
    folders = folders_over(store, tmp_path)
    assert folders.missing(folder_of(track)) == ("bass",)
    with pytest.raises(NotFound, match=r"bass\.wav"), folders.open(folder_of(track), lambda: True):
        pass


def test_upload_of_other_bytes_is_refused(tmp_path: Path) -> None:
    """It changed on its way; one that is too large is refused, too, and nothing is stored."""
    store = MemoryObjectStore()
    data = flac_bytes(separated().mix)
    file = StemFile("vocals", "vocals.flac", hashlib.sha256(data).hexdigest(), len(data))
    intake = StemIntake(store, StemUploads(store, lambda: date(2026, 3, 2)), tmp_path, len(data))
    with pytest.raises(InputRejected, match=r"vocals\.flac changed"):
        intake.receive(file, [flac_bytes(separated(999).mix)])
    with pytest.raises(InvalidRequest, match=r"vocals\.flac is larger"):
        intake.receive(file, [data, b"!"])
    assert not store.objects
    intake.receive(file, [data[:100], data[100:]])
    assert store.objects == {f"uploads/2026-03-02/{file.sha256}": data}


def test_spool_gives_back_what_it_took(tmp_path: Path) -> None:
    """In blocks, as often as it is asked."""
    blocks = [np.full((count, 2), count, np.float32) for count in (65_536, 65_536, 1)]
    with ScratchSpools(tmp_path).open(2) as spool:
        for block in blocks:
            spool.write(block)
        for _ in range(2):
            assert (np.concatenate([*spool.read()]) == np.concatenate(blocks)).all()
