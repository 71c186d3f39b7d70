"""What a doctor tries on its lead, one function for each question; together they give a `Behaviour`.

Nothing here starts an automation by itself: what is asked for by name does not exist, but for the one tag and
the one list that a person has named. Money is not touched. Every probe can be played again: what it leaves is
taken back at the end, or by the next doctor.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from connectors.clock import utc_now
from connectors.kartra import commands
from connectors.kartra.answers import Answer, Effect, found
from connectors.kartra.commands import Action, Call, CustomFieldValue, Lead
from connectors.kartra.error_types import NO_TAG_TO_TAKE, NOT_PERMITTED
from connectors.kartra.profile import LeadProfile, parse_custom_fields, parse_names
from pipelines.calls.inventories import INVENTORIES
from pipelines.changes.behaviour import Behaviour, Kept
from pipelines.changes.modes import shown_mode
from pipelines.verbs.bench import Bench


@dataclass(frozen=True, slots=True)
class Sample:
    """A text, the field it is put in, the characters that count in it, and the text without them."""

    place: str
    text: str
    counting: str
    bare: str


ABSENT = "kartra-sync doctor: no such name"
"""The name that nothing in an account has: what is asked for by it has no effect."""
MARKED = "company"
"""The field of the lead that holds the doctor's mark."""
LONG_FIELDS = ("first_name", "middle_name", "last_name", "address", "city", "state", "website")
LENGTHS = (2000, 255, 50)  # the longest first: a shorter one is tried if Kartra refuses the edit
TEXT_TYPES = ("input_field", "text_area")
ITS_TAG, ITS_LIST = "its tag", "its list"
UNDONE_WITHIN_S = 1.0
"""The least time that is waited for something that is expected not to show."""
SAMPLES = {
    "accents": Sample("first_name", "Zoë Łukasz Ñandú", "ëŁÑú", "Zo ukasz and"),
    "quotes": Sample("last_name", 'O\'Neil "Mac"', "'\"", "ONeil Mac"),
    "emoji": Sample("middle_name", "a \U0001f600 b", "\U0001f600", "a b"),
    "line_breaks": Sample("address", "line 1\nline 2", "\n", "line 1line 2"),
    "ampersands": Sample("city", "Salt & Pepper; 100 %", "&;%", "Salt Pepper 100"),
    "markup": Sample("state", "a <b>c</b> d", "<>", "a c d"),
    "signs": Sample("website", "a = {b} [c] \\d", "={}[]\\", "a b c d"),
}
ALONE = ("markup", "signs")
"""Samples that a firewall may refuse: each goes in a call of its own."""


@dataclass(slots=True)
class Chosen:
    """What a person lets the doctor give its lead."""

    tag: str | None = None
    list_name: str | None = None


@dataclass(slots=True)
class Draft:
    """What the probes have found so far, by the fields of `Behaviour`."""

    found: dict[str, object] = field(default_factory=dict)
    shows: dict[str, float | None] = field(default_factory=dict)
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The account's tags and lists, which stay in memory."""
    text_fields: dict[str, str] = field(default_factory=dict)
    """By type, a custom field of the account that takes a text."""

    def behaviour(self, bench: Bench, latency_ms: Mapping[str, int], calls: int, throttled: int) -> Behaviour:
        seen = bench.seen
        return Behaviour(
            permissions=dict(sorted(seen.permissions.items())),
            wording=seen.wording,  # type: ignore[arg-type]  # one of its words
            other_words=seen.other_words,
            types=_only(seen.types),  # type: ignore[arg-type]
            lone_actions=_only(seen.lone_actions),  # type: ignore[arg-type]
            rows=_only(seen.rows),  # type: ignore[arg-type]
            shows_within_s=dict(self.shows),
            latency_ms=dict(latency_ms),
            calls=calls,
            throttled=throttled,
            **self.found,  # type: ignore[arg-type]  # by their names
        )


def _only(values: set[str]) -> str | None:
    return next(iter(sorted(values)), None)


# --- the account and the lead


def account_lists(bench: Bench, draft: Draft) -> None:
    """The five lists of the account: who may read them, where they sit."""
    places = set()
    for kind, (build, key) in INVENTORIES.items():
        answer = bench.ask(Call((build(),)))
        if answer.effect is not Effect.DONE:
            continue
        body = answer.body
        if key in body:
            places.add("top")
        elif found(body, key) is not None:
            places.add("actions" if "actions" in body else "fragment")
        if kind in ("tags", "lists"):
            draft.names[kind] = parse_names(body, key)
        if kind == "custom_fields":
            of_type = {one.type: one.identifier for one in reversed(parse_custom_fields(body))}
            draft.text_fields = {kind: of_type[kind] for kind in TEXT_TYPES if kind in of_type}
    draft.found["inventories"] = _only(places)


