"""Workbooks as programs other than Excel write them: part by part, with what is odd put in."""

import io
import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import openpyxl
from openpyxl.cell import WriteOnlyCell

Rows = Sequence[Sequence[Any]]


def bytes_of(rows: Rows, *, formats: dict[int, str] | None = None, title: str = "Sheet") -> bytes:
    """A workbook of one sheet; `formats` are number formats by column, from 0."""
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet(title)
    for row in rows:
        cells = []
        for place, value in enumerate(row):
            cell = WriteOnlyCell(sheet, value=value)
            if formats and place in formats and isinstance(value, int | float):
                cell.number_format = formats[place]
            cells.append(cell)
        sheet.append(cells)
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def edited(workbook: bytes, edit: Callable[[str, bytes], bytes | None]) -> bytes:
    """With each part as `edit` gives it; None leaves it out."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(workbook)) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = edit(name, old.read(name))
            if data is not None:
                new.writestr(name, data)
    return target.getvalue()


def with_part(workbook: bytes, part: str, pattern: str, text: str) -> bytes:
    """With what the pattern finds in a part replaced."""
    return edited(
        workbook,
        lambda name, data: (
            re.sub(pattern, text, data.decode(), flags=re.DOTALL).encode() if name == part else data
        ),
    )


def strict(workbook: bytes) -> bytes:
    """In the strict form of the standard."""
    transitional, other = b"http://schemas.openxmlformats.org/", b"http://purl.oclc.org/ooxml/"

    def edit(name: str, data: bytes) -> bytes:
        data = data.replace(transitional + b"spreadsheetml/2006/main", other + b"spreadsheetml/main")
        return data.replace(
            transitional + b"officeDocument/2006/relationships", other + b"officeDocument/relationships"
        )

    return edited(workbook, edit)


def several(*sheets: tuple[str, str, Rows]) -> bytes:
    """Sheets of (name, state, rows)."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, state, rows in sheets:
        sheet = book.create_sheet(name)
        sheet.sheet_state = state
        for row in rows:
            sheet.append(list(row))
    book.active = next(place for place, (_, state, _) in enumerate(sheets) if state == "visible")
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path
