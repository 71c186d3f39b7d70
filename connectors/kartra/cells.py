"""Single values of Kartra's answers as the columns of tables hold them. Pure.

Kartra writes an empty value in many ways, and all become NULL. A value that its column cannot hold stays in
the `rest`.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import tzinfo
from decimal import Decimal, InvalidOperation
from typing import Any, TypeAlias

from connectors.kartra.clock import utc_of
from connectors.kartra.profile import clean

TableRow: TypeAlias = dict[str, Any]

SCALE, MOST = Decimal("0.0001"), Decimal(10**15)
"""The precision and the bound of the money columns: decimal(19, 4), the least that all databases share."""
# Eighteen digits always fit a signed 64-bit integer; nineteen may not.
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")


class Fields:
    """The values of one answer, taken key by key; `rest` gives those that were not taken."""

    def __init__(self, details: Mapping[str, Any], zone: tzinfo) -> None:
        self._details, self._zone = details, zone
        self._taken: set[str] = set()

    def text(self, name: str) -> str | None:
        if not self._is_plain(name):
            return None
        self._taken.add(name)
        return clean(self._details.get(name))

    def number(self, name: str) -> int | None:
        value = clean(self._details.get(name))
        if not self._is_plain(name) or (value is not None and not _WHOLE.fullmatch(value)):
            return None
        self._taken.add(name)
        return None if value is None else int(value)

    def money(self, name: str) -> Decimal | None:
        value = clean(self._details.get(name))
        amount = None if value is None else exact_amount(value)
        if self._is_plain(name) and (value is None or amount is not None):
            self._taken.add(name)
        return amount

    def times(self, names: Iterable[str]) -> TableRow:
        """Each time as Kartra wrote it, and in UTC as `<name>_utc`."""
        row: TableRow = {}
        for name in names:
            raw = self.text(name)
            row[name], row[f"{name}_utc"] = raw, utc_of(raw or "", self._zone)
        return row

    def _is_plain(self, name: str) -> bool:
        """Whether the value is not a filled list or map."""
        value = self._details.get(name)
        return not (isinstance(value, list | Mapping) and value)

    def rest(self, *, without: tuple[str, ...] = ()) -> TableRow | None:
        return others(self._details, (*self._taken, *without))


def exact_amount(text: str) -> Decimal | None:
    """An amount as Kartra writes it: a point, no thousands separator. None where it is something else."""
    try:
        amount = Decimal(text.strip())
        # An amount with more decimals than the column has would be rounded without a word: it stays in the
        # rest as it came.
        fits = amount.is_finite() and abs(amount) < MOST and amount == amount.quantize(SCALE)
        return amount if fits else None
    except InvalidOperation:
        return None


def others(row: Mapping[str, Any], known: Iterable[str]) -> TableRow | None:
    """The entries of a row beyond the known keys, without empty ones; None if there are none."""
    names = set(known)
    return {
        name: value for name, value in row.items() if name not in names and value not in (None, "", [])
    } or None
