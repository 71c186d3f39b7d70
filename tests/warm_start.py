"""`kartra-sync` as a real process that need not import first: nine tenths of a short command are imports.

A helper process has imported all of the command, built its models and read its queries, and has run none of
it: what is left is what the command does. It forks for each command; the fork takes the folder, the
environment and the pipes it was sent, becomes a child of the test process, and runs the console script's
`main`. What the interpreter or a library reads as it starts cannot be changed afterwards: a command whose
environment names such a thing, or on a system that is not Linux, starts in full.
"""

import atexit
import ctypes
import gc
import importlib
import json
import os
import pkgutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

COMMAND = str(Path(sys.executable).parent / "kartra-sync")

READ_AT_START = ("PYTHON", "LD_", "LC_", "LANG", "TMPDIR", "SQLITE_", "ARROW_", "OPENBLAS_", "OMP_")
"""How the names begin of what is read once: by Python, the loader, the C library, SQLite, Arrow, NumPy."""

IMPORTED_LATE = (
    *("babel.core", "email_validator", "jinja2", "openpyxl", "encodings.ascii", "encodings.utf_8_sig"),
    *(
        "sqlalchemy.dialects.sqlite",
        "sqlalchemy.dialects.postgresql.psycopg",
        "sqlalchemy.dialects.mysql.pymysql",
    ),
)
"""What commands import when they first need it, and no module of ours at its top."""

_ORDER_BYTES = 1 << 17
_PR_SET_CHILD_SUBREAPER = 36


def base_environ() -> dict[str, str]:
    """What every command has of the environment of the tests, and the helper too."""
    return {
        name: os.environ[name]
        for name in ("PATH", "HOME", "TMPDIR", "LANG", "KARTRA_SYNC_PACING", "XDG_STATE_HOME")
        if name in os.environ
    }


def start(words: Sequence[str], *, environ: Mapping[str, str], **kwargs: Any) -> subprocess.Popen[str]:
    """`subprocess.Popen([COMMAND, *words], …)`, text, of a warm process where that is the same."""
    if sys.platform != "linux" or not _can_be_warm(environ):
        return start_in_full(words, environ=environ, **kwargs)
    return _WarmProcess([COMMAND, *words], env=dict(environ), text=True, **kwargs)


def start_in_full(
    words: Sequence[str], *, environ: Mapping[str, str], **kwargs: Any
) -> subprocess.Popen[str]:
    return subprocess.Popen([COMMAND, *words], env=dict(environ), text=True, **kwargs)


def _can_be_warm(environ: Mapping[str, str]) -> bool:
    def read_at_start(variables: Mapping[str, str]) -> dict[str, str]:
        return {name: text for name, text in variables.items() if name.startswith(READ_AT_START)}

    return read_at_start(environ) == read_at_start(base_environ())


class _Helper:
    """The helper process of this process, started when it is first asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def fork(self, order: dict[str, Any], pipes: Sequence[int]) -> int:
        """The id of a new child of this process that carries out the order."""
        with self._lock:
            if self._control is None:
                self._control = self._start()
            socket.send_fds(self._control, [json.dumps(order).encode()], pipes)
            answer = self._control.recv(_ORDER_BYTES)
        if not answer:
            raise RuntimeError("the helper process of the tests has ended")
        return int(answer)

    def _start(self) -> socket.socket:
        # The forks outlive the process between; they become children of the nearest ancestor that asks.
        if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl")
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, __file__, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=base_environ(),
                pass_fds=[theirs.fileno()],
            )
        atexit.register(self._end)
        return ours

    def _end(self) -> None:
        assert self._control is not None
        assert self._process is not None
        self._control.close()
        self._process.wait()


_helper = _Helper()


class _WarmProcess(subprocess.Popen[str]):
    """A Popen whose child is forked by the helper: only the start differs."""

    def _execute_child(  # the one step of Popen that starts the process, with its pipes
        self,
        args: Sequence[str],
        executable: str | None,
        preexec_fn: None,
        close_fds: bool,
        pass_fds: Sequence[int],
        cwd: str | os.PathLike[str] | None,
        env: dict[str, str],
        startupinfo: None,
        creationflags: int,
        shell: bool,
        *pipes_and_options: Any,
    ) -> None:
        stdin, stdin_ours, stdout_ours, stdout, stderr_ours, stderr, *_, new_session, _ = pipes_and_options
        order = {
            "argv": list(args),
            "folder": os.fspath(cwd or Path.cwd()),
            "environ": env,
            "session": new_session,
        }
        pipes = [pipe if pipe != -1 else own for own, pipe in enumerate((stdin, stdout, stderr))]
        self.pid = _helper.fork(order, pipes)
        self._child_created = True
        self._close_pipe_fds(stdin, stdin_ours, stdout_ours, stdout, stderr_ours, stderr)


def _serve(control: socket.socket) -> None:
    """Fork for each order that comes; returns in a fork, ready to run, and never in the helper."""
    for package in (importlib.import_module(name) for name in ("connectors", "pipelines")):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            try:
                importlib.import_module(module.name)
            except ModuleNotFoundError as error:  # of an optional group that is not installed here
                if (error.name or "").partition(".")[0] in ("connectors", "pipelines"):
                    raise
    _build()
    gc.collect()
    gc.freeze()  # else the first collection of a fork copies every page
    while True:
        message, pipes, _, _ = socket.recv_fds(control, _ORDER_BYTES, 3)
        if not message:
            os._exit(0)  # the tests have ended
        told, tell = os.pipe()
        between = os.fork()
        if between == 0:
            child = os.fork()
            if child != 0:
                os.write(tell, str(child).encode())
                os._exit(0)
            os.close(told)
            os.close(tell)
            control.close()
            return _become(json.loads(message), pipes)
        os.waitpid(between, 0)
        control.send(os.read(told, 32))
        for descriptor in (*pipes, told, tell):
            os.close(descriptor)


def _build() -> None:
    """What a command builds when it first needs it: the models of files, their schemas, the named queries,
    the digest of its own code."""
    from pydantic import BaseModel

    from pipelines.config.faults import schema_of
    from pipelines.config.fleet_file import FleetConfig
    from pipelines.config.pipeline import PipelineConfig
    from pipelines.contacts.fingerprint import code_digest
    from pipelines.state.database import FOLDER, load_queries

    for name in IMPORTED_LATE:
        importlib.import_module(name)
    models = list(BaseModel.__subclasses__())
    for model in models:
        models += model.__subclasses__()
        if model.__module__.startswith(("connectors.", "pipelines.")):
            model.model_rebuild()
    schema_of(PipelineConfig)
    schema_of(FleetConfig)
    for file in FOLDER.glob("*.sql"):
        load_queries(file.stem, "", "")
    code_digest()


def _become(order: dict[str, Any], pipes: Sequence[int]) -> None:
    """Make of this process what it would be if it had been started so."""
    if order["session"]:
        os.setsid()
    for own, pipe in enumerate(pipes):
        os.dup2(pipe, own)
        os.close(pipe)
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environ"])
    time.tzset()
    sys.argv = order["argv"]


def _end(code: int) -> None:
    """The end of Python without taking the interpreter down, for which a fork would copy all its pages."""
    threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if not stream.closed:
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    sys.path[0] = str(Path(COMMAND).parent)
    _serve(socket.socket(fileno=int(sys.argv[1])))
    from pipelines.cli.main import main

    try:
        main()
    except SystemExit as end:
        if not isinstance(end.code, int):
            raise
        _end(end.code)
    _end(0)
