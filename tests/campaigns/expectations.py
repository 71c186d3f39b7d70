"""What a run has to do, from the source, the account and what Kartra executed so far. Pure.

Per lead its items, its outcome, its calls. It knows nothing of the state file.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from connectors.kartra.sandbox import Account, CustomField
from connectors.kartra.sandbox.account import SandboxLead
from connectors.kartra.sandbox.emulator import ReceivedCall
from tests.promises.scenes import about_leads, said

ELSEWHERE = "elsewhere"
"""Stands for the key of a contact whose address has changed since its call was interrupted."""
COLUMNS = ("Id", "Email", "First", "City", "Note", "Tags", "Lists", "Consent")
OPTED_OUT = "unsubscribed"
ALWAYS, SEQUENCE, STEP = "Imported", "Onboarding", "1"

LOAD = """
source: {{csv: contacts.csv}}
key: {key}
fields: {{email: Email, first_name: First, city: City}}
custom_fields: {{note: Note}}
tags: [Imported, {{column: Tags, split: ";"}}]
lists: [{{column: Lists, split: ";"}}]
sequences: [{{name: Onboarding, step: 1}}]
on_removed: {on_removed}
consent: {{column: Consent, accepted: ["yes"]}}
guards: {{min_rows: 0, max_removed: 100%, max_edited: 100%, max_failed: 100%}}
"""

Item = tuple[str, str]
"""("email", ""), ("field", "city"), ("tag", "VIP"), ("list", "News"), ("sequence", "Onboarding"), …"""
Image = dict[Item, Any]
"""A lead as the account holds it. A list that was left stays, with False."""
Row = dict[str, str]
Heard = tuple[frozenset[tuple[str, str]], frozenset[tuple[str, ...]]]
"""What a call said: the fields of its lead, and its actions."""


@dataclass(frozen=True)
class Shape:
    """What differs between the pipelines that are played."""

    key: str
    on_removed: bool

    def __str__(self) -> str:
        return f"model: key {self.key}, on_removed {'untag, unsubscribe' if self.on_removed else 'ignore'}"

    @property
    def load(self) -> str:
        return LOAD.format(
            key="email" if self.key == "email" else "{column: Id}",
            on_removed="[untag, unsubscribe]" if self.on_removed else "ignore",
        )


SHAPES = tuple(Shape(key, on_removed) for key in ("email", "column") for on_removed in (True, False))


# --- what the source asks for


@dataclass(frozen=True)
class Wish:
    """What a row asks for. None: it says nothing of tags, or lists."""

    email: str
    fields: tuple[tuple[str, str], ...]
    tags: frozenset[str] | None
    lists: frozenset[str] | None

    @property
    def all_tags(self) -> frozenset[str]:
        return frozenset({ALWAYS}) | (self.tags or frozenset())

    @property
    def all_lists(self) -> frozenset[str]:
        return self.lists or frozenset()


def wish_of(row: Row) -> Wish:
    cells = {"first_name": row["First"], "city": row["City"], "note": row["Note"]}
    return Wish(
        email=row["Email"],
        fields=tuple((name, cell) for name, cell in cells.items() if cell),
        tags=frozenset(row["Tags"].split(";")) if row["Tags"] else None,
        lists=frozenset(row["Lists"].split(";")) if row["Lists"] else None,
    )


@dataclass(frozen=True)
class Asked:
    """The source as a run reads it: per key the wish, None where it may not be sent; and the row counters."""

    wishes: dict[str, Wish | None]
    rows: dict[str, int]


def asked_by(rows: list[Row], shape: Shape) -> Asked:
    """Of several rows with one key the last one counts, but for one that says its person opted out."""
    chosen: dict[str, Row] = {}
    invalid = duplicate = 0
    for row in rows:
        if "@" not in row["Email"]:
            invalid += 1
            continue
        key = row["Email"] if shape.key == "email" else row["Id"]
        duplicate += key in chosen
        if key not in chosen or row["Consent"] == OPTED_OUT or chosen[key]["Consent"] != OPTED_OUT:
            chosen[key] = row
    wishes = {key: wish_of(row) if row["Consent"] == "yes" else None for key, row in chosen.items()}
    blocked = sum(wish is None for wish in wishes.values())
    return Asked(wishes, {"read": len(rows), "invalid": invalid, "duplicate": duplicate, "blocked": blocked})


# --- what was done so far


@dataclass
class Given:
    """What Kartra executed for us on one lead, and what it had when it became ours (`kept`)."""

    lead_id: str
    email: str
    fields: dict[str, str] = field(default_factory=dict)
    tags: set[str] = field(default_factory=set)
    lists: set[str] = field(default_factory=set)
    kept: set[Item] = field(default_factory=set)
    sequence: bool = False


@dataclass(frozen=True)
class Owed:
    """What has to be sent for one lead."""

    email: str | None = None
    fields: dict[str, str] = field(default_factory=dict)
    give_tags: frozenset[str] = frozenset()
    take_tags: frozenset[str] = frozenset()
    join: frozenset[str] = frozenset()
    leave: frozenset[str] = frozenset()
    start: bool = False

    def __bool__(self) -> bool:
        steps = (self.give_tags, self.take_tags, self.join, self.leave)
        return bool(self.email or self.fields or any(steps) or self.start)

    @property
    def items(self) -> Image:
        """What the lead's items become."""
        return {
            **({("email", ""): self.email} if self.email else {}),
            **{("field", name): value for name, value in self.fields.items()},
            **{("tag", name): True for name in self.give_tags},
            **{("tag", name): None for name in self.take_tags},
            **{("list", name): True for name in self.join},
            **({("sequence", SEQUENCE): True, ("starts", SEQUENCE): 1} if self.start else {}),
        }

    def call(self, *, lead_id: str | None) -> Heard:
        """As one call; `lead_id` None creates the lead."""
        values = dict(self.fields)
        if lead_id is not None:
            values["id"] = lead_id
        if self.email:
            values["email" if lead_id is None else "new_email"] = self.email
        head = "create_lead" if lead_id is None else "edit_lead"
        actions: list[tuple[str, ...]] = [(head,)] if self.email or self.fields else []
        actions += [("unassign_tag", name) for name in self.take_tags]
        actions += [("assign_tag", name) for name in self.give_tags]
        actions += [("unsubscribe_lead_from_list", name) for name in self.leave]
        actions += [("subscribe_lead_to_list", name) for name in self.join]
        if self.start:
            actions.append(("subscribe_lead_to_sequence_at_step", SEQUENCE, STEP))
        return frozenset(values.items()), frozenset(actions)


