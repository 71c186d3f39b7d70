"""The leads in the files for Kartra's own import."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipelines.contacts.lead import DesiredLead, Snapshot
from pipelines.state.adoption import Standing
from pipelines.state.database import BATCH, Database
from pipelines.state.scope import Scope


@dataclass(frozen=True, slots=True)
class Importable:
    """A staged lead that may go into a file for Kartra's own import.

    `refused` says why Kartra refused this very wish before, `snapshot` what Kartra has from us.
    """

    row: int
    key: str
    digest: bytes
    desired: DesiredLead
    standing: Standing
    snapshot: Snapshot | None
    refused: str | None


class Imports:
    """The leads of a scope that were written to files."""

    def __init__(self, database: Database, scope: Scope) -> None:
        self._database, self._scope = database, scope
        self._queries = database.queries("imports")

    def count(self) -> int:
        """Leads in the files that `export-import` wrote last."""
        return int(self._queries.count(scope_id=self._scope.scope_id))

    def importable(self, *, everything: bool) -> Iterator[Importable]:
        """Staged leads for Kartra's own import in the order of the source. Read in batches."""
        after = 0
        fixed = {"scope_id": self._scope.scope_id, "everything": everything}
        while rows := self._queries.importable(**fixed, after=after, count=BATCH):
            for row in rows:
                snapshot = row["snapshot"]
                yield Importable(
                    row=row["row"],
                    key=row["key"],
                    digest=row["digest"],
                    desired=DesiredLead.from_json(row["wish"]),
                    standing=row["standing"],
                    snapshot=Snapshot.from_json(snapshot, lead_id=None) if snapshot else None,
                    refused=row["refused"],
                )
            after = rows[-1]["row"]

    def begin(self) -> None:
        self._queries.create_importing()

    def add(self, leads: Sequence[tuple[str, bytes]]) -> None:
        """Notes leads, as (key, digest), that are in a file and not in Kartra."""
        with self._database.transaction():
            self._queries.add([{"key": key, "digest": digest} for key, digest in leads])

    def keep(self) -> None:
        """Replaces the content of the last files by what was added."""
        with self._database.transaction():
            # In one transaction with what comes in its place: an `adopt` in between must not find that
            # nothing was written.
            self._queries.clear(scope_id=self._scope.scope_id)
            self._queries.keep(scope_id=self._scope.scope_id)
