"""FLAC files by libsndfile, spooled because their size is known only at the end."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO

import soundfile

from services.exporter.adapters.scratch import scratch_file, scratch_unavailable
from services.exporter.core.ports import EncodedFile, FileSpec, SampleBlock

_CHUNK_BYTES = 1024 * 1024


class FlacEncoder:
    """FileEncoder for FLAC of 16 or 24 bits."""

    def __init__(self, scratch_dir: Path) -> None:
        """Keep the folder of the spool."""
        self._scratch_dir = scratch_dir

    @contextmanager
    def encode(self, spec: FileSpec, blocks: Iterable[SampleBlock]) -> Iterator[EncodedFile]:
        """See FileEncoder.encode; raises Unavailable if the spool cannot be written."""
        with scratch_file(self._scratch_dir) as spool:
            try:
                _write(spool, spec, blocks)
            except (OSError, AssertionError, soundfile.LibsndfileError) as error:
                # soundfile swallows what the spool raises and asserts that all frames were taken.
                raise scratch_unavailable(self._scratch_dir, error) from error
            size_bytes = spool.tell()
            spool.seek(0)
            yield EncodedFile(size_bytes, iter(partial(spool.read, _CHUNK_BYTES), b""))


def _write(spool: IO[bytes], spec: FileSpec, blocks: Iterable[SampleBlock]) -> None:
    bits = int(spec.sample_format.value)
    with soundfile.SoundFile(
        spool, "w", spec.sample_rate_hz, spec.channel_count, subtype=f"PCM_{bits}", format="FLAC"
    ) as flac:
        for block in blocks:
            flac.write(block << (32 - bits))
    spool.seek(0, 2)
