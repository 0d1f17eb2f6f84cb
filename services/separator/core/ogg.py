"""Ogg: the pages of one stream, with Vorbis, Opus or FLAC in it. Layouts: RFC 3533, RFC 7845 (Opus).

The granule position of a page is the number of frames up to its end; that of the last page ends the music.
"""

from dataclasses import dataclass, replace
from fractions import Fraction

from services.separator.core.id3 import end_of_tags
from services.separator.core.layouts import Bytes, SourceLayout, Watch, unwatched

_PAGE_HEADER_BYTES = 27
_CONTINUES_PACKET, _BEGINS_STREAM, _ENDS_STREAM = 1, 2, 4
_NO_GRANULE = 2**64 - 1
_FULL_SEGMENT = 255
_WATCHED_PAGES = 1 << 12
_MOST_FALSE_PAGES = 100_000
"""Names of pages without a page behind them; those in damage are few."""

_OPUS_RATE_HZ = 48_000
_OPUS_HYBRID, _OPUS_CELT = 12, 16
"""The first configurations of these modes; below them is SILK."""
_LATE_START_S = 10
"""A stream whose first audio page is later was cut out of a longer one; its granules do not tell its length."""


@dataclass(frozen=True)
class Page:
    """One page; `body` is where its packets begin, and `segments` how they are laced."""

    body: int
    end: int
    flags: int
    granule: int
    serial: int
    sequence: int
    segments: bytes


@dataclass
class _Stream:
    """The pages of one stream as far as they matter: all with a granule above 0 are audio."""

    first: Page
    last: Page
    last_audio: Page | None = None
    first_granule: int = 0
    granule_before_last: int = 0
    has_gap: bool = False
    is_chained: bool = False


def ogg_layout(data: Bytes, watch: Watch = unwatched) -> SourceLayout | None:
    """Of a file that is Ogg, behind tags at most; None if it is not. Of streams one behind another the first counts."""
    begin = end_of_tags(data)
    first = page_at(data, begin)
    if first is None:
        return None
    stream = _walked(data, first, watch)
    layout = SourceLayout("ogg", begin, stream.last.end, damage=_damage(stream))
    head = data[first.body : first.end]
    if head.startswith(b"OpusHead"):
        return _opus_layout(layout, stream, data, int.from_bytes(head[10:12], "little"))
    if head.startswith(b"\x01vorbis"):
        end_s = _end_s(stream, int.from_bytes(head[12:16], "little"))
        return replace(layout, end_s=end_s, is_trimmed_by_decoder=True)
    if head.startswith(b"\x7fFLAC"):
        return replace(layout, demuxer="ogg", end_s=_end_s(stream, int.from_bytes(head[27:30]) >> 4))
    return replace(layout, demuxer="ogg", lead_s=None)


def page_at(data: Bytes, begin: int) -> Page | None:
    """The page that begins there, if there is a whole one."""
    head = data[begin : begin + _PAGE_HEADER_BYTES]
    if len(head) < _PAGE_HEADER_BYTES or head[:5] != b"OggS\x00":
        return None
    body = begin + _PAGE_HEADER_BYTES + head[26]
    segments = data[begin + _PAGE_HEADER_BYTES : body]
    end = body + sum(segments)
    if end > len(data):
        return None
    granule, serial, sequence = (int.from_bytes(head[a:b], "little") for a, b in ((6, 14), (14, 18), (18, 22)))
    return Page(body, end, head[5], granule, serial, sequence, segments)


def _walked(data: Bytes, first: Page, watch: Watch) -> _Stream:
    stream = _Stream(first, first)
    position, looked_count, false_count = first.end, 0, 0
    while (begin := data.find(b"OggS", position)) >= 0 and false_count < _MOST_FALSE_PAGES:
        looked_count += 1
        if looked_count % _WATCHED_PAGES == 0:
            watch()
        page = page_at(data, begin)
        if page is None:
            position = begin + 4
            false_count += 1
            continue
        position = page.end
        if page.flags & _BEGINS_STREAM and stream.last_audio:
            stream.is_chained = True
            break
        if page.serial == first.serial:
            _take(stream, page)
    return stream


def _take(stream: _Stream, page: Page) -> None:
    stream.has_gap |= page.sequence != stream.last.sequence + 1
    stream.last = page
    if page.granule in {0, _NO_GRANULE}:
        return
    if stream.last_audio:
        stream.granule_before_last = stream.last_audio.granule
    else:
        stream.first_granule = page.granule
    stream.last_audio = page


def _damage(stream: _Stream) -> str:
    if stream.has_gap:
        return "the file is damaged: parts of it are missing, and what follows them comes too early"
    if stream.is_chained:
        return "the file holds several recordings one behind another: only the first was decoded"
    if not stream.last.flags & _ENDS_STREAM:
        return "the file is damaged: its end is missing"
    return ""


def _end_s(stream: _Stream, rate_hz: int) -> Fraction | None:
    if not rate_hz or not stream.last_audio or stream.first_granule > _LATE_START_S * rate_hz:
        return None
    return Fraction(stream.last_audio.granule, rate_hz)


def _opus_layout(layout: SourceLayout, stream: _Stream, data: Bytes, pre_skip: int) -> SourceLayout:
    decoded = stream.granule_before_last + _packets_frames(stream.last_audio, data)
    tail = max(0, decoded - stream.last_audio.granule) if stream.last_audio else 0
    return replace(
        layout,
        lead_s=Fraction(pre_skip, _OPUS_RATE_HZ),
        end_s=_end_s(stream, _OPUS_RATE_HZ),
        tail_s=Fraction(tail, _OPUS_RATE_HZ),
        is_trimmed_by_decoder=True,
    )


def _packets_frames(page: Page | None, data: Bytes) -> int:
    """Frames of all Opus packets that end on the page; one that began before it counts as long as its neighbour."""
    if page is None:
        return 0
    counts, size = [], 0
    position = page.body
    for segment in page.segments:
        size += segment
        if segment < _FULL_SEGMENT:
            counts.append(opus_frames(data[position : position + 2]))
            position, size = position + size, 0
    if page.flags & _CONTINUES_PACKET and counts:
        counts[0] = counts[-1] if len(counts) > 1 else 0
    return sum(counts)


def opus_frames(packet: bytes) -> int:
    """How many frames of 48 kHz a packet holds, by its first two bytes. See RFC 6716, 3.1."""
    if not packet:
        return 0
    configuration = packet[0] >> 3
    if configuration >= _OPUS_CELT:
        frame_count = 120 << (configuration & 3)
    elif configuration >= _OPUS_HYBRID:
        frame_count = 480 << (configuration & 1)
    else:
        frame_count = (480, 960, 1920, 2880)[configuration & 3]
    code = packet[0] & 3
    several = packet[1] & 0x3F if len(packet) > 1 else 0
    return frame_count * (1, 2, 2, several)[code]
