"""`plan --save` and `apply`: what was seen is sent, once, and nothing else; what has moved is said."""

import json
import os
import signal
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.kartra.sandbox import Sandbox
from tests.command.several import ended, executed, named_pipeline, stored, wait_for, writes
from tests.conftest import LOAD, Project, contact, kill
from tests.state.places import beside


def saved(project: Project, *words: str, file: str = "p.yaml") -> str:
    planned = project.command("plan", file, "--save", "--json", *words)
    assert planned.code == 0, planned.stderr
    return str(planned.json["plan_id"])


def test_a_saved_plan_is_sent_call_by_call_and_once(project: Project, sandbox: Sandbox) -> None:
    project.pipeline(LOAD + "on_removed: [untag]\nguards: {max_removed: 100%}\n")
    project.contacts([contact(1), contact(2), contact(3), contact(4)])
    assert project.run().code == 0
    project.contacts([contact(5), contact(1, City="Porto"), contact(2), contact(3), contact(3)])
    planned = project.command("plan", "p.yaml", "--save", "--changes", "--show", "--json").json
    assert oct(project.state.stat().st_mode & 0o777) == "0o600"
    seen = project.command("plans", "p.yaml", planned["plan_id"], "--show", "--json").json
    assert seen["changes"] == planned["changes"]
    masked = project.command("plans", "p.yaml", planned["plan_id"]).stdout
    assert ("row 3: l***@e***.org edited" in masked, "Porto" in masked) == (True, False)
    sandbox.reset_calls()
    applied = project.command("apply", "p.yaml", planned["plan_id"], "--json")
    assert (applied.code, applied.json["status"]) == (0, "succeeded")
    assert {name: applied.json["leads"][name] for name in ("created", "edited", "removed", "unchanged")} == {
        "created": 1,
        "edited": 1,
        "removed": 1,
        "unchanged": 2,
    }
    assert len(writes(sandbox)) == len(planned["changes"]) == 3
    assert applied.json["calls"]["sent"] == planned["calls"]["estimated"]
    (listed,) = project.command("plans", "p.yaml", "--json").json["plans"]
    assert (listed["state"], listed["created"], listed["edited"], listed["removed"]) == ("applied", 1, 1, 1)
    assert "@" in listed["made_by"]
    assert listed["made_by"] == listed["applied_by"]
    (run, *_) = project.command("runs", "p.yaml", "--json").json["runs"]
    assert (
        run["message"] == f"plan {planned['plan_id']} by {listed['made_by']}, applied by {listed['made_by']}"
    )
    again = project.command("apply", "p.yaml", planned["plan_id"])
    assert (again.code, "was applied at" in again.stderr) == (6, True)
    assert beside(project.state)("SELECT count(*) FROM plan_changes") == [(0,)]
    assert len(writes(sandbox)) == 3


Move = Callable[[Project, Sandbox], None]


def _another_mapping(project: Project, _: Sandbox) -> None:
    project.pipeline(LOAD.replace("tags: [Imported,", "tags: [Customer,"))


def _another_guard(project: Project, _: Sandbox) -> None:
    project.pipeline(LOAD + "guards: {max_failed: 7%}\n")


def _another_source(project: Project, _: Sandbox) -> None:
    project.contacts([contact(1), contact(2), contact(9, Email="nobody")])


def _a_run_between(project: Project, _: Sandbox) -> None:
    assert project.run("--only", "lead1@example.org").code == 0


def _a_name_is_gone(_: Project, sandbox: Sandbox) -> None:
    with sandbox.lock:
        sandbox.account.tags.remove("Imported")


def _another_mode(project: Project, _: Sandbox) -> None:
    project.pipeline(LOAD, kartra="mode: test")


def _an_hour_later(project: Project, _: Sandbox) -> None:
    before = (datetime.now(UTC) - timedelta(hours=3)).isoformat()
    beside(project.state)("UPDATE plans SET made_at = :before", before=before)


def _a_clock_that_was_ahead(project: Project, _: Sandbox) -> None:
    later = (datetime.now(UTC) + timedelta(hours=3)).isoformat()
    beside(project.state)("UPDATE plans SET made_at = :later", later=later)


