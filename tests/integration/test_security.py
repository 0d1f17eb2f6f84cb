"""Who is let in: certificates and tokens over real gRPC, with a server that goes on whatever knocks."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import grpc
import pytest
from structlog.testing import capture_logs

from stemhouse.cli.output import Output
from stemhouse.cli.session import open_client
from stemhouse.errors import Forbidden, InvalidRequest, StemhouseError, Unauthenticated, Unavailable
from stemhouse.platform.channel import connect
from stemhouse.platform.interceptors import RpcInterceptor
from stemhouse.platform.security import CallerSettings, Entrance, ServerSettings
from stemhouse.platform.server import Service, serve, server_options
from stemhouse.platform.status import rpc_errors
from stemhouse.platform.tokens import TokenGate
from stemhouse.v1 import router_pb2 as pb
from stemhouse.v1.router_pb2_grpc import RouterServiceServicer, RouterServiceStub, add_RouterServiceServicer_to_server
from tests.certificates import Authority, Pair

TOKEN = "correct-horse"  # noqa: S105  of this test alone
OTHER = "battery-staple"


class _Router(RouterServiceServicer):
    """Answers a few calls."""

    def GetJob(self, _request: pb.GetJobRequest, _context: grpc.ServicerContext) -> pb.GetJobResponse:
        """Scope read."""
        return pb.GetJobResponse()

    def CacheStats(self, _request: pb.CacheStatsRequest, _context: grpc.ServicerContext) -> pb.CacheStatsResponse:
        """Scope read."""
        return pb.CacheStatsResponse()

    def WatchJob(self, _request: pb.WatchJobRequest, _context: grpc.ServicerContext) -> Iterator[pb.WatchJobResponse]:
        """Scope read."""
        yield pb.WatchJobResponse()


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("STEMHOUSE_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """That which all trust."""
    return Authority(tmp_path / "ours", "ours")


@pytest.fixture
def stranger(tmp_path: Path) -> Authority:
    """Another one."""
    return Authority(tmp_path / "other", "other")


def _accepted(path: Path, **scopes_of_tokens: list[str]) -> Path:
    tokens = [
        {
            "name": f"client-{place}",
            "sha256": hashlib.sha256(token.replace("_", "-").encode()).hexdigest(),
            "scopes": it,
        }
        for place, (token, it) in enumerate(scopes_of_tokens.items())
    ]
    # Replaced at once, as whoever rotates tokens should do it.
    path.with_suffix(".new").write_text(json.dumps({"tokens": tokens}))
    path.with_suffix(".new").replace(path)
    return path


def _server_settings(
    pair: Pair, *, client_ca: Path | None = None, accepted_tokens: Path | None = None
) -> ServerSettings:
    tls = {"cert": pair.cert, "key": pair.key, "client_ca": client_ca}
    return ServerSettings.model_validate({"tls": tls, "accepted_tokens": accepted_tokens})


@contextmanager
def _serving(settings: ServerSettings) -> Iterator[str]:
    """The address of a router with this entrance."""
    entrance = settings.entrance()
    server = grpc.server(
        ThreadPoolExecutor(4),
        interceptors=[RpcInterceptor(entrance.authenticate, entrance.limits)],
        options=server_options(entrance.limits),
    )
    add_RouterServiceServicer_to_server(_Router(), server)  # type: ignore[abstract]
    assert entrance.credentials
    port = server.add_secure_port("127.0.0.1:0", entrance.credentials)
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(0).wait()


def _ask(address: str, authority: Authority, pair: Pair | None = None, token: str = "") -> None:
    """One call by a channel of its own; raises what the SDK would."""
    tls = {"ca": authority.cert, "cert": pair and pair.cert, "key": pair and pair.key}
    caller = CallerSettings.model_validate({"tls": tls, "token": token})
    with connect(address, caller.channel_credentials()) as channel, rpc_errors():
        RouterServiceStub(channel).GetJob(pb.GetJobRequest(job_id="x"), timeout=20)


def _others(authority: Authority, stranger: Authority) -> dict[str, Callable[[str], None]]:
    """Callers that must be refused where certificates are checked."""
    ours = authority.sign("client")
    return {
        "no certificate": lambda address: _ask(address, authority),
        "of another authority": lambda address: _ask(address, authority, stranger.sign("client")),
        "expired": lambda address: _ask(address, authority, authority.sign("late", days=-3)),
        "trusts another authority": lambda address: _ask(address, stranger, ours),
    }


@pytest.mark.parametrize("who", ["no certificate", "of another authority", "expired", "trusts another authority"])
def test_certificates_are_checked_on_both_sides(who: str, authority: Authority, stranger: Authority) -> None:
    """And who is refused harms nobody."""
    with _serving(_server_settings(authority.sign("server"), client_ca=authority.cert)) as address:
        with pytest.raises(Unavailable):
            _others(authority, stranger)[who](address)
        _ask(address, authority, authority.sign("client"))


@pytest.mark.parametrize(
    "pair_of", [lambda it: it.sign("s", days=-3), lambda it: Pair(*_moved(it.sign("s", hosts=("else.where",))))]
)
def test_servers_certificate_must_be_valid_and_its_own(
    pair_of: Callable[[Authority], Pair], authority: Authority
) -> None:
    """Expired, or for another host."""
    with (
        _serving(_server_settings(pair_of(authority), client_ca=authority.cert)) as address,
        pytest.raises(Unavailable),
    ):
        _ask(address.replace("127.0.0.1", "localhost"), authority, authority.sign("client"))


def _moved(pair: Pair) -> tuple[Path, Path]:
    return pair.cert, pair.key


def test_name_behind_an_address_is_certified(authority: Authority) -> None:
    """As with pods, whose addresses nobody certifies."""
    pair, client = authority.sign("server", hosts=("separator",)), authority.sign("client")
    settings = CallerSettings.model_validate({"tls": {"ca": authority.cert, "cert": client.cert, "key": client.key}})
    with _serving(_server_settings(pair, client_ca=authority.cert)) as address:
        for name, is_right in (("separator", True), ("router", False)):
            with connect(address, settings.channel_credentials(), name) as channel, ExitStack() as stack:
                if not is_right:
                    stack.enter_context(pytest.raises(Unavailable))
                stack.enter_context(rpc_errors())
                RouterServiceStub(channel).GetJob(pb.GetJobRequest(job_id="x"), timeout=20)


def test_new_certificate_counts_from_the_next_connection_on(authority: Authority) -> None:
    """Without a restart; and one that is broken does not count."""
    client = authority.sign("client")
    with _serving(_server_settings(authority.sign("server", days=-3), client_ca=authority.cert)) as address:
        with pytest.raises(Unavailable):
            _ask(address, authority, client)
        pair = authority.sign("server")
        _ask(address, authority, client)
        pair.cert.write_text("no certificate")
        _ask(address, authority, client)


@pytest.mark.parametrize(
    ("token", "error_type"),
    [("", Unauthenticated), ("guessed", Unauthenticated), (OTHER, Forbidden), (TOKEN, None)],
)
def test_token_must_be_known_and_have_the_scope(
    token: str, error_type: type[StemhouseError] | None, authority: Authority, tmp_path: Path
) -> None:
    """Read is not separate; what is refused tells no token."""
    accepted = _accepted(tmp_path / "tokens.json", correct_horse=["separate", "read"], battery_staple=["separate"])
    with (
        _serving(_server_settings(authority.sign("server"), accepted_tokens=accepted)) as address,
        capture_logs() as logs,
    ):
        if not error_type:
            _ask(address, authority, token=token)
        else:
            with pytest.raises(error_type) as caught:
                _ask(address, authority, token=token)
            assert type(caught.value) is error_type
    assert not [secret for secret in (TOKEN, OTHER, "guessed") if secret in repr(logs)]


def test_stream_takes_a_token_too(authority: Authority, tmp_path: Path) -> None:
    """Before its first message."""
    accepted = _accepted(tmp_path / "tokens.json", correct_horse=["read"])
    ca = CallerSettings.model_validate({"tls": {"ca": authority.cert}})
    with (
        _serving(_server_settings(authority.sign("server"), accepted_tokens=accepted)) as address,
        connect(address, ca.channel_credentials()) as channel,
        pytest.raises(Unauthenticated),
        rpc_errors(),
    ):
        list(RouterServiceStub(channel).WatchJob(pb.WatchJobRequest(job_id="x"), timeout=20))


def test_command_calls_servers_by_tls_with_its_token(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the environment alone."""
    accepted = _accepted(tmp_path / "tokens.json", correct_horse=["read"])
    with _serving(_server_settings(authority.sign("server"), accepted_tokens=accepted)) as address:
        monkeypatch.setenv("STEMHOUSE_SERVER", address)
        monkeypatch.setenv("STEMHOUSE_TLS__CA", str(authority.cert))
        with open_client(Output(is_json=False)) as client, pytest.raises(Unauthenticated):
            client.cache_stats()
        monkeypatch.setenv("STEMHOUSE_TOKEN", TOKEN)
        with open_client(Output(is_json=False)) as client:
            assert client.cache_stats().shares == ()
            with pytest.raises(Forbidden, match="client-0 has not the scope admin"):
                list(client.clear_cache(older_than_days=30))


