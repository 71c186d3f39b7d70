"""The warehouse: the tables a pull fills, each transition one method and one transaction.

What the tables are stands in `sql/warehouse/migrations`, what Kartra's answers become in
`lead_rows` and `sale_rows`.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row

from connectors.databases.tables import Tables, as_utc, json_value, tables_url
from connectors.errors import ConfigError, RefusedValueError
from connectors.kartra.cells import TableRow
from pipelines.shipped import ROOT, read_sql
from pipelines.tables.answers import (
    Pulled,
    PulledDetails,
    PulledProfile,
    PulledSales,
    RosterEntry,
    Waiting,
    apart,
    refused,
)
from pipelines.tables.lead_rows import PART_TABLES, LeadRows
from pipelines.tables.leads import Keeping, keep_profiles
from pipelines.tables.names import NameTable, keep_names
from pipelines.tables.reports import create_views
from pipelines.tables.sale_rows import BUYER
from pipelines.tables.sales import keep_details, keep_sales

MIGRATIONS = ROOT / "sql" / "warehouse" / "migrations"
TABLES = (
    *("tags", "lists", "sequences", "pages", "custom_fields"),
    *("leads", "transactions", "subscriptions"),
)
"""What `pull.tables` may name, in the order in which it is pulled."""
BATCH = 500


class Warehouse:
    """The tables of one pipeline's pull. Raises TablesError for what the database refuses."""

    def __init__(self, into: str | Path, *, create: bool = True) -> None:
        """`create` False: tables that are not there are an error, or, in a server, simply not there."""
        self.tables = Tables(tables_url(into), create=create)
        try:
            if create:
                self.tables.migrate(migrations(MIGRATIONS))
                create_views(self.tables, datetime.now(UTC))
        except BaseException:
            self.tables.close()
            raise
        self.pulled: Counter[str] = Counter()
        """Rows per table that this pull has read."""
        self.left_out: Counter[str] = Counter()
        """Answers that the database refused, by what it said."""
        self._pull_id = ""
        self._watched_since: datetime | None = None

    def close(self) -> None:
        self.tables.close()

    def __enter__(self) -> "Warehouse":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _begin(self) -> Iterator[Connection]:
        with self.tables.begin() as connection:
            yield connection

    def _read(self, connection: Connection, name: str, **values: Any) -> Sequence[Row[Any]]:
        return self.tables.read(connection, read_sql(f"warehouse/{name}"), **values)

    # --- pulls

    def is_there(self) -> bool:
        """Has a pull ever been here?"""
        with self._begin() as connection:
            return self.tables.has(connection, "lead_roster")

    def begin_pull(
        self, pull_id: str, pipeline: str, account: str, now: datetime, *, other_account: bool = False
    ) -> None:
        """Note a pull. Raises ConfigError where the tables hold another account, unless that is approved."""
        with self._begin() as connection:
            last = self.tables.read(
                connection, "SELECT account, started_at FROM pull_runs ORDER BY started_at"
            )
            if last and last[-1].account != account and not other_account:
                raise ConfigError(
                    f"{self.tables.name}: these tables hold another Kartra account (another API key or URL)."
                    " Pull into other tables, or, if only the API key is new, `run --yes` once"
                )
            row = {"pull_id": pull_id, "pipeline": pipeline, "account": account, "started_at": now}
            row |= {"status": "running", "calls": 0, "leads_read": 0, "leads_waiting": 0}
            self.tables.upsert(connection, "pull_runs", [row])
        self._pull_id = pull_id
        self._watched_since = as_utc(last[0].started_at) if last else now

    def finish_pull(
        self, now: datetime, status: str, *, calls: int, waiting: int, notes: Sequence[str]
    ) -> None:
        row = {"finished_at": now, "status": status, "calls": calls, "leads_waiting": waiting}
        row |= {"leads_read": self.pulled["leads"], "pulled": dict(self.pulled), "notes": list(notes)}
        with self._begin() as connection:
            self.tables.run(
                connection, read_sql("warehouse/finish_pull"), [{**row, "pull_id": self._pull_id}]
            )

    # --- names

    def keep_names(self, kind: NameTable, rows: Sequence[TableRow], now: datetime) -> list[str]:
        """All names of a kind that the account has now. Gives what looks renamed."""
        with self._begin() as connection:
            notes = keep_names(self.tables, connection, kind, rows, now)
        self.pulled[kind] = len(rows)
        return notes

    # --- the roster

    def add_to_roster(self, lookups: Iterable[str], now: datetime) -> int:
        """Put leads on the roster that are not there yet by any of their names. Gives how many are new."""
        added = 0
        for batch in _batches(lookups):
            with self._begin() as connection:
                new = self._unknown(connection, batch)
                rows = [
                    {"lookup": lookup, "lead_id": _id_in(lookup), "status": "waiting", "added_at": now}
                    for lookup in new
                ]
                self.tables.upsert(connection, "lead_roster", rows)
            added += len(new)
        return added

    def count_unknown(self, lookups: Iterable[str]) -> int:
        """How many of them are not on the roster yet."""
        with self._begin() as connection:
            return sum(len(self._unknown(connection, batch)) for batch in _batches(lookups))

    def _unknown(self, connection: Connection, lookups: Sequence[str]) -> list[str]:
        names = {lookup: lookup.partition(":")[2] for lookup in lookups}
        rows = self._read(
            connection,
            "known_lookups",
            lookups=list(names),
            lead_ids=[name for lookup, name in names.items() if lookup.startswith("id:")],
            addresses=[name for lookup, name in names.items() if lookup.startswith("email:")],
        )
        found = {row.found for row in rows}
        return [lookup for lookup, name in names.items() if lookup not in found and name not in found]

    def stale(self, before: datetime, count: int, *, profiles: bool, sales: bool) -> list[RosterEntry]:
        """Leads that were not asked for since `before`, never asked ones first."""
        wanted = {"profiles": int(profiles), "sales": int(sales), "before": before}
        with self._begin() as connection:
            return [
                RosterEntry(row.lookup, row.lead_id, as_utc(row.profile_at), as_utc(row.sales_at))
                for row in self._read(connection, "stale", count=count, **wanted)
            ]

    def waiting(self, before: datetime, *, profiles: bool, sales: bool) -> Waiting:
        with self._begin() as connection:
            (row,) = self._read(
                connection, "waiting", before=before, profiles=int(profiles), sales=int(sales)
            )
        return Waiting(**row._mapping)

    def owed(self, count: int) -> tuple[list[TableRow], list[TableRow]]:
        """What was told of transactions and subscriptions whose details are to be pulled."""
        with self._begin() as connection:
            transactions = self._read(connection, "owed_transactions", count=count)
            subscriptions = self._read(connection, "owed_subscriptions", count=count)
        return (
            [{**row._mapping, "extra": json_value(row.extra)} for row in transactions],
            [dict(row._mapping) for row in subscriptions],
        )

    def erase(self, addresses: Sequence[str]) -> dict[str, int]:
        """Erase people by their addresses in lower case; what they bought stays, without name and address.

        Gives how many rows by table. They are put on the roster again only by a source that names them.
        """
        with self._begin() as connection:
            ids = [row.id for row in self._read(connection, "ids_of", addresses=list(addresses))]
            keys = [{"lead_id": lead_id} for lead_id in ids]
            rows = {"leads": len(ids)}
            self.tables.delete(connection, "leads", [{"id": lead_id} for lead_id in ids])
            for table in (*PART_TABLES, "lead_changes", "lead_roster"):
                self.tables.delete(connection, table, keys)
            lookups = [{"lookup": f"email:{address}"} for address in addresses]
            self.tables.delete(connection, "lead_roster", lookups)
            named = [{"lead_email": address} for address in addresses]  # a row of an export may lack the lead
            for table, columns in (("transactions", BUYER), ("subscriptions", ("lead_email",))):
                nobody = ", ".join(f"{name} = NULL" for name in (*columns, "extra"))
                erased = f"UPDATE {table} SET {nobody} WHERE"  # noqa: S608
                self.tables.run(connection, f"{erased} lead_id = :lead_id", keys)
                self.tables.run(connection, f"{erased} lower(lead_email) = :lead_email", named)
        return rows

    # --- answers

    def keep(self, answers: Sequence[Pulled], now: datetime) -> None:
        """Several answers in one transaction; of each, all or nothing.

        One with a value that does not fit into the database is noted as refused; the others are kept.
        """
        try:
            self._keep(answers, now)
        except RefusedValueError as error:
            parts = answers if len(answers) > 1 else apart(answers[0])
            if len(parts) == 1:
                self._keep([refused(parts[0])], now)
                self.left_out[str(error)] += 1
                return
            for part in parts:
                self.keep([part], now)
            return
        for one in answers:
            self._count(one)

    def _count(self, answer: Pulled) -> None:
        match answer:
            case PulledProfile(rows=LeadRows()):
                self.pulled["leads"] += 1
            case PulledDetails():
                self.pulled["transactions"] += len(answer.transactions)
                self.pulled["subscriptions"] += len(answer.subscriptions)

    def _keep(self, answers: Sequence[Pulled], now: datetime) -> None:
        with self._begin() as connection:
            keeping = Keeping(self.tables, connection, self._pull_id, self._watched_since, now)
            keep_profiles(keeping, [one for one in answers if isinstance(one, PulledProfile)])
            for answer in answers:
                if isinstance(answer, PulledSales):
                    keep_sales(keeping, answer)
                elif isinstance(answer, PulledDetails):
                    keep_details(keeping, answer)


def _batches(lookups: Iterable[str]) -> Iterator[Sequence[str]]:
    waiting = iter(lookups)
    while batch := list(islice(waiting, BATCH)):
        yield batch


def _id_in(lookup: str) -> str | None:
    kind, _, name = lookup.partition(":")
    return name if kind == "id" else None


def migrations(folder: Path) -> list[tuple[int, str]]:
    """The numbered files of a folder, in order."""
    found = [(re.match(r"[0-9]+", file.name), file) for file in sorted(folder.glob("*.sql"))]
    return [(int(number[0]), file.read_text(encoding="utf-8")) for number, file in found if number]


def open_warehouse(into: str | Path, *, create: bool = True) -> Tables:
    """The tables, at the last migration. Raises TablesError, ConfigError."""
    return Warehouse(into, create=create).tables
