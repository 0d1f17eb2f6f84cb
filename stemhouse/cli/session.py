"""The client of a command: to the servers that STEMHOUSE_SERVER names, else to the local stack."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import grpc

from stemhouse.cli.output import Output
from stemhouse.client.endpoints import Endpoints, endpoints_from_text
from stemhouse.client.sdk import Stemhouse
from stemhouse.errors import InvalidRequest
from stemhouse.local.home import find_home
from stemhouse.local.leases import Lease
from stemhouse.local.stack import ensure_stack, require_stack

SERVER_VARIABLE = "STEMHOUSE_SERVER"


def names_server() -> bool:
    """Whether other servers than the local stack are to be used."""
    return bool(os.environ.get(SERVER_VARIABLE))


@contextmanager
def open_client(output: Output) -> Iterator[Stemhouse]:
    """A client while the block runs; the local stack is started if need be and stays at least as long."""
    if names_server():
        with Stemhouse(_named_endpoints(), credentials=_credentials()) as client:
            yield client
        return
    home = find_home()
    home.make_dirs()
    with Lease(home):
        endpoints = ensure_stack(home, output.say)
        with Stemhouse(endpoints, partial(require_stack, home, endpoints)) as client:
            yield client


def _named_endpoints() -> Endpoints:
    try:
        return endpoints_from_text(os.environ[SERVER_VARIABLE])
    except InvalidRequest as error:
        raise InvalidRequest(f"{SERVER_VARIABLE}: {error.message}") from error


def _credentials() -> grpc.ChannelCredentials | None:
    # Imported here: pydantic takes long, and the local stack does without it.
    from stemhouse.platform.security import CallerSettings  # noqa: PLC0415
    from stemhouse.platform.settings import read_settings  # noqa: PLC0415

    return read_settings(CallerSettings).channel_credentials()
