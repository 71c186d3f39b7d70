"""The console script. It alone turns an error into a line on stderr and an exit code."""

import errno
import gc
import logging
import os
import resource
import signal
import sys
from contextlib import suppress

import click

from connectors.errors import SyncError
from pipelines.cli import streams
from pipelines.cli.exits import (
    BUG,
    DONE,
    MEANINGS,
    SIGNALLED,
    USAGE,
    code_of,
    failure_json,
    leave,
    output_lost,
)
from pipelines.cli.log import asked_for_json, is_json, start_log
from pipelines.cli.output import print_error, print_json
from pipelines.cli.streams import LostOutputError
from pipelines.cli.verbs import BEGIN, GROUPS, LazyVerbs
from pipelines.errors import SurroundingsError

log = logging.getLogger("kartra_sync")

ASKED_BY_SHELL = "_KARTRA_SYNC_COMPLETE"
"""The variable by which a shell asks click for the rest of a word."""
COMPLETION = f"""\b
Completion, in ~/.bashrc or ~/.zshrc:
  eval "$({ASKED_BY_SHELL}=bash_source kartra-sync)"
  eval "$({ASKED_BY_SHELL}=zsh_source kartra-sync)\""""

GARBAGE_AFTER = 10_000
"""How many new objects Python waits for before it searches for cycles of garbage. With its own number, 700, a
quarter of a run over a million records goes into that search, and records are no cycles."""


@click.group(  # color: click takes nothing out of what others wrote, the stream writes it by number
    cls=LazyVerbs,
    verbs=GROUPS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100, "color": True},
    epilog="\n\n".join((f"Exit: {MEANINGS}", COMPLETION, "Example:  kartra-sync demo")),
    invoke_without_command=True,
)
@click.version_option(package_name="kartra-sync")
@click.pass_context
def cli(context: click.Context) -> None:
    """Keep a Kartra account in step with your own contact data.

    Only what changed is sent, at 20 calls a second at most, and nothing twice.
    """
    if context.invoked_subcommand is None:
        context.invoke(BEGIN.load())


def main() -> None:
    _leave_no_core_file()
    if ASKED_BY_SHELL not in os.environ:  # the shell reads lines of click's, and they are all of them ours
        streams.prepare()
    gc.set_threshold(GARBAGE_AFTER)
    if asked_for_json(sys.argv):  # also where the options cannot be read
        start_log(0, "json")
    leave(_carry_out(as_json="--json" in sys.argv[1:]))


def _leave_no_core_file() -> None:
    """Forbid core files: the memory of this process holds credentials and people's data."""
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def _carry_out(*, as_json: bool) -> int:
    """Carry out the verb that was asked for; gives the exit code."""
    try:
        # In standalone mode click prints errors its own way and picks the exit code.
        return cli.main(prog_name="kartra-sync", standalone_mode=False) or DONE
    except click.Abort:
        leave(SIGNALLED + signal.SIGINT, at_once=True)
    except click.ClickException as error:
        with streams.may_be_lost():
            log.error("%s", error.format_message()) if is_json() else error.show()
        return _failed(error.format_message(), USAGE, as_json=as_json)
    except SyncError as error:
        return _complained(error, as_json=as_json)
    except LostOutputError as error:
        streams.complain(error)
        return output_lost(error)
    except (OSError, MemoryError) as error:
        log.info("stopped by", exc_info=True)
        return _complained(SurroundingsError(error), as_json=as_json)
    except Exception as error:
        if (short := _shortage(error)) is not None:
            log.info("stopped by", exc_info=True)
            return _complained(SurroundingsError(short), as_json=as_json)
        log.exception("a bug in kartra-sync; please report it with this traceback")
        return _failed("a bug in kartra-sync", BUG, as_json=as_json)


def _shortage(error: Exception) -> OSError | None:
    """The shortage behind an error: no more threads, or a library that cannot be loaded for lack of
    memory."""
    if any(told in str(error) for told in ("start new thread", "launch worker thread")):  # Python's, Arrow's
        return OSError(
            errno.EAGAIN, "no more threads can be started: memory, or a limit of the system, is short"
        )
    of_others = isinstance(error, ImportError) and not (error.name or "").startswith(
        ("pipelines", "connectors")
    )
    if of_others:
        message = (
            f"a library cannot be loaded ({error}): memory is short, or kartra-sync has to be installed anew"
        )
        return OSError(errno.ENOMEM, " ".join(message.split()))
    return None


def _complained(error: SyncError, *, as_json: bool) -> int:
    with streams.may_be_lost():
        print_error("kartra-sync", error)
    return _failed(str(error), code_of(error), as_json=as_json)


def _failed(message: str, code: int, *, as_json: bool) -> int:
    if as_json:
        with streams.may_be_lost():
            print_json(failure_json(message, code))
    return code
