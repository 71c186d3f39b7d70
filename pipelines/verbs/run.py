"""The verb `run`: settle what is unknown, stage the source, plan, guard, deliver, report."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from connectors.errors import SyncError
from connectors.kartra.profile import LeadProfile
from connectors.sources import Source
from pipelines.calls.context import RunContext
from pipelines.config.pipeline import PipelineConfig
from pipelines.errors import WrongModeError
from pipelines.extract.incremental import extract_of
from pipelines.extract.stage import check_columns
from pipelines.extract.transform import open_records
from pipelines.load.rekeying import refuse_other_key
from pipelines.operations.job import check_operation_columns, run_operations
from pipelines.pull.job import pull_tables
from pipelines.summary import Progress, Summary
from pipelines.verbs.drift import DriftCheck
from pipelines.verbs.identity import Choices, enter, learn_mode
from pipelines.verbs.loading import Terms, load_contacts
from pipelines.verbs.twins import note_of_twin
from pipelines.verbs.work import Caller, Question, Work, work_on
from pipelines.verbs.world import THIS_WORLD, World

log = logging.getLogger("kartra_sync.run")


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a run ended. `error` is what stopped it; an interrupted run has none."""

    run_id: str
    pipeline: str
    status: str
    summary: Summary
    error: SyncError | None = None
    has_loaded: bool = True
    known_refusals: int = 0
    """How many of the refusals were refusals of the run before, too."""
    is_partial: bool = False
    """Whether something is left to do beside refused records."""
    died: int = 0
    """How many runs before it ended without a word."""

    @property
    def new_refusals(self) -> int:
        return max(0, self.summary.counts.refused - self.known_refusals)

    @property
    def has_nothing_new(self) -> bool:
        """Whether all refusals are known from the run before."""
        return self.status == "partial" and not self.is_partial and not self.new_refusals

    @property
    def message(self) -> str | None:
        return str(self.error) if self.error else None


def run_pipeline(
    config: PipelineConfig,
    *,
    approved: bool = False,
    full: bool = False,
    takes_tables: bool = False,
    choices: Choices = Choices(),  # noqa: B008 - frozen
    goes_on: bool = False,
    kind: str = "",
    terms: Terms = Terms(),  # noqa: B008 - frozen
    agree: Callable[[Question], bool] | None = None,
    stopping: Callable[[], bool] = lambda: False,
    progress: Callable[[Progress], None] = lambda _: None,
    world: World = THIS_WORLD,
) -> RunResult:
    """Load one pipeline, carry out its operations, then pull.

    Raises SyncError only before the run began; LockedError: another runs. `approved`: a person has agreed to
    how many leads get what (`guards.max_triggered`) and to the money of operations; `takes_tables`: to tables
    of the pull that hold another account; `choices`: whose account and pipeline it is; `goes_on`: to a
    state that was put back from a copy. `full`: an incremental source is read as a whole. `kind`: what stands
    in `runs` of a load that is not of the pipeline's own source.
    `terms`: whose leads are sent, and how many first; `agree` asks a person before they are.
    """
    summary = Summary()
    with summary.timings.stage("open source"):
        source = contacts_of(config, summary, world)
        if config.operations is not None:
            check_operation_columns(config)
    with summary.timings.stage("open state"):
        opened = world.open_store(config.state)
    caller = Caller(approved, stopping, progress, goes_on, takes_tables, world, agree)
    with opened as store:
        summary.notes += [note] if (note := note_of_twin(store, config)) else []
        standing = enter(config, store, choices=choices, stopping=stopping, world=world)
        summary.account = standing.to_json()
        if kind:  # a part of the contacts cannot tell who of the others was known under another key
            refuse_other_key(store, config.needs_load())
        with work_on(config, store, standing.account, caller, kind=kind, summary=summary) as work:
            _carry_out(work, source, choices, terms, full=full, world=world)
        run_id = work.context.run_id
        known = store.outcomes.known_refusals(config.pipeline, run_id) if summary.counts.refused else 0
    return RunResult(
        run_id,
        config.pipeline,
        work.status,
        summary,
        work.error,
        has_loaded=source is not None,
        known_refusals=known,
        is_partial=bool(work.is_partial or summary.counts.leads["deferred"]),
        died=work.died,
    )


def _carry_out(
    work: Work, source: Source | None, choices: Choices, terms: Terms, *, full: bool, world: World
) -> None:
    """What a lead has shown of the mode of the App is kept, whichever part it has stopped."""
    try:
        _carry_out_parts(work, source, choices, terms, full=full, world=world)
    except WrongModeError as error:
        work.fail(error)
    if isinstance(work.error, WrongModeError):
        learn_mode(work.context, work.error, world)


def _carry_out_parts(
    work: Work, source: Source | None, choices: Choices, terms: Terms, *, full: bool, world: World
) -> None:
    """What stops the load stops operations, too; tables are pulled as long as calls may leave."""
    run = work.context
    if source is not None:
        extract = extract_of(
            source, run.config.needs_load(), run.store, run.summary, full=full, ahead=world.ahead
        )
        if terms.choice.is_all:  # else its mark stays where it is: the others are to be read again
            work.extract = extract
        work.fail(load_contacts(work, extract, choices, terms))
    if run.config.operations is not None and not terms.choice.is_all:  # whoever tries a few moves no money
        run.summary.notes.append("operations are left to a run of all leads")
    elif run.config.operations is not None and work.goes_on:
        run_operations(run)
    if run.config.pull is not None and work.may_call:
        with run.summary.timings.stage("pull"):
            pull_tables(run, _seeing(run))
    work.between()


def _seeing(run: RunContext) -> Callable[[LeadProfile, datetime], None]:
    """What a pull does with the profiles that it reads anyway."""
    return DriftCheck(run.config, run.store, run.account).see if run.config.load is not None else _ignore


def _ignore(profile: LeadProfile, asked_at: datetime) -> None:
    """Nothing was acknowledged that a profile could be compared with."""


def contacts_of(config: PipelineConfig, summary: Summary, world: World = THIS_WORLD) -> Source | None:
    """The contacts, if the pipeline loads any."""
    if config.load is None:
        return None
    source = (world.open_records or open_records)(config.load)
    summary.notes += check_columns(source, config, config.load)
    for note in source.notes:
        log.info("%s", note)
    return source
