"""Keys in the notation that musicians write: `G`, `Cm`."""

import re

_MAJOR = ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
_MINOR = ("Cm", "C#m", "Dm", "Ebm", "Em", "Fm", "F#m", "Gm", "G#m", "Am", "Bbm", "Bm")
_BY_TRAKTOR = {str(value): key for value, key in enumerate(_MAJOR + _MINOR)}
_FIFTH, _A = 7, 9
"""In semitones: how far two neighbours of the circle of fifths are apart, and A above C."""
_OPEN_KEY = re.compile(r"(1[0-2]|[1-9])([dm])")


def key_from_traktor(value: str) -> str:
    """Of `MUSICAL_KEY`: 0 to 11 are major from C on, 12 to 23 minor; an empty text for any other."""
    return _BY_TRAKTOR.get(value, "")


def key_from_open_key(text: str) -> str:
    """Of Open Key, which counts fifths from C major (`1d`) and A minor (`1m`); the text itself if it is none."""
    found = _OPEN_KEY.fullmatch(text)
    if found is None:
        return text
    fifths = (int(found[1]) - 1) * _FIFTH
    return _MAJOR[fifths % len(_MAJOR)] if found[2] == "d" else _MINOR[(_A + fifths) % len(_MINOR)]
