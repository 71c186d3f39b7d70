"""The page of the tables: revenue, products, refunds, what recurs, what ends, how lists grow.

Each section is what one report says, as a chart and the table beside it. No amount is added to one of another
currency: each currency has a chart and rows of its own. Months and weeks are those of `pull.zone`. Over 400
lines, because it is one page: a table of its sections, and what makes their rows cells, tiles and charts.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from pipelines.pages.charts import Chart, Value, chart
from pipelines.pages.template import page
from pipelines.tables.reports import ReportRows
from pipelines.words.numbers import counted

SHOWN = {"month": 24, "week": 26}
"""The latest periods on the page, by the column they stand in."""
NAMES_SHOWN = 25
"""Products, lists and subscriptions on the page, the largest first; the reports have all of them."""

REPORTS = (
    "revenue_by_month",
    "revenue_by_product",
    "refund_rate",
    "recurring_revenue",
    "subscriptions_active",
    "churn",
    "failed_payments",
    "new_leads_by_week",
    "list_growth",
    "list_sizes",
    "leads_by_source",
    "freshness",
)
"""What the page is made of, by the names of the reports."""

_HEADINGS = {
    "left_it": "left",
    "product_name": "product",
    "list_name": "list",
    "percent_of_sales": "% of sales",
    "percent_of_money": "% of money",
    "percent_cancelled": "% cancelled",
    "monthly_instalments": "in instalments",
    "unvalued": "not counted",
    "undated": "end unknown",
}
_ONLY_WHERE_THERE_ARE_ANY = frozenset(
    {"charged_back", "unvalued", "undated", "monthly_instalments", "paused", "finished"}
)
"""Columns that are left out where every row has 0."""
_CENT = Decimal("0.01")
_NO_DATE = "no date"
_NO_CURRENCY = "currency unknown"

Row = Mapping[str, str | int | None]


@dataclass(frozen=True, slots=True)
class Cell:
    """`value` is the figure as the report has it, for machines; `words` is how a person reads it."""

    words: str
    value: str = ""
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    caption: str
    headings: tuple[Cell, ...]
    rows: tuple[tuple[Cell, ...], ...]
    shares: tuple[float, ...] = ()
    """How long the bar of each row is, in per cent, where rows have bars."""
    more: str = ""
    """Where the rest is, where there are more rows than the page has."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A table, and the chart beside it."""

    table: Table
    chart: Chart | None


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    note: str
    pairs: tuple[Pair, ...]
    """One for each currency, where there is money in it."""


@dataclass(frozen=True, slots=True)
class Tile:
    """What is looked at first: a figure, or one for each currency."""

    words: str
    figures: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TablesPage:
    pipeline: str
    account: str
    zone: str
    as_of: str
    """When the last pull ended, in the calendar of `zone`; empty before the first one."""
    waiting: str
    """What is not in the tables yet, as a sentence, or nothing."""
    tiles: tuple[Tile, ...]
    sections: tuple[Section, ...]


@dataclass(frozen=True, slots=True)
class Heading:
    """Whose tables they are."""

    file: str
    pipeline: str
    account: str
    zone: str
    as_of: str


def tables_page(heading: Heading, reports: Mapping[str, ReportRows]) -> str:
    return page("tables_page.html", page=page_of(heading, reports))


def page_of(heading: Heading, reports: Mapping[str, ReportRows]) -> TablesPage:
    """From the reports that REPORTS names."""
    rows = {name: _rows(found) for name, found in reports.items()}
    rows["list_growth"] = _all_lists(rows["list_growth"])
    sections = (_section(part, heading.file, rows[part.report]) for part in _PARTS)
    return TablesPage(
        pipeline=heading.pipeline,
        account=heading.account,
        zone=heading.zone,
        as_of=heading.as_of,
        waiting=_waiting(rows["freshness"][0]),
        tiles=tuple(_tiles(rows)),
        sections=tuple(section for section in sections if section.pairs),
    )


# --- the sections


@dataclass(frozen=True, slots=True)
class _Part:
    """A section before it has figures: which report, which of its columns, and what is drawn."""

    report: str
    title: str
    note: str
    columns: tuple[str, ...]
    period: str = ""
    """The column of the month or week, where the section goes over time; else the largest come first."""
    drawn: str = ""
    """The title of the chart over time."""
    figure: str = ""
    """The column that the chart, or the bar of a row, shows."""
    unit: str = ""


