"""More seeds extend a run: what is recorded is kept, what is missing is computed, and one record holds them all."""

import json
import os
import re
import shutil
import signal
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import synaug
from synaug import record
from tests import toy
from tests.program import TOY, Outcome, Program, without_cost
from tests.thorough import some

TINY = ["n_folds=2", "max_steps=16"]
OWN = [*TINY, "augmenter=smote"]


def ok(outcome: Outcome) -> Outcome:
    assert outcome.code == 0, outcome.err
    return outcome


def whole(program: Program) -> dict[str, Any]:
    """The only run's record, with the arrays that it points to, but for times and places."""
    (folder,) = program.run_folders
    recorded = record.read(folder)
    path = record.probabilities_file(folder, recorded)
    assert path is not None
    assert [each.name for each in folder.glob("probabilities*")] == [path.name]
    with np.load(path, allow_pickle=False) as stored:
        return {**without_cost(recorded), "arrays": {name: rows.tolist() for name, rows in stored.items()}}


def altered(program: Program, change: Callable[[dict[str, Any]], object]) -> None:
    (folder,) = program.run_folders
    content = json.loads((folder / record.RECORD).read_bytes())
    change(content)
    (folder / record.RECORD).write_text(json.dumps(content))


@pytest.fixture(scope="module")
def csv(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"dataset.path={toy.write_csv(tmp_path_factory.mktemp('data') / 'mine.csv', *toy.texts(60))}"


@pytest.fixture(scope="module")
def at_once(tmp_path_factory: pytest.TempPathFactory, csv: str) -> dict[str, Any]:
    program = Program(tmp_path_factory.mktemp("at-once"))
    ok(program(*TOY, csv, *OWN, "seeds=[0,1,2]"))
    return whole(program)


def same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """Equal in all parts; what is summed in floats may be rounded another way."""
    assert found.keys() == expected.keys()
    for name, part in expected.items():
        if name == "reliability":
            for one, other in zip(found[name], part, strict=True):
                np.testing.assert_allclose(one["rows_confidence_hits"], other["rows_confidence_hits"], rtol=1e-12)
        else:
            assert found[name] == part, name


@pytest.mark.parametrize("steps", [["[0]", "[0,1,2]"], ["[2]", "[1]", "[0]"], ["[2,0]", "[1]"]])
def test_seeds_that_come_one_after_another_make_the_record_of_all_at_once(
    program: Program, csv: str, at_once: dict[str, Any], steps: list[str]
) -> None:
    for seeds in steps:
        ok(program(*TOY, csv, *OWN, f"seeds={seeds}"))
    same(whole(program), at_once)


def test_what_is_recorded_is_said_and_not_computed_again(program: Program, csv: str) -> None:
    first = ok(program(*TOY, csv, *OWN))
    assert "augmenting the training rows of 2 splits" in first.err
    second = ok(program(*TOY, csv, *OWN, "seeds=[0,1,2]"))
    assert "seed 0 is recorded; computing 1, 2" in second.err
    assert "augmenting the training rows of 4 splits" in second.err
    recorded = program.record()
    assert recorded["config"]["seeds"] == [0, 1, 2]
    assert "seeds=[0,1,2]" in recorded["overrides"]
    for seeds in ("[0]", "[1,2]", "[2,1,0]"):
        assert "already recorded, skipped" in ok(program(*TOY, csv, *OWN, f"seeds={seeds}")).err
    assert program.record() == recorded


def test_costs_are_added_up(program: Program, csv: str) -> None:
    ok(program(*TOY, csv, *OWN))
    first = program.record()["cost"]
    ok(program(*TOY, csv, *OWN, "seeds=[1,2]"))
    both = program.record()["cost"]
    assert both["rows"]["train"] == 3 * first["rows"]["train"]
    assert both["rows"]["embed"] == first["rows"]["embed"] == both["encoded"]["texts"]
    assert both["seconds"]["train"] > first["seconds"]["train"]
    assert both["rows_per_second"]["train"] == pytest.approx(both["rows"]["train"] / both["seconds"]["train"])
    assert both["peak_memory_bytes"] >= first["peak_memory_bytes"]
    assert both["finished"] >= first["finished"]


def test_what_a_fallback_made_is_counted_over_all_seeds(program: Program, csv: str) -> None:
    few = [*TOY, csv, *TINY, "imbalance_ratio.ratio=20", "augmenter=smote"]
    ok(program(*few))
    (one,) = program.record()["warnings"]
    ok(program(*few, "seeds=[0,1]"))
    (both,) = program.record()["warnings"]
    counts = [list(map(int, re.findall(r"\d+", said)[:4])) for said in (one, both)]
    assert counts[1] == [2 * count for count in counts[0]]


def test_classes_of_which_no_row_is_left_out_are_said_over_all_seeds(program: Program, csv: str) -> None:
    alone = [*TOY, csv, *TINY, "imbalance_ratio.ratio=30", "augmenter=none"]  # the only row of trade stays in training
    said = "no row is left out to choose by of class 'trade' (in {0} of {0} splits); steps, rules and methods"
    outcome = ok(program(*alone))
    (one,) = program.record()["warnings"]
    assert one.startswith(said.format(2))
    assert one in outcome.err
    ok(program(*alone, "seeds=[0,1]"))
    recorded = program.record()
    (both,) = recorded["warnings"]
    assert both.startswith(said.format(4))
    assert recorded["data"]["unjudged_by_seed"] == {"0": {"trade": 2}, "1": {"trade": 2}}


def test_every_run_says_what_the_seeds_of_its_record_can_find(program: Program, csv: str) -> None:
    ok(program(*TOY, csv, *OWN))
    for seeds, holds in (("[1,2]", 3), ("[3]", 4)):
        outcome = ok(program(*TOY, csv, *OWN, f"seeds={seeds}"))
        assert f"2 folds of 60 test rows and {holds} seeds find a true difference" in outcome.err
    for max_steps in (8, 11):  # another run of the same data in the same process
        outcome = ok(program(*TOY, csv, *OWN, f"max_steps={max_steps}"))
        assert "2 folds of 60 test rows and 1 seed find a true difference" in outcome.err


def test_forced_all_recorded_seeds_are_made_anew(program: Program, csv: str, at_once: dict[str, Any]) -> None:
    ok(program(*TOY, csv, *OWN, "seeds=[0,1]"))
    forced = ok(program(*TOY, csv, *OWN, "seeds=[2]", "force=true"))
    assert "seeds 0, 1 are recorded; all are made anew" in forced.err
    assert "of 6 splits" in forced.err
    same(whole(program), at_once)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda content: content.update(code="0" * 64), "by another state of synaug's code"),
        (lambda content: content["versions"].update(torch="0.1"), r"with other versions \(torch\)"),
        (lambda content: content.update(schema=record.SCHEMA - 1), "by an older synaug"),
        (lambda content: content.pop("balance"), "by an older synaug"),
        (lambda content: content["data"].update(embeddings_sha256="0" * 64), "from other embeddings"),
    ],
)
def test_seeds_that_were_made_otherwise_are_made_anew_with_the_new_ones(
    program: Program, csv: str, at_once: dict[str, Any], change: Callable[[dict[str, Any]], object], said: str
) -> None:
    ok(program(*TOY, csv, *OWN, "seeds=[0,1]"))
    altered(program, change)
    assert "already recorded, skipped" in ok(program(*TOY, csv, *OWN, "seeds=[1]")).err
    again = ok(program(*TOY, csv, *OWN, "seeds=[2]"))
    assert re.search(
        rf"seeds 0, 1 were recorded {said}.*; new seeds are not mixed with these: computing 0, 1, 2", again.err
    )
    assert "of 6 splits" in again.err
    same(whole(program), at_once)


