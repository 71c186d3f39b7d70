"""Runs the accounts of a fleet side by side, in one process: a thread for each account.

One process, because 30 of them would each hold the same libraries, and because whose turn it is at the limit
of the App is then known. A thread waits for Kartra nearly all the time; what needs the processor and memory,
reading and comparing contacts, is done for few accounts at a time.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from connectors.errors import AccessRefusedError, ConfigError, SyncError
from connectors.kartra.sender import Sender
from connectors.kartra.shares import SharedLimiter
from pipelines.config.file import require_credentials
from pipelines.config.pipeline import PipelineConfig
from pipelines.config.server_state import ServerState
from pipelines.errors import SurroundingsError
from pipelines.fleet.fleet import Fleet, Member
from pipelines.fleet.mixed_up import refuse_mixed_up
from pipelines.fleet.one import named_in_fleet
from pipelines.verbs.account import limiter_of
from pipelines.verbs.notify import run_and_tell, tell_of_fault, tell_of_others
from pipelines.verbs.run import RunResult, run_pipeline
from pipelines.verbs.world import THIS_WORLD

log = logging.getLogger("kartra_sync.fleet")

ACCOUNTS_AT_ONCE = 64
"""More wait until one of these has ended."""
# Two, not one: while one of them waits for its database, the other can use the processor.
READING_AT_ONCE = 2
"""How many accounts read and compare contacts at a time: that is what takes memory and the processor."""
CHECKED_EVERY_S = 0.5


class ProgramError(SyncError):
    """A bug of ours, met by one account; its traceback is in the log."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one pipeline ended for one account. `config` None: the account has no pipelines, only faults."""

    account: str
    config: PipelineConfig | None = None
    result: RunResult | None = None
    error: SyncError | None = None

    @property
    def pipeline(self) -> str | None:
        return self.config.pipeline if self.config else None

    @property
    def stopped_by(self) -> SyncError | None:
        return self.error or (self.result.error if self.result else None)


Found = TypeVar("Found", bound=Outcome)


def run_fleet(
    fleet: Fleet,
    *,
    approved: bool = False,
    is_wanted: Callable[[str, PipelineConfig], bool] = lambda _account, _config: True,
    stopping: Callable[[], bool] = lambda: False,
    told: Callable[[Outcome], None] = lambda _: None,
) -> list[Outcome]:
    """Every pipeline of every account, in the order of the accounts. Nothing of one stops another one.

    `approved`: a person has agreed to what needs a word. `told` hears of each outcome as it comes, in this
    thread. After a stop each account settles its calls under way.
    """
    with Runner(approved=approved, stopping=stopping) as runner:
        work = _Work(fleet, is_wanted, stopping, runner)
        gone = [Outcome(left.name, error=left.error) for left in fleet.left]
        for each in gone:
            told(each)
        found = dict(each_member(fleet.members, work.run, told=told))
    return [*gone, *(outcome for member in fleet.members for outcome in found[member.name])]


def each_member(
    members: Iterable[Member],
    do: Callable[[Member], list[Found]],
    *,
    told: Callable[[Found], None] = lambda _: None,
    at_once: int = ACCOUNTS_AT_ONCE,
) -> Iterator[tuple[str, list[Found]]]:
    """What `do` gives for each account, in the order in which they end; small ones begin first."""
    # Among equal shares the small ones go first: they take minutes, and should not wait behind hours of
    # work.
    ordered = sorted(members, key=lambda member: (-member.account.share, size_of(member), member.name))
    with ThreadPoolExecutor(at_once, thread_name_prefix="account") as pool:
        left = {pool.submit(do, member): member for member in ordered}
        while left:
            # Not for ever: a signal is heard between two waits.
            ended, _ = wait(left, timeout=CHECKED_EVERY_S, return_when=FIRST_COMPLETED)
            for future in ended:
                member, found = left.pop(future), future.result()
                for outcome in found:
                    told(outcome)
                yield member.name, found


def size_of(member: Member) -> int:
    """Roughly how much an account has: the bytes of the files that it reads; those of queries are unknown."""
    return sum(_size(config) for config in member.pipelines)


def _size(config: PipelineConfig) -> int:
    path: Any = getattr(config.load.source.options, "path", None) if config.load else None
    try:
        return path.stat().st_size if isinstance(path, Path) else 0
    except OSError:
        return 0


