"""Any table comes back as it was written, and reading takes no more memory for a longer file."""

import csv
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from connectors.errors import SourceError
from connectors.sources import Chunk
from connectors.sources.files.csv_file import open_csv

TEXT_ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"]

any_text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
awkward_text = st.text(st.sampled_from("\"',;\t|\r\n \ufeffaé0"), max_size=8)
cp1252_text = st.text(st.characters(codec="cp1252", exclude_characters="\0"), max_size=20)
name = st.text(st.characters(categories=["L", "N", "P"], codec="cp1252"), min_size=1, max_size=10)


@st.composite
def tables(draw, cells):
    """A header of unique names and records that are not blank, all as wide."""
    header = draw(st.lists(name, min_size=1, max_size=5, unique=True))
    record = st.lists(cells, min_size=len(header), max_size=len(header)).filter(lambda r: "".join(r).strip())
    return header, draw(st.lists(record, max_size=8))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("tables")


def write(path: Path, table, encoding: str, **how) -> None:
    header, records = table
    with path.open("w", encoding=encoding, newline="") as handle:
        csv.writer(handle, **how).writerows([header, *records])


def read(path: Path, **settings):
    source = open_csv(path, chunk_rows=3, **settings)
    records = []
    for chunk in source.chunks():
        assert not chunk.bad_rows
        records += [list(cells) for cells in chunk.frame.itertuples(index=False, name=None)]
    return list(source.columns), records


@settings(deadline=None)  # a slow machine is no failure
@given(
    data=st.data(),
    encoding=st.sampled_from(TEXT_ENCODINGS),
    delimiter=st.sampled_from(",;\t|"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    quotechar=st.sampled_from("\"'"),
    line_end=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_a_table_comes_back_as_it_was_written(
    folder, data, encoding, delimiter, quoting, quotechar, line_end
):
    cells = cp1252_text if encoding == "cp1252" else any_text | awkward_text
    table = data.draw(tables(cells))
    assume(not any("@" in name for name in table[0]))  # a person's address is no header
    path = folder / "written.csv"
    if quoting == csv.QUOTE_MINIMAL:
        line_end = "\r\n"  # with another one the writer leaves the other line ends in cells unquoted
    how = {"delimiter": delimiter, "quotechar": quotechar}
    write(path, table, encoding, quoting=quoting, lineterminator=line_end, **how)
    assert read(path, encoding=encoding, **how) == (table[0], table[1])


@settings(deadline=None)  # a slow machine is no failure
@given(
    table=tables(any_text | awkward_text),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    delimiter=st.sampled_from(",;\t|"),
)
def test_encoding_and_delimiter_of_a_quoted_table_are_found(folder, table, encoding, delimiter):
    assume(not any("@" in name for name in table[0]))  # a person's address is no header
    path = folder / "found.csv"
    write(path, table, encoding, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    assert read(path) == (table[0], table[1])


@settings(deadline=None)  # a slow machine is no failure
@given(content=st.text(st.sampled_from('",\n\rab'), max_size=60))
def test_nothing_is_lost_or_read_twice_however_the_quotes_fall(folder, content):
    path = folder / "quotes.csv"
    path.write_text("h,i\n" + content, newline="")
    try:
        chunks = list(open_csv(path, delimiter=",", chunk_rows=4).chunks())
    except SourceError as error:
        assert "is never closed" in str(error)  # noqa: PT017
        return
    rows = sorted((row, line) for chunk in chunks for row, line in rows_and_lines(chunk))
    assert rows == sorted(rows, key=lambda row_and_line: row_and_line[1])
    assert len({row for row, _ in rows}) == len({line for _, line in rows}) == len(rows)
    cells = [cell for chunk in chunks for record in chunk.frame.to_numpy().tolist() for cell in record]
    bad_cells = [cell for chunk in chunks for bad in chunk.bad_rows for cell in bad.cells]
    found = "".join(cells + bad_cells)
    assert (found.count("a"), found.count("b")) == (content.count("a"), content.count("b"))


def rows_and_lines(chunk: Chunk) -> list[tuple[int, int]]:
    good = zip(chunk.frame.index, chunk.lines, strict=True)
    return [*good, *((bad.row, bad.line) for bad in chunk.bad_rows)]


def test_memory_does_not_grow_with_the_file(tmp_path):
    peaks = [peak_bytes_of(tmp_path / "contacts.csv", rows) for rows in (20_000, 60_000)]
    assert peaks[1] < 1.05 * peaks[0]


def peak_bytes_of(path, rows):
    """What reading so many records takes at most, in chunks of 2,000; each has a cell of several lines."""
    with path.open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["Email", "Name", "Note", "City"])
        writer.writerows(
            [f"{n}@example.org", f"Name {n}", f"a note\nof {n} " * 8, "Köln"] for n in range(rows)
        )
    tracemalloc.start()
    record_count = sum(len(chunk.frame) for chunk in open_csv(path, chunk_rows=2_000).chunks())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert record_count == rows
    return peak