_PARTS = (
    _Part(
        "revenue_by_month",
        "Revenue by month",
        "What was sold, less what was given and charged back in that month.",
        ("month", "gross", "refunded", "charged_back", "net", "sales", "currency", "unvalued"),
        period="month",
        drawn="Net revenue by month",
        figure="net",
    ),
    _Part(
        "revenue_by_product",
        "Products",
        "Over all months in the tables, with the name each was last sold under.",
        ("product_name", "gross", "refunded", "charged_back", "net", "sales", "currency", "unvalued"),
        figure="net",
    ),
    _Part(
        "refund_rate",
        "Refunds",
        "What came back of each month's sales; a later refund counts in the month of its sale.",
        (
            "month",
            *("sales", "refunded_sales", "percent_of_sales"),
            *("gross", "refunded", "percent_of_money", "currency", "unvalued"),
        ),
        period="month",
        drawn="Refunded, in per cent of the money",
        figure="percent_of_money",
        unit="%",
    ),
    _Part(
        "recurring_revenue",
        "Monthly recurring revenue",
        "The next payments of active subscriptions, as a month's; instalments end by themselves.",
        ("currency", "active", "paused", "monthly", "monthly_instalments", "unvalued"),
    ),
    _Part(
        "subscriptions_active",
        "Subscriptions",
        "Active ones by product and period, and what they bring in a month.",
        ("product_name", "price_point", "period", "subscriptions", "monthly", "currency", "unvalued"),
        figure="monthly",
    ),
    _Part(
        "churn",
        "Churn",
        "Subscriptions that were cancelled, of those that ran when the month began.",
        (
            "month",
            *("running_before", "cancelled", "finished", "percent_cancelled"),
            *("monthly_lost", "currency", "undated", "unvalued"),
        ),
        period="month",
        drawn="Cancelled, in per cent of those running",
        figure="percent_cancelled",
        unit="%",
    ),
    _Part(
        "failed_payments",
        "Failed payments",
        "Payments that Kartra tried to take and did not get.",
        ("month", "payments", "amount", "leads", "currency", "unvalued"),
        period="month",
        drawn="Failed payments by month",
        figure="amount",
    ),
    _Part(
        "new_leads_by_week",
        "New leads",
        "By the Monday of the week in which they joined.",
        ("week", "leads"),
        period="week",
        drawn="New leads by week",
        figure="leads",
    ),
    _Part(
        "list_growth",
        "Growth of the lists",
        "Who joined and left a list, all lists together, by the Monday of the week in which a pull saw it.",
        ("week", "joined", "left_it", "growth"),
        period="week",
        drawn="Joined and left by week, all lists",
        figure="joined",
    ),
    _Part(
        "list_sizes",
        "Lists today",
        "Leads that are on each list, and those that have left it.",
        ("list_name", "subscribed", "left_it", "unvalued"),
        figure="subscribed",
    ),
)


def _section(part: _Part, file: str, rows: Sequence[Row]) -> Section:
    command = f"kartra-sync report {file} {part.report.replace('_', '-')}"
    if "currency" not in part.columns[1:]:
        return Section(part.title, part.note, (_pair(part, part.title, rows, command),) if rows else ())
    currencies = sorted({row["currency"] for row in rows}, key=lambda name: (name is None, name))
    return Section(
        part.title,
        part.note,
        tuple(
            _pair(
                part,
                f"{part.title}, {name or _NO_CURRENCY}",
                [row for row in rows if row["currency"] == name],
                command,
            )
            for name in currencies
        ),
    )


def _pair(part: _Part, title: str, rows: Sequence[Row], command: str) -> Pair:
    """Of one currency, or of what has none."""
    if not part.figure:
        return Pair(_table(part, title, rows, ""), None)
    if not part.period:
        largest = sorted(rows, key=lambda row: Decimal(row[part.figure] or 0), reverse=True)
        return Pair(_table(part, title, largest[:NAMES_SHOWN], _others(rows, command)), None)
    shown = _latest(rows, part.period)
    lost = _values(shown, part, "left_it") if "left_it" in part.columns else ()
    return Pair(
        _table(part, title, shown, _older(part, rows, command)),
        chart(title.replace(part.title, part.drawn), _values(shown, part, part.figure), lost),
    )


def _all_lists(rows: Sequence[Row]) -> list[Row]:
    """The growth of all lists together, a row for each week."""
    weeks: dict[str, tuple[int, int]] = {}
    for row in rows:
        joined, left = weeks.get(str(row["week"]), (0, 0))
        weeks[str(row["week"])] = joined + int(row["joined"] or 0), left + int(row["left_it"] or 0)
    return [
        {"week": week, "joined": joined, "left_it": left, "growth": joined - left}
        for week, (joined, left) in weeks.items()
    ]


# --- the figures at the top


