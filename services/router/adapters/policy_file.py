"""The policy as TOML: the packaged values, and over them those of a file of one's own."""

import json
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from services.router.core.policy import Policy
from stemhouse.errors import InvalidRequest

_WORDS = {"unexpected_keyword_argument": "there is no such key"}
"""Where those of the checks are about Python."""


class _Checked(BaseModel):
    """What is checked how; the dataclasses of the core are checked likewise."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    policy: Policy


def packaged_policy_text() -> str:
    """The file that comes with the router."""
    return resources.files("services.router").joinpath("policy.toml").read_text(encoding="utf-8")


def load_policy(own_file: Path | None = None) -> Policy:
    """The packaged policy, with what a file of one's own says otherwise.

    Raises InvalidRequest of one line that names the file, and the key that is unknown or has a value it cannot have.
    """
    values = tomllib.loads(packaged_policy_text())
    if own_file is not None:
        values = _merged(values, _own_values(own_file))
    try:
        # As JSON: there a list may be a tuple, and still no text a number.
        return _Checked.model_validate_json(json.dumps({"policy": values}, default=str)).policy
    except ValidationError as error:
        raise InvalidRequest(f"the policy {own_file}: {_faults_text(error)}") from error


def _own_values(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidRequest(f"the policy {file} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise InvalidRequest(f"the policy {file} is no TOML: {error}") from error


def _merged(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    both = {key: _merged(under[key], value) for key, value in over.items() if _are_tables(under.get(key), value)}
    return {**under, **over, **both}


def _are_tables(one: object, other: object) -> bool:
    return isinstance(one, dict) and isinstance(other, dict)


def _faults_text(error: ValidationError) -> str:
    return "; ".join(_fault_text(fault["loc"][1:], _WORDS.get(fault["type"], fault["msg"])) for fault in error.errors())


def _fault_text(path: tuple[int | str, ...], message: str) -> str:
    """What the core refuses names its key itself."""
    own_words = message.removeprefix("Value error, ")
    name = ".".join(map(str, path))
    if own_words == message or not name:
        return ": ".join(filter(None, (name, own_words)))
    return f"{name}.{own_words}"
