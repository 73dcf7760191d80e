"""A record is whole or absent, and a run's name says what decides its numbers."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synaug import record
from synaug.errors import UserError


def test_a_record_comes_back_as_it_was_written(tmp_path: Path) -> None:
    written = {"run": "a", "scores": {"columns": ["value"], "data": [[0.1], [1 / 3]]}, "names": ("x", "ü")}
    path = record.write(tmp_path, written)
    assert path == tmp_path / "record.json"
    assert record.read(tmp_path) == {**written, "names": ["x", "ü"]}


@given(st.floats())
def test_any_number_makes_valid_json(value: float) -> None:
    text = json.dumps(record._finite({"value": [value]}), allow_nan=False)
    back = json.loads(text)["value"][0]
    assert back == value if math.isfinite(value) else back is None


def test_writing_clears_the_failure_of_an_earlier_try(tmp_path: Path) -> None:
    record.write_failure(tmp_path, {"error": "no"})
    assert not record.is_done(tmp_path)
    record.write(tmp_path, {})
    assert record.is_done(tmp_path)
    assert not (tmp_path / record.FAILURE).exists()


def test_what_cannot_be_written_leaves_the_old_record(tmp_path: Path) -> None:
    record.write(tmp_path, {"old": 1})
    with pytest.raises(TypeError):
        record.write(tmp_path, {"new": object()})
    assert record.read(tmp_path) == {"old": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["record.json"]


def test_a_writer_killed_at_any_moment_leaves_no_half_record(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys, threading\n"
        "from pathlib import Path\n"
        "from synaug import record\n"
        "threading.Timer(float(sys.argv[2]), lambda: os.kill(os.getpid(), signal.SIGKILL)).start()\n"
        "for round in range(10**9): record.write(Path(sys.argv[1]), {'round': round, 'rows': list(range(20000))})\n"
    )
    for delay in (0.05, 0.11, 0.17):
        subprocess.run([sys.executable, "-c", program, str(tmp_path), str(delay)], check=False)
        if record.is_done(tmp_path):
            assert record.read(tmp_path)["rows"] == list(range(20000))


def test_an_altered_record_is_named(tmp_path: Path) -> None:
    (tmp_path / "record.json").write_text('{"run": ')
    with pytest.raises(ValueError, match=r"record\.json is damaged .* remove it and run again"):
        record.read(tmp_path)
    with pytest.raises(UserError, match="the run is not done"):
        record.read(tmp_path / "nowhere")


def config(**changes: object) -> dict[str, object]:
    base: dict[str, object] = {
        "dataset": {"name": "trec", "licence": "x"},
        "encoder": {"model": "m", "device": None},
        "trainer": {"accelerator": "auto", "precision": "32-true"},
        "n_folds": 10,
        "output_dir": "here",
        "logger": {"_target_": None},
    }
    return base | changes


def test_only_what_decides_numbers_enters_the_identity() -> None:
    sources = {"dataset": "sha256:1", "encoder": "sha256:2"}
    base = record.identity(config(), sources)
    assert len(base) == 64
    for same in (
        {"output_dir": "there"},
        {"logger": {"_target_": "wandb"}},
        {"encoder": {"model": "m", "device": "cuda"}},
        {"dataset": {"name": "trec", "licence": "y"}},
        {"trainer": {"accelerator": "gpu", "precision": "32-true"}},
        {"n_folds": 10.0},
    ):
        assert record.identity(config(**same), sources) == base
    for other in (
        {"n_folds": 5},
        {"dataset": {"name": "imdb"}},
        {"trainer": {"precision": "bf16-mixed"}},
    ):
        assert record.identity(config(**other), sources) != base
    assert record.identity(config(), sources | {"dataset": "sha256:3"}) != base


def test_settings_at_their_neutral_values_leave_the_identity_as_it_was_before_them() -> None:
    mine: dict[str, object] = {"_target_": "synaug.dataset.FileDataset", "name": "files", "text": "text", "seed": 0}
    neutral = {"max_rows": None, "min_per_class": None, "drop_empty": False, "separator": None, "quoting": None}
    base = record.identity(config(dataset=mine), {})
    for same in (neutral, {"name": None}, {**neutral, "name": None}):
        assert record.identity(config(dataset={**mine, **same}), {}) == base
    used = {"max_rows": 9, "min_per_class": 1, "drop_empty": True, "separator": "comma", "quoting": "double"}
    for key, value in (*used.items(), ("name", "mine"), ("drop_empty", 0)):
        assert record.identity(config(dataset={**mine, **neutral, key: value}), {}) != base


def test_a_cap_in_proportion_is_another_run_than_a_cap_on_each_class() -> None:
    capped = {"name": "trec", "max_per_class": 100}
    thinned, natural = {"ratio": 10, "profile": "step"}, {"ratio": None, "profile": "step"}
    science = record.science(config(dataset=capped, imbalance_ratio=natural))
    assert science["dataset"] == {**capped, "max_per_class_in_proportion": True}
    assert record.science(config(dataset=capped, imbalance_ratio=thinned))["dataset"] == capped
    whole = {"name": "trec", "max_per_class": None}
    assert record.science(config(dataset=whole, imbalance_ratio=natural))["dataset"] == whole


def test_a_schema_of_another_version_is_another_run(monkeypatch: pytest.MonkeyPatch) -> None:
    before = record.identity(config(), {})
    monkeypatch.setattr(record, "SCHEMA", record.SCHEMA + 1)
    assert record.identity(config(), {}) != before


def test_the_commit_is_that_of_this_checkout_and_of_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    module = tmp_path / "synaug" / "record.py"
    module.parent.mkdir()
    module.write_text("")
    git("init", "-q")
    identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
    git(*identity, "commit", "-q", "--allow-empty", "-m", "first")
    monkeypatch.setattr(record, "__file__", str(module))
    assert record.git_commit() is None  # somebody's repository around an installed package
    git("add", "-A")
    git(*identity, "commit", "-q", "-m", "second")
    assert record.git_commit() == git("rev-parse", "HEAD")
    module.write_text("changed = True")
    assert record.git_commit() == git("rev-parse", "HEAD") + "-dirty"
