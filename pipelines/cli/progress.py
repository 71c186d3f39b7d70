"""A bar that shows how far a verb has come."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import rich.progress
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

from pipelines.cli.streams import for_drawing
from pipelines.summary import Progress


class Bar:
    """A bar, called to move it."""

    def __init__(self, drawn: rich.progress.Progress) -> None:
        self._drawn = drawn
        self._task = drawn.add_task("leads", total=None, rate="0.0")

    def __call__(self, progress: Progress) -> None:
        elapsed_s = self._drawn.tasks[0].elapsed or 0.0
        rate = f"{progress.calls / elapsed_s:.1f}" if elapsed_s else "0.0"
        self._drawn.update(self._task, completed=progress.settled, total=progress.total, rate=rate)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """While something else has the terminal."""
        self._drawn.stop()
        try:
            yield
        finally:
            self._drawn.start()


@contextmanager
def progress_bar() -> Iterator[Bar]:
    """Drawn on stderr, and only where that is a terminal."""
    console = Console(file=for_drawing(sys.stderr))
    bar = rich.progress.Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]} calls/s"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with bar:
        yield Bar(bar)
