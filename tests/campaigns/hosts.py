"""Four hosts, one App, one database: what the server sees of them together.

A host is the real command in a network and a process namespace of its own, with a clock that is hours off, a
home and temporary files of its own. Nothing but the database joins them: its socket is a file, and the port
of the sandbox is listened on within each network and handed on. Counted are the rate of all together, the
fullest second, how long a host waited beside its share; and, in the full size, what becomes of a host that is
killed and of one that freezes for minutes and wakes up after another one has taken its run over.
"""

import asyncio
import ctypes
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from connectors.kartra.sandbox import Account, ReceivedCall, Sandbox
from tests.campaigns.tally import Tally
from tests.server_state import environ_of
from tests.servers import postgresql
from tests.state.places import new_schema

log = logging.getLogger("campaigns")

ROOT = Path(__file__).parents[2]
NEW_NETWORK = 0x40000000
RATE = 20
LATENCY_S = 0.3
HOURS = (0, 7, -5, 30)
"""How far the clock of each host is off."""
POINTS = 10
BEGUN_AFTER = 5
"""A run sends its first call alone and learns how long answers take: from so many on it is at its rate."""
ENDS_WITHIN_S = 900.0
TAKEN_OVER_WITHIN_S = 300.0
LOCKED = 5
COMMAND = """
import select, sys, time
# libfaketime 0.9.10 makes time.sleep of Python 3.11 fail when it leaves CLOCK_MONOTONIC alone (its issue 426)
time.sleep = lambda seconds: select.select([], [], [], max(0, seconds)) and None
from pipelines.cli.main import main
sys.argv[0] = 'kartra-sync'
main()
"""
PIPELINE = """\
pipeline: {name}
kartra:
  url: ${{KARTRA_URL}}
  app_id: ${{KARTRA_APP_ID}}
  api_key: ${{KARTRA_API_KEY}}
  api_password: ${{KARTRA_API_PASSWORD}}
  settle_s: 1
  share: {share}
state: ${{KARTRA_STATE}}
load:
  source: {{csv: contacts.csv}}
  key: email
  fields: {{email: Email}}
  tags: [Imported]
  points: {points}
  consent: {{attested: form}}
"""


@dataclass(frozen=True)
class Size:
    """How much is played, and what must hold: the small size shares its machine with other tests."""

    leads: int  # of a host with share 1
    share: float  # of the rate, at least
    waits: float  # times its share, at most
    over: int  # calls in a second above the limit
    has_deaths: bool


SIZES = {
    "small": Size(leads=15, share=0.5, waits=20.0, over=6, has_deaths=False),
    "full": Size(leads=150, share=0.97, waits=3.0, over=0, has_deaths=True),
}


@dataclass
class Host:
    """A folder with a pipeline of its own, and where the command runs."""

    name: str
    folder: Path
    leads: int
    share: int
    environ: dict[str, str]
    hours: int
    place: "Place"

    def write(self) -> None:
        for own in ("home", "tmp", "pacing"):
            (self.folder / own).mkdir(parents=True, exist_ok=True)
        text = PIPELINE.format(name=self.name, share=self.share, points=POINTS)
        (self.folder / "p.yaml").write_text(text, encoding="utf-8")
        rows = "".join(f"{address}\n" for address in self.addresses)
        (self.folder / "contacts.csv").write_text(f"Email\n{rows}", encoding="utf-8")

    @property
    def addresses(self) -> list[str]:
        return [f"lead{number}.{self.name}@example.org" for number in range(self.leads)]

    def elsewhere(self, place: "Place", folder: Path) -> "Host":
        """The same pipeline on another host."""
        other = Host(self.name, folder, self.leads, self.share, self.environ, -self.hours - 1, place)
        other.write()
        return other

    def start(self) -> "subprocess.Popen[str]":
        environ = {
            **os.environ,
            **self.environ,
            **_faketime(self.hours),
            "PYTHONPATH": str(ROOT),
            "HOME": str(self.folder / "home"),
            "XDG_STATE_HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "tmp"),
            "KARTRA_SYNC_PACING": str(self.folder / "pacing"),
        }
        words = [sys.executable, "-c", COMMAND, "run", "p.yaml", "--json"]
        return self.place.start(words, cwd=self.folder, env=environ)


def _faketime(hours: int) -> dict[str, str]:
    if not hours or shutil.which("faketime") is None:
        return {}
    asked = subprocess.run(
        ["faketime", "-m", "-f", "+0", "printenv", "LD_PRELOAD"], capture_output=True, text=True, check=True
    )
    return {
        "LD_PRELOAD": asked.stdout.strip(),
        "FAKETIME": f"{hours * 3600:+d}",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_FORCE_MONOTONIC_FIX": "0",
    }


