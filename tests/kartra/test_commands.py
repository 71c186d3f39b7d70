from datetime import UTC, datetime
from decimal import Decimal

import pytest

from connectors.kartra import commands as c
from connectors.kartra.commands import (
    LEAD_BOUND,
    LEAD_FIELDS,
    REPEAT,
    Action,
    Call,
    CustomFieldValue,
    Lead,
    Repeat,
)

MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
NOON = datetime(2019, 1, 6, 12, 5)  # noqa: DTZ001 - Kartra's wall clock has no zone

ACTIONS = [
    (c.create_lead(), "create_lead", {}),
    (c.edit_lead(), "edit_lead", {}),
    (c.search_lead(), "search_lead", {}),
    (c.assign_tag("VIP"), "assign_tag", {"tag_name": "VIP"}),
    (c.unassign_tag("VIP"), "unassign_tag", {"tag_name": "VIP"}),
    (c.subscribe_lead_to_list("News"), "subscribe_lead_to_list", {"list_name": "News"}),
    (c.unsubscribe_lead_from_list("News"), "unsubscribe_lead_from_list", {"list_name": "News"}),
    (
        c.subscribe_lead_to_sequence_at_step("Hello", 1),
        "subscribe_lead_to_sequence_at_step",
        {"sequence_name": "Hello", "step": "1"},
    ),
    (c.unsubscribe_lead_from_sequence("Hello"), "unsubscribe_lead_from_sequence", {"sequence_name": "Hello"}),
    (c.give_points_to_lead(5), "give_points_to_lead", {"points": 5}),
    (c.remove_points_from_lead(5), "remove_points_from_lead", {"points": 5}),
    (c.retrieve_account_tags(), "retrieve_account_tags", {}),
    (c.retrieve_account_lists(), "retrieve_account_lists", {}),
    (c.retrieve_account_sequences(), "retrieve_account_sequences", {}),
    (c.retrieve_account_pages(), "retrieve_account_pages", {}),
    (c.retrieve_custom_fields(), "retrieve_custom_fields", {}),
    (
        c.create_custom_field("note-1_a", "input_field"),
        "create_custom_field",
        {"custom_field_identifier": "note-1_a", "custom_field_type": "input_field"},
    ),
    (
        c.calendar_subscribe("Yoga", "Dawn"),
        "calendar_subscribe",
        {"calendar_name": "Yoga", "class_name": "Dawn"},
    ),
    (c.calendar_cancel("Yoga", "Dawn"), "calendar_cancel", {"calendar_name": "Yoga", "class_name": "Dawn"}),
    (c.search_transaction("7"), "search_transaction", {"transaction_id": "7"}),
    (c.get_transaction_details(7), "get_transaction_details", {"transaction_id": "7"}),
    (c.retrieve_transactions_from_lead(), "retrieve_transactions_from_lead", {}),
    (c.refund_transaction(7), "refund_transaction", {"transaction_id": "7"}),
    (c.cancel_transaction(transaction_id=7), "cancel_transaction", {"transaction_id": "7"}),
    (c.search_subscription(8), "search_subscription", {"subscription_id": "8"}),
    (c.get_subscription_details(8), "get_subscription_details", {"subscription_id": "8"}),
    (c.retrieve_subscriptions_from_lead(), "retrieve_subscriptions_from_lead", {}),
    (
        c.modify_subscription_status(8, "pause"),
        "modify_subscription_status",
        {"subscription_id": "8", "subscription_status_modification": "pause"},
    ),
    (
        c.edit_subscription(8, product_quantity=2),
        "edit_subscription",
        {"subscription_id": "8", "subscription_product_quantity": 2},
    ),
]


@pytest.mark.parametrize(("action", "cmd", "params"), ACTIONS, ids=[cmd for _, cmd, _ in ACTIONS])
def test_a_builder_says_what_the_manual_says(action, cmd, params):
    assert (action.cmd, dict(action.params)) == (cmd, params)


