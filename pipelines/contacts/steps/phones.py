"""Parts of telephone numbers, by Google's metadata of the world's numbering plans. Pure."""

import re
from collections.abc import Callable
from typing import Literal, assert_never

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumber, PhoneNumberFormat, ValidationResult

from pipelines.config.values import PhoneStep
from pipelines.contacts.lead import Record
from pipelines.contacts.normalise import normal_cell
from pipelines.contacts.steps.by_library import Shape
from pipelines.words.countries import country_code

_EXTENSION = re.compile(
    r"[;,]?\s*(?:ext(?:ension)?|extn|x|durchwahl|dw|poste|int)[.=]?\s*[0-9]{1,7}\s*$", re.IGNORECASE
)
_LONGEST = 100
"""Characters of a number with words around it."""
_LABEL = re.compile(r"(?:[^\W\d_]+\b[.\s]*)+(?:[.:]\s*|\s)(?=[+(0-9])")
"""Words before a number, as `Mobile: ` and `tel:`."""
_REMARK = re.compile(r"\s*[\s(]\(?[^\W\d_][^\d]*$")
"""Words behind a number, as `(Ann)`."""
_DIGITS_ALONE = re.compile(r"[\d\s()+./\u00ad\u2010-\u2015-]*")
# A column of numbers with a gap in it is one of doubles to most programs: 491701234567.0.
_WHOLE_DOUBLE = re.compile(r"(\+?\d{5,})\.0+")
# Its eight digits are a valid number in Germany, Sweden or Denmark.
_DATE = re.compile(r"(?:(?:19|20)\d\d([-/.])\d\d\1\d\d|\d\d([-/.])\d\d\2(?:19|20)\d\d)(?:[ T].*)?")


def shape_of(step: PhoneStep) -> Shape:
    region = _region(step)
    return lambda text, record: phone_part(step.phone, text, region(record))


def _region(step: PhoneStep) -> Callable[[Record], str | None]:
    column = step.country
    if column is None:
        return lambda _: step.region
    return lambda record: country_code(normal_cell(record[column])) or step.region


def phone_part(
    part: Literal["number", "country_code", "+country_code", "international"], text: str, region: str | None
) -> str | None:
    """The part of a number; None if it is none, or if neither it nor `region` gives the country.

    `region` is ISO 3166-1, two letters. 00 before a country code is read as + everywhere. A number that is
    not valid in its region but would be with a + in front has lost its +.
    """
    number = _number(text, region)
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


def _number(text: str, region: str | None) -> PhoneNumber | None:
    """The number in a text.

    With a country code its length has to be possible, because new ranges appear everywhere. Without one it
    has to be valid in the region before a code is added: else it would become nobody's or somebody else's.
    """
    text = _bare(text)
    if _has_words(text) or _DATE.fullmatch(text):
        return None
    national = _parsed(text, region)
    if text.lstrip(" (").startswith("+"):
        return national if national is not None and _has_whole_length(national) else None
    digits = re.sub(r"\D", "", _EXTENSION.sub("", text))
    lost = _parsed(f"+{digits}", None)
    is_lost = lost is not None and phonenumbers.is_valid_number(lost)
    if national is not None and phonenumbers.is_valid_number(national):
        return lost if is_lost and _begins_with_its_code(digits, region) else national
    if text.startswith("00"):
        international = _parsed(f"+{digits[2:]}", None)
        return international if international is not None and _has_whole_length(international) else None
    return lost if is_lost else None


def _bare(text: str) -> str:
    """A number without the words around it and without the `.0` of a double.

    Words with digits of their own stay, as in `after 5: 0170 1234567`: which of the digits count is unknown.
    """
    if len(text) > _LONGEST:
        return text
    if whole := _WHOLE_DOUBLE.fullmatch(text):
        return whole[1]
    extension = _EXTENSION.search(text)
    number, behind = (text[: extension.start()], extension[0]) if extension else (text, "")
    if _is_spelt(number):
        return text
    number = _REMARK.sub("", _LABEL.sub("", number.strip(), count=1), count=1)
    return number + behind if _DIGITS_ALONE.fullmatch(number) else text


def _is_spelt(number: str) -> bool:
    """Whether its letters are keys of a telephone, as in 1-800-FLOWERS."""
    # In capitals alone: in small letters it is a word beside the number.
    return number.isupper() and phonenumbers.is_alpha_number(number)


def _begins_with_its_code(digits: str, region: str | None) -> bool:
    """Whether a number begins with its country code and lacks the trunk prefix (0) of its country."""
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(region or "")
    if metadata is None or not metadata.national_prefix or digits.startswith(metadata.national_prefix):
        return False
    return digits.startswith(str(metadata.country_code))


def _has_words(text: str) -> bool:
    """Whether it holds letters other than telephone keys (1-800-FLOWERS) and those of an extension."""
    number = _EXTENSION.sub("", text)
    return any(map(str.isalpha, number)) and not _is_spelt(number)


def _parsed(text: str, region: str | None) -> PhoneNumber | None:
    try:
        return phonenumbers.parse(text, region)
    except NumberParseException:
        return None


def _has_whole_length(number: PhoneNumber) -> bool:
    """Whether the number is complete, and not one for calls within a town."""
    return phonenumbers.is_possible_number_with_reason(number) == ValidationResult.IS_POSSIBLE
