"""Each probe of `tests/data/attacks/input.csv` ends as expected, in bounded memory and time."""

from pathlib import Path

import pytest

from tests.attacks.bounded import said_by
from tests.attacks.files import PROBES
from tests.attacks.table import TABLE, Probe, observe, probes, probes_of

FILES = probes_of("test_a_file_that_attacks")
LONG = [
    *(
        "yaml-many-keys",
        "yaml-merge-laughs",
        "zip-bomb-of-many",
        "zip-many-members",
        "zip-in-zip",
        "bz2-bomb",
        "zip-blank-lines",
    ),
    *(
        "xlsx-endless-markup",
        "xlsx-part-bomb",
        "csv-large-cell",
        "csv-large-quoted-cell",
        "csv-wide-and-long",
    ),
    *("csv-record-without-end", "csv-wide-utf-16", "jsonl-many-keys", "jsonl-wide-and-long", "parquet-wide"),
    *("parquet-endless-rows", "parquet-repeated-text"),
]
"""Of these, members of their kinds that are as hostile and smaller are in every suite."""


def test_every_probe_of_the_table_is_played() -> None:
    every = probes()
    assert len({one.id for one in every}) == len(every) >= 70
    assert sorted(FILES) == sorted(PROBES)
    root = TABLE.parents[3]
    for one in every:
        file, _, test = one.test.partition("::")
        assert f"def {test}(" in (root / file).read_text("utf-8"), one.id


@pytest.mark.full(only=LONG)
@pytest.mark.parametrize("one", FILES.values(), ids=list(FILES))
def test_a_file_that_attacks(one: Probe, tmp_path: Path) -> None:
    said = said_by(PROBES[one.id](tmp_path))
    if one.expected.startswith("ok:"):
        assert said == one.expected
    else:
        assert said.startswith(("ConfigError: ", "SourceError: "))
        assert one.expected in said
    assert "BUG" not in said
    assert len(said.splitlines()) <= 102
    observe(one.id, said, FOLDER=tmp_path)
