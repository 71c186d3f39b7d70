"""The calls of a pull: reads only, within a budget."""

import threading
from collections.abc import Callable, Sequence

from connectors.kartra.answers import ActionAnswer, Answer
from connectors.kartra.commands import Action, Call, Lead
from connectors.kartra.sender import Sender, is_answered, is_clear


class PullStoppedError(Exception):
    """No further call may be made: after a stop, a used budget or a failed call."""


class PullCalls:
    """The calls, for any number of workers. Raises SyncError, and PullStoppedError if no more may be made."""

    def __init__(self, client: Sender, may_go_on: Callable[[], bool], *, at_most: int) -> None:
        self.made = 0
        self.is_used_up = False
        self._client = client
        self._may_go_on = may_go_on
        self._at_most = at_most
        self._lock = threading.Lock()

    def inventory(self, action: Action) -> Answer:
        self._spend()
        return self._client.inventory(Call((action,)))

    def read(self, call: Call, *, usable: Callable[[Answer], bool] = is_clear) -> Answer:
        self._spend()
        return self._client.read(call, usable=usable)

    def read_each(self, actions: Sequence[Action], lead: Lead | None) -> list[ActionAnswer]:
        """The answer of each action from one call; missing ones are read by single calls."""
        # A chain need only be answered: what of it is unclear is asked for singly below.
        usable = is_answered if len(actions) > 1 else is_clear
        answer = self.read(Call(tuple(actions), lead), usable=usable)
        return [
            one if is_clear(one) else self.read(Call((action,), lead)).actions[0]
            for action, one in zip(actions, answer.actions, strict=True)
        ]

    def _spend(self) -> None:
        """Takes one call from the budget."""
        with self._lock:
            if self.made >= self._at_most:
                self.is_used_up = True
            if self.is_used_up or not self._may_go_on():
                raise PullStoppedError
            self.made += 1
