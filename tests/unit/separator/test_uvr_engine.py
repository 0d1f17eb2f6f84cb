"""The uvr engine on tiny networks: the samples of audio-separator itself, from a stream, with nothing of its habits."""

import logging
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
import torch

from services.separator.adapters.uvr.engine import UvrModels
from services.separator.core.models import ModelEntry
from services.separator.core.ports import Block, Engine, StemBlocks
from stemhouse.errors import Cancelled
from stemhouse.vocab import BASE_STEMS, OTHER, VOCALS
from tests.demucs_command import sdr_db
from tests.fakes_separator import FakeMixture, separated
from tests.signals import song
from tests.tiny_uvr import (
    install_tiny_ckpt,
    install_tiny_mdx,
    mdx23c_parameters,
    roformer_parameters,
)
from tests.uvr_command import separate_by_audio_separator

_RATE_HZ = 44_100
_FRAMES = 10 * _RATE_HZ + 4_321
"""More than ten seconds: from shorter tracks audio-separator gives a network windows that it was not made for."""
_TWO = (VOCALS, OTHER)

_MODELS: dict[str, Callable[[Path], ModelEntry]] = {
    "MDX of vocals": install_tiny_mdx,
    "MDX of the rest": lambda folder: install_tiny_mdx(folder, primary_stem="Instrumental"),
    "BS-RoFormer of four": lambda folder: install_tiny_ckpt(folder, roformer_parameters()),
    "Mel-RoFormer of vocals": lambda folder: install_tiny_ckpt(
        folder, roformer_parameters(("vocals", "other"), "vocals", is_mel=True), stems=_TWO
    ),
    "MDX23C": lambda folder: install_tiny_ckpt(folder, mdx23c_parameters(), stems=_TWO),
}


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """Networks this small spend their time on waking threads, above all where the cores are busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module", autouse=True)
def _no_network() -> Iterator[None]:
    """Nothing here may ask the network for anything."""

    def refuse(*_arguments: Any, **_options: Any) -> NoReturn:
        raise AssertionError("something asked the network")

    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex", "sendto"):
            patch.setattr(socket.socket, name, refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        yield


@pytest.fixture(scope="module")
def mixture() -> Block:
    """Music whose peak is far from 1."""
    return np.float32(0.5) * song(_FRAMES, _RATE_HZ)


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Engine]:
    """The engine of each model, loaded once."""

    @cache
    def made(name: str) -> Engine:
        folder = tmp_path_factory.mktemp("models")
        entry = _MODELS[name](folder)
        return UvrModels().load(folder / entry.name, entry)

    return made


@pytest.fixture(scope="module")
def engine(engines: Callable[[str], Engine]) -> Engine:
    """A RoFormer of four stems."""
    return engines("BS-RoFormer of four")


@pytest.mark.parametrize("name", _MODELS)
def test_samples_are_those_of_audio_separator(name: str, tmp_path: Path, mixture: Block) -> None:
    """To 80 dB in every stem, but for the gain that it gets wrong wherever a track's peak is not 1."""
    entry = _MODELS[name](tmp_path)
    given = separated(UvrModels().load(tmp_path / entry.name, entry), mixture)
    peak = np.abs(mixture).max()
    own = separate_by_audio_separator(tmp_path / entry.name, entry, mixture / peak)
    depths_db = {stem: sdr_db(own[stem] * peak, given[stem]) for stem in entry.stems}
    print(name, {stem: round(depth_db, 1) for stem, depth_db in depths_db.items()})
    assert set(own) == set(given) == set(entry.stems)
    assert min(depths_db.values()) >= 80


def test_the_gain_that_audio_separator_gets_wrong_is_right_here(tmp_path: Path, mixture: Block) -> None:
    """Or correcting it in the comparison would hide something; the network is as good as linear here."""
    entry = install_tiny_mdx(tmp_path, squeezing_from=1e6)
    own = separate_by_audio_separator(tmp_path / entry.name, entry, mixture)
    given = separated(UvrModels().load(tmp_path / entry.name, entry), mixture)
    peak = np.abs(mixture).max()
    assert sdr_db(given[VOCALS], own[VOCALS]) < 10
    assert sdr_db(given[VOCALS], own[VOCALS] / peak) > 80


@pytest.mark.parametrize("name", ["MDX of vocals", "BS-RoFormer of four"])
def test_a_gain_before_the_engine_is_the_same_gain_behind_it(
    name: str, engines: Callable[[str], Engine], mixture: Block
) -> None:
    """Also where a network is not linear."""
    engine, short = engines(name), mixture[:, : 3 * _RATE_HZ]
    loud, quiet = separated(engine, short), separated(engine, short / np.float32(8))
    assert min(sdr_db(loud[stem], 8 * quiet[stem]) for stem in engine.spec.stems) >= 110


