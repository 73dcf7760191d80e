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
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synaug.comparison import choices
from synaug.comparison.evidence import CHOOSE_BY
from synaug.comparison.labels import METHOD
from synaug.errors import UserError
from synaug.files.escaping import shown, shown_frame, shown_tree
from synaug.settings import did_you_mean, written
from synaug.settings.names import of_class

if TYPE_CHECKING:  # a report's run needs no Lightning, whose import takes seconds
    import wandb
    from pytorch_lightning.loggers import Logger, WandbLogger

log = logging.getLogger(__name__)

CONFUSION_CHART = "wandb/confusion_matrix/v1"  # W&B's own, which names the columns
CONFUSION_COLUMNS = ("Actual", "Predicted", "nPredictions")
STEP = "trainer/global_step"
JOB_TYPE = "train"
# In a run's summary; less is better. By it a search may choose, as synaug does: a test score would no longer be one.
OBJECTIVE = "out_of_fold/loss"
# Set where a server was out of reach: the later jobs of a sweep should not wait for it again. The environment is put
# back when a command has ended (`synaug.command.process`).
OUT_OF_REACH = "SYNAUG_WANDB_OUT_OF_REACH"


def start_run(*, save_dir: str, config: Mapping[str, Any] | None = None, **settings: Any) -> wandb.Run:
    """Start a W&B run, offline if there is no key or no server.

    ``WANDB_MODE=offline`` and ``WANDB_MODE=disabled`` are obeyed and need no account.

    Parameters
    ----------
    save_dir
        Where W&B's folder ``wandb`` goes.
    config
        As in ``wandb.init``.
    **settings
        As `run_settings` takes them.

    Returns
    -------
    wandb.Run
        That `finish_run` must end.
    """
    import wandb

    # Reports of W&B's own errors hold the process at exit for 20 s where a firewall drops packets.
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    checked = partial(run_settings, save_dir=save_dir)
    start = partial(
        wandb.init,
        dir=save_dir,
        config=dict(config or {}),
        reinit="create_new",  # never the run that an earlier job of this process left open
    )
    if os.environ.get(OUT_OF_REACH):
        return start(settings=checked(**{"mode": "offline", **settings}))
    given = checked(**settings)
    try:
        if given.mode == "online":
            require_key()
        return start(settings=given)
    except (wandb.errors.CommError, wandb.errors.UsageError) as error:
        os.environ[OUT_OF_REACH] = "1"
        run = start(settings=checked(**{**settings, "mode": "offline"}))
        log.warning(
            "W&B did not start (%s), so this command logs offline: `wandb sync %s` sends this run "
            "later, and WANDB_MODE=offline saves the attempt.",
            first_line(error),
            run.sync_dir,
        )
        return run


def run_settings(
    *,
    project: str,
    save_dir: str,
    name: str | None = None,
    group: str | None = None,
    tags: Sequence[str] = (),
    entity: str | None = None,
    job_type: str = JOB_TYPE,
    init_timeout: float = 20,
    finish_timeout: float = 60,
    **settings: Any,
) -> wandb.Settings:
    """Settings of a W&B run, as W&B itself checks them; nothing is started or written.

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

    Raises
    ------
    UserError
        If W&B knows no such setting, or does not take its value.
    """
    import wandb
    from pydantic import ValidationError  # which wandb itself brings

    given = {
        "quiet": True,
        "finish_timeout_raises": True,
        **settings,
        "project": project,
        "entity": entity,
        "run_name": name or Path(save_dir).name,
        "run_group": group,
        "run_tags": tuple(tags),
        "run_job_type": job_type,
        "init_timeout": init_timeout,
        "finish_timeout": finish_timeout,
    }
    try:
        return wandb.Settings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        if first["type"] == "extra_forbidden":
            near = did_you_mean(key, type(wandb.Settings()).model_fields, "logger.")
            raise UserError(f"logger.{key} is no setting of W&B{near or ': remove it'}") from error
        raise UserError(
            f"logger.{key.removeprefix('run_')}={written(given.get(key))} is not taken by W&B "
            f"({first['msg']}): correct it"
        ) from error
    except wandb.errors.UsageError as error:
        raise UserError(f"logger.project={project} is not taken by W&B ({first_line(error)}): correct it") from error


