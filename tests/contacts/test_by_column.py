"""Mapped by columns a record becomes just what it becomes by itself."""

import json
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.config.load import LoadConfig
from pipelines.contacts.by_column import ColumnMapper, MappedColumns
from pipelines.contacts.lead import digest, shape
from pipelines.contacts.mapping import Mapped, mapper
from pipelines.contacts.normalise import normal_cell
from pipelines.contacts.text_columns import (
    are_filled,
    normal_in_json,
    normal_texts,
    records_in_json,
    text_columns,
)
from tests.contacts.strategies import load_config

COLUMNS = ("Email", "First", "City", "Note", "Tags", "Lists", "Status", "Changed", "Id", "Opt-in", "Step")

cells = st.sampled_from(
    [
        "",
        " ",
        "Lyon",
        " Lyon",
        "Lyon ",
        "Kraków",
        "Krako\u0301w",
        'a "b"',
        "back\\slash",
        "a\nb",
        "\x1fa\x7f",
        "…",
    ]
) | st.text(max_size=6)
addresses = st.sampled_from(
    [
        *(
            "ann@example.org",
            " Ann@Example.ORG ",
            "bob+x@example.org",
            "zoë@example.org",
            "o'neil@example.org",
        ),
        *("ann@exämple.org", "ann@example", "a@b@c.org", "", "ann@example.org\n", f"{'a' * 250}@example.org"),
    ]
) | st.text(max_size=6)
names = st.sampled_from(
    ["", "VIP", "VIP;Blog", "Blog; VIP ;", ";", "Été", '["VIP", "A; B"]', "[]"]
) | st.text(max_size=4)
records = st.fixed_dictionaries(
    {
        "Email": addresses,
        "First": cells,
        "City": cells,
        "Note": cells,
        "Tags": names,
        "Lists": names,
        "Status": st.sampled_from(["", "subscribed", "Unsubscribed ", "bounced"]),
        "Changed": st.sampled_from(["", "2026-03-01", "12", "never"]),
        "Id": cells,
        "Opt-in": st.sampled_from(["yes", " YES", "no", ""]),
        "Step": st.sampled_from(["1", "2", "", "one step"]),
    }
)
PLAIN: dict[str, Any] = {
    "fields": {"email": "Email", "first_name": "First", "city": "City"},
    "custom_fields": {"note": "Note", "names": {"column": "Tags", "split": ";"}},
    "tags": ["Imported", {"column": "Tags", "split": ";"}],
    "lists": [{"column": "Lists", "split": ";"}],
}
CHANGES: list[dict[str, Any]] = [
    {},
    {"blank": "clear"},
    {"key": {"column": "Id"}},
    {"consent": {"column": "Opt-in", "accepted": ["yes"]}},
    {"duplicates": "first"},
    {"duplicates": "newest:Changed"},
    {"fields": {"email": {"column": "Email", "do": ["lower"]}, "city": {"column": "City", "do": ["upper"]}}},
    {
        "fields": {
            "email": "Email",
            "first_name": {"template": "{First} of {City}"},
            "city": {"constant": "Rome"},
        }
    },
    {"custom_fields": {"changed": {"column": "Changed", "do": [{"date": "any"}]}}},
    {"custom_fields": {"note": {"column": "Note", "do": [{"map": {"Lyon": "LYS"}, "else": "reject"}]}}},
    {"sequences": [{"name": {"column": "First"}, "step": {"column": "Step"}}]},
    {"untag": [{"column": "Lists", "split": ";"}], "points": {"column": "Step"}},
    {"calendars": [{"name": "Webinar", "class": 'The "first"', "starting_at": "2027-01-16 18:00"}]},
    {"tags": [], "lists": [], "custom_fields": {}},
]


def frame_of(chosen: list[dict[str, str]], *, by_arrow: bool) -> pd.DataFrame:
    """The records as a source gives them: on rows with gaps between."""
    index = pd.Index([2 + 3 * place for place in range(len(chosen))], name="row", dtype="int64")
    dtype = pd.ArrowDtype(pa.string()) if by_arrow else object
    return pd.DataFrame(chosen, columns=list(COLUMNS), dtype=dtype).set_index(index)


def by_columns(load: LoadConfig, frame: pd.DataFrame) -> MappedColumns:
    columns = text_columns(frame)
    assert columns is not None
    return ColumnMapper(load, COLUMNS).map(columns, frame.index.to_numpy())


@pytest.mark.parametrize("changes", CHANGES, ids=lambda changes: ", ".join(changes) or "plain")
@given(chosen=st.lists(records, max_size=12), by_arrow=st.booleans())
def test_columns_say_the_same_as_records(
    changes: dict[str, Any], chosen: list[dict[str, str]], *, by_arrow: bool
) -> None:
    load = load_config(**{**PLAIN, **changes})
    map_record = mapper(load, COLUMNS)
    frame = frame_of(chosen, by_arrow=by_arrow)
    found = by_columns(load, frame)
    expected = []
    for place in found.places.tolist():
        alone = map_record(chosen[place], int(frame.index[place]))
        assert isinstance(alone, Mapped)
        wish = alone.lead.to_json()
        expected.append((alone.key, alone.rank, digest(wish), wish, shape(alone.lead), alone.blocked))
    columns = (found.keys, found.ranks, found.digests, found.wishes, found.shapes, found.blocked)
    assert list(zip(*columns, strict=True)) == expected


@given(chosen=st.lists(records, max_size=12))
def test_whoever_has_a_plain_address_and_is_usable_is_mapped_by_columns(chosen: list[dict[str, str]]) -> None:
    load = load_config(**PLAIN)
    map_record = mapper(load, COLUMNS)
    plain = [
        place
        for place, record in enumerate(chosen)
        if record["Email"].strip().lower() in ("ann@example.org", "bob+x@example.org")
        and isinstance(map_record(record, 2), Mapped)
    ]
    found = by_columns(load, frame_of(chosen, by_arrow=True))
    assert set(plain) <= set(found.places.tolist())


def test_there_are_no_columns_of_half_a_character() -> None:
    record = dict.fromkeys(COLUMNS, "x") | {"City": "\ud800"}
    assert text_columns(frame_of([record], by_arrow=False)) is None


@given(column=st.lists(cells, max_size=12), start=st.integers(0, 3))
def test_a_column_has_the_normal_form_of_each_cell(column: list[str], start: int) -> None:
    whole = pa.array([*("é " * start).split(), *column], pa.string()).slice(start)
    texts = [normal_cell(cell) for cell in column]
    assert normal_texts(whole).to_pylist() == texts
    assert [f'"{text}"' for text in normal_in_json(whole).to_pylist()] == [
        json.dumps(text, ensure_ascii=False) for text in texts
    ]
    assert are_filled(normal_texts(whole)).tolist() == [bool(text) for text in texts]


@given(chosen=st.lists(records, min_size=1, max_size=12))
def test_records_in_json_read_back_as_they_are(chosen: list[dict[str, str]]) -> None:
    columns = text_columns(frame_of(chosen, by_arrow=False))
    assert columns is not None
    assert [json.loads(text) for text in records_in_json(columns)] == chosen
