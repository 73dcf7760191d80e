"""W&B for real: offline runs are read back, online ones go to a server on loopback."""

from __future__ import annotations

import csv
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import pytorch_lightning as pl
import torch
import wandb
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from pytorch_lightning.loggers import CSVLogger, WandbLogger

from synaug.command.process import as_before
from synaug.comparison import compare as comparison
from synaug.comparison import evidence
from synaug.comparison.evidence import Evidence
from synaug.comparison.labels import as_text
from synaug.comparison.layout import Table, Verdict
from synaug.files import escaping
from synaug.tracking import wandb_report, wandb_run
from tests import fabricated
from tests.wandb_runs import clean_session, inspect, media, run_folder, tables, wandb_command
from tests.wandb_server import KEY, Server

CONF = Path(__file__).parents[1] / "conf"
TAGS = ["trec", "minilm", "ir10", "smote", "plain", "nested", "mlp"]
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
    """What a finished run of two splits would write."""
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
            "columns": ["seed", "fold", "inner", "class", "real", "asked", "made", "reason"],
            "data": [[0, 0, None, "ham", 9, 0, 0, None], [0, 0, 1, "spam", 3, 6, 5, "few neighbours"]],
        },
        "best": {
            "columns": ["seed", "fold", "decision", "step", "loss", "learned"],
            "data": [[0, 0, "tuned", 45, 0.4, True], [0, 1, "tuned", 8, 0.7, False]],
        },
        "curves": {"columns": ["seed", "fold", "step", "tuned_loss"], "data": [[0, 0, 20, 0.5], [0, 0, 40, None]]},
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
        self.log("validation/tuned_loss", float(self.current_epoch))

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
    return wandb_run.wandb_logger(project="synaug", save_dir=str(folder), group="sweep", tags=TAGS, **options)


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What synaug itself warned of."""
    return [one.getMessage() for one in caplog.records if one.name.startswith("synaug.")]


@pytest.fixture(autouse=True)
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with clean_session(tmp_path, monkeypatch):
        yield


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
    wandb_run.log_result(logger, record("run_a"))
    wandb_run.finish(logger, 0)

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
    assert found["history"]["validation/tuned_loss"] == [0, 1, 2]
    assert sorted(set(found["history"]["trainer/global_step"])) == [0, 1, 2]

    logged = tables(folder)
    assert logged["splits"][0] == [0, 0, "argmax", 0.8, 0.9]
    assert len(logged["splits"]) == 6  # two splits under three decision rules
    for table in ("balance", "best", "curves"):
        assert logged[table] == record("run_a")[table]["data"]
    assert found["summary"]["tuned/learned_nothing"] == 1
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
            wandb_run.finish(logger, 0)
    wandb_run.finish(loggers[1], 1)
    for job, name in enumerate(("first", "left_open", "third")):
        found = inspect(run_folder(tmp_path / name, "offline-run"))
        assert found["run"]["display_name"] == name
        assert found["history"]["job"] == [job]
        assert found["exit"] == (name == "left_open")


def test_disabled_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    logger = start(tmp_path / "run")
    train(logger)
    wandb_run.log_result(logger, record("run"))
    wandb_run.finish(logger, 0)
    assert not any((tmp_path / "run").iterdir())


def test_no_logger_is_no_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    wandb_run.log_result(None, record("run"))
    wandb_run.finish(None, 0)
    assert not list(tmp_path.iterdir())  # nor was anything started


def test_csv_has_the_curves_and_the_means(tmp_path: Path) -> None:
    logger = CSVLogger(tmp_path, name="", version="csv")
    train(logger)
    wandb_run.log_result(logger, record("run"))
    wandb_run.finish(logger, 0)
    with (tmp_path / "csv" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["validation/tuned_loss"] for row in rows if row["validation/tuned_loss"]] == ["0.0", "1.0", "2.0"]
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
    wandb_run.finish(logger, 0)
    run = inspect(run_folder(tmp_path / "run", "offline-run"))["run"]
    assert run["project"] == "synaug"
    assert run["display_name"] == "run"
    assert run["run_group"] == "sweep"
    assert run["tags"] == TAGS


def test_online_run_arrives(tmp_path: Path, server: Server) -> None:
    logger = start(tmp_path / "run_b")
    train(logger)
    wandb_run.log_result(logger, record("run_b"))
    wandb_run.finish(logger, 0)

    run = server.get(f"/api/v2/runs/{logger.version}")["run"]
    assert run["display_name"] == "run_b"
    assert run["state"] == "finished"
    assert run["tags"] == TAGS
    assert run["config"]["augmenter"]["value"]["k_neighbors"] == 5
    assert run["config"]["choices"]["value"]["augmenter"] == "smote"
    assert {key: run["summary"][key] for key in MEANS} == pytest.approx(MEANS)
    metrics = server.get(f"/api/v2/runs/{logger.version}/metrics")["metrics_by_key"]
    assert [point["value"] for point in metrics["validation/tuned_loss"]] == [0, 1, 2]
    assert len(metrics["train/loss"]) == 3
    artifacts = server.get(f"/api/v2/runs/{logger.version}/artifacts")["artifacts"]
    assert len([one for one in artifacts if one["artifact_type"] == "run_table"]) == 7
    files = server.get(f"/api/v1/runs/{logger.version}/files")["files"]
    (splits,) = [one["name"] for one in files if one["name"].startswith("media/table/splits")]
    table = server.get(f"/files/default/synaug/{logger.version}/{splits}")
    assert table["columns"] == ["seed", "fold", "decision", "balanced_accuracy", "recall/ham"]
    assert table["data"][0] == [0, 0, "argmax", 0.8, 0.9]
    # The server keeps no group; the run's own log has what was sent.
    assert inspect(run_folder(tmp_path / "run_b", "run"))["run"]["run_group"] == "sweep"


def test_unreachable_server_means_offline_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    for name in ("first", "second"):
        logger = start(tmp_path / name, init_timeout=2)
        wandb_run.log_result(logger, record(name))
        wandb_run.finish(logger, 0)
    (warning,) = said(caplog)
    folder = run_folder(tmp_path / "first", "offline-run")
    assert "connection refused" in warning
    assert f"`wandb sync {folder}`" in warning
    assert inspect(folder)["config"]["run"] == "first"
    assert inspect(run_folder(tmp_path / "second", "offline-run"))["config"]["run"] == "second"


def test_a_server_that_was_out_of_reach_is_asked_again_by_the_next_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    for name in ("first", "second"):
        with as_before():
            wandb_run.finish(start(tmp_path / name, init_timeout=2), 0)
        assert wandb.setup().settings.mode == "online"
    assert len(said(caplog)) == 2


def test_without_w_and_b_s_private_error_its_public_ones_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = wandb_run.server_trouble()
    assert whole[:2] == (OSError, wandb.Error)
    assert len(whole) == 3
    monkeypatch.setitem(sys.modules, "wandb.sdk.lib.service.service_connection", None)
    assert wandb_run.server_trouble() == whole[:2]


def test_a_server_that_only_listens_does_not_hang(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        logger = start(tmp_path / "run", init_timeout=2)
        wandb_run.finish(logger, 0)
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
    wandb_run.finish(logger, 0)
    (warning,) = said(caplog)
    assert "`wandb login`" in warning
    assert f"`wandb sync {run_folder(tmp_path / 'run', 'offline-run')}`" in warning


def test_the_seconds_to_wait_for_a_server_are_those_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    default, given = start(tmp_path / "default"), start(tmp_path / "given", init_timeout=2, finish_timeout=3)
    waits = [
        (each.experiment.settings.init_timeout, each.experiment.settings.finish_timeout) for each in (default, given)
    ]
    assert waits == [(20, 60), (2, 3)]
    for each in (default, given):
        wandb_run.finish(each, 0)


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
    train(logger)
    wandb_run.log_result(logger, record("run"))
    wandb_run.finish(logger, 0)

    folder = run_folder(tmp_path / "run", "run")
    lost, later = said(caplog)
    assert "record.json has them" in lost
    assert f"`wandb sync --include-online {folder}`" in later
    wandb.teardown()  # as at the end of the process

    server.start()
    wandb_command("sync", "--include-online", str(folder), cwd=tmp_path)
    run = server.get(f"/api/v2/runs/{logger.version}")["run"]
    assert run["tags"] == TAGS
    assert run["config"]["run"]["value"] == "run"
    assert {key: run["summary"][key] for key in MEANS} == pytest.approx(MEANS)
    metrics = server.get(f"/api/v2/runs/{logger.version}/metrics")["metrics_by_key"]
    assert [point["value"] for point in metrics["before"]] == [1]
    assert [point["value"] for point in metrics["validation/tuned_loss"]] == [0, 1, 2]


@pytest.fixture
def sweep(tmp_path: Path) -> Evidence:
    """A sweep that nobody ran, whose class names are not to be trusted."""
    written = fabricated.write_runs(
        tmp_path / "paper",
        ratios=[10.0],
        augmenters=["none", "smote"],
        augmenter_settings=[{"k_neighbors": 3}, {"k_neighbors": 5}],
        losses=["plain", "class_weighted"],
        n_folds=3,
        class_names=["<script>alert(1)</script>", "b"],
    )
    assert len(written) == 12
    return evidence.read([tmp_path / "paper"])


def write_report(folder: Path, found: Evidence) -> Path:
    """What a report leaves in its folder, as far as W&B is told of it."""
    (folder / "figures").mkdir(parents=True)
    (folder / "tables").mkdir()
    (folder / "index.html").write_text("<!doctype html><title>page</title>")
    (folder / "comparisons.csv").write_text("scenario\n")
    (folder / "README.md").write_text("scenario\n")
    (folder / "scores.csv").write_text("scenario\n")
    (folder / "tables" / "gains.tex").write_text("\\toprule")
    drawing = '<svg xmlns="http://www.w3.org/2000/svg"><title>gains</title></svg>'
    (folder / "figures" / "forest.svg").write_text(f'<?xml version="1.0"?>\n{drawing}\n')
    (folder / "figures" / "forest.pdf").write_bytes(b"%PDF")
    as_text(found.scores).to_parquet(folder / "scores.parquet")
    return folder


def test_a_report_is_one_run_in_the_group_of_its_sweep(
    tmp_path: Path, sweep: Evidence, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    compared = comparison.compare(sweep)
    folder = write_report(tmp_path / "report", sweep)
    wandb_report.log_report(sweep, compared, folder, project="synaug")
    assert said(caplog) == []

    logged = run_folder(folder, "offline-run")
    found = inspect(logged)
    assert found["run"]["display_name"] == f"report of {sweep.runs['name'][0]}"
    assert found["run"]["run_group"] == sweep.runs["name"][0]
    assert found["run"]["job_type"] == "report"
    assert found["exit"] == 0
    assert found["config"]["runs"] == 12
    assert found["summary"]["headline"] == compared.verdict.headline

    shown = tables(logged)
    assert len(shown["comparisons"]) == sum(map(len, compared.tables.values()))
    assert {row[0] for row in shown["comparisons"]} == set(compared.metrics)
    assert len(shown["scores"]) == len(sweep.scores)
    pages = {key: path.read_text() for key, path in media(logged, "html", ".html").items()}
    assert pages["page"] == (folder / "index.html").read_text()
    # What the first screen of the report shows, in its order.
    marks = (escaping.html(compared.verdict.headline), escaping.html(compared.verdict.advice[0]), 'class="answer"')
    places = [pages["verdict"].index(mark) for mark in marks]
    assert places == sorted(places)
    assert "<svg" in pages["figures/forest"]
    assert "<?xml" not in pages["figures/forest"]

    (artifact,) = found["artifacts"]
    assert artifact["type"] == "report"
    records = {f"records/{run}.json" for run in sweep.runs["run"]}
    written = {"index.html", "README.md", "comparisons.csv", "scores.parquet", "tables/gains.tex"}
    assert {one["path"] for one in artifact["manifest"]["contents"]} == {
        *records,
        *written,
        "figures/forest.svg",
        "figures/forest.pdf",
    }


def test_gains_of_a_report_are_means_over_scenarios(
    tmp_path: Path, sweep: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    compared = comparison.compare(sweep)
    tmp_path.joinpath("report").mkdir()
    wandb_report.log_report(sweep, compared, tmp_path / "report", project="synaug")  # of which nothing was written

    logged = run_folder(tmp_path / "report", "offline-run")
    summary = inspect(logged)["summary"]
    table = compared.tables["balanced_accuracy"].set_index(["augmenter", "loss", "decision", "reference"])["gain"]
    for key, method in {
        "gain_over_baseline/smote k_neighbors=3": ("smote k_neighbors=3", "", "argmax", "baseline"),
        "gain_over_best_without_synthesis/smote k_neighbors=5": (
            "smote k_neighbors=5",
            "",
            "chosen",
            "best_without_synthesis",
        ),
        "gain_over_baseline/best without synthesis": ("best without synthesis", "", "chosen", "baseline"),
        "gain_over_best_without_synthesis/best with synthesis": (
            "best with synthesis",
            "",
            "chosen",
            "best_without_synthesis",
        ),
        "gain_over_baseline/none class_weighted": ("none", "class_weighted", "argmax", "baseline"),
    }.items():
        gains = table.loc[method]
        assert len(gains) == 2  # scenarios
        assert summary[key] == pytest.approx(gains.mean()), key
    chart = tables(logged)["gain_over_baseline/chart_table"]
    assert {n_scenarios for *_, n_scenarios in chart} == {2}
    bars = {name: gain for name, gain, _ in chart}
    assert {f"gain_over_baseline/{name}": gain for name, gain in bars.items()} == {
        key: value for key, value in summary.items() if key.startswith("gain_over_baseline/") and "chart" not in key
    }


def test_words_of_a_verdict_are_escaped() -> None:
    planted = "<script>alert('&')</script>"
    table = Table((planted,), ((planted,),), planted)
    verdict = Verdict(planted, table, [planted], {planted: [planted]}, [planted], [planted], 1)
    page = wandb_report.verdict_page(verdict)
    assert "<script" not in page
    assert page.count("&lt;script&gt;alert(&#x27;&amp;&#x27;)&lt;/script&gt;") == 9


def test_rows_that_wandb_does_not_show_are_said_and_kept(
    tmp_path: Path, sweep: Evidence, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    overall = int(sweep.scores["class"].isna().sum())
    monkeypatch.setattr(wandb.Table, "MAX_ARTIFACT_ROWS", overall)
    folder = write_report(tmp_path / "report", sweep)
    wandb_report.log_report(sweep, comparison.compare(sweep, ["accuracy"]), folder, project="synaug")
    (warning,) = said(caplog)
    assert f"shows {overall} rows" in warning
    assert f"{len(sweep.scores) - overall} of the {len(sweep.scores)} scores are left out" in warning
    logged = run_folder(folder, "offline-run")
    shown = tables(logged)["scores"]
    of_class = list(sweep.scores.columns).index("class")
    assert {row[of_class] for row in shown} == {None}
    (artifact,) = inspect(logged)["artifacts"]
    sizes = {one["path"]: int(one["size"]) for one in artifact["manifest"]["contents"]}
    assert sizes["scores.parquet"] == (folder / "scores.parquet").stat().st_size


def test_a_table_made_at_once_is_one_made_row_by_row(sweep: Evidence) -> None:
    frame = as_text(sweep.scores.tail(50))
    rows = frame.astype(object).where(frame.notna(), None).to_numpy()
    slow, quick = wandb.Table(columns=[str(name) for name in frame], data=rows), wandb_report.table("scores", frame)
    assert quick.data == slow.data
    artifacts = [wandb.Artifact(name, "table") for name in ("slow", "quick")]
    slow_json, quick_json = (table.to_json(each) for table, each in zip((slow, quick), artifacts, strict=True))
    assert quick_json == slow_json


@pytest.mark.parametrize("augmenters", [["smote"], []])
def test_a_report_of_nothing_to_compare_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, augmenters: list[str]
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    name = 70 * "é/"
    fabricated.write_runs(tmp_path, ["imdb"], [10.0], augmenters, n_folds=2, changes={"name": name})
    fabricated.write_failure(tmp_path, "imdb-failed", "a reason")
    found = evidence.read([tmp_path])
    wandb_report.log_report(
        found, comparison.compare(found), write_report(tmp_path / "report", found), project="synaug"
    )
    assert said(caplog) == []
    logged = run_folder(tmp_path / "report", "offline-run")
    assert tables(logged)["gain_over_baseline/chart_table"] == []
    assert inspect(logged)["run"].get("run_group", "") == (name if augmenters else "")


@pytest.mark.parametrize("mode", ["disabled", "unreachable"])
def test_a_report_without_a_server_stops_nothing(
    tmp_path: Path,
    sweep: Evidence,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    mode: str,
) -> None:
    if mode == "disabled":
        monkeypatch.setenv("WANDB_MODE", mode)
    else:
        monkeypatch.setenv("WANDB_API_KEY", KEY)
    folder = write_report(tmp_path / "report", sweep)
    wandb_report.log_report(sweep, comparison.compare(sweep, ["accuracy"]), folder, project="synaug", init_timeout=2)
    if mode == "disabled":
        assert said(caplog) == []
        assert not (folder / "wandb").exists()
    else:
        (warning,) = said(caplog)
        assert f"`wandb sync {run_folder(folder, 'offline-run')}`" in warning


def test_a_report_made_offline_is_sent_later_with_its_artifact(
    tmp_path: Path, sweep: Evidence, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    folder = write_report(tmp_path / "report", sweep)
    wandb_report.log_report(sweep, comparison.compare(sweep, ["accuracy"]), folder, project="synaug")
    monkeypatch.delenv("WANDB_MODE")
    logged = run_folder(folder, "offline-run")
    wandb_command("sync", str(logged), cwd=tmp_path)

    run = logged.name.rpartition("-")[2]
    assert server.get(f"/api/v2/runs/{run}")["run"]["config"]["runs"]["value"] == 12
    artifacts = server.get(f"/api/v2/runs/{run}/artifacts")["artifacts"]
    assert [one["name"] for one in artifacts if one["artifact_type"] == "report"] == ["report-fabricated"]


def test_a_server_that_dies_costs_a_report_a_warning(
    tmp_path: Path,
    sweep: Evidence,
    server: Server,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(wandb.apis.public.Api, "_HTTP_TIMEOUT", 3)  # 19 s by default
    folder = write_report(tmp_path / "report", sweep)
    compared = comparison.compare(sweep, ["accuracy"])
    mean_gains = wandb_report.mean_gains

    def dying(comparisons: pd.DataFrame) -> pd.DataFrame:
        server.kill()
        return mean_gains(comparisons)

    monkeypatch.setattr(wandb_report, "mean_gains", dying)
    wandb_report.log_report(sweep, compared, folder, project="synaug", finish_timeout=3)
    lost, later = said(caplog)
    assert str(folder) in lost
    assert f"`wandb sync --include-online {run_folder(folder, 'run')}`" in later
