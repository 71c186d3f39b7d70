"""Rows out of answers as PHP and Kartra may write them: nothing is dropped, nothing is guessed."""

from decimal import Decimal
from typing import Any

import pytest

from connectors.kartra.cells import exact_amount
from connectors.kartra.clock import EST, zone_of
from pipelines.tables.lead_rows import custom_field_rows, lead_changes, lead_rows
from pipelines.tables.sale_rows import subscription_row, transaction_row, transaction_stubs

STUB = {"transaction_id": "7", "lead_id": "1", "lead_email": "ann@example.org", "transaction_type": "sale"}


def parts(details: dict[str, Any], table: str) -> list[dict[str, Any]]:
    return [dict(row) for row in lead_rows({"id": 1, **details}, EST).parts[table]]


# --- profiles


@pytest.mark.parametrize("nothing", [None, "", "N/A", " ", [], {}])
def test_an_empty_value_has_many_faces_and_all_are_null(nothing: object) -> None:
    rows = lead_rows({"id": "5", "first_name": nothing, "score": nothing, "tags": nothing}, EST)
    assert (rows.lead["first_name"], rows.lead["score"], rows.lead["extra"]) == (None, None, None)
    assert rows.parts["lead_tags"] == ()


@pytest.mark.parametrize("identifier", [39260, "39260", " 39260"])
def test_numbers_come_as_text_or_as_numbers(identifier: object) -> None:
    rows = lead_rows({"id": identifier, "score": "12", "blacklisted": 1}, EST)
    assert (str(rows.lead["id"]).strip(), rows.lead["score"], rows.lead["blacklisted"]) == ("39260", 12, 1)


@pytest.mark.parametrize(
    "written",
    [
        [{"tag_name": "VIP"}, {"tag_name": "Blog"}],
        {"0": {"tag_name": "VIP"}, "1": {"tag_name": "Blog"}},
        {"1": {"tag_name": "VIP"}, "4": {"tag_name": "Blog"}},
        ["VIP", "Blog"],
        [{"name": "VIP"}, {"name": "Blog"}, {"tag_name": ""}],
        [{"tag_name": "VIP"}, {"tag_name": "Blog"}, {"tag_name": "VIP"}],
    ],
)
def test_a_list_may_be_an_object_or_plain_names_and_a_name_stands_once(written: object) -> None:
    assert [row["tag_name"] for row in parts({"tags": written}, "lead_tags")] == ["VIP", "Blog"]


@pytest.mark.parametrize(
    ("active", "told"), [(1, 1), ("1", 1), (True, 1), (0, 0), ("0", 0), (False, 0), ("", 0)]
)
def test_a_list_is_active_however_that_is_written(active: object, told: int) -> None:
    (row,) = parts({"lists": [{"list_name": "News", "active": active}]}, "lead_lists")
    assert (row["list_name"], row["active"]) == ("News", told)


def test_what_no_column_is_there_for_stays_in_extra() -> None:
    rows = lead_rows(
        {
            "id": "5",
            "surveys": [{"question": "?"}],
            "score": "many",
            "blacklisted": {"since": "2024"},
            "first_name": {"odd": "one"},
            "tags": [{"tag_name": "VIP", "assigned_at": "2024-01-01"}],
        },
        EST,
    )
    assert rows.lead["extra"] == {
        "surveys": [{"question": "?"}],
        "score": "many",
        "blacklisted": {"since": "2024"},
        "first_name": {"odd": "one"},
    }
    assert rows.lead["score"] is None
    assert rows.parts["lead_tags"][0]["extra"] == {"assigned_at": "2024-01-01"}


def test_a_profile_without_an_id_is_none() -> None:
    with pytest.raises(ValueError, match="a profile without an id"):
        lead_rows({"email": "ann@example.org"}, EST)


def test_a_field_with_options_has_a_row_for_each() -> None:
    rows = parts(
        {
            "custom_fields": [
                {
                    "field_identifier": "fruits",
                    "field_type": "checkbox",
                    "field_value": [
                        {"option_id": "1", "option_value": "apple"},
                        {"option_id": "3", "option_value": "plum"},
                    ],
                },
                {"field_identifier": "note", "field_type": "input_field", "field_value": "a, b"},
                {"field_identifier": "empty", "field_type": "input_field", "field_value": ""},
            ]
        },
        "lead_custom_fields",
    )
    assert [(row["field_identifier"], row["option_id"], row["field_value"]) for row in rows] == [
        ("fruits", "1", "apple"),
        ("fruits", "3", "plum"),
        ("note", "", "a, b"),
    ]


