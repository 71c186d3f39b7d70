"""Sources in a pipeline file: one kind, and the options of that kind."""

import codecs
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, ValidationError, ValidationInfo, create_model

from connectors.sources.files.url_kinds import fault_of_url
from connectors.sources.names import column_name
from pipelines.config.scalars import (
    TEXT,
    AnyText,
    Fault,
    Period,
    Section,
    Text,
    absent,
    beside,
    detail,
    misplaced,
    number_between,
    period,
    plain_text,
    read_by,
    restated,
    unknown_key,
    wrong,
)


def _character(value: object) -> str:
    if value == "tab":
        return "\t"
    if not isinstance(value, str) or len(value) != 1 or value in "\r\n\0":
        raise wrong("one character is expected, or tab")
    return value


def _encoding(value: object) -> str:
    name = plain_text(value)
    try:
        "".encode(name)  # refuses what codecs know but is no text encoding, such as base64
        return codecs.lookup(name).name
    except (LookupError, ValueError):
        raise wrong("not a known encoding, such as utf-8, cp1252 or latin-1") from None


def _database(value: object, info: ValidationInfo) -> Path | str:
    """A SQLite file beside the pipeline, or the URL of a database as it stands."""
    text = plain_text(value)
    if sqlite := re.fullmatch(r"(?:jdbc:)?sqlite3?(?:\+pysqlite)?:(?:///?)?(.+)", text):
        return beside(sqlite[1], info)
    if "://" not in text:
        raise wrong(
            "the URL of a database is expected, such as postgresql://user@host/name or sqlite:///file.db"
        )
    return text


def _query(value: object, info: ValidationInfo) -> Path | str:
    """A statement, or the file beside the pipeline that holds it."""
    text = plain_text(value).strip()
    return beside(text, info) if re.fullmatch(r"\S+\.sql", text) else text


def _place(value: object, info: ValidationInfo) -> Path | str:
    """Files beside the pipeline, standard input, or a URL as it stands."""
    text = plain_text(value)
    if "://" in text and (fault := fault_of_url(text)):
        raise wrong(fault)
    return text if text == "-" or "://" in text else beside(text, info)


def _listed(value: object) -> object:
    """A single word may be written instead of a list of one."""
    return value if isinstance(value, list | tuple) or value is None else (value,)


def _names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not value:
        raise wrong("list the names of the columns, as [email, first_name]")
    return tuple(column_name(plain_text(name)) for name in value)


Place = Annotated[Path | str, read_by(_place, TEXT)]
Header = Annotated[tuple[str, ...], read_by(_names, {"type": "array", "items": TEXT, "minItems": 1})]
HeaderRow = Annotated[int, number_between(1, 1_000_000, whole=True)]


class SourceOptions(Section):
    """The options of one kind of source; editors show the docstring of the kind."""

    blanks: Annotated[tuple[Text, ...], BeforeValidator(_listed)] = ()
    """Words that mean blank, such as [N/A, none, "-"]. NULL always does."""


class CsvOptions(SourceOptions):
    """CSV: the path, or a map."""

    path: Place
    """The file, relative to this one; or several by a glob (`in/*.csv`), a .gz or .zip, a URL, - for what
    comes on standard input."""
    member: Text | None = None
    """Which files of an archive, by a glob of their names (`subscribed*`); all when left out."""
    delimiter: Annotated[str, read_by(_character, TEXT)] | None = None
    """What separates the cells: one character, or tab. Found out when left out."""
    encoding: Annotated[str, read_by(_encoding, TEXT)] | None = None
    """Such as utf-8 or cp1252. Found out when left out."""
    quotechar: Annotated[str, read_by(_character, TEXT)] = '"'
    """What encloses a cell that contains the delimiter."""
    header: Header | None = None
    """Names for the columns, as [email, first_name], where the file has no header; with header_row, instead
    of those on that row."""
    header_row: HeaderRow | None = None
    """The row with the names of the columns, as a spreadsheet counts. Found out when left out."""


class ExcelOptions(SourceOptions):
    """An Excel workbook: its path, or a map."""

    path: Place
    """The workbook (.xlsx), relative to this file; a glob, a .zip or a URL as well."""
    sheet: Text | None = None
    """The name of the sheet; the first that is not hidden when left out."""
    header: Header | None = None
    """Names for the columns, as [email, first_name], where the sheet has no header; with header_row, instead
    of those on that row."""
    header_row: HeaderRow | None = None
    """The row with the names of the columns. Found out when left out."""


