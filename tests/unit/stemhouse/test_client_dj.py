"""Exporting many folders: which errors are one folder's, and which are everybody's."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from stemhouse.client.dj import DJPlace, StemOrganizer
from stemhouse.client.stem_folders import LocalStems
from stemhouse.client.trees import Made
from stemhouse.dj import DJTarget, OrganizeOptions
from stemhouse.errors import InternalFault, InvalidRequest, StemhouseError, Unavailable
from tests.contract.test_wire_production import FOLDER

if TYPE_CHECKING:
    from stemhouse.client.production import ProductionClient

MADE = Made(Path("made"), (), is_reused=False)


class Failing:
    """Makes folders, but for the one that has an error to come."""

    def __init__(self, *errors: StemhouseError | None) -> None:
        self._errors = [*errors]

    def organize(self, *_: Any) -> Made:
        """A folder, or its error."""
        error = self._errors.pop(0)
        if error:
            raise error
        return MADE


def outcomes(tmp_path: Path, *errors: StemhouseError | None) -> list[bool]:
    """Which of as many folders have been made."""
    production = cast("ProductionClient", Failing(*errors))
    organizer = StemOrganizer(production, DJTarget.SERATO, DJPlace(tmp_path))
    folders = [LocalStems(FOLDER, tmp_path, {}) for _ in errors]
    return [outcome.made is MADE for outcome in organizer.organize(folders, OrganizeOptions(DJTarget.SERATO))]


def test_one_folders_error_does_not_stop_the_rest(tmp_path: Path) -> None:
    """Also where it is a defect of ours."""
    assert outcomes(tmp_path, None, InternalFault("a"), InvalidRequest("b"), None) == [True, False, False, True]


@pytest.mark.parametrize(
    "error",
    [
        Unavailable("gone"),
        InvalidRequest("full", {"errno": "ENOSPC"}),
        InvalidRequest("no {stem}", {"name_template": "no {stem}"}),
    ],
)
def test_what_stops_everybody_is_raised(error: StemhouseError, tmp_path: Path) -> None:
    """Else a full disk would be told once for each of a thousand folders."""
    with pytest.raises(type(error)):
        outcomes(tmp_path, None, error, None)