def who_it_is(bench: Bench, draft: Draft, email: str, profile: LeadProfile, *, is_new: bool) -> None:
    """The mode of the App, by which address the lead is found, and Kartra's zone."""
    mode = shown_mode(email, profile.email)
    draft.found["mode"] = mode
    if mode == "test":
        draft.found["finds_sent_address"] = bench.find(email) is not None
    # Nobody but a doctor gives its lead anything, and it takes back what it gave.
    draft.found["left_out"] = tuple(sorted(profile.missing))
    local, at, domain = profile.email.rpartition("@")
    other = bench.find(f"{local.swapcase()}{at}{domain}")
    draft.found["address_by_case"] = other is None or other.id != profile.id
    offset = bench.clock_offset
    draft.found["clock_s"] = None if offset is None else round(offset.total_seconds(), 1)
    if is_new and profile.joined is not None:  # by Kartra's wall clock, which names no zone
        off = profile.joined - (utc_now() + (offset or timedelta())).replace(tzinfo=None)
        # To half hours, because such zones exist; the seconds that the calls took drop out.
        draft.found["zone_hours"] = round(off.total_seconds() / 1800) / 2


def creation_again(bench: Bench, draft: Draft, email: str) -> None:
    answer = bench.send(Call((commands.create_lead(),), Lead(email=email)))
    if answer.effect is Effect.DONE:
        draft.found["create_again"] = "done"
    elif answer.type is not None:
        draft.found["create_again"] = answer.type


def permissions(bench: Bench, _: Draft) -> None:
    """Each command that has no effect where what it asks for does not exist."""
    for action in _harmless():
        bench.act(action)
    for action in _leadless():
        bench.send(Call((action,)))


def _harmless() -> Iterator[Action]:
    yield commands.search_lead()
    yield commands.assign_tag(ABSENT)
    yield commands.unassign_tag(ABSENT)
    yield commands.subscribe_lead_to_list(ABSENT)
    yield commands.unsubscribe_lead_from_list(ABSENT)
    yield commands.subscribe_lead_to_sequence_at_step(ABSENT, 1)
    yield commands.unsubscribe_lead_from_sequence(ABSENT)
    # No builder allows this: without a number nothing is given, yet Kartra still says whether it is
    # permitted.
    yield Action("give_points_to_lead", {"points": ""})
    yield Action("remove_points_from_lead", {"points": ""})
    yield commands.calendar_subscribe(ABSENT, ABSENT)
    yield commands.calendar_cancel(ABSENT, ABSENT)
    yield commands.retrieve_transactions_from_lead()
    yield commands.retrieve_subscriptions_from_lead()


def _leadless() -> Iterator[Action]:
    yield Action("create_custom_field", {"custom_field_identifier": "", "custom_field_type": "input_field"})
    yield commands.search_transaction("0")
    yield commands.get_transaction_details("0")
    yield commands.search_subscription("0")
    yield commands.get_subscription_details("0")


# --- effects


def delays(bench: Bench, draft: Draft, chosen: Chosen) -> None:
    """How long effects take to show: of fields and points always, of a tag and a list that were named."""
    # Another word each time: one that an earlier doctor left would show at once.
    word = f"kartra-sync {utc_now():%H%M%S}"
    if bench.may("edit_lead") and bench.edit({"middle_name": word}).effect is Effect.DONE:
        draft.shows["fields"] = bench.shows(lambda profile: profile.fields.get("middle_name") == word)
    if bench.may("give_points_to_lead"):
        before = _score(bench)
        if bench.act(commands.give_points_to_lead(1)).effect is Effect.DONE:
            draft.shows["points"] = bench.shows(lambda profile: profile.score == before + 1)
    if tag := chosen.tag:
        if bench.act(commands.assign_tag(tag)).effect is Effect.DONE:
            draft.shows["tags"] = bench.shows(lambda profile: tag in profile.tags)
        bench.act(commands.unassign_tag(tag))
    if name := chosen.list_name:
        if bench.act(commands.subscribe_lead_to_list(name)).effect is Effect.DONE:
            draft.shows["lists"] = bench.shows(lambda profile: profile.lists.get(name) is True)
        answer = bench.act(commands.unsubscribe_lead_from_list(name))
        draft.found["unsubscribe_type"] = _success_type(answer)


