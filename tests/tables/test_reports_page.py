"""`report --html`: charts with the figures of the reports, each currency apart, and no script."""

import pytest

from connectors.kartra.sandbox import Account, Sandbox
from pipelines.pages.charts import Value, chart
from pipelines.tables.warehouse import open_warehouse
from tests.conftest import LOAD, Project
from tests.pages import NEEDS_BROWSER, Page, browse
from tests.pull.accounts import write_pull
from tests.tables.shop import NOW, fill

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def shop(project: Project, sandbox: Sandbox) -> Project:
    """Tables that hold the shop and a list whose name looks like a script, by Vienna's calendar."""
    write_pull(project, Account(), more="zone: Europe/Vienna")
    with open_warehouse(project.folder / "tables.db") as tables:
        fill(tables)
        with tables.begin() as connection:
            named = {"name": HOSTILE, "first_seen_at": NOW, "last_seen_at": NOW, "gone_at": None}
            tables.upsert(connection, "lists", [named])
    return project


def page_of(shop: Project) -> Page:
    done = shop.command("report", "p.yaml", "--html", "run.html")
    assert (done.code, done.stdout) == (0, ""), done.stderr
    return Page((shop.folder / "run.html").read_text(encoding="utf-8"))


def rows_of(shop: Project, name: str, *columns: str, currency: str | None = None) -> list[list[str]]:
    """Those columns of a report, as texts."""
    found = shop.command("report", "p.yaml", name, "--json").json
    rows = [dict(zip(found["columns"], row, strict=True)) for row in found["rows"]]
    return [
        ["" if row[column] is None else str(row[column]) for column in columns]
        for row in rows
        if row.get("currency") == currency
    ]


def test_the_figures_of_the_page_are_those_of_the_reports(shop: Project) -> None:
    page = page_of(shop)
    in_usd = rows_of(
        shop, "revenue-by-month", "month", "gross", "refunded", "charged_back", "net", "sales", "unvalued",
        currency="USD",
    )  # fmt: skip
    assert page.tables["Revenue by month, USD"][1:] == in_usd
    refunds = rows_of(
        shop, "refund-rate", "month", "sales", "refunded_sales", "percent_of_sales", "gross", "refunded",
        "percent_of_money", "unvalued", currency="USD",
    )  # fmt: skip
    assert page.tables["Refunds, USD"][1:] == refunds
    churn = rows_of(
        shop, "churn", "month", "running_before", "cancelled", "finished", "percent_cancelled",
        "monthly_lost", "undated", "unvalued", currency="USD",
    )  # fmt: skip
    assert page.tables["Churn, USD"][1:] == [[row[0] or "no date", *row[1:]] for row in churn]
    assert page.tables["Monthly recurring revenue"][1:] == [
        ["EUR", "1", "0", "56.355", "0.00", "0"],
        ["USD", "7", "1", "81.6708", "50.00", "3"],
    ]
    sizes = rows_of(shop, "list-sizes", "list_name", "subscribed", "left_it")
    assert [row[:3] for row in page.tables["Lists today"][1:]] == sizes


def test_a_chart_has_a_bar_for_each_row_and_no_currency_in_another(shop: Project) -> None:
    page = page_of(shop)
    assert page.charts["Net revenue by month, EUR"] == ["2024-12: 49.90"]
    # In Vienna the last second of 2024 is in 2025: 100 + 97.405 - 10.01 = 187.395
    assert page.charts["Net revenue by month, USD"] == [
        "2023-05: 100.00",
        "2025-01: 187.40",
        "2025-02: -97.11",
    ]
    assert page.charts["Net revenue by month, currency unknown"] == ["2025-02: -25.00"]
    growth = page.tables["Growth of the lists"][1:]
    assert [sum(int(row[place]) for row in growth) for place in (1, 2)] == [2, 2]


