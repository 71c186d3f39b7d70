"""What a profile proves after a try without an answer, and what a lead had before us."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.kartra.profile import LeadProfile
from pipelines.changes.diff import Change, apply_change, created_lead, diff_lead
from pipelines.changes.readback import adopt, after_unknown, landed
from pipelines.contacts.lead import DesiredLead, Snapshot, Unwanted
from pipelines.contacts.wishes import Step
from tests.contacts.strategies import desired_leads, names, snapshots

WISH = DesiredLead(
    "ann@example.org",
    fields={"city": "Lyon", "zip": ""},
    custom_fields={"note": "hi", "fruits": ("apple", "pear")},
    tags=("VIP", "Blog"),
    lists=("News", "Offers"),
    sequences=(("Onboarding", "2"), ("Course", "1")),
)
PROFILE = LeadProfile(
    id="39260",
    email="ann@example.org",
    fields={"city": "Leeds", "zip": "LS1", "first_name": "Ann"},
    tags=frozenset({"VIP", "Theirs"}),
    lists={"News": False, "Offers": True, "Theirs": True},
    sequences={"Onboarding": "3", "Theirs": "1"},
    custom_fields={"fruits": ("plum",), "theirs": "x"},
    score=3,
)
ADOPTED = Snapshot(
    "ann@example.org",
    "39260",
    fields={"city": "Leeds", "zip": "LS1"},
    custom_fields={"note": "", "fruits": ("plum",)},
    sequences=frozenset({"Onboarding", "Theirs"}),
    kept=frozenset(
        {("tags", "VIP"), ("tags", "Theirs"), ("lists", "News"), ("lists", "Offers"), ("lists", "Theirs")}
    ),
)
SENT_AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SENT_EST = datetime(2026, 3, 1, 7, 0)  # noqa: DTZ001 - Kartra's clock names no zone


def profile_of(
    snapshot: Snapshot,
    *,
    theirs: frozenset[str] = frozenset(),
    unwanted: frozenset[Unwanted] = frozenset(),
) -> LeadProfile:
    """What Kartra shows of a lead that is as its snapshot says, with tags and lists of others beside.

    Of what is `unwanted` it has all that was not taken off.
    """
    still: dict[str, set[str]] = {"tags": set(), "lists": set(), "sequences": set()}
    for collection, name in unwanted - snapshot.unwanted:
        still[collection].add(name)
    sequences = snapshot.sequences | still["sequences"]
    return LeadProfile(
        id=snapshot.lead_id or "1",
        email=snapshot.email,
        fields=snapshot.fields,
        tags=snapshot.tags | still["tags"] | {f"{name} (theirs)" for name in theirs},
        lists=dict.fromkeys(snapshot.lists | still["lists"] | {f"{name} (theirs)" for name in theirs}, True),
        sequences=dict.fromkeys(sequences, "1"),
        custom_fields=snapshot.custom_fields,
        score=0,
        left_sequences=frozenset(name for name in sequences if ("sequences", name) in snapshot.unwanted),
    )


def drawn_flags(data: st.DataObject, size: int) -> list[bool]:
    return data.draw(st.lists(st.booleans(), min_size=size, max_size=size))


@given(desired=desired_leads, snapshot=snapshots, theirs=st.frozensets(names), data=st.data())
def test_a_profile_shows_exactly_those_actions_that_were_done(
    desired: DesiredLead, snapshot: Snapshot, theirs: frozenset[str], data: st.DataObject
) -> None:
    change = diff_lead(desired, snapshot)
    done = drawn_flags(data, len(change.commands))
    after = apply_change(snapshot, change, done)
    profile = profile_of(after, theirs=theirs, unwanted=desired.unwanted)
    assert landed(change, profile) == tuple(done)


@given(desired=desired_leads, data=st.data())
def test_a_profile_shows_what_was_done_after_a_lead_was_created(
    desired: DesiredLead, data: st.DataObject
) -> None:
    change = diff_lead(desired, None)
    done = [True, *drawn_flags(data, len(change.steps))]
    profile = profile_of(apply_change(created_lead(desired), change, done), unwanted=desired.unwanted)
    assert landed(change, profile) == tuple(done)


@given(desired=desired_leads, snapshot=snapshots, data=st.data())
def test_after_a_try_without_an_answer_exactly_what_did_not_land_is_owed(
    desired: DesiredLead, snapshot: Snapshot, data: st.DataObject
) -> None:
    change = diff_lead(desired, snapshot)
    known = apply_change(snapshot, change, drawn_flags(data, len(change.commands)))
    profile = profile_of(known, unwanted=desired.unwanted)
    after, origin = after_unknown(change, desired, snapshot, profile, "update", SENT_AT, SENT_AT)
    assert (after, origin) == (replace(known, lead_id=snapshot.lead_id or "1"), None)
    assert diff_lead(desired, after) == diff_lead(desired, known)


@given(desired=desired_leads, data=st.data())
def test_a_creation_without_an_answer_that_landed_is_ours(desired: DesiredLead, data: st.DataObject) -> None:
    change = diff_lead(desired, None)
    done = [True, *drawn_flags(data, len(change.steps))]
    known = apply_change(created_lead(desired), change, done)
    profile = profile_of(known, unwanted=desired.unwanted)
    after, origin = after_unknown(change, desired, None, profile, "update", SENT_AT, SENT_AT)
    assert (after.lead_id, after.email, origin) == ("1", desired.email, "created")
    assert diff_lead(desired, after) == diff_lead(desired, known)
    assert (after.tags, after.lists, after.sequences) == (known.tags, known.lists, known.sequences)


def test_a_creation_without_an_answer_of_a_lead_that_is_different_was_refused() -> None:
    change = diff_lead(WISH, None)
    assert after_unknown(change, WISH, None, PROFILE, "update", SENT_AT, SENT_AT) == (ADOPTED, "adopted")


@pytest.mark.parametrize("seconds", [0, 3, -240, 3600, 3603], ids=lambda seconds: f"{seconds} s later")
def test_a_lead_that_joined_when_it_was_created_is_ours_though_somebody_edited_it(seconds: int) -> None:
    # An hour later: nobody knows whether Kartra's summer has daylight saving.
    profile = replace(PROFILE, joined=SENT_EST + timedelta(seconds=seconds))
    after, origin = after_unknown(diff_lead(WISH, None), WISH, None, profile, "update", SENT_AT, SENT_AT)
    assert origin == "created"
    assert after == Snapshot(
        "ann@example.org",
        "39260",
        fields={"city": "Leeds", "zip": "LS1"},
        custom_fields={"note": "", "fruits": ("plum",)},
        tags=frozenset({"VIP"}),
        lists=frozenset({"Offers"}),
        sequences=frozenset({"Onboarding"}),
        kept=frozenset({("lists", "News")}),
    )


def test_a_lead_that_had_joined_before_is_adopted_though_it_is_just_as_wished() -> None:
    change = diff_lead(WISH, None)
    as_wished = apply_change(Snapshot(WISH.email), change, [True] * len(change.commands))
    joined_before = replace(profile_of(as_wished), joined=SENT_EST - timedelta(minutes=6))
    adopted, origin = after_unknown(change, WISH, None, joined_before, "update", SENT_AT, SENT_AT)
    assert (adopted, origin) == (adopt(WISH, joined_before, "update"), "adopted")


def test_where_the_clock_leaves_it_open_the_profile_decides_whose_lead_it_is() -> None:
    change = diff_lead(WISH, None)
    as_wished = profile_of(apply_change(Snapshot(WISH.email), change, [True] * len(change.commands)))
    half_past = SENT_EST + timedelta(minutes=30)
    origins = [
        after_unknown(change, WISH, None, replace(profile, joined=half_past), "update", SENT_AT, SENT_AT)[1]
        for profile in (as_wished, PROFILE)
    ]
    assert origins == ["created", "adopted"]


def test_a_list_that_was_left_meanwhile_is_not_owed_any_more() -> None:
    change = Change(steps=(Step("subscribe_lead_to_list", "News"),))
    before = Snapshot("ann@example.org", "39260", tags=frozenset({"VIP"}))
    after, origin = after_unknown(change, WISH, before, PROFILE, "update", SENT_AT, SENT_AT)
    assert (after, origin) == (replace(before, kept=frozenset({("lists", "News")})), None)


def test_an_effect_counts_by_the_kind_of_its_command() -> None:
    change = Change(
        fields={"city": "Leeds", "zip": "LS1"},
        custom_fields={"fruits": ("plum",), "note": ""},
        steps=(
            Step("unassign_tag", "VIP"),
            Step("unassign_tag", "Gone"),
            Step("assign_tag", "VIP"),
            Step("assign_tag", "Gone"),
            Step("unsubscribe_lead_from_list", "News"),
            Step("unsubscribe_lead_from_list", "Offers"),
            Step("unsubscribe_lead_from_list", "Gone"),
            Step("subscribe_lead_to_list", "News"),
            Step("subscribe_lead_to_list", "Offers"),
            Step("subscribe_lead_to_list", "Gone"),
            Step("subscribe_lead_to_sequence_at_step", "Onboarding", "1"),
            Step("subscribe_lead_to_sequence_at_step", "Gone", "1"),
        ),
    )
    assert landed(change, PROFILE) == (
        True,
        *(False, True, True, False),
        *(True, False, True),
        *(False, True, False),
        *(True, False),
    )


def test_one_field_that_is_not_as_sent_means_that_the_profile_was_not_written() -> None:
    assert landed(Change(fields={"city": "Leeds", "zip": "LS2"}), PROFILE) == (False,)
    assert landed(Change(custom_fields={"fruits": ("plum", "pear")}), PROFILE) == (False,)
    assert landed(Change(email="ann@example.net"), PROFILE) == (False,)


def test_an_address_landed_in_any_case_and_as_test_mode_rewrites_it() -> None:
    change = Change(email="ann@example.net")
    assert landed(change, replace(PROFILE, email="Ann@Example.net")) == (True,)
    assert landed(change, replace(PROFILE, email="ann@kartra.com")) == (True,)
    assert landed(change, replace(PROFILE, email="bob@kartra.com")) == (False,)


def test_a_new_lead_that_test_mode_renamed_has_landed() -> None:
    change = diff_lead(replace(WISH, fields={}, custom_fields={}), None)
    assert landed(change, replace(PROFILE, email="ann@kartra.com"))[0]


def test_a_lead_that_was_there_is_adopted_as_far_as_the_record_speaks_of_it() -> None:
    assert adopt(WISH, PROFILE, "update") == ADOPTED
    assert diff_lead(WISH, ADOPTED) == Change(
        fields={"city": "Lyon", "zip": ""},
        custom_fields={"note": "hi", "fruits": ("apple", "pear")},
        steps=(Step("assign_tag", "Blog"), Step("subscribe_lead_to_sequence_at_step", "Course", "1")),
    )


def test_filling_blanks_keeps_what_a_lead_had() -> None:
    adopted = adopt(WISH, PROFILE, "fill_blanks")
    had = {("fields", "city"), ("fields", "zip"), ("custom_fields", "fruits")}
    assert adopted == replace(ADOPTED, kept=ADOPTED.kept | had)
    assert diff_lead(WISH, adopted) == Change(
        custom_fields={"note": "hi"},
        steps=(Step("assign_tag", "Blog"), Step("subscribe_lead_to_sequence_at_step", "Course", "1")),
    )


@given(desired=desired_leads, snapshot=snapshots)
def test_an_adopted_lead_that_is_as_wished_owes_nothing(desired: DesiredLead, snapshot: Snapshot) -> None:
    before = replace(snapshot, email=desired.email, kept=frozenset())
    change = diff_lead(desired, before)
    as_wished = apply_change(before, change, [True] * len(change.commands))
    for existing in ("update", "fill_blanks"):
        assert diff_lead(desired, adopt(desired, profile_of(as_wished), existing)) == Change()


@given(desired=desired_leads, snapshot=snapshots, theirs=st.frozensets(names))
def test_an_adopted_lead_loses_nothing_that_we_did_not_give(
    desired: DesiredLead, snapshot: Snapshot, theirs: frozenset[str]
) -> None:
    profile = profile_of(snapshot, theirs=theirs, unwanted=desired.unwanted)
    change = diff_lead(desired, adopt(desired, profile, "update"))
    assert {step.effect for step in change.steps if step.takes} <= desired.unwanted


# --- what a record wants gone

GONE = replace(
    WISH,
    tags=(),
    lists=(),
    sequences=(),
    unwanted=frozenset(
        (kind, name)
        for kind in ("tags", "lists", "sequences")
        for name in ("VIP", "Offers", "News", "Onboarding", "Theirs", "Nobody's")
    ),
)


def test_of_a_lead_that_was_there_only_what_it_has_is_taken_off() -> None:
    profile = replace(PROFILE, left_sequences=frozenset({"Theirs"}))
    for existing in ("update", "fill_blanks"):
        adopted = adopt(GONE, profile, existing)
        assert diff_lead(GONE, adopted).steps == (
            Step("unassign_tag", "Theirs"),
            Step("unassign_tag", "VIP"),
            Step("unsubscribe_lead_from_list", "Offers"),
            Step("unsubscribe_lead_from_list", "Theirs"),
            Step("unsubscribe_lead_from_sequence", "Onboarding"),
        )
        taken = apply_change(adopted, diff_lead(GONE, adopted), [True] * 6)
        assert taken.unwanted == GONE.unwanted
        assert {name for kind, name in taken.kept if kind in ("tags", "lists")} == {"News"}


def test_a_sequence_that_was_left_stays_in_the_profile() -> None:
    leave = Change(steps=(Step("unsubscribe_lead_from_sequence", "Onboarding"),))
    assert landed(leave, PROFILE) == (False,)
    assert landed(leave, replace(PROFILE, left_sequences=frozenset({"Onboarding"}))) == (True,)
    assert landed(leave, replace(PROFILE, sequences={})) == (True,)


def test_a_tag_the_lead_never_had_is_no_trace_of_the_call_that_was_to_take_it_off() -> None:
    wish = replace(BACK, fields={}, unwanted=frozenset({("tags", "Never had")}))
    after, _ = after_unknown(diff_lead(wish, TAKEN), wish, TAKEN, PROFILE, "update", SENT_AT, SENT_AT)
    assert ("lists", "News") not in after.kept
    assert after.unwanted == wish.unwanted
    ours = replace(TAKEN, tags=frozenset({"Never had"}))
    after, _ = after_unknown(diff_lead(wish, ours), wish, ours, PROFILE, "update", SENT_AT, SENT_AT)
    assert ("lists", "News") in after.kept


def test_several_values_in_a_text_field_stand_there_joined() -> None:
    change = Change(custom_fields={"note": ("a", "b")})
    assert landed(change, replace(PROFILE, custom_fields={"note": "a; b"})) == (True,)
    assert landed(change, replace(PROFILE, custom_fields={"note": "a, b"})) == (False,)


# --- once only


@pytest.mark.parametrize(
    ("before", "after", "proven"),
    [(3, 13, True), (3, 3, False), (3, 20, None), (3, None, None), (None, 13, None)],
)
def test_points_are_proven_by_the_score_before_and_after(
    before: int | None, after: int | None, proven: bool | None
) -> None:
    give = Change(steps=(Step("give_points_to_lead", "10"),), score=before)
    take = Change(steps=(Step("remove_points_from_lead", "10"),), score=after)
    assert landed(give, replace(PROFILE, score=after)) == (proven,)
    assert landed(take, replace(PROFILE, score=before)) == (proven,)


def test_a_class_is_in_no_profile() -> None:
    assert landed(Change(steps=(Step("calendar_subscribe", "Yoga", "Tuesday"),)), PROFILE) == (None,)


BACK = replace(WISH, fields={"city": "Oslo"}, custom_fields={}, tags=(), lists=("News",), sequences=())
TAKEN = Snapshot(
    "ann@example.org", "39260", fields={"city": "Leeds"}, taken=frozenset({"News"}), kept=frozenset()
)


@pytest.mark.parametrize(
    ("city", "minutes", "left"),
    [("Leeds", 1, False), ("Leeds", 60_000, False), ("Oslo", 1, True), ("Oslo", 60_000, True)],
)
def test_a_list_we_took_back_was_left_by_its_person_only_if_the_call_that_gave_it_again_landed(
    city: str, minutes: int, left: bool
) -> None:
    change = diff_lead(BACK, TAKEN)
    profile = replace(PROFILE, fields={"city": city})
    now = SENT_AT + timedelta(minutes=minutes)
    after, _ = after_unknown(change, BACK, TAKEN, profile, "update", SENT_AT, now)
    assert (("lists", "News") in after.kept) is left


@pytest.mark.parametrize(("minutes", "left"), [(1, False), (60, True)])
def test_a_list_alone_leaves_no_trace_so_its_person_may_have_left_it(minutes: int, left: bool) -> None:
    wish = replace(BACK, fields={})
    now = SENT_AT + timedelta(minutes=minutes)
    after, _ = after_unknown(diff_lead(wish, TAKEN), wish, TAKEN, PROFILE, "update", SENT_AT, now)
    assert (("lists", "News") in after.kept) is left


@pytest.mark.parametrize(("city", "left"), [("Leeds", False), ("Oslo", True)])
def test_a_list_that_its_person_joined_is_no_trace_of_a_call_that_never_arrived(
    city: str, left: bool
) -> None:
    wish = replace(BACK, lists=("News", "Offers"))
    taken = replace(TAKEN, taken=frozenset({"News", "Offers"}))
    profile = replace(PROFILE, fields={"city": city}, lists={"News": True, "Offers": False})
    now = SENT_AT + timedelta(minutes=1)
    after, _ = after_unknown(diff_lead(wish, taken), wish, taken, profile, "update", SENT_AT, now)
    assert (("lists", "Offers") in after.kept) is left
