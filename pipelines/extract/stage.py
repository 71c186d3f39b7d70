"""Reads, maps and stages the source, each a chunk ahead of the next."""

import json
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from typing import Any

from connectors.sources import Chunk, Source
from connectors.sources.faults import without_faults
from pipelines.config.load import LoadConfig
from pipelines.config.pipeline import PipelineConfig
from pipelines.contacts.card_numbers import without_secrets
from pipelines.contacts.chosen import chosen
from pipelines.contacts.chunks import ChunkMapper, MappedChunk, records_of
from pipelines.contacts.columns import naming_file
from pipelines.contacts.contract import contract_notes
from pipelines.contacts.fingerprint import Gathered, fingerprint, raw_hashes
from pipelines.contacts.known_records import KnownRecords
from pipelines.contacts.lead import DesiredLead, Record, Unwanted, digest, shape
from pipelines.contacts.mapping import Invalid, Mapped, mapper, read_columns
from pipelines.contacts.merge import merge_leads
from pipelines.contacts.normalise import normal_cell
from pipelines.contacts.originals import unpack
from pipelines.errors import GuardError
from pipelines.extract.read_ahead import Ahead, one_ahead
from pipelines.extract.suppression import suppressed_addresses, suppressed_by
from pipelines.extract.transform import source_columns
from pipelines.state.store import Store
from pipelines.summary import Summary
from pipelines.words.numbers import counted

SHOWN_GROUPS = 5
BY_ADDRESS = "email"
"""The sync key that is the address; any other is `column` and its name."""


def stage(
    source: Source,
    load: LoadConfig,
    store: Store,
    summary: Summary,
    *,
    run_id: str | None,
    between: Callable[[], None] = lambda: None,
    skip_known: bool = False,
    withdrawn: frozenset[Unwanted] = frozenset(),
    former_key: str | None = None,
    ahead: Ahead = one_ahead,
) -> bytes:
    """Fill the staging table; one record per key is left in it. Counts rows in `summary`.

    Returns a digest of all that was read, suppressed addresses included.

    With `skip_known`, records that are as Kartra acknowledged them count as unchanged leads and are not
    staged; the result is the same otherwise. `between` is called after each chunk. `withdrawn` names have
    left the pipeline file: records of leads that hold one are staged. `former_key` is the sync key before
    this one, if it has changed; `ahead` reads and maps a chunk while another is used.

    Raises SourceError, ConfigError, and GuardError for `duplicates: error`.
    """
    staging = _Staging(
        source, load, store, summary, run_id, between, former_column(source, former_key), ahead
    )
    store.staging.begin(unpack)
    store.given.find_holders(withdrawn)
    suppressed = Gathered()
    for suppress in load.suppress:
        for addresses in suppressed_addresses(suppress):
            store.staging.suppress(addresses, suppressed_by(suppress))
            suppressed.add_names(addresses)
            between()
    with summary.timings.stage("known"):
        known = _known_records(load, store) if skip_known else None
    rejects = store.rejects.count(run_id)
    staging.read(known)
    # Of a known record that has a duplicate, only the hash was seen, and the two have to be compared: so the
    # source is read once more without such hashes.
    while known is not None and known.leave_out_shared():
        store.staging.begin_again(run_id, rejects)
        staging.read(known)
    if former_key == BY_ADDRESS:
        store.staging.fill_former()
    with summary.timings.stage("duplicates"):
        _settle(load, store, summary, run_id)
    if known is not None and known.seen_count:
        summary.counts.leads["unchanged"] = known.seen_count
        # Only then does anybody ask who is missing, and in a large state these are many hashes to write.
        if load.on_removed or withdrawn:
            store.staging.note_unseen(known.unseen())
    return suppressed.digest() + staging.gathered.digest()