def test_tokens_rotate_without_a_restart(authority: Authority, tmp_path: Path) -> None:
    """On the server, and in the hands of a client whose channel stays."""
    accepted = _accepted(tmp_path / "tokens.json", correct_horse=["read"])
    own = tmp_path / "token"
    own.write_text(f"{TOKEN}\n")
    caller = CallerSettings.model_validate({"tls": {"ca": authority.cert}, "token_file": own})
    with (
        _serving(_server_settings(authority.sign("server"), accepted_tokens=accepted)) as address,
        connect(address, caller.channel_credentials()) as channel,
    ):
        stub = RouterServiceStub(channel)
        stub.GetJob(pb.GetJobRequest(job_id="x"), timeout=20)
        _accepted(accepted, battery_staple=["read"])
        with pytest.raises(Unauthenticated), rpc_errors():
            stub.GetJob(pb.GetJobRequest(job_id="x"), timeout=20)
        own.write_text(OTHER)
        stub.GetJob(pb.GetJobRequest(job_id="x"), timeout=20)
        accepted.write_text("{half a file")
        stub.GetJob(pb.GetJobRequest(job_id="x"), timeout=20)


@pytest.mark.parametrize(
    ("address", "is_refused"),
    [
        ("127.0.0.1:0", False),
        ("[::1]:0", False),
        ("localhost:0", False),
        ("[::]:0", True),
        ("0.0.0.0:0", True),
        ("a:1", True),
    ],
)
def test_nobody_listens_elsewhere_without_guards(address: str, is_refused: bool) -> None:  # noqa: FBT001  a case
    """Unless it was said."""
    Entrance(is_insecure_allowed=True).check(address)
    with ExitStack() as stack:
        if is_refused:
            stack.enter_context(pytest.raises(InvalidRequest, match="STEMHOUSE_ACCEPTED_TOKENS"))
        Entrance().check(address)


