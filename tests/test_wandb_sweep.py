"""A sweep that W&B drives: the example's configuration, the command lines of W&B's agent, and what it optimises."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf
from wandb.sdk.launch.sweeps import utils as of_wandb

from synaug.comparison import evidence as evidences
from synaug.scores.decision import CANDIDATE_RULES
from synaug.scores.metrics import METRICS
from synaug.tracking import wandb_run
from tests import fabricated, toy
from tests.program import TOY, run
from tests.wandb_runs import clean_session
from tests.wandb_server import KEY, Server
from tests.wandb_sweeps import SWEEP, grid, sweeps_before

EXAMPLE = Path(__file__).parents[1] / "examples" / "wandb_sweep.yaml"


@pytest.fixture(autouse=True)
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with clean_session(tmp_path, monkeypatch):
        yield


def example() -> dict[str, Any]:
    """As `wandb sweep` reads it; W&B's own function leaves the file open."""
    found: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text())
    return found


def fabricated_record(folder: Path, **options: Any) -> dict[str, Any]:
    (written,) = fabricated.write_runs(folder, ["imdb"], [10.0], ["smote"], **options)
    found: dict[str, Any] = json.loads((written / "record.json").read_text())
    return found


def agents_words(values: dict[str, Any]) -> list[str]:
    """The overrides that W&B's own code makes of parameters, for ``${args_no_hyphens}``."""
    command = {"args": {name: {"value": value} for name, value in values.items()}}
    words: list[str] = of_wandb.create_sweep_command_args(command)["args_no_hyphens"]
    return words


def composed(*words: str) -> dict[str, Any]:
    """The config that synaug makes of a command line."""
    shown = run(*words, "--cfg", "job")
    assert (shown.code, shown.err) == (0, "")
    found: Any = OmegaConf.to_container(OmegaConf.create(shown.out))
    return dict(found)


def test_the_example_optimises_what_a_run_logs_and_no_test_score(tmp_path: Path) -> None:
    record = fabricated_record(tmp_path, n_folds=2)
    metric = example()["metric"]
    assert metric == {"name": wandb_run.OBJECTIVE, "goal": "minimize"}
    logged = wandb_run.out_of_fold(record)
    assert metric["name"] in logged
    assert set(logged) == {wandb_run.OBJECTIVE, *map(wandb_run.objective_key, METRICS)}


@pytest.mark.parametrize(("prior", "loss"), [("uniform", "balanced_log_loss"), ("natural", "log_loss")])
def test_the_objective_is_the_loss_by_which_the_report_chooses(tmp_path: Path, prior: str, loss: str) -> None:
    record = fabricated_record(tmp_path, n_folds=4)
    record["config"]["target_prior"] = prior
    (tmp_path / record["run"] / "record.json").write_text(json.dumps(record))
    found = evidences.read([tmp_path])
    logged = wandb_run.out_of_fold(record)
    rows = found.out_of_fold()
    rows = rows[rows["decision"].isin(CANDIDATE_RULES)]
    least = rows.groupby(["seed", "fold"])["value"].min()
    assert logged[wandb_run.OBJECTIVE] == pytest.approx(least.mean())
    assert logged[wandb_run.OBJECTIVE] == logged[wandb_run.objective_key(loss)]


def test_the_objective_does_not_know_the_test_scores(tmp_path: Path) -> None:
    record = fabricated_record(tmp_path, n_folds=2)
    before = wandb_run.out_of_fold(record)
    record["scores"] = {"columns": record["scores"]["columns"], "data": []}
    assert wandb_run.out_of_fold(record) == before
    record["validation_scores"] = {"columns": record["validation_scores"]["columns"], "data": []}
    assert wandb_run.out_of_fold(record) == {}


