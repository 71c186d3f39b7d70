"""The verbs `plan --save`, `plans` and `apply`: a saved plan is applied once, and only while it holds."""

import getpass
import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from connectors.errors import ConfigError, SyncError
from pipelines.batches import batches
from pipelines.calls.context import RunContext
from pipelines.changes.compile import change_from_json
from pipelines.changes.shown import ShownChange, shown
from pipelines.config.pipeline import PipelineConfig
from pipelines.errors import GuardError, StalePlanError
from pipelines.extract.incremental import extract_of
from pipelines.load.basis import Part, basis_of, moved
from pipelines.load.plan import Plan
from pipelines.load.planned import planned_changes
from pipelines.state.database import BATCH
from pipelines.state.place import is_there
from pipelines.state.plans import SavedChange, SavedPlan
from pipelines.state.store import Store
from pipelines.summary import Summary
from pipelines.verbs.identity import Choices, Standing, enter, find
from pipelines.verbs.loading import Ready, Terms, load_contacts
from pipelines.verbs.plan import OpenPlan
from pipelines.verbs.reading import store_of
from pipelines.verbs.run import RunResult, contacts_of
from pipelines.verbs.work import Caller, work_on

CLOCKS_DIFFER = timedelta(minutes=5)
"""By how much a plan of another machine may be of a later time than ours."""


