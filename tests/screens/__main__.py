"""`python -m tests.screens`: writes the screens in `tests/data/screens/` anew."""

import tempfile
from itertools import chain
from pathlib import Path

from tests.screens import FOLDER, OF_THIS_MACHINE, VIEWS, Screen, demo, play, play_changing

if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "demo").mkdir()
        of_demo = Screen("demo", {view: demo(folder / "demo", view) for view in VIEWS})
        for screen in chain(play(folder), play_changing(folder), [of_demo]):
            if screen.name in OF_THIS_MACHINE:
                continue
            (FOLDER / f"{screen.name}.txt").write_text(screen.text(), encoding="utf-8")
            print(screen.name)
