"""Where text goes: results to stdout, as text or as one JSON document; everything else to stderr."""

import dataclasses
import errno
import json
import os
import re
import sys
from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

import click

from stemhouse.errors import StemhouseError, Unavailable

_UNSEEN = re.compile(r"\r(?!\n)|[^\S \t\r\n]|[\x00-\x08\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""What a terminal obeys instead of showing it, marks that turn the direction of writing among them; odd blanks, too."""


class Output:
    """The two streams of one command."""

    def __init__(self, *, is_json: bool) -> None:
        """With `is_json`, stdout carries exactly one document."""
        self._is_json = is_json

    @property
    def is_json(self) -> bool:
        """Whether the result is one JSON document."""
        return self._is_json

    def say(self, text: str) -> None:
        """A line for people, beside the result."""
        click.echo(shown(text), err=True)

    def result(self, document: Mapping[str, Any], text: str) -> None:
        """What the command was asked for; once per command. Values of the document may be dataclasses.

        Raises Unavailable if stdout takes no more.
        """
        _print(json.dumps(document, indent=2, default=_plain) if self._is_json else shown(text))

    def failure(self, reason: str, message: str, details: Mapping[str, str]) -> None:
        """Why there is no result."""
        self.say(f"error: {message}")
        if self._is_json:
            click.echo(json.dumps({"error": {"reason": reason, "message": message, "details": details}}, indent=2))


def _print(text: str) -> None:
    try:
        click.echo(text)
    except OSError as error:
        if error.errno == errno.EPIPE:  # whoever reads has seen enough: click ends the process without a word
            raise
        # What is left in the stream would be written, and fail, once more when the process ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise Unavailable(f"cannot write the result to stdout: {error.strerror or error}") from error


def error_document(error: StemhouseError | None) -> dict[str, Any] | None:
    """The error as JSON shows it."""
    return {"reason": error.reason, "message": error.message, "details": error.details} if error else None


def shown(text: str) -> str:
    """Lines for people: names and tags are anybody's, and what a terminal would obey is written as an escape."""
    return _UNSEEN.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def on_one_line(name: str) -> str:
    """The same of a name or path, which may hold ends of lines."""
    return shown(name).replace("\r", "\\r").replace("\n", "\\n")


def path_text(path: Path | str) -> str:
    """A path for people, whatever bytes it is made of."""
    return click.format_filename(path)


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    message = f"{type(value).__name__} has no JSON form"
    raise TypeError(message)


json_option = click.option(
    "--json", is_flag=True, expose_value=False, help="Print one JSON document on stdout; text for people on stderr."
)
"""Of every command; `main` looks for it, so that usage errors are told as JSON too."""
