"""Demucs' engine around networks that compute nothing, to see what it does besides."""

import numpy as np
import numpy.typing as npt

from services.separator.adapters.demucs.bags import Bag
from services.separator.adapters.demucs.engine import DemucsEngine
from services.separator.core.models import ModelEntry, demucs_spec
from services.separator.core.segments import Schedule
from stemhouse.vocab import BASE_STEMS
from tests.fakes_separator import CD_STEREO

_SEGMENT_FRAMES = CD_STEREO.sample_rate_hz


class IdleNetwork:
    """Network of one-second segments: each stem is a quarter of what is heard. Counts its runs."""

    sources = BASE_STEMS
    audio_format = CD_STEREO
    schedule = Schedule(_SEGMENT_FRAMES, _SEGMENT_FRAMES * 3 // 4, lambda _frame_count: _SEGMENT_FRAMES)

    def __init__(self) -> None:
        self.run_count = 0

    def separate(self, heard: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """See Network.separate."""
        self.run_count += 1
        return np.repeat(heard[:, np.newaxis] / 4, len(self.sources), axis=1)


def idle_demucs_engine(network_count: int, network: IdleNetwork | None = None) -> DemucsEngine:
    """The engine of a bag that has the network so many times."""
    entry = ModelEntry("idle", "demucs", BASE_STEMS, CD_STEREO, (), "", "")
    shares = np.full((network_count, len(BASE_STEMS)), 1 / network_count, np.float32)
    return DemucsEngine(Bag((network or IdleNetwork(),) * network_count, shares), demucs_spec(entry))
