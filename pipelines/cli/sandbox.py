"""The verb `sandbox`: an emulated Kartra account on this machine."""

import os
from collections.abc import Callable, Sequence
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
@click.option(
    "--for",
    "fleet_file",
    type=FILE,
    metavar="FLEET",
    help="The accounts of a fleet, with the tags, lists and fields that its pipelines ask for.",
)
@click.option("--target", metavar="NAME", help="With --for: an environment of the fleet.")
@click.option(
    "--keep", type=FILE, metavar="FILE", help="With --for: remember the accounts until the next time."
)
@common
def sandbox(
    *,
    latency_ms: int,
    effect_delay_ms: int,
    shares: tuple[str, ...],
    seed: int,
    account_file: Path | None,
    report: Path | None,
    fleet_file: Path | None,
    target: str | None,
    keep: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Serve an emulated Kartra account on this machine, to rehearse on. Ctrl-C ends it.

    With --for it holds all accounts of a fleet under their App, which has one limit.
    """
    if fleet_file is None and (target or keep):
        raise click.UsageError("--target and --keep go with --for")
    if fleet_file is not None and account_file is not None:
        raise click.UsageError("either --for or --account")
    served = SandboxOptions(
        **options,
        latency_s=latency_ms / 1000,
        effect_delay_s=effect_delay_ms / 1000,
        faults=_faults(shares, seed),
    )
    as_found = _played(report) if report is not None else None
    if as_found is not None:
        served = as_found.options(served)
    if fleet_file is not None:
        _serve_fleet(served, fleet_file, target, keep, as_json=as_json)
        return
    account = demo_account() if account_file is None else _account(account_file)
    if as_found is not None:
        as_found.narrow(account)
    _serve(served, [account], _environment, as_json=as_json)


def _serve_fleet(
    served: SandboxOptions, file: Path, target: str | None, keep: Path | None, *, as_json: bool
) -> None:
    # pandas and more: a sandbox of one account starts without
    from pipelines.fleet.rehearsal import ADDRESS, keep_accounts, rehearsal_of

    rehearsed = rehearsal_of(file, os.environ, target, keep)

    def environment(sandbox: Sandbox) -> dict[str, str]:
        return {ADDRESS: sandbox.url, **rehearsed.made_up}

    try:
        _serve(served, list(rehearsed.accounts.values()), environment, as_json=as_json)
    finally:
        if keep is not None:
            keep_accounts(rehearsed.accounts, keep)


def _serve(
    served: SandboxOptions,
    accounts: Sequence[Account],
    environment: Callable[[Sandbox], dict[str, str]],
    *,
    as_json: bool,
) -> None:
    first, *others = accounts
    try:
        with rehearsal.begun() as begin:

            def announce(sandbox: Sandbox) -> None:
                begin(sandbox.url)
                if as_json:
                    print_json({"url": sandbox.url, "environment": environment(sandbox)})
                else:
                    _announce(sandbox, environment(sandbox))

            serve_forever(served, first, announce, others)
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


def _announce(served: Sandbox, environment: dict[str, str]) -> None:
    count = len(served.accounts)
    what = "A sandbox account" if count == 1 else f"A sandbox of {count:,} accounts"
    click.echo(f"{what} at {served.url} (Ctrl-C ends it). For a pipeline that uses it:")
    for name, value in environment.items():
        click.echo(f"  export {name}={value}")


def _environment(served: Sandbox) -> dict[str, str]:
    """The address first: without it, what uses these credentials would ask Kartra itself."""
    return {
        "KARTRA_URL": served.url,
        "KARTRA_APP_ID": served.credentials.app_id,
        "KARTRA_API_KEY": served.credentials.api_key,
        "KARTRA_API_PASSWORD": served.credentials.api_password,
    }
