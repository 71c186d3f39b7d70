"""Takes over leads that Kartra already has, without sending them."""

from collections import Counter
from collections.abc import Collection, Iterator
from typing import Literal, get_args

from pipelines.contacts.wishes import OnceOnly
from pipelines.state.database import BATCH, Database
from pipelines.state.scope import Scope

ADOPTED_AT_ONCE = 1_000

Standing = Literal["new", "known", "changed", "unknown", "shared", "not_imported"]
"""What a staged lead is before it is taken over; `decide` in `sql/state/adoption.sql` has the rules."""


class Adoption:
    """The leads of a scope that were taken over, or are about to be."""

    def __init__(self, database: Database, scope: Scope) -> None:
        self._database, self._scope = database, scope
        self._queries = database.queries("adoption")

    def decide(self, *, by_address: bool, only_imported: bool) -> Counter[Standing]:
        """Counts the staged leads by their standing.

        `by_address`: the address is the key, so no two records share one. `only_imported`: only leads that
        `export-import` wrote, and that are unchanged since, count as new.
        """
        self._queries.create_adopting()
        self._queries.create_sharing()
        with self._database.transaction():
            if not by_address:
                self._queries.find_sharing(scope_id=self._scope.scope_id)
            self._queries.decide(scope_id=self._scope.scope_id, only_imported=only_imported)
        return Counter({row["standing"]: row["leads"] for row in self._queries.standings()})

    def take_over(self, owed: Collection[OnceOnly]) -> Iterator[int]:
        """Acknowledges the new leads as their records are, without what is `owed`; one transaction per step.

        Yields how many leads each step took over. Leads that were taken over before stay as they are.
        """
        after = ""
        while (until := self._queries.range(after=after, count=ADOPTED_AT_ONCE)) is not None:
            keys = {"scope_id": self._scope.scope_id, "after": after, "until": until}
            owes = {f"owes_{kind}": kind in owed for kind in get_args(OnceOnly)}
            # A step at a time: one transaction over a million leads would keep every other pipeline of the
            # file waiting.
            with self._database.transaction():
                count = self._queries.take_over(**keys, **owes, now=self._database.timestamp())
                self._queries.drop_refusals(**keys)
            yield count
            after = until

    def count(self) -> int:
        """Leads that were taken over and never sent to."""
        return int(self._queries.count(scope_id=self._scope.scope_id))

    def adopted(self) -> Iterator[tuple[str, int | None]]:
        """(key, row in the source) of the leads that were taken over and never sent to, by key."""
        after = ""
        while rows := self._queries.adopted(scope_id=self._scope.scope_id, after=after, count=BATCH):
            yield from ((row["key"], row["row"]) for row in rows)
            after = rows[-1]["key"]

    def give_up(self, key: str) -> None:
        """Makes a lead new again that was taken over and turned out not to be in Kartra."""
        self._queries.give_up(scope_id=self._scope.scope_id, key=key)

    def give_up_all(self) -> int:
        """Forgets the leads that were taken over and never sent to; returns how many."""
        with self._database.transaction():
            return int(self._queries.give_up_all(scope_id=self._scope.scope_id))
