"""Tells people and monitoring how a run ended: notices, pings, figures. None of it can fail a run."""

import importlib
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import requests

from connectors.errors import ConfigError, SyncError
from connectors.privacy import mask_text
from pipelines.config.notify import NotifyConfig
from pipelines.config.pipeline import PipelineConfig
from pipelines.errors import LockedError
from pipelines.state.clock import new_run_id
from pipelines.state.health import Health
from pipelines.state.place import is_there
from pipelines.state.store import Store
from pipelines.summary import Summary
from pipelines.verbs.metrics import write_metrics
from pipelines.verbs.notices import Attempt, Notice, next_notice
from pipelines.verbs.run import RunResult
from pipelines.verbs.work import REFUSED

log = logging.getLogger("kartra_sync.notify")

CHANNELS_WAIT_S = 30.0
"""A run's end waits so long for all channels together; what has not left by then counts as not sent."""
PING_TIMEOUT_S = 5.0
MISSING = "notify needs a library that is not installed: pip install 'kartra-sync[notify]'"


def run_and_tell(config: PipelineConfig, run: Callable[[], RunResult]) -> RunResult:
    """The run; whoever is to know hears how it ended, also where it could not begin."""
    ping(config, "/start")
    try:
        result = run()
    except LockedError:  # the other run says how it ended
        raise
    except SyncError as error:
        status = "refused" if isinstance(error, REFUSED) else "failed"
        tell(config, Attempt(config.pipeline, config.path.name, status, str(error)), has_begun=False)
        raise
    except Exception:
        message = "stopped by an error of the program's own"
        tell(config, Attempt(config.pipeline, config.path.name, "failed", message))
        raise
    tell(config, attempt_of(config, result), summary=result.summary)
    return result


def attempt_of(config: PipelineConfig, result: RunResult) -> Attempt:
    return Attempt(
        config.pipeline,
        config.path.name,
        result.status,
        result.message or "",
        _figures(result.summary),
        config.kartra.account or "",
    )


def tell(
    config: PipelineConfig, attempt: Attempt, *, summary: Summary | None = None, has_begun: bool = True
) -> None:
    """Keep how the pipeline is, and tell it where that is news."""
    now = datetime.now(UTC)
    is_asked_for = config.notify is not None or config.metrics is not None
    if is_asked_for or (not has_begun and is_there(config.state)):  # else the state is not opened for it
        with _never_failing("how the run ended could not be told"), _state_of(config) as store:
            if not has_begun and store is not None:
                _note_attempt(store, config, attempt, now)
            if config.notify is not None:
                _tell_people(config.notify, store, attempt, now)
            # Lateness is found by a check, not by a run: the last run's figures stay as they are.
            if config.metrics is not None and attempt.status != "late":
                write_metrics(config, config.metrics, attempt.status, summary, store)
    # Refused leads are not an outage: a heartbeat is about whether runs take place and finish.
    ended = {"succeeded": "", "partial": "", "failed": "/fail", "refused": "/fail"}
    if attempt.status in ended:
        ping(config, ended[attempt.status])


def tell_of_late(config: PipelineConfig, max_age: timedelta) -> None:
    """Once, until a run ends well again: no run has ended well for so long."""
    hours = max_age.total_seconds() / 3600
    message = f"No run has ended well in the last {hours:g} hours."
    account = config.kartra.account or ""
    tell(config, Attempt(config.pipeline, config.path.name, "late", message, account=account))


def ping(config: PipelineConfig, suffix: str) -> None:
    """Ask the address of a heartbeat service, as healthchecks.io has it: /start, nothing, /fail."""
    if config.notify is None or config.notify.ping is None:
        return
    address = config.notify.ping.get_secret_value()
    try:
        requests.get(address.rstrip("/") + suffix, timeout=PING_TIMEOUT_S, allow_redirects=False)
    except requests.RequestException as error:
        host = urlsplit(address).hostname
        log.warning("the ping to %s did not arrive (%s)", host, type(error).__name__)


def check_channels(config: PipelineConfig) -> None:
    """Raises ConfigError where a library is missing or an address is none that it knows."""
    if config.notify is None or not config.notify.to:
        return
    try:
        apprise = importlib.import_module("apprise")
    except ImportError:
        raise ConfigError(f"{config.path}: {MISSING}") from None
    for place, channel in enumerate(config.notify.to):
        if apprise.Apprise.instantiate(channel.get_secret_value(), suppress_exceptions=True) is None:
            raise ConfigError(
                f"{config.path}: notify.to[{place}] is no address that apprise knows"
                f" ({urlsplit(channel.get_secret_value()).scheme}://…)"
            )


def _note_attempt(store: Store, config: PipelineConfig, attempt: Attempt, now: datetime) -> None:
    message, mode = mask_text(attempt.message), config.kartra.mode
    store.runs.attempt(new_run_id(now), config.pipeline, mode, attempt.status, message)


def _tell_people(notify: NotifyConfig, store: Store | None, attempt: Attempt, now: datetime) -> None:
    before = store.health.of(attempt.pipeline) if store is not None else None
    health, notice = next_notice(before, attempt, now, notify.on)
    if health is None:
        return
    unsent = _with_unsent(notice, health)
    if store is not None:  # before it leaves: after a kill it is not told a second time by every run
        store.health.keep(attempt.pipeline, replace(health, unsent=unsent.text if unsent else None))
    if unsent is None or (notify.to and not _send(notify, unsent)):
        return
    if store is not None:
        store.health.keep(attempt.pipeline, replace(health, unsent=None))


def _with_unsent(notice: Notice | None, health: Health) -> Notice | None:
    """What is to be sent now: the news, and what could not be told before."""
    if not health.unsent:
        return notice
    title, _, body = health.unsent.partition("\n")
    if notice is None:
        return Notice(title, body)
    return Notice(notice.title, f"{notice.body}\nNot delivered before:\n{health.unsent}")


def _send(notify: NotifyConfig, notice: Notice) -> bool:
    """Whether at least one channel took it. Each that did not is named by its kind and host."""
    try:
        apprise = importlib.import_module("apprise")  # of the optional group, and slow to start
    except ImportError:
        log.warning("%s", MISSING)
        return False
    logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its lines may hold addresses with secrets
    taken: list[bool] = []
    # A daemon: a mail server that never answers must not keep the process from ending.
    sending = threading.Thread(target=_send_each, args=(apprise, notify, notice, taken), daemon=True)
    sending.start()
    sending.join(CHANNELS_WAIT_S)
    return any(taken)


def _send_each(apprise: object, notify: NotifyConfig, notice: Notice, taken: list[bool]) -> None:
    for channel in notify.to:
        address = channel.get_secret_value()
        sender = apprise.Apprise()  # type: ignore[attr-defined] # it bears no types
        is_taken = bool(sender.add(address)) and bool(sender.notify(title=notice.title, body=notice.body))
        if not is_taken:
            log.warning(
                "a notice could not be delivered by %s://…; it goes with the next one", _kind(address)
            )
        taken.append(is_taken)


def _kind(address: str) -> str:
    return urlsplit(address).scheme


@contextmanager
def _state_of(config: PipelineConfig) -> Iterator[Store | None]:
    """None where the state cannot be opened: then it is told without a memory of what was told before."""
    try:
        store = Store(config.state)
    except SyncError:
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
