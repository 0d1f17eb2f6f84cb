"""Enums in both directions from one table."""

from collections.abc import Mapping
from enum import Enum
from typing import Generic, TypeVar

from stemhouse.errors import InvalidRequest

Value = TypeVar("Value", bound=Enum)
Number = TypeVar("Number", bound=int)


class EnumTable(Generic[Value, Number]):
    """A one-to-one table between a Python enum and a protobuf enum."""

    def __init__(self, numbers: Mapping[Value, Number]) -> None:
        """Keep the table and its inverse."""
        self._numbers = dict(numbers)
        self._values = {number: value for value, number in numbers.items()}

    def to_proto(self, value: Value) -> Number:
        """The message's number for a value."""
        return self._numbers[value]

    def from_proto(self, field: str, number: Number) -> Value:
        """The value for a number; raises InvalidRequest that names `field` if there is none."""
        if number not in self._values:
            message = f"{field} must be set to a known value"
            raise InvalidRequest(message, {field: message})
        return self._values[number]
