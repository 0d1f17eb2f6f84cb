"""What a stack was started with, so that a later caller can tell whether that is what he would start it with."""

import contextlib
import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from stemhouse.local.home import Home

_POLICY = "STEMHOUSE_POLICY"
# The others are the client's, or set by the stack itself whatever its starter has.
_TAKEN_OVER = re.compile(
    r"STEMHOUSE_(?!(HOME|SERVER|LISTEN|SEPARATORS|ROUTER|EXPORTER|DATABASE_URL|SCRATCH_DIR|STORE_DIR|EXIT_WITH_STDIN|MODELS__DIR"
    r"|STORE__.*|TLS__.*|TOKEN|TOKEN_FILE|ACCEPTED_TOKENS|ALLOW_INSECURE)$).+"
)


@dataclass(frozen=True)
class StackOrigin:
    """The version of Stemhouse, and the SHA-256 of each setting that its services take over (a few hold secrets)."""

    version: str = ""
    settings: dict[str, str] = field(default_factory=dict)


def present_origin(home: Home, environment: Mapping[str, str] = os.environ) -> StackOrigin:
    """That of a stack which would be started here and now."""
    names = filter(_TAKEN_OVER.fullmatch, environment)
    settings = {name: environment[name].encode(errors="surrogateescape") for name in names}
    policy = Path(environment.get(_POLICY) or home.policy_file)
    with contextlib.suppress(OSError):  # there is none; or the router will say what is wrong with it
        settings[policy.name] = policy.read_bytes()
    digests = {name: hashlib.sha256(value).hexdigest() for name, value in settings.items()}
    return StackOrigin(version("stemhouse"), digests)


def difference(running: StackOrigin, wanted: StackOrigin) -> str:
    """How a running stack differs from the one that is wanted, with the commands that change it; empty if it does not.

    For example "the local stack is of version 0.1.0, this is 0.2.0: ...".
    """
    names = sorted(dict(running.settings.items() ^ wanted.settings.items()))
    if running.version != wanted.version:
        what = f"is of version {running.version or 'unknown'}, this is {wanted.version}"
    elif names:
        what = f"was started with other settings ({', '.join(names)})"
    else:
        return ""
    return f"note: the local stack {what}: `stemhouse down`, then `stemhouse up`, starts it anew"
