"""Refuses columns of payment card numbers and passwords. Pure."""

import re
from collections.abc import Iterable, Iterator

from connectors.errors import ConfigError
from connectors.sources import Chunk
from pipelines.config.load import LoadConfig
from pipelines.contacts.columns import used_columns
from pipelines.contacts.normalise import normal_cell

CHECKED_RECORDS = 1_000
"""The records of the first chunk that are checked: enough, where a query's chunk has 20,000."""
SECRET_NAMES = re.compile(
    r"card.?(number|no\b|nr\b)|kreditkarte|credit.?card|\bcv[vc]2?\b|passwor|passwd|user_pass\b|\bssn\b|\biban\b",
    re.IGNORECASE,
)
"""Names of columns that a first pipeline leaves out, whatever they hold."""
_ISSUERS = re.compile(
    r"4[0-9]{12}(?:[0-9]{3}){0,2}"  # Visa
    r"|(?:5[1-5]|2[2-7])[0-9]{14}"  # Mastercard
    r"|3[47][0-9]{13}"  # American Express
    r"|3(?:0[0-5]|[689][0-9])[0-9]{11}"  # Diners
    r"|(?:6011|65[0-9]{2}|64[4-9][0-9]|35[0-9]{2}|62[0-9]{2})[0-9]{12}"  # Discover, JCB, UnionPay
)


def is_card_number(value: str) -> bool:
    """Whether a value has the length, the prefix and the check digit of a card number."""
    digits = re.sub(r"[ -]", "", value)
    return _ISSUERS.fullmatch(digits) is not None and _luhn(digits)


def without_secrets(chunks: Iterable[Chunk], load: LoadConfig) -> Iterator[Chunk]:
    """The chunks, if no column that the mapping reads holds card numbers in the first records of them.

    Raises ConfigError otherwise, because card numbers do not belong into an address book.
    """
    for number, chunk in enumerate(chunks):
        if number == 0:
            _refuse_card_numbers(chunk, load)
        yield chunk


def _refuse_card_numbers(chunk: Chunk, load: LoadConfig) -> None:
    for place, column in used_columns(load):
        if column not in chunk.frame.columns:
            continue
        cells = [text for cell in chunk.frame[column].head(CHECKED_RECORDS) if (text := normal_cell(cell))]
        # More than half: of ids and telephones one in ten has a fitting check digit by chance.
        if sum(map(is_card_number, cells)) * 2 > len(cells):
            raise ConfigError(
                f'{place}: the column "{column}" holds card numbers. They are not sent, and nothing else was:'
                " take it out of the mapping"
            )


def _luhn(digits: str) -> bool:
    doubled = (int(one) * (2 if place % 2 else 1) for place, one in enumerate(reversed(digits)))
    return sum(one - 9 if one > 9 else one for one in doubled) % 10 == 0
