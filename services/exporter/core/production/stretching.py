"""A folder of stems in another length."""

from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack

from services.exporter.core.capacity import require_room
from services.exporter.core.files import StemFileManager
from services.exporter.core.parts import Progress
from services.exporter.core.ports import FileEncoder, FileSpec
from services.exporter.core.production.analyses import Analyses
from services.exporter.core.production.folders import OpenFolder, StemFolders
from services.exporter.core.production.levels import in_format, level
from services.exporter.core.production.ports import BlockSpool, IsWanted, Spools
from services.exporter.core.production.trees import TreePart, TreeSender, delivery_key, folder_facts
from services.exporter.core.remix.stretching import StemRemixer
from stemhouse.delivery import FileFormat
from stemhouse.errors import InvalidRequest
from stemhouse.production import LONGEST_RATIO, SHORTEST_RATIO, StemFolder, StretchOptions, TreePlan

STRETCH_VERSION = 1
"""Grows when the bytes of a file change for the same stems and options."""


class StemStretching:
    """Stretches folders: all stems together, so that they still fit, the wanted ones into files."""

    def __init__(
        self,
        folders: StemFolders,
        analyses: Analyses,
        remixer: StemRemixer,
        spools: Spools,
        encoders: Mapping[FileFormat, FileEncoder],
    ) -> None:
        """Keep what it works with."""
        self._folders = folders
        self._analyses = analyses
        self._remixer = remixer
        self._spools = spools
        self._encoders = encoders
        self._names = StemFileManager()

    def stretch(self, folder: StemFolder, options: StretchOptions, is_wanted: IsWanted) -> Iterator[TreePart]:
        """The tree in parts.

        Raises InvalidRequest for a ratio out of range, a stem that is not there, a file format that cannot hold what
        comes, or a tempo where that of the track is not known; and what StemFolders raises.
        """
        stems = _wanted_stems(folder, options)
        with self._folders.open(folder, is_wanted) as audio:
            ratio = self._ratio(folder, audio, options)
            spec = _spec(audio, options, ratio)
            require_room(options.delivery.file_format, spec)
            plan = self._plan(folder, options, stems, ratio)
            yield plan
            sender = TreeSender(plan)
            with ExitStack() as stack:
                spools = {stem: stack.enter_context(self._spools.open(spec.channel_count)) for stem in audio.stems}
                highest = yield from self._fill(spools, audio, ratio, spec)
                gain = 1.0 / highest if highest > 1.0 else 1.0
                for stem, path in zip(stems, plan.file_paths, strict=True):
                    samples = in_format(spools[stem].read(), gain, spec.sample_format)
                    yield from sender.audio(path, self._encoders[options.delivery.file_format].encode(spec, samples))
            yield from sender.record({**folder_facts(folder), "stretch": {"ratio": ratio, "gain": gain}})

    def _ratio(self, folder: StemFolder, audio: OpenFolder, options: StretchOptions) -> float:
        if options.bpm is None:
            return options.ratio or 1.0
        grid = self._analyses.of(folder, audio).grid
        own_bpm = grid.bpm if grid else folder.hints.bpm
        if not own_bpm:
            message = f"the tempo of {folder.title} is not known: name it, or a ratio"
            raise InvalidRequest(message, {"bpm": message})
        ratio = own_bpm / options.bpm
        if not SHORTEST_RATIO <= ratio <= LONGEST_RATIO:
            message = f"from {own_bpm:.2f} to {options.bpm:g} BPM is a ratio of {ratio:.3f}, not one of 0.5 to 2"
            raise InvalidRequest(message, {"bpm": message})
        return ratio

    def _plan(self, folder: StemFolder, options: StretchOptions, stems: tuple[str, ...], ratio: float) -> TreePlan:
        suffix = f" x{ratio:.4g}" if options.bpm is None else f" {options.bpm:g} BPM"
        delivery = options.delivery
        return TreePlan(
            folder=self._names.derived_folder_name(folder.name or folder.title, suffix),
            file_paths=tuple(self._names.file_name(stem, delivery.file_format) for stem in stems),
            empty_folders=(),
            delivery_key=delivery_key(
                *("stretch", STRETCH_VERSION, folder_facts(folder), ratio),
                *(stems, delivery.file_format.value, delivery.sample_format.value),
            ),
        )

    def _fill(
        self, spools: Mapping[str, BlockSpool], audio: OpenFolder, ratio: float, spec: FileSpec
    ) -> Generator[Progress, None, float]:
        """Stretch everything aside; returns the highest level of all stems."""
        highest, done_frames = 0.0, 0
        streams = {stem: source.read() for stem, source in audio.stems.items()}
        for stretched in self._remixer.stretch_stems(streams, spec.sample_rate_hz, ratio):
            for stem, block in stretched.items():
                spools[stem].write(block)
                highest = max(highest, level(block, spec.sample_format))
            done_frames += len(next(iter(stretched.values())))
            yield Progress(min(done_frames / spec.frame_count, 1.0))
        return highest


def _wanted_stems(folder: StemFolder, options: StretchOptions) -> tuple[str, ...]:
    there = tuple(file.stem for file in folder.files)
    for stem in options.delivery.stems:
        if stem not in there:
            message = f"no stem {stem} in {folder.name or folder.title}; it has {', '.join(there)}"
            raise InvalidRequest(message, {"stems": message})
    return tuple(dict.fromkeys(options.delivery.stems or there))


def _spec(audio: OpenFolder, options: StretchOptions, ratio: float) -> FileSpec:
    shape = audio.shape
    frame_count = round(shape.frame_count * ratio)
    return FileSpec(options.delivery.sample_format, shape.sample_rate_hz, shape.channel_count, frame_count)
