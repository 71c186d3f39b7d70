"""Contacts in JSON lines, or in an array of JSON objects: as text by the rules of `values`.

Columns are the keys of all objects, in the order in which they first come; an object without a key has an
empty cell there. Objects in objects are columns of their own, `address.city`; arrays stay JSON. Numbers keep
their digits, but for the `.0` and the exponent of a whole one.
"""

import json
import re
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from connectors.errors import SourceError
from connectors.nesting import is_deeper, may_be_deeper
from connectors.sources import Chunk
from connectors.sources.files.encoding import bounded_lines, encoding_of, open_text, refuse_other_text
from connectors.sources.files.watched import WatchedFile, watched
from connectors.sources.names import unique_names
from connectors.sources.records import RawRecord, chunks_of, named_columns, record_of
from connectors.sources.values import cell_of

MAX_DEPTH = 8
"""Objects below this depth stay JSON."""
MAX_NESTING = 64
"""What is deeper is no record: it could be parsed, and not be walked through."""
MAX_COLUMNS = 4_096
MAX_VALUE_CHARS = 16 * 1024 * 1024
_BLOCK_CHARS = 64 * 1024
_KIND = "JSON lines"
_WHOLE_BELOW = 40
"""The most digits to which a whole number with an exponent is written out."""


def open_jsonl(path: Path, *, encoding: str | None = None, chunk_rows: int = 20_000) -> "JsonLines":
    """Reads the file once for its keys. Raises SourceError for one that is missing or holds no object."""
    file = watched(path)
    try:
        found = encoding_of(path, encoding, _KIND)
        with open_text(path, found.name) as handle:
            first = list(islice((line for line in bounded_lines(handle, path.name) if line.strip()), 2))
    except OSError as error:
        raise file.unreadable(error) from error
    is_array = bool(first) and _begins_an_array(first)
    if first and not is_array:
        _refuse_documents(path, first)
    keys: dict[str, None] = {}
    with closing(_values(file, found.name, is_array)) as values:
        for _, _, value in values:
            if isinstance(value, dict):
                keys |= dict.fromkeys(_flat(value))
            if len(keys) > MAX_COLUMNS:
                raise SourceError(f"{path.name} has more than {MAX_COLUMNS:,} different keys: is it a table?")
    if not keys:
        raise SourceError(f"{path.name} has no line with a JSON object")
    columns, notes = named_columns(list(keys))
    what = "an array of objects" if is_array else "lines"
    said = f"read as {found.name}" + (f", {what}" if is_array else "")
    places = {key: place for place, key in enumerate(keys)}
    return JsonLines(
        columns,
        (said, *notes),
        found.words,
        file,
        found.name,
        is_array,
        places,
        chunk_rows,
    )


@dataclass(frozen=True, slots=True)
class JsonLines:
    """A Source. Rows are numbered as in a CSV of the same data, where the header is row 1."""

    columns: tuple[str, ...]
    notes: tuple[str, ...]
    words: tuple[str, ...]
    _file: WatchedFile
    _encoding: str
    _is_array: bool
    _places: dict[str, int]
    _chunk_rows: int

    def chunks(self) -> Iterator[Chunk]:
        self._file.refuse_change()
        with closing(_values(self._file, self._encoding, self._is_array)) as values:
            records = (
                self._record(row, line, text, value) for row, (line, text, value) in enumerate(values, 2)
            )
            yield from chunks_of(records, unique_names(self.columns), self._chunk_rows)
        self._file.refuse_change()

    def _record(self, row: int, line: int, text: str, value: Any) -> RawRecord:
        if not isinstance(value, dict):
            return RawRecord(row, line, [text], "not a JSON object")
        cells = [("", "")] * len(self._places)
        for key, text in _flat(value).items():
            if (place := self._places.get(key)) is not None:
                cells[place] = cell_of(text)
        return record_of(row, line, cells)


class _Number(str):
    """A number in the digits of the file."""

    __slots__ = ()


def _begins_an_array(first: list[str]) -> bool:
    """Whether the file is one array. An array that ends on the first of several lines is a bad line
    instead."""
    if not first[0].lstrip().startswith("["):
        return False
    return len(first) == 1 or _parsed(first[0].strip()) is None


