"""Free TCP ports of the loopback interface."""

import socket
from contextlib import ExitStack

LOOPBACK = "127.0.0.1"
GRPC_OFFSET = 10_000
"""SeaweedFS expects some gRPC ports that far above their HTTP ports."""

_HIGHEST_PORT = 65_535


def free_ports(count: int) -> list[int]:
    """That many different ports, all free at this moment."""
    with ExitStack() as held:
        return [_bind(held, 0) for _ in range(count)]


def free_port_pair() -> tuple[int, int]:
    """A port p so that p and p + GRPC_OFFSET are free at this moment."""
    with ExitStack() as held:
        while True:
            port = _bind(held, 0)
            if port + GRPC_OFFSET <= _HIGHEST_PORT and _is_free(held, port + GRPC_OFFSET):
                return port, port + GRPC_OFFSET


def _is_free(held: ExitStack, port: int) -> bool:
    try:
        _bind(held, port)
    except OSError:
        return False
    return True


def _bind(held: ExitStack, port: int) -> int:
    listener = held.enter_context(socket.socket())
    listener.bind((LOOPBACK, port))
    bound: int = listener.getsockname()[1]
    return bound
