"""A record becomes a desired lead, or a reason why not; no cell a file can hold breaks the run."""

import math
import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from connectors.errors import ConfigError
from pipelines.contacts.columns import used_columns
from pipelines.contacts.lead import DesiredLead, Points
from pipelines.contacts.mapping import Invalid, Mapped, mapper
from pipelines.contacts.merge import merge_leads
from pipelines.contacts.wishes import wanted
from pipelines.shipped import ROOT
from tests.contacts.strategies import desired_leads, load_config

COLUMNS = ("Email", "First", "City", "Note", "Fruits", "Tags", "Lists", "Status", "Changed", "Id", "Opt-in")
FULL: dict[str, Any] = {
    "fields": {"email": "Email", "first_name": "First", "city": "City"},
    "custom_fields": {"note": "Note", "fruits": {"column": "Fruits", "split": ";"}},
    "tags": ["Imported", {"column": "Tags", "split": ";"}],
    "lists": ["News", {"column": "Lists"}],
    "sequences": [{"name": "Onboarding", "step": "2"}],
    "consent": {"column": "Opt-in", "accepted": ["Yes", " ja "]},
}
ANN = {
    "Email": " Ann@Example.org",
    "First": " Ann ",
    "City": "Krako\u0301w",
    "Note": "00123",
    "Fruits": "plum; apple;;plum",
    "Tags": " VIP ;Imported; Blog",
    "Lists": "Offers; Sales",
    "Status": "subscribed",
    "Changed": "2026-03-01",
    "Id": " c-1 ",
    "Opt-in": "YES",
}
ANN_LEAD = DesiredLead(
    email="ann@example.org",
    fields={"first_name": "Ann", "city": "Kraków"},
    custom_fields={"note": "00123", "fruits": ("plum", "apple")},
    tags=("Imported", "VIP", "Blog"),
    lists=("News", "Offers; Sales"),
    sequences=(("Onboarding", "2"),),
)


def mapped(record: dict[str, str], *, row: int = 2, **changes: Any) -> Mapped | Invalid:
    return mapper(load_config(**{**FULL, **changes}), COLUMNS)(record, row)


def lead_of(record: dict[str, str], **changes: Any) -> DesiredLead:
    result = mapped(record, **changes)
    assert isinstance(result, Mapped)
    return result.lead


def blocked_of(record: dict[str, str], **changes: Any) -> str | None:
    result = mapped(record, **changes)
    assert isinstance(result, Mapped)
    return result.blocked


def rank_of(record: dict[str, str], *, row: int = 2, **changes: Any) -> float:
    result = mapped(record, row=row, **changes)
    assert isinstance(result, Mapped)
    return result.rank


def test_a_record_becomes_a_lead() -> None:
    assert mapped(ANN) == Mapped("ann@example.org", ANN_LEAD, rank=2, blocked=None)


def test_a_key_column_names_the_lead_instead_of_the_address() -> None:
    assert mapped(ANN, key={"column": "Id"}) == Mapped("c-1", ANN_LEAD, rank=2)


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"Email": "ann"}, "not an e-mail address: no @"),
        ({"Email": ""}, "no e-mail address"),
        ({"Changed": "soon"}, 'the column "Changed" holds neither a date nor a number'),
        ({"Note": "ten"}, 'the column "Note" does not hold a whole number of points'),
        ({"Note": "-5"}, 'the column "Note" does not hold a whole number of points'),
    ],
)
def test_a_record_that_cannot_become_a_lead_says_why_and_whose_it_is(
    cells: dict[str, str], reason: str
) -> None:
    record = {**ANN, **cells}
    changes = {"key": {"column": "Id"}, "duplicates": "newest:Changed", "points": {"column": "Note"}}
    assert mapped(record, **changes) == Invalid(reason, "c-1")


def test_a_record_without_a_key_is_nobodys() -> None:
    reason = 'no key: the column "Id" is blank'
    assert mapped({**ANN, "Id": "  "}, key={"column": "Id"}) == Invalid(reason)


def test_points_are_asked_for_where_there_is_a_number() -> None:
    wish = {"points": {"column": "Note", "expiration_days": 30}}
    for cell, points in (("00123", Points(123, 30)), ("0", Points(0, 30)), (" ", None)):
        result = mapped({**ANN, "Note": cell}, **wish)
        assert isinstance(result, Mapped)
        assert result.lead.points == points