@pytest.mark.parametrize(
    ("move", "told"),
    [
        (_another_mapping, "the mapping has moved: load.tags changed"),
        (_another_guard, "the file has moved: load.guards changed"),
        (_another_source, "the source has moved"),
        (_a_run_between, "the state has moved: a run or somebody else has changed what is known of 1"),
        (_a_name_is_gone, "the account has moved: it has no more tag"),
        (_another_mode, "the mode has moved: it was made in live mode"),
        (_an_hour_later, "the age has moved: it was made 3 h 0 min ago"),
        (_a_clock_that_was_ahead, "the age has moved: it was made later than it is now"),
    ],
    ids=lambda one: one.__name__.strip("_") if callable(one) else "",
)
def test_what_has_moved_is_said_and_nothing_is_sent(
    move: Move, told: str, project: Project, sandbox: Sandbox
) -> None:
    project.pipeline(LOAD)
    project.contacts([contact(1), contact(2)])
    plan_id = saved(project)
    move(project, sandbox)
    sandbox.reset_calls()
    applied = project.command("apply", "p.yaml", plan_id, "--max-age", "2h")
    assert applied.code == 6, applied.stderr
    assert told in applied.stderr
    assert writes(sandbox) == []


HOOK = """\
import pathlib, sys
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import cities

def cleaned(records):
    return records.assign(City=records["City"].map(cities.named))
"""


def _another_helper(folder: Path) -> None:
    (folder / "cities.py").write_text("def named(city):\n    return 'Wien'\n", encoding="utf-8")


def _a_helper_of_the_helper(folder: Path) -> None:
    (folder / "letters.py").write_text("WORD = 'Wien'\n", encoding="utf-8")


def _one_more_address(folder: Path) -> None:
    (folder / "no.csv").write_text("email\nx@example.org\nlead2@example.org\n", encoding="utf-8")


def _an_address_of_nobody(folder: Path) -> None:
    (folder / "no.csv").write_text("email\ny@example.org\n", encoding="utf-8")


def _another_query(folder: Path) -> None:
    (folder / "no.sql").write_text("SELECT 'lead2@example.org' AS email", encoding="utf-8")


@pytest.mark.parametrize(
    ("move", "told"),
    [
        (_another_helper, "the mapping has moved: load.transform changed"),
        (_a_helper_of_the_helper, "the mapping has moved: load.transform changed"),
        (_one_more_address, "the addresses that load.suppress names are others"),
        (_an_address_of_nobody, "the addresses that load.suppress names are others"),
        (_another_query, "load.suppress changed"),
    ],
    ids=lambda one: one.__name__.strip("_") if callable(one) else "",
)
def test_the_contents_of_files_that_a_plan_was_made_from_count(
    move: Callable[[Path], None], told: str, project: Project, sandbox: Sandbox
) -> None:
    folder = project.folder
    sql = '{sql: {url: "sqlite:///crm.db", query: no.sql}, email: email}'
    project.pipeline(LOAD + f"transform: hooks:cleaned\nsuppress: [{{csv: no.csv, email: email}}, {sql}]\n")
    project.contacts([contact(1), contact(2)])
    (folder / "hooks.py").write_text(HOOK, encoding="utf-8")
    (folder / "cities.py").write_text("import letters\n\ndef named(city):\n    return letters.WORD\n")
    (folder / "letters.py").write_text("WORD = 'Graz'\n", encoding="utf-8")
    (folder / "no.csv").write_text("email\nx@example.org\n", encoding="utf-8")
    (folder / "no.sql").write_text("SELECT 'z@example.org' AS email", encoding="utf-8")
    beside(folder / "crm.db")("CREATE TABLE anything (one INTEGER)")
    plan_id = saved(project)
    move(folder)
    applied = project.command("apply", "p.yaml", plan_id)
    assert (applied.code, told in applied.stderr) == (6, True), applied.stderr
    assert writes(sandbox) == []


def test_another_account_is_no_place_for_a_plan(project: Project, sandbox: Sandbox) -> None:
    project.pipeline(LOAD)
    project.contacts([contact(1)])
    assert project.run().code == 0
    project.contacts([contact(1), contact(2)])
    plan_id = saved(project)
    with Sandbox() as another:
        project.aim(another)
        project.environ["KARTRA_API_KEY"] = another.credentials.api_key
        applied = project.command("apply", "p.yaml", plan_id)
        assert (applied.code, "the account has moved" in applied.stderr) == (6, True), applied.stderr
        assert writes(another) == []


