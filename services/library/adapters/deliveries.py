"""The exporter, by way of the SDK, and the folders that it delivers to."""

import errno
from pathlib import Path, PurePath

from services.library.adapters.dj_exports import DJExports
from services.library.core.batch_ports import DeliveryOrder, Export
from stemhouse.batches import BatchLayout, BatchSpec
from stemhouse.client.delivery import METADATA
from stemhouse.client.receiving import discard_unfinished, require_place
from stemhouse.client.sdk import Stemhouse
from stemhouse.errors import InvalidRequest, Unavailable
from stemhouse.jobs import SeparationResult

_OF_THE_VOLUME = {
    errno.errorcode[number]
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ENXIO, errno.ENODEV, errno.ESTALE)
}
"""What stands in the way of every track, not of one."""


class ExporterDeliveries:
    """Deliveries over a connection that others may share."""

    def __init__(self, client: Stemhouse, dj_exports: DJExports | None = None) -> None:
        """Keep the client; no call is made here. Without `dj_exports` nothing is made for targets."""
        self._client = client
        self._dj_exports = dj_exports
        self._mounts: dict[Path, bool] = {}

    def deliver(self, result: SeparationResult, order: DeliveryOrder) -> Export:
        """See Deliveries.deliver."""
        output_dir = Path(order.spec.output_dir)
        self._require_there(output_dir)
        try:
            delivered = self._client.deliver(result, order.spec.delivery, folder_for(order), order.label)
            # Without the metadata: a later delivery of another format into the folder writes that anew.
            audio_files = [path for path in delivered.files if path.name != METADATA]
            sizes_bytes = {path.name: path.stat().st_size for path in audio_files}
        except InvalidRequest as error:
            _require_volume(error, output_dir)
            raise
        except OSError as error:
            raise Unavailable(f"cannot read what was delivered below {output_dir}: {error}") from error
        return Export(str(delivered.folder), sizes_bytes)

    def holds(self, export: Export) -> bool:
        """See Deliveries.holds."""
        folder = Path(export.folder)
        try:
            return bool(export.file_sizes_bytes) and all(
                (folder / name).stat().st_size == size_bytes for name, size_bytes in export.file_sizes_bytes.items()
            )
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise Unavailable(f"cannot look at {folder}: {error.strerror or error}") from error

    def discard_unfinished(self, order: DeliveryOrder) -> None:
        """See Deliveries.discard_unfinished."""
        try:
            discard_unfinished(folder_for(order), order.label)
        except OSError as error:
            raise Unavailable(f"cannot tidy up below {order.spec.output_dir}: {error}") from error

    def export_for_djs(self, export: Export, order: DeliveryOrder) -> None:
        """See Deliveries.export_for_djs."""
        if order.spec.targets and self._dj_exports:
            self._require_there(Path(order.spec.output_dir))
            try:
                self._dj_exports.export(order.spec, order.path, Path(export.folder))
            except InvalidRequest as error:
                _require_volume(error, Path(order.spec.output_dir))
                raise

    def write_lists(self, spec: BatchSpec) -> None:
        """See Deliveries.write_lists."""
        if spec.targets and self._dj_exports:
            self._require_there(Path(spec.output_dir))
            self._dj_exports.write_lists(spec)

    def _require_there(self, output_dir: Path) -> None:
        """A folder that was made at the start is not made anew: that could fill the volume that lies below."""
        is_mount = output_dir.is_mount()
        was_mount = self._mounts.setdefault(output_dir, is_mount)
        if not output_dir.is_dir() or (was_mount and not is_mount):
            raise Unavailable(f"the output folder {output_dir} is gone: mount its volume, or make it again")


def folder_for(order: DeliveryOrder) -> Path:
    """Where the track's own folder goes.

    With layout `mirror` the source's folder is repeated below the output folder: from the location on, or whole where
    the source is not below it, as with the tracks of a DJ program's library.
    """
    output_dir = Path(order.spec.output_dir)
    if order.spec.layout is not BatchLayout.MIRROR:
        return output_dir
    folder = PurePath(order.path).parent
    location = PurePath(order.spec.location)
    relative = folder.relative_to(location if folder.is_relative_to(location) else folder.anchor)
    return output_dir / relative


def _require_volume(error: InvalidRequest, output_dir: Path) -> None:
    """Raises Unavailable where it is not this track that is at fault, but the volume or the folder of all."""
    if error.details.get("errno") in _OF_THE_VOLUME:
        raise Unavailable(error.message, error.details) from error
    if "errno" in error.details:
        _require_writable(output_dir)


def _require_writable(output_dir: Path) -> None:
    """Raises Unavailable where it is not this track's folder alone that cannot be written to."""
    try:
        require_place(output_dir)
    except InvalidRequest as error:
        raise Unavailable(error.message, error.details) from error