@pytest.mark.parametrize(
    ("name", "step", "cells", "sequences"),
    [
        ("Onboarding", {"column": "Note"}, {"Note": "007"}, (("Onboarding", "007"),)),
        ("Onboarding", {"column": "Note"}, {"Note": " "}, ()),
        ({"column": "City"}, "3", {"City": "Win-back"}, (("Win-back", "3"),)),
        ({"column": "City"}, "3", {"City": ""}, ()),
        ("Course {City}", "{Note}", {"City": "B", "Note": "2"}, (("Course B", "2"),)),
        ({"column": "Tags", "split": ";"}, {"constant": "1"}, {"Tags": "A;B"}, (("A", "1"), ("B", "1"))),
        (
            {"column": "City", "do": ["upper"]},
            {"column": "Note", "do": [{"map": {"vip": "9"}, "else": "blank"}]},
            {"City": "a", "Note": "VIP"},
            (("A", "9"),),
        ),
    ],
    ids=["step", "no step", "name", "no name", "templates", "several", "steps of a value"],
)
def test_a_sequence_and_its_step_may_stand_in_columns(
    name: Any, step: Any, cells: dict[str, str], sequences: tuple[tuple[str, str], ...]
) -> None:
    wish = [{"name": name, "step": step}]
    assert lead_of({**ANN, **cells}, sequences=wish).sequences == sequences


def test_a_step_that_is_none_makes_the_record_invalid() -> None:
    wish = [{"name": "Onboarding", "step": {"column": "Note"}}]
    told = 'the sequence step in the column "Note" is not a number'
    assert mapped({**ANN, "Note": "box 2"}, sequences=wish) == Invalid(told, "ann@example.org")


@pytest.mark.parametrize(
    ("wish", "names"),
    [
        (["Trial", {"constant": "Demo"}], {"Trial", "Demo"}),
        ([{"column": "City"}], {"Kraków"}),
        ([{"column": "Tags", "split": ";"}], {"VIP", "Imported", "Blog"}),
        (["Not {First}", "{Status}"], {"Not Ann", "subscribed"}),
        ([{"column": "Lists", "do": [{"split": ";"}, "first", "lower"]}], {"offers"}),
    ],
    ids=["constants", "column", "split", "templates", "steps"],
)
@pytest.mark.parametrize(
    ("key", "collection"),
    [("untag", "tags"), ("unsubscribe", "lists"), ("unsubscribe_from_sequences", "sequences")],
)
def test_what_is_to_be_gone_is_said_as_what_is_given(
    wish: list[Any], names: set[str], key: str, collection: str
) -> None:
    lead = lead_of(ANN, tags=[], lists=[], sequences=[], **{key: wish})
    assert lead.unwanted == {(collection, name) for name in names}
    blank = {**dict.fromkeys(ANN, " "), "Email": "ann@example.org", "Opt-in": "yes"}
    constants = {(collection, name) for name in names if name in ("Trial", "Demo")}
    assert lead_of(blank, tags=[], lists=[], sequences=[], **{key: wish}).unwanted == constants


def test_what_is_to_be_taken_off_wins_over_what_would_give_it() -> None:
    lead = lead_of(ANN, untag=[{"column": "First"}, {"template": "{Tags}"}, "Blog"])
    assert lead.tags == ("Imported", "VIP")
    assert lead.overruled == frozenset({("tags", "Blog")})
    assert lead.unwanted > lead.overruled
    kept = lead_of(ANN, unsubscribe=["News"], unsubscribe_from_sequences=["Onboarding"])
    assert (kept.lists, kept.sequences) == (("Offers; Sales",), ())
    assert DesiredLead.from_json(kept.to_json()) == replace(
        kept, tags=tuple(sorted(kept.tags)), lists=tuple(sorted(kept.lists))
    )


def test_of_two_records_of_one_key_the_later_says_what_is_to_be_gone() -> None:
    asks = DesiredLead(
        "ann@example.org",
        tags=("VIP", "Blog"),
        lists=("News",),
        sequences=(("Onboarding", "1"), ("Course", "1")),
    )
    gone = frozenset({("tags", "VIP"), ("lists", "News"), ("sequences", "Course"), ("tags", "Old")})
    off = DesiredLead("ann@example.org", tags=("Customer",), unwanted=gone)
    assert merge_leads(asks, off) == DesiredLead(
        "ann@example.org", tags=("Blog", "Customer"), sequences=(("Onboarding", "1"),), unwanted=gone
    )
    assert merge_leads(off, asks) == DesiredLead(
        "ann@example.org",
        tags=("Customer", "VIP", "Blog"),
        lists=("News",),
        sequences=(("Onboarding", "1"), ("Course", "1")),
        unwanted=frozenset({("tags", "Old")}),
    )


