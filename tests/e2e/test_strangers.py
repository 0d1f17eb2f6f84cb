"""Whoever is not let in: refused by real services over TLS, which go on for who may come in."""

import resource
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from stemhouse.client.sdk import Stemhouse
from stemhouse.errors import Forbidden, LimitExceeded, NotFound, StemhouseError, Unauthenticated, Unavailable
from stemhouse.local.layout import ROUTER, SEPARATOR
from stemhouse.platform.channel import connect
from stemhouse.platform.limits import LimitSettings
from stemhouse.platform.security import CallerSettings
from stemhouse.platform.status import rpc_errors
from stemhouse.v1 import router_pb2, router_pb2_grpc, separator_pb2, separator_pb2_grpc
from tests.certificates import Authority, Pair
from tests.guarded_stack import GuardedStack, guarded_stack

pytestmark = pytest.mark.stack

KNOCKS = 10_000
CALLS_UNTIL_THEN = 300
"""The uploads begin beside them, within milliseconds."""
_CLOSED_S = 60
_MOST_BYTES_OF_A_KNOCK = 128 * 1024
_SPARE_FILES = 200


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedStack]:
    """One that takes three calls of one token at a time."""
    with guarded_stack(tmp_path_factory.mktemp("house"), {"STEMHOUSE_LIMITS__CALLS_AT_ONCE_OF_ONE": "3"}) as stack:
        yield stack


def _ask_router(stack: GuardedStack, ca: Path, token: str) -> None:
    caller = CallerSettings.model_validate({"tls": {"ca": ca}, "token": token})
    with Stemhouse(stack.endpoints, credentials=caller.channel_credentials()) as client:
        client.cache_stats()


def _ask_separator(stack: GuardedStack, ca: Path, pair: Pair | None) -> None:
    tls = {"ca": ca, "cert": pair and pair.cert, "key": pair and pair.key}
    credentials = CallerSettings.model_validate({"tls": tls}).channel_credentials()
    with connect(stack.addresses[SEPARATOR], credentials) as channel, rpc_errors():
        stub = separator_pb2_grpc.SeparatorServiceStub(channel)
        stub.ListLocalEngines(separator_pb2.ListLocalEnginesRequest(), timeout=20)


def _clear_cache(stack: GuardedStack) -> None:
    with stack.client("studio") as client:
        list(client.clear_cache(0))


def _another_tenants_job(stack: GuardedStack) -> None:
    with stack.client("acme") as client:
        client.get_job("0" * 32)


def _too_long(stack: GuardedStack) -> None:
    caller = CallerSettings.model_validate({"tls": {"ca": stack.authority.cert}, "token": stack.tokens["studio"]})
    with connect(stack.addresses[ROUTER], caller.channel_credentials()) as channel, rpc_errors():
        huge = router_pb2.GetJobRequest(job_id="x" * (LimitSettings().message_bytes + 1))
        router_pb2_grpc.RouterServiceStub(channel).GetJob(huge, timeout=20)


def _intruders(
    stack: GuardedStack, stranger: Authority
) -> Mapping[str, tuple[type[StemhouseError], Callable[[], None]]]:
    """What each tries, and how it is refused."""
    ours, token = stack.authority, stack.tokens["studio"]
    return {
        "trusts another authority": (Unavailable, lambda: _ask_router(stack, stranger.cert, token)),
        "no certificate": (Unavailable, lambda: _ask_separator(stack, ours.cert, None)),
        "of another authority": (Unavailable, lambda: _ask_separator(stack, ours.cert, stranger.sign("client"))),
        "expired": (Unavailable, lambda: _ask_separator(stack, ours.cert, ours.sign("late", days=-3))),
        "no token": (Unauthenticated, lambda: _ask_router(stack, ours.cert, "")),
        "wrong token": (Unauthenticated, lambda: _ask_router(stack, ours.cert, "guessed")),
        "wrong scope": (Forbidden, lambda: _clear_cache(stack)),
        "nobody's job": (NotFound, lambda: _another_tenants_job(stack)),
        "too long": (LimitExceeded, lambda: _too_long(stack)),
    }


