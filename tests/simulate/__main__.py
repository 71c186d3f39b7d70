"""`python -m tests.simulate --runs N --seed S`: runs of the product until so many were played.

A life is one account and its source over days; each of its runs counts. What fails is told with the seed
that plays it again (`--replay K`, with everything that happened) and the smallest plan that still fails.
Ends with 1 where something was violated.
"""

import argparse
import gc
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from itertools import count

from tests.simulate.life import Lived, live, room
from tests.simulate.scenes import SCENES, met_in
from tests.simulate.shrink import shrunk
from tests.simulate.situations import SITUATIONS, never_met
from tests.simulate.themes import THEMES, plan_of

CHUNK = 6
"""Lives that a process plays at a time."""
SHOWN = 10
TOLD_EVERY_S = 60.0


@dataclass
class Tally:
    """Figures of many lives."""

    lives: int = 0
    runs: int = 0
    leads: int = 0
    kills: int = 0
    faults: int = 0
    events: int = 0
    calls: int = 0
    hours: float = 0.0
    met: Counter[str] = field(default_factory=Counter)
    scenes: Counter[str] = field(default_factory=Counter)
    """In how many lives each scene was met."""
    failed: dict[int, list[str]] = field(default_factory=dict)

    def add(self, lived: Lived) -> None:
        self.lives += 1
        self.runs += lived.runs
        self.leads += lived.plan.leads
        self.kills += lived.kills
        self.faults += lived.faults
        self.events += lived.events
        self.calls += lived.calls
        self.hours += lived.hours
        self.met.update(lived.met)
        self.scenes.update(met_in(lived.met))
        if lived.violations:
            self.failed[lived.plan.seed] = lived.violations

    def join(self, other: "Tally") -> None:
        for name in ("lives", "runs", "leads", "kills", "faults", "events", "calls", "hours"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.met.update(other.met)
        self.scenes.update(other.scenes)
        self.failed |= other.failed


def played(first: int, lives: int, deadline: float | None = None, kind: str = "", theme: str = "") -> Tally:
    """In a process of its own: so many lives, one after the other; none is begun once the time is up."""
    gc.disable()
    tally = Tally()
    for seed in range(first, first + lives):
        if deadline is not None and time.monotonic() >= deadline:
            break
        plan = plan_of(seed, theme)
        if kind in ("", plan.kind):
            tally.add(live(plan))
    gc.collect()
    gc.freeze()  # what is left by now stays: it is not gone through again
    return tally


def main(words: Sequence[str] | None = None) -> int:
    asked = _arguments(words)
    os.environ.setdefault("SQLITE_TMPDIR", room() or "/tmp")
    if asked.replay is not None:
        return _replay(asked.seed * 1_000_000 + asked.replay, asked.theme, small=asked.small)
    started = time.monotonic()
    print(f"simulate: seed {asked.seed}", file=sys.stderr, flush=True)
    tally = simulate(
        asked.runs,
        asked.seed,
        seconds=asked.seconds,
        jobs=asked.jobs,
        until_found=asked.until_found,
        kind=asked.kind,
        theme=asked.theme,
    )
    took = time.monotonic() - started
    if asked.json:
        print(json.dumps(_figures(tally, took, asked.seed)))
    else:
        _print(tally, took, asked.seed)
    return 1 if tally.failed else 0


def simulate(
    runs: int,
    seed: int,
    *,
    seconds: float | None = None,
    jobs: int = 2,
    until_found: bool = False,
    kind: str = "",
    theme: str = "",
) -> Tally:
    """Lives from the seed on, until there were so many runs, or the time is up. Tells now and then how far
    it is."""
    deadline = None if seconds is None else time.monotonic() + seconds
    chunks = count(seed * 1_000_000, CHUNK)
    total, told_at = Tally(), time.monotonic()

    def goes_on() -> bool:
        if until_found and total.failed:
            return False
        return total.runs < runs and (deadline is None or time.monotonic() < deadline)

    with ProcessPoolExecutor(jobs) as pool:
        waiting = {pool.submit(played, next(chunks), CHUNK, deadline, kind, theme) for _ in range(jobs)}
        while waiting:
            done = next(as_completed(waiting))
            waiting.remove(done)
            new = done.result()
            total.join(new)
            if new.failed or time.monotonic() - told_at > TOLD_EVERY_S:
                told_at = time.monotonic()
                _tell(total, new)
            if goes_on():
                waiting.add(pool.submit(played, next(chunks), CHUNK, deadline, kind, theme))
    return total


def _tell(total: Tally, new: Tally) -> None:
    print(f"simulate: {total.runs:,} runs, {len(total.failed)} lives failed", file=sys.stderr, flush=True)
    for life, violations in new.failed.items():
        print(f"simulate: life {life % 1_000_000}: {violations[0]}", file=sys.stderr, flush=True)


def _replay(seed: int, theme: str, *, small: bool) -> int:
    plan = plan_of(seed, theme)
    if small:
        plan = shrunk(plan, lambda one: next(iter(live(one).violations), None))
    lived = live(plan, trace=True)
    print("\n".join(lived.trace))
    print(plan)
    for sentence in lived.violations:
        print(f"VIOLATED: {sentence}")
    return 1 if lived.violations else 0


def _figures(tally: Tally, took: float, seed: int) -> dict[str, object]:
    return {
        "seed": seed,
        "runs": tally.runs,
        "lives": tally.lives,
        "leads": tally.leads,
        "simulated_hours": round(tally.hours),
        "events": tally.events,
        "calls": tally.calls,
        "kills": tally.kills,
        "faults": tally.faults,
        "violations": len(tally.failed),
        "first": next(iter(tally.failed.values()), [""])[0],
        "failed_lives": sorted(one % 1_000_000 for one in tally.failed),
        "runs_per_second": round(tally.runs / took, 1),
        "met": {name: tally.met[name] for name in SITUATIONS},
        "never_met": list(never_met(tally.met)),
        "scenes": {number: tally.scenes[number] for number, scene in SCENES.items() if scene.met_by},
    }


def _print(tally: Tally, took: float, seed: int) -> None:
    for name, value in _figures(tally, took, seed).items():
        if name not in ("met", "never_met", "first", "scenes"):
            print(
                f"{name.replace('_', ' '):>18}  {value:,}"
                if isinstance(value, int)
                else f"{name:>18}  {value}"
            )
    print("\nsituations met, and how often:")
    for name in SITUATIONS:
        print(f"{tally.met[name]:>12,}  {name}")
    if missing := list(never_met(tally.met)):
        print(f"\nnever met: {'; '.join(missing)}")
    told = (f"{number} ({tally.scenes[number]:,})" for number, scene in SCENES.items() if scene.met_by)
    print(f"\nscenes met, and in how many lives: {', '.join(told)}")
    for life, violations in sorted(tally.failed.items())[:SHOWN]:
        print(f"\nlife {life}: {'; '.join(violations[:3])}")
        print(f"  python -m tests.simulate --seed {seed} --replay {life % 1_000_000} --small")


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulate", description=__doc__)
    parser.add_argument("--runs", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, help="Ends after so long, whatever was played.")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="Processes at a time.")
    parser.add_argument("--replay", type=int, metavar="K", help="Play life K of the seed and tell all of it.")
    parser.add_argument("--small", action="store_true", help="With --replay: the smallest plan that fails.")
    parser.add_argument("--kind", choices=("", "load", "money"), default="", help="Lives of one kind alone.")
    parser.add_argument("--theme", choices=("", *THEMES), default="", help="Lives of one theme alone.")
    parser.add_argument("--until-found", action="store_true", help="Ends with the first violation.")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(words)


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":  # sets have an order of their own in each process else
        os.execve(
            sys.executable,
            [sys.executable, "-m", "tests.simulate", *sys.argv[1:]],
            {**os.environ, "PYTHONHASHSEED": "0"},
        )
    sys.exit(main())
