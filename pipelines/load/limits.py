"""What a plan would not bring whole: texts that the account cuts, commands that its App may not call."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipelines.changes.behaviour import Behaviour
from pipelines.changes.inventory import Inventory
from pipelines.config.load import LoadConfig
from pipelines.state.store import Store


@dataclass(frozen=True, slots=True)
class TooLong:
    """So many leads have a longer text for a field than the account keeps there."""

    name: str
    kept: int
    leads: int


def limits_of(load: LoadConfig, behaviour: Behaviour, types: Mapping[str, str]) -> dict[tuple[str, str], int]:
    """By (collection, name) the characters kept, of fields that a load fills; `types`: of custom fields."""
    limits = behaviour.limits
    found = {("fields", name): limits[name] for name in load.fields if name in limits}
    custom = {name: limits.get(types.get(name, "")) for name in load.custom_fields}
    return found | {("custom_fields", name): kept for name, kept in custom.items() if kept}


def field_types(inventory: Inventory) -> dict[str, str]:
    return {name: known.type for name, known in inventory.custom_fields.items()}


def too_long(
    store: Store, load: LoadConfig, behaviour: Behaviour | None, types: Mapping[str, str]
) -> Iterator[TooLong]:
    """Of what was staged and is not as acknowledged."""
    for (collection, name), kept in limits_of(load, behaviour, types).items() if behaviour else ():
        if leads := store.staging.count_longer(collection, name, kept):
            yield TooLong(name, kept, leads)
