"""What every lead command answers, and what the account holds afterwards."""

from typing import Any

import pytest
import requests

from connectors.kartra.sandbox import Booking, PointsChange, SandboxLead, SequenceEntry
from tests.sandbox.conftest import Api

JO = "jo@example.com"
DONE = {
    "subscribe_lead_to_list": ("101", "Lead subscribed to list"),
    "unsubscribe_lead_from_list": ("101", "Lead unsubscribed from list"),
    "assign_tag": ("103", "Tag added to lead"),
    "unassign_tag": ("104", "Tag removed from lead"),
    "give_points_to_lead": ("105", "Points added to lead"),
    "remove_points_from_lead": ("106", "Points removed from lead"),
    "subscribe_lead_to_sequence_at_step": ("107", "Lead added to sequence"),
    "unsubscribe_lead_from_sequence": ("108", "Lead removed from sequence"),
    "calendar_subscribe": ("112", "Lead subscribed to class"),
    "calendar_cancel": ("113", "Lead unsubscribed from class"),
}


def done(cmd: str) -> dict[str, Any]:
    error_type, message = DONE[cmd]
    return {cmd: {"status": "Success", "message": message, "type": error_type}}


def act(api: Api, cmd: str, **parameters: Any) -> None:
    assert api.act({"cmd": cmd, **parameters}, email=JO) == {"status": "Success", "actions": [done(cmd)]}


def test_a_lead_is_created_and_the_rest_of_the_chain_is_about_it(api: Api) -> None:
    answer = api.act(
        {"cmd": "create_lead"},
        {"cmd": "assign_tag", "tag_name": "VIP"},
        {"cmd": "assign_tag", "tag_name": "Workshop & Co"},
        {"cmd": "subscribe_lead_to_list", "list_name": "News"},
        email="Neu+1@example.com",
        first_name="Jürgen",
        nickname="not a field of Kartra's",
        custom_fields=[
            {"field_identifier": "note", "field_value": "a + b & c"},
            {"field_identifier": "size", "field_value": "612"},
            {"field_identifier": "fruits", "field_value": ["2", "1"]},
            {"field_identifier": "gone", "field_value": "ignored without a word"},
        ],
    )
    lead = api.stored("neu+1@example.com")
    assert answer == {
        "status": "Success",
        "actions": [
            {"create_lead": {"status": "Success", "lead_details": {"id": lead.id}}},
            done("assign_tag"),
            done("assign_tag"),
            done("subscribe_lead_to_list"),
        ],
    }
    assert lead == SandboxLead(
        email="Neu+1@example.com",
        id=lead.id,
        fields={"first_name": "Jürgen"},
        tags={"VIP", "Workshop & Co"},
        lists={"News": True},
        custom_fields={"note": "a + b & c", "size": ["612"], "fruits": ["2", "1"]},
        source="api",
        date_joined=lead.date_joined,
    )


def test_an_edit_changes_what_was_sent_and_clears_what_was_sent_empty(api: Api) -> None:
    answer = api.act(
        {"cmd": "edit_lead"},
        email=JO,
        city="",
        state="Ohio",
        custom_fields=[
            {"field_identifier": "note", "field_value": ""},
            {"field_identifier": "fruits", "field_value": ""},
        ],
    )
    lead = api.stored(JO)
    assert answer["actions"] == [{"edit_lead": {"status": "Success", "lead_details": {"id": lead.id}}}]
    assert lead.fields == {
        "first_name": "Jo",
        "last_name": "Smith",
        "country": "United States",
        "state": "Ohio",
    }
    assert lead.custom_fields == {"size": ["612"]}


def test_with_both_given_the_id_wins_over_the_address(api: Api) -> None:
    ana = api.stored("ana@example.org")
    api.act({"cmd": "edit_lead"}, id=ana.id, email=JO, first_name="Anna")
    assert ana.fields["first_name"] == "Anna"
    assert ana.email == "ana@example.org"
    assert api.stored(JO).fields["first_name"] == "Jo"


def test_an_address_is_changed_by_new_email_alone(api: Api) -> None:
    lead = api.stored(JO)
    api.act({"cmd": "edit_lead"}, id=lead.id, new_email="Jo.Smith@example.com")
    assert api.sandbox.account.lead(JO) is None
    assert api.stored("jo.smith@example.com") is lead
    assert api.act({"cmd": "edit_lead"}, email="jo.smith@example.com", new_email=JO)["status"] == "Success"


