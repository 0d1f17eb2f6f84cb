"""What `check` tells about one task."""

from urllib.parse import quote

from tests.fake_lalal.faults import FaultKind
from tests.fake_lalal.media import MediaShelf
from tests.fake_lalal.refusals import Json
from tests.fake_lalal.tasks import State, Task
from tests.fake_lalal.vocabulary import INFERENCE_ERROR, NO_VOICE

EXPIRED = "expired"
"""Stands before the path of a link that lives no more."""


def server_error(text: str) -> Json:
    """An entry that has neither source nor presets."""
    return {"status": "server_error", "error": text}


def entry_of(task: Task, now_s: float, shelf: MediaShelf, origin: str, *, tells_names: bool | None) -> Json:
    """One entry, by the state of the task at that moment."""
    about: Json = {"source_id": task.source.id, "presets": task.job.presets}
    match task.state(now_s):
        case State.QUEUED | State.PROGRESS:
            return {"status": "progress", "progress": task.progress(now_s), **about}
        case State.CANCELLED:
            return {"status": "cancelled", **about}
        case State.ERROR:
            code = None if task.fate is FaultKind.NULL_ERROR_CODE else INFERENCE_ERROR
            return {"status": "error", **about, "error": {"detail": NO_VOICE, "code": code, "id": task.id[:8]}}
        case State.SUCCESS:
            tracks = _tracks(task, shelf, origin, tells_names=tells_names)
            result = {"duration": round(task.source.duration_s), "tracks": tracks}
            return {"status": "success", **about, "result": result}


def _tracks(task: Task, shelf: MediaShelf, origin: str, *, tells_names: bool | None) -> list[Json]:
    tracks: list[Json] = []
    for number, file in enumerate(shelf.files(task).values()):
        is_told = number % 2 == 0 if tells_names is None else tells_names
        url = f"{origin}/media/split/{task.source.id}/{task.id}/{quote(file.label, safe='@')}"
        told: Json = {"name": file.name, "size": len(file.content)} if is_told else {"name": None, "size": None}
        tracks.append({"type": file.kind, "label": file.label, "url": url, **told, "playlist_file": None})
    return tracks