class Place:
    """The namespaces of a host; where the machine gives none, the host is one by its folders alone."""

    def __init__(self, port: int, loop: asyncio.AbstractEventLoop) -> None:
        # The namespaces of a process are those of the thread that started it.
        self._thread = ThreadPoolExecutor(1)
        self.has_namespaces = self._thread.submit(self._enter, port, loop).result()

    def _enter(self, port: int, loop: asyncio.AbstractEventLoop) -> bool:
        if os.geteuid() != 0 or ctypes.CDLL(None, use_errno=True).unshare(NEW_NETWORK) != 0:
            return False
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        listening = socket.create_server(("127.0.0.1", port))
        serving = asyncio.start_server(lambda *ends: _hand_on(*ends, port), sock=listening)
        asyncio.run_coroutine_threadsafe(serving, loop).result()
        return True

    def start(self, words: Sequence[str], *, cwd: Path, env: dict[str, str]) -> "subprocess.Popen[str]":
        own = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"] if self.has_namespaces else []
        return self._thread.submit(
            subprocess.Popen,
            [*own, *words],
            cwd=cwd,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ).result()

    def close(self) -> None:
        self._thread.shutdown()


async def _hand_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    """From a network of its own to the sandbox; the loop is that of the network in which the sandbox is."""
    beyond, back = await asyncio.open_connection("127.0.0.1", port)
    await asyncio.gather(_copied(reader, back), _copied(beyond, writer), return_exceptions=True)


