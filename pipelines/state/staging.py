"""The records of one run in temporary tables, and their difference from what was acknowledged."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any

from pipelines.contacts.lead import DesiredLead, Origin, Snapshot, Unwanted
from pipelines.contacts.staged import Reject, StagedRow
from pipelines.state.database import BATCH, Database
from pipelines.state.leads import snapshot_of
from pipelines.state.refusals import Refusal
from pipelines.state.rejects import Rejects
from pipelines.state.scope import Scope


@dataclass(frozen=True, slots=True)
class Difference:
    """A staged lead that differs from what Kartra acknowledged; `refused` if this very wish was before."""

    row: int
    line: int
    key: str
    digest: bytes
    desired: DesiredLead
    snapshot: Snapshot | None
    origin: Origin | None
    was_removed: bool
    refused: Refusal | None


@dataclass(frozen=True, slots=True)
class AddressMove:
    """A staged lead whose address changes: `held` is the address it gives up, None for a new lead."""

    key: str
    row: int
    held: str | None
    wanted: str


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A record whose key occurs more than once in the source; `wish` is JSON."""

    key: str
    row: int
    wish: str
    blocked: str | None


class Staging:
    """The records of a run. `begin`, then `add` for each chunk, then `end` and `settle` for duplicates."""

    def __init__(self, database: Database, scope: Scope) -> None:
        self._database, self._scope = database, scope
        self._queries = database.queries("staging")
        self._rejects = Rejects(database)
        self._has_known = False
        self._unpack: Callable[[bytes], Mapping[int, str]]
        self._unpacked: Mapping[int, str] = {}

    def begin(self, unpack: Callable[[bytes], Mapping[int, str]] = lambda _: {}) -> None:
        """`unpack` turns the packed originals given to `add` into JSON records by row."""
        self._has_known = False
        self._unpack, self._unpacked = unpack, {}
        self._database.original_of = self._original_of
        self._create_staged()
        self._queries.create_new_leads()
        self._queries.create_new_shapes()
        self._queries.create_new_values()
        self._queries.create_originals()
        self._queries.create_present()
        self._queries.create_suppressed()
        self._queries.create_unseen()
        self._queries.create_holders()
        self._queries.create_former()

    def _create_staged(self) -> None:
        self._queries.create_staged()
        self._queries.index_blocked()

    def begin_again(self, run_id: str | None, rejects: int) -> None:
        """Empties the staging table and keeps the first `rejects` of the run: the source is read once
        more."""
        with self._database.transaction():
            self._queries.drop_staged()
            self._create_staged()
            self._queries.clear_originals()
            self._queries.clear_present()
            self._queries.clear_former()
            # Rejects are of the run and not temporary: the second reading would note each of them twice.
            self._rejects.take_back(run_id, kept=rejects)

    def suppress(self, addresses: Sequence[str], reason: str) -> None:
        """Notes addresses that must not be sent in this run."""
        with self._database.transaction():
            self._queries.suppress([{"address": address, "reason": reason} for address in addresses])

    def add(
        self,
        records: Sequence[StagedRow],
        rejects: Sequence[Reject],
        run_id: str | None,
        originals: tuple[int, bytes] | None = None,
    ) -> None:
        """Adds one chunk of the source. Rejects are kept only for a run, not for a plan.

        `originals` is the first row, and what `pipelines.contacts.originals` packed.
        """
        with self._database.transaction():
            if originals is not None:
                first, packed = originals
                self._queries.add_originals(first=first, packed=packed)
            self._queries.add(records)
            # A contact whose row is faulty has not left the source: its lead must not be taken for a removal.
            self._queries.add_present((reject.key,) for reject in rejects if reject.key is not None)
            if run_id is not None:
                self._rejects.add(run_id, rejects)

    def add_former(self, keys: Iterable[tuple[int, str]]) -> None:
        """(row, key) of records under the former sync key."""
        with self._database.transaction():
            self._queries.add_former(keys)

    def fill_former(self) -> None:
        """As `add_former`, where it was the address."""
        with self._database.transaction():
            self._queries.fill_former()

    def _original_of(self, row: int) -> str | None:
        """The text of a staged record, from the packed originals."""
        # Rejects come in the order of the source, so that a part is unpacked once and used up.
        if row not in self._unpacked:
            packed = self._queries.originals_of(row=row)
            self._unpacked = {} if packed is None else self._unpack(packed)
        return self._unpacked.get(row)

    def end(self) -> int:
        """Finds the losers, the records that do not count for their key; returns how many there are."""
        with self._database.transaction():
            self._queries.block_suppressed()
            # Not made with the table: an index that is built over the filled table takes less time than one
            # that grows with each row.
            self._queries.index_keys()
            self._queries.find_losers()
        return int(self._queries.count_losers())

    def duplicate_groups(self) -> Iterator[list[Duplicate]]:
        """The records of each key that occurs more than once in the source.

        Read in batches: their wishes may be written meanwhile.
        """
        after = ""
        while rows := self._queries.groups(after=after, count=BATCH):
            for _, group in groupby((Duplicate(**row) for row in rows), key=attrgetter("key")):
                yield list(group)
            after = rows[-1]["key"]

    def settle(self, merged: Iterable[Mapping[str, Any]], run_id: str | None) -> int:
        """Writes back merged wishes (see `merge` in the SQL) and drops the losers; returns how many are
        blocked."""
        with self._database.transaction():
            for wish in merged:
                self._queries.merge(**wish)
            if run_id is not None:
                self._rejects.add_losers(run_id)
                self._rejects.add_blocked(run_id)
            self._queries.drop_losers()
        return int(self._queries.count_blocked())

    def count_longer(self, collection: str, name: str, length: int) -> int:
        """How many staged leads, not as Kartra acknowledged them, have a longer text for a field."""
        count = self._queries.count_longer(
            scope_id=self._scope.scope_id, collection=collection, name=name, kept=length
        )
        return int(count)

    def count_unchanged(self) -> tuple[int, int]:
        """How many staged leads are as acknowledged, and how many are left alone because Kartra had them
        before."""
        counted = self._queries.count_unchanged(scope_id=self._scope.scope_id)
        return counted["unchanged"], counted["skipped"]

    def differences(self) -> Iterator[Difference]:
        """Staged leads that differ from their snapshot, in the order of the source. Read in batches."""
        counted = self._queries.count_new()
        if counted["new"] == counted["not_blocked"]:
            return  # all are new leads, which were set apart
        # Not one long cursor: entries are planned while the differences are read, and a place to go on from
        # stands that.
        after = 0
        while rows := self._queries.differences(scope_id=self._scope.scope_id, after=after, count=BATCH):
            for row in rows:
                yield Difference(
                    row=row["row"],
                    line=row["line"],
                    key=row["key"],
                    digest=row["digest"],
                    desired=DesiredLead.from_json(row["wish"]),
                    snapshot=snapshot_of(row),
                    origin=row["origin"],
                    was_removed=bool(row["was_removed"]),
                    refused=_refusal(row),
                )
            after = rows[-1]["row"]

    def address_moves(self) -> list[AddressMove]:
        """Leads whose address changes, and new leads that take one of the addresses given up."""
        scope_id = self._scope.scope_id
        moves = [AddressMove(**row) for row in self._queries.address_moves(scope_id=scope_id)]
        if not moves:
            return moves
        given_up = json.dumps([move.held for move in moves])
        takers = self._queries.address_takers(scope_id=scope_id, addresses=given_up)
        return [*moves, *(AddressMove(held=None, **row) for row in takers)]

    @property
    def has_known(self) -> bool:
        """Whether known records were not staged."""
        return self._has_known

    def removed(self) -> Iterator[tuple[str, Snapshot]]:
        """(key, snapshot) of leads whose contact left the source."""
        fixed = {"scope_id": self._scope.scope_id, "has_known": self._has_known, "count": BATCH}
        after = ""
        while rows := self._queries.removed(**fixed, after=after):
            for row in rows:
                yield row["key"], Snapshot.from_json(row["snapshot"], lead_id=row["lead_id"])
            after = rows[-1]["key"]

    def note_unseen(self, unseen: Iterable[bytes]) -> None:
        """Notes the known records that did not come. Known records that came were not staged, and are not
        gone."""
        self._has_known = True
        with self._database.transaction():
            self._queries.note_unseen((raw,) for raw in unseen)

    def leave(self, rows: Iterable[int]) -> int:
        """Take these rows out of the staging table: their leads stay as they are, and have not gone.

        Gives how many there were. Once for each staging.
        """
        with self._database.transaction():
            self._queries.create_others()
            self._queries.add_other((row,) for row in rows)
            self._queries.note_others_present()
            return int(self._queries.drop_others())

    def count_missing(self, keys: Iterable[str]) -> int:
        """How many of these keys are neither in the source nor those of leads that are known."""
        asked = json.dumps(sorted(keys))
        return int(self._queries.count_missing(scope_id=self._scope.scope_id, keys=asked))

    def overruled(self) -> dict[Unwanted, int]:
        """What staged records ask for and is to be taken off them as well, and how many do."""
        return {(row["collection"], row["name"]): row["leads"] for row in self._queries.overruled()}

    def collapsing(self) -> list[tuple[int, str]]:
        """(row, address) of at most 50 staged leads that Test mode would store as one."""
        return [(row["row"], row["email"]) for row in self._queries.collapsing()]


def _refusal(row: Mapping[str, Any]) -> Refusal | None:
    if not row["refused"]:
        return None
    return Refusal(row["digest"], row["refused_type"], row["refused_reason"])
