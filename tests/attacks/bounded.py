"""A piece of work in a child process that may use only so much memory and time."""

import multiprocessing
import resource
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

from connectors.errors import SyncError

MEMORY_BYTES = 1536 * 1024**2
"""Beside what the test process maps already: a reader holds a chunk of millions of cells."""
SECONDS = 120
"""Of processor time: an attack on it takes hours, a busy machine does not count."""


def said_by(work: Callable[[], object]) -> str:
    """What its error of ours says, "ok: …" with what it gives, or "BUG: …" for any other end."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_carry_out, args=(work, theirs))
    child.start()
    theirs.close()
    try:
        return str(ours.recv())
    except EOFError:
        child.join()
        return f"BUG: the process ended with {child.exitcode}"
    finally:
        child.kill()
        child.join()


def _carry_out(work: Callable[[], object], answer: Connection) -> None:
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)
    used = resource.getrusage(resource.RUSAGE_SELF)
    so_far = int(used.ru_utime + used.ru_stime)
    resource.setrlimit(resource.RLIMIT_CPU, (so_far + SECONDS, so_far + SECONDS))
    mapped = int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + MEMORY_BYTES, mapped + MEMORY_BYTES))
    try:
        said = f"ok: {work()}"
    except SyncError as error:
        said = f"{type(error).__name__}: {error}"
    except BaseException as error:  # noqa: BLE001 - that there is none is what is asked
        said = f"BUG: {type(error).__name__}: {error}"
    answer.send(said[:20_000])
