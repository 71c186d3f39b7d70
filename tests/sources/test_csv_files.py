"""What the CSV source promises, on small files that are odd in one way each."""

import csv
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from connectors.errors import ConfigError, SourceError
from connectors.sources import BadRow, Chunk
from connectors.sources.faults import without_faults
from connectors.sources.files.csv_file import open_csv

DATA = Path(__file__).parent.parent / "data" / "csv"


@dataclass
class Contents:
    columns: list[str]
    records: list[tuple[int, int, list[str]]]  # row, line, cells
    bad_rows: list[BadRow]


def contents(chunks: list[Chunk]) -> Contents:
    """All of a source in one value. Chunks of one source have the same columns."""
    records = [
        (row, line, list(cells))
        for chunk in chunks
        for row, line, cells in zip(
            chunk.frame.index, chunk.lines, chunk.frame.itertuples(index=False, name=None), strict=True
        )
    ]
    bad_rows = [bad for chunk in chunks for bad in chunk.bad_rows]
    return Contents(list(chunks[0].frame.columns) if chunks else [], records, bad_rows)


def read(name: str, **settings: str) -> Contents:
    return contents(list(without_faults(open_csv(DATA / name, **settings).chunks())))


def test_a_plain_file_gives_its_records_with_row_and_line():
    source = open_csv(DATA / "plain.csv")
    assert source.columns == ("Email", "First Name", "Zip")
    assert source.notes == ("read as utf-8, delimiter ','",)
    assert contents(list(source.chunks())) == Contents(
        ["Email", "First Name", "Zip"],
        [(2, 2, ["ann@example.org", "Ann", "00123"]), (3, 3, ["bob@example.org", "Bob", "1e5"])],
        [],
    )


def test_text_stays_the_text_it_was():
    read_back = read("text_stays_text.csv")
    assert [cells for _, _, cells in read_back.records] == [
        ["00123", "NA", "null"],
        ["1e5", " padded ", ""],
        ["NaN", "None", "1.10"],
        ["#N/A", "TRUE", "-"],
    ]
    assert {type(cell) for _, _, cells in read_back.records for cell in cells} == {str}


def test_the_index_of_a_frame_is_called_row():
    (chunk,) = open_csv(DATA / "plain.csv").chunks()
    assert chunk.frame.index.name == "row"


@pytest.mark.parametrize(
    ("name", "note", "columns", "records"),
    [
        ("utf8_bom.csv", "utf-8, delimiter ','", ("Email, main", "City"), [["ann@example.org", "Köln"]]),
        ("utf16_le_bom.csv", "utf-16-le, delimiter ';'", ("Email", "City"), [["ann@example.org", "Łódź"]]),
        ("utf16_be_bom.csv", "utf-16-be, delimiter ';'", ("Email", "City"), [["ann@example.org", "Łódź"]]),
        ("utf16_le_no_bom.csv", "utf-16-le, delimiter tab", ("Email", "City"), [["ann@example.org", "Łódź"]]),
        ("utf16_be_no_bom.csv", "utf-16-be, delimiter tab", ("Email", "City"), [["ann@example.org", "Łódź"]]),
        (
            "cp1252_semicolon.csv",
            "cp1252, delimiter ';'",
            ("Email", "City", "Price"),
            [["ann@example.org", "Köln", "1,50 €"], ["bob@example.org", "Zürich", "2,75 €"]],
        ),
        ("tab.csv", "utf-8, delimiter tab", ("Email", "Note"), [["ann@example.org", "one, two; three"]]),
        (
            "pipe.csv",
            "utf-8, delimiter '|'",
            ("Email", "Note"),
            [["ann@example.org", "one, two"], ["bob@example.org", "three, four"]],
        ),
        (
            "comma_full_of_quoted_semicolons.csv",
            "utf-8, delimiter ','",
            ("Name", "Tags; all; of; them"),
            [["Ann", "a;b;c;d"], ["Bob", "e;f;g;h"]],
        ),
        (
            "semicolon_with_quoted_commas.csv",
            "utf-8, delimiter ';'",
            ("Name", "City, State"),
            [["Ann", "Berlin, DE"], ["Bob", "Paris, FR"]],
        ),
        (
            "single_column.csv",
            "utf-8, delimiter ','",
            ("Email",),
            [["ann@example.org"], ["bob@example.org"]],
        ),
        ("header_only.csv", "utf-8, delimiter ','", ("Email", "First Name", "City"), []),
    ],
)
def test_encoding_and_delimiter_are_found(name, note, columns, records):
    source = open_csv(DATA / name)
    assert (source.notes, source.columns) == ((f"read as {note}",), columns)
    assert [cells for _, _, cells in contents(list(source.chunks())).records] == records


