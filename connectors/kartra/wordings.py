"""The older wordings of Kartra's errors (§3.4), and unknown ones without anything of an account. Pure.

Nothing goes by them: it is the number that counts. They are told apart so that a change is noticed.
"""

import re

from connectors.kartra.error_types import ERROR_TYPES

_OLDER = {
    "207": "list_name cannot be empty. Nothing done",
    "215": "points cannot be empty. Nothing done",
    "227": "points is not a number. Nothing done",
    "231": "list does not exist. Nothing done",
    "255": "calendar_name cannot be empty. Nothing done",
    "256": "class_name cannot be empty. Nothing done",
    "257": "Invalid calendar. Nothing done",
    "258": "Invalid calendar class. Nothing done",
    "259": "There is no active/pending calendar subscription for this lead. Nothing done",
}
_WORD = re.compile(r"[A-Za-z']+")
_KNOWN = frozenset(
    word.lower()
    for message in (*_OLDER.values(), *(known.message for known in ERROR_TYPES.values()))
    for word in _WORD.findall(message)
)
_LONGEST = 20
"""Words of an unknown message that are kept."""


def is_older(number: str, message: str) -> bool:
    return _OLDER.get(number) == message


def starred(message: str) -> str:
    """A message in which only words stand that Kartra's documented messages have; the others are starred."""
    words = re.findall(r"\S+", message)[:_LONGEST]
    shown = [word if word.strip(".,:;!?'\"").lower() in _KNOWN else "*" for word in words]
    return " ".join(shown)
