"""Situations by name: what a life can meet. Those that were never met are told at the end of a simulation.

`SCENES` says of each scene that was once played from outside how a seed meets it, or why none can.
"""

from collections import Counter
from collections.abc import Iterator

from tests.simulate.network import FATES
from tests.simulate.plan import POINTS

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
)

SCENES = {
    "1a 1b a proxy loses answers to what was carried out": "fate: a proxy lies: 502 after the effect",
    "4a 4c 4f the API key is renewed": "the key is renewed",
    "5a 5b the pipeline is renamed": "the pipeline is renamed",
    "6a two schedules overlap": "a run meets another one under way",
    "6b a process sleeps while another takes over": "a lease is taken over by heartbeat",
    "6c killed while its clock was ahead": "the clock jumps during a run",
    "8a 8d who left a list and was away from the source": "a person leaves a list",
    "10a 10b addresses change owners": "",
    "15a a clock far off, and an answer lost": "fate: cut after the effect",
    "15b a run with the clock 400 days ahead": "the clock jumps during a run",
    "18a a guard stops the load": "a run is refused",
    "25a Test mode ends": "the App goes live",
}
"""By scene: the situation in which a seed plays it; empty where another test plays it."""


def never_met(met: Counter[str]) -> Iterator[str]:
    return (name for name in SITUATIONS if not met[name])