def _tiles(rows: Mapping[str, Sequence[Row]]) -> Iterable[Tile]:
    dated = [row for row in rows["revenue_by_month"] if row["month"]]
    if dated:
        last = max(str(row["month"]) for row in dated)
        # Months compare as text: a year's twelve are those after the same month of the year before.
        begin = f"{int(last[:4]) - 1:04}{last[4:]}"
        year = [row for row in dated if str(row["month"]) > begin]
        yield Tile(f"net revenue, twelve months to {last}", _in_each_currency(year, "net"))
    running = [row for row in rows["recurring_revenue"] if row["active"]]
    if running:
        yield Tile("recurring a month", _in_each_currency(running, "monthly"))
        yield Tile("active subscriptions", (f"{sum(int(row['active'] or 0) for row in running):,}",))
    yield Tile(
        "leads in the tables", (f"{sum(int(row['leads'] or 0) for row in rows['leads_by_source']):,}",)
    )


def _in_each_currency(rows: Sequence[Row], column: str) -> tuple[str, ...]:
    sums: dict[str, Decimal] = {}
    for row in rows:
        currency = str(row["currency"] or _NO_CURRENCY)
        sums[currency] = sums.get(currency, Decimal(0)) + Decimal(row[column] or 0)
    return tuple(f"{grouped(str(amount))} {currency}" for currency, amount in sorted(sums.items()))


def _waiting(freshness: Row) -> str:
    parts = [
        counted(int(freshness[name] or 0), one, many)
        for name, one, many in (
            ("waiting", "lead", ""),
            ("owed", "sale without its details", "sales without their details"),
        )
        if freshness[name]
    ]
    return f"Not in the tables yet: {' and '.join(parts)}. The next pull goes on with them." if parts else ""


# --- rows, cells and charts


def _rows(found: ReportRows) -> list[Row]:
    return [dict(zip(found.columns, row, strict=True)) for row in found.rows]


def _values(rows: Sequence[Row], part: _Part, column: str) -> list[Value]:
    return [
        Value(str(row[part.period]), str(row[column]), f"{grouped(str(row[column]))}{part.unit}")
        for row in rows
        if row[part.period] is not None and row[column] is not None
    ]


def _latest(rows: Sequence[Row], period: str) -> list[Row]:
    """The rows of the last periods, and those without one."""
    periods = sorted({str(row[period]) for row in rows if row[period] is not None})
    first = periods[-SHOWN[period] :][0] if periods else ""
    return [
        *(row for row in rows if row[period] is not None and str(row[period]) >= first),
        *(row for row in rows if row[period] is None),
    ]


def _older(part: _Part, rows: Sequence[Row], command: str) -> str:
    count = len({row[part.period] for row in rows if row[part.period] is not None})
    shown = SHOWN[part.period]
    return f"The last {shown} {part.period}s of {count:,}; all of them: {command}" if count > shown else ""


def _others(rows: Sequence[Row], command: str) -> str:
    if len(rows) <= NAMES_SHOWN:
        return ""
    return f"The first {NAMES_SHOWN} of {len(rows):,}; all of them: {command}"


def _table(part: _Part, title: str, rows: Sequence[Row], more: str) -> Table:
    shown = [
        column
        for place, column in enumerate(part.columns)
        if (column != "currency" or not place)  # it stands in the title
        and (column not in _ONLY_WHERE_THERE_ARE_ANY or any(Decimal(row[column] or 0) for row in rows))
    ]
    numbers = {column for column in shown[1:] if all(_is_number(row[column]) for row in rows)}
    has_bars = bool(part.figure) and not part.period
    return Table(
        title,
        tuple(Cell(_HEADINGS.get(name, name.replace("_", " ")), is_number=name in numbers) for name in shown),
        tuple(tuple(_cell(column, row[column], column in numbers) for column in shown) for row in rows),
        _shares([Decimal(row[part.figure] or 0) for row in rows]) if has_bars else (),
        more,
    )


def _shares(numbers: Sequence[Decimal]) -> tuple[float, ...]:
    most = max(numbers, default=Decimal(0))
    return tuple(float(100 * max(number, Decimal(0)) / most) for number in numbers) if most > 0 else ()


def _cell(column: str, value: str | int | None, is_number: bool) -> Cell:
    if value is None:
        return Cell({"currency": _NO_CURRENCY}.get(column, _NO_DATE if column in SHOWN else ""))
    return Cell(grouped(str(value)), str(value), True) if is_number else Cell(str(value))


def _is_number(value: str | int | None) -> bool:
    if value is None or isinstance(value, int):
        return True
    whole, point, parts = value.removeprefix("-").partition(".")
    return (
        bool(point) and whole.isdigit() and parts.isdigit()
    )  # without a point it is a name or a number of something


def grouped(number: str) -> str:
    """12 as it is, 1234567.505 as 1,234,567.51."""
    return f"{Decimal(number).quantize(_CENT, ROUND_HALF_UP) if '.' in number else int(number):,}"
