"""Files that attack, by the id of their probe: each makes one in a folder and gives what reads it."""

import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import random
import socket
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from connectors.sources.kinds import KIND_BY_SUFFIX, KINDS
from pipelines.config.dotenv import read_dotenv
from pipelines.config.file import read_pipeline
from pipelines.config.used_files import refuse_used
from tests.sources.workbooks import bytes_of, with_part

Work = Callable[[], object]
PROBES: dict[str, Callable[[Path], Work]] = {}
ADDRESS = "ann@example.org"
MINIMAL = (
    "pipeline: p\nkartra: {}\nload:\n  source: {csv: c.csv}\n  key: email\n  fields: {email: Email}\n"
    "  consent: {attested: form}\n"
)


def probe(name: str) -> Callable[[Callable[[Path], Work]], Callable[[Path], Work]]:
    def add(make: Callable[[Path], Work]) -> Callable[[Path], Work]:
        assert name not in PROBES
        PROBES[name] = make
        return make

    return add


def read(path: Path | str, **options: Any) -> Work:
    """All records of the source, as a run reads it."""

    def work() -> int:
        kind = KINDS[KIND_BY_SUFFIX[Path(str(path).removesuffix(".gz").removesuffix(".bz2")).suffix]]
        return sum(len(chunk.frame) for chunk in kind.open(path=path, **options).chunks())

    return work


# --- pipeline files


def yaml_probe(name: str, text: str | bytes) -> None:
    def make(folder: Path) -> Work:
        path = folder / "p.yaml"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return lambda: read_pipeline(path, {}).pipeline

    probe(name)(make)


def _laughs(levels: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, levels)]
    return "\n".join(lines)