@given(one=desired_leads, other=desired_leads)
def test_merged_records_never_want_a_name_and_want_it_gone(one: DesiredLead, other: DesiredLead) -> None:
    merged = merge_leads(one, other)
    assert merged.unwanted.isdisjoint(wanted(merged))
    assert other.unwanted <= merged.unwanted
    assert wanted(other) <= wanted(merged)


def test_a_blank_cell_says_nothing() -> None:
    blank = {**dict.fromkeys(ANN, " "), "Email": "ann@example.org", "Opt-in": "yes"}
    assert lead_of(blank) == DesiredLead(
        email="ann@example.org",
        tags=("Imported",),
        lists=("News",),
        sequences=(("Onboarding", "2"),),
        silent=frozenset({"tags", "lists"}),
    )


def test_a_blank_cell_clears_when_told_to() -> None:
    blank = {**dict.fromkeys(ANN, " "), "Email": "ann@example.org", "Opt-in": "yes"}
    assert lead_of(blank, blank="clear") == DesiredLead(
        email="ann@example.org",
        fields={"first_name": "", "city": ""},
        custom_fields={"note": "", "fruits": ""},
        tags=("Imported",),
        lists=("News",),
        sequences=(("Onboarding", "2"),),
    )


def test_a_mapping_without_tags_and_lists_says_nothing_of_them_and_an_empty_one_wants_none() -> None:
    without = {name: wish for name, wish in FULL.items() if name not in ("tags", "lists")}
    said = mapper(load_config(**without), COLUMNS)(ANN, 2)
    assert isinstance(said, Mapped)
    assert said.lead.silent == frozenset({"tags", "lists"})
    assert lead_of(ANN, tags=[], lists=[]).silent == frozenset()


def test_only_separators_in_a_cell_are_a_blank() -> None:
    lead = lead_of({**ANN, "Tags": " ; ;; ", "Fruits": ";"})
    assert (lead.tags, lead.custom_fields) == (("Imported",), {"note": "00123"})


@pytest.mark.parametrize("word", ["yes", "YES", " Yes ", "ja", "Ja"])
def test_an_accepted_word_is_consent(word: str) -> None:
    assert blocked_of({**ANN, "Opt-in": word}) is None


@pytest.mark.parametrize("word", ["no", "", "1", "yes!", "yes please", "true"])
def test_a_record_without_consent_is_blocked(word: str) -> None:
    said = f': "{word}"' if word else ""
    assert blocked_of({**ANN, "Opt-in": word}) == f'no consent in the column "Opt-in"{said}'


def test_consent_that_was_attested_blocks_nobody_but_who_says_no() -> None:
    consent = {"attested": "sign-up form"}
    for word in ("yes", "", "maybe"):
        assert blocked_of({**ANN, "Opt-in": word}, consent=consent) is None
    assert blocked_of({**ANN, "Opt-in": "no"}, consent=consent) == 'opted out: "no" in the column "Opt-in"'


# What exports of every platform call a person who must not be mailed
@pytest.mark.parametrize(
    "word",
    ["unsubscribed", "cleaned", "bounced", "complained", "cancelled", "removed", "blocked", "archived"],
)
def test_a_status_that_means_opted_out_blocks_whatever_was_attested(word: str) -> None:
    record = {**ANN, "Status": f" {word.title()} "}
    reason = f'opted out: "{word}" in the column "Status"'
    assert blocked_of(record, consent={"attested": "sign-up form"}) == reason
    assert blocked_of(record) == reason


@pytest.mark.parametrize("column", ["Status", "email status", "E-Mail Status", "Subscription Status"])
def test_a_status_column_is_known_by_its_name_without_being_mapped(column: str) -> None:
    map_record = mapper(load_config(), ("Email", "City", column))
    record = {"Email": "ann@example.org", "City": "", column: "Bounced"}
    result = map_record(record, 2)
    assert isinstance(result, Mapped)
    assert result.blocked == f'opted out: "bounced" in the column "{column}"'


