"""The bench of a doctor: its one lead, the calls to it, and what every answer says by the way.

Each call goes through the sender, and so by the limiter of the App; what it took and how it was answered is
noted here, whatever it was sent for.
"""

import re
import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import requests

from connectors.clock import SYSTEM_CLOCK, Clock
from connectors.errors import RetryableApiError
from connectors.kartra.answers import Answer, Effect
from connectors.kartra.commands import Action, Call, Lead, get_lead
from connectors.kartra.error_types import NOT_PERMITTED, error_type
from connectors.kartra.profile import LeadProfile
from connectors.kartra.sender import Sender, fatal, is_clear, profile_of
from connectors.kartra.transport import Endpoint, Reply
from connectors.kartra.wordings import is_older, starred
from pipelines.calls.patience import unreachable
from pipelines.verbs.work import StoppedError

WAIT_S = 60.0
"""How long an effect is waited for."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 8.0
TRIES = 3


class TimedEndpoint:
    """Calls go to another endpoint; `seconds` has what each answer took that was no 429."""

    def __init__(self, inner: Endpoint, clock: Clock = SYSTEM_CLOCK) -> None:
        self._inner, self._clock = inner, clock
        self.seconds: list[float] = []

    def prepare(self, body: str) -> requests.PreparedRequest:
        return self._inner.prepare(body)

    def post(self, request: requests.PreparedRequest, has_left: Callable[[], None]) -> Reply:
        started = self._clock.monotonic()
        reply = self._inner.post(request, has_left)
        # A 429 comes back before any work is done: counting it would make Kartra look fast.
        if reply.status != 429:
            self.seconds.append(self._clock.monotonic() - started)
        return reply

    def close(self) -> None:
        self._inner.close()

    def latency_ms(self) -> dict[str, int]:
        if len(self.seconds) < 2:
            return {}
        figures = {
            "median": statistics.median(self.seconds),
            "most": statistics.quantiles(self.seconds, n=20)[-1],  # 95 of 100 took no longer
            "longest": max(self.seconds),
        }
        return {name: round(1000 * figure) for name, figure in figures.items()}


@dataclass(slots=True)
class Seen:
    """What answers said by the way."""

    permissions: dict[str, bool] = field(default_factory=dict)
    messages: dict[str, str] = field(default_factory=dict)
    """By their type."""
    types: set[str] = field(default_factory=set)
    lone_actions: set[str] = field(default_factory=set)
    rows: set[str] = field(default_factory=set)

    @property
    def wording(self) -> str | None:
        words = {
            "current"
            if said == error_type(number).message
            else "older"
            if is_older(number, said)
            else "other"
            for number, said in self.messages.items()
        }
        # The strangest wording counts: one message in unknown words is news, however many are known.
        return next((kind for kind in ("other", "older", "current") if kind in words), None)

    @property
    def other_words(self) -> dict[str, str]:
        return {
            number: starred(said)
            for number, said in sorted(self.messages.items())
            if said != error_type(number).message and not is_older(number, said)
        }

    def see(self, call: Call, answer: Answer) -> None:
        """Notes the answer to a call. What is not Kartra's own says nothing."""
        if answer.status != 200 or not answer.body:
            return
        if len(call.commands) == 1:
            cmd = call.commands[0]
            if is_clear(answer):
                self.permissions[cmd] = answer.type != NOT_PERMITTED
            if answer.effect is Effect.DONE and cmd != "get_lead" and not cmd.startswith("retrieve_account"):
                self._see_shape(cmd, answer.body)
        for holder in _holders(answer.body):
            if "type" in holder:
                self.types.add("number" if isinstance(holder["type"], int) else "text")
            number = str(holder.get("type", ""))
            if str(holder.get("status", "")).lower() == "error" and re.fullmatch("[0-9]{1,6}", number):
                self.messages[number] = str(holder.get("message", ""))
        self._see_rows(answer.body)

    def _see_shape(self, cmd: str, body: Mapping[str, Any]) -> None:
        if cmd == "retrieve_custom_fields":
            return
        shape = "actions" if "actions" in body else "fragment" if cmd in body else "flat"
        self.lone_actions.add(shape)

    def _see_rows(self, body: Mapping[str, Any]) -> None:
        for holder in (body, *_holders(body)):
            for key, value in holder.items():
                if key.startswith("account_") or key in ("custom_fields", "actions", "tags", "lists"):
                    is_object = isinstance(value, Mapping) and bool(value) and all(k.isdigit() for k in value)
                    if is_object or (isinstance(value, list) and value):
                        self.rows.add("object" if is_object else "list")


