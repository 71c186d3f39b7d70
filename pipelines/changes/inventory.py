"""The names that an account has, and the names that a wish needs and the account lacks. Pure."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from connectors.errors import Lines
from connectors.kartra import commands
from connectors.kartra.commands import InventoryName
from connectors.kartra.profile import CustomFieldDefinition
from connectors.privacy import mask_text
from pipelines.changes.diff import Change, joined
from pipelines.config.custom_fields import NewField
from pipelines.contacts.lead import UNREADABLE, CustomValue, UnreadableTextError, Unwanted
from pipelines.contacts.wishes import WISH, Cause, wish_of
from pipelines.words.nearest import nearest
from pipelines.words.numbers import counted

MISSING_SHOWN = 30
NOTHING: frozenset[Unwanted] = frozenset()


@dataclass(frozen=True, slots=True)
class Inventory:
    """What Kartra listed. `fresh` is false if the lists come from an earlier run."""

    tags: frozenset[str] = frozenset()
    lists: frozenset[str] = frozenset()
    sequences: frozenset[str] = frozenset()
    custom_fields: Mapping[str, CustomFieldDefinition] = field(default_factory=dict)
    fresh: bool = True
    unlisted: frozenset[str] = frozenset()
    """The kinds that the App may not list; any name of them may exist."""

    @classmethod
    def of(cls, contents: Mapping[InventoryName, Any], *, fresh: bool) -> "Inventory":
        """The inventory of lists as `read_inventory` returned them, by kind. Raises UnreadableTextError."""
        try:
            return cls._of(contents, fresh=fresh)
        except UNREADABLE:
            raise UnreadableTextError from None

    @classmethod
    def _of(cls, contents: Mapping[InventoryName, Any], *, fresh: bool) -> "Inventory":
        return cls(
            tags=frozenset(contents.get("tags") or ()),
            lists=frozenset(contents.get("lists") or ()),
            sequences=frozenset(contents.get("sequences") or ()),
            custom_fields={
                listed["identifier"]: CustomFieldDefinition(**listed)
                for listed in contents.get("custom_fields", ())
            },
            fresh=fresh,
            unlisted=frozenset(kind for kind, content in contents.items() if content is None),
        )

    @property
    def note(self) -> str | None:
        """A remark on names that cannot be compared, or None."""
        return unlisted_note(self.unlisted)

    def has_room_for(self, identifier: str) -> bool:
        """Whether a custom field of that name can be created. Names that differ only in case are taken."""
        taken = {known.casefold() for known in self.custom_fields}
        return identifier.casefold() not in taken

    def wire_value(self, identifier: str, value: CustomValue) -> str | tuple[str, ...]:
        """A custom value as Kartra takes it: option ids instead of labels. KeyError for an unknown label."""
        definition = self.custom_fields[identifier]
        if not value or definition.type not in commands.CHOICE_TYPES:
            return joined(value)
        labels = value if isinstance(value, tuple) else (value,)
        ids = tuple(_option_id(definition, label) for label in labels)
        return ids if definition.type == "checkbox" else ids[0]


@dataclass(frozen=True, slots=True, order=True)
class Missing:
    """A name that is wished for and does not exist, such as `tag "Importd"`, with the nearest one."""

    what: str
    near: str | None = None

    def __str__(self) -> str:
        return mask_text(self.what) + (f'; did you mean "{self.near}"?' if self.near else "")


def missing_in(
    change: Change,
    inventory: Inventory,
    theirs: Collection[Unwanted] = NOTHING,
    creatable: Mapping[str, NewField] = MappingProxyType({}),
) -> Iterator[Missing]:
    """The names that a change needs and the account lacks.

    What is taken away need not exist, except `theirs`: a name that only the record knows may be misspelt.
    """
    given = [step.effect for step in change.steps if not step.takes and step.wish.listed_as]
    for collection, name in (*given, *sorted(theirs)):
        known: frozenset[str] = getattr(inventory, collection)
        if name not in known and collection not in inventory.unlisted:
            yield Missing(f'{WISH[collection].one} "{name}"', _near(name, known))
    for identifier, value in change.custom_fields.items():
        # One that a run will create counts as there, with the options that it will have.
        definition, new = inventory.custom_fields.get(identifier), creatable.get(identifier)
        if definition is None and new is not None and inventory.has_room_for(identifier):
            definition = _as_created(identifier, new)
        elif definition is None:
            yield Missing(
                f'custom field "{identifier}"', _near(identifier, frozenset(inventory.custom_fields))
            )
            continue
        elif new is not None and new.type not in (None, definition.type):
            yield Missing(f'custom field "{identifier}" as {new.type}: there it is {definition.type}')
            continue
        if definition is not None and definition.type in commands.CHOICE_TYPES:
            yield from _missing_options(definition, value)


def are_all_listed(causes: Iterable[Cause], inventory: Inventory) -> bool:
    """Whether the account has every name that these commands need; one that no list holds, is none."""
    for cmd, label in causes:
        wish = wish_of(cmd)
        if wish is None or wish.listed_as is None or label not in getattr(inventory, wish.collection):
            return False
    return True


@lru_cache(maxsize=1024)
def _near(name: str, known: frozenset[str]) -> str | None:
    """The nearest name. Cached, because every lead with a misspelt tag misses it."""
    return nearest(name, known)


def needs_inventory(change: Change) -> bool:
    return bool(change.steps or change.custom_fields)


def _as_created(identifier: str, new: NewField) -> CustomFieldDefinition | None:
    """The field as it will be created, if the file lists its options; Kartra has not given them ids yet."""
    if new.type is None or new.options == "from_source":
        return None
    return CustomFieldDefinition(identifier, new.type, dict.fromkeys(new.options, ""))


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
    """The id of an option by its label, or by the only label that differs just in case."""
    if label in definition.options:
        return definition.options[label]
    # Two that differ in case alone leave open which is meant: then only the exact one counts.
    alike = [option for known, option in definition.options.items() if known.casefold() == label.casefold()]
    if len(alike) != 1:
        raise KeyError(label)
    return alike[0]


NOTHING_SENT = "Nothing was sent. Create them in Kartra, or mend the names"


def unlisted_note(kinds: Collection[str]) -> str | None:
    """What a person should know of names that the App may not list."""
    if not kinds:
        return None
    named = " and ".join(sorted(kinds))
    return f"the App may not list {named} (262): their names are not compared before they are sent"


def missing_message(missing: Counter[Missing], *more: str) -> Lines:
    """A message with one line for each missing name, and `more`."""
    shown = sorted(missing)[:MISSING_SHOWN]
    lines = [f"  {thing} ({counted(missing[thing], 'lead')})" for thing in shown]
    if len(missing) > len(shown):
        lines.append(f"  and {len(missing) - len(shown):,} more")
    return Lines(["not in the Kartra account:", *lines, *more])


def missing_json(missing: Counter[Missing]) -> list[dict[str, str | int | None]]:
    """`what` is wished for and not there, `near` a name that is."""
    return [
        {"what": mask_text(one.what), "near": one.near, "leads": count}
        for one, count in sorted(missing.items())
    ]
