"""How personal data is shown where people read along: logs, messages, reports."""

import re
from collections.abc import Collection
from typing import Any
from urllib.parse import quote, quote_plus

# Begun only where a word begins: begun at each of its letters, a word of 100,000 would take a minute.
_ADDRESS = re.compile(r"(?<![^\s@<>\"'(),;:])[^\s@<>\"(),;:]++@[^\s@<>\"'(),;:]+")


def mask_address(address: str) -> str:
    """`ann@example.org` as `a***@e***.org`; text that is not an address as `***`."""
    local, at, domain = address.rpartition("@")
    if not at or not local or not domain:
        return "***"
    name, dot, tld = domain.rpartition(".")
    return f"{local[0]}***@{name[:1]}***{dot}{tld if dot else ''}"


def mask_text(text: str) -> str:
    """A foreign message with every address in it masked."""
    return _ADDRESS.sub(lambda match: mask_address(match.group()), text)


_TAGS = re.compile(r"<(script|style)\b.*?</\1\s*>|<!--.*?-->|<[^>]*>", re.DOTALL | re.IGNORECASE)
_SECRETIVE = re.compile(r"\S*[=%@]\S*|\S{25,}|\S*\d{5,}\S*")
# Enough for the head of any page; the expressions below are slow on megabytes.
_READ_CHARS = 20_000


def first_words(page: bytes | str, *, hidden: Collection[str] = (), at_most: int = 100) -> str:
    """The first words that a person would see of an unexpected page, with `hidden` starred out.

    Addresses, assignments, long numbers and long words are starred as well, because a firewall that answers
    instead of the endpoint may repeat what was sent.
    """
    text = page[:_READ_CHARS].decode("utf-8", "replace") if isinstance(page, bytes) else page[:_READ_CHARS]
    text = re.sub(r"[\s{}\[\]\"]+", " ", _TAGS.sub(" ", text))
    text = "".join(letter for letter in text if letter.isprintable())
    forms = {form for value in hidden if value.strip() for form in _forms(value)}
    # A part that is starred first would leave the rest of its whole readable.
    for form in sorted(forms, key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(form)}(?!\w)", "***", text, flags=re.IGNORECASE)
    text = _SECRETIVE.sub("***", text).strip()
    return text if len(text) <= at_most else f"{text[:at_most].rstrip()}…"


def _forms(value: str) -> tuple[str, ...]:
    return value, quote(value), quote_plus(value), " ".join(value.split())


def mask_deep(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: mask_deep(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [mask_deep(inner) for inner in value]
    return mask_value(value) if isinstance(value, str) else value


def mask_value(value: str) -> str:
    if not value:
        return ""
    return mask_address(value) if "@" in value else f"{value[0]}***"
