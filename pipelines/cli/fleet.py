"""The verb `fleet`: the same pipelines for many accounts of one App. It imports its own verbs as they are
asked for.

What checks, plans and runs comes with pandas; `fleet status` answers without.
"""

import click

from pipelines.cli.fleet_options import RULE
from pipelines.cli.verbs import LazyVerbs, Verb

VERBS = (
    Verb("check", "Check the file, every account and every pipeline for it", module="fleet_run"),
    Verb("plan", "Show what a run would send, for each account and pipeline", module="fleet_run"),
    Verb("run", "Run every pipeline of every account, side by side", settles=True, module="fleet_run"),
    Verb(
        "worker", "Run them by their schedules, as one of many workers", settles=True, module="fleet_worker"
    ),
    Verb("status", "Show how every pipeline stands, and what to do", module="fleet_status"),
)


@click.group(
    cls=LazyVerbs,
    verbs={"Commands": VERBS},
    epilog=f"{RULE}\n\nExample:  kartra-sync fleet run agency.yaml",
)
def fleet() -> None:
    """Run the same pipelines for many accounts of one App, side by side within its rate.

    FLEET is a file with the accounts and the pipelines. What stops one account stops no other. Other verbs
    take one pipeline of one account as FLEET@ACCOUNT/PIPELINE: rejects agency.yaml@acme/welcome.
    """
