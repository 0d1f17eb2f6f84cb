"""Audio clips: a sample under warp markers."""

from collections.abc import Sequence
from dataclasses import dataclass

from lxml.etree import _Element

from services.exporter.core.ableton.elements import ElementFactory, Values, new_element
from services.exporter.core.ableton.layout import Span, WarpPoint
from services.exporter.core.ableton.model import SampleFile

SAMPLE_FOLDERS = ("Samples", "Imported")

_SAMPLE_TIME = 1_577_836_800
"""When samples were last changed, in Unix seconds: the same every time, so that sets are, too."""

_CLIP = f"""
LomId 0
LomIdView 0
CurrentStart $start
CurrentEnd $end
Loop
    LoopStart $start
    LoopEnd $end
    StartRelative 0
    LoopOn $is_looped
    OutMarker $sample_end
    HiddenLoopStart $start
    HiddenLoopEnd $end
Name $name
Annotation ""
10: ColorIndex $color
11: Color $color
LaunchMode 0
LaunchQuantisation 0
TimeSignature
    TimeSignatures
        RemoteableTimeSignature Id=0
            Numerator $beats_per_bar
            Denominator 4
            Time 0
Envelopes
    Envelopes
ScrollerTimePreserver
    LeftTime $start
    RightTime $end
TimeSelection
    AnchorTime 0
    OtherTime 0
Legato false
Ram false
GrooveSettings
    GrooveId -1
Disabled false
VelocityAmount 0
10: FollowTime 4
10: FollowActionA 0
10: FollowActionB 0
10: FollowChanceA 1
10: FollowChanceB 0
11: FollowAction: follow_action
Grid: grid
FreezeStart 0
FreezeEnd 0
IsWarped true
11: TakeId 1
SampleRef
    10: FileRef
        HasRelativePath true
        RelativePathType 3
        RelativePath
            RelativePathElement Id=0 Dir={SAMPLE_FOLDERS[0]}
            RelativePathElement Id=1 Dir={SAMPLE_FOLDERS[1]}
        Name $file_name
        Type 2
        Data
        RefersToFolder false
        SearchHint
            PathHint
            FileSize $size_bytes
            Crc 0
            MaxCrcSize 0
            HasExtendedInfo false
        LivePackName ""
        LivePackId ""
    11: FileRef
        RelativePathType 3
        RelativePath $path
        Path $path
        Type 2
        LivePackName ""
        LivePackId ""
        OriginalFileSize $size_bytes
        OriginalCrc 0
    LastModDate {_SAMPLE_TIME}
    SourceContext
    SampleUsageHint 0
    DefaultDuration $frame_count
    DefaultSampleRate $sample_rate_hz
Onsets
    UserOnsets
    HasUserOnsets false
WarpMode 0
GranularityTones 30
GranularityTexture 65
FluctuationTexture 25
TransientResolution 6
TransientLoopMode 2
TransientEnvelope 100
ComplexProFormants 100
ComplexProEnvelope 128
Sync true
HiQ true
Fade true
Fades
    FadeInLength 0
    FadeOutLength 0
    ClipFadesAreInitialized true
    CrossfadeInState 0
    FadeInCurveSkew 0
    FadeInCurveSlope 0
    FadeOutCurveSkew 0
    FadeOutCurveSlope 0
    IsDefaultFadeIn true
    IsDefaultFadeOut true
PitchCoarse 0
PitchFine 0
SampleVolume 1
MarkerDensity 2
AutoWarpTolerance 4
WarpMarkers
    $markers
SavedWarpMarkersForStretched
MarkersGenerated true
IsSongTempoMaster false
"""
# WarpMode 0 is Beats: at its own tempo a clip plays what is in the file, which Complex modes do not.
# Type 2 is what Live writes on macOS; of type 1, sets from elsewhere were seen not to find their samples there.


@dataclass(frozen=True)
class Clip:
    """A part of a sample; `sample_end` is the beat at which the file ends."""

    name: str
    color: int
    sample: SampleFile
    points: Sequence[WarpPoint]
    beats_per_bar: int
    span: Span
    sample_end: float
    is_looped: bool = False


def clip_element(factory: ElementFactory, clip: Clip, time: float) -> _Element:
    """A clip that begins at a beat of the arrangement; in a slot of the session that is 0."""
    element = new_element("AudioClip", Id=0, Time=time)
    factory.fill(element, _CLIP, _values(clip))
    return element


def _values(clip: Clip) -> Values:
    sample = clip.sample
    return {
        "start": clip.span.start,
        "end": clip.span.end,
        "is_looped": clip.is_looped,
        "sample_end": clip.sample_end,
        "name": clip.name,
        "color": clip.color,
        "beats_per_bar": clip.beats_per_bar,
        "file_name": sample.file_name,
        "path": "/".join((*SAMPLE_FOLDERS, sample.file_name)),
        "size_bytes": sample.size_bytes,
        "frame_count": sample.frame_count,
        "sample_rate_hz": sample.sample_rate_hz,
        "markers": [
            new_element("WarpMarker", Id=index, SecTime=point.time_s, BeatTime=point.beat)
            for index, point in enumerate(clip.points)
        ],
    }
