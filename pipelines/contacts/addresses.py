"""E-mail addresses as people write them, found in a cell and brought to one form: a person has one key. Pure.

What stands around an address is taken off: `Ann <ann@example.org>`, `mailto:`, quotes, bullets, brackets,
comments, a spreadsheet's apostrophe, characters that nobody sees. What is left has to be one address: of
several nobody can say whose record it is, and one that begins with a mark such as = or # is nobody's.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from html import unescape
from urllib.parse import unquote

import idna

from pipelines.contacts.normalise import normal_cell, visible

MAX_ADDRESS = 254
"""RFC 5321, section 4.5.3.1.3, less the angle brackets."""

PLAIN_ADDRESS = r"[a-z0-9_][a-z0-9_+-]*(?:\.[a-z0-9_+-]+)*@([a-z0-9.-]+)"
"""What nearly all addresses are like: before the @ nothing can be wrong, and nothing becomes another."""
_PLAIN_ADDRESS = re.compile(PLAIN_ADDRESS)

SEVERAL = 'several e-mail addresses in one cell; two steps take the first: do: [{split: ";"}, first]'

_FULL_WIDTH = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)} | {
    0xFE6B: "@",
    0xFF61: ".",
    0x3002: ".",
}
_COMMENT = re.compile(r"\([^()@]*\)")
_LABEL = re.compile(r"(?<![\w.+-])(?:mailto|smtp|e-?mail|mail)\s*:\s*(?://)?")
_IN_ANGLES = re.compile(r"<([^<>]*@[^<>]*)>")
_BETWEEN = re.compile(r"[\s,;|、]+|\]\(")
_SEVERAL_IN_ONE = re.compile(r"[/&]+")
_STRAY = "'\"`´‘’‚‛“”„‟«»‹›*•·▪●◦‣∙–—…<>()[],;:\\"
"""Typography around an address, and what none holds; an apostrophe inside, as in o'neil, is not at an end."""
_STRAY_BEHIND = _STRAY + ".!?"
_QUERY = re.compile(r"(@[\w.%-]+)\?[^\s<>()\[\]]*")
"""What a link may have behind an address: `?subject=Hello`."""


class InvalidAddressError(ValueError):
    """Its text says what is wrong, without the address."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What a cell may hold as addresses, each once, and the words beside them."""

    candidates: tuple[str, ...]
    words: str
    """The words that no name before angle brackets and no comment explains."""
    beside: str
    """All words beside the addresses."""


def normal_address(cell: str) -> str:
    """The one address of a cell: lower case, NFC, the domain in its ASCII form (IDNA).

    Raises InvalidAddressError. Syntax only: whether a domain exists is the mail server's business. `.test`
    passes, for rehearsals.
    """
    text = normal_cell(cell).lower()
    if not text:
        raise InvalidAddressError("no e-mail address")
    plain = _PLAIN_ADDRESS.fullmatch(text)
    if plain and len(text) <= MAX_ADDRESS and is_normal_domain(plain[1]):
        return text
    found = _found_in(text)
    if not found.candidates:
        raise InvalidAddressError("not an e-mail address: no @")
    if len(found.candidates) > 1:
        raise InvalidAddressError(SEVERAL)
    if found.words:
        raise InvalidAddressError("not an e-mail address: a space in it")
    if not (found.candidates[0][0].isalnum() or found.candidates[0][0] in "_@."):
        raise InvalidAddressError(f"not an e-mail address: it begins with {found.candidates[0][0]}")
    return _validated(found.candidates[0])


def addresses_in(cell: str) -> tuple[str, ...]:
    """Every address in a cell, in the form that `normal_address` gives, also those behind stray marks.

    For lists of people who must not be sent, where one too many does no harm.
    """
    normal: dict[str, None] = {}
    for candidate in _found_in(normal_cell(cell).lower()).candidates:
        for text in (candidate, re.sub(r"^[\W_]+", "", candidate)):
            try:
                normal[_validated(text)] = None
            except InvalidAddressError:
                continue
    return tuple(normal)


def is_address(cell: str) -> bool:
    """Whether a cell holds one address and nothing but what may stand around it."""
    try:
        normal_address(cell)
    except InvalidAddressError:
        return False
    return True


def words_beside(cell: str) -> str:
    """What a cell says beside its addresses: a name, a comment, a remark."""
    return _found_in(normal_cell(cell).lower()).beside


def normal_key(key: str, *, by_address: bool) -> str:
    """A sync key as a person types it, in the form the state knows."""
    if not by_address:
        return normal_cell(key)
    try:
        return normal_address(key)
    except InvalidAddressError:
        return normal_cell(key).lower()


@lru_cache(maxsize=4096)
def is_normal_domain(domain: str) -> bool:
    """Asked once for all who have an address there: what is before the @ makes no difference to it."""
    address = f"a@{domain}"
    try:
        return _validated(address) == address
    except InvalidAddressError:
        return False


def _found_in(text: str) -> _Found:
    """`text` in lower case."""
    text = _QUERY.sub(r"\1", visible(text).translate(_FULL_WIDTH))
    if "&" in text:
        text = unescape(text).lower()
    if "%" in text:
        text = unquote(text).lower()
    comments = " ".join(_COMMENT.findall(text))
    text = _LABEL.sub("", _COMMENT.sub("", text))
    angles = _IN_ANGLES.findall(text)
    tokens = [one for token in _BETWEEN.split(_IN_ANGLES.sub(" ", text)) for one in _pieces(token)]
    words = " ".join(token for token in tokens if "@" not in token and any(map(str.isalnum, token)))
    candidates = [_trimmed(one) for one in (*angles, *tokens) if "@" in one]
    return _Found(
        tuple(dict.fromkeys(filter(None, candidates))),
        words="" if angles else words,
        beside=f"{words} {comments}".strip(),
    )


def _pieces(token: str) -> Iterator[str]:
    """Addresses with no more than a slash between them."""
    yield from _SEVERAL_IN_ONE.split(token) if token.count("@") > 1 else (token,)


def _trimmed(candidate: str) -> str:
    candidate = candidate.strip().lstrip(_STRAY).rstrip(_STRAY_BEHIND)
    if candidate[:1] == "{" and candidate[-1:] == "}":
        candidate = candidate[1:-1]
    return candidate


def _validated(text: str) -> str:
    """The normal form of what is to be an address, without anything around it. Raises InvalidAddressError."""
    # Only now: verbs that look at the state alone need none of it, and it takes as long as all they do.
    from email_validator import EmailNotValidError, EmailSyntaxError, validate_email

    local, at, domain = text.rpartition("@")
    if at and not domain.isascii():
        text = f"{local}@{_ascii_domain(domain)}"
    if len(text) > MAX_ADDRESS:
        raise InvalidAddressError("e-mail address too long")
    try:
        validated = validate_email(text, check_deliverability=False, test_environment=True)
    except EmailSyntaxError:
        raise InvalidAddressError(_what_is_wrong(text)) from None
    except EmailNotValidError:
        raise InvalidAddressError("not an e-mail address") from None
    if "." not in validated.ascii_domain:
        raise InvalidAddressError(_what_is_wrong(text))
    if len(validated.ascii_domain.rpartition(".")[2]) == 1:
        raise InvalidAddressError("not an e-mail address: the domain ends in a single letter")
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
