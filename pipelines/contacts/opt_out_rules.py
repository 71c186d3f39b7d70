"""What a header is about, and whether a cell under it says that its person must not be mailed. Pure.

The words stand in `pipelines.words.opting_out`. Where a cell leaves a doubt that costs a person something,
the answer is "no": who is held back is told, who was mailed against their will cannot be.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from pipelines.contacts.pleas import (
    denies_mail,
    denies_marketing,
    is_of_another_channel,
    is_pending,
    is_unconfirmed,
    permits_mail,
    pleads,
    takes_back,
)
from pipelines.words import opting_out as words
from pipelines.words.folding import folded
from pipelines.words.opting_out import phrases
from pipelines.words.pleas import NOTES

WORDS_BEHIND = 3
"""A cell that says more than so many words behind a phrase is about something else."""


class Kind(StrEnum):
    """What the cells under a header are about."""

    NEGATIVE = "negative"
    """Opting out: a yes, a date or a reason says it."""
    GONE = "gone"
    """Being deleted, blocked, inactive: a yes or a date says it."""
    POSITIVE = "positive"
    """Consent: a no says it."""
    STATUS = "status"
    """A word for how the person stands to mail; one that is not known is unclear."""
    NAMES = "names"
    """Several names in a cell, as of tags."""
    ABOUT_MAIL = "about mail"
    """A wish about mail in words of its own, as of a form: a no in so many letters says it."""
    NOTES = "notes"
    """Sentences: one that asks for no more mail says it, wherever it stands in the cell."""
    STATE = "state"
    """A status, or a part of a country: only what is said of people who get mail counts."""
    OTHER = "other"
    """Anything else: a cell that begins with words of opting out says it."""
    BUSINESS = "business"
    """Names, places, sales: only words that are said of nothing but mail count."""
    SILENT = "silent"
    """Other channels than mail, and what a pipeline file says is no status: nothing counts."""


class Verdict(StrEnum):
    """What a cell says: nothing against it, no, or a word that nobody knows."""

    NOTHING = ""
    NO = "no"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Header:
    """What a header is about.

    `is_yes_or_no`: of a status, whether yes and no are answers there; `is_moment`: whether it is when;
    `is_count`: whether it is how often.
    """

    kind: Kind
    is_yes_or_no: bool = False
    is_moment: bool = False
    is_count: bool = False


def _pattern(of: Iterable[str]) -> str:
    """Longest first, so that a short phrase does not hide a longer one."""
    written = (re.escape(one).replace(r"\ ", " ?").replace(r"\*", r"\w*") for one in set(of))
    return "|".join(sorted(written, key=lambda one: (-len(one), one)))


_CLEAR = [one for table in words.CLEAR.values() for one in phrases(table)]
_SHORT = [one for table in words.SHORT.values() for one in phrases(table)]
_BEFORE = phrases(words.BEFORE)
_START = rf"(?:(?:{_pattern(_BEFORE)}) )?"
_IS_CLEAR = re.compile(rf"{_START}(?:{_pattern(_CLEAR)})(?!\w)")
_IS_SHORT = re.compile(rf"{_START}(?:{_pattern(_SHORT)})(?!\w)")
_STARTS_UNMISTAKABLY = re.compile(rf"{_START}(?:{_pattern(phrases(words.UNMISTAKABLE))})(?!\w)")
_HOLDS_UNMISTAKABLE = re.compile(
    rf"(?<!\w)(?:{_pattern(one for one in phrases(words.UNMISTAKABLE) if not one.startswith('do'))})(?!\w)"
)
"""Without "do not" and its like, which are said of anything in the middle of a sentence."""
_HOLDS_ONE = re.compile(rf"(?<!\w)(?:{_pattern([*_CLEAR, *_SHORT])})(?!\w)")
_NEGATED = re.compile(r"(?:^|\s)(?:not|never|no|nicht|non|pas|nie|niet|nao|without) $")
_IS_ALLOWED = re.compile(rf"(?:{_pattern(phrases(words.ALLOWED))})(?!\w)")
_IS_STATUS_NO = re.compile(rf"(?:{_pattern(phrases(words.STATUS_ONLY))})(?!\w)")
_SERVER_REFUSED = re.compile(r"5\d\d(?: |$)|(?:\d\d\d )?5 \d{1,3} \d{1,3}\b")
"""The answer of a mail server that will never take a mail for that address, as `550 5.1.1`."""
_ERASED_HEADER = re.compile(rf"(?<!\w)(?:{_pattern(phrases(words.ERASED))})(?!\w)")
_CANCELLED_HEADER = re.compile(rf"(?<!\w)(?:{_pattern(phrases(words.CANCELLATION))})(?!\w)")
_RECEIVES_HEADER = re.compile(
    rf"(?<!\w)(?:{_pattern(phrases(words.RECEIVES))}) (?:.* )?(?:{_pattern(phrases(words.RECEIVED))})(?!\w)"
)
_ABOUT_MAIL_HEADER = re.compile(rf"(?<!\w)(?:{_pattern(phrases(words.ABOUT_MAIL))})(?!\w)")
_NOT_A_WISH = words.NO_CONSENT | words.NO_STATUS | (words.WHEN_OR_HOW - words.BEHIND - {"via", "frequency"})
_DENIES_HEADER = re.compile(
    r"(?<!\w)(?:do not|don t|dont|never|stop|block\w*)(?: \w+){0,2} (?:(?:e ?)?mails?|contact|process)(?!\w)"
    r"|(?<!\w)(?:e ?)?mails? (?:\w+ ){0,2}(?:do not|don t|dont)(?!\w)"
)
_NOTES_HEADER = re.compile(rf"(?<!\w)(?:{_pattern(phrases(NOTES))})(?!\w)")
_FORBIDS = re.compile(r"(?:please )?(?:do not|don t|dont|never|stop)(?!\w)")
_TWICE_NO_HEADER = re.compile(
    r"(?:is |was )?(?:not|never|nicht|non|no|pas|nie|niet|nao) "
    rf"(?:{_pattern([*_CLEAR, *phrases(words.NEGATIVE)])})(?!\w)"
)
"""`Not unsubscribed`: a no there says what a yes says elsewhere."""
_POSITIVE_HEADER = re.compile(rf"(?<!\w)(?:{_pattern(phrases(words.POSITIVE))})(?!\w)")
_NEGATIVE_HEADER = re.compile(rf"(?<!\w)(?:{_pattern([*_CLEAR, *phrases(words.NEGATIVE)])})(?!\w)")
_GONE_HEADER = re.compile(
    r"(?:(?:is|was|email|mail|contact|subscriber|user|account|member|customer|client|person|profile) )*"
    rf"(?:{_pattern(_SHORT)})"
    r"(?: (?:at|on|date|time|since|datum|fecha|data))?"
)
_OF_AN_ORDER = re.compile(r"cancel(?!lat)")
"""`Cancelled` is said of orders; Italian `cancellato` of people."""
_YES_SIGNS = frozenset("✓✔☑✅🗸👍🟢○◯●⭕")
_FORBIDDEN_SIGNS = frozenset("⛔🚫🛑🔕📵☒")
"""A yes under a header of opting out, a no under one of consent."""
_NO_SIGNS = _FORBIDDEN_SIGNS | frozenset("✗✘❌✖×✕👎🔴☐□⬜◻")
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)|^\d{1,2} \d{1,2} \d{2,4}\b|^1\d{9}(?:\d{3})?$")
_NO_MOMENT = re.compile(r"0000 00 00|1970 01 01|0001 01 01|1900 01 0[01]")
_BETWEEN_NAMES = re.compile(r"[,;|\n]+|:::")
_ENDS_UNMISTAKABLY = re.compile(rf"(?<!\w)(?:{_pattern(phrases(words.UNMISTAKABLE))})$")


def _together() -> dict[str, str]:
    """English phrases of several words, by what they are without blanks between them."""
    of = [*phrases(words.CLEAR["en"]), *phrases(words.NEGATIVE), *phrases(words.POSITIVE)]
    plain = [one.removesuffix("*") for one in of if " " in one.removesuffix("*")]
    return {one.replace(" ", ""): one for one in sorted(plain, key=len, reverse=True)}


_TOGETHER = _together()
_HOLDS_TOGETHER = re.compile("|".join(map(re.escape, _TOGETHER)))
_IS_ONE_WORD = re.compile(
    r"((?:is|has|was|email|mail)+)(bounced|unsubscribed|complained|suppressed|blacklisted)"
)
_CHANGED_HEADER = re.compile(
    r"(?:last |date |time )*updated?(?: (?:at|on|date|time|by|utc|timestamp|datetime))*"
)
"""When a row was changed, which says nothing of mail; `keep me updated` does."""
_COMPOUND_STATUS = re.compile(r"\b(\w{3,})status\b")
"""`Kontaktstatus`."""
_ENDS_IN_CHANNEL = re.compile(r"(fax|calls?|sms|phone|e?mails?)$")


def _parted(text: str) -> str:
    """A header with nothing between its words, as HASOPTEDOUTOFFAX, with blanks where they end."""
    if " " in text or len(text) <= len("optedout"):
        return text
    if single := _IS_ONE_WORD.fullmatch(text):
        return " ".join(single.groups())
    if found := _HOLDS_TOGETHER.search(text):
        text = f"{text[: found.start()]} {_TOGETHER[found[0]]} {text[found.end() :]}"
    return " ".join(_ENDS_IN_CHANNEL.sub(r" \1", text).split())


@lru_cache(maxsize=1024)
def header_of(name: str) -> Header:
    """What a column is about, by its name."""
    text = _COMPOUND_STATUS.sub(r"\1 status", _parted(folded(name)))
    said = frozenset(text.split())
    # First, because `SMS opt-out` has all the words of an opting out and says nothing of mail.
    if said & words.OTHER_CHANNELS and not said & words.MAIL:
        return Header(Kind.SILENT)
    if text in words.NAMES:
        return Header(Kind.NAMES)
    if found := _about_mail(text, said):
        return found
    if said & words.BUSINESS:
        return Header(Kind.BUSINESS)
    if _NOTES_HEADER.search(text):
        return Header(Kind.NOTES)
    if _ABOUT_MAIL_HEADER.search(text) and not said & _NOT_A_WISH and not _CHANGED_HEADER.fullmatch(text):
        return Header(Kind.ABOUT_MAIL)
    return Header(Kind.STATE if said <= words.STATUS | words.LITTLE_WORDS else Kind.OTHER)


def _about_mail(text: str, said: frozenset[str]) -> Header | None:
    if _TWICE_NO_HEADER.match(text) and not _IS_CLEAR.match(text):
        return Header(Kind.POSITIVE)
    is_negative = _is_negative(text, said)
    if is_negative and said & words.COUNTS:
        return Header(Kind.NEGATIVE, is_count=True)
    if said & words.NO_STATUS:
        return None
    if is_negative:
        return Header(Kind.NEGATIVE, is_moment=bool(said & words.WHEN))
    if _is_status(said):
        is_yes_or_no = bool(said & words.YES_OR_NO or _POSITIVE_HEADER.search(text))
        return Header(Kind.STATUS, is_yes_or_no)
    about_consent = _POSITIVE_HEADER.search(text) or _RECEIVES_HEADER.search(text) or permits_mail(text)
    is_consent = about_consent or text.removeprefix("is ") in words.ACTIVE
    if said & words.PLACES and "mailing" in said:
        return None
    if is_consent and not said & words.WHEN_OR_HOW and text.split()[-1] not in words.BEHIND:
        return Header(Kind.POSITIVE)
    # What else stands under `Stop` is what is to stop, a sequence say.
    is_gone = text == "stop" or (_GONE_HEADER.fullmatch(text) and not _OF_AN_ORDER.search(text))
    if is_gone and text not in words.ACTIVE:
        return Header(Kind.GONE)
    return None


def _is_negative(text: str, said: frozenset[str]) -> bool:
    if _DENIES_HEADER.search(text) or (denies_mail(text) and not said & _NOT_A_WISH):
        return True
    if takes_back(text) and not said & words.NO_CONSENT:
        return True
    if _NEGATIVE_HEADER.search(text) or (said & words.LAWS and _ERASED_HEADER.search(text)):
        return True
    return bool(_CANCELLED_HEADER.search(text)) and not said & words.BUSINESS


def _is_status(said: frozenset[str]) -> bool:
    """`state` and its like alone are those of a country."""
    about = said - words.STATUS
    named = bool(said & words.STATUS_ALONE) or bool(said & words.STATUS and about - words.LITTLE_WORDS)
    return named and about <= words.OF_A_STATUS


@lru_cache(maxsize=65_536)
def verdict(header: Header, cell: str) -> Verdict:
    """What a cell says under such a header."""
    text = folded(cell)
    match header.kind:
        case Kind.SILENT:
            return Verdict.NOTHING
        case Kind.NEGATIVE:
            is_no = _is_filled(text, cell) or (header.is_moment and text == "0")
            if header.is_count:
                is_no = text.replace(" ", "").isdecimal() and int(text.replace(" ", "")) > 0
        case Kind.GONE:
            is_no = text in words.TRUE or is_moment(text) or bool(_YES_SIGNS & set(cell)) or _begins(text)
        case Kind.POSITIVE:
            # `None` is an answer to a question of consent; `n/a` and `unknown` are not.
            refused = text in words.FALSE and text not in words.UNKNOWN - {"none"}
            first, _, rest = text.partition(" ")
            is_denied = first in words.NEGATORS or (first == "0" and rest.isalpha())
            is_denied = is_denied and text not in words.UNKNOWN
            is_no = (
                refused
                or is_denied
                or bool(_NO_SIGNS & set(cell))
                or _begins(text)
                or _says_no(text)
                or bool(_IS_STATUS_NO.match(text))
            )
            is_no = is_no or is_unconfirmed(text) or is_pending(text) or text == "left"
            is_no = is_no or _FORBIDS.match(text) is not None or _is_erased(text)
        case Kind.STATUS:
            return _status(header, text, cell)
        case Kind.NAMES:
            is_no = any(_is_name_of_no(folded(name)) for name in _BETWEEN_NAMES.split(cell))
        case Kind.BUSINESS:
            is_no = bool(_STARTS_UNMISTAKABLY.match(text)) and bool(_IS_CLEAR.match(text))
        case Kind.ABOUT_MAIL:
            is_no = (
                text.partition(" ")[0] in words.EXPLICIT_NO or bool(_NO_SIGNS & set(cell)) or _begins(text)
            ) or _FORBIDS.match(text) is not None
        case Kind.NOTES:
            is_no = (_begins(text) or _unmistakable(text) or pleads(text)) and not is_of_another_channel(text)
        case Kind.STATE:
            is_no = _begins(text) or is_unconfirmed(text)
        case Kind.OTHER:
            is_no = _begins(text) and not is_of_another_channel(text)
    return Verdict.NO if is_no else Verdict.NOTHING


def _is_name_of_no(text: str) -> bool:
    """Whether a tag says it: nothing else, or what it is a tag of before it, as `Newsletter - opted out`."""
    if _IS_CLEAR.fullmatch(text):
        return True
    ending = _ENDS_UNMISTAKABLY.search(text)
    return ending is not None and not _NEGATED.search(text[: ending.start()])


def _status(header: Header, text: str, cell: str) -> Verdict:
    if not text:
        return Verdict.NO if _NO_SIGNS & set(cell) else Verdict.NOTHING
    if text in words.UNKNOWN:
        return Verdict.NOTHING
    # The no first: `active, unsubscribed` has words of both.
    if _says_no(text) or _is_no_of_status(header, text):
        return Verdict.NO
    if _IS_ALLOWED.match(text) or _HOLDS_ONE.search(text):  # the latter negated: "not bounced"
        return Verdict.NOTHING
    if header.is_yes_or_no and text in words.FALSE:
        return Verdict.NO
    if header.is_yes_or_no and text in words.TRUE:
        return Verdict.NOTHING
    return Verdict.UNCLEAR


def _is_no_of_status(header: Header, text: str) -> bool:
    if header.is_yes_or_no and is_pending(text):
        return True
    if "marketing" in text and denies_marketing(text):
        return True
    is_refused = _IS_STATUS_NO.match(text) or _SERVER_REFUSED.match(text)
    return bool(is_refused) or is_unconfirmed(text) or pleads(text)


def _is_erased(text: str) -> bool:
    """Whether an answer to a question of consent says that the person is to be forgotten."""
    return _ERASED_HEADER.search(text) is not None


def _unmistakable(text: str) -> bool:
    """Whether it stands anywhere, not denied."""
    return any(not _NEGATED.search(text[: one.start()]) for one in _HOLDS_UNMISTAKABLE.finditer(text))


def _says_no(text: str) -> bool:
    """Whether one of the phrases stands anywhere, and is not denied."""
    found = (not _NEGATED.search(text[: one.start()]) for one in _HOLDS_ONE.finditer(text))
    return text in words.ALONE or any(found)


def _begins(text: str) -> bool:
    if clear := _IS_CLEAR.match(text):
        is_short = len(text[clear.end() :].split()) <= WORDS_BEHIND
        return is_short or bool(_STARTS_UNMISTAKABLY.match(text))
    if text in words.ALONE:
        return True
    short = _IS_SHORT.match(text)
    return short is not None and len(text[short.end() :].split()) <= WORDS_BEHIND


def _is_filled(text: str, cell: str) -> bool:
    """Whether something stands there that is neither a no, nor the opposite, nor an address of a page."""
    if not text:
        return bool((_YES_SIGNS | _FORBIDDEN_SIGNS) & set(cell))
    # Under such a header an export may give everybody the link by which they could opt out.
    if text in words.FALSE or _NO_MOMENT.match(text) or "://" in cell:
        return False
    if text.replace(" ", "").strip("0") == "":
        return False
    return not _IS_ALLOWED.match(text) and not (_HOLDS_ONE.search(text) and not _says_no(text))


def is_yes(cell: str) -> bool:
    """Whether a cell of a column of consent is a plain yes."""
    text = folded(cell)
    return text in words.TRUE or text in ("subscribed", "opted in", "granted", "given", "agreed")


def is_moment(text: str) -> bool:
    return bool(_YEAR.search(text)) and not _NO_MOMENT.match(text)


_BASE = {accented: letter for letter, several in words.ACCENTS.items() for accented in several}
_LONGEST = 5
BEGINNINGS = frozenset(
    one.replace(" ", "").rstrip("*")[:_LONGEST] for one in (*_CLEAR, *_SHORT, *_BEFORE, *words.ALONE)
)
"""The letters with which a phrase may begin."""
_LENGTHS = tuple(sorted({len(one) for one in BEGINNINGS}))
_LOOSE = " \t\r\n_.,:;'’\"/()&+*!?\u00ad\u200b-\u200f\u2060\ufeff\u0300-\u036f-"
_IS_LOOSE = re.compile(f"[{_LOOSE}]")
"""What may stand between the letters of a phrase."""


def may_begin(cell: str) -> bool:
    """Whether a cell may begin with one of the phrases: quick, and true for every one that does."""
    letters = ""
    for one in cell:
        if one.isalnum():
            lower = one.casefold()
            letters += _BASE.get(lower, lower)
            if len(letters) >= _LONGEST:
                break
        elif letters and not _IS_LOOSE.match(one):
            break
    return any(letters[:length] in BEGINNINGS for length in _LENGTHS)
