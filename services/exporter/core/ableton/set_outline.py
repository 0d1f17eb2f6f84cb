"""What is in a set beside its tracks, and in a scene."""

LIVE_SET = """
NextPointeeId $next_id
OverwriteProtectionNumber $overwrite_protection_number
LomId 0
LomIdView 0
Tracks
    $tracks
$master_track
$pre_hear_track
SendsPre
10: SceneNames
    $scenes
11: Scenes
    $scenes
Transport
    PhaseNudgeTempo 10
    LoopOn false
    LoopStart 8
    LoopLength 16
    LoopIsSongStart false
    CurrentTime 0
    PunchIn false
    PunchOut false
    MetronomeTickDuration 0
    DrawMode false
SongMasterValues
    SessionScrollerPos X=0 Y=0
11: SignalModulations
GlobalQuantisation 4
AutoQuantisation 0
Grid: grid
ScaleInformation
    RootNote 0
    Name Major
11: InKey false
SmpteFormat 0
TimeSelection
    AnchorTime 0
    OtherTime 0
SequencerNavigator
    BeatTimeHelper
        CurrentZoom 0.05
    ScrollerPos X=0 Y=0
    ClientSize X=1138 Y=766
10: ViewStateLaunchPanel false
10: ViewStateEnvelopePanel false
10: ViewStateSamplePanel true
10: ContentSplitterProperties
    Open true
    Size 35
11: ViewStateExtendedClipProperties false
11: IsContentSplitterOpen true
11: IsExpressionSplitterOpen true
11: ExpressionLanes
    ExpressionLane Id=0
        + lane 0 41 false
    ExpressionLane Id=1
        + lane 1 41 false
    ExpressionLane Id=2
        + lane 2 41 true
11: ContentLanes
    ExpressionLane Id=0
        + lane 4 41 false
    ExpressionLane Id=1
        + lane 5 25 true
ViewStateFxSlotCount 4
ViewStateSessionMixerHeight 120
Locators
    Locators
        $locators
DetailClipKeyMidis
TracksListWrapper LomId=0
VisibleTracksListWrapper LomId=0
ReturnTracksListWrapper LomId=0
ScenesListWrapper LomId=0
CuePointsListWrapper LomId=0
ChooserBar 0
Annotation "Written by Stemhouse"
SoloOrPflSavedValue true
SoloInPlace true
CrossfadeCurve 2
LatencyCompensation 2
HighlightedTrackIndex 0
GroovePool
    11: LomId 0
    Grooves
AutomationMode false
SnapAutomationToGrid true
ArrangementOverdub false
ColorSequenceIndex 0
AutoColorPickerForPlayerAndGroupTracks
    NextColorIndex 0
AutoColorPickerForReturnAndMasterTracks
    NextColorIndex 0
ViewData {}
MidiFoldIn false
11: MidiFoldMode 0
11: MultiClipFocusMode false
11: MultiClipLoopBarHeight 0
MidiPrelisten false
11: LinkedTrackGroups
11: AccidentalSpellingPreference 3
11: PreferFlatRootNote false
UseWarperLegacyHiQMode false
VideoWindowRect Top=-2147483648 Left=-2147483648 Bottom=-2147483648 Right=-2147483648
ShowVideoWindow true
TrackHeaderWidth 93
ViewStateArrangerHasDetail true
ViewStateSessionHasDetail true
ViewStateDetailIsSample true
ViewStates
    SessionIO 1
    SessionSends 1
    SessionReturns 1
    SessionMixer 1
    SessionTrackDelay 0
    SessionCrossFade 0
    SessionShowOverView 0
    ArrangerIO 1
    ArrangerReturns 1
    ArrangerMixer 1
    ArrangerTrackDelay 0
    ArrangerShowOverView 1
"""

SCENE = """
11: FollowAction: follow_action
11: Name $name
Annotation ""
10: ColorIndex 0
11: Color -1
11: Tempo 120
11: IsTempoEnabled false
11: TimeSignatureId 201
11: IsTimeSignatureEnabled false
LomId 0
ClipSlotsListWrapper LomId=0
"""

LOCATOR = """
LomId 0
Time $time
Name $name
Annotation ""
IsSongStart false
"""