def test_settings_win_over_what_would_be_found():
    source = open_csv(DATA / "mac_roman.csv", encoding="mac-roman", delimiter=";")
    assert source.columns == ("Email,City",)
    assert contents(list(source.chunks())).records == [(2, 2, ["ann@example.org,Málaga"])]


def test_a_byte_order_mark_is_no_part_of_the_header_whatever_the_setting():
    for encoding in ("utf-8", "utf-8-sig"):
        assert open_csv(DATA / "utf8_bom.csv", encoding=encoding).columns == ("Email, main", "City")
    for encoding in ("utf-16", "utf-16-le"):
        assert open_csv(DATA / "utf16_le_bom.csv", encoding=encoding).columns == ("Email", "City")


def test_another_quotechar_is_respected(tmp_path):
    path = tmp_path / "single_quotes.csv"
    path.write_text("a,b\n'x,''y''',\"z\n")
    (chunk,) = open_csv(path, quotechar="'").chunks()
    assert contents([chunk]).records == [(2, 2, ["x,'y'", '"z'])]


def test_one_cp1252_letter_at_the_end_of_a_long_file_decides(tmp_path):
    path = tmp_path / "long.csv"
    path.write_bytes(b"Email,City\n" + b"ann@example.org,Rome\n" * 100_000 + b"bob@example.org,K\xf6ln\n")
    source = open_csv(path)
    assert source.notes == ("read as cp1252, delimiter ','",)
    assert contents(list(source.chunks())).records[-1] == (100_002, 100_002, ["bob@example.org", "Köln"])


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        (
            "cp1252_undefined_byte.csv",
            {},
            "cp1252_undefined_byte.csv, line 3: not UTF-8, and its words beyond ASCII do not tell the "
            "encoding: cp932 or gb18030? Set `encoding:` to the right one",
        ),
        (
            "utf8_damaged.csv",
            {},
            "utf8_damaged.csv, line 4: damaged, in a file that is UTF-8 otherwise. "
            "Export it again or repair the line; if it really is something else, set `encoding:`, as cp1252",
        ),
        (
            "cp1252_semicolon.csv",
            {"encoding": "utf-8"},
            "cp1252_semicolon.csv, line 2: not written in utf-8. Set `encoding:` to the right one",
        ),
        (
            "plain.csv",
            {"encoding": "utf-16"},
            "plain.csv, line 1: not written in utf-16. Set `encoding:` to the right one",
        ),
        ("empty.csv", {}, "empty.csv has no header: it is empty"),
        ("only_blank_lines.csv", {}, "only_blank_lines.csv has no header: it is empty"),
        (
            "header_quote_open.csv",
            {},
            "header_quote_open.csv, line 1: in the header, the quote opened on line 1 "
            "is not closed at the end of its cell",
        ),
    ],
)
def test_a_file_that_cannot_be_read_says_where_and_what_to_do(name, settings, message):
    with pytest.raises(SourceError) as refusal:
        open_csv(DATA / name, **settings)
    assert str(refusal.value) == message


@pytest.mark.parametrize("line_end", ["\r\n", "\n", "\r"])
def test_the_line_of_a_bad_byte_is_right_for_every_line_end_and_far_into_a_file(tmp_path, line_end):
    path = tmp_path / "far.csv"
    good_lines = 150_001  # more than one block, which may fall between \r and \n
    path.write_bytes(f"a@example.org,Rome{line_end}".encode() * good_lines + b"b@example.org,\xf6")
    with pytest.raises(SourceError, match=f"line {good_lines + 1}: not written in utf-8"):
        open_csv(path, encoding="utf-8")


