"""Addresses and cells in one form, so that the same person has one key. Pure."""

import re
import unicodedata
from functools import lru_cache

import idna

MAX_ADDRESS = 254
"""RFC 5321, section 4.5.3.1.3, less the angle brackets."""

PLAIN_ADDRESS = r"[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*@([a-z0-9.-]+)"
"""What nearly all addresses are like: before the @ nothing can be wrong, and nothing becomes another."""
_PLAIN_ADDRESS = re.compile(PLAIN_ADDRESS)


class InvalidAddressError(ValueError):
    """Its text says what is wrong, without the address."""


def normal_cell(cell: str) -> str:
    """Trimmed and in Unicode NFC: what is compared and sent."""
    cell = cell.strip()
    return cell if cell.isascii() else unicodedata.normalize("NFC", cell)


def normal_address(cell: str) -> str:
    """Trimmed, lower case, NFC, the domain in its ASCII form (IDNA). Raises InvalidAddressError.

    Syntax only: whether a domain exists is the mail server's business. `.test` passes, for rehearsals.
    """
    text = normal_cell(cell).lower()
    if not text:
        raise InvalidAddressError("no e-mail address")
    local, at, domain = text.rpartition("@")
    if at and not domain.isascii():
        text = f"{local}@{_ascii_domain(domain)}"
    if len(text) > MAX_ADDRESS:
        raise InvalidAddressError("e-mail address too long")
    plain = _PLAIN_ADDRESS.fullmatch(text)
    if plain and is_normal_domain(plain[1]):
        return text
    return _validated(text)


@lru_cache(maxsize=4096)
def is_normal_domain(domain: str) -> bool:
    """Asked once for all who have an address there: what is before the @ makes no difference to it."""
    address = f"a@{domain}"
    try:
        return _validated(address) == address
    except InvalidAddressError:
        return False


def _validated(text: str) -> str:
    # Only now: verbs that look at the state alone need none of it, and it takes as long as all they do.
    from email_validator import EmailNotValidError, EmailSyntaxError, validate_email

    try:
        validated = validate_email(text, check_deliverability=False, test_environment=True)
    except EmailSyntaxError:
        raise InvalidAddressError(_what_is_wrong(text)) from None
    except EmailNotValidError:
        raise InvalidAddressError("not an e-mail address") from None
    if "." not in validated.ascii_domain:
        raise InvalidAddressError(_what_is_wrong(text))
    return f"{validated.local_part}@{validated.ascii_domain}".lower()


@lru_cache(maxsize=4096)
def _ascii_domain(domain: str) -> str:
    try:
        return idna.encode(domain, uts46=True).decode()
    except idna.IDNAError:
        raise InvalidAddressError("e-mail address with an impossible domain") from None


def _what_is_wrong(text: str) -> str:
    if "@" not in text:
        return "not an e-mail address: no @"
    if text.count("@") > 1:
        return "not an e-mail address: more than one @"
    if any(character.isspace() for character in text):
        return "not an e-mail address: a space in it"
    if "." not in text.rpartition("@")[2]:
        return "not an e-mail address: the domain has no dot"
    return "not an e-mail address"


def normal_key(key: str, *, by_address: bool) -> str:
    """A sync key as a person types it, in the form the state knows."""
    if not by_address:
        return normal_cell(key)
    try:
        return normal_address(key)
    except InvalidAddressError:
        return normal_cell(key).lower()
