"""`stemhouse cloud`."""

import sys

import click

from stemhouse.cli.options import NumberRange
from stemhouse.cli.output import Output, json_option
from stemhouse.cli.session import open_client
from stemhouse.client.sdk import Stemhouse
from stemhouse.cloud import CLOUD_ENGINES, CLOUD_STATEMENT, CloudAccount
from stemhouse.errors import InvalidRequest, NotFound, Unavailable

_NO_ACCOUNT = "no separator has the key of a cloud account"


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def cloud(context: click.Context) -> None:
    """Show, allow and forbid the accounts of cloud engines.

    Without a subcommand: show. Nothing leaves this machine before an account is allowed here, and then only for a job
    that has minutes of its own: see --cloud-minutes of `stemhouse separate` and `stemhouse batch`.
    """
    if context.invoked_subcommand is None:
        context.invoke(show_accounts)


@cloud.command("show")
@json_option
@click.pass_obj
def show_accounts(output: Output) -> None:
    """What leaves this machine, and whether it may.

    Then what each account has spent, and what it has left.
    """
    with open_client(output) as client:
        accounts, troubles = client.cloud_accounts(), _troubles(client)
    lines = [CLOUD_STATEMENT, "", *(map(account_text, accounts) if accounts else [_NO_ACCOUNT]), *troubles]
    output.result({"statement": CLOUD_STATEMENT, "accounts": accounts}, "\n".join(lines))


@cloud.command()
@click.argument("account", required=False, metavar="[ACCOUNT]")
@click.option(
    "--minutes-per-day",
    required=True,
    type=NumberRange(0.0, min_open=True),
    help="The most that may be taken of the account in one day (UTC).",
)
@click.option("--yes", is_flag=True, help="You have read what leaves this machine, and agree; for scripts.")
@json_option
@click.pass_obj
def allow(output: Output, *, account: str | None, minutes_per_day: float, yes: bool) -> None:
    """Let a cloud account be used.

    ACCOUNT may be left out where there is only one.
    """
    with open_client(output) as client:
        name = _account_of(client, account)
        output.say(CLOUD_STATEMENT)
        if not yes:
            _require_consent(name, minutes_per_day)
        allowed = client.allow_cloud(name, minutes_per_day)
    output.result({"account": allowed}, account_text(allowed))


@cloud.command()
@click.argument("account", required=False, metavar="[ACCOUNT]")
@json_option
@click.pass_obj
def forbid(output: Output, *, account: str | None) -> None:
    """Let a cloud account be used no more; what is at work goes on."""
    with open_client(output) as client:
        forbidden = client.forbid_cloud(_account_of(client, account))
    output.result({"account": forbidden}, account_text(forbidden))


@cloud.command()
@click.argument("account", required=False, metavar="[ACCOUNT]")
@click.option("--charged", "found", flag_value="charged", help="The service's own page tells that they were taken.")
@click.option("--not-charged", "found", flag_value="not charged", help="It tells that they were not.")
@json_option
@click.pass_obj
def settle(output: Output, *, account: str | None, found: str | None) -> None:
    """Clear uncertain minutes, once you have looked at the account.

    Stemhouse cannot ask the service whether they were charged, so they count as spent until you tell. Wish for their
    tracks again before: what can still be found costs nothing more. Afterwards such a track is ordered anew.
    """
    if found is None:
        raise click.UsageError("say what you have found: --charged or --not-charged")
    with open_client(output) as client:
        settled = client.settle_cloud(_account_of(client, account), were_charged=found == "charged")
    output.result({"account": settled}, account_text(settled))


def account_text(account: CloudAccount) -> str:
    """A short block about one account."""
    may = f"allowed, at most {account.minutes_per_day:g} minutes a day" if account.is_allowed else "not allowed"
    left = "unknown" if account.minutes_left is None else f"{account.minutes_left:.2f} minutes"
    rows = [("today", f"{account.minutes_today:.2f} minutes"), ("left", left)]
    if account.minutes_reserved:
        rows.append(("at work", f"{account.minutes_reserved:.2f} minutes are set aside"))
    if account.minutes_uncertain:
        uncertain = f"{account.minutes_uncertain:.2f} minutes may have been charged; they count as spent"
        rows.append(("uncertain", f"{uncertain} until you have looked: `stemhouse cloud settle`"))
    return "\n".join([f"{account.account}  {may}", *(f"  {label:<10}{text}" for label, text in rows)])


def _troubles(client: Stemhouse) -> list[str]:
    """Why a cloud engine cannot be used, such as a key that is refused; nothing while no separator answers."""
    try:
        gaps = client.survey().gaps
    except Unavailable:
        return []
    return [f"{gap.engine} cannot be used: {gap.cause}" for gap in gaps if gap.engine in CLOUD_ENGINES]


def _account_of(client: Stemhouse, name: str | None) -> str:
    """The account that is meant, the only one if none is named; a word for one that nobody has would do nothing."""
    accounts = [account.account for account in client.cloud_accounts()]
    listed = ", ".join(accounts)
    if not accounts:
        raise NotFound(_NO_ACCOUNT, {"account": "none"})
    if name and name not in accounts:
        raise NotFound(f"there is no account {name}; there is {listed}", {"account": listed})
    if not name and len(accounts) > 1:
        raise InvalidRequest(f"name the account: {listed}", {"account": listed})
    return name or accounts[0]


def _require_consent(account: str, minutes_per_day: float) -> None:
    if not sys.stdin.isatty():
        message = "nobody is here to agree: run this in a terminal, or with --yes"
        raise InvalidRequest(message, {"yes": message})
    question = f"Allow {account} to be used, for at most {minutes_per_day:g} minutes a day?"
    if not click.confirm(question, default=False, err=True):
        raise click.Abort