class _Limiters:
    """One limiter for each App and endpoint, shared by all accounts of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._shared: dict[tuple[str, str, float, str], SharedLimiter] = {}

    def of(self, config: PipelineConfig, app_id: str) -> SharedLimiter:
        kartra = config.kartra
        server = config.state.dsn if isinstance(config.state, ServerState) else ""
        # Files that name another rate or server get a limiter of their own; the window of the App on this
        # host still counts the calls of all.
        key = (kartra.url, app_id, kartra.calls_per_second, server)
        with self._lock:
            if key not in self._shared:
                limiter = limiter_of(config, app_id)
                self._shared[key] = SharedLimiter(limiter)
            return self._shared[key]

    def close(self) -> None:
        for limiter in self._shared.values():
            limiter.close()


@dataclass(frozen=True, slots=True)
class _Work:
    fleet: Fleet
    is_wanted: Callable[[str, PipelineConfig], bool]
    stopping: Callable[[], bool]
    runner: "Runner"

    def run(self, member: Member) -> list[Outcome]:
        """All pipelines of one account, one after the other."""
        if member.error is not None:
            tell_of_faults(self.fleet, member, member.error)
            return [Outcome(member.name, error=member.error)]
        outcomes: list[Outcome] = []
        for config in member.pipelines:
            if self.stopping():
                break
            if not self.is_wanted(member.name, config):
                continue
            outcomes.append(self.runner.run_one(self.fleet, member, config))
            if isinstance(outcomes[-1].stopped_by, AccessRefusedError):
                break  # each further pipeline would be refused as well
        return outcomes


class Runner:
    """Runs pipelines of accounts, from any thread, within the one rate of their App.

    `approved`: a person has agreed to what needs a word.
    """

    def __init__(self, *, approved: bool, stopping: Callable[[], bool]) -> None:
        self._approved, self._stopping = approved, stopping
        self._limiters = _Limiters()
        self._turns = threading.BoundedSemaphore(READING_AT_ONCE)

    def __enter__(self) -> "Runner":
        return self

    def __exit__(self, *_: object) -> None:
        self._limiters.close()

    def run_one(self, fleet: Fleet, member: Member, config: PipelineConfig) -> Outcome:
        """One pipeline of one account; what goes wrong is its outcome."""
        try:
            with turn_to_read(self._turns) as has_read:
                work = partial(self._run_pipeline, fleet, member, config, has_read)
                result = run_and_tell(config, work, named=_named(fleet, member, config.pipeline))
        except SyncError as error:
            return Outcome(member.name, config, error=error)
        except (OSError, MemoryError) as error:
            return Outcome(member.name, config, error=SurroundingsError(error))
        except Exception:  # of one account: the others go on
            log.exception("a bug in kartra-sync, met by %s; please report it", member.name)
            return Outcome(member.name, config, error=ProgramError("a bug in kartra-sync"))
        return Outcome(member.name, config, result)

    def _run_pipeline(
        self, fleet: Fleet, member: Member, config: PipelineConfig, has_read: Callable[[], None]
    ) -> RunResult:
        world = replace(THIS_WORLD, open_client=partial(self._open_client, member.account.share, has_read))
        refuse_mixed_up(fleet, member.name, config, stopping=self._stopping, world=world)
        return run_pipeline(config, approved=self._approved, stopping=self._stopping, world=world)

    def _open_client(
        self,
        share: float,
        before_call: Callable[[], None],
        config: PipelineConfig,
        given_up: Callable[[], bool],
    ) -> Sender:
        credentials, kartra = require_credentials(config), config.kartra
        # Every account is a party of the App's one limiter, because a share only means something among
        # those that wait.
        limiter = self._limiters.of(config, credentials.app_id).account(share, before_call)
        return Sender(kartra.url, credentials, limiter, timeout_s=kartra.timeout_s, given_up=given_up)


def tell_of_faults(fleet: Fleet, member: Member, error: ConfigError, *, file: str | None = None) -> None:
    """That no pipeline of an account did run, or not that of `file`: something about the account is wrong."""
    for config in member.pipelines:
        if file in (None, config.path.name):
            tell_of_others(config, error, named=_named(fleet, member, config.pipeline))
    for watched in member.unread:
        if file in (None, watched.named):
            tell_of_fault(replace(watched, named=_named(fleet, member, watched.pipeline)), error)


def _named(fleet: Fleet, member: Member, pipeline: str) -> str:
    """How the pipeline of this account is named to the command that somebody is told to type."""
    return named_in_fleet(Path(fleet.file.path.name), fleet.file.target, member.name, pipeline)


@contextmanager
def turn_to_read(turns: threading.BoundedSemaphore) -> Iterator[Callable[[], None]]:
    """A turn to read and compare contacts, given up before the first call, or at the end.

    Whose calls are not answered does not keep the others from reading.
    """
    turns.acquire()
    is_held = [True]

    def give_up() -> None:
        # This runs before every call of the account; only the first gives up the turn.
        if is_held:
            is_held.clear()
            turns.release()

    try:
        yield give_up
    finally:
        give_up()
