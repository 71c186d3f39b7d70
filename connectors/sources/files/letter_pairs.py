"""How likely words are in a language, by the letters that follow each other in it. Pure but for its table.

`letter_pairs.txt` has a line for each language: its name, then groups of pairs that are equally common, the
first character of a group saying how common. `^` and `$` are the beginning and the end of a word. Chinese,
Japanese and Korean have single characters instead. The table was counted over the names of people, streets
and places in Faker (MIT licence) and those of countries, languages and months in CLDR (Unicode licence); see
`python -m tests.sources.letter_pairs`.
"""

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

_FILE = Path(__file__).with_suffix(".txt")
_FIRST_GROUP = ord("0")
_GROUPS_PER_DOUBLING = 2
_LETTERS = re.compile(r"(?:[^\W\d_]|[\u0300-\u0323\u0591-\u05c7\u064b-\u0655\u0e31-\u0e4e])+")
_SAME = str.maketrans({"İ": "i", "ș": "ş", "ț": "ţ", "Ș": "ş", "Ț": "ţ"})

_SMOOTHING = 6.0
"""How many pairs a letter is assumed to have besides those that were counted."""
_FOREIGN = 1e-6
"""The likelihood of a letter that a language does not have."""
_FOREIGN_SIGN = 1e-5
_UNUSUAL = math.log(1 / 60)
"""A letter of a word that is of no language, as the name of a firm: no letter of a word is less likely."""
_SAME_LANGUAGE, _OTHER, _ANY_WORD = math.log(0.88), math.log(0.1), math.log(0.02)
_ONE_LANGUAGE = math.log(1 / 20)
"""The likelihood of each language: the same in every page, or else one of few languages would be the likelier
for a language that it shares with others."""
_COMMON_SIGNS = {"’": 3e-3, "‘": 5e-4, "–": 1e-3, "“": 5e-4, "”": 5e-4, "„": 3e-4, "€": 5e-4, "\xa0": 5e-4}
_NOT_AFTER_LETTERS, _NOT_BEFORE_LETTERS = "“„«‘¿¡°£€§", "”»’™®©°ºª½¼²³·"
_EASTERN_SIGNS = "・、。（）「」－　，：～々ー"
_MISPLACED = 0.01
_OTHER_SIGNS = dict.fromkeys("£§°«»®™©·•…½¼²³ªº—´¿¡", 1e-4)


class Language(NamedTuple):
    """The likelihoods of a language. Those of pairs are filled while they are asked for."""

    counts: Mapping[str, float]
    after: Mapping[str, float]
    """How many pairs begin with a letter."""
    base_counts: Mapping[str, float]
    base_after: Mapping[str, float]
    """The same of letters without their accents."""
    shares: Mapping[str, float]
    """Of a letter among all."""
    base_shares: Mapping[str, float]
    known: dict[str, float]


def log_likelihood(pieces: Iterable[str], languages: Sequence[str], others: tuple[str, ...]) -> float:
    """Of pieces of text without blanks and of their signs.

    Most words are of one of the languages; each may be of one of the others, or of none.
    """
    of_languages = [0.0] * len(languages)
    of_signs = 0.0
    for piece in pieces:
        for word in words_of(piece):
            other = _of_others(word, others)
            for place, name in enumerate(languages):
                of_languages[place] += _log_sum([_SAME_LANGUAGE + _of_word(word, name), other])
        of_signs += _of_signs(piece)
    return _ONE_LANGUAGE + _log_sum(of_languages) + of_signs


@lru_cache(maxsize=16384)
def _of_others(word: str, others: tuple[str, ...]) -> float:
    of_each = [_OTHER + _ONE_LANGUAGE + _of_word(word, name) for name in others]
    return _log_sum([*of_each, _any_word(word)])


def _any_word(word: str) -> float:
    return _ANY_WORD + (len(word) + 1) * _UNUSUAL


def _of_signs(piece: str) -> float:
    triples = zip(f" {piece}", piece, f"{piece[1:]} ", strict=False)
    return sum(
        _of_sign(*three) for three in triples if not three[1].isascii() and not _LETTERS.match(three[1])
    )


def _of_sign(before: str, sign: str, after: str) -> float:
    likelihood = _COMMON_SIGNS.get(sign) or _OTHER_SIGNS.get(sign) or _FOREIGN_SIGN
    if (sign in _NOT_AFTER_LETTERS and before.isalpha()) or (sign in _NOT_BEFORE_LETTERS and after.isalpha()):
        likelihood *= _MISPLACED if sign != "’" or not before.isalpha() else 1.0
    return math.log(likelihood)


