"""Whether the pages of a state are whole: looked at on a connection of its own, beside other work."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

from pipelines.errors import StateError
from pipelines.state.file import BUSY_TIMEOUT_S, what_is_wrong


class StateCheck:
    """`PRAGMA quick_check` in a thread: 3 s for a million leads. SQLite leaves Python free meanwhile."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._error: StateError | None = StateError(f"{path}: cannot be used as state: it was not checked")
        self._connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_S, check_same_thread=False
        )
        self._thread = threading.Thread(target=self._look, name="state check", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Until it is known. Raises StateError where the state is damaged, each time it is asked."""
        self._thread.join()
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """Nobody wants to know any more."""
        while self._thread.is_alive():
            self._interrupt()
            self._thread.join(0.01)  # an interrupt before the statement began is lost

    def _interrupt(self) -> None:
        try:
            self._connection.interrupt()
        except sqlite3.ProgrammingError:  # closed between the question and now
            return

    def _look(self) -> None:
        try:
            with closing(self._connection) as connection:
                found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        except sqlite3.Error as error:
            wrong = what_is_wrong(error, self._path)
            self._error = StateError(f"{self._path}: cannot be used as state: {wrong}")
        else:
            self._error = None if found == "ok" else self._damaged(str(found))

    def _damaged(self, found: str) -> StateError:
        told = " ".join(found.split())
        return StateError(f"{self._path}: the state is damaged ({told}); restore a copy of it")
