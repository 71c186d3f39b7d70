"""What is fuzzed: for each parser, strategies of input that is nearly right, and the work that reads it."""

import atexit
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
from hypothesis import strategies as st
from pyarrow import parquet

from connectors.kartra.answers import classify
from connectors.kartra.commands import Action, Call, Lead, get_lead
from connectors.kartra.wire import Credentials, encode_call
from connectors.sources.kinds import KINDS
from pipelines.config.dotenv import read_dotenv
from pipelines.config.file import read_pipeline
from tests.attacks.files import BOOK, MINIMAL, SHEET

FOLDER = Path(tempfile.mkdtemp(prefix="kartra-sync-fuzz-"))
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)


class Parser(NamedTuple):
    inputs: st.SearchStrategy[bytes]
    read: Callable[[bytes], object]


def changed(*seeds: bytes) -> st.SearchStrategy[bytes]:
    """A seed with a part of it left out, doubled or replaced; or nothing but noise."""

    def change(seed: bytes, at: float, length: int, put: bytes, times: int) -> bytes:
        start = int(at * len(seed))
        return seed[:start] + put * times + seed[start + length :]

    parts = st.one_of(
        st.binary(max_size=12),
        st.text(max_size=12).map(lambda text: text.encode("utf-8", "replace")),
        st.sampled_from(
            (b"\0", b'"', b"'", b"[", b"{", b"}", b":", b"&a ", b"*a", b"!!", b"${", b"\r", b"\xff")
        ),
        st.sampled_from(seeds),
    )
    one = st.builds(
        change,
        st.sampled_from(seeds),
        st.floats(0, 1),
        st.integers(0, 40),
        parts,
        st.sampled_from((0, 1, 2, 70)),
    )
    twice = st.builds(change, one, st.floats(0, 1), st.integers(0, 8), parts, st.sampled_from((0, 1, 2)))
    return st.one_of(one, twice, st.binary(max_size=300))


def read_as(kind: str, suffix: str) -> Callable[[bytes], object]:
    def read(data: bytes) -> int:
        path = FOLDER / f"a{suffix}"
        path.write_bytes(data)
        return sum(len(chunk.frame) + len(chunk.bad_rows) for chunk in KINDS[kind].open(path=path).chunks())

    return read


def _pipeline(data: bytes) -> object:
    path = FOLDER / "p.yaml"
    path.write_bytes(data)
    return read_pipeline(path, {"SET": "value", "KARTRA_API_KEY": "keykeyke"}).pipeline


def _dotenv(data: bytes) -> object:
    path = FOLDER / ".env"
    path.write_bytes(data)
    path.chmod(0o600)
    return read_dotenv(path)


POINTS = Action("give_points_to_lead", {"points": "1"})


def _answer(data: bytes) -> object:
    calls = (
        get_lead(email="a@example.org"),
        Call((Action("assign_tag", {"tag_name": "VIP"}), POINTS), Lead(id="1")),
        Call((Action("retrieve_account_tags", {}),)),
    )
    for call in calls:
        for status in (200, 429, 500):
            _ = classify(call, status, data).lead_id
    return len(data)


def _wire(data: bytes) -> object:
    text = data.decode("utf-8", "replace")
    try:
        call = Call((Action("assign_tag", {"tag_name": text}),), Lead(email=text))
    except ValueError:  # nobody's address
        return 0
    body = encode_call(Credentials("appappapp", "keykeyke", "password"), call)
    assert body.isascii()
    assert body.count("&") == 5
    return len(body)


def _workbook(data: bytes) -> object:
    """The sheet of a right workbook."""
    path = FOLDER / "a.xlsx"
    book = FOLDER / "whole.xlsx"
    book.write_bytes(BOOK)
    with zipfile.ZipFile(book) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            new.writestr(name, data if name == SHEET else old.read(name))
    return sum(len(chunk.frame) for chunk in KINDS["excel"].open(path=path).chunks())


def _sheet() -> bytes:
    book = FOLDER / "seed.xlsx"
    book.write_bytes(BOOK)
    with zipfile.ZipFile(book) as archive:
        return archive.read(SHEET)


def _zip() -> bytes:
    place = FOLDER / "seed.zip"
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", CSV)
    return place.read_bytes()


def _parquet() -> bytes:
    place = FOLDER / "seed.parquet"
    parquet.write_table(pa.table({"Email": ["ann@example.org"], "x": [1], "y": [["a"]]}), place)
    return place.read_bytes()


CSV = b'Email,First,Note\nann@example.org,Ann,"a ""b"" c"\nbob@example.org,Bob,"two\nlines"\n'
SEMICOLONS = CSV.replace(b",", b";")
JSON = b'{"Email": "ann@example.org", "n": 1.50, "in": {"a": [1, {"b": null}]}}\n{"Email": "b", "y": true}\n'
ARRAY = b"[" + JSON.replace(b"}\n{", b"},\n{").strip() + b"]"
ANSWERS = (
    b'{"status":"Success","lead_details":{"id":"1","email":"a@example.org","custom_fields":[]}}',
    b'{"status":"Success","actions":[{"assign_tag":{"status":"Success","type":"103"}},'
    b'{"give_points_to_lead":{"status":"Error","type":"248"}}]}',
    b'{"status":"Error","message":"No lead found","type":"234"}',
    b"<br /><b>Notice</b>: x in a.php on line <b>1</b><br />" + b'{"account_tags": ["a"]}',
)
PARSERS: dict[str, Parser] = {
    "yaml": Parser(changed(MINIMAL.encode(), b"a: &a [1, *a]\nb: {<<: *a}\n"), _pipeline),
    "dotenv": Parser(changed(b"A=1\nexport B='x y'\nC=\"a\\nb\"\n# d\n"), _dotenv),
    "wire": Parser(changed(b"a&b=[c]", "zoë\u202e".encode()), _wire),
    "answers": Parser(changed(*ANSWERS), _answer),
    "csv": Parser(changed(CSV, SEMICOLONS, CSV.decode().encode("utf-16")), read_as("csv", ".csv")),
    "jsonl": Parser(
        changed(JSON, b"[" + JSON.replace(b"}\n{", b"},\n{").strip() + b"]"), read_as("jsonl", ".jsonl")
    ),
    "excel": Parser(changed(_sheet()), _workbook),
    "workbook": Parser(changed(BOOK), read_as("excel", ".xlsx")),
    "archive": Parser(changed(_zip()), read_as("csv", ".zip")),
    "parquet": Parser(changed(_parquet()), read_as("parquet", ".parquet")),
}
