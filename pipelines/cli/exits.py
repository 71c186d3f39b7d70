"""Exit codes: what each means, which error has which, and the end of the process."""

import os
import sys
from typing import NoReturn

from connectors.errors import AccessRefusedError, ConfigError, SyncError
from pipelines.cli import streams
from pipelines.cli.streams import LostOutputError
from pipelines.errors import GuardError, LockedError, StalePlanError, StateBusyError

DONE, FAILED, USAGE, PARTIAL, GUARDED, LOCKED, STALE, PENDING, BUG = 0, 1, 2, 3, 4, 5, 6, 7, 70
SIGNALLED = 128
"""The exit code of a signal is this plus its number, as shells have it."""

MEANINGS = (
    "0 done · 1 failed, safe to run again · 2 usage or configuration · 3 done, some leads refused"
    " · 4 stopped by a guard · 5 another run holds the lock · 6 the saved plan no longer holds"
    " · 7 changes are pending (plan --detailed-exitcode) · 130/143 interrupted · 70 a bug of ours"
)


def code_of(error: SyncError) -> int:
    # Refused credentials need a person, as a wrong file does: trying again changes nothing.
    if isinstance(error, ConfigError | AccessRefusedError):
        return USAGE
    if isinstance(error, GuardError):
        return GUARDED
    if isinstance(error, StalePlanError):
        return STALE
    return LOCKED if isinstance(error, LockedError | StateBusyError) else FAILED


def failure_json(message: str, code: int) -> dict[str, object]:
    """What `--json` prints where there is no result."""
    status = "refused" if code in (USAGE, GUARDED, LOCKED, STALE) else "failed"
    return {"status": status, "error": message, "exit_code": code}


def output_lost(error: LostOutputError) -> int:
    """The exit code where output got lost: a reader that stopped, as `head` does, has what it wanted."""
    return DONE if error.is_unread else FAILED


def leave(code: int, *, at_once: bool = False) -> NoReturn:
    """End the process. `at_once` does not wait for threads that still listen for an answer nobody needs.

    Where the output could not be written, work that is done keeps its code, and what only shows has failed.
    """
    try:
        streams.flush()
    except LostOutputError as error:
        streams.complain(error)
        code = code or output_lost(error)
    if not at_once:
        sys.exit(code)
    os._exit(code)
