"""Maps many records at once, with the result of `mapping` at a tenth of the price. Pure.

A part that is more than a cell (tags, consent, steps) is evaluated once for all records that agree in its
columns. A record with an address that is not plain, or with anything unusable, is left to the mapping of
single records, which says what is wrong.
"""

from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.config.load import LoadConfig
from pipelines.contacts.addresses import (
    MAX_ADDRESS,
    PLAIN_ADDRESS,
    InvalidAddressError,
    is_normal_domain,
    normal_address,
)
from pipelines.contacts.beginnings import Beginnings
from pipelines.contacts.lead import CustomValue, DesiredLead, digests, shape
from pipelines.contacts.mapping import parts_of, read_columns
from pipelines.contacts.opt_out_rules import BEGINNINGS, may_begin
from pipelines.contacts.opt_outs import Judge, Said, Standings
from pipelines.contacts.parts import Part, Parts
from pipelines.contacts.pleas import MAY_PLEAD
from pipelines.contacts.text_columns import (
    Columns,
    Flags,
    are_filled,
    joined,
    members,
    normal_in_json,
    normal_texts,
    to_json,
)
from pipelines.contacts.values import UnusableError

_T = TypeVar("_T")
Places = npt.NDArray[np.intp]

_NOTHING_STANDS_THERE = '"custom_fields":{},"email":"","fields":{}'
"""The part of a lead's JSON that changes from record to record, as it is without address and fields."""
_BEGINNINGS = Beginnings(BEGINNINGS)
_PLAIN_ADDRESS = f"^(?:{PLAIN_ADDRESS})$"


@dataclass(frozen=True, slots=True)
class MappedColumns:
    """The result for a chunk; the lists have one item for each of `places`, in that order."""

    places: Places
    keys: list[str]
    ranks: list[float]
    digests: list[bytes]
    wishes: list[str]
    shapes: list[bytes]
    blocked: list[str | None]
    unclear: Counter[tuple[str, str]]
    """(column, word) of unknown status words in records that may be sent."""


NONE_MAPPED = MappedColumns(np.zeros(0, dtype=np.intp), [], [], [], [], [], [], Counter())


@dataclass(frozen=True, slots=True)
class _Asked(Generic[_T]):
    """The value of a part for each distinct record (None: unusable), and which of them each record has."""

    said: list[_T | None]
    which: Places

    def texts(self, say: Callable[[_T], str | None]) -> pa.StringArray:
        """The text that `say` makes of each record's value, or null."""
        texts = [None if one is None else say(one) for one in self.said]
        return pa.array(texts, pa.string()).take(pa.array(self.which))

    def flags(self, say: Callable[[_T], bool]) -> Flags:
        return np.array([one is not None and say(one) for one in self.said], dtype=np.bool_)[self.which]

    def numbers(self) -> npt.NDArray[np.float64]:
        return np.array([np.nan if one is None else one for one in self.said], dtype=np.float64)[self.which]


@dataclass(frozen=True, slots=True)
class _Standings:
    """Why each record may not be sent, and whether its person opted out."""

    blocked: pa.StringArray
    has_opted_out: Flags
    unclear: list[tuple[str, _Asked[Said]]]
    """(column, what its cells say) where one of them is unclear."""

    def count_unclear(self, usable: Flags) -> Counter[tuple[str, str]]:
        """(column, word) of the usable records that may be sent."""
        counted: Counter[tuple[str, str]] = Counter()
        sent = usable & self.blocked.is_null().to_numpy(zero_copy_only=False)
        for column, said in self.unclear:
            counts = np.bincount(said.which[sent], minlength=len(said.said)).tolist()
            for one, count in zip(said.said, counts, strict=True):
                if one is not None and one.unclear is not None and count:
                    counted[column, one.unclear] += count
        return counted


class ColumnMapper:
    """The mapping of a load section for a source with these columns. Raises ConfigError as `mapper` does."""

    def __init__(self, load: LoadConfig, columns: tuple[str, ...]) -> None:
        self._load, self._parts = load, parts_of(load, columns)
        self._read = read_columns(load, columns)

    def marked(self, columns: Columns, count: int) -> Flags:
        """Which records opt out in a column that the mapping does not read."""
        return marked_records(columns, self._parts.standings, self._read, count)

    def map(self, columns: Columns, rows: npt.NDArray[np.int64]) -> MappedColumns:
        """Maps the records that need no closer look."""
        return _Chunk(self._load, columns, rows).mapped(self._parts) if len(rows) else NONE_MAPPED


