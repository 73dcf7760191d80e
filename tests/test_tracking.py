"""W&B for real: offline runs are read back, online ones go to a server on loopback."""

from __future__ import annotations

import csv
import json
import os
import socket
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
import wandb
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from pytorch_lightning.loggers import CSVLogger, WandbLogger

from synaug import tracking
from tests.wandb_server import KEY, Server, free_port

CONF = Path(__file__).parents[1] / "conf"
TAGS = ["trec", "minilm", "ir10", "smote", "mlp"]
SCORES = [
    [0, 0, "argmax", "balanced_accuracy", None, 0.8],
    [0, 0, "argmax", "recall", "ham", 0.9],
    [0, 0, "prior_corrected", "balanced_accuracy", None, 0.9],
    [0, 0, "tuned", "balanced_accuracy", None, 0.7],
    [0, 1, "argmax", "balanced_accuracy", None, 0.6],
    [0, 1, "argmax", "recall", "ham", 0.5],
    [0, 1, "prior_corrected", "balanced_accuracy", None, 0.7],
    [0, 1, "tuned", "balanced_accuracy", None, None],
]
MEANS = {
    "argmax/balanced_accuracy": 0.7,
    "argmax/balanced_accuracy/std": 0.02**0.5,
    "prior_corrected/balanced_accuracy": 0.8,
    "prior_corrected/balanced_accuracy/std": 0.02**0.5,
    "tuned/balanced_accuracy": 0.7,  # of the one member that has it, hence no deviation
}


def record(run: str) -> dict[str, Any]:
    """What a finished run of two members would write."""
    rules = ("argmax", "prior_corrected", "tuned")
    return {
        "run": run,
        "choices": {"dataset": "trec", "augmenter": "smote"},
        "config": {"seeds": [0], "augmenter": {"_target_": "imblearn.SMOTE", "k_neighbors": 5}},
        "data": {"class_names": ["ham", "spam"]},
        "scores": {
            "columns": ["seed", "fold", "decision", "metric", "class", "value"],
            "data": SCORES,
        },
        "confusion": [
            {"seed": 0, "fold": fold, "decision": rule, "matrix": [[3, fold], [2, 4]]}
            for rule in rules
            for fold in (0, 1)
        ],
        "balance": {
            "columns": ["seed", "fold", "class", "real", "asked", "made", "reason"],
            "data": [[0, 0, "ham", 9, 0, 0, None], [0, 0, "spam", 3, 6, 5, "few neighbours"]],
        },
    }


class Batches:
    """One batch an epoch."""

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[torch.Tensor]:
        yield torch.ones(1, 1)


class Tiny(pl.LightningModule):
    """Logs as the project's classifier does."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def training_step(self, batch: torch.Tensor) -> torch.Tensor:
        loss: torch.Tensor = self.layer(batch).square().mean()
        self.log("train/loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: torch.Tensor) -> None:
        self.log("validation/loss", float(self.current_epoch))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def train(logger: pl.loggers.Logger) -> None:
    """Three epochs."""
    trainer = pl.Trainer(
        accelerator="cpu",
        max_epochs=3,
        logger=logger,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        log_every_n_steps=1,
    )
    trainer.fit(Tiny(), Batches(), Batches())


def start(folder: Path, **options: Any) -> WandbLogger:
    """The logger of a run that has `folder` for its own."""
    folder.mkdir(parents=True)
    return tracking.wandb_logger(project="synaug", save_dir=str(folder), group="sweep", tags=TAGS, **options)


def run_folder(save_dir: Path, kind: str) -> Path:
    """The one W&B folder of this kind: `run` for online, `offline-run`."""
    (folder,) = (save_dir / "wandb").glob(f"{kind}-*")
    return folder


def wandb_command(*arguments: str, cwd: Path) -> str:
    """What `wandb ...` prints; it leaves a log where it runs."""
    command = [sys.executable, "-m", "wandb", *arguments]
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True, timeout=120).stdout


def inspect(folder: Path) -> dict[str, Any]:
    """A run as its transaction log has it: run, config, summary, history, exit."""
    printed = wandb_command("leet", "inspect", "--json", ".", cwd=folder)
    found: dict[str, Any] = {"run": {}, "config": {}, "summary": {}, "history": defaultdict(list)}
    for line in printed.splitlines():
        entry = json.loads(line)
        content = entry.get(entry["type"], {})
        if entry["type"] == "run":
            found["run"] = content
            found["config"].update(content.get("config", {}).get("update", {}))
        elif entry["type"] in {"config", "summary"}:
            found[entry["type"]].update(content.get("update", {}))
        elif entry["type"] == "exit":
            found["exit"] = content["exit_code"]
        elif entry["type"] == "history":
            for key, value in content["item"].items():
                found["history"][key].append(value)
    return found


def tables(folder: Path) -> dict[str, Any]:
    """Rows of each logged table, by its key."""
    root = folder / "files" / "media" / "table"
    return {
        str(path.relative_to(root)).rsplit("_", 2)[0]: json.loads(path.read_text())["data"]
        for path in root.rglob("*.table.json")
    }


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What synaug itself warned of."""
    return [one.getMessage() for one in caplog.records if one.name == "synaug.tracking"]