def test_server_that_would_be_open_does_not_start() -> None:
    """With the variables that it lacks."""
    router = Service("stemhouse.v1.RouterService", lambda _server: None, lambda: None)
    with pytest.raises(InvalidRequest, match="STEMHOUSE_TLS__CERT"):
        serve(router, "0.0.0.0:0")


def test_certificate_alone_guards_nothing(authority: Authority) -> None:
    """It tells who the server is, not who calls."""
    with pytest.raises(InvalidRequest):
        _server_settings(authority.sign("server")).entrance().check("0.0.0.0:1")
    _server_settings(authority.sign("server"), client_ca=authority.cert).entrance().check("0.0.0.0:1")


def test_token_is_not_sent_in_the_clear() -> None:
    """Without a CA there is no TLS."""
    with pytest.raises(InvalidRequest, match="STEMHOUSE_TLS__CA"):
        CallerSettings.model_validate({"token": TOKEN}).channel_credentials()


def test_wrong_files_are_told_by_name_and_without_what_they_hold(authority: Authority, tmp_path: Path) -> None:
    """At the start."""
    pair, other = authority.sign("server"), authority.sign("other")
    text = tmp_path / "text"
    text.write_text("no certificate")
    wrong = tmp_path / "tokens.json"
    wrong.write_text(json.dumps({"tokens": [{"name": "studio", "sha256": TOKEN, "scopes": ["read"]}]}))
    spaced = tmp_path / "token"
    spaced.write_text(f"{TOKEN} {OTHER}")
    faulty: dict[str, Callable[[], object]] = {
        "server.pem": lambda: _server_settings(Pair(pair.cert, other.key)).entrance(),
        "text": lambda: _server_settings(pair, client_ca=text).entrance(),
        "away": lambda: _server_settings(Pair(tmp_path / "away", pair.key)).entrance(),
        "tokens.json": lambda: _server_settings(pair, accepted_tokens=wrong).entrance(),
        "token": lambda: CallerSettings.model_validate(
            {"tls": {"ca": authority.cert}, "token_file": spaced}
        ).channel_credentials(),
    }
    for name, start in faulty.items():
        with pytest.raises(InvalidRequest, match=name) as caught:
            start()
        assert TOKEN not in caught.value.message


