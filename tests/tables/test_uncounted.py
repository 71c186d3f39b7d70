"""What reports cannot count is told: in a column of each, and in a note of the pull. Currencies, months."""

import time
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from connectors.kartra.sandbox import Account, Sandbox, Subscription, Transaction
from tests.conftest import Project
from tests.pull.accounts import write_pull
from tests.tables.exports import exported, write_export

NOON = "2026-10-15 12:00:00"
Rows = list[dict[str, Any]]


def transaction(lead: str, kind: str, amount: str = "100.00", date: str = NOON, **more: Any) -> Transaction:
    found = Transaction(lead, amount=amount, date=date, **more)
    found.type = kind  # type: ignore[assignment] - as Kartra may write it one day
    return found


def subscription(lead: str, status: str, end: str | None = None, **more: Any) -> Subscription:
    found = Subscription(lead, start_date="2026-01-15 10:00:00", **more)
    found.status = status  # type: ignore[assignment]
    found.end_date = end or found.end_date
    return found


def pulled(project: Project, account: Account, database: str = "tables.db", more: str = "") -> list[str]:
    """The notes of a pull into this database."""
    project.environ["TABLES_URL"] = database
    write_pull(project, account, into="${TABLES_URL}", more=more)
    with Sandbox(account, calls_per_second=0) as sandbox:
        project.aim(sandbox)
        done = project.run()
    assert done.code == 0, done.stderr
    return list(done.json.get("notes", ()))


def report(project: Project, name: str) -> Rows:
    done = project.command("report", "p.yaml", name, "--json")
    assert done.code == 0, done.stderr
    return [dict(zip(done.json["columns"], row, strict=True)) for row in done.json["rows"]]


def rows(database: str, statement: str) -> list[tuple[Any, ...]]:
    engine = create_engine(database)
    try:
        with engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(statement))]
    finally:
        engine.dispose()


# --- types and statuses


def test_types_count_however_they_are_written_and_unknown_ones_are_told(
    database: str, project: Project
) -> None:
    account = Account(products={"1": 1})
    lead = account.add_lead("ann@example.org").id
    for kind in ("Sale", " REBILL ", "REFUND", "Partial Refund", "partial-refund", "ChargeBack", "Failed"):
        account.add_transaction(transaction(lead, kind))
    for kind in ("chargeback_reversal", "trial", "trial", "N/A"):
        account.add_transaction(transaction(lead, kind))
    account.add_transaction(transaction(lead, "sale", "NaN"))
    notes = pulled(project, account, database)
    assert notes == [
        '5 transactions are in no revenue report: type "trial" (2), blank (1), "chargeback_reversal" (1);'
        " no amount that is a number (1)"
    ]
    (month,) = report(project, "revenue-by-month")
    assert (month["gross"], month["refunded"], month["charged_back"], month["net"]) == (
        *("200.00", "300.00"),
        *("100.00", "-200.00"),
    )
    assert (month["sales"], month["unvalued"]) == (3, 5)
    for name in ("revenue-by-product", "revenue-by-month-and-product"):
        assert [row["unvalued"] for row in report(project, name)] == [5], name
    assert sum(row["unvalued"] for row in report(project, "refund-rate")) == 5
    (failed,) = report(project, "failed-payments")
    assert (failed["payments"], failed["amount"], failed["unvalued"]) == (1, "100.00", 4)


def test_what_kartra_wrote_stays_beside_its_own_word(project: Project) -> None:
    account = Account(products={"1": 1})
    lead = account.add_lead("ann@example.org").id
    account.add_transaction(transaction(lead, "Partial Refund"))
    account.add_subscription(subscription(lead, "CANCELED", "2026-03-01 10:00:00"))
    pulled(project, account)
    url = f"sqlite:///{project.folder / 'tables.db'}"
    assert rows(
        url, "SELECT transaction_type, net_amount, extra ->> 'transaction_type' FROM transactions"
    ) == [("partial_refund", "-100.00", "Partial Refund")]
    assert rows(url, "SELECT subscription_status, extra ->> 'subscription_status' FROM subscriptions") == [
        ("Cancelled", "CANCELED")
    ]


def test_a_known_type_in_another_spelling_is_not_asked_for_again(project: Project) -> None:
    account = Account(products={"1": 1})
    lead = account.add_lead("ann@example.org").id
    sale = account.add_transaction(transaction(lead, "Partial Refund"))
    write_pull(project, account, more="refresh_after: 0s")
    with Sandbox(account, calls_per_second=0) as sandbox:
        project.aim(sandbox)
        assert project.run().code == 0
        sale.type = "partial_refund"
        before = len(sandbox.calls)
        assert project.run().code == 0
        again = [cmd for call in sandbox.calls[before:] for cmd in call.commands]
    assert "get_transaction_details" not in again


def test_statuses_count_however_they_are_written_and_unknown_ones_are_told(
    database: str, project: Project
) -> None:
    account = Account(products={"2": 1})
    lead = account.add_lead("ann@example.org").id
    for status in ("active", "ACTIVE", "Paused ", "Past due"):
        account.add_subscription(subscription(lead, status, next_payment_date="2026-12-01 10:00:00"))
    account.add_subscription(subscription(lead, "canceled", "2026-03-20 10:00:00"))
    account.add_subscription(subscription(lead, "Cancelled"))
    notes = pulled(project, account, database)
    assert notes == [
        '1 subscription is in no report as active or cancelled: status "Past due" (1)',
        "1 subscription is over without an end date: churn counts them without a month",
    ]
    (recurring,) = report(project, "recurring-revenue")
    assert (recurring["active"], recurring["paused"], recurring["unvalued"]) == (2, 1, 3)
    march, undated = report(project, "churn")
    assert (march["month"], march["running_before"], march["cancelled"]) == ("2026-03", 4, 1)
    assert (march["undated"], march["unvalued"]) == (1, 1)
    assert (undated["month"], undated["cancelled"], undated["undated"]) == (None, 1, 1)


