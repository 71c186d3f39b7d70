"""Taking over what Kartra has already, after its own import of a file: acknowledged as the source has it.

The source is staged as for a run; its new leads become leads that Kartra acknowledged, step by step, so that
after a kill the same again ends in the same state. What an import does not give counts as given unless it is
said to be owed, because it could not be taken back if it came twice.
"""

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import get_args

from pipelines.config.load import LoadConfig
from pipelines.config.pipeline import PipelineConfig
from pipelines.contacts.wishes import WISH, OnceOnly
from pipelines.extract.incremental import Extract, extract_of
from pipelines.extract.stage import check_columns, stage
from pipelines.extract.transform import open_records
from pipelines.load.guards import check_before, unclear_at_first
from pipelines.load.rekeying import refuse_other_key, sync_key_of
from pipelines.state.adoption import Standing
from pipelines.state.place import is_there
from pipelines.state.store import Store
from pipelines.summary import Progress, Summary
from pipelines.verbs.identity import Choices, enter
from pipelines.verbs.verify_adoption import Verified, verify
from pipelines.verbs.work import Caller, Work, work_on
from pipelines.words.numbers import counted


@dataclass(slots=True)
class Adoption:
    """What was taken over. `left` counts new records that wait for the next run, by what stands in the
    way."""

    run_id: str = ""
    pipeline: str = ""
    status: str = ""
    summary: Summary = field(default_factory=Summary)
    adopted: int = 0
    known: int = 0
    left: Counter[Standing] = field(default_factory=Counter)
    imported: int = 0
    """Leads in the files of `export-import`, where only those were taken over; else 0."""
    given: tuple[OnceOnly, ...] = ()
    """What the records ask for once and counts as given."""
    owed: tuple[OnceOnly, ...] = ()
    """What of it the next run gives."""
    verified: Verified | None = None


def adopt_source(
    config: PipelineConfig,
    *,
    owed: Collection[str] = (),
    whole_source: bool = False,
    verify_count: int = 0,
    seed: int = 0,
    choices: Choices = Choices(),  # noqa: B008 - frozen
    stopping: Callable[[], bool] = lambda: False,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Adoption:
    """Take over the records of the source that Kartra does not have from us, and read some back from Kartra.

    Where `export-import` wrote files, only the leads in them are taken over, unless `whole_source`. Raises
    SyncError; LockedError while the pipeline is being run.
    """
    load = config.needs_load()
    source = open_records(load)
    check_columns(source, config, load)
    adoption = Adoption(pipeline=config.pipeline)
    caller = Caller(stopping=stopping, progress=progress)
    with Store(config.state) as store:
        account = enter(config, store, choices=choices).account
        extract = extract_of(source, load, store, Summary())
        with work_on(config, store, account, caller, verb="adopt") as work:
            adoption.run_id, adoption.summary = work.context.run_id, work.summary
            stage_new(work, extract)
            store.keys.keep(sync_key_of(load))
            _take_over(adoption, work, owed, whole_source=whole_source)
            if verify_count:
                _verify(adoption, work, verify_count, seed)
            # What is owed is read from the source by the next run: an incremental mark must not move past it.
            work.extract = extract if not adoption.owed else None
    work.raise_error()
    adoption.status = work.status
    return adoption


def undo_adoption(config: PipelineConfig) -> int:
    """Forget the leads that were taken over and not sent anything since; gives how many. The next run sends
    them.

    Raises LockedError while the pipeline is being run.
    """
    if not is_there(config.state):
        return 0
    with Store(config.state) as store:
        account = enter(config, store).account
        with work_on(config, store, account, Caller(), verb="adopt --undo") as work:
            count = store.adoption.give_up_all()
            work.note = f"adopt --undo: {counted(count, 'lead')}"
    work.raise_error()
    return count


def stage_new(work: Work, extract: Extract) -> None:
    """Stage the source, and hold its guards against it. Raises GuardError."""
    run = work.context
    refuse_other_key(run.store, extract.load)
    stage(extract.source, extract.load, run.store, run.summary, run_id=run.run_id, between=work.between)
    check_before(
        extract.load.guards,
        rows=run.summary.counts.read,
        not_chosen=run.summary.counts.not_chosen,
        known=run.store.leads.count(),
        edited=0,
        removed=0,
        unclear=unclear_at_first(run.store, run.summary),
    )


def _take_over(adoption: Adoption, work: Work, owed: Collection[str], *, whole_source: bool) -> None:
    store, load = work.context.store, work.context.config.needs_load()
    adoption.imported = 0 if whole_source else store.imports.count()
    standing = store.adoption.decide(
        by_address=load.key.column is None, only_imported=bool(adoption.imported)
    )
    asked = once_only(load)
    adoption.owed = tuple(kind for kind in asked if kind in owed)
    adoption.given = tuple(kind for kind in asked if kind not in owed)
    adoption.known = standing.pop("known", 0)
    total = standing.pop("new", 0)
    adoption.left = standing
    work.between()
    for count in store.adoption.take_over(adoption.owed):
        adoption.adopted += count
        _count(adoption, work)
        work.context.show(adoption.adopted, total)
        work.between()
    _count(adoption, work)
    store.leads.keep_raw_hashes()


def _count(adoption: Adoption, work: Work) -> None:
    """Leads that are taken over count as unchanged, leads that are left as deferred to the next run."""
    leads = work.summary.counts.leads
    leads["unchanged"] = adoption.adopted + adoption.known
    leads["deferred"] = work.summary.counts.difference + leads["deferred"]
    work.note = f"adopt: {counted(adoption.adopted, 'lead')} taken over"


def once_only(load: LoadConfig) -> tuple[OnceOnly, ...]:
    """The wishes of the mapping that Kartra grants only once, and nobody could take back."""
    return tuple(wish for wish in get_args(OnceOnly) if WISH[wish].is_asked_for(load))


def _verify(adoption: Adoption, work: Work, count: int, seed: int) -> None:
    adoption.verified = Verified()
    try:
        verify(adoption.verified, work, count, seed)
    finally:
        leads = work.summary.counts.leads
        gone = adoption.verified.unknown  # given up by `verify`: the next run sends them
        leads["unchanged"], leads["deferred"] = leads["unchanged"] - gone, leads["deferred"] + gone
    work.is_partial = not adoption.verified.agrees
