"""Several commands in one process, as in a notebook: nothing of one reaches the next."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from synaug import record
from tests import toy
from tests.program import TOY, Program, without_cost

ROOT = Path(__file__).parents[1]

# A process of its own, since `tests.program.run` puts back what a command leaves behind.
COMMANDS = """
import json, os, sys, traceback, warnings
from hydra.core.global_hydra import GlobalHydra
from synaug.command.app import main

def state():
    import torch
    return {
        "environment": dict(os.environ),
        "composing": GlobalHydra.instance().is_initialized(),
        "filters": len(warnings.filters),
        "threads": torch.get_num_threads(),
        "folder": os.getcwd(),
    }

import synaug.pipeline  # what its imports leave is not a command's
before = state()
for command in json.loads(sys.argv[1]):
    sys.argv = ["synaug", *command]
    code = 0
    try:
        main()
    except SystemExit as stop:
        code = stop.code or 0
        if isinstance(code, str):
            print(code, file=sys.stderr)
            code = 1
    except Exception:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    print("\\0", file=sys.stderr, end="", flush=True)
    print("\\0" + json.dumps({"code": code, "before": before, "after": state()}), end="\\0", flush=True)
    before = state()
"""


@dataclass
class Ended:
    """How one of several commands ended, and the state of the process around it."""

    code: int
    out: str
    err: str
    before: dict[str, Any]
    after: dict[str, Any]


def one_after_another(*commands: list[str]) -> list[Ended]:
    """Run the commands in one fresh process."""
    done = subprocess.run(
        [sys.executable, "-c", COMMANDS, json.dumps(commands)],
        cwd=ROOT,
        env={key: value for key, value in os.environ.items() if key != "HYDRA_FULL_ERROR"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    out, err = done.stdout.split("\0")[:-1], done.stderr.split("\0")
    assert len(out) == 2 * len(commands)
    ends = map(json.loads, out[1::2])
    return [Ended(out=said, err=wrong, **end) for said, wrong, end in zip(out[::2], err, ends, strict=False)]


def settings(program: Program, name: str) -> list[str]:
    csv = program.folder / "mine.csv"
    if not csv.exists():
        toy.write_csv(csv, *toy.texts(60))
    places = [f"output_dir={program.folder / name}", f"cache_dir={program.folder / 'cache'}"]
    return [*TOY, "n_folds=2", "max_steps=4", f"dataset.path={csv}", *places]


def test_nothing_of_a_command_that_failed_reaches_the_next_ones(program: Program) -> None:
    wrong = [*settings(program, "wrong"), "imbalance_ratio.ratio=100000", "logger=csv"]
    good = [*settings(program, "good"), "augmenter=smote"]
    grid = ["--multirun", *settings(program, "grid"), "augmenter=none,smote"]
    refused, failed, single, sweep, again = one_after_another(
        [*settings(program, "wrong"), "augmenter=nonsense"], wrong, good, grid, grid
    )
    assert [each.code for each in (refused, failed, single, sweep, again)] == [1, 1, 0, 0, 0], failed.err
    assert "imbalance_ratio.ratio=100000" in failed.err
    for each in (refused, failed, single, sweep, again):
        assert "Traceback (most" not in each.err, each.err
        assert each.after["environment"] == each.before["environment"]
        assert not each.after["composing"]
        assert each.after["folder"] == each.before["folder"]
    for each in (single, sweep, again):
        assert "100000" not in each.err + each.out
        assert "nonsense" not in each.err + each.out
    # One line is said once, however many commands have set up their logging before.
    for line in ("training 12 networks at once, each for at most 4 steps",):
        assert [each.err.count(line) for each in (failed, single, sweep, again)] == [0, 1, 2, 0]
    assert "2 of 2 jobs are already recorded" in again.err
    # Filters of warnings do not pile up with each command.
    assert again.after["filters"] == sweep.after["filters"]


@dataclass
class Three:
    """Three commands of one fresh process: a first, one that is quite another, and the first again elsewhere."""

    folder: Path
    first: Ended
    other: Ended
    after: Ended


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Three:
    program = Program(tmp_path_factory.mktemp("three"))
    first = [*settings(program, "first"), "augmenter=smote"]
    other = [*settings(program, "other"), "augmenter=vae", "seeds=[3]", "threads=2"]
    after = [*settings(program, "after"), "augmenter=smote"]
    ended = one_after_another(first, other, after)
    assert [each.code for each in ended] == [0, 0, 0]
    return Three(program.folder, *ended)


@pytest.mark.xdist_group("twice")
def test_the_threads_of_one_command_are_not_those_of_the_next(three: Three) -> None:
    assert three.other.before["threads"] == three.other.after["threads"] == three.after.after["threads"]


@pytest.mark.xdist_group("twice")
def test_a_log_holds_its_own_command_alone(three: Three) -> None:
    logs = {path.parent.parent.parent.name: path.read_text() for path in three.folder.glob("*/*/*/*.log")}
    assert set(logs) == {"first", "other", "after"}
    for name, (own, foreign) in {
        "first": ("smote", "vae"),
        "other": ("vae", "smote"),
        "after": ("smote", "vae"),
    }.items():
        assert own in logs[name].lower()
        assert foreign not in logs[name].lower()
    assert all(text.count("training 12 networks at once") == 1 for text in logs.values())


@pytest.mark.xdist_group("twice")
def test_the_numbers_do_not_depend_on_what_ran_before(three: Three) -> None:
    found = {path.parents[2].name: json.loads(path.read_text()) for path in three.folder.rglob(record.RECORD)}
    assert without_cost(found["after"]) == without_cost(found["first"])
    assert found["other"]["scores"] != found["first"]["scores"]
