"""The named queries of the warehouse: their names are unknown to the type checker."""

import re

import pytest

from pipelines.shipped import ROOT
from pipelines.tables.session import queries

SUBJECTS = sorted(file.stem for file in (ROOT / "sql" / "warehouse").glob("*.sql"))
CODE = "\n".join(
    file.read_text(encoding="utf-8") for file in sorted((ROOT / "pipelines" / "tables").rglob("*.py"))
)
ASKED = set(re.findall(r'"([a-z]+/[a-z_]+)"', CODE)) | {
    f"reconcile/{name}" for name in re.findall(r'_queries\["([a-z_]+)"\]', CODE)
}


def test_every_named_query_is_asked_for_and_every_one_asked_for_is_there() -> None:
    there = {f"{subject}/{name}" for subject in SUBJECTS for name in queries(subject)}
    assert {name for name in ASKED if name.partition("/")[0] in SUBJECTS} == there


@pytest.mark.parametrize("subject", SUBJECTS)
def test_no_name_stands_twice_and_a_comment_binds_nothing(subject: str) -> None:
    text = (ROOT / "sql" / "warehouse" / f"{subject}.sql").read_text(encoding="utf-8")
    assert text.count("-- name: ") == len(queries(subject))
    assert not re.search(r"^--", "\n".join(queries(subject).values()), re.MULTILINE)
