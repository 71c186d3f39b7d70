"""A few inputs for each parser; `python -m tests.fuzz` has no end of them."""

import pytest

from tests.full import IS_FULL
from tests.fuzz.parsers import PARSERS
from tests.fuzz.play import played


@pytest.mark.parametrize("name", PARSERS)
def test_whatever_is_read_ends_in_records_or_in_an_error_of_ours(name: str) -> None:
    count = 8 if name == "yaml" and not IS_FULL else 40  # a pipeline file takes the longest by far
    tried, refused = played(PARSERS[name], count, seed=7)
    assert tried >= count * 3 // 4
    assert 0 <= refused <= tried
