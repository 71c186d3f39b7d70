"""The text of a database's value, by rules that are stated only here.

| value | text |
|---|---|
| NULL, a number that is NaN | empty |
| text | as it is |
| whole number | digits |
| decimal | as it is stored, without an exponent: `49.90` |
| binary fraction | the shortest text that reads back as the same: `0.1`, and `80331` where it is whole |
| boolean | `true` or `false`; MySQL and MariaDB have none, theirs are 1 and 0 |
| bits | the whole number they are: `BIT(1)` is 1 or 0 |
| date | `2026-11-24` |
| time stamp | `2026-11-24 08:00:00`, a fraction and a zone (`+00:00`) only where it has them |
| time | `08:00:00` |
| date or time that Python has no value for | as the server writes it: `infinity`, `0044-03-15 BC` |
| MySQL's date of zeros | empty; another date that is in no calendar is a fault |
| span of time | `1 day, 8:00:00`, and `8:00:00` below a day |
| bytes | their text in UTF-8; other bytes are a fault, and hexadecimal where nothing reads them |
| array, JSON | JSON, decimals as they are stored |
"""

import json
import math
import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any, NamedTuple

HEX_BYTES = 64
"""How much of an unreadable value is shown."""
NOT_TEXT = "holds bytes that are not text"
HOLDS_NUL = "holds a NUL character"
_HALVES = re.compile("[\ud800-\udfff]")


class Unusable(NamedTuple):
    """A value that cannot be used: its text, and the reason, such as "holds a date that does not exist"."""

    text: str
    reason: str


class ServersText(str):
    """A value in the server's own words, because Python cannot represent it. It has no order."""

    __slots__ = ()


def cell_of(value: Any) -> tuple[str, str]:
    """The text of a value, and the fault of its cell or ""."""
    if isinstance(value, Unusable):
        return value
    try:
        text = text_of(value)
    except UnicodeDecodeError:
        return _hex(value), NOT_TEXT
    except RecursionError:
        return "", "is nested too deeply"
    if "\0" in text:
        if isinstance(value, bytes | bytearray | memoryview):
            return _hex(value), NOT_TEXT
        return text.replace("\0", ""), HOLDS_NUL
    if _HALVES.search(text):
        return _HALVES.sub("\ufffd", text), "holds half of a character"
    return text, ""


def _hex(value: object) -> str:
    if not isinstance(value, bytes | bytearray | memoryview):
        return ""  # an array of them
    raw = bytes(value)
    return raw[:HEX_BYTES].hex() + ("…" if len(raw) > HEX_BYTES else "")


def text_of(value: Any) -> str:
    """The text of a value. Raises UnicodeDecodeError for bytes that are not UTF-8."""
    kind = type(value)
    convert = _BY_TYPE.get(kind)
    if convert is None:
        convert = next((_BY_TYPE[base] for base in kind.__mro__ if base in _BY_TYPE), str)
        if issubclass(kind, Enum):
            return text_of(value.value)
    return convert(value)


def _json(value: Any) -> str:
    """JSON in which decimals keep their digits."""
    numbers: dict[str, str] = {}

    def plain(one: Any) -> Any:
        if isinstance(one, Decimal) and one.is_finite():
            # json writes a Decimal only as a float. So a mark goes in as a text, and the digits replace it
            # with its quotes.
            mark = f"\0{len(numbers)}\0"
            numbers[json.dumps(mark)] = format(one, "f")
            return mark
        return text_of(one)

    text = json.dumps(value, ensure_ascii=False, default=plain)
    for mark, number in numbers.items():
        text = text.replace(mark, number)
    return text


_BY_TYPE: dict[type, Callable[[Any], str]] = {
    type(None): lambda _: "",
    str: str,
    bool: lambda value: "true" if value else "false",
    int: str,
    float: lambda value: "" if math.isnan(value) else repr(value + 0.0).removesuffix(".0"),  # -0.0 is 0
    Decimal: lambda value: "" if value.is_nan() else format(value, "f"),
    datetime: lambda value: value.isoformat(" "),
    bytes: lambda value: value.decode("utf-8"),
    bytearray: lambda value: value.decode("utf-8"),
    memoryview: lambda value: bytes(value).decode("utf-8"),
    list: _json,
    tuple: _json,
    dict: _json,
    set: lambda value: _json(sorted(value)),
}
