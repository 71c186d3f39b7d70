"""Exit codes: what each means, which error has which, and the end of the process."""

import os
import sys
from typing import NoReturn

from connectors.errors import ConfigError, SyncError
from pipelines.errors import GuardError, LockedError

DONE, FAILED, USAGE, PARTIAL, GUARDED, LOCKED, BUG = 0, 1, 2, 3, 4, 5, 70
SIGNALLED = 128
"""Plus the number of the signal."""

MEANINGS = (
    "0 done · 1 failed, safe to run again · 2 usage or configuration · 3 done, some leads refused"
    " · 4 stopped by a guard · 5 another run holds the lock · 130/143 interrupted · 70 a bug of ours"
)


def code_of(error: SyncError) -> int:
    if isinstance(error, ConfigError):
        return USAGE
    if isinstance(error, GuardError):
        return GUARDED
    return LOCKED if isinstance(error, LockedError) else FAILED


def error_json(error: SyncError) -> dict[str, object]:
    """What `--json` prints where there is no result."""
    refused = isinstance(error, ConfigError | GuardError | LockedError)
    return {"status": "refused" if refused else "failed", "error": str(error), "exit_code": code_of(error)}


def leave(code: int, *, at_once: bool = False) -> NoReturn:
    """`at_once` does not wait for threads that still listen for an answer nobody needs."""
    if not at_once:
        sys.exit(code)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    os._exit(code)
