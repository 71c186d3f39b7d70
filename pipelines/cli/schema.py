"""The verb `schema`: what a pipeline file may say, for editors; and what `--json` prints, for programs."""

import click

from pipelines.cli.output import print_json
from pipelines.cli.shapes import SHAPES, schema_of
from pipelines.config.schema import json_schema


@click.command(epilog="Example:  kartra-sync schema > kartra-sync.schema.json")
@click.option("--of", "verb", metavar="VERB", help="Of what that verb prints with --json, such as run.")
@click.option("--json", is_flag=True, expose_value=False, help="As without it: one JSON object.")
def schema(*, verb: str | None) -> None:
    """The JSON Schema of a pipeline file, for completion in editors.

    With --of that of a verb's --json. Within a version keys may be added; none goes or changes its type.
    """
    if verb is None:
        print_json(json_schema())
        return
    if verb not in SHAPES:
        raise click.BadParameter(f"{verb}: no verb with --json; there are {', '.join(SHAPES)}")
    print_json(schema_of(verb))
