"""The verb `support`: one file for whoever helps, without people, names and credentials."""

from pathlib import Path
from typing import Any

import click

from connectors.clock import utc_now
from connectors.errors import ConfigError
from pipelines.cli.exits import DONE
from pipelines.cli.files import read_file
from pipelines.cli.options import FILE, common
from pipelines.cli.output import print_json
from pipelines.config.used_files import refuse_used
from pipelines.verbs.support import of_pipeline, of_program, write_support


@click.command(epilog="Example:  kartra-sync support newsletter.yaml")
@click.argument("file", type=FILE)
@click.option("--to", type=FILE, help="The file to write; else one of this folder, named by the time.")
@common
def support(file: Path, *, to: Path | None, as_json: bool) -> int:
    """Write what somebody has to know who helps: versions, the shape of the file, counts, the last runs.

    Nothing is asked of Kartra. No address, no name, no text of yours and no credential stands in it: look
    before you send it, it is short JSON. A file that is there is never written over.
    """
    target = to or Path(f"kartra-support-{utc_now():%Y%m%dT%H%M%SZ}.json")
    size = write_support(target, _said(file, target))
    if as_json:
        print_json({"file": str(target), "bytes": size})
    else:
        click.echo(f"{target}: {size:,} bytes; read it before you send it")
    return DONE


def _said(file: Path, target: Path) -> dict[str, Any]:
    """A file that cannot be read is what help is asked for, too."""
    try:
        config = read_file(file)
    except ConfigError as error:
        return of_program(str(error))
    refuse_used([target], config)
    return of_pipeline(config)
