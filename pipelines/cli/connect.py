"""The verb `connect`: the key and password of an account, asked for, tried and kept. Never an argument."""

import os
import sys
from getpass import getpass
from pathlib import Path

import click

from connectors.errors import ConfigError
from connectors.kartra.transport import KARTRA_URL, secure_url
from connectors.kartra.wire import Credentials, bare_secret
from pipelines.cli.options import FILE, common
from pipelines.cli.output import print_json, printable
from pipelines.config.dotenv import Variables, read_dotenv, refuse_address_of_another
from pipelines.config.fleet import NAME, NAME_EXPECTED
from pipelines.config.secrets import UnreadableSecretError
from pipelines.verbs.connect import (
    ALONE,
    KEPT,
    Keeper,
    Keyring,
    Seen,
    VariablesFile,
    is_other,
    seen_before,
    try_credentials,
)

QUESTIONS = {"app_id": "App id", "api_key": "API key", "api_password": "API password"}


@click.command(epilog="Example:  kartra-sync connect acme --file .env")
@click.argument("name", required=False, default=ALONE, metavar="[NAME]")
@click.option("--file", type=FILE, help="Keep them in this file, mode 0600, and not in the keyring.")
@click.option("--rotate", is_flag=True, help="Replace those that are kept, once the new ones are tried.")
@click.option("--remove", is_flag=True, help="Remove those that are kept. Kartra's own stay as they are.")
@click.option("--yes", is_flag=True, help="It is the right account, whichever it is: do not ask.")
@common
def connect(name: str, *, file: Path | None, rotate: bool, remove: bool, yes: bool, as_json: bool) -> None:
    """Ask for the API key and password of an account, try them with one call, and keep them.

    They are typed without being shown; without a terminal they are read from stdin, a line each. The App is
    that of KARTRA_APP_ID, and the address that of KARTRA_URL, else Kartra's. What pipelines and fleets write
    to use them is printed.
    """
    if not NAME.fullmatch(name):
        raise click.BadParameter(f"the name: {NAME_EXPECTED}")
    if rotate and remove:
        raise click.UsageError("either --rotate or --remove")
    keeper: Keeper = VariablesFile(file) if file is not None else Keyring()
    place = str(file) if file is not None else "the keyring"
    is_kept = keeper.has(name)
    if (remove or rotate) and not is_kept:
        raise ConfigError(f"nothing is kept of {name} in {place}")
    if remove:
        keeper.remove(name)
        if as_json:
            print_json({"account": name, "place": place, "status": "removed"})
        else:
            click.echo(f"{name}: removed from {place}. In Kartra the key is valid until it is renewed there")
        return
    if is_kept and not rotate:
        raise ConfigError(f"{name} is kept in {place} already: --rotate replaces it")
    _connect(name, keeper, place, yes=yes, as_json=as_json)


def _connect(name: str, keeper: Keeper, place: str, *, yes: bool, as_json: bool) -> None:
    app_id, url = _app()
    typed = {} if app_id else {"app_id": _ask("app_id")}
    typed |= {key: _ask(key) for key in KEPT}
    secrets = Credentials(**({"app_id": app_id} | typed))
    seen = try_credentials(url, secrets)
    # A renewed key has to open the same account, so the kept one is tried, too.
    before = seen_before(url, secrets.app_id, keeper.read(name))
    if before is not None and is_other(before, seen) and not yes:
        raise ConfigError(
            f"these open another account than those that are kept: {printable(seen.describe())}; before:"
            f" {printable(before.describe())}. Nothing was kept; --yes keeps them nevertheless"
        )
    if not yes and not _agrees(name, seen):
        raise ConfigError("nothing was kept")
    keeper.keep(name, typed)
    references = {key: keeper.reference(name, key) for key in QUESTIONS if key in typed}
    if not as_json:
        click.echo(f"{name}: kept in {place} ({printable(seen.describe())}). A pipeline or a fleet writes")
        for key, reference in references.items():
            click.echo(f"  {key}: {reference}")
        return
    print_json(
        {
            "account": name,
            "place": place,
            "status": "kept",
            "fingerprint": seen.fingerprint,
            "lists": None if seen.lists is None else list(seen.lists),
            "references": references,
        }
    )


def _app() -> tuple[str, str]:
    """The App id, "" where it has to be asked for, and the address. Raises ConfigError."""
    dotenv = Path(".env")
    variables = Variables(os.environ, read_dotenv(dotenv), dotenv)
    try:
        app_id = bare_secret(variables.get("KARTRA_APP_ID") or "")
        url = variables.get("KARTRA_URL") or KARTRA_URL
    except UnreadableSecretError as error:
        raise ConfigError(str(error)) from None
    hint = "Put them together, or unset KARTRA_URL"
    refuse_address_of_another(variables, "KARTRA_URL", ["KARTRA_APP_ID"], hint)
    try:
        return app_id, secure_url(url)
    except ValueError as error:
        raise ConfigError(f"KARTRA_URL: {error}") from None


def _ask(key: str) -> str:
    """Raises ConfigError where nothing is typed."""
    if sys.stdin.isatty():
        try:
            typed = getpass(f"{QUESTIONS[key]} (not shown): ")
        except EOFError:
            typed = ""
        except KeyboardInterrupt:
            raise click.Abort from None
    else:
        typed = sys.stdin.readline()
    if not (bare := bare_secret(typed)):
        raise ConfigError(f"no {QUESTIONS[key]} was given: nothing was kept")
    return bare


def _agrees(name: str, seen: Seen) -> bool:
    if not sys.stdin.isatty():
        return True  # nobody is there to be asked
    click.echo(f"These open the {printable(seen.describe())}.", err=True)
    return click.confirm(f"Is that {name}?", default=True, err=True)
