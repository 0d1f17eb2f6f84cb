"""`stemhouse engines`."""

import click

from stemhouse.cli.output import Output, json_option
from stemhouse.cli.session import open_client
from stemhouse.jobs import EngineOffer


@click.command()
@json_option
@click.pass_obj
def engines(output: Output) -> None:
    """The engines that can be asked for now."""
    with open_client(output) as client:
        offers = client.engines()
    output.result({"engines": offers}, "\n".join(map(_line, offers)) or "no engine is ready")


def _line(offer: EngineOffer) -> str:
    return f"{offer.name:<10}{offer.grade:<10}{offer.device:<8}{', '.join(offer.stems)}  ({offer.engine_id})"
