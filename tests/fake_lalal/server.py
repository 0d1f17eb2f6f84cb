"""The fake as tests use it: two servers on 127.0.0.1 and everything that happened on them."""

import threading
from typing import Any, Self

from tests.fake_lalal.account import Charges
from tests.fake_lalal.api import Api
from tests.fake_lalal.api_port import PREFIX, ApiHandler
from tests.fake_lalal.clocks import Clock, VirtualClock
from tests.fake_lalal.control import Control
from tests.fake_lalal.download_port import DownloadHandler
from tests.fake_lalal.faults import Faults
from tests.fake_lalal.journal import Journal
from tests.fake_lalal.media import MediaShelf
from tests.fake_lalal.settings import Settings
from tests.fake_lalal.wire import Handler, Server

_LOOK_S = 0.01


class FakeLalal:
    """LALAL.AI v1 on two free ports of 127.0.0.1, until the block ends.

    ::

        with FakeLalal(minutes=3.0, queue_s=5.0) as fake:
            fake.faults.add("split/multistem", 1, Fault(FaultKind.DROP_AFTER_COMMIT))
            ...  # a client of fake.base_url with fake.key
            fake.advance(65.0)
            assert fake.charges.total_minutes == 3.0
            assert fake.journal.violations == ()

    `clock`: a VirtualClock unless told; with a RealClock take small `queue_s` and `stem_s`, and
    `checks_per_minute=None`. `wishes` are the fields of Settings. Ports of 0 are free ones.
    """

    def __init__(self, clock: Clock | None = None, *, port: int = 0, download_port: int = 0, **wishes: Any) -> None:
        self.settings = Settings(**wishes)
        self.clock = clock or VirtualClock()
        self.journal = Journal()
        self.faults = Faults()
        self._api = Api(self.settings, self.clock, MediaShelf(self.settings.wav_subtype))
        self.control = Control(self._api, self.journal, self.faults)
        self._ports = (port, download_port)
        self._servers: list[Server] = []
        self._threads: list[threading.Thread] = []

    @property
    def key(self) -> str:
        """The one licence key that is right."""
        return self.settings.key

    @property
    def base_url(self) -> str:
        """Of the API, such as `http://127.0.0.1:4711/api/v1`; every route follows after a slash."""
        return self.control_origin + PREFIX.rstrip("/")

    @property
    def control_origin(self) -> str:
        """Under which `/__fake__/...` is."""
        return f"http://127.0.0.1:{self._servers[0].server_port}"

    @property
    def download_origin(self) -> str:
        """Of all links; another port than that of the API."""
        return f"http://127.0.0.1:{self._servers[1].server_port}"

    @property
    def charges(self) -> Charges:
        """What each task costs at this moment, and all together."""
        return self._api.account.charges(self.clock.now_s())

    @property
    def minutes_left(self) -> float:
        """What the account may still spend."""
        return self._api.account.minutes_left(self.clock.now_s())

    @property
    def task_states(self) -> dict[str, str]:
        """Each task with what it is at this moment: queued, progress, success, error or cancelled."""
        now_s = self.clock.now_s()
        return {task.id: str(task.state(now_s)) for task in self._api.account.tasks.values()}

    def advance(self, seconds: float) -> None:
        """Let time pass at once."""
        self.clock.advance(seconds)

    def foreign_task(self) -> str:
        """The id of a task that belongs to somebody else."""
        return self._api.foreign_task()

    def start(self) -> Self:
        """Listen on both ports."""
        shared: dict[str, Any] = {
            "api": self._api,
            "journal": self.journal,
            "faults": self.faults,
        }
        self._listen(type("_Api", (ApiHandler,), {**shared, "control": self.control}), self._ports[0])
        self._listen(type("_Downloads", (DownloadHandler,), shared), self._ports[1])
        self._api.link_origin = self.download_origin
        return self

    def stop(self) -> None:
        """End both servers; what happened can still be looked at."""
        for server in self._servers:
            server.stop()
        for thread in self._threads:
            thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def _listen(self, handler: type[Handler], port: int) -> None:
        server = Server(port, handler)
        thread = threading.Thread(target=server.serve_forever, args=(_LOOK_S,), daemon=True)
        thread.start()
        self._servers.append(server)
        self._threads.append(thread)
