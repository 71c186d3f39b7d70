"""What `reference.md` leaves open, one switch each."""

import json
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
import requests

from connectors.kartra.answers import Effect, classify
from connectors.kartra.commands import LEAD_BOUND, Action, Call, Lead
from connectors.kartra.sandbox import SandboxOptions
from tests.sandbox.conftest import Api, Form, StartApi, flat, wait_for

JO = "jo@example.com"
VIP = {"cmd": "assign_tag", "tag_name": "VIP"}
WRONG = {"cmd": "assign_tag", "tag_name": "No such"}
NEWS = {"cmd": "subscribe_lead_to_list", "list_name": "News"}
CREATE = {"cmd": "create_lead"}


def test_a_flat_chain_stops_at_the_first_failure_and_keeps_what_was_done(start: StartApi) -> None:
    api = start(chain_errors="flat")
    answer = api.act(CREATE, VIP, WRONG, NEWS, email="new@example.com")
    assert answer == {"status": "Error", "message": "Tag does not exist", "type": "212"}
    lead = api.stored("new@example.com")
    assert (lead.tags, lead.lists) == ({"VIP"}, {})


def test_a_nested_chain_goes_on_and_tells_each_result(start: StartApi) -> None:
    api = start(chain_errors="nested")
    answer = api.act(CREATE, VIP, WRONG, NEWS, email="new@example.com")
    lead = api.stored("new@example.com")
    assert answer == {
        "status": "Success",
        "actions": [
            {"create_lead": {"status": "Success", "lead_details": {"id": lead.id}}},
            {"assign_tag": {"status": "Success", "message": "Tag added to lead", "type": "103"}},
            {"assign_tag": {"status": "Error", "message": "Tag does not exist", "type": "212"}},
            {
                "subscribe_lead_to_list": {
                    "status": "Success",
                    "message": "Lead subscribed to list",
                    "type": "101",
                }
            },
        ],
    }
    assert (lead.tags, lead.lists) == ({"VIP"}, {"News": True})
    assert api.sandbox.calls[-1].error_type == "212"


@pytest.mark.parametrize("chain_errors", ["flat", "nested"])
@pytest.mark.parametrize(
    ("actions", "email", "error_type"),
    [
        ([CREATE, VIP], JO, "244"),
        ([{"cmd": "edit_lead"}, VIP], "new@example.com", "243"),
        ([VIP, {"cmd": ""}], JO, "254"),
        ([VIP, NEWS], "", "206"),
        ([WRONG], JO, "212"),
    ],
)
def test_these_are_flat_in_both(
    start: StartApi, chain_errors: str, actions: list[Form], email: str, error_type: str
) -> None:
    answer = start(chain_errors=chain_errors).act(*actions, email=email)
    assert (answer["status"], answer["type"]) == ("Error", error_type)


def test_test_mode_replaces_the_domain_of_registered_addresses(start: StartApi) -> None:
    api = start(mode="test")
    created = api.act(CREATE, VIP, email="John@gmail.com")
    lead = api.stored("john@kartra.com")
    assert created["actions"][0]["create_lead"]["lead_details"]["id"] == lead.id
    assert (lead.email, lead.tags) == ("John@kartra.com", {"VIP"})
    assert api.act(CREATE, email="john@hotmail.com")["type"] == "244"
    assert api.ask({"get_lead": {"email": "john@gmail.com"}})["type"] == "234"
    assert api.lead(JO)["email"] == JO
    api.act({"cmd": "edit_lead"}, id=lead.id, new_email="jack@gmail.com")
    assert api.ask({"get_lead": {"id": lead.id}})["lead_details"]["email"] == "jack@kartra.com"


LONE: list[Form] = [
    {"cmd": "search_lead"},
    VIP,
    {"cmd": "retrieve_transactions_from_lead"},
    {"cmd": "retrieve_subscriptions_from_lead"},
    {"cmd": "get_transaction_details", "transaction_id": "738474"},
    {"cmd": "search_transaction", "transaction_id": "738474"},
    {"cmd": "get_subscription_details", "subscription_id": "14833"},
    {"cmd": "refund_transaction", "transaction_id": "738474"},
    {"cmd": "edit_subscription", "subscription_id": "14833", "subscription_amount": "5.00"},
    {"cmd": "cancel_transaction", "transaction_id": "738480"},
    {"cmd": "retrieve_account_tags"},
]


@pytest.mark.parametrize("shape", ["actions", "flat", "fragment"])
def test_a_lone_action_is_answered_in_each_documented_shape_and_understood(
    start: StartApi, shape: str
) -> None:
    api = start(lone_actions=shape, calls_per_second=0)
    for action in LONE:
        cmd = action["cmd"]
        response = api.post({"lead": {"email": JO} if cmd in LEAD_BOUND else {}, "actions": [action]})
        body = response.json()
        has_shape = {"actions": "actions" in body, "flat": body.get("status") == "Success"}
        assert cmd == "retrieve_account_tags" or has_shape.get(shape, set(body) == {cmd})
        call = Call((Action(cmd),), Lead(email=JO) if cmd in LEAD_BOUND else None)
        assert (cmd, classify(call, 200, response.content).effect) == (cmd, Effect.DONE)


