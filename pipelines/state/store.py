"""The state store: one SQLite file, each transition one method and one transaction.

Every statement longer than a line stands in `sql/state/`. One store belongs to one thread. WAL with
synchronous=FULL: what a method has committed survives a power loss (0.2 ms a commit, measured).
"""

import json
import logging
import os
import secrets
import sqlite3
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import chain, groupby
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal, get_args

from sqlalchemy import URL, ExceptionContext, Row, TextClause, create_engine, event, text
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.pool import StaticPool

from pipelines.contacts.forgotten import SALT_BYTES, Forgotten, cells_of, hash_name, names_in
from pipelines.contacts.lead import CustomValue, DesiredLead, Origin, Snapshot
from pipelines.contacts.staged import Reject, StagedColumns
from pipelines.errors import LockedError, StateError
from pipelines.shipped import ROOT, read_sql
from pipelines.state.check import StateCheck
from pipelines.state.file import BUSY_TIMEOUT_S, copy_state, refuse_network, what_is_wrong
from pipelines.state.lease import Holder

MIGRATIONS = ROOT / "sql" / "state" / "migrations"
JOURNAL_KEPT = timedelta(days=90)
BATCH = 1_000
ADOPTED_AT_ONCE = 1_000
STAGED_AT_ONCE = 1_000

OnceOnly = Literal["sequences", "points", "calendars"]
"""What Kartra gives again each time it is asked, and its own import of a file does not give."""
Standing = Literal["new", "known", "changed", "unknown", "shared", "not_imported"]
"""How a staged lead stands before it is taken over: see `sql/state/adopt_decide.sql`."""

log = logging.getLogger("kartra_sync.state")


@dataclass(frozen=True, slots=True)
class Difference:
    """A staged lead that is not as Kartra acknowledged it; `refused` is why it was refused before."""

    row: int
    line: int
    key: str
    digest: bytes
    desired: DesiredLead
    snapshot: Snapshot | None
    origin: Origin | None
    was_removed: bool
    refused: tuple[str | None, str] | None


@dataclass(frozen=True, slots=True)
class Entry:
    """An open entry of the outbox with the snapshot of its lead.

    `wish` is `desired` as it is stored, `change` the JSON of the open try.
    """

    entry_id: int
    key: str
    kind: Literal["load", "removal"]
    row: int | None
    digest: bytes
    wish: str | None = field(repr=False)
    desired: DesiredLead | None
    change: str | None
    attempts: int
    sent_at: datetime | None
    snapshot: Snapshot | None
    origin: Origin | None


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What is known of a lead once an answer came. An empty digest: something is still owed."""

    snapshot: Snapshot
    origin: Origin
    digest: bytes = b""
    removed: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an entry ended. `done` says what was effected, by command names; `cause` what was refused of it."""

    name: str
    type: str | None = None
    reason: str | None = None
    done: str | None = None
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class Erased:
    """A person that was forgotten: under which names, and how many rows went, by table."""

    names: frozenset[str] = field(repr=False)
    rows: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Watermark:
    """Up to where a query was read; `highest` is JSON, `full_at` when it was last read as a whole."""

    source: bytes
    highest: str
    full_at: datetime


@dataclass(frozen=True, slots=True)
class Comparable:
    """A lead as it was acknowledged, to be compared with Kartra; `found`: JSON of the last look."""

    key: str
    snapshot: Snapshot
    changed_at: str
    found: str | None


@dataclass(frozen=True, slots=True)
class Importable:
    """A staged lead that may go into a file for Kartra's own import.

    `refused` is why Kartra refused this very wish before, `snapshot` what it has of the lead from us.
    """

    row: int
    key: str
    digest: bytes
    desired: DesiredLead
    standing: Standing
    snapshot: Snapshot | None
    refused: str | None


TextKind = Literal["snapshot", "wish", "change", "summary", "inventory", "record", "drift"]
_TEXTS: Mapping[TextKind, str] = {
    "snapshot": "SELECT snapshot FROM leads",
    "wish": "SELECT wish FROM outbox WHERE wish IS NOT NULL",
    "change": "SELECT change FROM outbox WHERE change IS NOT NULL",
    "summary": "SELECT summary FROM runs WHERE summary IS NOT NULL",
    "inventory": "SELECT content FROM inventories",
    "record": "SELECT record FROM rejects WHERE record <> ''",
    "drift": "SELECT found FROM drift",
}


def utc_now() -> datetime:
    return datetime.now(UTC)


