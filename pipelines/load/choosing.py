"""A load of some leads alone: by their keys, or the first so many changes. The others stay as they are."""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import merge

from connectors.errors import ConfigError
from pipelines.changes.diff import Change
from pipelines.config.load import LoadConfig
from pipelines.contacts.addresses import normal_key
from pipelines.contacts.lead import Snapshot, Unwanted
from pipelines.load.decisions import decided_differences
from pipelines.state.store import Store

Removal = tuple[str, Snapshot, Change]


@dataclass(frozen=True, slots=True)
class Choice:
    """`keys` None: any. `limit` None: as many as there are."""

    keys: frozenset[str] | None = None
    limit: int | None = None

    @property
    def is_all(self) -> bool:
        return self.keys is None and self.limit is None

    def has(self, key: str, taken: int) -> bool:
        """Whether it is to be sent, after so many others."""
        return (self.keys is None or key in self.keys) and (self.limit is None or taken < self.limit)

    def of_removals(self, removals: Iterator[Removal], taken: int) -> Iterator[Removal]:
        for removal in removals:
            if self.has(removal[0], taken):
                taken += 1
                yield removal

    def normal(self, load: LoadConfig) -> "Choice":
        """With keys in the form that records have them in."""
        if self.keys is None:
            return self
        by_address = load.key.column is None
        return Choice(frozenset(normal_key(key, by_address=by_address) for key in self.keys), self.limit)


EVERYBODY = Choice()


def leave_others(
    store: Store,
    load: LoadConfig,
    choice: Choice,
    unknown: frozenset[str],
    withdrawn: frozenset[Unwanted] = frozenset(),
) -> int:
    """Take what is not chosen out of what was staged: nothing of it is sent or marked. Gives how many.

    After `NewLeads.set_apart`. What differs in nothing stays: it is as it was.
    """
    left = store.staging.leave(_others(store, load, choice, unknown, withdrawn))
    if left:
        store.new_leads.set_apart_again()
    return left


def _others(
    store: Store,
    load: LoadConfig,
    choice: Choice,
    unknown: frozenset[str],
    withdrawn: frozenset[Unwanted],
) -> Iterator[int]:
    known = (
        (difference.row, difference.key)
        for difference, decision in decided_differences(store, load, unknown, {}, withdrawn)
        if decision.change
    )
    taken = 0
    # In the order of the source, so that a limit means its first rows, new or known.
    for row, key in merge(store.new_leads.places(), known):
        if choice.has(key, taken):
            taken += 1
        else:
            yield row


def missing_keys(store: Store, choice: Choice) -> tuple[int, str | None]:
    """How many of the chosen keys nobody knows, and a note of it.

    Raises ConfigError where that is all of them.
    """
    if choice.keys is None:
        return 0, None
    missing = store.staging.count_missing(choice.keys)
    if missing and missing == len(choice.keys):
        raise ConfigError(
            f"none of the {missing:,} keys of --only is in the source: nothing was sent. A key is what"
            " load.key says, such as an address"
        )
    return missing, f"{missing:,} keys of --only are not in the source" if missing else None
