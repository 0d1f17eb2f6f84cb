"""A stem cut into pieces, with an index and a kit for samplers."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict

import numpy as np

from services.exporter.core.analysis.tracks import LONGEST_ANALYSED_S
from services.exporter.core.files import StemFileManager
from services.exporter.core.ports import BLOCK_FRAMES, FileEncoder, FileSpec
from services.exporter.core.production.analyses import Analyses
from services.exporter.core.production.folders import OpenFolder, StemFolders
from services.exporter.core.production.levels import highest_level, in_format
from services.exporter.core.production.ports import AudioShape, FloatBlock, IsWanted
from services.exporter.core.production.trees import TreePart, TreeSender, delivery_key, folder_facts
from services.exporter.core.remix.chops import Chop, create_vocal_chops
from services.exporter.core.remix.kit import ChopFiles, index_csv, index_json, sfz_kit
from stemhouse.analysis import BeatGrid
from stemhouse.delivery import SampleFormat
from stemhouse.errors import InputRejected, InvalidRequest
from stemhouse.production import ChopGrid, ChopOptions, StemFolder, TreePlan

CHOPS_VERSION = 1
"""Grows when the bytes of a file change for the same stem, beats and options."""

_ENDING = ".wav"
_INDICES = {"chops.json": index_json, "chops.csv": index_csv, "chops.sfz": sfz_kit}


class StemChopping:
    """Cuts stems of folders."""

    def __init__(self, folders: StemFolders, analyses: Analyses, wav: FileEncoder) -> None:
        """Keep what it works with."""
        self._folders = folders
        self._analyses = analyses
        self._wav = wav
        self._names = StemFileManager()

    def chop(self, folder: StemFolder, options: ChopOptions, is_wanted: IsWanted) -> Iterator[TreePart]:
        """The tree in parts.

        Raises InvalidRequest for a stem that is not there, or a grid where no beat was found; InputRejected if there is
        nothing to cut, or too much; and what StemFolders raises.
        """
        _require_stem(folder, options.stem)
        with self._folders.open(folder, is_wanted) as audio:
            grid = self._analyses.of(folder, audio).grid
            chops = _chops(folder, audio, options, grid)
            plan = self._plan(folder, options, grid, chops)
            yield plan
            sender = TreeSender(plan)
            yield from self._files(sender, options.stem, chops, audio.shape)
            yield from sender.record({**folder_facts(folder), "chops": asdict(options)})

    def _plan(self, folder: StemFolder, options: ChopOptions, grid: BeatGrid | None, chops: Sequence[Chop]) -> TreePlan:
        suffix = " chops" if options == ChopOptions(stem=options.stem) else f" chops {_manner(options)}"
        own = "" if options.stem == ChopOptions().stem else f" {options.stem}"
        return TreePlan(
            folder=self._names.derived_folder_name(folder.name or folder.title, own + suffix),
            file_paths=(*(chop.name + _ENDING for chop in chops), *_INDICES),
            empty_folders=(),
            delivery_key=delivery_key(
                "chops", CHOPS_VERSION, folder_facts(folder), asdict(options), asdict(grid) if grid else None
            ),
        )

    def _files(self, sender: TreeSender, stem: str, chops: Sequence[Chop], shape: AudioShape) -> Iterator[TreePart]:
        fits = highest_level(([chop.samples] for chop in chops), SampleFormat.PCM24) <= 1.0
        sample_format = SampleFormat.PCM24 if fits else SampleFormat.FLOAT32
        files = ChopFiles(stem, shape.sample_rate_hz, _ENDING, chops)
        for name, chop in zip(files.names(), chops, strict=True):
            spec = FileSpec(sample_format, shape.sample_rate_hz, shape.channel_count, len(chop.samples))
            samples = in_format(_blocks(chop.samples), 1.0, sample_format)
            yield from sender.audio(name, self._wav.encode(spec, samples))
        for path, index in _INDICES.items():
            yield from sender.document(path, index(files).encode())


def _require_stem(folder: StemFolder, stem: str) -> None:
    if not folder.file(stem):
        there = ", ".join(file.stem for file in folder.files)
        message = f"no stem {stem} in {folder.name or folder.title}; it has {there}"
        raise InvalidRequest(message, {"stem": message})


def _chops(folder: StemFolder, audio: OpenFolder, options: ChopOptions, grid: BeatGrid | None) -> tuple[Chop, ...]:
    if options.grid is not ChopGrid.FREE and grid is None:
        message = f"no beat was found in {folder.title}: its stems can be cut at onsets or by phrases only"
        raise InvalidRequest(message, {"grid": message})
    if audio.shape.duration_s > LONGEST_ANALYSED_S:  # all of it is held in memory
        message = f"{folder.title} is longer than {LONGEST_ANALYSED_S / 60:g} minutes: cut it first"
        raise InputRejected(message, {"title": folder.title})
    samples = np.concatenate([*audio.stems[options.stem].read()])
    chops = create_vocal_chops(samples, audio.shape.sample_rate_hz, options, grid)
    if not chops:
        message = f"{options.stem} of {folder.name or folder.title} has no sound to cut"
        raise InputRejected(message, {"stem": options.stem})
    return chops


def _manner(options: ChopOptions) -> str:
    """What tells the folder from that of other options."""
    grid = options.grid.value.replace("/", "-")
    return f"{grid} phrases" if options.is_by_phrase else grid


def _blocks(samples: FloatBlock) -> Iterator[FloatBlock]:
    for start in range(0, len(samples), BLOCK_FRAMES):
        yield samples[start : start + BLOCK_FRAMES]
