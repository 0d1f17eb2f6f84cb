"""A part of the fidelity matrix that has every engine, kind of source, rate, channel count and delivered format.

`make fidelity` measures and prints the whole.
"""

from collections.abc import Iterator

import pytest
import torch

from stemhouse.delivery import FileFormat
from tests.fidelity.output_cells import OutputBench, OutputCell, chosen_output_cells
from tests.fidelity.source_cells import (
    RATES_OF_KINDS_HZ,
    SourceBench,
    SourceCell,
    all_source_cells,
    chosen_source_cells,
)
from tests.fidelity.sources import RATES_HZ
from tests.fidelity.studio import Studio, open_studio


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """One for all cells; a single thread is no slower on tracks this short, and costs half."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with open_studio(tmp_path_factory.mktemp("studio")) as studio:
        yield studio
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def source_bench(studio: Studio) -> SourceBench:
    """Shared, since it remembers."""
    return SourceBench(studio)


def test_chosen_cells_cover_the_matrix() -> None:
    """Each engine has every kind, every rate and both channel counts."""
    chosen = {cell for cell, _ in chosen_source_cells()}
    cells = set(all_source_cells())
    assert chosen < cells
    assert _traits(chosen) == _traits(cells)
    assert set(RATES_OF_KINDS_HZ.values()) == set(RATES_HZ)


def _traits(cells: set[SourceCell]) -> set[tuple[str, str]]:
    return {
        (cell.engine, trait)
        for cell in cells
        for trait in (cell.kind.name, f"{cell.rate_hz} Hz", f"{cell.channel_count} channels")
    }


@pytest.mark.parametrize(("cell", "is_thorough"), [*chosen_source_cells()], ids=str)
def test_source_comes_out_as_it_went_in(cell: SourceCell, is_thorough: bool, source_bench: SourceBench) -> None:  # noqa: FBT001
    """Frames, channels, lag 0, the sum nulls at 24 bits, half in is half out, and no WAV is EXTENSIBLE."""
    figures = source_bench.measure(cell, is_thorough=is_thorough)
    assert figures.faults(cell) == [], str(figures)


@pytest.mark.parametrize("cell", [*chosen_output_cells()], ids=str)
def test_files_hold_the_stems(cell: OutputCell, studio: Studio) -> None:
    """By readers that did not write them: frames, lag 0, the very samples; or the format is refused."""
    row = OutputBench(studio).measure(cell)
    assert row.faults() == [], str(row)


def test_chosen_output_cells_have_every_format() -> None:
    """And a refusal of each lossy one."""
    cells = list(chosen_output_cells())
    assert {cell.file_format for cell in cells if cell.is_held} == set(FileFormat)
    assert {cell.file_format for cell in cells if not cell.is_held} == {FileFormat.MP3, FileFormat.M4A}
