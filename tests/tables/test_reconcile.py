"""Kartra's own export of transactions beside what was pulled: each counted once, gaps listed."""

import csv
import stat
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from connectors.databases.tables import as_utc
from connectors.kartra.sandbox import Account, Sandbox, Transaction
from pipelines.tables.warehouse import open_warehouse
from tests.conftest import Project, Result
from tests.pull.accounts import write_pull, write_roster
from tests.tables.exports import HEADER, exported, shop, write_export

NOTHING = {"not_pulled": [], "not_in_export": [], "disagrees": [], "unknown_type": [], "bad_row": []}


@pytest.fixture
def account() -> Account:
    return shop()


def pulled(project: Project, sandbox: Sandbox, account: Account, *, into: str = "tables.db") -> None:
    write_pull(project, account, into=into)
    result = project.run()
    assert (result.code, result.json["pulled"]["transactions"]) == (0, len(account.transactions)), (
        result.stderr
    )


def export_of(project: Project, account: Account, *more: dict[str, str], currency: str = "USD") -> None:
    rows = [exported(transaction) for transaction in account.transactions.values()]
    write_export(project.folder / "sales.csv", [*rows, *more], currency=currency)


def reconcile(project: Project, *words: str) -> Result:
    return project.command("reconcile", "p.yaml", "sales.csv", "--json", *words)


def rows_of(url: str, statement: str) -> list[tuple[Any, ...]]:
    with open_warehouse(url) as tables, tables.begin() as connection:
        return [tuple(row) for row in tables.read(connection, statement)]


def stored(project: Project) -> list[tuple[Any, ...]]:
    return rows_of(f"sqlite:///{project.folder / 'tables.db'}", "SELECT * FROM transactions ORDER BY 1")


def counted(*, read: int, new: int = 0, merged: int = 0, known: int = 0, bad: int = 0) -> dict[str, int]:
    return {"read": read, "new": new, "merged": merged, "known": known, "bad": bad}


# --- merging


def test_each_transaction_counts_once_and_a_second_time_changes_nothing(
    database: str, project: Project, sandbox: Sandbox, account: Account
) -> None:
    project.environ["TABLES_URL"] = database
    pulled(project, sandbox, account, into="${TABLES_URL}")
    select = (
        "SELECT transaction_id, origin, transaction_type, net_amount, transaction_full_amount, currency,"
        " transaction_date_utc, lead_id FROM transactions ORDER BY transaction_id"
    )
    before = rows_of(database, select)
    late = Transaction(
        "77", id="900001", amount="1,050.5", date="2024-02-01 08:00:00", buyer={"email": "c@x.org"}
    )
    export_of(project, account, exported(late))
    first = reconcile(project)
    after = rows_of(database, select)
    second = reconcile(project)
    assert (first.code, second.code) == (3, 3)
    assert first.json["rows"] == counted(read=5, new=1, merged=4)
    assert second.json["rows"] == counted(read=5, known=5)
    assert rows_of(database, select) == after
    assert [row[:5] for row in after[:4]] == [row[:5] for row in before]
    assert [row[6:] for row in after[:4]] == [row[6:] for row in before]
    assert [row[5] for row in after] == ["USD"] * 5
    key, origin, kind, net, amount, _, at, lead = after[4]
    assert (key, origin, kind, lead) == ("900001", "export", "sale", "77")
    assert (Decimal(net), Decimal(amount)) == (Decimal("1050.5"), Decimal("1050.5"))
    assert as_utc(at) == datetime(2024, 2, 1, 13, tzinfo=UTC)


