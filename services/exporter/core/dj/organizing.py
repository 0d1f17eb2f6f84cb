"""A folder of stems as the files that a DJ program takes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from typing import Any

from services.exporter.core.capacity import require_room
from services.exporter.core.dj.loudness import replay_gain_db
from services.exporter.core.dj.naming import folder_name, stem_file_names
from services.exporter.core.dj.ports import Tagger, resampled_frames
from services.exporter.core.dj.preparing import Prepared, StreamPreparation
from services.exporter.core.dj.songs import DJSong, dj_song
from services.exporter.core.dj.targets import chosen_stems, read_stem, require_player_room, target_rate_hz
from services.exporter.core.ports import EncodedFile, FileEncoder, FileSpec, SampleBlock
from services.exporter.core.production.analyses import Analyses
from services.exporter.core.production.folders import StemFolders
from services.exporter.core.production.ports import AudioShape, IsWanted
from services.exporter.core.production.trees import TreePart, TreeSender, delivery_key, folder_facts
from stemhouse.delivery import FileFormat, SampleFormat
from stemhouse.dj import TARGET_FORMATS, DJOrder, DJTarget, DJTrack, OrganizeOptions, TrackClue
from stemhouse.jobs import SeparationResult
from stemhouse.production import StemFolder, TreePlan

ORGANIZING_VERSION = 2
"""Grows when the bytes of a file change for the same stems, beats and options."""


class StemOrganizing:
    """Makes tagged files of single stems."""

    def __init__(
        self,
        folders: StemFolders,
        analyses: Analyses,
        preparation: StreamPreparation,
        encoders: Mapping[FileFormat, FileEncoder],
        tagger: Tagger,
    ) -> None:
        """Keep what it works with."""
        self._folders = folders
        self._analyses = analyses
        self._preparation = preparation
        self._encoders = encoders
        self._tagger = tagger

    def organize(
        self, folder: StemFolder, options: OrganizeOptions, order: DJOrder, is_wanted: IsWanted
    ) -> Iterator[TreePart]:
        """The tree in parts; its record has in `dj` what is known of each file.

        Raises InvalidRequest for stems that are not there, or a bad template, and what StemFolders raises.
        """
        stems = chosen_stems(folder, options.stems)
        file_format = options.file_format or TARGET_FORMATS[options.target][0]
        with self._folders.open(folder, is_wanted) as audio:
            song = dj_song(folder, self._analyses.of(folder, audio), order.known, moves_origin=options.moves_origin)
            spec = dj_spec(audio.shape, options.target, options.sample_format)
            require_player_room(spec, file_format)
            require_room(file_format, spec)
            plan = _plan(folder, options, song, stems, file_format)
            yield plan
            sender = TreeSender(plan)
            gain_db = replay_gain_db(audio.original(), audio.shape.sample_rate_hz)
            streams = {stem: partial(read_stem, audio, stem, options.stems) for stem in stems}
            with self._preparation.prepared(streams, audio.shape, spec, is_wanted) as ready:
                tracks = {stem: song.of_stem(stem, ready.gain_db_with(gain_db)) for stem in stems}
                for stem, path in zip(stems, plan.file_paths, strict=True):
                    file = self._file(file_format, spec, ready.samples(stem), tracks[stem], song.art)
                    yield from sender.audio(path, file)
            yield from sender.record(_facts(folder, order, options.target, plan, ready, tracks, spec))

    @contextmanager
    def _file(
        self, file_format: FileFormat, spec: FileSpec, samples: Iterator[SampleBlock], track: DJTrack, art: bytes
    ) -> Iterator[EncodedFile]:
        with (
            self._encoders[file_format].encode(spec, samples) as bare,
            self._tagger.tagged(bare, file_format, track, art) as tagged,
        ):
            yield tagged


def dj_spec(shape: AudioShape, target: DJTarget, sample_format: SampleFormat) -> FileSpec:
    """Of files that a target takes."""
    rate_hz = target_rate_hz(target, shape.sample_rate_hz)
    return FileSpec(sample_format, rate_hz, shape.channel_count, resampled_frames(shape, rate_hz))


def _plan(
    folder: StemFolder, options: OrganizeOptions, song: DJSong, stems: tuple[str, ...], file_format: FileFormat
) -> TreePlan:
    return TreePlan(
        folder=folder_name(folder.name or folder.title),
        file_paths=stem_file_names(options.name_template, song.names, stems, f".{file_format.value}"),
        empty_folders=(),
        delivery_key=delivery_key(
            *("organize", ORGANIZING_VERSION, folder_facts(folder), asdict(options)),
            *(file_format.value, song.determining()),
        ),
        warnings=song.warnings,
    )


def _facts(  # noqa: PLR0913, PLR0917  all that the record tells
    folder: StemFolder,
    order: DJOrder,
    target: DJTarget,
    plan: TreePlan,
    ready: Prepared,
    tracks: Mapping[str, DJTrack],
    spec: FileSpec,
) -> dict[str, Any]:
    files = [
        file_facts(path, stem, track, spec.frame_count, spec.sample_rate_hz)
        for path, (stem, track) in zip(plan.file_paths, tracks.items(), strict=True)
    ]
    return {**folder_facts(folder), "gain": ready.gain, "dj": dj_facts(folder, order, target.file_kind, files)}


def dj_facts(folder: StemFolder, order: DJOrder, kind: str, files: list[dict[str, Any]]) -> dict[str, Any]:
    """What the record of a tree tells whoever made it: its files, and of which file the stems were made."""
    source = asdict(_clue(folder.result)) if folder.result else None
    return {"kind": kind, "request_key": order.request_key, "source": source, "files": files}


def _clue(result: SeparationResult) -> TrackClue:
    source = result.source
    return TrackClue(source.sha256, source.size_bytes, source.file_name, result.stem_set.audio.duration_s)


def file_facts(path: str, stem: str, track: DJTrack, frame_count: int, sample_rate_hz: int) -> dict[str, Any]:
    """A file as the record of its tree tells DJ programs of it."""
    return {
        "path": path,
        "stem": stem,
        "duration_s": frame_count / sample_rate_hz,
        "sample_rate_hz": sample_rate_hz,
        "track": asdict(track),
    }
