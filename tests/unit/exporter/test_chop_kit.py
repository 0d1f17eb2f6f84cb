"""What lies beside chops: indices that agree, and a kit that samplers read."""

import csv
import io
import json

import numpy as np
import pytest

from services.exporter.core.remix.chops import create_vocal_chops
from services.exporter.core.remix.kit import ChopFiles, index_csv, index_json, sfz_kit
from stemhouse.analysis import BeatGrid, GridMarker
from stemhouse.production import ChopOptions
from tests.unit.exporter.sung import NOTES, RATE_HZ, sung


def cut(grid: BeatGrid | None = None) -> ChopFiles:
    """The syllables of `sung`."""
    return ChopFiles("vocals", RATE_HZ, ".wav", create_vocal_chops(sung(), RATE_HZ, ChopOptions(), grid))


def regions(kit: str) -> list[dict[str, str]]:
    """Of SFZ 1, strictly: a header a line, then opcodes; a sample's path comes last and goes to the end of the line."""
    found, group = [], {}
    for line in kit.splitlines():
        if line.startswith("//"):
            continue
        header, _, rest = line.partition(" ")
        opcodes, _, path = rest.partition("sample=")
        values = dict(opcode.split("=") for opcode in opcodes.split()) | ({"sample": path} if path else {})
        if header == "<group>":
            group = values
        else:
            assert header == "<region>"
            found.append(group | values)
    return found


@pytest.mark.parametrize("grid", [None, BeatGrid(120.0, (GridMarker(0.3, 0.0),), 120.0)])
def test_indices_tell_the_same(grid: BeatGrid | None) -> None:
    """As JSON, with the stem, and as a table in which no name is a formula."""
    files = cut(grid)
    told = json.loads(index_json(files))
    table = index_csv(files)
    rows = list(csv.DictReader(io.StringIO(table, newline="")))
    assert (told["stem"], told["sample_rate_hz"]) == ("vocals", RATE_HZ)
    assert [entry["file"] for entry in told["chops"]] == [f"{chop.name}.wav" for chop in files.chops]
    assert [
        {name: "" if value is None else str(value) for name, value in entry.items()} for entry in told["chops"]
    ] == rows
    assert all(row["file"][0].isdigit() for row in rows)
    assert table.count("\r\n") == len(rows) + 1


def test_index_tells_what_was_cut() -> None:
    """Frames, notes and levels of the samples as they are in the file."""
    files = cut()
    told = json.loads(index_json(files))["chops"]
    assert [entry["note"] for entry in told] == [name for _, _, name in NOTES]
    for entry, chop in zip(told, files.chops, strict=True):
        assert (entry["start_frame"], entry["frame_count"]) == (round(entry["start_s"] * RATE_HZ), len(chop.samples))
        assert entry["peak_db"] == pytest.approx(20 * np.log10(np.abs(chop.samples).max()), abs=0.01)
        assert entry["rms_db"] < entry["peak_db"]
        assert (entry["bar"], entry["start_beat"]) == (None, None)


def test_kit_gives_each_chop_a_key_at_its_own_pitch() -> None:
    """From C2 on; what finds no key is named and not lost in silence."""
    chop = cut().chops[0]
    kit = sfz_kit(ChopFiles("vocals", RATE_HZ, ".wav", [chop] * 95))
    found = regions(kit)
    assert [int(region["pitch_keycenter"]) for region in found] == list(range(36, 128))
    for region in found:
        assert region["lokey"] == region["hikey"] == region["pitch_keycenter"]
        assert (region["loop_mode"], region["sample"]) == ("one_shot", f"{chop.name}.wav")
    assert kit.count("no key is left") == 3
