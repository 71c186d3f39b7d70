"""A row of an operations pipeline: what it asks for, and every rule that is checked beforehand."""

from pathlib import Path
from typing import Any

import pytest

from connectors.kartra.commands import Action
from connectors.kartra.wire import Credentials, encode_call
from pipelines.config.file import read_pipeline
from pipelines.config.operations import OperationsConfig
from pipelines.config.pipeline import PipelineConfig
from pipelines.contacts.mapping import Invalid
from pipelines.operations.operation import Operation, operation_reader

COLUMNS = ("Key", "What", "Email", "A", "B", "C", "D")


def config(folder: Path, parameters: str, do: str = "{column: What}") -> OperationsConfig:
    file = folder / "p.yaml"
    file.write_text(
        "pipeline: p\nkartra: {}\noperations:\n  source: {csv: c.csv}\n"
        f"  do: {do}\n  key: Key\n  lead: {{email: Email}}\n  parameters: {parameters}\n",
        encoding="utf-8",
    )
    read: PipelineConfig = read_pipeline(file, {})
    return read.needs_operations()


def asked(folder: Path, parameters: str, do: str, **cells: str) -> Operation | Invalid:
    record = {"Key": "1", "What": do, "Email": "Ann@Example.org", "A": "", "B": "", "C": "", "D": ""}
    return operation_reader(config(folder, parameters), COLUMNS)({**record, **cells})


GOOD: dict[str, tuple[str, str, dict[str, str], str, dict[str, Any]]] = {
    "full": ("refund", "{transaction: A, amount: B}", {"A": "7", "B": "Full"}, "refund_transaction", {}),
    "part": ("refund", "{transaction: A, amount: B}", {"A": "7", "B": "12.5"}, "refund_transaction", {}),
    "by transaction": (
        "cancel",
        "{transaction: A}",
        {"A": "7"},
        "cancel_transaction",
        {"transaction_id": "7"},
    ),
    "by internal number": (
        *("cancel", "{internal_subscription: A}", {"A": "7"}, "cancel_transaction"),
        {"transaction_internal_subscription_id": "7"},
    ),
    "by subscription": (
        *("cancel", "{subscription: A}", {"A": "7"}, "modify_subscription_status"),
        {"subscription_id": "7", "subscription_status_modification": "cancel"},
    ),
    "pause": (
        *("pause", "{subscription: A}", {"A": "7"}, "modify_subscription_status"),
        {"subscription_id": "7", "subscription_status_modification": "pause"},
    ),
    "unpause": (
        *("unpause", "{subscription: A}", {"A": "7"}, "modify_subscription_status"),
        {"subscription_id": "7", "subscription_status_modification": "unpause"},
    ),
    "edit": (
        *("edit_subscription", "{subscription: A, installments_left: B, next_payment_at: C}"),
        {"A": "7", "B": "Until cancelled", "C": "2035-01-16T18:00"},
        "edit_subscription",
        {
            "subscription_id": "7",
            "subscription_installments_left": "until cancelled",
            "subscription_next_payment_date": "2035-01-16 18:00",
        },
    ),
    "class": (
        *("calendar_subscribe", "{calendar: A, class: B, starting_at: C}"),
        {"A": "Coaching", "B": "Call", "C": "2035-01-06 18:00"},
        "calendar_subscribe",
        {
            "calendar_name": "Coaching",
            "class_name": "Call",
            "starting_date": "06 Jan 2035",
            "starting_hour": "18:00",
        },
    ),
    "points": (
        *("give_points", "{points: A, expiration_days: B}", {"A": "07", "B": "30"}, "give_points_to_lead"),
        {"points": 7, "expiration": 30},
    ),
    "points off": ("remove_points", "{points: A}", {"A": "7"}, "remove_points_from_lead", {"points": 7}),
    "list": (
        *("unsubscribe", "{list: A, sequence: B}", {"A": "News"}, "unsubscribe_lead_from_list"),
        {"list_name": "News"},
    ),
    "sequence": (
        *("unsubscribe", "{list: A, sequence: B}", {"B": "Tour"}, "unsubscribe_lead_from_sequence"),
        {"sequence_name": "Tour"},
    ),
    "tag": ("Tag", "{tag: A}", {"A": "VIP"}, "assign_tag", {"tag_name": "VIP"}),
    "untag": ("untag", "{tag: A}", {"A": "VIP"}, "unassign_tag", {"tag_name": "VIP"}),
}


@pytest.mark.parametrize("name", GOOD)
def test_every_operation_becomes_its_command(name: str, tmp_path: Path) -> None:
    do, parameters, cells, cmd, params = GOOD[name]
    operation = asked(tmp_path, parameters, do, **cells)
    assert isinstance(operation, Operation)
    if cmd == "refund_transaction":
        params = {"transaction_id": "7"}
        params |= {"refund_amount": operation.amount} if operation.amount else {}
        assert str(operation.amount) == {"full": "None", "part": "12.50"}[name]
    assert operation.action == Action(cmd, params)
    assert operation.lead.email == "ann@example.org"
    restored = Operation.from_json("1", operation.to_json())
    assert (restored, restored.digest) == (operation, operation.digest)
    assert encode_call(Credentials("a", "b", "c"), operation.call(operation.lead))