def _refuse_documents(path: Path, first: list[str]) -> None:
    refuse_text = "".join(first)
    if not refuse_text.lstrip().startswith("{"):
        refuse_other_text(path, refuse_text, _KIND)
    elif len(first) == 2 and all(_parsed(line.strip()) is None for line in first):
        raise SourceError(
            f"{path.name} is one JSON document over several lines: save its records as JSON lines, an object"
            " on each line, or as an array of objects"
        )


def _parsed(text: str) -> Any:
    """The value; None for text that is not JSON."""
    try:
        value = json.loads(text, **_NUMBERS)
    except (ValueError, RecursionError):
        return None
    return None if _is_too_deep(text, value) else value


def _is_too_deep(text: str, value: Any) -> bool:
    return may_be_deeper(text, MAX_NESTING) and is_deeper(value, MAX_NESTING)


def _constant(name: str) -> str | None:
    return None if name == "NaN" else name


_NUMBERS: dict[str, Any] = {"parse_float": _Number, "parse_int": _Number, "parse_constant": _constant}


def _values(file: WatchedFile, encoding: str, is_array: bool) -> Generator[tuple[int, str, Any]]:
    """(line, text, value) of every line that is not blank, or of every element; value None if it is not
    JSON."""
    try:
        with open_text(file.path, encoding) as handle:
            if is_array:
                yield from _elements(file, handle)
                return
            for number, line in enumerate(bounded_lines(handle, file.path.name), 1):
                if text := line.strip():
                    yield number, text, _parsed(text)
    except OSError as error:
        raise file.unreadable(error) from error
    except UnicodeError as error:  # every byte was decoded when it was opened
        raise file.changed() from error


def _elements(file: WatchedFile, handle: TextIO) -> Iterator[tuple[int, str, Any]]:
    """The elements of an array, one at a time. Raises SourceError if it is damaged."""
    decoder = json.JSONDecoder(**_NUMBERS)
    buffer, line = "", 1
    at = handle.read(_BLOCK_CHARS)
    buffer = at[at.index("[") + 1 :]
    line += at[: len(at) - len(buffer)].count("\n")
    while True:
        rest = buffer.lstrip(" \t\r\n,")
        line += buffer[: len(buffer) - len(rest)].count("\n")
        buffer = rest
        if buffer.startswith("]"):
            return
        try:
            value, end = decoder.raw_decode(buffer)
        except (ValueError, RecursionError) as error:
            # At least doubled: parsing from the start after each small block would take quadratic time.
            more = handle.read(max(_BLOCK_CHARS, len(buffer)))
            if not more or len(buffer) > MAX_VALUE_CHARS or isinstance(error, RecursionError):
                raise SourceError(f"{file.path.name}, line {line}: the JSON is damaged, or cut off") from None
            buffer += more
            continue
        # 12 at the end of a block may be the beginning of 123.
        if end == len(buffer) and (more := handle.read(_BLOCK_CHARS)):
            buffer += more
            continue
        yield line, buffer[:end], None if _is_too_deep(buffer[:end], value) else value
        line += buffer[:end].count("\n")
        buffer = buffer[end:]


def _flat(value: dict[str, Any], prefix: str = "", depth: int = 1) -> dict[str, str]:
    """The cells of an object by column."""
    cells: dict[str, str] = {}
    for key, inner in value.items():
        name = prefix + key.replace("\0", "")
        if isinstance(inner, dict) and inner and depth < MAX_DEPTH:
            cells |= _flat(inner, f"{name}.", depth + 1)
        else:
            cells[name] = _text(inner)
    return cells


def _text(value: Any) -> str:
    if value is None or value == {}:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, _Number):
        return _number(value)
    return value if isinstance(value, str) else _json(value)


def _number(written: str) -> str:
    if re.fullmatch(r"-?\d+\.0+", written):
        written = written.partition(".")[0]
    elif "e" in written.lower():
        try:
            number = Decimal(written)
        except ArithmeticError:  # an exponent beyond all bounds
            return written
        if number.adjusted() < _WHOLE_BELOW and number == number.to_integral_value():
            written = str(int(number))
    return "0" if written == "-0" else written


def _json(value: Any) -> str:
    if isinstance(value, _Number):
        return _number(value)
    if isinstance(value, list):
        return "[" + ", ".join(_json(one) for one in value) + "]"
    if isinstance(value, dict):
        inner = (f"{json.dumps(key, ensure_ascii=False)}: {_json(one)}" for key, one in value.items())
        return "{" + ", ".join(inner) + "}"
    return json.dumps(value, ensure_ascii=False)
