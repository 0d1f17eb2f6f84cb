"""Working through whole libraries."""

from concurrent.futures import Executor

from services.library.core.batch_drive import Drive, DrivePorts
from services.library.core.batch_line import Limits
from services.library.core.batch_ports import Bell


class DJBatchProcessor:
    """Works on batches, each on a thread of its own, with a pool for what takes long.

    Tracks are prepared ahead, up to a limit of bytes, and sent in the order of their places, or, where somebody is to
    listen to them, those first that are sung; the router keeps the backlog. A batch can be interrupted at any point:
    taken up again, it repeats only what was under way, and no attempt at a track is ever two jobs.
    """

    def __init__(self, ports: DrivePorts, executor: Executor, limits: Limits) -> None:
        """Keep the ports, and a pool with room for the preparations, probes and deliveries of `limits`."""
        self._ports = ports
        self._executor = executor
        self._limits = limits

    def process(self, batch_id: str, bell: Bell) -> None:
        """Begin or take up a batch; ends when there is nothing more to do for it now, or the service leaves.

        Raises Unavailable if the library's own database fails: then take the batch up again after a while.
        """
        drive = Drive(self._ports, self._executor, self._limits, batch_id, bell)
        while not bell.is_stopping and drive.turn():
            bell.rest(self._limits.poll_s)
