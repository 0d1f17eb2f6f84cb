"""What the separator takes from its environment (`STEMHOUSE_...`), read once in `main`."""

import os
import re
import tempfile
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.separator.core.demucs_options import BackendKind, DemucsOptions, ScheduleKind
from services.separator.core.ingest import LONGEST_S
from stemhouse.platform.object_stores import StoreSettings
from stemhouse.platform.security import ServerSettings
from stemhouse.platform.settings import LogLevel

_NO_MIRROR = "must be an http(s) address, s3:PREFIX, or the whole path of a folder"
_NO_WHOLE_PATH = "must be a whole path, since no program knows from which folder a relative one is meant"
_NO_KEY = "the licence key must be one line of visible ASCII"
_NOT_PRIVATE = "must begin with https://, or the licence key could be read on its way"
_POLITE_INTERVAL_S = 2.1
_IMPOLITE = f"check_interval_s must be at least {_POLITE_INTERVAL_S:g}: the service takes thirty questions a minute"
_NO_OPENVINO = "OpenVINO is not installed: pip install openvino"
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class ModelSettings(BaseModel):
    """Where models are kept, and where they come from.

    `catalogue` is a JSON file of more models than the built-in ones. `mirror` replaces the addresses of the catalogues:
    a folder, `s3:` and a prefix of the object store's bucket, or an http(s) address, each holding `{model}/{file}`.
    Offline, nothing but a mirror that is a folder or in the object store is asked. The paths of both are whole, or
    begin with ~: a server, a container and a shell do not work in the same folder.
    """

    dir: Path = Path("models")
    catalogue: Path | None = None
    mirror: str = ""
    offline: bool = False

    @field_validator("catalogue")
    @classmethod
    def _whole_catalogue(cls, catalogue: Path | None) -> Path | None:
        return _whole_path(catalogue) if catalogue else None

    @field_validator("mirror")
    @classmethod
    def _known_mirror(cls, mirror: str) -> str:
        if mirror.startswith(("http://", "https://", "s3:")):
            return mirror
        if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", mirror):
            raise ValueError(_NO_MIRROR)
        return str(_whole_path(Path(mirror))) if mirror else ""


def _whole_path(path: Path) -> Path:
    try:
        whole = path.expanduser()
    except RuntimeError as error:  # ~ of somebody who is not known here
        raise ValueError(_NO_WHOLE_PATH) from error
    if not whole.is_absolute():
        raise ValueError(_NO_WHOLE_PATH)
    return whole


class BackendChoice(StrEnum):
    """A backend, or the fastest one that is installed."""

    AUTO = "auto"
    TORCH = "torch"
    OPENVINO = "openvino"


class DemucsSettings(BaseModel):
    """How models of demucs are run; see `core.demucs_options`."""

    schedule: ScheduleKind = ScheduleKind.LEAN
    backend: BackendChoice = BackendChoice.AUTO

    @field_validator("backend")
    @classmethod
    def _installed_backend(cls, backend: BackendChoice) -> BackendChoice:
        if backend is BackendChoice.OPENVINO and not find_spec("openvino"):
            raise ValueError(_NO_OPENVINO)
        return backend

    @property
    def options(self) -> DemucsOptions:
        """All that changes samples."""
        if self.backend is not BackendChoice.AUTO:
            return DemucsOptions(self.schedule, BackendKind(self.backend.value))
        return DemucsOptions(self.schedule, BackendKind.OPENVINO if find_spec("openvino") else BackendKind.TORCH)


class LalalSettings(BaseModel):
    """An account with LALAL.AI: its licence key, or a file that holds nothing else.

    `download_hosts` are the hosts, by comma, that stems may come from, and what lies below them.
    `check_interval_s` is that between two looks at running tasks: the service takes thirty a minute.
    `abandoned_after_s`: a task that no router has asked for in so long is cancelled.
    """

    key: SecretStr = SecretStr("")
    key_file: Path | None = None
    base_url: str = "https://www.lalal.ai/api/v1"
    download_hosts: str = "lalal.ai"
    check_interval_s: float = Field(default=5.0, gt=0.0)
    slots: int = Field(default=8, ge=1, le=64)
    abandoned_after_s: float = Field(default=600.0, gt=0.0)

    @field_validator("base_url")
    @classmethod
    def _private(cls, base_url: str) -> str:
        parts = urlsplit(base_url)
        if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
            raise ValueError(_NOT_PRIVATE)
        return base_url

    @model_validator(mode="after")
    def _polite(self) -> Self:
        """A stand-in on this machine may be asked as often as one likes."""
        if self.check_interval_s < _POLITE_INTERVAL_S and urlsplit(self.base_url).hostname not in _LOOPBACK:
            raise ValueError(_IMPOLITE)
        return self

    @model_validator(mode="after")
    def _with_key_of_file(self) -> Self:
        """The file is read here, so that a missing one ends the start.

        What is no value of a header would come back in the text of an exception, and so in a log.
        """
        key = self.key.get_secret_value().strip()
        if self.key_file and not key:
            key = _key_of(self.key_file)
        if not re.fullmatch(r"[!-~]*", key):
            raise ValueError(_NO_KEY)
        self.key = SecretStr(key)
        return self

    @property
    def download_host_names(self) -> tuple[str, ...]:
        """Each by itself."""
        return tuple(host.strip() for host in self.download_hosts.split(",") if host.strip())


def _key_of(file: Path) -> str:
    try:
        return file.read_bytes().decode("latin-1").strip()
    except OSError as error:
        message = f"the file cannot be read: {error.strerror}"
        raise ValueError(message) from error


class Flavour(StrEnum):
    """Where engines run: on a device of this machine, or with a service in the cloud."""

    DEVICE = "device"
    CLOUD = "cloud"


class PullSettings(BaseSettings):
    """What pulling models takes: no store, unless that is the mirror."""

    model_config = SettingsConfigDict(env_prefix="STEMHOUSE_", env_nested_delimiter="__", frozen=True)

    models: ModelSettings = ModelSettings()
    log_level: LogLevel = "WARNING"


class MirrorStoreSettings(BaseSettings):
    """Of a mirror in the object store."""

    model_config = SettingsConfigDict(env_prefix="STEMHOUSE_", env_nested_delimiter="__", frozen=True)

    store: StoreSettings


class SeparatorSettings(ServerSettings):
    """While a minute of stereo at 44.1 kHz is separated, `scratch_dir` needs room for about 150 MB.

    A device works on three tracks at once, of which up to two need that much.
    """

    listen: str = "127.0.0.1:50052"
    store: StoreSettings
    models: ModelSettings = ModelSettings()
    demucs: DemucsSettings = DemucsSettings()
    flavour: Flavour = Flavour.DEVICE
    lalal: LalalSettings = LalalSettings()
    max_duration_s: float = Field(default=LONGEST_S, gt=0, description="of a track; longer ones are refused")
    threads_per_device: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1)
    log_level: LogLevel = "INFO"
    scratch_dir: Path = Field(default_factory=lambda: Path(tempfile.gettempdir()) / "stemhouse-scratch")
