"""What the account has: names of tags, lists, sequences, and custom fields with their options.

A wish for something that does not exist is told before the first write, once per name and not once
per lead.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from functools import lru_cache, partial
from typing import Any

from connectors.kartra import commands
from connectors.kartra.client import KartraClient
from connectors.kartra.commands import Call
from connectors.kartra.profile import CustomFieldDefinition, parse_custom_fields, parse_names
from connectors.privacy import mask_text
from pipelines.config import LoadConfig
from pipelines.diff import Change
from pipelines.lead import CustomValue
from pipelines.nearest import nearest
from pipelines.state import Store, utc_now

FRESH_FOR = timedelta(hours=1)
"""How long a list of names is taken for true without asking again. A name it lacks is asked for anyway."""

_READS = {
    "tags": (commands.retrieve_account_tags, "account_tags"),
    "lists": (commands.retrieve_account_lists, "account_lists"),
    "sequences": (commands.retrieve_account_sequences, "account_sequences"),
    "custom_fields": (commands.retrieve_custom_fields, "custom_fields"),
}
_COLLECTION = {
    "assign_tag": ("tag", "tags"),
    "subscribe_lead_to_list": ("list", "lists"),
    "subscribe_lead_to_sequence_at_step": ("sequence", "sequences"),
}


@dataclass(frozen=True, slots=True)
class Inventory:
    """What Kartra listed. `fresh` is false where the lists come from an earlier run."""

    tags: frozenset[str] = frozenset()
    lists: frozenset[str] = frozenset()
    sequences: frozenset[str] = frozenset()
    custom_fields: Mapping[str, CustomFieldDefinition] = field(default_factory=dict)
    fresh: bool = True

    @classmethod
    def of(cls, contents: Mapping[str, Any], *, fresh: bool) -> "Inventory":
        """From what `read_inventory` gave, by kind."""
        return cls(
            tags=frozenset(contents.get("tags", ())),
            lists=frozenset(contents.get("lists", ())),
            sequences=frozenset(contents.get("sequences", ())),
            custom_fields={
                known["identifier"]: CustomFieldDefinition(**known)
                for known in contents.get("custom_fields", ())
            },
            fresh=fresh,
        )

    def wire_value(self, identifier: str, value: CustomValue) -> str | tuple[str, ...]:
        """A custom value as Kartra takes it: option ids instead of labels. KeyError where it has none."""
        definition = self.custom_fields[identifier]
        if not value or definition.type not in commands.CHOICE_TYPES:
            return value if isinstance(value, str) else "; ".join(value)
        labels = value if isinstance(value, tuple) else (value,)
        ids = tuple(_option_id(definition, label) for label in labels)
        return ids if definition.type == "checkbox" else ids[0]


@dataclass(frozen=True, slots=True, order=True)
class Missing:
    """One thing that is wished for and does not exist: `tag "Importd"`, with what is near."""

    what: str
    near: str | None = None

    def __str__(self) -> str:
        return mask_text(self.what) + (f'; did you mean "{self.near}"?' if self.near else "")


def missing_in(change: Change, inventory: Inventory) -> Iterator[Missing]:
    """What this change needs and the account does not have."""
    for step in change.steps:
        if step.cmd in _COLLECTION:
            word, collection = _COLLECTION[step.cmd]
            known: frozenset[str] = getattr(inventory, collection)
            if step.name not in known:
                yield Missing(f'{word} "{step.name}"', _near(step.name, known))
    for identifier, value in change.custom_fields.items():
        definition = inventory.custom_fields.get(identifier)
        if definition is None:
            yield Missing(
                f'custom field "{identifier}"', _near(identifier, frozenset(inventory.custom_fields))
            )
        elif definition.type in commands.CHOICE_TYPES:
            yield from _missing_options(definition, value)


@lru_cache(maxsize=1024)
def _near(name: str, known: frozenset[str]) -> str | None:
    """Looked for once: a misspelt tag is missed by as many leads as have it."""
    return nearest(name, known)


def needs_inventory(change: Change) -> bool:
    return bool(change.steps or change.custom_fields)


class AccountInventory:
    """The account's lists for one load: from the state while they are fresh, else from Kartra."""

    def __init__(
        self, store: Store, client: KartraClient, account: str, load: LoadConfig, *, keep: bool = True
    ) -> None:
        """`keep` false leaves no trace in the state."""
        self._keep = keep
        self._store = store
        self._client = client
        self._account = account
        self._kinds = tuple(kinds_used(load))
        self._current: Inventory | None = None

    def calls_needed(self) -> int:
        """Calls that a run spends on asking."""
        return 0 if self._stored() else len(self._kinds)

    def current(self) -> Inventory:
        """Raises FatalApiError, RetryableApiError."""
        if self._current is None:
            self._current = self._stored() or self.asked()
        return self._current

    def asked(self) -> Inventory:
        """Ask Kartra now: the first list alone, so that a bad credential costs one call, then the others."""
        contents = {kind: self._read(kind) for kind in self._kinds[:1]}
        with ThreadPoolExecutor(max_workers=max(1, len(self._kinds) - 1)) as pool:
            contents.update(zip(self._kinds[1:], pool.map(self._read, self._kinds[1:]), strict=True))
        for kind, content in contents.items() if self._keep else ():
            self._store.keep_inventory(self._account, kind, content)
        self._current = Inventory.of(contents, fresh=True)
        return self._current

    def forget(self) -> None:
        """The lists proved wrong: ask again next time."""
        self._store.forget_inventories(self._account)

    def _stored(self) -> Inventory | None:
        contents = {}
        for kind in self._kinds:
            stored = self._store.inventory(self._account, kind)
            if stored is None or utc_now() - stored[0] > FRESH_FOR:
                return None
            contents[kind] = stored[1]
        return Inventory.of(contents, fresh=False)

    def _read(self, kind: str) -> Any:
        return read_inventory(self._client, kind)


