"""The verb `serve`: a page on this machine."""

import os
import sys
from functools import partial
from pathlib import Path

import click

from connectors.errors import ConfigError
from pipelines.cli.files import read_file
from pipelines.cli.options import FILE, common
from pipelines.cli.output import print_json, tell
from pipelines.cli.signals import Stop
from pipelines.config.fleet_file import is_fleet
from pipelines.fleet.fleet import open_fleet
from pipelines.fleet.one import named_in_fleet
from pipelines.serve.server import serve_until
from pipelines.serve.site import Entry, Site, public_origin


@click.command(epilog="Example:  kartra-sync serve newsletter.yaml")
@click.argument("files", nargs=-1, required=True, type=FILE)
@click.option(
    "--port", default=8766, show_default=True, type=click.IntRange(0, 65535), help="0: any free one."
)
@click.option("--behind-proxy", metavar="URL", help="A proxy of yours hands on what comes to this address.")
@click.option("--user-header", default="", metavar="NAME", help="The header in which the proxy names people.")
@click.option(
    "--target", metavar="NAME", help="Of a fleet: an environment of the file, such as test or live."
)
@common
@click.pass_obj
def serve(
    stop: Stop,
    /,
    files: tuple[Path, ...],
    *,
    port: int,
    behind_proxy: str | None,
    target: str | None,
    user_header: str,
    as_json: bool,
) -> None:
    """Serve a page to this machine, of pipelines or fleets: what runs, what waits, plans to approve.

    The address that is printed lets one browser in, once, and for a day. Names and addresses are masked until
    somebody asks, which is written down beside the pipeline. Ctrl-C ends it.
    """
    if user_header and not behind_proxy:
        raise click.UsageError("--user-header needs --behind-proxy: without a proxy anybody may write it")
    public = public_origin(behind_proxy) if behind_proxy else ""
    found = _Found()
    for file in files:
        found.read(file, target)

    def site_at(port: int) -> Site:
        return Site(
            found.entries,
            public or f"http://127.0.0.1:{port}",
            found.problems,
            is_behind_proxy=bool(public),
            user_header=user_header,
        )

    def begun(site: Site) -> None:
        link = site.new_link()
        if as_json:
            print_json({"url": link})
            return
        # Alone on stdout, for a script that opens it; what people should know goes to stderr.
        click.echo(link)
        sys.stdout.flush()
        tell("open it in a browser; it works once, for a day. Ctrl-C ends the server")

    serve_until(stop.asked, port, site_at, begun)


class _Found:
    """What the files have: pipelines by name, and accounts of a fleet that have none, with the reason."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.problems: dict[str, str] = {}

    def read(self, file: Path, target: str | None) -> None:
        if file.is_file() and is_fleet(file):
            self._read_fleet(file, target)
            return
        config = read_file(file)
        named = _from_anywhere(file)
        self._add(
            Entry(
                config.pipeline, config, named, partial(read_file, Path(named)), config.kartra.account or ""
            )
        )

    def _read_fleet(self, file: Path, target: str | None) -> None:
        for member in open_fleet(file, os.environ, target=target).members:
            if member.faults:
                self.problems[member.name] = "; ".join(member.faults)
            for config in () if member.faults else member.pipelines:
                named = named_in_fleet(file.absolute(), target, member.name, config.pipeline)
                name = f"{member.name}.{config.pipeline}"
                self._add(Entry(name, config, named, partial(read_file, Path(named)), member.name))

    def _add(self, entry: Entry) -> None:
        if entry.name in self.entries:
            other = self.entries[entry.name]
            raise ConfigError(
                f"{other.file} and {entry.file} have the same name, {entry.name}: serve one of them"
            )
        self.entries[entry.name] = entry


def _from_anywhere(file: Path) -> str:
    """A file, or the fleet before the account, by its whole path."""
    named = str(file)
    if file.exists() or "@" not in named:
        return str(file.absolute())
    fleet, _, whose = named.rpartition("@")
    return f"{Path(fleet).absolute()}@{whose}"
