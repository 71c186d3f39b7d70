"""Support."""

import click


@click.command()
def support() -> None: ...
