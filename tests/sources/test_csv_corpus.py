"""Odd files, each with what is read of it: `X` of tests/data/csv gives `X.txt` of tests/data/csv_read."""

from pathlib import Path

import pytest

from connectors.errors import SourceError
from connectors.sources.files.csv_file import open_csv
from connectors.sources.files.places import open_files

DATA = Path(__file__).parent.parent / "data"
FILES = sorted(path.name for path in (DATA / "csv").iterdir() if not path.name.startswith("."))


def read(path: Path) -> list[str]:
    """Notes, columns, then records and bad rows as `row:line cells`; or why it is refused."""
    try:
        source = open_files(open_csv, path)
        told = [*source.notes, f"columns {list(source.columns)}"]
        for chunk in source.chunks():
            records = zip(chunk.frame.itertuples(name=None), chunk.lines, strict=True)
            told += [f"{row}:{line} {cells}" for (row, *cells), line in records]
            told += [f"{bad.row}:{bad.line} bad: {bad.reason} {list(bad.cells)}" for bad in chunk.bad_rows]
            told += [f"{fault.row} fault: {fault.column} {fault.reason}" for fault in chunk.faults]
    except SourceError as error:
        return [f"refused: {error}"]
    return told


def test_there_are_forty_files() -> None:
    assert len(FILES) >= 40
    assert {path.name for path in (DATA / "csv_read").iterdir()} == {f"{name}.txt" for name in FILES}


@pytest.mark.parametrize("name", FILES)
def test_a_file_gives_its_records_its_bad_rows_and_its_messages(name: str) -> None:
    expected = (DATA / "csv_read" / f"{name}.txt").read_text(encoding="utf-8")
    assert read(DATA / "csv" / name) == expected.splitlines()