@pytest.mark.parametrize(
    ("column", "blocking", "harmless"),
    [
        ("Opted Out", ["true", "YES", "1", " y "], ["", "false", "no", "0"]),
        ("EMAIL_BLACKLISTED", ["1", "True"], ["", "0"]),
        ("UNSUB_TIME", ["2025-03-01 10:00:00", "0"], ["", "  "]),
    ],
)
def test_a_column_that_flags_an_opt_out_blocks(column: str, blocking: list[str], harmless: list[str]) -> None:
    map_record = mapper(load_config(), ("Email", "City", column))

    def blocked(cell: str) -> str | None:
        result = map_record({"Email": "ann@example.org", "City": "", column: cell}, 2)
        assert isinstance(result, Mapped)
        return result.blocked

    words = ["a date" if ":" in cell else cell.strip().lower() for cell in blocking]
    reasons = [f'opted out: "{word}" in the column "{column}"' for word in words]
    assert [blocked(cell) for cell in blocking] == reasons
    assert [blocked(cell) for cell in harmless] == [None] * len(harmless)


def test_an_opted_out_word_in_the_consent_column_blocks_even_if_accepted() -> None:
    consent = {"column": "Opt-in", "accepted": ["unsubscribed"]}
    reason = 'opted out: "unsubscribed" in the column "Opt-in"'
    assert blocked_of({**ANN, "Opt-in": "Unsubscribed"}, consent=consent) == reason


def test_of_two_records_the_rule_ranks_one_higher() -> None:
    assert rank_of(ANN, row=2, duplicates="last") < rank_of(ANN, row=9, duplicates="last")
    assert rank_of(ANN, row=2, duplicates="first") > rank_of(ANN, row=9, duplicates="first")


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("", "0001-01-01"),
        ("2026-03-01", "2026-03-02"),
        ("2026-03-01 09:00", "2026-03-01 10:00"),
        ("2026-03-01T10:00:00+02:00", "2026-03-01T09:00:00Z"),
        ("2024-05-06 18:01:32 -0700", "2024-05-07 01:01:33"),
        ("1/31/2026", "2/1/2026"),
        ("9", "10"),
        ("1700000000", "1700000000.5"),
        ("-1", "0"),
    ],
)
@pytest.mark.parametrize("row", [2, 9])
def test_the_newest_record_ranks_highest_wherever_it_stands(older: str, newer: str, row: int) -> None:
    rule = "newest:Changed"
    older_rank = rank_of({**ANN, "Changed": older}, row=row, duplicates=rule)
    assert older_rank < rank_of({**ANN, "Changed": newer}, row=11 - row, duplicates=rule)


@pytest.mark.parametrize("rule", ["first", "last", "newest:Changed", "merge"])
@pytest.mark.parametrize("word", ["unsubscribed", "bounced"])
def test_a_record_that_opted_out_outranks_every_other(rule: str, word: str) -> None:
    assert rank_of({**ANN, "Status": word, "Changed": "1999-01-01"}, duplicates=rule) == math.inf


@pytest.mark.parametrize("cell", ["nan", "NaN", "inf", "Infinity", "1e999", "9" * 400])
def test_no_cell_ranks_as_high_as_an_opt_out_or_as_nothing_at_all(cell: str) -> None:
    # SQLite has no NaN: it would store NULL, which the staging table refuses.
    result = mapped({**ANN, "Changed": cell}, duplicates="newest:Changed")
    reason = 'the column "Changed" holds neither a date nor a number'
    assert result == Invalid(reason, "ann@example.org") or (
        isinstance(result, Mapped) and math.isfinite(result.rank)
    )


@pytest.mark.parametrize("cell", ["2026-03-01 10:00+9999", "10:00 -99:99", "2026-03-01 10:00 XYZT"])
def test_a_date_in_a_zone_that_cannot_be_is_a_reason_or_a_rank(cell: str) -> None:
    result = mapped({**ANN, "Changed": cell}, duplicates="newest:Changed")
    reason = 'the column "Changed" holds neither a date nor a number'
    assert result == Invalid(reason, "ann@example.org") or (
        isinstance(result, Mapped) and math.isfinite(result.rank)
    )


RANK = """
from tests.contacts.test_mapping import ANN, rank_of
print(rank_of({**ANN, "Changed": "2026-03-01 10:00 EST"}, duplicates="newest:Changed"))
"""


