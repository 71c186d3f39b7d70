"""Many things, some at a time."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """As `itertools.batched`, which Python has from 3.12 on."""
    waiting = iter(items)
    while batch := list(islice(waiting, size)):
        yield batch
