"""Who only reads needs no right to write, and writes nothing."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.kartra.sandbox import Sandbox, demo_account
from tests.command.several import together
from tests.conftest import LOAD, Project, contact

READING = {
    "status": ("status", "p.yaml"),
    "runs": ("runs", "p.yaml"),
    "plan": ("plan", "p.yaml"),
    "explain": ("explain", "p.yaml", "lead1@example.org"),
    "rejects": ("rejects", "p.yaml"),
    "parked": ("parked", "p.yaml"),
    "check": ("check", "p.yaml"),
    "report": ("report", "p.yaml", "freshness"),
}


def seal(places: list[Path], *, on: bool) -> bool:
    """No right to write, also for root, whom modes do not stop."""
    chattr = shutil.which("chattr") if os.geteuid() == 0 else None
    is_sealed = os.geteuid() != 0
    for place in places if on else places[::-1]:
        if chattr and not on:
            subprocess.run([chattr, "-i", place], capture_output=True, check=False)
        place.chmod((0o555 if place.is_dir() else 0o444) if on else 0o755)
        if chattr and on:
            is_sealed = (
                subprocess.run([chattr, "+i", place], capture_output=True, check=False).returncode == 0
            )
    return is_sealed


def timeless(text: str) -> str:
    """Without the time of day: a plan says when a run would end."""
    return re.sub(r"\b\d\d:\d\d\b", "…", text)


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Project, dict[str, str]]]:
    """What the verbs say while they may write, and then the same project sealed."""
    project = Project(tmp_path_factory.mktemp("sealed"))
    project.contacts([contact(1), contact(2, Email="nobody")])
    path = project.pipeline(LOAD)
    pull = "pull: {into: kept/tables.db, leads: {state: true}}\nstate: kept/kartra.db\n"
    path.write_text(path.read_text("utf-8") + pull, encoding="utf-8")
    kept = project.folder / "kept"
    with Sandbox(demo_account()) as sandbox:
        project.aim(sandbox)
        assert project.run().code == 3
        said = dict(zip(READING, together(project, list(READING.values())), strict=True))
        assert {verb: result.code for verb, result in said.items()} == dict.fromkeys(READING, 0)
        places = [*kept.iterdir(), kept]
        try:
            if not seal(places, on=True):
                pytest.skip("nothing here takes a right away from root")
            yield project, {verb: result.stdout for verb, result in said.items()}
        finally:
            seal(places, on=False)


@pytest.mark.parametrize("verb", READING)
def test_a_look_needs_no_right_to_write(verb: str, sealed: tuple[Project, dict[str, str]]) -> None:
    project, said = sealed
    kept = project.folder / "kept"
    before = {file.name: file.read_bytes() for file in kept.iterdir()}
    done = project.command(*READING[verb])
    assert (done.code, timeless(done.stdout), done.stderr) == (0, timeless(said[verb]), "")
    assert {file.name: file.read_bytes() for file in kept.iterdir()} == before


def test_tables_are_exported_from_where_nothing_may_be_written(
    sealed: tuple[Project, dict[str, str]],
) -> None:
    project, _ = sealed
    assert project.command("export", "p.yaml", "--to", "out").code == 0
    assert (project.folder / "out" / "leads.csv").exists()


@pytest.mark.parametrize(
    "words", [("run", "p.yaml"), ("state", "forget", "p.yaml", "lead1@example.org", "--yes")]
)
def test_what_writes_says_that_it_may_not(
    words: tuple[str, ...], sealed: tuple[Project, dict[str, str]]
) -> None:
    project, _ = sealed
    done = project.command(*words)
    assert done.code == 1
    assert "cannot be used as state" in done.stderr
    assert "Traceback" not in done.stderr
