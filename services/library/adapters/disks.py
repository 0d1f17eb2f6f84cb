"""The volumes of this machine."""

import shutil
from pathlib import Path

from services.library.core.batch_ports import Volume
from stemhouse.client.receiving import require_place
from stemhouse.errors import InvalidRequest


class MachineDisks:
    """Disks over the file system."""

    def require_place(self, folder: str) -> None:
        """See Disks.require_place."""
        if not Path(folder).is_absolute() or "\0" in folder:
            message = f"the output folder must be an absolute path, not {folder!r}"
            raise InvalidRequest(message, {"spec.output_dir": message})
        require_place(Path(folder))

    def make(self, folder: str) -> None:
        """See Disks.make."""
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            message = f"cannot make {folder}: {error.strerror or error}"
            raise InvalidRequest(message, {"spec.output_dir": message}) from error

    def volume(self, folder: str) -> Volume:
        """See Disks.volume."""
        existing = next((path for path in (Path(folder), *Path(folder).parents) if path.exists()), Path(folder).anchor)
        try:
            return Volume(str(Path(existing).stat().st_dev), folder, shutil.disk_usage(existing).free)
        except OSError:
            return Volume(folder, folder, None)
