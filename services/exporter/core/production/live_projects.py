"""Projects of Ableton Live: the sets, and the samples that they play."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from services.exporter.core.ableton.checks import FASTEST_BPM, SLOWEST_BPM
from services.exporter.core.ableton.model import (
    BASS_BLUE,
    DRUMS_GREEN,
    ORIGINAL_GREY,
    OTHER_ORANGE,
    VOCALS_PINK,
    LiveSet,
    LiveSong,
    LiveTrack,
    SampleFile,
)
from services.exporter.core.ableton.profiles import LiveProfile
from services.exporter.core.ableton.project import LiveProject, plan_project, sample_path
from services.exporter.core.ports import FileSpec
from services.exporter.core.production.analyses import Analyses
from services.exporter.core.production.folders import OpenFolder, StemFolders, sounding
from services.exporter.core.production.levels import highest_level, in_format
from services.exporter.core.production.ports import FloatBlock, IsWanted
from services.exporter.core.production.trees import TreePart, TreeSender, delivery_key, folder_facts
from services.exporter.core.wav import WavEncoder, wav_bytes, wav_header
from stemhouse.analysis import BeatGrid, GridMarker, TrackAnalysis
from stemhouse.delivery import SampleFormat
from stemhouse.production import AbletonOptions, StemFile, StemFolder, TreePlan
from stemhouse.vocab import BASS, DRUMS, OTHER, VOCALS

PROJECT_VERSION = 1
"""Grows when the bytes of a file change for the same stems, beats and options."""

DEFAULT_BPM = 120.0

_COLORS = {VOCALS: VOCALS_PINK, DRUMS: DRUMS_GREEN, BASS: BASS_BLUE, OTHER: OTHER_ORANGE}
_EXTRA_COLORS = (17, 21, 24, 26, 5, 0)
"""Yellow, turquoise, violet, magenta, bright green, rose: of stems beyond the four, in turn."""


class SetBuilder(Protocol):
    """Writes Live sets."""

    def build(self, live_set: LiveSet, profile: LiveProfile) -> bytes:
        """The set as a file for a version of Live."""


@dataclass(frozen=True)
class _Sample:
    """A file of the project, and where its samples come from; `own` is the same file where the client has it."""

    file_name: str
    spec: FileSpec
    read: Callable[[], Iterator[FloatBlock]]
    own: StemFile | None = None


@dataclass(frozen=True)
class _Song:
    """A song of the set, its samples, and what people should know of it."""

    song: LiveSong
    samples: tuple[_Sample, ...]
    warnings: tuple[str, ...]


class LiveProjects:
    """Makes projects of folders of stems."""

    def __init__(self, folders: StemFolders, analyses: Analyses, builder: SetBuilder) -> None:
        """Keep what it works with."""
        self._folders = folders
        self._analyses = analyses
        self._builder = builder
        self._wav = WavEncoder()

    def export(self, folders: Sequence[StemFolder], options: AbletonOptions, is_wanted: IsWanted) -> Iterator[TreePart]:
        """The project in parts; raises what StemFolders and Analyses raise."""
        with ExitStack() as stack:
            opened = [stack.enter_context(self._folders.open(folder, is_wanted)) for folder in folders]
            analyses = [self._analyses.of(folder, audio) for folder, audio in zip(folders, opened, strict=True)]
            bpm = options.bpm or _own_bpm(folders, analyses)
            songs = [
                self._song(folder, audio, analysis, bpm, f"{number} " if len(folders) > 1 else "")
                for number, (folder, audio, analysis) in enumerate(zip(folders, opened, analyses, strict=True), 1)
            ]
            project = _project(folders)
            sets = self._sets(LiveSet(bpm, tuple(song.song for song in songs)), project)
            plan = _plan(project, songs, _facts(folders, options, analyses, bpm))
            yield plan
            yield from self._files(TreeSender(plan), songs, sets, {"songs": [folder_facts(it) for it in folders]})

    def _song(self, folder: StemFolder, audio: OpenFolder, analysis: TrackAnalysis, bpm: float, prefix: str) -> _Song:
        sample_format = _sample_format(audio)
        stems = sounding(audio.stems)
        sources = {stem: audio.stems[stem].read for stem in stems}
        shape = audio.shape
        spec = FileSpec(sample_format, shape.sample_rate_hz, shape.channel_count, shape.frame_count)
        samples = {
            stem: _Sample(f"{prefix}{stem}.wav", spec, read, _same_file(folder.file(stem), spec))
            for stem, read in sources.items()
        }
        original = _Sample(f"{prefix}original mix.wav", spec, audio.original)
        colors = _colors(stems)
        tracks = tuple(
            LiveTrack(stem.capitalize(), colors[stem], _sample_file(sample)) for stem, sample in samples.items()
        )
        song = LiveSong(
            title=folder.title,
            grid=analysis.grid or _plain_grid(bpm),
            stems=tracks,
            original=LiveTrack("Original", ORIGINAL_GREY, _sample_file(original), is_muted=True),
            sections=analysis.sections if analysis.grid else (),
        )
        return _Song(song, (*samples.values(), original), _warnings(folder, analysis, bpm, sample_format))

    def _sets(self, live_set: LiveSet, project: LiveProject) -> dict[str, bytes]:
        return {name: self._builder.build(live_set, profile) for profile, name in project.set_names.items()}

    def _files(
        self, sender: TreeSender, songs: Sequence[_Song], sets: dict[str, bytes], facts: dict[str, Any]
    ) -> Iterator[TreePart]:
        for song in songs:
            for sample in song.samples:
                yield from self._sample_file(sender, sample)
        for path, data in sets.items():
            yield from sender.document(path, data)
        yield from sender.record(facts)

    def _sample_file(self, sender: TreeSender, sample: _Sample) -> Iterator[TreePart]:
        path = sample_path(sample.file_name)
        if sample.own:
            yield from sender.copy(path, sample.own)
        else:
            blocks = in_format(sample.read(), 1.0, sample.spec.sample_format)
            yield from sender.audio(path, self._wav.encode(sample.spec, blocks))


def _same_file(file: StemFile | None, spec: FileSpec) -> StemFile | None:
    """The file, if it is what would be written: 24 bits behind the very same header, and nothing behind them.

    Such a file holds the samples that were read of it or of what it was delivered from, since both fit 24 bits. Float
    files may hold what no output may, so they are written anew.
    """
    if file is None or spec.sample_format is not SampleFormat.PCM24:
        return None
    return file if file.head.startswith(wav_header(spec)) and file.size_bytes == wav_bytes(spec) else None


def _project(folders: Sequence[StemFolder]) -> LiveProject:
    first = folders[0]
    song = f"{first.artist} - {first.title}" if first.artist else first.title
    return plan_project(song, f" and {len(folders) - 1} more" if len(folders) > 1 else "")


def _own_bpm(folders: Sequence[StemFolder], analyses: Sequence[TrackAnalysis]) -> float:
    """The tempo of the first song that has one: heard, else told."""
    heard = (analysis.grid.bpm for analysis in analyses if analysis.grid)
    told = (folder.hints.bpm for folder in folders if SLOWEST_BPM <= folder.hints.bpm <= FASTEST_BPM)
    return next(heard, next(told, DEFAULT_BPM))


def _plan(project: LiveProject, songs: Sequence[_Song], facts: Any) -> TreePlan:
    samples = [sample_path(sample.file_name) for song in songs for sample in song.samples]
    return TreePlan(
        folder=project.folder,
        file_paths=(*samples, *project.set_names.values()),
        empty_folders=project.empty_folders,
        delivery_key=delivery_key("ableton", PROJECT_VERSION, facts),
        warnings=tuple(warning for song in songs for warning in song.warnings),
    )


def _facts(
    folders: Sequence[StemFolder], options: AbletonOptions, analyses: Sequence[TrackAnalysis], bpm: float
) -> list[Any]:
    """What determines the files."""
    return [*map(folder_facts, folders), asdict(options), bpm, *map(asdict, analyses)]


def _sample_format(audio: OpenFolder) -> SampleFormat:
    """Of 24 bits, unless something exceeds full scale: Live plays float files as they are."""
    reads = [stem.read for stem in audio.stems.values() if not stem.fits_24_bits]
    if not (audio.mix and audio.mix.fits_24_bits):
        reads.append(audio.original)
    fits = highest_level((read() for read in reads), SampleFormat.PCM24) <= 1.0
    return SampleFormat.PCM24 if fits else SampleFormat.FLOAT32


def _colors(stems: Sequence[str]) -> dict[str, int]:
    extra = [stem for stem in stems if stem not in _COLORS]
    turns = {stem: _EXTRA_COLORS[place % len(_EXTRA_COLORS)] for place, stem in enumerate(extra)}
    return {**_COLORS, **turns}


def _sample_file(sample: _Sample) -> SampleFile:
    return SampleFile(sample.file_name, wav_bytes(sample.spec), sample.spec.frame_count, sample.spec.sample_rate_hz)


def _plain_grid(bpm: float) -> BeatGrid:
    """Bars from the first frame on, in the set's own tempo: nothing is stretched."""
    return BeatGrid(bpm, (GridMarker(0.0, 0.0),), bpm)


def _warnings(folder: StemFolder, analysis: TrackAnalysis, bpm: float, sample_format: SampleFormat) -> tuple[str, ...]:
    warnings = []
    if analysis.grid is None:
        reason = f" ({analysis.note})" if analysis.note else ""
        warnings.append(f"{folder.title} has no beat to be trusted{reason}: its clips are laid out at {bpm:g} BPM")
    if sample_format is SampleFormat.FLOAT32:
        warnings.append(f"{folder.title} exceeds full scale: its samples are 32-bit float files")
    return tuple(warnings)