BAD = {
    "a blank amount may be a slip": ("refund", "{transaction: A, amount: B}", {"A": "7"}, "says full"),
    "nothing is refunded": ("refund", "{transaction: A, amount: B}", {"A": "7", "B": "0"}, "above 0"),
    "a currency": ("refund", "{transaction: A, amount: B}", {"A": "7", "B": "€ 5"}, "without a currency"),
    "a decimal comma": (
        "refund",
        "{transaction: A, amount: B}",
        {"A": "7", "B": "5,00"},
        "write it as 12.50",
    ),
    "a third decimal": (
        "refund",
        "{transaction: A, amount: B}",
        {"A": "7", "B": "5.001"},
        "write it as 12.50",
    ),
    "a negative amount": (
        "refund",
        "{transaction: A, amount: B}",
        {"A": "7", "B": "-5"},
        "write it as 12.50",
    ),
    "a provider's number": ("refund", "{transaction: A}", {"A": "I-EV375"}, "is not a whole number"),
    "a number that a spreadsheet spoilt": (
        "refund",
        "{transaction: A}",
        {"A": "7.0"},
        "is not a whole number",
    ),
    "no transaction": ("refund", "{transaction: A}", {}, "needs transaction"),
    "two ways to say which": (
        *("cancel", "{transaction: A, subscription: B}", {"A": "7", "B": "8"}),
        "one of transaction and subscription",
    ),
    "what it does not take": (
        *("cancel", "{transaction: A, amount: B}", {"A": "7", "B": "5"}),
        "cancel takes no amount",
    ),
    "an unknown word": ("refnd", "{transaction: A}", {"A": "7"}, "unknown operation; use one of refund"),
    "no change": ("edit_subscription", "{subscription: A, amount: B}", {"A": "7"}, "at least one change"),
    "price below 1": (
        "edit_subscription",
        "{subscription: A, amount: B}",
        {"A": "7", "B": "0.99"},
        "1.00 to",
    ),
    "price above": (
        *("edit_subscription", "{subscription: A, amount: B}", {"A": "7", "B": "10000"}),
        "to 9999.99",
    ),
    "quantity": (
        *("edit_subscription", "{subscription: A, product_quantity: B}", {"A": "7", "B": "10000"}),
        "1 to 9999",
    ),
    "tax": ("edit_subscription", "{subscription: A, tax_percent: B}", {"A": "7", "B": "101"}, "0 to 100"),
    "a product without its price point": (
        *("edit_subscription", "{subscription: A, product_id: B}", {"A": "7", "B": "1"}),
        "go together",
    ),
    "a period": (
        *("edit_subscription", "{subscription: A, recurring_period_1: B}", {"A": "7", "B": "daily"}),
        "recurring_period_1 is one of",
    ),
    "a period of instalments": (
        *("edit_subscription", "{subscription: A, recurring_period_1: B, recurring_period_2: C}"),
        {"A": "7", "B": "quarterly", "C": "yearly"},
        "recurring_period_1 is one of",
    ),
    "instalments": (
        *("edit_subscription", "{subscription: A, installments_left: B}", {"A": "7", "B": "some"}),
        "is not a whole number",
    ),
    "a date of no calendar": (
        *("edit_subscription", "{subscription: A, next_payment_at: B}", {"A": "7", "B": "16.01.2035"}),
        "is not a date and time; write it in Kartra's time as",
    ),
    "no points": ("give_points", "{points: A}", {"A": "0"}, "1 or more"),
    "half a point": ("give_points", "{points: A}", {"A": "1.5"}, "is not a whole number"),
    "a class without a calendar": (
        "calendar_cancel",
        "{calendar: A, class: B}",
        {"B": "Yoga"},
        "needs calendar",
    ),
    "no address": ("tag", "{tag: A}", {"A": "VIP", "Email": "ann"}, "no @"),
    "no key": ("tag", "{tag: A}", {"A": "VIP", "Key": " "}, "no key"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_breaks_a_rule_is_refused_before_it_is_sent(name: str, tmp_path: Path) -> None:
    do, parameters, cells, reason = BAD[name]
    refused = asked(tmp_path, parameters, do, **cells)
    assert isinstance(refused, Invalid)
    assert reason in refused.reason


def test_the_same_row_is_the_same_operation_whatever_its_form(tmp_path: Path) -> None:
    parameters = "{transaction: A, amount: B}"
    one = asked(tmp_path, parameters, "refund", A="7", B="5")
    same = asked(tmp_path, parameters, "Refund", A="007", B=" 5.00 ", Email="ann@EXAMPLE.org ")
    other = asked(tmp_path, parameters, "refund", A="7", B="5.01")
    assert isinstance(one, Operation)
    assert isinstance(same, Operation)
    assert isinstance(other, Operation)
    assert one.digest == same.digest != other.digest
