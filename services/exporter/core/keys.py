"""Musical keys in the notations of musicians and of DJ programs."""

import re
from dataclasses import dataclass

_MAJOR = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_MINOR = ("Cm", "C#m", "Dm", "Ebm", "Em", "Fm", "F#m", "Gm", "G#m", "Am", "Bbm", "Bm")
_LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_SIGNS = {"#": 1, "♯": 1, "b": -1, "♭": -1}
_SEMITONES, _FIFTH = 12, 7
_RELATIVE_MAJOR = 3
"""Semitones from a minor key to the major one with the same notes."""
_LONG_MODE = re.compile(r"([A-Ga-g][#b♯♭]?)\s*(maj|min)(?:or)?", re.IGNORECASE)
_CAMELOT_OF_C, _OPEN_OF_C = 8, 1


@dataclass(frozen=True)
class Key:
    """A tonic (0 is C, in semitones) and a mode."""

    tonic: int
    is_minor: bool

    @property
    def name(self) -> str:
        """`Am`, `F#`: the spelling that most DJ programs have."""
        return (_MINOR if self.is_minor else _MAJOR)[self.tonic]

    @property
    def camelot(self) -> str:
        """`8B` is C major, `8A` A minor: neighbours are a fifth apart."""
        return f"{_wheel(self._fifths + _CAMELOT_OF_C)}{'A' if self.is_minor else 'B'}"

    @property
    def open_key(self) -> str:
        """`1d` is C major, `1m` A minor."""
        return f"{_wheel(self._fifths + _OPEN_OF_C)}{'m' if self.is_minor else 'd'}"

    @property
    def traktor(self) -> int:
        """0 to 11 are major from C on, 12 to 23 minor."""
        return self.tonic + _SEMITONES * self.is_minor

    @property
    def _fifths(self) -> int:
        """From C to the major key with these notes."""
        major = self.tonic + _RELATIVE_MAJOR * self.is_minor
        return major * _FIFTH % _SEMITONES


def key_from_name(name: str) -> Key | None:
    """Of `Am`, `F#`, `Bbm`; None for what is no key."""
    letter, rest = name[:1], name[1:]
    sign = _SIGNS.get(rest[:1])
    mode = rest if sign is None else rest[1:]
    if letter not in _LETTERS or mode not in {"", "m"}:
        return None
    return Key((_LETTERS[letter] + (sign or 0)) % _SEMITONES, is_minor=mode == "m")


def key_from_text(text: str) -> Key | None:
    """Of any notation that taggers and DJ programs write: `Am`, `A minor`, `8A`, `1m`; None for what is no key."""
    plain = text.strip()
    return _KEYS_BY_PLACE.get(plain.upper()) or _KEYS_BY_PLACE.get(plain.lower()) or key_from_name(_short(plain))


def _short(text: str) -> str:
    """`A minor`, `Amin` and `A Major` as `Am` and `A`."""
    found = _LONG_MODE.fullmatch(text)
    if not found:
        return text
    return found[1][:1].upper() + found[1][1:] + ("m" if found[2].lower().startswith("min") else "")


def _wheel(place: int) -> int:
    return (place - 1) % _SEMITONES + 1


_KEYS_BY_PLACE = {
    place: key
    for key in (Key(tonic, is_minor=is_minor) for tonic in range(_SEMITONES) for is_minor in (False, True))
    for place in (key.camelot, key.open_key)
}