def test_a_change_of_several_options_is_one_change() -> None:
    def fruits(*labels: str) -> Any:
        options = [{"option_id": str(place), "option_value": label} for place, label in enumerate(labels)]
        field = {"field_identifier": "fruits", "field_type": "checkbox", "field_value": options}
        return lead_rows({"id": 1, "custom_fields": [field]}, EST)

    (change,) = lead_changes(fruits("apple", "pear"), fruits("apple"))
    assert (change.kind, change.field, change.old_value, change.new_value) == (
        "custom_field",
        "fruits",
        "apple; pear",
        "apple",
    )


# --- money


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("97.10", "97.10"),
        ("97.1", "97.1"),
        ("-0.0001", "-0.0001"),
        ("0.00001", None),
        ("1,234.50", None),
        ("97,10", None),
        ("$97", None),
        ("NaN", None),
        ("Infinity", None),
        ("999999999999999", "999999999999999"),
        ("1000000000000000", None),
    ],
)
def test_an_amount_is_exact_or_none(text: str, amount: str | None) -> None:
    assert exact_amount(text) == (None if amount is None else Decimal(amount))


def test_an_amount_that_cannot_be_read_stays_in_extra_and_has_no_income() -> None:
    row = transaction_row({"transaction_full_amount": "97,10", "transaction_quantity": "x"}, STUB, EST)
    assert (row["transaction_full_amount"], row["net_amount"]) == (None, None)
    assert row["extra"] == {"transaction_full_amount": "97,10", "transaction_quantity": "x"}


@pytest.mark.parametrize("number", ["99999999999999999999", "1_000", "1.5", "0x10"])
def test_a_number_that_no_column_holds_stays_in_extra(number: str) -> None:
    row = transaction_row({"transaction_quantity": number}, STUB, EST)
    assert (row["transaction_quantity"], row["extra"]) == (None, {"transaction_quantity": number})


def test_the_sign_comes_from_the_type_alone() -> None:
    for kind, amount, net in (
        ("refund", "10.00", "-10.00"),
        ("refund", "-10.00", "-10.00"),
        ("sale", "-10.00", "10.00"),
        ("failed", "10.00", "0"),
        ("gift", "10.00", None),
    ):
        row = transaction_row({"transaction_type": kind, "transaction_full_amount": amount}, STUB, EST)
        assert row["net_amount"] == (None if net is None else Decimal(net)), kind
        assert row["transaction_full_amount"] == Decimal(amount)


# --- transactions, subscriptions, custom fields


def test_what_details_lack_is_taken_from_the_list() -> None:
    row = transaction_row({"transaction_id": "8", "transaction_type": ""}, STUB, EST)
    assert (row["transaction_id"], row["lead_id"], row["transaction_type"]) == ("7", "1", "sale")


@pytest.mark.parametrize("rows", [None, "", [], {}, [None], [{"transaction_id": ""}], ["7"]])
def test_a_list_without_ids_is_empty(rows: object) -> None:
    assert transaction_stubs(rows) == []


def test_times_stand_as_they_came_and_in_utc() -> None:
    new_york = zone_of("America/New_York")
    for raw, zone, utc in (
        ("2024-11-03 01:30:00", EST, "2024-11-03T06:30:00+00:00"),
        ("2024-11-03 01:30:00", new_york, "2024-11-03T06:30:00+00:00"),  # the hour that comes twice
        ("2024-11-03 00:59:59", new_york, "2024-11-03T04:59:59+00:00"),
        ("2024-07-01 10:00:00", new_york, "2024-07-01T14:00:00+00:00"),
        ("2024-07-01 10:00:00", EST, "2024-07-01T15:00:00+00:00"),
        ("03 Apr 2024 10:00:00", EST, "2024-04-03T15:00:00+00:00"),
    ):
        row = subscription_row(
            {"subscription_start_date": raw}, {"subscription_id": "1", "subscription_status": "Active"}, zone
        )
        assert row["subscription_start_date"] == raw
        assert row["subscription_start_date_utc"].isoformat() == utc


def test_a_time_of_zeros_is_none_and_one_that_cannot_be_read_is_kept_raw() -> None:
    row = subscription_row(
        {"subscription_end_date": "0000-00-00 00:00:00", "subscription_start_date": "soon"},
        {"subscription_id": "1"},
        EST,
    )
    assert (row["subscription_end_date"], row["subscription_end_date_utc"]) == (None, None)
    assert (row["subscription_start_date"], row["subscription_start_date_utc"]) == ("soon", None)


def test_options_of_a_field_come_as_a_list_or_an_object() -> None:
    option = {"option_id": 610, "option_value": "small", "colour": "red"}
    for written in ([option], {"0": option}, {"3": option}):
        fields, options = custom_field_rows(
            [{"field_identifier": "size", "field_id": 2, "field_type": "drop_down", "field_value": written}]
        )
        assert (fields[0]["field_id"], fields[0]["extra"]) == ("2", None)
        assert options == [
            {
                "field_identifier": "size",
                "option_id": "610",
                "option_value": "small",
                "extra": {"colour": "red"},
            }
        ]
