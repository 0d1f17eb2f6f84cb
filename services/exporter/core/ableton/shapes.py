"""What recurs within a set: parameters, routings, mixers and the machines that play clips.

Facts seen in sets that Live 10.1 and 11.0 have saved: `docs/adr/0016-live-sets.md`.
"""

from collections.abc import Mapping

_FLOAT = """
LomId 0
Manual $1
MidiControllerRange
    Min $2
    Max $3
AutomationTarget Id=$4
    LockEnvelope 0
ModulationTarget Id=new
    LockEnvelope 0
"""

_SWITCH = """
LomId 0
Manual $1
AutomationTarget Id=new
    LockEnvelope 0
MidiCCOnOffThresholds
    Min 64
    Max 127
"""

_CHOICE = """
LomId 0
Manual $1
AutomationTarget Id=$2
    LockEnvelope 0
"""

_ROUTING = """
Target $1
UpperDisplayString "$2"
LowerDisplayString "$3"
"""

_GRID = """
FixedNumerator 1
FixedDenominator 16
GridIntervalPixel 20
Ntoles 2
SnapToGrid true
Fixed false
"""

_FOLLOW_ACTION = """
FollowTime 4
IsLinked true
LoopIterations 1
FollowActionA 4
FollowActionB 0
FollowChanceA 100
FollowChanceB 0
JumpIndexA 1
JumpIndexB 1
FollowActionEnabled false
"""

_LANE = """
Type $1
Size $2
IsMinimized $3
"""

_NO_TRANSFORM = """
IsTransformPending false
TimeAndValueTransforms
"""

_TRACK_HEAD = """
LomId 0
LomIdView 0
10: IsContentSelected false
10: EnvelopeModePreferred false
11: IsContentSelectedInDocument false
11: PreferredContentViewMode 0
TrackDelay
    Value 0
    IsValueSampleBased false
Name
    EffectiveName $name
    UserName $user_name
    Annotation ""
    MemorizedFirstClipName $first_clip_name
10: ColorIndex $color
11: Color $color
AutomationEnvelopes
    Envelopes
        $envelopes
TrackGroupId $group_id
TrackUnfolded true
DevicesListWrapper LomId=0
ClipSlotsListWrapper LomId=0
ViewData {}
11: TakeLanes
    TakeLanes
    AreTakeLanesFolded true
11: LinkedTrackGroupId -1
"""

_CHAIN_HEAD = """
AutomationLanes
    AutomationLanes
        AutomationLane Id=0
            SelectedDevice 0
            SelectedEnvelope 0
            10: IsContentSelected false
            11: IsContentSelectedInDocument false
            LaneHeight 68
    AreAdditionalAutomationLanesFolded false
ClipEnvelopeChooserViewState
    SelectedDevice 0
    SelectedEnvelope 0
    PreferModulationVisible false
AudioInputRouting: routing AudioIn/External/S0 "Ext. In" 1/2
MidiInputRouting: routing MidiIn/External.All/-1 "Ext: All Ins" ""
AudioOutputRouting
    Target $output
    UpperDisplayString $output_upper
    LowerDisplayString $output_lower
MidiOutputRouting: routing MidiOut/None None ""
"""

_DEVICE = """
LomId 0
LomIdView 0
IsExpanded true
On: switch true
11: ModulationSourceCount 0
ParametersListWrapper LomId=0
11: Pointee Id=new
LastSelectedTimeableIndex 0
LastSelectedClipEnvelopeIndex 0
LastPresetRef
    Value
LockedScripts
IsFolded false
ShouldShowPresetName false
UserName ""
Annotation ""
SourceContext
    Value
"""

_MIXER = """
+ device
Sends
Speaker: switch $is_audible
SoloSink false
PanMode 0
Pan: float 0 -1 1 new
SplitStereoPanL: float -1 -1 1 new
SplitStereoPanR: float 1 -1 1 new
Volume: float 1 0.0003162277571 1.99526238 new
ViewStateSesstionTrackWidth 93
CrossFadeState: choice 1 new
SendsListWrapper LomId=0
"""

_SEQUENCER = """
+ device
ClipSlotList
    $1
MonitoringEnum $2
Sample
    ArrangerAutomation
        Events
            $3
        AutomationTransformViewState: no_transform
VolumeModulationTarget Id=new
    LockEnvelope 0
TranspositionModulationTarget Id=new
    LockEnvelope 0
GrainSizeModulationTarget Id=new
    LockEnvelope 0
FluxModulationTarget Id=new
    LockEnvelope 0
SampleOffsetModulationTarget Id=new
    LockEnvelope 0
PitchViewScrollPosition -1073741824
SampleOffsetModulationScrollPosition -1073741824
Recorder
    IsArmed false
    TakeCounter 1
"""

_NO_DEVICES = """
Devices
11: SignalModulations
"""

SHAPES: Mapping[str, str] = {
    "float": _FLOAT,
    "switch": _SWITCH,
    "choice": _CHOICE,
    "routing": _ROUTING,
    "grid": _GRID,
    "follow_action": _FOLLOW_ACTION,
    "lane": _LANE,
    "no_transform": _NO_TRANSFORM,
    "track_head": _TRACK_HEAD,
    "chain_head": _CHAIN_HEAD,
    "device": _DEVICE,
    "mixer": _MIXER,
    "sequencer": _SEQUENCER,
    "no_devices": _NO_DEVICES,
}
