"""Pages of jobs: by creation, newest first, or by change, oldest first.

A token is the position of the last job shown, or the time of its change.
"""

import re
from collections.abc import Sequence

from sqlmodel import col, select
from sqlmodel.sql.expression import SelectOfScalar

from services.router.adapters.change_times import microseconds_of
from services.router.adapters.job_rows import job_from_row
from services.router.adapters.tables import JobRow
from services.router.core.ports import JobPage, JobQuery
from stemhouse.errors import InvalidRequest

_BY_CREATION = re.compile(r"[0-9]{1,18}")
_BY_CHANGE = re.compile(r"c([0-9]{1,18})")


def statement_of(query: JobQuery, page_size: int, page_token: str) -> SelectOfScalar[JobRow]:
    """Selects a page, and a row more if there is one; raises InvalidRequest for a foreign token."""
    wanted = _after(query, page_token).limit(page_size + 1)
    if query.batch_id:
        wanted = wanted.where(col(JobRow.batch_id) == query.batch_id)
    if query.states:
        wanted = wanted.where(col(JobRow.state).in_([state.value for state in query.states]))
    return wanted


def page_from_rows(query: JobQuery, page_size: int, rows: Sequence[JobRow]) -> JobPage:
    """The page of the rows that the statement has selected."""
    shown = rows[:page_size]
    token = _token_at(shown[-1], query) if len(rows) > page_size else ""
    return JobPage(tuple(map(job_from_row, shown)), token)


def _after(query: JobQuery, page_token: str) -> SelectOfScalar[JobRow]:
    if query.updated_after is not None:
        seen_us = _number(page_token, _BY_CHANGE) if page_token else microseconds_of(query.updated_after)
        return select(JobRow).where(col(JobRow.updated_us) > seen_us).order_by(col(JobRow.updated_us))
    wanted = select(JobRow).order_by(col(JobRow.position).desc())
    return wanted.where(col(JobRow.position) < _number(page_token, _BY_CREATION)) if page_token else wanted


def _token_at(row: JobRow, query: JobQuery) -> str:
    return str(row.position) if query.updated_after is None else f"c{row.updated_us}"


def _number(page_token: str, pattern: re.Pattern[str]) -> int:
    match = pattern.fullmatch(page_token)
    if match is None:
        message = "page_token is not one that this service gave"
        raise InvalidRequest(message, {"page_token": message})
    return int(match[match.lastindex or 0])
