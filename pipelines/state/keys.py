"""A changed sync key: what is known moves from the keys of the former one to those of the new one."""

from dataclasses import dataclass

from pipelines.state.database import Database
from pipelines.state.scope import Scope

FORMER = "(former key) "
"""How the keys of leads begin that had no record when the key changed: no record can have one of them."""
_FIRST, _LAST = "", "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Paired:
    """Of known leads and staged records: how many are one, and how many of each are left.

    `records` are those of which nothing tells whether they were known. `doubtful` rows are one of several of
    one person, `lost` rows have the new key of another one.
    """

    is_same_numbering: bool
    """Whether every pair has one key, as where only the header of a column was renamed."""
    pairs: int
    leads: int
    records: int
    doubtful: tuple[int, ...]
    lost: tuple[int, ...]


class Keys:
    """The sync key of a scope. `pair` is asked once its source is staged, `move` after it."""

    def __init__(self, database: Database, scope: Scope) -> None:
        self._database, self._scope = database, scope
        self._queries = database.queries("keys")

    def sync_key(self) -> str | None:
        """What keys were when the pipeline was last run: email, or column and its name.

        None where nothing is known. Of a file of a version before: email, or an empty text where they are
        something else.
        """
        kept: str | None = self._queries.sync_key(scope_id=self._scope.scope_id)
        rows = self._queries.sample(scope_id=self._scope.scope_id) if kept is None else []
        if not rows:
            return kept
        return "email" if all(row["key"] == row["email"] for row in rows) else ""

    def keep(self, sync_key: str) -> None:
        with self._database.transaction():
            self._queries.keep_sync_key(scope_id=self._scope.scope_id, sync_key=sync_key)

    @property
    def has_former(self) -> bool:
        """Whether leads are known that the source did not have when the key changed."""
        found = self._queries.has_former(scope_id=self._scope.scope_id, first=FORMER, last=FORMER + _LAST)
        return found is not None

    def pair(self, *, is_address: bool) -> Paired:
        """Which known lead each staged record is. `is_address`: the former key was the address."""
        self._begin(_FIRST, _LAST)
        self._queries.find_others(scope_id=self._scope.scope_id)
        self._queries.index_addresses()
        self._queries.pair_by_key()
        self._queries.pair_by_address()
        is_same = bool(self._queries.are_all_equal())
        if is_same:
            self._queries.pair_by_same_key()
        doubtful, lost = self._queries.doubtful(), self._queries.lost()
        counted = self._queries.unpaired(is_address=is_address)
        return Paired(
            is_same,
            counted["pairs"],
            counted["leads"],
            counted["records"],
            tuple(row["row"] for row in doubtful),
            tuple(row["row"] for row in lost),
        )

    def pair_former(self) -> int:
        """As `pair`, for records that come later of leads that had none when the key changed."""
        self._begin(FORMER, FORMER + _LAST)
        self._queries.index_addresses()
        self._queries.pair_by_address()
        self._queries.drop_known_elsewhere(scope_id=self._scope.scope_id)
        self._queries.drop_doubtful()
        return int(self._queries.unpaired(is_address=True)["pairs"])

    def move(self, sync_key: str, *, rest: bool) -> None:
        """All that is known of the pairs stands under their new keys.

        `rest`: who has no pair gets out of the way. One transaction.
        """
        scope_id = self._scope.scope_id
        with self._database.transaction():
            if rest:
                self._queries.pair_rest(prefix=FORMER)
            self._queries.forget_hashes(scope_id=scope_id)
            self._queries.forget_looks(scope_id=scope_id)
            # In two steps, by way of keys that nobody has: two leads may change places, and no key may stand
            # twice in between.
            self._queries.move_leads(scope_id=scope_id)
            self._queries.settle_leads(scope_id=scope_id)
            self._queries.move_refusals(scope_id=scope_id)
            self._queries.settle_refusals(scope_id=scope_id)
            self._queries.move_imports(scope_id=scope_id)
            self._queries.settle_imports(scope_id=scope_id)
            self._queries.move_outbox(scope_id=scope_id)
            self._queries.move_holders()
            self._queries.replace_holders()
            self._queries.settle_holders()
            self._queries.keep_sync_key(scope_id=scope_id, sync_key=sync_key)
        self.end()

    def end(self) -> None:
        """The pairs are not needed any more."""
        self._queries.drop_known()
        self._queries.drop_pairs()

    def _begin(self, first: str, last: str) -> None:
        self._queries.create_known()
        self._queries.create_pairs()
        self._queries.find_known(scope_id=self._scope.scope_id, first=first, last=last)
