"""The separators that there are, and channels to them."""

import socket
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import grpc

from stemhouse.platform.channel import LOOK_UP, connect
from stemhouse.v1.separator_pb2_grpc import SeparatorServiceStub

_LOOKED_UP_FOR_S = 5.0


@dataclass(frozen=True)
class Separator:
    """One separator, and the way to it."""

    address: str
    stub: SeparatorServiceStub


@dataclass(frozen=True)
class Separators:
    """Those that there are now, and the names behind which nobody is: one that starts may come to have an address."""

    present: tuple[Separator, ...]
    silent_names: tuple[str, ...] = ()


def addresses_of(name: str) -> tuple[str, ...]:
    """The addresses of `host:port`, in order; empty if nobody has that name now."""
    host, _, port = name.rpartition(":")
    try:
        found = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)
    except socket.gaierror:
        return ()
    hosts = dict.fromkeys(str(place[0]) for *_, place in found)
    return tuple(sorted(f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}" for ip in hosts))


class SeparatorDirectory:
    """Knows separators by fixed addresses, and by names that are looked up anew every few seconds.

    A channel is kept when its address is gone: a pod that leaves is finishing its track.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        look_up: Callable[[str], Sequence[str]],
        now_s: Callable[[], float],
        credentials: grpc.ChannelCredentials | None = None,
    ) -> None:
        """Nothing is looked up yet; `now_s` is monotonic; `credentials` are for separators with TLS."""
        self._listed = tuple(addresses)
        self._look_up = look_up
        self._now_s = now_s
        self._credentials = credentials
        self._lock = threading.Lock()
        self._channels: dict[str, Separator] = {}
        self._known = Separators(())
        self._known_until_s = -1.0

    def separators(self) -> Separators:
        """As they are now, or were a moment ago."""
        with self._lock:
            if self._now_s() >= self._known_until_s:
                self._known = self._looked_up()
                self._known_until_s = self._now_s() + _LOOKED_UP_FOR_S
            return self._known

    def _looked_up(self) -> Separators:
        found: dict[str, Sequence[str]] = {
            listed: self._look_up(listed.removeprefix(LOOK_UP)) if listed.startswith(LOOK_UP) else [listed]
            for listed in self._listed
        }
        names = {address: _certified_name(listed) for listed, addresses in found.items() for address in addresses}
        silent = tuple(listed for listed, addresses in found.items() if not addresses)
        return Separators(tuple(self._separator(address, name) for address, name in names.items()), silent)

    def _separator(self, address: str, certified_name: str) -> Separator:
        if address not in self._channels:
            channel = connect(address, self._credentials, certified_name)
            self._channels[address] = Separator(address, SeparatorServiceStub(channel))
        return self._channels[address]


def _certified_name(listed: str) -> str:
    """That which a certificate must be for: no pod has one for its address. Empty: that of the address itself."""
    return listed.removeprefix(LOOK_UP).rpartition(":")[0] if listed.startswith(LOOK_UP) else ""


def connect_separators(
    addresses: Sequence[str], credentials: grpc.ChannelCredentials | None = None
) -> SeparatorDirectory:
    """The directory of the separators at these addresses; nothing is called yet."""
    return SeparatorDirectory(addresses, addresses_of, time.monotonic, credentials)
