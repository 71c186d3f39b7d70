"""Calls a second under the limit, as the sandbox counts them: scenes of the campaign `limiter`, in full size.

`python -m tests.campaigns --only limiter --size full` plays these and the others. With `--jitter` calls take
0 to so many milliseconds to arrive instead: useful calls a second, and the share of calls that was refused.
"""

import random
from collections.abc import Sequence
from dataclasses import replace

from tests.bench.cache import run_folder
from tests.bench.report import Asked, Report, figure_table
from tests.campaigns.limiter import LATENCY_S, RATE, SCENES, SIZES, on_an_uneven_way

ASKED = {"threads of one process": 19.4, "four processes": 19.0}
"""Calls a second at least, of the 20 that are allowed."""
ASKED_WITH_JITTER = {0: 19.4, 30: 19.2, 100: 18.2}
"""By milliseconds of jitter."""
MOST_REFUSED = 0.003
CALLS = 1_200


def bench_paced(jitter_ms: Sequence[int] = ()) -> Report:
    return _with_jitter(jitter_ms) if jitter_ms else _as_in_the_campaign()


def _with_jitter(jitter_ms: Sequence[int]) -> Report:
    asked, figures = [], {}
    for jitter in jitter_ms:
        with run_folder() as folder:
            seen = on_an_uneven_way(jitter / 1000, replace(SIZES["full"], calls=CALLS), folder)
        named = f"calls that take 0 to {jitter} ms to arrive"
        speed, refused = RATE * (seen.share or 0.0), seen.throttled / seen.calls
        figures[f"{named}: useful a second"] = speed
        figures[f"{named}: refused, %"] = 100 * refused
        least = max((slow for slow in ASKED_WITH_JITTER if slow <= jitter), default=0)
        asked.append(Asked(named, ASKED_WITH_JITTER[least], speed, at_least=True))
        asked.append(Asked(f"{named}: share refused", MOST_REFUSED, refused))
    return Report(figures, figure_table(figures), asked)


def _as_in_the_campaign() -> Report:
    asked, figures = [], {}
    at = f"at {LATENCY_S * 1000:.0f} ms (campaign limiter)"
    for name, least in ASKED.items():
        with run_folder() as folder:
            seen = SCENES[name](name, SIZES["full"], random.Random(1), folder)
        speed = RATE * (seen.share or 0.0)
        figures[name] = {
            "a second": speed,
            "refused": seen.throttled,
            "worst second": seen.worst_second,
            "failures": seen.failures,
        }
        asked.append(Asked(f"paced calls {at}, {name}", least, speed, at_least=True))
        asked.append(Asked(f"refused as over the window, {name}", 0, seen.throttled))
    speeds = {f"calls a second {at}, {name}": one["a second"] for name, one in figures.items()}
    return Report(figures, figure_table(speeds), asked)
