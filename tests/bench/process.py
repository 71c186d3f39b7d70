"""The process that one stage runs in: prints how long it took and how much memory it had at most, as JSON."""

import json
import sys
import time
from pathlib import Path

from tests.bench.pull import memory_mib
from tests.bench.stages import STAGES

if __name__ == "__main__":
    stage = STAGES[sys.argv[1]]
    given = stage.prepare(Path(sys.argv[2]))
    started, before = time.perf_counter(), time.process_time()
    rows = stage.work(given)
    seconds, cpu = time.perf_counter() - started, time.process_time() - before
    print(json.dumps({"rows": rows, "seconds": seconds, "cpu": cpu, "MiB": memory_mib("VmHWM")}))
