"""Forms are read as PHP reads them; where PHP is installed, it says so itself."""

import json
from collections.abc import Iterator
from itertools import count
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.kartra.sandbox.php_form import MAX_INPUT_VARS, MAX_NESTING, Form, parse_form
from tests.kartra.wire_calls import GOLDEN_BODIES
from tests.php import Php, php_process
from tests.sandbox.conftest import flat

KEYS = st.text(st.characters(exclude_characters="[]. \0\t\n\v\f\r", codec="utf-8"), min_size=1, max_size=8)
VALUES = st.text(st.characters(codec="utf-8"), max_size=12)
FORMS = st.dictionaries(
    KEYS,
    st.recursive(VALUES, lambda below: st.dictionaries(KEYS, below, min_size=1, max_size=4), max_leaves=12),
    max_size=5,
)


@given(FORMS)
def test_a_nested_form_comes_back_as_it_was_sent(form: Form) -> None:
    assert parse_form(urlencode(flat(form))) == form


BODIES: list[tuple[str, Form]] = [
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
    ("a[b.c d=1", {"a_b_c_d": "1"}),
    ("a[b[c=1", {"a_b_c": "1"}),
    ("a[b][c=1", {"a": {"b": "1"}}),
    ("a[b[c]=1", {"a": {"b[c": "1"}}),
    ("a[]]=1&b[+]=2&c[%09]=3", {"a": {"0": "1"}, "b": {"0": "2"}, "c": {"0": "3"}}),
    ("a%00b=1&%00=2&c[d%00e]=3", {"a": "1", "c_d": "3"}),
    ("k[-5]=a&k[]=b&k[01]=c&k[-0]=d&k[]=e", {"k": {"-5": "a", "-4": "b", "01": "c", "-0": "d", "-3": "e"}}),
    (f"k[{2**63 - 1}]=a&k[]=b&k[][c]=d", {"k": {f"{2**63 - 1}": "a"}}),
    (f"k[{2**63}]=a&k[]=b", {"k": {f"{2**63}": "a", "0": "b"}}),
]


@pytest.fixture(scope="module")
def php() -> Iterator[Php]:
    with php_process() as process:
        yield process


@pytest.mark.parametrize(("body", "form"), BODIES)
def test_brackets_dots_repeats_and_order(body: str, form: Form) -> None:
    parsed = parse_form(body)
    assert parsed == form
    for key, value in form.items():
        if isinstance(value, dict):
            assert list(parsed[key]) == list(value)


def test_what_is_beyond_max_input_vars_is_dropped_without_a_word() -> None:
    body = "&".join(f"k{number}=x" for number in range(MAX_INPUT_VARS + 5))
    assert list(parse_form(body))[-1] == f"k{MAX_INPUT_VARS - 1}"


_TOKENS = [*"ab01-[]].+= &", "%5B", "%5D", "%20", "%00", "%09", "%z", "[]", "[0]", "[a]", "ü", "x"]
ODD_BODIES = st.lists(
    st.lists(st.sampled_from(_TOKENS), max_size=9).map("".join).map(lambda key: f"{key}={len(key)}"),
    min_size=1,
    max_size=5,
).map("&".join)
LIMITS = [
    *(f"a{'[b]' * depth}=1&c=2" for depth in (MAX_NESTING, MAX_NESTING + 1)),
    *("&".join(f"k[]={number}" for number in range(MAX_INPUT_VARS + more)) for more in (0, 1)),
]
BODIES_OF_FORMS = FORMS.map(lambda form: urlencode(flat(form)))


def same(ours: Form, phps: dict[str, object]) -> bool:
    """Down to the order of keys."""
    return json.dumps(ours) == json.dumps(phps)


@settings(max_examples=400, deadline=None)
@given(body=ODD_BODIES | BODIES_OF_FORMS)
def test_php_reads_any_body_as_we_do(php: Php, body: str) -> None:
    assert same(parse_form(body), php.maps(body))


@pytest.mark.parametrize(
    "body", [*(body for body, _ in BODIES), *LIMITS, *GOLDEN_BODIES.values()], ids=count()
)
def test_php_reads_the_bodies_above_and_those_of_every_command_as_we_do(php: Php, body: str) -> None:
    assert same(parse_form(body), php.maps(body))