def test_an_equal_file_elsewhere_holds_and_a_comment_does_not(
    project: Project, sandbox: Sandbox, tmp_path: Path
) -> None:
    """One person plans, another applies from a folder of their own, with the state they share."""
    project.pipeline(LOAD + "", kartra="")
    project.contacts([contact(1), contact(2)])
    plan_id = saved(project)
    other = tmp_path / "other"
    (other / "state").mkdir(parents=True)
    for name in ("p.yaml", "contacts.csv"):
        (other / name).write_bytes((project.folder / name).read_bytes())
    (other / "state" / "kartra.db").write_bytes(b"")
    (other / "state" / "kartra.db").unlink()
    with sqlite3.connect(project.state) as source, sqlite3.connect(other / "state" / "kartra.db") as target:
        source.backup(target)
    text = (project.folder / "p.yaml").read_text("utf-8")
    (project.folder / "p.yaml").write_text(f"{text}# later\n", encoding="utf-8")
    commented = project.command("apply", "p.yaml", plan_id)
    assert (commented.code, "the file has moved: its text" in commented.stderr) == (6, True)
    elsewhere = Project(other, project.environ)
    applied = elsewhere.command("apply", "p.yaml", plan_id, "--json")
    assert (applied.code, applied.json["leads"]["created"]) == (0, 2), applied.stderr


def test_an_apply_that_was_killed_goes_on_and_gives_nothing_twice(project: Project, sandbox: Sandbox) -> None:
    project.pipeline(LOAD, kartra="workers: 1\ncalls_per_second: 10")
    project.contacts([contact(number) for number in range(12)])
    plan_id = saved(project)
    sandbox.reset_calls()
    process = project.start("apply", "p.yaml", plan_id)
    wait_for(lambda: executed(writes(sandbox)) >= 3)
    os.killpg(process.pid, signal.SIGSTOP)
    assert project.command("apply", "p.yaml", plan_id).code == 5  # somebody else's, at the same time
    kill(process)
    (listed,) = project.command("plans", "p.yaml", "--json").json["plans"]
    assert listed["state"] == "applying"
    applied = project.command("apply", "p.yaml", plan_id, "--json")
    assert (applied.code, applied.json["status"]) == (0, "succeeded"), applied.stderr
    assert len(stored(sandbox)) == 12
    assert all(len(lead["starts"]) == 1 for lead in stored(sandbox).values())
    assert project.command("apply", "p.yaml", plan_id).code == 6
    assert project.run().json["calls"]["sent"] == 0


def test_a_run_between_the_two_halves_is_seen(project: Project, sandbox: Sandbox) -> None:
    project.pipeline(LOAD, kartra="workers: 1\ncalls_per_second: 10")
    project.contacts([contact(number) for number in range(10)])
    plan_id = saved(project)
    sandbox.reset_calls()
    process = project.start("apply", "p.yaml", plan_id)
    wait_for(lambda: executed(writes(sandbox)) >= 2)
    process.send_signal(signal.SIGINT)
    assert ended(process).code == 130
    assert project.run().code == 0
    sent = len(writes(sandbox))
    applied = project.command("apply", "p.yaml", plan_id)
    assert (applied.code, "the state has moved" in applied.stderr) == (6, True)
    assert len(writes(sandbox)) == sent


def test_a_plan_that_would_be_stopped_or_is_not_there_is_not_applied(
    project: Project, sandbox: Sandbox
) -> None:
    project.pipeline(LOAD + "guards: {max_triggered: 1}\n")
    project.contacts([contact(1), contact(2)])
    planned = project.command("plan", "p.yaml", "--save", "--json")
    assert planned.code == 4
    stopped = project.command("apply", "p.yaml", planned.json["plan_id"])
    assert (stopped.code, "max_triggered" in stopped.stderr) == (4, True)
    assert project.command("apply", "p.yaml", "nonsense").code == 2
    assert project.command("apply", "p.yaml", planned.json["plan_id"], "--yes").code == 0
    assert len(stored(sandbox)) == 2
    project.contacts([contact(1, City="Porto"), contact(2)])
    project.pipeline(LOAD + "guards: {max_edited: 0}\n")
    refused = project.command("plan", "p.yaml", "--save", "--json")
    assert (refused.code, "plan_id" in refused.json) == (4, False)
    project.pipeline(LOAD)
    project.contacts([contact(1), contact(2)])
    nothing = project.command("plan", "p.yaml", "--save", "--json")
    assert (nothing.code, "plan_id" in nothing.json) == (0, False)


