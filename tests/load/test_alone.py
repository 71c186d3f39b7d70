"""The first creations leave alone, and every entry is given once, whatever is planned anew meanwhile."""

from collections.abc import Iterator
from itertools import islice

from pipelines.load.alone import PATIENCE_S, Alone
from pipelines.load.task import Task, begin
from tests.load.answers import RULES, entry


def task(number: int) -> Task:
    return begin(entry(entry_id=number), RULES)


def given(tasks: Iterator[Task], count: int) -> list[int]:
    return [one.entry.entry_id for one in islice(tasks, count)]


def test_one_that_left_with_the_rest_is_no_first_one_afterwards() -> None:
    """Its lead was there before: its intent is taken back while it is read, and it stands there as new."""
    seconds = 0.0
    firsts = iter([task(1), task(2), task(3), task(9)])
    rest = iter([task(number) for number in range(1, 11)])
    alone = Alone(firsts, rest, lambda: True, lambda: seconds)
    assert given(alone, 5) == [1]
    seconds = PATIENCE_S + 1.0
    assert given(alone, 3) == [2, 3, 4]
    alone.is_through(task(1))
    assert given(alone, 5) == [9]
    seconds += PATIENCE_S + 1.0
    assert given(alone, 20) == [5, 6, 7, 8, 10]
