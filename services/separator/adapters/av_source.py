"""Sources that FFmpeg decodes, by PyAV: AAC, ALAC, WMA, FLAC in Ogg, and whatever else lies in MP4, ASF and CAF.

The demuxer is named, never guessed: among those FFmpeg would try are playlists, which name other files. Edit lists and
delays are left to `core`, since what FFmpeg cuts off by itself differs from version to version.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import av
import numpy as np
from av.codec.context import Flags2
from av.sidedata.sidedata import Type as SideData

from services.separator.adapters.region import Region
from services.separator.adapters.tags import read_name_tags
from services.separator.core.layouts import SourceLayout
from services.separator.core.pcm import block_frames
from services.separator.core.ports import SourceBlock
from services.separator.core.trimming import Trimmer, damage_text, trimmer_for
from stemhouse.audio import AudioFormat, SourceFacts
from stemhouse.errors import UnreadableAudio, UnsupportedAudio

DECODER = f"libavcodec {'.'.join(map(str, av.library_versions['libavcodec']))} (PyAV {av.__version__})"

_OPTIONS = {"mov": {"ignore_editlist": "1"}}
_FULL_SCALES = {"u8": 2.0**7, "s16": 2.0**15, "s32": 2.0**31}
"""Of integers; what has fewer bits comes shifted to the top."""
_BITS_FROM_EXTRADATA = {"alac": (17, 18), "wmalossless": (0, 1)}
"""Where a decoder's settings hold the number of bits."""
_CHANGES = "the rate or the number of channels changes on the way: only what comes before was decoded"


class AvSource:
    """SourceAudio by FFmpeg."""

    def __init__(self, path: Path, name: str, layout: SourceLayout) -> None:
        """Decode the first frame, since some headers tell half the rate or one channel of two.

        Raises UnreadableAudio.
        """
        self._path = path
        self._name = name
        self._layout = layout
        self._codec, self._bits = "", 0
        first = self._first_frame()
        self.format = AudioFormat(first.sample_rate, first.layout.nb_channels)
        self._decoders_lead = _suggested_lead(first)
        self._sample_type = first.format.packed.name
        self._trimmer = Trimmer()
        self._damage = ""

    @property
    def is_integer(self) -> bool:
        """See SourceAudio.is_integer."""
        return self._sample_type in _FULL_SCALES

    def blocks(self) -> Iterator[SourceBlock]:
        """See SourceAudio.blocks."""
        trimmer = self._trimmer = trimmer_for(self._layout, self.format.sample_rate_hz, self._decoders_lead)
        causes: list[str] = []
        yield from trimmer.trimmed(self._raw_blocks(causes))
        if trimmer.is_short:
            causes.append("the file is damaged")
        self._damage = damage_text(self._layout, causes[0] if causes else "", trimmer)

    def facts(self) -> SourceFacts:
        """See SourceAudio.facts."""
        tags = read_name_tags(self._path, self._layout.container, self._codec)
        return SourceFacts(
            container=self._layout.container,
            codec=self._codec,
            bits_per_sample=self._bits,
            decoder=DECODER,
            trimmed_lead_frames=self._trimmer.lead_count,
            artist=tags.artist,
            title=tags.title,
            damage=self._damage,
            trimmed_tail_frames=self._trimmer.tail_count,
            timing_note=self._layout.timing_note,
            bpm=tags.bpm,
            genre=tags.genre,
        )

    def _raw_blocks(self, causes: list[str]) -> Iterator[SourceBlock]:
        """All frames, gathered into blocks; why they ended early goes into `causes`."""
        gathered: list[SourceBlock] = []
        gathered_frames = 0
        for frame in self._like_the_first(causes):
            gathered.append(_samples(frame))
            gathered_frames += frame.samples
            if gathered_frames >= block_frames(self.format):
                yield np.concatenate(gathered, axis=1)
                gathered, gathered_frames = [], 0
        if gathered:
            yield np.concatenate(gathered, axis=1)

    def _like_the_first(self, causes: list[str]) -> Iterator[av.AudioFrame]:
        """The frames up to the first that cannot be decoded, or is of another format."""
        try:
            for frame in self._frames():
                if AudioFormat(frame.sample_rate, frame.layout.nb_channels) != self.format:
                    causes.append(_CHANGES)
                    return
                yield frame
        except av.FFmpegError:
            causes.append("the file is damaged")

    def _first_frame(self) -> av.AudioFrame:
        try:
            first = next(self._frames(), None)
        except av.FFmpegError as error:
            message = f"{self._name} is not audio that can be read: {error.strerror}"
            raise UnreadableAudio(message, {"file": self._name}) from error
        if first is None:
            message = f"{self._name} holds no audio: not one frame could be decoded"
            raise UnreadableAudio(message, {"file": self._name})
        return first

    def _frames(self) -> Iterator[av.AudioFrame]:
        """Whatever the decoder gives, nothing cut off. Raises FFmpegError where it fails."""
        with self._path.open("rb") as file, self._demuxed(file) as container:
            stream = self._audio_stream(container)
            context = stream.codec_context
            context.flags2 |= Flags2.skip_manual
            context.thread_count = 1  # with several, an error comes later than the packet that caused it
            self._codec, self._bits = context.name, _bits(context)
            for packet in container.demux(stream):
                yield from packet.decode()

    def _demuxed(self, file: BinaryIO) -> Any:
        """The container; its tags are none of our business, whatever their encoding."""
        demuxer = self._layout.demuxer
        options = _OPTIONS.get(demuxer, {})
        region = Region(file, self._layout)
        return av.open(region, "r", format=demuxer, options=options, metadata_errors="replace")

    def _audio_stream(self, container: Any) -> Any:
        """The first one that can be decoded."""
        if not container.streams.audio:
            message = f"{self._name} holds no audio"
            raise UnreadableAudio(message, {"file": self._name})
        stream = next((stream for stream in container.streams.audio if stream.codec_context), None)
        if stream is None:
            message = f"{self._name} holds audio of a kind that nothing here decodes"
            raise UnsupportedAudio(message, {"file": self._name})
        return stream


def _suggested_lead(frame: av.AudioFrame) -> int:
    """How many frames the decoder would have cut off, had it been asked to."""
    side_data: Any = frame.side_data  # its keys are typed as strings, which they are not
    suggestion = side_data.get(SideData.SKIP_SAMPLES)
    return int.from_bytes(bytes(suggestion)[:4], "little") if suggestion else 0


def _samples(frame: av.AudioFrame) -> SourceBlock:
    """Of one frame, on the scale of 1.0."""
    array = frame.to_ndarray()
    if not frame.format.is_planar:
        array = array.reshape(-1, frame.layout.nb_channels).T
    samples: SourceBlock = array.astype(np.float64)
    sample_type = frame.format.packed.name
    if sample_type == "u8":
        samples -= _FULL_SCALES[sample_type]
    return samples / _FULL_SCALES.get(sample_type, 1.0)


def _bits(context: Any) -> int:
    """Bits of a sample; 0 for codecs that have none."""
    extradata: bytes = context.extradata or b""
    if context.name in _BITS_FROM_EXTRADATA:
        begin, end = _BITS_FROM_EXTRADATA[context.name]
        return int.from_bytes(extradata[begin:end], "little")
    if context.name == "flac":
        return (int.from_bytes(extradata[12:14]) >> 4 & 0x1F) + 1
    digits = re.search(r"^pcm_[suf](\d+)", context.name)
    return int(digits[1]) if digits else 0