@pytest.mark.parametrize(
    "settings",
    [
        {"encoding": "utf-9"},
        {"encoding": ""},
        {"encoding": "rot13"},
        {"delimiter": ";;"},
        {"delimiter": ""},
        {"delimiter": "\n"},
        {"quotechar": ""},
        {"delimiter": "'", "quotechar": "'"},
    ],
)
def test_a_setting_that_cannot_be_is_a_config_error(settings):
    with pytest.raises(ConfigError):
        open_csv(DATA / "plain.csv", **settings)


def test_a_record_may_span_lines_and_doubled_quotes_are_one():
    assert read("quoted_newlines.csv").records == [
        (2, 2, ["ann@example.org", "first\r\nsecond"]),
        (3, 4, ["bob@example.org", 'says "hi"']),
    ]


def test_lines_may_end_in_cr_alone():
    assert read("cr_only.csv").records == [
        (2, 2, ["ann@example.org", "one\rtwo"]),
        (3, 4, ["bob@example.org", "x"]),
    ]


def test_a_record_of_another_width_is_a_bad_row_but_empty_cells_at_its_end_are_not():
    assert read("ragged.csv") == Contents(
        ["a", "b", "c", "d", "e"],
        [(3, 3, ["1", "2", "3", "4", "5"]), (4, 4, ["1", "2", "3", "4", "5"])],
        [
            BadRow(2, 2, "3 cells, the header has 5", ("1", "2", "3")),
            BadRow(5, 5, "6 cells, the header has 5", ("1", "2", "3", "4", "5", "6")),
            BadRow(6, 6, "1 cell, the header has 5", ("1",)),
        ],
    )


def test_blank_rows_are_left_out_but_count_as_a_spreadsheet_counts_them():
    assert read("blank_rows.csv").records == [(2, 2, ["1", "2"]), (4, 4, ["3", "4"]), (7, 7, ["5", "6"])]
    assert read("leading_blank_lines.csv").records == [(4, 4, ["1", "2"])]


def test_a_nul_byte_makes_one_bad_row():
    assert read("nul.csv") == Contents(
        ["Email", "Name"],
        [(3, 3, ["bob@example.org", "Bob"])],
        [BadRow(2, 2, 'the column "Name" holds a NUL character', ("ann@example.org", "A\0nn"))],
    )


def test_columns_without_a_name_are_called_by_their_number():
    source = open_csv(DATA / "header_without_names.csv")
    assert source.columns == ("Email", "column 2", "Name", "column 4")
    assert source.notes[1:] == ("columns without a name are called 'column N', by number: 2, 4",)


def test_names_that_repeat_are_unique_in_the_frame():
    source = open_csv(DATA / "header_repeats.csv")
    assert source.columns == ("Tag", "Email", "Tag", "Tag (2)", "Tag")
    assert source.notes[1:] == ("columns that repeat an earlier name get ' (2)' or higher after it: 3, 5",)
    assert contents(list(source.chunks())).columns == ["Tag", "Email", "Tag (3)", "Tag (2)", "Tag (4)"]


def test_a_quote_opened_by_mistake_costs_its_own_record_only():
    reason = "the quote opened on line 2 is not closed at the end of its cell"
    assert read("quote_swallows_one_line.csv") == Contents(
        ["Email", "Name"],
        [(3, 3, ["bob@example.org", "Bob"]), (4, 4, ["cat@example.org", "Cat"])],
        [BadRow(2, 2, reason, ('"ann@example.org,Ann',))],
    )
    assert read("quote_swallows_some.csv") == Contents(
        ["Email", "Name"],
        [(row, row, [f"{name}@example.org", name.upper()]) for row, name in enumerate("bcde", 3)],
        [BadRow(2, 2, reason, ('a@example.org,"A',))],
    )


def test_text_after_a_closing_quote_is_a_bad_row_and_its_last_line_no_record():
    assert read("text_after_quote.csv") == Contents(
        ["Email", "Note"],
        [(4, 5, ["cat@example.org", '12" wide'])],
        [
            BadRow(
                2,
                2,
                "the quote opened on line 2 is not closed at the end of its cell",
                ('ann@example.org,"12" wide',),
            ),
            BadRow(
                3,
                3,
                "the quote opened on line 3 is not closed at the end of its cell",
                ('bob@example.org,"two\nlines" here',),
            ),
        ],
    )