def _settle(load: LoadConfig, store: Store, summary: Summary, run_id: str | None) -> None:
    """Leaves one record for each key."""
    summary.counts.duplicate = store.staging.end()
    merged: Iterator[dict[str, Any]] = iter(())
    if summary.counts.duplicate and load.key.column is not None:
        _note_shared_keys(store, summary)
    if summary.counts.duplicate and load.duplicates.how == "error":
        rows = ", ".join(
            " = ".join(str(row.row) for row in group)
            for group, _ in zip(store.staging.duplicate_groups(), range(5), strict=False)
        )
        raise GuardError(
            f"{counted(summary.counts.duplicate, 'record has', 'records have')} the key of another"
            f" (rows {rows}) and load.duplicates is error: nothing was sent"
        )
    if summary.counts.duplicate and load.duplicates.how == "merge":
        merged = _merged(store)
    summary.counts.blocked = store.staging.settle(merged, run_id)


def _note_shared_keys(store: Store, summary: Summary) -> None:
    """Notes keys with several addresses: a key that was rounded belongs to several people."""
    groups: list[str] = []
    count = 0
    for group in store.staging.duplicate_groups():
        # Several rows of one address are one person and no cause for doubt.
        if len({json.loads(record.wish)["email"] for record in group}) > 1:
            count += 1
            if len(groups) < SHOWN_GROUPS:
                groups.append(" = ".join(str(record.row) for record in group[:SHOWN_GROUPS]))
    if count:
        summary.notes.append(
            f"{count:,} values of the key column belong to several addresses, of which one is sent each"
            f" (rows {', '.join(groups)}): is it a key?"
        )


def _known_records(load: LoadConfig, store: Store) -> KnownRecords | None:
    """The known records; None if unchanged records may have to be stopped and their address is not their
    key."""
    # By its hash alone nobody can tell which address a record has, and whether that was suppressed since.
    if load.suppress and load.key.column is not None:
        return None
    known = KnownRecords(store.leads.raw_hashes())
    # These look unchanged, and yet have to be staged: one was suppressed meanwhile, the other holds a name
    # that was withdrawn.
    known.leave_out(store.leads.raw_hashes_of_suppressed())
    known.leave_out(store.given.raw_hashes_of_holders())
    return known


class _Staging:
    """Reads a source into the staging table, as often as needed."""

    def __init__(
        self,
        source: Source,
        load: LoadConfig,
        store: Store,
        summary: Summary,
        run_id: str | None,
        between: Callable[[], None],
        former: str | None,
        ahead: Ahead,
    ) -> None:
        """`former`: the column of the former sync key, where the source has it."""
        self._former, self._ahead = former, ahead
        self._source, self._load, self._store, self._summary = source, load, store, summary
        self._run_id, self._between = run_id, between
        forgotten = store.forgetting.forgotten()
        self._under = fingerprint(load, source.columns, forgotten)
        self.gathered = Gathered()
        self._mapper = ChunkMapper(load, source.columns, source_columns(source), forgotten)

    def read(self, known: KnownRecords | None) -> None:
        """Reads the source once. Afterwards known records with a duplicate are marked as shared."""
        self.gathered = Gathered()
        self._summary.counts.read = self._summary.counts.invalid = self._summary.counts.not_chosen = 0
        # The source may be read a second time, and what it holds is counted once.
        self._summary.counts.held_back.clear()
        self._summary.counts.unclear.clear()
        with self._ahead(self._chunks()) as chunks, self._ahead(self._mapped(chunks, known)) as mapped:
            for one in mapped:
                self._summary.counts.read += one.count
                self._summary.counts.invalid += len(one.rejects)
                self._summary.counts.held_back.update(one.held_back)
                self._summary.counts.unclear.update(one.unclear)
                if one.former:
                    self._store.staging.add_former(one.former)
                if one.staged or one.rejects:
                    with self._summary.timings.stage("stage"):
                        self._store.staging.add(one.staged, one.rejects, self._run_id, one.originals)
                self._between()
        if known is not None and known.seen_count:
            for hashes in self._store.leads.raw_hashes_of_staged():
                known.share(hashes)

    def _chunks(self) -> Generator[Chunk]:
        yield from self._summary.timings.stage_of_each(
            "read", _readable(self._source, self._load, self._leave)
        )

    def _leave(self, count: int) -> None:
        self._summary.counts.not_chosen += count

    def _mapped(self, chunks: Iterator[Chunk], known: KnownRecords | None) -> Generator[MappedChunk]:
        stage_of = self._summary.timings.stage
        for chunk in chunks:
            former = () if self._former is None else _cells(chunk, self._former)
            with stage_of("hash"):
                hashes = raw_hashes(chunk.frame, self._under, self._mapper.marked(chunk))
                self.gathered.add(hashes)
            with stage_of("compare"):
                is_new = None if known is None else ~known.see(hashes)
            with stage_of("map"):
                mapped = self._mapper.map(chunk, hashes, is_new)
            yield replace(mapped, former=former) if former else mapped


