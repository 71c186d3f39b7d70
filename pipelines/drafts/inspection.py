"""What is in a source, column by column: how full, how many values, what they look like, what is odd.

Of values only what was asked for is kept: a few samples, masked unless they are to be shown, and the words of
columns that have few.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from connectors.errors import SourceError
from connectors.privacy import mask_address
from connectors.sources import Source
from connectors.sources.faults import without_faults
from pipelines.contacts.addresses import (
    InvalidAddressError,
    addresses_in,
    is_address,
    normal_address,
)
from pipelines.contacts.card_numbers import SECRET_NAMES, is_card_number
from pipelines.contacts.normalise import normal_cell
from pipelines.drafts.suspicious import suspicions
from pipelines.extract.cells import Cleaned
from pipelines.extract.sources import words_notes

COUNTED = 10_000
"""The most different values that are counted."""
YES_OR_NO = frozenset(
    ("yes", "no", "y", "n", "true", "false", "ja", "nein", "nee", "oui", "non", "sí", "si", "sim", "não")
)
WORDS = 12
"""A column with more different values does not hold status words."""
LONGEST_WORD = 40
SAMPLES = 3
_AT = re.compile("[@\uff20\ufe6b]|%40")
PROBLEMS = 20


@dataclass(slots=True)
class ColumnProfile:
    """`looks` counts what values look like: address, number, date, card. `words` counts the values
    themselves, None where there are too many; `odd` counts what is suspicious. `samples` are masked unless
    `shows`.
    """

    name: str
    filled: int = 0
    longest: int = 0
    values: set[bytes] = field(default_factory=set)
    looks: Counter[str] = field(default_factory=Counter)
    samples: list[str] = field(default_factory=list)
    odd: Counter[str] = field(default_factory=Counter)
    words: Counter[str] | None = field(default_factory=Counter)
    shows: bool = False

    @property
    def distinct(self) -> int:
        return len(self.values)

    @property
    def is_secret(self) -> bool:
        """Whether its name suggests card numbers or passwords, or its values could be card numbers."""
        return bool(SECRET_NAMES.search(self.name)) or self.share("card") > 0.5

    def share(self, kind: str) -> float:
        return self.looks[kind] / self.filled if self.filled else 0.0

    def see(self, cell: str) -> None:
        value = normal_cell(cell)
        if not value:
            return
        self.filled += 1
        self.longest = max(self.longest, len(value))
        if len(self.values) < COUNTED:
            # Hashes: only their number is wanted, and the values are people's.
            self.values.add(blake2b(value.encode(), digest_size=8).digest())
        kind = kind_of(value)
        self.looks[kind] += 1
        self.odd.update(suspicions(cell.strip()))
        self._count_word(value)
        if len(self.samples) < SAMPLES:
            # A card number is never shown, even to whoever asks for samples.
            sample = " ".join(value.split()) if self.shows and kind != "card" else _masked(value, kind)
            if sample not in self.samples:
                self.samples.append(sample)

    def _count_word(self, value: str) -> None:
        if self.words is not None:
            self.words[value] += 1
            if len(self.words) > WORDS or len(value) > LONGEST_WORD:
                self.words = None


@dataclass(slots=True)
class Profile:
    """The profile of a source. `problems` are the first bad rows as (row, reason), `bad` is their number."""

    columns: list[ColumnProfile]
    rows: int = 0
    bad: int = 0
    problems: list[tuple[int, str]] = field(default_factory=list)
    notes: tuple[str, ...] = ()

    @property
    def with_addresses(self) -> list[ColumnProfile]:
        """The columns with e-mail addresses, the one with most first."""
        found = [column for column in self.columns if column.looks["address"]]
        return sorted(found, key=lambda column: -column.looks["address"])

    @property
    def addresses(self) -> ColumnProfile | None:
        """The column with most addresses, if most of its values are addresses."""
        return next((column for column in self.with_addresses if column.share("address") > 0.5), None)


def profile_of(source: Source, *, rows: int | None = None, shows: bool = False) -> Profile:
    """The profile of a source, or of its first `rows`; `shows`: samples unmasked. Raises SourceError."""
    _refuse_people(source.columns)
    profile = Profile([], notes=(*source.notes, *words_notes(source)))
    # As it was before its cells were cleaned: afterwards little would be odd.
    as_it_stands = source.source if isinstance(source, Cleaned) else source
    for chunk in as_it_stands.chunks():
        if not profile.columns:
            profile.columns = [ColumnProfile(str(name), shows=shows) for name in chunk.frame.columns]
        for place, column in enumerate(profile.columns):
            for cell in chunk.frame.iloc[:, place]:
                column.see(cell)
        by_name = {column.name: column for column in profile.columns}
        for fault in chunk.faults:
            by_name[fault.column].odd[fault.reason.removeprefix("holds ")] += 1
        profile.rows += len(chunk.frame) + len(chunk.bad_rows)
        profile.bad += len(chunk.bad_rows)
        profile.problems += [(bad.row, bad.reason) for bad in chunk.bad_rows][
            : max(0, PROBLEMS - len(profile.problems))
        ]
        if rows is not None and profile.rows >= rows:
            break
    if not profile.columns:
        profile.columns = [ColumnProfile(name) for name in source.columns]
    return profile


def _refuse_people(columns: Sequence[str]) -> None:
    """Refuses a table without a header, whose first person became the names of its columns."""
    if any(_AT.search(column) and addresses_in(column) for column in columns):
        raise SourceError(
            "a column is called by an e-mail address, as if a person were the header: the names of the"
            " columns are missing"
        )


def address_problems(source: Source, column: str) -> Iterator[tuple[int, str]]:
    """(row, reason) of every record with an unusable address."""
    for chunk in without_faults(source.chunks(), {column}):
        for row, cell in chunk.frame[column].items():
            try:
                normal_address(normal_cell(cell))
            except InvalidAddressError as error:
                yield int(str(row)), str(error)


def kind_of(value: str) -> str:
    """The kind of a value: address, card, yes/no, number, date, text."""
    if _AT.search(value) and is_address(value):
        return "address"
    if is_card_number(value):
        return "card"
    if value.casefold() in YES_OR_NO:
        return "yes/no"
    if re.fullmatch(r"[+-]?[0-9][0-9.,]*", value):
        return "number"
    if re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{1,2}[/.-][0-9]{1,2}[/.-][0-9]{2,4}", value):
        return "date"
    return "text"


def _masked(value: str, kind: str) -> str:
    """A masked value: an address as everywhere, other letters as a and digits as 9."""
    if kind == "address":
        return mask_address(value)
    if kind == "card":
        return "a card number"
    if kind == "yes/no":
        return value  # it identifies nobody
    shape = re.sub(r"[^\W\d_]", "a", re.sub(r"\d", "9", " ".join(value.split())))
    return shape if len(shape) <= 24 else f"{shape[:23]}…"