def test_all_29_commands_have_a_builder_and_a_rule_for_repeating():
    assert len(REPEAT) == 29
    assert {cmd for _, cmd, _ in ACTIONS} == set(REPEAT)


@pytest.mark.parametrize(
    ("action", "params"),
    [
        (c.give_points_to_lead(5, expiration_days=0), {"points": 5, "expiration": 0}),
        (
            c.create_custom_field("eyes", "checkbox", ["blue", "brown"]),
            {
                "custom_field_identifier": "eyes",
                "custom_field_type": "checkbox",
                "custom_field_options": [{"option_name": "blue"}, {"option_name": "brown"}],
            },
        ),
        (
            c.cancel_transaction(internal_subscription_id="14833"),
            {"transaction_internal_subscription_id": "14833"},
        ),
        (
            c.refund_transaction(7, Decimal("2.50")),
            {"transaction_id": "7", "refund_amount": Decimal("2.50")},
        ),
        (
            c.edit_subscription(
                8,
                product_id=3,
                price_point=1,
                next_payment_at=NOON,
                amount=Decimal("22.00"),
                recurring_period_1="monthly",
                recurring_period_2="yearly",
                product_quantity=9_999,
                installments_left="until cancelled",
                tax_percent=Decimal("7.5"),
            ),
            {
                "subscription_id": "8",
                "subscription_product_id": "3",
                "subscription_price_point": 1,
                "subscription_next_payment_date": "2019-01-06 12:05",
                "subscription_amount": Decimal("22.00"),
                "subscription_recurrence": {"recurring_period_1": "monthly", "recurring_period_2": "yearly"},
                "subscription_product_quantity": 9_999,
                "subscription_installments_left": "until cancelled",
                "subscription_tax_percent": Decimal("7.5"),
            },
        ),
    ],
)
def test_optional_parameters_have_kartras_names(action, params):
    assert dict(action.params) == params


@pytest.mark.parametrize(
    ("month", "name"),
    list(enumerate(MONTHS, start=1)),
)
def test_a_class_starts_in_an_english_month(month, name):
    params = c.calendar_subscribe("Yoga", "Dawn", NOON.replace(month=month)).params
    assert (params["starting_date"], params["starting_hour"]) == (f"06 {name} 2019", "12:05")


@pytest.mark.parametrize(
    ("action", "repeat"),
    [
        (c.create_lead(), Repeat.GUARDED),
        (c.edit_lead(), Repeat.SAFE),
        (c.assign_tag("VIP"), Repeat.SAFE),
        (c.subscribe_lead_to_list("News"), Repeat.SAFE),
        (c.subscribe_lead_to_sequence_at_step("Hello", "1"), Repeat.ONCE_ONLY),
        (c.unsubscribe_lead_from_sequence("Hello"), Repeat.SAFE),
        (c.give_points_to_lead(1), Repeat.ONCE_ONLY),
        (c.remove_points_from_lead(1), Repeat.ONCE_ONLY),
        (c.create_custom_field("a", "text_area"), Repeat.GUARDED),
        (c.calendar_subscribe("Yoga", "Dawn"), Repeat.ONCE_ONLY),
        (c.calendar_cancel("Yoga", "Dawn"), Repeat.GUARDED),
        (c.refund_transaction(7), Repeat.GUARDED),
        (c.refund_transaction(7, Decimal(1)), Repeat.ONCE_ONLY),
        (c.cancel_transaction(transaction_id=7), Repeat.GUARDED),
        (c.modify_subscription_status(8, "unpause"), Repeat.SAFE),
        (c.modify_subscription_status(8, "cancel"), Repeat.GUARDED),
        (c.edit_subscription(8, tax_percent=Decimal(0)), Repeat.SAFE),
    ],
)
def test_repeating_is_classed_as_the_manual_classes_it(action, repeat):
    assert action.repeat is repeat


