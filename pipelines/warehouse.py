"""The warehouse: the tables a pull fills, each transition one method and one transaction.

What the tables are stands in `sql/warehouse/migrations`, what Kartra's answers become in `pull_rows`.
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, Row

from connectors.errors import ConfigError, RefusedValueError
from connectors.tables import Tables, as_utc, tables_url
from pipelines.nearest import nearest
from pipelines.pull_rows import (
    BUYER,
    LEAD_FIELDS,
    OPEN,
    PART_TABLES,
    LeadChange,
    LeadRows,
    TableRow,
    arrival,
    lead_changes,
    part_columns,
)
from pipelines.reports import create_views
from pipelines.shipped import ROOT, read_sql

MIGRATIONS = ROOT / "sql" / "warehouse" / "migrations"
NAMES = ("tags", "lists", "sequences", "pages")
TABLES = (*NAMES, "custom_fields", "leads", "transactions", "subscriptions")
"""What `pull.tables` may name, in the order in which it is pulled."""
BATCH = 500

NameTable = Literal["tags", "lists", "sequences", "pages", "custom_fields", "custom_field_options"]


@dataclass(frozen=True, slots=True)
class RosterEntry:
    """A lead to be pulled: `lookup` is how Kartra is asked for it, as `id:39260` or `email:ann@…`."""

    lookup: str
    lead_id: str | None
    profile_at: datetime | None
    sales_at: datetime | None


@dataclass(frozen=True, slots=True)
class PulledProfile:
    """What get_lead gave for a lookup: rows, or Kartra's error type."""

    lookup: str
    rows: LeadRows | None
    type: str | None = None


@dataclass(frozen=True, slots=True)
class PulledSales:
    """What a lead's lists of transactions and subscriptions told; None where they were not asked for."""

    lookup: str
    transactions: Sequence[TableRow] | None
    subscriptions: Sequence[TableRow] | None
    type: str | None = None


@dataclass(frozen=True, slots=True)
class PulledDetails:
    """Rows of transactions and subscriptions, and those of which Kartra refused the details, by id: type."""

    transactions: Sequence[TableRow] = ()
    subscriptions: Sequence[TableRow] = ()
    refused_transactions: Mapping[str, str] = field(default_factory=dict)
    refused_subscriptions: Mapping[str, str] = field(default_factory=dict)


