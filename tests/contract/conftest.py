"""The databases that ledgers and catalogues are tried on."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from services.library import migrations as library
from tests.contract.ledgers import migrated
from tests.postgres import postgres_server


@pytest.fixture(scope="session")
def postgres_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PostgreSQL server for all tests."""
    with postgres_server(tmp_path_factory.mktemp("postgres")) as url:
        yield url


def database_url(request: pytest.FixtureRequest, kind: str, tmp_path: Path) -> str:
    """Of a new SQLite file, or of the PostgreSQL server."""
    url: str = request.getfixturevalue("postgres_url") if kind == "postgres" else f"sqlite:///{tmp_path}/l.db"
    return url


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """Each kind of database in turn."""
    with migrated(database_url(request, request.param, tmp_path)) as engine:
        yield engine


@pytest.fixture(params=["sqlite", "postgres", "memory"])
def ledger_kind(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine | None]:
    """Each kind of database in turn, and None for the fakes."""
    if request.param == "memory":
        yield None
        return
    with migrated(database_url(request, request.param, tmp_path)) as engine:
        yield engine


@pytest.fixture(params=["sqlite", "postgres", "memory"])
def catalogue_kind(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine | None]:
    """Each kind of database in turn, with the library's tables, and None for the fakes."""
    if request.param == "memory":
        yield None
        return
    with migrated(database_url(request, request.param, tmp_path), library.migrate) as engine:
        yield engine
