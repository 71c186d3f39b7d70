"""The verb `schema`: what a pipeline file may say, for editors."""

import click

from pipelines.cli.output import print_json
from pipelines.config.schema import json_schema


@click.command(epilog="Example:  kartra-sync schema > kartra-sync.schema.json")
@click.option("--json", is_flag=True, expose_value=False, help="As without it: one JSON object.")
def schema() -> None:
    """The JSON Schema of a pipeline file, for completion in editors."""
    print_json(json_schema())
