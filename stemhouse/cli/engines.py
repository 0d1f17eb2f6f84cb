"""`stemhouse engines`."""

import click

from stemhouse.cli.output import Output, json_option
from stemhouse.cli.session import open_client
from stemhouse.jobs import EngineGap, EngineOffer


@click.command()
@json_option
@click.pass_obj
def engines(output: Output) -> None:
    """The engines that can be asked for now, and what others lack."""
    with open_client(output) as client:
        survey = client.survey()
    lines = [*map(_line, survey.offers), *map(_gap_line, survey.gaps)]
    output.result({"engines": survey.offers, "gaps": survey.gaps}, "\n".join(lines) or "no engine is ready")


def _line(offer: EngineOffer) -> str:
    stems = ", ".join(offer.stems)
    return f"{offer.name:<10}{offer.model:<18}{offer.grade:<10}{offer.device:<8}{stems}  ({offer.engine_id})"


def _gap_line(gap: EngineGap) -> str:
    return f"{gap.engine:<10}{gap.cause}; get it with: {gap.remedy}"
