"""What has left the pipeline file since the last run, from whom it is taken back, and from whom not."""

from collections.abc import Mapping

from connectors.privacy import mask_text
from pipelines.config.load import LoadConfig
from pipelines.contacts.lead import Unwanted
from pipelines.contacts.wishes import WISH, WISHES
from pipelines.contacts.withdrawn import given_to_all, withdrawn_of
from pipelines.state.store import Store
from pipelines.words.numbers import counted

NAMES_SHOWN = 5


class Withdrawal:
    """Of one run or plan. `names` are taken back from whoever has them from us and asks for them no more."""

    def __init__(self, store: Store, load: LoadConfig) -> None:
        self._store, self._load = store, load
        self._withdrawn = withdrawn_of(load, store.given.names())
        emptied = frozenset(
            (kind, name) for kind in sorted(self._withdrawn.emptied) for name in store.given.counts(kind)
        )
        self.names: frozenset[Unwanted] = self._withdrawn.names | emptied

    def notes(self) -> list[str]:
        """What a person should know, once the source is staged."""
        return [
            *self._taken_back(self._store.given.held()),
            *self._kept(),
            *self._begun(),
            *self._overruled(),
        ]

    def begin(self) -> None:
        """What the file gives to all now is remembered, before anybody gets it."""
        self._store.given.keep(given_to_all(self._load))

    def settle(self) -> None:
        """After a run that has read the whole source: what nobody has any more is no longer looked for."""
        gone = self._withdrawn
        empty = {(kind, "") for kind in gone.emptied} | {("sequences", name) for name in gone.begun}
        # As long as anybody has something of it, each run says once more that it stays.
        unmapped = {(kind, "") for kind in gone.unmapped if not self._store.given.counts(kind)}
        self._store.given.settle(gone.names | empty)
        self._store.given.forget(unmapped)

    def _taken_back(self, held: Mapping[Unwanted, int]) -> list[str]:
        named = [f'the {WISH[kind].one} "{name}" from {count:,}' for (kind, name), count in held.items()]
        if not named:
            return []
        what = mask_text(_listed(named))
        if self._load.sync_mode == "create_only":
            return [f"has left the file and stays, because sync_mode is create_only: {what} leads"]
        return [f"has left the file and is taken back, unless a record asks for it: {what} leads"]

    def _kept(self) -> list[str]:
        notes = []
        for kind in sorted(self._withdrawn.unmapped):
            named = [
                f'{counted(count, "lead keeps", "leads keep")} the {WISH[kind].one} "{name}"'
                for name, count in self._store.given.counts(kind).items()
            ]
            if named:
                notes.append(
                    f"{mask_text(_listed(named))}, which this pipeline gave: the file has no `{kind}:` any"
                    f" more (`{kind}: []` takes them back)"
                )
        return notes

    def _overruled(self) -> list[str]:
        """Whose wish wins, where a record asks for what is to be taken off it."""
        if not any(wish.is_taken(self._load) for wish in WISHES):
            return []
        return [
            f"{counted(count, 'record asks', 'records ask')} for the {WISH[kind].one}"
            f' "{mask_text(name)}", and {WISH[kind].taken_by}'
            " takes it off them: nobody of them gets it"
            for (kind, name), count in list(self._store.staging.overruled().items())[:NAMES_SHOWN]
        ]

    def _begun(self) -> list[str]:
        named = ", ".join(f'"{mask_text(name)}"' for name in sorted(self._withdrawn.begun))
        if not named:
            return []
        return [
            f"the sequence {named} has left the file: who is in it stays in it"
            " (unsubscribe_from_sequences takes leads out)"
        ]


def _listed(named: list[str]) -> str:
    more = len(named) - NAMES_SHOWN
    return ", ".join(named[:NAMES_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
