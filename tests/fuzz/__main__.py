"""`python -m tests.fuzz PARSER --seconds N`: ends at the first input that is neither read nor refused with an
error of ours, and with 1 where the memory grows."""

import argparse
import gc
import logging
import resource
import sys
import time

from tests.fuzz.parsers import PARSERS
from tests.fuzz.play import played

GROWTH_KB = 200 * 1024


def main() -> int:
    arguments = argparse.ArgumentParser(prog="python -m tests.fuzz")
    arguments.add_argument("parser", choices=(*PARSERS, "all"))
    arguments.add_argument("--seconds", type=float, default=60)
    asked = arguments.parse_args()
    logging.disable()
    worst = 0
    for name in PARSERS if asked.parser == "all" else (asked.parser,):
        played(PARSERS[name], 50, seed=0)  # what is loaded once is loaded
        gc.collect()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        ends = time.monotonic() + asked.seconds
        count = seed = refused = 0
        while time.monotonic() < ends:
            seed += 1
            tried, said_no = played(PARSERS[name], 200, seed=seed)
            count, refused = count + tried, refused + said_no
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        print(f"{name}: {count:,} inputs, {refused:,} refused, {grown / 1024:.0f} MB more", flush=True)
        worst = max(worst, grown)
    return int(worst > GROWTH_KB)


if __name__ == "__main__":
    sys.exit(main())
