"""Parts of telephone numbers, by Google's metadata of the world's numbering plans. Pure."""

from typing import Literal, assert_never

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat


def phone_part(
    part: Literal["number", "country_code", "+country_code", "international"], text: str, region: str | None
) -> str | None:
    """None for what is no possible number, or does not say its country where `region` does not, either.

    `region`: ISO 3166-1, two letters. 00 before a country's code is read as + everywhere.
    """
    number = _possible(text, region)
    if number is None and text.startswith("00"):
        number = _possible(f"+{text[2:]}", None)
    if number is None:
        return None
    match part:
        case "number":
            return phonenumbers.national_significant_number(number)
        case "country_code":
            return str(number.country_code)
        case "+country_code":
            return f"+{number.country_code}"
        case "international":
            return phonenumbers.format_number(number, PhoneNumberFormat.E164)
    assert_never(part)


def _possible(text: str, region: str | None) -> PhoneNumber | None:
    try:
        number = phonenumbers.parse(text, region)
    except NumberParseException:
        return None
    return number if phonenumbers.is_possible_number(number) else None