class Store:
    """The state file, open. `scope_id` is set by `enter_scope` and narrows every method after it."""

    def __init__(self, path: Path | None, *, check_beside: bool = False) -> None:
        """`path` None is a store in memory, for looking without leaving a file. Raises StateError.

        `check_beside`: who only looks may begin before it is known whether the file is whole, and asks
        `check_is_whole` before anything is told of it. A file that has to be migrated is checked first.
        """
        self.path = path
        self._check: StateCheck | None = None
        self.scope_id = 0
        self._has_known = self._has_staged = self._all_are_new = False
        self._unpack: Callable[[bytes], Mapping[int, str]]
        self._unpacked: Mapping[int, str] = {}
        if path is not None:
            refuse_network(path)
            _create_private(path)
        self._engine = create_engine(
            URL.create("sqlite", database=str(path) if path else None),
            poolclass=StaticPool,
            isolation_level="AUTOCOMMIT",  # transactions are begun by _transaction alone
            connect_args={"timeout": BUSY_TIMEOUT_S},
            hide_parameters=True,  # they are people's data
        )
        event.listen(self._engine, "handle_error", self._translate)
        self._statements: dict[str, TextClause] = {}
        self._is_together = self._has_begun = False
        try:
            self._connection = self._engine.connect()
            self._prepare(check_beside=check_beside)
        except StateError:
            self._dispose()
            raise
        except (DatabaseError, sqlite3.Error) as error:
            self._dispose()
            raise StateError(f"{path}: cannot be used as state: {_cause(error)}") from error

    def check_is_whole(self) -> None:
        """Wait for the check of the file that began with the store. Raises StateError where it is damaged."""
        if self._check is not None:
            self._check.wait()

    def close(self) -> None:
        self._connection.close()
        self._dispose()

    def _dispose(self) -> None:
        if self._check is not None:
            self._check.stop()
        self._engine.dispose()

    def __enter__(self) -> "Store":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Where the file is damaged, this is told instead of an error that comes of it."""
        try:
            if kind is None or issubclass(kind, Exception):
                self.check_is_whole()
        finally:
            self.close()

    # --- scope, runs, lease

    def enter_scope(self, pipeline: str, account: str, mode: str) -> None:
        """From here on the store speaks of this pipeline in this account and mode."""
        scope = {"pipeline": pipeline, "account": account, "mode": mode}
        with self._transaction():
            self._run_line(
                "INSERT OR IGNORE INTO scopes (pipeline, account, mode) VALUES (:pipeline, :account, :mode)",
                **scope,
            )
        self.find_scope(**scope)

    def find_scope(self, pipeline: str, account: str, mode: str) -> None:
        """As `enter_scope`, but writes nothing: a scope that is not there yet knows no lead."""
        rows = self._run_line(
            "SELECT scope_id FROM scopes WHERE pipeline=:pipeline AND account=:account AND mode=:mode",
            pipeline=pipeline,
            account=account,
            mode=mode,
        )
        self.scope_id = rows[0].scope_id if rows else 0

    def take_lease(self, pipeline: str, holder: Holder) -> Holder | None:
        """Take the lease for `holder`, or say who holds it. A dead holder's lease is taken over."""
        with self._transaction():
            current = self.holder(pipeline)
            if current is not None:
                return current
            self._run(
                "take_lease",
                pipeline=pipeline,
                run_id=holder.run_id,
                host=holder.host,
                pid=holder.pid,
                process_started=holder.process_started,
                now=_now(),
            )
        return None

    def holder(self, pipeline: str) -> Holder | None:
        """Who runs this pipeline now; a dead holder is nobody."""
        rows = self._run_line("SELECT * FROM leases WHERE pipeline = :pipeline", pipeline=pipeline)
        if not rows:
            return None
        holder = Holder(
            run_id=rows[0].run_id,
            host=rows[0].host,
            pid=rows[0].pid,
            process_started=rows[0].process_started,
            taken_at=_instant(rows[0].taken_at),
            heartbeat_at=_instant(rows[0].heartbeat_at),
        )
        return holder if holder.is_alive(utc_now()) else None

    def beat(self, run_id: str) -> None:
        """Say that this run is alive."""
        self._run_line(
            "UPDATE leases SET heartbeat_at = :now WHERE run_id = :run_id", now=_now(), run_id=run_id
        )

    def release_lease(self, run_id: str) -> None:
        self._run_line("DELETE FROM leases WHERE run_id = :run_id", run_id=run_id)

    def begin_run(self, run_id: str, pipeline: str) -> None:
        """Note a run; runs that died are marked, what they planned and never sent is dropped."""
        with self._transaction():
            self._run("abandon", pipeline=pipeline, now=_now())
            self._run_line(
                "DELETE FROM outbox WHERE scope_id = :scope_id AND state = 'planned'", scope_id=self.scope_id
            )
            self._run("prune", before=(utc_now() - JOURNAL_KEPT).isoformat())
            self._run("begin_run", run_id=run_id, pipeline=pipeline, scope_id=self.scope_id, now=_now())
            self._run("prune_rejects", pipeline=pipeline)

    def finish_run(self, run_id: str, status: str, message: str | None, summary: Mapping[str, Any]) -> None:
        with self._transaction():
            self._run(
                "finish_run",
                run_id=run_id,
                status=status,
                message=message,
                summary=json.dumps(summary),
                now=_now(),
            )
            self.release_lease(run_id)

    # --- staging and diff

    def begin_staging(self, unpack: Callable[[bytes], Mapping[int, str]] = lambda _: {}) -> None:
        """`unpack`: how what `stage` is given as originals becomes records as JSON, by their row."""
        self._has_known = self._all_are_new = False
        self._has_staged = True
        self._unpack, self._unpacked = unpack, {}
        self._create_staged()
        self._run("new_leads")
        self._run("new_shapes")
        self._run("new_values")
        self._run("originals")
        self._run("present")
        self._run("suppressed")
        self._run("unseen")

    def _create_staged(self) -> None:
        self._run("staging")
        self._run_line("CREATE INDEX temp.staged_blocked ON staged (row) WHERE blocked IS NOT NULL")

    def count_rejects(self, run_id: str | None) -> int:
        """How many rejects a run has up to now."""
        kept = "SELECT count(*) FROM rejects WHERE run_id = :run_id"
        return int(self._run_line(kept, run_id=run_id)[0][0])

    def stage_again(self, run_id: str | None, rejects: int) -> None:
        """An empty staging table, and of the run's rejects the first: the source is read once more."""
        with self._transaction():
            self._run_line("DROP TABLE temp.staged")
            self._create_staged()
            self._run_line("DELETE FROM temp.originals")
            self._run_line("DELETE FROM temp.present")
            self._run("take_back_rejects", run_id=run_id, kept=rejects)

    def suppress(self, addresses: Sequence[str], reason: str) -> None:
        """Addresses that must not be sent in this run."""
        with self._transaction():
            self._run_many("suppress", [{"address": one, "reason": reason} for one in addresses])

    def stage(
        self,
        records: Sequence[StagedColumns],
        rejects: Sequence[Reject],
        run_id: str | None,
        originals: tuple[int, bytes] | None = None,
    ) -> None:
        """One chunk of the source. Rejects are kept where there is a run to keep them for.

        `originals`: from which row on, and what `pipelines.contacts.originals` packed.
        """
        with self._transaction():
            if originals is not None:
                with self._driver() as driver:
                    driver.execute("INSERT INTO temp.originals VALUES (?, ?)", originals)
            if records:
                self._stage(records)
            for reject in rejects:
                if reject.key is not None:
                    self._run_line("INSERT OR IGNORE INTO temp.present VALUES (:key)", key=reject.key)
            if rejects and run_id is not None:
                self._reject(run_id, rejects)

    def _stage(self, records: Sequence[StagedColumns]) -> None:
        """Many by one statement: so long other threads have the interpreter."""
        one = self._statement("stage").text.rstrip(";\n")
        _, _, placeholders = one.rpartition("VALUES ")
        with self._driver() as driver:
            for start in range(0, len(records), STAGED_AT_ONCE):
                part = records[start : start + STAGED_AT_ONCE]
                driver.execute(one + f", {placeholders}" * (len(part) - 1), tuple(chain.from_iterable(part)))

    def _original_of(self, row: int) -> str | None:
        """For SQL: a staged record that stands in the originals."""
        if row not in self._unpacked:
            with self._driver() as driver:
                found = driver.execute(
                    "SELECT packed FROM temp.originals WHERE first <= ? ORDER BY first DESC LIMIT 1", (row,)
                ).fetchone()
            self._unpacked = self._unpack(found[0]) if found else {}
        return self._unpacked.get(row)

    def end_staging(self) -> int:
        """Find the records that do not speak for their key; gives how many they are."""
        with self._transaction():
            self._run("block_suppressed")
            self._run_line("CREATE INDEX temp.staged_by_key ON staged (key)")
            self._run("duplicates")
        return int(self._run_line("SELECT count(*) FROM temp.losers")[0][0])

    def duplicate_groups(self) -> Iterator[list[Row[Any]]]:
        """The records (key, row, wish, blocked) of each key that stands in the source more than once.

        Read in batches: their wishes may be written meanwhile.
        """
        after = ""
        while rows := self._run("groups", after=after, count=BATCH):
            for _, group in groupby(rows, key=attrgetter("key")):
                yield list(group)
            after = rows[-1].key

    def settle_staging(self, merged: Iterable[Mapping[str, Any]], run_id: str | None) -> int:
        """Write back what was merged (see `merge.sql`), drop the losers; counts the blocked."""
        with self._transaction():
            for wish in merged:
                self._run("merge", **wish)
            if run_id is not None:
                self._run("reject_duplicates", run_id=run_id)
                self._run("reject_blocked", run_id=run_id)
            self._run_line("DELETE FROM temp.staged WHERE row IN (SELECT row FROM temp.losers)")
        return int(self._run_line("SELECT count(*) FROM temp.staged WHERE blocked IS NOT NULL")[0][0])

    def count_unchanged(self) -> tuple[int, int]:
        """Staged leads that are as acknowledged, and those left alone because Kartra had them before us."""
        (counted,) = self._run("unchanged", scope_id=self.scope_id)
        return counted.unchanged, counted.skipped

    def set_new_apart(self) -> None:
        """Staged leads that nothing is known of are many at a first load: `differences` has them no more."""
        with self._transaction():
            self._run("find_new_leads", scope_id=self.scope_id)
            self._run("find_new_shapes")
        (counted,) = self._run("count_staged")
        self._all_are_new = counted.new == counted.not_blocked

    def new_shapes(self) -> Iterator[tuple[int, Difference]]:
        """The new leads that were set apart, one of each shape, with how many there are. Read in batches."""
        after = 0
        while rows := self._run("leads_of_shapes", after=after, count=BATCH):
            for row in rows:
                lead = DesiredLead.from_json(row.wish)
                yield (
                    row.leads,
                    Difference(row.row, row.line, row.key, row.digest, lead, None, None, False, None),
                )
            after = rows[-1].row

    def new_values(self, custom_field: str) -> Iterator[tuple[CustomValue, int]]:
        """What new leads are to have there, and how many of them. Read in batches."""
        with self._transaction():
            self._run_line("DELETE FROM temp.new_values")
            self._run("find_new_values", identifier=custom_field)
        page = "SELECT * FROM temp.new_values WHERE place > :after ORDER BY place LIMIT :count"
        after = 0
        while rows := self._run_line(page, after=after, count=BATCH):
            for row in rows:
                yield tuple(json.loads(row.value)) if row.type == "array" else row.value, row.leads
            after = rows[-1].place

    def enqueue_new(self, run_id: str) -> Iterator[int]:
        """The changes of all new leads that were set apart; gives how many, for each transaction."""
        after = 0
        while (until := self._run("new_range", after=after, count=20 * BATCH)[0].until) is not None:
            rows = {"after": after, "until": until}
            with self._transaction():
                self._run("enqueue_new", run_id=run_id, scope_id=self.scope_id, **rows)
                count = int(self._run_line("SELECT changes()")[0][0])
            yield count
            after = until

    def differences(self) -> Iterator[Difference]:
        """Staged leads that differ from their snapshot, in the order of the source. Read in batches."""
        if self._all_are_new:
            return
        after = 0
        while rows := self._run("diff", scope_id=self.scope_id, after=after, count=BATCH):
            for row in rows:
                yield Difference(
                    row=row.row,
                    line=row.line,
                    key=row.key,
                    digest=row.digest,
                    desired=DesiredLead.from_json(row.wish),
                    snapshot=_snapshot(row),
                    origin=row.origin,
                    was_removed=bool(row.was_removed),
                    refused=(row.refused_type, row.refused_reason) if row.refused else None,
                )
            after = rows[-1].row

    def removed(self) -> Iterator[tuple[str, Snapshot]]:
        """(key, snapshot) of leads whose contact has gone from the source."""
        page = {"scope_id": self.scope_id, "has_known": self._has_known, "after": "", "count": BATCH}
        while rows := self._run("removed", **page):
            for row in rows:
                yield row.key, Snapshot.from_json(row.snapshot, lead_id=row.lead_id)
            page["after"] = rows[-1].key

    # --- records that are known from the run before, and need not be mapped

    def raw_hashes(self) -> bytearray:
        """The hashes of all records that are just as Kartra acknowledged them, one behind the other."""
        hashes = bytearray()
        with self._driver() as driver:
            rows = driver.execute("SELECT raw FROM raw_hashes WHERE scope_id = ?", (self.scope_id,))
            while part := rows.fetchmany(20 * BATCH):
                hashes += b"".join(row[0] for row in part)
        return hashes

    def raw_hashes_of_staged(self) -> Iterator[list[bytes]]:
        """Those of keys that are staged, some at a time."""
        statement = self._statement("raw_hashes_of_staged").text
        with self._driver() as driver:
            rows = driver.execute(statement, {"scope_id": self.scope_id})
            while part := rows.fetchmany(20 * BATCH):
                yield [row[0] for row in part]

    def raw_hashes_of_suppressed(self) -> Iterator[bytes]:
        """Those of keys that are suppressed addresses."""
        return (row.raw for row in self._run("raw_hashes_of_suppressed", scope_id=self.scope_id))

    def note_unseen(self, unseen: Iterable[bytes]) -> None:
        """Known records were not staged; these of them have not come. Who came has not gone."""
        self._has_known = True
        with self._transaction(), self._driver() as driver:
            driver.executemany("INSERT INTO temp.unseen VALUES (?)", ((one,) for one in unseen))

    def keep_raw_hashes(self) -> None:
        """Staged records that are just as acknowledged are known to the next run."""
        with self._transaction():
            self._run("keep_raw_hashes", scope_id=self.scope_id)

    def count_leads(self) -> int:
        """Leads we created or adopted and that are still wished for."""
        known = (
            "SELECT count(*) FROM leads WHERE scope_id=:scope_id AND removed_at IS NULL AND origin<>'skipped'"
        )
        return int(self._run_line(known, scope_id=self.scope_id)[0][0])

    def lead_ids(self, account: str) -> Iterator[str]:
        """Kartra's numbers of the leads of an account, whichever pipeline knows them. Read in batches."""
        after = ""
        while rows := self._run("lead_ids", account=account, after=after, count=BATCH):
            yield from (row.lead_id for row in rows)
            after = rows[-1].lead_id

    def lead_addresses(self, account: str) -> Iterator[str]:
        """The addresses of those whose number is not known yet. Read in batches."""
        after = ""
        while rows := self._run("lead_addresses", account=account, after=after, count=BATCH):
            yield from (row.email for row in rows)
            after = rows[-1].email

    def collapsing(self) -> list[tuple[int, str]]:
        """(row, address) of at most 50 staged leads that Test mode would store as one."""
        return [(row.row, row.email) for row in self._run("collapsing")]

    def staged(self, key: str) -> Row[Any] | None:
        """The staged record that speaks for a key."""
        rows = self._run_line("SELECT * FROM temp.staged WHERE key = :key ORDER BY row DESC", key=key)
        return rows[0] if rows else None

    # --- outbox

    def enqueue(self, run_id: str, changes: Sequence[Mapping[str, Any]]) -> None:
        """Planned changes: (key, kind, row, line, digest) each."""
        with self._transaction():
            fixed = {"run_id": run_id, "scope_id": self.scope_id}
            self._run_many("enqueue", [{**fixed, **change} for change in changes])

    def mark_same(self, wishes: Sequence[tuple[str, bytes, Snapshot]]) -> None:
        """(key, digest, snapshot) of wishes that ask for nothing new."""
        with self._transaction():
            self._run_many(
                "same",
                [
                    {
                        "scope_id": self.scope_id,
                        "key": key,
                        "digest": digest,
                        "snapshot": snapshot.to_json(),
                    }
                    for key, digest, snapshot in wishes
                ],
            )

    def planned(self, *, after: int = 0) -> list[Entry]:
        """The next planned entries of this run, at most `BATCH`."""
        return self._entries("planned", after=after) if self._has_staged else []

    def unsettled(self) -> list[Entry]:
        """Entries that may have been executed and have no outcome."""
        return self._entries("unsettled")

    def intend(self, entry: Entry, change: str, acknowledged: Acknowledged | None) -> None:
        """Commit the intent, and with it what earlier tries effected. Only after this may the call leave."""
        with self._transaction():
            self._run("intend", entry_id=entry.entry_id, wish=entry.wish, change=change, now=_now())
            if acknowledged is not None:
                self._acknowledge(entry.key, acknowledged)

    def withdraw(self, entry_id: int) -> None:
        """The call was proven never to have been executed."""
        with self._transaction():
            self._run("withdraw", entry_id=entry_id)

    def disprove(self, entry: Entry) -> None:
        """Its lead was taken over, and Kartra does not know it: it is new again, and the entry owed again."""
        with self._transaction():
            self._run("withdraw", entry_id=entry.entry_id)
            self._run_line(
                "DELETE FROM leads WHERE scope_id=:scope_id AND key=:key AND lead_id IS NULL",
                scope_id=self.scope_id,
                key=entry.key,
            )

    def settle(
        self,
        entry: Entry,
        outcome: Outcome,
        acknowledged: Acknowledged | None,
        *,
        run_id: str,
    ) -> None:
        """Outcome, snapshot and reject of an entry, in one transaction."""
        with self._transaction():
            self._run(
                "settle",
                entry_id=entry.entry_id,
                outcome=outcome.name,
                type=outcome.type,
                reason=outcome.reason,
                done=outcome.done,
                now=_now(),
            )
            if acknowledged is not None:
                self._acknowledge(entry.key, acknowledged)
            refusal = {"kind": outcome.name, "type": outcome.type, "reason": outcome.reason or ""}
            if outcome.name in ("rejected", "parked") and entry.row is not None:
                self._run("reject_staged", run_id=run_id, row=entry.row, **refusal)
            if outcome.name == "rejected":
                self._run(
                    "refuse",
                    scope_id=self.scope_id,
                    key=entry.key,
                    digest=entry.digest,
                    cause=outcome.cause,
                    now=_now(),
                    **refusal,
                )
            elif acknowledged is not None and acknowledged.digest:
                self._run_line(
                    "DELETE FROM refusals WHERE scope_id = :scope_id AND key = :key",
                    scope_id=self.scope_id,
                    key=entry.key,
                )

    def defer(self, run_id: str) -> None:
        """What this run planned and did not send waits for the next one."""
        self._run_line(
            "UPDATE outbox SET state='settled', outcome='deferred', wish=NULL, settled_at=:now"
            " WHERE scope_id=:scope_id AND run_id=:run_id AND state='planned' AND state <> 'settled'",
            scope_id=self.scope_id,
            run_id=run_id,
            now=_now(),
        )

    def outcomes(self, run_id: str) -> dict[tuple[str, str], int]:
        """Entries of a run by (kind, outcome), after `defer`. Without an outcome yet is deferred, too."""
        return {(row.kind, row.outcome): row.entries for row in self._run("outcomes", run_id=run_id)}

    def owner_of(self, lead_id: str, email: str = "") -> str | None:
        """The key whose lead has this id in Kartra, or this address while nobody knows its id."""
        rows = self._run("owner_of", scope_id=self.scope_id, lead_id=lead_id, email=email)
        return rows[0].key if rows else None

    def reject_known(self, run_id: str, row: int, type: str | None, reason: str) -> None:  # noqa: A002
        """A staged lead that is not sent again because it was refused before."""
        self._run("reject_staged", run_id=run_id, row=row, kind="parked", type=type, reason=reason)

    # --- what waits for a person, or for Kartra

    def breakers(self) -> dict[tuple[str, str], str]:
        """What Kartra refuses whoever it is for: (command, label) and the error type."""
        rows = self._run_line(
            "SELECT cmd, label, type FROM breakers WHERE scope_id = :scope_id", scope_id=self.scope_id
        )
        return {(row.cmd, row.label): row.type for row in rows}

    def keep_breaker(self, cmd: str, label: str, type: str) -> None:  # noqa: A002
        self._run_line(
            "INSERT OR REPLACE INTO breakers (scope_id, cmd, label, type, opened_at)"
            " VALUES (:scope_id, :cmd, :label, :type, :now)",
            scope_id=self.scope_id,
            cmd=cmd,
            label=label,
            type=type,
            now=_now(),
        )

    def drop_breaker(self, cmd: str, label: str) -> None:
        """It works again: what was refused because of it is sent again by the next run."""
        with self._transaction():
            self._run_line(
                "DELETE FROM breakers WHERE scope_id = :scope_id AND cmd = :cmd AND label = :label",
                scope_id=self.scope_id,
                cmd=cmd,
                label=label,
            )
            self._run_line(
                "DELETE FROM refusals WHERE scope_id = :scope_id AND cause = :cause",
                scope_id=self.scope_id,
                cause=f"{cmd} {label}",
            )

    def parked(self, pipeline: str) -> list[Row[Any]]:
        """(key, mode, lead_id, kind, type, what, reason, since) of what is not sent until somebody acts."""
        return self._run("parked", pipeline=pipeline)

    def held_back(self, pipeline: str) -> list[Row[Any]]:
        """(mode, cmd, label, type, opened_at) of what Kartra refuses whoever it is for."""
        return self._run_line(
            "SELECT mode, cmd, label, type, opened_at FROM breakers JOIN scopes USING (scope_id)"
            " WHERE pipeline = :pipeline ORDER BY cmd, label",
            pipeline=pipeline,
        )

    def lead(self, key: str) -> Acknowledged | None:
        """What is known of one lead of this scope."""
        rows = self._run_line(
            "SELECT lead_id, origin, digest, snapshot, removed_at FROM leads"
            " WHERE scope_id = :scope_id AND key = :key",
            scope_id=self.scope_id,
            key=key,
        )
        if not rows:
            return None
        snapshot = Snapshot.from_json(rows[0].snapshot, lead_id=rows[0].lead_id)
        return Acknowledged(snapshot, rows[0].origin, rows[0].digest, rows[0].removed_at is not None)

    def is_unknown(self, key: str) -> bool:
        """Whether a call for this lead has no outcome yet."""
        found = (
            "SELECT 1 FROM outbox"
            " WHERE scope_id = :scope_id AND key = :key AND state = 'sent' AND state <> 'planned'"
        )
        return bool(self._run_line(found, scope_id=self.scope_id, key=key))

    def resolve(self, key: str, known: Acknowledged | None) -> bool:
        """Keep what a person found out about a lead, and let its wish be sent again if it was refused.

        Tells whether it was refused. The next run decides what is still owed.
        """
        with self._transaction():
            if known is not None:
                self._acknowledge(key, replace(known, digest=b""))
            refused = self._run_line(
                "DELETE FROM refusals WHERE scope_id = :scope_id AND key = :key RETURNING 1 AS one",
                scope_id=self.scope_id,
                key=key,
            )
        return bool(refused)

    # --- inventories

    def inventory(self, account: str, kind: str) -> tuple[datetime, Any] | None:
        """When Kartra listed this kind of thing last, and the list."""
        rows = self._run_line(
            "SELECT read_at, content FROM inventories WHERE account = :account AND kind = :kind",
            account=account,
            kind=kind,
        )
        return (_instant(rows[0].read_at), json.loads(rows[0].content)) if rows else None

    def keep_inventory(self, account: str, kind: str, content: Any) -> None:
        self._run_line(
            "INSERT OR REPLACE INTO inventories (account, kind, content, read_at)"
            " VALUES (:account, :kind, :content, :now)",
            account=account,
            kind=kind,
            content=json.dumps(content),
            now=_now(),
        )

    def forget_inventories(self, account: str) -> None:
        self._run_line("DELETE FROM inventories WHERE account = :account", account=account)

    # --- incremental extracts

    def watermark(self) -> Watermark | None:
        rows = self._run_line(
            "SELECT source, highest, full_at FROM watermarks WHERE scope_id = :scope_id",
            scope_id=self.scope_id,
        )
        return Watermark(rows[0].source, rows[0].highest, _instant(rows[0].full_at)) if rows else None

    def move_watermark(self, source: bytes, highest: str, *, is_full: bool) -> None:
        self._run(
            "move_watermark",
            scope_id=self.scope_id,
            source=source,
            highest=highest,
            is_full=is_full,
            now=_now(),
        )

    # --- taking over what is in Kartra already

    def decide_adoption(self, *, by_address: bool, only_imported: bool) -> Counter[Standing]:
        """How the staged leads stand before they are taken over, counted.

        `by_address`: the address is the key, so no two records share one. `only_imported`: of those that
        Kartra does not have, only what `export-import` wrote and as it wrote it is new.
        """
        self._run("adopt_table")
        self._run("adopt_sharing_table")
        with self._transaction():
            if not by_address:
                self._run("adopt_sharing", scope_id=self.scope_id)
            self._run("adopt_decide", scope_id=self.scope_id, only_imported=only_imported)
        counted = self._run_line("SELECT standing, count(*) AS leads FROM temp.adopting GROUP BY standing")
        return Counter({row.standing: row.leads for row in counted})

    def take_over(self, owed: Collection[OnceOnly]) -> Iterator[int]:
        """Acknowledge the new leads as their records are, but for what is `owed`; each step a transaction.

        Gives how many leads were taken over, step by step. What was taken over before is left as it is.
        """
        after = ""
        while (until := self._run("adopt_range", after=after, count=ADOPTED_AT_ONCE)[0].until) is not None:
            keys = {"scope_id": self.scope_id, "after": after, "until": until}
            owes = {f"owes_{kind}": kind in owed for kind in get_args(OnceOnly)}
            with self._transaction():
                self._run("adopt_leads", **keys, **owes, now=_now())
                count = int(self._run_line("SELECT changes()")[0][0])
                self._run("adopt_refusals", **keys)
            yield count
            after = until

    def count_adopted(self) -> int:
        """Leads that were taken over and never sent to."""
        counted = (
            "SELECT count(*) FROM leads WHERE scope_id=:scope_id AND taken_over=1 AND removed_at IS NULL"
        )
        return int(self._run_line(counted, scope_id=self.scope_id)[0][0])

    def adopted(self) -> Iterator[tuple[str, int | None]]:
        """(key, row in the source) of the leads that were taken over and never sent to, by key."""
        after = ""
        while rows := self._run("adopted_keys", scope_id=self.scope_id, after=after, count=BATCH):
            yield from ((row.key, row.row) for row in rows)
            after = rows[-1].key

    def learn_id(self, key: str, lead_id: str) -> None:
        """Kartra's number of a lead, unless it is that of another one."""
        self._run("learn_id", scope_id=self.scope_id, key=key, lead_id=lead_id)

    def give_up(self, key: str) -> None:
        """A lead that was taken over is not in Kartra: it is new again."""
        self._run_line(
            "DELETE FROM leads WHERE scope_id=:scope_id AND key=:key AND taken_over=1",
            scope_id=self.scope_id,
            key=key,
        )

    def give_up_all(self) -> int:
        """Forget what was taken over and never sent to; gives how many leads."""
        gone = "DELETE FROM leads WHERE scope_id=:scope_id AND taken_over=1 RETURNING 1 AS one"
        with self._transaction():
            return len(self._run_line(gone, scope_id=self.scope_id))

    def count_imports(self) -> int:
        """Leads in the files that `export-import` wrote last."""
        counted = "SELECT count(*) FROM imports WHERE scope_id = :scope_id"
        return int(self._run_line(counted, scope_id=self.scope_id)[0][0])

    def importable(self, *, everything: bool) -> Iterator[Importable]:
        """Staged leads for Kartra's own import in the order of the source. Read in batches."""
        after = 0
        fixed = {"scope_id": self.scope_id, "everything": everything}
        while rows := self._run("importable", **fixed, after=after, count=BATCH):
            for row in rows:
                yield Importable(
                    row=row.row,
                    key=row.key,
                    digest=row.digest,
                    desired=DesiredLead.from_json(row.wish),
                    standing=row.standing,
                    snapshot=Snapshot.from_json(row.snapshot, lead_id=None) if row.snapshot else None,
                    refused=row.refused,
                )
            after = rows[-1].row

    def begin_import(self) -> None:
        self._run("importing")

    def add_import(self, leads: Sequence[tuple[str, bytes]]) -> None:
        """(key, digest) of leads that Kartra does not have and that stand in a file."""
        with self._transaction():
            self._run_many("import_lead", [{"key": key, "digest": digest} for key, digest in leads])

    def keep_imports(self) -> None:
        """What was added is what the files hold."""
        with self._transaction():
            self._run_line("DELETE FROM imports WHERE scope_id = :scope_id", scope_id=self.scope_id)
            self._run("keep_imports", scope_id=self.scope_id)

    def reasons(self, run_id: str) -> Iterator[Row[Any]]:
        """(row, line, kind, reason) of the rejects of a run in the order of the source; read as asked for."""
        yield from self._connection.execute(
            text("SELECT row, line, kind, reason FROM rejects WHERE run_id = :run_id ORDER BY row"),
            {"run_id": run_id},
        )

    def leave_out(self, run_id: str, left_out: Sequence[tuple[int, str]]) -> None:
        """(row, reason) of staged records as rejects."""
        with self._transaction():
            fixed = {"run_id": run_id, "kind": "invalid", "type": None}
            self._run_many(
                "reject_staged", [{**fixed, "row": row, "reason": reason} for row, reason in left_out]
            )

    # --- drift

    def comparable(
        self, settled_before: datetime, looked_before: datetime, *, after: str = ""
    ) -> list[Comparable]:
        """Leads with nothing under way that nobody looked at since, at most `BATCH`, by key."""
        rows = self._run(
            "comparable",
            scope_id=self.scope_id,
            settled_before=settled_before.isoformat(),
            looked_before=looked_before.isoformat(),
            after=after,
            count=BATCH,
        )
        return [_comparable(row) for row in rows]

    def comparable_lead(self, lead_id: str, settled_before: datetime) -> list[Comparable]:
        """Our leads with this number of Kartra's, if nothing is under way for them."""
        rows = self._run(
            "comparable_lead",
            scope_id=self.scope_id,
            lead_id=lead_id,
            settled_before=settled_before.isoformat(),
        )
        return [_comparable(row) for row in rows]

    def keep_drift(self, lead: Comparable, snapshot: Snapshot, found: str) -> None:
        """What a look at a lead found, and its snapshot after that; nothing if it was changed meanwhile."""
        fixed = {"scope_id": self.scope_id, "key": lead.key}
        with self._transaction():
            if snapshot == lead.snapshot or self._run(
                "take_drift", **fixed, snapshot=snapshot.to_json(), changed_at=lead.changed_at
            ):
                self._run("keep_drift", **fixed, now=_now(), found=found)

    def drift(self) -> list[Row[Any]]:
        """(key, lead_id, looked_at, found) of leads that differ from what was acknowledged."""
        return self._run_line(
            "SELECT key, lead_id, looked_at, found FROM drift JOIN leads USING (scope_id, key)"
            " WHERE scope_id = :scope_id AND found <> '[]' AND removed_at IS NULL ORDER BY key",
            scope_id=self.scope_id,
        )

    # --- looking

    def runs(self, pipeline: str | None, count: int) -> list[Row[Any]]:
        return self._run("runs", pipeline=pipeline, count=count)

    def waiting(self, pipeline: str) -> Row[Any]:
        return self._run("waiting", pipeline=pipeline)[0]

    def pipelines(self) -> list[str]:
        return [row.pipeline for row in self._run_line("SELECT DISTINCT pipeline FROM scopes ORDER BY 1")]

    def rejects(self, run_id: str) -> Iterator[Row[Any]]:
        """The rejects of a run in the order of the source. Read in batches."""
        after = {"row": -1, "place": 0}
        while rows := self._run("rejects", run_id=run_id, count=BATCH, **after):
            yield from rows
            after = {"row": rows[-1].row, "place": rows[-1].place}

    def journal(self, pipeline: str, key: str) -> list[Row[Any]]:
        return self._run("journal", pipeline=pipeline, key=key)

    def known(self, pipeline: str, key: str) -> list[Row[Any]]:
        return self._run("known", pipeline=pipeline, key=key)

    def refusals(self, pipeline: str, key: str) -> list[Row[Any]]:
        """(digest, reason) of wishes of a key that are not sent again."""
        return self._run_line(
            "SELECT digest, reason FROM refusals JOIN scopes USING (scope_id)"
            " WHERE pipeline = :pipeline AND key = :key",
            pipeline=pipeline,
            key=key,
        )

    def running(self) -> list[tuple[str, Holder]]:
        """Every pipeline of this file that is being run, and by whom."""
        leases = self._run_line("SELECT pipeline FROM leases ORDER BY pipeline")
        return [(row.pipeline, holder) for row in leases if (holder := self.holder(row.pipeline))]

    def dead_leases(self) -> list[str]:
        """Pipelines whose run ended without a word; the next one takes over."""
        leases = self._run_line("SELECT pipeline FROM leases ORDER BY pipeline")
        return [row.pipeline for row in leases if not self.holder(row.pipeline)]

    def damage(self) -> list[str]:
        """What SQLite finds wrong with the file, and what no run leaves behind. Tells no values."""
        found = [row[0] for row in self._run_line("PRAGMA integrity_check") if row[0] != "ok"]
        orphans = self._run_line('SELECT "table", count(*) AS found FROM pragma_foreign_key_check GROUP BY 1')
        found += [f"{row.found:,} rows of {row.table} belong to nothing" for row in orphans]
        return found + [f"{row.found:,} {row.what}" for row in self._run("misfits")]

    def texts(self, kind: TextKind) -> Iterator[str]:
        """Every JSON text of a kind that the file holds."""
        yield from self._connection.execute(text(_TEXTS[kind])).scalars()

    def forgotten(self) -> Forgotten | None:
        """Who was forgotten, in all pipelines of this file; None when nobody was."""
        hashes = self._run_line("SELECT hash FROM forgotten")
        return Forgotten(self._salt(), frozenset(row.hash for row in hashes)) if hashes else None

    def forget(self, names: frozenset[str]) -> Erased:
        """Erase the person of these keys and addresses in every pipeline, and keep the hashes of them.

        Keys that have one of the addresses go too. The bytes are gone after `wipe`. Raises LockedError
        while a pipeline of this file is being run: the run would write the person back.
        """
        self._run_line("PRAGMA secure_delete = ON")
        with self._transaction():
            if running := self.running():
                pipeline, holder = running[0]
                raise LockedError(f"{holder.told(pipeline)}: nobody was forgotten")
            names |= {row.name for row in self._run("addresses_of", names=json.dumps(sorted(names)))}
            names |= {row.name for row in self._run("keys_of", names=json.dumps(sorted(names)))}
            names |= {row.name for row in self._run("operation_keys_of", names=json.dumps(sorted(names)))}
            listed = json.dumps(sorted(names))
            salt = self._salt()
            self._connection.execute(
                text("INSERT OR IGNORE INTO forgotten (hash, forgotten_at) VALUES (:hash, :now)"),
                [{"hash": hash_name(salt, name), "now": _now()} for name in names],
            )
            rows = {
                "leads": len(self._run("forget_leads", names=listed)),
                "outbox": len(self._run("forget_outbox", names=listed)),
                "refusals": len(self._run("forget_refusals", names=listed)),
                "rejects": self._forget_rejects(names),
                "imports": len(self._run("forget_imports", names=listed)),
                "operations": len(self._run("forget_operations", names=listed)),
            }
        return Erased(names, rows)

    def wipe(self) -> None:
        """Write the file anew without what was ever deleted, and empty its journal.

        Raises StateError where that cannot be done now; it may be asked for again.
        """
        self._run_line("VACUUM")
        (done,) = self._run_line("PRAGMA wal_checkpoint(TRUNCATE)")
        if done[0]:
            raise StateError(f"{self.path}: another program is reading it")

    # --- for stores of other things in the same file

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything within is committed together, or nothing."""
        with self._transaction():
            yield

    def execute(self, name: str, **values: object) -> list[Row[Any]]:
        """One statement of `sql/state/`."""
        return self._run(name, **values)

    def reject(self, run_id: str, rejects: Sequence[Reject]) -> None:
        """Records that did not get through, with the reason; inside a transaction."""
        if rejects:
            self._reject(run_id, rejects)

    # --- inside

    def _forget_rejects(self, names: frozenset[str]) -> int:
        records = self._connection.execute(
            text("SELECT rowid AS reject_id, record FROM rejects WHERE record <> ''")
        )
        found = [
            {"reject_id": row.reject_id}
            for row in records
            if not names.isdisjoint(names_in(cells_of(row.record)))
        ]
        if found:
            self._connection.execute(text("DELETE FROM rejects WHERE rowid = :reject_id"), found)
        return len(found)

    def _salt(self) -> bytes:
        """The key of the hashes of this file, made when the first person is forgotten."""
        kept = self._run_line("SELECT salt FROM forgotten_salt")
        if kept:
            return bytes(kept[0].salt)
        salt = secrets.token_bytes(SALT_BYTES)
        self._run_line("INSERT INTO forgotten_salt (only, salt) VALUES (1, :salt)", salt=salt)
        return salt

    def _keep_copy(self, version: int) -> None:
        """Of a file of an older schema, as it is. This connection holds the lock: nobody writes meanwhile."""
        assert self.path is not None  # noqa: S101 - a store in memory is never of an older schema
        backup = self.path.with_name(f"{self.path.name}.schema-{version}.backup")
        backup = copy_state(self.path, backup, numbered=True)
        log.info("%s has an older schema (%d); a copy of it was made first: %s", self.path, version, backup)

    def _prepare(self, *, check_beside: bool) -> None:
        self._run_line("PRAGMA foreign_keys = ON")
        self._run_line("PRAGMA temp_store = FILE")
        with self._driver() as driver:
            driver.create_function("original_of", 1, self._original_of)
        if self.path is not None:
            mode = self._run_line("PRAGMA journal_mode = WAL")[0][0]
            if mode != "wal":
                raise StateError(
                    f"{self.path}: cannot be used as state: its file system does not let processes share"
                    f" memory (journal mode {mode}); put `state:` on a local disk"
                )
            self._run_line("PRAGMA synchronous = FULL")
            version = int(self._run_line("PRAGMA user_version")[0][0])
            self._check = StateCheck(self.path)
            if not check_beside or version != len(_migrations()):
                self.check_is_whole()
        self._migrate()

    def _migrate(self) -> None:
        migrations = _migrations()
        with self._transaction():
            version = int(self._run_line("PRAGMA user_version")[0][0])
            if version > len(migrations):
                raise StateError(
                    f"{self.path}: written by a newer kartra-sync (schema {version}, this one knows"
                    f" {len(migrations)}): upgrade, or use the newer one"
                )
            if 0 < version < len(migrations):
                self._keep_copy(version)
            for number, migration in enumerate(migrations[version:], start=version + 1):
                for statement in _statements(migration.read_text(encoding="utf-8")):
                    self._connection.exec_driver_sql(statement)
                self._connection.exec_driver_sql(f"PRAGMA user_version = {number}")

    def _translate(self, context: ExceptionContext) -> StateError:
        """The database's errors as ours: without the statement, and without what it was given."""
        cause = context.original_exception
        return StateError(f"{self.path}: cannot be used as state: {what_is_wrong(cause, self.path)}")

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is done within is one transaction, committed at the end; after an exception nothing of it is.

        It begins with the first change, and should be short: other processes wait for it.
        """
        self._is_together = True
        try:
            yield
        except BaseException:
            self._end_together("ROLLBACK")
            raise
        self._end_together("COMMIT")

    def _end_together(self, end: str) -> None:
        has_begun, self._has_begun, self._is_together = self._has_begun, False, False
        if has_begun and end == "ROLLBACK":
            with suppress(StateError):  # a full disk has ended the transaction already
                self._connection.exec_driver_sql(end)
        elif has_begun:
            self._connection.exec_driver_sql(end)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """BEGIN IMMEDIATE, so that two processes wait for each other instead of failing half-way."""
        if self._is_together:
            if not self._has_begun:
                self._connection.exec_driver_sql("BEGIN IMMEDIATE")
                self._has_begun = True
            yield
            return
        self._connection.exec_driver_sql("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            with suppress(StateError):  # a full disk has ended the transaction already
                self._connection.exec_driver_sql("ROLLBACK")
            raise
        self._connection.exec_driver_sql("COMMIT")

    @contextmanager
    def _driver(self) -> Iterator[sqlite3.Connection]:
        """The connection itself, for rows by the million. Its errors become ours."""
        driver = self._connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)  # noqa: S101 - the URL says so
        try:
            yield driver
        except sqlite3.Error as error:
            wrong = what_is_wrong(error, self.path)
            raise StateError(f"{self.path}: cannot be used as state: {wrong}") from error

    def _statement(self, name: str) -> TextClause:
        if name not in self._statements:
            self._statements[name] = text(read_sql(f"state/{name}"))
        return self._statements[name]

    def _line(self, statement: str) -> TextClause:
        if statement not in self._statements:
            self._statements[statement] = text(statement)
        return self._statements[statement]

    def _run(self, name: str, **values: object) -> list[Row[Any]]:
        result = self._connection.execute(self._statement(name), values)
        return list(result.all()) if result.returns_rows else []

    def _run_many(self, name: str, rows: Sequence[Mapping[str, Any]] | Sequence[tuple[Any, ...]]) -> None:
        """By the driver, which takes rows as they are."""
        if rows:
            with self._driver() as driver:
                driver.executemany(self._statement(name).text, rows)

    def _run_line(self, statement: str, **values: object) -> list[Row[Any]]:
        result = self._connection.execute(self._line(statement), values)
        return list(result.all()) if result.returns_rows else []

    def _entries(self, which: str, **page: int) -> list[Entry]:
        rows = self._run(which, scope_id=self.scope_id, count=BATCH, **page)
        return [
            Entry(
                entry_id=row.entry_id,
                key=row.key,
                kind=row.kind,
                row=row.row,
                digest=row.digest,
                wish=row.wish,
                desired=DesiredLead.from_json(row.wish) if row.wish else None,
                change=row.change,
                attempts=row.attempts,
                sent_at=_instant(row.sent_at) if row.sent_at else None,
                snapshot=_snapshot(row),
                origin=row.origin,
            )
            for row in rows
        ]

    def _acknowledge(self, key: str, acknowledged: Acknowledged) -> None:
        self._run(
            "acknowledge",
            scope_id=self.scope_id,
            key=key,
            lead_id=acknowledged.snapshot.lead_id,
            origin=acknowledged.origin,
            digest=acknowledged.digest,
            snapshot=acknowledged.snapshot.to_json(),
            unproven=len(acknowledged.snapshot.unproven),
            now=_now(),
            removed_at=_now() if acknowledged.removed else None,
        )

    def _reject(self, run_id: str, rejects: Sequence[Reject]) -> None:
        self._connection.execute(
            text(
                "INSERT INTO rejects (run_id, row, line, kind, type, reason, record)"
                " VALUES (:run_id, :row, :line, :kind, :type, :reason, :record)"
            ),
            [
                {
                    "run_id": run_id,
                    "row": reject.row,
                    "line": reject.line,
                    "kind": reject.kind,
                    "type": reject.type,
                    "reason": reject.reason,
                    "record": reject.record,
                }
                for reject in rejects
            ],
        )


def new_run_id() -> str:
    """Sorts by time, says when: 20261123T101500-3f2a9c."""
    return f"{utc_now():%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"


def _migrations() -> list[Path]:
    return sorted(MIGRATIONS.glob("*.sql"))


def _create_private(path: Path) -> None:
    """The file, readable by its owner alone from the start; SQLite gives its side files the same mode."""
    try:
        if not path.parent.exists():
            path.parent.mkdir(parents=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        path.chmod(0o600)
    except OSError as error:
        raise StateError(f"{path}: cannot be used as state: {error.strerror}") from error


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _comparable(row: Row[Any]) -> Comparable:
    snapshot = Snapshot.from_json(row.snapshot, lead_id=row.lead_id)
    return Comparable(row.key, snapshot, row.changed_at, row.found)


def _snapshot(row: Row[Any]) -> Snapshot | None:
    return Snapshot.from_json(row.snapshot, lead_id=row.lead_id) if row.snapshot else None


def _now() -> str:
    return utc_now().isoformat()


def _instant(stored: str) -> datetime:
    return datetime.fromisoformat(stored)


def _cause(error: Exception) -> str:
    return str(error.orig) if isinstance(error, OperationalError | DatabaseError) else str(error)