Pulled = PulledProfile | PulledSales | PulledDetails


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is not fresh: profiles and sales to be asked for, leads among them, details owed; the roster."""

    profiles: int
    sales: int
    leads: int
    details: int
    roster: int


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
        """All names of a kind that the account has now; those it lacks are gone. Gives what looks renamed."""
        keys = _KEYS[kind]
        with self._begin() as connection:
            known = {
                tuple(getattr(row, key) for key in keys): row
                for row in self.tables.read(connection, f"SELECT * FROM {kind}")  # noqa: S608
            }
            there = {tuple(row[key] for key in keys) for row in rows}
            gone = [name for name, row in known.items() if name not in there and row.gone_at is None]
            come = [name for name in there if name not in known or known[name].gone_at is not None]
            seen = {"first_seen_at": now, "last_seen_at": now, "gone_at": None}
            self.tables.upsert(
                connection, kind, [{**row, **seen} for row in rows], keep=frozenset({"first_seen_at"})
            )
            where = " AND ".join(f"{key} = :{key}" for key in keys)
            self.tables.run(
                connection,
                f"UPDATE {kind} SET gone_at = :now WHERE {where}",  # noqa: S608
                [{**dict(zip(keys, name, strict=True)), "now": now} for name in gone],
            )
        self.pulled[kind] = len(rows)
        if kind == "custom_fields":
            return _renamed_fields(known, rows, gone)
        return _renamed(_ONE[kind], gone, come) if kind in _ONE else []

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
            [{**row._mapping, "extra": _json(row.extra)} for row in transactions],
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
            parts = answers if len(answers) > 1 else _apart(answers[0])
            if len(parts) == 1:
                self._keep([_refused(parts[0])], now)
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
            self._keep_profiles(
                connection, [answer for answer in answers if isinstance(answer, PulledProfile)], now
            )
            for answer in answers:
                if isinstance(answer, PulledSales):
                    self._keep_sales(connection, answer, now)
                elif isinstance(answer, PulledDetails):
                    self._keep_details(connection, answer, now)

    def _keep_profiles(self, connection: Connection, answers: Sequence[PulledProfile], now: datetime) -> None:
        found = {answer.rows.lead["id"]: answer.rows for answer in answers if answer.rows is not None}
        before = self._known_leads(connection, list(found))
        gone = self._gone_leads(connection, answers)
        self.tables.upsert(
            connection,
            "leads",
            [
                {**rows.lead, "first_pulled_at": now, "pulled_at": now, "gone_at": None}
                for rows in found.values()
            ],
            keep=frozenset({"first_pulled_at"}),
        )
        for table in PART_TABLES:
            self._keep_parts(connection, table, found, before)
        changes = {
            lead_id: self._changes(before.get(lead_id), rows) for lead_id, rows in found.items()
        } | gone
        self._keep_changes(connection, changes, now)
        self.tables.upsert(
            connection,
            "lead_roster",
            [
                {
                    "lookup": answer.lookup,
                    "status": "pulled" if answer.rows else _STATUS.get(answer.type or "", "refused"),
                    "type": answer.type,
                    "added_at": now,
                    "profile_at": now,
                }
                for answer in answers
            ],
            keep=frozenset({"added_at"}),
        )
        self.tables.run(
            connection,
            "UPDATE lead_roster SET lead_id = :lead_id WHERE lookup = :lookup",
            [
                {"lookup": answer.lookup, "lead_id": answer.rows.lead["id"]}
                for answer in answers
                if answer.rows
            ],
        )

    def _known_leads(self, connection: Connection, ids: list[str]) -> dict[str, LeadRows]:
        if not ids:
            return {}
        leads = self.tables.read(connection, "SELECT * FROM leads WHERE id IN :ids", ids=ids)
        if not leads:
            return {}
        parts: dict[str, dict[str, list[TableRow]]] = {row.id: {} for row in leads}
        for table in PART_TABLES:
            rows = self.tables.read(
                connection,
                f"SELECT * FROM {table} WHERE lead_id IN :ids",  # noqa: S608
                ids=list(parts),
            )
            for row in rows:
                values = {name: getattr(row, name) for name in part_columns(table)}
                parts[row.lead_id].setdefault(table, []).append({**values, "extra": _json(row.extra)})
        return {
            row.id: LeadRows(
                {name: getattr(row, name) for name in (*LEAD_FIELDS, "gone_at")},
                {table: tuple(parts[row.id].get(table, ())) for table in PART_TABLES},
            )
            for row in leads
        }

    def _gone_leads(
        self, connection: Connection, answers: Sequence[PulledProfile]
    ) -> dict[str, list[LeadChange]]:
        """Leads that are deleted, and were not when they were pulled last."""
        lookups = [answer.lookup for answer in answers if _STATUS.get(answer.type or "") == "deleted"]
        if not lookups:
            return {}
        rows = self._read(connection, "newly_gone", lookups=lookups)
        return {row.lead_id: [LeadChange("lead", "deleted", None, "1")] for row in rows}

    def _keep_parts(
        self,
        connection: Connection,
        table: str,
        found: Mapping[str, LeadRows],
        before: Mapping[str, LeadRows],
    ) -> None:
        keys = ("lead_id", *PART_TABLES[table])
        changed, gone = [], []
        for lead_id, rows in found.items():
            old = {
                tuple(row[key] for key in keys): row
                for row in (before[lead_id].parts[table] if lead_id in before else ())
            }
            new = {tuple(row[key] for key in keys): row for row in rows.parts[table]}
            changed += [row for key, row in new.items() if old.get(key) != row]
            gone += [dict(zip(keys, key, strict=True)) for key in old if key not in new]
        self.tables.delete(connection, table, gone)
        self.tables.upsert(connection, table, changed)

    def _changes(self, before: LeadRows | None, after: LeadRows) -> list[LeadChange]:
        if before is None:
            joined = after.lead["date_joined_utc"]
            is_new = joined is not None and self._watched_since is not None and joined > self._watched_since
            return arrival(after) if is_new else []
        changes = lead_changes(before, after)
        if before.lead["gone_at"] is not None:
            changes.append(LeadChange("lead", "deleted", "1", None))
        return changes

    def _keep_changes(
        self, connection: Connection, changes: Mapping[str, Sequence[LeadChange]], now: datetime
    ) -> None:
        rows = [
            {"lead_id": lead_id, "pull_id": self._pull_id, "seen_at": now, **asdict(change)}
            for lead_id, found in changes.items()
            for change in found
        ]
        self.tables.upsert(connection, "lead_changes", rows, keep=frozenset({"old_value"}))
        self.tables.run(
            connection,
            "UPDATE leads SET gone_at = :now WHERE id = :id",
            [
                {"id": lead_id, "now": now}
                for lead_id, found in changes.items()
                if any(change.field == "deleted" and change.new_value for change in found)
            ],
        )

    def _keep_sales(self, connection: Connection, answer: PulledSales, now: datetime) -> None:
        if answer.transactions:
            self._keep_transaction_stubs(connection, answer.transactions, now)
        if answer.subscriptions:
            self._keep_subscription_stubs(connection, answer.subscriptions, now)
        status = _STATUS.get(answer.type or "", "pulled" if answer.type is None else "refused")
        self.tables.run(
            connection,
            "UPDATE lead_roster SET sales_at = :now, status = :status, type = :type WHERE lookup = :lookup",
            [{"now": now, "status": status, "type": answer.type, "lookup": answer.lookup}],
        )

    def _keep_transaction_stubs(
        self, connection: Connection, stubs: Sequence[TableRow], now: datetime
    ) -> None:
        known = {
            row.transaction_id: row
            for row in self.tables.read(
                connection,
                "SELECT transaction_id, transaction_type, origin FROM transactions"
                " WHERE transaction_id IN :ids",
                ids=[stub["transaction_id"] for stub in stubs],
            )
        }
        owed = [
            {**stub, "origin": "api", "listed_at": now, "pulled_at": None}
            for stub in stubs
            if (row := known.get(stub["transaction_id"])) is None
            or row.origin != "api"
            or row.transaction_type != stub["transaction_type"]
        ]
        self.tables.upsert(connection, "transactions", owed, keep=frozenset({"listed_at"}))

    def _keep_subscription_stubs(
        self, connection: Connection, stubs: Sequence[TableRow], now: datetime
    ) -> None:
        known = {
            row.subscription_id: row
            for row in self.tables.read(
                connection,
                "SELECT * FROM subscriptions WHERE subscription_id IN :ids",
                ids=[stub["subscription_id"] for stub in stubs],
            )
        }
        rows: list[TableRow] = []
        changes: dict[str, list[LeadChange]] = {}
        for stub in stubs:
            row = known.get(stub["subscription_id"])
            status = stub["subscription_status"]
            is_owed = row is None or row.is_owed or row.subscription_status != status or status in OPEN
            rows.append({**stub, "listed_at": now, "status_seen_at": now, "is_owed": int(is_owed)})
            if row is not None and row.subscription_status != status and stub["lead_id"]:
                change = LeadChange("subscription", stub["subscription_id"], row.subscription_status, status)
                changes.setdefault(stub["lead_id"], []).append(change)
        self.tables.upsert(connection, "subscriptions", rows, keep=frozenset({"listed_at"}))
        self._keep_changes(connection, changes, now)

    def _keep_details(self, connection: Connection, answer: PulledDetails, now: datetime) -> None:
        fixed = {"origin": "api", "listed_at": now, "pulled_at": now}
        rows = [{**row, **fixed} for row in answer.transactions]
        self.tables.upsert(connection, "transactions", rows, keep=frozenset({"listed_at"}))
        fixed = {"listed_at": now, "status_seen_at": now, "pulled_at": now, "is_owed": 0}
        rows = [{**row, **fixed} for row in answer.subscriptions]
        self.tables.upsert(connection, "subscriptions", rows, keep=frozenset({"listed_at"}))
        for statement, refused in (
            (
                "UPDATE transactions SET pulled_at = :now, extra = :extra WHERE transaction_id = :id",
                answer.refused_transactions,
            ),
            (
                "UPDATE subscriptions SET is_owed = 0, extra = :extra WHERE subscription_id = :id",
                answer.refused_subscriptions,
            ),
        ):
            self.tables.run(
                connection,
                statement,
                [{"id": key, "now": now, "extra": {"refused": kind}} for key, kind in refused.items()],
            )


UNSTORABLE = "unstorable"
"""Stands where Kartra's error type would, for an answer that the database refused."""


