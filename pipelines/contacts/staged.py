"""A record on its way into the staging table, or among the rejects."""

from dataclasses import dataclass
from typing import NamedTuple

StagedColumns = tuple[int, int, str, float, bytes, str, str | None, str | None, bytes, bytes]


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
