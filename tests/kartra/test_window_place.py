"""One window for all users and services of a host; where that cannot be, a word and a slower rate."""

import itertools
import json
import os
import shutil
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connectors.kartra.limiter import HostBucket, limiter_for
from connectors.kartra.window_file import WindowFile, shared_folder

API = "https://app.kartra.com/api"
HERE = Path(__file__).parents[2]
ANN, BOB = 61_001, 61_002
"""Users that are nobody's."""
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be several users")
needs_unshare = pytest.mark.skipif(
    subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode != 0
    if shutil.which("unshare")
    else True,
    reason="needs unshare, and the right to use it",
)


def as_user(uid: int, work: Callable[[], Any]) -> Any:
    """What `work` gives in a process of this user, who has no group and no right of root."""
    reader, writer = os.pipe()
    if (child := os.fork()) == 0:
        code = 1
        try:
            os.close(reader)
            if uid != os.geteuid():
                os.setgroups([])
                os.setresgid(uid, uid, uid)
                os.setresuid(uid, uid, uid)
            os.write(writer, json.dumps(work()).encode())
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    with os.fdopen(reader, "rb") as told:
        given = told.read()
    _, status = os.waitpid(child, 0)
    assert status == 0
    return json.loads(given)


def permits(count: int = 3) -> list[float]:
    """So many permits, one after the other, of this process as it is."""
    os.umask(0o077)
    limiter = limiter_for(API, "APP", calls_per_second=20)
    given = [limiter.acquire(timeout_s=20) for _ in range(count)]
    limiter.close()
    return given


