"""The warehouse: the tables that a pull fills. Each transition is one method and one transaction.

`sql/warehouse/migrations` defines the tables; `lead_rows` and `sale_rows` turn Kartra's answers into rows.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

from sqlalchemy import Row

from connectors.clock import utc_now
from connectors.databases.tables import Tables, as_utc, json_value, tables_url
from connectors.errors import ConfigError, RefusedValueError
from connectors.kartra.cells import TableRow
from pipelines.batches import batches
from pipelines.state.clock import CLOCKS_DIFFER
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
from pipelines.tables.lead_rows import LeadRows
from pipelines.tables.leads import BATCH, Keeping, PartsSeen, clear_missing_parts, keep_profiles
from pipelines.tables.names import NameTable, keep_names
from pipelines.tables.part_rows import PART_TABLES
from pipelines.tables.reports import create_views
from pipelines.tables.sale_rows import BUYER
from pipelines.tables.sales import keep_details, keep_sales
from pipelines.tables.schema import MIGRATIONS, migrations, refuse_foreign_tables
from pipelines.tables.session import Session, opened
from pipelines.tables.unvalued import unvalued_notes

TABLES = (
    *("tags", "lists", "sequences", "pages", "custom_fields"),
    *("leads", "transactions", "subscriptions"),
)
"""The names for `pull.tables`, in the order of pulling."""
_DATED_AHEAD = "dated later than the pull after it"


class Warehouse:
    """The tables of one pipeline's pull. Raises TablesError for whatever the database refuses."""

    def __init__(
        self,
        into: str | Path,
        *,
        create: bool = True,
        read_only: bool = False,
        zone: tzinfo = UTC,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """Without `create` a missing file is an error; tables in a server may still be missing. `read_only`
        implies that and never writes. `zone` is that of months and weeks in the views of reports.
        """
        create = create and not read_only
        self.tables = Tables(tables_url(into), create=create, read_only=read_only)
        try:
            if create:
                refuse_foreign_tables(self.tables)
                self.tables.migrate(migrations(MIGRATIONS))
                create_views(self.tables, now(), zone)
        except BaseException:
            self.tables.close()
            raise
        self.pulled: Counter[str] = Counter()
        """The rows of each table that this pull has read."""
        self._left_out: Counter[str] = Counter()  # answers that the database refused, by its message
        self._notes: list[str] = []
        self._parts = PartsSeen()
        self._unread_sales = 0
        self._now = now
        self._pull_id = ""
        self._watched_since: datetime | None = None

    def close(self) -> None:
        self.tables.close()

    def __enter__(self) -> "Warehouse":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- pulls

    def is_there(self) -> bool:
        """Whether a pull was ever made into these tables."""
        with opened(self.tables) as session:
            return self.tables.has(session.connection, "lead_roster")

    def refuse_foreign_tables(self) -> None:
        """Raises ConfigError if the tables were not made by a pull."""
        refuse_foreign_tables(self.tables)

    def begin_pull(
        self, pull_id: str, pipeline: str, account: str, now: datetime, *, other_account: bool = False
    ) -> None:
        """Begins a pull. Raises ConfigError if the tables hold another account, unless that is approved."""
        with opened(self.tables) as session:
            every = session.read("pulls/earlier_pulls")
            latest = now + CLOCKS_DIFFER
            ahead = [row for row in every if _started(row) > latest]
            earlier = [row for row in every if _started(row) <= latest]
            last = (earlier or ahead)[-1:]
            # By the last pull that is not dated ahead: after a wrong clock such a one would stay the last for
            # years.
            if last and last[0].account != account and not other_account:
                raise ConfigError(
                    f"{self.tables.name}: these tables hold another Kartra account (another API key or URL)."
                    " Pull into other tables, or, to go on in these: run --take-over-tables"
                )
            row = {"pull_id": pull_id, "pipeline": pipeline, "account": account, "started_at": now}
            row |= {"status": "running", "calls": 0, "leads_read": 0, "leads_waiting": 0}
            session.upsert("pull_runs", [row])
            self._notes += _mark_ahead(session, ahead)
        self._pull_id = pull_id
        self._watched_since = _started(earlier[0]) if earlier else now

    def finish_pull(
        self, now: datetime, status: str, *, calls: int, waiting: int, notes: Sequence[str]
    ) -> None:
        row = {"finished_at": now, "status": status, "calls": calls, "leads_waiting": waiting}
        row |= {"leads_read": self.pulled["leads"], "pulled": dict(self.pulled), "notes": list(notes)}
        with opened(self.tables) as session:
            session.run("pulls/finish_pull", [{**row, "pull_id": self._pull_id}])

    def notes(self) -> list[str]:
        """Remarks on this pull and on the content of the tables."""
        left_out = [
            f"{count:,} answers were left out, because the tables cannot hold them: {said}"
            for said, count in self._left_out.items()
        ]
        notes = [*self._notes, *self._parts.notes(), *left_out]
        if self._unread_sales:
            notes.append(f"{self._unread_sales:,} entries in lists of sales name no sale, and are left out")
        with opened(self.tables) as session:
            return notes + unvalued_notes(session)

    # --- names

    def keep_names(self, kind: NameTable, rows: Sequence[TableRow], now: datetime) -> list[str]:
        """Keeps all names of a kind; returns remarks on those that look renamed."""
        with opened(self.tables) as session:
            notes = keep_names(session, kind, rows, now)
        self.pulled[kind] = len(rows)
        return notes

    def has_names(self, kind: NameTable) -> bool:
        with opened(self.tables) as session:
            rows = session.read("pulls/names", template={"table": kind})
        return any(row.gone_at is None for row in rows)

    # --- the roster

    def add_to_roster(self, lookups: Iterable[str], now: datetime) -> int:
        """Puts new leads on the roster, compared by all of their names; returns how many."""
        added = 0
        for batch in batches(lookups, BATCH):
            with opened(self.tables) as session:
                new = _unknown(session, batch)
                rows = [
                    {"lookup": lookup, "lead_id": _id_in(lookup), "status": "waiting", "added_at": now}
                    for lookup in new
                ]
                session.upsert("lead_roster", rows)
            added += len(new)
        return added

    def count_unknown(self, lookups: Iterable[str]) -> int:
        """How many of these leads are not on the roster yet."""
        with opened(self.tables) as session:
            return sum(len(_unknown(session, batch)) for batch in batches(lookups, BATCH))

    def stale(self, before: datetime, count: int, *, profiles: bool, sales: bool) -> list[RosterEntry]:
        """Leads that were not read since `before`, those never read first."""
        wanted = self._wanted(before, profiles=profiles, sales=sales)
        with opened(self.tables) as session:
            return [
                RosterEntry(row.lookup, row.lead_id, as_utc(row.profile_at), as_utc(row.sales_at))
                for row in session.read("roster/stale", count=count, **wanted)
            ]

    def waiting(self, before: datetime, *, profiles: bool, sales: bool) -> Waiting:
        with opened(self.tables) as session:
            (row,) = session.read("roster/waiting", **self._wanted(before, profiles=profiles, sales=sales))
        return Waiting(**row._mapping)

    def _wanted(self, before: datetime, *, profiles: bool, sales: bool) -> dict[str, Any]:
        latest = self._now() + CLOCKS_DIFFER
        return {"before": before, "latest": latest, "profiles": int(profiles), "sales": int(sales)}

    def owed(self, count: int) -> tuple[list[TableRow], list[TableRow]]:
        """The transactions and subscriptions whose details are due, as rows of their lists."""
        with opened(self.tables) as session:
            transactions = session.read("pulls/owed_transactions", count=count)
            subscriptions = session.read("pulls/owed_subscriptions", count=count)
        return (
            [{**row._mapping, "extra": json_value(row.extra)} for row in transactions],
            [dict(row._mapping) for row in subscriptions],
        )

    def erase(self, addresses: Sequence[str]) -> dict[str, int]:
        """Erases people by their lower-case addresses; their purchases stay, without name and address.

        Returns how many leads. Only a source that names them puts them on the roster again.
        """
        with opened(self.tables) as session:
            ids = [row.id for row in session.read("roster/ids_of", addresses=list(addresses))]
            keys = [{"lead_id": lead_id} for lead_id in ids]
            session.delete("leads", [{"id": lead_id} for lead_id in ids])
            for table in (*PART_TABLES, "lead_changes", "lead_roster"):
                session.delete(table, keys)
            # Also who was never found in Kartra: their address stands on the roster alone.
            session.delete("lead_roster", [{"lookup": f"email:{address}"} for address in addresses])
            named = [{"lead_email": address} for address in addresses]
            for table, columns in (("transactions", BUYER), ("subscriptions", ("lead_email",))):
                template = {"table": table, "columns": columns}
                session.run("pulls/erase_buyer_by_lead", keys, template=template)
                session.run("pulls/erase_buyer_by_address", named, template=template)
        return {"leads": len(ids)}

    # --- answers

    def settle(self, now: datetime) -> None:
        """Decides, at the end of a pull, the parts of leads that it left undecided."""
        with opened(self.tables) as session:
            clear_missing_parts(self._keeping(session, now))

    def _keeping(self, session: Session, now: datetime) -> Keeping:
        return Keeping(session, self._pull_id, self._watched_since, now, self._parts)

    def keep(self, answers: Sequence[Pulled], now: datetime) -> None:
        """Keeps several answers in one transaction, each completely or not at all.

        An answer with a value that does not fit into the database is noted as refused; the others are kept.
        """
        try:
            self._keep(answers, now)
        except RefusedValueError as error:
            # The database refuses a transaction as a whole: answers are tried again one by one, to find the
            # one that does not fit.
            parts = answers if len(answers) > 1 else apart(answers[0])
            if len(parts) == 1:
                self._keep([refused(parts[0])], now)
                self._left_out[str(error)] += 1
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
            case PulledSales():
                self._unread_sales += answer.unread
            case PulledDetails():
                self.pulled["transactions"] += len(answer.transactions)
                self.pulled["subscriptions"] += len(answer.subscriptions)

    def _keep(self, answers: Sequence[Pulled], now: datetime) -> None:
        with opened(self.tables) as session:
            keeping = self._keeping(session, now)
            keep_profiles(keeping, [one for one in answers if isinstance(one, PulledProfile)])
            for answer in answers:
                if isinstance(answer, PulledSales):
                    keep_sales(keeping, answer)
                elif isinstance(answer, PulledDetails):
                    keep_details(keeping, answer)


def _started(pull: Row[Any]) -> datetime:
    return as_utc(pull.started_at) or utc_now()


def _mark_ahead(session: Session, ahead: Sequence[Row[Any]]) -> list[str]:
    """Remarks, once for each, on pulls dated later than this one: a clock was wrong."""
    news = [(row, json_value(row.notes) or []) for row in ahead]
    news = [(row, notes) for row, notes in news if _DATED_AHEAD not in notes]
    marked = [{"pull_id": row.pull_id, "notes": [*notes, _DATED_AHEAD]} for row, notes in news]
    session.run("pulls/note_pull", marked)
    return [
        f"an earlier pull is dated {_started(row):%Y-%m-%d %H:%M} UTC, which is later than now: a clock was"
        " wrong then, or is wrong now. What it noted as fresh is asked for again"
        for row, _ in news
    ]


def _unknown(session: Session, lookups: Sequence[str]) -> list[str]:
    names = {lookup: lookup.partition(":")[2] for lookup in lookups}
    rows = session.read(
        "roster/known_lookups",
        lookups=list(names),
        lead_ids=[name for lookup, name in names.items() if lookup.startswith("id:")],
        addresses=[name for lookup, name in names.items() if lookup.startswith("email:")],
    )
    found = {row.found for row in rows}
    return [lookup for lookup, name in names.items() if lookup not in found and name not in found]


def _id_in(lookup: str) -> str | None:
    kind, _, name = lookup.partition(":")
    return name if kind == "id" else None


def open_warehouse(
    into: str | Path, *, create: bool = True, read_only: bool = False, zone: tzinfo = UTC
) -> Tables:
    """The migrated tables. Raises TablesError, ConfigError."""
    return Warehouse(into, create=create, read_only=read_only, zone=zone).tables
