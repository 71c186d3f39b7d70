"""The first creations of an account leave one by one, until one shows in which mode the App is."""

from collections.abc import Callable, Iterator

from pipelines.load.addresses import Turns
from pipelines.load.task import Rules, Task, begin
from pipelines.state.outbox import Outbox

FIRST_ALONE = 5
"""How many leave by themselves at most; after that the run goes on without knowing."""
PATIENCE_S = 5.0
"""How long all others wait for one of them: answers take less, and one that was lost shows the mode later."""


def first_creations(outbox: Outbox, rules: Rules, turns: Turns) -> Iterator[Task]:
    """Creations that leave one by one: how Kartra stores one says whether the file is right on the mode.

    One that is refused, or was there before, shows nothing, and the next one is taken.
    """
    after = 0
    for _ in range(FIRST_ALONE):
        entry = outbox.first_new(after=after)
        if entry is None:
            return
        after = entry.entry_id
        task = begin(entry, rules)
        if task.change.create and not turns.waits(task):
            yield task


class Alone(Iterator[Task]):
    """All tasks of a delivery, asked for again and again: it gives none while one is alone on its way."""

    def __init__(
        self,
        firsts: Iterator[Task],
        rest: Iterator[Task],
        is_wanted: Callable[[], bool],
        monotonic: Callable[[], float],
    ) -> None:
        """`is_wanted`: whether nobody knows yet what the first ones are to show. `rest` holds them, too."""
        self._firsts, self._rest = firsts, rest
        self._is_wanted, self._monotonic = is_wanted, monotonic
        self._out: int | None = None
        self._until_s = 0.0
        self._given: set[int] = set()
        self._rest_given = 0

    def __next__(self) -> Task:
        if self._out is not None and self._is_wanted() and self._monotonic() < self._until_s:
            raise StopIteration
        if self._out is None and self._is_wanted() and (first := self._first()) is not None:
            self._out, self._until_s = first.entry.entry_id, self._monotonic() + PATIENCE_S
            self._given.add(self._out)
            return first
        while (task := next(self._rest)).entry.entry_id in self._given:
            pass
        self._rest_given = task.entry.entry_id
        return task

    def _first(self) -> Task | None:
        """Not one that went with the rest: its intent may be taken back just now, while its lead is read."""
        return next((task for task in self._firsts if task.entry.entry_id > self._rest_given), None)

    def is_through(self, task: Task) -> None:
        """A task has come to an end."""
        if task.entry.entry_id == self._out:
            self._out = None