def test_a_rank_is_the_same_on_every_machine() -> None:
    def rank_in(zone: str) -> str:
        environ = {**os.environ, "TZ": zone}
        command = [sys.executable, "-c", RANK]
        return subprocess.run(
            command, cwd=ROOT, env=environ, capture_output=True, text=True, check=True
        ).stdout

    assert rank_in("America/New_York") == rank_in("UTC")


date_parts = st.sampled_from(
    ["2026", "03", "31", "-", "/", ":", ".", " ", "T", "Z", "+0200", "+9999", "am", "Mar", "Monday", "UTC"]
)
cells = st.text(max_size=30) | st.lists(date_parts, max_size=8).map("".join) | st.floats().map(str)
ways = st.fixed_dictionaries(
    {
        "key": st.sampled_from(["email", {"column": "Id"}]),
        "duplicates": st.sampled_from(["first", "last", "merge", "newest:Changed"]),
        "blank": st.sampled_from(["ignore", "clear"]),
        "consent": st.sampled_from([FULL["consent"], {"attested": "sign-up form"}]),
    }
)


@given(record=st.fixed_dictionaries(dict.fromkeys(COLUMNS, cells)), way=ways, row=st.integers(2, 10**9))
@example(record={**ANN, "Changed": "2026-03-31 10:00+9999"}, way={"duplicates": "newest:Changed"}, row=2)
def test_any_text_becomes_a_lead_or_a_reason(record: dict[str, str], way: dict[str, Any], row: int) -> None:
    result = mapped({**record, "Email": "ann@example.org"}, row=row, **way)
    if isinstance(result, Mapped):
        assert result.key
        assert not math.isnan(result.rank)
        assert DesiredLead.from_json(result.lead.to_json()).email == "ann@example.org"
    else:
        assert result.reason in (
            'no key: the column "Id" is blank',
            'the column "Changed" holds neither a date nor a number',
        )


@given(record=st.fixed_dictionaries(dict.fromkeys(COLUMNS, cells)), way=ways)
def test_a_record_is_always_mapped_to_the_same(record: dict[str, str], way: dict[str, Any]) -> None:
    record = {**record, "Email": "ann@example.org", "Changed": "2026-03-01"}
    assert mapped(record, **way) == mapped(dict(reversed(record.items())), **way)


@given(record=st.fixed_dictionaries(dict.fromkeys(COLUMNS, cells)))
def test_a_reason_never_holds_what_the_record_says(record: dict[str, str]) -> None:
    result = mapped({**record, "Email": "secret", "Changed": "hidden"}, duplicates="newest:Changed")
    assert result == Invalid("not an e-mail address: no @")


def test_a_column_the_source_lacks_is_named_with_the_nearest() -> None:
    with pytest.raises(ConfigError) as refusal:
        mapper(load_config(tags=[{"column": "Tgas"}]), ("Email", "City", "Tags"))
    assert str(refusal.value) == 'load.tags: the source has no column "Tgas"; did you mean "Tags"?'


def test_every_column_the_source_lacks_is_named_at_once() -> None:
    with pytest.raises(ConfigError) as refusal:
        mapper(load_config(key={"column": "xyz"}), ("Email", "Ort"))
    assert str(refusal.value) == (
        'load.fields.city: the source has no column "City"; it has: Email, Ort\n'
        'load.key: the source has no column "xyz"; it has: Email, Ort'
    )


def test_a_first_line_that_may_be_somebodys_record_is_not_shown() -> None:
    with pytest.raises(ConfigError) as refusal:
        mapper(load_config(), ("ann@example.org", "Lyon"))
    assert str(refusal.value) == (
        'load.fields.email: the source has no column "Email"; is its first line a header?\n'
        'load.fields.city: the source has no column "City"; is its first line a header?'
    )


def test_a_column_the_source_has_twice_cannot_be_mapped() -> None:
    with pytest.raises(ConfigError) as refusal:
        mapper(load_config(), ("Email", "City", "City"))
    assert str(refusal.value) == (
        'load.fields.city: the source has the column "City" more than once; write "City (2)" for the second'
    )


def test_a_column_that_nobody_maps_may_repeat() -> None:
    map_record = mapper(load_config(), ("Email", "City", "Extra", "Extra"))
    record = {"Email": "ann@example.org", "City": "Lyon", "Extra": "1", "Extra (2)": "2"}
    lead = DesiredLead("ann@example.org", {"city": "Lyon"}, silent=frozenset({"tags", "lists"}))
    assert map_record(record, 2) == Mapped("ann@example.org", lead, rank=2)