yaml_probe("yaml-laughs", _laughs(9))
yaml_probe("yaml-laughs-in-tags", f"{MINIMAL}  tags: &t [a]\n  lists: *t\n{_laughs(7)}\n")
yaml_probe(
    "yaml-merge-laughs",
    "\n".join(
        ["a0: &a0 {x: 1}", *(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}" for n in range(1, 9))]
    ),
)
yaml_probe("yaml-deep-flow", "[" * 100_000)
yaml_probe("yaml-deep-block", "\n".join(f"{' ' * depth}a:" for depth in range(900)))
yaml_probe("yaml-large", b"a: " + b"x" * 2_000_000)
yaml_probe("yaml-many-keys", "\n".join(f"k{number}: 1" for number in range(60_000)))
yaml_probe("yaml-many-faults", "\n".join(f"k{number}: 1" for number in range(1_000)))
yaml_probe("yaml-duplicate-keys", f"{MINIMAL}pipeline: other\n")
yaml_probe("yaml-python-tag", "pipeline: !!python/object/apply:os.system ['touch /tmp/kartra-pwned']\n")
yaml_probe("yaml-own-tag", f"{MINIMAL}  tags: [!secret x]\n")
yaml_probe("yaml-alias-of-itself", f"{MINIMAL}  tags: &t [*t]\n")
yaml_probe("yaml-two-documents", f"{MINIMAL}---\n{MINIMAL}")
yaml_probe("yaml-control-character", MINIMAL.replace("p\n", "p\a\n", 1))
yaml_probe("yaml-not-utf-8", b"pipeline: \xff\xfe\n")
yaml_probe("yaml-many-variables", MINIMAL.replace("attested: form", f"attested: '{'${a:-' * 100_000}'"))
yaml_probe("yaml-format-string", MINIMAL.replace("form", "'{0.__class__} {{7*7}} %(x)s'"))


@probe("yaml-pipe")
def _yaml_pipe(folder: Path) -> Work:
    os.mkfifo(folder / "p.yaml")
    return lambda: read_pipeline(folder / "p.yaml", {})


@probe("yaml-endless-device")
def _yaml_device(folder: Path) -> Work:
    (folder / "p.yaml").symlink_to("/dev/zero")
    return lambda: read_pipeline(folder / "p.yaml", {})


@probe("yaml-bomb-beside")
def _yaml_beside(folder: Path) -> Work:
    (folder / "other.yaml").write_text(f"pipeline: other\n{_laughs(9)}", encoding="utf-8")
    return lambda: refuse_used([folder / "out.csv"])


# --- .env


def env_probe(name: str, content: bytes, mode: int = 0o600) -> None:
    def make(folder: Path) -> Work:
        path = folder / ".env"
        path.write_bytes(content)
        path.chmod(mode)
        return lambda: sorted(read_dotenv(path))

    probe(name)(make)


env_probe("env-large", b"A=" + b"x" * 2_000_000)
env_probe("env-others-may-write", b"KARTRA_URL=https://evil.example/api\n", 0o666)
env_probe("env-expression", b"A=$(touch /tmp/kartra-pwned)\nB=`id`\nC=${HOME}\n")


@probe("env-pipe")
def _env_pipe(folder: Path) -> Work:
    os.mkfifo(folder / ".env")
    return lambda: read_dotenv(folder / ".env")


@probe("env-folder")
def _env_folder(folder: Path) -> Work:
    (folder / ".env").mkdir()
    return lambda: read_dotenv(folder / ".env")


@probe("env-endless-device")
def _env_device(folder: Path) -> Work:
    (folder / ".env").symlink_to("/dev/zero")
    return lambda: read_dotenv(folder / ".env")


@probe("env-socket")
def _env_socket(folder: Path) -> Work:
    place = folder / ".env"
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.open(folder, os.O_RDONLY)
        listener.bind(f"/proc/self/fd/{here}/.env")  # the path of a socket is short
        os.close(here)
    return lambda: read_dotenv(place)


# --- archives

ZEROS = 80 * 1024**2
"""What bombs here unpack to: more than is read without a second thought."""


def archive(path: Path, *members: tuple[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members:
            made.writestr(name, content)
    return path


CONTACTS = f"Email\n{ADDRESS}\n".encode()


@probe("zip-bomb")
def _zip_bomb(folder: Path) -> Work:
    return read(archive(folder / "a.zip", ("a.csv", bytes(ZEROS))))


@probe("zip-bomb-of-many")
def _zip_bomb_of_many(folder: Path) -> Work:
    return read(archive(folder / "a.zip", *((f"{n}.csv", bytes(ZEROS // 40)) for n in range(50))))


@probe("zip-overlapping")
def _zip_overlapping(folder: Path) -> Work:
    """Every entry of the directory is the one member, as in the bomb of 2019."""
    path = archive(folder / "a.zip", ("a.csv", bytes(ZEROS // 10)))
    data = path.read_bytes()
    at = data.index(b"PK\1\2")
    end = data.index(b"PK\5\6")
    entry = data[at:end]
    directory = entry * 300
    path.write_bytes(
        data[:at] + directory + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 300, 300, len(directory), at, 0)
    )
    return read(path)


@probe("zip-many-members")
def _zip_many(folder: Path) -> Work:
    path = folder / "a.zip"
    with zipfile.ZipFile(path, "w") as made:
        for number in range(10_001):
            made.writestr(str(number), "")
    return read(path)


@probe("zip-64-many-members")
def _zip_64_many(folder: Path) -> Work:
    """The small counts are full, and what counts stands before them."""
    path = archive(folder / "a.zip", ("a.csv", CONTACTS))
    data = path.read_bytes()
    end = data.index(b"PK\5\6")
    at, size = data.index(b"PK\1\2"), end - data.index(b"PK\1\2")
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, 10**9, 10**9, size, at)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, end, 1)
    full = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    path.write_bytes(data[:end] + record + locator + full)
    return read(path)


def slip_probe(name: str, member: str) -> None:
    def make(folder: Path) -> Work:
        inner = folder / "in" / "side"
        inner.mkdir(parents=True)
        work = read(archive(inner / "a.zip", (member, CONTACTS)))

        def stays_inside() -> object:
            before = sorted(folder.rglob("*"))
            records = work()
            assert sorted(folder.rglob("*")) == before
            assert not Path("/tmp/kartra-slip.csv").exists()
            return records

        return stays_inside

    probe(name)(make)


slip_probe("zip-slip-up", "../../../../../../tmp/kartra-slip.csv")
slip_probe("zip-slip-absolute", "/tmp/kartra-slip.csv")
slip_probe("zip-slip-backslash", "..\\..\\..\\tmp\\kartra-slip.csv")
slip_probe("zip-member-called-dots", "a/..")
slip_probe("zip-long-name", "x" * 60_000)


@probe("zip-link")
def _zip_link(folder: Path) -> Work:
    link = zipfile.ZipInfo("a.csv")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(folder / "a.zip", "w") as made:
        made.writestr(link, "/etc/passwd")
    return read(folder / "a.zip")


@probe("zip-in-zip")
def _zip_in_zip(folder: Path) -> Work:
    inner = archive(folder / "inner.zip", ("a.csv", bytes(ZEROS))).read_bytes()
    return read(archive(folder / "a.zip", ("inner.zip", inner)))


@probe("zip-cut-off")
def _zip_cut(folder: Path) -> Work:
    path = archive(folder / "a.zip", ("a.csv", CONTACTS * 100))
    path.write_bytes(path.read_bytes()[:-30])
    return read(path)


def packed_probe(name: str, suffix: str, pack: Callable[[bytes], bytes]) -> None:
    def make(folder: Path) -> Work:
        path = folder / f"a.csv{suffix}"
        path.write_bytes(pack(bytes(ZEROS)))
        return lambda: sum(len(c.frame) for c in KINDS["csv"].open(path=path).chunks())

    probe(name)(make)


@probe("zip-blank-lines")
def _zip_blank(folder: Path) -> Work:
    return read(archive(folder / "a.zip", ("a.csv", CONTACTS + b"\n" * 50_000_000)))


packed_probe("gz-bomb", ".gz", lambda data: gzip.compress(data, 1))
packed_probe("bz2-bomb", ".bz2", lambda data: bz2.compress(data, 1))
packed_probe("xz-bomb", ".xz", lambda data: lzma.compress(data, preset=0))
packed_probe("gz-cut-off", ".gz", lambda _: gzip.compress(CONTACTS * 1000)[:-20])


# --- workbooks

BOOK = bytes_of([["Email"], [ADDRESS]])
SHEET = "xl/worksheets/sheet1.xml"


def book_probe(name: str, part: str, pattern: str, text: str | Callable[[], str]) -> None:
    def make(folder: Path) -> Work:
        path = folder / "a.xlsx"
        path.write_bytes(with_part(BOOK, part, pattern, text if isinstance(text, str) else text()))
        return read(path)

    probe(name)(make)


ENTITIES = (
    '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>'
)
OUTSIDE = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
book_probe("xlsx-entities", SHEET, r"^(<\?xml[^>]*\?>)?", ENTITIES)
book_probe("xlsx-outside-entity", "xl/workbook.xml", r"^(<\?xml[^>]*\?>)?", OUTSIDE)
book_probe("xlsx-deep", SHEET, "<sheetData>", lambda: "<sheetData>" + "<a>" * 100_000)
book_probe(
    "xlsx-endless-markup",
    SHEET,
    "<sheetData>",
    lambda: f"<sheetData x{random.Random(0).randbytes(4_500_000).hex()}",
)
book_probe("xlsx-large-cell", SHEET, r"(?s)<t>.*?</t>", lambda: f"<t>{'x' * 2_000_000}</t>")
book_probe("xlsx-wide-reference", SHEET, 'r="A2"', 'r="ZZZZZZZ2"')
book_probe("xlsx-high-row", SHEET, '<row r="2"', f'<row r="{"9" * 30}"')
book_probe(
    "xlsx-many-sheets",
    "xl/workbook.xml",
    "<sheets>",
    lambda: "<sheets>" + '<sheet name="x" sheetId="1" r:id="rId1"/>' * 10_100,
)
book_probe(
    "xlsx-relation-outside",
    "xl/_rels/workbook.xml.rels",
    r"/xl/worksheets/sheet1\.xml",
    "../../../etc/passwd",
)


@probe("xlsx-part-bomb")
def _xlsx_part(folder: Path) -> Work:
    path = folder / "a.xlsx"
    path.write_bytes(BOOK)
    rows = b"<row><c><v>1</v></c></row>" * (ZEROS // 26)
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(folder / "b.xlsx", "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(
                name, data.replace(b"</sheetData>", rows + b"</sheetData>") if name == SHEET else data
            )
    return read(folder / "b.xlsx")


@probe("xlsx-many-members")
def _xlsx_many(folder: Path) -> Work:
    path = folder / "a.xlsx"
    path.write_bytes(BOOK)
    with zipfile.ZipFile(path, "a") as book:
        for number in range(10_001):
            book.writestr(f"x/{number}", "")
    return read(path)


@probe("ods")
def _ods(folder: Path) -> Work:
    archive(
        folder / "a.zip",
        ("mimetype", b"application/vnd.oasis.opendocument.spreadsheet"),
        ("content.xml", ENTITIES.encode()),
    )
    (folder / "a.zip").rename(folder / "a.xlsx")
    return read(folder / "a.xlsx")


# --- CSV


def text_probe(name: str, content: Callable[[], bytes], suffix: str = ".csv") -> None:
    def make(folder: Path) -> Work:
        path = folder / f"a{suffix}"
        path.write_bytes(content())
        return read(path)

    probe(name)(make)


text_probe("csv-large-cell", lambda: b"Email,Note\nann@example.org," + b"x" * 200_000_000 + b"\n")
text_probe("csv-large-quoted-cell", lambda: b'Email,Note\nann@example.org,"' + b"x\n" * 10_000_000 + b'"\n')
text_probe(
    "csv-wide", lambda: b"Email," + b",".join(b"c%d" % n for n in range(100_000)) + b"\nann@example.org\n"
)
text_probe(
    "csv-wide-and-long",
    lambda: b",".join([b"c%d" % n for n in range(16_000)]) + (b"\n" + b"," * 15_999) * 200,
)
text_probe("csv-only-delimiters", lambda: b"Email,Note\n" + b"," * 40_000_000)
text_probe("csv-no-line-end", lambda: b"a" * 80_000_000)
text_probe("csv-record-without-end", lambda: b"a,b\n" + b'"x\n",' * 15_000_000)
text_probe("csv-blank-lines", lambda: b"Email,Note\nann@example.org,\n" + b"\n" * 3_000_000)
text_probe("csv-white-lines", lambda: b"Email,Note\r\nann@example.org,\r\n" + b" \t\r\n" * 1_000_000)
text_probe("csv-blank-first", lambda: b"\n" * 3_000_000 + b"Email\nann@example.org\n")
text_probe("csv-nuls", lambda: b"Email\n" + bytes(5_000_000))
text_probe("csv-wide-utf-16", lambda: ("Email\n" + "x" * 40_000_000).encode("utf-16"))
text_probe("csv-template", lambda: b"Email,First\nann@example.org,{{7*7}} ${HOME} %s {0.__class__}\n")


@probe("csv-pipe")
def _csv_pipe(folder: Path) -> Work:
    os.mkfifo(folder / "a.csv")
    return read(folder / "a.csv")


@probe("csv-endless-device")
def _csv_device(folder: Path) -> Work:
    (folder / "a.csv").symlink_to("/dev/zero")
    return read(folder / "a.csv")


@probe("csv-folder-of-pipes")
def _csv_folder(folder: Path) -> Work:
    os.mkfifo(folder / "a.csv")
    return lambda: KINDS["csv"].open(path=folder)


# --- JSON lines

text_probe("jsonl-endless-line", lambda: b'{"Email": "' + b"x" * 80_000_000, ".jsonl")
text_probe("jsonl-deep-object", lambda: b'{"Email": ' * 100_000, ".jsonl")
text_probe(
    "jsonl-deep-value",
    lambda: b'{"Email": "a@b.org"}\n{"Email": "b@b.org", "x": ' + b"[" * 900 + b"]" * 900 + b"}\n",
    ".jsonl",
)
text_probe("jsonl-array-of-one-endless", lambda: b'[{"Email": "' + b"x" * 40_000_000, ".jsonl")
text_probe("jsonl-array-deep", lambda: b"[" * 200_000, ".jsonl")
text_probe("jsonl-many-keys", lambda: json.dumps({f"k{n}": 1 for n in range(100_000)}).encode(), ".jsonl")
text_probe("jsonl-huge-number", lambda: b'{"Email": "a@b.org", "n": 1e999999999}\n', ".jsonl")
text_probe("jsonl-long-number", lambda: b'{"Email": "a@b.org", "n": ' + b"9" * 1_000_000 + b"}\n", ".jsonl")
text_probe(
    "jsonl-wide-and-long",
    lambda: b"".join(b'{"Email": "a", "c%d": 1}\n' % n for n in range(3_000)),
    ".jsonl",
)


# --- Parquet


def parquet_probe(name: str, table: Callable[[], pa.Table], **options: Any) -> None:
    def make(folder: Path) -> Work:
        parquet.write_table(table(), folder / "a.parquet", **options)
        return read(folder / "a.parquet")

    probe(name)(make)


def _repeated(count: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), pa.array(["x" * 4_000_000]))


def _deep(kind: Callable[[pa.DataType], pa.DataType], wrap: Callable[[Any], Any], depth: int) -> pa.Table:
    deep, value = pa.string(), "x"
    for _ in range(depth):
        deep, value = kind(deep), wrap(value)
    return pa.table({"Email": [ADDRESS], "x": pa.array([value], type=deep)})


parquet_probe("parquet-repeated-text", lambda: pa.table({"Email": ["a"] * 50_000, "x": _repeated(50_000)}))
parquet_probe(
    "parquet-endless-rows", lambda: pa.table({"Email": np.zeros(30_000_000, "int8")}), compression="zstd"
)
parquet_probe(
    "parquet-deep-structures", lambda: _deep(lambda t: pa.struct([("a", t)]), lambda v: {"a": v}, 60)
)
parquet_probe("parquet-deep-lists", lambda: _deep(pa.list_, lambda v: [v], 60))
parquet_probe("parquet-wide", lambda: pa.table({f"c{n}": ["a"] for n in range(17_000)}))


class _Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch /tmp/kartra-pwned",)


@probe("parquet-pickle")
def _parquet_pickle(folder: Path) -> Work:
    """A type of pyarrow's own that used to be unpickled, and metadata of pandas that names modules."""
    evil = pickle.dumps(_Evil())
    marked = {b"ARROW:extension:name": b"arrow.py_extension_type", b"ARROW:extension:metadata": evil}
    schema = pa.schema(
        [pa.field("Email", pa.string()), pa.field("x", pa.binary(), metadata=marked)],
        metadata={"pandas": evil},
    )
    parquet.write_table(pa.table({"Email": [ADDRESS], "x": [evil]}, schema=schema), folder / "a.parquet")

    def unmoved() -> object:
        found = read(folder / "a.parquet")()
        assert not Path("/tmp/kartra-pwned").exists()
        return found

    return unmoved


def broken_parquet_probe(name: str, breaks: Callable[[bytes], bytes]) -> None:
    def make(folder: Path) -> Work:
        whole = io.BytesIO()
        parquet.write_table(pa.table({"Email": [ADDRESS]}), whole)
        (folder / "a.parquet").write_bytes(breaks(whole.getvalue()))
        return read(folder / "a.parquet")

    probe(name)(make)


broken_parquet_probe("parquet-cut-off", lambda data: data[:-20])
broken_parquet_probe("parquet-footer-of-gigabytes", lambda data: data[:-8] + b"\xff\xff\xff\x7f" + b"PAR1")
broken_parquet_probe(
    "parquet-footer-of-noise", lambda data: data[:-60] + random.Random(0).randbytes(52) + data[-8:]
)
