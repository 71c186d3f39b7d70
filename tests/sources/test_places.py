"""Where files come from: archives, globs, standard input, URLs. Every source is read twice, as a run does."""

import gzip
import io
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from connectors.errors import ConfigError, SourceError
from connectors.sources import Source
from connectors.sources.kinds import KINDS

TEXT = "Email,City\nann@example.org,Lyon\nbob@example.org,Kraków\n"
MORE = "Email,City\n\ncarla@example.org,Leeds\nragged\n"


def records(source: Source) -> list[tuple[object, ...]]:
    first, again = (
        [record for chunk in source.chunks() for record in chunk.frame.itertuples(name=None)]
        for _ in range(2)
    )
    assert first == again
    return first


def bad_rows(source: Source) -> list[tuple[int, int]]:
    return [(bad.row, bad.line) for chunk in source.chunks() for bad in chunk.bad_rows]


ROWS = [(2, "ann@example.org", "Lyon"), (3, "bob@example.org", "Kraków")]


def test_a_gzipped_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(TEXT.encode()))
    assert records(KINDS["csv"].open(path=tmp_path / "a.csv.gz")) == ROWS


def test_an_archive_is_read_file_by_file_and_what_macos_adds_is_not(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("export/b.csv", MORE)
        archive.writestr("export/a.csv", TEXT)
        archive.writestr("__MACOSX/export/._a.csv", "\0\0")
        archive.writestr("export/.DS_Store", "\0\0")
    source = KINDS["csv"].open(path=tmp_path / "a.zip")
    assert records(source) == [*ROWS, (6, "carla@example.org", "Leeds")]
    assert bad_rows(source) == [(7, 4)]
    assert source.notes[0] == "2 files"


def test_a_glob_reads_its_files_by_name_and_numbers_their_rows_on(tmp_path: Path) -> None:
    for name, text in (("2.csv", TEXT), ("1.csv", MORE), ("other.txt", "x")):
        (tmp_path / name).write_text(text, encoding="utf-8")
    source = KINDS["csv"].open(path=tmp_path / "*.csv")
    assert records(source) == [
        (3, "carla@example.org", "Leeds"),
        (6, "ann@example.org", "Lyon"),
        (7, "bob@example.org", "Kraków"),
    ]
    assert bad_rows(source) == [(4, 4)]


def test_a_file_whose_name_has_brackets_is_that_file(tmp_path: Path) -> None:
    (tmp_path / "a[1].csv").write_text(TEXT, encoding="utf-8")
    (tmp_path / "a1.csv").write_text(MORE, encoding="utf-8")
    assert records(KINDS["csv"].open(path=tmp_path / "a[1].csv")) == ROWS


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ("Email\nx\n", r"2\.csv has 1 columns, 1\.csv has 2: files of one header are needed"),
        ("Email,Town\nx,y\n", r"column 2 of 2\.csv is not that of 1\.csv"),
    ],
)
def test_files_of_different_columns_are_refused_without_quoting_them(
    other: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / "1.csv").write_text(TEXT, encoding="utf-8")
    (tmp_path / "2.csv").write_text(other, encoding="utf-8")
    with pytest.raises(SourceError, match=message) as caught:
        KINDS["csv"].open(path=tmp_path / "*.csv")
    assert "Town" not in str(caught.value)


def test_a_glob_without_a_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no file is named \*\.csv"):
        KINDS["csv"].open(path=tmp_path / "*.csv")


@pytest.mark.parametrize("name", ["a.csv.gz", "a.zip"])
def test_a_damaged_archive_is_told(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(gzip.compress(TEXT.encode() * 1000)[:60])
    with pytest.raises(SourceError, match="cannot be unpacked: it is damaged, or needs a password"):
        KINDS["csv"].open(path=tmp_path / name)


def test_an_empty_archive_is_told(tmp_path: Path) -> None:
    zipfile.ZipFile(tmp_path / "a.zip", "w").close()
    with pytest.raises(SourceError, match="an archive without a file in it"):
        KINDS["csv"].open(path=tmp_path / "a.zip")


def test_an_archive_that_changes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(TEXT.encode()))
    source = KINDS["csv"].open(path=tmp_path / "a.csv.gz")
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(MORE.encode()))
    with pytest.raises(SourceError, match=r"a\.csv\.gz changed while it was read"):
        list(source.chunks())


def test_nothing_that_was_unpacked_stays(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(TEXT.encode()))
    code = (
        "import sys; from pathlib import Path; from connectors.sources.kinds import KINDS\n"
        "source = KINDS['csv'].open(path=Path(sys.argv[1]))\n"
        "print(sum(len(c.frame) for c in source.chunks()))"
    )
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "a.csv.gz")],
        env={"TMPDIR": str(scratch)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "2\n"
    assert list(scratch.iterdir()) == []


def test_standard_input_is_read_once_and_given_twice() -> None:
    code = (
        "from connectors.sources.kinds import KINDS\n"
        "for _ in range(2):\n"
        "    source = KINDS['csv'].open(path='-')\n"
        "    print([c.frame.iloc[0, 0] for _ in range(2) for c in source.chunks()])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=TEXT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "['ann@example.org', 'ann@example.org']\n" * 2


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    """A folder behind http."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_a_url_is_fetched(served: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(TEXT, encoding="utf-8")
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(TEXT.encode()))
    assert records(KINDS["csv"].open(path=f"{served}/a.csv?version=2")) == ROWS
    assert records(KINDS["csv"].open(path=f"{served}/a.csv.gz")) == ROWS
    with pytest.raises(ConfigError, match="of a kind that is not known"):
        KINDS["csv"].open(path=f"file://{tmp_path}/a.csv")


def test_a_url_that_cannot_be_fetched_is_told_without_its_secrets(served: str) -> None:
    with pytest.raises(
        SourceError,
        match=r"^missing\.csv cannot be fetched from 127\.0\.0\.1:\d+: it is not there \(HTTP 404\)$",
    ) as caught:
        KINDS["csv"].open(path=f"{served}/missing.csv?token=s3cret")
    assert "s3cret" not in str(caught.value)
    with pytest.raises(ConfigError, match="its URL is of a kind that is not known"):
        KINDS["csv"].open(path="nothere://host/a.csv")
    with pytest.raises(ConfigError, match=r"a\.csv: .*s3fs"):
        KINDS["csv"].open(path="s3://bucket/a.csv")


def test_text_of_an_archive_may_be_in_any_encoding(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb") as handle:
        handle.write("Email;City\nann@example.org;Besançon, près d'Orléans\n".encode("cp1252"))
    (tmp_path / "a.csv.gz").write_bytes(buffer.getvalue())
    assert records(KINDS["csv"].open(path=tmp_path / "a.csv.gz")) == [
        (2, "ann@example.org", "Besançon, près d'Orléans")
    ]


def test_members_of_an_archive_are_chosen_by_their_names(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("export/subscribed_1.csv", TEXT)
        archive.writestr("export/unsubscribed_1.csv", "Email,Left\nx@example.org,yes\n")
    assert records(KINDS["csv"].open(path=tmp_path / "a.zip", member="subscribed*")) == ROWS
    with pytest.raises(SourceError, match=r"a\.zip is an archive without cleaned\*"):
        KINDS["csv"].open(path=tmp_path / "a.zip", member="cleaned*")
