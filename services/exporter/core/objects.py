"""Which objects of the store a result may name. It comes from a client, who must not have any object read for him."""

from collections import Counter

from stemhouse.audio import StemSet
from stemhouse.errors import InvalidRequest


def require_own_objects(stem_set: StemSet) -> None:
    """Raises InvalidRequest that lists what does not lie where separators write it, or stems of one name.

    See ARCHITECTURE.md, "What is stored".
    """
    audio = stem_set.audio
    folder = f"results/{audio.pcm_sha256}/{stem_set.engine_id}"
    keys = {"stem_set.audio": (audio.object_key, f"audio/{audio.pcm_sha256}.flac")}
    keys |= {f"stem_set.{stem.name}": (stem.object_key, f"{folder}/{stem.name}.flac") for stem in stem_set.stems}
    faults = {field: f"is {given}, not {own}" for field, (given, own) in keys.items() if given != own}
    counts = Counter(stem.name for stem in stem_set.stems)
    faults |= {f"stem_set.{name}": f"is there {count} times" for name, count in counts.items() if count > 1}
    if faults:
        raise InvalidRequest("; ".join(f"{field} {fault}" for field, fault in faults.items()), faults)
