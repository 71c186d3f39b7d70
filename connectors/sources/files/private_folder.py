"""A folder of this process alone, for what is fetched or unpacked."""

import shutil
import tempfile
import weakref
from pathlib import Path


class PrivateFolder:
    """A folder that is made when it is needed, and goes with the last who holds it."""

    def __init__(self) -> None:
        self._path: Path | None = None

    @property
    def path(self) -> Path:
        if self._path is None:
            # mkdtemp closes it to all others, whatever the umask says.
            self._path = Path(tempfile.mkdtemp(prefix="kartra-sync-"))
            weakref.finalize(self, shutil.rmtree, self._path, ignore_errors=True)
        return self._path
