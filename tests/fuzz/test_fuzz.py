"""A few inputs for each parser; `python -m tests.fuzz` has no end of them."""

import pytest

from tests.fuzz.parsers import PARSERS
from tests.fuzz.play import played


@pytest.mark.parametrize("name", PARSERS)
def test_whatever_is_read_ends_in_records_or_in_an_error_of_ours(name: str) -> None:
    tried, refused = played(PARSERS[name], 40, seed=7)
    assert tried >= 30
    assert 0 <= refused <= tried