def kinds_used(load: LoadConfig) -> Iterator[str]:
    """Which inventories a mapping can need."""
    for kind in ("tags", "lists", "sequences", "custom_fields"):
        if getattr(load, kind):
            yield kind


def read_inventory(client: KartraClient, kind: str) -> Any:
    """One inventory as JSON values."""
    build, key = _READS[kind]
    answer = client.inventory(Call((build(),)))
    if kind == "custom_fields":
        return [
            {"identifier": known.identifier, "type": known.type, "options": dict(known.options)}
            for known in parse_custom_fields(answer.body)
        ]
    return list(parse_names(answer.body, key))


class Shortfall:
    """Collects what is missing over all changes: each thing once, with how many leads wish for it."""

    def __init__(self, inventory: Callable[[], Inventory], ask: Callable[[], Inventory]) -> None:
        self._inventory = inventory
        self._ask = ask
        self.leads: Counter[Missing] = Counter()

    def check(self, change: Change) -> None:
        """A list of an earlier run that lacks a name is asked for again before the name counts as missing."""
        if not needs_inventory(change):
            return
        inventory = self._inventory()
        find = partial(missing_in, change)
        missing = list(find(inventory))
        if missing and not inventory.fresh:
            missing = list(find(self._ask()))
        self.leads.update(missing)


def _missing_options(definition: CustomFieldDefinition, value: CustomValue) -> Iterator[Missing]:
    labels = value if isinstance(value, tuple) else (value,) if value else ()
    if len(labels) > 1 and definition.type != "checkbox":
        yield Missing(f'custom field "{definition.identifier}" takes one option, several are given')
    for label in labels:
        try:
            _option_id(definition, label)
        except KeyError:
            yield Missing(
                f'option "{label}" of custom field "{definition.identifier}"',
                _near(label, frozenset(definition.options)),
            )


def _option_id(definition: CustomFieldDefinition, label: str) -> str:
    """By the label as it is; failing that by the only one that differs in case alone."""
    if label in definition.options:
        return definition.options[label]
    alike = [option for known, option in definition.options.items() if known.casefold() == label.casefold()]
    if len(alike) != 1:
        raise KeyError(label)
    return alike[0]
