"""A sync key that has changed: the leads that are known are found again under the new one, without a call."""

from connectors.sources import Source
from pipelines.config.load import LoadConfig
from pipelines.errors import GuardError
from pipelines.extract.stage import BY_ADDRESS, former_column
from pipelines.state.keys import Paired
from pipelines.state.store import Store
from pipelines.words.numbers import counted


class Rekeying:
    """Of one run or plan: asked for `former` before its source is staged, and to `move` after."""

    def __init__(self, store: Store, load: LoadConfig, source: Source) -> None:
        self._store, self._source = store, source
        self._now = sync_key_of(load)
        kept = store.keys.sync_key()
        # Early versions kept no name of a column: any column may be the one that they meant.
        is_other = kept is not None and kept != self._now and not (kept == "" and load.key.column)
        self.former = kept if is_other else None
        """The key that has changed; None where it has not, or nothing is known."""

    @property
    def is_due(self) -> bool:
        """Whether anything has to move before records are compared with leads."""
        return self.former is not None or self._store.keys.has_former

    def move(self) -> list[str]:
        """What is known stands under the new key; gives what a person should know.

        Raises GuardError where some leads cannot be found again for sure.
        """
        keys = self._store.keys
        if self.former is not None:
            return self._all_move(self.former)
        if keys.has_former:
            if count := keys.pair_former():
                keys.move(self._now, rest=False)
                return [
                    f"{counted(count, 'lead')} of the former key in the source again, found by their address"
                ]
            # Everybody of the former key is found by now.
            keys.end()
        keys.keep(self._now)
        return []

    def _all_move(self, former: str) -> list[str]:
        keys = self._store.keys
        paired = keys.pair(is_address=former == BY_ADDRESS)
        was, now = _described(former), _described(self._now)
        found = f"the key was {was} and is {now}: {paired.pairs:,} known leads are found again {self._by}"
        if doubt := self._doubt(paired, was, now):
            keys.end()
            raise GuardError(f"{found}, and {doubt}")
        # Under the same numbering whoever is not in the source keeps a key that still says who they are.
        keys.move(self._now, rest=not paired.is_same_numbering)
        rest = f"; {paired.leads:,} are not in the source" if paired.leads else ""
        return [f"{found}, with all that was done{rest}"]

    @property
    def _by(self) -> str:
        is_there = former_column(self._source, self.former) is not None
        return "by the former key, which the source still has" if is_there else "by their address"

    def _doubt(self, paired: Paired, was: str, now: str) -> str:
        if rows := paired.doubtful or paired.lost:
            shown = ", ".join(f"{row:,}" for row in rows)
            return (
                f"the rows {shown} are several of one lead, or several leads in one: nothing was sent."
                f" Give each record a value of its own in {now}, or keep {was} as the key"
            )
        if paired.leads and paired.records:
            return (
                f"{paired.records:,} records and {paired.leads:,} known leads are left, of which nobody can"
                f" tell whether they are the same people under another address: nothing was sent. Run once"
                f" with {was} as the key, so that nobody is new, and then with {now}"
            )
        return ""


def refuse_other_key(store: Store, load: LoadConfig) -> None:
    """For work that compares records with leads by key and does not move them. Raises GuardError."""
    kept = store.keys.sync_key()
    if kept is None or kept == sync_key_of(load) or (kept == "" and load.key.column):
        return
    raise GuardError(
        f"the key was {_described(kept)} and is {_described(sync_key_of(load))}: nothing was done. A run"
        " finds the known leads again; run first"
    )


def sync_key_of(load: LoadConfig) -> str:
    """As the state keeps it."""
    return BY_ADDRESS if load.key.column is None else f"column {load.key.column}"


def _described(sync_key: str) -> str:
    if sync_key == BY_ADDRESS:
        return "the address"
    column = sync_key.partition(" ")[2]
    return f'the column "{column}"' if column else "a column"
