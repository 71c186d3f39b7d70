"""Who opted out is found by the families of words that say so, in whatever column and language."""

import csv
from collections import Counter
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.contacts.beginnings import Beginnings
from pipelines.contacts.by_column import ColumnMapper
from pipelines.contacts.held_back import unclear_json, unclear_lines
from pipelines.contacts.mapping import Mapped, mapper
from pipelines.contacts.opt_out_rules import BEGINNINGS, Header, Kind, Verdict, header_of, may_begin, verdict
from pipelines.contacts.pleas import MAY_PLEAD
from pipelines.contacts.text_columns import text_columns
from pipelines.shipped import ROOT
from tests.contacts.strategies import load_config

with (ROOT / "tests" / "data" / "opt_outs.csv").open(encoding="utf-8", newline="") as handle:
    PAIRS = [(row["language"], row["column"], row["value"], row["verdict"]) for row in csv.DictReader(handle)]
"""(language, column, value, what it says: no, unclear, or nothing against it)."""


def mapped(columns: dict[str, str], **changes: Any) -> Mapped:
    record = {"Email": "ann@example.org", "City": "Lyon", **columns}
    result = mapper(load_config(**changes), tuple(record))(record, 2)
    assert isinstance(result, Mapped)
    return result


def test_the_table_is_as_large_as_it_is_said_to_be() -> None:
    languages = Counter(language for language, *_ in PAIRS)
    assert len(PAIRS) >= 700
    eight = {"en", "de", "fr", "es", "it", "pt", "nl", "pl"}
    assert languages.keys() >= eight | {"cs", "da", "hu", "ja", "ro", "ru", "sv", "tr", "zh"}
    assert min(languages[one] for one in eight) >= 35


def test_nobody_who_opted_out_is_missed_and_nobody_else_is_held_back() -> None:
    said = [(column, value, verdict(header_of(column), value), meant) for _, column, value, meant in PAIRS]
    missed = [(column, value) for column, value, found, meant in said if meant == "no" != found]
    held = [(column, value) for column, value, found, meant in said if meant != "no" == found]
    unsure = [(column, value) for column, value, found, meant in said if meant == "unclear" != found]
    assert (missed, unsure) == ([], [])
    assert held == [
        ("Company", "Optout Records Ltd"),
        ("Subscription plan", "Cancelled"),
        ("Job title", "Unsubscribe manager"),
        ("Notes", "no email before noon"),
        ("Product", "Opt-out form builder"),
        ("Notes", "Widerspruch gegen Rechnung 17"),
    ]


@pytest.mark.parametrize("by_arrow", [True, False])
def test_columns_find_what_records_find(*, by_arrow: bool) -> None:
    """Each pair in a source of its own column, and all of one column together."""
    by_name: dict[str, list[str]] = {}
    for _, column, value, _ in PAIRS:
        by_name.setdefault(column, []).append(value)
    dtype = pd.ArrowDtype(pa.string()) if by_arrow else object
    for column, values in by_name.items():
        load = load_config(fields={"email": "Email"})
        columns = ("Email", column)
        records = [{"Email": f"a{n}@example.org", column: value} for n, value in enumerate(values)]
        frame = pd.DataFrame(records, columns=list(columns), dtype=dtype)
        cells = text_columns(frame)
        assert cells is not None
        found = ColumnMapper(load, columns).map(cells, frame.index.to_numpy())
        alone = [mapper(load, columns)(record, 2) for record in records]
        assert all(isinstance(one, Mapped) for one in alone)
        assert found.blocked == [one.blocked for one in alone if isinstance(one, Mapped)]
        words = Counter(word for one in alone if isinstance(one, Mapped) for word in one.unclear)
        assert found.unclear == words


pieces = st.lists(
    st.sampled_from(sorted(BEGINNINGS))
    | st.text(st.sampled_from("aeéénoptÉ -_.'•（。配退停0９ю"), max_size=3),
    max_size=4,
).map("".join)


