"""FLAC and AIFF files by libsndfile, spooled because a FLAC's size is known only at the end."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import soundfile

from services.exporter.adapters.scratch import encoded_file, scratch_file, scratch_unavailable
from services.exporter.core.ports import EncodedFile, FileSpec, SampleBlock
from stemhouse.delivery import FileFormat


class LibsndfileEncoder:
    """FileEncoder for FLAC or AIFF of 16 or 24 bits."""

    def __init__(self, file_format: FileFormat, scratch_dir: Path) -> None:
        """Keep the format and the folder of the spool."""
        self._container = file_format.name
        self._scratch_dir = scratch_dir

    @contextmanager
    def encode(self, spec: FileSpec, blocks: Iterable[SampleBlock]) -> Iterator[EncodedFile]:
        """See FileEncoder.encode; raises Unavailable if the spool cannot be written."""
        with scratch_file(self._scratch_dir) as spool:
            try:
                self._write(spool, spec, blocks)
                file = encoded_file(spool)
            except (OSError, AssertionError, soundfile.LibsndfileError) as error:
                # soundfile swallows what the spool raises and asserts that all frames were taken.
                raise scratch_unavailable(self._scratch_dir, error) from error
            yield file

    def _write(self, spool: IO[bytes], spec: FileSpec, blocks: Iterable[SampleBlock]) -> None:
        bits = int(spec.sample_format.value)
        with soundfile.SoundFile(
            spool, "w", spec.sample_rate_hz, spec.channel_count, subtype=f"PCM_{bits}", format=self._container
        ) as file:
            for block in blocks:
                file.write(block << (32 - bits))
