"""What is in tracks of each kind. A group has no clips of its own, and no slots in what would play it when frozen."""

AUDIO_TRACK = """
+ track_head
SavedPlayingSlot -1
SavedPlayingOffset 0
Freeze false
VelocityDetail 0
NeedArrangerRefreeze true
PostProcessFreezeClips 0
DeviceChain
    + chain_head
    Mixer: mixer
    MainSequencer: sequencer $slots 2 $clips
    FreezeSequencer: sequencer $freeze_slots 1 $nothing
    DeviceChain: no_devices
"""

GROUP_TRACK = """
+ track_head
Slots
    $slots
DeviceChain
    + chain_head
    Mixer: mixer
    DeviceChain: no_devices
    FreezeSequencer: sequencer $nothing 1 $nothing
"""

MASTER_TRACK = """
+ track_head
DeviceChain
    + chain_head
    Mixer
        + mixer
        Tempo: float $bpm 60 200 $tempo_id
        TimeSignature: choice $signature $signature_id
        GlobalGrooveAmount: float 100 0 131.25 new
        CrossFade: float 0 -1 1 new
        TempoAutomationViewBottom 60
        TempoAutomationViewTop 200
    FreezeSequencer
        AudioSequencer Id=0
            + sequencer $nothing 1 $nothing
    DeviceChain: no_devices
"""

PRE_HEAR_TRACK = """
+ track_head
DeviceChain
    + chain_head
    Mixer: mixer
    DeviceChain: no_devices
"""

ENVELOPE = """
EnvelopeTarget
    PointeeId $target_id
Automation
    Events
        $events
    AutomationTransformViewState: no_transform
"""

CLIP_SLOT = """
LomId 0
ClipSlot
    Value
        $clips
HasStop true
NeedRefreeze true
"""

GROUP_SLOT = """
LomId 0
"""
