"""A bar that shows how far a verb has come."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import rich.progress
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

from pipelines.summary import Progress


@contextmanager
def progress_bar() -> Iterator[Callable[[Progress], None]]:
    """Gives the function that moves it. Drawn on stderr, and only where that is a terminal."""
    console = Console(stderr=True)
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
        task = bar.add_task("leads", total=None, rate="0.0")

        def update(progress: Progress) -> None:
            elapsed_s = bar.tasks[0].elapsed or 0.0
            rate = f"{progress.calls / elapsed_s:.1f}" if elapsed_s else "0.0"
            bar.update(task, completed=progress.settled, total=progress.total, rate=rate)

        yield update
