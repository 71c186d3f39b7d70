"""Contacts in JSON lines: an object on each line, as text by the rules of `values`.

Columns are the keys of all lines, in the order in which they first come; a line without a key has an empty
cell there. Numbers keep their digits, objects and arrays stay JSON.
"""

import json
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connectors.errors import SourceError
from connectors.sources import Chunk
from connectors.sources.files.dialect import check_encoding, find_encoding, open_text
from connectors.sources.files.watched import WatchedFile, watched
from connectors.sources.records import Record, chunks_of, named_columns, record_of, unique_names


def open_jsonl(path: Path, *, encoding: str | None = None, chunk_rows: int = 20_000) -> "JsonLines":
    """Reads the file once for its keys. Raises SourceError for one that is missing or holds no object."""
    file = watched(path)
    try:
        if encoding is None:
            encoding = find_encoding(path)
        else:
            check_encoding(path, encoding)
    except OSError as error:
        raise file.unreadable(error) from error
    keys: dict[str, None] = {}
    with closing(_lines(file, encoding)) as lines:
        for _, _, value in lines:
            if isinstance(value, dict):
                keys |= dict.fromkeys(value)
    if not keys:
        raise SourceError(f"{path.name} has no line with a JSON object")
    columns, notes = named_columns(list(keys))
    return JsonLines(columns, (f"read as {encoding}", *notes), file, encoding, tuple(keys), chunk_rows)


@dataclass(frozen=True, slots=True)
class JsonLines:
    """A Source. Rows are numbered as in a CSV of the same data, where the header is row 1."""

    columns: tuple[str, ...]
    notes: tuple[str, ...]
    _file: WatchedFile
    _encoding: str
    _keys: tuple[str, ...]
    _chunk_rows: int

    def chunks(self) -> Iterator[Chunk]:
        self._file.refuse_change()
        with closing(_lines(self._file, self._encoding)) as lines:
            records = (
                self._record(row, line, text, value) for row, (line, text, value) in enumerate(lines, 2)
            )
            yield from chunks_of(records, unique_names(self.columns), self._chunk_rows)
        self._file.refuse_change()

    def _record(self, row: int, line: int, text: str, value: Any) -> Record:
        if not isinstance(value, dict):
            return Record(row, line, [text], "not a JSON object")
        cells = [_text(value.get(key)) for key in self._keys]
        return record_of(row, line, cells)


class _Number(str):
    """A number as it is written."""


def _lines(file: WatchedFile, encoding: str) -> Generator[tuple[int, str, Any]]:
    """(line, text, value) of every line that is not blank; None where it is not JSON."""
    try:
        with open_text(file.path, encoding) as handle:
            for number, line in enumerate(handle, 1):
                if text := line.strip():
                    try:
                        value = json.loads(text, parse_float=_Number, parse_int=_Number)
                    except (ValueError, RecursionError):
                        value = None
                    yield number, text, value
    except OSError as error:
        raise file.unreadable(error) from error
    except UnicodeError as error:  # every byte was decoded when it was opened
        raise file.changed() from error


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, list):
        return "[" + ", ".join(_json(one) for one in value) + "]"
    if isinstance(value, dict):
        inner = (f"{json.dumps(key, ensure_ascii=False)}: {_json(one)}" for key, one in value.items())
        return "{" + ", ".join(inner) + "}"
    return json.dumps(value, ensure_ascii=False)
