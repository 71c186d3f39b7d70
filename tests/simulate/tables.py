"""What a pull has brought into tables, beside the account: the same leads, and the same money to the cent."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

from connectors.kartra.sandbox.account import Account

SECTION = """\
pull:
  into: tables.db
  leads: {{{roster}}}
  refresh_after: 1s
"""


def section(*, of_money: bool) -> str:
    return SECTION.format(roster="csv: operations.csv, email: Email" if of_money else "state: true")


def problems(file: Path, account: Account, present: set[str]) -> Iterator[str]:
    """Once a run after the last change has pulled. `present` are the addresses that the source has: who has
    gone is on no roster of ours."""
    with closing(sqlite3.connect(file)) as connection:
        yield from _leads(connection, account, present)
        yield from _money(connection, account)


def _leads(connection: sqlite3.Connection, account: Account, present: set[str]) -> Iterator[str]:
    pulled = connection.execute("SELECT id, email, first_name FROM leads WHERE gone_at IS NULL").fetchall()
    tags, lists = _names(connection, "lead_tags", "tag_name"), _names(connection, "lead_lists", "list_name")
    for lead_id, email, first_name in pulled:
        lead = account.leads[lead_id]
        active = {name for name, is_on in lead.lists.items() if is_on}
        shown = (email, first_name or "", tags.get(lead_id, set()), lists.get(lead_id, set()))
        if shown != (lead.email, lead.fields.get("first_name", ""), lead.tags, active):
            yield f"{lead.email}: the tables have {shown}"
    known = {lead_id for lead_id, *_ in pulled}
    for lead in account.leads.values():
        if lead.source == "api" and lead.email in present and lead.id not in known:
            yield f"{lead.email}: is not in the tables"


def _names(connection: sqlite3.Connection, table: str, column: str) -> dict[str, set[str]]:
    where = "WHERE active = 1" if table == "lead_lists" else ""
    found: dict[str, set[str]] = {}
    for lead_id, name in connection.execute(f"SELECT lead_id, {column} FROM {table} {where}"):
        found.setdefault(lead_id, set()).add(name)
    return found


def _money(connection: sqlite3.Connection, account: Account) -> Iterator[str]:
    rows = connection.execute("SELECT transaction_id, transaction_full_amount FROM transactions").fetchall()
    pulled = {str(number): abs(Decimal(str(amount))) for number, amount in rows}
    there = {one.id: abs(Decimal(one.amount)) for one in account.transactions.values()}
    if pulled != there:
        yield (
            f"the tables have {len(pulled)} transactions of {sum(pulled.values())},"
            f" the account {len(there)} of {sum(there.values())}"
        )
