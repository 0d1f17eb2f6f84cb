"""Checks of request bodies, which complain like pydantic does: every problem with its place, status 422."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.fake_lalal.refusals import Json, Refused
from tests.fake_lalal.tasks import Job
from tests.fake_lalal.vocabulary import (
    DEMUSER,
    ENCODINGS,
    EXTRACTION_LEVELS,
    LEAD_BACK,
    MAX_BATCH_ITEMS,
    MAX_STEMS,
    MAX_TASK_IDS,
    MULTISTEM,
    MULTISTEM_STEMS,
    NOISE_LEVELS,
    SPLITTERS,
    STEM_SEPARATOR,
    STEMS,
    VOICE_CLEAN,
    automatic_splitter,
)

Place = tuple[str | int, ...]
Complaint = tuple[str, str]
Check = Callable[[Any], Complaint | None]


@dataclass(frozen=True)
class Submission:
    """A request of `split/...` that is well-formed."""

    source_id: str
    job: Job
    idempotency_key: str | None


@dataclass
class Form:
    """Reads one body and collects what is wrong with it."""

    problems: list[Json] = field(default_factory=list)

    def complain(self, place: Place, complaint: Complaint) -> None:
        """Note a problem: (type, message)."""
        kind, message = complaint
        self.problems.append({"loc": list(place), "msg": message, "type": kind})

    def read(self, body: Json, place: Place, name: str, check: Check, *, needed: bool = False) -> Any:
        """The value of a field, or None where it is missing or wrong."""
        if name not in body:
            if needed:
                self.complain((*place, name), ("missing", "Field required"))
            return None
        complaint = check(body[name])
        if complaint:
            self.complain((*place, name), complaint)
            return None
        return body[name]

    def finish(self) -> None:
        """Refuse the body if there was any problem."""
        if self.problems:
            raise Refused(422, self.problems)


def submission(body: object, kind: str, place: Place = ("body", "split_input")) -> Submission:
    """A single submission.

    Raises:
        Refused: 422.
    """
    form = Form()
    read = _submission(form, body, kind, place)
    form.finish()
    return read


def batch(body: object, kind: str) -> list[Submission]:
    """The items of a batch.

    Raises:
        Refused: 422.
    """
    form = Form()
    items = form.read(_object(form, body, ("body",)), ("body",), "items", _list(1, MAX_BATCH_ITEMS), needed=True) or []
    read = [_submission(form, item, kind, ("body", "items", number)) for number, item in enumerate(items)]
    form.finish()
    return read


def task_ids(body: object) -> list[str]:
    """Of `check` and `cancel`.

    Raises:
        Refused: 422.
    """
    form = Form()
    fields = _object(form, body, ("body",))
    ids = form.read(fields, ("body",), "task_ids", _list(0, MAX_TASK_IDS), needed=True) or []
    for number, value in enumerate(ids):
        complaint = _uuid4(value)
        if complaint:
            form.complain(("body", "task_ids", number), complaint)
    form.finish()
    return [str(uuid.UUID(value)) for value in ids]


def source_id(body: object) -> str:
    """Of `delete`.

    Raises:
        Refused: 422.
    """
    form = Form()
    value = form.read(_object(form, body, ("body",)), ("body",), "source_id", _uuid4, needed=True)
    form.finish()
    return str(uuid.UUID(value))


def _submission(form: Form, body: object, kind: str, place: Place) -> Submission:
    fields = _object(form, body, place)
    source = form.read(fields, place, "source_id", _uuid4, needed=True)
    key = form.read(fields, place, "idempotency_key", _or_null(_uuid4))
    presets = form.read(fields, place, "presets", _is(dict, "model_attributes_type", "a valid object"), needed=True)
    job = _job(form, presets or {}, kind, (*place, "presets"), was_given=presets is not None)
    return Submission(source or "", job, key)


def _job(form: Form, presets: Json, kind: str, place: Place, *, was_given: bool) -> Job:
    read = {
        name: form.read(presets, place, name, check, needed=was_given and name in _NEEDED)
        for name, check in _PRESETS[kind].items()
    }
    stems = tuple(dict.fromkeys(read.pop("stem_list", None) or ())) or ((read.pop("stem", None) or "vocals"),)
    splitter = read.pop("splitter") or {VOICE_CLEAN: "lynx", DEMUSER: "lyra"}.get(kind) or automatic_splitter(stems)
    encoding, multivocal = read.pop("encoder_format"), read.pop("multivocal", None)
    return Job(
        kind, stems, splitter, encoding, multivocal, {name: value for name, value in read.items() if value is not None}
    )


def _object(form: Form, body: object, place: Place) -> Json:
    if isinstance(body, dict):
        return body
    form.complain(
        place, ("model_attributes_type", "Input should be a valid dictionary or object to extract fields from")
    )
    return {}


def _is(kind: type, name: str, words: str) -> Check:
    return lambda value: None if isinstance(value, kind) else (name, f"Input should be {words}")


def _one_of(*values: object) -> Check:
    words = ", ".join(repr(value) for value in values)

    def check(value: Any) -> Complaint | None:
        known = any(value == one and type(value) is type(one) for one in values)
        return None if known else ("enum", f"Input should be {words}")

    return check


def _or_null(check: Check) -> Check:
    return lambda value: None if value is None else check(value)


def _uuid4(value: Any) -> Complaint | None:
    try:
        read = uuid.UUID(value)
    except (ValueError, TypeError, AttributeError):
        return "uuid_parsing", "Input should be a valid UUID"
    return None if read.version == 4 else ("uuid_version", "UUID version 4 expected")


def _list(least: int, most: int) -> Check:
    def check(value: Any) -> Complaint | None:
        if not isinstance(value, list):
            return "list_type", "Input should be a valid list"
        if len(value) < least:
            return "too_short", f"List should have at least {least} item after validation, not {len(value)}"
        if len(value) > most:
            return "too_long", f"List should have at most {most} items after validation, not {len(value)}"
        return None

    return check


def _stem_list(value: Any) -> Complaint | None:
    wrong = _list(1, MAX_STEMS)(value)
    return wrong or next((each for each in map(_one_of(*MULTISTEM_STEMS), value) if each), None)


_YES_OR_NO = _is(bool, "bool_type", "a valid boolean")
_COMMON: Mapping[str, Check] = {
    "splitter": _one_of(*SPLITTERS),
    "dereverb_enabled": _YES_OR_NO,
    "encoder_format": _or_null(_one_of(*ENCODINGS)),
}
_LEVEL: Mapping[str, Check] = {"extraction_level": _one_of(*EXTRACTION_LEVELS)}
_PRESETS: Mapping[str, Mapping[str, Check]] = {
    STEM_SEPARATOR: {"stem": _one_of(*STEMS), "multivocal": _or_null(_one_of(LEAD_BACK)), **_COMMON, **_LEVEL},
    MULTISTEM: {"stem_list": _stem_list, **_COMMON, **_LEVEL},
    VOICE_CLEAN: {"stem": _one_of("voice"), "noise_cancelling_level": _one_of(*NOISE_LEVELS), **_COMMON},
    DEMUSER: {"stem": _one_of("music"), **_COMMON},
}
_NEEDED: Sequence[str] = ("stem", "stem_list")
"""Wherever a kind of job has them."""
