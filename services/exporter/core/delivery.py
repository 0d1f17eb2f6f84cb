"""Delivery: the bytes of a result's files, in order."""

from collections.abc import Callable, Generator, Iterator, Mapping

from services.exporter.core import metadata
from services.exporter.core.files import StemFileManager
from services.exporter.core.metadata import DeliveredFile, metadata_json
from services.exporter.core.objects import require_own_objects
from services.exporter.core.parts import FileEnd, FileStart, file_parts, while_wanted
from services.exporter.core.plan import PlannedDelivery, plan_delivery, stored_stem
from services.exporter.core.ports import FileEncoder, StoredAudio
from services.exporter.core.samples import UnitBlock, difference, in_format, on_source_scale
from stemhouse.audio import StemSet
from stemhouse.delivery import DeliveryOptions, DeliveryPlan, FileFormat
from stemhouse.jobs import SeparationResult
from stemhouse.vocab import VOCALS

Part = DeliveryPlan | FileStart | bytes | FileEnd
"""A piece of a delivery: the plan, then for each file its start, its chunks of at most 1 MiB, its end."""


class StemDelivery:
    """Lays out results as folders of files."""

    def __init__(
        self, stored: StoredAudio, encoders: Mapping[FileFormat, FileEncoder], tool_versions: Mapping[str, str]
    ) -> None:
        """Keep the ports; `tool_versions` goes into metadata.json."""
        self._stored = stored
        self._encoders = encoders
        self._tool_versions = tool_versions
        self._names = StemFileManager()

    def deliver(
        self, result: SeparationResult, options: DeliveryOptions, is_wanted: Callable[[], bool]
    ) -> Iterator[Part]:
        """The plan, the audio files, and metadata.json last.

        Raises InvalidRequest, before anything is sent, for a stem that the result cannot give, for a file format that
        cannot hold the track and for figures or object keys that no result can have; what StoredAudio and FileEncoder
        raise; and Cancelled, within a block, once `is_wanted` says no.
        """
        require_own_objects(result.stem_set)
        planned = plan_delivery(result, options, self._names)
        metadata_json(result, planned, self._tool_versions, ())  # what cannot be told is refused now, not at the end
        yield planned.announcement
        files = []
        for stem, name in planned.files.items():
            units = while_wanted(self._units(result.stem_set, stem), is_wanted)
            files.append((yield from self._audio_file(stem, name, planned, units)))
        document = metadata_json(result, planned, self._tool_versions, files)
        yield from file_parts(metadata.FILE_NAME, len(document), [document])

    def _audio_file(
        self, stem: str, name: str, planned: PlannedDelivery, units: Iterator[UnitBlock]
    ) -> Generator[Part, None, DeliveredFile]:
        samples = in_format(units, planned.gain, planned.spec.sample_format)
        with self._encoders[planned.options.file_format].encode(planned.spec, samples) as encoded:
            sha256 = yield from file_parts(name, encoded.size_bytes, encoded.chunks)
        return DeliveredFile(name, stem, encoded.size_bytes, sha256)

    def _units(self, stem_set: StemSet, stem: str) -> Iterator[UnitBlock]:
        """A stem on the source's scale: as stored, or mix - vocals."""
        stored = stored_stem(stem_set, stem)
        if stored:
            return on_source_scale(self._stored.blocks(stored.object_key, stem_set.audio), stem_set.gain)
        mix = self._stored.blocks(stem_set.audio.object_key, stem_set.audio)
        return difference(on_source_scale(mix, stem_set.audio.gain), self._units(stem_set, VOCALS))
