"""The bar of a run on a real terminal: log lines stand above it, Ctrl-C and the end leave nothing of it."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable

import pytest

from connectors.kartra.sandbox import Sandbox
from tests import warm_start
from tests.conftest import Project, contact

LOAD = """
source: {csv: contacts.csv}
key: email
fields: {email: Email}
consent: {attested: form}
"""
SIGN = re.compile(r"\x1b\[(?P<number>\??\d*)(?:;\d+)*(?P<kind>[A-Za-z])|(?P<letter>[^\x1b])")
WHOLE = re.compile(r"leads +[━╸╺ ]+ +\d+/\d+ +\d+\.\d calls/s +\S+")


class Screen:
    """What a person sees: the signs that the command sends, carried out. An unknown one fails."""

    def __init__(self, columns: int) -> None:
        self._columns, self._row, self._column, self._rest = columns, 0, 0, ""
        self._cells: dict[tuple[int, int], str] = {}

    def feed(self, text: str) -> None:
        text, self._rest = self._rest + text, ""
        while text:
            found = SIGN.match(text)
            if found is None:  # a sign that is not here as a whole yet
                self._rest = text
                return
            text = text[found.end() :]
            if found["letter"]:
                self._put(found["letter"])
            else:
                self._move(found["kind"], found["number"])

    def _put(self, letter: str) -> None:
        if letter == "\r":
            self._column = 0
        elif letter == "\n":
            self._row += 1
        else:
            if self._column == self._columns:
                self._row, self._column = self._row + 1, 0
            self._cells[self._row, self._column] = letter
            self._column += 1

    def _move(self, kind: str, number: str) -> None:
        if kind == "A":
            self._row -= int(number or 1)
        elif kind == "K":
            begin = 0 if number == "2" else self._column
            for column in range(begin, self._columns):
                self._cells.pop((self._row, column), None)
        else:
            assert (kind, number) in {("h", "?25"), ("l", "?25")} or kind == "m", (kind, number)

    @property
    def lines(self) -> list[str]:
        rows = range(max((row for row, _ in self._cells), default=-1) + 1)
        return [
            "".join(self._cells.get((row, column), " ") for column in range(self._columns)).rstrip()
            for row in rows
        ]


class Terminal:
    def __init__(self, project: Project, *words: str, columns: int) -> None:
        self._ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        environ = {**project.command_environ(), "TERM": "xterm-256color"}
        self.process = warm_start.start(
            words,
            environ=environ,
            cwd=project.folder,
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        self.screen, self._bytes = Screen(columns), b""

    def read(self) -> bool:
        """Draw what has come; false once the command has ended."""
        if not select.select([self._ours], [], [], 0.05)[0]:
            return True
        try:
            part = os.read(self._ours, 1 << 16)
        except OSError:  # how Linux says that nobody has the other end open
            return False
        self._bytes += part
        text = self._bytes.decode("utf-8", "ignore")
        self._bytes = self._bytes[len(text.encode()) :]
        self.screen.feed(text)
        return bool(part)

    def until(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + 60
        while not condition():
            assert self.read(), self.screen.lines
            assert time.monotonic() < end, self.screen.lines

    def ended(self) -> int:
        while self.read():
            pass
        os.close(self._ours)
        return self.process.wait()


def bars(screen: Screen) -> list[str]:
    return [line for line in screen.lines if "calls/s" in line or "━" in line]


@pytest.mark.parametrize("columns", [60, 120])
def test_log_lines_and_an_interrupt_leave_the_bar_whole_and_nothing_of_it_behind(
    columns: int, project: Project, sandbox: Sandbox
) -> None:
    sandbox.set_options(latency_s=0.15)
    project.pipeline(LOAD, kartra="workers: 1")
    project.contacts([contact(number) for number in range(30)])
    terminal = Terminal(project, "run", "p.yaml", "--yes", "-vv", columns=columns)
    screen = terminal.screen

    def has_sent(count: int) -> bool:
        found = [re.search(r"(\d+)/\d+", bar) for bar in bars(screen)]
        return any(each and int(each[1]) >= count for each in found)

    for count in (1, 3):
        terminal.until(lambda count=count: has_sent(count))  # type: ignore[misc]
        (bar,) = bars(screen)
        assert WHOLE.fullmatch(bar), bar
        assert bar == screen.lines[-1]
    logged = [line for line in screen.lines if re.match(r"\d{4}-\d\d-\d\d ", line)]
    assert logged
    os.kill(terminal.process.pid, signal.SIGINT)
    assert terminal.ended() == 130
    assert bars(screen) == []
    assert screen.lines.count("stopping: calls in flight are settled first") == 1
    assert screen.lines.count("once more stops at once") == 1
    assert [line for line in screen.lines if line in logged] == logged  # each as it stood