def test_a_subscription_of_an_unknown_status_is_looked_at_again(project: Project) -> None:
    account = Account(products={"2": 1})
    lead = account.add_lead("ann@example.org").id
    account.add_subscription(subscription(lead, "Past due"))
    write_pull(project, account, more="refresh_after: 0s")
    with Sandbox(account, calls_per_second=0) as sandbox:
        project.aim(sandbox)
        assert project.run().code == 0
        before = len(sandbox.calls)
        time.sleep(1.1)  # what was pulled in this second is fresh
        assert project.run().code == 0
        again = [cmd for call in sandbox.calls[before:] for cmd in call.commands]
    assert "get_subscription_details" in again


# --- currencies


def test_each_row_of_a_report_has_one_currency(database: str, project: Project) -> None:
    account = Account(products={"1": 1})
    lead = account.add_lead("ann@example.org").id
    sold = {"USD": "100.00", "EUR": "100.00", "JPY": "20000.00", None: "7.00"}
    sales = {
        currency: account.add_transaction(transaction(lead, "sale", amount))
        for currency, amount in sold.items()
    }
    account.add_transaction(transaction(lead, "refund", "40.00", parent_id=sales["EUR"].id))
    pulled(project, account, database)
    for currency in filter(None, sold):
        write_export(project.folder / "sales.csv", [exported(sales[currency])], currency=currency)
        assert project.command("reconcile", "p.yaml", "sales.csv").code in (0, 3)
    months = {row["currency"]: row for row in report(project, "revenue-by-month")}
    assert {currency: row["gross"] for currency, row in months.items()} == sold
    assert (months[None]["refunded"], months[None]["net"]) == ("40.00", "-33.00")
    for name in ("revenue-by-product", "revenue-by-month-and-product"):
        assert {row["currency"]: row["gross"] for row in report(project, name)} == sold, name
    rates = {row["currency"]: row["percent_of_money"] for row in report(project, "refund-rate")}
    assert rates == {"EUR": "40.00", "JPY": "0.00", "USD": "0.00", None: "0.00"}


def test_a_subscription_has_the_currency_of_its_payments_or_of_its_product(project: Project) -> None:
    account = Account(products={"1": 1, "2": 1, "3": 1})
    lead = account.add_lead("ann@example.org").id
    subscriptions = [
        account.add_subscription(subscription(lead, "Active", product_id=product, next_payment_date=NOON))
        for product in ("2", "2", "1", "3")
    ]
    paid = [
        ("USD", transaction(lead, "sale", product_id="2", subscription_id=subscriptions[0].id)),
        ("EUR", transaction(lead, "sale", product_id="2")),
        ("EUR", transaction(lead, "sale", product_id="1")),
    ]
    for _, each in paid:
        account.add_transaction(each)
    pulled(project, account)
    for currency, each in paid:
        write_export(project.folder / "sales.csv", [exported(each)], currency=currency)
        assert project.command("reconcile", "p.yaml", "sales.csv").code in (0, 3)
    found = {row["currency"]: row["active"] for row in report(project, "recurring-revenue")}
    assert found == {"USD": 1, "EUR": 1, None: 2}  # the second of product 2 is not clear, 3 never sold
    by_product = {(row["product_id"], row["currency"]) for row in report(project, "subscriptions-active")}
    assert by_product == {("2", "USD"), ("2", None), ("1", "EUR"), ("3", None)}


# --- the owner's calendar

EVENING = "2026-10-31 19:00:00"  # by Kartra's clock; in UTC it is November


@pytest.mark.parametrize(
    ("zone", "month"),
    [
        ("", "2026-11"),
        ("zone: UTC", "2026-11"),
        ("zone: EST", "2026-10"),
        ("zone: America/New_York", "2026-10"),
        ("zone: Asia/Tokyo", "2026-11"),
    ],
)
def test_months_are_those_of_the_owners_calendar(
    zone: str, month: str, database: str, project: Project
) -> None:
    account = Account(products={"1": 1})
    lead = account.add_lead("ann@example.org").id
    account.add_transaction(transaction(lead, "sale", date=EVENING))
    pulled(project, account, database, zone)
    assert [row["month"] for row in report(project, "revenue-by-month")] == [month]
    url = database if "://" in database else f"sqlite:///{project.folder / database}"
    assert rows(url, "SELECT month FROM report_revenue_by_month") == [(month,)]


def test_summer_time_moves_a_sale_into_the_next_month_and_week(database: str, project: Project) -> None:
    account = Account(products={"1": 1})
    lead = account.add_lead("ann@example.org")
    lead.date_joined = "2026-06-07 17:30:00"  # 22:30 UTC on a Sunday, 00:30 on Monday in Vienna
    for date in ("2026-06-30 17:30:00", "2026-01-31 17:30:00", "2026-10-25 00:30:00"):
        account.add_transaction(transaction(lead.id, "sale", date=date))
    pulled(project, account, database, "zone: Europe/Vienna")
    months = [row["month"] for row in report(project, "revenue-by-month")]
    assert months == ["2026-01", "2026-07", "2026-10"]  # 23:30 in winter, 00:30 in summer
    assert [row["week"] for row in report(project, "new-leads-by-week")] == ["2026-06-08"]


def test_a_zone_that_nobody_knows_is_refused(project: Project) -> None:
    write_pull(project, Account(), more="zone: Vienna")
    done = project.command("check", "p.yaml")
    assert done.code == 2
    assert "pull.zone" in done.stdout