def test_a_page_of_reports_needs_nothing_from_elsewhere_and_escapes(shop: Project) -> None:
    page = page_of(shop)
    assert ("script" in page.tags, page.fetched) == (False, [])
    assert HOSTILE in page.words
    text = (shop.folder / "run.html").read_text(encoding="utf-8")
    assert "default-src 'none'" in text
    assert "as of 2025-02-28 03:00 · calendar of Europe/Vienna" in page.words
    assert "Not in the tables yet: 1 lead." in page.words
    assert oct((shop.folder / "run.html").stat().st_mode & 0o777) == "0o600"
    # For who hears the page: each chart has a name, each table a caption, each column and row a heading.
    assert text.count('role="img" aria-label=') == len(page.charts)
    assert len(page.tables) == page.tags.count("table") == page.tags.count("caption")
    assert page.tags.count("tr") == text.count('<th scope="row"') + page.tags.count("thead")


@NEEDS_BROWSER
def test_a_browser_shows_the_reports_without_a_complaint(shop: Project) -> None:
    page = page_of(shop)
    done = browse(shop.folder, "--dump-dom", "--enable-logging=stderr")
    assert "CONSOLE" not in done.stderr
    shown = Page(done.stdout)
    assert (shown.tables, shown.charts) == (page.tables, page.charts)
    browse(shop.folder, "--print-to-pdf=run.pdf")
    assert (shop.folder / "run.pdf").read_bytes().startswith(b"%PDF")


def test_years_of_lists_and_products_stay_under_a_megabyte(shop: Project) -> None:
    with open_warehouse(shop.folder / "tables.db") as tables, tables.begin() as connection:
        for table, column in (("lists", "name"), ("lead_lists", "list_name")):
            rows = [{column: f"List {number} {'x' * 200}"} for number in range(3000)]
            more = (
                {"first_seen_at": NOW, "last_seen_at": NOW, "gone_at": None}
                if table == "lists"
                else {"lead_id": "1", "active": 1}
            )
            tables.upsert(connection, table, [row | more for row in rows])
    page = page_of(shop)
    assert (shop.folder / "run.html").stat().st_size < 200_000
    assert "The first 25 of 3,004; all of them: kartra-sync report p.yaml list-sizes" in page.words


def test_a_page_before_the_first_sale_says_so(project: Project, sandbox: Sandbox) -> None:
    write_pull(project, Account())
    with open_warehouse(project.folder / "tables.db"):
        pass
    page = page_of(project)
    assert "nothing was pulled yet" in page.words
    assert page.charts == {}


def test_a_page_is_asked_for_without_a_name_and_of_a_pull(shop: Project) -> None:
    for words in (
        ("p.yaml",),
        ("p.yaml", "churn", "--html", "x.html"),
        ("p.yaml", "--csv", "x.csv", "--html", "x.html"),
    ):
        assert shop.command("report", *words).code == 2
    assert not (shop.folder / "x.html").exists()
    assert shop.command("report", "p.yaml", "--html", "x.html", "--json").json == {"page": "x.html"}
    assert shop.command("report", "p.yaml", "--html", "x.html").code == 2  # it is there
    shop.pipeline(LOAD)
    assert shop.command("report", "p.yaml", "--html", "y.html").code == 2


# --- charts


def test_a_month_without_a_sale_keeps_its_place() -> None:
    drawn = chart("Net", [Value("2024-11", "10.00", "10.00"), Value("2025-01", "-5.00", "-5.00")])
    assert drawn is not None
    assert (drawn.first, drawn.last, drawn.high, drawn.low) == ("2024-02", "2025-01", "10.00", "-5.00")
    assert [(round(bar.x), round(bar.y), round(bar.height), bar.is_against) for bar in drawn.bars] == [
        (76, 0, 67, False),
        (92, 67, 33, True),
    ]


def test_a_date_far_away_does_not_squeeze_the_others() -> None:
    values = [Value(period, "1", "1") for period in ("2024-11", "2024-12", "9999-12")]
    drawn = chart("Net", values)
    assert drawn is not None
    assert [round(bar.width) for bar in drawn.bars] == [27, 27, 27]


def test_what_is_nothing_but_zeros_is_not_drawn() -> None:
    assert chart("Net", [Value("2024-11", "0.00", "0.00")], [Value("2024-12", "0", "0")]) is None
