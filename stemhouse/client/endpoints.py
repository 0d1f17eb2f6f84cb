"""Where the three front services listen."""

from dataclasses import dataclass, fields

from stemhouse.errors import InvalidRequest

_HIGHEST_PORT = 65535


@dataclass(frozen=True)
class Endpoints:
    """`host:port` of each front service."""

    router: str
    library: str
    exporter: str


def endpoints_from_text(text: str) -> Endpoints:
    """Read `router=host:port,library=host:port,exporter=host:port`, or one `host:port` for a gateway to all three.

    Raises InvalidRequest if a service is missing, unknown or named twice, or an address is no `host:port`.
    """
    if "=" not in text:
        address = _address(text)
        return Endpoints(address, address, address)
    names = [field.name for field in fields(Endpoints)]
    pairs = [(name.strip(), address) for name, _, address in (part.partition("=") for part in text.split(","))]
    if sorted(name for name, _ in pairs) != sorted(names):
        message = f"server addresses {text!r} must name each of {', '.join(names)} once, as name=host:port"
        raise InvalidRequest(message)
    return Endpoints(**{name: _address(address) for name, address in pairs})


def _address(text: str) -> str:
    host, separator, port = text.strip().rpartition(":")
    if not (host and separator and port.isdecimal() and 0 < int(port) <= _HIGHEST_PORT):
        message = f"server address {text.strip()!r} must be host:port, with a port from 1 to {_HIGHEST_PORT}"
        raise InvalidRequest(message)
    return text.strip()
