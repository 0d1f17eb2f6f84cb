"""What errands in the cloud ask of the world."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from services.separator.core.cloud.products import Product
from services.separator.core.cloud.replies import Reply, TaskReport
from services.separator.core.ports import TaskControl


@dataclass(frozen=True)
class Upload:
    """What the service says of a file that it took; times are seconds, `expires_s` since 1970."""

    source_id: str
    size_bytes: int
    duration_s: float
    expires_s: float


class CloudService(Protocol):
    """The service's API. Nobody but the caller repeats what might have been done.

    Every method raises EngineUnavailable if the key is refused, and Unavailable if nothing of use comes back.
    """

    def upload(self, chunks: Iterable[bytes], size_bytes: int, name: str) -> Upload:
        """Send a file; costs nothing. Raises EngineFailed if it is refused."""

    def submit(self, product: Product, source_id: str, idempotency_key: str) -> Reply:
        """Have a source split: from here on it costs. One call, one request."""

    def cancel(self, task_id: str) -> None:
        """Stop a task, if it has not ended."""

    def delete(self, source_id: str) -> None:
        """Remove a source and what was made of it."""


class TaskWatch(Protocol):
    """Asks for all tasks of a key together, no more often than the service allows."""

    def wait(self, task_id: str, control: TaskControl, longest_s: float) -> TaskReport:
        """The report that ends the task; one of a task that is still at work if `longest_s` are over.

        Raises Cancelled, and EngineUnavailable if the key is refused.
        """

    def refresh(self, task_id: str, control: TaskControl) -> TaskReport:
        """The report as the service gives it next: links are new ones. Raises likewise."""


@dataclass(frozen=True)
class Clocks:
    """Seconds since 1970, and a way to let some pass."""

    now_s: Callable[[], float]
    pause: Callable[[float], None]
