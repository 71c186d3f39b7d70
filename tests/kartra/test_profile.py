import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.kartra import commands
from connectors.kartra.answers import classify
from connectors.kartra.profile import (
    CustomFieldDefinition,
    LeadProfile,
    parse_custom_fields,
    parse_names,
    parse_profile,
)

# §6.3, without what a profile does not use
JO = {
    "id": "39260",
    "first_name": "Jo",
    "last_name": "Smith",
    "email": "jo@example.com",
    "city": None,
    "zip": "00123",
    "score": "12",
    "source": "api",
    "tags": [{"tag_name": "VIP"}],
    "lists": [{"list_name": "News", "active": "1"}, {"list_name": "Old", "active": "0"}],
    "sequences": [{"sequence_name": "Onboarding", "step": "3", "status": "active"}],
    "memberships": [{"name": "Course", "level_name": "Gold", "active": "1"}],
    "custom_fields": [
        {
            "field_id": "1",
            "field_identifier": "note",
            "field_type": "input_field",
            "field_value": "two words",
        },
        {
            "field_id": "2",
            "field_identifier": "size",
            "field_type": "drop_down",
            "field_value": [{"option_id": "612", "option_value": "large"}],
        },
        {
            "field_id": "3",
            "field_identifier": "fruits",
            "field_type": "checkbox",
            "field_value": [
                {"option_id": "1", "option_value": "apple"},
                {"option_id": "2", "option_value": "pear"},
            ],
        },
    ],
}
JO_PROFILE = LeadProfile(
    id="39260",
    email="jo@example.com",
    fields={"first_name": "Jo", "last_name": "Smith", "city": "", "zip": "00123"},
    tags=frozenset({"VIP"}),
    lists={"News": True, "Old": False},
    sequences={"Onboarding": "3"},
    custom_fields={"note": "two words", "size": ("large",), "fruits": ("apple", "pear")},
    score=12,
)


def profile(**changes: object) -> LeadProfile:
    parsed = parse_profile({"status": "Success", "lead_details": {"id": "1", **changes}})
    assert parsed is not None
    return parsed


def custom(kind: str, value: object) -> object:
    row = {"field_identifier": "x", "field_type": kind, "field_value": value}
    return profile(custom_fields=[row]).custom_fields["x"]


@pytest.mark.parametrize("as_text", [False, True])
def test_the_profile_of_the_manual_is_read_whole(as_text):
    body = {"status": "Success", "lead_details": json.dumps(JO) if as_text else JO}
    answer = classify(commands.get_lead(id="39260"), 200, json.dumps(body))
    assert parse_profile(answer.body) == JO_PROFILE


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"lead_details": None},
        {"lead_details": []},
        {"lead_details": "x"},
        {"lead_details": {"first_name": "Jo"}},
    ],
)
def test_without_a_lead_there_is_no_profile(body):
    assert parse_profile(body) is None


@pytest.mark.parametrize("key", ["tags", "lists", "sequences", "custom_fields"])
@pytest.mark.parametrize("nothing", [None, "", [], {}, "[]", "{}", 0, False])
def test_an_empty_collection_is_empty_however_it_is_written(key, nothing):
    found = profile(**{key: nothing})
    unknown = {"unread": frozenset(), "missing": frozenset()}
    assert replace(found, **unknown) == replace(profile(), **unknown)
    assert profile().missing - found.missing == {key}
    assert profile().unread - found.unread <= {key}  # what is missing is not empty


@pytest.mark.parametrize(
    "tags",
    [
        ["VIP", "Old"],
        [{"tag_name": "VIP"}, {"tag_name": "Old", "tag_id": 4}],
        {"0": {"tag_name": "VIP"}, "2": {"tag_name": "Old"}},
        {"0": "VIP", "3": "Old"},
        '[{"tag_name":"VIP"},"Old"]',
        [{"tag_name": "VIP"}, "Old", {"tag_name": None}, "", None, {}],
    ],
)
def test_tags_are_read_from_every_form(tags):
    assert profile(tags=tags).tags == {"VIP", "Old"}


def test_a_tag_that_looks_like_json_or_a_number_stays_a_name():
    assert profile(tags=["[1]", {"tag_name": "{}"}, 2024]).tags == {"[1]", "{}", "2024"}


@pytest.mark.parametrize(
    ("active", "expected"),
    [
        *[(yes, True) for yes in ("1", 1, True, "active", "Active")],
        *[(no, False) for no in ("0", 0, False, "", None, "inactive")],
    ],
)
def test_a_list_the_lead_left_is_known_as_left(active, expected):
    assert profile(lists=[{"list_name": "News", "active": active}]).lists == {"News": expected}


def test_a_list_without_a_mark_counts_as_joined():
    assert profile(lists={"1": {"list_name": "News"}, "4": "Old"}).lists == {"News": True, "Old": True}