def test_seeds_without_their_probabilities_are_made_anew(program: Program, csv: str, at_once: dict[str, Any]) -> None:
    ok(program(*TOY, csv, *OWN))
    (folder,) = program.run_folders
    for path in folder.glob("probabilities-*"):
        path.unlink()
    again = ok(program(*TOY, csv, *OWN, "seeds=[1,2]"))
    assert "seed 0 was recorded with probabilities that have been removed" in again.err
    same(whole(program), at_once)


def test_jobs_of_one_sweep_with_other_seeds_add_to_one_record(
    program: Program, csv: str, at_once: dict[str, Any]
) -> None:
    grid = ["--multirun", *TOY, csv, *OWN, "seeds=[0],[1,2]"]
    ok(program(*grid))
    same(whole(program), at_once)
    assert "2 of 2 jobs are already recorded and are not started" in ok(program(*grid)).err
    assert "1 of 1 jobs are already" in ok(program("--multirun", *TOY, csv, *OWN, "seeds=[2,0]")).err


def test_a_sweep_with_more_seeds_starts_what_lacks_them(program: Program, csv: str) -> None:
    command = ["--multirun", *TOY, csv, *TINY, "augmenter=none,smote"]
    ok(program(*command))
    ok(program("--multirun", *TOY, csv, *OWN, "seeds=[0,1]"))
    again = ok(program(*command, "seeds=[0,1]"))
    assert "1 of 2 jobs are already recorded and are not started" in again.err
    assert [each["config"]["seeds"] for each in program.records()] == [[0, 1], [0, 1]]
    assert "2 of 2 jobs are already recorded" in ok(program(*command, "seeds=[1]")).err
    assert ok(program(*command)).err.count("already recorded") >= 2


