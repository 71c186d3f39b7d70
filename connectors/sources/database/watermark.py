"""The watermark of a growing table: a value of one column, compared and lowered by its type. Pure."""

import json
import math
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from connectors.errors import ConfigError
from connectors.sources.values import ServersText, Unusable

Overlap = timedelta | int
"""How far below the watermark is read again: a span of time, or a number."""


def to_json(value: Any) -> str:
    """The stored form of a watermark. Raises ConfigError for a value without a usable order."""
    match value:
        case datetime():
            return json.dumps({"time": value.isoformat()})
        case date():
            return json.dumps({"date": value.isoformat()})
        # A bool is an int to Python, and has no order that a table could grow by.
        case bool():
            pass
        case int() | Decimal():
            return json.dumps({"number": str(value)})
        case str():
            return json.dumps({"text": value})
    raise ConfigError("incremental.column: name a column of times or whole numbers")


def from_json(stored: str) -> Any:
    ((kind, text),) = json.loads(stored).items()
    match kind:
        case "time":
            return datetime.fromisoformat(text)
        case "date":
            return date.fromisoformat(text)
        case "number":
            return Decimal(text) if "." in text else int(text)
        case _:
            return text


AHEAD = timedelta(days=2)
"""More than zones and clocks can differ by. A later time was set by hand, and would hide all rows below
it."""


def highest_of(values: Iterable[Any], known: Any, now: datetime) -> Any:
    """The highest of the values and of the one known before; None if no value has an order.

    Infinity, BC, dates that do not exist, NaN and times in the future are left out: as a watermark they would
    hide the rows that come later. Raises ConfigError for values that cannot be compared.
    """
    latest = (now + AHEAD).date()
    found = list(values)
    ordered = [value for value in found if _has_order(value) and not _is_ahead(value, latest)]
    if not ordered and known is None:
        for value in found:
            _refuse_other_text(value)
    try:
        return max([*ordered, known] if known is not None else ordered, default=None)
    except TypeError:
        raise ConfigError("incremental.column: it holds values of several kinds") from None


def _has_order(value: Any) -> bool:
    if isinstance(value, ServersText | Unusable):
        return False
    if isinstance(value, str):
        return _time_of(value) is not None
    return not isinstance(value, Decimal | float) or math.isfinite(value)


def _refuse_other_text(value: Any) -> None:
    """Raises ConfigError for text that is not a time. MySQL's zeros pass: they mean no time."""
    if type(value) is str and _time_of(value) is None and not value.startswith("0000-00-00"):
        raise ConfigError("incremental.column: it holds text that is not an ISO time")


def _time_of(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _is_ahead(value: Any, latest: date) -> bool:
    """Whether the day of the value is later than `latest`; no zone makes two days of a difference."""
    if isinstance(value, str):
        value = _time_of(value)
    if isinstance(value, datetime):
        return value.date() > latest
    return isinstance(value, date) and value > latest


def lowered(value: Any, by: Overlap) -> Any:
    """The value from which the next run reads again.

    Raises ConfigError for a value that has no such order, and for an overlap of another kind.
    """
    to_json(value)
    if isinstance(value, int | Decimal) != isinstance(by, int):
        expected = "a number" if isinstance(value, int | Decimal) else "a span of time such as 10m"
        raise ConfigError(f"incremental.overlap: write {expected} for this column")
    try:
        if isinstance(value, str):
            return _lowered_text(value, by)
        # Rounded up to whole days: an overlap of two hours reads the day before again, and not nothing.
        if isinstance(value, date) and not isinstance(value, datetime):
            assert isinstance(by, timedelta)  # noqa: S101 - it was compared above
            return value - timedelta(days=-(-by // timedelta(days=1)))
        return value - by
    except OverflowError:  # in the year 1
        return value


def _lowered_text(text: str, by: Overlap) -> str:
    """The lowered text in the same form: SQLite stores times as text and compares them as text."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError("incremental.column: it holds text that is not an ISO time") from None
    assert isinstance(by, timedelta)  # noqa: S101 - it was compared above
    if len(text) == len("2026-11-24"):
        return (at - timedelta(days=-(-by // timedelta(days=1)))).date().isoformat()
    low = at - by
    parts = "milliseconds" if "." in text else "seconds" if text.count(":") > 1 else "minutes"
    separator = "T" if "T" in text else " "
    written = low.isoformat(separator, timespec=parts)
    return written.replace("+00:00", "Z") if text.endswith("Z") and low.tzinfo == UTC else written