@given(cell=pieces | st.text(max_size=12))
def test_a_cell_that_is_put_aside_unread_says_nothing(cell: str) -> None:
    if verdict(Header(Kind.OTHER), cell) is Verdict.NO or verdict(Header(Kind.BUSINESS), cell) is Verdict.NO:
        assert may_begin(cell)
    if may_begin(cell):
        column = pa.array(["x", cell, ""], pa.string())
        assert Beginnings(BEGINNINGS).may_begin(column)[1]
    if verdict(Header(Kind.NOTES), cell) is Verdict.NO and not may_begin(cell):
        assert pc.match_substring_regex(pa.array([cell]), MAY_PLEAD)[0].as_py()


def test_any_column_can_say_it_and_the_reason_names_it() -> None:
    assert mapped({"X": "Hard bounce"}).blocked == 'opted out: "hard bounce" in the column "X"'
    assert mapped({"HasOptedOutOfEmail": "true"}).blocked == (
        'opted out: "true" in the column "HasOptedOutOfEmail"'
    )
    assert mapped({"Unsubscribed at": "2026-01-02 10:00"}).blocked == (
        'opted out: "a date" in the column "Unsubscribed at"'
    )
    said = "unsubscribed by bob@example.org because of the many mails he got"
    reason = mapped({"Reason": said}).blocked
    assert reason is not None
    assert "bob@example.org" not in reason
    assert len(reason) < 100


def test_words_beside_the_address_count() -> None:
    assert mapped({"Email": "DO NOT MAIL <ann@example.org>"}).blocked == (
        'opted out: "do not mail" beside the address'
    )
    assert mapped({"Email": "ann@example.org (unsubscribed)"}).blocked == (
        'opted out: "(unsubscribed)" beside the address'
    )
    assert mapped({"Email": "Ann Lee <ann@example.org>"}).blocked is None


def test_a_status_that_nobody_knows_is_unclear_until_it_is_declared() -> None:
    assert mapped({"Status": "Gold"}).unclear == (("Status", "gold"),)
    assert mapped({"Status": "Gold"}, opt_out={"column": "Status", "allowed": ["gold"]}).unclear == ()
    assert mapped({"Status": "Gold"}, opt_out={"column": "Status", "blocked": ["left"]}).unclear == ()
    assert mapped({"Status": "Gold"}, opt_out=[{"column": "Status", "allowed": "any"}]).unclear == ()
    both = {"column": "Status", "blocked": ["left"], "allowed": ["silver"]}
    assert mapped({"Status": "Gold"}, opt_out=both).unclear == (("Status", "gold"),)


@pytest.mark.parametrize(
    ("declared", "word", "is_blocked"),
    [
        ({"blocked": ["Left"]}, "left", True),
        ({"blocked": ["Left"]}, "LEFT ", True),
        ({"blocked": ["Left"]}, "gold", False),
        ({"blocked": ["Left"]}, "unsubscribed", True),
        ({"blocked": ["3", "2"]}, "3", True),
        ({"blocked": ["3", "2"]}, "1", False),
        ({"allowed": ["gold"]}, "gold", False),
        ({"allowed": ["gold"]}, "silver", True),
        ({"allowed": ["gold"]}, "", False),
        ({"allowed": ["inactive"], "blocked": ["left"]}, "Inactive", False),
        ({"allowed": "any"}, "unsubscribed", False),
    ],
)
def test_what_is_declared_counts(declared: dict[str, Any], word: str, *, is_blocked: bool) -> None:
    result = mapped({"Level": word}, opt_out={"column": "Level", **declared})
    assert (result.blocked is not None) is is_blocked


def test_the_words_of_a_status_are_told_with_their_counts_and_what_to_write() -> None:
    unclear = Counter({("Status", f"word {n}"): 10 - n for n in range(7)})
    (line,) = unclear_lines(unclear)
    assert line == (
        'the column "Status" seems to say who may be mailed, and its words are not known: "word 0" (10),'
        ' "word 1" (9), "word 2" (8), "word 3" (7), "word 4" (6) and 2 more. Say what they mean, as'
        ' load.opt_out: {column: "Status", blocked: […], allowed: […]}, or with allowed: any'
    )
    assert {"column": "Status", "word": "word 6", "rows": 4} in unclear_json(unclear)
