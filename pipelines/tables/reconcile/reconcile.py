"""Merges Kartra's transactions export with the pulled transactions, and lists the gaps.

Pulled values stay, and the export fills what they lack. Transactions that are only in the export are kept
with the origin `export` until a pull replaces them. `sales_export` reads the file.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, field, fields
from datetime import datetime
from decimal import Decimal
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any

from connectors.clock import utc_now
from connectors.databases.tables import Tables, as_utc
from connectors.errors import ConfigError
from connectors.kartra.cells import TableRow
from connectors.kartra.clock import zone_of
from connectors.kartra.money import money_text, net_of
from connectors.sources import Source
from connectors.sources.files.csv_file import open_csv
from pipelines.config.pipeline import PipelineConfig
from pipelines.private_file import open_private
from pipelines.state.place import is_there
from pipelines.state.store import Store
from pipelines.tables.reconcile.findings import Finding, Kind, Scratch
from pipelines.tables.reconcile.sale_dates import ReadDate, date_reader
from pipelines.tables.reconcile.sales_export import (
    COLUMNS,
    BadSaleError,
    Layout,
    end_of,
    is_known_type,
    layout_of,
    sale_row,
    without_buyer,
)
from pipelines.tables.session import Session, opened
from pipelines.tables.spreadsheets import CsvForPeople
from pipelines.tables.warehouse import open_warehouse

CHUNK_ROWS = 2_000
"""The rows that are read, compared and written in one transaction."""

_CANCELLATIONS = frozenset(("cancellation", "request_cancellation", "revert_cancellation"))
_MONEY = (
    *("transaction_full_amount", "net_amount", "transaction_base_amount", "transaction_discount"),
    *("transaction_shipping", "transaction_tax"),
)


@dataclass(slots=True)
class Reconciliation:
    """The result: read = new + merged + known + bad."""

    file: str
    currency: str
    scratch: Scratch
    rows: Counter[str] = field(default_factory=Counter)
    begin: datetime | None = None
    end: datetime | None = None
    leads_added: int = 0

    @property
    def agrees(self) -> bool:
        return not any(self.scratch.count(kind) for kind in Kind)

    def widen(self, row: TableRow) -> None:
        at = row["transaction_date_utc"]
        if at is not None:
            self.begin = min(self.begin or at, at)
            self.end = max(self.end or at, end_of(row))


@contextmanager
def reconciled(
    config: PipelineConfig, path: Path, *, date_format: str | None = None, add_leads: bool = False
) -> Iterator[Reconciliation]:
    """Merges the export into the tables of the pipeline. Raises SourceError, ConfigError, TablesError.

    It commits chunk by chunk. After an error it can be run again; running it twice changes nothing.
    """
    pull = config.pull
    if pull is None:
        raise ConfigError(f"{config.path.name}: without `pull:` there are no tables to compare with")
    source = open_csv(path, chunk_rows=CHUNK_ROWS)
    layout = layout_of(source.columns, path.name)
    dates = partial(_dates, source, layout)
    read_date = date_reader(dates, zone_of(pull.time_zone), date_format)
    is_forgotten = _forgotten_in(config)
    with open_warehouse(pull.into, zone=zone_of(pull.zone)) as tables, Scratch() as scratch:
        outcome = Reconciliation(path.name, layout.currency, scratch)
        merge = _Merge(tables, outcome, utc_now())
        for chunk in source.chunks():
            outcome.rows["read"] += len(chunk.frame) + len(chunk.bad_rows)
            for bad in chunk.bad_rows:
                merge.refuse(bad.row, bad.reason)
            merge.run(list(_rows(chunk.frame.itertuples(name=None), layout, read_date, merge, is_forgotten)))
        _find_absent(tables, outcome)
        if add_leads:
            outcome.leads_added = _add_leads(tables, scratch)
        yield outcome


def merged(row: TableRow, known: TableRow) -> TableRow:
    """The merged row, by COLUMNS.

    Pulled values win and the export fills their gaps; a later export wins over an earlier one.
    """
    pulled = known["origin"] == "api"
    first, second = (known, row) if pulled else (row, known)
    both = {name: second[name] if first[name] is None else first[name] for name in COLUMNS}
    both["extra"] = {**(second["extra"] or {}), **(first["extra"] or {})} or None
    if not pulled or both["net_amount"] is None:
        both["net_amount"] = net_of(both["transaction_type"], both["transaction_full_amount"])
    return both


def disagreements(row: TableRow, known: TableRow) -> Iterator[str]:
    """The columns in which the export contradicts the pulled row; an absent value contradicts nothing.

    The signs of amounts are ignored. The API knows only one type of cancellation, where the export has three.
    """
    kinds = {row["transaction_type"], known["transaction_type"]} - {None}
    if len(kinds) > 1 and not kinds <= _CANCELLATIONS:
        yield "transaction_type"
    here, there = row["transaction_full_amount"], known["transaction_full_amount"]
    if here is not None and there is not None and abs(here) != abs(there):
        yield "transaction_full_amount"
    if known["currency"] not in (None, row["currency"]):
        yield "currency"


def write_findings(outcome: Reconciliation, path: Path) -> int:
    """Writes all findings as CSV, readable by the owner alone; returns the number of lines."""
    count = 0
    with open_private(path) as handle:
        writer = CsvForPeople(handle)
        writer.writerow([one.name for one in fields(Finding)])
        for kind in Kind:
            for finding in outcome.scratch.findings(kind):
                writer.writerow(astuple(finding))
                count += 1
    return count


class _Merge:
    """Merges rows of the export into the table, a chunk at a time."""

    def __init__(self, tables: Tables, outcome: Reconciliation, now: datetime) -> None:
        self._tables, self._outcome, self._now = tables, outcome, now
        self._scratch = outcome.scratch

    def refuse(self, row: int, reason: str) -> None:
        self._outcome.rows["bad"] += 1
        self._scratch.add([Finding(Kind.BAD_ROW, row=row, what=reason)])

    def run(self, rows: Sequence[tuple[int, TableRow]]) -> None:
        fresh = [(number, row) for number, row in rows if self._is_first(number, row)]
        found: list[Finding] = []
        new: list[TableRow] = []
        changed: list[TableRow] = []
        with opened(self._tables) as session:
            known = _known(session, [row["transaction_id"] for _, row in fresh])
            for number, row in fresh:
                there = known.get(row["transaction_id"])
                found += _findings(number, row, there)
                if there is None:
                    new.append({**row, "origin": "export", "listed_at": self._now})
                elif (both := merged(row, there)) != {name: there[name] for name in COLUMNS}:
                    changed.append({**both, "origin": there["origin"], "listed_at": there["listed_at"]})
            every = frozenset((*COLUMNS, "origin", "listed_at"))
            # keep: a pull may have written the same transaction meanwhile.
            session.upsert("transactions", new, keep=every)
            session.upsert("transactions", changed)
            not_pulled = {one.lead_id for one in found if one.kind == Kind.NOT_PULLED and one.lead_id}
            self._scratch.add_leads(not_pulled - _rostered(session, sorted(not_pulled)))
        self._scratch.add(found)
        self._outcome.rows.update(
            {"new": len(new), "merged": len(changed), "known": len(fresh) - len(new) - len(changed)}
        )
        for _, row in fresh:
            self._outcome.widen(row)

    def _is_first(self, number: int, row: TableRow) -> bool:
        """Whether the number is new. A repeated one counts once; with other values it is a bad row."""
        digest = blake2b(repr(row).encode(), digest_size=16).digest()
        seen = self._scratch.see(row["transaction_id"], digest)
        if seen is None:
            return True
        if seen == digest:
            self._outcome.rows["known"] += 1
        else:
            self.refuse(number, "the ID is that of an earlier row, which says something else")
        return False


def _known(session: Session, ids: list[str]) -> dict[str, TableRow]:
    if session.tables.dialect == "sqlite":
        # The driver would begin with the first write, after the rows below were read.
        session.connection.exec_driver_sql("BEGIN IMMEDIATE")
    rows = session.read("reconcile/known", ids=ids) if ids else ()
    return {row.transaction_id: _typed(row._mapping) for row in rows}


def _rostered(session: Session, lead_ids: list[str]) -> set[str]:
    if not lead_ids:
        return set()
    lookups = [f"id:{lead_id}" for lead_id in lead_ids]
    rows = session.read("reconcile/on_roster", lead_ids=lead_ids, lookups=lookups)
    return {row.found for row in rows}


def _rows(
    records: Iterator[tuple[Any, ...]],
    layout: Layout,
    read_date: ReadDate,
    merge: _Merge,
    is_forgotten: Callable[[str], bool],
) -> Iterator[tuple[int, TableRow]]:
    """(row number, row of the table) of every usable record."""
    for number, *cells in records:
        try:
            row = sale_row(cells, layout, read_date)
        except BadSaleError as error:
            merge.refuse(number, str(error))
            continue
        if row["lead_email"] and is_forgotten(row["lead_email"]):
            row = without_buyer(row)
        yield number, row


def _findings(number: int, row: TableRow, known: TableRow | None) -> Iterator[Finding]:
    key, lead_id = row["transaction_id"], row["lead_id"] or (known or {}).get("lead_id")
    if known is None or known["pulled_at"] is None:
        yield Finding(Kind.NOT_PULLED, number, key, lead_id)
    if not is_known_type(row["transaction_type"]):
        yield Finding(Kind.UNKNOWN_TYPE, number, key, lead_id, "transaction_type")
    if known is not None and known["origin"] == "api":
        for name in disagreements(row, known):
            yield Finding(Kind.DISAGREES, number, key, lead_id, name, _shown(row[name]), _shown(known[name]))


def _find_absent(tables: Tables, outcome: Reconciliation) -> None:
    """Finds pulled transactions within the time span of the export that are not in it."""
    if outcome.begin is None or outcome.end is None:
        return
    span: dict[str, Any] = {"begin": outcome.begin, "end": outcome.end}
    after = ""
    while True:
        with opened(tables) as session:
            page = session.read("reconcile/pulled_within", after=after, count=CHUNK_ROWS, **span)
        outcome.scratch.add(
            [
                Finding(Kind.NOT_IN_EXPORT, None, row.transaction_id, row.lead_id)
                for row in page
                if not outcome.scratch.has_seen(row.transaction_id)
            ]
        )
        if len(page) < CHUNK_ROWS:
            return
        after = page[-1].transaction_id


def _add_leads(tables: Tables, scratch: Scratch) -> int:
    """Puts the unknown leads on the roster for the next pull; returns how many."""
    now = utc_now()
    fixed = {"status": "waiting", "added_at": now}
    rows = [{"lookup": f"id:{lead_id}", **fixed} for lead_id in scratch.leads()]
    with opened(tables) as session:
        session.upsert("lead_roster", rows, keep=frozenset(fixed))
    return len(rows)


def _typed(row: Mapping[Any, Any]) -> TableRow:
    """A row of any database, with values in the form of `sale_row`."""
    typed = {str(name): value for name, value in row.items()}
    for name in _MONEY:
        typed[name] = None if typed[name] is None else Decimal(typed[name])
    for name in ("transaction_date_utc", "listed_at", "pulled_at"):
        typed[name] = as_utc(typed[name])
    if isinstance(typed["extra"], str):
        typed["extra"] = json.loads(typed["extra"])
    return typed


def _shown(value: object) -> str:
    return money_text(value) if isinstance(value, Decimal) else str(value)


def _dates(source: Source, layout: Layout) -> Iterator[str]:
    place = layout.place_of("Date")
    for chunk in source.chunks():
        yield from chunk.frame.iloc[:, place]


def _forgotten_in(config: PipelineConfig) -> Callable[[str], bool]:
    """A function that says whether an address belongs to a forgotten person."""
    if not is_there(config.state):
        return lambda _: False
    with Store(config.state) as store:
        forgotten = store.forgetting.forgotten()
    return lambda address: forgotten is not None and forgotten.holds_one_of((address,))
