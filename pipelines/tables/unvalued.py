"""What the tables hold and no report can count, in words: reports have a column for it, the pull a note."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from connectors.kartra.money import OVER, SIGNS, STATUSES
from pipelines.tables.session import Session

_WITHOUT_MONEY = [kind for kind, sign in SIGNS.items() if sign == 0]
_SHOWN_WORDS = 5
_SHOWN_CHARS = 40


def unvalued_notes(session: Session) -> list[str]:
    """A sentence each for transactions, subscriptions of no known status, and those over."""
    transactions = session.read("pulls/unvalued_transactions", without_money=_WITHOUT_MONEY)
    subscriptions = session.read("pulls/unvalued_subscriptions", statuses=list(STATUSES), over=list(OVER))
    of_known_type = sum(row.found for row in transactions if row.word in SIGNS)
    odd_types = [row for row in transactions if row.word not in SIGNS]
    odd_statuses = [row for row in subscriptions if row.word not in STATUSES]
    undated = sum(row.found for row in subscriptions if row.word in STATUSES)
    reasons = [f"type {_words(odd_types)}"] if odd_types else []
    reasons += [f"no amount that is a number ({of_known_type:,})"] if of_known_type else []
    notes = []
    if reasons:
        notes.append(f"{_count(transactions, 'transaction')} in no revenue report: {'; '.join(reasons)}")
    if odd_statuses:
        notes.append(
            f"{_count(odd_statuses, 'subscription')} in no report as active or cancelled:"
            f" status {_words(odd_statuses)}"
        )
    if undated:
        which = "1 subscription is" if undated == 1 else f"{undated:,} subscriptions are"
        notes.append(f"{which} over without an end date: churn counts them without a month")
    return notes


def _count(rows: Sequence[Row[Any]], what: str) -> str:
    found = sum(row.found for row in rows)
    return f"1 {what} is" if found == 1 else f"{found:,} {what}s are"


def _words(rows: Sequence[Row[Any]]) -> str:
    """The most frequent first."""
    ordered = sorted(rows, key=lambda row: (-row.found, row.word or ""))
    shown = [
        f'"{row.word[:_SHOWN_CHARS]}" ({row.found:,})' if row.word else f"blank ({row.found:,})"
        for row in ordered[:_SHOWN_WORDS]
    ]
    more = len(ordered) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