def test_a_sequence_the_lead_left_is_still_one_it_was_given():
    rows = [
        {"sequence_name": "Hello", "step": 3, "status": "active"},
        {"sequence_name": "Left", "step": "1", "status": "Unsubscribed"},
        {"sequence_name": "Bare"},
    ]
    assert profile(sequences=rows).sequences == {"Hello": "3", "Left": "1", "Bare": ""}


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("input_field", "two words", "two words"),
        ("input_field", "[1]", "[1]"),
        ("text_area", '{"a":1}', '{"a":1}'),
        ("text_area", None, ""),
        ("text_area", [], ""),
        ("input_field", 7, "7"),
        ("drop_down", [{"option_id": 612, "option_value": "large"}], ("large",)),
        ("drop_down", {"option_id": "612", "option_value": "large"}, ("large",)),
        ("drop_down", '[{"option_id":"612","option_value":"large"}]', ("large",)),
        ("radio_button", "", ()),
        ("radio_button", [], ()),
        ("radio_button", None, ()),
        ("radio_button", "large", ("large",)),
        ("checkbox", {"0": {"option_value": "a"}, "2": {"option_value": "b"}}, ("a", "b")),
        ("", "text", "text"),
        ("", [{"option_value": "a"}], ("a",)),
    ],
)
def test_a_custom_field_is_a_text_or_the_chosen_labels(kind, value, expected):
    assert custom(kind, value) == expected


@pytest.mark.parametrize(
    ("score", "expected"), [("12", 12), (12, 12), ("", None), (None, None), ("N/A", None)]
)
def test_a_score_is_a_number_or_absent(score, expected):
    assert profile(score=score).score == expected


@pytest.mark.parametrize(
    "body",
    [
        {"status": "Success", "account_tags": ["A", "B"]},
        {"account_tags": [{"tag_name": "A"}, {"name": "B"}]},
        {"account_tags": {"1": "A", "5": {"tag_name": "B"}}},
        {"account_tags": '["A","B"]'},
        {"actions": [{"retrieve_account_tags": {"account_tags": ["A", "B"]}}]},
        {"actions": {"0": {"retrieve_account_tags": {"account_tags": ["A", "B"]}}}},
        {"retrieve_account_tags": {"account_tags": ["A", "B"]}},
        {"account_tags": ["A", None, "", {}, "B"]},
    ],
)
def test_names_are_read_wherever_they_sit(body):
    assert parse_names(body, "account_tags") == ("A", "B")


@pytest.mark.parametrize("body", [{}, {"account_lists": None}, {"account_lists": ""}, {"account_lists": []}])
def test_no_names_are_no_names(body):
    assert parse_names(body, "account_lists") == ()


def test_every_inventory_knows_its_own_rows():
    assert parse_names({"account_lists": [{"list_name": "News"}]}, "account_lists") == ("News",)
    assert parse_names({"account_sequences": [{"sequence_name": "Hello"}]}, "account_sequences") == ("Hello",)
    assert parse_names({"account_pages": [{"page_name": "Home"}]}, "account_pages") == ("Home",)


DEFINITIONS = [
    {"field_id": "1", "field_identifier": "note", "field_type": "input_field"},
    {
        "field_id": 2,
        "field_identifier": "size",
        "field_type": "drop_down",
        "field_value": [
            {"option_id": 1, "option_value": "small"},
            {"option_id": "612", "option_value": "large"},
        ],
    },
    {"field_type": "checkbox"},
    "nothing",
]


@pytest.mark.parametrize("rows", [DEFINITIONS, dict(enumerate(DEFINITIONS)), json.dumps(DEFINITIONS)])
def test_custom_fields_come_with_the_ids_of_their_options(rows):
    assert parse_custom_fields({"status": "Success", "custom_fields": rows}) == (
        CustomFieldDefinition("note", "input_field", {}),
        CustomFieldDefinition("size", "drop_down", {"small": "1", "large": "612"}),
    )


@pytest.mark.parametrize("rows", [None, "", [], {}])
def test_an_account_without_custom_fields_has_none(rows):
    assert parse_custom_fields({"custom_fields": rows}) == ()


keys = st.sampled_from(
    ["id", "tags", "lists", "custom_fields", "field_value", "field_type", "field_identifier", "0"]
)
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(max_size=4)
    | st.sampled_from(["checkbox", "[1]", "{"])
)
jsons = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3)
)


@given(details=st.dictionaries(keys, jsons))
def test_no_odd_value_stops_the_reading(details):
    parsed = parse_profile({"lead_details": details})
    assert parsed is None or isinstance(parsed, LeadProfile)
    assert isinstance(parse_custom_fields(details), tuple)
    assert isinstance(parse_names(details, "tags"), tuple)
