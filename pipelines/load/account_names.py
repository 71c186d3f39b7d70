"""What the account has: names of tags, lists, sequences, and custom fields with their options.

A wish for a name that does not exist is reported before the first write: one line per name, however many
leads ask for it.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from types import MappingProxyType
from typing import Any

from connectors.clock import SYSTEM_CLOCK, Clock
from connectors.kartra import commands
from connectors.kartra.commands import InventoryName
from connectors.kartra.profile import CustomFieldDefinition
from connectors.kartra.sender import Sender
from pipelines.calls.inventories import read_inventory
from pipelines.calls.pool import Pool, Threads
from pipelines.calls.workers import call_each
from pipelines.changes.diff import Change
from pipelines.changes.inventory import NOTHING, Inventory, Missing, missing_in, needs_inventory
from pipelines.config.custom_fields import NewField
from pipelines.config.load import LoadConfig
from pipelines.contacts.lead import Unwanted
from pipelines.contacts.wishes import WISHES
from pipelines.load.custom_fields import FieldDraft, FieldToCreate
from pipelines.state.clock import is_fresh
from pipelines.state.store import Store

FRESH_FOR = timedelta(hours=1)
"""How long a list of names is taken for true without asking again. A name it lacks is asked for anyway."""


@dataclass(frozen=True, slots=True)
class KeptLists:
    """The lists of one account that the state has; with `keep` false (a plan) none is added."""

    store: Store
    account: str
    keep: bool = True
    clock: Clock = SYSTEM_CLOCK

    def fresh(self, kinds: Iterable[InventoryName]) -> dict[InventoryName, Any] | None:
        """All of these lists, or None where one is absent or no longer fresh."""
        contents: dict[InventoryName, Any] = {}
        now = self.clock.now()
        for kind in kinds:
            stored = self.store.inventories.get(self.account, kind)
            if stored is None or not is_fresh(stored[0], now - FRESH_FOR, now):
                return None
            contents[kind] = stored[1]
        return contents

    def put(self, kind: InventoryName, content: Any) -> None:
        if self.keep:
            self.store.inventories.keep(self.account, kind, content)

    def forget(self) -> None:
        self.store.inventories.forget(self.account)


class AccountInventory:
    """The account's lists for one load: from the state while they are fresh, else from Kartra."""

    def __init__(
        self,
        kept: KeptLists,
        client: Sender,
        load: LoadConfig,
        *,
        pool: Callable[[], Pool] = Threads,
        kinds: Collection[InventoryName] | None = None,
    ) -> None:
        """`kinds`: the lists that are asked for, where they are not those the load needs."""
        self._kept, self._client, self._pool = kept, client, pool
        self._kinds = tuple(kinds_used(load) if kinds is None else kinds)
        self._current: Inventory | None = None
        self._are_fields_of_now = False

    def calls_needed(self, *, creating: int = 0, fields: bool = False) -> int:
        """The calls that a run spends on reading lists and on creating so many custom fields.

        `fields`: whether custom fields are filled.
        """
        if creating:
            # A kept list that lacks a field is asked for again before the field counts as missing, and one
            # more list shows the fields made.
            return len(self._kinds) + creating + 1
        return int(fields) if self._stored() else len(self._kinds)

    def current(self) -> Inventory:
        """The lists: kept ones if fresh, else from Kartra. Raises FatalApiError, RetryableApiError."""
        if self._current is None:
            self._current = self._stored() or self.asked()
        return self._current

    def with_fields_of_now(self) -> Inventory:
        """As `current`, but custom fields and options are asked for in this run.

        A field or an option that is not there any more is ignored by Kartra without a word: a list of an hour
        ago would let values go that arrive nowhere.
        """
        if not self.current().fresh and not self._are_fields_of_now:
            self.custom_fields()
        return self.current()

    def asked(self) -> Inventory:
        """The lists as they are now; the first is read alone, so that a bad credential costs one call."""
        contents = {kind: self._read(kind) for kind in self._kinds[:1]}
        contents.update(
            call_each(self._kinds[1:], self._read, width=lambda: len(self._kinds), pool=self._pool)
        )
        for kind, content in contents.items():
            self._kept.put(kind, content)
        self._current = Inventory.of(contents, fresh=True)
        return self._current

    def custom_fields(self) -> Mapping[str, CustomFieldDefinition]:
        """The account's custom fields as they are now, asked for alone."""
        content = self._read("custom_fields")
        self._kept.put("custom_fields", content)
        now = Inventory.of({"custom_fields": content}, fresh=True).custom_fields
        self._current = replace(self.current(), custom_fields=now)
        self._are_fields_of_now = True
        return now

    @property
    def note(self) -> str | None:
        """A remark on the lists, if they were read."""
        return self._current.note if self._current is not None else None

    def forget(self) -> None:
        """Drop lists that proved wrong, so that the next run asks for them again."""
        self._kept.forget()

    def _stored(self) -> Inventory | None:
        contents = self._kept.fresh(self._kinds)
        return None if contents is None else Inventory.of(contents, fresh=False)

    def _read(self, kind: InventoryName) -> Any:
        return read_inventory(self._client, kind)