class _Chunk:
    """The records of one chunk. Each part takes those that it cannot use out of `_usable`."""

    def __init__(self, load: LoadConfig, columns: Columns, rows: npt.NDArray[np.int64]) -> None:
        self._columns, self._rows = columns, rows
        self._clears, self._duplicates = load.blank == "clear", load.duplicates.how
        self._usable: Flags = np.ones(len(rows), dtype=np.bool_)

    def mapped(self, parts: Parts) -> MappedColumns:
        addresses = self._addresses(parts.address)
        keys = addresses if parts.key is None else self._keys(parts.key)
        fields = [self._member(name, part)[0] for name, part in sorted(parts.fields.items())]
        custom = {name: self._member(name, part) for name, part in sorted(parts.custom_fields.items())}
        asked, standings = self._ask(parts.asked), self._standings(parts.standings)
        ranks = self._ranks(parts.changed, standings.has_opted_out)
        around = _Asked([None if one is None else _around(one) for one in asked.said], asked.which)
        wishes = pc.binary_join_element_wise(
            around.texts(lambda one: one[0]),
            '"custom_fields":{',
            joined([texts for texts, _ in custom.values()], len(self._rows)),
            '},"email":"',
            normal_in_json(addresses),
            '","fields":{',
            joined(fields, len(self._rows)),
            "}",
            around.texts(lambda one: one[1]),
            "",
        )
        shapes = _shapes(asked, {name: is_filled for name, (_, is_filled) in custom.items()})
        places = np.flatnonzero(self._usable)
        texts = _chosen(wishes, self._usable)
        return MappedColumns(
            places=places,
            keys=_chosen(keys, self._usable),
            ranks=ranks[places].tolist(),
            digests=digests(texts),
            wishes=texts,
            shapes=[shapes.said[one] or b"" for one in shapes.which[places].tolist()],
            blocked=_chosen(standings.blocked, self._usable),
            unclear=standings.count_unclear(self._usable),
        )

    def _ask(self, part: Part[_T]) -> _Asked[_T]:
        codes = [self._columns[column].dictionary_encode() for column in part.columns]
        first, which = _alike(
            [(one.indices.to_numpy(), len(one.dictionary)) for one in codes], len(self._rows)
        )
        cells = [self._columns[column].take(pa.array(first)).to_pylist() for column in part.columns]
        records = zip(*cells, strict=True) if cells else [()] * len(first)
        said = [_read(part, dict(zip(part.columns, record, strict=True))) for record in records]
        asked = _Asked(said, which)
        self._usable &= asked.flags(lambda _: True)
        return asked

    def _addresses(self, part: Part[str]) -> pa.StringArray:
        """Null, or anything, where they are not usable."""
        if not part.is_cell:
            normal: Part[str] = Part(part.columns, lambda record: normal_address(part.read(record)))
            return self._ask(normal).texts(str)
        addresses = pc.ascii_lower(normal_texts(self._columns[part.columns[0]]))
        is_plain = pc.and_(
            pc.match_substring_regex(addresses, _PLAIN_ADDRESS),
            pc.less_equal(pc.binary_length(addresses), MAX_ADDRESS),
        )
        plain = addresses.filter(is_plain)
        # A plain address has one @, so that every second part is a domain.
        domains = pc.split_pattern(plain, "@").flatten().take(pa.array(np.arange(1, 2 * len(plain), 2)))
        distinct = domains.dictionary_encode()
        is_normal = np.array(
            [is_normal_domain(one) for one in distinct.dictionary.to_pylist()], dtype=np.bool_
        )
        usable = is_plain.to_numpy(zero_copy_only=False).copy()
        # The right side has a flag for each plain address alone, in their order.
        usable[usable] = is_normal[distinct.indices.to_numpy()]
        self._usable &= usable
        return addresses

    def _keys(self, part: Part[str]) -> pa.StringArray:
        keys = normal_texts(self._columns[part.columns[0]])
        self._usable &= are_filled(keys)
        return keys

    def _member(self, name: str, part: Part[CustomValue]) -> tuple[pa.StringArray, Flags]:
        """A field in the JSON of a wish, null where it is left alone, and where it is not blank."""
        if part.is_cell:
            texts = normal_in_json(self._columns[part.columns[0]])
            is_filled = are_filled(texts)
            return members(name, texts, is_filled | self._clears), is_filled
        values = self._ask(part)
        texts = values.texts(
            lambda value: f"{to_json(name)}:{to_json(value)}" if value or self._clears else None
        )
        return texts, values.flags(bool)

    def _standings(self, standings: Standings) -> _Standings:
        """As `Standings.read`, but for words beside an address: whoever has some is read alone."""
        opted_out = pa.nulls(len(self._rows), pa.string())
        unclear = []
        for column, judge in standings.judges.items():
            said = _said_by(judge, self._columns[column])
            if said is None:
                continue
            opted_out = pc.coalesce(opted_out, said.texts(lambda one: one.no))
            if any(one is not None and one.unclear for one in said.said):
                unclear.append((column, said))
        has_opted_out = opted_out.is_valid().to_numpy(zero_copy_only=False)
        if standings.consent is None:
            return _Standings(opted_out, has_opted_out, unclear)
        refused = _each(self._columns[standings.consent], standings.refused)
        return _Standings(pc.coalesce(opted_out, refused.texts(str)), has_opted_out, unclear)

    def _ranks(self, changed: Part[float] | None, has_opted_out: Flags) -> npt.NDArray[np.float64]:
        if changed is not None:
            ranks = self._ask(changed).numbers()
        else:
            ranks = (-self._rows if self._duplicates == "first" else self._rows).astype(np.float64)
        # Of several records of a person a no wins, wherever it stands in the file.
        ranks[has_opted_out] = np.inf
        return ranks


