"""Reads Excel workbooks (.xlsx, .xlsm) from their XML parts, a row at a time and in constant memory.

Only sheets, cells, shared texts and number formats are read. So a font, a chart or an author that a program
wrote wrongly does not refuse contacts, and the strict form of the standard, which has other namespaces, is
read like the usual one. openpyxl reads all of a file or nothing, and cannot tell a formula without a result
from a blank cell; its knowledge of formats and dates is used.
"""

import posixpath
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from xml.parsers import expat

from connectors.errors import SourceError
from connectors.sources.files.archives import MAX_RATIO, UNSUSPICIOUS_BYTES
from connectors.sources.files.number_formats import NumberFormat, builtin_format

BLOCK_BYTES = 64 * 1024
MAX_PART_BYTES = 2 * 1024**3
MAX_TEXT_CHARS = 256 * 1024**2
"""Of the texts that cells share, which are all in memory."""
MAX_CELL_CHARS = 1024**2
"""Excel's own limit is 32,767."""
MAX_MARKUP_BYTES = 4 * 1024**2
MAX_DEPTH = 100
MAX_SHEETS = 10_000
MAX_FORMATS = 100_000
MAX_CODE_CHARS = 255
"""Of the code of a number's format, as in Excel."""
MAX_COLUMNS = 16_384
"""Excel's own limit."""
NO_RESULT = (
    "is a formula whose result the file does not hold: open the file in a spreadsheet program and save it"
)
_NOTHING = ("#N/A", "")
_ROOT_RELATIONS = "_rels/.rels"

Attributes = dict[str, str]
Start = Callable[[str, Attributes], None]
End = Callable[[str], None]
Text = Callable[[str], None]


_HIDDEN_ROW = re.compile(rb"<(?:\w+:)?row\s[^<>]*\bhidden=[\"'](?:1|true)[\"']")


class Sheet(NamedTuple):
    name: str
    is_hidden: bool
    part: str


class Row(NamedTuple):
    """`cells` are (text, fault) by column, counted from 0; absent ones are blank."""

    number: int
    cells: dict[int, tuple[str, str]]


@dataclass(slots=True)
class Workbook:
    """An open workbook. Its parts are read when they are needed."""

    archive: zipfile.ZipFile
    sheets: list[Sheet] = field(default_factory=list)
    is_from_1904: bool = False
    is_uncalculated: bool = False
    """Whether the program that wrote it left all results to be calculated on opening."""
    _formats: list[NumberFormat] = field(default_factory=list)
    _texts: list[str] = field(default_factory=list)
    _parts: dict[str, str] = field(default_factory=dict)

    def rows(self, sheet: Sheet) -> Iterator[Row]:
        """Every row with a cell in it. Raises expat.ExpatError, SourceError."""
        reader = _SheetReader(self)
        for _ in self.parsed(sheet.part, reader.start, reader.end, reader.text):
            yield from reader.rows
            reader.rows.clear()
        yield from reader.rows

    def hidden_rows(self, sheet: Sheet) -> int:
        """How many rows a filter or a person has hidden. Read from the markup alone, which is quick."""
        with self.archive.open(self._parts[sheet.part.lower()]) as source:
            count, behind = 0, b""
            while block := source.read(BLOCK_BYTES):
                whole, mark, rest = (behind + block).rpartition(b"<")
                count += len(_HIDDEN_ROW.findall(whole))
                behind = (mark + rest)[-MAX_MARKUP_BYTES:]
        return count + len(_HIDDEN_ROW.findall(behind))

    def format_of(self, style: str) -> NumberFormat:
        place = int(style) if style.isdigit() else 0
        return self._formats[place] if place < len(self._formats) else builtin_format("0")

    def text_at(self, place: str) -> str:
        return self._texts[int(place)]

    def parsed(
        self, part: str, start: Start, end: End = lambda _: None, text: Text | None = None
    ) -> Iterator[None]:
        """Parses a part of the archive, yielding after each block."""
        parser = expat.ParserCreate()
        parser.buffer_text = True
        depth = 0

        def start_within(name: str, attributes: Attributes) -> None:
            nonlocal depth
            depth += 1
            if depth > MAX_DEPTH:
                raise self.refused("is nested too deeply")
            start(_local(name), attributes)

        def end_within(name: str) -> None:
            nonlocal depth
            depth -= 1
            end(_local(name))

        parser.StartElementHandler, parser.EndElementHandler = start_within, end_within
        parser.CharacterDataHandler = text
        # Entities of a DOCTYPE could expand without end (billion laughs).
        parser.StartDoctypeDeclHandler = _refuse_doctype
        info = self.archive.getinfo(self._parts[part.lower()])
        # A small archive can unpack to terabytes.
        if info.file_size > MAX_PART_BYTES:
            raise self.refused("is too large when it is unpacked")
        if info.file_size > max(UNSUSPICIOUS_BYTES, MAX_RATIO * info.compress_size):
            raise self.refused(f"unpacks to more than {MAX_RATIO} times its size")
        with self.archive.open(info) as source:
            read = 0
            while block := source.read(BLOCK_BYTES):
                parser.Parse(block, False)
                read += len(block)
                if read - parser.CurrentByteIndex > MAX_MARKUP_BYTES:  # a name or a value without an end
                    raise self.refused("has markup without an end")
                yield
            parser.Parse(b"", True)

    def refused(self, why: str) -> SourceError:
        name = Path(self.archive.filename or "").name
        return SourceError(f"{name} {why}, as no list of contacts does: it is not read. Export it again")

    def parse(self, part: str, start: Start, end: End = lambda _: None, text: Text | None = None) -> None:
        for _ in self.parsed(part, start, end, text):
            pass

    def has(self, part: str) -> bool:
        return part.lower() in self._parts


