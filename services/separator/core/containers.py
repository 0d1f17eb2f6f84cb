"""Which kind of file some bytes are. The content decides, never the name."""

from services.separator.core.adts import adts_layout
from services.separator.core.asf import asf_layout
from services.separator.core.chunks import aiff_layout, caf_layout, flac_layout, wav_layout
from services.separator.core.layouts import Bytes, Refusal, SourceLayout, Watch, unwatched
from services.separator.core.mp4 import mp4_layout
from services.separator.core.mpeg import mp3_layout
from services.separator.core.ogg import ogg_layout

_KINDS = (wav_layout, aiff_layout, flac_layout, mp4_layout, asf_layout, caf_layout)
# Walked from end to end; those without a signature of their own come last, since they search for their frames.
_WALKED_KINDS = (ogg_layout, mp3_layout, adts_layout)


def layout_of(data: Bytes, watch: Watch = unwatched) -> SourceLayout | Refusal:
    """Where the audio is in a file, or why there is none; raises what `watch` does."""
    for kind in _KINDS:
        if (found := kind(data)) is not None:
            return found
    for walked_kind in _WALKED_KINDS:
        if (walked := walked_kind(data, watch)) is not None:
            return walked
    return Refusal("is not audio that can be read: its content is of no known format")
