"""The console script. It alone turns an error into a line on stderr and an exit code."""

import gc
import logging
import os
import signal
import sys

import click

from connectors.errors import SyncError
from pipelines.cli.exits import BUG, DONE, MEANINGS, SIGNALLED, USAGE, code_of, error_json, leave
from pipelines.cli.output import print_json
from pipelines.cli.verbs import LazyVerbs

GARBAGE_AFTER = 10_000
"""New objects between two looks for cycles of garbage. Records by the million are none, and with Python's own
number, 700, a quarter of the time goes into looking through them."""


@click.group(
    cls=LazyVerbs,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=f"Exit: {MEANINGS}\n\nExample:  kartra-sync demo",
)
@click.version_option(package_name="kartra-sync")
def cli() -> None:
    """Keep a Kartra account in step with your own contact data.

    Only what changed is sent, at 20 calls a second at most, and nothing twice.
    """


def main() -> None:
    as_json = "--json" in sys.argv[1:]
    gc.set_threshold(GARBAGE_AFTER)
    try:
        code = cli.main(prog_name="kartra-sync", standalone_mode=False)
    except click.Abort:
        leave(SIGNALLED + signal.SIGINT, at_once=True)
    except click.ClickException as error:
        error.show()
        if as_json:
            print_json({"status": "refused", "error": error.format_message(), "exit_code": USAGE})
        leave(USAGE)
    except SyncError as error:
        click.echo(f"kartra-sync: {error}", err=True)
        if as_json:
            print_json(error_json(error))
        leave(code_of(error))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        leave(DONE)
    except Exception:
        logging.getLogger("kartra_sync").exception(
            "a bug in kartra-sync; please report it with this traceback"
        )
        if as_json:
            print_json({"status": "failed", "error": "a bug in kartra-sync", "exit_code": BUG})
        leave(BUG)
    leave(code or DONE)
