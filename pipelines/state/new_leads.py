"""Staged leads that are new: a first load has many, but of few shapes, and plans them by shape."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.contacts.lead import CustomValue, DesiredLead
from pipelines.state.database import BATCH, Database
from pipelines.state.scope import Scope
from pipelines.state.staging import Difference


class NewLeads:
    """The new leads among what was staged, after `set_apart`."""

    def __init__(self, database: Database, scope: Scope) -> None:
        self._database, self._scope = database, scope
        self._queries = database.queries("new_leads")

    def set_apart(self) -> None:
        """Sets the new leads apart: `Staging.differences` leaves them out from now on."""
        with self._database.transaction():
            self._queries.find(scope_id=self._scope.scope_id)
            self._queries.find_shapes()

    def set_apart_again(self) -> None:
        """After some of what was staged was left."""
        with self._database.transaction():
            self._queries.clear_leads()
            self._queries.clear_shapes()
        self.set_apart()

    def places(self) -> Iterator[tuple[int, str]]:
        """(row, key) of the new leads that were set apart, in the order of the source. Read in batches."""
        after = 0
        while rows := self._queries.places(after=after, count=BATCH):
            yield from ((row["row"], row["key"]) for row in rows)
            after = rows[-1]["row"]

    def shapes(self) -> Iterator[tuple[int, Difference]]:
        """(count, lead): one new lead of each shape, with the number of its kind. Read in batches."""
        after = 0
        while rows := self._queries.shapes(after=after, count=BATCH):
            for row in rows:
                yield row["leads"], _difference(row)
            after = rows[-1]["row"]

    def leads(self) -> Iterator[Difference]:
        """All new leads in the order of the source. Read in batches."""
        after = 0
        while rows := self._queries.leads(after=after, count=BATCH):
            for row in rows:
                yield _difference(row)
            after = rows[-1]["row"]

    def values(self, custom_field: str) -> Iterator[tuple[CustomValue, int]]:
        """The values of a custom field in new leads, with how many have each. Read in batches."""
        with self._database.transaction():
            self._queries.clear_values()
            self._queries.find_values(identifier=custom_field)
        after = 0
        while rows := self._queries.values(after=after, count=BATCH):
            for row in rows:
                value = row["value"]
                yield tuple(json.loads(value)) if row["type"] == "array" else value, row["leads"]
            after = rows[-1]["place"]

    def enqueue(self, run_id: str) -> Iterator[int]:
        """Plans the changes of all new leads; yields how many each transaction added."""
        after = 0
        while (until := self._queries.range(after=after, count=20 * BATCH)) is not None:
            with self._database.transaction():
                count = self._queries.enqueue(
                    run_id=run_id, scope_id=self._scope.scope_id, after=after, until=until
                )
            yield count
            after = until


def _difference(row: Mapping[str, Any]) -> Difference:
    lead = DesiredLead.from_json(row["wish"])
    return Difference(row["row"], row["line"], row["key"], row["digest"], lead, None, None, False, None)