@pytest.fixture(autouse=True)
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A W&B session that knows nothing of the user's, and no server unless a test has one."""
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "")  # and gone again after a test that sets it
    monkeypatch.delenv("WANDB_ERROR_REPORTING")
    monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{free_port()}")
    for name in ("HOME", "WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.setenv("NETRC", str(tmp_path / "home" / ".netrc"))
    wandb.teardown()
    yield
    wandb.teardown()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server with its key in the environment."""
    folder = tmp_path / "server"
    folder.mkdir()
    with Server(folder) as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        yield server


def test_an_offline_run_holds_all_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    logger = start(tmp_path / "run_a")
    train(logger)
    tracking.log_result(logger, record("run_a"))
    tracking.finish(logger, 0)

    folder = run_folder(tmp_path / "run_a", "offline-run")
    found = inspect(folder)
    assert found["run"]["display_name"] == "run_a"
    assert found["run"]["run_group"] == "sweep"
    assert found["run"]["tags"] == TAGS
    assert found["run"]["job_type"] == "train"
    assert found["config"]["choices"] == {"dataset": "trec", "augmenter": "smote"}
    assert found["config"]["augmenter"]["k_neighbors"] == 5
    assert {key: found["summary"][key] for key in MEANS} == pytest.approx(MEANS)
    assert "tuned/balanced_accuracy/std" not in found["summary"]
    assert len(found["history"]["train/loss"]) == 3
    assert found["history"]["validation/loss"] == [0, 1, 2]
    assert sorted(set(found["history"]["trainer/global_step"])) == [0, 1, 2]

    logged = tables(folder)
    assert logged["members"][0] == [0, 0, "argmax", 0.8, 0.9]
    assert len(logged["members"]) == 6  # two members under three decision rules
    assert logged["balance"] == record("run_a")["balance"]["data"]
    for rule in ("argmax", "prior_corrected", "tuned"):
        assert logged[f"confusion/{rule}_table"] == [
            ["ham", "ham", 6],
            ["ham", "spam", 1],
            ["spam", "ham", 4],
            ["spam", "spam", 8],
        ]


def test_jobs_of_one_process_stay_two_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    loggers = []
    for job, name in enumerate(("first", "left_open", "third")):
        logger = start(tmp_path / name)
        loggers.append(logger)
        logger.log_metrics({"job": job}, step=0)
        if name != "left_open":
            tracking.finish(logger, 0)
    tracking.finish(loggers[1], 1)
    for job, name in enumerate(("first", "left_open", "third")):
        found = inspect(run_folder(tmp_path / name, "offline-run"))
        assert found["run"]["display_name"] == name
        assert found["history"]["job"] == [job]
        assert found["exit"] == (name == "left_open")


def test_disabled_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    logger = start(tmp_path / "run")
    train(logger)
    tracking.log_result(logger, record("run"))
    tracking.finish(logger, 0)
    assert not any((tmp_path / "run").iterdir())


def test_no_logger_is_no_trouble() -> None:
    tracking.log_result(None, record("run"))
    tracking.finish(None, 0)


def test_csv_has_the_curves_and_the_means(tmp_path: Path) -> None:
    logger = CSVLogger(tmp_path, name="", version="csv")
    train(logger)
    curves = {"columns": ["seed", "fold", "step"], "data": [[0, 0, 20], [0, 0, 40]]}
    tracking.log_result(logger, {**record("run"), "curves": curves})
    tracking.finish(logger, 0)
    with (tmp_path / "csv" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["validation/loss"] for row in rows if row["validation/loss"]] == ["0.0", "1.0", "2.0"]
    assert {key: float(rows[-1][key]) for key in MEANS} == pytest.approx(MEANS)
    assert rows[-1]["step"] == "40"


def configured(option: str, folder: Path) -> Any:
    """The logger that a run with `logger=option` gets."""
    overrides = [f"logger={option}", "dataset=trec", "name=sweep", f"hydra.runtime.output_dir={folder}"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("config", overrides, return_hydra_config=True)
    HydraConfig.instance().set_config(cfg)
    return instantiate(cfg.logger) if cfg.logger.get("_target_") else None


def test_options_of_the_logger_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hydra_restore_singletons: None
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert configured("none", tmp_path) is None
    assert Path(configured("csv", tmp_path).log_dir) == tmp_path / "csv"
    logger = configured("wandb", tmp_path / "run")
    tracking.finish(logger, 0)
    run = inspect(run_folder(tmp_path / "run", "offline-run"))["run"]
    assert run["project"] == "synaug"
    assert run["display_name"] == "run"
    assert run["run_group"] == "sweep"
    assert run["tags"] == TAGS


def test_online_run_arrives(tmp_path: Path, server: Server) -> None:
    logger = start(tmp_path / "run_b")
    train(logger)
    tracking.log_result(logger, record("run_b"))
    tracking.finish(logger, 0)

    run = server.get(f"/api/v2/runs/{logger.version}")["run"]
    assert run["display_name"] == "run_b"
    assert run["state"] == "finished"
    assert run["tags"] == TAGS
    assert run["config"]["augmenter"]["value"]["k_neighbors"] == 5
    assert run["config"]["choices"]["value"]["augmenter"] == "smote"
    assert {key: run["summary"][key] for key in MEANS} == pytest.approx(MEANS)
    metrics = server.get(f"/api/v2/runs/{logger.version}/metrics")["metrics_by_key"]
    assert [point["value"] for point in metrics["validation/loss"]] == [0, 1, 2]
    assert len(metrics["train/loss"]) == 3
    artifacts = server.get(f"/api/v2/runs/{logger.version}/artifacts")["artifacts"]
    assert len([one for one in artifacts if one["artifact_type"] == "run_table"]) == 5
    files = server.get(f"/api/v1/runs/{logger.version}/files")["files"]
    (members,) = [one["name"] for one in files if one["name"].startswith("media/table/members")]
    table = server.get(f"/files/default/synaug/{logger.version}/{members}")
    assert table["columns"] == ["seed", "fold", "decision", "balanced_accuracy", "recall/ham"]
    assert table["data"][0] == [0, 0, "argmax", 0.8, 0.9]
    # The server keeps no group; the run's own log has what was sent.
    assert inspect(run_folder(tmp_path / "run_b", "run"))["run"]["run_group"] == "sweep"


def test_unreachable_server_means_offline_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    before = time.monotonic()
    for name in ("first", "second"):
        logger = start(tmp_path / name, init_timeout=2)
        tracking.log_result(logger, record(name))
        tracking.finish(logger, 0)
    assert time.monotonic() - before < 30
    (warning,) = said(caplog)
    folder = run_folder(tmp_path / "first", "offline-run")
    assert "connection refused" in warning
    assert f"`wandb sync {folder}`" in warning
    assert inspect(folder)["config"]["run"] == "first"
    assert inspect(run_folder(tmp_path / "second", "offline-run"))["config"]["run"] == "second"


def test_a_server_that_only_listens_does_not_hang(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        before = time.monotonic()
        logger = start(tmp_path / "run", init_timeout=2)
        tracking.finish(logger, 0)
        assert time.monotonic() - before < 30
    (warning,) = said(caplog)
    assert "Timed out" in warning
    assert inspect(run_folder(tmp_path / "run", "offline-run"))["run"]["display_name"] == "run"


@pytest.mark.parametrize("terminal", [False, True])
def test_no_key_means_offline_and_never_a_question(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    *,
    terminal: bool,
) -> None:
    monkeypatch.setattr("wandb.errors.term.can_use_terminput", lambda: terminal)
    logger = start(tmp_path / "run")
    tracking.finish(logger, 0)
    (warning,) = said(caplog)
    assert "`wandb login`" in warning
    assert f"`wandb sync {run_folder(tmp_path / 'run', 'offline-run')}`" in warning


def test_a_setting_that_is_wrong_offline_too_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="init_timout"):
        start(tmp_path / "run", init_timout=2)


def test_a_server_that_dies_midway_loses_nothing(
    tmp_path: Path,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(wandb.apis.public.Api, "_HTTP_TIMEOUT", 3)  # 19 s by default
    logger = start(tmp_path / "run", finish_timeout=3)
    logger.log_metrics({"before": 1.0}, step=0)
    server.kill()
    before = time.monotonic()
    train(logger)
    assert time.monotonic() - before < 20
    tracking.log_result(logger, record("run"))
    tracking.finish(logger, 0)
    assert time.monotonic() - before < 60

    folder = run_folder(tmp_path / "run", "run")
    lost, later = said(caplog)
    assert "record.json has them" in lost
    assert f"`wandb sync --include-online {folder}`" in later
    wandb.teardown()  # as at the end of the process
    assert time.monotonic() - before < 90

    server.start()
    wandb_command("sync", "--include-online", str(folder), cwd=tmp_path)
    run = server.get(f"/api/v2/runs/{logger.version}")["run"]
    assert run["tags"] == TAGS
    assert run["config"]["run"]["value"] == "run"
    assert {key: run["summary"][key] for key in MEANS} == pytest.approx(MEANS)
    metrics = server.get(f"/api/v2/runs/{logger.version}/metrics")["metrics_by_key"]
    assert [point["value"] for point in metrics["before"]] == [1]
    assert [point["value"] for point in metrics["validation/loss"]] == [0, 1, 2]