def test_the_income_is_that_of_the_account_after_a_merge(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    pulled(project, sandbox, account)
    export_of(project, account)
    reconcile(project)
    nets = rows_of(f"sqlite:///{project.folder / 'tables.db'}", "SELECT net_amount FROM transactions")
    assert sum(Decimal(net) for (net,) in nets) == Decimal("97.10") - Decimal("7.05") + Decimal("97.10")


def test_all_agrees_and_the_exit_is_zero(project: Project, sandbox: Sandbox, account: Account) -> None:
    pulled(project, sandbox, account)
    export_of(project, account)
    done = reconcile(project)
    assert (done.code, done.json["agrees"], done.json["gaps"]) == (0, True, NOTHING)
    assert (done.json["currency"], done.json["leads_not_on_roster"]) == ("USD", [])
    assert (done.json["from"], done.json["to"]) == ("2024-02-01T04:30:00+00:00", "2024-03-02T15:00:00+00:00")
    told = project.command("reconcile", "p.yaml", "sales.csv")
    assert (told.code, told.stderr) == (0, "")
    assert "everything agrees" in told.stdout


def test_what_has_no_column_stays_under_its_own_name_and_empty_cells_do_not(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    pulled(project, sandbox, account)
    export_of(project, account)
    reconcile(project)
    with open_warehouse(project.folder / "tables.db") as tables, tables.begin() as connection:
        extra = tables.read(connection, "SELECT extra ->> 'Processor', extra ->> 'Trial' FROM transactions")
        keys = tables.read(connection, "SELECT DISTINCT key FROM transactions, json_each(transactions.extra)")
    assert {tuple(row) for row in extra} == {("Stripe", "No")}
    assert {"Affiliate_Revenue (USD)", "Buyer_Name", "Processor_transaction_id"} <= {row.key for row in keys}
    assert not {"subscription_id", "Affiliate_Username", "Seller_username"} & {row.key for row in keys}


def test_a_pull_replaces_what_was_known_from_the_export_alone(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    write_pull(project, account)
    rows = [exported(one, Amount="1.00") for one in account.transactions.values()]
    write_export(project.folder / "sales.csv", rows)
    first = reconcile(project)
    assert first.json["rows"] == counted(read=4, new=4)
    assert project.run().code == 0
    export_of(project, account)
    again = reconcile(project)
    assert (again.code, again.json["gaps"]) == (0, NOTHING)


def test_a_later_export_goes_before_an_earlier_one(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    write_pull(project, account)
    sale = next(iter(account.transactions.values()))
    for amount, expected in (("10.00", "10.00"), ("12.50", "12.50")):
        write_export(project.folder / "sales.csv", [exported(sale, Amount=amount)])
        reconcile(project)
        url = f"sqlite:///{project.folder / 'tables.db'}"
        assert rows_of(url, "SELECT transaction_full_amount, net_amount FROM transactions") == [
            (expected,) * 2
        ]


# --- gaps


def test_gaps_of_both_sides_are_listed(project: Project, sandbox: Sandbox, account: Account) -> None:
    pulled(project, sandbox, account)
    first, partial, rebill, failed = account.transactions.values()
    other = exported(first, ID="900001", lead_id="4711")
    rows = [
        exported(first, Amount="-97.10"),  # the sign says nothing
        exported(rebill, Amount="97.11", Transaction_Type="Sale"),
        exported(failed),
        other,
    ]
    write_export(project.folder / "sales.csv", rows)
    done = reconcile(project, "--csv", "gaps.csv")
    gaps = done.json["gaps"]
    assert done.code == 3
    assert [(gap["row"], gap["transaction_id"], gap["lead_id"]) for gap in gaps["not_pulled"]] == [
        (5, "900001", "4711")
    ]
    assert [gap["transaction_id"] for gap in gaps["not_in_export"]] == [partial.id]
    assert [
        (gap["transaction_id"], gap["what"], gap["in_export"], gap["pulled"]) for gap in gaps["disagrees"]
    ] == [
        (rebill.id, "transaction_type", "sale", "rebill"),
        (rebill.id, "transaction_full_amount", "97.11", "97.10"),
    ]
    assert done.json["leads_not_on_roster"] == ["4711"]
    written = project.folder / "gaps.csv"
    with written.open(encoding="utf-8", newline="") as handle:
        kinds = [row["kind"] for row in csv.DictReader(handle)]
    assert kinds == ["not_pulled", "not_in_export", "disagrees", "disagrees"]
    assert stat.S_IMODE(written.stat().st_mode) == 0o600


def test_what_was_pulled_from_before_or_after_the_export_is_no_gap(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    pulled(project, sandbox, account)
    partial, rebill = list(account.transactions.values())[1:3]
    write_export(project.folder / "sales.csv", [exported(partial), exported(rebill)])
    assert reconcile(project).json["gaps"] == NOTHING


def test_leads_that_only_the_export_knows_are_won_for_the_next_pull(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    write_pull(project, account)
    write_roster(project, ["bob@example.org"])
    assert project.run().json["pulled"]["transactions"] == 1
    export_of(project, account)
    ann = account.lead("ann@example.org")
    assert ann is not None
    looked = reconcile(project)
    assert (looked.json["leads_not_on_roster"], looked.json["leads_added"]) == ([ann.id], 0)
    added = reconcile(project, "--add-leads")
    assert (added.code, added.json["leads_added"]) == (3, 1)
    assert reconcile(project, "--add-leads").json["leads_added"] == 0
    assert project.run().code == 0
    done = reconcile(project)
    assert (done.code, done.json["gaps"]) == (0, NOTHING)


def test_a_cancellation_that_was_asked_for_or_taken_back_is_one(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    lead = next(iter(account.leads))
    for day in ("05", "06"):
        account.add_transaction(Transaction(lead, type="cancellation", date=f"2024-03-{day} 10:00:00"))
    pulled(project, sandbox, account)
    *_, asked, back = account.transactions.values()
    more = exported(asked, ID="900001", Transaction_Type="Request Can.", Date="2024-03-07 10:00:00")
    rows = [
        exported(asked, Transaction_Type="Request Can."),
        exported(back, Transaction_Type="Revert Can."),
        more,
    ]
    write_export(project.folder / "sales.csv", rows)
    done = reconcile(project)
    assert (done.json["gaps"]["disagrees"], done.json["gaps"]["unknown_type"]) == ([], [])
    select = "SELECT transaction_type, net_amount FROM transactions WHERE transaction_id = '900001'"
    url = f"sqlite:///{project.folder / 'tables.db'}"
    assert rows_of(url, select) == [("request_cancellation", "0")]


# --- bad rows and bad files


def test_a_bad_row_is_listed_with_its_reason_and_stops_no_other(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    pulled(project, sandbox, account)
    good = [exported(one) for one in account.transactions.values()]
    bad = [
        exported(next(iter(account.transactions.values())), **change)
        for change in (
            {"ID": ""},
            {"ID": "1.2E+08"},
            {"Amount": "97,10"},
            {"Amount": "97.10 $"},
            {"Sales_tax": "much"},
            {"Date": "tomorrow at noon"},
            {"Date": "March 2024"},
            {"Transaction_Type": "N/A"},
            {"Amount": "98.00"},  # the ID of an earlier row
        )
    ]
    write_export(project.folder / "sales.csv", [*bad[:-1], *good, bad[-1], good[0]])
    done = reconcile(project)
    assert done.code == 3
    assert done.json["rows"] == counted(read=14, merged=4, known=1, bad=9)
    assert [(gap["row"], gap["what"]) for gap in done.json["gaps"]["bad_row"]] == [
        (2, "no ID"),
        (3, "the ID is not a number"),
        (4, "the Amount (USD) is not an amount"),
        (5, "the Amount (USD) is not an amount"),
        (6, "the Sales_tax (USD) is not an amount"),
        (7, "the Date cannot be read; say how it is written with --date-format"),
        (8, "the Date is not a whole date"),
        (9, "no Transaction_Type"),
        (14, "the ID is that of an earlier row, which says something else"),
    ]
    assert done.json["gaps"] | {"bad_row": []} == NOTHING


def test_a_type_nobody_knows_is_kept_without_an_income_and_listed(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    write_pull(project, account)
    sale = next(iter(account.transactions.values()))
    write_export(project.folder / "sales.csv", [exported(sale, Transaction_Type="Gift Card")])
    done = reconcile(project)
    assert [gap["transaction_id"] for gap in done.json["gaps"]["unknown_type"]] == [sale.id]
    url = f"sqlite:///{project.folder / 'tables.db'}"
    assert rows_of(url, "SELECT transaction_type, net_amount FROM transactions") == [("gift_card", None)]


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (["Email", "Name"], "it has no column ID, Transaction_Type, Date, Amount"),
        ([name.replace("Revenue (USD)", "Revenue (EUR)") for name in HEADER], "there is EUR and USD"),
        ([name.removesuffix(" (USD)") for name in HEADER], "there is none"),
        ([*HEADER[:-1], "ID"], "columns that repeat the name of another"),
    ],
)
def test_a_file_that_is_no_such_export_is_refused_before_anything_is_written(
    header: list[str], reason: str, project: Project, account: Account
) -> None:
    project.environ |= dict.fromkeys(("KARTRA_APP_ID", "KARTRA_API_KEY", "KARTRA_API_PASSWORD"), "x")
    project.environ["KARTRA_URL"] = "http://127.0.0.1:9/api"
    write_pull(project, account)
    write_export(project.folder / "sales.csv", [], header=header)
    done = project.command("reconcile", "p.yaml", "sales.csv")
    assert (done.code, done.stdout) == (1, "")
    assert reason in done.stderr
    assert not (project.folder / "tables.db").exists()


@pytest.mark.parametrize("last", ["Rebill_reattempt", "Rebill_reatt", "Rebill_r"])
@pytest.mark.parametrize("currency", ["USD", "EUR"])
def test_any_currency_and_a_last_name_cut_off_are_read(
    last: str, currency: str, project: Project, sandbox: Sandbox, account: Account
) -> None:
    write_pull(project, account)
    sale = next(iter(account.transactions.values()))
    write_export(
        project.folder / "sales.csv", [exported(sale)], currency=currency, header=[*HEADER[:-1], last]
    )
    assert reconcile(project).json["currency"] == currency
    url = f"sqlite:///{project.folder / 'tables.db'}"
    assert rows_of(url, "SELECT currency, extra ->> 'Rebill_reattempt' FROM transactions") == [
        (currency, "0")
    ]


# --- dates


def dated(project: Project, account: Account, *dates: str) -> None:
    sale = next(iter(account.transactions.values()))
    rows = [exported(sale, ID=str(1000 + number), Date=date) for number, date in enumerate(dates)]
    write_export(project.folder / "sales.csv", rows)


def instants(project: Project) -> list[str]:
    url = f"sqlite:///{project.folder / 'tables.db'}"
    select = "SELECT transaction_date_utc FROM transactions ORDER BY transaction_id"
    return [at for (at,) in rows_of(url, select)]


@pytest.mark.parametrize(
    ("dates", "words", "instant"),
    [
        (["2024-04-03 10:00:00"], [], "2024-04-03 15:00:00"),
        (["03 Apr 2024 10:00:00"], [], "2024-04-03 15:00:00"),
        (["2024-04-03T10:00:00+02:00"], [], "2024-04-03 08:00:00"),
        (["April 3, 2024 10:00 AM"], [], "2024-04-03 15:00:00"),
        (["03/04/2024 10:00", "25/04/2024 10:00"], [], "2024-04-03 15:00:00"),
        (["04/03/2024 10:00", "04/25/2024 10:00"], [], "2024-04-03 15:00:00"),
        (["03/04/2024 10:00"], ["--date-format", "%d/%m/%Y %H:%M"], "2024-04-03 15:00:00"),
        (["04/03/24 10:00"], ["--date-format", "%m/%d/%y %H:%M"], "2024-04-03 15:00:00"),
    ],
)
def test_dates_are_read_as_they_are_written(
    dates: list[str], words: list[str], instant: str, project: Project, sandbox: Sandbox, account: Account
) -> None:
    write_pull(project, account)
    dated(project, account, *dates)
    assert reconcile(project, *words).json["rows"]["new"] == len(dates)
    assert instants(project)[0] == instant


@pytest.mark.parametrize("dates", [["03/04/2024 10:00"], ["03/04/2024", "25/04/2024", "04/25/2024"]])
def test_a_day_that_may_be_a_month_is_refused(
    dates: list[str], project: Project, sandbox: Sandbox, account: Account
) -> None:
    write_pull(project, account)
    dated(project, account, *dates)
    done = reconcile(project)
    assert done.code == 2
    assert "dates are ambiguous" in done.json["error"]
    assert "--date-format" in done.json["error"]
    assert instants(project) == []


def test_the_zone_of_the_pull_is_that_of_the_export(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    write_pull(project, account, more="time_zone: America/New_York")
    dated(project, account, "2024-07-01 10:00:00", "2024-11-03 01:30:00")
    reconcile(project)
    assert instants(project) == ["2024-07-01 14:00:00", "2024-11-03 06:30:00"]


# --- private


def test_neither_addresses_nor_names_are_shown(project: Project, sandbox: Sandbox, account: Account) -> None:
    write_pull(project, account)
    export_of(project, account, exported(next(iter(account.transactions.values())), Amount="a lot"))
    for words in ((), ("--json",), ("-vv",)):
        done = project.command("reconcile", "p.yaml", "sales.csv", "--csv", "gaps.csv", "--replace", *words)
        said = done.stdout + done.stderr + (project.folder / "gaps.csv").read_text(encoding="utf-8")
        assert done.code == 3
        assert not [word for word in ("@", "Ann", "a lot", "ch_") if word in said]


def test_long_lists_are_cut_on_screen_and_whole_as_json(
    project: Project, sandbox: Sandbox, account: Account
) -> None:
    write_pull(project, account)
    dated(project, account, *["2024-04-03 10:00:00"] * 25)
    told = project.command("reconcile", "p.yaml", "sales.csv").stdout
    assert told.count("transaction 10") == 10
    assert "and 15 more" in told
    assert len(reconcile(project).json["gaps"]["not_pulled"]) == 25
