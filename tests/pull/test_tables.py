"""A pull through the command, into each database: its tables are the account, row by row and cent by cent."""

import os
from pathlib import Path

from connectors.kartra.sandbox import Sandbox
from tests.conftest import Project
from tests.pull import busy_account, expected, read, write_pull

FULL = "KARTRA_SYNC_FULL" in os.environ
LEADS, TRANSACTIONS, SUBSCRIPTIONS = (2_000, 3_000, 300) if FULL else (150, 220, 25)


def test_the_tables_are_the_account(database: str, tmp_path: Path) -> None:
    project = Project(tmp_path)
    account = busy_account(LEADS, TRANSACTIONS, SUBSCRIPTIONS)
    project.environ["TABLES_URL"] = database
    write_pull(project, account, into="${TABLES_URL}")
    with Sandbox(account) as sandbox:
        project.aim(sandbox)
        first = project.command("run", "p.yaml", "--json", timeout_s=600)
        calls = len(sandbox.calls)
        second = project.run()
        again = [call.commands for call in sandbox.calls[calls:]]
    assert (first.code, second.code) == (0, 0), first.stderr + second.stderr
    stands, wanted = read(database), expected(account)
    for table, rows in wanted.items():
        assert stands[table] == rows, table
    floor = LEADS * 2 + (TRANSACTIONS + SUBSCRIPTIONS) / 20 + 5
    assert calls <= floor * 1.05
    assert sorted(again) == sorted(
        (f"retrieve_{name}",)
        for name in ("account_tags", "account_lists", "account_sequences", "account_pages", "custom_fields")
    )
    assert first.json["pulled"] == {
        "tags": 30,
        "lists": 3,
        "sequences": 2,
        "pages": 2,
        "custom_fields": 3,
        "leads": LEADS,
        "transactions": TRANSACTIONS,
        "subscriptions": SUBSCRIPTIONS,
    }
