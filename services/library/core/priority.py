"""The order of work, and the reasons for it.

One key after the other decides: crates that were asked for, in their order and that of the tracks in them; house music;
a tempo above 120; vocals, from what was heard or else from words in title and genre; the order of crates; the path.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from operator import itemgetter

from services.library.core.ordering import OrderedFile
from services.library.core.ports import Candidate, VocalShare

HOUSE = "house"
FAST_BPM = 120.0
SUNG_SHARE = 0.2
"""Instrumental tracks were heard to reach 0.1 by mistake: see `sung` in the separator's core."""

CratePlace = tuple[int, int]
"""A crate by its index, or by its rank among those asked for, and a place in it; smaller is earlier."""
_NOWHERE: CratePlace = (1 << 62, 0)


class Vocals(IntEnum):
    """What is known of a track's vocals, in the order of work."""

    YES = 0
    UNKNOWN = 1
    NO = 2


# The first that is found decides: `Song (feat. X) (Instrumental)` has no vocals, `Vocal Dub` has some.
_WORDS = (
    (r"a ?cap?pell?as?", Vocals.YES),
    (r"vocal mix", Vocals.YES),
    (r"instrumentals?", Vocals.NO),
    (r"vocals?", Vocals.YES),
    (r"dub", Vocals.NO),
    (r"beats", Vocals.NO),
    (r"(?:feat|ft)(?:\.|\b)|featuring", Vocals.YES),
)
_ANY_WORD = re.compile(rf"(?<!\w)(?:{'|'.join(f'({word})' for word, _ in _WORDS)})(?!\w)", re.IGNORECASE)
"""Its groups are the words; one look at a text finds all of them."""


@dataclass(frozen=True)
class CratePlaces:
    """Where tracks are in crates, by path: their first place in any crate, and in one that was asked for.

    `names` are those of all crates, `wished_names` those of the crates that were asked for, by rank.
    """

    names: Sequence[str]
    first: Mapping[str, CratePlace]
    wished_names: Sequence[str] = ()
    wished: Mapping[str, CratePlace] | None = None


def crate_places(names: Sequence[str], places: Iterable[tuple[str, int, int]], wished: Sequence[int]) -> CratePlaces:
    """Of the crates' names, of path, crate and place of each file in them, in order, and of the crates asked for."""
    ranks = {crate: rank for rank, crate in enumerate(wished)}
    first: dict[str, CratePlace] = {}
    in_wished: dict[str, CratePlace] = {}
    for path, crate, place in places:
        first.setdefault(path, (crate, place))
        if crate in ranks:
            wished_place = (ranks[crate], place)
            in_wished[path] = min(in_wished.get(path, wished_place), wished_place)
    return CratePlaces(names, first, [names[crate] for crate in wished], in_wished)


def in_order(candidates: Iterable[Candidate], crates: CratePlaces) -> tuple[OrderedFile, ...]:
    """The files with their places and reasons."""
    # Nothing of a track is kept but what decides and what is told: a library has tens of thousands.
    ranked = sorted((_ranked(candidate, crates) for candidate in candidates), key=lambda entry: entry[0])
    return tuple(OrderedFile(place, key[-1], *facts) for place, (key, facts) in enumerate(ranked, start=1))


def heard_vocals(heard: VocalShare) -> tuple[Vocals, str]:
    """What follows from what was heard, and how that is known, in a few words."""
    source = "probed" if heard.is_probed else "earlier result"
    is_sung = heard.share >= SUNG_SHARE
    return (
        (Vocals.YES, f"vocals: {heard.share:.0%} of it ({source})") if is_sung else (Vocals.NO, f"no vocals ({source})")
    )


def vocals_of(title: str, genre: str, heard: VocalShare | None) -> tuple[Vocals, str]:
    """What is known of vocals, and how, in a few words; an empty text where nothing is."""
    if heard:
        return heard_vocals(heard)
    found = min(_findings(title, genre), key=itemgetter(0), default=None)
    return (_WORDS[found[0]][1], _vocal_reason(*found)) if found else (Vocals.UNKNOWN, "")


def _heard(candidate: Candidate) -> VocalShare | None:
    share = candidate.vocal_share
    return None if share is None else VocalShare(share, candidate.is_probed)


def _tier(*, is_house: bool, is_fast: bool) -> int:
    """See OrderedFile.tier: the same numbers in every order, since a batch that watches joins several."""
    return 1 + 2 * (not is_house) + (not is_fast)


_Key = tuple[CratePlace, bool, bool, Vocals, CratePlace, str]
_Facts = tuple[int, int, float, tuple[str, ...], int]
"""What an OrderedFile has beside place and path."""


def _ranked(candidate: Candidate, crates: CratePlaces) -> tuple[_Key, _Facts]:
    wished = (crates.wished or {}).get(candidate.path)
    first = crates.first.get(candidate.path)
    is_house, is_fast = HOUSE in candidate.genre.lower(), candidate.bpm > FAST_BPM
    vocals, vocal_reason = vocals_of(candidate.title, candidate.genre, _heard(candidate))
    is_open = vocals is Vocals.UNKNOWN and not wished  # a crate that was asked for has an order of its own
    reasons = [
        _crate_reason(crates.wished_names[wished[0]]) if wished else "",
        _genre_reason(candidate.genre) if is_house else "",
        _bpm_reason(candidate.bpm) if is_fast else "",
        vocal_reason,
        _crate_reason(crates.names[first[0]]) if first else "",
    ]
    key = (wished or _NOWHERE, not is_house, not is_fast, vocals, first or _NOWHERE, candidate.path)
    told = tuple(dict.fromkeys(filter(None, reasons)))
    tier = _tier(is_house=is_house, is_fast=is_fast) if is_open else 0
    return key, (candidate.size_bytes, candidate.modified_ns, candidate.duration_s, told, tier)


def _findings(title: str, genre: str) -> Iterator[tuple[int, str, str]]:
    """The index of each word that is there, where it is, and how it is written."""
    for place, text in (("title", title), ("genre", genre)):
        for found in _ANY_WORD.finditer(text):
            yield (found.lastindex or 1) - 1, place, found[0].lower()


# Many tracks have the same reason, and share its text.


@lru_cache
def _vocal_reason(index: int, place: str, word: str) -> str:
    claim = "vocals" if _WORDS[index][1] is Vocals.YES else "no vocals"
    return f'{claim}: "{word}" in the {place}'


@lru_cache(maxsize=1024)
def _crate_reason(name: str) -> str:
    return f'crate "{name}"'


@lru_cache(maxsize=1024)
def _genre_reason(genre: str) -> str:
    return f"genre {genre}"


@lru_cache(maxsize=4096)
def _bpm_reason(bpm: float) -> str:
    return f"{round(bpm, 2):g} BPM"
