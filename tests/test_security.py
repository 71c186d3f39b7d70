"""What SECURITY.md and the tables of probes say is held by tests that there are."""

import csv
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TABLES = sorted((ROOT / "tests" / "data" / "attacks").glob("*.csv"))
COLUMNS = ["id", "kind", "probe", "expected", "observed", "test"]
TEST = re.compile(r"^\s*def (test_\w+)\(", re.MULTILINE)


@cache
def in_file(file: Path) -> frozenset[str]:
    return frozenset(TEST.findall(file.read_text(encoding="utf-8"))) if file.is_file() else frozenset()


def test_each_line_of_the_threat_model_names_a_test_that_there_is() -> None:
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("|")][2:]
    everywhere = frozenset().union(*(in_file(file) for file in (ROOT / "tests").rglob("test_*.py")))
    named = {row: re.findall(r"`(test_\w+)`", row) for row in rows}
    assert len(rows) > 12
    assert [row for row, tests in named.items() if not tests] == []
    assert [test for tests in named.values() for test in tests if test not in everywhere] == []
    assert len(text.splitlines()) < 80  # a page, that is read


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.stem)
def test_each_probe_is_held_by_a_test_that_there_is(table: Path) -> None:
    with table.open(encoding="utf-8", newline="") as handle:
        header, *rows = csv.reader(handle)
    assert header == COLUMNS
    told = ("id", "kind", "probe", "test")  # what is expected may be that nothing is left
    assert [row for row in rows if len(row) != len(COLUMNS)] == []
    assert [row for row in rows for name in told if not row[COLUMNS.index(name)]] == []
    assert len({row[0] for row in rows}) == len(rows)
    for row in rows:
        file, _, test = row[5].partition("::")
        assert test.partition("[")[0] in in_file(ROOT / file), row[0]
        assert "observe(" in source_of(ROOT / file, test.partition("[")[0]), row[0]


def source_of(file: Path, test: str) -> str:
    """The text of the test, which has to tell what it observed."""
    body = file.read_text(encoding="utf-8").partition(f"def {test}(")[2]
    return re.split(r"^(?=\S)(?!\))", body.partition("\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def test_the_tables_have_three_hundred_probes_with_what_was_observed() -> None:
    rows = [row for table in TABLES for row in csv.DictReader(table.read_text("utf-8").splitlines())]
    assert len(rows) >= 300
    assert len({row["id"] for row in rows}) == len(rows)
    # What takes long is observed by `python -m tests.attacks`, at full size.
    assert len([row for row in rows if row["observed"]]) >= 300