def _call(owed: Owed, lead_id: str, *, is_gone: bool) -> Heard:
    """What is sent for a lead that is known: it is read before a list is taken from it, and where that shows
    that it is gone nothing follows."""
    if is_gone and owed.leave:
        return frozenset({("id", lead_id)}), frozenset()
    return owed.call(lead_id=lead_id)


def owed_to(wish: Wish, given: Given) -> Owed:
    """What the source changed since it was last acknowledged. What was set by hand stays until then."""
    kept_tags = {name for kind, name in given.kept if kind == "tag"}
    kept_lists = {name for kind, name in given.kept if kind == "list"}
    return Owed(
        email=wish.email if wish.email != given.email else None,
        fields={name: value for name, value in wish.fields if value != given.fields.get(name, "")},
        give_tags=wish.all_tags - given.tags - kept_tags,
        take_tags=frozenset() if wish.tags is None else frozenset(given.tags - wish.all_tags),
        join=wish.all_lists - given.lists - kept_lists,
        leave=frozenset() if wish.lists is None else frozenset(given.lists - wish.all_lists),
        start=not given.sequence,
    )


def removal_of(given: Given) -> Owed:
    return Owed(take_tags=frozenset(given.tags), leave=frozenset(given.lists))


def adopted(wish: Wish, image: Image, lead_id: str) -> Given:
    """A lead that was there before us: its values are known, its tags and lists are its own."""
    return Given(
        lead_id,
        wish.email,
        fields={name: image.get(("field", name), "") for name, _ in wish.fields},
        kept={item for item, value in image.items() if item[0] in ("tag", "list") and value is not None},
        sequence=("sequence", SEQUENCE) in image,
    )


# --- what a run has to do


