"""Transactions and subscriptions: what is answered, and what becomes of the money."""

from datetime import timedelta
from typing import Any

import pytest

from connectors.kartra.sandbox import Subscription, Transaction
from connectors.kartra.sandbox.account import SubscriptionStatus, est_now, est_text
from tests.sandbox.conftest import Api, StartApi

JO, ANA = "jo@example.com", "ana@example.org"
SALE, PARTLY_REFUNDED, RENEWED = "738474", "738476", "738480"
MONTHLY, PAYPAL, TERMINATED = "14833", "14834", "14835"
WISHES = {"cancel": "Cancelled", "pause": "Paused", "unpause": "Active"}
MODIFIED = {"status": "Success", "message": "Subscription modified", "type": "115"}


def act(api: Api, cmd: str, **parameters: Any) -> Any:
    """The lone entry of the answer, or the type of its error."""
    answer = api.act({"cmd": cmd, **parameters})
    return answer["actions"][0][cmd] if answer["status"] == "Success" else answer["type"]


def transaction(api: Api, number: str) -> Transaction:
    return api.sandbox.account.transactions[number]


def subscription(api: Api, number: str) -> Subscription:
    return api.sandbox.account.subscriptions[number]


def test_transactions_of_a_lead_come_without_amounts(api: Api) -> None:
    answer = api.act({"cmd": "retrieve_transactions_from_lead"}, email=ANA)
    rows = answer["actions"][0]["retrieve_transactions_from_lead"]["transaction_list"]
    assert [(row["transaction_id"], row["transaction_type"]) for row in rows] == [
        ("738476", "sale"),
        ("738477", "partial_refund"),
        ("738478", "failed"),
        ("738481", "sale"),
    ]
    assert rows[0] == {
        "transaction_id": "738476",
        "lead_id": "39261",
        "lead_email": ANA,
        "transaction_type": "sale",
    }


def test_a_lead_without_purchases_has_empty_lists(api: Api) -> None:
    chained = api.act(
        {"cmd": "retrieve_transactions_from_lead"},
        {"cmd": "retrieve_subscriptions_from_lead"},
        email="lee@example.net",
    )
    assert chained["actions"] == [
        {"retrieve_transactions_from_lead": {"transaction_list": []}},
        {"retrieve_subscriptions_from_lead": {"subscriptions_list": []}},
    ]


def test_a_transaction_is_found_and_told_in_detail(api: Api) -> None:
    assert act(api, "search_transaction", transaction_id=RENEWED) == {
        "status": "Success",
        "message": "Transaction exists",
    }
    details = act(api, "get_transaction_details", transaction_id=RENEWED)["transaction_details"]
    assert details == {
        "transaction_id": RENEWED,
        "lead_first_name": "Jo",
        "lead_last_name": "Smith",
        "lead_email": JO,
        "lead_id": "39260",
        "lead_username": "",
        "lead_country": "United States",
        "lead_country_code_2": "",
        "lead_country_code_3": "",
        "lead_state": "",
        "lead_phone_country_code": "",
        "lead_phone_number": "",
        "lead_address": "",
        "lead_city": "Detroit",
        "lead_zip": "",
        "product_name": "Membership",
        "product_id": "2",
        "product_price_point": "1",
        "transaction_full_amount": "22.00",
        "transaction_quantity": "1",
        "transaction_affiliate": "N/A",
        "transaction_jv": "N/A",
        "transaction_date": transaction(api, RENEWED).date,
        "transaction_type": "rebill",
        "transaction_parent_id": "0",
        "transaction_base_amount": "22.00",
        "transaction_discount": "0.00",
        "transaction_shipping": "0.00",
        "transaction_tax": "0.00",
        "transaction_subscription_id": MONTHLY,
        "transaction_internal_subscription_id": MONTHLY,
        "transaction_subscription_pay_number": "2",
        "transaction_last_4_card_digits": "4242",
        "original_id": "738479",
    }


def test_the_fields_that_are_only_likely_can_be_left_out(start: StartApi) -> None:
    details = act(start(transaction_extras=False), "get_transaction_details", transaction_id=SALE)
    assert list(details["transaction_details"])[-1] == "transaction_affiliate"


def test_a_transaction_keeps_the_address_of_its_day(api: Api) -> None:
    api.act({"cmd": "edit_lead"}, email=JO, new_email="jo.new@example.com")
    details = act(api, "get_transaction_details", transaction_id=SALE)["transaction_details"]
    assert details["lead_email"] == JO


def test_a_full_refund_makes_a_new_row_and_is_guarded(api: Api) -> None:
    refunded = act(api, "refund_transaction", transaction_id=SALE)
    assert refunded == {"status": "Success", "transaction_refunded": "738482"}
    row = transaction(api, "738482")
    assert (row.type, row.amount, row.parent_id, row.lead_id) == ("refund", "97.00", SALE, "39260")
    assert act(api, "refund_transaction", transaction_id=SALE) == "251"
    assert act(api, "refund_transaction", transaction_id="738482") == "253"