def test_test_mode_can_rewrite_lookups_too(start: StartApi) -> None:
    api = start(mode="test", rewrite_lookups=True)
    api.act(CREATE, email="john@gmail.com")
    assert api.lead("john@gmail.com")["email"] == "john@kartra.com"
    assert api.act(VIP, email="john@gmail.com")["status"] == "Success"


@pytest.mark.parametrize(
    ("wording", "list_message", "error_message"),
    [
        ("current", "Lead subscribed to list", "List does not exist"),
        (
            "older",
            "The lead will be subscribed in list News in a few moments",
            "list does not exist. Nothing done",
        ),
    ],
)
def test_both_generations_of_wording(
    start: StartApi, wording: str, list_message: str, error_message: str
) -> None:
    api = start(wording=wording)
    done = api.act(NEWS, email=JO)["actions"][0]["subscribe_lead_to_list"]
    assert done == {"status": "Success", "message": list_message, "type": "101"}
    refused = api.act({**NEWS, "list_name": "No such"}, email=JO)
    assert refused == {"status": "Error", "message": error_message, "type": "231"}


def test_late_effects_are_hidden_from_get_lead_only(start: StartApi) -> None:
    api = start(effect_delay_s=0.3)
    api.act(
        {"cmd": "subscribe_lead_to_list", "list_name": "Webinar"},
        {"cmd": "unsubscribe_lead_from_list", "list_name": "News"},
        {"cmd": "subscribe_lead_to_sequence_at_step", "sequence_name": "Win-back", "step": "1"},
        {"cmd": "unassign_tag", "tag_name": "VIP"},
        email=JO,
    )
    lead = api.stored(JO)
    assert lead.lists == {"News": False, "Old": False, "Webinar": True}
    assert lead.sequence_starts == [("Win-back", "1")]
    shown = api.lead(JO)
    assert shown["tags"] == [{"tag_name": "Customer"}]
    assert shown["lists"] == [{"list_name": "News", "active": "1"}, {"list_name": "Old", "active": "0"}]
    assert [entry["sequence_name"] for entry in shown["sequences"]] == ["Onboarding"]
    api.sandbox.set_options(calls_per_second=0)
    wait_for(lambda: len(api.lead(JO)["sequences"]) == 2)
    assert api.lead(JO)["lists"] == [
        {"list_name": "News", "active": "0"},
        {"list_name": "Old", "active": "0"},
        {"list_name": "Webinar", "active": "1"},
    ]


def test_types_may_be_integers(start: StartApi) -> None:
    api = start(integer_types=True)
    assert api.act(WRONG, email=JO)["type"] == 212
    assert api.act(VIP, email=JO)["actions"][0]["assign_tag"]["type"] == 103
    assert api.ask({"app_id": ""})["type"] == 238


@pytest.mark.parametrize(("sensitive", "expected"), [(True, "212"), (False, None)])
def test_names_may_be_compared_without_case(start: StartApi, sensitive: bool, expected: str | None) -> None:
    api = start(case_sensitive_names=sensitive)
    assert api.act({"cmd": "assign_tag", "tag_name": "blog"}, email=JO).get("type") == expected
    lead = api.stored(JO)
    assert ("Blog" in lead.tags) is not sensitive


def test_an_unknown_option_is_ignored(api: Api) -> None:
    values = [
        {"field_identifier": "size", "field_value": "large"},
        {"field_identifier": "fruits", "field_value": ["9", "3"]},
    ]
    assert api.act({"cmd": "edit_lead"}, email=JO, custom_fields=values)["status"] == "Success"
    lead = api.stored(JO)
    assert lead.custom_fields == {"note": "two words", "size": ["612"], "fruits": ["3"]}


def test_an_empty_standard_field_may_be_kept(start: StartApi) -> None:
    api = start(empty_field="keep")
    api.act({"cmd": "edit_lead"}, email=JO, city="")
    assert api.lead(JO)["city"] == "Detroit"


def test_a_lead_command_behind_others_may_be_answered_243(start: StartApi) -> None:
    assert start(wrong_order="243").act(VIP, CREATE, email=JO)["type"] == "243"


def test_unsubscribing_may_be_answered_102(start: StartApi) -> None:
    answer = start(unsubscribe_type="102").act({**NEWS, "cmd": "unsubscribe_lead_from_list"}, email=JO)
    assert answer["actions"][0]["unsubscribe_lead_from_list"]["type"] == "102"


