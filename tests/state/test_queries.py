"""The named queries: each says what it gives, each is called, and SQLite finds its way by indexes."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import aiosql
import pytest

from pipelines.shipped import ROOT
from pipelines.state.database import FOLDER

SQL = ROOT / "sql"


SUBJECTS = sorted(file.stem for file in FOLDER.glob("*.sql"))


ALL_SQL = sorted(file for file in SQL.rglob("*.sql") if file.parent.name != "macros")


@pytest.fixture
def place(path: Path) -> Path:
    """What is asked here is asked of a file."""
    return path


def test_every_statement_opens_with_a_comment_and_binds_nothing_in_it() -> None:
    assert len(ALL_SQL) > 25
    for file in ALL_SQL:
        text = file.read_text(encoding="utf-8")
        comments = "\n".join(re.findall(r"--.*", text))
        assert re.match(r"-- \S.*\n", text), file.name
        assert re.findall(r"(?<!:):\w+", comments) == [], file.name


def test_queries_are_read_without_a_word_on_the_log(caplog: pytest.LogCaptureFixture) -> None:
    assert [names_of(subject) for subject in SUBJECTS if not names_of(subject)] == []
    assert caplog.records == []


def test_every_query_says_what_it_gives() -> None:
    for subject in SUBJECTS:
        queries = queries_of(subject)
        assert [name for name in names_of(subject) if not getattr(queries, name).__doc__] == [], subject


def test_every_query_is_called_and_every_call_has_a_query() -> None:
    called: dict[str, set[str]] = {}
    for file in (ROOT / "pipelines").rglob("*.py"):
        code = file.read_text(encoding="utf-8")
        for subject in re.findall(r"\.queries\(\"(\w+)\"\)", code):
            names = re.findall(r"\bself\._queries\.(\w+)", code)
            called.setdefault(subject, set()).update(name.removesuffix("_cursor") for name in names)
    of_server = {file.stem for file in FOLDER.glob("postgresql/*.sql")} - set(SUBJECTS)
    found = {subject: names_of(subject) for subject in SUBJECTS}
    assert called == found | {subject: names_of(f"postgresql/{subject}") for subject in of_server}


def queries_of(subject: str) -> Any:
    return aiosql.from_path(FOLDER / f"{subject}.sql", "sqlite3")


def names_of(subject: str) -> set[str]:
    return {name for name in queries_of(subject).available_queries if not name.endswith("_cursor")}


def query_plan(path: Path, subject: str, name: str) -> list[str]:
    """How SQLite carries out a query, with the staging table as a run has it. Older ones say less."""
    staging, query = queries_of("staging"), getattr(queries_of(subject), name)
    values = dict.fromkeys(query.parameters, 1)
    with closing(sqlite3.connect(path)) as connection:
        for table in ("staged", "new_leads", "present", "unseen", "holders"):
            getattr(staging, f"create_{table}")(connection)
        staging.index_keys(connection)
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query.sql}", values)]
    return [step.replace("temp.", "").removesuffix(" LEFT-JOIN") for step in plan]


@pytest.mark.usefixtures("store")
def test_the_diff_looks_each_lead_up_by_its_primary_key(path: Path) -> None:
    assert query_plan(path, "staging", "differences") == [
        "SEARCH staged USING INTEGER PRIMARY KEY (rowid>?)",
        "USING ROWID SEARCH ON TABLE new_leads FOR IN-OPERATOR",
        "SEARCH leads USING PRIMARY KEY (scope_id=? AND key=?)",
        "CORRELATED SCALAR SUBQUERY 2",
        "SEARCH holders USING PRIMARY KEY (key=?)",
        "SEARCH refusals USING PRIMARY KEY (scope_id=? AND key=?)",
    ]


@pytest.mark.usefixtures("store")
def test_a_lead_that_a_pull_has_seen_is_found_by_its_number(path: Path) -> None:
    plan = query_plan(path, "drift", "comparable_lead")
    assert plan[0] == "SEARCH leads USING INDEX leads_by_id (scope_id=? AND lead_id=?)"
    assert not [step for step in plan if step.startswith("SCAN")]


@pytest.mark.usefixtures("store")
def test_what_is_unchanged_or_gone_is_found_without_a_scan_per_row(path: Path) -> None:
    assert query_plan(path, "staging", "count_unchanged") == [
        "SCAN staged",
        "SCALAR SUBQUERY 1",
        "SEARCH leads USING COVERING INDEX leads_by_id (scope_id=?)",
        "CORRELATED SCALAR SUBQUERY 2",
        "SEARCH holders USING PRIMARY KEY (key=?)",
        "SEARCH leads USING PRIMARY KEY (scope_id=? AND key=?)",
    ]
    assert query_plan(path, "staging", "removed") == [
        "SEARCH leads USING PRIMARY KEY (scope_id=? AND key>?)",
        "CORRELATED SCALAR SUBQUERY 2",
        "SEARCH raw_hashes USING PRIMARY KEY (scope_id=? AND key=?)",
        "CORRELATED SCALAR SUBQUERY 1",
        "SEARCH unseen USING PRIMARY KEY (raw=?)",
        "CORRELATED SCALAR SUBQUERY 3",
        "SEARCH staged USING COVERING INDEX staged_by_key (key=?)",
        "CORRELATED SCALAR SUBQUERY 4",
        "SEARCH present USING PRIMARY KEY (key=?)",
        "CORRELATED SCALAR SUBQUERY 5",
        "SEARCH refusals USING PRIMARY KEY (scope_id=? AND key=?)",
    ]


@pytest.mark.usefixtures("store")
def test_open_entries_are_found_without_reading_the_journal(path: Path) -> None:
    leads = "SEARCH leads USING PRIMARY KEY (scope_id=? AND key=?)"
    assert query_plan(path, "outbox", "unsettled") == [
        "SEARCH outbox USING INDEX outbox_open (scope_id=?)",
        leads,
    ]
    assert query_plan(path, "outbox", "planned") == [
        "SEARCH outbox USING INDEX outbox_open (scope_id=? AND entry_id>?)",
        "SEARCH staged USING INTEGER PRIMARY KEY (rowid=?)",
        leads,
    ]


@pytest.mark.usefixtures("store")
def test_what_was_done_with_a_lead_is_found_by_its_key(path: Path) -> None:
    by_key = "SEARCH outbox USING INDEX outbox_by_key (scope_id=? AND key=?)"
    for subject, name in (("outbox", "journal"), ("drift", "comparable"), ("drift", "comparable_lead")):
        assert by_key in query_plan(path, subject, name), name
