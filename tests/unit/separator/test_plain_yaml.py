"""YAML of strangers: plain values are read, and whatever else a document says is one of two errors."""

from typing import Any

import pytest
import yaml

from services.separator.core.plain_yaml import plain_yaml


@pytest.mark.parametrize(
    ("document", "value"),
    [
        (b"", None),
        (b"a: [1, 0x10, 1.5, .inf, true, ~, text, '12']", {"a": [1, 16, 1.5, float("inf"), True, None, "text", "12"]}),
        (b"a: 2020-01-02", {"a": "2020-01-02"}),
    ],
)
def test_plain_values_are_read(document: bytes, value: Any) -> None:
    """Those of JSON; a date stays the text that it is."""
    assert plain_yaml(document) == value


@pytest.mark.parametrize(
    "document",
    [
        b"!!bool x",
        b"!!int ''",
        b"!!int x",
        b"!!int -",
        b"!!float ''",
        b"!!float [1]",
        b"1" + b":00" * 300 + b".5",
        b'"\\UFFFFFFFF"',
        b"[a, !!bool x]",
        b"{[a]: b}",
        b"!!map [a]",
        b"%YAML 1." + b"1" * 5000 + b"\n---\na",
        b"\xff\xfe\x00",
    ],
    ids=lambda document: repr(document[:20]),
)
def test_values_that_cannot_be_made_are_errors_of_the_document(document: bytes) -> None:
    """Never those of the code that makes them."""
    with pytest.raises((ValueError, yaml.YAMLError)):
        plain_yaml(document)


@pytest.mark.parametrize("kind", ["binary", "set", "omap", "pairs", "python/tuple", "python/name:os.getcwd"])
def test_other_kinds_are_refused(kind: str) -> None:
    """No bag needs them."""
    with pytest.raises(yaml.YAMLError, match="could not determine a constructor"):
        plain_yaml(f"!!{kind} ''".encode())
