"""The calibrations that come with the separator: `services/separator/calibrations/*.json`."""

from importlib.resources import files

from services.separator.core.calibrations import Calibrations, calibration_from_json


def installed_calibrations() -> Calibrations:
    """All of them, by name; raises InternalFault for a file that is none."""
    found = sorted(files("services.separator").joinpath("calibrations").iterdir(), key=lambda file: file.name)
    documents = [file for file in found if file.name.endswith(".json")]
    return Calibrations(tuple(calibration_from_json(file.read_bytes(), file.name) for file in documents))
