"""Tells people and monitoring how a run ended: notices, pings, figures. None of it can fail a run."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from connectors.errors import ConfigError, SyncError
from connectors.privacy import mask_text
from pipelines.config.notify import NotifyConfig
from pipelines.config.pipeline import PipelineConfig
from pipelines.config.watched import Watched, watched_in
from pipelines.errors import LockedError, StalePlanError
from pipelines.state.clock import new_run_id
from pipelines.state.health import EVERY_CHANNEL, Health
from pipelines.state.place import is_there
from pipelines.state.store import Store
from pipelines.summary import Summary
from pipelines.verbs.channels import ping, send
from pipelines.verbs.metrics import write_metrics
from pipelines.verbs.notices import Attempt, Notice, next_notice
from pipelines.verbs.run import RunResult
from pipelines.verbs.saved_plans import apply_plan
from pipelines.verbs.unreached import Kept, Unreached
from pipelines.verbs.work import REFUSED, Caller

log = logging.getLogger("kartra_sync.notify")

MAX_OWED_CHARS = 4_000
"""How much of what a channel has missed is kept for it: one may be broken for years."""
DIED = "a run ended without a word (killed, or the machine went down)"


def run_and_tell(
    config: PipelineConfig,
    run: Callable[[], RunResult],
    *,
    named: str = "",
    unsaid: tuple[type[SyncError], ...] = (),
) -> RunResult:
    """The run; whoever is to know hears how it ended, also where it could not begin.

    `named`: how the pipeline is named to other verbs, where that is not by its file. `unsaid`: why it may not
    begin without anybody hearing of it but who asked for it.
    """
    watched = Watched.of(config, named)
    ping(config.notify, "/start")
    try:
        result = run()
    except LockedError:  # the other run says how it ended
        raise
    except unsaid:
        raise
    except SyncError as error:
        tell(watched, attempt_to(watched, error), has_begun=False)
        raise
    except Exception:
        tell(watched, attempt_to(watched, SyncError("stopped by an error of the program's own")))
        raise
    tell(watched, attempt_of(watched, result), summary=result.summary, died=result.died)
    return result


def apply_and_tell(
    config: PipelineConfig, plan_id: str, caller: Caller, *, max_age: timedelta | None = None, by: str = ""
) -> RunResult:
    """A saved plan, sent as `apply_plan` sends it, and told as a run is: on a page nobody may be watching.

    A plan that no longer holds is no trouble of the pipeline's: who asked for it hears that.
    """
    return run_and_tell(
        config,
        partial(apply_plan, config, plan_id, caller, max_age=max_age, by=by),
        unsaid=(ConfigError, StalePlanError),
    )


def attempt_to(watched: Watched, error: SyncError) -> Attempt:
    """One that could not begin."""
    status = "refused" if isinstance(error, REFUSED) else "failed"
    return Attempt(watched.pipeline, watched.named, status, str(error), account=watched.account)


def attempt_of(watched: Watched, result: RunResult) -> Attempt:
    return Attempt(
        watched.pipeline,
        watched.named,
        result.status,
        result.message or "",
        _figures(result.summary),
        watched.account,
        refused=result.new_refusals,
        has_refused=result.summary.counts.refused > 0,
    )


def tell(
    watched: Watched,
    attempt: Attempt,
    *,
    summary: Summary | None = None,
    has_begun: bool = True,
    died: int = 0,
) -> None:
    """Keep how the pipeline is, and tell it where that is news. `died`: runs before it, killed as it now
    shows."""
    now = datetime.now(UTC)
    is_asked_for = watched.notify is not None or watched.metrics is not None
    with _never_failing("how the run ended could not be told"):
        # A mistake in a first file makes no state; a source that is down on the first night does.
        if is_asked_for or (not has_begun and (attempt.status == "failed" or _may_be_noted(watched))):
            dead = replace(attempt, status="failed", message=DIED, figures="")
            _keep_and_tell(watched, [dead] * died + [attempt], now, summary, has_begun=has_begun)
    # Refused leads are not an outage: a heartbeat is about whether runs take place and finish.
    ended = {"succeeded": "", "partial": "", "failed": "/fail", "refused": "/fail"}
    if attempt.status in ended:
        ping(watched.notify, ended[attempt.status])


def _may_be_noted(watched: Watched) -> bool:
    try:
        return is_there(watched.state)
    except SyncError:  # a server that is down: noted beside the file until it is back
        return True


def tell_of_late(config: PipelineConfig, max_age: timedelta, *, named: str = "") -> None:
    """Once, until a run ends well again: no run has ended well for so long."""
    watched = Watched.of(config, named)
    hours = max_age.total_seconds() / 3600
    message = f"No run has ended well in the last {hours:g} hours."
    tell(watched, Attempt(config.pipeline, watched.named, "late", message, account=watched.account))


def tell_of_failure(config: PipelineConfig, error: SyncError) -> None:
    """That it cannot be said how a pipeline is. No run was tried, so there is no row."""
    watched = Watched.of(config)
    tell(watched, attempt_to(watched, error))


def tell_of_unreadable(file: Path, error: ConfigError, environ: Mapping[str, str]) -> None:
    """Of a pipeline whose file has a fault, as far as the file still says who is to hear of it."""
    with _never_failing("nobody could be told"):
        watched = watched_in(file, environ)
        if watched is not None:
            tell_of_fault(watched, error)


def tell_of_fault(watched: Watched, error: ConfigError) -> None:
    """That a pipeline did not run, because its file cannot be read."""
    tell(watched, attempt_to(watched, error), has_begun=False)


def tell_of_others(config: PipelineConfig, error: SyncError, *, named: str = "") -> None:
    """That a pipeline did not run, because of something that it shares with others: a file of the same
    command, or an account."""
    watched = Watched.of(config, named)
    tell(watched, attempt_to(watched, ConfigError(f"it did not begin: {error}")), has_begun=False)


def _keep_and_tell(
    watched: Watched, attempts: list[Attempt], now: datetime, summary: Summary | None, *, has_begun: bool
) -> None:
    last, unreached = attempts[-1], Unreached(watched)
    with _state_of(watched) as store:
        if not has_begun:
            kept = Kept(new_run_id(now), now.isoformat(), watched.mode, last.status, mask_text(last.message))
            unreached.add(kept)
        if store is not None:
            for kept in unreached.attempts:
                store.runs.attempt(
                    kept.run_id, watched.pipeline, kept.mode, kept.status, kept.message, kept.at
                )
        if watched.notify is not None:
            _tell_people(watched.notify, store, unreached, attempts, now)
        if store is not None:
            unreached.clear()
        else:
            unreached.write()
        # Lateness is found by a check, not by a run: the last run's figures stay as they are.
        if watched.metrics is not None and last.status != "late":
            write_metrics(watched, watched.metrics, last.status, summary, store)


def _tell_people(
    notify: NotifyConfig,
    store: Store | None,
    unreached: Unreached,
    attempts: list[Attempt],
    now: datetime,
) -> None:
    pipeline = attempts[-1].pipeline
    # What was kept beside the file is the later one: it was written while the state could not be reached.
    before = unreached.health or (store.health.of(pipeline) if store is not None else None)
    health, notice = before, None
    for attempt in attempts:
        health, news = next_notice(health, attempt, now, notify.on)
        notice = news or notice
    if health is None:
        return

    def keep(unsent: Mapping[str, str]) -> None:
        kept = replace(health, unsent=unsent)
        if store is not None:
            store.health.keep(pipeline, kept)
        else:
            unreached.health = kept
            unreached.write()

    owed = {place: each for place in range(len(notify.to)) if (each := _owed(health, place, notice))}
    unsent = {str(place): each.text for place, each in owed.items()}
    keep(unsent)  # before it leaves: after a kill it is not told a second time by every run
    taken = send(notify, owed) if owed else set()
    if taken:
        keep({place: text for place, text in unsent.items() if int(place) not in taken})


def _owed(health: Health, place: int, notice: Notice | None) -> Notice | None:
    """What a channel is to be sent now: the news, and what could not be told to it before."""
    before = health.unsent.get(str(place)) or health.unsent.get(EVERY_CHANNEL)
    if before is None:
        return notice
    title, _, body = before.partition("\n")
    if notice is None:
        return Notice(title, body)
    return Notice(notice.title, f"{notice.body}\nNot delivered before:\n{before[:MAX_OWED_CHARS]}")


@contextmanager
def _state_of(watched: Watched) -> Iterator[Store | None]:
    """None where the state cannot be opened: then it is kept beside the file until it can."""
    try:
        store = Store(watched.state)
    except SyncError as error:
        log.info("the state could not be opened to note how the run ended: %s", mask_text(str(error)))
        yield None
        return
    with store:
        yield store


@contextmanager
def _never_failing(what: str) -> Iterator[None]:
    try:
        yield
    except (SyncError, OSError, ValueError) as error:
        log.warning("%s: %s", what, mask_text(str(error)))


def _figures(summary: Summary) -> str:
    counts = summary.counts
    words = [
        (counts.leads["created"], "created"),
        (counts.leads["edited"], "edited"),
        (counts.leads["rejected"], "refused"),
        (counts.invalid, "invalid"),
        (counts.leads["parked"], "parked"),
        (counts.leads["deferred"], "waiting for the next run"),
        (counts.sent, "calls sent"),
    ]
    return ", ".join(f"{count:,} {word}" for count, word in words if count)
