"""Kartra behind a network: the sandbox's own emulator without HTTP, and what becomes of calls on their way.

What happens to a call is drawn before it leaves. It arrives, or does not, whatever becomes of its process.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random
from typing import Any

from connectors.kartra.sandbox.emulator import Arrived, Emulator, ReceivedCall
from connectors.kartra.sandbox.faults import Answer
from connectors.kartra.sandbox.options import Faults
from connectors.kartra.transport import NoReplyError, NotSentError, Reply
from pipelines.config.pipeline import PipelineConfig
from tests.simulate.hub import Hub
from tests.simulate.machine import Process, Waker

FORM = "application/x-www-form-urlencoded"

READS = ("get_lead", "retrieve_", "_details")

FATES = {
    "no connection": "nothing leaves",
    "lost on the way": "it never arrives, and nobody says so",
    "late on the way": "it arrives after its sender has given up waiting",
    "cut before the effect": "the connection closes, nothing was done",
    "cut after the effect": "everything was done, the answer is lost",
    "silence": "everything was done, no answer comes in time",
    "a proxy lies: 502 after the effect": "",
    "a proxy lies: 502 before the effect": "",
    "a proxy answers 407": "nothing was done",
    "a firewall answers 403": "nothing was done",
    "maintenance": "503, nothing was done",
    "no JSON after the effect": "",
    "a notice of PHP before the JSON": "",
    "an entry is missing in the answer": "",
    "throttled": "429 without a reason",
    "a slow answer": "",
    "a creation after the last look": "it arrives when what sent it has looked for the last time",
}
"""What can become of a call, beside that it is answered."""
RARE = frozenset({"a creation after the last look"})
"""Later than what the product promises for other calls: of themes alone."""
BEFORE = frozenset(
    {
        "cut before the effect",
        "a proxy lies: 502 before the effect",
        "a proxy answers 407",
        "a firewall answers 403",
        "maintenance",
    }
)
_SPOILED = {
    "cut before the effect": "cut_before",
    "cut after the effect": "cut_after",
    "silence": "silence",
    "a proxy lies: 502 after the effect": "bad_gateway_after",
    "a proxy lies: 502 before the effect": "bad_gateway_before",
    "a proxy answers 407": "proxy",
    "a firewall answers 403": "firewall",
    "maintenance": "maintenance",
    "no JSON after the effect": "not_json",
    "a notice of PHP before the JSON": "php_notice",
    "an entry is missing in the answer": "missing_entry",
    "throttled": "throttle",
    "a slow answer": "slow",
}


@dataclass
class Weather:
    """How the network is for a while: shares of the fates, and how long the way is."""

    shares: dict[str, float] = field(default_factory=dict)
    spares_reads: bool = False
    up_s: tuple[float, float] = (0.05, 0.05)
    down_s: tuple[float, float] = (0.05, 0.05)
    work_s: tuple[float, float] = (0.0, 0.02)

    @property
    def is_calm(self) -> bool:
        return not self.shares


@dataclass
class Prepared:
    body: str


@dataclass
class Server:
    """Kartra. `weather` may change at any time; `sent` is when each call left, by host."""

    hub: Hub
    chance: Random
    emulator: Emulator
    weather: Weather = field(default_factory=Weather)
    injected: int = 0
    injected_throttles: int = 0
    refused: int = 0
    writes: int = 0
    sent: list[tuple[float, str]] = field(default_factory=list)
    on_call: Callable[[ReceivedCall], None] = lambda _call: None
    on_write: Callable[[Process], None] = lambda _process: None
    """As it leaves."""

    def connect(self, process: Process, config: PipelineConfig) -> "SimEndpoint":
        return SimEndpoint(self, process, config.kartra.timeout_s, config.kartra.settle_s)

    def draw(self, *, is_write: bool) -> str:
        if not self.weather.shares or (self.weather.spares_reads and not is_write):
            return ""
        point = self.chance.random()
        for fate, share in self.weather.shares.items():
            if point < share:
                self.injected += 1
                self.hub.met[f"fate: {fate}"] += 1
                return fate
            point -= share
        return ""

    def arrive(self, body: str, fate: str) -> Answer:
        """Carried out now."""
        emulator = self.emulator
        spoiled = _SPOILED.get(fate)
        faults = replace(_NO_FAULTS, **{spoiled: 1.0}) if spoiled else _NO_FAULTS
        if faults is not emulator.options.faults:
            emulator.set_options(replace(emulator.options, faults=faults))
        received = emulator.receive(self.hub.seconds)
        answer = emulator.answer(received, Arrived(FORM, body, {}, "127.0.0.1", True))
        if received.http_status == 429:
            if fate == "throttled":
                self.injected_throttles += 1
            else:
                self.refused += 1
                self.hub.met["a call is refused because of the App's other calls"] += 1
        if self.hub.trace is not None:
            said = f"{received.http_status or '-'} {received.error_type or ''}"
            self.hub.note(f"    Kartra: {_told(received)} {fate or 'answered'} {said}")
        self.on_call(received)
        return answer


_NO_FAULTS = Faults()


def _told(received: ReceivedCall) -> str:
    """A call in a line: whose lead, and what is done to it."""
    form = received.form.get("lead") or received.form.get("get_lead") or {}
    who = form.get("id") or form.get("email") if isinstance(form, dict) else ""
    actions = received.form.get("actions")
    each = (
        [action for action in actions.values() if isinstance(action, dict)]
        if isinstance(actions, dict)
        else []
    )
    names = [" ".join(str(value) for value in action.values()) for action in each]
    return f"{who}: {', '.join(names) or 'get_lead'}"


@dataclass
class SimEndpoint:
    """The way of one process to Kartra."""

    server: Server
    process: Process
    timeout_s: float
    settle_s: float

    def prepare(self, body: str) -> Any:
        return Prepared(body)

    def close(self) -> None:
        pass

    def post(self, request: Any, has_left: Callable[[], None]) -> Reply:
        is_write = not any(word in request.body for word in READS)
        self.process.writing += is_write
        try:
            return self._posted(request, has_left, is_write=is_write)
        finally:
            self.process.writing -= is_write

    def _posted(self, request: Any, has_left: Callable[[], None], *, is_write: bool) -> Reply:
        process, server, hub = self.process, self.server, self.process.hub
        chance = server.chance
        process.step("before a call leaves")
        fate = server.draw(is_write=is_write)
        if fate == "no connection":
            process.wait(chance.uniform(0.001, 0.2))
            raise NotSentError("the connection was refused")
        weather = server.weather
        up_s, down_s = chance.uniform(*weather.up_s), chance.uniform(*weather.down_s)
        if fate in RARE and "create_lead" not in request.body:
            fate = ""
        if fate in RARE:
            up_s = self.timeout_s + self.settle_s + chance.uniform(-0.1, 0.4)
        if fate == "late on the way":
            up_s = self.timeout_s + chance.uniform(0.05, 0.6) * self.settle_s
        waker, box = Waker(), []
        left_at = hub.seconds
        if is_write:
            server.writes += 1
            server.on_write(process)
        server.sent.append((left_at, process.host.name))

        def arrived() -> None:
            if not process.is_alive:
                hub.met["a call of a dead process arrives"] += 1
                if fate == "late on the way":
                    hub.met["late effect of a process that is dead"] += 1
            elif fate == "late on the way":
                hub.met["late effect after its sender had given up"] += 1
            answer = server.arrive(request.body, fate)
            delay_s = answer.delay_s + chance.uniform(*weather.work_s) + down_s
            if answer.fate != "silence":
                hub.after(delay_s, partial(answered, answer))

        def answered(answer: Answer) -> None:
            box.append(answer)
            process.wake(waker)

        if fate != "lost on the way":
            hub.after(up_s, arrived)
        has_left()
        process.step("after a call left")
        deadline = left_at + self.timeout_s
        while not box and hub.seconds < deadline:
            process.wait(deadline - hub.seconds, waker)
        process.step("an answer came")
        if not box or hub.seconds > deadline + 1.0:
            raise NoReplyError(f"no whole answer within {self.timeout_s:g} s")
        answer = box[0]
        if answer.fate == "cut":
            raise NoReplyError("the connection was closed before an answer came")
        ahead_s = server.emulator.options.clock_offset_s
        theirs = hub.seconds - down_s + ahead_s
        mine = (process.host.now() - hub.now).total_seconds() + hub.seconds
        return Reply(answer.status, answer.body.encode(), round(theirs - mine) + 0.0)
