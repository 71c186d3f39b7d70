"""What a doctor found, beside what this program assumes, and what of the difference matters. Pure.

One function for each subject; each gives rows of a table. What was not found out is said as well.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pipelines.changes.behaviour import Behaviour
from pipelines.config.kartra import KartraConfig


class Verdict(StrEnum):
    AS_ASSUMED = "as assumed"
    HANDLED = "handled"
    """It is another than assumed, and runs do right all the same."""
    MATTERS = "matters"
    """Somebody should know of it, or change something."""
    OPEN = "not found out"


@dataclass(frozen=True, slots=True)
class Finding:
    """A row: `meaning` is what follows, empty where nothing does."""

    what: str
    found: str
    assumed: str
    verdict: Verdict
    meaning: str = ""

    def to_json(self) -> dict[str, str]:
        return {
            "what": self.what,
            "found": self.found,
            "assumed": self.assumed,
            "verdict": self.verdict.value,
            "meaning": self.meaning,
        }


def judged(found: Behaviour, kartra: KartraConfig) -> list[Finding]:
    """Every row, in the order of the table."""
    return [row for judge in _JUDGES for row in judge(found, kartra)]


def worries(rows: Iterable[Finding]) -> list[Finding]:
    return [row for row in rows if row.verdict is Verdict.MATTERS]


def _open(what: str, assumed: str, why: str = "") -> Finding:
    return Finding(what, "–", assumed, Verdict.OPEN, why)


def _chosen(
    what: str, found: Any, words: dict[Any, str], usual: Any, other: Verdict, meaning: dict[Any, str]
) -> Finding:
    """A row of a finding that is one of a few values."""
    if found is None:
        return _open(what, words[usual])
    verdict = Verdict.AS_ASSUMED if found == usual else other
    said = "" if found == usual else meaning.get(found, "")
    return Finding(what, words.get(found, str(found)), words[usual], verdict, said)


def _mode(found: Behaviour, kartra: KartraConfig) -> Iterator[Finding]:
    words = {"live": "Live", "test": "Test"}
    said = (
        "write mode: test under kartra: in this file"
        if found.mode == "test"
        else "take mode: test out of this file"
    )
    yield _chosen("mode of the App", found.mode, words, kartra.mode, Verdict.MATTERS, {found.mode: said})
    if found.mode == "test":
        yield _chosen(
            "lead found by the address sent",
            found.finds_sent_address,
            {True: "yes", False: "no"},
            False,
            Verdict.HANDLED,
            {True: "leads are read by their number, or by both addresses"},
        )


def _permissions(found: Behaviour, _: KartraConfig) -> Iterator[Finding]:
    asked = len(found.permissions)
    if not asked:
        yield _open("commands the App may call", "all")
        return
    lacking = found.forbidden
    said = f"{asked - len(lacking)} of {asked} asked"
    verdict = Verdict.MATTERS if lacking else Verdict.AS_ASSUMED
    meaning = f"not allowed (262): {', '.join(lacking)}; plan names them before a run" if lacking else ""
    yield Finding("commands the App may call", said, "all", verdict, meaning)


def _chain(found: Behaviour, _: KartraConfig) -> Iterator[Finding]:
    yield _chosen(
        "answer to a chain that fails",
        found.chain_answer,
        {"flat": "one error", "nested": "one entry each"},
        "flat",
        Verdict.HANDLED,
        {"nested": "each action is judged by its own entry"},
    )
    yield _chosen(
        "rest of a chain behind a failure",
        found.chain_goes_on,
        {True: "is carried out", False: "is not carried out"},
        False,
        Verdict.MATTERS,
        {True: "a sequence at the end of a call begins even where a tag before it is refused"},
    )
    yield _chosen(
        "what stands before a failure",
        found.chain_stays,
        {True: "stays done", False: "is taken back"},
        True,
        Verdict.HANDLED,
        {False: "leads are read back after a failed chain, so it is sent again"},
    )


def _answers(found: Behaviour, _: KartraConfig) -> Iterator[Finding]:
    meaning = "nothing goes by words, only by numbers"
    if found.other_words:
        meaning = f"{meaning}; types {', '.join(sorted(found.other_words))}"
    yield _chosen(
        "wording of errors",
        found.wording,
        {"current": "of the current pages", "older": "of older pages", "other": "unknown"},
        "current",
        Verdict.HANDLED,
        {"older": meaning, "other": meaning},
    )
    yield _chosen(
        "type of an answer",
        found.types,
        {"text": "a text", "number": "a number"},
        "text",
        Verdict.HANDLED,
        {"number": "compared as text"},
    )
    yield _chosen(
        "answer to one action",
        found.lone_actions,
        {"actions": "in actions", "flat": "flat", "fragment": "a fragment"},
        "actions",
        Verdict.HANDLED,
        {"flat": "read as well", "fragment": "read as well"},
    )


def _lists(found: Behaviour, _: KartraConfig) -> Iterator[Finding]:
    yield _chosen(
        "lists of the account",
        found.inventories,
        {"top": "at the top", "actions": "in actions", "fragment": "in a fragment"},
        "top",
        Verdict.HANDLED,
        {"actions": "found there as well", "fragment": "found there as well"},
    )
    yield _chosen(
        "rows of a list",
        found.rows,
        {"list": "a list", "object": "an object"},
        "list",
        Verdict.HANDLED,
        {"object": "read as well"},
    )
    if found.left_out is None:
        yield _open("empty parts of a profile", "shown")
    else:
        yield Finding(
            "empty parts of a profile",
            f"{', '.join(found.left_out)} left out" if found.left_out else "shown",
            "shown",
            Verdict.HANDLED if found.left_out else Verdict.AS_ASSUMED,
            "a lead from before us without them has none" if found.left_out else "",
        )


def _repeated(found: Behaviour, _: KartraConfig) -> Iterator[Finding]:
    if found.unsubscribe_type is not None:
        yield _chosen(
            "type of leaving a list", found.unsubscribe_type, {"101": "101"}, "101", Verdict.HANDLED, {}
        )
    yield _chosen(
        "second creation of a lead",
        found.create_again,
        {"244": "refused (244)", "done": "done again"},
        "244",
        Verdict.MATTERS,
        {"done": "a creation whose answer was lost may make a second lead: report this"},
    )


def _delays(found: Behaviour, kartra: KartraConfig) -> Iterator[Finding]:
    assumed = f"within {kartra.settle_s:g} s"
    if not found.shows_within_s:
        yield _open("effects show", assumed)
    for name, shown_s in found.shows_within_s.items():
        what = f"{name} show"
        if shown_s is None:
            meaning = "it never showed while the doctor waited: what is sent cannot be proven"
            yield Finding(what, "not in time", assumed, Verdict.MATTERS, meaning)
            continue
        # Only the slowest decides how long runs wait; saying so for each would suggest several causes.
        is_late = found.settle_s(kartra.settle_s) > kartra.settle_s and shown_s == found.slowest_s
        meaning = f"runs wait {found.settle_s(kartra.settle_s):g} s from now on" if is_late else ""
        verdict = Verdict.HANDLED if is_late else Verdict.AS_ASSUMED
        yield Finding(what, f"within {shown_s:g} s", assumed, verdict, meaning)


def _lengths(found: Behaviour, _: KartraConfig) -> Iterator[Finding]:
    whole = f"{found.tried_length:,} characters or more"
    if not found.lengths:
        yield _open("length that fields keep", "all")
        return
    for name, kept in found.lengths.items():
        if kept >= found.tried_length:
            continue
        meaning = "check and plan name values that are longer" if kept else "it does not take such a text"
        yield Finding(f"{name} keeps", f"{kept:,} characters", "all", Verdict.MATTERS, meaning)
    if not found.limits and all(found.lengths.values()):
        yield Finding("length that fields keep", whole, "all", Verdict.AS_ASSUMED)


def _characters(found: Behaviour, _: KartraConfig) -> Iterator[Finding]:
    if not found.characters:
        yield _open("characters that fields keep", "all")
        return
    changed = {name: kept for name, kept in found.characters.items() if kept != "kept"}
    for name, kept in changed.items():
        meaning = {
            "refused": "something in front of Kartra refuses such a record: it becomes a reject",
            "cut": "the text ends before them",
            "dropped": "the text goes on without them",
            "changed": "others stand in their place",
        }[kept]
        yield Finding(f"{name.replace('_', ' ')} in a text", kept, "kept", Verdict.MATTERS, meaning)
    if not changed:
        yield Finding("characters that fields keep", "all that were tried", "all", Verdict.AS_ASSUMED)
    yield _chosen(
        "an empty text",
        found.blank_clears,
        {True: "clears a field", False: "changes nothing"},
        True,
        Verdict.MATTERS,
        {False: "blank: clear does not clear a standard field in this account"},
    )


def _names(found: Behaviour, _: KartraConfig) -> Iterator[Finding]:
    yield _chosen(
        "capitals in names",
        found.names_by_case,
        {True: "count", False: "do not count"},
        True,
        Verdict.HANDLED,
        {False: "names are sent as the account has them"},
    )
    yield _chosen(
        "capitals in addresses",
        found.address_by_case,
        {True: "count", False: "do not count"},
        False,
        Verdict.MATTERS,
        {True: "a lead made by hand with capitals is not found by our small letters"},
    )


# The two minutes from which a run warns of the clock, too.
CLOCK_OFF_S = 120.0
MUCH_REFUSED = 0.05
"""The share of calls refused for their rate from which on somebody else must be at it."""


def _clock(found: Behaviour, _: KartraConfig) -> Iterator[Finding]:
    if found.clock_s is None:
        yield _open("Kartra's clock", "as ours")
    else:
        off = abs(found.clock_s)
        verdict = Verdict.HANDLED if off > CLOCK_OFF_S else Verdict.AS_ASSUMED
        side = "ahead of ours" if found.clock_s > 0 else "behind ours"
        # An answer names its time in whole seconds and took a while to come: a second or two is no
        # difference.
        said = f"{off:,.0f} s {side}" if off > 2 else "as ours"
        meaning = "times are compared by Kartra's; set the clock of this machine" if off > CLOCK_OFF_S else ""
        yield Finding("Kartra's clock", said, "as ours", verdict, meaning)
    if found.zone_hours is None:
        yield _open("Kartra's times", "UTC-5")
    else:
        # In winter New York has it as well: only a day of summer tells the two apart (§8.5).
        is_usual = found.zone_hours == -5
        yield Finding(
            "Kartra's times",
            f"UTC{found.zone_hours:+g} today",
            "UTC-5",
            Verdict.AS_ASSUMED if is_usual else Verdict.MATTERS,
            "" if is_usual else "a zone for pulled times that says so: pull: time_zone: America/New_York",
        )


def _speed(found: Behaviour, kartra: KartraConfig) -> Iterator[Finding]:
    if found.latency_ms:
        median, most = found.latency_ms["median"], found.latency_ms["most"]
        slow = found.latency_ms["longest"] > kartra.timeout_s * 500  # half of timeout_s, in milliseconds
        yield Finding(
            "time of an answer",
            f"{median:,} ms, 95 of 100 in {most:,} ms",
            f"up to {kartra.timeout_s:g} s",
            Verdict.MATTERS if slow else Verdict.AS_ASSUMED,
            "the slowest took over half of timeout_s: raise it" if slow else "",
        )
    if found.calls:
        refused = found.throttled
        is_much = refused > MUCH_REFUSED * found.calls
        said = "another program uses this App as well: give this one a lower calls_per_second"
        yield Finding(
            "calls refused for their rate",
            f"{refused:,} of {found.calls:,}",
            "none",
            Verdict.MATTERS if is_much else Verdict.HANDLED if refused else Verdict.AS_ASSUMED,
            said if is_much else "waited out and sent again" if refused else "",
        )


_JUDGES: tuple[Callable[[Behaviour, KartraConfig], Iterator[Finding]], ...] = (
    _mode,
    _permissions,
    _chain,
    _answers,
    _lists,
    _repeated,
    _delays,
    _lengths,
    _characters,
    _names,
    _clock,
    _speed,
)