def kinds_used(load: LoadConfig) -> Iterator[InventoryName]:
    """The lists of the account that a mapping can need."""
    for wish in WISHES:
        if wish.listed_as and (wish.is_asked_for(load) or wish.is_taken(load)):
            yield wish.listed_as
    if load.custom_fields:
        yield "custom_fields"


class Shortfall:
    """Collects the names that are missing over all changes, with how many leads wish for each.

    Custom fields in `creatable` are created instead of missing.
    """

    def __init__(
        self,
        inventory: Callable[[], Inventory],
        ask: Callable[[], Inventory],
        creatable: Mapping[str, NewField] = MappingProxyType({}),
        *,
        fields_of_now: Callable[[], Inventory] | None = None,
    ) -> None:
        """`fields_of_now`: the inventory once custom fields were asked for in this run."""
        self._inventory = inventory
        self._fields_of_now = fields_of_now or inventory
        self._ask = ask
        self._creatable = creatable
        self._drafts: dict[str, FieldDraft] = {}
        self._found: Counter[Missing] = Counter()

    @property
    def leads(self) -> Counter[Missing]:
        unfit = {
            Missing(f'custom field "{name}", which cannot be created: {draft.fault}'): draft.lead_count
            for name, draft in self._drafts.items()
            if draft.fault
        }
        return self._found + Counter(unfit)

    @property
    def new_fields(self) -> tuple[FieldToCreate, ...]:
        """The custom fields to create, in the order of the mapping."""
        drafts = (self._drafts[name] for name in self._creatable if name in self._drafts)
        return tuple(draft.field for draft in drafts if not draft.fault)

    def depends_on_value(self, custom_field: str) -> bool:
        """Whether the value of that field matters, and not only that it is filled."""
        known = self._fields_of_now().custom_fields.get(custom_field)
        return known is None or known.type in commands.CHOICE_TYPES or custom_field in self._creatable

    def check(self, change: Change, theirs: Collection[Unwanted] = NOTHING, *, leads: int = 1) -> None:
        """Checks a change. A kept list that lacks a name is read again before the name counts as missing.

        `theirs` is what must be gone and was not given by us; `leads` is how many have such a change.
        """
        if not needs_inventory(change) and not theirs:
            return
        inventory = self._fields_of_now() if change.custom_fields else self._inventory()
        find = partial(missing_in, change, theirs=theirs, creatable=self._creatable)
        missing, new = list(find(inventory)), self._new_in(change, inventory)
        if (missing or new) and not inventory.fresh:
            inventory = self._ask()
            missing, new = list(find(inventory)), self._new_in(change, inventory)
        for one in missing:
            self._found[one] += leads
        for identifier in new:
            draft = self._drafts.setdefault(identifier, FieldDraft(identifier, self._creatable[identifier]))
            draft.add(change.custom_fields[identifier], leads)

    def _new_in(self, change: Change, inventory: Inventory) -> list[str]:
        return [
            name for name in change.custom_fields if name in self._creatable and inventory.has_room_for(name)
        ]