def test_intruders_are_refused_and_the_services_go_on(stack: GuardedStack, tmp_path: Path) -> None:
    """Each by its own error; somebody who may come in is answered after each. Tenants have a file of their own."""
    stranger = Authority(tmp_path / "other", "other")
    for name, (error_type, attempt) in _intruders(stack, stranger).items():
        with pytest.raises(StemhouseError) as caught:
            attempt()
        assert type(caught.value) is error_type, name
        assert "larger than max" in caught.value.message or error_type is not LimitExceeded
        _ask_router(stack, stack.authority.cert, stack.tokens["studio"])
        _ask_separator(stack, stack.authority.cert, stack.authority.sign("client"))


def test_one_token_takes_no_more_than_its_share_of_the_calls(stack: GuardedStack) -> None:
    """Three uploads that do not go on are its three; the fourth call is told the limit, others are answered."""
    caller = CallerSettings.model_validate({"tls": {"ca": stack.authority.cert}, "token": stack.tokens["acme"]})
    end = threading.Event()
    with ExitStack() as at_last, connect(stack.addresses[ROUTER], caller.channel_credentials()) as channel:
        at_last.callback(end.set)
        stub = router_pb2_grpc.RouterServiceStub(channel)
        for _ in range(3):
            at_last.callback(stub.UploadTrack.future(_halting_upload(end), timeout=60).cancel)
        assert any("the token acme may have 3 calls at a time" in _refusal_of(stub) for _ in range(CALLS_UNTIL_THEN))
        _ask_router(stack, stack.authority.cert, stack.tokens["studio"])


def _halting_upload(end: threading.Event) -> Iterator[router_pb2.UploadTrackRequest]:
    yield router_pb2.UploadTrackRequest(file_name="x")
    end.wait()


def _refusal_of(stub: router_pb2_grpc.RouterServiceStub) -> str:
    """Why a call is refused; empty if it is not."""
    try:
        with rpc_errors():
            stub.CacheStats(router_pb2.CacheStatsRequest(), timeout=20)
    except LimitExceeded as error:
        return error.message
    return ""


def test_ten_thousand_knocks_cost_a_bounded_part_of_memory_and_of_files(stack: GuardedStack) -> None:
    """All held open at once: silent ones, noise, and TLS without a word; a second wave costs less than half of that.

    Memory that was used is not given back to the system, hence the second wave: it must find most of what it takes.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < KNOCKS + _SPARE_FILES:
        pytest.skip(f"this machine lets a process have {hard} open files: too few to knock {KNOCKS} times at once")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    router = psutil.Process(stack.process_ids[ROUTER])
    files_before, bytes_before = router.num_fds(), router.memory_info().rss
    used_bytes = []
    for _ in range(2):
        with ExitStack() as held:
            knocks = [held.enter_context(_knock(stack.addresses[ROUTER], number)) for number in range(KNOCKS)]
            _ask_router(stack, stack.authority.cert, stack.tokens["studio"])
            for knock in knocks:
                _wait_for_the_end(knock)
        _ask_router(stack, stack.authority.cert, stack.tokens["studio"])
        used_bytes.append(router.memory_info().rss)
        assert router.num_fds() < files_before + _SPARE_FILES
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    first, second = used_bytes
    assert first - bytes_before < KNOCKS * _MOST_BYTES_OF_A_KNOCK
    assert second - first < (first - bytes_before) / 2


def _knock(address: str, number: int) -> socket.socket:
    host, _, port = address.partition(":")
    knock = socket.create_connection((host, int(port)), timeout=_CLOSED_S)
    if number % 3 == 1:
        knock.sendall(b"GET / HTTP/1.1\r\n\r\n")
    return _speechless_tls(knock) if number % 3 == 2 else knock


def _speechless_tls(knock: socket.socket) -> socket.socket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    return context.wrap_socket(knock)


def _wait_for_the_end(knock: socket.socket) -> None:
    """Until the server hangs up, by its own clock."""
    try:
        while knock.recv(65_536):
            pass
    except ConnectionError:
        return
