"""The text of a spreadsheet's number, by the format of its cell. Pure.

A format that adds digits or signs (00000 for a postcode, "+"0 for a telephone) is a part of the value; one
that drops digits or adds a unit is not. A number outside the calendar stays a number in a date format.
"""

import re
from dataclasses import dataclass
from datetime import datetime, time
from functools import cache, lru_cache
from typing import Any

from connectors.sources.values import text_of

EXACT_BELOW = 1e15
"""Spreadsheets keep fifteen digits."""
TOO_LONG = "holds a number of more than 15 digits, which a spreadsheet rounds: export the column as text"
_CURRENCIES = re.compile(r"[$€£¥₤₽₹₩]|\b(?:EUR|USD|CHF|GBP|kr|zł)\b")
_TOKEN = re.compile(r'"([^"]*)"|\\(.)|_.|\*.|([0#?])|([-+()/: ]|[^\w.,%@*"\\])|(.)', re.DOTALL)
_FRACTION = re.compile(r"[?#0]\s*/\s*[?#0-9]")
_CONDITION = re.compile(r"\[(<=|>=|<>|<|>|=)(-?[0-9.]+)\]")
# Built-in formats of East Asian versions of Excel (ECMA-376, 18.8.30), which openpyxl does not list.
_EASTERN_DATES = {*map(str, range(27, 37)), *map(str, range(50, 59))}


@dataclass(frozen=True, slots=True)
class NumberFormat:
    """`kind` is date, span or number; `code` as the workbook has it."""

    code: str
    kind: str

    @staticmethod
    @lru_cache(maxsize=4096)
    def of(code: str) -> "NumberFormat":
        numbers = _openpyxl().styles.numbers
        if numbers.is_timedelta_format(code):
            return NumberFormat(code, "span")
        return NumberFormat(code, "date" if numbers.is_date_format(code) else "number")

    def text_of(self, written: str, *, is_from_1904: bool) -> tuple[str, str]:
        """(text, fault) of a number as the workbook writes it."""
        try:
            value = float(written)
        except ValueError:
            return written, ""
        if value - value:  # infinite or NaN, for which the difference is NaN
            return "", ""
        if (
            self.kind != "number"
            and (moment := _moment(value, self.kind, self.code, is_from_1904)) is not None
        ):
            return moment, ""
        if re.fullmatch(r"-?\d+", written) and len(written) < 60:
            return _filled(self.code, written), ""
        if not value.is_integer():
            return repr(value), ""
        if abs(value) >= EXACT_BELOW:
            return (str(int(value)) if abs(value) < 1e60 else written), TOO_LONG
        return _filled(self.code, str(int(value))), ""


def builtin_format(number: str) -> NumberFormat:
    """The format of a number that every workbook knows."""
    if number in _EASTERN_DATES:
        return NumberFormat("", "date")
    known = _openpyxl().styles.numbers.BUILTIN_FORMATS
    return NumberFormat.of(known.get(int(number), "General") if number.isdigit() else "General")


def _moment(value: float, kind: str, code: str, is_from_1904: bool) -> str | None:
    """The date, time or span; None for a number outside the calendar."""
    dates = _openpyxl().utils.datetime
    epoch = dates.CALENDAR_MAC_1904 if is_from_1904 else dates.CALENDAR_WINDOWS_1900
    if value < 0 and kind == "date":
        return None
    # Day 0 is before the first day of both calendars: programs write it for an absent date.
    if value == 0 and kind == "date" and re.search("[yd]", code, re.IGNORECASE):
        return ""
    try:
        moment = dates.from_excel(value, epoch, timedelta=kind == "span")
    except (ValueError, OverflowError):
        return None
    if isinstance(moment, datetime) and moment.time() == time():
        return moment.date().isoformat()
    return text_of(moment)


@lru_cache(maxsize=65536)
def _filled(code: str, digits: str) -> str:
    """The digits filled into the places of a format; unchanged for any other format."""
    if digits.startswith("-"):
        return digits
    tokens = _tokens(_section(code, int(digits)))
    if tokens is None:
        return digits
    places = sum(kind == "place" for kind, _ in tokens)
    text, left = "", digits
    for kind, sign in reversed(tokens):
        if kind == "sign":
            text = sign + text
            continue
        places -= 1
        if not places:
            text = (left or ("0" if sign == "0" else "")) + text
            left = ""
        elif left:
            text, left = left[-1] + text, left[:-1]
        elif sign == "0":
            text = "0" + text
        else:
            return digits
    return text


def _section(code: str, value: int) -> str:
    """The section of the format that applies to the value."""
    sections = re.findall(r'(?:"[^"]*"|\\.|[^;"\\])+', code)
    for section in sections:
        condition = _CONDITION.search(section)
        if condition is None or _holds(condition[1], value, float(condition[2])):
            return re.sub(r"\[\$([^-\]]*)[^\]]*\]|\[[^\]]*\]", lambda match: match[1] or "", section)
    return ""


def _holds(sign: str, value: int, limit: float) -> bool:
    return {
        "<": value < limit,
        "<=": value <= limit,
        ">": value > limit,
        ">=": value >= limit,
        "=": value == limit,
        "<>": value != limit,
    }[sign]


@lru_cache(maxsize=4096)
def _tokens(section: str) -> tuple[tuple[str, str], ...] | None:
    """(place or sign, character) of a format that only adds; None for a format with a unit or a currency."""
    if _FRACTION.search(section):
        return None
    tokens: list[tuple[str, str]] = []
    for quoted, escaped, place, sign, other in _TOKEN.findall(section):
        if other:
            return None
        if place:
            tokens.append(("place", place))
        elif literal := quoted or escaped or sign:
            tokens.append(("sign", literal))
    places = [number for number, (kind, _) in enumerate(tokens) if kind == "place"]
    if not places or _CURRENCIES.search(section):
        return None
    before = "".join(sign for _, sign in tokens[: places[0]])
    after = "".join(sign for _, sign in tokens[places[-1] + 1 :])
    is_word = re.search(r"[^\W\d_](?:[^\W\d_]{2}|.*[\s.:#])", before)
    return None if is_word or before == "-" or after.strip(" )") else tuple(tokens)


@cache
def _openpyxl() -> Any:
    # A fifth of a second to import: only pipelines with a workbook pay for it.
    import openpyxl

    return openpyxl
