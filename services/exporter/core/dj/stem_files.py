"""A folder of stems as one of NI's stem files."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial

from services.exporter.core.dj.loudness import replay_gain_db
from services.exporter.core.dj.naming import folder_name, song_file_name
from services.exporter.core.dj.organizing import dj_facts, dj_spec, file_facts
from services.exporter.core.dj.ports import StemFileEncoder, Tagger
from services.exporter.core.dj.preparing import Prepared, StreamPreparation
from services.exporter.core.dj.songs import DJSong, dj_song
from services.exporter.core.dj.stem_mp4 import STEM_ORDER
from services.exporter.core.dj.targets import chosen_stems, read_stem
from services.exporter.core.ports import EncodedFile
from services.exporter.core.production.analyses import Analyses
from services.exporter.core.production.folders import OpenFolder, StemFolders
from services.exporter.core.production.ports import FloatBlock, IsWanted
from services.exporter.core.production.trees import TreePart, TreeSender, delivery_key, folder_facts
from stemhouse.delivery import FileFormat, SampleFormat
from stemhouse.dj import STEM_FILE_KIND, DJOrder, DJTarget, DJTrack, StemChoice, StemFileOptions
from stemhouse.production import StemFolder, TreePlan

STEM_FILE_VERSION = 2
"""Grows when the bytes of a file change for the same stems, beats and options."""

ENDING = ".stem.mp4"
_MIX = "mix"
_ALL_STEMS = "stems"


class StemFileExport:
    """Makes stem files: the mix, and four stems that sum to it."""

    def __init__(
        self,
        folders: StemFolders,
        analyses: Analyses,
        preparation: StreamPreparation,
        encoder: StemFileEncoder,
        tagger: Tagger,
    ) -> None:
        """Keep what it works with."""
        self._folders = folders
        self._analyses = analyses
        self._preparation = preparation
        self._encoder = encoder
        self._tagger = tagger

    def export(
        self, folder: StemFolder, options: StemFileOptions, order: DJOrder, is_wanted: IsWanted
    ) -> Iterator[TreePart]:
        """The tree in parts; its record has in `dj` what is known of the file.

        Raises InvalidRequest for stems that are not there, or a bad template, and what StemFolders raises.
        """
        chosen_stems(folder, StemChoice.FOUR)
        with self._folders.open(folder, is_wanted) as audio:
            song = dj_song(folder, self._analyses.of(folder, audio), order.known, moves_origin=options.moves_origin)
            shape = audio.shape
            spec = dj_spec(shape, DJTarget.STEM_MP4, SampleFormat.PCM24)
            rate_hz = spec.sample_rate_hz
            plan = _plan(folder, options, song)
            yield plan
            sender = TreeSender(plan)
            gain_db = replay_gain_db(audio.original(), shape.sample_rate_hz)
            with self._preparation.prepared(_streams(audio), shape, spec, is_wanted) as ready:
                track = song.of_stem(_ALL_STEMS, ready.gain_db_with(gain_db))
                file = self._file(ready, rate_hz, track, song.art, is_lossless=options.is_lossless)
                yield from sender.audio(plan.file_paths[0], file)
            told = file_facts(plan.file_paths[0], _ALL_STEMS, track, spec.frame_count, rate_hz)
            yield from sender.record(
                {**folder_facts(folder), "gain": ready.gain, "dj": dj_facts(folder, order, STEM_FILE_KIND, [told])}
            )

    @contextmanager
    def _file(
        self, ready: Prepared, rate_hz: int, track: DJTrack, art: bytes, *, is_lossless: bool
    ) -> Iterator[EncodedFile]:
        streams = [ready.samples(name) for name in (_MIX, *STEM_ORDER)]
        with (
            self._encoder.encode(rate_hz, streams, is_lossless=is_lossless) as bare,
            self._tagger.tagged(bare, FileFormat.M4A, track, art) as tagged,
        ):
            yield tagged


def _streams(audio: OpenFolder) -> Mapping[str, Callable[[], Iterator[FloatBlock]]]:
    stems = {stem: partial(read_stem, audio, stem, StemChoice.FOUR) for stem in STEM_ORDER}
    return {_MIX: audio.original, **stems}


def _plan(folder: StemFolder, options: StemFileOptions, song: DJSong) -> TreePlan:
    return TreePlan(
        folder=folder_name(folder.name or folder.title),
        file_paths=(song_file_name(options.name_template, song.names, ENDING),),
        empty_folders=(),
        delivery_key=delivery_key(
            "stem file", STEM_FILE_VERSION, folder_facts(folder), asdict(options), song.determining()
        ),
        warnings=song.warnings,
    )
