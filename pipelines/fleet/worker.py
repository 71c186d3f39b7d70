"""`fleet worker`: one of many, on any host; the queue is procrastinate's, in the PostgreSQL of the states.

One job is one run of one pipeline for one account. Its lock keeps two of an account apart, its periodic tasks
look every minute what is due, and jobs of workers that do not beat any more are taken over. What a run does,
and that it goes on exactly after a kill, is the run's own matter.
"""

import asyncio
import logging
import os
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path
from typing import Any

from procrastinate import App, BaseRetryStrategy, PsycopgConnector, RetryDecision
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job, Status
from psycopg_pool import PoolTimeout

from connectors.errors import ConfigError, SyncError
from pipelines.config.fleet_file import FleetFile, read_fleet
from pipelines.config.server_state import ServerState, server_state
from pipelines.errors import GuardError, LockedError, StateError
from pipelines.fleet.fleet import Fleet, open_fleet
from pipelines.fleet.moments import Decision, decide, last_due
from pipelines.fleet.run import Outcome, Runner, tell_of_faults
from pipelines.shipped import read_sql

log = logging.getLogger("kartra_sync.fleet")

RUNS, LOOKS = "runs", "looks"
"""Two queues, so that what looks for due and for dead work finds a place beside runs that take hours."""
BEATS_EVERY_S = 5.0
DEAD_AFTER_S = 20.0
"""A worker that has not beaten for so long is dead: with the seconds below, and those after which its lease
of the state ends, its runs go on within a minute."""
LOOKS_FOR_DEAD = "* * * * * */5"
"""Every five seconds; the sixth field of cron is that of seconds."""
EVERY_MINUTE = "* * * * *"
LOCKED_AGAIN_S = 5
UNREADABLE_AGAIN_S = 30
MADE_WITHIN_S = 30
READ_AGAIN_AFTER_S = 30.0
"""How old accounts may be that were read: a key that was renewed in the keyring changes no file."""
STOP_ASKED_S = 0.2
RAISED = "P0001"
"""What a function of the queue says of a job that is not there any more."""


class AgainError(SyncError):
    """The run is to be tried again, by whichever worker is there: now, or in some seconds."""

    def __init__(self, message: str, after_s: int = 0) -> None:
        super().__init__(message)
        self.after_s = after_s


class _Again(BaseRetryStrategy):
    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        if not isinstance(exception, AgainError):
            return None
        return RetryDecision(retry_in={"seconds": exception.after_s})


@dataclass(slots=True)
class Source:
    """The fleet as its files have it now."""

    path: Path
    environ: Mapping[str, str]
    target: str | None
    files: str = ""
    """A hash of the files, which has to be the same for every worker."""
    _fleet: Fleet | None = None
    _read_at: float = 0.0

    def read(self) -> Fleet:
        """Raises ConfigError."""
        files = self._files()
        is_fresh = time.monotonic() - self._read_at < READ_AGAIN_AFTER_S
        if self._fleet is None or files != self.files or not is_fresh:
            self._fleet = open_fleet(self.path, self.environ, target=self.target)
            # Hashed once more: what was edited meanwhile may be in one and not in the other.
            self.files, self._read_at = self._files(), time.monotonic()
        return self._fleet

    def _files(self) -> str:
        named = [self.path]
        if self._fleet is not None:
            named += [pipeline.file for pipeline in self._fleet.file.config.pipelines]
            accounts = self._fleet.file.shared.accounts
            named += [accounts] if isinstance(accounts, Path) else []
        try:
            parts = [blake2b(path.read_bytes()).hexdigest() for path in named]
        except OSError as error:
            raise ConfigError(
                f"{self.path.name}: a file of the fleet cannot be read: {error.strerror}"
            ) from None
        return blake2b(" ".join(parts).encode(), digest_size=16).hexdigest()


def server_of(file: FleetFile) -> ServerState:
    """The server of the states and of the queue. Raises ConfigError."""
    written = file.shared.state or ""
    place = server_state(file.state_of("x")) if "://" in written else None
    if place is None:
        raise ConfigError(
            f"{file.path.name}: state: a worker needs postgresql://… for the states: a run goes on at another"
            " host, and a file is on one. On one machine cron runs the fleet: kartra-sync fleet run"
        )
    return place


def schema_of(file: FleetFile) -> str:
    """The schema of the queue; a fleet has one for each target."""
    parts = ("kartra_jobs", file.config.fleet, file.target)
    name = "_".join(part for part in parts if part).replace("-", "$")
    # Longer names are cut by the server: two fleets could share one queue.
    return name if len(name) <= 63 else f"{name[:46]}_{blake2b(name.encode(), digest_size=8).hexdigest()}"