class ParquetOptions(SourceOptions):
    """A Parquet file: its path, or a map."""

    path: Place
    """The file, relative to this one; a glob or a URL as well."""


class JsonlOptions(SourceOptions):
    """JSON lines: the path, or a map."""

    path: Place
    """The file with a JSON object on each line, relative to this one; or a glob, a .gz or .zip, a URL, -."""
    encoding: Annotated[str, read_by(_encoding, TEXT)] | None = None
    """Such as utf-8 or cp1252. Found out when left out."""


def _overlap(value: object) -> timedelta | int:
    return int(str(value)) if re.fullmatch(r"[0-9]{1,18}", str(value)) else period(value)


class IncrementalOptions(Section):
    """Reads only the rows that came or changed since the last run."""

    column: Text
    """The column of the query that rises with every change: the time of it, or a number."""
    overlap: Annotated[timedelta | int, read_by(_overlap, TEXT)] = Field(
        default=timedelta(minutes=10), json_schema_extra={"default": "10m"}
    )
    """How far before the last one is read again, for rows that were committed late: 10m, or a number."""
    full_every: Period | None = None
    """How often everything is read nevertheless, such as 1d: needed to see who is gone."""


class SqlOptions(SourceOptions):
    """A query of a database."""

    url: Annotated[Path | str, read_by(_database, TEXT)] = Field(repr=False)
    """A SQLAlchemy URL (postgresql://, mysql://, mariadb://, sqlite:///file.db ...); its password comes from
    the environment."""
    query: Annotated[Path | str, read_by(_query, TEXT)] = Field(repr=False)
    """The statement that gives a row for each contact, or a .sql file with it."""
    parameters: dict[Text, Text] = Field(default={}, repr=False)
    """Values for :name in the statement, as text."""
    incremental: IncrementalOptions | None = None
    """Read only what came since the last run: {column: updated_at}."""
    timeout_s: Annotated[int, number_between(1, 86_400, whole=True)] = 600
    """How long the database may take over one answer, in seconds."""


SOURCE_OPTIONS: dict[str, type[SourceOptions]] = {
    "csv": CsvOptions,
    "excel": ExcelOptions,
    "jsonl": JsonlOptions,
    "parquet": ParquetOptions,
    "sql": SqlOptions,
}
"""The kinds of sources, by the key a pipeline file has for them; `connectors.sources.kinds` opens each."""


def _is_file(kind: str) -> bool:
    return "path" in SOURCE_OPTIONS[kind].model_fields


class SourceConfig(Section):
    """`kind` is one of SOURCE_OPTIONS, `options` those of that kind."""

    kind: str
    options: SourceOptions


def written_source(name: str, description: str, **more: Any) -> type[Section]:
    """The model for editors: one key for each kind, of which one is given, and the fields of `more`."""
    kinds: dict[str, Any] = {
        kind: (
            (AnyText | options if _is_file(kind) else options) | None,
            Field(default=None, description=options.__doc__),
        )
        for kind, options in SOURCE_OPTIONS.items()
    }
    return create_model(name, __base__=Section, __doc__=description, **kinds, **more)


WRITTEN_SOURCE = written_source("WrittenSource", "Where the contacts are: one of these.")


def source_config(value: object, info: ValidationInfo) -> SourceConfig:
    if isinstance(value, SourceConfig):
        return value
    if not isinstance(value, Mapping):
        raise wrong("a map is expected, such as csv: contacts.csv")
    faults = [detail(where, fault) for where, fault in _one_source(value)]
    kind = next((key for key in value if key in SOURCE_OPTIONS), None)
    options: SourceOptions | None = None
    try:
        if kind is not None:
            options = SOURCE_OPTIONS[kind].model_validate(_written(kind, value[kind]), context=info.context)
    except ValidationError as error:
        faults += restated(error, str(kind))
    if faults or kind is None or options is None:
        raise ValidationError.from_exception_data("source", faults)
    return SourceConfig(kind=kind, options=options)


def _written(kind: str, value: object) -> Any:
    """The options as a map: a file may be written as its path alone."""
    return value if isinstance(value, Mapping) or not _is_file(kind) else {"path": value}


def _one_source(value: Mapping[str, object]) -> Iterator[Fault]:
    kinds = [key for key in value if key in SOURCE_OPTIONS]
    for key in value:
        if key not in kinds:
            yield (key,), unknown_key()
        elif key != kinds[0]:
            yield (key,), misplaced("only one source can be given")
    if not kinds:
        yield ("csv",), absent()
