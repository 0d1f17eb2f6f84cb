"""The words of the v1 contract: stems, splitters, encodings, and which of them go together."""

from collections.abc import Mapping

STEM_SEPARATOR, MULTISTEM, VOICE_CLEAN, DEMUSER = "stem_separator", "multistem", "voice_clean", "demuser"
JOB_KINDS = (STEM_SEPARATOR, MULTISTEM, VOICE_CLEAN, DEMUSER)

MULTISTEM_STEMS = ("vocals", "drum", "piano", "bass", "electric_guitar", "acoustic_guitar")
RARE_STEMS = ("synthesizer", "strings", "wind")
"""Only phoenix knows them."""
STEMS = (*MULTISTEM_STEMS, *RARE_STEMS)
MAX_STEMS, MAX_BATCH_ITEMS, MAX_TASK_IDS = 6, 100, 200

SPLITTERS = ("andromeda", "perseus", "orion", "phoenix", "lyra", "lynx")
STEMS_OF: Mapping[str, tuple[str, ...]] = {
    "andromeda": ("vocals", "voice", "drum", "bass"),
    "perseus": ("voice", *MULTISTEM_STEMS),
    "orion": ("voice", *MULTISTEM_STEMS),
    "phoenix": ("voice", *STEMS),
    "lyra": ("music",),
    "lynx": ("voice",),
}
"""As the vendor's example script has it; the kind of a clean voice is `voice`, of music `music`."""
EXTRACTION_LEVELS = ("deep_extraction", "clear_cut")
ENCODINGS = ("mp3", "wav", "flac", "aac", "ogg")
NOISE_LEVELS = (0, 1, 2)
LEAD_BACK = "lead_back"

IDEMPOTENCY_KEY_USED = "idempotency_key_used"
INTERNAL_ERROR = "internal_error"
EXCEEDED_DURATION = "exceeded_duration"
MAX_DURATION = "max_duration"
EXCEEDED_SIZE = "exceeded_size"
NO_BATCH = "batch_not_avaliable"
"""Spelt as the vendor spells it."""
INFERENCE_ERROR = "inference_error"

NO_KEY = "Provide license key in 'X-License-Key' header"
NO_SOURCE = "The file has not been uploaded properly or has already been deleted. Please upload it again."
NOT_YOURS = "Permission denied"
NOT_IN_PROGRESS = "Task is not in progress state"
NO_TASK = "Failed to extract information about task"
NO_VOICE = "Unable to detect voice/vocals in the uploaded files"


def automatic_splitter(stems: tuple[str, ...]) -> str:
    """What runs where the request names no splitter."""
    preferred = ("andromeda", "perseus", "phoenix", "lyra")
    return next(name for name in preferred if set(stems) <= set(STEMS_OF[name]))
