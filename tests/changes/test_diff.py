"""The difference between a wish and a snapshot: all of it, nothing twice, never over a person's choice."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from pipelines.changes.diff import (
    Change,
    apply_change,
    created_lead,
    diff_lead,
    remembered,
    removal,
    resolve,
    same_value,
    theirs,
    unproven_wishes,
)
from pipelines.contacts.lead import CalendarClass, DesiredLead, Points, Snapshot
from pipelines.contacts.wishes import Step
from tests.contacts.strategies import whole_leads, whole_snapshots

ANN = DesiredLead(
    "ann@example.org",
    fields={"city": "Lyon"},
    custom_fields={"fruits": ("apple", "pear")},
    tags=("VIP", "Blog"),
    lists=("News",),
    sequences=(("Onboarding", "2"),),
)
ANN_IN_KARTRA = Snapshot(
    "ann@example.org",
    "39260",
    fields={"city": "Lyon"},
    custom_fields={"fruits": ("apple", "pear")},
    tags=frozenset({"VIP", "Blog"}),
    lists=frozenset({"News"}),
    sequences=frozenset({"Onboarding"}),
)


def acknowledged(desired: DesiredLead) -> Snapshot:
    """The snapshot of a new lead of which everything was done."""
    change = diff_lead(desired, None)
    return apply_change(created_lead(desired), change, [True] * len(change.commands))


def still_owed(change: Change, done: list[bool]) -> Change:
    """Those actions of a change that were not done, as a change of a known lead."""
    flags = list(done)
    profile_done = flags.pop(0) if change.writes_profile else True
    rest = tuple(step for step, is_done in zip(change.steps, flags, strict=True) if not is_done)
    return (
        Change(steps=rest)
        if profile_done
        else Change(False, change.email, change.fields, change.custom_fields, rest)
    )


@given(desired=whole_leads, snapshot=whole_snapshots)
def test_a_change_that_was_done_leaves_nothing_owed(desired: DesiredLead, snapshot: Snapshot) -> None:
    change = diff_lead(desired, snapshot)
    after = apply_change(snapshot, change, [True] * len(change.commands))
    assert diff_lead(desired, after) == Change()


@given(desired=whole_leads)
def test_a_lead_that_was_created_in_full_is_unchanged(desired: DesiredLead) -> None:
    assert diff_lead(desired, acknowledged(desired)) == Change()


@given(desired=whole_leads, snapshot=whole_snapshots, data=st.data())
def test_after_a_part_was_done_exactly_the_rest_is_owed(
    desired: DesiredLead, snapshot: Snapshot, data: st.DataObject
) -> None:
    change = diff_lead(desired, snapshot)
    size = len(change.commands)
    done = data.draw(st.lists(st.booleans(), min_size=size, max_size=size))
    assert diff_lead(desired, apply_change(snapshot, change, done)) == still_owed(change, done)


@given(desired=whole_leads, data=st.data())
def test_after_a_lead_was_created_exactly_the_rest_is_owed(desired: DesiredLead, data: st.DataObject) -> None:
    change = diff_lead(desired, None)
    steps = len(change.steps)
    done = [True, *data.draw(st.lists(st.booleans(), min_size=steps, max_size=steps))]
    after = apply_change(created_lead(desired), change, done)
    assert diff_lead(desired, after) == still_owed(change, done)


@given(desired=whole_leads, snapshot=whole_snapshots)
def test_nothing_that_stays_as_kartra_has_it_is_ever_sent(desired: DesiredLead, snapshot: Snapshot) -> None:
    change = diff_lead(desired, snapshot)
    touched = {("fields", name) for name in change.fields}
    touched |= {("custom_fields", name) for name in change.custom_fields}
    touched |= {("lists", step.name) for step in change.steps if step.cmd == "subscribe_lead_to_list"}
    touched |= {("tags", step.name) for step in change.steps if step.cmd == "assign_tag"}
    assert touched.isdisjoint(snapshot.kept)


@given(desired=whole_leads, snapshot=whole_snapshots)
def test_a_change_names_only_what_differs_or_is_wished(desired: DesiredLead, snapshot: Snapshot) -> None:
    change = diff_lead(desired, snapshot)
    assert {name: desired.fields[name] for name in change.fields} == change.fields
    assert all(snapshot.fields.get(name, "") != value for name, value in change.fields.items())
    ours = {("tags", name) for name in snapshot.tags} | {("lists", name) for name in snapshot.lists}
    assert {step.effect for step in change.steps if step.takes} <= ours | desired.unwanted
    assert len(set(change.steps)) == len(change.steps)


@given(snapshot=whole_snapshots)
def test_a_sequence_is_never_started_twice(snapshot: Snapshot) -> None:
    wish = DesiredLead(snapshot.email, sequences=tuple((name, "9") for name in sorted(snapshot.sequences)))
    assert [step for step in diff_lead(wish, snapshot).steps if "sequence" in step.cmd] == []


@given(snapshot=whole_snapshots)
def test_a_removal_that_was_done_leaves_nothing_to_take(snapshot: Snapshot) -> None:
    wanted = ("untag", "unsubscribe")
    change = removal(snapshot, wanted)
    after = apply_change(snapshot, change, [True] * len(change.commands))
    assert removal(after, wanted) == Change()
    assert (after.tags, after.lists, after.sequences) == (frozenset(), frozenset(), snapshot.sequences)
    left = {name for name in snapshot.lists if ("lists", name) not in snapshot.kept}
    assert after.taken == snapshot.taken | left
    assert remembered(after, None).unwanted == frozenset()


@given(desired=whole_leads, snapshot=whole_snapshots)
def test_what_is_to_be_gone_is_asked_for_until_it_is_acknowledged_and_then_never_again(
    desired: DesiredLead, snapshot: Snapshot
) -> None:
    change = diff_lead(desired, snapshot)
    taken = {step.effect for step in change.steps if step.takes}
    assert desired.unwanted - snapshot.unwanted <= taken
    after = apply_change(snapshot, change, [True] * len(change.commands))
    assert remembered(after, desired).unwanted == desired.unwanted
    assert diff_lead(desired, remembered(after, desired)) == Change()


@given(desired=whole_leads, snapshot=whole_snapshots)
def test_a_wish_to_be_gone_that_was_dropped_and_comes_again_is_asked_for_again(
    desired: DesiredLead, snapshot: Snapshot
) -> None:
    content = replace(desired, unwanted=frozenset())
    kept = remembered(snapshot, content)
    taken = {step.effect for step in diff_lead(desired, kept).steps if step.takes}
    assert desired.unwanted <= taken


@given(desired=whole_leads, snapshot=whole_snapshots)
def test_what_is_given_again_after_it_was_to_be_gone_can_be_taken_off_again(
    desired: DesiredLead, snapshot: Snapshot
) -> None:
    change = diff_lead(desired, snapshot)
    after = apply_change(snapshot, change, [True] * len(change.commands))
    given = {step.effect for step in change.steps if not step.takes}
    assert given.isdisjoint(after.unwanted)


def test_a_new_lead_is_created_with_what_is_filled() -> None:
    wish = replace(ANN, fields={"city": "Lyon", "zip": ""}, custom_fields={"note": "", "fruits": ("apple",)})
    assert diff_lead(wish, None) == Change(
        create=True,
        email="ann@example.org",
        fields={"city": "Lyon"},
        custom_fields={"fruits": ("apple",)},
        steps=(
            Step("assign_tag", "VIP"),
            Step("assign_tag", "Blog"),
            Step("subscribe_lead_to_list", "News"),
            Step("subscribe_lead_to_sequence_at_step", "Onboarding", "2"),
        ),
    )


def test_nothing_is_taken_off_a_new_lead() -> None:
    wish = replace(ANN, unwanted=frozenset({("tags", "Old"), ("lists", "Old"), ("sequences", "Old")}))
    assert diff_lead(wish, None) == diff_lead(ANN, None)
    assert acknowledged(wish).unwanted == wish.unwanted


def test_only_changed_fields_are_sent() -> None:
    wish = replace(ANN, fields={"city": "Leeds", "zip": "LS1"}, custom_fields={"fruits": ("pear", "apple")})
    assert diff_lead(wish, ANN_IN_KARTRA) == Change(fields={"city": "Leeds", "zip": "LS1"})


def test_a_field_that_is_asked_to_be_blank_is_cleared_once() -> None:
    wish = replace(ANN, fields={"city": "", "zip": ""}, custom_fields={"fruits": "", "note": ""})
    change = Change(fields={"city": ""}, custom_fields={"fruits": ""})
    assert diff_lead(wish, ANN_IN_KARTRA) == change
    assert diff_lead(wish, apply_change(ANN_IN_KARTRA, change, [True])) == Change()


def test_a_field_that_the_record_does_not_mention_is_left_alone() -> None:
    assert diff_lead(replace(ANN, fields={}, custom_fields={}), ANN_IN_KARTRA) == Change()


def test_a_changed_address_edits_the_lead() -> None:
    wish = replace(ANN, email="ann@example.net")
    assert diff_lead(wish, ANN_IN_KARTRA) == Change(email="ann@example.net")


def test_what_is_taken_goes_before_what_is_given_and_a_sequence_comes_last() -> None:
    wish = replace(ANN, tags=("Customer",), lists=("Offers",), sequences=(("Course", "1"),))
    assert diff_lead(wish, ANN_IN_KARTRA).commands == (
        "unassign_tag",
        "unassign_tag",
        "assign_tag",
        "unsubscribe_lead_from_list",
        "subscribe_lead_to_list",
        "subscribe_lead_to_sequence_at_step",
    )


def test_a_record_that_says_nothing_of_tags_and_lists_takes_none_back() -> None:
    wish = replace(ANN, tags=(), lists=(), silent=frozenset({"tags", "lists"}))
    assert diff_lead(wish, ANN_IN_KARTRA) == Change()


def test_a_record_that_is_silent_on_tags_still_gives_those_it_names() -> None:
    wish = replace(ANN, tags=("Customer",), silent=frozenset({"tags"}))
    assert diff_lead(wish, ANN_IN_KARTRA) == Change(steps=(Step("assign_tag", "Customer"),))


def test_what_a_record_wants_gone_is_taken_off_whoever_gave_it() -> None:
    gone = {("tags", "VIP"), ("tags", "Theirs"), ("lists", "Theirs"), ("sequences", "Onboarding")}
    wish = replace(
        ANN, tags=("Blog",), sequences=(), unwanted=frozenset(gone), silent=frozenset({"tags", "lists"})
    )
    had = replace(ANN_IN_KARTRA, kept=frozenset({("tags", "Theirs"), ("lists", "Theirs")}))
    change = diff_lead(wish, had)
    assert change == Change(
        steps=(
            Step("unassign_tag", "Theirs"),
            Step("unassign_tag", "VIP"),
            Step("unsubscribe_lead_from_list", "Theirs"),
            Step("unsubscribe_lead_from_sequence", "Onboarding"),
        )
    )
    after = apply_change(had, change, [True] * 4)
    assert (after.tags, after.lists) == ({"Blog"}, {"News"})
    assert after.unwanted == gone
    assert removal(after, ("untag", "unsubscribe")).steps == (
        Step("unassign_tag", "Blog"),
        Step("unsubscribe_lead_from_list", "News"),
    )


def test_a_sequence_that_was_to_be_left_is_not_started_again() -> None:
    left = replace(ANN_IN_KARTRA, unwanted=frozenset({("sequences", "Onboarding")}))
    assert diff_lead(ANN, left) == Change()


def test_a_tag_that_was_taken_off_by_wish_can_be_given_and_a_list_its_person_may_have_left_cannot() -> None:
    had = replace(
        ANN_IN_KARTRA,
        tags=frozenset({"Blog"}),
        lists=frozenset(),
        kept=frozenset({("tags", "VIP"), ("lists", "News")}),
    )
    off = replace(ANN, tags=("Blog",), lists=(), unwanted=frozenset({("tags", "VIP"), ("lists", "News")}))
    after = apply_change(had, diff_lead(off, had), [True, True])
    assert diff_lead(ANN, after) == Change(steps=(Step("assign_tag", "VIP"),))


def test_only_names_that_we_never_gave_may_be_misspelt() -> None:
    wish = replace(
        ANN,
        tags=(),
        lists=(),
        sequences=(),
        unwanted=frozenset(
            {("tags", "VIP"), ("tags", "Vpi"), ("lists", "News"), ("sequences", "Onboarding")}
        ),
    )
    assert theirs(wish, ANN_IN_KARTRA) == {("tags", "Vpi")}
    assert theirs(wish, None) == wish.unwanted


def test_a_list_its_person_has_left_is_not_given_back() -> None:
    left = replace(ANN_IN_KARTRA, lists=frozenset(), kept=frozenset({("lists", "News")}))
    assert diff_lead(ANN, left) == Change()


def test_what_a_lead_had_before_us_is_neither_given_again_nor_taken() -> None:
    had = frozenset({("tags", "VIP"), ("lists", "News")})
    adopted = replace(ANN_IN_KARTRA, tags=frozenset({"Blog"}), lists=frozenset(), kept=had)
    assert diff_lead(ANN, adopted) == Change()
    assert diff_lead(replace(ANN, tags=(), lists=()), adopted) == Change(
        steps=(Step("unassign_tag", "Blog"),)
    )
    assert removal(adopted, ("untag", "unsubscribe")) == Change(steps=(Step("unassign_tag", "Blog"),))


def test_a_sequence_that_is_no_longer_wished_for_is_left_to_run() -> None:
    assert diff_lead(replace(ANN, sequences=()), ANN_IN_KARTRA) == Change()


def test_a_removal_takes_only_what_we_gave_and_only_what_was_asked() -> None:
    untag = (Step("unassign_tag", "Blog"), Step("unassign_tag", "VIP"))
    leave = (Step("unsubscribe_lead_from_list", "News"),)
    assert removal(ANN_IN_KARTRA, ()) == Change()
    assert removal(ANN_IN_KARTRA, ("untag",)) == Change(steps=untag)
    assert removal(ANN_IN_KARTRA, ("unsubscribe",)) == Change(steps=leave)
    assert removal(ANN_IN_KARTRA, ("unsubscribe", "untag")) == Change(steps=untag + leave)


def test_a_change_is_true_when_there_is_something_to_send() -> None:
    assert not Change()
    assert Change(create=True)
    assert Change(email="ann@example.org")
    assert Change(fields={"city": ""})
    assert Change(custom_fields={"note": ""})
    assert Change(steps=(Step("assign_tag", "VIP"),))


def test_options_are_the_same_in_any_order_and_case_and_blank_is_no_option() -> None:
    assert same_value(("apple", "pear"), ("pear", "apple"))
    assert same_value((), "")
    assert same_value("apple", ("apple",))
    assert same_value(("Apple", "pear"), ("apple", "PEAR"))
    assert not same_value(("apple",), ("apple", "pear"))
    assert not same_value("apple", "Apple")


# --- once only


def test_points_are_given_up_to_the_wish_and_what_it_falls_by_is_taken_back() -> None:
    wish = replace(ANN, points=Points(25, 30))
    give, take = Step("give_points_to_lead", "15", "30"), Step("remove_points_from_lead", "5")
    assert diff_lead(wish, replace(ANN_IN_KARTRA, points=10)) == Change(steps=(give,))
    assert diff_lead(wish, replace(ANN_IN_KARTRA, points=30)) == Change(steps=(take,))
    assert diff_lead(wish, replace(ANN_IN_KARTRA, points=25)) == Change()
    assert diff_lead(ANN, replace(ANN_IN_KARTRA, points=25)) == Change()


def test_a_class_is_booked_once_and_never_cancelled() -> None:
    wish = replace(ANN, calendars=(CalendarClass("Yoga", "Tuesday", "2030-01-16 18:00"),))
    book = Step("calendar_subscribe", "Yoga", "Tuesday", "2030-01-16 18:00")
    assert diff_lead(wish, ANN_IN_KARTRA) == Change(steps=(book,))
    booked = apply_change(ANN_IN_KARTRA, Change(steps=(book,)), [True])
    assert booked.calendars == {"Yoga: Tuesday"}
    assert diff_lead(wish, booked) == diff_lead(ANN, booked) == Change()


def test_what_is_unproven_is_asked_for_by_no_wish() -> None:
    wish = replace(
        ANN, points=Points(40), calendars=(CalendarClass("Yoga", "Tuesday"),), sequences=(("Course", "1"),)
    )
    unproven = {("points", "+10"), ("calendars", "Yoga: Tuesday"), ("sequences", "Course")}
    waiting = replace(ANN_IN_KARTRA, unproven=frozenset(unproven))
    assert diff_lead(wish, waiting) == Change()
    assert unproven_wishes(wish, waiting) == ["calendars Yoga: Tuesday", "points +10", "sequences Course"]
    assert unproven_wishes(ANN, waiting) == []
    assert resolve(waiting, unproven, landed=False) == ANN_IN_KARTRA
    landed = resolve(waiting, unproven, landed=True)
    assert diff_lead(wish, landed) == Change(steps=(Step("give_points_to_lead", "30", "0"),))


def test_lists_we_took_back_are_remembered_until_they_are_given_again() -> None:
    leave, join = Step("unsubscribe_lead_from_list", "News"), Step("subscribe_lead_to_list", "News")
    gone = apply_change(ANN_IN_KARTRA, Change(steps=(leave,)), [True])
    assert (gone.lists, gone.taken) == (frozenset(), {"News"})
    assert apply_change(gone, Change(steps=(join,)), [True]) == ANN_IN_KARTRA