@dataclass(slots=True)
class Worker:
    """`told` hears of each outcome, in a thread of its own run."""

    source: Source
    runner: Runner
    at_once: int
    stopping: Callable[[], bool]
    told: Callable[[Outcome], None]
    pool: ThreadPoolExecutor = field(init=False)
    app: App = field(init=False)
    ended_by: SyncError | None = None
    """Why this worker has to stop, although nobody asked it to."""

    def __post_init__(self) -> None:
        self.pool = ThreadPoolExecutor(self.at_once, thread_name_prefix="run")
        fleet = self.source.read()
        server = server_of(fleet.file)
        role = f" -c role={server.role}" if server.role else ""
        self.app = App(
            connector=PsycopgConnector(
                conninfo=server.dsn,
                kwargs={"options": f"-c search_path={schema_of(fleet.file)}{role}"},
                min_size=1,
                max_size=4,
            )
        )
        self._register()

    def work(self) -> None:
        """Until it is asked to stop; what runs settles its calls. Raises GuardError, StateError."""
        # Their logs have a traceback for every run that is to be tried again, and the address of the server.
        for name in ("procrastinate", "psycopg"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        try:
            asyncio.run(self._work())
        except (ConnectorException, PoolTimeout) as error:
            raise StateError(f"the queue of the fleet cannot be reached: {_reason(error)}") from None
        finally:
            self.pool.shutdown()
        if self.ended_by is not None:
            raise self.ended_by

    async def _work(self) -> None:
        # What the library could not write down of a job's end would leave the job held for ever.
        asyncio.get_running_loop().set_exception_handler(self._unheard)
        async with self.app.open_async():
            await self._set_up()
            working = asyncio.gather(self._take(RUNS, self.at_once), self._take(LOOKS, 2))
            while not working.done() and not self.stopping() and self.ended_by is None:
                await asyncio.sleep(STOP_ASKED_S)
            if working.done() and not self.stopping():
                self._end_by_loss()
            working.cancel()
            try:
                await working
            except asyncio.CancelledError:
                log.debug("the worker has ended")

    async def _take(self, queue: str, concurrency: int) -> None:
        await self.app.run_worker_async(
            queues=[queue],
            name=f"{socket.gethostname()}:{os.getpid()}",
            concurrency=concurrency,
            delete_jobs="successful",
            install_signal_handlers=False,
            update_heartbeat_interval=BEATS_EVERY_S,
            stalled_worker_timeout=DEAD_AFTER_S,
        )

    def _unheard(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """An error that nobody else hears of."""
        cause = getattr(context.get("exception"), "__cause__", None)
        if getattr(cause, "sqlstate", "") == RAISED:
            log.debug("a job was taken over and has ended elsewhere meanwhile")
        else:
            self._end_by_loss()

    def _end_by_loss(self) -> None:
        if self.ended_by is None:
            self.ended_by = StateError(
                "the connection to the queue of the fleet was lost, and this worker has ended: start it again"
            )

    async def _set_up(self) -> None:
        """The tables of the queue, where they are not there, and these files as those that count."""
        schema = schema_of(self.source.read().file)
        ends = time.monotonic() + MADE_WITHIN_S
        while True:
            try:
                await self._make_tables(schema)
                break
            except ConnectorException:
                # Another worker that began at the same moment is making them.
                if time.monotonic() > ends:
                    raise
            await asyncio.sleep(STOP_ASKED_S)
        made_by = await self._announce()
        if made_by != _library():
            raise ConfigError(
                f"the queue in the schema {schema} was made by procrastinate {made_by}, and {_library()} is"
                f' installed: with no worker running, DROP SCHEMA "{schema}" CASCADE; no state is in it'
            )

    async def _make_tables(self, schema: str) -> None:
        connector = self.app.connector
        await connector.execute_query_async(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
        if not await self._has_tables():
            await self.app.schema_manager.apply_schema_async()
        await connector.execute_query_async(read_sql("fleet/announced"))

    async def _has_tables(self) -> bool:
        row = await self.app.connector.execute_query_one_async(
            "SELECT to_regclass('procrastinate_jobs') IS NOT NULL AS found"
        )
        return bool(row["found"])

    async def _announce(self) -> str:
        row = await self.app.connector.execute_query_one_async(
            read_sql("fleet/announce"),
            files=self.source.files,
            library=_library(),
        )
        return str(row["library"])

    async def _fleet(self) -> Fleet:
        """The fleet as it is now. Raises AgainError where it cannot be read, or is not what counts."""
        before = self.source.files
        try:
            fleet = await asyncio.to_thread(self.source.read)
        except ConfigError as error:
            log.error("%s", error)
            raise AgainError(str(error), UNREADABLE_AGAIN_S) from error
        if self.source.files != before:
            await self._announce()
            return fleet
        row = await self.app.connector.execute_query_one_async("SELECT files FROM fleet_files")
        if row["files"] != before:
            self.ended_by = GuardError(
                f"{self.source.path.name}: a worker that began later has other files of this fleet: this one"
                " has stopped, for two would send what each of them says. Bring the files here to the same,"
                " and start it again"
            )
            raise AgainError(str(self.ended_by), LOCKED_AGAIN_S)
        return fleet

    def _register(self) -> None:
        """The tasks. Their names and arguments stand in the database: other versions read them, too."""

        def looks(name: str, act: Callable[..., Awaitable[None]], cron: str, lock: str | None) -> None:
            made = self.app.task(name=name, queue=LOOKS, lock=lock, queueing_lock=name)(act)
            self.app.periodic(cron=cron, periodic_id=name)(made)

        self.app.task(name="run", queue=RUNS, retry=_Again())(self._run)
        looks("dispatch", self._dispatch, EVERY_MINUTE, lock="dispatch")
        # What looks for the dead has no lock: a dead one would hold it.
        looks("take_over", self._take_over, LOOKS_FOR_DEAD, lock=None)

    async def _dispatch(self, timestamp: int) -> None:
        """Jobs for what is due. One worker at a time does it, by the clock of the database."""
        try:
            fleet = await self._fleet()
        except AgainError:
            return  # which is the next minute
        row = await self.app.connector.execute_query_one_async("SELECT now() AS now")
        found = await self.app.connector.execute_query_all_async(read_sql("fleet/moments"))
        last = {each["name"]: datetime.fromtimestamp(each["at"], UTC) for each in found}
        # A run that waits or goes on is not put behind itself: what was due meanwhile is made up once.
        is_open = {each["name"] for each in found if each["is_open"]}
        for member in fleet.members:
            for pipeline in fleet.file.config.pipelines:
                name = f"{member.name}/{pipeline.file.name}"
                try:
                    decision = decide(pipeline, last.get(name), row["now"])
                except ConfigError as error:  # of a file that was edited: the others go on
                    log.error("%s", error)
                    continue
                if decision is not None and name not in is_open:
                    await self._defer(name, member.name, pipeline.file.name, decision)

    async def _defer(self, name: str, account: str, file: str, decision: Decision) -> None:
        moment = int(decision.at.timestamp())
        job = self.app.tasks["run"].configure(
            # Of the account: its pipelines run one after the other, in their order.
            lock=f"account {account}" if decision.is_run else None,
            task_kwargs={"account": account, "file": file, "is_run": decision.is_run, "timestamp": moment},
        )
        await job.job_manager.defer_periodic_job(job=job.job, periodic_id=name, defer_timestamp=moment)

    async def _take_over(self, timestamp: int) -> None:
        """Jobs of dead workers go back into the queue.

        Two that do it at once may give one job to two workers: the lease of the state lets one of them run.
        """
        manager = self.app.job_manager
        for job in await manager.get_stalled_jobs(seconds_since_heartbeat=DEAD_AFTER_S):
            if job.task_name != "run":  # it comes again by itself
                await manager.finish_job(job, Status.FAILED, delete_job=True)
                continue
            log.warning("%s: its worker is gone, and it is taken over", job.task_kwargs.get("account"))
            await manager.retry_job(job)

    async def _run(self, account: str, file: str, is_run: bool, timestamp: int) -> None:
        if not is_run:
            return  # the moment is noted, and that was all
        fleet = await self._fleet()
        loop = asyncio.get_running_loop()
        outcome = await loop.run_in_executor(self.pool, self._run_one, fleet, account, file)
        if isinstance(outcome.stopped_by, LockedError):
            raise AgainError(str(outcome.stopped_by), LOCKED_AGAIN_S)
        if outcome.result is not None and outcome.result.status == "interrupted":
            raise AgainError(f"{account}: stopped with its worker")

    def _run_one(self, fleet: Fleet, account: str, file: str) -> Outcome:
        outcome = self._outcome(fleet, account, file)
        if not isinstance(outcome.stopped_by, LockedError):
            self.told(outcome)
        return outcome

    def _outcome(self, fleet: Fleet, account: str, file: str) -> Outcome:
        for member in fleet.members:
            if member.name != account:
                continue
            if member.error is not None:
                tell_of_faults(fleet, member, member.error, file=file)
                return Outcome(account, error=member.error)
            for config in member.pipelines:
                if config.path.name == file:
                    return self.runner.run_one(fleet, member, config)
        return Outcome(account, error=ConfigError(f"{file} is not in the fleet any more: nothing was run"))


def _library() -> str:
    """The version of procrastinate, as far as its tables may differ."""
    return ".".join(version("procrastinate").split(".")[:2])


def _reason(error: Exception) -> str:
    """Without what the driver says: it may name the user and the host."""
    return type(error.__cause__ or error).__name__


def _refuse_what_never_runs(file: FleetFile) -> None:
    """Raises ConfigError for a schedule that cannot be read, where there is none, and for states in files."""
    server_of(file)
    if all(pipeline.schedule is None for pipeline in file.config.pipelines):
        raise ConfigError(
            f"{file.path.name}: pipelines: none has a schedule, and a worker would wait for ever:"
            ' {file: …, schedule: "0 2 * * *", zone: Europe/Vienna}'
        )
    for pipeline in file.config.pipelines:
        last_due(pipeline, datetime.now(UTC))


def start_worker(
    path: Path,
    environ: Mapping[str, str],
    target: str | None,
    *,
    at_once: int,
    approved: bool,
    stopping: Callable[[], bool],
    told: Callable[[Outcome], None],
) -> None:
    """Work until asked to stop. Raises ConfigError, GuardError, StateError."""
    _refuse_what_never_runs(read_fleet(path, environ, target))
    with Runner(approved=approved, stopping=stopping) as runner:
        Worker(Source(path, environ, target), runner, at_once, stopping, told).work()