def chain(bench: Bench, draft: Draft, chosen: Chosen) -> None:
    """A chain in which the middle is refused: what of it is done, and how it is answered."""
    failing = commands.assign_tag(ABSENT)
    # By points or a tag it is seen what was done; a list may be much later than either.
    slowest_s = max(draft.shows.get(name) or 0.0 for name in ("points", "tags"))
    patience_s = max(UNDONE_WITHIN_S, 2 * slowest_s)
    if bench.may("give_points_to_lead") and bench.may("assign_tag"):
        before = _score(bench)
        # 1 and 2, so that the sum tells which of the two was carried out.
        answer = bench.act(commands.give_points_to_lead(1), failing, commands.give_points_to_lead(2))
        # Refused as a whole, or not refused at all: neither says what becomes of the rest of a chain.
        if answer.type == NOT_PERMITTED or answer.effect is Effect.DONE:
            return
        draft.found["chain_answer"] = _chain_shape(answer)
        # All of it, or what there is of it once all had time to show.
        bench.shows(lambda profile: profile.score == before + 3, patience_s)
        given = _score(bench) - before
        if given in (0, 1, 2, 3):
            draft.found["chain_stays"], draft.found["chain_goes_on"] = given in (1, 3), given in (2, 3)
    elif (tag := chosen.tag) and bench.may("assign_tag"):
        answer = bench.act(failing, commands.assign_tag(tag))
        draft.found["chain_answer"] = _chain_shape(answer)
        shown_s = bench.shows(lambda profile: tag in profile.tags, patience_s)
        draft.found["chain_goes_on"] = shown_s is not None
        bench.act(commands.unassign_tag(tag))


def _chain_shape(answer: Answer) -> str | None:
    """One error for the whole, or an entry for each action; None where there was no answer."""
    if answer.status != 200 or not answer.body:
        return None
    return "flat" if "actions" not in answer.body else "nested"


def _success_type(answer: Answer) -> str | None:
    payload = answer.actions[0].payload or {}
    number = str(payload.get("type", ""))
    return number if answer.effect is Effect.DONE and number.isdecimal() and len(number) <= 6 else None


def _score(bench: Bench) -> int:
    profile = bench.read()
    return profile.score or 0 if profile else 0


# --- what fields keep


def lengths(bench: Bench, draft: Draft) -> None:
    """A long text in each of a few fields, and in a custom field of each type that takes a text."""
    for tried in LENGTHS:
        text = _ruler(tried)
        before = bench.read()
        city = before.fields.get("city") if before else None
        custom = tuple(CustomFieldValue(name, text) for name in draft.text_fields.values())
        answer = bench.edit(dict.fromkeys(LONG_FIELDS, text), custom_fields=custom)
        if answer.effect is not Effect.DONE or before is None:
            continue
        profile = _after_edit(bench, draft, _shows_another("city", city))
        kept = {name: _kept_length(text, profile.fields.get(name, "")) for name in LONG_FIELDS}
        for kind, name in draft.text_fields.items():
            shown = profile.custom_fields.get(name, "")
            kept[kind] = _kept_length(text, shown if isinstance(shown, str) else "")
        draft.found["tried_length"], draft.found["lengths"] = tried, kept
        return


def _shows_another(name: str, was: str | None) -> Callable[[LeadProfile], bool]:
    return lambda shown: shown.fields.get(name) != was


