"""On a terminal a person is asked before anything is sent; without one, and with --yes, nobody is."""

import os
import pty
import select
import signal
import subprocess
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from connectors.kartra.sandbox import Sandbox
from tests import warm_start
from tests.command.several import stored, wait_for, writes
from tests.conftest import LOAD, Project, contact


class Terminal:
    """A command with a terminal of its own."""

    def __init__(self, process: "subprocess.Popen[str]", master: int) -> None:
        self._process, self._master, self.shown = process, master, ""

    def shows(self, words: str) -> bool:
        """Whether it has shown this by now. Reads what there is, at most for a moment."""
        with suppress(OSError):  # the other end was closed
            while select_ready(self._master):
                if not (read := os.read(self._master, 4096)):
                    break
                self.shown += read.decode()
        return words in self.shown

    def types(self, words: str) -> None:
        os.write(self._master, words.encode())

    def ended(self) -> int:
        wait_for(lambda: self.shows("\0") or self._process.poll() is not None)
        self.shows("\0")
        return self._process.wait()

    def interrupt(self) -> None:
        os.kill(self._process.pid, signal.SIGINT)


def select_ready(descriptor: int) -> bool:

    return bool(select.select([descriptor], [], [], 0.05)[0])


@contextmanager
def on_terminal(project: Project, *words: str) -> Iterator[Terminal]:
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 240))  # so wide that no line is wrapped
    environ = {**warm_start.base_environ(), **project.environ, "TERM": "dumb"}
    process = warm_start.start(
        words, environ=environ, cwd=project.folder, stdin=slave, stdout=slave, stderr=slave
    )
    os.close(slave)
    try:
        yield Terminal(process, master)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(master)


@pytest.mark.parametrize(("answer", "code", "leads"), [("y\n", 0, 2), ("\n", 4, 0), ("\x04", 4, 0)])
def test_what_is_agreed_to_is_sent_and_nothing_else(
    answer: str, code: int, leads: int, project: Project, sandbox: Sandbox
) -> None:
    project.pipeline(LOAD + "guards: {max_triggered: 1}\n", kartra="account: Acme")
    project.contacts([contact(1), contact(2)])
    with on_terminal(project, "run", "p.yaml") as terminal:
        wait_for(lambda: terminal.shows("Send this?"))
        assert writes(sandbox) == []
        for told in ("newsletter to the account Acme", "2 created", 'tag "Imported" to 2', "stays  a lead"):
            assert told in terminal.shown
        assert "more than guards.max_triggered allows" in terminal.shown
        assert terminal.shown.count("\n") <= 6
        terminal.types(answer)
        assert terminal.ended() == code
    assert len(stored(sandbox)) == leads


def test_an_interrupt_is_an_answer(project: Project, sandbox: Sandbox) -> None:
    project.pipeline(LOAD)
    project.contacts([contact(1)])
    with on_terminal(project, "run", "p.yaml") as terminal:
        wait_for(lambda: terminal.shows("Send this?"))
        terminal.interrupt()
        assert terminal.ended() == 130
    assert stored(sandbox) == {}


def test_nobody_is_asked_where_there_is_nothing_to_send_or_a_yes(project: Project, sandbox: Sandbox) -> None:
    project.pipeline(LOAD)
    project.contacts([contact(1)])
    for words in (("run", "p.yaml", "--yes"), ("run", "p.yaml")):
        with on_terminal(project, *words) as terminal:
            assert terminal.ended() == 0
            assert "Send this?" not in terminal.shown
    assert len(stored(sandbox)) == 1


@pytest.mark.parametrize("answer", ["n\n", "\x04"])
def test_a_doctor_says_what_it_makes_and_leaves_behind_and_asks_first(
    answer: str, project: Project, sandbox: Sandbox
) -> None:
    project.pipeline(LOAD, kartra="account: Acme")
    words = ("doctor", "p.yaml", "--address", "me+1@own.example", "--list", "News")
    with on_terminal(project, *words) as terminal:
        wait_for(lambda: terminal.shows("Examine this account?"))
        for told in ("Acme", "m***@o***.example", 'the list "News"', "mail as well", "about 75, 160 at most"):
            assert told in terminal.shown
        assert "the empty lead: Kartra's API deletes none" in terminal.shown
        terminal.types(answer)
        assert terminal.ended() == 4
    assert sandbox.calls == []
