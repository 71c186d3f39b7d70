"""Forms are read as PHP reads them."""

from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.kartra.sandbox.php_form import MAX_INPUT_VARS, Form, parse_form
from tests.sandbox.conftest import flat

KEYS = st.text(st.characters(exclude_characters="[]. ", codec="utf-8"), min_size=1, max_size=8)
VALUES = st.text(st.characters(codec="utf-8"), max_size=12)
FORMS = st.dictionaries(
    KEYS,
    st.recursive(VALUES, lambda below: st.dictionaries(KEYS, below, min_size=1, max_size=4), max_leaves=12),
    max_size=5,
)


@given(FORMS)
def test_a_nested_form_comes_back_as_it_was_sent(form: Form) -> None:
    assert parse_form(urlencode(flat(form))) == form


@pytest.mark.parametrize(
    ("body", "form"),
    [
        ("", {}),
        ("a=1&a=2", {"a": "2"}),
        ("k[]=a&k[]=b", {"k": {"0": "a", "1": "b"}}),
        ("k[2]=x", {"k": {"2": "x"}}),
        ("k[2]=x&k[]=y&k[a]=z&k[]=w", {"k": {"2": "x", "3": "y", "a": "z", "4": "w"}}),
        ("k[1]=b&k[0]=a", {"k": {"1": "b", "0": "a"}}),
        ("k[][a]=1&k[][a]=2", {"k": {"0": {"a": "1"}, "1": {"a": "2"}}}),
        ("a.b=1&c d=2&e+f=3", {"a_b": "1", "c_d": "2", "e_f": "3"}),
        ("a[b.c]=1&a[d e]=2", {"a": {"b.c": "1", "d e": "2"}}),
        ("lead=foo&lead[email]=a", {"lead": {"email": "a"}}),
        ("lead[email]=a&lead=foo", {"lead": "foo"}),
        ("a[b=1", {"a_b": "1"}),
        ("a[b]c=1", {"a": {"b": "1"}}),
        ("[a]=1&=2&a", {"a": ""}),
        ("a%5Bb%5D=jo%2B1%40x.org&c=two+words", {"a": {"b": "jo+1@x.org"}, "c": "two words"}),
        ("a=%C3%BC%2B+%26", {"a": "ü+ &"}),
    ],
)
def test_brackets_dots_repeats_and_order(body: str, form: Form) -> None:
    parsed = parse_form(body)
    assert parsed == form
    for key, value in form.items():
        if isinstance(value, dict):
            assert list(parsed[key]) == list(value)


def test_what_is_beyond_max_input_vars_is_dropped_without_a_word() -> None:
    body = "&".join(f"k{number}=x" for number in range(MAX_INPUT_VARS + 5))
    assert list(parse_form(body))[-1] == f"k{MAX_INPUT_VARS - 1}"
