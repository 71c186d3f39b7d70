"""What values of a database are as text, by rules that are stated here and nowhere else.

| value | text |
|---|---|
| NULL | empty |
| text | as it is |
| whole number | digits |
| decimal | as it is stored, without an exponent: `49.90` |
| binary fraction | the shortest text that reads back as the same number: `0.1` |
| boolean | `true` or `false`; MySQL and MariaDB have none, theirs are 1 and 0 |
| date | `2026-11-24` |
| time stamp | `2026-11-24 08:00:00`, a fraction and a zone (`+00:00`) only where it has them |
| time | `08:00:00` |
| span of time | `1 day, 8:00:00`, and `8:00:00` below a day |
| bytes | their text in UTF-8; other bytes are a fault |
| array, JSON | JSON, decimals as they are stored |
"""

import json
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Any


def text_of(value: Any) -> str:
    """Raises UnicodeDecodeError for bytes that are no text."""
    kind = type(value)
    convert = _BY_TYPE.get(kind)
    if convert is None:
        convert = next((_BY_TYPE[base] for base in kind.__mro__ if base in _BY_TYPE), str)
        if issubclass(kind, Enum):
            return text_of(value.value)
    return convert(value)


def _json(value: Any) -> str:
    """Decimals keep their digits: they go in as text of a kind that is taken out of its quotes again."""
    numbers: dict[str, str] = {}

    def plain(one: Any) -> Any:
        if isinstance(one, Decimal):
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
    float: repr,
    Decimal: lambda value: format(value, "f"),
    datetime: lambda value: value.isoformat(" "),
    bytes: lambda value: value.decode("utf-8"),
    bytearray: lambda value: value.decode("utf-8"),
    memoryview: lambda value: bytes(value).decode("utf-8"),
    list: _json,
    tuple: _json,
    dict: _json,
    set: lambda value: _json(sorted(value)),
}
