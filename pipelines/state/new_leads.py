"""Staged leads that nothing is known of, set apart: many at a first load, and of few shapes."""

import json
from collections.abc import Iterator

from pipelines.contacts.lead import CustomValue, DesiredLead
from pipelines.state.database import BATCH, Database
from pipelines.state.scope import Scope
from pipelines.state.staging import Difference


class NewLeads:
    """New leads of what was staged, from `set_apart` on."""

    def __init__(self, database: Database, scope: Scope) -> None:
        self._database, self._scope = database, scope

    def set_apart(self) -> None:
        """From here on `Staging.differences` has them no more."""
        with self._database.transaction():
            self._database.run("find_new_leads", scope_id=self._scope.scope_id)
            self._database.run("find_new_shapes")

    def shapes(self) -> Iterator[tuple[int, Difference]]:
        """The new leads that were set apart, one of each shape, with how many there are. Read in batches."""
        after = 0
        while rows := self._database.run("leads_of_shapes", after=after, count=BATCH):
            for row in rows:
                lead = DesiredLead.from_json(row.wish)
                yield (
                    row.leads,
                    Difference(row.row, row.line, row.key, row.digest, lead, None, None, False, None),
                )
            after = rows[-1].row

    def values(self, custom_field: str) -> Iterator[tuple[CustomValue, int]]:
        """What new leads are to have there, and how many of them. Read in batches."""
        with self._database.transaction():
            self._database.run_line("DELETE FROM temp.new_values")
            self._database.run("find_new_values", identifier=custom_field)
        page = "SELECT * FROM temp.new_values WHERE place > :after ORDER BY place LIMIT :count"
        after = 0
        while rows := self._database.run_line(page, after=after, count=BATCH):
            for row in rows:
                yield tuple(json.loads(row.value)) if row.type == "array" else row.value, row.leads
            after = rows[-1].place

    def enqueue(self, run_id: str) -> Iterator[int]:
        """The changes of all new leads that were set apart; gives how many, for each transaction."""
        after = 0
        while (until := self._database.run("new_range", after=after, count=20 * BATCH)[0].until) is not None:
            rows = {"after": after, "until": until}
            with self._database.transaction():
                self._database.run("enqueue_new", run_id=run_id, scope_id=self._scope.scope_id, **rows)
                count = int(self._database.run_line("SELECT changes()")[0][0])
            yield count
            after = until