def test_a_lead_is_searched_by_address_in_any_case_or_by_id(api: Api) -> None:
    lead_id = api.stored(JO).id
    found = [{"search_lead": {"status": "Success", "lead_details": {"id": lead_id}}}]
    assert api.act({"cmd": "search_lead"}, email="JO@Example.com")["actions"] == found
    assert api.act({"cmd": "search_lead"}, id=lead_id)["actions"] == found


def test_get_lead_gives_the_whole_profile(api: Api) -> None:
    lead = api.stored(JO)
    expected = {
        "id": lead.id,
        "first_name": "Jo",
        "middle_name": "",
        "last_name": "Smith",
        "last_name2": "",
        "email": JO,
        "date_joined": lead.date_joined,
        "phone_country_code": "",
        "phone": "",
        "company": "",
        "ip": "",
        "ip_country": "",
        "address": "",
        "zip": "",
        "city": "Detroit",
        "state": "",
        "country": "United States",
        "website": "",
        "facebook": "",
        "twitter": "",
        "linkedin": "",
        "lead_picture": "",
        "score": "30",
        "source": "manual",
        "source_id": "0",
        "referring_id": "0",
        "lead_preferred_time_zone": "",
        "notes": "",
        "blacklisted": "0",
        "gdpr_lead_status": "3",
        "gdpr_lead_status_date": lead.date_joined,
        "gdpr_lead_status_ip": "",
        "gdpr_lead_communications": "0",
        "tags": [{"tag_name": "Customer"}, {"tag_name": "VIP"}],
        "lists": [{"list_name": "News", "active": "1"}, {"list_name": "Old", "active": "0"}],
        "sequences": [{"sequence_name": "Onboarding", "step": "3", "status": "active"}],
        "memberships": [
            {"name": "Course", "level_name": "Gold", "active": "1"},
            {"name": "Course", "level_name": "Silver", "active": "0"},
        ],
        "custom_fields": [
            {
                "field_id": "1",
                "field_identifier": "note",
                "field_type": "input_field",
                "field_value": "two words",
            },
            {"field_id": "2", "field_identifier": "bio", "field_type": "text_area", "field_value": ""},
            {
                "field_id": "3",
                "field_identifier": "size",
                "field_type": "drop_down",
                "field_value": [{"option_id": "612", "option_value": "large"}],
            },
            {"field_id": "4", "field_identifier": "plan", "field_type": "radio_button", "field_value": []},
            {
                "field_id": "5",
                "field_identifier": "fruits",
                "field_type": "checkbox",
                "field_value": [
                    {"option_id": "1", "option_value": "apple"},
                    {"option_id": "2", "option_value": "pear"},
                ],
            },
        ],
    }
    for named in ({"email": JO}, {"id": lead.id}, {"id": lead.id, "email": "ana@example.org"}):
        answer = api.ask({"get_lead": named})
        assert answer == {"status": "Success", "lead_details": expected}
        assert list(answer["lead_details"]) == list(expected)


def test_tags_are_given_and_taken(api: Api) -> None:
    act(api, "assign_tag", tag_name="Bücher")
    act(api, "assign_tag", tag_name="Bücher")
    act(api, "unassign_tag", tag_name="VIP")
    act(api, "unassign_tag", tag_name="Trial")
    assert api.stored(JO).tags == {"Customer", "Bücher"}


def test_a_list_that_was_left_stays_with_the_lead_as_inactive(api: Api) -> None:
    act(api, "unsubscribe_lead_from_list", list_name="News")
    act(api, "unsubscribe_lead_from_list", list_name="Webinar")
    act(api, "subscribe_lead_to_list", list_name="Old")
    assert api.stored(JO).lists == {"News": False, "Old": True}


def test_every_start_of_a_sequence_is_on_record(api: Api) -> None:
    for step in ("1", "4"):
        act(api, "subscribe_lead_to_sequence_at_step", sequence_name="Onboarding", step=step)
    act(api, "subscribe_lead_to_sequence_at_step", sequence_name="Win-back", step="1")
    act(api, "unsubscribe_lead_from_sequence", sequence_name="Win-back")
    lead = api.stored(JO)
    assert lead.sequence_starts == [("Onboarding", "1"), ("Onboarding", "4"), ("Win-back", "1")]
    assert lead.sequences == {
        "Onboarding": SequenceEntry("4"),
        "Win-back": SequenceEntry("1", "unsubscribed"),
    }


