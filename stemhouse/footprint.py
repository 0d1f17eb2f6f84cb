"""What a track takes of disks until that has been measured, counted as stereo at 44.1 kHz: tags tell no better.

The shares are what FLAC left of stems and mixes of three loud songs on average; sources of 16 bits take less.
"""

FRAME_RATE_HZ = 44_100
CHANNELS = 2

PCM24_BYTES_PER_S = FRAME_RATE_HZ * CHANNELS * 3

STEM_FLAC16_SHARE = 0.27
STEM_FLAC24_SHARE = 0.38
MIX_FLAC24_SHARE = 0.61

STEM_FILE_BYTES_PER_S = 5 * 320_000 / 8
"""Of NI's stem files: five streams of AAC."""

SCRATCH_BYTES_PER_S = 190e6 / 60
"""Of the track that is being separated: 131 to 190 MB a minute were measured."""


def stored_bytes_per_s(stem_count: int) -> float:
    """Of a mix and its stems in the object store, for each second of audio."""
    return (MIX_FLAC24_SHARE + stem_count * STEM_FLAC24_SHARE) * PCM24_BYTES_PER_S