BROKEN_RULES = {
    "empty tag": lambda: c.assign_tag(" "),
    "empty tag to take off": lambda: c.unassign_tag(""),
    "empty list": lambda: c.subscribe_lead_to_list(""),
    "empty list to leave": lambda: c.unsubscribe_lead_from_list(""),
    "empty sequence": lambda: c.subscribe_lead_to_sequence_at_step("", "1"),
    "empty sequence to leave": lambda: c.unsubscribe_lead_from_sequence(""),
    "empty step": lambda: c.subscribe_lead_to_sequence_at_step("Hello", ""),
    "step not alphanumeric": lambda: c.subscribe_lead_to_sequence_at_step("Hello", "1-2"),
    "no points": lambda: c.give_points_to_lead(0),
    "points below zero": lambda: c.remove_points_from_lead(-1),
    "points as a float": lambda: c.give_points_to_lead(1.5),
    "points as a bool": lambda: c.give_points_to_lead(True),
    "expired before given": lambda: c.give_points_to_lead(1, expiration_days=-1),
    "identifier with a blank": lambda: c.create_custom_field("Custom field name", "input_field"),
    "identifier with a line end": lambda: c.create_custom_field("a\n", "input_field"),
    "empty identifier": lambda: c.create_custom_field("", "input_field"),
    "field type unknown": lambda: c.create_custom_field("a", "date"),
    "choice of one": lambda: c.create_custom_field("a", "radio_button", ["blue"]),
    "empty option": lambda: c.create_custom_field("a", "checkbox", ["blue", ""]),
    "text field with options": lambda: c.create_custom_field("a", "text_area", ["blue", "brown"]),
    "empty calendar": lambda: c.calendar_subscribe("", "Dawn"),
    "empty class": lambda: c.calendar_cancel("Yoga", ""),
    "start with a zone": lambda: c.calendar_subscribe("Yoga", "Dawn", datetime(2019, 1, 6, tzinfo=UTC)),
    "PayPal's id as transaction": lambda: c.search_transaction("I-EV375R0H61SM"),
    "empty id": lambda: c.get_subscription_details(""),
    "refund of nothing": lambda: c.refund_transaction(7, Decimal(0)),
    "refund of no number": lambda: c.refund_transaction(7, Decimal("NaN")),
    "cancel nothing": lambda: c.cancel_transaction(),
    "cancel two": lambda: c.cancel_transaction(transaction_id=1, internal_subscription_id=2),
    "status unknown": lambda: c.modify_subscription_status(8, "stop"),
    "no change": lambda: c.edit_subscription(8),
    "product alone": lambda: c.edit_subscription(8, product_id=1),
    "price point alone": lambda: c.edit_subscription(8, price_point=1),
    "amount too low": lambda: c.edit_subscription(8, amount=Decimal("0.99")),
    "amount too high": lambda: c.edit_subscription(8, amount=Decimal("10000.00")),
    "no amount": lambda: c.edit_subscription(8, amount=Decimal("Infinity")),
    "period 1 unknown": lambda: c.edit_subscription(8, recurring_period_1="daily"),
    "period 2 unknown": lambda: c.edit_subscription(
        8, recurring_period_1="weekly", recurring_period_2="monthly"
    ),
    "periods of two types": lambda: c.edit_subscription(
        8, recurring_period_1="quarterly", recurring_period_2="yearly"
    ),
    "quantity zero": lambda: c.edit_subscription(8, product_quantity=0),
    "quantity too high": lambda: c.edit_subscription(8, product_quantity=10_000),
    "no instalment left": lambda: c.edit_subscription(8, installments_left=0),
    "instalments in other words": lambda: c.edit_subscription(8, installments_left="Until cancelled"),
    "tax too high": lambda: c.edit_subscription(8, tax_percent=Decimal("100.1")),
    "tax below zero": lambda: c.edit_subscription(8, tax_percent=Decimal(-1)),
    "payment with a zone": lambda: c.edit_subscription(8, next_payment_at=datetime(2027, 1, 6, tzinfo=UTC)),
    "command invented": lambda: Action("remove_tag"),
}


