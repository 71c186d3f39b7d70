"""Ends the process with SIGKILL at a chosen moment; Python imports it by its name, from PYTHONPATH.

`KARTRA_SYNC_KILL` is JSON: `module` and `function` (its qualified name), `event` (call or return), `nth`,
and `after`, a function whose first return starts the counting. Watching begins when the state is
about to be opened, so that imports stay fast. The moment is written to `KARTRA_SYNC_KILL_REPORT` first.
"""

import json
import os
import signal
import sys
import threading
from types import FrameType
from typing import Any

_SERVER = "pipelines.state.postgresql"
"""Imported when the state is on a server; its driver tells nobody of its connections."""


class Watch:
    """Counts the events of one function over all threads."""

    def __init__(self, point: dict[str, Any], report: str) -> None:
        self._name = point["function"].rpartition(".")[2]
        self._place = (point["module"], point["function"])
        self._event = point["event"]
        self._left = point["nth"]
        self._after = tuple(point["after"].split(":")) if point.get("after") else None
        self._report = report
        self._lock = threading.Lock()

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        if self._after is not None:
            if event == "return" and _place(frame) == self._after:
                self._after = None
            return
        code = frame.f_code
        if event != self._event or code.co_name != self._name or _place(frame) != self._place:
            return
        with self._lock:
            self._left -= 1
            if self._left == 0:
                self._end(frame)

    def _end(self, frame: FrameType) -> None:
        descriptor = os.open(self._report, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(descriptor, f"{':'.join(_place(frame))} {self._event}\n".encode())
        os.close(descriptor)
        os.kill(os.getpid(), signal.SIGKILL)


def _place(frame: FrameType) -> tuple[str, str]:
    return frame.f_globals.get("__name__", ""), frame.f_code.co_qualname


def _watch_from_the_first_connection(watch: Watch) -> None:
    started = False

    def audit(event: str, about: tuple[Any, ...]) -> None:
        nonlocal started
        is_opening = event == "sqlite3.connect" or (event == "import" and about[0] == _SERVER)
        if is_opening and not started:
            started = True
            threading.setprofile(watch)
            sys.setprofile(watch)

    sys.addaudithook(audit)


if "KARTRA_SYNC_KILL" in os.environ:
    _watch_from_the_first_connection(
        Watch(json.loads(os.environ["KARTRA_SYNC_KILL"]), os.environ["KARTRA_SYNC_KILL_REPORT"])
    )