@dataclass(frozen=True)
class Due:
    """What a run has to do for one key. `refused` names Kartra's error; `base` is what was done before."""

    outcome: str
    owed: Owed = Owed()
    calls: tuple[Heard, ...] = ()
    base: Given | None = None
    refused: bool = False
    wish: Wish | None = None

    @property
    def token(self) -> Wish | str:
        """What is not sent again once it was refused."""
        return self.wish or "removal"


@dataclass
class Model:
    """What must hold. `given` is per key; `rows` the source.

    `open` are items that nobody can tell: a hand moved them while a call was without an answer, or what
    such a call was to do was so already. `loose` are keys that an interrupted run touched: what a run has to
    do for them is certain, but not whether it is done by a call or found done by reading back.
    """

    shape: Shape
    rows: list[Row] = field(default_factory=list)
    given: dict[str, Given] = field(default_factory=dict)
    refused: dict[str, Wish | str] = field(default_factory=dict)
    maybe_refused: dict[str, set[Wish | str]] = field(default_factory=dict)
    open: set[tuple[str, Item]] = field(default_factory=set)
    left: set[tuple[str, str]] = field(default_factory=set)  # (id, list) that its person has left
    loose: set[str] = field(default_factory=set)
    maybe_bound: dict[str, str] = field(default_factory=dict)
    unsure: bool = False

    @property
    def unclaimed(self) -> dict[str, str]:
        """Keys whose lead an interrupted run may have adopted by a look, without a write that would show it.

        Whether the product knows their leads, and since when, no account shows.
        """
        return {key: lead_id for key, lead_id in self.maybe_bound.items() if key not in self.given}

    def due(self, images: dict[str, Image]) -> dict[str, Due]:
        """Per key what a run has to do with this source and this account."""
        wishes = asked_by(self.rows, self.shape).wishes
        due = {key: self._due(key, wish, images) for key, wish in wishes.items() if wish is not None}
        if self.shape.on_removed:
            for key, given in self.given.items():
                if key not in wishes and (owed := removal_of(given)) and self.refused.get(key) != "removal":
                    deleted = images[given.lead_id].get(("deleted", ""), False)
                    call = _call(owed, given.lead_id, is_gone=deleted)
                    due[key] = Due("not removed" if deleted else "removed", owed, (call,), given, deleted)
        return due

    def _due(self, key: str, wish: Wish, images: dict[str, Image]) -> Due:
        if self.refused.get(key) == wish:
            return Due("parked", wish=wish)
        holder = next((number for number, image in images.items() if image["email", ""] == wish.email), None)
        given = self.given.get(key)
        if given is not None:
            owed = owed_to(wish, given)
            if not owed:
                return Due("unchanged", base=given, wish=wish)
            taken = owed.email is not None and holder not in (None, given.lead_id)
            is_gone = images[given.lead_id].get(("deleted", ""), False)
            refused = taken or is_gone
            call = _call(owed, given.lead_id, is_gone=is_gone)
            return Due("rejected" if refused else "edited", owed, (call,), given, refused, wish)
        new = Owed(wish.email, dict(wish.fields), wish.all_tags, join=wish.all_lists, start=True)
        create = new.call(lead_id=None)
        if holder is None:
            return Due("created", new, (create,), wish=wish)
        if images[holder].get(("deleted", ""), False):
            return Due("rejected", new, (create,), refused=True, wish=wish)
        read: Heard = frozenset({("email", wish.email)}), frozenset()
        if any(other.lead_id == holder for other in self.given.values()):
            return Due("rejected", new, (create, read), refused=True, wish=wish)
        base = adopted(wish, images[holder], holder)
        owed = owed_to(wish, base)
        if not owed:
            return Due("unchanged", owed, (create, read), base, wish=wish)
        return Due("edited", owed, (create, read, owed.call(lead_id=holder)), base, wish=wish)

    # --- what a run did

    def learn(self, due: Mapping[str, Due], calls: list[ReceivedCall], found: Callable[[str], str]) -> None:
        """Note what Kartra executed. `found` gives the id of the lead that has an address."""
        for call in about_leads(calls):
            if not call.executed or call.error_type is not None or call.commands == ("get_lead",):
                continue
            spoken = said(call)
            is_new = ("create_lead",) in spoken.actions
            lead_id = found(spoken.lead["email"]) if "email" in spoken.lead else spoken.lead["id"]
            key = self._key_of(due, lead_id, spoken.lead.get("email") if is_new else None)
            given = self.given.get(key) or (Given(lead_id, spoken.lead["email"]) if is_new else due[key].base)
            assert given is not None, "a lead was written that nobody asked for"
            assert not (is_new and key in self.given), "a second lead was created for one contact"
            self.given[key] = given
            values = {**spoken.lead, **spoken.custom_fields}
            values.pop("id", None)
            values.pop("email", None)
            given.email = values.pop("new_email", given.email)
            given.fields |= values
            for command, *names in spoken.actions:
                EXECUTED[command](given, *names)

    def _key_of(self, due: Mapping[str, Due], lead_id: str, new_email: str | None) -> str:
        for key, given in self.given.items():
            if given.lead_id == lead_id:
                return key
        for key, one in due.items():
            is_it = one.wish is not None and new_email is not None and one.wish.email == new_email
            if is_it or (new_email is None and one.base is not None and one.base.lead_id == lead_id):
                return key
        raise AssertionError("a lead was written that nobody asked for")

    def complete(self, due: Mapping[str, Due], after: dict[str, Image]) -> None:
        """A run is done with everything it had to do."""
        for key, one in due.items():
            if one.outcome == "parked":
                continue
            if self._is_refused(key, one, after):
                self.refused[key] = one.token
                continue
            if one.outcome == "removed":
                given = self.given[key]
                given.tags, given.lists = set(), set()
                continue
            base = self.given.get(key) or one.base
            assert base is not None, "a lead was not created"
            assert one.wish is not None
            self.given[key] = base
            self._acknowledge(base, one.wish, after[base.lead_id])
            if one.calls:
                self.refused.pop(key, None)
        self.maybe_refused.clear()
        self.loose = set(self.unclaimed)
        self.unsure = False

    def _is_refused(self, key: str, one: Due, after: dict[str, Image]) -> bool:
        """A run without faults decides it; what an interrupted one was refused shows in the account."""
        if one.refused or one.token not in self.maybe_refused.get(key, ()):
            return one.refused
        given = self.given.get(key)
        return given is None or not (one.owed.items.items() <= after[given.lead_id].items())

    def _acknowledge(self, given: Given, wish: Wish, image: Image) -> None:
        given.email = wish.email
        given.fields |= dict(wish.fields)
        given.sequence = True
        given.tags |= {name for name in wish.all_tags if ("tag", name) not in given.kept}
        given.tags -= set() if wish.tags is None else given.tags - wish.all_tags
        for name in wish.all_lists - given.lists:
            if ("list", name) not in given.kept:
                given.kept.add(("list", name)) if image.get(("list", name)) is False else given.lists.add(
                    name
                )
        given.lists -= set() if wish.lists is None else given.lists - wish.all_lists

    def interrupted(self, due: Mapping[str, Due], images: dict[str, Image], *, parked: bool) -> None:
        """A run may have done any part of what was due; call it before `learn`."""
        self.unsure = True
        for key, one in due.items():
            if not one.calls:
                continue
            self.loose.add(key)
            if one.refused or parked or key in self.refused:
                self.maybe_refused.setdefault(key, set()).add(one.token)
            if key in self.refused:
                self.maybe_refused[key].add(self.refused.pop(key))
            if one.base is None:
                continue
            self.maybe_bound[key] = one.base.lead_id
            image = images[one.base.lead_id]
            already = {item for item, value in one.owed.items.items() if image.get(item) == value}
            left = {name for name in one.owed.leave if image.get(("list", name)) is not True}
            # Read back, a list its person has left looks taken back by us: the second of the known two.
            one.base.lists -= left
            already |= {("list", name) for name in left}
            self.open |= {(one.base.lead_id, item) for item in already if item[0] in ("tag", "list")}

    # --- what the account may show

    def allowed(
        self, key: str | None, one: Due | None, lead_id: str, item: Item, before: Image, *, done: bool
    ) -> list[Any]:
        """The values an item of a known lead may have after a run."""
        was = before.get(item)
        if one is None or one.refused:
            return [was]
        target = self._target(one.owed, lead_id, item, was)
        if not done or one.token in self.maybe_refused.get(key or "", ()):
            target = [*target, was]
        if (lead_id, item) in self.open:
            target = [*target, was, *self._unproven(one, item, was)]
        return target

    def _target(self, owed: Owed, lead_id: str, item: Item, was: Any) -> list[Any]:
        kind, name = item
        if kind == "list" and name in owed.leave:
            return [None if was is None else False]
        if kind == "list" and name in owed.join and (lead_id, name) in self.left:
            # Known: a list newly asked for that the person had joined and left without us is joined again;
            # so is one that we had taken back after the person had left it. Neither shows without reading.
            return [True, False]
        if kind == "starts" and owed.start:
            return [(was or 0) + 1]
        return [owed.items.get(item, was)]

    def _unproven(self, one: Due, item: Item, was: Any) -> Iterator[Any]:
        kind, name = item
        wish, given = one.wish, one.base
        if kind == "field" and wish is not None:
            yield dict(wish.fields).get(name, was)
        if kind == "email" and wish is not None:
            yield wish.email
        if kind == "tag":
            yield True if wish is not None and name in wish.all_tags else None
        if kind == "list" and wish is not None and name in wish.all_lists:
            stays_left = was is False and given is not None and name in given.lists
            yield not stays_left
        elif kind == "list":
            yield None if was is None else False

    def moved_by_hand(self, lead_id: str, *items: Item) -> None:
        """Who edits a lead while a run is interrupted leaves open what that run gets to see."""
        if self.unsure:
            self.open |= {(lead_id, item) for item in items}
            self.loose |= {key for key, given in self.given.items() if given.lead_id == lead_id}


