"""Scenes that were once played from outside, in the words of the simulation.

Each is met by situations of a life, or it says why a life cannot meet it; `held_by` is the test that plays it
as it was, by the command. `python -m tests.simulate` tells which scenes its lives have met.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

OUTSIDE = "no life starts the command or a socket"
ALONE = "a life has one pipeline file and one App"


@dataclass(frozen=True, slots=True)
class Scene:
    """`met_by`: all of these situations of one life. `why_not`: where there are none."""

    what: str
    held_by: str
    met_by: tuple[str, ...] = ()
    why_not: str = ""


def _told(what: str, held_by: str, why_not: str = OUTSIDE) -> Scene:
    return Scene(what, held_by, why_not=why_not)


LEFT, BACK = "a person leaves a list", "a run is succeeded"
KEY, RENAMED = "the key is renewed", "the pipeline is renamed"
OVERLAP, JUMP = "a run meets another one under way", "the clock jumps during a run"
P8, BETWEEN = "tests/promises/test_p8_what_was_done_stays_done.py", "tests/command/test_between.py"
LEASE, CLOCKS = "tests/state/test_lease.py", "tests/promises/test_p1_clocks.py"
OWNERS, NEW_KEY = (
    "tests/promises/test_p6_addresses_change_owners.py",
    "tests/promises/test_p8_a_key_that_changes.py",
)
ROUND, SHAPES = "tests/tables/test_uncounted.py", "tests/pull/test_shapes.py"
PROXY = "fate: a proxy lies: 502 after the effect"

SCENES = {
    "1a": Scene("an answer is lost behind a proxy, in a load", BETWEEN, (PROXY,)),
    "1b": Scene("the same, with a refund", BETWEEN, (PROXY, "a life of money")),
    "2a": _told("a SOCKS proxy without its library", BETWEEN),
    "2b": Scene("a proxy refuses, or asks for a password", BETWEEN, ("fate: a proxy answers 407",)),
    "2d": Scene(
        "maintenance, HTML, a notice of PHP",
        BETWEEN,
        ("fate: maintenance", "fate: a notice of PHP before the JSON"),
    ),
    "3a": _told("a bundle of certificates that is gone", BETWEEN),
    "3b": _told("a bundle without a certificate", BETWEEN),
    "3c": _told("a company's own authority", BETWEEN),
    "4a": Scene("a refund after the key was renewed", P8, (KEY, "a life of money")),
    "4c": Scene("a load after the key was renewed", P8, (KEY,)),
    "4e": _told("the same under existing: skip", P8, "lives update leads that were there"),
    "4f": Scene("loads and operations with tables, a new key", P8, (KEY, "tables are pulled")),
    "5a": Scene("refunds after a new name", P8, (RENAMED, "a life of money")),
    "5b": Scene("a load after a new name", P8, (RENAMED,)),
    "5e": Scene(
        "the state is lost: an older copy takes its place",
        "tests/promises/test_p1_restored.py",
        ("an older backup is restored",),
    ),
    "6a": Scene("two schedules overlap", LEASE, (OVERLAP,)),
    "6b": Scene("a host sleeps, another one takes over", LEASE, ("a lease is taken over by heartbeat",)),
    "6c": Scene("killed while its clock was ahead", LEASE, (JUMP, "killed: before a commit")),
    "7a": _told("two users of a host", "tests/kartra/test_window_place.py", "windows are no files there"),
    "8a": Scene("who left a list while the row was away", "tests/promises/test_p4_taken_back.py", (LEFT,)),
    "8d": Scene("the same, with a pull", "tests/promises/test_p4_taken_back.py", (LEFT, "tables are pulled")),
    "9b": _told(
        "a deleted lead, and its person again",
        "tests/promises/test_p1_gone_from_kartra.py",
        "nobody deletes a lead in a life: what is then owed to whom would need a model of its own",
    ),
    "10a": _told(
        "two people swap addresses", OWNERS, "a life knows its people by their addresses, in the end"
    ),
    "10b": _told("an address that another gives up", OWNERS, "the same"),
    "10d": Scene(
        "the new address is somebody's", OWNERS, ("somebody makes a lead that the source has, too",)
    ),
    "11a": Scene("the key becomes the number", NEW_KEY, ("the sync key becomes the number",)),
    "11b": Scene("and then an address changes", NEW_KEY, ("the sync key becomes the number", BACK)),
    "12a": _told("sales in three currencies", "tests/tables/test_reports.py", "sales of a life have none"),
    "13a": _told("types of sales in other letters", ROUND, "the emulator writes them as Kartra does"),
    "13e": _told("cancelled without an end", ROUND, "lives have no subscriptions"),
    "14a": _told("sales of a merged lead", SHAPES, "nobody merges leads in a life"),
    "14c": _told("a sale at the turn of a month", ROUND, "lives read no reports"),
    "15a": Scene(
        "this clock is minutes ahead, an answer is lost",
        CLOCKS,
        (JUMP, "fate: cut after the effect"),
    ),
    "15b": Scene("one run with the clock 400 days ahead", CLOCKS, (JUMP, "tables are pulled")),
    "16a": _told(
        "an option is removed", "tests/promises/test_p5_names_within_the_hour.py", "names stay in a life"
    ),
    "17a": _told("profiles without tags", SHAPES, "a life's profiles are whole"),
    "17c": _told("the same under on_drift: keep", SHAPES, "the same"),
    "17d": _told("tags as a text", SHAPES, "the same"),
    "18a": _told("a guard stops a load with a pull", "tests/command/test_exit_codes.py", "guards are wide"),
    "19a": _told("a name that is a formula", "tests/tables/test_spreadsheets.py"),
    "20a": _told("a secret with a line end", "tests/config/test_secrets.py"),
    "21a": Scene("an answer trickles in", BETWEEN, ("fate: a slow answer",)),
    "22a": _told("no stderr", "tests/command/test_surroundings.py"),
    "23a": _told("files that may only be read", "tests/command/test_read_only.py"),
    "23b": _told("tables in the state", "tests/command/test_files_are_kept.py"),
    "23c": _told("a foreign table named leads", "tests/pull/test_foreign_tables.py"),
    "24a": _told("two files with one name", "tests/command/test_twins.py", ALONE),
    "25a": Scene(
        "Test mode, then Live", "tests/promises/test_p8_the_mode_of_the_app.py", ("the App goes live",)
    ),
}


def met_in(met: Counter[str]) -> Iterator[str]:
    """The scenes that a life has met."""
    return (
        number for number, scene in SCENES.items() if scene.met_by and all(met[one] for one in scene.met_by)
    )


def table() -> str:
    """As it stands in `tests/campaigns/README.md`."""
    lines = ["| scene | what | how a life meets it | held by |", "|---|---|---|---|"]
    for number, scene in SCENES.items():
        how = ", ".join(f"`{one}`" for one in scene.met_by) or f"not: {scene.why_not}"
        lines.append(f"| {number} | {scene.what} | {how} | {scene.held_by} |")
    return "\n".join(lines)
