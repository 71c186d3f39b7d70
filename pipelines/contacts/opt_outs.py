"""Finds the records of people who opted out, and those without consent. Pure.

Every column can say it, even one that nothing else reads. If the name of a column shows its subject, all of
its cells are judged; in other columns only the cells that begin like an opting out are.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from connectors.privacy import mask_text
from connectors.sources.names import unique_names
from pipelines.config.consent import OptOutConfig
from pipelines.config.load import LoadConfig
from pipelines.contacts.addresses import words_beside
from pipelines.contacts.lead import Record
from pipelines.contacts.normalise import normal_cell
from pipelines.contacts.opt_out_rules import Header, Kind, Verdict, header_of, may_begin, verdict
from pipelines.contacts.staged import KEY_COLUMN, REASON_COLUMN

SHOWN_CHARACTERS = 40
_DATE = re.compile(r"[0-9t:., /+-]{8,}z?(?: ?[ap]m)?(?: utc)?")
_SCANNED = (Kind.OTHER, Kind.BUSINESS)
_WORDS_IN_ADDRESS = Header(Kind.STATUS)


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether the person of a record opted out, and why it may not be sent.

    `unclear` has (column, word) of unknown status words, if the record may be sent.
    """

    has_opted_out: bool = False
    blocked: str | None = None
    unclear: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Said:
    """What a cell says: `no` is the reason to hold its record back, `unclear` an unknown status word."""

    no: str | None = None
    unclear: str | None = None

    def __bool__(self) -> bool:
        return self.no is not None or self.unclear is not None


NOTHING_SAID = Said()


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges the cells of a column.

    If it `is_scanned`, only the cells for which `may_begin` holds; of `sentences`, which are as many as
    people, only those that hold such a phrase (`MAY_PLEAD`) or may begin with one.
    """

    say: Callable[[str], Said]
    is_scanned: bool
    sentences: bool = False


class Standings:
    """Whether the people in a source with these columns may be mailed."""

    def __init__(self, load: LoadConfig, columns: tuple[str, ...]) -> None:
        self.judges: Mapping[str, Judge] = dict(_judges(load, columns))
        self.consent = load.consent.column
        self._accepted = frozenset(word.strip().casefold() for word in load.consent.accepted)
        self._address = load.fields["email"].column

    @property
    def named(self) -> frozenset[str]:
        """The columns in which every cell counts."""
        consent = {self.consent} if self.consent is not None else set()
        whole = {name for name, judge in self.judges.items() if not judge.is_scanned and not judge.sentences}
        return frozenset(whole | consent)

    def read(self, record: Record) -> Standing:
        unclear: list[tuple[str, str]] = []
        for column, judge in self.judges.items():
            cell = record.get(column, "")
            if judge.is_scanned and not may_begin(cell):
                continue
            said = judge.say(cell)
            if said.no is not None:
                # The first no is enough; a status that nobody knows elsewhere does not matter any more.
                return Standing(has_opted_out=True, blocked=said.no)
            if said.unclear is not None:
                unclear.append((column, said.unclear))
        if beside := self._beside_address(record):
            return Standing(has_opted_out=True, blocked=beside)
        if refused := self.refused(record.get(self.consent or "", "")):
            return Standing(blocked=refused)
        return Standing(unclear=tuple(unclear))

    def refused(self, cell: str) -> str | None:
        """Why a cell of the consent column gives no consent; None if it does, or without such a column."""
        word = normal_cell(cell).casefold()
        if self.consent is None or word in self._accepted:
            return None
        reason = f'no consent in the column "{self.consent}"'
        return f'{reason}: "{shown(word)}"' if word else reason

    def _beside_address(self, record: Record) -> str | None:
        cell = record.get(self._address or "", "")
        words = words_beside(cell) if " " in cell or "(" in cell else ""
        if words and verdict(_WORDS_IN_ADDRESS, words) is Verdict.NO:
            return f'opted out: "{shown(words)}" beside the address'
        return None


def _judges(load: LoadConfig, columns: tuple[str, ...]) -> Iterator[tuple[str, Judge]]:
    """The judges in the order of the columns; columns that say nothing of mail have none."""
    declared = {one.column: one for one in load.opt_out}
    names = {value.column for name, value in load.fields.items() if name != "email"}
    for column in unique_names(columns):
        header = header_of(column)
        # What is mapped to a field is a name, a street, a firm, and those may begin with any word.
        if column in names and header.kind is Kind.OTHER:
            header = Header(Kind.BUSINESS)
        # Words beside an address are judged apart; the others are our own, in a file of rejects.
        if column in (load.fields["email"].column, REASON_COLUMN, KEY_COLUMN):
            continue
        if column in declared:
            if declared[column].allowed != "any":
                yield column, Judge(_declared(column, header, declared[column]), is_scanned=False)
        # Whether it consents is said by the accepted words; here it counts only what is plainly an opting
        # out.
        elif column == load.consent.column:
            yield column, Judge(partial(_said, column, Header(Kind.OTHER)), is_scanned=False)
        elif header.kind is not Kind.SILENT:
            say = partial(_said, column, header)
            yield column, Judge(say, header.kind in _SCANNED, sentences=header.kind is Kind.NOTES)


def _said(column: str, header: Header, cell: str) -> Said:
    word = normal_cell(cell)
    match verdict(header, word):
        case Verdict.NO:
            return Said(no=f'opted out: "{shown(word)}" in the column "{column}"')
        case Verdict.UNCLEAR:
            return Said(unclear=shown(word))
    return NOTHING_SAID


def _declared(column: str, header: Header, one: OptOutConfig) -> Callable[[str], Said]:
    """A judge by the words of the pipeline file. If it lists one sort only, all other words are of the
    other."""
    blocked = {normal_cell(word).casefold() for word in one.blocked}
    allowed = {normal_cell(word).casefold() for word in one.allowed}

    def say(cell: str) -> Said:
        word = normal_cell(cell).casefold()
        if word in blocked or (word and not blocked and word not in allowed):
            return Said(no=f'opted out: "{shown(word)}" in the column "{column}"')
        if word in allowed:
            return NOTHING_SAID
        said = _said(column, header, cell)
        return said if said.no or allowed else NOTHING_SAID

    return say


def shown(word: str) -> str:
    """A word of a cell in a form fit for messages: shortened, dates left out, addresses masked."""
    word = normal_cell(word).casefold()
    if _DATE.fullmatch(word):
        return "a date"
    text = mask_text(" ".join(word.split()))
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
