"""Keeps transactions and subscriptions: the rows of a lead's lists, and their details.

Everything here happens within one transaction of the warehouse.
"""

from collections.abc import Sequence

from connectors.kartra.cells import TableRow
from connectors.kartra.money import OVER
from pipelines.tables.answers import PulledDetails, PulledSales
from pipelines.tables.lead_rows import LeadChange
from pipelines.tables.leads import Keeping, keep_changes, status_of

_LISTED = frozenset({"listed_at"})


def keep_sales(keeping: Keeping, answer: PulledSales) -> None:
    if answer.transactions:
        _keep_transaction_stubs(keeping, answer.transactions)
    if answer.subscriptions:
        _keep_subscription_stubs(keeping, answer.subscriptions)
    row = {"now": keeping.now, "status": status_of(answer.type), "type": answer.type}
    keeping.session.run("roster/sales_asked", [{**row, "lookup": answer.lookup}])


def _keep_transaction_stubs(keeping: Keeping, stubs: Sequence[TableRow]) -> None:
    """Details are due for transactions that are new, came from an export only, or changed their type."""
    ids = [stub["transaction_id"] for stub in stubs]
    known = {row.transaction_id: row for row in keeping.session.read("pulls/known_transactions", ids=ids)}
    owed = [
        {**stub, "origin": "api", "listed_at": keeping.now, "pulled_at": None}
        for stub in stubs
        if (row := known.get(stub["transaction_id"])) is None
        or row.origin != "api"
        or row.transaction_type != stub["transaction_type"]
    ]
    keeping.session.upsert("transactions", owed, keep=_LISTED)
    moved = [
        {"id": stub["transaction_id"], "lead_id": stub["lead_id"]}
        for stub in stubs
        if (row := known.get(stub["transaction_id"])) is not None
        and stub["lead_id"] not in (None, row.lead_id)
    ]
    keeping.session.run("pulls/move_transaction", moved)


def _keep_subscription_stubs(keeping: Keeping, stubs: Sequence[TableRow]) -> None:
    """Details are due for subscriptions that are new, not over, or changed their status."""
    ids = [stub["subscription_id"] for stub in stubs]
    known = {row.subscription_id: row for row in keeping.session.read("pulls/known_subscriptions", ids=ids)}
    rows: list[TableRow] = []
    changes: dict[str, list[LeadChange]] = {}
    for stub in stubs:
        row = known.get(stub["subscription_id"])
        status = stub["subscription_status"]
        # What is over has no further payments; of anything else one may have come without a change of its
        # status.
        is_owed = row is None or row.is_owed or row.subscription_status != status or status not in OVER
        stamps = {"listed_at": keeping.now, "status_seen_at": keeping.now, "is_owed": int(is_owed)}
        rows.append({**stub, **stamps})
        if row is not None and row.subscription_status != status and stub["lead_id"]:
            change = LeadChange("subscription", stub["subscription_id"], row.subscription_status, status)
            changes.setdefault(stub["lead_id"], []).append(change)
    keeping.session.upsert("subscriptions", rows, keep=_LISTED)
    keep_changes(keeping, changes)


def keep_details(keeping: Keeping, answer: PulledDetails) -> None:
    session, now = keeping.session, keeping.now
    stamps = {"origin": "api", "listed_at": now, "pulled_at": now}
    session.upsert("transactions", [{**row, **stamps} for row in answer.transactions], keep=_LISTED)
    stamps = {"listed_at": now, "status_seen_at": now, "pulled_at": now, "is_owed": 0}
    session.upsert("subscriptions", [{**row, **stamps} for row in answer.subscriptions], keep=_LISTED)
    session.run(
        "pulls/refuse_transaction",
        [
            {"id": key, "now": now, "extra": {"refused": kind}}
            for key, kind in answer.refused_transactions.items()
        ],
    )
    session.run(
        "pulls/refuse_subscription",
        [{"id": key, "extra": {"refused": kind}} for key, kind in answer.refused_subscriptions.items()],
    )
