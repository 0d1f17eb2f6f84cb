"""Outlines: what belongs into which element of a Live set, one line an element, for several versions of Live at once.

A line is a name and what stands beside it:

    Devices                 an element
    WarpMode 0              ... with Value="0"; texts with blanks, and empty ones, are quoted
    WarpMarker Id=3         ... with attributes of other names
    AutomationTarget Id=new ... with a number that no other element of the set has
    CurrentEnd $end         ... with a value that is filled in
    $clips                  elements that are filled in
    Volume: float 1 0 2     an element whose inside is the shape `float`, where $1 stands for 1, $2 for 0, $3 for 2
    + mixer                 the lines of the shape `mixer`
    11: TakeId 0            a line, and all below it, that only this version of Live has
"""

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from textwrap import dedent

from services.exporter.core.ableton.shapes import SHAPES

_INDENT = 4
_VERSION = re.compile(r"(\d+): *")
_ATTRIBUTE = re.compile(r"([A-Za-z]+)=(.*)", re.DOTALL)
_ARGUMENT = re.compile(r"\$(\d)")


@dataclass(frozen=True)
class Element:
    """An element with its attributes, in order; values that begin with `$` are to be filled in."""

    tag: str
    attributes: tuple[tuple[str, str], ...] = ()
    children: tuple["Element | Hole", ...] = ()


@dataclass(frozen=True)
class Hole:
    """A place for elements."""

    name: str


@dataclass(frozen=True)
class _Line:
    """A line and the lines below it that are indented further."""

    text: str
    below: tuple["_Line", ...]


@cache
def parse_outline(outline: str, version: int) -> tuple[Element | Hole, ...]:
    """The elements of an outline in one version of Live."""
    rows = [row for row in dedent(outline).splitlines() if row.strip()]
    return tuple(_elements(_lines(rows), version))


def _lines(rows: Sequence[str]) -> tuple[_Line, ...]:
    """The tree that the indents draw."""
    tops = [index for index, row in enumerate(rows) if not row.startswith(" ")]
    ends = [*tops, len(rows)][1:]
    return tuple(
        _Line(rows[top], _lines([row[_INDENT:] for row in rows[top + 1 : end]]))
        for top, end in zip(tops, ends, strict=True)
    )


def _elements(lines: Sequence[_Line], version: int) -> Iterator[Element | Hole]:
    for line in lines:
        limit = _VERSION.match(line.text)
        if limit and int(limit[1]) != version:
            continue
        first, *words = shlex.split(line.text[limit.end() :] if limit else line.text)
        if first.startswith("$"):
            yield Hole(first[1:])
        elif first == "+":
            yield from parse_outline(_shape(words), version)
        elif first.endswith(":"):
            yield Element(first[:-1], children=parse_outline(_shape(words), version))
        else:
            yield Element(first, _attributes(words), tuple(_elements(line.below, version)))


def _attributes(words: Sequence[str]) -> tuple[tuple[str, str], ...]:
    named = (_ATTRIBUTE.fullmatch(word) for word in words)
    return tuple((match[1], match[2]) if match else ("Value", word) for match, word in zip(named, words, strict=True))


def _shape(words: Sequence[str]) -> str:
    """The outline of a shape, with its arguments in their places."""
    name, *arguments = words
    return _ARGUMENT.sub(lambda place: arguments[int(place[1]) - 1], SHAPES[name])
