"""What cannot be undercut: a file read by the fastest reader alone, hashes read, rows inserted in order."""

import sqlite3
from contextlib import closing
from hashlib import blake2b
from itertools import islice
from pathlib import Path

import pyarrow as pa
from pyarrow import csv as arrow_csv


def read_csv(path: Path) -> int:
    """Every cell as text, by pyarrow, a block at a time; gives the rows."""
    with path.open("rb") as handle:
        width = handle.readline().count(b",") + 1
    names = [str(number) for number in range(width)]
    reader = arrow_csv.open_csv(
        path,
        read_options=arrow_csv.ReadOptions(column_names=names, skip_rows=1),
        convert_options=arrow_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
    )
    return sum(batch.num_rows for batch in reader)


def make_hashes(database: Path, rows: int) -> None:
    """As many pairs as long as hashes, in the order of the first: the fastest way to insert them."""
    pairs = (
        (number.to_bytes(8, "big"), blake2b(b"%d" % number, digest_size=16).digest())
        for number in range(rows)
    )
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(
            "CREATE TABLE hashes (key BLOB PRIMARY KEY, row BLOB NOT NULL) STRICT, WITHOUT ROWID"
        )
        with connection:
            connection.executemany("INSERT INTO hashes VALUES (?, ?)", pairs)


def read_hashes(database: Path) -> int:
    with closing(sqlite3.connect(database)) as connection:
        found = connection.execute("SELECT key, row FROM hashes")
        return sum(len(part) for part in iter(lambda: found.fetchmany(20_000), []))


def insert_payloads(path: Path, database: Path) -> int:
    """Every line of the file under its number: what a first load has to write at least."""
    with closing(sqlite3.connect(database)) as connection, path.open(encoding="utf-8") as lines:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("CREATE TABLE payloads (row INTEGER PRIMARY KEY, line TEXT NOT NULL) STRICT")
        numbered = enumerate(lines)
        while part := list(islice(numbered, 20_000)):
            with connection:
                connection.executemany("INSERT INTO payloads VALUES (?, ?)", part)
        return int(connection.execute("SELECT count(*) FROM payloads").fetchone()[0])
