"""The state of a test, as fixtures."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.state.store import Store
from tests.state.places import NewState, OpenStore, Outside, beside, in_file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of the state, for tests of what only a file can be."""
    return tmp_path / "state" / "kartra.db"


@pytest.fixture
def new_state(tmp_path: Path) -> NewState:
    return lambda name: in_file(tmp_path / f"{name}.db")


@pytest.fixture
def open_store(path: Path) -> OpenStore:
    return in_file(path)


@pytest.fixture
def outside(path: Path) -> Outside:
    return beside(path)


@pytest.fixture
def store(open_store: OpenStore) -> Iterator[Store]:
    """A store in the scope of a live pipeline, with its first run begun and an empty staging table."""
    with open_store() as fresh:
        fresh.runs.begin("run-1", "newsletter")
        fresh.staging.begin()
        yield fresh
