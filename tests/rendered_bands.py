"""Bands that play the instruments of rendered songs: one from a General MIDI soundfont, one of plain synthesis.

Parts come as float32 (2, frames) at `RATE_HZ`. Drums are keys of the General MIDI drum map.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from tests.rendered_sounds import Samples, bass_note, hat, kick, pad, snare
from tests.rendered_voices import RATE_HZ, Note, Stereo

KICK, SNARE, HAT = 36, 38, 42
DRUM_KIT = 128
"""The bank that holds drums."""

_RENDERER, _SOUNDFONT = "tinysoundfont", Path("pretty_midi/TimGM6mb.sf2")
_RELEASE_S = 0.4


class Band(Protocol):
    """Plays one part at a time."""

    name: str

    def play(self, notes: Sequence[Note], frame_count: int, program: int, bank: int, seed: int) -> Stereo:
        """The notes by a General MIDI program, or a drum kit of bank `DRUM_KIT`."""


def band_in(folder: Path) -> tuple[Band, str]:
    """The soundfont's band if its two packages are in `folder`, else the plain one; and why."""
    if not (folder / _RENDERER).is_dir() or not (folder / _SOUNDFONT).is_file():
        return SynthBand(), f"no {_RENDERER} and {_SOUNDFONT.name} in {folder}: instruments are plain synthesis"
    sys.path.append(str(folder))
    return SoundfontBand(import_module(_RENDERER), folder / _SOUNDFONT), f"instruments of {_SOUNDFONT.name}"


class SoundfontBand:
    """Band of a soundfont, by TinySoundFont."""

    def __init__(self, renderer: Any, soundfont: Path) -> None:
        self.name = soundfont.stem
        self._renderer = renderer
        self._soundfont = soundfont

    def play(self, notes: Sequence[Note], frame_count: int, program: int, bank: int, seed: int) -> Stereo:
        """See Band.play."""
        synth = self._renderer.Synth(samplerate=RATE_HZ, gain=-6)
        synth.program_select(0, synth.sfload(str(self._soundfont)), bank, program, bank == DRUM_KIT)
        events = [(round(note.start_s * RATE_HZ), note.key, round(127 * note.velocity)) for note in notes]
        events += [(round((note.start_s + note.length_s) * RATE_HZ), note.key, 0) for note in notes]
        pieces, at = [np.zeros((0, 2), np.float32)], 0
        for frame, key, velocity in sorted(events, key=lambda event: (event[0], event[2])):
            pieces.append(_generated(synth, min(frame, frame_count) - at))
            at += len(pieces[-1])
            (synth.noteon(0, key, velocity) if velocity else synth.noteoff(0, key))
        pieces.append(_generated(synth, frame_count - at))
        return np.ascontiguousarray(np.concatenate(pieces).T)


def _generated(synth: Any, frame_count: int) -> Stereo:
    if frame_count <= 0:
        return np.zeros((0, 2), np.float32)
    return np.frombuffer(synth.generate(frame_count), np.float32).reshape(-1, 2).copy()


class SynthBand:
    """Band of the sounds that rendered tracks have, spread a little over both channels."""

    name = "plain synthesis"

    def play(self, notes: Sequence[Note], frame_count: int, program: int, bank: int, seed: int) -> Stereo:
        """See Band.play; programs of the basses (32 to 39) sound like one, all others like a pad."""
        random = np.random.default_rng(seed)
        canvas = np.zeros((2, frame_count), np.float32)
        for note in notes:
            begin = round(note.start_s * RATE_HZ)
            sound = _sound(note, program, bank, random)[: max(frame_count - begin, 0)]
            pan = 0.5 if bank == DRUM_KIT or _is_bass(program) else 0.3 + 0.4 * (note.key % 3) / 2
            canvas[:, begin : begin + len(sound)] += np.array([[1 - pan], [pan]], np.float32) * note.velocity * sound
        return canvas


def _sound(note: Note, program: int, bank: int, random: np.random.Generator) -> Samples:
    if bank == DRUM_KIT:
        return {KICK: kick, SNARE: snare, HAT: hat}[note.key](RATE_HZ, random)
    if _is_bass(program):
        return bass_note(note.key, note.length_s + _RELEASE_S / 4, RATE_HZ, random)
    return pad([note.key], note.length_s + _RELEASE_S / 4, RATE_HZ, 0.3 + (program % 8) / 16, random)


def _is_bass(program: int) -> bool:
    return program // 8 == 4