def test_leaving_a_sequence_one_is_not_in_changes_nothing(api: Api) -> None:
    act(api, "unsubscribe_lead_from_sequence", sequence_name="Win-back")
    assert api.stored(JO).sequences == {"Onboarding": SequenceEntry("3")}


def test_points_add_up_and_are_on_record(api: Api) -> None:
    act(api, "give_points_to_lead", points="10", expiration="30")
    act(api, "remove_points_from_lead", points="4")
    lead = api.stored(JO)
    assert (lead.score, lead.points_log) == (36, [PointsChange(10, 30), PointsChange(-4)])
    assert api.lead(JO)["score"] == "36"


def test_a_class_is_booked_and_cancelled_once(api: Api) -> None:
    named = {"calendar_name": "Coaching", "class_name": "Discovery call"}
    act(api, "calendar_subscribe", **named)
    act(api, "calendar_subscribe", **named, starting_date="16 Jan 2099", starting_hour="19:30")
    lead = api.stored(JO)
    assert lead.bookings == [
        Booking("Coaching", "Discovery call"),
        Booking("Coaching", "Discovery call", "2099-01-16 19:30:00", "pending"),
    ]
    act(api, "calendar_cancel", **named)
    assert [booking.status for booking in lead.bookings] == ["cancelled", "cancelled"]
    assert api.act({"cmd": "calendar_cancel", **named}, email=JO)["type"] == "259"
    assert [entry[0] for entry in lead.calendar_log] == [
        "calendar_subscribe",
        "calendar_subscribe",
        "calendar_cancel",
    ]


@pytest.mark.parametrize(
    ("cmd", "key", "names"),
    [
        ("retrieve_account_lists", "account_lists", ["News", "Old", "Customers", "Webinar"]),
        ("retrieve_account_sequences", "account_sequences", ["Onboarding", "Win-back"]),
        ("retrieve_account_pages", "account_pages", ["Home", "Opt-in", "Thank you", "Webinar registration"]),
    ],
)
def test_account_inventories_stand_at_top_level(api: Api, cmd: str, key: str, names: list[str]) -> None:
    assert api.ask({"actions": [{"cmd": cmd}]}) == {"status": "Success", key: names}


def test_tags_are_retrieved_as_they_are_named(api: Api) -> None:
    tags = api.ask({"actions": [{"cmd": "retrieve_account_tags"}]})["account_tags"]
    assert tags == api.sandbox.account.tags
    api.sandbox.account.tags.clear()
    assert api.post({"actions": [{"cmd": "retrieve_account_tags"}]}).text == (
        '{"status":"Success","account_tags":[]}'
    )


@pytest.mark.parametrize("field_type", ["drop_down", "radio_button", "checkbox"])
def test_a_field_with_options_is_created_and_retrieved(api: Api, field_type: str) -> None:
    new = {
        "cmd": "create_custom_field",
        "custom_field_identifier": "eye-colour",
        "custom_field_type": field_type,
        "custom_field_options": [{"option_name": "blue"}, {"option_name": "brown"}],
    }
    assert api.act(new) == {
        "status": "Success",
        "actions": [
            {"create_custom_field": {"status": "Success", "message": "Custom Field created", "type": "114"}}
        ],
    }
    assert api.act({"cmd": "retrieve_custom_fields"})["custom_fields"][-1] == {
        "field_id": "6",
        "field_identifier": "eye-colour",
        "field_type": field_type,
        "field_value": [
            {"option_id": "1", "option_value": "blue"},
            {"option_id": "2", "option_value": "brown"},
        ],
    }
    assert api.act(new)["type"] == "264"


@pytest.mark.parametrize("field_type", ["input_field", "text_area"])
def test_a_text_field_is_retrieved_without_a_value(api: Api, field_type: str) -> None:
    api.act({"cmd": "create_custom_field", "custom_field_identifier": "x_1", "custom_field_type": field_type})
    assert api.act({"cmd": "retrieve_custom_fields"})["custom_fields"][-1] == {
        "field_id": "6",
        "field_identifier": "x_1",
        "field_type": field_type,
    }


def test_a_get_request_is_not_allowed_and_a_closing_slash_is(api: Api) -> None:
    assert requests.get(api.sandbox.url, timeout=5).status_code == 405
    body = {**api.credentials, "get_lead[email]": JO}
    assert requests.post(api.sandbox.url + "/", data=body, timeout=5).json()["status"] == "Success"
