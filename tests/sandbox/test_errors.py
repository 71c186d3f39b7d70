"""Every documented error type, each with a call that gives it, and what the client makes of the answer."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from connectors.kartra.answers import Effect, classify
from connectors.kartra.commands import LEAD_BOUND, REPEAT, Action, Call, Lead
from connectors.kartra.error_types import ERROR_TYPES, ErrorClass
from connectors.kartra.sandbox import Account, Booking, demo_account
from connectors.kartra.sandbox.commands import COMMANDS
from connectors.kartra.sandbox.errors import ERRORS
from tests.sandbox.conftest import Form, StartApi

JO = {"email": "jo@example.com"}
NEW = {"email": "new@example.com"}
SALE, OLD_SALE, FAILED, RENEWED = "738474", "738475", "738478", "738480"
MONTHLY, PAYPAL, TERMINATED = "14833", "14834", "14835"


def on_jo(cmd: str, **parameters: Any) -> Form:
    return {"lead": JO, "actions": [{"cmd": cmd, **parameters}]}


def no_lead(cmd: str, **parameters: Any) -> Form:
    return {"actions": [{"cmd": cmd, **parameters}]}


def create(**lead: Any) -> Form:
    return {"lead": {**NEW, **lead}, "actions": [{"cmd": "create_lead"}]}


def new_field(name: str, field_type: str = "input_field", **parameters: Any) -> Form:
    return no_lead(
        "create_custom_field", custom_field_identifier=name, custom_field_type=field_type, **parameters
    )


def edit(subscription: str = MONTHLY, **parameters: Any) -> Form:
    return no_lead("edit_subscription", subscription_id=subscription, **parameters)


@dataclass(frozen=True)
class Case:
    type: str
    form: Form
    given: Callable[[Account], object] = lambda account: None
    options: dict[str, Any] = field(default_factory=dict)


def switch_off(name: str) -> Callable[[Account], None]:
    return lambda account: setattr(account, name, False)


def refuse_payment(account: Account) -> None:
    account.transactions[SALE].gateway_fails = True
    account.subscriptions[MONTHLY].gateway_fails = True


def refund_all(account: Account) -> None:
    account.transactions[SALE].amount = "0.00"


def cancel_monthly(account: Account) -> None:
    account.subscriptions[MONTHLY].status = "Cancelled"


def lock_amount(account: Account) -> None:
    account.subscriptions[MONTHLY].locked_parameters = {"subscription_amount"}


def fix_recurrence(account: Account) -> None:
    account.subscriptions[MONTHLY].recurrence_fixed = True


def in_installments(account: Account) -> None:
    account.subscriptions[MONTHLY].price_point_type = "Recurring installments"


def mark_as_test(account: Account) -> None:
    account.transactions[SALE].test = True


def complete_class(account: Account) -> None:
    lead = account.lead("jo@example.com")
    assert lead is not None
    lead.bookings.append(Booking("Coaching", "Discovery call", status="completed"))


def only_search(account: Account) -> None:
    account.allowed_commands = {"search_lead"}


def only_elsewhere(account: Account) -> None:
    account.allowed_ips = {"203.0.113.7"}


SEARCH = on_jo("search_lead")
CLASS = {"calendar_name": "Coaching", "class_name": "Discovery call"}
GONE = {"email": "gone@example.com"}
FUTURE = "16 Jan 2099"

CASES = [
    Case("201", SEARCH, options={"require_https": True}),
    Case("238", {**SEARCH, "app_id": ""}),
    Case("239", {**SEARCH, "app_id": "ANOTHER"}),
    Case("240", SEARCH, given=switch_off("developer_active")),
    Case("202", {**SEARCH, "api_key": ""}),
    Case("203", {**SEARCH, "api_key": "ANOTHER"}),
    Case("233", {**SEARCH, "api_password": "ANOTHER"}),
    Case("233", {**SEARCH, "api_password": ["a list"]}),
    Case("204", SEARCH, given=switch_off("user_active")),
    Case("242", SEARCH, given=only_elsewhere),
    Case("223", {**SEARCH, "lead": "foo"}),
    Case("236", {"get_lead": "foo"}),
    Case("224", {"lead": JO, "actions": "foo"}),
    Case("254", {"lead": JO}),
    Case("254", {"lead": JO, "actions": ["search_lead"]}),
    Case("254", {"lead": JO, "actions": [{"tag_name": "VIP"}]}),
    Case("254", {"lead": JO, "cmd": "search_lead"}),
    Case("254", {"lead": JO, "actions": [{"cmd": "search_lead"}, {"cmd": ""}]}),
    Case("262", on_jo("assign_tag", tag_name="VIP"), given=only_search),
    Case("262", {"get_lead": JO}, given=only_search),
    Case("206", no_lead("search_lead")),
    Case("206", no_lead("assign_tag", tag_name="VIP")),
    Case("206", {"lead": {"id": "39260"}, "actions": [{"cmd": "create_lead"}]}),
    Case("206", {"lead": NEW, "actions": [{"cmd": "assign_tag", "tag_name": "VIP"}, {"cmd": "create_lead"}]}),
    Case("234", {"get_lead": NEW}),
    Case("234", {"get_lead": {"id": "1"}}),
    Case("243", {**SEARCH, "lead": NEW}),
    Case("243", {**SEARCH, "lead": {"id": "1", **JO}}),
    Case("243", {**on_jo("assign_tag", tag_name="VIP"), "lead": NEW}),
    Case("243", {**on_jo("retrieve_transactions_from_lead"), "lead": NEW}),
    Case("244", create(email="JO@example.com")),
    Case("244", {"lead": {**JO, "new_email": "ana@example.org"}, "actions": [{"cmd": "edit_lead"}]}),
    Case("245", {"get_lead": GONE}),
    Case("245", {**SEARCH, "lead": GONE}),
    Case("245", create(**GONE)),
    Case("207", on_jo("subscribe_lead_to_list")),
    Case("231", on_jo("subscribe_lead_to_list", list_name="news")),
    Case("208", on_jo("unsubscribe_lead_from_list", list_name="")),
    Case("209", on_jo("unsubscribe_lead_from_list", list_name="No such")),
    Case("211", on_jo("assign_tag", tag_id="1")),
    Case("212", on_jo("assign_tag", tag_name="No such")),
    Case("213", on_jo("unassign_tag")),
    Case("214", on_jo("unassign_tag", tag_name="No such")),
    Case("215", on_jo("give_points_to_lead")),
    Case("227", on_jo("give_points_to_lead", points="ten")),
    Case("217", on_jo("remove_points_from_lead")),
    Case("228", on_jo("remove_points_from_lead", points="1,000")),
    Case("226", on_jo("subscribe_lead_to_sequence_at_step", step="1")),
    Case("226", on_jo("unsubscribe_lead_from_sequence")),
    Case("225", on_jo("subscribe_lead_to_sequence_at_step", sequence_name="Onboarding")),
    Case("219", on_jo("subscribe_lead_to_sequence_at_step", sequence_name="No such", step="1")),
    Case("229", on_jo("subscribe_lead_to_sequence_at_step", sequence_name="Onboarding", step="1.0")),
    Case("230", on_jo("subscribe_lead_to_sequence_at_step", sequence_name="Onboarding", step="6")),
    Case("220", on_jo("unsubscribe_lead_from_sequence", sequence_name="No such")),
    Case("255", on_jo("calendar_subscribe", class_name="Discovery call")),
    Case("256", on_jo("calendar_subscribe", calendar_name="Coaching")),
    Case("257", on_jo("calendar_subscribe", calendar_name="No such", class_name="Yoga")),
    Case("257", on_jo("calendar_subscribe", calendar_name="Retreat", class_name="Weekend")),
    Case("258", on_jo("calendar_subscribe", calendar_name="Coaching", class_name="Yoga")),
    Case("255", on_jo("calendar_cancel", class_name="Discovery call")),
    Case("256", on_jo("calendar_cancel", calendar_name="Coaching")),
    Case("257", on_jo("calendar_cancel", calendar_name="Retreat", class_name="Weekend")),
    Case("258", on_jo("calendar_cancel", calendar_name="Coaching", class_name="Yoga")),
    Case("259", on_jo("calendar_cancel", **CLASS)),
    Case("259", on_jo("calendar_cancel", **CLASS), given=complete_class),
    Case("260", on_jo("calendar_subscribe", **CLASS, starting_date="2099-01-16")),
    Case("260", on_jo("calendar_subscribe", **CLASS, starting_date="16 Mai 2099")),
    Case("260", on_jo("calendar_subscribe", **CLASS, starting_date="31 Feb 2099")),
    Case("260", on_jo("calendar_subscribe", **CLASS, starting_date=FUTURE, starting_hour="7 pm")),
    Case("260", on_jo("calendar_subscribe", **CLASS, starting_hour="19:30")),
    Case("261", on_jo("calendar_subscribe", **CLASS, starting_date="16 Jan 2019", starting_hour="19:30")),
    Case("265", new_field("")),
    Case("263", new_field("two words")),
    Case("264", new_field("note")),
    Case("264", new_field("first_name")),
    Case("269", new_field("shoe", "date")),
    Case("270", new_field("shoe", "checkbox", custom_field_options="blue")),
    Case(
        "272", new_field("shoe", "checkbox", custom_field_options=[{"option_name": "a"}, {"option_name": ""}])
    ),
    Case("273", new_field("shoe", "checkbox", custom_field_options=[{"option_name": "a"}])),
    Case("273", new_field("shoe", "radio_button")),
    Case("271", create(custom_fields="note")),
    Case("271", create(custom_fields=[{"field_value": "x"}])),
    Case("271", {"lead": {**JO, "custom_fields": "note"}, "actions": [{"cmd": "edit_lead"}]}),
    Case("271", create(custom_fields=[{"field_identifier": "size", "field_value": ["612"]}])),
    Case("271", create(custom_fields=[{"field_identifier": "fruits", "field_value": "1"}])),
    Case(
        "271",
        create(custom_fields=[{"field_identifier": "size", "field_value": "large"}]),
        options={"unknown_option": "271"},
    ),
    Case("247", no_lead("search_transaction", transaction_id="1")),
    Case("247", no_lead("get_transaction_details")),
    Case("247", no_lead("refund_transaction", transaction_id="1")),
    Case("250", no_lead("refund_transaction", transaction_id=OLD_SALE)),
    Case("251", no_lead("refund_transaction", transaction_id=SALE), given=refund_all),
    Case("253", no_lead("refund_transaction", transaction_id=FAILED)),
    Case("253", no_lead("refund_transaction", transaction_id=SALE), given=mark_as_test),
    Case("266", no_lead("refund_transaction", transaction_id=SALE), given=refuse_payment),
    Case("268", no_lead("refund_transaction", transaction_id=SALE, refund_amount="1,50")),
    *(
        Case("268", no_lead("refund_transaction", transaction_id=SALE, refund_amount=amount))
        for amount in ("97.01", "0", "-1.00", "0.005", "1e1", "9" * 40, "$5")
    ),
    Case("248", no_lead("cancel_transaction", transaction_id="1")),
    Case("248", no_lead("search_subscription", subscription_id="1")),
    Case("248", no_lead("get_subscription_details")),
    Case(
        "248",
        no_lead("modify_subscription_status", subscription_id="1", subscription_status_modification="pause"),
    ),
    Case("248", no_lead("cancel_transaction", transaction_internal_subscription_id="I-EV375R0H61SM")),
    Case(
        "267",
        no_lead(
            "modify_subscription_status", subscription_id=MONTHLY, subscription_status_modification="cancel"
        ),
        given=refuse_payment,
    ),
    Case("248", edit("1", subscription_amount="2.00")),
    Case("249", no_lead("cancel_transaction", transaction_id=SALE)),
    Case("252", no_lead("cancel_transaction", transaction_id=RENEWED), given=cancel_monthly),
    Case("253", no_lead("cancel_transaction", transaction_id=FAILED)),
    Case("267", no_lead("cancel_transaction", transaction_id=RENEWED), given=refuse_payment),
    Case("274", no_lead("modify_subscription_status", subscription_id=MONTHLY)),
    Case(
        "274",
        no_lead(
            "modify_subscription_status", subscription_id=MONTHLY, subscription_status_modification="stop"
        ),
    ),
    Case(
        "275",
        no_lead(
            "modify_subscription_status", subscription_id=TERMINATED, subscription_status_modification="pause"
        ),
    ),
    Case(
        "252",
        no_lead(
            "modify_subscription_status", subscription_id=MONTHLY, subscription_status_modification="cancel"
        ),
        given=cancel_monthly,
    ),
    Case(
        "284",
        no_lead(
            "modify_subscription_status", subscription_id=PAYPAL, subscription_status_modification="pause"
        ),
    ),
    Case("275", edit(TERMINATED, subscription_amount="2.00")),
    Case("284", edit(PAYPAL, subscription_amount="2.00")),
    Case("285", edit()),
    Case("285", edit(subscription_amount="2.00"), given=lock_amount),
    Case("283", edit(subscription_product_id="2")),
    Case("283", edit(subscription_price_point="1")),
    Case("283", edit(subscription_product_id="2", subscription_price_point="4")),
    Case("283", edit(subscription_product_id="2", subscription_price_point="0")),
    Case("283", edit(subscription_product_id="99", subscription_price_point="1")),
    Case("260", edit(subscription_next_payment_date="16 Jan 2099")),
    Case("260", edit(subscription_next_payment_date="2099-02-31 10:00")),
    Case("261", edit(subscription_next_payment_date="2021-01-18 05:46:00")),
    Case("268", edit(subscription_amount="22,00")),
    Case("268", edit(subscription_amount="22.005")),
    Case("277", edit(subscription_amount="0.99")),
    Case("277", edit(subscription_amount="10000.00")),
    Case("277", edit(subscription_amount="9" * 40)),
    Case("280", edit(subscription_recurrence="monthly")),
    Case("280", edit(subscription_recurrence={"recurring_period_1": "daily"})),
    Case("280", edit(subscription_recurrence={"recurring_period_1": "quarterly"}), given=in_installments),
    Case(
        "280",
        edit(subscription_recurrence={"recurring_period_1": "monthly", "recurring_period_2": "yearly"}),
    ),
    Case(
        "280",
        edit(subscription_recurrence={"recurring_period_1": "monthly", "recurring_period_2": "weekly"}),
        given=in_installments,
    ),
    Case("281", edit(subscription_recurrence={"recurring_period_1": "monthly"}), given=fix_recurrence),
    *(Case("276", edit(subscription_product_quantity=quantity)) for quantity in ("0", "10000", "1.5", "two")),
    *(Case("278", edit(subscription_installments_left=left)) for left in ("some", "1.5", "-1")),
    Case("282", edit(subscription_installments_left="0")),
    Case("282", edit(subscription_installments_left="until cancelled"), given=in_installments),
    *(Case("290", edit(subscription_tax_percent=tax)) for tax in ("100.5", "-0.1", "19%")),
]


EFFECTS = {
    ErrorClass.FATAL: Effect.FATAL,
    ErrorClass.REFUSED: Effect.REFUSED,
    ErrorClass.AMBIGUOUS: Effect.UNKNOWN,
}


def call_of(form: Form) -> Call:
    """The call a form is about, as the client knows it: its command alone, or any where it names none."""
    if "get_lead" in form:
        return Call(get_lead=Lead(id="1"))
    actions = form.get("actions", [])
    named = [action.get("cmd") for action in actions if isinstance(action, dict)]
    cmd = next((name for name in named if name in REPEAT), "search_lead")
    return Call((Action(cmd),), Lead(email="jo@example.com") if cmd in LEAD_BOUND else None)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.type)
def test_an_error_comes_flat_with_its_type_and_changes_nothing(case: Case, start: StartApi) -> None:
    account = demo_account()
    case.given(account)
    before = account.to_json()
    api = start(account, **case.options)
    response = api.post(case.form)
    assert response.json() == {"status": "Error", "message": ERRORS[case.type], "type": case.type}
    assert api.sandbox.calls[-1].error_type == case.type
    assert account.to_json() == before
    call = call_of(case.form)
    answer = classify(call, response.status_code, response.content)
    known = ERROR_TYPES[case.type]
    assert (answer.effect, answer.type) == (EFFECTS[known.error_class], case.type)
    assert not known.commands or call.commands[0] in known.commands


def test_74_of_74_documented_types_are_produced_in_kartras_words() -> None:
    assert {case.type for case in CASES} == set(ERROR_TYPES)
    assert {number: entry.message for number, entry in ERROR_TYPES.items()} == ERRORS
    assert len(ERROR_TYPES) == 74


def test_each_command_that_may_give_a_type_gives_it() -> None:
    """But for what concerns all commands about a lead alike: no lead, an unknown and a deleted one."""
    given = {(case.type, call_of(case.form).commands[0]) for case in CASES}
    documented = {
        (number, cmd)
        for number, entry in ERROR_TYPES.items()
        for cmd in entry.commands
        if number not in ("206", "243", "245")
    }
    assert documented - given == set()


@pytest.mark.parametrize("cmd", sorted({*LEAD_BOUND} - {"create_lead"}))
def test_every_command_about_a_lead_needs_one_that_is_there(cmd: str, start: StartApi) -> None:
    api = start(calls_per_second=0)
    answers = [api.ask({"lead": lead, "actions": [{"cmd": cmd}]})["type"] for lead in ({}, NEW, GONE)]
    assert answers == ["206", "243", "245"]


def test_there_are_as_many_commands_as_documented() -> None:
    assert set(REPEAT) == COMMANDS
    assert len(COMMANDS) == 29


def test_the_order_of_checks_is_credentials_then_shape_then_command_then_lead(start: StartApi) -> None:
    """Everything is wrong at once; what is put right step by step shows the next error."""
    api = start(require_https=True, unknown_command="254")
    api.sandbox.account.allowed_ips = set()
    api.sandbox.account.allowed_commands = set()
    form: Form = {"app_id": "", "api_key": "", "api_password": "", "lead": "foo", "actions": [{"cmd": "no"}]}
    seen = []

    def ask(**corrected: Any) -> None:
        form.update(corrected)
        seen.append(api.ask(form)["type"])

    ask()
    api.sandbox.set_options(require_https=False)
    ask()
    ask(app_id=api.credentials["app_id"])
    ask(api_key=api.credentials["api_key"])
    ask(api_password=api.credentials["api_password"])
    api.sandbox.account.allowed_ips = None
    ask()
    ask(lead={})
    ask(actions=[{"cmd": "assign_tag"}])
    api.sandbox.account.allowed_commands = None
    ask()
    ask(lead=NEW)
    ask(lead=JO)
    assert seen == ["201", "238", "202", "233", "242", "223", "254", "262", "206", "243", "211"]
