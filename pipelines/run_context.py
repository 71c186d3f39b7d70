"""Which run a line of the log is about: known to whoever writes the line, without being handed down.

A context of Python's own, as it is meant for: `calls/pool.py` hands it on to the threads of a run.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NamedRun:
    pipeline: str
    run_id: str


_CURRENT: ContextVar[NamedRun | None] = ContextVar("run", default=None)


def current_run() -> NamedRun | None:
    return _CURRENT.get()


@contextmanager
def within_run(pipeline: str, run_id: str) -> Iterator[None]:
    """Whatever is logged within is about this run."""
    token = _CURRENT.set(NamedRun(pipeline, run_id))
    try:
        yield
    finally:
        _CURRENT.reset(token)