def test_a_quote_that_is_never_closed_ends_the_reading_and_is_located():
    with pytest.raises(SourceError) as refusal:
        read("quote_never_closed.csv")
    assert str(refusal.value) == (
        "quote_never_closed.csv, line 5: the quote opened here is never closed. Was the file cut off?"
    )


@pytest.mark.parametrize(
    ("swallowed", "told"),
    [
        (b"bob@example.org," + b"y" * 60 + b"\n", "more than 16777216 characters in a cell"),
        (b"bob@example.org,y\n", "a record without an end; is a quote missing"),
    ],
    ids=["too many characters", "too many lines"],
)
def test_an_endless_cell_is_refused_before_it_fills_the_memory(tmp_path, swallowed, told):
    path = tmp_path / "endless.csv"
    path.write_bytes(b'Email,Note\nann@example.org,"x\n' + swallowed * 510_000)
    with pytest.raises(SourceError, match=rf"endless\.csv, line 2: {told}"):
        list(open_csv(path).chunks())


def test_a_cell_beyond_the_csv_modules_limit_is_read_and_the_limit_left_alone(tmp_path):
    path, limit = tmp_path / "long_cell.csv", csv.field_size_limit()
    path.write_text("a,b\n1," + "x" * (limit * 5) + "\n2,y\n")
    chunks = open_csv(path, chunk_rows=1).chunks()
    assert contents([next(chunks)]).records == [(2, 2, ["1", "x" * (limit * 5)])]
    assert csv.field_size_limit() == limit
    assert contents(list(chunks)).records == [(3, 3, ["2", "y"])]


def test_records_come_in_chunks_and_may_be_read_again():
    source = open_csv(DATA / "ragged.csv", chunk_rows=2)
    for _ in range(2):
        chunks = list(source.chunks())
        assert [(list(c.frame.index), [bad.row for bad in c.bad_rows]) for c in chunks] == [
            ([3], [2]),
            ([4], [5]),
            ([], [6]),
        ]


def test_a_missing_file_is_told_with_near_names(tmp_path):
    (tmp_path / "Contacts.csv").write_text("a\n")
    with pytest.raises(SourceError, match=r"^contact\.csv was not found in .*\. Near it: Contacts\.csv$"):
        open_csv(tmp_path / "contact.csv")
    with pytest.raises(SourceError, match=r"^a\.csv was not found: there is no folder .*nowhere$"):
        open_csv(tmp_path / "nowhere" / "a.csv")


def test_what_is_no_csv_file_is_told(tmp_path):
    with pytest.raises(SourceError, match="is a folder, not a file"):
        open_csv(tmp_path)
    (tmp_path / "a.xlsx").write_bytes(b"PK\x03\x04 and so on")
    with pytest.raises(SourceError, match=r"a\.xlsx is a ZIP archive or an Excel workbook, not a CSV file"):
        open_csv(tmp_path / "a.xlsx")


@pytest.mark.parametrize("change", ["append", "replace", "remove"])
def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path, change):
    path = tmp_path / "a.csv"
    path.write_text("a\n1\n2\n3\n")
    chunks = open_csv(path, chunk_rows=1).chunks()
    next(chunks)
    if change == "append":
        with path.open("a") as handle:
            handle.write("4\n")
    elif change == "replace":
        (tmp_path / "new.csv").write_text("a\n4\n5\n6\n")
        (tmp_path / "new.csv").replace(path)
    else:
        path.unlink()
    with pytest.raises(SourceError, match=r"^a\.csv changed while it was read"):
        list(chunks)


def test_a_file_that_changed_between_opening_and_reading_is_refused(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,2\n")
    source = open_csv(path)
    path.write_text("b,a,c\n2,1,3\n")
    with pytest.raises(SourceError, match=r"^a\.csv changed while it was read"):
        next(source.chunks())


def test_the_shapes_of_sources_do_not_import_pandas():
    code = "import sys, connectors.sources; sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
