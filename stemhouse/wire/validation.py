"""Checks of incoming messages, collected so that a caller sees every bad field at once."""

import re

from stemhouse.errors import InvalidRequest

SHA256 = re.compile(r"[0-9a-f]{64}")
MD5 = re.compile(r"[0-9a-f]{32}")
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
BATCH_ID = re.compile(r"[A-Za-z0-9._-]{0,64}")
NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
"""Engines, models and stems."""
ENGINE_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,127}")
"""It holds the names of engine and model, and all else that changes samples."""
UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
TENANT = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")
OBJECT_KEY = re.compile(r"(?!.*\.\.)[A-Za-z0-9_][A-Za-z0-9._/-]{0,511}")


class FieldChecks:
    """Collects what is wrong with a message's fields; `done` raises if anything is.

    `details` of the InvalidRequest map each bad field's path to a description.
    """

    def __init__(self) -> None:
        """Begin with nothing wrong."""
        self._violations: dict[str, str] = {}

    def require(self, field: str, *, holds: bool, because: str) -> None:
        """Note `because` against `field` unless it holds."""
        if not holds:
            self._violations.setdefault(field, because)

    def matches(self, field: str, text: str, pattern: re.Pattern[str]) -> None:
        """Note `field` unless the whole text matches."""
        self.require(field, holds=pattern.fullmatch(text) is not None, because=f"must match {pattern.pattern}")

    def within(self, field: str, value: float, lowest: float, highest: float) -> None:
        """Note `field` unless lowest <= value <= highest (which NaN never is)."""
        self.require(field, holds=lowest <= value <= highest, because=f"must be from {lowest} to {highest}")

    def done(self) -> None:
        """Raise InvalidRequest if any check failed."""
        if self._violations:
            listed = "; ".join(f"{field} {because}" for field, because in self._violations.items())
            raise InvalidRequest(listed, self._violations)