def wandb_logger(*, project: str, save_dir: str, job_type: str = JOB_TYPE, **options: Any) -> WandbLogger:
    """Start a W&B run and hand it to Lightning.

    Parameters
    ----------
    project, save_dir, job_type, **options
        As in `start_run`.

    Returns
    -------
    WandbLogger
        With a run that `finish` must end.
    """
    from pytorch_lightning.loggers import WandbLogger

    run = start_run(project=project, save_dir=save_dir, job_type=job_type, **options)
    run.define_metric(STEP)  # as WandbLogger does for a run that it starts
    run.define_metric("*", step_metric=STEP, step_sync=True)
    return WandbLogger(project=project, save_dir=save_dir, experiment=run)


def log_curves(logger: Logger | None, steps: Sequence[int], points: Mapping[str, NDArray[np.float64]]) -> None:
    """Log how training went, the mean over splits at each look.

    Parameters
    ----------
    logger
        None logs nothing.
    steps
        Optimiser steps at the looks, `[p]`.
    points
        `[p, splits]`, by name; NaN where a split has stopped.
    """
    if logger is None:
        return
    for at, step in enumerate(steps):
        values = {name: of_splits[at][~np.isnan(of_splits[at])] for name, of_splits in points.items()}
        means = {curve_key(name): float(of_look.mean()) for name, of_look in values.items() if len(of_look)}
        logger.log_metrics(means, step=int(step))


def curve_key(name: str) -> str:
    """Key of one of `synaug.record.tables.CURVES` in a run's history."""
    return f"curves/{name}"


def log_result(logger: Logger | None, record: Mapping[str, Any]) -> None:
    """Log a finished run's record; a dead W&B server costs a warning, never an error.

    Every logger gets each decision rule's scores, mean and standard deviation over splits; W&B
    also the config, the out-of-fold scores, each split's scores, the steps that were chosen and how often nothing was
    learned by then, the curves, the balance contract and the summed confusion matrices.

    Parameters
    ----------
    logger
        None does nothing.
    record
        As it is written to ``record.json``.
    """
    if logger is None:
        return
    from pytorch_lightning.loggers import WandbLogger

    scores = pd.DataFrame(**record["scores"]).astype({"value": float})
    if not isinstance(logger, WandbLogger):
        curves = pd.DataFrame(**record["curves"])
        last = int(curves["step"].max()) if len(curves) else 0  # of what is not trained in steps
        logger.log_metrics(_over_splits(scores), step=last)
        logger.save()
        return
    import wandb

    run = logger.experiment
    identity = {"run": record["run"], "choices": record["choices"]}
    try:
        # A sweep that W&B drives has set some itself, and warns of each that is set again.
        of_sweep = set(run.config.keys()) if run.sweep_id else set()
        settings = {name: value for name, value in record["config"].items() if name not in of_sweep}
        run.config.update(shown_tree({**settings, **identity}), allow_val_change=True)
        run.summary.update({**_over_splits(scores), **_learned_nothing(record), **out_of_fold(record)})
        as_recorded = {name: wandb.Table(**shown_tree(record[name])) for name in ("best", "curves", "balance")}
        run.log({"splits": shown_frame(_by_split(scores)), **as_recorded, **_confusion_charts(record)})
    except server_trouble() as error:  # an online run asks the server before it takes a table
        log.warning("W&B did not take this run's tables (%s); record.json has them.", first_line(error))


def finish(logger: Logger | None, exit_code: int) -> None:
    """End a logger's W&B run, as `finish_run` does.

    Parameters
    ----------
    logger
        Any but a WandbLogger, and None, need nothing.
    exit_code
        0 if the run succeeded.
    """
    if logger is None:
        return
    from pytorch_lightning.loggers import WandbLogger

    if isinstance(logger, WandbLogger):
        finish_run(logger.experiment, exit_code)


def finish_run(run: wandb.Run, exit_code: int) -> None:
    """End a W&B run, waiting for the server no longer than ``finish_timeout``; never raises for it.

    Parameters
    ----------
    run
        Of `start_run`.
    exit_code
        0 if the run succeeded.
    """
    try:
        run.finish(exit_code=exit_code)
    except server_trouble() as error:
        log.warning(
            "W&B did not take the whole run (%s): `wandb sync --include-online %s` sends it later.",
            first_line(error),
            run.sync_dir,
        )


