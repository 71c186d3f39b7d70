"""The verb `sandbox`: an emulated Kartra account on this machine."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import yaml

from connectors.errors import ConfigError
from connectors.kartra.sandbox import Account, Faults, Sandbox, SandboxOptions, demo_account, serve_forever
from connectors.kartra.sandbox.report import Played, played
from pipelines.cli import rehearsal
from pipelines.cli.options import FILE, common
from pipelines.cli.output import print_json


@click.command(epilog="Example:  kartra-sync sandbox --port 8765 --fault cut_after=0.05")
@click.option(
    "--port", default=8765, show_default=True, type=click.IntRange(0, 65535), help="0: any free one."
)
@click.option("--mode", default="live", show_default=True, type=click.Choice(["live", "test"]))
@click.option(
    "--rate",
    "calls_per_second",
    default=20,
    show_default=True,
    type=click.IntRange(0),
    help="Calls a second; 0: no limit.",
)
@click.option("--latency-ms", default=0, show_default=True, type=click.IntRange(0))
@click.option("--chain-errors", default="flat", show_default=True, type=click.Choice(["flat", "nested"]))
@click.option("--wording", default="current", show_default=True, type=click.Choice(["current", "older"]))
@click.option("--effect-delay-ms", default=0, show_default=True, type=click.IntRange(0))
@click.option(
    "--memberships", default="name", show_default=True, type=click.Choice(["name", "membership_name"])
)
@click.option("--missing-lead", default="206", show_default=True, type=click.Choice(["206", "223"]))
@click.option("--text-limit", default=0, metavar="N", type=click.IntRange(0), help="Texts keep N characters.")
@click.option("--drop-option", default="", metavar="NAME", help="An option that no custom field keeps.")
@click.option("--ignore-tag", default="", metavar="NAME", help="A tag that is given without an effect.")
@click.option("--firewall", is_flag=True, help="Calls with < or > in a value are answered by a page, 403.")
@click.option(
    "--clock-offset-s", default=0.0, metavar="S", help="The clock of the server is S seconds ahead."
)
@click.option(
    "--fault",
    "shares",
    multiple=True,
    metavar="NAME=SHARE",
    help="Such as cut_after=0.05; also silence, maintenance, firewall, proxy, trickle, php_notice …",
)
@click.option("--seed", default=0, show_default=True, type=int, help="Of the faults.")
@click.option("--as", "report", type=FILE, help="Behave as the account of a report: doctor FILE --report.")
@click.option("--account", "account_file", type=FILE, help="A YAML file with the account to start from.")
@common
def sandbox(
    *,
    latency_ms: int,
    effect_delay_ms: int,
    shares: tuple[str, ...],
    seed: int,
    account_file: Path | None,
    report: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Serve an emulated Kartra account on this machine, to rehearse on. Ctrl-C ends it."""
    served = SandboxOptions(
        **options,
        latency_s=latency_ms / 1000,
        effect_delay_s=effect_delay_ms / 1000,
        faults=_faults(shares, seed),
    )
    account = demo_account() if account_file is None else _account(account_file)
    if report is not None:
        as_found = _played(report)
        served = as_found.options(served)
        as_found.narrow(account)
    try:
        with rehearsal.begun() as begin:

            def announce(sandbox: Sandbox) -> None:
                begin(sandbox.url)
                (_announce_json if as_json else _announce)(sandbox)

            serve_forever(served, account, announce)
    except OSError as error:
        raise ConfigError(f"port {served.port} cannot be used: {error.strerror}") from error


def _faults(given: Sequence[str], seed: int) -> Faults:
    shares: dict[str, Any] = {}
    for words in given:
        name, _, share = words.partition("=")
        try:
            shares[name] = float(share)
        except ValueError:
            raise click.BadParameter(f"{words}: NAME=SHARE with a share from 0 to 1") from None
    try:
        return Faults(seed=seed, **shares)
    except (TypeError, ValueError) as error:
        known = ", ".join(Faults().shares())
        raise click.BadParameter(f"--fault: {error}. Known faults: {known}") from None


def _played(report: Path) -> Played:
    try:
        return played(report)
    except (OSError, ValueError) as error:
        raise click.BadParameter(f"--as {report}: {error}") from None


def _account(file: Path) -> Account:
    try:
        return Account.from_yaml(file)
    except (OSError, TypeError, ValueError, AttributeError, yaml.YAMLError) as error:
        raise click.BadParameter(f"--account {file}: {error}") from None


def _announce(served: Sandbox) -> None:
    click.echo(f"A sandbox account at {served.url} (Ctrl-C ends it). For a pipeline that uses it:")
    for name, value in _environment(served).items():
        click.echo(f"  export {name}={value}")


def _announce_json(served: Sandbox) -> None:
    print_json({"url": served.url, "environment": _environment(served)})


def _environment(served: Sandbox) -> dict[str, str]:
    """The address first: without it, what uses these credentials would ask Kartra itself."""
    return {
        "KARTRA_URL": served.url,
        "KARTRA_APP_ID": served.credentials.app_id,
        "KARTRA_API_KEY": served.credentials.api_key,
        "KARTRA_API_PASSWORD": served.credentials.api_password,
    }
