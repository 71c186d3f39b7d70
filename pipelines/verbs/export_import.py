"""Files for Kartra's own import of leads, which can carry the consent that leads made by the API never have.

What that import takes is in Kartra's help, "Importing leads in bulk": fewer than 20,000 contacts and 55
columns at most in a file, no empty columns, 255 characters in a cell, names of tags and lists in letters,
digits and spaces with a semicolon between them, and of several rows with one address the first.
"""

import csv
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any, TextIO

from connectors.errors import ConfigError
from connectors.privacy import mask_text
from pipelines.batches import batches
from pipelines.calls.context import RunContext
from pipelines.config.load import LoadConfig
from pipelines.config.pipeline import PipelineConfig
from pipelines.config.used_files import refuse_used
from pipelines.contacts.lead import DesiredLead, Snapshot
from pipelines.contacts.wishes import WISH, WISHES, OnceOnly
from pipelines.extract.incremental import Extract
from pipelines.extract.stage import check_columns
from pipelines.extract.transform import open_records
from pipelines.private_file import create_private, refuse_existing, written_aside
from pipelines.state.database import BATCH
from pipelines.state.imports import Importable
from pipelines.state.rejects import Reason
from pipelines.state.store import Store
from pipelines.summary import Progress, Summary
from pipelines.tables.spreadsheets import CsvForPeople, carries_out
from pipelines.verbs.adopt import once_only, stage_new
from pipelines.verbs.identity import enter
from pipelines.verbs.work import Caller, Work, work_on
from pipelines.words.numbers import counted

MAX_LEADS = 19_999
MAX_COLUMNS = 55
MAX_CHARACTERS = 255
BETWEEN_NAMES = ";"
IMPORTED = tuple(wish for wish in WISHES if wish.is_imported)