def _apart(answer: Pulled) -> list[Pulled]:
    """The same in as many answers as it has rows of details."""
    if not isinstance(answer, PulledDetails):
        return [answer]
    refusals = replace(answer, transactions=(), subscriptions=())
    return [
        *(PulledDetails(transactions=[row]) for row in answer.transactions),
        *(PulledDetails(subscriptions=[row]) for row in answer.subscriptions),
        *([refusals] if refusals.refused_transactions or refusals.refused_subscriptions else []),
    ]


def _refused(answer: Pulled) -> Pulled:
    """What is noted of an answer, of one row, that the database refused."""
    match answer:
        case PulledProfile():
            return PulledProfile(answer.lookup, None, UNSTORABLE)
        case PulledSales():
            return PulledSales(answer.lookup, None, None, UNSTORABLE)
        case PulledDetails():
            return PulledDetails(
                refused_transactions={row["transaction_id"]: UNSTORABLE for row in answer.transactions},
                refused_subscriptions={row["subscription_id"]: UNSTORABLE for row in answer.subscriptions},
            )


_STATUS = {"245": "deleted", "234": "unknown", "243": "unknown"}
_ONE = {"tags": "tag", "lists": "list", "sequences": "sequence", "pages": "page"}
_KEYS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(NAMES, ("name",)),
    "custom_fields": ("field_identifier",),
    "custom_field_options": ("field_identifier", "option_id"),
}


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


def _renamed(word: str, gone: Sequence[tuple[str, ...]], come: Sequence[tuple[str, ...]]) -> list[str]:
    """Kartra shows no ids with names, so a rename can only be suspected: one gone, one new and alike."""
    olds, news = [name for (name,) in gone], [name for (name,) in come]
    pairs = [(old, news[0] if len(olds) == len(news) == 1 else nearest(old, news)) for old in olds]
    return [f'{word} "{old}" is gone and "{new}" is new: renamed?' for old, new in pairs if new]


def _renamed_fields(
    known: Mapping[tuple[str, ...], Row[Any]], rows: Sequence[TableRow], gone: Sequence[tuple[str, ...]]
) -> list[str]:
    """Custom fields have numbers, which stay."""
    by_number = {row["field_id"]: row["field_identifier"] for row in rows if row["field_id"]}
    return [
        f'custom field "{name[0]}" is called "{new}" now'
        for name in gone
        if (new := by_number.get(known[name].field_id))
    ]


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value
