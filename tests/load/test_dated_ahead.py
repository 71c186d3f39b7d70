"""What a clock that was ahead wrote into the state is not taken for fresh."""

import sqlite3
from contextlib import closing

from connectors.kartra.sandbox import Sandbox
from tests.conftest import LOAD, Project, contact

AHEAD = "2031-01-01T00:00:00+00:00"


def test_names_that_were_read_by_a_clock_that_was_ahead_are_asked_for_again(
    project: Project, sandbox: Sandbox
) -> None:
    project.pipeline(LOAD)
    project.contacts([contact(0)])
    assert project.run().code == 0
    asked = [call.commands for call in sandbox.calls if "account" in call.commands[0]]
    with closing(sqlite3.connect(project.state)) as connection:
        connection.execute("UPDATE inventories SET read_at = ?", (AHEAD,))
        connection.commit()
    project.contacts([contact(0), contact(1)])
    assert project.run().code == 0
    again = [call.commands for call in sandbox.calls if "account" in call.commands[0]]
    assert again == asked * 2


def test_leads_that_were_changed_and_looked_at_by_a_clock_that_was_ahead_are_looked_at_again(
    project: Project, sandbox: Sandbox
) -> None:
    project.pipeline(LOAD)
    project.contacts([contact(0)])
    assert project.run().code == 0
    for column in ("UPDATE leads SET changed_at = ?", "UPDATE drift SET looked_at = ?"):
        with closing(sqlite3.connect(project.state)) as connection:
            connection.execute(column, (AHEAD,))
            connection.commit()
        assert project.command("drift", "p.yaml", "--json").json["looked_at"] == 1
