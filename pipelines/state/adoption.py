"""Taking over leads that Kartra has already, without sending them."""

from collections import Counter
from collections.abc import Collection, Iterator
from typing import Literal, get_args

from pipelines.contacts.wishes import OnceOnly
from pipelines.state.clock import timestamp
from pipelines.state.database import BATCH, Database
from pipelines.state.scope import Scope

ADOPTED_AT_ONCE = 1_000

Standing = Literal["new", "known", "changed", "unknown", "shared", "not_imported"]
"""How a staged lead stands before it is taken over: see `sql/state/adopt_decide.sql`."""


class Adoption:
    """The leads of a scope that were taken over, or are about to be."""

    def __init__(self, database: Database, scope: Scope) -> None:
        self._database, self._scope = database, scope

    def decide(self, *, by_address: bool, only_imported: bool) -> Counter[Standing]:
        """How the staged leads stand before they are taken over, counted.

        `by_address`: the address is the key, so no two records share one. `only_imported`: of those that
        Kartra does not have, only what `export-import` wrote and as it wrote it is new.
        """
        self._database.run("adopt_table")
        self._database.run("adopt_sharing_table")
        with self._database.transaction():
            if not by_address:
                self._database.run("adopt_sharing", scope_id=self._scope.scope_id)
            self._database.run("adopt_decide", scope_id=self._scope.scope_id, only_imported=only_imported)
        counted = self._database.run_line(
            "SELECT standing, count(*) AS leads FROM temp.adopting GROUP BY standing"
        )
        return Counter({row.standing: row.leads for row in counted})

    def take_over(self, owed: Collection[OnceOnly]) -> Iterator[int]:
        """Acknowledge the new leads as their records are, but for what is `owed`; each step a transaction.

        Gives how many leads were taken over, step by step. What was taken over before is left as it is.
        """
        after = ""
        while (
            until := self._database.run("adopt_range", after=after, count=ADOPTED_AT_ONCE)[0].until
        ) is not None:
            keys = {"scope_id": self._scope.scope_id, "after": after, "until": until}
            owes = {f"owes_{kind}": kind in owed for kind in get_args(OnceOnly)}
            with self._database.transaction():
                self._database.run("adopt_leads", **keys, **owes, now=timestamp())
                count = int(self._database.run_line("SELECT changes()")[0][0])
                self._database.run("adopt_refusals", **keys)
            yield count
            after = until

    def count(self) -> int:
        """Leads that were taken over and never sent to."""
        counted = (
            "SELECT count(*) FROM leads WHERE scope_id=:scope_id AND taken_over=1 AND removed_at IS NULL"
        )
        return int(self._database.run_line(counted, scope_id=self._scope.scope_id)[0][0])

    def adopted(self) -> Iterator[tuple[str, int | None]]:
        """(key, row in the source) of the leads that were taken over and never sent to, by key."""
        after = ""
        while rows := self._database.run(
            "adopted_keys", scope_id=self._scope.scope_id, after=after, count=BATCH
        ):
            yield from ((row.key, row.row) for row in rows)
            after = rows[-1].key

    def give_up(self, key: str) -> None:
        """A lead that was taken over is not in Kartra: it is new again."""
        self._database.run_line(
            "DELETE FROM leads WHERE scope_id=:scope_id AND key=:key AND taken_over=1",
            scope_id=self._scope.scope_id,
            key=key,
        )

    def give_up_all(self) -> int:
        """Forget what was taken over and never sent to; gives how many leads."""
        gone = "DELETE FROM leads WHERE scope_id=:scope_id AND taken_over=1 RETURNING 1 AS one"
        with self._database.transaction():
            return len(self._database.run_line(gone, scope_id=self._scope.scope_id))
