"""The folder in which the local stack keeps everything: objects, ledgers, logs, and what is running."""

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from stemhouse.errors import Unavailable

HOME_VARIABLE = "STEMHOUSE_HOME"
HOME_REMEDY = f"set {HOME_VARIABLE} to a folder of yours"


@dataclass(frozen=True)
class Home:
    """An absolute folder, and the names of what lies in it."""

    root: Path

    @property
    def run_dir(self) -> Path:
        """What is running, and who uses it."""
        return self.root / "run"

    @property
    def stack_file(self) -> Path:
        """The supervisor's record of itself and its children."""
        return self.run_dir / "stack.json"

    @property
    def start_lock_file(self) -> Path:
        """Held while a stack is being started, or decides to leave."""
        return self.run_dir / "start.lock"

    @property
    def supervisor_lock_file(self) -> Path:
        """Held by a supervisor as long as it lives."""
        return self.run_dir / "supervisor.lock"

    @property
    def clients_dir(self) -> Path:
        """One file for each client that needs the stack."""
        return self.run_dir / "clients"

    @property
    def keep_file(self) -> Path:
        """There from `up` to `down`: the stack stays though nobody uses it."""
        return self.run_dir / "keep"

    @property
    def store_dir(self) -> Path:
        """The object store's data and credentials."""
        return self.root / "store"

    @property
    def credentials_file(self) -> Path:
        """The keys of the object store as the services read them, for their owner only."""
        return self.store_dir / "credentials.json"

    @property
    def models_dir(self) -> Path:
        """Models of the engines."""
        return self.root / "models"

    @property
    def policy_file(self) -> Path:
        """How engines are chosen, where its owner wants that otherwise: see services/router/policy.toml."""
        return self.root / "policy.toml"

    @property
    def scratch_dir(self) -> Path:
        """Temporary files of the services."""
        return self.root / "scratch"

    def log_file(self, name: str) -> Path:
        """Where the process of that name writes its log."""
        return self.root / "logs" / f"{name}.log"

    def make_dirs(self) -> None:
        """Make every folder; the store's is for its owner only. Raises Unavailable where they cannot be made."""
        try:
            for folder in (self.clients_dir, self.scratch_dir, self.log_file("any").parent):
                folder.mkdir(parents=True, exist_ok=True)
            self.store_dir.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            cause = error.strerror or error
            raise Unavailable(f"cannot keep the local stack's data in {self.root}: {cause}; {HOME_REMEDY}") from error


def find_home() -> Home:
    """$STEMHOUSE_HOME; else ./data in a checkout of Stemhouse; else the platform's folder for user data."""
    named = os.environ.get(HOME_VARIABLE)
    if named:
        return Home(Path(named).expanduser().resolve())
    if _is_checkout(Path.cwd()):
        return Home(Path.cwd() / "data")
    return Home(platformdirs.user_data_path("stemhouse"))


def _is_checkout(folder: Path) -> bool:
    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return project.get("project", {}).get("name") == "stemhouse" and (folder / "services").is_dir()
