"""Accounts with sales, and what the tables of a pull have to show of them.

What is expected is worked out from the account itself, without any code of the product.
"""

import random
import time
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import create_engine, text

from connectors.kartra.sandbox import (
    Account,
    CustomField,
    Membership,
    SandboxLead,
    SequenceEntry,
    Subscription,
    Transaction,
)
from tests.conftest import Project

Rows = Counter[tuple[tuple[str, Any], ...]]
EST = timedelta(hours=5)
SIGNS = {
    "sale": 1,
    "rebill": 1,
    "refund": -1,
    "partial_refund": -1,
    "chargeback": -1,
    "failed": 0,
    "cancellation": 0,
}
NAMES = [
    "Zoë",
    "Ann",
    "O'Hara",
    "李雷",
    "Renée \U0001f642",
    "N/A",
    "",
    'Jo "JJ"',
    "back\\slash",
    "two\nlines",
]
NO_DATE = "0000-00-00 00:00:00"


def busy_account(leads: int, transactions: int, subscriptions: int, *, seed: int = 1) -> Account:
    """An account where everything occurs; dates cover two years and both changes of the clock."""
    drawn = random.Random(seed)
    account = Account(
        tags=[f"Tag {number}" for number in range(30)],
        lists=["News", "Customers", "Old"],
        sequences={"Onboarding": ["1", "2", "3"], "Win-back": ["1"]},
        pages=["Home", "Shop"],
        custom_fields=[
            CustomField("1", "note", "input_field"),
            CustomField("2", "size", "drop_down", {"610": "small", "611": "medium"}),
            CustomField("3", "fruits", "checkbox", {"1": "apple", "2": "pear", "3": "plum"}),
        ],
        products={"1": 1, "2": 3},
    )
    for number in range(leads):
        _fill(account.add_lead(f"lead{number}@example.org"), drawn)
    ids = list(account.leads)
    for _ in range(subscriptions):
        _subscribe(account, drawn.choice(ids), drawn)
    for _ in range(transactions):
        _sell(account, drawn.choice(ids), drawn)
    return account


def _fill(lead: SandboxLead, drawn: random.Random) -> None:
    fields = {"first_name": drawn.choice(NAMES), "city": drawn.choice(["Lyon", "Kraków", ""]), "zip": "00501"}
    lead.fields |= {name: value for name, value in fields.items() if value}
    lead.tags |= {f"Tag {drawn.randrange(30)}" for _ in range(drawn.randrange(5))}
    lead.lists |= {name: drawn.random() < 0.7 for name in ("News", "Customers") if drawn.random() < 0.6}
    if drawn.random() < 0.4:
        lead.sequences["Onboarding"] = SequenceEntry("2", drawn.choice(["active", "unsubscribed"]))
    if drawn.random() < 0.2:
        lead.memberships = [Membership("Course", "Gold"), Membership("Course", "Silver", active=False)]
    if drawn.random() < 0.5:
        lead.custom_fields |= {"note": drawn.choice(["a, b", "[1, 2]", "N/A"]), "size": ["611"]}
    if drawn.random() < 0.3:
        lead.custom_fields["fruits"] = ["1", "3"]
    lead.score = drawn.randrange(200)
    lead.source = drawn.choice(["api", "import", "checkout", "manual"])
    lead.date_joined = _date(drawn)


def _date(drawn: random.Random) -> str:
    at = datetime(2024, 10, 1) + timedelta(seconds=drawn.randrange(2 * 365 * 86_400))  # noqa: DTZ001
    return at.strftime("%Y-%m-%d %H:%M:%S")


def _sell(account: Account, lead_id: str, drawn: random.Random) -> None:
    kind = drawn.choice(
        ["sale"] * 6 + ["rebill", "refund", "partial_refund", "failed", "chargeback", "cancellation"]
    )
    account.add_transaction(
        Transaction(
            lead_id,
            type=kind,
            amount=f"{drawn.randrange(1, 200_000) / 100:.2f}",
            date=_date(drawn),
            product_name=drawn.choice(["Course", "Bücher & mehr", "Membership"]),
            quantity=str(drawn.randrange(1, 4)),
            discount=drawn.choice(["0.00", "10.10"]),
            tax=drawn.choice(["0.00", "3.33"]),
            affiliate=drawn.choice(["N/A", "partner"]),
            card_digits=drawn.choice(["4242", "N/A"]),
        )
    )


