"""Converts the values of MySQL and MariaDB for which PyMySQL gives bytes, or text instead of a date."""

import re
from collections.abc import Callable
from datetime import date
from typing import Any

from pymysql.constants import FIELD_TYPE
from pymysql.converters import conversions, convert_date, convert_datetime

from connectors.sources.values import Unusable

_ZEROS = re.compile(r"0000-00-00( 00:00:00(\.0+)?)?")


def conversions_of_values() -> dict[Any, Any]:
    """PyMySQL's own conversions, except for bits and dates."""
    return {
        **conversions,
        FIELD_TYPE.BIT: lambda raw: int.from_bytes(raw, "big"),
        FIELD_TYPE.DATE: _dates(convert_date),
        FIELD_TYPE.NEWDATE: _dates(convert_date),
        FIELD_TYPE.DATETIME: _dates(convert_datetime),
        FIELD_TYPE.TIMESTAMP: _dates(convert_datetime),
    }


def _dates(convert: Callable[[str], object]) -> Callable[[str], date | Unusable | None]:
    def converted(text: str) -> date | Unusable | None:
        if _ZEROS.fullmatch(text):
            return None  # MySQL's way to say that there is no date
        value = convert(text)
        return value if isinstance(value, date) else Unusable(text, "holds a date that does not exist")

    return converted
