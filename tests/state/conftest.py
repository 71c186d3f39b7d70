"""The state of a test, as fixtures: each in a file, and in a schema of a PostgreSQL server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import URL

from pipelines.state.place import Place
from pipelines.state.store import Store
from tests.state.places import NewState, OpenStore, Outside, beside, new_schema, opened_at


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of the state, for tests of what only a file can be."""
    return tmp_path / "state" / "kartra.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest) -> Place:
    if request.param == "sqlite":
        file: Path = request.getfixturevalue("path")
        return file
    server: URL = request.getfixturevalue("postgresql_server")
    return new_schema(server)


@pytest.fixture
def new_state(request: pytest.FixtureRequest, tmp_path: Path, place: Place) -> NewState:
    def new(name: str) -> OpenStore:
        if isinstance(place, Path):
            return opened_at(tmp_path / f"{name}.db")
        return opened_at(new_schema(request.getfixturevalue("postgresql_server")))

    return new


@pytest.fixture
def open_store(place: Place) -> OpenStore:
    return opened_at(place)


@pytest.fixture
def outside(place: Place) -> Outside:
    return beside(place)


@pytest.fixture
def store(open_store: OpenStore) -> Iterator[Store]:
    """A store in the scope of a live pipeline, with its first run begun and an empty staging table."""
    with open_store() as fresh:
        fresh.runs.begin("run-1", "newsletter")
        fresh.staging.begin()
        yield fresh