@pytest.mark.parametrize("build", BROKEN_RULES.values(), ids=BROKEN_RULES)
def test_what_kartra_would_refuse_is_refused_before_it_is_sent(build):
    with pytest.raises(ValueError, match=r"\w"):
        build()


TAG = c.assign_tag("VIP")
JO = Lead(email="jo@example.com")
BROKEN_CALLS = {
    "nothing to do": (lambda: Call(lead=JO), "an action or get_lead"),
    "neither id nor email": (lambda: Call((TAG,), Lead()), "exactly one of id and email"),
    "both id and email": (lambda: Call((TAG,), Lead(id="1", email="jo@example.com")), "exactly one"),
    "empty id": (lambda: Call((TAG,), Lead(id="")), "exactly one"),
    "no lead": (lambda: Call((TAG,)), "needs a lead"),
    "create behind": (lambda: Call((TAG, c.create_lead()), JO), r"actions\[0\]"),
    "edit behind": (lambda: Call((TAG, c.edit_lead()), JO), r"actions\[0\]"),
    "search behind": (lambda: Call((TAG, c.search_lead()), JO), r"actions\[0\]"),
    "create and edit": (lambda: Call((c.create_lead(), c.edit_lead()), JO), r"actions\[0\]"),
    "create by id": (lambda: Call((c.create_lead(),), Lead(id="1")), "needs an email"),
    "create with a new address": (
        lambda: Call((c.create_lead(),), Lead(email="jo@example.com", new_email="b@example.com")),
        "edit_lead",
    ),
    "field unknown": (
        lambda: Call((c.edit_lead(),), Lead(id="1", fields={"google_plus": "x"})),
        "google_plus",
    ),
    "address as a field": (lambda: Call((c.edit_lead(),), Lead(id="1", fields={"email": "x"})), "email"),
    "fields with a tag": (
        lambda: Call((TAG,), Lead(id="1", fields={"city": "Ulm"})),
        "create_lead or edit_lead",
    ),
    "new address with a search": (
        lambda: Call((c.search_lead(),), Lead(id="1", new_email="b@example.com")),
        "create_lead or edit_lead",
    ),
    "empty selection": (
        lambda: Call((c.edit_lead(),), Lead(id="1", custom_fields=(CustomFieldValue("fruits", ()),))),
        "empty selection",
    ),
    "custom field without name": (
        lambda: Call((c.edit_lead(),), Lead(id="1", custom_fields=(CustomFieldValue("", "x"),))),
        "field_identifier",
    ),
    "get_lead by nothing": (lambda: c.get_lead(), "exactly one"),
    "get_lead by both": (lambda: c.get_lead(id="1", email="jo@example.com"), "exactly one"),
    "get_lead with actions": (lambda: Call((c.retrieve_account_tags(),), get_lead=JO), "alone"),
    "get_lead with fields": (lambda: Call(get_lead=Lead(id="1", fields={"city": "Ulm"})), "no profile"),
}


@pytest.mark.parametrize(("build", "rule"), BROKEN_CALLS.values(), ids=BROKEN_CALLS)
def test_a_call_that_breaks_a_rule_of_chaining_is_refused_and_shows_no_value(build, rule):
    with pytest.raises(ValueError, match=rule) as refusal:
        build()
    assert not any(value in str(refusal.value) for value in ("jo@example.com", "b@example.com", "Ulm"))


def test_a_call_names_its_commands_in_order():
    chain = Call(
        (c.create_lead(), TAG, TAG), Lead(email="jo@example.com", fields=dict.fromkeys(LEAD_FIELDS, "x"))
    )
    assert chain.commands == ("create_lead", "assign_tag", "assign_tag")
    assert c.get_lead(id="1").commands == ("get_lead",)


@pytest.mark.parametrize("cmd", sorted(set(REPEAT) - LEAD_BOUND))
def test_commands_of_the_account_and_of_payments_need_no_lead(cmd):
    assert Call((Action(cmd),)).lead is None