def _each(cells: pa.StringArray, say: Callable[[str], _T | None]) -> _Asked[_T]:
    """What is said of each cell; of equal ones once."""
    codes = cells.dictionary_encode()
    return _Asked([say(cell) for cell in codes.dictionary.to_pylist()], codes.indices.to_numpy())


def _said_by(judge: Judge, cells: pa.StringArray) -> _Asked[Said] | None:
    """None where no cell of the column says anything."""
    if not judge.is_scanned and not judge.sentences:
        every = _each(cells, judge.say)
        return every if any(every.said) else None
    may_say = _BEGINNINGS.may_begin(cells)
    if judge.sentences:
        may_say |= pc.match_substring_regex(cells, MAY_PLEAD).to_numpy(zero_copy_only=False)
    if not may_say.any():
        return None
    # The quick look finds too many; in a column that is read for other things each is looked at again.
    may_be_put_aside = judge.is_scanned
    few = _each(
        cells.filter(pa.array(may_say)),
        lambda cell: judge.say(cell) if not may_be_put_aside or may_begin(cell) else None,
    )
    if not any(few.said):
        return None
    # Every cell that was not asked has the last place, which says nothing.
    which = np.full(len(cells), len(few.said), dtype=np.intp)
    which[may_say] = few.which
    return _Asked([*few.said, None], which)


def marked_records(columns: Columns, standings: Standings, read: Container[str], count: int) -> Flags:
    """The records that say in one of the columns that are not read that their person opted out."""
    marked = np.zeros(count, dtype=np.bool_)
    for column, judge in standings.judges.items():
        if column in read:
            continue
        said = _said_by(judge, columns[column])
        if said is not None:
            marked |= said.flags(lambda one: one.no is not None)
    return marked


def _read(part: Part[_T], record: Mapping[str, str]) -> _T | None:
    try:
        return part.read(record)
    except (InvalidAddressError, UnusableError):
        return None


def _around(asked: DesiredLead) -> tuple[str, str]:
    """What is before and behind the address and the fields in a wish."""
    # The keys of the JSON are sorted, so that what changes from record to record stands together.
    before, _, behind = asked.to_json().partition(_NOTHING_STANDS_THERE)
    return before, behind


def _shapes(asked: _Asked[DesiredLead], is_filled: Mapping[str, Flags]) -> _Asked[bytes]:
    flags = [(flags.astype(np.intp), 2) for flags in is_filled.values() if not flags.all()]
    first, which = _alike([(asked.which, len(asked.said)), *flags], len(asked.which))
    said: list[bytes | None] = []
    for place in first.tolist():
        lead = asked.said[asked.which[place]]
        # A shape knows which custom fields are filled, whatever is in them.
        names = {name: "any" for name, flags in is_filled.items() if flags[place]}
        said.append(None if lead is None else shape(replace(lead, custom_fields=names)))
    return _Asked(said, which)


def _alike(codes: Sequence[tuple[Places, int]], count: int) -> tuple[Places, Places]:
    """The first of all records that agree in every code, and which of these each record is like.

    A code is a number below the one beside it.
    """
    whole, size = np.zeros(count, dtype=np.int64), 1
    for code, below in codes:
        # Numbered anew before the combined code would not fit: there are fewer codes in use than could be.
        if size * below >= 2**62:
            whole, size = np.unique(whole, return_inverse=True)[1], count
        whole, size = whole * below + code, size * below
    return np.unique(whole, return_index=True, return_inverse=True)[1:]


def _chosen(texts: pa.StringArray, chosen: Flags) -> list[Any]:
    return list((texts if chosen.all() else texts.filter(pa.array(chosen))).to_pylist())
