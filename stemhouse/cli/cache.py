"""`stemhouse cache`."""

import sys

import click

from stemhouse.cache import DEFAULT_CLEARED_DAYS, CacheShare, CacheStats, Cleared
from stemhouse.cli.output import Output, json_option
from stemhouse.cli.progress import show_share
from stemhouse.cli.session import open_client
from stemhouse.client.sdk import Stemhouse
from stemhouse.errors import InvalidRequest

_MOST_DAYS = 36_500
_GB, _MB = 1e9, 1e6


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def cache(context: click.Context) -> None:
    """Show and clear what is kept of separated tracks.

    Without a subcommand: show. The next wish for the same audio is answered with it, at once. Files that were
    delivered are not part of it.
    """
    if context.invoked_subcommand is None:
        context.invoke(show_stats)


@cache.command("stats")
@json_option
@click.pass_obj
def show_stats(output: Output) -> None:
    """What the cache takes in the object store, by engine."""
    with open_client(output) as client:
        stats = client.cache_stats()
    document = {
        "size_bytes": stats.size_bytes,
        "max_bytes": stats.max_bytes,
        "kept_s": stats.kept_s,
        "shares": stats.shares,
    }
    output.result(document, stats_text(stats))


@cache.command()
@click.option(
    "--older-than",
    "older_than_days",
    metavar="DAYS",
    default=DEFAULT_CLEARED_DAYS,
    show_default=True,
    type=click.FloatRange(0, _MOST_DAYS),
    help="Days since the last use; 0 clears all that is not in use.",
)
@click.option("--dry-run", is_flag=True, help="Tell what would go; clear nothing.")
@click.option("--yes", is_flag=True, help="Do not ask; for scripts.")
@json_option
@click.pass_obj
def clear(output: Output, *, older_than_days: float, dry_run: bool, yes: bool) -> None:
    """Clear what nobody has used for a while.

    Whoever wishes for such a track again has it separated again. What jobs at work need stays, and so does what was
    asked for within the last minute.
    """
    with open_client(output) as client:
        cleared = _last(client, older_than_days)
        if _is_any(cleared) and not dry_run:
            if not yes:
                _require_consent(cleared)
            cleared = _clear(client, older_than_days, cleared.size_bytes, output)
    output.result({"is_dry_run": dry_run, "cleared": cleared}, cleared_text(cleared, is_dry_run=dry_run))


def stats_text(stats: CacheStats) -> str:
    """What it takes of what it may, then a line for each share."""
    limit = "no limit" if stats.max_bytes is None else f"at most {size_text(stats.max_bytes)}"
    lines = [f"{size_text(stats.size_bytes)} in the cache, {limit}", *map(_share_line, stats.shares)]
    return "\n".join(lines)


def cleared_text(cleared: Cleared, *, is_dry_run: bool) -> str:
    """What has gone, and what stays although it is as old."""
    if not _is_any(cleared):
        gone = "nothing to clear"
    else:
        parts = _counted(cleared.result_count, "result") + " and the audio of " + _counted(cleared.audio_count, "track")
        gone = f"{size_text(cleared.size_bytes)} {'would go' if is_dry_run else 'cleared'}: {parts}"
    return f"{gone}; in use, and kept: {_entries(cleared.kept_count)}" if cleared.kept_count else gone


def size_text(size_bytes: int) -> str:
    """In GB, or in MB where it is less than one."""
    return f"{size_bytes / _GB:.2f} GB" if size_bytes >= _GB else f"{size_bytes / _MB:.1f} MB"


def _share_line(share: CacheShare) -> str:
    what = share.engine_id or "audio of tracks"
    day = share.oldest_use_at.date().isoformat()
    return f"  {what:<48}{share.entry_count:>7}{size_text(share.size_bytes):>12}  all used since {day}"


def _is_any(cleared: Cleared) -> bool:
    return bool(cleared.audio_count or cleared.result_count)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count} entries"


def _last(client: Stemhouse, older_than_days: float) -> Cleared:
    *_, cleared = client.clear_cache(older_than_days, is_dry_run=True)
    return cleared


def _clear(client: Stemhouse, older_than_days: float, expected_bytes: int, output: Output) -> Cleared:
    cleared = Cleared()
    with show_share("clearing", output.say) as show:
        for cleared in client.clear_cache(older_than_days):
            show(min(1.0, cleared.size_bytes / expected_bytes))
    return cleared


def _require_consent(cleared: Cleared) -> None:
    if not sys.stdin.isatty():
        message = "nobody is here to agree: run this in a terminal, or with --yes"
        raise InvalidRequest(message, {"yes": message})
    if not click.confirm(f"{cleared_text(cleared, is_dry_run=True)}. Clear it?", default=False, err=True):
        raise click.Abort
