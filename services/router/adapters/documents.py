"""Values of `stemhouse` and of the core as JSON documents, checked when they are read back."""

from functools import cache
from typing import Any

from pydantic import TypeAdapter


@cache
def _adapter(value_type: Any) -> TypeAdapter[Any]:
    return TypeAdapter(value_type)


def to_document(value_type: Any, value: Any) -> Any:
    """Plain JSON data of a value of that type (a dataclass, or any other type hint)."""
    return _adapter(value_type).dump_python(value, mode="json")


def from_document(value_type: Any, document: Any) -> Any:
    """The value; raises pydantic.ValidationError if the document is not of that type."""
    return _adapter(value_type).validate_python(document)
