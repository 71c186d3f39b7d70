"""Plays one entry of the outbox as `Delivery` does, without a store, threads or time that passes."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from connectors.kartra.answers import Answer, Effect
from pipelines.changes.compile import change_to_json
from pipelines.changes.diff import Change, remembered
from pipelines.contacts.lead import Origin, Snapshot
from pipelines.load.next_step import next_call, next_step
from pipelines.load.steps import BeginAnew, Leave, NextStep, PutBy, ReadBack, Send, Settle, Stop, Withdraw
from pipelines.load.task import WRITES, Now, Rules, Task

MOST_CALLS = 500


@dataclass
class Journal:
    """What the state would hold of the entry and its lead."""

    change: str | None = None
    """The open try: None unless an intent waits for its outcome."""
    sent_at: datetime | None = None
    snapshot: Snapshot | None = None
    origin: Origin | None = None
    outcomes: list[str] = field(default_factory=list)
    is_left: bool = False
    given_up_at: datetime | None = None
    unread: bool = False
    """A write left without an answer, and its lead was not read since."""

    def acknowledge(self, task: Task) -> None:
        if task.snapshot is not None and task.origin is not None:
            self.snapshot = remembered(task.snapshot, task.entry.desired)
            self.origin = task.origin


@dataclass
class Driver:
    """`write` and `read` answer for Kartra."""

    write: Callable[[Change, Now], Answer]
    read: Callable[[Task, Now], Answer]
    rules: Rules
    at: Now
    journal: Journal = field(default_factory=Journal)
    calls: int = 0

    def play(self, task: Task) -> None:
        """Until it has ended."""
        step: NextStep | None = Send(task) if task.stage in WRITES else ReadBack(task)
        while step is not None:
            if isinstance(step, Send | ReadBack):
                assert (step.task.stage in WRITES) == isinstance(step, Send), "a step against its stage"
                self.pass_time(step.delay_s)
                step = next_call(step.task, {}, is_last_pass=False)
                if isinstance(step, Send | ReadBack):
                    step = self._answered(step)
                    continue
            step = self._done(step)

    def pass_time(self, seconds: float) -> None:
        later = self.at.at + timedelta(seconds=seconds)
        self.at = replace(self.at, at=later, monotonic_s=self.at.monotonic_s + seconds)

    def _answered(self, step: Send | ReadBack) -> NextStep:
        self.calls += 1
        assert self.calls < MOST_CALLS, "it never ends"
        task = step.task
        if isinstance(step, ReadBack):
            answer = self.read(task, self.at)
            self.journal.unread = self.journal.unread and answer.effect is Effect.UNKNOWN
        else:
            assert not self.journal.unread, "sent again before its lead was read"
            self.journal.change, self.journal.sent_at = change_to_json(task.change), self.at.at
            self.journal.acknowledge(task)
            task = task.sent(self.at.at)
            answer = self.write(task.change, self.at)
            self.journal.unread = any(action.effect is Effect.UNKNOWN for action in answer.actions)
        return next_step(task, answer, self.at, self.rules)

    def _done(self, step: NextStep) -> NextStep | None:
        match step:
            case Settle(task, outcome):
                self.journal.outcomes.append(outcome.name)
                self.journal.acknowledge(task)
                self.journal.change = self.journal.sent_at = None
                self.journal.given_up_at = step.given_up_at
                return None
            case Withdraw(_, then):
                assert self.journal.change is not None, "nothing to take back"
                self.journal.change = None
                return then
            case BeginAnew(task):
                self.journal.change = self.journal.snapshot = self.journal.origin = None
                return Send(task)
            case Stop(_, then):
                self.at = replace(self.at, is_halted=True)
                return Leave(then.task) if isinstance(then, Send | ReadBack) else then
            case Leave() | PutBy():
                self.journal.is_left = True
                return None
            case Send() | ReadBack():
                return step