_NAME = re.compile(r"[^\W_]+(?: +[^\W_]+)*")
_IN_THE_WAY = {
    "unknown": "a call for it has no outcome yet: run the pipeline first",
    "shared": "has the address of an earlier record, and the import takes the first",
}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the files: `kind` is email, fields, custom_fields or a wish, `name` names a field."""

    kind: str
    name: str = ""

    @property
    def header(self) -> str:
        """The name that Kartra has for it; in the import a person can match columns and fields anyway."""
        return self.name or self.kind

    def cell(self, lead: DesiredLead) -> str:
        match self.kind:
            case "email":
                return lead.email
            case "fields":
                return lead.fields.get(self.name, "")
            case "custom_fields":
                value = lead.custom_fields.get(self.name, "")
                return value if isinstance(value, str) else BETWEEN_NAMES.join(value)
            case wish:
                return BETWEEN_NAMES.join(WISH[wish].names(lead))


Judged = tuple[Importable, DesiredLead, str | None]
"""A staged lead, what is to be written of it, and the reason where nothing is."""


@dataclass(slots=True)
class ImportFiles:
    """What was written: (file, leads) each. `known` leads were left out because Kartra has them from us."""

    run_id: str = ""
    pipeline: str = ""
    status: str = ""
    summary: Summary = field(default_factory=Summary)
    files: list[tuple[Path, int]] = field(default_factory=list)
    columns: tuple[str, ...] = ()
    known: int = 0
    misfits: int = 0
    left_out: Path | None = None
    """The list of all records that are in no file, with the reason."""
    not_carried: tuple[OnceOnly, ...] = ()
    """What the records ask for and the import does not give."""

    @property
    def leads(self) -> int:
        return sum(count for _, count in self.files)


def columns_of(load: LoadConfig) -> tuple[Column, ...]:
    """The columns that the mapping can fill, the address first."""
    return (
        Column("email"),
        *(Column("fields", name) for name in load.fields if name != "email"),
        *(Column("custom_fields", name) for name in load.custom_fields),
        *(Column(wish.collection) for wish in IMPORTED if wish.is_asked_for(load)),
    )


def misfit(lead: DesiredLead, columns: Iterable[Column], *, exact: bool = False) -> str | None:
    """Why the import would not take a lead whole. Pure; tells no value but names of the account.

    A person looks at the file before it is uploaded, so what a spreadsheet would carry out is in none, unless
    the files are `exact`: an apostrophe in front of it would become part of the lead.
    """
    for name in (name for wish in IMPORTED for name in wish.names(lead)):
        if not _NAME.fullmatch(name):
            return f'"{mask_text(name)}": the import takes names of letters, digits and spaces'
    for column in columns:
        if len(cell := column.cell(lead)) > MAX_CHARACTERS:
            return f"{column.header}: {len(cell):,} characters, and the import takes {MAX_CHARACTERS}"
        if not exact and carries_out(cell):
            return f"{column.header}: a spreadsheet that opens the file would carry it out (--exact)"
    for identifier, value in lead.custom_fields.items():
        if not isinstance(value, str) and any(BETWEEN_NAMES in label for label in value):
            return f"{identifier}: an option holds a semicolon, which the import takes for the end of it"
    return None


def for_known(lead: DesiredLead, snapshot: Snapshot) -> DesiredLead:
    """The wish for a lead that Kartra has from us: no tag and no list, it has them or has left them."""
    kept = snapshot.kept
    nothing_more: dict[str, Any] = {wish.collection: () for wish in IMPORTED}
    return replace(
        lead,
        fields={name: value for name, value in lead.fields.items() if ("fields", name) not in kept},
        custom_fields={
            name: value for name, value in lead.custom_fields.items() if ("custom_fields", name) not in kept
        },
        **nothing_more,
    )


class _Files:
    """Numbered files, none with more leads than the import takes; on disk when closed."""

    def __init__(self, folder: Path, pipeline: str, header: Sequence[str]) -> None:
        self._folder, self._pipeline, self._header = folder, pipeline, header
        self._handle: TextIO | None = None
        self._write: Callable[[Sequence[str]], object] = len  # nothing is written before a file is begun
        self.written: list[tuple[Path, int]] = []

    def add(self, cells: Sequence[str]) -> None:
        if not self.written or self.written[-1][1] == MAX_LEADS:
            self._begin()
        path, count = self.written[-1]
        self._write(cells)
        self.written[-1] = path, count + 1

    def close(self) -> None:
        if self._handle is not None:
            # On disk before it gets its name: after a power loss a file is whole, or not there.
            self._handle.flush()
            os.fsync(self._handle.fileno())
            self._handle.close()

    def _begin(self) -> None:
        self.close()
        path = self._folder / f"{self._pipeline}-import-{len(self.written) + 1:03}.csv"
        self._handle = create_private(path)
        self._write = csv.writer(self._handle).writerow
        self._write(self._header)
        self.written.append((path, 0))


def export_import(
    config: PipelineConfig,
    folder: Path,
    *,
    everything: bool = False,
    exact: bool = False,
    replace_files: bool = False,
    stopping: Callable[[], bool] = lambda: False,
    progress: Callable[[Progress], None] = lambda _: None,
) -> ImportFiles:
    """Write the leads that Kartra does not have, or `everything`, to numbered files in `folder`.

    They are put in their place together, and what they hold is remembered for `adopt` before that. Raises
    SyncError; LockedError while the pipeline is being run.
    """
    load = config.needs_load()
    _refuse_unfit(load)
    source = open_records(load)
    check_columns(source, config, load)
    there = _files_there(folder, config.pipeline)
    refuse_used([*there, folder / f"{config.pipeline}-import-001.csv"], config)
    refuse_existing([] if replace_files else there)
    written = ImportFiles(pipeline=config.pipeline, not_carried=once_only(load))
    caller = Caller(stopping=stopping, progress=progress)
    with Store(config.state) as store:
        account = enter(config, store).account
        with work_on(config, store, account, caller, verb="export-import") as work:
            written.run_id, written.summary = work.context.run_id, work.summary
            stage_new(work, Extract(source, load))
            store.adoption.decide(by_address=load.key.column is None, only_imported=False)
            with written_aside(folder) as aside:
                _write(written, work, aside, everything=everything, exact=exact)
                _put_in_place(written, aside, folder, there)
            work.note = (
                f"export-import: {counted(written.leads, 'lead')} in {counted(len(written.files), 'file')}"
            )
            work.is_partial = bool(written.misfits)
    written.status = work.status
    work.raise_error()
    # Nothing was put in its place: what was written aside is gone with its folder.
    if work.status == "interrupted":
        written.files, written.left_out = [], None
    return written


def _write(written: ImportFiles, work: Work, aside: Path, *, everything: bool, exact: bool) -> None:
    run, load = work.context, work.context.config.needs_load()
    imports = run.store.imports
    judge = _judged(columns_of(load), exact=exact)
    # The leads are gone through twice: the header comes first, and which columns stay empty shows at the
    # end.
    columns = _used(columns_of(load), map(judge, imports.importable(everything=everything)))
    written.columns = tuple(column.header for column in columns)
    # Noted beside the list of the last export, which `keep` replaces as a whole: a kill mixes no two of them.
    imports.begin()
    new = 0
    with closing(_Files(aside, written.pipeline, written.columns)) as files:
        for batch in batches(imports.importable(everything=everything), BATCH):
            new += _write_batch(written, run, files, columns, map(judge, batch))
            run.show(written.leads + written.misfits, work.summary.counts.read)
            work.between()
    written.known = work.summary.counts.difference - written.leads - written.misfits
    work.summary.counts.leads["unchanged"] = written.known
    work.summary.counts.leads["deferred"] = work.summary.counts.difference
    reasons = run.store.rejects.reasons(run.run_id)
    written.left_out = _write_reasons(reasons, aside / f"{written.pipeline}-left-out.csv")
    if new:
        imports.keep()


def _write_batch(
    written: ImportFiles, run: RunContext, files: _Files, columns: Sequence[Column], judged: Iterable[Judged]
) -> int:
    """Write a batch; gives how many of its leads Kartra does not have yet."""
    new: list[tuple[str, bytes]] = []
    left_out: list[tuple[int, str]] = []
    for one, lead, reason in judged:
        if reason is not None:
            left_out.append((one.row, reason))
            continue
        files.add([column.cell(lead) for column in columns])
        if one.standing == "new":
            new.append((one.key, one.digest))
    run.store.rejects.leave_out(run.run_id, left_out)
    run.store.imports.add(new)
    written.misfits += len(left_out)
    written.files = files.written
    return len(new)


def _used(columns: Sequence[Column], judged: Iterable[Judged]) -> tuple[Column, ...]:
    """The columns that are not empty throughout. Raises ConfigError where they are too many."""
    empty = list(columns)
    for _, lead, reason in judged:
        if reason is None:
            empty = [column for column in empty if not column.cell(lead)]
        if not empty:
            break
    used = tuple(column for column in columns if column not in empty)
    if len(used) > MAX_COLUMNS:
        raise ConfigError(
            f"{len(used)} columns have values, and Kartra's import takes {MAX_COLUMNS}: leave some of"
            " load.fields or load.custom_fields to a run after it"
        )
    return used


def _judged(columns: Sequence[Column], *, exact: bool) -> Callable[[Importable], Judged]:

    def judge(one: Importable) -> Judged:
        lead = for_known(one.desired, one.snapshot) if one.snapshot is not None else one.desired
        if one.refused is not None:
            return one, lead, f"was refused by Kartra before: {one.refused}"
        return one, lead, _IN_THE_WAY.get(one.standing) or misfit(lead, columns, exact=exact)

    return judge


def _write_reasons(rejects: Iterator[Reason], path: Path) -> Path | None:
    """Write a line for each record that is in no file; no file where there is no such record."""
    first = next(rejects, None)
    if first is None:
        return None
    with create_private(path) as handle:
        writer = CsvForPeople(handle)
        writer.writerow(("row", "line", "kind", "reason"))
        for reject in chain([first], rejects):
            writer.writerow((reject.row, reject.line, reject.kind, mask_text(reject.reason)))
    return path


def _put_in_place(written: ImportFiles, aside: Path, folder: Path, before: Iterable[Path]) -> None:
    """Move the files to the folder, after the files of an earlier export are gone: a person uploads them
    all."""
    for path in before:
        path.unlink(missing_ok=True)
    for path in sorted(aside.iterdir()):
        path.replace(folder / path.name)
    written.files = [(folder / path.name, count) for path, count in written.files]
    written.left_out = folder / written.left_out.name if written.left_out else None


def _files_there(folder: Path, pipeline: str) -> list[Path]:
    """The files of an earlier export of this pipeline."""
    ours = re.compile(rf"{re.escape(pipeline)}-(import-\d{{3,}}|left-out)\.csv")
    return sorted(path for path in folder.glob("*.csv") if ours.fullmatch(path.name))


def _refuse_unfit(load: LoadConfig) -> None:
    """Raises ConfigError for what would leave out every lead."""
    if load.sync_mode == "update_only":
        raise ConfigError("load.sync_mode is update_only: there are no new leads to import")
    for wish in IMPORTED:
        for name in getattr(load, wish.collection):
            if isinstance(name, str) and not _NAME.fullmatch(name):
                raise ConfigError(
                    f'load.{wish.collection}: "{name}" is for every lead, and Kartra\'s import takes names of'
                    " letters, digits and spaces alone: rename it in Kartra, or leave it to the run after the"
                    " import"
                )
