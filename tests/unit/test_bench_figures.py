"""Figures of benches: what counts as met, and that a report says so."""

from pathlib import Path

import pytest
from lxml import etree

from tests.bench.figures import FIGURES_VARIABLE, Figure, keep, kept, picture
from tests.bench.report import table

FIGURES = [
    Figure("fast & sure", 6.0, "x", at_least=6.0),
    Figure("slow", 5.1, "s", at_most=5.0),
    Figure("told", 3.0, "s"),
]


def test_targets_are_bounds() -> None:
    """Met to the point, missed beyond it, and nothing is said without one."""
    assert [figure.is_met for figure in FIGURES] == [True, False, None]
    assert [line.split()[-1] for line in table(FIGURES, ["speed"]).splitlines()[1:]] == ["met", "MISSED", "s", "FAILED"]


def test_figures_come_back_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the file that the report names; without one, nothing is written."""
    keep(FIGURES[0])
    file = tmp_path / "figures.jsonl"
    assert kept(file) == []
    monkeypatch.setenv(FIGURES_VARIABLE, str(file))
    for figure in FIGURES:
        keep(figure)
    assert kept(file) == FIGURES


def test_picture_has_a_bar_for_each_target() -> None:
    """As far as it was reached."""
    bars = etree.fromstring(picture(FIGURES).encode()).findall("{*}rect")[1:]
    assert [bar.get("width") for bar in bars] == ["200", "196"]
