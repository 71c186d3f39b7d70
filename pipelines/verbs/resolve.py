"""The verb `resolve`: a person says what became of a lead or an operation that was parked."""

from dataclasses import dataclass, replace
from typing import Any

from connectors.errors import ConfigError
from pipelines.changes.diff import resolve
from pipelines.config.pipeline import PipelineConfig
from pipelines.contacts.addresses import normal_key
from pipelines.contacts.normalise import normal_cell
from pipelines.errors import LockedError
from pipelines.operations.journal import OperationStore
from pipelines.state.place import is_there
from pipelines.state.store import Store
from pipelines.verbs.identity import find


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a person gave word of: `effects` by their names, none where a refused wish is tried again."""

    effects: tuple[str, ...]
    landed: bool

    def to_json(self) -> dict[str, Any]:
        return {"resolved": list(self.effects), "landed": self.landed, "sent_again": not self.landed}


def resolve_key(config: PipelineConfig, key: str, *, landed: bool, only: tuple[str, ...]) -> Resolved:
    """Take a person's word for what became of a lead; the next run goes on from there.

    `only` narrows it to some of the unproven effects, in the words of `parked_of`. Raises ConfigError where
    there is nothing to resolve, LockedError while the pipeline is being run.
    """
    if not is_there(config.state):
        raise ConfigError(f"{config.pipeline}: has not run yet")
    if config.operations is not None and (
        operation := _resolve_operation(config, normal_cell(key), landed=landed, only=only)
    ):
        return operation
    load = config.needs_load()
    key = normal_key(key, by_address=load.key.column is None)
    with Store(config.state) as store:
        find(config, store, ask=False)
        if holder := store.runs.holder(config.pipeline):
            raise LockedError(holder.message(config.pipeline))
        held = store.leads.get(key)
        unproven = {" ".join(effect): effect for effect in held.snapshot.unproven} if held else {}
        for word in only:
            if word not in unproven:
                raise ConfigError(f'"{word}" is not unproven for this lead; it has: {_listed(unproven)}')
        settled = {word: effect for word, effect in unproven.items() if not only or word in only}
        if not settled:
            return _try_again(store, key, landed=landed)
        assert held is not None  # noqa: S101 - what is settled was unproven of it
        resolved = resolve(held.snapshot, settled.values(), landed=landed)
        store.refusals.resolve(key, replace(held, snapshot=resolved))
    return Resolved(tuple(sorted(settled)), landed)


def _resolve_operation(
    config: PipelineConfig, key: str, *, landed: bool, only: tuple[str, ...]
) -> Resolved | None:
    """Resolve an operation; None where the key is that of a lead. `only` can name the one operation alone."""
    with Store(config.state) as store:
        find(config, store, ask=False)
        operations = OperationStore(store)
        # What Test mode or another account has left under this key holds the operation back here as well.
        recorded = operations.recorded([key]).get(key) or operations.left_elsewhere(key)
        if recorded is None and config.load is not None:
            return None
        if holder := store.runs.holder(config.pipeline):
            raise LockedError(holder.message(config.pipeline))
        name = f"{recorded.do} {recorded.target}" if recorded else ""
        for word in only:
            if word != name:
                raise ConfigError(f'"{word}" is not parked under this key; it has: {name or "nothing"}')
        if recorded is None or not operations.resolve(key, landed=landed):
            unknown = recorded is not None and recorded.outcome is None
            more = "; a call for it has no outcome yet: run first" if unknown else ""
            raise ConfigError(f"no operation with this key waits{more}. `kartra-sync parked` lists what does")
    return Resolved((name,), landed)


def _try_again(store: Store, key: str, *, landed: bool) -> Resolved:
    """Let a refused wish be sent again: somebody says that it can work now. Raises ConfigError."""
    if landed or not store.refusals.resolve(key, None):
        unknown = "; a call for it has no outcome yet: run first" if store.outbox.is_unknown(key) else ""
        raise ConfigError(f"nothing of this lead is unproven{unknown}. `kartra-sync parked` lists what is")
    return Resolved((), landed=False)


def _listed(unproven: dict[str, Any]) -> str:
    return ", ".join(sorted(unproven)) or "nothing"
