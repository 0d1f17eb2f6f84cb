"""A scatter plot of estimates over truth, as SVG."""

from collections.abc import Sequence

from tests.bench.estimate_fits import THRESHOLD_DB
from tests.bench.estimate_material import REAL, RENDERED

_LOW_DB, _HIGH_DB = -15.0, 20.0
_SIZE, _MARGIN = 560, 50
_COLOURS = {RENDERED: "#3b6fb6", REAL: "#c8553d"}


def scatter_plot(points: Sequence[tuple[float, float, str]]) -> str:
    """Points are (truth, estimate, kind) in dB; those outside of -15 to 20 dB lie on the edge."""
    side = _SIZE + 2 * _MARGIN
    marks = [*_frame(), *(_dot(*point) for point in points), *_legend()]
    style = 'font-family="sans-serif" font-size="13"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="{side}" height="{side}" {style}>\n' + "\n".join(
        ('<rect width="100%" height="100%" fill="white"/>', *marks, "</svg>\n")
    )


def _at(value_db: float) -> float:
    inside = min(max(value_db, _LOW_DB), _HIGH_DB)
    return _MARGIN + (inside - _LOW_DB) / (_HIGH_DB - _LOW_DB) * _SIZE


def _up(value_db: float) -> float:
    return _SIZE + 2 * _MARGIN - _at(value_db)


def _line(from_db: tuple[float, float], to_db: tuple[float, float], style: str) -> str:
    ends = f'x1="{_at(from_db[0])}" y1="{_up(from_db[1])}" x2="{_at(to_db[0])}" y2="{_up(to_db[1])}"'
    return f"<line {ends} {style}/>"


def _frame() -> list[str]:
    low, high = _LOW_DB, _HIGH_DB
    marks = [_line((low, low), (high, high), 'stroke="#999"')]
    dashed = 'stroke="#999" stroke-dasharray="4 4"'
    marks += [_line((THRESHOLD_DB, low), (THRESHOLD_DB, high), dashed)]
    marks += [_line((low, THRESHOLD_DB), (high, THRESHOLD_DB), dashed)]
    for value_db in range(int(low), int(high) + 1, 5):
        marks.append(f'<text x="{_at(value_db)}" y="{_up(low) + 18}" text-anchor="middle">{value_db}</text>')
        marks.append(f'<text x="{_at(low) - 8}" y="{_up(value_db) + 4}" text-anchor="end">{value_db}</text>')
    marks.append(f'<text x="{_at(2)}" y="{_up(low) + 38}" text-anchor="middle">true SI-SDR of the vocals, dB</text>')
    marks.append(f'<text x="{_MARGIN}" y="{_MARGIN - 12}">estimate, dB, by fits of all other songs</text>')
    return marks


def _dot(truth_db: float, estimate_db: float, kind: str) -> str:
    place = f'cx="{_at(truth_db):.1f}" cy="{_up(estimate_db):.1f}"'
    return f'<circle {place} r="4" fill="{_COLOURS[kind]}" fill-opacity="0.7"/>'


def _legend() -> list[str]:
    marks = []
    for number, (kind, colour) in enumerate(_COLOURS.items()):
        y = _MARGIN + 20 + 20 * number
        marks.append(f'<circle cx="{_MARGIN + 16}" cy="{y}" r="5" fill="{colour}"/>')
        marks.append(f'<text x="{_MARGIN + 28}" y="{y + 4}">{kind}</text>')
    return marks
