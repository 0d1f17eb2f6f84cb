"""Paths of a library, which lie on the machine of the library service: here, or where STEMHOUSE_SERVER says."""

from pathlib import Path

import click

from stemhouse.cli.session import names_server

_S3 = "s3://"


def as_location(_context: click.Context, _option: click.Parameter, text: str | None) -> str:
    """A folder, a DJ program's file or `s3://bucket/prefix` as the library service is told it; empty for nothing.

    What is here is taken to be there, too. Raises click.BadParameter for what is not, unless the service runs elsewhere
    and the path is absolute.
    """
    if not text or text.startswith(_S3):
        return text or ""
    path = Path(text)
    if path.exists():
        return str(path.resolve())
    if names_server():
        return _absolute_there(text)
    raise click.BadParameter(f"{click.format_filename(text)} does not exist")


def as_output_dir(_context: click.Context, _option: click.Parameter, text: str) -> str:
    """A folder to write to, existing or not, as the library service is told it; raises click.BadParameter."""
    if names_server():
        return _absolute_there(text)
    path = Path(text).resolve()
    if path.exists() and not path.is_dir():
        raise click.BadParameter(f"{click.format_filename(text)} is not a folder")
    return str(path)


def as_destination(_context: click.Context, _option: click.Parameter, text: str | None) -> str:
    """A folder here, existing or not, or `s3://bucket/prefix`; empty for nothing. Raises click.BadParameter."""
    if text and not text.startswith(_S3) and Path(text).exists() and not Path(text).is_dir():
        raise click.BadParameter(f"{click.format_filename(text)} is not a folder")
    return text or ""


def as_path_maps(_context: click.Context, _option: click.Parameter, texts: tuple[str, ...]) -> dict[str, str]:
    """`FROM=TO` texts as a mapping; raises click.BadParameter."""
    pairs = [text.partition("=")[::2] for text in texts]
    for text, pair in zip(texts, pairs, strict=True):
        if not all(pair):
            raise click.BadParameter(f"must look like C:/Music=/srv/music, not {text!r}")
    return dict(pairs)


def _absolute_there(text: str) -> str:
    if not text.startswith("/"):
        raise click.BadParameter(f"{text!r} must be an absolute path on the machine of the library service")
    return text