def words_of(piece: str) -> list[str]:
    """The words of a text in the form of the table."""
    return _LETTERS.findall(unicodedata.normalize("NFC", piece.translate(_SAME)).lower().translate(_SAME))


def is_of(word: str, languages: Iterable[str]) -> bool:
    """Whether a word is likelier in one of the languages than letters put together at will."""
    at_will = (len(word) + 1) * _UNUSUAL
    return any(_of_word(word, name) > at_will for name in languages)


def pairs_of(word: str) -> list[str]:
    return [before + letter for before, letter in zip(f"^{word}", f"{word}$", strict=True)]


def log_likelihood_of_signs(text: str, language: str, is_usual: Mapping[str, bool]) -> float:
    """Of a text whose characters are syllables or words. `is_usual` says it of those not in the table."""
    known = _signs(language)
    total = 0.0
    for letter in text:
        if letter in known:
            total += known[letter]
        elif not letter.isascii():
            total += math.log(_of_unseen_sign(letter, is_usual))
        elif letter.isalnum():
            total += math.log(1 / 40)
    return total


def _of_unseen_sign(letter: str, is_usual: Mapping[str, bool]) -> float:
    if not letter.isalpha():
        return 1e-3 if letter in _EASTERN_SIGNS else 1e-7
    return 1 / 9000 if is_usual.get(letter) else 1 / 200_000


@lru_cache(maxsize=262144)
def _of_word(word: str, name: str) -> float:
    language = _language(name)
    total = 0.0
    for pair in pairs_of(word):
        found = language.known.get(pair)
        if found is None:
            found = language.known[pair] = math.log(_of_pair(pair, language))
        total += found
    return total


def _of_pair(pair: str, language: Language) -> float:
    """A pair that was not counted is as likely as that of the letters without their accents allows."""
    before, letter = pair[0], pair[1]
    share = language.shares.get(letter)
    if share is None:
        return _FOREIGN
    base_before, base = _base(before), _base(letter)
    among = share / language.base_shares[base]
    of_base = (
        language.base_counts.get(base_before + base, 0.0) + _SMOOTHING * language.base_shares[base]
    ) / (language.base_after.get(base_before, 0.0) + _SMOOTHING)
    return (language.counts.get(pair, 0.0) + _SMOOTHING * of_base * among) / (
        language.after.get(before, 0.0) + _SMOOTHING
    )


@lru_cache(maxsize=4096)
def _base(letter: str) -> str:
    return unicodedata.normalize("NFD", letter)[0]


def _log_sum(logarithms: list[float]) -> float:
    highest = max(logarithms)
    return highest + math.log(sum(math.exp(one - highest) for one in logarithms))


@lru_cache
def _language(name: str) -> Language:
    counts = _counts()[name]
    tables: list[dict[str, float]] = [{}, {}, {}, {}, {}]
    after, base_counts, base_after, shares, base_shares = tables
    total = sum(counts.values())
    for pair, count in counts.items():
        before, letter = pair[0], pair[1]
        base_before, base = _base(before), _base(letter)
        after[before] = after.get(before, 0.0) + count
        base_counts[base_before + base] = base_counts.get(base_before + base, 0.0) + count
        base_after[base_before] = base_after.get(base_before, 0.0) + count
        shares[letter] = shares.get(letter, 0.0) + count / total
        base_shares[base] = base_shares.get(base, 0.0) + count / total
        if before != "^":
            # Letters that begin a pair alone, as those that an alphabet has but no word did.
            shares.setdefault(before, count / total)
            base_shares.setdefault(base_before, count / total)
    return Language(counts, after, base_counts, base_after, shares, base_shares, {})


@lru_cache
def _signs(name: str) -> Mapping[str, float]:
    counts = _counts()[name]
    total = sum(counts.values()) + 0.5 * len(counts)
    return {letter: math.log(count / total) for letter, count in counts.items()}


@lru_cache
def _counts() -> dict[str, dict[str, float]]:
    return {
        name: _counts_of(groups)
        for name, *groups in (line.split(" ") for line in _FILE.read_text(encoding="utf-8").splitlines())
    }


def _counts_of(groups: Iterable[str]) -> dict[str, float]:
    counts = {}
    for group in groups:
        count = 2 ** ((ord(group[0]) - _FIRST_GROUP) / _GROUPS_PER_DOUBLING)
        width = 1 if not {"^", "$"} & set("".join(groups)) else 2
        for place in range(1, len(group), width):
            counts[group[place : place + width]] = count
    return counts
