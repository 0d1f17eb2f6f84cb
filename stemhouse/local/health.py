"""Whether a process of the stack does its work, by its own word (gRPC health) or, for the store, by its refusal."""

import socket
from enum import StrEnum
from typing import Any

from grpc_health.v1 import health_pb2, health_pb2_grpc

from stemhouse.errors import StemhouseError
from stemhouse.local.record import ChildRecord
from stemhouse.platform.channel import connect
from stemhouse.platform.status import rpc_errors

_CHECK_DEADLINE_S = 2.0


class Health(StrEnum):
    """What a process answers."""

    SERVING = "serving"
    NOT_SERVING = "not serving"
    NO_ANSWER = "no answer"


def health_of(child: ChildRecord) -> Health:
    """Ask the process; takes at most a few seconds."""
    if not child.process.find():
        return Health.NO_ANSWER
    return _service_health(child) if child.service_name else _store_health(child)


def _service_health(child: ChildRecord) -> Health:
    request = health_pb2.HealthCheckRequest(service=child.service_name)
    channel = connect(child.address)
    try:
        with rpc_errors():
            check: Any = health_pb2_grpc.HealthStub(channel).Check  # type: ignore[attr-defined]  # its stub has none
            response = check(request, timeout=_CHECK_DEADLINE_S)
    except StemhouseError:
        return Health.NO_ANSWER
    finally:
        channel.close()
    is_serving: bool = response.status == health_pb2.HealthCheckResponse.SERVING
    return Health.SERVING if is_serving else Health.NOT_SERVING


def _store_health(child: ChildRecord) -> Health:
    """That it listens: whether it reads and writes is the supervisor's and the services' own check."""
    host, _, port = child.address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=_CHECK_DEADLINE_S).close()
    except OSError:
        return Health.NO_ANSWER
    return Health.SERVING