def test_every_command_line_of_the_example_is_taken() -> None:
    config = example()
    runs = grid(config)
    assert len(runs) == 16
    fixed = [word for word in config["command"] if "=" in word]
    assert fixed == ["name=wandb_sweep", "logger=wandb"]
    for values in (runs[0], runs[-1]):
        found = composed(*fixed, *agents_words(values))
        assert found["name"] == "wandb_sweep"
        assert found["logger"]["_target_"] == "synaug.tracking.wandb_logger"
        assert found["seeds"] == [0, 1, 2]
        assert found["n_folds"] == 5
        assert found["standardize"] is False
        assert found["dataset"]["max_per_class"] is None
        assert found["classifier"]["optimizer"]["lr"] == 0.001
    names = {name for values in runs for name, value in values.items() if isinstance(value, str)}
    assert {"dataset", "augmenter", "loss", "imbalance_ratio"} <= names


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("classifier.optimizer.lr", 1e-05, 1e-05),
        ("classifier.optimizer.lr", yaml.safe_load("1e-3"), 1e-3),  # text, as YAML has it
        ("classifier.optimizer.lr", 0.00037542178, 0.00037542178),  # drawn from a distribution
        ("standardize", True, True),
        ("standardize", False, False),
        ("seeds", [0, 1, 2], [0, 1, 2]),
        ("seeds", "[0, 1, 2]", [0, 1, 2]),
        ("classifier.hidden", [64, 32], [64, 32]),
        ("classifier.hidden", [], []),
        ("n_folds", 5, 5),
        ("dataset.max_per_class", "null", None),
        ("augmenter.amount", "auto", "auto"),
        ("augmenter.amount", 0.5, 0.5),
        ("metric", "f1[pos]", "f1[pos]"),
    ],
)
def test_values_of_each_kind_reach_the_config(name: str, value: Any, expected: Any) -> None:
    found: Any = composed(*agents_words({name: value}))
    for part in name.split("."):
        found = found[part]
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(("group", "option"), [("method", "none"), ("logger", "none"), ("augmenter", "none")])
def test_options_of_groups_may_be_nothing(group: str, option: str) -> None:
    assert composed(*agents_words({group: option}))["n_folds"] == 10


@pytest.mark.parametrize("setting", ["dataset.max_per_class", "method", "n_folds"])
def test_a_null_of_w_and_bs_own_is_refused_in_a_sentence(setting: str) -> None:
    refused = run(*agents_words({setting: None}))
    assert refused.code == 1
    assert f"{setting}=None" in refused.err
    assert "Traceback" not in refused.err


def test_an_agent_starts_a_run_that_logs_its_objective(tmp_path: Path) -> None:
    """`wandb sweep` and `wandb agent`, as a user has them; openwandb has the runs, and a stand-in the sweep."""
    (tmp_path / "server").mkdir()
    csv = toy.write_csv(tmp_path / "mine.csv", *toy.texts(40, ("sport", "trade")))
    settings = dict(word.removeprefix("--").split("=", 1) for word in TOY if "=" in word and word[0] != "-")
    config = example()
    config["command"].insert(-1, TOY[0])
    values = {**settings, "n_folds": 2, "max_steps": 4, "dataset.path": str(csv), "augmenter": "smote", "seeds": "[0]"}
    config["parameters"] = {name: {"value": value} for name, value in values.items()}
    (tmp_path / "sweep.yaml").write_text(yaml.dump(config))
    with Server(tmp_path / "server") as server, sweeps_before(server.url) as sweeps:
        environment = {
            **os.environ,
            "WANDB_BASE_URL": sweeps.url,
            "WANDB_API_KEY": KEY,
            "WANDB_ERROR_REPORTING": "false",
            "PYTHONPATH": str(Path(__file__).parents[1]),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
        for words in (["sweep", "--entity", "default", "sweep.yaml"], ["agent", f"default/synaug/{SWEEP}"]):
            command = [sys.executable, "-m", "wandb", *words]
            done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
        (logged,) = server.get("/api/v2/projects/default/synaug/runs")["runs"]
    assert sweeps.asked == ["upsertSweep", "SweepWithRuns", "createAgent"]
    assert sweeps.config["metric"]["name"] == wandb_run.OBJECTIVE
    assert "was locked by 'sweep'" not in done.stderr
    (folder,) = (tmp_path / "multirun" / "wandb_sweep").glob("*smote*")
    record = json.loads((folder / "record.json").read_text())
    assert logged["run_id"] == "run1"
    assert logged["state"] == "finished"
    assert logged["summary"][wandb_run.OBJECTIVE] == pytest.approx(wandb_run.out_of_fold(record)[wandb_run.OBJECTIVE])
    assert logged["config"]["choices"]["value"]["augmenter"] == "smote"  # by which panels group
