"""Which elements a set may and must hold.

`schema_10.json` and `schema_11.json` are facts observed in files saved by Live 10.1 (10.0_377) and Live 11.0
(11.0_433), less what our sets never hold: MIDI, returns, devices. A key is a tag, led by as many of its ancestors as
tell it from its namesakes; the longest key that fits counts. A rule names the attributes with their types and the
children in order: `X` once, `X?` at most once, `X*` any number, `X*3` three. A rule that is a text is the type of
the attribute `Value`, all that the element has. `=5` is a fixed value.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

TYPES: dict[str, Callable[[str], object]] = {
    "int": re.compile(r"-?\d+").fullmatch,
    "float": re.compile(r"-?\d+(\.\d+)?").fullmatch,
    "bool": re.compile("true|false").fullmatch,
    "hex": re.compile(r"[0-9A-F\s]*").fullmatch,
    "str": lambda _: True,
}
MEMBER = re.compile(r"(?P<tag>[^*?]+)(?P<mark>[*?]?)(?P<count>\d*)")


@dataclass(frozen=True)
class Rule:
    """What one element may and must have; `members` says how often, at least and at most, in order."""

    attributes: dict[str, str] = field(default_factory=dict)
    members: dict[str, tuple[int, float]] = field(default_factory=dict)
    text_type: str | None = None
    any_order: bool = False


class Schema:
    """The rules of one version."""

    def __init__(self, rules: dict[str, Rule]) -> None:
        self._rules = rules
        self._places: dict[str, Place] = {}

    @property
    def tags(self) -> frozenset[str]:
        """Every name of an element."""
        return frozenset(key.rsplit("/", 1)[-1] for key in self._rules)

    def findings(self, root: Element) -> Iterator[str]:
        """All that a tree has too much, too little or in the wrong place."""
        ahead = [(self._place(self._places, (root.tag,)), root)]
        while ahead:
            place, element = ahead.pop()
            for finding in place.findings(element):
                yield f"{'/'.join(place.path[-3:])}: {finding}"
            if place.rule:
                known = place.members
                ahead += [(known.get(one.tag) or self._place(known, (*place.path, one.tag)), one) for one in element]

    def _place(self, known: "dict[str, Place]", path: tuple[str, ...]) -> "Place":
        """The place at a path, remembered by its tag; an unknown one has no rule."""
        if path[-1] not in known:
            keys = ("/".join(path[start:]) for start in range(len(path)))
            known[path[-1]] = Place(path, next((self._rules[key] for key in keys if key in self._rules), None))
        return known[path[-1]]


@dataclass
class Place:
    """Where elements stand; `members` are the places below that were seen, `shapes` what is wrong with seen ones."""

    path: tuple[str, ...]
    rule: Rule | None
    members: "dict[str, Place]" = field(default_factory=dict)
    shapes: dict[tuple[tuple[str, ...], ...], list[str]] = field(default_factory=dict)

    def findings(self, element: Element) -> Iterator[str]:
        """What is wrong with an element here, but for its members."""
        if self.rule is None:
            yield "unknown"
            return
        shape = (tuple(element.attrib), tuple([member.tag for member in element]))
        if shape not in self.shapes:
            self.shapes[shape] = [*_name_findings(shape[0], self.rule), *_member_findings(shape[1], self.rule)]
        yield from self.shapes[shape]
        yield from _value_findings(element, self.rule)


@cache
def schema_of(major: int) -> Schema:
    """The schema of Live 10 or 11."""
    facts = json.loads((Path(__file__).parent / f"schema_{major}.json").read_text())
    return Schema({key: _rule(fact) for key, fact in facts.items()})


def _rule(fact: str | dict[str, Any]) -> Rule:
    if isinstance(fact, str):
        return Rule({"Value": fact})
    members = dict(_member(word) for word in fact.get("children", "").split())
    return Rule(fact.get("attributes", {}), members, fact.get("text"), fact.get("any_order", False))


def _member(word: str) -> tuple[str, tuple[int, float]]:
    parts = MEMBER.fullmatch(word)
    assert parts, word
    exact = int(parts["count"] or 1)
    return parts["tag"], {"*": (0, float("inf")), "?": (0, 1.0)}.get(word[len(parts["tag"]) :], (exact, float(exact)))


def _name_findings(names: tuple[str, ...], rule: Rule) -> Iterator[str]:
    for name in rule.attributes.keys() ^ set(names):
        yield f"attribute {name} is {'missing' if name in rule.attributes else 'unknown'}"


def _value_findings(element: Element, rule: Rule) -> Iterator[str]:
    for name, value in element.attrib.items():
        kind = rule.attributes.get(name, "str")
        if not _is_of(kind, value):
            yield f"{name} is {value!r}, not {kind}"
    if element.text and not _is_of(rule.text_type or "=", element.text.strip()):
        yield "has a text of its own"


@lru_cache(maxsize=10_000)
def _is_of(kind: str, value: str) -> bool:
    return value == kind[1:] if kind.startswith("=") else bool(TYPES[kind](value))


def _member_findings(tags: tuple[str, ...], rule: Rule) -> Iterator[str]:
    for tag, (fewest, most) in rule.members.items():
        if not fewest <= tags.count(tag) <= most:
            yield f"{tags.count(tag)} times {tag}"
    for tag in dict.fromkeys(tags):
        if tag not in rule.members:
            yield f"unknown {tag}"
    order = [list(rule.members).index(tag) for tag in tags if tag in rule.members]
    if not rule.any_order and order != sorted(order):
        yield "children out of order"
