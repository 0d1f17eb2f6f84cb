"""The file around the tree: one gzip member with a plain header, and XML 1.0 in UTF-8."""

import re
import struct
import zlib
from collections.abc import Iterator
from xml.etree.ElementTree import Element, ParseError, fromstring

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""All but the characters of XML 1.0."""


def opened(als_bytes: bytes) -> tuple[Element | None, list[str]]:
    """The tree, where there is one, and what is wrong with the file."""
    try:
        document, findings = _unpacked(als_bytes)
        root = fromstring(document)  # noqa: S314 -- our own sets, and those that their owners have judged
    except (struct.error, zlib.error, ParseError) as error:
        return None, [f"file: {error}"]
    return root, [*findings, *_document_findings(document)]


def _unpacked(als_bytes: bytes) -> tuple[bytes, list[str]]:
    magic, method, flags, modified = struct.unpack_from("<HBBI", als_bytes)
    reader = zlib.decompressobj(wbits=zlib.MAX_WBITS + 16)
    document = reader.decompress(als_bytes)
    header = {"magic": magic == 0x8B1F, "method": method == 8, "FLG": flags == 0, "MTIME": modified == 0}
    findings = [f"gzip: {name}" for name, is_right in header.items() if not is_right]
    return document, findings if reader.eof and not reader.unused_data else [*findings, "gzip: not one whole member"]


def _document_findings(document: bytes) -> Iterator[str]:
    try:
        content = document.decode("utf-8")
    except UnicodeDecodeError as error:
        yield f"xml: {error}"
        return
    if not content.startswith(DECLARATION):
        yield "xml: declaration"
    if not content.endswith("\n"):
        yield "xml: no line feed at the end"
    if found := FORBIDDEN.search(content):
        yield f"xml: character U+{ord(found.group()):04X}"
