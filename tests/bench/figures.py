"""Figures of benches, in a form that one report can be made of."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

FIGURES_VARIABLE = "STEMHOUSE_BENCH_FIGURES"
"""Names the file that figures are appended to, a JSON object a line; without it nothing is kept."""


@dataclass(frozen=True)
class Figure:
    """What was measured, against the target: at least so much, or at most. Without either it is only told."""

    what: str
    value: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None

    @property
    def is_met(self) -> bool | None:
        """Whether the target is met; None without one."""
        if self.at_least is None and self.at_most is None:
            return None
        is_enough = self.at_least is None or self.value >= self.at_least
        return is_enough and (self.at_most is None or self.value <= self.at_most)

    @property
    def target(self) -> str:
        """The target in words; empty without one."""
        bounds = (("at least", self.at_least), ("at most", self.at_most))
        return ", ".join(f"{word} {bound:g}" for word, bound in bounds if bound is not None)


def keep(figure: Figure) -> None:
    """Append a figure for the report that has asked for it."""
    path = os.environ.get(FIGURES_VARIABLE)
    if path:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(figure), allow_nan=False) + "\n")


def kept(path: Path) -> list[Figure]:
    """All that was appended, in order."""
    if not path.exists():
        return []
    return [Figure(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def picture(figures: Sequence[Figure]) -> str:
    """Bars as SVG: how much of its target each figure has reached, to the right of the line or short of it."""
    aimed = [figure for figure in figures if figure.is_met is not None]
    height = _ROW * len(aimed) + 2 * _ROW
    rows = [row for place, figure in enumerate(aimed, 1) for row in _bar(figure, place * _ROW)]
    at = _LABEL + _TARGET
    line = f'<line x1="{at}" y1="{_ROW // 2}" x2="{at}" y2="{height - _ROW // 2}" stroke="#333"/>'
    style = 'font-family="sans-serif" font-size="13"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{_LABEL + 3 * _TARGET}" height="{height}" {style}>'
    return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>', *rows, line, "</svg>\n"])


_ROW, _LABEL, _TARGET = 26, 460, 200
_MOST = 1.9
"""Of the target, where bars end."""


def _bar(figure: Figure, top: int) -> list[str]:
    share = min(_share(figure), _MOST)
    colour = "#3b8f5a" if figure.is_met else "#c8553d"
    label = f'<text x="{_LABEL - 8}" y="{top + 13}" text-anchor="end">{_escaped(figure.what)}</text>'
    bar = f'<rect x="{_LABEL}" y="{top}" width="{share * _TARGET:.0f}" height="18" fill="{colour}"/>'
    value = f'<text x="{_LABEL + 6}" y="{top + 13}" fill="white">{figure.value:.3g} {_escaped(figure.unit)}</text>'
    return [label, bar, value]


def _share(figure: Figure) -> float:
    """Of the target; more than one is better than asked for, whichever way that is."""
    if figure.at_least is not None:
        return figure.value / figure.at_least if figure.at_least > 0 else _MOST
    limit = figure.at_most or 0.0
    return limit / figure.value if figure.value > 0 else _MOST


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
