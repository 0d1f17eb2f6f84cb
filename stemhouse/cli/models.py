"""`stemhouse models`."""

import re
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from stemhouse.cli.exit_codes import ExitCode
from stemhouse.cli.output import Output, json_option, path_text
from stemhouse.cli.progress import show_share
from stemhouse.cli.session import open_client
from stemhouse.client.sdk import Stemhouse
from stemhouse.errors import NotFound
from stemhouse.models import Model, ModelState
from stemhouse.wire.validation import NAME

_SUFFIXES = (".yaml", ".th", ".safetensors", ".onnx", ".ckpt")
_NOTE_WIDTH = 100


@click.group()
def models() -> None:
    """List, pull, verify and add the models of engines."""


@models.command("list")
@json_option
@click.pass_obj
def list_models(output: Output) -> None:
    """The models of the catalogue, and others that are installed."""
    with open_client(output) as client:
        found = client.models()
    output.result({"models": found}, "\n".join([*map(_line, found), "", *_notes(found)]))


@models.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@json_option
@click.pass_obj
def pull(output: Output, names: tuple[str, ...]) -> None:
    """Install models of the catalogue.

    A pull that was cut off goes on where it ended.
    """
    with open_client(output) as client:
        for note in _notes(_chosen(client.models(), names)):
            output.say(note)
        installed = [_pulled(client, name, output) for name in names]
    output.result({"models": installed}, "\n".join(map(_line, installed)))


@models.command()
@click.argument("names", nargs=-1, metavar="[NAME...]")
@json_option
@click.pass_obj
def verify(output: Output, names: tuple[str, ...]) -> ExitCode:
    """Read installed models from end to end.

    The exit code is 5 if one is damaged.
    """
    with open_client(output) as client:
        found = client.verify_models(names)
    output.result({"models": found}, "\n".join(map(_line, found)) or "no model is installed")
    is_whole = all(model.state is ModelState.INSTALLED for model in found)
    return ExitCode.OK if is_whole else ExitCode.FAILURES


@models.command()
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(exists=True, path_type=Path))
@click.option("--name", help="What to call it; else the name of the YAML file or checkpoint.")
@click.option("--licence", "licence_note", default="", help="The terms of its weights, kept beside it.")
@json_option
@click.pass_obj
def add(output: Output, paths: tuple[Path, ...], *, name: str | None, licence_note: str) -> None:
    """Install a model of your own.

    PATH is a checkpoint, or the checkpoints of a bag and its YAML file are, or their folder is.
    """
    files = [file for path in paths for file in _files(path)]
    name = name or _name_of(files)
    with open_client(output) as client:
        model = client.add_model(name, files, licence_note)
    output.result({"models": [model]}, _line(model))


def _chosen(listed: Iterable[Model], names: Sequence[str]) -> list[Model]:
    """The models of those names. A wrong name must not wait for the download of a right one."""
    by_name = {model.name: model for model in listed}
    unknown = [name for name in names if name not in by_name]
    if unknown:
        raise NotFound(f"no model {', '.join(unknown)}; there are {', '.join(by_name)}")
    return [by_name[name] for name in names]


def _pulled(client: Stemhouse, name: str, output: Output) -> Model:
    with show_share(f"pulling {name}", output.say) as show:
        for event in client.pull_model(name):
            if isinstance(event, Model):
                return event
            show(event.done_bytes / event.total_bytes)
    raise AssertionError("pull_model ends with the model")


def _files(path: Path) -> list[Path]:
    """The path itself, or the model's files in a folder."""
    if not path.is_dir():
        return [path]
    found = sorted(file for file in path.iterdir() if file.suffix in _SUFFIXES)
    if not found:
        raise click.UsageError(f"{path_text(path)} holds no {', '.join(_SUFFIXES)}")
    return found


def _name_of(files: Sequence[Path]) -> str:
    """The base name of the YAML file, else of the only checkpoint, as a plain name."""
    named = [file for file in files if file.suffix == _SUFFIXES[0]] or files
    name = re.sub(r"[^a-z0-9_-]+", "-", named[0].stem.lower()).strip("-_")
    if len(named) > 1 or not NAME.fullmatch(name):
        raise click.UsageError("what shall the model be called? say it with --name")
    return name


def _line(model: Model) -> str:
    size = f"{model.size_bytes / 1e6:.0f} MB"
    line = f"{model.name:<16}{model.engine:<8}{model.state.value:<11}{size:>7}  {', '.join(model.stems)}"
    return f"{line}\n{'':<16}{model.problem}" if model.problem else line


def _notes(found: Iterable[Model]) -> list[str]:
    """Each licence note once, with the models that it is about."""
    names: dict[str, list[str]] = {}
    for model in found:
        names.setdefault(model.licence_note, []).append(model.name)
    return [
        textwrap.fill(f"{', '.join(about)}: {note}", _NOTE_WIDTH, subsequent_indent="  ")
        for note, about in names.items()
    ]
