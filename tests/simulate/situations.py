"""Situations by name: what a life can meet. Those that were never met are told at the end of a simulation.

Scenes that were once played from outside stand in `tests/campaigns/README.md`, with how a seed meets them.
"""

from collections import Counter
from collections.abc import Iterator

from tests.simulate.network import FATES
from tests.simulate.plan import POINTS
from tests.simulate.themes import THEMES

CRASHES = tuple(f"killed: {point}" for point in (*POINTS, "after a sleep"))
SITUATIONS = (
    *CRASHES,
    *(f"fate: {fate}" for fate in FATES),
    "a person stops a run",
    "a process is stopped and continued",
    "a run meets another one under way",
    "a run is interrupted",
    "a run is partial",
    "a run is failed",
    "a run is refused",
    "a lease is taken over by heartbeat",
    "ended by LeaseLostError",
    "late effect after its sender had given up",
    "late effect of a process that is dead",
    "a call of a dead process arrives",
    "crash between commit of an intent and its call",
    "crash between a call and its answer",
    "crash between an answer and its commit",
    "another program uses the App",
    "a call is refused because of the App's other calls",
    "the clock jumps during a run",
    "an older backup is restored",
    "a newer copy is put in the place of an older one",
    "the key is renewed",
    "the pipeline is renamed",
    "the URL is spelled otherwise",
    "the sync key becomes the number",
    "a person says that the account is the same",
    "the App goes live",
    "somebody makes a lead that the source has, too",
    "a person leaves a list",
    "a person leaves a list while a call is unknown",
    "a person joins a list",
    "a person comes back to a list",
    "something is parked until a person says what became of it",
    "a refund is parked until a person says what became of it",
    "something in front of Kartra refuses a record for good",
    "a few leads go first and are read back",
    "a few leads are sent alone",
    "a mended file of rejects is loaded",
    "a plan is saved",
    "a saved plan is applied once more",
    "a run is taken back",
    "tables are pulled",
    "a life of money",
    "a copy takes the place of the state during a run",
    *(f"theme: {theme}" for theme in THEMES),
    "a run is succeeded",
)


def never_met(met: Counter[str]) -> Iterator[str]:
    return (name for name in SITUATIONS if not met[name])