def test_stems_differ_from_each_other_and_from_the_mixture(engine: Engine, mixture: Block) -> None:
    """Or the comparisons of this file would show nothing."""
    short = mixture[:, : 3 * _RATE_HZ]
    signals = [short, *separated(engine, short).values()]
    assert all(sdr_db(one, other) < 20 for number, one in enumerate(signals) for other in signals[number + 1 :])


@pytest.mark.parametrize("name", ["MDX of vocals", "BS-RoFormer of four", "MDX23C"])
def test_samples_do_not_depend_on_the_blocks(name: str, engines: Callable[[str], Engine], mixture: Block) -> None:
    """The stream cut into odd blocks gives bit for bit the same stems, so the engine is deterministic too."""
    engine, short = engines(name), mixture[:, : 3 * _RATE_HZ]
    whole, cut = separated(engine, short), separated(engine, short, 1, 2, 443, 33_075, 70_001)
    assert all(np.array_equal(cut[stem], whole[stem]) for stem in engine.spec.stems)


@pytest.mark.parametrize("name", ["MDX of vocals", "BS-RoFormer of four", "MDX23C"])
@pytest.mark.parametrize("frame_count", [1, 511, 65_536, 65_537, 100_000])
def test_every_length_comes_out_as_long(name: str, frame_count: int, engines: Callable[[str], Engine]) -> None:
    """Shorter than a window, as long as one, and just longer; an empty track gives nothing."""
    engine = engines(name)
    stems = separated(engine, song(frame_count, _RATE_HZ))
    assert {stem.shape for stem in stems.values()} == {(2, frame_count)}
    assert list(engine.separate(FakeMixture([]))) == []


def test_silence_stays_silence(engine: Engine) -> None:
    """And is divided by nothing."""
    stems = separated(engine, np.zeros((2, _RATE_HZ), np.float32))
    assert all(np.abs(stem).max() < 1e-6 for stem in stems.values())


def test_two_stems_are_vocals_and_the_rest_of_the_mixture(engines: Callable[[str], Engine], mixture: Block) -> None:
    """Where the network gives vocals alone."""
    short = mixture[:, : 3 * _RATE_HZ]
    stems = separated(engines("Mel-RoFormer of vocals"), short)
    assert sdr_db(short, stems[VOCALS] + stems[OTHER]) > 110


def test_a_mixture_that_raises_stops_the_engine_between_two_windows(engine: Engine, mixture: Block) -> None:
    """Which is how a task is cancelled."""

    class _Leaving:
        read_frames = 0
        pass_count = 0

        def blocks(self) -> Iterator[Block]:
            self.pass_count += 1
            for begin in range(0, mixture.shape[1], 4096):
                if self.pass_count > 1 and begin > 100_000:
                    raise Cancelled("nobody waits")
                yield mixture[:, begin : begin + 4096]

    given: list[StemBlocks] = []
    with pytest.raises(Cancelled):
        given.extend(engine.separate(_Leaving()))
    assert 0 < sum(stems[VOCALS].shape[1] for stems in given) < mixture.shape[1]


def test_what_audio_separator_does_to_a_process_is_contained(tmp_path: Path) -> None:
    """No handler of its own, no filter of warnings, no change of where modules come from, nothing printed."""
    script = (
        "import logging, sys, warnings\n"
        "paths, filters = list(sys.path), list(warnings.filters)\n"
        "from pathlib import Path\n"
        "from tests.tiny_uvr import install_tiny_ckpt, roformer_parameters\n"
        "from services.separator.adapters.uvr.engine import UvrModels\n"
        f"folder = Path({str(tmp_path)!r})\n"
        "entry = install_tiny_ckpt(folder, roformer_parameters())\n"
        "UvrModels().load(folder / entry.name, entry)\n"
        "handlers = [name for name in logging.root.manager.loggerDict if logging.getLogger(name).handlers]\n"
        "import demucs\n"
        "unwanted = {'diffq', 'torchvision', 'samplerate', 'resampy'} & set(sys.modules)\n"
        "own = [name for name in handlers if name.startswith('audio_separator')]\n"
        "blanket = [one for one in warnings.filters if one[:2] == ('ignore', None) and one[2] is Warning]\n"
        "print(sys.path == paths, own, logging.root.handlers, blanket, unwanted, 'uvr_lib' in str(demucs.__file__))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("True [] [] [] set() False\n", "")


def test_names_of_four_stems_are_the_shared_ones(engine: Engine) -> None:
    """In the order of the listing, whatever the order of the network."""
    assert engine.spec.stems == BASE_STEMS
    assert logging.getLogger("audio_separator").getEffectiveLevel() == logging.CRITICAL