def _subscribe(account: Account, lead_id: str, drawn: random.Random) -> None:
    status = drawn.choice(["Active", "Active", "Paused", "Cancelled", "Terminated"])
    start = _date(drawn)
    account.add_subscription(
        Subscription(
            lead_id,
            status=status,
            start_date=start,
            end_date=_date(drawn) if status in ("Cancelled", "Terminated") else NO_DATE,
            next_payment_date=_date(drawn) if status == "Active" else NO_DATE,
            amount=f"{drawn.randrange(100, 9_999) / 100:.2f}",
            installments_left=drawn.choice(["Until cancelled", "7"]),
            recurring_period=drawn.choice(["monthly", "yearly", "every 2 weeks"]),
        )
    )


# --- what has to stand in the tables


def expected(account: Account) -> dict[str, Rows]:
    """Per table the rows as sets of (column, value); a column that is None is left out."""
    leads = [lead for lead in account.leads.values() if not lead.deleted]
    return {
        **{
            name: _rows({"name": each} for each in getattr(account, name))
            for name in ("tags", "lists", "pages")
        },
        "sequences": _rows({"name": name} for name in account.sequences),
        "custom_fields": _rows(
            {"field_identifier": one.identifier, "field_id": one.id, "field_type": one.type}
            for one in account.custom_fields
        ),
        "custom_field_options": _rows(
            {"field_identifier": one.identifier, "option_id": number, "option_value": label}
            for one in account.custom_fields
            for number, label in one.options.items()
        ),
        "leads": _rows(_lead(lead) for lead in leads),
        "lead_tags": _rows({"lead_id": lead.id, "tag_name": tag} for lead in leads for tag in lead.tags),
        "lead_lists": _rows(
            {"lead_id": lead.id, "list_name": name, "active": int(active)}
            for lead in leads
            for name, active in lead.lists.items()
        ),
        "lead_sequences": _rows(
            {"lead_id": lead.id, "sequence_name": name, "step": entry.step, "status": entry.status}
            for lead in leads
            for name, entry in lead.sequences.items()
        ),
        "lead_memberships": _rows(
            {"lead_id": lead.id, "name": one.name, "level_name": one.level_name, "active": int(one.active)}
            for lead in leads
            for one in lead.memberships
        ),
        "lead_custom_fields": _rows(row for lead in leads for row in _values(lead, account)),
        "transactions": _rows(
            _transaction(one)
            for one in account.transactions.values()
            if not account.leads[one.lead_id].deleted
        ),
        "subscriptions": _rows(
            _subscription(one, account)
            for one in account.subscriptions.values()
            if not account.leads[one.lead_id].deleted
        ),
    }


COLUMNS = {
    "leads": (
        "id",
        "email",
        "first_name",
        "city",
        "zip",
        "score",
        "source",
        "date_joined",
        "date_joined_utc",
    ),
    "transactions": (
        *(
            "transaction_id",
            "lead_id",
            "lead_email",
            "transaction_type",
            "transaction_full_amount",
            "net_amount",
        ),
        *("transaction_date", "transaction_date_utc", "product_name", "product_id", "transaction_quantity"),
        *(
            "transaction_discount",
            "transaction_tax",
            "transaction_affiliate",
            "transaction_last_4_card_digits",
        ),
        *("lead_first_name", "origin"),
    ),
    "subscriptions": (
        *("subscription_id", "lead_id", "subscription_status", "subscription_start_date"),
        *("subscription_start_date_utc", "subscription_end_date", "subscription_end_date_utc"),
        *("subscription_next_payment_date", "subscription_next_scheduled_payment_amount"),
        *("subscription_installments_left", "subscription_recurring_period", "is_owed"),
    ),
    **dict.fromkeys(("tags", "lists", "sequences", "pages"), ("name",)),
    "custom_fields": ("field_identifier", "field_id", "field_type"),
    "custom_field_options": ("field_identifier", "option_id", "option_value"),
    "lead_tags": ("lead_id", "tag_name"),
    "lead_lists": ("lead_id", "list_name", "active"),
    "lead_sequences": ("lead_id", "sequence_name", "step", "status"),
    "lead_memberships": ("lead_id", "name", "level_name", "active"),
    "lead_custom_fields": (
        "lead_id",
        "field_identifier",
        "option_id",
        "field_id",
        "field_type",
        "field_value",
    ),
}


def read(url: str) -> dict[str, Rows]:
    """What stands in the tables, in the same form: amounts as Decimal, times as aware datetimes."""
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return {
                table: _rows(
                    {name: _plain(name, value) for name, value in row._mapping.items()}
                    for row in connection.execute(text(f"SELECT {', '.join(names)} FROM {table}"))
                )
                for table, names in COLUMNS.items()
            }
    finally:
        engine.dispose()