def _readable(source: Source, load: LoadConfig, leave: Callable[[int], None]) -> Iterator[Chunk]:
    """The records of the load; `leave` gets the number of records that `only` leaves out of each chunk."""
    read = read_columns(load, source.columns) | load.only.keys()
    return without_secrets(without_faults(_chosen(source.chunks(), load, leave), read), load)


def _chosen(chunks: Iterator[Chunk], load: LoadConfig, leave: Callable[[int], None]) -> Iterator[Chunk]:
    for chunk in chunks:
        of_load = chosen(chunk, load.only)
        leave(len(chunk.frame) - len(of_load.frame))
        yield of_load


def _cells(chunk: Chunk, column: str) -> tuple[tuple[int, str], ...]:
    """(row, key) of each record."""
    cells = (normal_cell(str(cell)) for cell in chunk.frame[column])
    return tuple(zip(chunk.frame.index.tolist(), cells, strict=True))


def former_column(source: Source, former_key: str | None) -> str | None:
    """The column of a former sync key, if the source still has it."""
    kind, _, column = (former_key or "").partition(" ")
    return column if kind == "column" and column in source.columns else None


def _ignore(_: int) -> None:
    """The number of records left out is not needed."""


def read_mapped(
    source: Source, load: LoadConfig, leave: Callable[[int], None] = _ignore
) -> Iterator[tuple[int, Mapped | Invalid]]:
    """(row, mapped) of every record, without staging it. `leave` gets how many `only` leaves out."""
    map_record = mapper(load, source.columns)
    for chunk in _readable(source, load, leave):
        for bad in chunk.bad_rows:
            yield bad.row, Invalid(bad.reason)
        for _, row, record in records_of(chunk.frame):
            yield row, map_record(record, row)


def find_record(source: Source, load: LoadConfig, key: str) -> Iterator[tuple[int, Record, Mapped]]:
    """(row, record, mapped) of every record with this key."""
    map_record = mapper(load, source.columns)
    for chunk in _readable(source, load, _ignore):
        for _, row, record in records_of(chunk.frame):
            mapped = map_record(record, row)
            if isinstance(mapped, Mapped) and mapped.key == key:
                yield row, record, mapped


def check_columns(source: Source, config: PipelineConfig, load: LoadConfig) -> list[str]:
    """Remarks on the columns. Raises ConfigError if they do not fit the mapping."""
    with naming_file(config.path.name):
        mapper(load, source.columns)
        return contract_notes(load, source.columns)


def _merged(store: Store) -> Iterator[dict[str, Any]]:
    """The merged wish of each key, for every row of it. One blocked record blocks them all."""
    for group in store.staging.duplicate_groups():
        lead = DesiredLead.from_json(group[0].wish)
        for record in group[1:]:
            lead = merge_leads(lead, DesiredLead.from_json(record.wish))
        wish = lead.to_json()
        blocked = next((record.blocked for record in group if record.blocked), None)
        merged = {"wish": wish, "digest": digest(wish), "shape": shape(lead), "blocked": blocked}
        for record in group:
            yield {"row": record.row, **merged}
