"""What proves that an operation was carried out, and what does not."""

from decimal import Decimal
from typing import Any

import pytest

from connectors.kartra.commands import Lead
from connectors.kartra.payments import parse_subscription, parse_transaction, parse_transaction_list
from pipelines.config.operations import Do
from pipelines.operations.operation import Operation
from pipelines.operations.proof import (
    Verdict,
    judge_edit,
    judge_points,
    judge_refund,
    refunds_in,
    shown_by,
    status_of,
)

LANDED, NOT_LANDED, UNPROVEN = Verdict.LANDED, Verdict.NOT_LANDED, Verdict.UNPROVEN


def asked(do: Do, **values: str) -> Operation:
    return Operation("1", do, Lead(id="5"), values)


def refund(parent: str = "7", amount: str = "12.50", kind: str = "partial_refund", number: str = "90") -> Any:
    details = {
        "transaction_id": number,
        "lead_id": 5,
        "transaction_type": kind,
        "transaction_full_amount": amount,
        "transaction_parent_id": parent,
    }
    return parse_transaction({"get_transaction_details": {"transaction_details": details}})


@pytest.mark.parametrize(
    ("amount", "new", "verdict"),
    [
        ("12.50", [], NOT_LANDED),
        ("12.50", [refund()], LANDED),
        ("12.50", [refund(amount="-12.5")], LANDED),
        ("12.50", [refund(parent="8")], NOT_LANDED),
        ("12.50", [refund(amount="12.49")], UNPROVEN),
        ("12.50", [refund(amount="N/A")], UNPROVEN),
        ("12.50", [refund(parent="N/A")], UNPROVEN),
        ("12.50", [refund(parent="0")], UNPROVEN),
        ("12.50", [refund(amount="3.00"), refund(number="91")], LANDED),
        ("full", [refund(amount="40.00", kind="refund")], LANDED),
        ("full", [refund(amount="30.00")], LANDED),
        ("full", [refund(amount="10.00")], UNPROVEN),
    ],
)
def test_a_refund_is_proven_by_a_new_one_of_its_transaction_and_amount(
    amount: str, new: list[Any], verdict: Verdict
) -> None:
    expected = Decimal("30.00") if amount == "full" else Decimal(amount)
    part = {} if amount == "full" else {"amount": amount}
    judged = judge_refund(asked(Do.REFUND, transaction="7", **part), expected, new)
    assert judged.verdict is verdict
    assert bool(judged.reason) == (verdict is UNPROVEN)
    assert (judged.refund_id is not None) == (verdict is LANDED)


@pytest.mark.parametrize(
    ("do", "before", "after", "verdict"),
    [
        (Do.GIVE_POINTS, 5, 12, LANDED),
        (Do.GIVE_POINTS, 5, 5, NOT_LANDED),
        (Do.GIVE_POINTS, 5, 13, UNPROVEN),
        (Do.GIVE_POINTS, None, 12, UNPROVEN),
        (Do.REMOVE_POINTS, 9, 2, LANDED),
        (Do.REMOVE_POINTS, 3, 0, LANDED),
        (Do.REMOVE_POINTS, 9, 9, NOT_LANDED),
    ],
)
def test_points_are_proven_by_the_score_before_and_after(
    do: Do, before: int | None, after: int, verdict: Verdict
) -> None:
    assert judge_points(asked(do, points="7"), before, after).verdict is verdict


def subscription(**details: Any) -> Any:
    return parse_subscription(
        {
            "subscription_details": {
                "subscription_id": 1,
                **{f"subscription_{key}": one for key, one in details.items()},
            }
        }
    )


@pytest.mark.parametrize(
    ("wish", "before", "after", "verdict"),
    [
        ({"amount": "30.00"}, "22.00", "30", LANDED),
        ({"amount": "30.00"}, "22.00", "22.00", NOT_LANDED),
        ({"amount": "30.00"}, "22.00", "25.00", UNPROVEN),
        ({"amount": "30.00", "tax_percent": "19"}, "22.00", "30.00", LANDED),
        ({"amount": "30.00", "tax_percent": "19"}, "30.00", "30.00", NOT_LANDED),  # it may be the tax alone
        ({"tax_percent": "19"}, "22.00", "22.00", NOT_LANDED),
    ],
)
def test_an_edit_is_proven_by_what_details_show_before_and_after(
    wish: dict[str, str], before: str, after: str, verdict: Verdict
) -> None:
    was = subscription(next_scheduled_payment_amount=before)
    now = subscription(next_scheduled_payment_amount=after)
    assert judge_edit(asked(Do.EDIT, subscription="1", **wish), shown_by(was), now).verdict is verdict


def test_instalments_that_went_on_meanwhile_prove_nothing() -> None:
    was, now = (subscription(installments_left=left) for left in ("6", "11"))
    judged = judge_edit(asked(Do.EDIT, subscription="1", installments_left="12"), shown_by(was), now)
    assert judged.verdict is UNPROVEN


def test_details_are_read_in_one_form_whatever_kartra_writes() -> None:
    now = subscription(
        status="ACTIVE",
        lead_id=5,
        installments_left="Until cancelled",
        next_payment_date="2035-01-16 18:00:00",
        next_scheduled_payment_amount="N/A",
    )
    assert (status_of(now), now.subscription_lead_id) == ("Active", "5")
    assert shown_by(now) == {"installments_left": "until cancelled", "next_payment_at": "2035-01-16 18:00"}
    rows: dict[str, Any] = {
        "0": {"transaction_id": 7, "transaction_type": "sale"},
        "2": {"transaction_id": 8, "transaction_type": "Refund"},
    }
    assert refunds_in(parse_transaction_list({"transaction_list": rows})) == ("8",)
    assert refunds_in(parse_transaction_list({"transaction_list": ""})) == ()
