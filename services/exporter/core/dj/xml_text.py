"""XML as DJ programs take it."""

import re
from collections.abc import Mapping

from lxml import etree

_IMPOSSIBLE = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def child(parent: etree._Element, name: str, attributes: Mapping[str, object]) -> etree._Element:
    """A new element; what XML cannot hold is left out of its attributes."""
    texts = {key: _IMPOSSIBLE.sub("", str(value)) for key, value in attributes.items()}
    return etree.SubElement(parent, name, texts)


def document(root: etree._Element, *, standalone: bool | None = None) -> bytes:
    """The whole document in UTF-8, indented."""
    etree.indent(root, space="  ")
    text: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=standalone)
    return text + b"\n"
