"""Excel, Parquet and JSON lines: the records of a CSV of the same data, and what is odd about each."""

import csv
import json
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pytest
from pyarrow import parquet

from connectors.errors import ConfigError, SourceError
from connectors.kartra.sandbox import Sandbox
from connectors.sources import Source
from connectors.sources.faults import without_faults
from connectors.sources.kinds import KINDS
from tests.conftest import LOAD, Project, contact

ROWS = [contact(number) for number in range(5)]


def write(folder: Path, kind: str, rows: list[dict[str, Any]]) -> Path:
    """The same table as a file of a kind."""
    path = folder / f"contacts.{kind}"
    match kind:
        case "csv":
            with path.open("w", encoding="utf-8", newline="") as handle:
                writer = csv.DictWriter(handle, fieldnames=list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
        case "excel":
            path = path.with_suffix(".xlsx")
            book = openpyxl.Workbook()
            book.active.append(list(rows[0]))
            for row in rows:
                book.active.append(list(row.values()))
            book.save(path)
        case "parquet":
            parquet.write_table(pa.Table.from_pylist(rows), path)
        case "jsonl":
            path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def records(source: Source) -> list[tuple[object, ...]]:
    return [record for chunk in source.chunks() for record in chunk.frame.itertuples(name=None)]


def bad_rows(source: Source) -> list[tuple[int, str]]:
    """As they are for whoever reads every column."""
    return [(bad.row, bad.reason) for chunk in without_faults(source.chunks()) for bad in chunk.bad_rows]


@pytest.mark.parametrize("kind", ["excel", "parquet", "jsonl"])
@pytest.mark.parametrize("chunk_rows", [2, 20_000])
def test_every_kind_gives_the_records_of_a_csv(kind: str, chunk_rows: int, tmp_path: Path) -> None:
    same = KINDS["csv"].open(path=write(tmp_path, "csv", ROWS))
    source = KINDS[kind].open(path=write(tmp_path, kind, ROWS), chunk_rows=chunk_rows)
    assert source.columns == same.columns
    assert records(source) == records(same)


@pytest.mark.parametrize("kind", ["excel", "parquet", "jsonl"])
def test_every_kind_is_checked_planned_run_and_explained(
    kind: str, project: Project, sandbox: Sandbox
) -> None:
    path = write(project.folder, kind, ROWS)
    project.pipeline(LOAD.replace("{csv: contacts.csv}", f"{{{kind}: {path.name}}}"))
    assert project.command("check", "p.yaml", "--json").json["ok"] is True
    assert project.command("plan", "p.yaml", "--json").json["leads"]["created"] == 5
    done = project.run()
    assert (done.code, done.json["leads"]["created"]) == (0, 5), done.stderr
    assert project.run().json["leads"]["unchanged"] == 5
    assert project.command("explain", "p.yaml", "lead0@example.org").code == 0


@pytest.mark.parametrize("kind", ["excel", "parquet", "jsonl"])
def test_a_file_of_another_kind_and_a_missing_one_are_told(kind: str, tmp_path: Path) -> None:
    (tmp_path / "a.file").write_text("Email\nann@example.org\n")
    with pytest.raises(SourceError, match=r"a\.file"):
        KINDS[kind].open(path=tmp_path / "a.file")
    with pytest.raises(SourceError, match=r"b\.file was not found"):
        KINDS[kind].open(path=tmp_path / "b.file")


@pytest.mark.parametrize("kind", ["excel", "parquet", "jsonl"])
def test_a_file_that_changed_since_it_was_opened_is_refused(kind: str, tmp_path: Path) -> None:
    source = KINDS[kind].open(path=write(tmp_path, kind, ROWS))
    write(tmp_path, kind, ROWS[:1])
    with pytest.raises(SourceError, match="changed while it was read"):
        list(source.chunks())


# --- Excel


def workbook(path: Path, *rows: list[Any]) -> Path:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    book.save(path)
    return path


def test_cells_become_text_as_a_person_reads_them(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "a.xlsx",
        ["whole", "exact", "yes", "day", "moment", "hour", "text", "zip"],
        [17.0, 0.1, True, date(2026, 11, 24), datetime(2026, 11, 24, 8, 30), time(8), "=x", "00123"],  # noqa: DTZ001
    )
    (row,) = records(KINDS["excel"].open(path=path))
    assert row == (2, "17", "0.1", "true", "2026-11-24", "2026-11-24 08:30:00", "08:00:00", *row[7:])
    assert row[8] == "00123"


def test_blank_rows_count_and_short_rows_are_filled(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "a.xlsx", [], ["a", "b", "c"], [], ["1"], ["1", "2", "3", "4"], [None, None, "3"]
    )
    source = KINDS["excel"].open(path=path)
    assert source.columns == ("a", "b", "c")
    assert records(source) == [(4, "1", "", ""), (5, "1", "2", "3"), (6, "", "", "3")]
    assert bad_rows(source) == []
    assert source.notes[1:] == ("cells to the right of the header are left out: row 5",)


def test_a_sheet_is_chosen_by_its_name(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    book.active.append(["x"])
    other = book.create_sheet("People")
    other.append(["Email"])
    other.append(["ann@example.org"])
    book.save(tmp_path / "a.xlsx")
    source = KINDS["excel"].open(path=tmp_path / "a.xlsx", sheet="People")
    assert records(source) == [(2, "ann@example.org")]
    assert source.notes == ('read from the sheet "People", of 2',)
    with pytest.raises(ConfigError, match='has no sheet "Persons"; it has "Sheet", "People"'):
        KINDS["excel"].open(path=tmp_path / "a.xlsx", sheet="Persons")


def test_other_spreadsheets_say_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "a.xls").write_bytes(b"\xd0\xcf\x11\xe0")
    with pytest.raises(SourceError, match=r"a\.xls is an old Excel workbook; save it as \.xlsx"):
        KINDS["excel"].open(path=tmp_path / "a.xls")
    with pytest.raises(SourceError, match="has no header: the sheet is empty"):
        KINDS["excel"].open(path=workbook(tmp_path / "b.xlsx"))


# --- Parquet


def test_types_of_parquet_become_text_by_the_stated_rules(tmp_path: Path) -> None:
    table = pa.table(
        {
            "n": pa.array([None, 7], pa.int32()),
            "money": pa.array([Decimal("49.90"), None], pa.decimal128(9, 2)),
            "at": pa.array([datetime(2026, 11, 24, 8, tzinfo=UTC), None], pa.timestamp("us", "UTC")),
            "day": pa.array([date(2026, 11, 24), None]),
            "tags": pa.array([["a", "b"], []]),
            "who": pa.array([{"first": "Ann"}, None]),
            "ok": pa.array([True, False]),
        }
    )
    parquet.write_table(table, tmp_path / "a.parquet")
    assert records(KINDS["parquet"].open(path=tmp_path / "a.parquet")) == [
        (2, "", "49.90", "2026-11-24 08:00:00+00:00", "2026-11-24", '["a", "b"]', "Ann", "true"),
        (3, "7", "", "", "", "[]", "", "false"),
    ]


def test_bytes_that_are_no_text_make_a_bad_row(tmp_path: Path) -> None:
    parquet.write_table(pa.table({"a": [b"ok", b"\xff"]}), tmp_path / "a.parquet")
    source = KINDS["parquet"].open(path=tmp_path / "a.parquet")
    assert records(source) == [(2, "ok"), (3, "ff")]
    assert bad_rows(source) == [(3, 'the column "a" holds bytes that are not text')]


# --- JSON lines


def test_keys_of_all_lines_are_columns_and_numbers_keep_their_digits(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    lines = [
        '{"Email": "ann@example.org", "n": 1.10, "big": 12345678901234567890}',
        "",
        '{"Email": null, "ok": true, "tags": ["a", 1.50, null], "who": {"ä": false}}',
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    source = KINDS["jsonl"].open(path=path)
    assert source.columns == ("Email", "n", "big", "ok", "tags", "who.ä")
    assert records(source) == [
        (2, "ann@example.org", "1.10", "12345678901234567890", "", "", ""),
        (3, "", "", "", "true", '["a", 1.50, null]', "false"),
    ]
    assert [line for chunk in source.chunks() for line in chunk.lines] == [1, 3]


@pytest.mark.parametrize("line", ["[1, 2]", "{", '"text"', "null", "[" * 100_000])
def test_a_line_that_is_no_object_is_a_bad_row(line: str, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(f'{{"a": "1"}}\n{line}\n{{"a": "2"}}\n', encoding="utf-8")
    source = KINDS["jsonl"].open(path=tmp_path / "a.jsonl")
    assert (records(source), bad_rows(source)) == ([(2, "1"), (4, "2")], [(3, "not a JSON object")])