def _plain(name: str, value: Any) -> Any:
    if value is None:
        return None
    if "amount" in name or name in ("transaction_discount", "transaction_tax"):
        assert not isinstance(value, float), f"{name} came as a float"
        return Decimal(value)
    if name.endswith("_utc"):
        at = datetime.fromisoformat(value) if isinstance(value, str) else value
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return value


def _rows(rows: Iterable[dict[str, Any]]) -> Rows:
    """Counted, so that a row that stands twice shows."""
    return Counter(
        tuple(sorted((name, value) for name, value in row.items() if value is not None)) for row in rows
    )


def _none(value: str) -> str | None:
    return None if value in ("", "N/A", NO_DATE) else value


def _utc(est: str) -> datetime | None:
    if est == NO_DATE:
        return None
    return datetime.strptime(est, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC) + EST


def _lead(lead: SandboxLead) -> dict[str, Any]:
    return {
        "id": lead.id,
        "email": lead.email,
        **{name: _none(lead.fields.get(name, "")) for name in ("first_name", "city", "zip")},
        "score": lead.score,
        "source": lead.source,
        "date_joined": lead.date_joined,
        "date_joined_utc": _utc(lead.date_joined),
    }


def _values(lead: SandboxLead, account: Account) -> Iterable[dict[str, Any]]:
    for identifier, value in lead.custom_fields.items():
        definition = account.custom_field(identifier)
        assert definition is not None
        fixed = {
            "lead_id": lead.id,
            "field_identifier": identifier,
            "field_id": definition.id,
            "field_type": definition.type,
        }
        if isinstance(value, str):
            yield {**fixed, "option_id": "", "field_value": value}
        else:
            for number in value:
                yield {**fixed, "option_id": number, "field_value": definition.options[number]}


def _transaction(one: Transaction) -> dict[str, Any]:
    return {
        "transaction_id": one.id,
        "lead_id": one.lead_id,
        "lead_email": one.buyer["email"],
        "lead_first_name": _none(one.buyer.get("first_name", "")),
        "transaction_type": one.type,
        "transaction_full_amount": Decimal(one.amount),
        "net_amount": Decimal(one.amount) * SIGNS[one.type],
        "transaction_date": one.date,
        "transaction_date_utc": _utc(one.date),
        "product_name": one.product_name,
        "product_id": one.product_id,
        "transaction_quantity": int(one.quantity),
        "transaction_discount": Decimal(one.discount),
        "transaction_tax": Decimal(one.tax),
        "transaction_affiliate": _none(one.affiliate),
        "transaction_last_4_card_digits": _none(one.card_digits),
        "origin": "api",
    }


def _subscription(one: Subscription, account: Account) -> dict[str, Any]:
    return {
        "subscription_id": one.id,
        "lead_id": one.lead_id,
        "subscription_status": one.status,
        "subscription_start_date": one.start_date,
        "subscription_start_date_utc": _utc(one.start_date),
        "subscription_end_date": _none(one.end_date),
        "subscription_end_date_utc": _utc(one.end_date),
        "subscription_next_payment_date": _none(one.next_payment_date),
        "subscription_next_scheduled_payment_amount": Decimal(one.amount) if one.status == "Active" else None,
        "subscription_installments_left": one.installments_left,
        "subscription_recurring_period": one.recurring_period,
        "is_owed": 0,
    }


# --- a project that pulls

PIPELINE = """\
pipeline: reporting
kartra:
  url: ${KARTRA_URL}
  app_id: ${KARTRA_APP_ID}
  api_key: ${KARTRA_API_KEY}
  api_password: ${KARTRA_API_PASSWORD}
"""


def write_pull(project: Project, account: Account, *, into: str = "tables.db", more: str = "") -> None:
    """`p.yaml` that pulls, and a roster with every address of the account."""
    pull = f'pull:\n  into: "{into}"\n  leads: {{csv: roster.csv, email: Email}}\n'
    pull += "".join(f"  {line}\n" for line in more.splitlines())
    (project.folder / "p.yaml").write_text(PIPELINE + pull, encoding="utf-8")
    write_roster(project, [lead.email for lead in account.leads.values()])


def write_roster(project: Project, addresses: Iterable[str]) -> None:
    rows = "".join(f"{address}\n" for address in ("Email", *addresses))
    (project.folder / "roster.csv").write_text(rows, encoding="utf-8")


def until_the_next_second() -> None:
    """SQLite keeps whole seconds: after that what is pulled again is of a later one."""
    time.sleep(1 - time.time() % 1)