def test_every_column_the_mapping_reads_is_named_with_its_place() -> None:
    wishes = {
        "sequences": [{"name": {"column": "Course"}, "step": "{Step}"}],
        "untag": [{"column": "Off"}],
        "unsubscribe": ["{Leave}"],
        "unsubscribe_from_sequences": ["Demo", {"column": "Stop"}],
    }
    load = load_config(**{**FULL, **wishes, "key": {"column": "Id"}, "duplicates": "newest:Changed"})
    assert list(used_columns(load)) == [
        ("load.fields.email", "Email"),
        ("load.fields.first_name", "First"),
        ("load.fields.city", "City"),
        ("load.custom_fields.note", "Note"),
        ("load.custom_fields.fruits", "Fruits"),
        ("load.tags", "Tags"),
        ("load.lists", "Lists"),
        ("load.sequences", "Course"),
        ("load.sequences", "Step"),
        ("load.untag", "Off"),
        ("load.unsubscribe", "Leave"),
        ("load.unsubscribe_from_sequences", "Stop"),
        ("load.key", "Id"),
        ("load.consent", "Opt-in"),
        ("load.duplicates", "Changed"),
    ]


def test_merged_records_add_up_and_later_values_win_unless_blank() -> None:
    earlier = DesiredLead(
        "ann@example.org",
        fields={"city": "Lyon", "zip": "1"},
        custom_fields={"note": "old", "fruits": ("apple",)},
        tags=("VIP", "Blog"),
        lists=("News",),
        sequences=(("Onboarding", "1"),),
        silent=frozenset({"tags"}),
    )
    later = DesiredLead(
        "ann@example.net",
        fields={"city": "Leeds", "zip": "", "state": ""},
        custom_fields={"fruits": ()},
        tags=("Blog", "Customer"),
        sequences=(("Onboarding", "2"),),
        silent=frozenset({"tags", "lists"}),
    )
    assert merge_leads(earlier, later) == DesiredLead(
        "ann@example.net",
        fields={"city": "Leeds", "zip": "1", "state": ""},
        custom_fields={"note": "old", "fruits": ("apple",)},
        tags=("VIP", "Blog", "Customer"),
        lists=("News",),
        sequences=(("Onboarding", "2"),),
        silent=frozenset({"tags"}),
    )


@given(lead=desired_leads)
def test_a_record_merged_with_itself_is_itself(lead: DesiredLead) -> None:
    assert merge_leads(lead, lead) == lead


@settings(max_examples=50)
@given(one=desired_leads, other=desired_leads, third=desired_leads)
def test_merging_does_not_depend_on_where_one_begins(
    one: DesiredLead, other: DesiredLead, third: DesiredLead
) -> None:
    left = merge_leads(merge_leads(one, other), third)
    right = merge_leads(one, merge_leads(other, third))
    assert left.to_json() == right.to_json()  # names have no order


@pytest.mark.parametrize(
    ("cell", "tags"),
    [
        ('"VIP","Blog, news"', ("VIP", "Blog, news")),
        ('"VIP", "Blog"', ("VIP", "Blog")),
        ("VIP,Blog,VIP", ("VIP", "Blog")),
        ('"say ""hi"""', ('say "hi"',)),
        ('VIP,"never closed', ("VIP", "never closed")),
    ],
)
def test_names_may_stand_in_a_cell_as_in_a_csv(cell: str, tags: tuple[str, ...]) -> None:
    assert lead_of({**ANN, "Tags": cell}, tags=[{"column": "Tags", "split": "csv"}]).tags == tags


@pytest.mark.parametrize(
    ("cell", "names"),
    [
        ('["VIP", "A, B"]', ("VIP", "A, B")),
        ("[]", ()),
        ('["VIP", null, " VIP "]', ("VIP",)),
        ("[draft] offers", ("[draft] offers",)),
        ("[draft]", ("[draft]",)),
        ("VIP, Blog", ("VIP, Blog",)),
    ],
)
def test_an_array_of_the_source_is_several_names(cell: str, names: tuple[str, ...]) -> None:
    changes = {"tags": [{"column": "Tags"}], "untag": [{"column": "Lists"}], "lists": []}
    assert lead_of({**ANN, "Tags": cell, "Lists": ""}, **changes).tags == names
    gone = lead_of({**ANN, "Tags": "", "Lists": cell}, **changes).unwanted
    assert gone == {("tags", name) for name in names}