def require_key() -> None:
    """Raise rather than ask at a terminal, where an unattended sweep would wait for ever.

    Raises
    ------
    wandb.errors.UsageError
        If W&B is to be online and no API key is stored or in the environment.
    """
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


def server_trouble() -> tuple[type[Exception], ...]:
    """What W&B raises where a server is out of reach, dies or refuses; a TimeoutError is an OSError."""
    import wandb

    try:
        from wandb.sdk.lib.service.service_connection import WandbApiFailedError  # private: what its service refused
    except ImportError:
        return OSError, wandb.Error
    return OSError, wandb.Error, WandbApiFailedError


def first_line(error: Exception) -> str:
    """What an error says, in one line without a full stop."""
    return str(error).partition("\n")[0].rstrip(".")


def _over_splits(scores: pd.DataFrame) -> dict[str, float]:
    overall = scores[scores["class"].isna()]
    values = overall.groupby(overall["decision"] + "/" + overall["metric"], sort=False)["value"]
    both = pd.concat([values.mean(), values.std().add_suffix("/std")]).dropna()
    return {str(key): float(value) for key, value in both.items()}


def _learned_nothing(record: Mapping[str, Any]) -> dict[str, int]:
    """In how many splits a decision rule's loss is no lower than that of a guess."""
    best = pd.DataFrame(**record["best"])
    without = (~best["learned"].astype(bool)).groupby(best["decision"]).sum()
    return {f"{rule}/learned_nothing": int(number) for rule, number in without.items()}


def out_of_fold(record: Mapping[str, Any]) -> dict[str, float]:
    """What a search over settings may optimise: scores of training rows, each by the inner model that was not given it.

    They are of the rule that is chosen for each split, as the report chooses it, and means over splits. No test row
    takes part in the score of its split.

    Parameters
    ----------
    record
        As it is written to ``record.json``.

    Returns
    -------
    dict
        `OBJECTIVE`, the loss by which synaug itself chooses, and `objective_key` of each metric; empty where no
        inner fold judged anything, or the record does not say.
    """
    if "validation_scores" not in record:
        return {}
    scores = pd.DataFrame(**record["validation_scores"])
    loss = CHOOSE_BY[record["config"].get("target_prior", "uniform")]
    known = scores[scores["metric"] == loss]
    if known.empty:
        return {}
    chosen = choices.choose(known.assign(scenario="", augmenter="", loss="", with_synthesis=False))
    taken = dict(zip(choices.TAKEN, METHOD, strict=True))
    rules = chosen[[*choices.SPLIT, *choices.TAKEN]].rename(columns=taken).drop_duplicates()
    of_chosen = scores.merge(rules, on=[*choices.SPLIT, "decision"])
    means = of_chosen.astype({"value": float}).groupby("metric", sort=False)["value"].mean().dropna()
    return {OBJECTIVE: float(means[loss]), **{objective_key(str(name)): float(mean) for name, mean in means.items()}}


def objective_key(metric: str) -> str:
    """Key of a metric of the rows that inner models were not given, in a run's summary."""
    return f"out_of_fold/{metric}"


def _by_split(scores: pd.DataFrame) -> pd.DataFrame:
    of_class = scores["metric"] + "/" + scores["class"].astype(str)
    names = scores["metric"].where(scores["class"].isna(), of_class)
    wide = scores.assign(name=names).pivot(index=["seed", "fold", "decision"], columns="name", values="value")
    return wide[names.unique()].reset_index()


def confusion_key(decision: str) -> str:
    """Key of a decision rule's confusion matrix; W&B puts its table under this key and ``_table``."""
    return f"confusion/{decision}"


def _confusion_charts(record: Mapping[str, Any]) -> dict[str, Any]:
    import wandb

    names = [of_class(shown(name)) for name in record["data"]["class_names"]]
    charts = {}
    for decision, splits in pd.DataFrame(record["confusion"]).groupby("decision", sort=False):
        matrix = np.sum(splits["matrix"].to_list(), axis=0)
        cells = pd.DataFrame(matrix, index=names, columns=names).T.unstack().reset_index()
        charts[confusion_key(str(decision))] = wandb.plot_table(
            vega_spec_name=CONFUSION_CHART,
            data_table=wandb.Table(dataframe=cells.set_axis(CONFUSION_COLUMNS, axis="columns")),
            fields={name: name for name in CONFUSION_COLUMNS},
            string_fields={"title": f"Confusion matrix, {decision}"},
        )
    return charts
