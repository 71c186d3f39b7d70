"""Sentences that ask for no more mail, as people write them, and consents nobody confirmed yet. Pure.

No list of sentences: a denial, a wish and a word for mail within a few words, or a word for taking away
beside one for a list, say it in any order the language has.
"""

import re

from pipelines.words import pleas as words
from pipelines.words.opting_out import OTHER_CHANNELS, phrases

WINDOW = 7
"""Words that belong together: between the denial and the mail that is not wanted."""
DENIED = 6
"""Words from a denial to the mail in a header, and one more."""
_MAY_PLEAD = (
    "mail|news|list|lijst|verteil|werb|lettre|courriel|publici|pubbl|pub|corr|bolet|comunica|messag|mensa|propag"
    "|nieuws|reclam|biulet|reklam|wiadomo|market|advert|promo|databa|datenb|stop|remov|delet|eras|subscr|opt|abmeld"
    "|gemeld|abonn|inscri|uscri|baja|iscri|cadast|schr|wypis|отпис|購読|配信|ask|request|odhl|taken|do.not|don|cont[ar]|kontakt"
)
MAY_PLEAD = f"(?i){_MAY_PLEAD}"
"""A part of every sentence that `pleads` or that holds an opting out, before it is folded."""


def _one_of(table: str) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(one).replace(r"\*", r"\w*") for one in phrases(table)))


_NEGATION, _WISH, _MAIL = _one_of(words.NEGATION), _one_of(words.WISH), _one_of(words.MAIL)
_LIST, _REMOVE = _one_of(words.LIST), _one_of(words.REMOVE)
_CONFIRM, _UNCONFIRMED, _NOT_YET = map(_one_of, (words.CONFIRM, words.UNCONFIRMED, words.NOT_YET))
_SENT = _one_of(words.SENT)
_DENIAL, _REFUSES, _PERMITS = map(_one_of, (words.DENIAL, words.REFUSES, words.PERMITS))
_SENDING, _CONSENT = _one_of(words.SENDING), _one_of(words.CONSENT)
_NUMBERS = [[one] for one in words.OF]
_ASKED = re.compile(rf"\b(?:{words.ASKED})")
_CHANNEL = "|".join(sorted(OTHER_CHANNELS))
_BY_CHANNEL = re.compile(rf"\b(?:by|via|per|par|por|over|on the|on|am|al|po|przez|door|tel) (?:{_CHANNEL})\b")


def pleads(text: str) -> bool:
    """Whether a folded sentence asks for no more mail, or to be taken off a list."""
    if _ASKED.search(text):
        return True
    said = text.split()
    mail = _places(_MAIL, said)
    if mail and _is_unwanted(mail, _places(_NEGATION, said), _places(_WISH, said)):
        return True
    removed = _places(_REMOVE, said)
    return bool(removed) and any(abs(one - two) < WINDOW for one in removed for two in _places(_LIST, said))


def denies_mail(header: str) -> bool:
    """Whether a folded header is itself a no to mail: `Kein Mailing`, `I do not want to hear from you`."""
    said = header.split()
    mail = [*_places(_MAIL, said), *_places(_SENDING, said)]
    denied = [at for at in _places(_DENIAL, said) if said[at + 1 : at + 2] not in _NUMBERS]
    # Folded, "can't" is two words.
    denied += [at + 1 for at in range(len(said) - 1) if f"{said[at]} {said[at + 1]}" == "can t"]
    return any(0 < at - no < DENIED for no in denied for at in mail)


def denies_marketing(status: str) -> bool:
    """Whether a folded status says that a contact is none of marketing: `Contact non marketing`."""
    return bool(_places(_DENIAL, status.split()))


def takes_back(header: str) -> bool:
    """Whether a folded header is of a refusal: `Rifiuta comunicazioni`, `Removed from list`."""
    said = header.split()
    of = [place for one in (_MAIL, _SENDING, _LIST, _CONSENT) for place in _places(one, said)]
    return any(0 < abs(at - no) < DENIED for no in _places(_REFUSES, said) for at in of)


def permits_mail(header: str) -> bool:
    """Whether a folded header says that mail is allowed: `Contact allowed`, `Permite contacto`."""
    said = header.split()
    return bool(_places(_PERMITS, said)) and bool(_places(_MAIL, said))


def is_unconfirmed(text: str) -> bool:
    """Whether a folded cell says that the consent was asked for and not confirmed."""
    said = text.split()
    if _places(_UNCONFIRMED, said):
        return True
    confirmed = _places(_CONFIRM, said) or ([0] if re.search(r"\bopt ins?\b", text) else [])
    if not confirmed:
        return False
    denied = _places(_NEGATION, said)
    return bool(_places(_NOT_YET, said) or _places(_SENT, said)) or any(
        one < two <= one + 2 for one in denied for two in confirmed
    )


def is_pending(text: str) -> bool:
    """Whether a folded cell is the one word for what is not decided yet."""
    return _NOT_YET.fullmatch(text) is not None


def is_of_another_channel(text: str) -> bool:
    """Whether a folded cell speaks of telephones and their like, and of no mail."""
    left = _BY_CHANNEL.sub(" ", text).split()
    return bool(OTHER_CHANNELS.intersection(left)) and not _places(_MAIL, left)


def _places(pattern: re.Pattern[str], said: list[str]) -> list[int]:
    return [place for place, word in enumerate(said) if pattern.fullmatch(word)]


def _is_unwanted(mail: list[int], denied: list[int], wished: list[int]) -> bool:
    """A denial before the mail and a wish near them, or a denial and its "any more" side by side."""
    for at in mail:
        for no in denied:
            near = any(abs(no - wish) < WINDOW and no != wish for wish in wished)
            if no < at < no + WINDOW and near:
                return True
            if abs(at - no) < WINDOW and no + 1 in wished:
                return True
    return False