def read_workbook(archive: zipfile.ZipFile) -> Workbook:
    """The workbook in an archive. Raises KeyError if it is none, expat.ExpatError if it is damaged."""
    book = Workbook(archive)
    # Without case, as the standard compares them: some programs write a link otherwise than the part.
    book._parts = {name.lower().lstrip("/"): name for name in archive.namelist()}
    root = next(
        (
            target
            for kind, target in _relations(book, _ROOT_RELATIONS, "").values()
            if kind == "officedocument"
        ),
        "xl/workbook.xml",
    )
    folder, name = posixpath.split(root)
    relations = _relations(book, f"{folder}/_rels/{name}.rels", folder)
    _read_sheets(book, root, relations)
    by_kind = dict(relations.values())
    if book.has(by_kind.get("styles", "")):
        _read_formats(book, by_kind["styles"])
    if book.has(by_kind.get("sharedstrings", "")):
        _read_texts(book, by_kind["sharedstrings"])
    return book


def _relations(book: Workbook, part: str, folder: str) -> dict[str, tuple[str, str]]:
    """(kind, part) by identifier."""
    found: dict[str, tuple[str, str]] = {}

    def start(name: str, attributes: Attributes) -> None:
        # A link to something outside of the workbook is not followed.
        if name == "Relationship" and attributes.get("TargetMode") != "External":
            kind = attributes.get("Type", "").rpartition("/")[2].lower()
            # From the root of the archive, because a target may be absolute, or climb with ..
            target = posixpath.normpath(posixpath.join("/", folder, attributes.get("Target", ""))).lstrip("/")
            found[attributes.get("Id", "")] = kind, target

    if book.has(part):
        book.parse(part, start)
    return found


def _read_sheets(book: Workbook, part: str, relations: dict[str, tuple[str, str]]) -> None:
    """Notes the sheets with cells; sheets of charts are left out."""

    def start(name: str, attributes: Attributes) -> None:
        if name == "workbookPr":
            # Excel for the Mac once counted its days from 1904; read from 1900 each date would be four years
            # off.
            book.is_from_1904 = attributes.get("date1904") in ("1", "true")
        elif name == "calcPr":
            book.is_uncalculated = attributes.get("fullCalcOnLoad") in ("1", "true")
        elif name == "sheet":
            identifier = next((value for key, value in attributes.items() if key.endswith(":id")), "")
            kind, target = relations.get(identifier, ("", ""))
            if len(book.sheets) >= MAX_SHEETS:
                raise book.refused(f"has more than {MAX_SHEETS:,} sheets")
            if kind == "worksheet" and book.has(target):
                is_hidden = attributes.get("state", "visible") != "visible"
                book.sheets.append(Sheet(attributes.get("name", ""), is_hidden, target))

    book.parse(part, start)


def _read_formats(book: Workbook, part: str) -> None:
    codes: dict[str, str] = {}
    used: list[str] = []
    inside = ""

    def start(name: str, attributes: Attributes) -> None:
        nonlocal inside
        if name == "numFmt":
            if len(codes) < MAX_FORMATS:
                codes[attributes.get("numFmtId", "")[:20]] = attributes.get("formatCode", "")[:MAX_CODE_CHARS]
        elif name in ("cellXfs", "cellStyleXfs", "dxfs"):
            inside = name
        elif name == "xf" and inside == "cellXfs" and len(used) < MAX_FORMATS:
            used.append(attributes.get("numFmtId", "0"))

    book.parse(part, start)
    book._formats = [
        NumberFormat.of(codes[number]) if number in codes else builtin_format(number) for number in used
    ]