_ACME = {"name": "acme"}


@pytest.mark.parametrize(
    ("tenants", "token", "words"),
    [
        ([], {"tenant": "acme"}, "not among the tenants"),
        ([_ACME, _ACME], {}, "two tenants have the same name"),
        ([_ACME], {"tenant": "acme", "scopes": ["admin"]}, "the scope admin is for the house"),
        ([{"name": "Acme/.."}], {}, "name"),
        ([{**_ACME, "max_bytes": "0"}], {}, "max_bytes"),
        ([{**_ACME, "open_jobs": 0}], {}, "open_jobs"),
    ],
)
def test_file_of_tenants_is_checked(
    tenants: list[dict[str, object]], token: dict[str, object], words: str, tmp_path: Path
) -> None:
    """At the start, by what is wrong; a name becomes part of a key."""
    path = tmp_path / "tokens.json"
    tokens = [{"name": "studio", "sha256": "0" * 64, "scopes": ["read"], **token}]
    path.write_text(json.dumps({"tokens": tokens, "tenants": tenants}))
    with pytest.raises(InvalidRequest, match=words):
        TokenGate(path)


def test_library_takes_tokens_of_one_tenant(tmp_path: Path) -> None:
    """All that it has is that one's: folders, catalogue, batches."""
    path = tmp_path / "tokens.json"
    tokens = [
        {"name": name or "house", "sha256": f"{place}" * 64, "scopes": ["library"], "tenant": name}
        for place, name in enumerate(("acme", ""))
    ]
    path.write_text(json.dumps({"tokens": tokens, "tenants": [_ACME]}))
    with pytest.raises(InvalidRequest, match="the tokens are of acme, the house"):
        TokenGate(path, is_of_one_tenant=True)
    path.write_text(json.dumps({"tokens": tokens[:1], "tenants": [_ACME]}))
    TokenGate(path, is_of_one_tenant=True)


def test_settings_make_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """By their variables."""
    monkeypatch.setenv("STEMHOUSE_LIMITS__CALLS_PER_S", "7")
    monkeypatch.setenv("STEMHOUSE_LIMITS__MESSAGE_BYTES", "8MiB")
    limits = ServerSettings().entrance().limits
    assert (limits.calls_per_s, limits.message_bytes) == (7.0, 8 * 1024**2)
