"""Elements of a set out of outlines and values."""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from itertools import count

from lxml import etree
from lxml.etree import _Element

from services.exporter.core.ableton.outline import Element, Hole, parse_outline

Value = str | bool | int | float
Elements = Sequence[_Element]
Values = Mapping[str, Value | Elements]
"""What fills the holes of an outline, by name."""

_NEW_ID = "new"
_UNWRITABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]+")
"""Of these, XML 1.0 has no word for some, and nobody sees the others in a name."""


class ElementFactory:
    """Makes the elements of one set, and counts the ids that are its own."""

    def __init__(self, version: int) -> None:
        """Keep the version of Live whose lines count."""
        self._version = version
        self._ids = count(1)

    def new_id(self) -> int:
        """An id that no other element has; every call gives a higher one."""
        return next(self._ids)

    def fill(self, parent: _Element, outline: str, values: Values) -> None:
        """Append what an outline says, with the values of its holes."""
        self._grow(parent, parse_outline(outline, self._version), values)

    def _grow(self, parent: _Element, children: Sequence[Element | Hole], values: Values) -> None:
        for child in children:
            if isinstance(child, Hole):
                parent.extend(_elements(values[child.name]))
            else:
                attributes = {name: self._text(word, values) for name, word in child.attributes}
                self._grow(etree.SubElement(parent, child.tag, attributes), child.children, values)

    def _text(self, word: str, values: Values) -> str:
        if word == _NEW_ID:
            return str(self.new_id())
        return attribute_text(_value(values[word[1:]])) if word.startswith("$") else word


def new_element(tag: str, **attributes: Value) -> _Element:
    """An element with its attributes, in order."""
    return etree.Element(tag, {name: attribute_text(value) for name, value in attributes.items()})


def attribute_text(value: Value) -> str:
    """A value as Live writes it: `true`, integers without a point, numbers exactly and without an exponent."""
    if isinstance(value, str):
        return writable(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return _number_text(value)


def writable(text: str) -> str:
    """The text without what XML cannot hold; a blank stands for it."""
    return _UNWRITABLE.sub(" ", text).strip()


@lru_cache(maxsize=4096)
def _number_text(value: float) -> str:
    """Remembered, for all clips of a song have the same markers."""
    return str(int(value)) if value == int(value) else f"{Decimal(repr(value)):f}"


def _value(value: Value | Elements) -> Value:
    if not isinstance(value, Value):
        raise TypeError(f"elements stand where a value belongs: {value!r}")
    return value


def _elements(value: Value | Elements) -> Elements:
    if isinstance(value, Value):
        raise TypeError(f"{value!r} stands where elements belong")
    return value
