"""Each `NN-name.yaml` of tests/data/config_errors is refused with exactly the lines of `NN-name.txt`."""

from pathlib import Path

import pytest

from connectors.errors import ConfigError
from pipelines.config.file import read_pipeline

CASES = Path(__file__).parent.parent / "data" / "config_errors"
SECRET = "hunter2"
ENVIRON = {"ECHO": SECRET}


@pytest.mark.parametrize("name", sorted(file.stem for file in CASES.glob("*.yaml")))
def test_a_wrong_file_is_answered_with_every_fault_and_its_position(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(CASES)
    with pytest.raises(ConfigError) as refusal:
        read_pipeline(Path(f"{name}.yaml"), ENVIRON)
    assert str(refusal.value) + "\n" == (CASES / f"{name}.txt").read_text(encoding="utf-8")
    assert SECRET not in str(refusal.value)


def refusal_of(path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(path.parent)
    with pytest.raises(ConfigError) as refusal:
        read_pipeline(path, {})
    return str(refusal.value)


def test_a_file_that_is_not_there_is_answered_with_the_nearest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "newsletter.yaml").touch()
    (tmp_path / "shop.yml").touch()
    assert refusal_of(tmp_path / "newsleter.yaml", monkeypatch) == (
        'newsleter.yaml: no such file; did you mean "newsletter.yaml"?'
    )
    assert refusal_of(tmp_path / "q", monkeypatch) == (
        "q: no such file; the folder has newsletter.yaml, shop.yml"
    )


def test_a_folder_is_no_pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "newsletter.yaml").touch()
    assert refusal_of(tmp_path / "configs", monkeypatch) == (
        "configs: a folder, not a pipeline file; the folder has newsletter.yaml"
    )


@pytest.mark.parametrize(("encoding", "line"), [("utf-16", 1), ("cp1252", 2)])
def test_another_encoding_is_refused(
    encoding: str, line: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.yaml").write_text("pipeline: a\nstate: zoë.db\n", encoding=encoding)
    assert refusal_of(tmp_path / "a.yaml", monkeypatch) == f"a.yaml:{line}: not UTF-8; save the file as UTF-8"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("pipeline: 'a\x07'", "a.yaml:1:13: a control character stands here"),
        ("[" * 5000, "a.yaml:1:65: nested too deeply"),
        ("load:\n  <<: &m\n    <<: *m\n", "a.yaml:2:7: load: << takes the alias of another map"),
        (
            '"a\\nb": 1',
            "a.yaml:1:1: a?b: unknown key; known are pipeline, kartra, state, pull, operations, load, keep,"
            " notify, metrics",
        ),
    ],
)
def test_hostile_text_is_a_fault_of_one_line(
    text: str, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    assert fault in refusal_of(tmp_path / "a.yaml", monkeypatch).splitlines()
