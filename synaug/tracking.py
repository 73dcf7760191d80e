"""One run in Weights & Biases, through Lightning's own WandbLogger.

No server is worth a run: one that cannot be reached at the start means an offline run, and where it
dies midway everything stays in a folder that ``wandb sync`` sends later.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pytorch_lightning.loggers import Logger, WandbLogger

log = logging.getLogger(__name__)


def wandb_logger(
    *,
    project: str,
    save_dir: str,
    name: str | None = None,
    group: str | None = None,
    tags: Sequence[str] = (),
    entity: str | None = None,
    job_type: str = "train",
    init_timeout: float = 20,
    finish_timeout: float = 60,
    **settings: Any,
) -> WandbLogger:
    """Start a W&B run, offline if there is no key or no server, and hand it to Lightning.

    ``WANDB_MODE=offline`` and ``WANDB_MODE=disabled`` are obeyed and need no account.

    Parameters
    ----------
    project, group, tags, entity, job_type, **settings
        As in ``wandb.init`` and ``wandb.Settings``.
    save_dir
        Where W&B's folder ``wandb`` goes.
    name
        The run's name; by default the last part of `save_dir`.
    init_timeout, finish_timeout
        Seconds to wait for the server when the run starts and when it ends.

    Returns
    -------
    WandbLogger
        With a run that `finish` must end.
    """
    import wandb

    # Reports of W&B's own errors hold the process at exit for 20 s where a firewall drops packets.
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    defaults = {"quiet": True, "init_timeout": init_timeout, "finish_timeout": finish_timeout}
    start = partial(
        wandb.init,
        project=project,
        dir=save_dir,
        name=name or Path(save_dir).name,
        group=group,
        tags=list(tags),
        entity=entity,
        job_type=job_type,
        reinit="create_new",  # never the run that an earlier job of this process left open
        settings=wandb.Settings(**{**defaults, "finish_timeout_raises": True, **settings}),
    )
    try:
        _require_key()
        run = start()
    except (wandb.errors.CommError, wandb.errors.UsageError) as error:
        # For the whole process: the later jobs of a sweep should not wait for the server again.
        wandb.setup(wandb.Settings(mode="offline"))
        run = start()
        log.warning(
            "W&B did not start (%s), so this process logs offline: `wandb sync %s` sends this run "
            "later, and WANDB_MODE=offline saves the attempt.",
            _first_line(error),
            run.sync_dir,
        )
    run.define_metric("trainer/global_step")  # as WandbLogger does for a run that it starts
    run.define_metric("*", step_metric="trainer/global_step", step_sync=True)
    return WandbLogger(project=project, save_dir=save_dir, experiment=run)


def log_result(logger: Logger | None, record: Mapping[str, Any]) -> None:
    """Log a finished run's record; a dead W&B server costs a warning, never an error.

    Every logger gets each decision rule's scores, mean and standard deviation over members; W&B
    also the config, each member's scores, the balance contract and the summed confusion matrices.

    Parameters
    ----------
    logger
        None does nothing.
    record
        As it is written to ``record.json``.
    """
    if logger is None:
        return
    scores = pd.DataFrame(**record["scores"]).astype({"value": float})
    if not isinstance(logger, WandbLogger):
        curves = pd.DataFrame(**record["curves"])
        last = int(curves["step"].max())
        logger.log_metrics(_over_members(scores), step=last)
        logger.save()
        return
    import wandb

    run = logger.experiment
    identity = {"run": record["run"], "choices": record["choices"]}
    try:
        run.config.update({**record["config"], **identity}, allow_val_change=True)
        run.summary.update(_over_members(scores))
        members, balance = _by_member(scores), wandb.Table(**record["balance"])
        run.log({"members": members, "balance": balance, **_confusion_charts(record)})
    except (OSError, wandb.Error) as error:  # an online run asks the server before it takes a table
        log.warning("W&B did not take this run's tables (%s); record.json has them.", _first_line(error))


def finish(logger: Logger | None, exit_code: int) -> None:
    """End a W&B run, waiting for the server no longer than ``finish_timeout``; never raises for it.

    Parameters
    ----------
    logger
        Any but a WandbLogger, and None, need nothing.
    exit_code
        0 if the run succeeded.
    """
    if not isinstance(logger, WandbLogger):
        return
    import wandb

    run = logger.experiment
    try:
        run.finish(exit_code=exit_code)
    except (OSError, wandb.Error) as error:  # a TimeoutError is an OSError
        log.warning(
            "W&B did not take the whole run (%s): `wandb sync --include-online %s` sends it later.",
            _first_line(error),
            run.sync_dir,
        )


def _require_key() -> None:
    """Raise rather than ask at a terminal, where an unattended sweep would wait for ever."""
    import wandb

    settings = wandb.setup().settings
    if settings.mode != "online":
        return
    silent = settings.silent
    wandb.setup(wandb.Settings(silent=True))  # else it asks the server whose key this is: 10 s
    try:
        if not wandb.login(prompt=False, verify=False):
            raise wandb.errors.UsageError("no API key; `wandb login` stores one")
    finally:
        wandb.setup(wandb.Settings(silent=silent))


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(".")


def _over_members(scores: pd.DataFrame) -> dict[str, float]:
    overall = scores[scores["class"].isna()]
    values = overall.groupby(overall["decision"] + "/" + overall["metric"], sort=False)["value"]
    both = pd.concat([values.mean(), values.std().add_suffix("/std")]).dropna()
    return {str(key): float(value) for key, value in both.items()}


def _by_member(scores: pd.DataFrame) -> pd.DataFrame:
    of_class = scores["metric"] + "/" + scores["class"].astype(str)
    names = scores["metric"].where(scores["class"].isna(), of_class)
    wide = scores.assign(name=names).pivot(index=["seed", "fold", "decision"], columns="name", values="value")
    return wide[names.unique()].reset_index()


def _confusion_charts(record: Mapping[str, Any]) -> dict[str, Any]:
    import wandb

    names = record["data"]["class_names"]
    charts, columns = {}, ["Actual", "Predicted", "nPredictions"]  # names of W&B's own chart
    for decision, members in pd.DataFrame(record["confusion"]).groupby("decision", sort=False):
        matrix = np.sum(members["matrix"].to_list(), axis=0)
        cells = pd.DataFrame(matrix, index=names, columns=names).T.unstack().reset_index()
        charts[f"confusion/{decision}"] = wandb.plot_table(
            vega_spec_name="wandb/confusion_matrix/v1",
            data_table=wandb.Table(dataframe=cells.set_axis(columns, axis="columns")),
            fields=dict(zip(columns, columns, strict=True)),
            string_fields={"title": f"Confusion matrix, {decision}"},
        )
    return charts
