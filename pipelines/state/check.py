"""Checks the pages of a state in a thread, beside other work."""

import threading
from pathlib import Path

from pipelines.errors import StateError
from pipelines.state.sqlite import Pages


class StateCheck:
    """A check in progress."""

    def __init__(self, path: Path) -> None:
        """Raises StateError."""
        self._path = path
        self._error: StateError | None = StateError(f"{path}: cannot be used as state: it was not checked")
        self._pages = Pages(path)
        self._thread = threading.Thread(target=self._check, name="state check", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Waits for the result. Raises StateError if the state is damaged, each time it is called."""
        self._thread.join()
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Ends the check without its result."""
        while self._thread.is_alive():
            self._pages.interrupt()
            self._thread.join(0.01)  # an interrupt before the statement began is lost

    def _check(self) -> None:
        try:
            damage = self._pages.damage()
        except StateError as error:
            self._error = error
        else:
            self._error = None if damage is None else self._damaged(damage)

    def _damaged(self, damage: str) -> StateError:
        damage = " ".join(damage.split())
        return StateError(f"{self._path}: the state is damaged ({damage}); restore a copy of it")
