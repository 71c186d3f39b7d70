"""Single values of Kartra's answers as columns hold them. Pure.

The same empty value has many faces, all of them NULL. What a column cannot hold is nobody's: it is the rest.
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
"""What the money columns of every database hold exactly."""
_WHOLE = re.compile(r"[+-]?[0-9]{1,18}")


class Fields:
    """The keys of one answer, taken one by one; what nobody could take is the rest."""

    def __init__(self, details: Mapping[str, Any], zone: tzinfo) -> None:
        self._details, self._zone = details, zone
        self._taken: set[str] = set()

    def text(self, name: str) -> str | None:
        if not self._is_plain(name):
            return None  # it stays in the rest
        self._taken.add(name)
        return clean(self._details.get(name))

    def number(self, name: str) -> int | None:
        value = clean(self._details.get(name))
        if not self._is_plain(name) or (value is not None and not _WHOLE.fullmatch(value)):
            return None  # no number that a column holds, so it stays in the rest
        self._taken.add(name)
        return None if value is None else int(value)

    def money(self, name: str) -> Decimal | None:
        value = clean(self._details.get(name))
        amount = None if value is None else exact_amount(value)
        if self._is_plain(name) and (value is None or amount is not None):
            self._taken.add(name)
        return amount

    def times(self, names: Iterable[str]) -> TableRow:
        """Each as it came, and as `<name>_utc`."""
        row: TableRow = {}
        for name in names:
            raw = self.text(name)
            row[name], row[f"{name}_utc"] = raw, utc_of(raw or "", self._zone)
        return row

    def _is_plain(self, name: str) -> bool:
        """Not a list or map with something in it."""
        value = self._details.get(name)
        return not (isinstance(value, list | Mapping) and value)

    def rest(self, *, without: tuple[str, ...] = ()) -> TableRow | None:
        return others(self._details, (*self._taken, *without))


def exact_amount(text: str) -> Decimal | None:
    """An amount as Kartra writes it: a point, no thousands separator. None where it is something else."""
    try:
        amount = Decimal(text.strip())
        fits = amount.is_finite() and abs(amount) < MOST and amount == amount.quantize(SCALE)
        return amount if fits else None
    except InvalidOperation:
        return None


def others(row: Mapping[str, Any], known: Iterable[str]) -> TableRow | None:
    """What a row has beyond the known keys, without what is empty."""
    names = set(known)
    return {
        name: value for name, value in row.items() if name not in names and value not in (None, "", [])
    } or None