def test_partial_refunds_go_up_to_the_rest(api: Api) -> None:
    assert act(api, "refund_transaction", transaction_id=PARTLY_REFUNDED, refund_amount="50.01") == "268"
    first = act(api, "refund_transaction", transaction_id=PARTLY_REFUNDED, refund_amount="20.50")
    rest = act(api, "refund_transaction", transaction_id=PARTLY_REFUNDED, refund_amount="")
    rows = [transaction(api, answer["transaction_refunded"]) for answer in (first, rest)]
    assert [(row.type, row.amount) for row in rows] == [
        ("partial_refund", "20.50"),
        ("partial_refund", "29.50"),
    ]
    assert act(api, "refund_transaction", transaction_id=PARTLY_REFUNDED) == "251"


@pytest.mark.parametrize(
    ("named", "own_id"),
    [
        ({"transaction_id": RENEWED}, MONTHLY),
        ({"transaction_internal_subscription_id": MONTHLY}, MONTHLY),
        ({"transaction_id": "738481"}, PAYPAL),
    ],
)
def test_a_subscription_is_cancelled_by_transaction_or_internal_id(
    api: Api, named: dict[str, str], own_id: str
) -> None:
    assert act(api, "cancel_transaction", **named) == {
        "status": "Success",
        "transaction_subscription_id": "I-EV375R0H61SM" if own_id == PAYPAL else own_id,
        "transaction_internal_subscription_id": own_id,
    }
    assert subscription(api, own_id).status == "Cancelled"
    assert subscription(api, own_id).end_date > "2026"
    assert transaction(api, "738482").type == "cancellation"
    assert act(api, "cancel_transaction", **named) == "252"


def test_all_subscriptions_of_a_lead_are_listed_whatever_their_status(api: Api) -> None:
    answer = api.act({"cmd": "retrieve_subscriptions_from_lead"}, email=ANA)
    rows = answer["actions"][0]["retrieve_subscriptions_from_lead"]["subscriptions_list"]
    common = {"lead_id": "39261", "lead_email": ANA}
    assert rows == [
        {"subscription_id": PAYPAL, **common, "subscription_status": "Active"},
        {"subscription_id": TERMINATED, **common, "subscription_status": "Terminated"},
    ]


def test_a_subscription_is_found_and_told_in_detail(api: Api) -> None:
    found = act(api, "search_subscription", subscription_id=MONTHLY)
    assert found == {"status": "Success", "message": "Subscription exists"}
    held = subscription(api, MONTHLY)
    assert act(api, "get_subscription_details", subscription_id=MONTHLY) == {
        "subscription_details": {
            "subscription_id": MONTHLY,
            "subscription_product_id": "2",
            "subscription_price_point": "1",
            "subscription_lead_id": "39260",
            "subscription_start_date": held.start_date,
            "subscription_end_date": "0000-00-00 00:00:00",
            "subscription_current_installment": "2",
            "subscription_installments_left": "Until cancelled",
            "subscription_recurring_period": "monthly",
            "subscription_status": "Active",
            "subscription_next_payment_date": held.next_payment_date,
            "subscription_next_scheduled_payment_amount": "22.00",
            "subscription_affiliate": "N/A",
            "subscription_jv": "N/A",
        }
    }


def test_a_subscription_pauses_goes_on_and_ends(api: Api) -> None:
    def modify(wish: str) -> Any:
        return act(
            api, "modify_subscription_status", subscription_id=MONTHLY, subscription_status_modification=wish
        )

    seen = [(modify(wish), subscription(api, MONTHLY).status) for wish in ("pause", "unpause", "cancel")]
    assert seen == [(MODIFIED, "Paused"), (MODIFIED, "Active"), (MODIFIED, "Cancelled")]
    assert (modify("unpause"), modify("cancel")) == ("275", "252")


def test_paypal_subscriptions_can_only_be_cancelled(api: Api) -> None:
    answers = [
        act(api, "modify_subscription_status", subscription_id=PAYPAL, subscription_status_modification=wish)
        for wish in ("pause", "unpause", "cancel")
    ]
    assert answers == ["284", "284", MODIFIED]


def becomes(status: str) -> tuple[Any, str]:
    return MODIFIED, status


ENDED = {"pause": "275", "unpause": "275"}
STATES: dict[tuple[str, bool], dict[str, Any]] = {  # status, by PayPal → what a wish comes to
    ("Active", False): {wish: becomes(end) for wish, end in WISHES.items()},
    ("Paused", False): {wish: becomes(end) for wish, end in WISHES.items()},
    ("Active", True): {"cancel": becomes("Cancelled"), "pause": "284", "unpause": "284"},
    ("Cancelled", False): {**ENDED, "cancel": "252"},
    ("Cancelled", True): {**ENDED, "cancel": "252"},
    ("Terminated", False): {**ENDED, "cancel": "275"},
    ("Terminated", True): {**ENDED, "cancel": "275"},
}


