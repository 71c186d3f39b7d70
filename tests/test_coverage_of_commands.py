"""Every command of Kartra's API is reachable from Python, by hand and in the sandbox, and is tested."""

import re
from pathlib import Path

from connectors.kartra.commands import REPEAT
from tests.coverage_of_commands import COLUMNS, REASONS, markdown, table


def test_no_cell_of_the_table_is_empty_without_a_reason() -> None:
    rows = table()
    assert list(rows) == ["get_lead", *REPEAT]
    assert {(cmd, column) for cmd, cells in rows.items() for column in COLUMNS if not cells[column]} == set()


def test_every_reason_is_for_a_cell_that_is_empty() -> None:
    rows = table()
    for column, reasons in REASONS.items():
        assert {cmd: rows[cmd][column] for cmd in reasons} == {
            cmd: f"– ({reason})" for cmd, reason in reasons.items()
        }


def test_what_is_used_is_read_from_the_code() -> None:
    used = {cmd: cells["load, pull, operations"] for cmd, cells in table().items()}
    assert "contacts.wishes" in used["assign_tag"].split(", ")
    assert re.search(r"\bpull\.\w+", used["get_transaction_details"])
    assert "calls.inventories" in used["retrieve_custom_fields"].split(", ")
    assert used["search_lead"].startswith("– (")


def test_the_table_has_a_line_for_each_command_and_the_contributors_are_told_how_to_print_it() -> None:
    assert len(list(markdown())) == 2 + 1 + len(REPEAT)
    text = (Path(__file__).parents[1] / "CONTRIBUTING.md").read_text("utf-8")
    assert "python -m tests.coverage_of_commands" in text
