"""Whatever is in a file: every reader ends in records, rejects or one error of ours, in little memory."""

import bz2
import gzip
import io
import json
import lzma
import tracemalloc
import zipfile
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from connectors.errors import SyncError
from connectors.sources.faults import without_faults
from connectors.sources.kinds import KINDS
from pipelines.extract.cells import Cleaned
from tests.sources.workbooks import bytes_of, edited

MOST_BYTES = 64 * 1024 * 1024
SUFFIXES = {"csv": ".csv", "excel": ".xlsx", "jsonl": ".jsonl", "parquet": ".parquet"}
ROWS = [["Email", "First Name", "Zip"], ["ann@example.org", "Ann", 2139], ["bob@example.org", "Bob", "=1+1"]]
WORKBOOK = bytes_of(ROWS, formats={2: "00000"})
CSV = "Email;First Name\nann@example.org;Łukasz\nbob@example.org;Żółć\n"
JSON = b'[{"email":"ann@example.org","who":{"n":[1,2.0]}},\n{"email":null}]'

any_text = st.text(st.characters(exclude_categories=()), max_size=40)
odd_text = st.text(st.sampled_from("\",;\t|\r\n\0\ufeff\ud83dé\u200b='@a1.{}[]:\\#E+"), max_size=60)
any_bytes = st.binary(max_size=400) | odd_text.map(lambda text: text.encode("utf-8", "surrogatepass"))


def parquet_bytes() -> bytes:
    target = io.BytesIO()
    table = pa.table({"Email": ["ann@example.org", None], "n": [1.0, None], "at": [{"city": "Rome"}, None]})
    parquet.write_table(table, target)
    return target.getvalue()


PARQUET = parquet_bytes()
STARTS = {"csv": CSV.encode("cp1250"), "excel": WORKBOOK, "jsonl": JSON, "parquet": PARQUET}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("any")


def read(path: Path, kind: str, **options: object) -> int:
    """How many records and rejects there are; 0 where the file is refused. Any other error is a bug."""
    try:
        source = Cleaned(KINDS[kind].open(path=path, **options), ("n/a",))
        count = 0
        for chunk in without_faults(source.chunks()):
            assert len(chunk.lines) == len(chunk.frame)
            assert all(type(cell) is str for row in chunk.frame.itertuples(index=False) for cell in row)
            count += len(chunk.frame) + len(chunk.bad_rows)
    except SyncError as error:
        refusal = str(error)
    else:
        return count
    assert "@example.org" not in refusal
    assert len(refusal) < 1_000
    return 0


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """A file with some bytes cut out, changed or put in."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(data)))
        match draw(st.sampled_from(["cut", "change", "insert", "end"])):
            case "cut":
                del data[place : place + draw(st.integers(1, 40))]
            case "change" if place < len(data):
                data[place] = draw(st.integers(0, 255))
            case "insert":
                data[place:place] = draw(st.binary(min_size=1, max_size=20))
            case "end":
                del data[place:]
    return bytes(data)


@settings(max_examples=60)
@given(kind=st.sampled_from(sorted(SUFFIXES)), content=any_bytes)
def test_any_bytes_end_in_records_rejects_or_one_error(folder: Path, kind: str, content: bytes) -> None:
    path = folder / f"any{SUFFIXES[kind]}"
    path.write_bytes(content)
    read(path, kind)


@settings(max_examples=120)
@given(data=st.data(), kind=st.sampled_from(sorted(SUFFIXES)))
def test_a_damaged_file_ends_in_records_rejects_or_one_error(
    folder: Path, data: st.DataObject, kind: str
) -> None:
    path = folder / f"damaged{SUFFIXES[kind]}"
    path.write_bytes(data.draw(damaged(STARTS[kind])))
    read(path, kind)


@settings(max_examples=80)
@given(data=st.data(), part=st.sampled_from(["xl/workbook.xml", "xl/styles.xml", "xl/worksheets/sheet1.xml"]))
def test_a_workbook_with_any_part_damaged(folder: Path, data: st.DataObject, part: str) -> None:
    whole = edited(WORKBOOK, lambda name, old: data.draw(damaged(old)) if name == part else old)
    path = folder / "part.xlsx"
    path.write_bytes(whole)
    read(path, "excel")


@settings(max_examples=80)
@given(
    data=st.data(),
    name=st.sampled_from(["a.csv.gz", "a.csv.bz2", "a.csv.xz", "a.zip"]),
    members=st.lists(st.tuples(any_text, any_bytes), max_size=3),
)
def test_a_damaged_archive(
    folder: Path, data: st.DataObject, name: str, members: list[tuple[str, bytes]]
) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for place, (member, content) in enumerate([("a.csv", CSV.encode()), *members]):
            archive.writestr(f"{place}{member.encode('utf-8', 'replace').decode()}", content)
    text = CSV.encode()
    packed = {
        "a.csv.gz": gzip.compress(text),
        "a.csv.bz2": bz2.compress(text),
        "a.csv.xz": lzma.compress(text),
        "a.zip": target.getvalue(),
    }
    path = folder / name
    path.write_bytes(data.draw(st.just(packed[name]) | damaged(packed[name])))
    read(path, "csv")


@settings(max_examples=60)
@given(cells=st.lists(st.lists(any_text | odd_text, min_size=2, max_size=2), max_size=5))
def test_any_cells_of_json_and_csv(folder: Path, cells: list[list[str]]) -> None:
    path = folder / "cells.jsonl"
    path.write_text("".join(json.dumps({"a": one, "b": {"c": two}}) + "\n" for one, two in cells) or "{}")
    assert read(path, "jsonl") == len(cells)
    quoted = "".join(",".join('"' + cell.replace('"', '""') + '"' for cell in row) + "\n" for row in cells)
    path = folder / "cells.csv"
    path.write_bytes(("a,b\n" + quoted).encode("utf-8", "replace"))
    read(path, "csv")


def test_a_small_workbook_that_unpacks_to_much_is_refused_in_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "bomb.xlsx"
    text = b"<sst><si><t>" + b"x" * 30_000 + b"</t></si></sst>"
    with (
        zipfile.ZipFile(io.BytesIO(WORKBOOK)) as old,
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new,
    ):
        for name in old.namelist():
            if name.endswith("sheet1.xml"):
                with new.open(name, "w", force_zip64=True) as part:
                    part.write(b"<worksheet><sheetData>")
                    for row in range(1, 20_001):
                        cell = f'<c r="A{row}" t="inlineStr"><is><t>{"x" * 500}</t></is></c>'
                        part.write(f'<row r="{row}">{cell}</row>'.encode())
                    part.write(b"</sheetData></worksheet>")
            else:
                new.writestr(name, old.read(name) if "shared" not in name else text)
    tracemalloc.start()
    read(path, "excel", chunk_rows=1_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < MOST_BYTES
    assert path.stat().st_size < 200_000
