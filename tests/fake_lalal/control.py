"""The interface for tests in other processes: `/__fake__/...` on the port of the API, never part of the journal."""

import json
from collections.abc import Callable
from typing import Any

from tests.fake_lalal.api import Api
from tests.fake_lalal.faults import Faults, planned_from_json
from tests.fake_lalal.journal import Journal
from tests.fake_lalal.refusals import Reply

Act = Callable[[Any], dict[str, Any]]

_PREFIX = "/__fake__/"


class Control:
    """journal, state, faults and advance, as JSON.

    - GET journal: {"entries": [...]}
    - GET state: {"now_s", "minutes_left", "charges": {task: minutes}, "total_minutes", "tasks": {task: state}}
    - GET faults: {"planned": [...], "happened": [[route, kind], ...], "pending": int}
    - POST faults {"plan": [{"route", "nth", "fault": {"kind", ...}}]}
    - POST advance {"seconds"}; POST clear: forget the faults that have not happened
    """

    def __init__(self, api: Api, journal: Journal, faults: Faults) -> None:
        self._api, self._journal, self._faults = api, journal, faults
        self._routes: dict[tuple[str, str], Act] = {
            ("GET", "journal"): self._tell_journal,
            ("GET", "state"): self._tell_state,
            ("GET", "faults"): self._tell_faults,
            ("POST", "faults"): self._add_faults,
            ("POST", "advance"): self._advance,
            ("POST", "clear"): self._clear,
        }

    def knows(self, path: str) -> bool:
        """Whether a path belongs here."""
        return path.startswith(_PREFIX)

    def answer(self, method: str, path: str, content: bytes) -> Reply:
        """Do it, or tell; 400 with the reason where the wish makes no sense."""
        try:
            act = self._routes[method, path.removeprefix(_PREFIX).removesuffix("/")]
            return Reply(200, act(json.loads(content or b"{}")))
        except (KeyError, TypeError, ValueError) as error:
            return Reply(400, {"detail": repr(error)})

    def _tell_state(self, _wish: Any) -> dict[str, Any]:
        now_s, account = self._api.clock.now_s(), self._api.account
        charges = account.charges(now_s)
        return {
            "now_s": now_s,
            "minutes_left": account.minutes_left(now_s),
            "charges": dict(charges.by_task),
            "total_minutes": charges.total_minutes,
            "tasks": {task.id: task.state(now_s) for task in account.tasks.values()},
        }

    def _tell_journal(self, _wish: Any) -> dict[str, Any]:
        return {"entries": [entry.as_json() for entry in self._journal.entries]}

    def _tell_faults(self, _wish: Any) -> dict[str, Any]:
        planned = [each.as_json() for each in self._faults.planned]
        return {"planned": planned, "happened": self._faults.happened, "pending": self._faults.pending}

    def _add_faults(self, wish: dict[str, Any]) -> dict[str, Any]:
        self._faults.add_all(planned_from_json(each) for each in wish["plan"])
        return {}

    def _advance(self, wish: dict[str, Any]) -> dict[str, Any]:
        self._api.clock.advance(wish["seconds"])
        return {}

    def _clear(self, _wish: Any) -> dict[str, Any]:
        self._faults.clear()
        return {}