async def _copied(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


def send(process: "subprocess.Popen[str]", number: signal.Signals) -> None:
    """To the command itself: `unshare` stands before it."""
    for each in psutil.Process(process.pid).children(recursive=True) or [psutil.Process(process.pid)]:
        each.send_signal(number)


@dataclass
class Scene:
    """An App, its account, a database, and hosts that begin with nothing."""

    folder: Path
    sandbox: Sandbox
    environ: dict[str, str]
    loop: asyncio.AbstractEventLoop
    stack: ExitStack
    problems: list[str] = field(default_factory=list)
    hosts: list[Host] = field(default_factory=list)

    def place(self) -> Place:
        place = Place(urlsplit(self.sandbox.url).port or 0, self.loop)
        self.stack.callback(place.close)
        return place

    def add(self, name: str, leads: int, hours: int, share: int = 1) -> Host:
        host = Host(name, self.folder / name, leads, share, self.environ, hours, self.place())
        host.write()
        self.hosts.append(host)
        return host

    def ended(self, process: "subprocess.Popen[str]", *codes: int) -> int:
        stdout, stderr = process.communicate(timeout=ENDS_WITHIN_S)
        if process.returncode not in codes:
            self.problems.append(f"exit {process.returncode}: {stdout[-300:]} {stderr[-600:]}")
        return process.returncode

    def calls(self) -> list[ReceivedCall]:
        return [call for call in self.sandbox.calls if _address(call)]

    def judged(self, name: str, **counted: float) -> Tally:
        """After a further run of each pipeline: nothing is owed, lost or given twice."""
        for host in self.hosts:
            before = len(self.sandbox.calls)
            self.ended(host.start(), 0)
            again = sum(call.executed and bool(_address(call)) for call in self.sandbox.calls[before:])
            if again:
                self.problems.append(f"{host.name}: {again} calls although nothing changed")
        wanted = {address for host in self.hosts for address in host.addresses}
        with self.sandbox.lock:
            points = {lead.email: lead.score for lead in self.sandbox.account.leads.values()}
        return Tally(
            f"hosts: {name}",
            leads=len(wanted),
            lost=sum(points.get(address, 0) < POINTS for address in wanted),
            twice=sum(points.get(address, 0) > POINTS for address in wanted),
            failures=tuple(self.problems),
            **counted,  # type: ignore[arg-type]
        )


@contextmanager
def scene(folder: Path) -> Iterator[Scene]:
    folder.mkdir(parents=True)
    with ExitStack() as stack:
        url = stack.enter_context(postgresql())
        account = Account(tags=["Imported"])
        sandbox = stack.enter_context(Sandbox(account, latency_s=LATENCY_S))
        named = sandbox.credentials
        environ = {
            "KARTRA_URL": sandbox.url,
            "KARTRA_APP_ID": named.app_id,
            "KARTRA_API_KEY": named.api_key,
            "KARTRA_API_PASSWORD": named.api_password,
            **environ_of(new_schema(url)),
        }
        yield Scene(folder, sandbox, environ, stack.enter_context(_loop()), stack)


@contextmanager
def _loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()


def _address(call: ReceivedCall) -> str:
    form = call.form.get("lead")
    return str(form.get("email") or "") if isinstance(form, dict) else ""


def _of(host: Host, calls: Sequence[ReceivedCall]) -> list[float]:
    return sorted(call.at for call in calls if f".{host.name}@" in _address(call))


# --- the scenes


def play(size: str, seed: int, folder: Path) -> list[Tally]:
    """`seed` changes nothing here: clocks and the machine are the chance."""
    wanted = SIZES[size]
    tallies = [together("four hosts", (1, 1, 1, 1), wanted, folder / "equal")]
    if wanted.has_deaths:
        tallies.append(together("shares of 1, 1, 2, 4", (1, 1, 2, 4), wanted, folder / "shares"))
        tallies.append(deaths(wanted, folder / "deaths"))
    return tallies


def together(name: str, shares: Sequence[int], size: Size, folder: Path) -> Tally:
    with scene(folder) as opened:
        for number, share in enumerate(shares):
            opened.add(f"host{number}", size.leads * share, HOURS[number], share)
        for process in [host.start() for host in opened.hosts]:
            opened.ended(process, 0)
        times = {host.name: _of(host, opened.calls()) for host in opened.hosts}
        begun = max(each[BEGUN_AFTER] for each in times.values())
        ended = min(each[-1] for each in times.values())
        within = sorted(at for each in times.values() for at in each if begun <= at <= ended)
        share = (len(within) - 1) / (RATE * (within[-1] - within[0]))
        longest = 0.0
        for host in opened.hosts:
            mine = [at for at in times[host.name] if begun <= at <= ended]
            fair_s = sum(shares) / host.share / RATE
            got = len(mine) / len(within) * sum(shares) / host.share
            longest = max([longest, *((after - before) / fair_s for before, after in pairwise(mine))])
            log.info(
                "hosts: %s, share %d: %d calls, %.2f of its share", host.name, host.share, len(mine), got
            )
        worst = opened.sandbox.worst_second()
        refused = opened.sandbox.throttled
        log.info(
            "hosts: %.1f%% of the rate, %d in a second, %d refused, longest wait %.2f times the share",
            100 * share,
            worst,
            refused,
            longest,
        )
        for holds, words in (
            (share >= size.share, f"{share:.1%} of the rate"),
            (worst <= RATE + size.over, f"{worst} calls in a second"),
            (longest <= size.waits, f"a host waited {longest:.1f} times its share"),
        ):
            if not holds:
                opened.problems.append(words)
        return opened.judged(name, worst_second=worst, share=share)


def deaths(size: Size, folder: Path) -> Tally:
    """One host is killed, one is frozen; others take their runs over, and then the frozen one wakes up."""
    with scene(folder) as opened:
        killed, frozen, _ = (
            opened.add(name, size.leads, hours)
            for name, hours in (("killed", 7), ("frozen", -5), ("living", 30))
        )
        running = {host.name: host.start() for host in opened.hosts}
        _wait_for(
            lambda: all(len(_of(host, opened.calls())) > size.leads // 4 for host in opened.hosts), opened
        )
        send(running["killed"], signal.SIGKILL)
        send(running["frozen"], signal.SIGSTOP)
        stopped_at = time.monotonic()
        running["killed"].communicate()
        for host in (killed, frozen):
            other = host.elsewhere(opened.place(), folder / f"beside-{host.name}")
            while (code := opened.ended(other.start(), 0, LOCKED)) == LOCKED:
                if time.monotonic() - stopped_at > TAKEN_OVER_WITHIN_S:
                    opened.problems.append(f"{host.name}: nobody could take its run over")
                    break
                time.sleep(5)
            log.info("hosts: %s: taken over with exit %d", host.name, code)
        opened.ended(running["living"], 0)
        woken_at = time.monotonic()
        log.info("hosts: woken after %.0f s", woken_at - stopped_at)
        send(running["frozen"], signal.SIGCONT)
        opened.ended(running["frozen"], LOCKED)
        late = [call for call in opened.calls() if call.at >= woken_at]
        if late:
            opened.problems.append(f"{len(late)} calls were sent after the fence")
        worst = opened.sandbox.worst_second()
        if worst > RATE + size.over:
            opened.problems.append(f"{worst} calls in a second")
        return opened.judged("one killed, one frozen and woken", kills=1, faults=1, worst_second=worst)


def _wait_for(promise: Callable[[], bool], opened: Scene) -> None:
    deadline = time.monotonic() + TAKEN_OVER_WITHIN_S
    while not promise():
        if time.monotonic() > deadline:
            raise TimeoutError(
                f"the hosts did not get on: {Counter(map(_address, opened.calls())).total()} calls"
            )
        time.sleep(0.02)
