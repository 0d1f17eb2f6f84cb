"""Options that `separate` and `batch` share."""

import math
from collections.abc import Callable
from typing import Any, TypeVar

import click

from stemhouse.cli.wish import NO_SUM_FLAG
from stemhouse.delivery import DeliveryOptions, FileFormat, SampleFormat
from stemhouse.jobs import Preset
from stemhouse.vocab import AUTO_ENGINE

Command = TypeVar("Command", bound=Callable[..., Any])


class NumberRange(click.FloatRange):
    """A range of numbers; what is none, or has no end, is not in it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """See click.ParamType.convert."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a number to go by", param, ctx)
        return number


def engine_options(command: Command) -> Command:
    """--engine, --model, --force, --no-sum-to-mix."""
    for option in (
        click.option(
            NO_SUM_FLAG, "sum_to_mix", flag_value=False, default=True, help="Leave the residual out of the stems."
        ),
        click.option("--force", is_flag=True, help="Separate again even if a result is known."),
        click.option("--model", default="", help="A model of the engine, as `models list` names it."),
        click.option(
            "--engine", default=AUTO_ENGINE, show_default=True, help="auto, or an engine that `engines` lists."
        ),
    ):
        command = option(command)
    return command


def choice_options(command: Command) -> Command:
    """--preset, --difficult."""
    for option in (
        click.option(
            "--difficult",
            "is_difficult",
            is_flag=True,
            help="For auto: vocals that other engines failed at; asks the engine for those first.",
        ),
        click.option(
            "--preset",
            default=Preset.BALANCED.value,
            show_default=True,
            type=click.Choice([*map(str, Preset)]),
            help="For auto: how time is weighed against quality.",
        ),
    ):
        command = option(command)
    return command


def cloud_option(scope: str) -> Callable[[Command], Command]:
    """--cloud-minutes, for what `scope` says."""
    return click.option(
        "--cloud-minutes",
        default=0.0,
        show_default="0: nothing is sent away",
        metavar="N",
        type=NumberRange(0.0),
        help=f"The most that {scope} may take of an allowed account of a cloud engine, in its minutes.",
    )


def delivery_options(command: Command) -> Command:
    """--stems, --format, --bit-depth."""
    for option in (
        click.option(
            "--bit-depth",
            default=SampleFormat.PCM24.value,
            show_default=True,
            type=click.Choice([*map(str, SampleFormat)]),
            help="32f: float; WAV only.",
        ),
        click.option(
            "--format",
            "file_format",
            default=FileFormat.WAV.value,
            show_default=True,
            type=click.Choice([*map(str, FileFormat)]),
            help="mp3 and m4a are lossy.",
        ),
        click.option(
            "--stems", default="", callback=stem_names, help="Stems to deliver, by comma; also instrumental, acapella."
        ),
    ):
        command = option(command)
    return command


def stem_names(_context: click.Context, _option: click.Parameter, text: str) -> tuple[str, ...]:
    """The option's names, each once, in lower case."""
    names = dict.fromkeys(name.strip().lower() for name in text.split(","))
    return tuple(name for name in names if name)


def delivery_of(file_format: str, bit_depth: str, stems: tuple[str, ...]) -> DeliveryOptions:
    """The options as a value; raises click.UsageError for samples that the format cannot hold."""
    container = FileFormat(file_format)
    able = container.sample_formats
    if bit_depth not in able and container.is_lossy:
        raise click.UsageError(f"--format {file_format} is lossy and has no bit depth: leave --bit-depth out")
    if bit_depth not in able:
        raise click.UsageError(f"--format {file_format} takes --bit-depth {' or '.join(able)}, not {bit_depth}")
    return DeliveryOptions(container, SampleFormat(bit_depth), stems)
