"""A second run does not map what it knows, and nobody can tell but by the time it took."""

import re
import sqlite3
from contextlib import closing

from connectors.kartra.sandbox import Sandbox
from tests.conftest import LOAD, Project, contact


def known_keys(project: Project) -> list[str]:
    with closing(sqlite3.connect(project.state)) as connection:
        return [key for (key,) in connection.execute("SELECT key FROM raw_hashes ORDER BY key")]


def test_what_was_acknowledged_is_known_to_the_next_run(project: Project, sandbox: Sandbox) -> None:
    rows = [contact(0), contact(1), contact(2, Consent="no")]
    project.contacts(rows)
    project.pipeline(LOAD)
    assert project.run().json["leads"]["created"] == 2
    assert known_keys(project) == ["lead0@example.org", "lead1@example.org"]
    project.contacts([contact(0), contact(1, City="Paris"), contact(2, Consent="no"), contact(1)])
    planned = project.command("plan", "p.yaml", "--json").json
    edited = project.run()
    for found in (planned, edited.json):
        assert found["rows"] == {"read": 4, "invalid": 0, "duplicate": 1, "blocked": 1}
        assert found["leads"]["unchanged"] == 2
    project.contacts([contact(0), contact(1, City="Paris"), contact(2, Consent="no")])
    assert project.run().json["leads"]["edited"] == 1
    again = project.run()
    assert (again.json["leads"]["unchanged"], again.json["calls"]["sent"]) == (2, 0)
    assert again.json["rows"] == {"read": 3, "invalid": 0, "duplicate": 0, "blocked": 1}
    assert sandbox.account.leads


def test_a_run_and_a_plan_tell_where_their_time_went(project: Project, sandbox: Sandbox) -> None:
    project.contacts([contact(0)])
    project.pipeline(LOAD)
    told = r"newsletter took open source \d+\.\d\d s, open state .* s, known .* s, read .* s, hash .* s"
    assert re.search(told, project.command("plan", "p.yaml", "-v").stderr)
    assert re.search(rf"{told}.* deliver \d+\.\d\d s", project.command("run", "p.yaml", "-v").stderr)
    assert " took " not in project.command("run", "p.yaml").stderr