def _read_texts(book: Workbook, part: str) -> None:
    """Reads the texts that cells share, without phonetic guides (rPh), which Japanese names have."""
    parts: list[str] = []
    chars = 0
    aids = 0
    is_text = False

    def start(name: str, _: Attributes) -> None:
        nonlocal is_text, aids
        aids += name == "rPh"
        is_text = name == "t" and not aids

    def end(name: str) -> None:
        nonlocal is_text, aids
        is_text = False
        aids -= name == "rPh"
        if name == "si":
            book._texts.append(_unescaped("".join(parts)))
            parts.clear()

    def text(data: str) -> None:
        nonlocal chars
        if is_text:
            parts.append(data)
            chars += len(data)
            if chars > MAX_TEXT_CHARS:
                raise book.refused(f"has more than {MAX_TEXT_CHARS:,} characters of text")

    book.parse(part, start, end, text)


class _SheetReader:
    """Parser handlers that collect the rows of a sheet."""

    def __init__(self, book: Workbook) -> None:
        self.rows: list[Row] = []
        self._book = book
        self._row, self._column = 0, -1
        self._cells: dict[int, tuple[str, str]] = {}
        self._kind, self._style = "n", "0"
        self._parts: list[str] = []
        self._chars = 0
        self._is_text = self._is_formula = self._has_value = False
        self._aids = 0

    def start(self, name: str, attributes: Attributes) -> None:
        if name == "c":
            self._column = _column_of(attributes.get("r", "")) if "r" in attributes else self._column + 1
            self._kind, self._style = attributes.get("t", "n"), attributes.get("s", "0")
            self._is_formula = self._has_value = False
            self._parts.clear()
            self._chars = 0
        elif name in ("v", "t"):
            self._is_text = not self._aids
            self._has_value = True
        elif name == "f":
            self._is_formula = True
        elif name == "rPh":
            self._aids += 1
        elif name == "row":
            number = attributes.get("r", "")
            # The attribute r is optional for rows and cells: without it each follows the one before.
            self._row = int(number) if number.isdigit() else self._row + 1
            self._column, self._cells = -1, {}

    def end(self, name: str) -> None:
        if name in ("v", "t"):
            self._is_text = False
        elif name == "c":
            text, fault = self._cell("".join(self._parts))
            if (text or fault) and 0 <= self._column < MAX_COLUMNS:
                self._cells[self._column] = text, fault
        elif name == "rPh":
            self._aids -= 1
        elif name == "row" and self._cells:
            self.rows.append(Row(self._row, self._cells))

    def text(self, data: str) -> None:
        if self._is_text:
            self._parts.append(data)
            self._chars += len(data)
            if self._chars > MAX_CELL_CHARS:
                raise self._book.refused(f"has a cell of more than {MAX_CELL_CHARS:,} characters")

    def _cell(self, value: str) -> tuple[str, str]:
        book, kind = self._book, self._kind
        # Some libraries write 0 where they calculate nothing, and ask whoever opens the file to do it.
        is_missing = not value or (book.is_uncalculated and value == "0")
        if self._is_formula and kind != "str" and is_missing:
            return "", NO_RESULT
        if not value:
            return "", ""
        if kind == "s":
            return book.text_at(value), ""
        if kind == "b":
            return ("true" if value in ("1", "true") else "false"), ""
        if kind == "e":
            return ("", "") if value in _NOTHING else (value, f"holds the error {_word(value)}")
        if kind in ("str", "inlineStr"):
            return _unescaped(value), ""
        if kind == "d":
            return value.replace("T", " ").removesuffix(" 00:00:00"), ""
        return book.format_of(self._style).text_of(value, is_from_1904=book.is_from_1904)


def _word(error: str) -> str:
    return re.sub(r"[^#\w/!?]", "", error)[:20]


def _column_of(reference: str) -> int:
    """The column of a reference: A1 is 0; -1 if it is no reference."""
    column = 0
    for letter in reference:
        if not "A" <= letter <= "Z":
            break
        column = column * 26 + ord(letter) - ord("A") + 1
        if column > MAX_COLUMNS:
            return MAX_COLUMNS
    return column - 1


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _unescaped(text: str) -> str:
    """Excel writes control characters as _x000D_."""
    if "_x" not in text:
        return text
    return re.sub(r"_x([0-9A-Fa-f]{4})_", lambda match: chr(int(match[1], 16)), text)


def _refuse_doctype(*_: object) -> None:
    raise SourceError(
        "the workbook declares types of its own, which no spreadsheet program does: it is not read"
    )
