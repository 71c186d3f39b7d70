"""Incremental extracts: what is read since the last one, and when the watermark moves."""

from dataclasses import dataclass
from hashlib import blake2b

from connectors.errors import ConfigError
from connectors.sources import Source
from connectors.sources.database.new_rows import NewRows
from connectors.sources.database.query import SqlQuery
from connectors.sources.database.watermark import from_json, to_json
from pipelines.config.load import LoadConfig
from pipelines.config.sources import IncrementalOptions, SqlOptions
from pipelines.contacts.fingerprint import NOT_MAPPED, emptied
from pipelines.extract.cells import Cleaned
from pipelines.extract.read_ahead import Ahead, one_ahead
from pipelines.extract.transform import Transformed
from pipelines.state.store import Store
from pipelines.summary import Summary

HALF_BYTES = 8
"""Half of the hash of a watermark: one half is for the query, one for the mapping."""


@dataclass(frozen=True, slots=True)
class Extract:
    """What a run reads: the whole source, or its new rows with a load section adapted to them."""

    source: Source
    load: LoadConfig
    _new: NewRows | None = None
    _digest: bytes = b""
    is_whole: bool = True
    """Whether all of it is read."""
    ahead: Ahead = one_ahead

    def settled(self, store: Store, summary: Summary) -> None:
        """Called after a run without an error: moves the watermark if no row has to be read again.

        A row that Kartra refused for good is done; one that is parked or deferred is not.
        """
        if self._new is None or self._new.highest is None:
            return
        if summary.counts.leads["deferred"] or summary.counts.leads["parked"]:
            return
        store.watermarks.move(self._digest, to_json(self._new.highest), is_full=self.is_whole)


def extract_of(
    source: Source,
    load: LoadConfig,
    store: Store,
    summary: Summary,
    *,
    full: bool = False,
    ahead: Ahead = one_ahead,
) -> Extract:
    """The extract of a run. The notes of `summary` say why everything is read without `full`.

    Raises ConfigError for a column or an overlap that does not fit the query.
    """
    options = load.source.options
    if not isinstance(options, SqlOptions) or options.incremental is None:
        return Extract(source, load, ahead=ahead)
    assert isinstance(source, Cleaned | Transformed)  # noqa: S101 - as `open_records` gives them
    query = source.source.source if isinstance(source, Transformed) else source.source
    assert isinstance(query, SqlQuery)  # noqa: S101 - the options are those of one
    incremental = options.incremental
    _refuse_removals(load, incremental)
    digest = _asked(options, incremental) + _mapping(load)
    known = store.watermarks.get()
    if known is not None and not full and (note := _what_changed(known.source, digest)):
        summary.notes.append(note)
    now = store.database.clock.now()
    is_due = incremental.full_every is not None and (
        known is not None and now - known.full_at >= incremental.full_every
    )
    is_full = full or known is None or known.source != digest or is_due
    since = None if is_full or known is None else from_json(known.highest)
    new = query.since(incremental.column, since, incremental.overlap, now)
    read = source.over(new)
    return Extract(read, load if is_full else _for_new_rows(load), new, digest, is_full, ahead)


def _what_changed(known: bytes, digest: bytes) -> str | None:
    if known[:HALF_BYTES] != digest[:HALF_BYTES]:
        return "the query has changed since the last run: all rows are read, not only the new ones"
    if known != digest:
        return "the mapping has changed since the last run: all rows are read, not only the new ones"
    return None


def _for_new_rows(load: LoadConfig) -> LoadConfig:
    """The load section for new rows only: unread rows are not gone, and no rows at all are fine."""
    guards = load.guards.model_copy(update={"min_rows": 0})
    return load.model_copy(update={"on_removed": (), "guards": guards})


def _refuse_removals(load: LoadConfig, incremental: IncrementalOptions) -> None:
    if load.on_removed and incremental.full_every is None:
        raise ConfigError(
            "load.on_removed: who is gone shows only when everything is read; say how often with"
            " incremental: {full_every: 1d}"
        )


def _asked(options: SqlOptions, incremental: IncrementalOptions) -> bytes:
    """A hash of the query and its database, without the password."""
    asked = "\n".join(
        (
            str(options.url).rpartition("@")[2],
            options.query if isinstance(options.query, str) else options.query.read_text(encoding="utf-8"),
            *(f"{name}={value}" for name, value in sorted(options.parameters.items())),
            incremental.column,
        )
    )
    return blake2b(asked.encode(), digest_size=HALF_BYTES).digest()


def _mapping(load: LoadConfig) -> bytes:
    """A hash of the mapping: after a change, rows that were read have to be read again."""
    section = "\n".join([load.model_dump_json(exclude=set(NOT_MAPPED)), *emptied(load)])
    return blake2b(section.encode(), digest_size=HALF_BYTES).digest()