def _started(given: Given, *_: str) -> None:
    assert not given.sequence, "a sequence was started that had been started before"
    given.sequence = True


EXECUTED: dict[str, Callable[..., None]] = {
    "create_lead": lambda given: None,
    "edit_lead": lambda given: None,
    "assign_tag": lambda given, name: given.tags.add(name),
    "unassign_tag": lambda given, name: given.tags.discard(name),
    "subscribe_lead_to_list": lambda given, name: given.lists.add(name),
    "unsubscribe_lead_from_list": lambda given, name: given.lists.discard(name),
    "subscribe_lead_to_sequence_at_step": _started,
}


# --- the account


def image_of(lead: SandboxLead) -> Image:
    note = {"note": str(lead.custom_fields["note"])} if "note" in lead.custom_fields else {}
    starts = Counter(name for name, _ in lead.sequence_starts)
    return {
        ("email", ""): lead.email,
        **({("deleted", ""): True} if lead.deleted else {}),
        **{("field", name): value for name, value in (lead.fields | note).items()},
        **{("tag", name): True for name in lead.tags},
        **{("list", name): is_on for name, is_on in lead.lists.items()},
        **{("sequence", name): True for name in lead.sequences},
        **{("starts", name): count for name, count in starts.items()},
    }


def heard(call: ReceivedCall) -> Heard:
    spoken = said(call)
    return frozenset({**spoken.lead, **spoken.custom_fields}.items()), frozenset(spoken.actions)


def looked_at(asked: Counter[Heard], wanted: Counter[Heard], *, is_refused: bool) -> Counter[Heard]:
    """Looks at a lead that may come with its call.

    One before a list is taken back: has its person left it? And by each of its addresses one where its number
    is gone: has it been merged or made anew?
    """
    is_taken = any(action[0] == "unsubscribe_lead_from_list" for _, actions in wanted for action in actions)
    looks = [({name for name, _ in one[0]}, one) for one in asked - wanted if not one[1]]
    by_number = [one for names, one in looks if names == {"id"}]
    by_address = [one for names, one in looks if names == {"email"}]
    return Counter([*(by_number[:1] if is_taken else ()), *(by_address[:2] if is_refused else ())])


def account_of_the_model() -> Account:
    return Account(
        tags=[ALWAYS, "VIP", "Blog", "Customer"],
        lists=["News", "Customers"],
        sequences={SEQUENCE: [STEP]},
        custom_fields=[CustomField("1", "note", "input_field")],
    )
