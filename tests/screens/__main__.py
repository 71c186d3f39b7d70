"""`python -m tests.screens`: writes the screens in `tests/data/screens/` anew."""

import tempfile
from pathlib import Path

from tests.screens import FOLDER, OF_THIS_MACHINE, play

if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for screen in play(Path(folder)):
            if screen.name in OF_THIS_MACHINE:
                continue
            (FOLDER / f"{screen.name}.txt").write_text(screen.text(), encoding="utf-8")
            print(screen.name)
