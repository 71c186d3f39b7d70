"""The columns of what is staged, the record and the table say the same in the same order."""

import re

from pipelines.contacts.staged import Staged
from pipelines.shipped import ROOT

RECORD = Staged(2, 3, "ann@example.org", 2.0, b"digest", "{}", "opted out", "{}", b"raw", b"shape")


def test_a_record_made_of_columns_is_the_record() -> None:
    columns = {name: [value, value] for name, value in RECORD._asdict().items()}
    assert list(Staged.rows(**columns)) == [RECORD, RECORD]


def test_the_staging_table_takes_the_values_in_the_order_of_a_record() -> None:
    statements = [path.read_text(encoding="utf-8") for path in (ROOT / "sql" / "state").rglob("*.sql")]
    named = [
        found[1]
        for text in statements
        for found in re.finditer(r"INSERT INTO temp\.staged \(([^)]*)\)", text)
    ]
    assert named == [", ".join(Staged._fields)]
