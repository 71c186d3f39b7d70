import subprocess
import sys


def test_the_benches_print_their_help() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "tests.bench", "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (printed.returncode, printed.stderr) == (0, "")
    assert "1 % changed" in " ".join(printed.stdout.split())
