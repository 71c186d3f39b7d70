"""A pull through the command, into each database: its tables are the account, row by row and cent by cent."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import create_engine, text

from connectors.kartra.sandbox import Account, Membership, Sandbox, Transaction
from tests.conftest import Project
from tests.pull.accounts import busy_account, expected, read, until_the_next_second, write_pull

FULL = "KARTRA_SYNC_FULL" in os.environ
LEADS, TRANSACTIONS, SUBSCRIPTIONS = (2_000, 3_000, 300) if FULL else (150, 220, 25)
SOLD_ON = "2026-11-01 10:00:00"


@contextmanager
def pulling(project: Project, account: Account, database: str, **sandbox: Any) -> Iterator[Sandbox]:
    project.environ["TABLES_URL"] = database
    write_pull(project, account, into="${TABLES_URL}", more="refresh_after: 1d")
    with Sandbox(account, **sandbox) as served:
        project.aim(served)
        yield served


def rows(database: str, statement: str) -> list[tuple[Any, ...]]:
    engine = create_engine(database)
    try:
        with engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(statement))]
    finally:
        engine.dispose()


def test_the_tables_are_the_account(database: str, project: Project) -> None:
    account = busy_account(LEADS, TRANSACTIONS, SUBSCRIPTIONS)
    with pulling(project, account, database) as sandbox:
        first = project.command("run", "p.yaml", "--json", timeout_s=600)
        calls = len(sandbox.calls)
        second = project.run()
        again = [call.commands for call in sandbox.calls[calls:]]
    assert (first.code, second.code) == (0, 0), first.stderr + second.stderr
    stands, wanted = read(database), expected(account)
    for table, every in wanted.items():
        assert stands[table] == every, table
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


# --- values that a database cannot hold, or only one of them: they cost nobody else's rows


def test_what_one_database_cannot_hold_is_left_out_there_and_told(database: str, project: Project) -> None:
    account = Account(products={"1": 1})
    leads = [account.add_lead(f"lead{number}@example.org") for number in range(3)]
    leads[1].source = "s" * 300
    odd = account.add_transaction(Transaction(leads[0].id, date=SOLD_ON, product_id="7" * 100))
    account.add_transaction(Transaction(leads[0].id, date=SOLD_ON))
    account.add_transaction(Transaction(leads[1].id, date=SOLD_ON))
    with pulling(project, account, database, calls_per_second=0):
        done = project.run()
    assert done.code == 0, done.stderr
    left_out = {leads[1].id, odd.id} if database.startswith("mysql") else set()
    kept = rows(database, "SELECT id FROM leads")
    assert {number for (number,) in kept} == set(account.leads) - left_out
    kept = rows(database, "SELECT transaction_id FROM transactions WHERE net_amount IS NOT NULL")
    assert {number for (number,) in kept} == set(account.transactions) - left_out
    told = [note for note in done.json.get("notes", ()) if "cannot hold" in note]
    assert len(told) == len(left_out)
    assert not [note for note in told if "sssss" in note or "77777" in note]


def test_long_addresses_and_memberships_are_held_by_every_database(database: str, project: Project) -> None:
    address = f"{'a' * 64}@{'b' * 60}.{'c' * 59}.{'d' * 60}.example"
    account = Account()
    lead = account.add_lead(address)
    lead.memberships = [Membership("m" * 255, "level " * 40)]
    with pulling(project, account, database, calls_per_second=0):
        first = project.run()
        path = project.folder / "p.yaml"
        path.write_text(path.read_text(encoding="utf-8").replace("1d", "0s"), encoding="utf-8")
        lead.memberships = []
        until_the_next_second()
        second = project.run()
    assert (first.code, second.code) == (0, 0), first.stderr + second.stderr
    assert rows(database, "SELECT lookup FROM lead_roster") == [(f"email:{address}",)]
    told = rows(database, "SELECT kind, field FROM lead_changes")
    assert told == [("membership", f"{'m' * 255}: {'level ' * 40}")]


def test_a_character_that_no_database_holds_becomes_a_mark(database: str, project: Project) -> None:
    account = Account()
    for name in ("A\0nn", "A\ud83dnn"):
        lead = account.add_lead(f"lead{len(account.leads)}@example.org")
        lead.fields["first_name"] = name
        account.add_transaction(Transaction(lead.id, date=SOLD_ON, quantity=name))  # no number: into extra
    with pulling(project, account, database, calls_per_second=0):
        done = project.run()
    assert done.code == 0, done.stderr
    assert rows(database, "SELECT first_name FROM leads") == [("A\ufffdnn",)] * 2
    extras = [extra for (extra,) in rows(database, "SELECT extra FROM transactions")]
    found = [json.loads(extra) if isinstance(extra, str) else extra for extra in extras]
    assert found == [{"transaction_quantity": "A\ufffdnn"}] * 2
