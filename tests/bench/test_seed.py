"""The state a bench begins with is the one that a run would have left."""

import sqlite3
from contextlib import closing
from pathlib import Path

from connectors.kartra.sandbox import Sandbox
from pipelines.config.file import read_pipeline
from pipelines.verbs.plan import plan_pipeline
from pipelines.verbs.run import run_pipeline
from tests.bench.contacts import account, contacts_csv, pipeline_text
from tests.bench.seed import seed, sort_contacts

ROWS = 40


def test_seeded_leads_are_those_of_a_run(tmp_path: Path) -> None:
    csv, ordered = contacts_csv(ROWS), tmp_path / "ordered.csv"
    sort_contacts(csv, ordered)
    assert ordered.read_text("utf-8").splitlines()[1:] == sorted(csv.read_text("utf-8").splitlines()[1:])
    with Sandbox(account(), calls_per_second=0) as sandbox:
        named = sandbox.credentials
        environ = {"APP_ID": named.app_id, "API_KEY": named.api_key, "PASSWORD": named.api_password}

        def pipeline(state: str, source: Path) -> Path:
            file = tmp_path / f"{state}.yaml"
            file.write_text(pipeline_text(sandbox.url, f"{state}.db", source), "utf-8")
            return file

        run = run_pipeline(read_pipeline(pipeline("run", csv), environ), approved=True)
        assert run.summary.counts.leads["created"] == ROWS
        assert seed(read_pipeline(pipeline("seed", ordered), environ)) == ROWS
        assert known(tmp_path / "seed.db") == known(tmp_path / "run.db")
        assert hashes(tmp_path / "seed.db") == hashes(tmp_path / "run.db")
        plan = plan_pipeline(read_pipeline(pipeline("seed", csv), environ))
    assert plan.summary.counts.leads["unchanged"] == ROWS


def test_seeded_leads_have_each_the_number_of_their_contact(tmp_path: Path) -> None:
    """As Kartra counts them in the order of the file."""
    file = tmp_path / "seed.yaml"
    file.write_text(pipeline_text("http://127.0.0.1:1", "seed.db", contacts_csv(ROWS)))
    seed(read_pipeline(file, {"APP_ID": "a", "API_KEY": "k", "PASSWORD": "p"}))
    numbers = rows(tmp_path / "seed.db", "SELECT lead_id FROM leads")
    assert sorted(int(number) for (number,) in numbers) == list(range(1, ROWS + 1))
    index = rows(tmp_path / "seed.db", "SELECT tbl_name FROM sqlite_master WHERE name = 'leads_by_id'")
    assert index == [("leads",)]


def known(state: Path) -> list[tuple[object, ...]]:
    """All of the leads but when they were acknowledged, and the number that Kartra gives."""
    columns = "scope_id, key, origin, digest, snapshot, unproven, taken_over, removed_at"
    return rows(state, f"SELECT {columns}, lead_id IS NULL FROM leads ORDER BY key")


def hashes(state: Path) -> list[tuple[object, ...]]:
    return rows(state, "SELECT * FROM raw_hashes ORDER BY key")


def rows(state: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(state)) as connection:
        return connection.execute(query).fetchall()
