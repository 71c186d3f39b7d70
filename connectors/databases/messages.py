"""The error messages of a database without the values they quote. Pure.

A database quotes whatever it could not use, values and names alike. Only names stay readable: words of the
statement and of the URL.
"""

import re
from collections.abc import Iterable

from connectors.databases.statements import words_of
from connectors.privacy import mask_text

_OUR_WORDS = frozenset(
    ("statement_timeout", "max_statement_time", "max_execution_time", "transaction", "localhost")
)
"""Words of the statements that this program adds to the one in the pipeline file."""
_QUOTES = re.compile(r"(?<!\w)['\"`“”«]")
_CLOSING = {"“": "”", "”": "”", "«": "»"}
_NUMBERS = re.compile(r"\d{5,}")
"""Long enough to be a telephone number, and longer than a line number."""


def masked_message(error: object, statement: str, dialect: str, shown: Iterable[str] = ()) -> str:
    """The first line of the message of `error`, an exception of a driver."""
    if _is_raised(error):
        return "a function of the database raised an error of its own, which is not shown"
    lines = _text_of(error).strip().splitlines() or [type(error).__name__]
    words = words_of(statement, dialect) | _OUR_WORDS
    return _masked(lines[0], words.union(*(re.findall(r"\w+", name.lower()) for name in shown)))


def _is_raised(error: object) -> bool:
    """Whether a function of the database wrote the text (RAISE, SIGNAL): it may name people."""
    arguments = getattr(error, "args", ()) or (None,)
    # The code of PostgreSQL's RAISE, the number of MySQL's SIGNAL.
    return getattr(error, "sqlstate", None) == "P0001" or arguments[0] == 1644


def _text_of(error: object) -> str:
    """The text of an error; PyMySQL and others raise a number and a text."""
    arguments = getattr(error, "args", ())
    texts = [one for one in arguments if isinstance(one, str)]
    return texts[0] if len(arguments) > 1 and texts else str(error)


def _masked(text: str, words: frozenset[str]) -> str:
    kept, rest = "", text
    while opening := _QUOTES.search(rest):
        quote = _CLOSING.get(opening[0], opening[0])
        closing = rest.find(quote, opening.end())
        inside = rest[opening.end() : closing] if closing >= 0 else rest[opening.end() :]
        kept += _plain(rest[: opening.start()], words)
        is_closed = closing >= 0 and not re.match(r"\w", rest[closing + 1 :])
        if is_closed and _is_name(inside, words):
            kept += rest[opening.start() : closing + 1]
            rest = rest[closing + 1 :]
            continue
        # A value may hold quotes itself: what is hidden ends with the last of them.
        last = rest.rfind(quote)
        kept += f"{opening[0]}***{quote}"
        rest = rest[last + 1 :] if last >= opening.end() else ""
    return kept + _plain(rest, words)


def _is_name(text: str, words: frozenset[str]) -> bool:
    found = re.findall(r"\w+", text.lower())
    return (words.issuperset(found) and "@" not in text) if found else True


def _plain(text: str, words: frozenset[str]) -> str:
    return _NUMBERS.sub(lambda number: number[0] if number[0] in words else "***", mask_text(text))