def _ruler(length: int) -> str:
    """A text in which no two places look alike, so that what is left of it says where it was cut."""
    return "".join(f"{place:04d}." for place in range(length // 5 + 1))[:length]


def _kept_length(sent: str, stored: str) -> int:
    return len(stored) if sent.startswith(stored) else 0


def characters(bench: Bench, draft: Draft) -> None:
    together = {name: sample for name, sample in SAMPLES.items() if name not in ALONE}
    kept = _tried(bench, draft, together)
    if kept is None:  # one of them may be refused for all
        kept = {}
        for name, sample in together.items():
            kept |= _tried(bench, draft, {name: sample}) or {name: "refused"}
    for name in ALONE:
        kept |= _tried(bench, draft, {name: SAMPLES[name]}) or {name: "refused"}
    draft.found["characters"] = kept


def _tried(bench: Bench, draft: Draft, samples: Mapping[str, Sample]) -> dict[str, Kept] | None:
    """What became of the characters of each sample; None where the call was not carried out."""
    before = bench.read()
    answer = bench.edit({one.place: one.text for one in samples.values()})
    if answer.effect is not Effect.DONE or before is None:
        return None
    was = {one.place: before.fields.get(one.place, "") for one in samples.values()}
    profile = _after_edit(
        bench, draft, lambda shown: any(shown.fields.get(place, "") != text for place, text in was.items())
    )
    return {name: _kept(one, profile.fields.get(one.place, "")) for name, one in samples.items()}


def _kept(sample: Sample, stored: str) -> Kept:
    if stored == sample.text:
        return "kept"
    if stored and sample.text.startswith(stored) and not set(stored) & set(sample.counting):
        return "cut"
    return "dropped" if stored.split() == sample.bare.split() else "changed"


def blanks(bench: Bench, draft: Draft) -> None:
    """An empty text, over one that is there."""
    before = bench.read()
    if before is None or not before.fields.get("city"):
        return
    if bench.edit({"city": ""}).effect is Effect.DONE:
        profile = _after_edit(bench, draft, lambda shown: not shown.fields.get("city"))
        draft.found["blank_clears"] = not profile.fields.get("city")


def _after_edit(bench: Bench, draft: Draft, has_changed: Callable[[LeadProfile], bool]) -> LeadProfile:
    """The profile once an edit shows, or once it had time to."""
    # Twice what an edit took before, because this one may be slower; an edit that changes nothing costs all
    # of it.
    patience_s = max(UNDONE_WITHIN_S, 2 * (draft.shows.get("fields") or 0.0))
    shown: list[LeadProfile] = []

    def is_shown(profile: LeadProfile) -> bool:
        shown[:] = [profile]
        return has_changed(profile)

    bench.shows(is_shown, patience_s)
    return shown[0] if shown else LeadProfile("", "", {}, frozenset(), {}, {}, {}, None)


# --- names


def capitals(bench: Bench, draft: Draft) -> None:
    """A name of the account in other letters, taken from a lead that never had it: that changes nothing."""
    wishes = (
        ("tags", commands.unassign_tag, NO_TAG_TO_TAKE),
        ("lists", commands.unsubscribe_lead_from_list, "209"),
    )
    for kind, build, unknown in wishes:
        names = draft.names.get(kind, ())
        name = next((one for one in names if one.isascii() and one.swapcase() not in names), None)
        # Only if the right spelling is accepted does a refusal of the other one mean anything.
        if name is None or bench.act(build(name)).effect is not Effect.DONE:
            continue
        answer = bench.act(build(name.swapcase()))
        if answer.effect is Effect.DONE or answer.type == unknown:
            draft.found["names_by_case"] = answer.type == unknown
            return


# --- the end


def take_back(bench: Bench, draft: Draft, given: Mapping[str, list[str]]) -> list[str]:
    """Takes back what the lead was given; says what stays."""
    profile = bench.read()
    if profile is None:
        return ["the profile of the lead, which cannot be read"]
    tags = [tag for tag in given.get("tags", []) if tag in profile.tags]
    lists = [name for name in given.get("lists", []) if profile.lists.get(name)]
    stays = [ITS_TAG for tag in tags if not _is_done(bench.act(commands.unassign_tag(tag)))]
    stays += [
        ITS_LIST for name in lists if not _is_done(bench.act(commands.unsubscribe_lead_from_list(name)))
    ]
    score = profile.score or 0
    # All of them: they may include points left by a doctor that was killed.
    if score > 0 and not _is_done(bench.act(commands.remove_points_from_lead(score))):
        stays.append("its points")
    # If an empty text changes nothing, a dash is the least that can replace what was tried.
    blank = "-" if draft.found.get("blank_clears") is False else ""
    texts = {**dict.fromkeys(LONG_FIELDS, blank), "first_name": "kartra-sync", "last_name": "doctor"}
    custom = tuple(CustomFieldValue(name, blank) for name in draft.text_fields.values())
    if not _is_done(bench.edit(texts, custom_fields=custom)):
        stays.append("texts in its fields")
    elif blank:
        stays.append("a dash in its fields")
    if given.get("lists"):
        stays.append("the list among its lists, as one that it has left")
    return stays


def _is_done(answer: Answer) -> bool:
    return answer.effect is Effect.DONE
