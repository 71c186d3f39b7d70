"""A record on its way into the staging table, or among the rejects."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

StagedRow = tuple[int, int, str, float, bytes, str, str | None, str | None, bytes, bytes]
"""The values of a Staged, in its order."""


class Staged(NamedTuple):
    """A record as it goes into the staging table, in the order of its columns.

    `record` is its original text as JSON, None where that stands in the originals; `raw` is its hash in the
    columns that the mapping reads, `shape` that of its lead (see `pipelines.contacts.lead`).
    """

    row: int
    line: int
    key: str
    rank: float
    digest: bytes
    wish: str
    blocked: str | None
    record: str | None
    raw: bytes
    shape: bytes

    @staticmethod
    def rows(
        *,
        row: Iterable[int],
        line: Iterable[int],
        key: Iterable[str],
        rank: Iterable[float],
        digest: Iterable[bytes],
        wish: Iterable[str],
        blocked: Iterable[str | None],
        record: Iterable[str | None],
        raw: Iterable[bytes],
        shape: Iterable[bytes],
    ) -> Iterator[StagedRow]:
        """Many records from their columns, as plain tuples: a Staged of each takes as long as mapping it."""
        return zip(row, line, key, rank, digest, wish, blocked, record, raw, shape, strict=True)


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that did not become a lead. `record` is its original text as JSON, if there is any.

    A `key` that could be read is still in the source: its lead has not gone.
    """

    row: int
    line: int | None
    kind: str
    reason: str
    type: str | None = None
    record: str | None = None
    key: str | None = None
