"""Whether the description of a model can be believed: catalogues, records and bags are input, as JSON or YAML gave it.

All functions raise ValueError that says what is wrong.
"""

import re
import reprlib
from collections.abc import Collection
from typing import Any

CHECKPOINT_SUFFIXES = (".safetensors", ".th")
"""Of demucs."""
UVR_SUFFIXES = (".onnx", ".ckpt", ".yaml", ".yml", ".json")
"""Of UVR: weights, and their parameters."""

_SUFFIXES = {"demucs": CHECKPOINT_SUFFIXES, "uvr": UVR_SUFFIXES}
ENGINES = tuple(_SUFFIXES)
"""Those that models can be made for."""

# stemhouse.wire.validation has these for messages; a core may not know wire.
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ADDRESS = re.compile(r"https?://[^\s/]+/\S+")
_LONGEST_TEXT = 2000
_ECHO = reprlib.Repr()
_ECHO.maxlevel, _ECHO.maxstring, _ECHO.maxother, _ECHO.maxlong = 2, 100, 100, 100
_HIGHEST_RATE_HZ = 768_000
_MOST_CHANNELS = 2
_LARGEST_NUMBER = 1e6


def check_model_fields(fields: Any) -> None:
    """A model: see `core.models` for its members; more of them are ignored."""
    _require(isinstance(fields, dict), "a model must be an object")
    check_name("name", fields["name"])
    _require(fields["engine"] in ENGINES, f"engine is {_short(fields['engine'])}, it must be of {', '.join(ENGINES)}")
    _check_stems(fields["stems"])
    _check_count("sample_rate_hz", fields["sample_rate_hz"], _HIGHEST_RATE_HZ)
    _check_count("channel_count", fields["channel_count"], _MOST_CHANNELS)
    _check_files(fields["files"], _SUFFIXES[fields["engine"]])
    check_weights(fields.get("weights"), len(fields["files"]), len(fields["stems"]))
    check_segment(fields.get("segment_s"))
    for name in ("licence_note", "origin"):
        _require(isinstance(fields[name], str) and len(fields[name]) <= _LONGEST_TEXT, f"{name} must be a text")


def check_name(what: str, name: Any) -> None:
    """A plain name."""
    _require(is_name(name), f"{what} is {_short(name)}, it must match {_NAME.pattern}")


def is_name(name: Any) -> bool:
    """Whether it is a plain name; raises nothing."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None


def check_checkpoint_name(name: Any, suffixes: tuple[str, ...] = CHECKPOINT_SUFFIXES) -> None:
    """A file name without a path, of a kind that is taken."""
    _require(
        isinstance(name, str) and _FILE_NAME.fullmatch(name) and name.endswith(suffixes),
        f"{_short(name)} is not the plain name of a checkpoint ({', '.join(suffixes)})",
    )


def check_weights(weights: Any, file_count: int, stem_count: int | None = None) -> None:
    """None, or a row for each checkpoint with a finite number for each stem (None: as many as the first row has)."""
    if weights is None:
        return
    _require(isinstance(weights, list) and len(weights) == file_count, f"weights must have {file_count} rows")
    _require(all(isinstance(row, list) and row for row in weights), "each row of weights must be a list of numbers")
    column_count = len(weights[0]) if stem_count is None else stem_count
    _require(all(len(row) == column_count for row in weights), f"each row of weights must have {column_count} numbers")
    _require(all(_is_number(weight) for row in weights for weight in row), "weights must be finite numbers")


def check_segment(segment_s: Any) -> None:
    """None, or a positive number of seconds."""
    _require(segment_s is None or (_is_number(segment_s) and segment_s > 0), f"the segment is {_short(segment_s)}")


def _check_stems(stems: Any) -> None:
    _require(isinstance(stems, list) and stems, "stems must be a list of names")
    for stem in stems:
        check_name("a stem", stem)
    _require(len(set(stems)) == len(stems), "a stem is named twice")


def _check_files(files: Any, suffixes: tuple[str, ...]) -> None:
    _require(isinstance(files, list) and files, "files must be a list of files")
    for file in files:
        _require(isinstance(file, dict), "a file must be an object")
        check_checkpoint_name(file["name"], suffixes)
        digest, url = file["sha256"], file.get("url", "")
        _require(
            isinstance(digest, str) and _SHA256.fullmatch(digest),
            f"the sha256 of {file['name']} must have 64 lower-case hexadecimal digits",
        )
        _check_count(f"size_bytes of {file['name']}", file["size_bytes"])
        _require(
            url == "" or (isinstance(url, str) and _ADDRESS.fullmatch(url)),
            f"the url of {file['name']} must be an http(s) address",
        )
    _require(_are_unlike([file["name"] for file in files]), "a file is named twice")


def _check_count(what: str, count: Any, highest: int | None = None) -> None:
    is_fit = type(count) is int and count > 0 and (highest is None or count <= highest)
    _require(
        is_fit, f"{what} is {_short(count)}, it must be a positive integer" + (f" up to {highest}" if highest else "")
    )


def _are_unlike(names: Collection[str]) -> bool:
    """On any file system, those that do not know capitals among them."""
    return len({name.lower() for name in names}) == len(names)


def _short(value: Any) -> str:
    """For a message, which must fit into the head of an answer; takes no longer for a value that is large."""
    return _ECHO.repr(value)


def _is_number(value: Any) -> bool:
    return type(value) in {int, float} and abs(value) < _LARGEST_NUMBER  # which NaN is not


def _require(holds: Any, because: str) -> None:
    if not holds:
        raise ValueError(because)
