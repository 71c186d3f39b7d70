"""Cells in one form: what is compared and sent."""

import unicodedata

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.contacts.normalise import normal_cell
from pipelines.contacts.text_columns import normal_texts


@given(cell=st.text())
def test_a_normal_cell_is_trimmed_composed_and_its_own_normal_form(cell: str) -> None:
    normal = normal_cell(cell)
    assert normal == normal.strip()
    assert normal == unicodedata.normalize("NFC", normal)
    assert normal_cell(normal) == normal


def test_what_stands_inside_a_cell_is_kept() -> None:
    assert normal_cell("  two\n  lines,\t00123 ") == "two\n  lines,\t00123"
    assert normal_cell("Krako\u0301w") == "Kraków"


@pytest.mark.parametrize(
    ("cell", "normal"),
    [
        ("'+491701234567", "+491701234567"),
        ("'=Ann", "=Ann"),
        ("'-5", "-5"),
        ("'@ann", "@ann"),
        ("'7001", "7001"),
        (" '89073 ", "89073"),
        ("''7001", "7001"),
        ('="00123"', "00123"),
        ('="\'+49 170"', "+49 170"),
        ("'t Hart", "'t Hart"),
        ("'n Roll", "'n Roll"),
        ("O'Neil", "O'Neil"),
        ("rock 'n' roll", "rock 'n' roll"),
        ("'", "'"),
        ('="a"&"b"', '="a"&"b"'),
        ("=SUM(A1)", "=SUM(A1)"),
        ("\u200b", ""),
        ("\u200b \ufeff\u00a0", ""),
        ("\ufeffAnn\u200b", "Ann"),
        ("\u202aAnn\u202c", "Ann"),
        ("An\u200bna", "Anna"),
        ("Do\u00adnau", "Donau"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("👩\u200d💻", "👩\u200d💻"),
    ],
)
def test_marks_and_what_nobody_sees_are_no_part_of_a_cell(cell: str, normal: str) -> None:
    assert normal_cell(cell) == normal
    assert normal_texts(pa.array([cell, "x"], pa.string())).to_pylist() == [normal, "x"]


@given(column=st.lists(st.text(st.sampled_from("'=\"+-@0a \u200b\u00ad\u200e\u0301\n"), max_size=6)))
@example(column=['\'=""', '="\u200e"'])
def test_a_normal_cell_is_the_same_in_a_column(column: list[str]) -> None:
    normal = [normal_cell(cell) for cell in column]
    assert normal_texts(pa.array(column, pa.string())).to_pylist() == normal
    assert [normal_cell(cell) for cell in normal] == normal
