"""The source of one run in temporary tables, and how it differs from what was acknowledged."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import Row

from pipelines.contacts.lead import DesiredLead, Origin, Snapshot
from pipelines.contacts.staged import Reject, StagedRow
from pipelines.state.database import BATCH, Database
from pipelines.state.leads import snapshot_of
from pipelines.state.rejects import Rejects
from pipelines.state.scope import Scope

STAGED_AT_ONCE = 1_000


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


class Staging:
    """What a run read. It begins with `begin`; chunks are added, `end` and `settle` deal with duplicates."""

    def __init__(self, database: Database, scope: Scope) -> None:
        self._database, self._scope = database, scope
        self._rejects = Rejects(database, scope)
        self._has_known = False
        self._unpack: Callable[[bytes], Mapping[int, str]]
        self._unpacked: Mapping[int, str] = {}

    def begin(self, unpack: Callable[[bytes], Mapping[int, str]] = lambda _: {}) -> None:
        """`unpack`: how what `add` is given as originals becomes records as JSON, by their row."""
        self._has_known = False
        self._unpack, self._unpacked = unpack, {}
        with self._database.driver() as driver:
            driver.create_function("original_of", 1, self._original_of)
        self._create_staged()
        self._database.run("new_leads")
        self._database.run("new_shapes")
        self._database.run("new_values")
        self._database.run("originals")
        self._database.run("present")
        self._database.run("suppressed")
        self._database.run("unseen")

    def _create_staged(self) -> None:
        self._database.run("staging")
        self._database.run_line("CREATE INDEX temp.staged_blocked ON staged (row) WHERE blocked IS NOT NULL")

    def begin_again(self, run_id: str | None, rejects: int) -> None:
        """An empty staging table, and of the run's rejects the first: the source is read once more."""
        with self._database.transaction():
            self._database.run_line("DROP TABLE temp.staged")
            self._create_staged()
            self._database.run_line("DELETE FROM temp.originals")
            self._database.run_line("DELETE FROM temp.present")
            self._rejects.take_back(run_id, kept=rejects)

    def suppress(self, addresses: Sequence[str], reason: str) -> None:
        """Addresses that must not be sent in this run."""
        with self._database.transaction():
            self._database.run_many("suppress", [{"address": one, "reason": reason} for one in addresses])

    def add(
        self,
        records: Sequence[StagedRow],
        rejects: Sequence[Reject],
        run_id: str | None,
        originals: tuple[int, bytes] | None = None,
    ) -> None:
        """One chunk of the source. Rejects are kept where there is a run to keep them for.

        `originals`: from which row on, and what `pipelines.contacts.originals` packed.
        """
        with self._database.transaction():
            if originals is not None:
                with self._database.driver() as driver:
                    driver.execute("INSERT INTO temp.originals VALUES (?, ?)", originals)
            if records:
                self._insert(records)
            for reject in rejects:
                if reject.key is not None:
                    self._database.run_line(
                        "INSERT OR IGNORE INTO temp.present VALUES (:key)", key=reject.key
                    )
            if run_id is not None:
                self._rejects.add(run_id, rejects)

    def _insert(self, records: Sequence[StagedRow]) -> None:
        """Many by one statement: so long other threads have the interpreter."""
        one = self._database.statement("stage").text.rstrip(";\n")
        _, _, placeholders = one.rpartition("VALUES ")
        with self._database.driver() as driver:
            for start in range(0, len(records), STAGED_AT_ONCE):
                part = records[start : start + STAGED_AT_ONCE]
                driver.execute(one + f", {placeholders}" * (len(part) - 1), tuple(chain.from_iterable(part)))

    def _original_of(self, row: int) -> str | None:
        """For SQL: a staged record that stands in the originals."""
        if row not in self._unpacked:
            with self._database.driver() as driver:
                found = driver.execute(
                    "SELECT packed FROM temp.originals WHERE first <= ? ORDER BY first DESC LIMIT 1", (row,)
                ).fetchone()
            self._unpacked = self._unpack(found[0]) if found else {}
        return self._unpacked.get(row)

    def end(self) -> int:
        """Find the records that do not speak for their key; gives how many they are."""
        with self._database.transaction():
            self._database.run("block_suppressed")
            self._database.run_line("CREATE INDEX temp.staged_by_key ON staged (key)")
            self._database.run("duplicates")
        return int(self._database.run_line("SELECT count(*) FROM temp.losers")[0][0])

    def duplicate_groups(self) -> Iterator[list[Row[Any]]]:
        """The records (key, row, wish, blocked) of each key that stands in the source more than once.

        Read in batches: their wishes may be written meanwhile.
        """
        after = ""
        while rows := self._database.run("groups", after=after, count=BATCH):
            for _, group in groupby(rows, key=attrgetter("key")):
                yield list(group)
            after = rows[-1].key

    def settle(self, merged: Iterable[Mapping[str, Any]], run_id: str | None) -> int:
        """Write back what was merged (see `merge.sql`), drop the losers; counts the blocked."""
        with self._database.transaction():
            for wish in merged:
                self._database.run("merge", **wish)
            if run_id is not None:
                self._rejects.add_losers(run_id)
                self._rejects.add_blocked(run_id)
            self._database.run_line("DELETE FROM temp.staged WHERE row IN (SELECT row FROM temp.losers)")
        return int(
            self._database.run_line("SELECT count(*) FROM temp.staged WHERE blocked IS NOT NULL")[0][0]
        )

    def count_unchanged(self) -> tuple[int, int]:
        """Staged leads that are as acknowledged, and those left alone because Kartra had them before us."""
        (counted,) = self._database.run("unchanged", scope_id=self._scope.scope_id)
        return counted.unchanged, counted.skipped

    def differences(self) -> Iterator[Difference]:
        """Staged leads that differ from their snapshot, in the order of the source. Read in batches."""
        (counted,) = self._database.run("count_staged")
        if counted.new == counted.not_blocked:
            return  # all were set apart: nothing is compared
        after = 0
        while rows := self._database.run("diff", scope_id=self._scope.scope_id, after=after, count=BATCH):
            for row in rows:
                yield Difference(
                    row=row.row,
                    line=row.line,
                    key=row.key,
                    digest=row.digest,
                    desired=DesiredLead.from_json(row.wish),
                    snapshot=snapshot_of(row),
                    origin=row.origin,
                    was_removed=bool(row.was_removed),
                    refused=(row.refused_type, row.refused_reason) if row.refused else None,
                )
            after = rows[-1].row

    def removed(self) -> Iterator[tuple[str, Snapshot]]:
        """(key, snapshot) of leads whose contact has gone from the source."""
        page = {"scope_id": self._scope.scope_id, "has_known": self._has_known, "after": "", "count": BATCH}
        while rows := self._database.run("removed", **page):
            for row in rows:
                yield row.key, Snapshot.from_json(row.snapshot, lead_id=row.lead_id)
            page["after"] = rows[-1].key

    def note_unseen(self, unseen: Iterable[bytes]) -> None:
        """Known records were not staged; these of them have not come. Who came has not gone."""
        self._has_known = True
        with self._database.transaction(), self._database.driver() as driver:
            driver.executemany("INSERT INTO temp.unseen VALUES (?)", ((one,) for one in unseen))

    def collapsing(self) -> list[tuple[int, str]]:
        """(row, address) of at most 50 staged leads that Test mode would store as one."""
        return [(row.row, row.email) for row in self._database.run("collapsing")]

    def get(self, key: str) -> Row[Any] | None:
        """The staged record that speaks for a key."""
        rows = self._database.run_line(
            "SELECT * FROM temp.staged WHERE key = :key ORDER BY row DESC", key=key
        )
        return rows[0] if rows else None