def who() -> str:
    """user@host of this process."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a container whose user has no name
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def save_plan(
    config: PipelineConfig, opened: OpenPlan, now: datetime, max_age: timedelta | None
) -> SavedPlan | None:
    """Keep a plan that was made from a store that may be written; None where there is nothing to send.

    Raises SyncError where it would not hold from the start.
    """
    result, store = opened.result, opened.store
    if result.waiting:
        raise GuardError(
            f"{result.waiting:,} calls of an earlier run have no outcome, and a run settles them first: no"
            " plan was saved"
        )
    if result.unchecked:
        raise SyncError(f"names were not compared with the account, no plan was saved: {result.unchecked}")
    if not result.plan.changes:
        return None
    basis = basis_of(config, result.summary.counts, opened.source, store.forgetting.forgotten())
    plan = SavedPlan(
        plan_id=f"{now:%Y%m%d}-{secrets.token_hex(3)}",  # the day is for people, the rest is random
        pipeline=config.pipeline,
        account=opened.account,
        mode=config.kartra.mode,
        made_at=now,
        made_by=who(),
        expires_at=now + max_age if max_age is not None else None,
        basis={**basis.to_json(), "new_fields": _new_fields(result.plan)},
        counts={
            "created": result.plan.created,
            "edited": result.plan.edited,
            "removed": result.plan.removed,
            "calls": result.calls,
        },
        state="saved",
        applied_at=None,
        applied_by=None,
    )
    store.plans.save(plan, (one.saved() for one in opened.changes()))
    return plan


def plans_of(config: PipelineConfig) -> list[SavedPlan]:
    """The saved plans of a pipeline, the newest first."""
    with store_of(config) as store:
        return store.plans.of_pipeline(config.pipeline)


@contextmanager
def open_saved(config: PipelineConfig, plan_id: str) -> Iterator[tuple[SavedPlan, Iterator[ShownChange]]]:
    """A saved plan of this pipeline and its changes, in its order. Raises ConfigError where there is none."""
    with store_of(config) as store:
        saved = _found(config, store, plan_id)
        if saved.pipeline != config.pipeline:
            raise ConfigError(f"the plan {plan_id} is of the pipeline {saved.pipeline}")
        yield saved, map(_shown, store.plans.changes(plan_id))


def _shown(one: SavedChange) -> ShownChange:
    return shown(one.key, one.row, one.line, one.outcome, change_from_json(one.change), one.known())


def apply_plan(
    config: PipelineConfig, plan_id: str, caller: Caller, *, max_age: timedelta | None = None, by: str = ""
) -> RunResult:
    """Send a saved plan, exactly; or what is left of it where applying it was cut short.

    `by`: the person who approved it, who is kept with the plan and its run; else the user of this process.

    Raises StalePlanError where something has moved since, ConfigError where there is no such plan.
    """
    summary = Summary()
    source = contacts_of(config, summary, caller.world)
    # Opening the state would create an empty one, only to find no plan in it.
    if source is None or not is_there(config.state):
        raise ConfigError(f"no plan was saved for {config.path.name}")
    with caller.world.open_store(config.state) as store:
        saved = _found(config, store, plan_id)
        # What shows without the source first: a wrong plan must not cost the reading of a million rows.
        _refuse_moved(config, store, saved, caller, max_age)
        standing = enter(config, store, stopping=caller.stopping, world=caller.world)
        summary.account = standing.to_json()
        applying = _Applying(config, saved, by or who())
        terms = Terms(check=applying.check, begin=applying.begin)
        with work_on(config, store, standing.account, caller, summary=summary) as work:
            work.note = f"plan {saved.plan_id} by {saved.made_by}, applied by {by or who()}"
            extract = extract_of(source, config.needs_load(), store, summary, ahead=caller.world.ahead)
            work.extract = extract
            work.fail(load_contacts(work, extract, Choices(), terms))
            work.between()
        left = store.outbox.outcomes(work.context.run_id)
        is_whole = not any(left.get((kind, "deferred")) for kind in ("load", "removal"))
        # A plan that was cut short stays open, so that applying it once more sends the rest.
        if work.status in ("succeeded", "partial") and is_whole:
            store.plans.finish(saved.plan_id)
    return RunResult(work.context.run_id, config.pipeline, work.status, summary, work.error)


def _found(config: PipelineConfig, store: Store, plan_id: str) -> SavedPlan:
    saved = store.plans.get(plan_id)
    if saved is None:
        raise ConfigError(
            f"there is no plan {plan_id} in {config.state.name}: kartra-sync plans {config.path.name} lists"
            " those that are"
        )
    return saved


def _refuse_moved(
    config: PipelineConfig, store: Store, saved: SavedPlan, caller: Caller, max_age: timedelta | None
) -> None:
    """Raise StalePlanError for what has moved, as far as it shows before the source is read."""
    if saved.state == "applied":
        at = f"{saved.applied_at:%Y-%m-%d %H:%M} UTC" if saved.applied_at else "an unknown time"
        raise StalePlanError(
            f"the plan {saved.plan_id} was applied at {at} by {saved.applied_by}: nothing was sent, for a"
            " plan is applied once"
        )
    if saved.pipeline != config.pipeline:
        raise _stale(saved, Part.FILE, f"it is of the pipeline {saved.pipeline}, not of {config.pipeline}")
    if saved.mode != config.kartra.mode:
        raise _stale(
            saved, Part.MODE, f"it was made in {saved.mode} mode, the file says {config.kartra.mode}"
        )
    _refuse_old(saved, caller.world.clock.now(), max_age)
    if _standing(config, store, saved).account != saved.account:
        raise _stale(saved, Part.ACCOUNT, "the credentials open another account")


def _standing(config: PipelineConfig, store: Store, saved: SavedPlan) -> Standing:
    try:
        return find(config, store)
    except GuardError as error:
        raise _stale(saved, Part.ACCOUNT, str(error)) from error


def _refuse_old(saved: SavedPlan, now: datetime, max_age: timedelta | None) -> None:
    age = now - saved.made_at
    is_dated = max_age is not None or saved.expires_at is not None
    if is_dated and -age > CLOCKS_DIFFER:
        raise _stale(saved, Part.AGE, "it was made later than it is now by this machine's clock")
    if (max_age is not None and age > max_age) or (saved.expires_at is not None and now > saved.expires_at):
        minutes = int(age.total_seconds() // 60)
        passed = f"{minutes // 60} h {minutes % 60} min"
        raise _stale(saved, Part.AGE, f"it was made {passed} ago, which is longer than it was to hold")


class _Applying:
    """Compares the plan of a run with the saved one, before anything is sent."""

    def __init__(self, config: PipelineConfig, saved: SavedPlan, by: str) -> None:
        self._config, self._saved, self._by = config, saved, by

    def check(self, ready: Ready) -> None:
        """Raise StalePlanError, with all that has moved since."""
        saved, store = self._saved, ready.run.store
        basis = basis_of(self._config, ready.run.summary.counts, ready.source, store.forgetting.forgotten())
        if parts := list(moved(saved.basis, basis)):
            raise _stale_parts(saved, parts)
        self._refuse_other_account(ready.plan)
        if difference := self._difference(ready):
            raise _stale(saved, Part.STATE, difference)

    def begin(self, run: RunContext) -> None:
        """Note that a part of the plan may be sent from here on."""
        run.store.plans.begin(self._saved.plan_id, run.run_id, self._by)

    def _refuse_other_account(self, plan: Plan) -> None:
        if plan.missing:
            names = ", ".join(str(thing) for thing in list(plan.missing)[:5])
            raise _stale(self._saved, Part.ACCOUNT, f"it has no more {names}")
        # Once the plan was begun, the fields it creates may exist already.
        if self._saved.state == "saved" and _new_fields(plan) != self._saved.basis["new_fields"]:
            raise _stale(self._saved, Part.ACCOUNT, "its custom fields are others")

    def _difference(self, ready: Ready) -> str | None:
        """How many leads are not as the saved plan has them, in words; None where all are.

        Where applying it was cut short, only leads that it has not sent anything to have to be as they were.
        """
        store, plan_id = ready.run.store, self._saved.plan_id
        others = untried = 0
        changes = planned_changes(store, ready.load, ready.plan, ready.others.unknown)
        for batch in batches(changes, BATCH):
            keys = [one.key for one in batch]
            saved = store.plans.changes_of(plan_id, keys)
            # A batch at a time: neither the plan nor the changes of a million leads are held.
            tried = store.plans.tried(plan_id, keys)
            for one in batch:
                planned = saved.get(one.key)
                if planned is not None and one.key in tried:
                    continue
                untried += 1
                others += planned is None or not one.saved().is_as(planned)
        # Leads of the plan that no change came up for: they are as wished by now, so somebody was faster.
        gone = max(0, store.plans.count_untried(plan_id) - (untried - others))
        if not others and not gone:
            return None
        return f"a run or somebody else has changed what is known of {max(others, gone):,} of its leads"


def _new_fields(plan: Plan) -> list[str]:
    return sorted(f"{new.identifier} {new.type} {len(new.options)}" for new in plan.new_fields)


def _stale(saved: SavedPlan, part: Part, reason: str) -> StalePlanError:
    return _stale_parts(saved, [(part, reason)])


def _stale_parts(saved: SavedPlan, parts: list[tuple[Part, str]]) -> StalePlanError:
    reasons = "; ".join(f"the {part} has moved: {reason}" for part, reason in parts)
    return StalePlanError(
        f"the plan {saved.plan_id} no longer holds: {reasons}. Nothing was sent; plan again"
    )
