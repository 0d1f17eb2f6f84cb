"""Bearer tokens: those that a server accepts, by their digests only, and the one that a client shows."""

import hashlib
import hmac
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

import grpc
from pydantic import BaseModel, ByteSize, ConfigDict, Field, PositiveInt, ValidationError, model_validator

from stemhouse.errors import Forbidden, InvalidRequest, Unauthenticated
from stemhouse.platform.callers import Caller
from stemhouse.platform.reloaded import Reloaded, file_bytes
from stemhouse.platform.scopes import Scope, scope_of
from stemhouse.tenants import Tenant
from stemhouse.wire.validation import TENANT

_HEADER = "authorization"
_SCHEME = "bearer "
_SAME_NAMES = "two tokens have the same name"
_SAME_TENANTS = "two tenants have the same name"


class AcceptedToken(BaseModel):
    """A token that somebody has: its name, which is logged; the SHA-256 of its bytes; what it is good for.

    A token is made of 32 random bytes or so, so that its digest needs no salt and no slowness.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    scopes: frozenset[Scope]
    tenant: str = ""


class TenantQuota(BaseModel):
    """A tenant, and what it may take: bytes of its results in the store, and jobs that wait or run at a time.

    Of what is stored beyond, that goes first which was not used for longest.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=rf"^{TENANT.pattern}$")
    max_bytes: ByteSize | None = Field(default=None, gt=0)
    open_jobs: PositiveInt = 100

    @property
    def tenant(self) -> Tenant:
        """Whose it is."""
        return Tenant(self.name)


class _TokenList(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    tokens: tuple[AcceptedToken, ...]
    tenants: tuple[TenantQuota, ...] = ()

    @model_validator(mode="after")
    def _named_apart(self) -> Self:
        if len({token.name for token in self.tokens}) < len(self.tokens):
            raise ValueError(_SAME_NAMES)
        return self

    @model_validator(mode="after")
    def _tenants_are_known_and_no_masters(self) -> Self:
        known = {quota.name for quota in self.tenants}
        if len(known) < len(self.tenants):
            raise ValueError(_SAME_TENANTS)
        for token in self.tokens:
            if token.tenant and token.tenant not in known:
                raise ValueError(f"the tenant of {token.name} is not among the tenants")
            if token.tenant and Scope.ADMIN in token.scopes:
                raise ValueError(f"{token.name} is a tenant's: the scope {Scope.ADMIN} is for the house")
        return self


class TokenGate:
    """Lets in who shows a token of the file that has the scope of the method; the file may change at any time."""

    def __init__(self, path: Path, *, is_of_one_tenant: bool = False) -> None:
        """Read the file; raises InvalidRequest if it is none of tokens, or has those of others than one tenant."""
        self._file = Reloaded([path], lambda: _read_tokens(path, is_of_one_tenant=is_of_one_tenant))

    def quotas(self) -> tuple[TenantQuota, ...]:
        """The tenants that there are now."""
        return self._file.current().tenants

    def __call__(self, method: str, metadata: Mapping[str, str]) -> Caller:
        """Whose the token is; raises Unauthenticated or Forbidden, which tell nothing of tokens."""
        header = metadata.get(_HEADER, "")
        if not header.lower().startswith(_SCHEME):
            message = "the call has no token"
            raise Unauthenticated(message)
        token = self._find(header[len(_SCHEME) :].strip())
        scope = scope_of(method)
        if scope not in token.scopes:
            message = f"the token {token.name} has not the scope {scope}, which {method.rpartition('/')[2]} takes"
            raise Forbidden(message)
        return Caller(token.name, Tenant(token.tenant))

    def _find(self, shown: str) -> AcceptedToken:
        digest = hashlib.sha256(shown.encode()).hexdigest()
        # All are compared, each in constant time: how long it takes tells nothing.
        found = [token for token in self._file.current().tokens if hmac.compare_digest(token.sha256, digest)]
        if not found:
            message = "the token is not valid"
            raise Unauthenticated(message)
        return found[0]


def _read_tokens(path: Path, *, is_of_one_tenant: bool) -> _TokenList:
    listed = _parsed_tokens(path)
    tenants = sorted({token.tenant or "the house" for token in listed.tokens})
    if is_of_one_tenant and len(tenants) > 1:
        message = f"{path}: all that this service has is one tenant's, and the tokens are of {', '.join(tenants)}"
        raise InvalidRequest(message)
    return listed


def _parsed_tokens(path: Path) -> _TokenList:
    try:
        return _TokenList.model_validate_json(file_bytes(path))
    except ValidationError as error:
        # Without the values: somebody may have put the token itself where its digest belongs.
        faults = [f"{'.'.join(map(str, fault['loc'])) or 'it'}: {fault['msg']}" for fault in error.errors()]
        message = f"{path} is no file of accepted tokens: {'; '.join(faults)}"
        raise InvalidRequest(message) from error


class BearerToken(grpc.AuthMetadataPlugin):
    """Puts a token into each call; gRPC sends it by TLS only."""

    def __init__(self, token: Callable[[], str]) -> None:
        """`token` is asked for each call."""
        self._token = token

    def __call__(self, _context: grpc.AuthMetadataContext, callback: grpc.AuthMetadataPluginCallback) -> None:
        """Tell gRPC the header."""
        callback(((_HEADER, f"Bearer {self._token()}"),), None)


def token_of_file(path: Path) -> Callable[[], str]:
    """The token that a file holds, now and whenever it changes; raises InvalidRequest if it holds none."""
    return Reloaded([path], lambda: checked_token(file_bytes(path).decode("latin-1"), str(path))).current


def checked_token(text: str, place: str) -> str:
    """The token without space around it; raises InvalidRequest that names the place, and not the text."""
    token = text.strip()
    if not token or not all("!" <= letter <= "~" for letter in token):
        message = f"{place}: a token is one line of visible ASCII"
        raise InvalidRequest(message)
    return token
