"""The limit as the server counts it. Threads, processes, kills, accounts, Apps, clocks.

Every scene is a sandbox of its own with 300 ms latency, and real clients in processes of their own that
send as fast as they get permits until the server has seen enough calls.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from connectors.kartra import commands
from connectors.kartra.answers import Effect
from connectors.kartra.commands import Call, Lead
from connectors.kartra.limiter import limiter_for
from connectors.kartra.sandbox import Account, ReceivedCall, Sandbox
from connectors.kartra.sender import Sender
from connectors.kartra.wire import Credentials
from tests.campaigns.tally import Tally

ROOT = Path(__file__).parents[2]
LOCKS = Path("/proc/locks")
RATE = 20
LATENCY_S = 0.3
THREADS = 8
WITHIN_S = 120.0
"""No scene takes so long, unless somebody waits for ever."""


@dataclass(frozen=True)
class Size:
    """How much is played, and what must hold.

    The small size shares its machine with other tests, and on a busy machine a call can be so long on its
    way that the server counts 21: there a few calls may be refused, a scene that fails is played once more,
    and the share is that of the time outside the pauses after a 429. The full size is strict.
    """

    calls: int  # of an App in a scene
    beside: int  # scenes at a time
    tries: int
    over: int  # calls an App may have refused in a scene
    pause_s: float  # what a refused call may cost everyone
    share: float  # of the rate, at least
    share_with_kills: float  # a killed process takes the permits with it that it had and did not use


SIZES = {
    "small": Size(calls=160, beside=2, tries=2, over=6, pause_s=1.5, share=0.90, share_with_kills=0.75),
    "full": Size(calls=600, beside=1, tries=1, over=0, pause_s=0.0, share=0.97, share_with_kills=0.85),
}


@dataclass(frozen=True)
class Measure:
    """What the server saw of one scene.

    `worst_second` counts refused calls too: accepted ones are never more than 20. `share` is of the rate
    the App allows: accepted calls after the first by the time they took. `least` is of an equal share: what
    the process got that got least. Of two Apps the worse one stands here.
    """

    scene: str
    calls: int = 0
    throttled: int = 0
    worst_second: int = 0
    share: float | None = None
    span_s: float = 0.0
    least: float | None = None
    kills: int = 0
    kills_with_lock: int = 0
    skipped: str | None = None
    failures: tuple[str, ...] = ()

    def tally(self) -> Tally:
        """Calls over the floor are those that were refused: they had to be sent again."""
        name = f"limiter: {self.scene}" + (f" (skipped: {self.skipped})" if self.skipped else "")
        return Tally(
            name,
            kills=self.kills,
            calls_over_floor=self.throttled,
            worst_second=self.worst_second,
            share=self.share,
            failures=self.failures,
        )


def play(size: Literal["small", "full"], seed: int, folder: Path) -> list[Tally]:
    """A line of the table for each scene. The small size takes under a minute, the full one about four."""
    return [measure.tally() for measure in measures(size, seed, folder)]


def measures(size: Literal["small", "full"], seed: int, folder: Path) -> list[Measure]:
    """The scenes in the order below, with all their figures."""
    wanted = SIZES[size]

    def measured(place: int) -> Measure:
        name = list(SCENES)[place]
        for number in range(1, wanted.tries + 1):
            room = folder / f"scene{place}-{number}"
            room.mkdir(parents=True)
            measure = SCENES[name](name, wanted, random.Random(f"{seed} {name}"), room)
            if not measure.failures:
                break
        return measure

    with ThreadPoolExecutor(wanted.beside) as pool:
        return list(pool.map(measured, range(len(SCENES))))


# --- a process of the scene


@dataclass(frozen=True)
class Job:
    """What a process is to do. One that only asks takes permits as fast as it can and makes no call."""

    url: str
    app_id: str
    api_key: str = field(repr=False)
    api_password: str = field(repr=False)
    lead: str = ""
    threads: int = THREADS
    only_asks: bool = False


def work() -> None:
    """The body of a process: a job on stdin, then a line to begin, then the end of stdin to stop."""
    job = Job(**json.loads(sys.stdin.readline()))
    stop = threading.Event()
    limiter = limiter_for(job.url, job.app_id, calls_per_second=RATE)
    credentials = Credentials(job.app_id, job.api_key, job.api_password)
    client = Sender(job.url, credentials, limiter, given_up=stop.is_set)
    call = Call((commands.assign_tag("VIP"),), Lead(email=job.lead))
    clocks: set[float] = set()

    def send_on() -> int:
        undone = 0
        while not stop.is_set():
            answer = client.send(call)
            undone += answer.effect is not Effect.DONE and not stop.is_set()
            clocks.add(time.time() - time.monotonic())
        return undone

    def ask_on() -> int:
        while not stop.is_set():
            limiter.acquire(timeout_s=0.0002)
        return 0

    print("ready", flush=True)
    sys.stdin.readline()
    with ThreadPoolExecutor(job.threads) as pool:
        senders = [pool.submit(ask_on if job.only_asks else send_on) for _ in range(job.threads)]
        sys.stdin.read()
        stop.set()
        undone = sum(sender.result() for sender in senders)
    client.close()
    stepped_s = max(clocks) - min(clocks) if clocks else 0.0
    print(json.dumps({"sent": client.counts.sent, "undone": undone, "stepped_s": stepped_s}))


WORK = "from tests.campaigns.limiter import work; work()"
WORK_FAKED = f"""
import select, time
# libfaketime 0.9.10 makes time.sleep of Python 3.11 fail when it leaves CLOCK_MONOTONIC alone (its issue 426)
time.sleep = lambda seconds: select.select([], [], [], seconds) and None
{WORK}
"""


@dataclass
class Crew:
    """The processes of one scene."""

    sandbox: Sandbox
    folder: Path
    environ: dict[str, str] = field(default_factory=dict)
    script: str = WORK
    alive: list["subprocess.Popen[str]"] = field(default_factory=list)
    lead_of: dict[int, str] = field(default_factory=dict)

    def start(self, account: Account, **changes: Any) -> "subprocess.Popen[str]":
        """A process for this account, which waits to be told to begin. It acts on a lead of its own."""
        lead = f"process{len(self.lead_of)}@example.org"
        with self.sandbox.lock:
            account.add_lead(lead)
        job = Job(
            self.sandbox.url, account.app_id, account.api_key, account.api_password, lead=lead, **changes
        )
        process = subprocess.Popen(
            [sys.executable, "-c", self.script],
            cwd=ROOT,
            env={**os.environ, "KARTRA_SYNC_PACING": str(self.folder), **self.environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.alive.append(process)
        self.lead_of[process.pid] = lead
        _tell(process, json.dumps(asdict(job)))
        return process

    def begin(self, processes: Sequence["subprocess.Popen[str]"]) -> None:
        """Tell them to begin once all are ready."""
        for process in processes:
            if process.stdout is None or process.stdout.readline() != "ready\n":
                raise RuntimeError("a process of the scene did not start")
        for process in processes:
            _tell(process, "begin")

    def kill(self, process: "subprocess.Popen[str]") -> None:
        """kill -9, also of a stopped process."""
        self.alive.remove(process)
        process.kill()
        process.communicate()

    def stop(self) -> dict[str, dict[str, Any]]:
        """What each process that lived to the end has counted, by its lead."""
        for process in self.alive:
            if process.stdin is not None:
                process.stdin.close()
                process.stdin = None  # communicate() would flush it
        told = {self.lead_of[each.pid]: each.communicate(timeout=WITHIN_S)[0] for each in self.alive}
        self.alive.clear()
        return {lead: json.loads(words.splitlines()[-1]) for lead, words in told.items()}

    def wait_for_calls(self, count: int, **app: str) -> None:
        """Until the server has seen so many calls of every App named, or of all together."""
        wait_for(lambda: len(_received(self.sandbox, **app)) >= count, f"{count} calls")


@contextmanager
def crew(
    folder: Path,
    accounts: Sequence[Account],
    *,
    environ: dict[str, str] | None = None,
    script: str = WORK,
    way_jitter_s: float = 0.0,
) -> Iterator[Crew]:
    """A sandbox with these accounts and nobody at work yet; nothing outlives it."""
    first, *others = accounts
    with Sandbox(first, others=others, latency_s=LATENCY_S, way_jitter_s=way_jitter_s) as sandbox:
        opened = Crew(sandbox, folder, environ or {}, script)
        try:
            yield opened
        finally:
            for process in list(opened.alive):
                opened.kill(process)


def wait_for(promise: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not promise():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come within {WITHIN_S:.0f} s")
        time.sleep(0.02)


def an_account(**given: str) -> Account:
    return Account(**given, tags=["VIP"])  # type: ignore[arg-type]


def _tell(process: "subprocess.Popen[str]", words: str) -> None:
    if process.stdin is not None:
        process.stdin.write(f"{words}\n")
        process.stdin.flush()


def _received(sandbox: Sandbox, app_id: str | None = None) -> list[ReceivedCall]:
    return [call for call in sandbox.calls if call.app_id and app_id in (None, call.app_id)]


# --- what the server saw


def app_seen(scene: str, opened: Crew, account: Account, size: Size, equals: Sequence[str]) -> Measure:
    """One App of a scene. `equals`: the leads of processes that were to get the same."""
    calls = _received(opened.sandbox, account.app_id)
    first = calls[: size.calls]
    accepted = [call.at for call in first if call.executed]
    by_lead = Counter(_lead(call) for call in first if call.executed)
    least = min((by_lead[lead] for lead in equals), default=0) * len(equals) / len(accepted)
    span_s = max(accepted) - min(accepted)
    return Measure(
        scene,
        calls=len(calls),
        throttled=sum(call.http_status == 429 for call in calls),
        worst_second=opened.sandbox.worst_second(account.app_id),
        share=(len(accepted) - 1) / (RATE * span_s),
        span_s=span_s,
        least=least if equals else None,
    )


def judged(seen: Measure, size: Size, share: float, *, also: Sequence[str] = ()) -> Measure:
    """With a sentence for each thing that does not hold."""
    failures = list(also)
    if seen.throttled > size.over:
        failures.append(f"{seen.throttled} calls were refused, at most {size.over} may be")
    if seen.worst_second > RATE + size.over:
        failures.append(f"{seen.worst_second} calls reached the server within a second")
    pauses_s = min(size.pause_s * seen.throttled, seen.span_s / 2)
    reached = (seen.share or 0.0) * seen.span_s / (seen.span_s - pauses_s)
    if reached < share:
        failures.append(f"{reached:.3f} of the rate was used, less than {share}")
    if seen.least is not None and seen.least < 0.5:
        failures.append(f"a process got {seen.least:.2f} of an equal share")
    return replace(seen, failures=tuple(failures))


def counts_differ(opened: Crew, told: dict[str, dict[str, Any]]) -> list[str]:
    """What processes counted against what the server saw of them."""
    received = Counter(_lead(call) for call in _received(opened.sandbox))
    undone = sum(counts["undone"] for counts in told.values())
    wrong = [f"{undone} calls had no good answer"] if undone else []
    if any(counts["sent"] != received[lead] for lead, counts in told.items()):
        wrong.append("a process counted other calls than the server saw of it")
    return wrong


def _lead(call: ReceivedCall) -> str:
    form = call.form.get("lead")
    return str(form.get("email")) if isinstance(form, dict) else ""


# --- the scenes

Scene = Callable[[str, Size, random.Random, Path], Measure]


def threads_of_one_process(name: str, size: Size, chance: random.Random, folder: Path) -> Measure:
    account = an_account()
    with crew(folder, [account]) as opened:
        opened.begin([opened.start(account, threads=12)])
        opened.wait_for_calls(size.calls)
        told = opened.stop()
        seen = app_seen(name, opened, account, size, [])
    return judged(seen, size, size.share, also=counts_differ(opened, told))


def on_an_uneven_way(way_jitter_s: float, size: Size, folder: Path) -> Measure:
    """The threads of one process, whose calls take 0 to so many seconds to arrive. Nothing is judged."""
    account = an_account()
    with crew(folder, [account], way_jitter_s=way_jitter_s) as opened:
        opened.begin([opened.start(account, threads=12)])
        opened.wait_for_calls(size.calls)
        opened.stop()
        return app_seen(f"{way_jitter_s * 1000:g} ms of jitter", opened, account, size, [])


def four_processes(name: str, size: Size, chance: random.Random, folder: Path) -> Measure:
    return _equal_processes(name, size, folder, [an_account()], each=4)


def two_accounts_of_an_app(name: str, size: Size, chance: random.Random, folder: Path) -> Measure:
    accounts = [an_account(), an_account(api_key="SECONDKEY", api_password="SECONDPASS")]
    return _equal_processes(name, size, folder, accounts, each=2)


def two_apps(name: str, size: Size, chance: random.Random, folder: Path) -> Measure:
    accounts = [an_account(), an_account(app_id="SECONDAPP")]
    return _equal_processes(name, size, folder, accounts, each=2)


def _equal_processes(
    name: str, size: Size, folder: Path, accounts: Sequence[Account], *, each: int
) -> Measure:
    """So many processes for each account, all from the same moment to the same end."""
    with crew(folder, accounts) as opened:
        started = [(account, opened.start(account)) for account in accounts for _ in range(each)]
        opened.begin([process for _, process in started])
        apps = {account.app_id: account for account in accounts}
        for app_id in apps:
            opened.wait_for_calls(size.calls, app_id=app_id)
        told = opened.stop()
        seen = []
        for app_id, account in apps.items():
            equals = [opened.lead_of[process.pid] for of, process in started if of.app_id == app_id]
            seen.append(app_seen(name, opened, account, size, equals))
    return judged(_worse(seen), size, size.share, also=counts_differ(opened, told))


def _worse(seen: Sequence[Measure]) -> Measure:
    slower = min(seen, key=lambda each: each.share or 0.0)
    return replace(
        slower,
        calls=sum(each.calls for each in seen),
        throttled=max(each.throttled for each in seen),
        worst_second=max(each.worst_second for each in seen),
        least=min(each.least or 0.0 for each in seen),
    )


def processes_that_die(name: str, size: Size, chance: random.Random, folder: Path) -> Measure:
    """Four processes; again and again one dies at a seeded moment and another one starts in its place.

    They die at work, after having been stopped for a moment, and while they hold the window's lock.
    """
    if not LOCKS.exists():
        return Measure(name, skipped="only Linux tells in /proc/locks who holds a lock")
    account = an_account()
    kills = with_lock = 0
    with crew(folder, [account]) as opened:
        workers = [opened.start(account) for _ in range(4)]
        opened.begin(workers)
        for number in range(size.calls // 30):
            opened.wait_for_calls(int(30 * (number + chance.uniform(0.3, 1.0))))
            if number % 3 == 2:
                asking = opened.start(account, only_asks=True, threads=1)
                opened.begin([asking])
                with_lock += _stopped_with_lock(asking, folder)
                time.sleep(chance.uniform(0.0, 0.2))  # the others wait for the lock
                opened.kill(asking)
            else:
                victim = workers.pop(chance.randrange(len(workers)))
                if number % 3 == 1:
                    _stop(victim)
                    time.sleep(chance.uniform(0.0, 0.2))
                opened.kill(victim)
                fresh = opened.start(account)
                workers.append(fresh)
                opened.begin([fresh])
            kills += 1
        opened.wait_for_calls(size.calls)
        told = opened.stop()
        seen = app_seen(name, opened, account, size, [])
    missed = [] if with_lock else ["no process died while it held the lock"]
    counted = replace(seen, kills=kills, kills_with_lock=with_lock)
    return judged(counted, size, size.share_with_kills, also=[*counts_differ(opened, told), *missed])


def _stop(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGSTOP)
    os.waitpid(process.pid, os.WUNTRACED)


def _stopped_with_lock(process: "subprocess.Popen[str]", folder: Path) -> bool:
    """Stop the process until it is one that holds the window's lock; False when that did not happen."""
    for _ in range(500):
        _stop(process)
        if _holds_lock(process.pid, folder):
            return True
        process.send_signal(signal.SIGCONT)
        time.sleep(0.003)
    return False