@pytest.mark.parametrize(("state", "outcomes"), STATES.items(), ids=str)
def test_a_wish_of_each_kind_in_each_state(
    start: StartApi, state: tuple[SubscriptionStatus, bool], outcomes: dict[str, Any]
) -> None:
    api = start(calls_per_second=0)
    status, paypal = state
    seen = {}
    for wish in outcomes:
        held = subscription(api, MONTHLY)
        held.status, held.paypal = status, paypal
        wished = {"subscription_id": MONTHLY, "subscription_status_modification": wish}
        answer = act(api, "modify_subscription_status", **wished)
        seen[wish] = answer if isinstance(answer, str) else (answer, held.status)
        assert isinstance(answer, dict) or held.status == status
    assert seen == outcomes


@pytest.mark.parametrize(
    ("status", "paypal", "answer"),
    [
        ("Active", False, MODIFIED),
        ("Paused", False, MODIFIED),
        ("Active", True, "284"),
        ("Cancelled", True, "275"),
        ("Terminated", False, "275"),
    ],
)
def test_an_edit_in_each_state(api: Api, status: SubscriptionStatus, paypal: bool, answer: Any) -> None:
    held = subscription(api, MONTHLY)
    held.status, held.paypal = status, paypal
    assert act(api, "edit_subscription", subscription_id=MONTHLY, subscription_amount="5.00") == answer
    assert held.amount == ("5.00" if answer == MODIFIED else "22.00")


@pytest.mark.parametrize("kind", ["refund", "failed", "cancellation", "chargeback", "partial_refund"])
def test_only_a_sale_or_rebill_is_refunded_or_cancelled(api: Api, kind: Any) -> None:
    transaction(api, RENEWED).type = kind
    assert act(api, "refund_transaction", transaction_id=RENEWED) == "253"
    assert act(api, "cancel_transaction", transaction_id=RENEWED) == "253"
    assert subscription(api, MONTHLY).status == "Active"


def test_a_rebill_is_refunded_without_ending_its_subscription(api: Api) -> None:
    assert act(api, "refund_transaction", transaction_id=RENEWED)["status"] == "Success"
    assert subscription(api, MONTHLY).status == "Active"


def test_what_was_charged_back_is_not_refunded_again(api: Api) -> None:
    account = api.sandbox.account
    account.add_transaction(Transaction("39260", type="chargeback", amount="97.00", parent_id=SALE))
    assert act(api, "refund_transaction", transaction_id=SALE) == "251"


@pytest.mark.parametrize(("days", "is_over"), [(29, False), (31, True)])
def test_the_refund_period_counts_from_the_sale(api: Api, days: int, is_over: bool) -> None:
    sold = api.sandbox.account.add_transaction(
        Transaction("39260", date=est_text(est_now() - timedelta(days=days)), refund_period_days=30)
    )
    assert (act(api, "refund_transaction", transaction_id=sold.id) == "250") == is_over


def test_a_sale_without_a_date_is_never_too_old(api: Api) -> None:
    undated = api.sandbox.account.add_transaction(Transaction("39260", amount="5.00"))
    assert act(api, "refund_transaction", transaction_id=undated.id)["status"] == "Success"


@pytest.mark.parametrize(
    ("parameters", "changed"),
    [
        (
            {"subscription_product_id": "2", "subscription_price_point": "3"},
            {"product_id": "2", "price_point": "3"},
        ),
        (
            {"subscription_next_payment_date": "2099-01-18 05:46"},
            {"next_payment_date": "2099-01-18 05:46:00"},
        ),
        (
            {"subscription_next_payment_date": "2099-01-18 05:46:10"},
            {"next_payment_date": "2099-01-18 05:46:10"},
        ),
        ({"subscription_amount": "9999.99"}, {"amount": "9999.99"}),
        ({"subscription_recurrence": {"recurring_period_1": "yearly"}}, {"recurring_period": "yearly"}),
        ({"subscription_product_quantity": "9999"}, {"quantity": "9999"}),
        ({"subscription_installments_left": "5"}, {"installments_left": "5"}),
        ({"subscription_installments_left": "until cancelled"}, {"installments_left": "Until cancelled"}),
        ({"subscription_tax_percent": "19"}, {"tax_percent": "19"}),
    ],
)
def test_a_subscription_is_edited(api: Api, parameters: dict[str, Any], changed: dict[str, str]) -> None:
    assert act(api, "edit_subscription", subscription_id=MONTHLY, **parameters) == MODIFIED
    held = subscription(api, MONTHLY)
    assert {name: getattr(held, name) for name in changed} == changed


def test_an_edit_with_one_wrong_parameter_changes_none(api: Api) -> None:
    wrong = {"subscription_amount": "5.00", "subscription_product_quantity": "0"}
    assert act(api, "edit_subscription", subscription_id=MONTHLY, **wrong) == "276"
    assert subscription(api, MONTHLY).amount == "22.00"


def test_recurring_installments_have_two_periods(api: Api) -> None:
    subscription(api, MONTHLY).price_point_type = "Recurring installments"
    wish = {"recurring_period_1": "weekly", "recurring_period_2": "every 2 years"}
    assert act(api, "edit_subscription", subscription_id=MONTHLY, subscription_recurrence=wish) == MODIFIED
    held = subscription(api, MONTHLY)
    assert (held.recurring_period, held.recurring_period_2) == ("weekly", "every 2 years")
