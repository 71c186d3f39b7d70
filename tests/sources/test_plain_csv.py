"""Blocks of CSV that are read as columns hold what the csv module finds in them, to the row and the line."""

import csv
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.errors import SourceError
from connectors.sources.files import plain_csv
from connectors.sources.files.csv_file import open_csv
from tests.sources.test_csv_files import DATA, Contents, contents

MANY = 3_000
"""Lines, so that there are several blocks."""


def both(path: Path, monkeypatch: pytest.MonkeyPatch, **options: object) -> tuple[object, object]:
    """What is read by blocks where they are plain, and by the csv module alone."""
    found = []
    for encodings in (plain_csv.PLAIN_ENCODINGS, frozenset()):
        monkeypatch.setattr(plain_csv, "PLAIN_ENCODINGS", encodings)
        try:
            found.append(contents(list(open_csv(path, **options).chunks())))
        except SourceError as error:
            found.append(str(error))
    monkeypatch.undo()
    return found[0], found[1]


@pytest.mark.parametrize("path", sorted(DATA.iterdir()), ids=lambda path: path.name)
@pytest.mark.parametrize("chunk_rows", [1, 2, 20_000])
def test_every_odd_file_is_read_as_by_the_csv_module(
    path: Path, chunk_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_blocks, by_module = both(path, monkeypatch, chunk_rows=chunk_rows)
    assert by_blocks == by_module


lines = st.text(st.sampled_from('ab",;é \x1c\u2003'), max_size=12)
pieces = st.lists(lines, max_size=8)


@settings(max_examples=40)
@given(
    odd=st.lists(st.tuples(st.integers(0, MANY), pieces, st.sampled_from(["\n", "\r\n", "\r"])), max_size=3),
    quoted=st.booleans(),
    end=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "cp1252"]),
    is_ended=st.booleans(),
)
def test_odd_lines_among_plain_ones_do_not_shift_them(
    tmp_path_factory: pytest.TempPathFactory,
    odd: list[tuple[int, list[str], str]],
    quoted: bool,
    end: str,
    encoding: str,
    is_ended: bool,
) -> None:
    path = tmp_path_factory.getbasetemp() / "mixed.csv"
    name = '"Zoë, ""Z"""' if quoted else "Zoë"
    body = [f"{number}@example.org,{name},a note of some length{end}" for number in range(MANY)]
    for place, texts, line_end in odd:
        body.insert(place, "".join(text + line_end for text in texts))
    text = f"Email,Name,Note{end}" + "".join(body)
    text = text if is_ended else text.removesuffix(end)
    path.write_bytes(text.encode(encoding, "replace"))
    with pytest.MonkeyPatch.context() as patch:
        by_blocks, by_module = both(path, patch, encoding=encoding, delimiter=",")
    assert by_blocks == by_module


def test_a_file_without_anything_odd_is_read_by_blocks(tmp_path: Path) -> None:
    path = tmp_path / "plain.csv"
    with path.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(["Email", "City"])
        writer.writerows([f"{number}@example.org", "Köln, Altstadt"] for number in range(MANY))
    chunks = list(open_csv(path, chunk_rows=500).chunks())
    assert {str(dtype) for chunk in chunks for dtype in chunk.frame.dtypes} == {"string[pyarrow]"}
    assert max(len(chunk.frame) for chunk in chunks) <= 500
    found: Contents = contents(chunks)
    assert found.records == [
        (number + 2, number + 2, [f"{number}@example.org", "Köln, Altstadt"]) for number in range(MANY)
    ]


@pytest.mark.parametrize("blank", [b"\n", b"\r\n", b" \t\r\n", b"\x1f\n", b",\n", b'""\n'])
def test_blank_lines_among_records_are_counted_as_the_csv_module_counts_them(
    blank: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.csv"
    rows = (b"a%d@example.org,x\n" % number + blank * (number % 5) * 300 for number in range(200))
    path.write_bytes(blank * 3 + b"Email,Note\n" + b"".join(rows))
    by_blocks, by_module = both(path, monkeypatch)
    assert by_blocks == by_module


@pytest.mark.parametrize("start", [b"Email\n", b"Email,Note\na@example.org,x\n"])
def test_a_million_blank_lines_are_not_gone_through_one_by_one(start: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(start + b"\n" * 3_000_000)
    calls: Counter[str] = Counter()
    sys.setprofile(lambda frame, event, _: calls.update([event]) if event == "call" else None)
    try:
        found = sum(len(chunk.frame) for chunk in open_csv(path).chunks())
    finally:
        sys.setprofile(None)
    assert found == start.count(b"\n") - 1
    assert calls["call"] < 500_000
