"""A state file that is damaged, or from a newer version, is refused before any call and left as it is."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from connectors.kartra.sandbox import Sandbox
from tests.command.several import together
from tests.conftest import LOAD, Project, contact


def make_newer(state: Path) -> None:
    with sqlite3.connect(state) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()


def overwrite_the_middle(state: Path) -> None:
    content = bytearray(state.read_bytes())
    content[4096:-4096] = b"\xa5" * (len(content) - 8192)
    state.write_bytes(content)


def cut_off(state: Path) -> None:
    content = state.read_bytes()
    state.write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (make_newer, "written by a newer kartra-sync (schema 99, this one knows"),
        (overwrite_the_middle, ""),
        (cut_off, ""),
    ],
)
def test_a_state_that_cannot_be_trusted_is_refused_and_left_as_it_is(
    damage: Callable[[Path], None], told: str, project: Project, sandbox: Sandbox
) -> None:
    project.contacts([contact(number) for number in range(3)])
    project.pipeline(LOAD)
    assert project.run().code == 0
    damage(project.state)
    before = project.state.read_bytes()
    sandbox.reset_calls()
    results = together(project, [("run", "p.yaml"), ("plan", "p.yaml"), ("status", "p.yaml")])
    assert [result.code for result in results] == [1, 1, 1]
    for result in results:
        assert result.stderr.startswith(f"kartra-sync: {project.state}: ")
        assert told in result.stderr
        assert result.stderr.count("\n") == 1
    assert sandbox.calls == []
    assert project.state.read_bytes() == before
