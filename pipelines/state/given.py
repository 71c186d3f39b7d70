"""What the pipeline file gave to every lead, and who holds what has left it."""

import json
from collections.abc import Collection, Iterable, Iterator

from pipelines.contacts.lead import Snapshot, Unwanted
from pipelines.state.database import BATCH, Database
from pipelines.state.scope import Scope

WITHDRAWN = b"-"
"""The digest of an entry that takes back from a lead without a record what has left the file."""


class Given:
    """Names of a scope as ("tags", "Imported"); an empty name says that there was a mapping at all."""

    def __init__(self, database: Database, scope: Scope) -> None:
        self._database, self._scope = database, scope
        self._queries = database.queries("given")

    def names(self, scope_id: int | None = None) -> frozenset[Unwanted]:
        """What files gave to all, in this scope or in another one."""
        rows = self._queries.names(scope_id=self._scope.scope_id if scope_id is None else scope_id)
        return frozenset((row["collection"], row["name"]) for row in rows)

    def keep(self, names: Iterable[Unwanted]) -> None:
        """The file gives them to all now."""
        with self._database.transaction():
            self._queries.keep(self._each(names))

    def counts(self, collection: str) -> dict[str, int]:
        """How many leads hold each name that we gave, the most common one first."""
        rows = self._queries.counts(scope_id=self._scope.scope_id, path=f"$.{collection}")
        return {row["name"]: row["leads"] for row in rows}

    def find_holders(self, names: Collection[Unwanted]) -> None:
        """Which leads hold one of these names; what follows speaks of them. Once for each staging."""
        for collection in sorted({kind for kind, _ in names}):
            these = json.dumps([name for kind, name in sorted(names) if kind == collection])
            self._queries.find_holders(
                scope_id=self._scope.scope_id, collection=collection, path=f"$.{collection}", names=these
            )

    def held(self) -> dict[Unwanted, int]:
        """How many leads hold each."""
        return {(row["collection"], row["name"]): row["leads"] for row in self._queries.held()}

    def raw_hashes_of_holders(self) -> Iterator[bytes]:
        rows = self._queries.raw_hashes_of_holders(scope_id=self._scope.scope_id)
        return (row["raw"] for row in rows)

    def without_record(self, *, has_known: bool) -> Iterator[tuple[str, Snapshot]]:
        """(key, snapshot) of holders whose record is gone, or may not be sent."""
        fixed = {"scope_id": self._scope.scope_id, "has_known": has_known, "refused": WITHDRAWN}
        after = ""
        while rows := self._queries.without_record(**fixed, after=after, count=BATCH):
            for row in rows:
                yield row["key"], Snapshot.from_json(row["snapshot"], lead_id=row["lead_id"])
            after = rows[-1]["key"]

    def forget(self, names: Iterable[Unwanted]) -> None:
        """They are not looked for any more."""
        with self._database.transaction():
            self._queries.drop(self._each(names))

    def settle(self, withdrawn: Iterable[Unwanted]) -> None:
        """Forget those that nobody holds any more but for whose record asks for it."""
        left = {(row["collection"], row["name"]) for row in self._queries.left(scope_id=self._scope.scope_id)}
        collections = {kind for kind, _ in left}
        done = [
            (kind, name)
            for kind, name in withdrawn
            if (kind not in collections if not name else (kind, name) not in left)
        ]
        self.forget(done)

    def _each(self, names: Iterable[Unwanted]) -> list[dict[str, object]]:
        scope_id = self._scope.scope_id
        return [{"scope_id": scope_id, "collection": kind, "name": name} for kind, name in sorted(names)]
