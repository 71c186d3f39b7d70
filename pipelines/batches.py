"""Splits an iterable into lists of limited size."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Like `itertools.batched` of Python 3.12."""
    waiting = iter(items)
    while batch := list(islice(waiting, size)):
        yield batch
