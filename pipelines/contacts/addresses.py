"""Finds the e-mail address in a cell and brings it to one form, so that a person has one key. Pure.

Everything around the address is removed: `Ann <ann@example.org>`, `mailto:`, quotes, bullets, brackets,
comments, a spreadsheet's apostrophe, invisible characters. Exactly one address must remain: with several,
nobody can say whose record it is, and one that begins with a mark such as = or # is not an address.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from html import unescape
from urllib.parse import unquote

import idna

from connectors.unseen import without_unseen
from pipelines.contacts.normalise import normal_cell

MAX_ADDRESS = 254
"""RFC 5321, section 4.5.3.1.3, less the angle brackets."""

PLAIN_ADDRESS = r"[a-z0-9_][a-z0-9_+-]*(?:\.[a-z0-9_+-]+)*@([a-z0-9.-]+)"
"""The form of nearly all addresses. Its local part is always valid and already normal."""
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
_IN_MARKUP = re.compile(r"(?:\\[nrt]|[\s<>\"=:{}\[\]→⇒\\])+")
"""What stands around an address in HTML, in JSON and behind a label."""
_HAS_BOTH_ENDS = re.compile(r"\w\W?@+\W?\w")
_SEVERAL_IN_ONE = re.compile(r"[/&]+")
_STRAY = "'\"`´‘’‚‛“”„‟«»‹›*•·▪●◦‣∙–—…<>()[],;:\\"
"""Characters that are stripped from the ends of an address. An apostrophe inside, as in o'neil, stays."""
_STRAY_BEHIND = _STRAY + ".!?"
_QUERY = re.compile(r"(@[\w.%-]+)\?[^\s<>()\[\]]*")
"""The query of a mailto link: `?subject=Hello`."""


class InvalidAddressError(ValueError):
    """An unusable address; the text says why, without showing it."""


@dataclass(frozen=True, slots=True)
class _Found:
    """The possible addresses of a cell, each once, and the words beside them."""

    candidates: tuple[str, ...]
    words: str
    """The words that are neither a name before angle brackets nor a comment."""
    beside: str
    """All words beside the addresses."""


def normal_address(cell: str) -> str:
    """The one address of a cell: lower case, NFC, the domain in its ASCII form (IDNA).

    Raises InvalidAddressError. Only the syntax is checked, not whether the domain exists. `.test` is allowed,
    for rehearsals.
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
    """Every address in a cell in its normal form, even behind stray marks, in HTML or in JSON.

    For lists of people who must not be sent: there one too many does no harm.
    """
    return tuple(dict.fromkeys(one for read in _readings(cell) for one in read))


def holds_unreadable(cell: str) -> bool:
    """Whether something with an @ in a cell cannot be read as an address, even if another one can."""
    read = zip(_found_in(normal_cell(cell).lower()).candidates, _readings(cell), strict=True)
    return any(not addresses and _HAS_BOTH_ENDS.search(candidate) for candidate, addresses in read)


def _readings(cell: str) -> list[list[str]]:
    """The addresses that each part of a cell with an @ may stand for."""
    return [
        [address for text in _spellings(candidate) for address in _if_valid(text)]
        for candidate in _found_in(normal_cell(cell).lower()).candidates
    ]


def _spellings(candidate: str) -> Iterator[str]:
    yield candidate
    yield re.sub(r"^[\W_]+", "", candidate)
    yield from (_trimmed(piece) for piece in _IN_MARKUP.split(candidate) if "@" in piece)


def _if_valid(text: str) -> Iterator[str]:
    try:
        yield _validated(text)
    except InvalidAddressError:
        return


def is_address(cell: str) -> bool:
    """Whether a cell holds exactly one address, with nothing else that matters."""
    try:
        normal_address(cell)
    except InvalidAddressError:
        return False
    return True


def words_beside(cell: str) -> str:
    """The words of a cell beside its addresses: a name, a comment, a remark."""
    return _found_in(normal_cell(cell).lower()).beside


def normal_key(key: str, *, by_address: bool) -> str:
    """A sync key that a person typed, in the form of the state."""
    if not by_address:
        return normal_cell(key)
    try:
        return normal_address(key)
    except InvalidAddressError:
        return normal_cell(key).lower()


@lru_cache(maxsize=4096)
def is_normal_domain(domain: str) -> bool:
    """Whether a domain is valid and in its normal form. Cached, because many people share a domain."""
    address = f"a@{domain}"
    try:
        return _validated(address) == address
    except InvalidAddressError:
        return False


def _found_in(text: str) -> _Found:
    """The possible addresses of a text in lower case."""
    text = _QUERY.sub(r"\1", without_unseen(text).translate(_FULL_WIDTH))
    if "&" in text:
        # In small letters again: an entity or a percent sign may have hidden a capital.
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
    """Splits a token in which addresses are joined by a slash."""
    yield from _SEVERAL_IN_ONE.split(token) if token.count("@") > 1 else (token,)


def _trimmed(candidate: str) -> str:
    candidate = candidate.strip().lstrip(_STRAY).rstrip(_STRAY_BEHIND)
    if candidate[:1] == "{" and candidate[-1:] == "}":
        candidate = candidate[1:-1]
    return candidate


def _validated(text: str) -> str:
    """The normal form of a bare address. Raises InvalidAddressError."""
    # `status` needs none of it, and the import takes as long as everything else that verb does.
    from email_validator import EmailNotValidError, EmailSyntaxError, validate_email

    local, at, domain = text.rpartition("@")
    if at and not domain.isascii():
        text = f"{local}@{_ascii_domain(domain)}"
    # Measured in ASCII, as it will be sent: a domain of other letters is longer there.
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
    # RFC 5321 lets the local part differ by case, but no provider of note does, and Kartra does not.
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