def _holds_lock(pid: int, folder: Path) -> bool:
    inodes = {str(window.stat().st_ino) for window in folder.rglob("*.window")}
    for line in LOCKS.read_text("utf-8").splitlines():
        words = line.split()  # 1: FLOCK ADVISORY WRITE 4711 08:01:1234567 0 EOF
        if words[1] == "FLOCK" and words[4] == str(pid) and words[5].rsplit(":", 1)[1] in inodes:
            return True
    return False


def clock_steps(name: str, size: Size, chance: random.Random, folder: Path) -> Measure:
    """Four processes whose wall clock, and no other, is set back and forth under their feet."""
    if shutil.which("faketime") is None:
        return Measure(name, skipped="faketime is missing: apt-get install faketime")
    asked = subprocess.run(
        ["faketime", "-m", "-f", "+0", "printenv", "LD_PRELOAD"], capture_output=True, text=True, check=True
    )
    clock = folder / "clock"
    _set(clock, 0)
    environ = {
        "LD_PRELOAD": asked.stdout.strip(),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        # else waits on monotonic conditions are stretched, and with them each wait for the interpreter's lock
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",
    }
    account = an_account()
    with crew(folder, [account], environ=environ, script=WORK_FAKED) as opened:
        workers = [opened.start(account) for _ in range(4)]
        leads = [opened.lead_of[process.pid] for process in workers]
        opened.begin(workers)
        steps_s = [-86_400, 86_400, -1, 1, -3_600, 3_600]
        chance.shuffle(steps_s)
        for number, step_s in enumerate(steps_s, 1):
            opened.wait_for_calls(size.calls * number // (len(steps_s) + 1))
            _set(clock, step_s)
        opened.wait_for_calls(size.calls)
        told = opened.stop()
        seen = app_seen(name, opened, account, size, leads)
    stepped = all(counts["stepped_s"] > 172_000 for counts in told.values())
    missed = [] if stepped else ["the wall clock of a process did not step"]
    return judged(seen, size, size.share, also=[*counts_differ(opened, told), *missed])


def _set(clock: Path, offset_s: int) -> None:
    fresh = clock.with_suffix(".new")
    fresh.write_text(f"{offset_s:+d}\n", "utf-8")
    fresh.replace(clock)


SCENES: dict[str, Scene] = {
    "threads of one process": threads_of_one_process,
    "two accounts of an App": two_accounts_of_an_app,
    "four processes": four_processes,
    "two Apps": two_apps,
    "processes that die": processes_that_die,
    "clock steps": clock_steps,
}
