"""Cells that say nothing or hold no value any more: what is searched for first is in each of them."""

import pandas as pd
import pyarrow as pa
import pytest

from connectors.sources import Chunk
from pipelines.extract.cells import ALWAYS_BLANK, cleaned

DESTROYED = (
    *("4.9E+11", "1,5e+12", "#####", "#REF!", "#NAME?", "#GETTING_DATA", "#¿NOMBRE?", "Err:502", "#WERT!"),
    *("#DIV/0!", "#NULL!", "#DEEL/0!"),
)


def of_one_column(*cells: str, dtype: object = "str") -> Chunk:
    frame = pd.DataFrame({"Note": pd.Series(cells, dtype=dtype)})
    frame.index = pd.RangeIndex(1, len(cells) + 1, name="row")
    return Chunk(frame, list(range(2, len(cells) + 2)), ())


@pytest.mark.parametrize("dtype", ["str", pd.ArrowDtype(pa.string())])
@pytest.mark.parametrize("word", ALWAYS_BLANK)
def test_a_word_for_nothing_is_found_among_cells_of_text(word: str, dtype: object) -> None:
    (chunk,) = cleaned([of_one_column("Ann", word, f" {word} ", f"{word} Lee", dtype=dtype)])
    assert chunk.frame["Note"].to_list() == ["Ann", "", "", f"{word} Lee"]


@pytest.mark.parametrize("dtype", ["str", pd.ArrowDtype(pa.string())])
@pytest.mark.parametrize("cell", DESTROYED)
def test_a_value_that_was_destroyed_is_found_among_cells_of_text(cell: str, dtype: object) -> None:
    (chunk,) = cleaned([of_one_column("Ann", cell, f"so {cell}", dtype=dtype)])
    assert [(fault.row, fault.column) for fault in chunk.faults] == [(2, "Note")]
