"""Stopping in time."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from services.separator.core.ports import TaskControl
from stemhouse.errors import Cancelled

Item = TypeVar("Item")


def until_cancelled(items: Iterable[Item], control: TaskControl) -> Iterator[Item]:
    """The items, asking before each one; raises Cancelled."""
    for item in items:
        check_wanted(control)
        yield item


def check_wanted(control: TaskControl) -> None:
    """Raises Cancelled if nobody wants the task any more."""
    if control.is_cancelled():
        message = "cancelled by the caller"
        raise Cancelled(message)


def control_of(is_wanted: Callable[[], bool]) -> TaskControl:
    """For a caller who does not watch, but may leave."""
    return TaskControl(is_cancelled=lambda: not is_wanted())
