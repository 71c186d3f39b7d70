"""A record on its way to the staging table or to the rejects."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

StagedRow = tuple[int, int, str, float, bytes, str, str | None, str | None, bytes, bytes]
"""The values of a Staged in its order."""


class Staged(NamedTuple):
    """A row of the staging table, in the order of its columns.

    `record` is the original text as JSON, None if the packed originals have it; `raw` is the hash of the
    columns that the mapping reads, `shape` that of the lead (see `pipelines.contacts.lead`).
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
        """Rows from their columns, as plain tuples: making a Staged of each takes as long as mapping it."""
        return zip(row, line, key, rank, digest, wish, blocked, record, raw, shape, strict=True)


REASON_COLUMN, KEY_COLUMN = "kartra-sync: why not sent", "kartra-sync: key"
"""The first columns of a file of rejects. They say nothing about the person when the file is loaded."""


@dataclass(frozen=True, slots=True)
class Reject:
    """A record that did not become a lead. `record` is its original text as JSON, if there is one.

    A `key` that could be read still counts as present in the source, so that its lead is not removed.
    """

    row: int
    line: int | None
    kind: str
    reason: str
    type: str | None = None
    record: str | None = None
    key: str | None = None