def test_who_is_forgotten_is_in_no_plan(project: Project, sandbox: Sandbox) -> None:
    project.pipeline(LOAD)
    project.contacts([contact(1), contact(2)])
    plan_id = saved(project)
    project.command("state", "forget", "p.yaml", "lead1@example.org", "--yes")
    assert b"lead1@example.org" not in project.state.read_bytes()
    applied = project.command("apply", "p.yaml", plan_id)
    assert (applied.code, "a person was forgotten" in applied.stderr) == (6, True), applied.stderr
    named_pipeline(project, "another", LOAD)
    other = project.command("apply", "another.yaml", plan_id)
    assert (other.code, "it is of the pipeline newsletter" in other.stderr) == (6, True)
    assert json.loads(project.command("plans", "another.yaml", "--json").stdout) == {"plans": []}


def test_new_rows_of_an_incremental_source_are_not_in_the_plan(project: Project, sandbox: Sandbox) -> None:
    crm = beside(project.folder / "crm.db")
    crm("CREATE TABLE people (email TEXT, city TEXT, at INTEGER)")
    crm("INSERT INTO people VALUES ('ann@example.org', 'Lyon', 1), ('bob@example.org', 'Leeds', 2)")
    project.pipeline(
        """
source:
  sql:
    url: "sqlite:///crm.db"
    query: SELECT email, city, at FROM people
    incremental: {column: at, overlap: 0}
key: email
fields: {email: email, city: city}
consent: {attested: "sign-up form, 2025"}
"""
    )
    assert project.run("--only", "ann@example.org").json["leads"]["created"] == 1
    assert saved(project)  # the mark has not moved past the one who was left
    crm("UPDATE people SET city = 'Porto', at = 3 WHERE email = 'ann@example.org'")
    plan_id = saved(project)
    applied = project.command("apply", "p.yaml", plan_id, "--json")
    assert (applied.code, applied.json["leads"]["created"], applied.json["leads"]["edited"]) == (0, 1, 1)
    crm("INSERT INTO people VALUES ('cleo@example.org', 'Rome', 4)")
    plan_id = saved(project)
    crm("INSERT INTO people VALUES ('dora@example.org', 'Rome', 5)")
    applied = project.command("apply", "p.yaml", plan_id)
    assert (applied.code, "the source has moved" in applied.stderr) == (6, True), applied.stderr
    assert project.run().json["leads"]["created"] == 2


def test_merged_records_and_leads_that_were_there_before_are_in_a_plan(
    project: Project, sandbox: Sandbox
) -> None:
    """Somebody edits and makes leads in Kartra meanwhile: what the plan says is sent, no person is lost."""
    project.pipeline(LOAD + "duplicates: merge\n")
    project.contacts([contact(1), contact(2)])
    assert project.run().code == 0
    rows = [
        contact(1, City="Porto"),
        contact(2),
        contact(2, Tags="VIP"),
        contact(2, Tags="Customer"),
        contact(3),
    ]
    project.contacts(rows)
    planned = project.command("plan", "p.yaml", "--save", "--changes", "--json").json
    with sandbox.lock:
        lead = next(one for one in sandbox.account.leads.values() if one.email == "lead1@example.org")
        lead.fields["first_name"] = "by hand"
        sandbox.account.add_lead("lead3@example.org")
    applied = project.command("apply", "p.yaml", planned["plan_id"], "--json")
    assert applied.code == 0, applied.stderr
    assert len(planned["changes"]) == sum(applied.json["leads"][name] for name in ("created", "edited"))
    leads = stored(sandbox)
    assert (
        leads["lead1@example.org"]["fields"] | {"city": "Porto", "first_name": "by hand"}
        == (leads["lead1@example.org"]["fields"])
    )
    assert {"VIP", "Customer", "Imported"} <= leads["lead2@example.org"]["tags"]
    assert leads["lead3@example.org"]["tags"] >= {"Imported"}
    assert project.run().json["calls"]["sent"] == 0
