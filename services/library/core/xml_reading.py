"""XML from files that nobody vouches for, tag by tag, so that the size of a collection does not matter.

The formats read here say everything in attributes: a start tag and its depth are all there is to know. What is cut or
damaged ends nothing, for libxml2 goes on behind it. No entity, no document type and nothing from a network gets in.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple, Protocol

from lxml import etree

from services.library.core.tags import text_from_tag
from stemhouse.errors import LibraryRejected

_CHUNK_BYTES = 1 << 16
_DEEPEST = 200
"""Folders of playlists nest two tags each; damage that swallows an end tag adds one."""
_REFERENCE = re.compile(rb"&#(?:[xX]([0-9a-fA-F]{1,8})|([0-9]{1,8}));")
_LONGEST_REFERENCE_BYTES = 12
_HALVES_OF_CHARACTERS = range(0xD800, 0xE000)
"""Surrogates of UTF-16. Programs that write them one by one exist; lxml gives up at such a reference."""
_REPLACEMENT = b"&#xFFFD;"
_STOPS = (etree.XMLSyntaxError, UnicodeDecodeError)


class XmlTag(NamedTuple):
    """A start tag; the root has the depth 1."""

    depth: int
    name: str
    attributes: Mapping[str, str]


class XmlTags:
    """The start tags of a document in order, to be gone through once; what is lost stands in `warnings` afterwards.

    Iterating raises LibraryRejected if the root is another one, or if there is none, or a document type.
    """

    def __init__(self, stream: BinaryIO, root: str) -> None:
        """Read nothing yet."""
        self.warnings: tuple[str, ...] = ()
        self._stream = stream
        self._root = root

    def __iter__(self) -> Iterator[XmlTag]:
        """Read on as the tags are taken."""
        target = _TagCollector(self._root)
        parser = _parser(target)
        is_whole = True
        for chunk in _chunks(self._stream):
            is_whole = _feed(parser, chunk) and not target.is_too_deep
            yield from target.take()
            if not is_whole:
                break
        else:
            is_whole = _close(parser)
            yield from target.take()
        if not target.has_root:
            raise LibraryRejected(f"no {self._root} document: it is empty, or no XML")
        self.warnings = _losses(parser, is_whole=is_whole)


def root_name(beginning: bytes) -> str:
    """The name of the root tag that lies in the first bytes of a document; an empty text if it is no such document."""
    target = _TagCollector("")
    try:
        _feed(_parser(target), beginning)
    except LibraryRejected:
        return ""
    tags = target.take()
    return tags[0].name if tags else ""


class _TagCollector:
    """What lxml reports to, in place of building a tree."""

    def __init__(self, root: str) -> None:
        self.has_root = False
        self.is_too_deep = False
        self._root = root
        self._depth = 0
        self._tags: list[XmlTag] = []

    def take(self) -> list[XmlTag]:
        tags, self._tags = self._tags, []
        return tags

    def doctype(self, name: str, public_id: str | None, url: str | None) -> None:
        """The only place where entities can be declared; comes before the first of them."""
        del public_id, url
        raise LibraryRejected(f"it declares a document type, {text_from_tag(name)}, which no DJ program does")

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._depth += 1
        if not self.has_root and self._root not in {"", name}:
            raise LibraryRejected(f"no {self._root} document: its root is {text_from_tag(name)}")
        self.has_root = True
        self.is_too_deep = self.is_too_deep or self._depth > _DEEPEST
        if not self.is_too_deep:
            self._tags.append(XmlTag(self._depth, name, attributes))

    def end(self, name: str) -> None:
        del name
        self._depth -= 1

    def close(self) -> None:
        """There is nothing to hand over."""


class _Parser(Protocol):
    """An lxml parser that reports to a target."""

    @property
    def feed_error_log(self) -> Any: ...

    def feed(self, data: bytes) -> None: ...

    def close(self) -> Any: ...


def _parser(target: Any) -> _Parser:
    return etree.XMLParser(
        # "internal" lets &amp; through as &; entities of its own a document cannot have, see doctype.
        target=target,
        recover=True,
        resolve_entities="internal",
        load_dtd=False,
        no_network=True,
        huge_tree=False,
    )


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    """The document in pieces that cut no reference, those to halves of characters replaced; not so in UTF-16."""
    rest = b""
    while read := stream.read(_CHUNK_BYTES):
        chunk = rest + read
        begin = chunk.rfind(b"&", -_LONGEST_REFERENCE_BYTES)
        end = len(chunk) if begin < 0 else begin
        rest = chunk[end:]
        yield _REFERENCE.sub(_whole_character, chunk[:end])
    yield _REFERENCE.sub(_whole_character, rest)


def _whole_character(reference: re.Match[bytes]) -> bytes:
    number = int(reference[1], 16) if reference[1] else int(reference[2])
    return _REPLACEMENT if number in _HALVES_OF_CHARACTERS else reference[0]


def _feed(parser: _Parser, chunk: bytes) -> bool:
    """Whether the parser can go on behind it; what it met is in its log."""
    try:
        parser.feed(chunk)
    except _STOPS:
        return False
    return True


def _close(parser: _Parser) -> bool:
    """Whether the parser came to the end."""
    try:
        parser.close()
    except _STOPS:
        return False
    return True


def _losses(parser: _Parser, *, is_whole: bool) -> tuple[str, ...]:
    """Where the damage begins; libxml2 keeps no more than the first 100 errors."""
    errors = [error for error in parser.feed_error_log if error.level >= etree.ErrorLevels.ERROR]
    warnings = []
    if errors:
        first = f"line {errors[0].line} ({text_from_tag(errors[0].message)})"
        warnings.append(f"it is damaged or cut in {first}, from where on tracks may be lost")
    if not is_whole:
        warnings.append("it is not read to its end: what follows cannot be decoded, or its tags nest too deep")
    return tuple(warnings)