def windows(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.window"))


def held(folder: Path) -> int:
    (path,) = windows(folder)
    return HostBucket(path, permits=20, seconds=3600.0).count()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """As /dev/shm is: everybody may write, nobody may remove what is another's."""
    for parent in (tmp_path, *tmp_path.parents):
        if parent.owner() == "root" and parent != Path("/") and parent.is_relative_to("/tmp"):
            parent.chmod(parent.stat().st_mode | 0o055)
    place = tmp_path / "shm"
    place.mkdir()
    place.chmod(0o1777)
    for name in ("XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KARTRA_SYNC_PACING", str(place))
    return place


# --- one window


@needs_root
@pytest.mark.parametrize("order", [(0, ANN, BOB, 0), (ANN, BOB, 0, ANN), (BOB, 0, BOB, ANN)])
def test_users_and_root_share_one_window_whoever_came_first(order: tuple[int, ...], folder: Path) -> None:
    given = [permit for uid in order for permit in as_user(uid, permits)]
    assert (len(given), sorted(given), held(folder)) == (12, given, 12)
    gaps = [later - earlier for earlier, later in itertools.pairwise(given)]
    assert min(gaps) >= 0.6 / 20


@needs_root
def test_two_users_at_once_stay_within_the_rate_together(folder: Path) -> None:
    given: list[float] = []
    threads = [
        threading.Thread(target=lambda uid=uid: given.extend(as_user(uid, lambda: permits(25))))
        for uid in (ANN, BOB)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(given) == 50
    assert max(sum(at <= other < at + 1 for other in given) for at in given) <= 20
    assert len(windows(folder)) == 1


def test_the_place_does_not_depend_on_where_temporary_files_go(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("KARTRA_SYNC_PACING")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    expected = "/dev/shm" if sys.platform == "linux" else "/tmp"
    assert shared_folder() == Path(expected)


def test_every_spelling_of_an_endpoint_has_one_window(folder: Path) -> None:
    for url in (API, f"{API}/", "https://APP.kartra.com/api", "https://app.kartra.com:443/api"):
        limiter_for(url, "APP", calls_per_second=20).close()
    assert len(windows(folder)) == 1


SERVICE = """
import os, subprocess, sys
sys.path.insert(0, {here!r})
{mounts}
os.environ.pop("KARTRA_SYNC_PACING", None)
from connectors.kartra.limiter import limiter_for
limiter = limiter_for("https://127.0.0.1:1/api", sys.argv[1], calls_per_second=20)
print(*[limiter.acquire(timeout_s=20) for _ in range(12)])
"""


def in_namespace(app_id: str, *mounts: str) -> subprocess.Popen[str]:
    done = "\n".join(f"subprocess.run({mount.split()!r}, check=True)" for mount in mounts)
    return subprocess.Popen(
        ["unshare", "-m", sys.executable, "-c", SERVICE.format(here=str(HERE), mounts=done), app_id],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@needs_root
@needs_unshare
@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="needs /dev/shm")
@pytest.mark.parametrize(
    "mounts",
    [
        ("mount -t tmpfs none /tmp", "mount -t tmpfs none /var/tmp"),
        ("mount -t tmpfs none /tmp", "mount -t tmpfs none /run"),
    ],
    ids=["PrivateTmp", "a /run of its own"],
)
def test_a_service_with_a_tmp_of_its_own_shares_the_window(mounts: tuple[str, ...]) -> None:
    app_id = f"TEST{os.getpid()}{time.monotonic_ns()}"
    services = [in_namespace(app_id, *mounts), in_namespace(app_id)]
    given = [float(word) for service in services for word in service.communicate(timeout=120)[0].split()]
    assert len(given) == 24
    assert max(sum(at <= other < at + 1 for other in given) for at in given) <= 20


# --- no shared window

SCRIPT = textwrap.dedent(
    """
    import logging, sys
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    from connectors.kartra.limiter import limiter_for
    limiter = limiter_for("https://app.kartra.com/api", "APP", calls_per_second=20)
    print(*[limiter.acquire(timeout_s=20) for _ in range(14)])
    """
)


def alone(**environ: str) -> tuple[list[float], str]:
    """Permits of a process that has to pace itself alone, and what it says."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "HOME", "TMP"))}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        cwd=HERE,
        env={**kept, **environ},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return [float(word) for word in done.stdout.split()], done.stderr


def is_at_half_the_rate(given: list[float]) -> bool:
    return len(given) == 14 and given[-1] - given[3] >= 1.0


def test_a_place_that_is_not_there_gives_a_word_and_half_the_rate(tmp_path: Path) -> None:
    given, said = alone(KARTRA_SYNC_PACING=str(tmp_path / "gone"), HOME=str(tmp_path))
    assert said == (
        f"{tmp_path / 'gone'} cannot be used to pace the calls of all users of this machine"
        " (No such file or directory): they are paced for this user alone, at 10 a second."
        " KARTRA_SYNC_PACING may name a folder that all can write\n"
    )
    assert is_at_half_the_rate(given)


def test_two_processes_of_a_user_share_a_window_of_their_own(tmp_path: Path) -> None:
    (tmp_path / ".cache").mkdir()
    for _ in range(2):
        alone(KARTRA_SYNC_PACING=str(tmp_path / "gone"), HOME=str(tmp_path))
    assert held(tmp_path / ".cache") == 20
    assert len(windows(tmp_path / ".cache")) == 1


@pytest.mark.parametrize("kind", ["a folder", "a link", "a pipe"])
def test_something_else_in_the_place_of_the_file_is_left_alone(kind: str, folder: Path) -> None:
    limiter_for(API, "APP", calls_per_second=20).close()
    (path,) = windows(folder)
    path.unlink()
    target = folder / "target"
    target.write_text("mine")
    if kind == "a folder":
        path.mkdir()
    elif kind == "a link":
        path.symlink_to(target)
    else:
        os.mkfifo(path)
    given, said = alone(KARTRA_SYNC_PACING=str(folder), HOME=str(folder))
    assert is_at_half_the_rate(given)
    assert "cannot be used to pace" in said
    assert target.read_text() == "mine"


@needs_root
def test_a_window_that_only_its_owner_may_write_gives_a_word_and_half_the_rate(folder: Path) -> None:
    as_user(ANN, permits)
    windows(folder)[0].chmod(0o600)
    given = as_user(BOB, lambda: permits(14))
    assert is_at_half_the_rate(given)
    assert [as_user(ANN, lambda: len(permits())), held_by(folder, 0o600)] == [3, 6]


def held_by(folder: Path, mode: int) -> int:
    (path,) = [path for path in windows(folder) if path.stat().st_mode & 0o777 == mode]
    return HostBucket(path, permits=20, seconds=3600.0).count()


@needs_root
@needs_unshare
def test_a_machine_that_can_write_nowhere_still_calls(tmp_path: Path) -> None:
    """All that is mounted is read-only, as in a hardened container without any tmpfs."""
    script = "mount -t tmpfs -o ro none /dev/shm && exec setpriv --reuid 61001 --regid 61001 --clear-groups"
    words = f'{script} {sys.executable} -c "$SCRIPT"'
    environ = {
        "PATH": os.environ["PATH"],
        "SCRIPT": SCRIPT,
        "TMPDIR": str(tmp_path / "gone"),
        "HOME": "/nonexistent",
        "PYTHONPATH": str(HERE),
    }
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", words],
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, is_at_half_the_rate([float(word) for word in done.stdout.split()])) == (0, True)
    assert "/dev/shm cannot be used to pace the calls of all users of this machine (" in done.stderr


def test_a_file_that_cannot_be_used_any_more_does_not_end_the_run(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    limiter = limiter_for(API, "APP", calls_per_second=20)
    assert limiter.acquire(timeout_s=20)
    (path,) = windows(folder)
    path.unlink()
    path.mkdir()
    started = time.monotonic()
    given = [limiter.acquire(timeout_s=20) for _ in range(11)]
    limiter.throttled()
    assert limiter.acquire(timeout_s=20) - time.monotonic() <= 0
    limiter.close()
    assert given[0] - started >= 1.0  # what others took in the last second is not known
    assert given[-1] - given[0] >= 0.6
    told = [record.getMessage() for record in caplog.records]
    assert told == [
        f"{path} cannot be used any more (Is a directory):"
        " this process paces its calls alone, at half the rate"
    ]


def test_a_window_that_is_removed_is_made_anew_and_shared_again(folder: Path) -> None:
    first, second = (limiter_for(API, "APP", calls_per_second=20) for _ in range(2))
    assert first.acquire(timeout_s=20)
    windows(folder)[0].unlink()
    assert first.acquire(timeout_s=20)
    assert second.acquire(timeout_s=20)
    assert held(folder) == 2
    first.close()
    second.close()


def test_a_process_that_waits_for_a_lock_in_vain_can_be_given_up(folder: Path) -> None:
    limiter = limiter_for(API, "APP", calls_per_second=20)
    (path,) = windows(folder)
    stop = threading.Event()
    released = threading.Event()

    def hold(_: bytes) -> None:
        stop.set()
        released.wait(60)

    holder = threading.Thread(target=WindowFile(path).update, args=(hold,))
    holder.start()
    assert stop.wait(10)
    assert not limiter.acquire(timeout_s=0.5)
    asked: list[bool] = []

    def given_up() -> bool:
        asked.append(True)
        return len(asked) > 2

    assert not limiter.acquire(given_up=given_up)
    released.set()
    holder.join()
    assert limiter.acquire(timeout_s=20)
    limiter.close()


def test_windows_that_nobody_needs_any_more_are_removed(folder: Path) -> None:
    limiter_for(API, "OLD", calls_per_second=20).close()
    (old,) = windows(folder)
    long_ago = time.time() - 2 * 86_400
    os.utime(old, (long_ago, long_ago))
    limiter_for(API, "NEW", calls_per_second=20).close()
    assert len(windows(folder)) == 1
    assert not old.exists()
