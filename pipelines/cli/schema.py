"""The verb `schema`: what a pipeline or fleet file may say, and what `--json` prints."""

import click

from pipelines.cli.output import print_json
from pipelines.cli.shapes import SHAPES, schema_of
from pipelines.config.schema import fleet_schema, json_schema


@click.command(epilog="Example:  kartra-sync schema > kartra-sync.schema.json")
@click.option("--of", "verb", metavar="VERB", help="Of what that verb prints with --json, such as run.")
@click.option("--fleet", "of_fleet", is_flag=True, help="Of a fleet file.")
@click.option("--json", is_flag=True, expose_value=False, help="As without it: one JSON object.")
def schema(*, verb: str | None, of_fleet: bool) -> None:
    """The JSON Schema of a pipeline file, for completion in editors.

    With --fleet that of a fleet file, with --of that of a verb's --json. Within a version keys may be added;
    none goes or changes its type.
    """
    if verb is None:
        print_json(fleet_schema() if of_fleet else json_schema())
        return
    if verb not in SHAPES:
        raise click.BadParameter(f"{verb}: no verb with --json; there are {', '.join(SHAPES)}")
    print_json(schema_of(verb))
