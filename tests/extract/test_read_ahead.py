"""Items made one ahead are the same items, whatever happens on the way."""

import threading
from collections.abc import Generator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.extract.read_ahead import one_ahead


@given(items=st.lists(st.none() | st.integers() | st.just(())))
def test_the_items_are_the_same_and_in_order(items: list[object]) -> None:
    with one_ahead(item for item in items) as ahead:
        assert list(ahead) == items


def test_the_next_item_is_made_while_one_is_used() -> None:
    second_is_made = threading.Event()

    def two() -> Generator[int]:
        yield 1
        second_is_made.set()
        yield 2

    with one_ahead(two()) as ahead:
        assert next(ahead) == 1
        assert second_is_made.wait(timeout=30)
        assert list(ahead) == [2]


def test_everything_is_made_and_ended_in_one_other_thread() -> None:
    threads: list[int] = []

    def endless() -> Generator[int]:
        try:
            while True:
                threads.append(threading.get_ident())
                yield 1
        finally:
            threads.append(threading.get_ident())

    with one_ahead(endless()) as ahead:
        next(ahead)
        next(ahead)
    assert len(threads) >= 3
    assert len(set(threads)) == 1
    assert threading.get_ident() not in threads


def test_what_goes_wrong_is_told_where_the_item_is_missed() -> None:
    def broken() -> Generator[int]:
        yield 1
        raise ValueError("the second")

    with one_ahead(broken()) as ahead:
        assert next(ahead) == 1
        with pytest.raises(ValueError, match="the second"):
            next(ahead)


def test_whoever_stops_early_ends_what_makes_the_items() -> None:
    ended = []

    def endless() -> Generator[int]:
        try:
            while True:
                yield 1
        finally:
            ended.append(True)

    with one_ahead(endless()) as ahead:
        next(ahead)
    assert ended == [True]
