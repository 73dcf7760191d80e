"""What lies in a result folder is data: shown as it was written, never resolved, and never more than it is."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from synaug import record
from synaug.comparison import compare as comparison
from synaug.comparison import evidence
from synaug.report.page import reproduction
from synaug.report.results import Results
from tests import fabricated


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (folder,) = fabricated.write_runs(tmp_path, datasets=["trec"], ratios=[10.0], augmenters=["none"], n_folds=2)
    (folder / ".hydra").mkdir()
    return folder


@pytest.fixture(autouse=True)
def ends() -> Iterator[None]:
    """What hangs is killed; nothing is measured."""
    signal.alarm(120)
    yield
    signal.alarm(0)


def commands(folder: Path) -> list[str]:
    found = evidence.read([folder])
    return reproduction.commands(Results(found, comparison.compare(found, ["accuracy"])))


def test_an_interpolation_is_shown_as_it_was_written(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "hunter2")
    override = "name=${oc.env:SECRET}"
    (run / ".hydra" / "overrides.yaml").write_text(f"- {override}\n- augmenter=none\n")
    assert commands(run.parent) == ["python -m synaug 'name=${oc.env:SECRET}' augmenter=none"]
    (run / ".hydra" / "overrides.yaml").unlink()
    task = f"hydra:\n  overrides:\n    task:\n    - {override}\nother: ${{nowhere}}\n"
    (run.parent / "multirun.yaml").write_text(task)
    assert commands(run.parent) == ["python -m synaug --multirun 'name=${oc.env:SECRET}'"]
    (run.parent / "sweep.json").write_text(json.dumps({"command": ["synaug", override]}))
    assert commands(run.parent) == ["python -m synaug --multirun 'name=${oc.env:SECRET}'"]


def test_a_command_has_all_seeds_that_its_runs_hold(tmp_path: Path) -> None:
    changes = {"overrides": ["augmenter=none", "seeds=[0,1,2]"]}
    folders = fabricated.write_runs(tmp_path, ["trec"], [10.0], ["none", "smote"], n_folds=2, seeds=[0, 1, 2])
    for folder in folders:
        content = json.loads((folder / record.RECORD).read_text())
        (folder / record.RECORD).write_text(json.dumps(content | changes))
    for given in (["seeds=[1,2]"], ["seeds=[0],[1,2]"], []):
        (tmp_path / "sweep.json").write_text(json.dumps({"command": ["synaug", *given, "augmenter=none,smote"]}))
        assert commands(tmp_path) == ["python -m synaug --multirun augmenter=none,smote 'seeds=[0,1,2]'"]


def test_where_no_seeds_were_given_none_are_named(run: Path) -> None:
    (run.parent / "sweep.json").write_text(json.dumps({"command": ["synaug", "augmenter=none"]}))
    assert commands(run.parent) == ["python -m synaug --multirun augmenter=none"]


BOMB = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)) + "- *a11\n"
HOSTILE = [
    BOMB.encode(),
    BOMB.replace("- *a11\n", "hydra: *a11\n").encode(),
    b"- !!python/object/apply:os.system [exit]\n",
    b"[" * 100_000,
    b"- a=1\n" * 100_000,
    b"- \xff\n",
    b"- [a]\n",
    b"- a=1\n- null\n",
    b"text",
    b"",
    b"a: [1\n",
]


@pytest.mark.parametrize("content", HOSTILE, ids=range(len(HOSTILE)))
def test_what_hydra_did_not_write_gives_no_command(run: Path, content: bytes) -> None:
    (run / ".hydra" / "overrides.yaml").write_bytes(content)
    (run.parent / "multirun.yaml").write_bytes(content)
    (run.parent / "sweep.json").write_bytes(content)
    assert commands(run.parent) == []


def test_what_is_no_file_gives_no_command(run: Path) -> None:
    os.mkfifo(run / ".hydra" / "overrides.yaml")
    os.mkfifo(run.parent / "multirun.yaml")
    os.mkfifo(run.parent / "sweep.json")
    assert commands(run.parent) == []


def test_overrides_that_yaml_takes_for_other_than_text_are_text(run: Path) -> None:
    (run / ".hydra" / "overrides.yaml").write_text("- a=1\n- 3\n- 'b: c'\n")
    assert commands(run.parent) == ["python -m synaug a=1 3 'b: c'"]


def test_the_inner_folds_are_not_taken_for_the_outer_ones(run: Path) -> None:
    config = {**record.read(run)["config"], "n_folds": 10}
    config["validation"] = {"_target_": "synaug.validation.Nested", "n_folds": 5, "final": "bagged"}
    assert reproduction.validation(config) == "nested (validation.n_folds=5, final=bagged)"
