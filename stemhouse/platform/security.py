"""Who may come in, and how others are called: settings that all services and the client share."""

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import grpc
from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from stemhouse.errors import InvalidRequest
from stemhouse.platform.interceptors import Authenticator
from stemhouse.platform.limits import LimitSettings
from stemhouse.platform.tls import TlsSettings, channel_credentials, server_credentials
from stemhouse.platform.tokens import BearerToken, TenantQuota, TokenGate, checked_token, token_of_file


@dataclass(frozen=True)
class Entrance:
    """How calls come in, and how many; as it is by default, from this machine only."""

    credentials: grpc.ServerCredentials | None = None
    authenticate: Authenticator | None = None
    checks_certificates: bool = False
    is_insecure_allowed: bool = False
    limits: LimitSettings = field(default_factory=LimitSettings)
    probes: str = ""
    """Where health is told to anybody, without TLS; nowhere, if empty."""

    def check(self, address: str) -> None:
        """Raise InvalidRequest if strangers could come in, or listen, at this address."""
        is_guarded = self.credentials and (self.authenticate or self.checks_certificates)
        if not (is_guarded or self.is_insecure_allowed or _is_loopback(address)):
            message = (
                f"STEMHOUSE_LISTEN: {address} can be reached from elsewhere. Set STEMHOUSE_TLS__CERT and "
                "STEMHOUSE_TLS__KEY, and STEMHOUSE_TLS__CLIENT_CA or STEMHOUSE_ACCEPTED_TOKENS; or, where something "
                "else keeps strangers out, STEMHOUSE_ALLOW_INSECURE=true"
            )
            raise InvalidRequest(message)


def _is_loopback(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class CallerSettings(BaseSettings):
    """Of who calls servers: the CA that he trusts, his certificate, his token or a file that holds nothing else."""

    model_config = SettingsConfigDict(env_prefix="STEMHOUSE_", env_nested_delimiter="__", frozen=True)

    tls: TlsSettings = TlsSettings()
    token: SecretStr = SecretStr("")
    token_file: Path | None = None

    def channel_credentials(self) -> grpc.ChannelCredentials | None:
        """For channels; None where calls go as they are. Raises InvalidRequest for files that are no use."""
        token = self._shown_token()
        channel = channel_credentials(self.tls)
        if token and not channel:
            message = "STEMHOUSE_TLS__CA: must be set, or the token could be read on its way"
            raise InvalidRequest(message)
        if not (token and channel):
            return channel
        return grpc.composite_channel_credentials(channel, grpc.metadata_call_credentials(BearerToken(token)))

    def _shown_token(self) -> Callable[[], str] | None:
        if self.token_file:
            return token_of_file(self.token_file)
        if not self.token.get_secret_value():
            return None
        token = checked_token(self.token.get_secret_value(), "STEMHOUSE_TOKEN")
        return lambda: token


class ServerSettings(CallerSettings):
    """Of a service: besides, the file of the tokens that it accepts, and whether it may do without guards."""

    is_of_one_tenant: ClassVar[bool] = False
    """Whether all that it has is one tenant's, or the house's: then it takes tokens of nobody else."""

    accepted_tokens: Path | None = None
    allow_insecure: bool = False
    health_listen: str = ""
    limits: LimitSettings = LimitSettings()

    def quotas(self) -> Callable[[], Sequence[TenantQuota]]:
        """Tells the tenants that there are, now and whenever the file of tokens changes; raises InvalidRequest."""
        return TokenGate(self.accepted_tokens).quotas if self.accepted_tokens else tuple

    def entrance(self) -> Entrance:
        """How calls come in; raises InvalidRequest for files that are not what they should be."""
        return Entrance(
            credentials=server_credentials(self.tls),
            authenticate=TokenGate(self.accepted_tokens, is_of_one_tenant=self.is_of_one_tenant)
            if self.accepted_tokens
            else None,
            checks_certificates=self.tls.client_ca is not None,
            is_insecure_allowed=self.allow_insecure,
            limits=self.limits,
            probes=self.health_listen,
        )