@pytest.mark.parametrize("seeds", ["[1,1]", "[0.0]", "[]"])
def test_seeds_that_cannot_be_are_said_though_the_others_are_recorded(program: Program, csv: str, seeds: str) -> None:
    ok(program("--multirun", *TOY, csv, *TINY, "seeds=[0,1]"))
    refused = program("--multirun", *TOY, csv, *TINY, f"seeds={seeds}")
    assert refused.code == 1
    assert "seeds=" in refused.err


def test_where_configs_refer_to_seeds_each_job_looks_for_itself(program: Program, csv: str) -> None:
    command = ["--multirun", *TOY, csv, "n_folds=2", "augmenter=none", "max_steps=${.seeds.0}"]
    ok(program(*command, "seeds=[20,40]"))
    ok(program(*command, "seeds=[40]"))
    assert [
        each["config"]["max_steps"] for each in sorted(program.records(), key=lambda each: each["config"]["max_steps"])
    ] == [20, 40]


def test_from_python_the_record_of_all_seeds_comes_back(tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        **dict(each.split("=", 1) for each in TOY[1:]),
        "dataset.path": toy.write_csv(tmp_path / "mine.csv", *toy.texts(60)),
        "output_dir": tmp_path / "multirun",
        "cache_dir": tmp_path / "cache",
    }
    settings |= {"n_folds": 2, "max_steps": 16, "report": False}
    config_dir = TOY[0].partition("=")[2]
    first = synaug.run(config_dir=config_dir, **settings)
    both = synaug.run(config_dir=config_dir, **settings, seeds=[0, 1])
    assert (first.ended, both.ended, both.folder) == ("done", "done", first.folder)
    assert set(both.scores["seed"]) == {0, 1}
    again = synaug.run(config_dir=config_dir, **settings)
    assert (again.ended, again.record) == ("skipped", both.record)


# ---- between two files


def killed_at(target: str, moment: str, program: Program, *arguments: str) -> None:
    """Run the program in a process that kills itself when a file is about to take its name, or has just taken it."""
    pid = os.fork()
    if pid:
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
        return
    replace = os.replace

    def killing(source: Any, destination: Any) -> None:
        is_it = Path(destination).name.startswith(target)
        if is_it and moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, destination)
        if is_it:
            os.kill(os.getpid(), signal.SIGKILL)

    try:
        os.replace = killing  # type: ignore[assignment]
        program(*arguments)
    finally:
        os._exit(1)


@pytest.mark.parametrize(
    ("target", "moment", "code"),
    some(product(["probabilities-", "record.json"], ["before", "after"], ["same", "other"]), 4),
)
def test_a_kill_between_the_files_loses_no_recorded_seed(
    program: Program,
    csv: str,
    at_once: dict[str, Any],
    target: str,
    moment: str,
    code: str,
) -> None:
    ok(program(*TOY, csv, *OWN, "seeds=[0,1]"))
    (folder,) = program.run_folders
    if code == "other":  # then nothing of the older file is in the newer
        altered(program, lambda content: content.update(code="0" * 64))
    content = json.loads((folder / record.RECORD).read_bytes())
    older = shutil.copytree(folder, program.folder / "older")
    killed_at(target, moment, program, *TOY, csv, *OWN, "seeds=[2]")
    written = target == "record.json" and moment == "after"
    assert record.problem(folder, content["identity"]) is None
    stands = record.read(folder)
    assert stands["config"]["seeds"] == ([0, 1, 2] if written else [0, 1])
    path = record.probabilities_file(folder, stands)
    assert path is not None
    if not written:
        assert json.loads((folder / record.RECORD).read_bytes()) == content
        assert path.read_bytes() == (older / path.name).read_bytes()
    ok(program(*TOY, csv, *OWN, "seeds=[2]"))
    assert record.read(folder)["config"]["seeds"] == [0, 1, 2]
    ok(program(*TOY, csv, *OWN, "seeds=[2]", "force=true"))
    same(whole(program), at_once)
