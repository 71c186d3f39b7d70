"""The process that `tests.bench.pull` measures."""

import json
import sys
from pathlib import Path

from tests.bench.pull import pull_all

if __name__ == "__main__":
    print(json.dumps(pull_all(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))))
