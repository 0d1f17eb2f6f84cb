"""Channels to the separators."""

from collections.abc import Sequence
from dataclasses import dataclass

from stemhouse.platform.channel import connect
from stemhouse.v1.separator_pb2_grpc import SeparatorServiceStub


@dataclass(frozen=True)
class Separator:
    """One separator, and the way to it."""

    address: str
    stub: SeparatorServiceStub


def connect_separators(addresses: Sequence[str]) -> list[Separator]:
    """Open a channel to each address; nothing is called yet."""
    return [Separator(address, SeparatorServiceStub(connect(address))) for address in addresses]
