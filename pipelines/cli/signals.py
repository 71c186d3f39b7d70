"""SIGINT and SIGTERM: the first asks for a stop between two calls, the second ends the process."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from pipelines.cli.exits import SIGNALLED
from pipelines.cli.log import is_json

_STOPPING = b"stopping: calls in flight are settled first\nonce more stops at once\n"
_BAR_AWAY = b"\r\x1b[2K"
"""Takes the line away that a bar is drawn in; it is drawn again below."""
_STOPPING_JSON = b'{"level": "warning", "message": "stopping: calls in flight are settled first"}\n'


class Stop:
    """A stop that was asked for by a signal. The second signal ends the process at once; the journal endures
    it."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.number: int | None = None

    def asked(self) -> bool:
        return self._event.is_set()

    def code(self, ended: int) -> int:
        """The exit code: that of the signal, if there was one."""
        return ended if self.number is None else SIGNALLED + self.number

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let Ctrl-C end a question: while a person is asked, it interrupts the reading, and asks for a
        stop."""

        def interrupt(number: int, _: object) -> None:
            self.number = number
            self._event.set()
            raise KeyboardInterrupt

        before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def on_signal(self, number: int, _: object) -> None:
        if self.number is not None:
            os._exit(SIGNALLED + number)
        self.number = number
        self._event.set()
        # Not by print: a signal may come in the midst of one, and the stream is not to be entered twice.
        text = _STOPPING_JSON if is_json() else _STOPPING
        os.write(2, _BAR_AWAY + text if os.isatty(2) and not is_json() else text)


@contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """Handle both signals; to be entered before anything slow."""
    stop = Stop()
    before = {number: signal.signal(number, stop.on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