def _holders(body: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    """The maps of an answer that can have a status of their own: it, its fragments, its entries."""
    yield body
    rows = body.get("actions")
    entries = rows if isinstance(rows, list) else rows.values() if isinstance(rows, Mapping) else ()
    for row in (body, *entries):
        for inner in row.values() if isinstance(row, Mapping) else ():
            if isinstance(inner, Mapping):
                yield inner


class Bench:
    """The doctor's lead, once `lead_id` is known."""

    def __init__(
        self, client: Sender, stopping: Callable[[], bool] = lambda: False, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._client, self._stopping, self._clock = client, stopping, clock
        self.seen = Seen()
        self.lead_id = ""
        self.is_made = False
        """Whether its creation may have reached Kartra."""

    @property
    def lead(self) -> Lead:
        return Lead(id=self.lead_id)

    @property
    def clock_offset(self) -> timedelta | None:
        """Kartra's time minus this machine's."""
        return self._client.clock.offset

    def may(self, cmd: str) -> bool:
        """Whether nothing speaks against calling a command."""
        return self.seen.permissions.get(cmd, True)

    def send(self, call: Call) -> Answer:
        """Sends once. Raises FatalApiError, RetryableApiError where nothing arrives, StoppedError."""
        self.between()
        return self._send(call)

    def act(self, *actions: Action) -> Answer:
        """Actions on the lead."""
        return self.send(Call(actions, self.lead))

    def edit(self, fields: Mapping[str, str], **more: Any) -> Answer:
        call = Call((Action("edit_lead"),), Lead(id=self.lead_id, fields=dict(fields), **more))
        answer = self.send(call)
        # An edit gives the same end state each time; what refuses it on the way will do so again.
        for _ in range(TRIES - 1):
            if answer.effect is not Effect.UNKNOWN or answer.refused_on_the_way:
                break
            answer = self.send(call)
        return answer

    def ask(self, call: Call) -> Answer:
        """Sends what only reads, until something usable comes back. Raises as `send`."""
        self.between()
        answer = self._client.read(call)
        self.seen.see(call, answer)
        return answer

    def read(self) -> LeadProfile | None:
        """The profile of the lead; None where the App may not read it, or where it is gone."""
        return profile_of(self.ask(get_lead(id=self.lead_id))).profile

    def find(self, email: str) -> LeadProfile | None:
        return profile_of(self.ask(get_lead(email=email))).profile

    def shows(self, is_shown: Callable[[LeadProfile], bool], within_s: float = WAIT_S) -> float | None:
        """The seconds until the profile shows it; None where it does not within the time."""
        started, pause_s = self._clock.monotonic(), FIRST_PAUSE_S
        while True:
            profile = self.read()
            took_s = self._clock.monotonic() - started
            if profile is not None and is_shown(profile):
                return round(took_s, 2)
            if profile is None or took_s + pause_s > within_s:
                return None
            self.pause(pause_s)
            pause_s = min(LONGEST_PAUSE_S, 2 * pause_s)

    def between(self) -> None:
        if self._stopping():
            raise StoppedError("stopped")

    def cleaning(self) -> "Bench":
        """This bench for what comes at the end, which a stop does not keep from it."""
        bench = Bench(self._client, clock=self._clock)
        bench.seen, bench.lead_id = self.seen, self.lead_id
        return bench

    def _send(self, call: Call) -> Answer:
        answer = self._client.send(call)
        if answer.effect is Effect.FATAL:
            raise fatal(answer)
        if answer.effect is Effect.RETRY_LATER:
            raise RetryableApiError(
                "Kartra refuses every call for its rate: run again later"
                if answer.throttled
                else str(unreachable(answer.trouble))
            )
        self.seen.see(call, answer)
        return answer

    def pause(self, seconds: float) -> None:
        """Raises StoppedError."""
        until = self._clock.monotonic() + seconds
        while (left_s := until - self._clock.monotonic()) > 0:
            self.between()
            self._clock.sleep(min(0.2, left_s))