@pytest.mark.parametrize(("allow_json", "expected"), [(True, "Success"), (False, "Error")])
def test_json_and_credentials_in_the_query_only_work_when_allowed(
    start: StartApi, allow_json: bool, expected: str
) -> None:
    api = start(allow_json=allow_json)
    body: dict[str, Any] = {"lead": {"email": JO, "city": None}, "actions": [{**VIP, "n": 1, "yes": True}]}
    answer = requests.post(api.sandbox.url, params=api.credentials, json=body, timeout=5).json()
    assert answer["status"] == expected
    if allow_json:
        assert api.sandbox.calls[-1].form == {
            "lead": {"email": JO},
            "actions": {"0": {**VIP, "n": "1", "yes": "1"}},
        }
    else:
        assert answer["type"] == "238"


def test_options_can_be_changed_while_running(api: Api) -> None:
    api.sandbox.set_options(wording="older", integer_types=True)
    assert api.sandbox.options == SandboxOptions(wording="older", integer_types=True)
    assert json.loads(api.post({"actions": "foo"}).text)["type"] == 224


# --- what clients saw of the real one


def test_an_unknown_command_is_ignored_and_the_others_are_carried_out(start: StartApi) -> None:
    api = start()
    answer = api.act(VIP, {"cmd": "remove_tag", "tag_name": "VIP"}, NEWS, email="lee@example.net")
    assert [list(entry) for entry in answer["actions"]] == [["assign_tag"], ["subscribe_lead_to_list"]]
    assert api.stored("lee@example.net").tags == {"VIP"}
    assert api.act({"cmd": "remove_tag"}, email=JO) == {"status": "Success"}


def test_an_unknown_command_is_refused_where_that_is_asked_for(start: StartApi) -> None:
    api = start(unknown_command="254")
    answer = api.act(VIP, {"cmd": "remove_tag", "tag_name": "VIP"}, email="lee@example.net")
    assert answer == {"status": "Error", "message": "'cmd' is required", "type": "254"}
    assert api.stored("lee@example.net").tags == set()


@pytest.mark.parametrize("number", ["206", "223"])
def test_a_command_about_a_lead_without_any_lead(number: str, start: StartApi) -> None:
    api = start(missing_lead=number)
    assert api.ask({"actions": [VIP]})["type"] == number
    assert api.ask({"lead": {"first_name": "Jo"}, "actions": [VIP]})["type"] == "206"
    assert "account_tags" in api.ask({"actions": [{"cmd": "retrieve_account_tags"}]})


@pytest.mark.parametrize("spelling", ["name", "membership_name"])
def test_memberships_in_both_spellings(spelling: str, start: StartApi) -> None:
    memberships = start(memberships=spelling).lead(JO)["memberships"]
    assert memberships[0] == {spelling: "Course", "level_name": "Gold", "active": "1"}


def test_texts_are_cut_where_a_limit_is_set(start: StartApi) -> None:
    api = start(text_limit=5)
    note = {"field_identifier": "note", "field_value": "äbcdefgh"}
    api.act({"cmd": "edit_lead"}, email=JO, first_name="Bartholomew", custom_fields=[note])
    lead = api.stored(JO)
    assert (lead.fields["first_name"], lead.custom_fields["note"]) == ("Barth", "äbcde")


def test_a_firewall_refuses_names_with_markup_before_kartra_sees_them(start: StartApi) -> None:
    api = start(firewall=True)
    form: Form = {"lead": {"email": JO, "first_name": "<b>Jo</b>"}, "actions": [{"cmd": "edit_lead"}]}
    refused = api.post(form)
    assert (refused.status_code, "Request blocked." in refused.text) == (403, True)
    assert api.stored(JO).fields["first_name"] == "Jo"
    assert not api.sandbox.calls[0].executed
    assert api.act({"cmd": "edit_lead"}, email=JO, first_name="Joe")["status"] == "Success"


def test_a_multipart_body_is_read_as_a_form(start: StartApi) -> None:
    api = start()
    form: Form = {"lead": {"email": JO, "city": "Málaga & co"}, "actions": [{"cmd": "edit_lead"}]}
    parts = [(name, (None, value)) for name, value in flat({**api.credentials, **form}).items()]
    answer = requests.post(api.sandbox.url, files=parts, timeout=10)
    assert str(answer.request.headers["Content-Type"]).startswith("multipart/form-data")
    assert (answer.json()["status"], api.stored(JO).fields["city"]) == ("Success", "Málaga & co")
    broken = requests.post(
        api.sandbox.url, data=b"x", headers={"Content-Type": "multipart/form-data"}, timeout=10
    )
    assert broken.json()["type"] == "238"


def test_the_servers_clock_may_be_another(start: StartApi) -> None:
    api = start(clock_offset_s=-600.0)
    answer = api.post({"lead": {"email": "new@example.com"}, "actions": [CREATE]})
    said = parsedate_to_datetime(answer.headers["Date"])
    behind_s = (datetime.now(UTC) - said).total_seconds()
    joined = datetime.strptime(api.stored("new@example.com").date_joined, "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007
    assert 595 < behind_s < 630
    assert abs((joined.replace(tzinfo=timezone(timedelta(hours=-5))) - said).total_seconds()) < 5
