"""What a transaction adds to the income."""

from decimal import Decimal

import pytest

from connectors.kartra.money import money_text, net_of


@pytest.mark.parametrize(
    ("kind", "net"),
    [
        ("sale", "19.90"),
        ("rebill", "19.90"),
        ("refund", "-19.90"),
        ("partial_refund", "-19.90"),
        ("chargeback", "-19.90"),
        ("failed", "0"),
        ("cancellation", "0"),
        ("request_cancellation", "0"),
        ("revert_cancellation", "0"),
        ("Sale", "19.90"),
        ("Partial Refund", "-19.90"),
    ],
)
@pytest.mark.parametrize("sent", ["19.90", "-19.90"])
def test_the_type_gives_the_sign_whatever_sign_was_sent(kind: str, net: str, sent: str) -> None:
    assert net_of(kind, Decimal(sent)) == Decimal(net)


@pytest.mark.parametrize("kind", ["gift", "Sales", "trial", "", None])
def test_a_type_that_is_not_known_adds_nothing_known(kind: str | None) -> None:
    assert net_of(kind, Decimal("19.90")) is None


def test_without_an_amount_only_what_moves_no_money_is_known() -> None:
    assert (net_of("sale", None), net_of("refund", None)) == (None, None)
    assert (net_of("failed", None), net_of("cancellation", None)) == (0, 0)


def test_amounts_of_any_length_stay_exact_and_nothing_is_less_than_zero_of_nothing() -> None:
    assert net_of("refund", Decimal("123456789012345.6789")) == Decimal("-123456789012345.6789")
    assert str(net_of("refund", Decimal("0.00"))) == "0.00"


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("49.9", "49.90"),
        ("49.9000", "49.90"),
        ("49", "49.00"),
        ("-0.0050", "-0.005"),
        ("1E+3", "1000.00"),
        ("-0.00", "0.00"),
        ("123456789012345.6789", "123456789012345.6789"),
    ],
)
def test_an_amount_has_one_text_however_many_zeros_a_database_adds(amount: str, text: str) -> None:
    assert money_text(Decimal(amount)) == text
