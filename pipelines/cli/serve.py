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
from pipelines.config.fleet import NAME
from pipelines.config.fleet_file import is_fleet
from pipelines.config.pipeline import PipelineConfig
from pipelines.fleet.connectable import app_of, book_of, names_and_urls, owner_of_key
from pipelines.fleet.fleet import Fleet, open_fleet
from pipelines.fleet.one import named_in_fleet
from pipelines.serve.connecting import Connectable, Connecting
from pipelines.serve.server import serve_until
from pipelines.serve.site import Entry, Site, public_origin
from pipelines.verbs.connect import ALONE, Keeper, Keyring, VariablesFile


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
@click.option(
    "--keep-in",
    type=FILE,
    help="Where keys that clients type are kept, mode 0600; else in the keyring.",
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
    keep_in: Path | None,
    as_json: bool,
) -> None:
    """Serve a page to this machine, of pipelines or fleets: what runs, what waits, plans to approve.

    The address that is printed lets one browser in, once, and for a day. Names and addresses are masked until
    somebody asks, which is written down beside the pipeline. Its page Accounts makes a link for a client, at
    which the key of an account is typed, tried and kept. Ctrl-C ends it.
    """
    if user_header and not behind_proxy:
        raise click.UsageError("--user-header needs --behind-proxy: without a proxy anybody may write it")
    public = public_origin(behind_proxy) if behind_proxy else ""
    found = _read(files, target)

    def site_at(port: int) -> Site:
        return Site(
            found.entries,
            public or f"http://127.0.0.1:{port}",
            found.problems,
            is_behind_proxy=bool(public),
            user_header=user_header,
            connecting=Connecting(found.accounts, *_keeper(keep_in)),
            reread=lambda: _read(files, target).take(),
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


def _read(files: tuple[Path, ...], target: str | None) -> "_Found":
    """Raises ConfigError."""
    found = _Found()
    for file in files:
        found.read(file, target)
    return found


def _keeper(keep_in: Path | None) -> tuple[Keeper, str]:
    if keep_in is None:
        return Keyring(), "the keyring"
    return VariablesFile(keep_in.absolute()), keep_in.name


class _Found:
    """What the files have: pipelines by name, accounts of a fleet that have none, with the reason, and the
    accounts that clients may connect."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.problems: dict[str, str] = {}
        self.accounts: dict[str, Connectable] = {}

    def take(self) -> tuple[dict[str, Entry], dict[str, str]]:
        return self.entries, self.problems

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
        self._connectable_alone(config)

    def _read_fleet(self, file: Path, target: str | None) -> None:
        fleet = open_fleet(file, os.environ, target=target)
        self._connectable(fleet, file, target)
        for member in fleet.members:
            if member.faults:
                self.problems[member.name] = "; ".join(member.faults)
            for config in () if member.faults else member.pipelines:
                named = named_in_fleet(file.absolute(), target, member.name, config.pipeline)
                name = f"{member.name}.{config.pipeline}"
                self._add(Entry(name, config, named, partial(read_file, Path(named)), member.name))

    def _connectable(self, fleet: Fleet, file: Path, target: str | None) -> None:
        try:
            app_id = app_of(fleet.file)
        except ConfigError:  # each account says so
            return
        open_now = partial(open_fleet, file, os.environ, target=target)
        for name, url in names_and_urls(fleet):
            if NAME.fullmatch(name):
                owner = partial(owner_of_key, open_now, name)
                self.accounts[name] = Connectable(name, url, app_id, book_of(file), owner)

    def _connectable_alone(self, config: PipelineConfig) -> None:
        """Of one pipeline: its account by its name, or as the only one of its App here."""
        name, app_id = config.kartra.account or ALONE, config.kartra.app_id
        if app_id is None or not app_id.get_secret_value() or not NAME.fullmatch(name):
            return

        def owner(key: str) -> str | None:
            others = (
                entry for entry in self.entries.values() if entry.account != (config.kartra.account or "")
            )
            found = (entry.name for entry in others if _has_key(entry.config, key))
            return next(found, None)

        app, url = app_id.get_secret_value(), config.kartra.url
        self.accounts.setdefault(name, Connectable(name, url, app, book_of(config.path), owner))

    def _add(self, entry: Entry) -> None:
        if entry.name in self.entries:
            other = self.entries[entry.name]
            raise ConfigError(
                f"{other.file} and {entry.file} have the same name, {entry.name}: serve one of them"
            )
        self.entries[entry.name] = entry


def _has_key(config: PipelineConfig, key: str) -> bool:
    return config.kartra.api_key is not None and config.kartra.api_key.get_secret_value() == key


def _from_anywhere(file: Path) -> str:
    """A file, or the fleet before the account, by its whole path."""
    named = str(file)
    if file.exists() or "@" not in named:
        return str(file.absolute())
    fleet, _, whose = named.rpartition("@")
    return f"{Path(fleet).absolute()}@{whose}"
