"""Makes items one ahead in another thread, for work that mostly happens outside of Python."""

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TypeVar

_T = TypeVar("_T")


class Ahead(Protocol):
    """How items are made that are used one after the other: `one_ahead`, or another way."""

    def __call__(self, items: Generator[_T]) -> AbstractContextManager[Iterator[_T]]: ...


@contextmanager
def one_ahead(items: Generator[_T]) -> Iterator[Iterator[_T]]:
    """The same items; while one is used, the next is made. One other thread makes them all, and the end.

    Leaving early waits for the item in the making, except on Ctrl-C.
    """
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ahead")
    is_patient = True

    def each() -> Iterator[_T]:
        coming = thread.submit(_next, items)
        while item := coming.result():
            coming = thread.submit(_next, items)
            yield item[0]

    try:
        yield each()
    except KeyboardInterrupt:
        is_patient = False
        raise
    finally:
        if is_patient:
            # Closed in its own thread: a generator with a connection inside must not be closed in another
            # one.
            thread.submit(items.close).result()
        thread.shutdown(wait=is_patient, cancel_futures=True)


def _next(items: Iterator[_T]) -> tuple[_T] | None:
    for item in items:
        return (item,)
    return None
