"""Calls a second under the limit, as the sandbox counts them: scenes of the campaign `limiter`, in full size.

`python -m tests.campaigns --only limiter --size full` plays these and the others.
"""

import random

from tests.bench.cache import run_folder
from tests.bench.report import Asked, Report, figure_table
from tests.campaigns.limiter import LATENCY_S, RATE, SCENES, SIZES

ASKED = {"threads of one process": 19.4, "four processes": 19.0}
"""Calls a second at least, of the 20 that are allowed."""


def bench_paced() -> Report:
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
