"""The client of a command: to the servers that STEMHOUSE_SERVER names, else to the local stack."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from stemhouse.cli.output import Output
from stemhouse.client.endpoints import endpoints_from_text
from stemhouse.client.sdk import Stemhouse
from stemhouse.local.home import find_home
from stemhouse.local.leases import Lease
from stemhouse.local.stack import ensure_stack

SERVER_VARIABLE = "STEMHOUSE_SERVER"


def names_server() -> bool:
    """Whether other servers than the local stack are to be used."""
    return bool(os.environ.get(SERVER_VARIABLE))


@contextmanager
def open_client(output: Output) -> Iterator[Stemhouse]:
    """A client while the block runs; the local stack is started if need be and stays at least as long."""
    if names_server():
        with Stemhouse(endpoints_from_text(os.environ[SERVER_VARIABLE])) as client:
            yield client
        return
    home = find_home()
    home.make_dirs()
    with Lease(home), Stemhouse(ensure_stack(home, output.say)) as client:
        yield client
