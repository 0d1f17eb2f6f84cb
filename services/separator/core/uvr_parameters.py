"""The parameters that come with a UVR model: a YAML file, or JSON, which is a part of it.

They are a stranger's, and choose what is built and how much memory that takes: so every number has a limit.
Functions raise ValueError that says what is wrong.
"""

import math
from collections.abc import Mapping
from typing import Any

import yaml

from services.separator.core.plain_yaml import plain_yaml

SAMPLE_RATE_HZ = 44_100
"""Of all of UVR's models that are taken."""
MDX_HOP_FRAMES = 1024
"""Of every MDX network; it stands in no file."""

LARGEST_PARAMETERS_BYTES = 65_536
_LARGEST_NUMBER = 1_000_000
_LARGEST_COUNT = 64
"""Of layers, stems and scales."""
_MOST_NUMBERS = 4_000
_LARGEST_COMPENSATION = 10.0
_MDX_LIMITS = {"mdx_dim_f_set": 16_384, "mdx_dim_t_set": 11, "mdx_n_fft_scale_set": 32_768}
_COUNTS = (
    *("depth", "time_transformer_depth", "freq_transformer_depth", "linear_transformer_depth", "mask_estimator_depth"),
    *("num_stems", "num_scales", "num_blocks_per_scale", "mlp_expansion_factor", "num_overlap", "batch_size"),
)

Parameters = dict[str, Any]


def read_parameters(document: bytes) -> Parameters:
    """The fields of a file of parameters, whose numbers are finite and not too large."""
    if len(document) > LARGEST_PARAMETERS_BYTES:
        raise ValueError(f"it has {len(document)} bytes, too many for parameters")
    try:
        fields = plain_yaml(document, takes_tuples=True)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(str(error)[:500]) from error
    if not isinstance(fields, dict) or not all(isinstance(name, str) for name in fields):
        raise ValueError("it holds no fields")
    _require_limited(fields)
    return fields


def check_mdx(fields: Parameters) -> None:
    """Of an MDX network: `compensate`, `mdx_dim_f_set`, `mdx_dim_t_set`, `mdx_n_fft_scale_set`, `primary_stem`."""
    for name, highest in _MDX_LIMITS.items():
        _require_count(name, fields.get(name), highest)
    compensate = fields.get("compensate")
    if not isinstance(compensate, (int, float)) or not 0 < compensate <= _LARGEST_COMPENSATION:
        raise ValueError(f"compensate is {compensate!r}, it must be a number near 1")
    if not isinstance(fields.get("primary_stem"), str):
        message = "primary_stem is missing: the stem that the network gives, say Vocals or Instrumental"
        raise ValueError(message)  # noqa: TRY004 - input of a wrong form, as all else that is wrong with it
    window_frames = fields["mdx_n_fft_scale_set"]
    if window_frames % 2 or fields["mdx_dim_f_set"] > window_frames // 2 + 1:
        raise ValueError(f"mdx_dim_f_set is more than a spectrum over {window_frames} frames has")
    if mdx_heard_frames(fields) <= window_frames:
        raise ValueError(f"it would hear {mdx_heard_frames(fields)} frames at once, no more than its own margins")


def mdx_heard_frames(fields: Parameters) -> int:
    """How many frames an MDX network hears at once."""
    return MDX_HOP_FRAMES * int(2 ** fields["mdx_dim_t_set"] - 1)


def check_mdxc(fields: Parameters) -> None:
    """Of an MDX23C network or a RoFormer: `audio`, `model`, `training` with its `instruments`, `inference`."""
    for name in ("audio", "model", "training", "inference"):
        if not isinstance(fields.get(name), dict):
            raise ValueError(f"it has no {name}")  # noqa: TRY004 - likewise
    training, inference = fields["training"], fields["inference"]
    instruments, target = training.get("instruments"), training.get("target_instrument")
    if not isinstance(instruments, list) or not instruments or not all(isinstance(name, str) for name in instruments):
        raise ValueError("training.instruments must be a list of names")
    if target is not None and target not in instruments:
        raise ValueError(f"training.target_instrument is {target!r}, and none of the instruments")
    _require_count("inference.dim_t", inference.get("dim_t"), _LARGEST_NUMBER)
    rates_hz = {section.get("sample_rate", SAMPLE_RATE_HZ) for section in (fields["audio"], fields["model"])}
    if rates_hz != {SAMPLE_RATE_HZ}:
        raise ValueError(f"its sample rate is {sorted(map(str, rates_hz))}: only {SAMPLE_RATE_HZ} Hz are taken")


def _require_count(name: str, value: Any, highest: int) -> None:
    if type(value) is not int or not 0 < value <= highest:
        raise ValueError(f"{name} is {value!r}, it must be a positive integer up to {highest}")


def _require_limited(value: Any) -> None:
    waiting, passed_count = [value], 0
    while waiting:
        one = waiting.pop()
        passed_count += 1
        if passed_count + len(waiting) > _MOST_NUMBERS:
            raise ValueError("it holds too many values")
        if isinstance(one, Mapping):
            _require_few(one)
            waiting.extend(one.values())
        elif isinstance(one, (list, tuple)):
            waiting.extend(one)
        elif isinstance(one, (int, float)) and not (math.isfinite(one) and abs(one) <= _LARGEST_NUMBER):
            raise ValueError(f"it holds the number {str(one)[:40]}, which is out of all limits")


def _require_few(fields: Mapping[Any, Any]) -> None:
    for name in _COUNTS:
        count = fields.get(name)
        if isinstance(count, (int, float)) and count > _LARGEST_COUNT:
            raise ValueError(f"{name} is {count}, it may be up to {_LARGEST_COUNT}")
