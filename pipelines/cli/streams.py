"""The three standard streams: they may be closed, full, in an old encoding, or read by somebody who left."""

import codecs
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TextIO, TypeVar, cast

from connectors.unseen import one_message

_T = TypeVar("_T")


class LostOutputError(OSError):
    """A standard stream takes no more. What is written to it from then on goes nowhere, without an error."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(f"the output could not be written: {cause.strerror}")
        self.is_unread = isinstance(cause, BrokenPipeError)
        """Whether the reader has stopped reading, as `head` does."""


def prepare() -> None:
    """Open what is closed of the three streams, before any other file gets its number: the state, perhaps."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
    sys.stdin = sys.stdin or os.fdopen(0, "r", encoding="utf-8", closefd=False)
    sys.stdout = _tolerant(sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False))
    sys.stderr = _tolerant(sys.stderr or os.fdopen(2, "w", encoding="utf-8", closefd=False))


def flush() -> None:
    """Write out both streams. Raises LostOutputError."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()


@contextmanager
def may_be_lost() -> Iterator[None]:
    """For words about work that is done: where they cannot be written, the work goes on."""
    try:
        yield
    except LostOutputError as error:
        complain(error)


def complain(error: LostOutputError) -> None:
    """Say that the output got lost, unless nobody wants it any more."""
    if not error.is_unread:
        with suppress(LostOutputError):
            print(f"kartra-sync: {error}", file=sys.stderr)  # noqa: T201 - click needs a stream that works
            sys.stderr.flush()


_HELP = "Usage: kartra-sync"
"""With what the help of a verb begins, whose lines are ours."""


class Drawn(str):
    """Text whose line ends and signs to the terminal are ours."""

    __slots__ = ()


class _Stream(io.TextIOWrapper):
    """A text stream whose end is a LostOutputError, once.

    What is written as one text is one message, defused: nothing that somebody else wrote moves a cursor,
    turns a line around or looks like a line of ours.
    """

    @property
    def exact(self) -> TextIO:
        """The same stream for data that a program reads: as they are, unless they go to a screen."""
        return cast(TextIO, self if self.isatty() else _Exact(self))

    def write(self, text: str, /) -> int:
        if text == "":  # click asks so whether this is a stream of text, and hides what comes of it
            return 0
        safe = text if isinstance(text, Drawn) or text.startswith(_HELP) else one_message(text)
        self._kept(lambda: super(_Stream, self).write(safe))
        return len(text)

    def flush(self) -> None:
        self._kept(super().flush)

    def _kept(self, do: Callable[[], _T]) -> _T:
        try:
            return do()
        except OSError as error:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            # From then on the stream writes to nowhere: the interpreter flushes it once more at its end, and
            # would fail again.
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            raise LostOutputError(error) from error


class _Exact(io.TextIOBase):
    """Writes to a stream what it gets."""

    def __init__(self, stream: _Stream) -> None:
        self._stream = stream

    def write(self, text: str, /) -> int:
        return self._stream.write(Drawn(text))

    def flush(self) -> None:
        self._stream.flush()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()


def drawn(text: str) -> None:
    """To stdout, as it is, and at once: somebody may wait for it."""
    sys.stdout.write(Drawn(text) if isinstance(sys.stdout, _Stream) else text)
    sys.stdout.flush()


def drawn_on_stderr(text: str) -> None:
    """To stderr, as it is."""
    sys.stderr.write(Drawn(text) if isinstance(sys.stderr, _Stream) else text)
    sys.stderr.flush()


def for_drawing(stream: TextIO) -> TextIO:
    """The stream for whoever moves the cursor in it by right."""
    return cast(TextIO, _Exact(stream)) if isinstance(stream, _Stream) else stream


def _tolerant(stream: TextIO) -> TextIO:
    """The same stream; a character that its encoding lacks is written by its number, and stops nothing."""
    if not isinstance(stream, io.TextIOWrapper) or isinstance(stream, _Stream):
        return stream  # whoever put another one there has taken the streams over
    stream.flush()
    is_ascii = codecs.lookup(stream.encoding).name == "ascii"  # click takes it for a mistake, too
    return _Stream(
        os.fdopen(stream.fileno(), "wb", 0 if stream.write_through else -1, closefd=False),
        encoding="utf-8" if is_ascii else stream.encoding,
        errors="backslashreplace" if stream.errors == "strict" else stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
