"""How far a verb has come: a bar on a terminal, a line a minute in the log where there is none."""

import io
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import Context, copy_context
from typing import Protocol

import rich.progress
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

from connectors.unseen import one_message
from pipelines.cli.log import PROGRESS, ROOT
from pipelines.cli.streams import for_drawing
from pipelines.run_context import current_run
from pipelines.summary import Progress

log = logging.getLogger(PROGRESS)

EVERY_S = 60.0


class Shown(Protocol):
    """Called to show how far the work is."""

    def __call__(self, progress: Progress) -> None: ...

    def paused(self) -> AbstractContextManager[None]:
        """While something else has the terminal."""
        ...


class Bar:
    """A bar, called to move it."""

    def __init__(self, drawn: rich.progress.Progress) -> None:
        self._drawn = drawn
        self._task = drawn.add_task("leads", total=None, rate="0.0")

    def __call__(self, progress: Progress) -> None:
        elapsed_s = self._drawn.tasks[0].elapsed or 0.0
        rate = f"{progress.calls / elapsed_s:.1f}" if elapsed_s else "0.0"
        self._drawn.update(self._task, completed=progress.settled, total=progress.total or None, rate=rate)

    @contextmanager
    def paused(self) -> Iterator[None]:
        self._drawn.stop()
        try:
            yield
        finally:
            self._drawn.start()


class Lines:
    """Lines in the log, from a thread of their own: also where nothing moves there is one each minute."""

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._latest: tuple[Progress, Context] | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._tell, name="progress", daemon=True)

    def __call__(self, progress: Progress) -> None:
        # The logging thread belongs to no run, so it borrows the context of the one that moved last.
        self._latest = progress, copy_context()

    def paused(self) -> AbstractContextManager[None]:
        return nullcontext()

    def start(self) -> None:
        self._thread.start()

    def end(self) -> None:
        self._ended.set()

    def _tell(self) -> None:
        while not self._ended.wait(self._every_s):
            if (latest := self._latest) is not None:
                progress, context = latest
                context.copy().run(_log, progress)


def _log(progress: Progress) -> None:
    run = current_run()
    whose = f"{run.pipeline}, run {run.run_id}: " if run else ""
    if progress.total is None:
        log.info("%snothing sent yet", whose, extra={"settled": 0, "calls": 0})
        return
    counts = {"settled": progress.settled, "total": progress.total, "calls": progress.calls}
    of = f" of {progress.total:,}" if progress.total else ""
    log.info(
        "%s%s%s settled, %s calls", whose, f"{progress.settled:,}", of, f"{progress.calls:,}", extra=counts
    )


@contextmanager
def progress_bar(every_s: float = EVERY_S) -> Iterator[Shown]:
    """Drawn on stderr where that is a terminal; else a line in the log every `every_s`."""
    console = Console(file=for_drawing(sys.stderr))
    if not console.is_terminal:
        lines = Lines(every_s)
        lines.start()
        try:
            yield lines
        finally:
            lines.end()
        return
    bar = rich.progress.Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]} calls/s"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        expand=True,
    )
    with bar, _log_above(console):
        yield Bar(bar)


class _Above(io.TextIOBase):
    """Lines of the log go above the bar, each as a whole: written into its line they would tear it."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def write(self, text: str, /) -> int:
        if line := text.rstrip("\n"):
            self._console.print(one_message(line), markup=False, highlight=False, emoji=False)
        return len(text)


@contextmanager
def _log_above(console: Console) -> Iterator[None]:
    handlers = [one for one in logging.getLogger(ROOT).handlers if isinstance(one, logging.StreamHandler)]
    before = [handler.setStream(_Above(console)) for handler in handlers]
    try:
        yield
    finally:
        for handler, stream in zip(handlers, before, strict=True):
            if stream is not None:
                handler.setStream(stream)
