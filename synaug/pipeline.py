"""One run, top to bottom: the way of the data."""

import logging
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from hydra.utils import instantiate
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.loggers import Logger

from synaug import record
from synaug.augmenter import Augmenter
from synaug.augmenter.balance import warn_of_fallbacks
from synaug.augmenter.samplers import check_parameters
from synaug.dataset import LabelledTexts, TextSource
from synaug.embeddings.cache import EmbeddingCache, Encoded, cache_folder
from synaug.encoder.workers import torch_threads
from synaug.errors import UserError
from synaug.files.digest import array_sha256
from synaug.imbalance_ratio import ImbalanceRatio
from synaug.record.cost import Cost
from synaug.record.extending import extend
from synaug.scores.probabilities import probabilities
from synaug.scores.score import score as score_splits
from synaug.splits import Split, make_splits, rows_needed
from synaug.sweep import interrupts
from synaug.tracking import wandb_run
from synaug.training import tables
from synaug.training.fit import Fits, Predictions, StackedTraining
from synaug.training.training_sets import TrainingData, neighbour_graphs
from synaug.training.training_sets import augment as augment_splits

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asked:
    """What was asked for, as the command line and its configs have it; a record tells it beside the numbers.

    Attributes
    ----------
    identity
        As it was when the run was named (`synaug.record.identity`).
    sources
        What the data and the weights were then, by group.
    choices
        The options' names, by group.
    overrides
        The settings that were given, as they were written.
    configs_sha256
        Digest of the YAML files that the config was composed of; None where they do not decide it.
    plan
        Which seeds are to be computed.
    """

    identity: str
    sources: Mapping[str, str]
    choices: Mapping[str, str]
    overrides: Sequence[str]
    configs_sha256: str | None
    plan: record.Plan


@dataclass(frozen=True)
class Prepared:
    """Texts, and all that is settled before a row is made.

    Attributes
    ----------
    texts
        The data set.
    imbalance_ratio
        How many rows each class keeps.
    minority
        Labels of the minority classes.
    splits
        Which rows train, validate and test.
    embeddings, embeddings_sha256
        float32 `[n, d]`, row by row those of the texts, and their digest.
    encoder
        What made them.
    encoded
        What of them was not in the cache.
    """

    texts: LabelledTexts
    imbalance_ratio: ImbalanceRatio
    minority: Sequence[int]
    splits: Sequence[Split]
    embeddings: NDArray[np.float32]
    embeddings_sha256: str
    encoder: Mapping[str, Any]
    encoded: Encoded


def run(config: DictConfig, folder: Path, asked: Asked, cost: Cost) -> dict[str, Any]:
    """Run a checked config and record it in `folder`; should data or weights change meanwhile, nothing is recorded.

    Parameters
    ----------
    cost
        Gets what this run takes; the record also has what its other seeds took before.

    Returns
    -------
    dict
        The record, as `synaug.record.read` reads it back.

    Raises
    ------
    UserError
        If the data or the weights are not those that the run was named for.
    """
    quieten_lightning()
    with torch_threads(config.threads):
        prepared = prepare(config, folder.name, asked, cost)
        data = augment(config, prepared, cost)
        balance = tables.balance(data)
        fallbacks = warn_of_fallbacks(balance, data.class_names)
        with logging_to(config.logger) as logger:
            predictions = fit(make_training(config, logger), data, cost)
            scored = score(config, data, predictions, cost)
            computed = {
                **provenance(config, folder, asked),
                **describe(prepared, asked.sources["dataset"]),
                **scored,
                "balance": balance,
                **training_tables(data, predictions),
                "warnings": fallbacks,
                "cost": spent(cost, prepared.encoded),
            }
            recorded = extend(folder, computed, probabilities(data.splits, data.labels, predictions.test))
            log.info("%s", cost.line())
            with of_no_consequence():
                wandb_run.log_result(logger, recorded)
    return recorded


class Loaded(NamedTuple):
    """A data set with its texts, the encoder that is to embed them, and how many rows each class is to keep."""

    dataset: TextSource
    encoder: Any
    imbalance_ratio: ImbalanceRatio
    texts: LabelledTexts


def load(config: DictConfig) -> Loaded:
    """Load the texts that a run trains, validates and tests on.

    Raises
    ------
    UserError
        If they cannot be read, or if the caps leave the classes too few of them.
    """
    dataset, encoder, imbalance_ratio = (
        instantiate(config[group], _convert_="all") for group in ("dataset", "encoder", "imbalance_ratio")
    )
    # Where classes stay as they are, a cap takes from all of them in proportion.
    texts = dataset.load(
        proportional=imbalance_ratio.ratio is None,
        at_least=rows_needed(config.n_folds, config.validation.share),
    )
    return Loaded(dataset, encoder, imbalance_ratio, texts)


def prepare(config: DictConfig, name: str, asked: Asked, cost: Cost) -> Prepared:
    """Load the texts, settle the splits, and look the embeddings up.

    Raises
    ------
    UserError
        If the data or the weights are not those that the run of this name was named for, or if the classes have too
        few rows.
    """
    with cost.stage("load"):
        dataset, encoder, imbalance_ratio, texts = load(config)
        if {"dataset": dataset.source(), "encoder": encoder.source()} != asked.sources:
            raise UserError(f"the data or weights of {name} changed while it started: give the command again")
        minority = imbalance_ratio.minority_classes(texts.class_names, texts.rows_per_class)
        log.info(
            "%s: %d rows; minority: %s (imbalance_ratio.minority=[...] chooses)",
            texts.title,
            len(texts.labels),
            ", ".join(texts.class_names[label] for label in minority) or "none",
        )
        # Before the texts are encoded: what the ratio and the folds cannot have is said at once.
        split = partial(
            make_splits,
            texts.name,
            texts.labels,
            texts.class_names,
            imbalance_ratio,
            minority,
            n_folds=config.n_folds,
            validation_share=config.validation.share,
            thin_validation=config.validation.thinned,
        )
        splits = split(seeds=asked.plan.compute)
    with cost.stage("embed"):
        cache = EmbeddingCache(encoder, cache_folder(config.cache_dir))
        embeddings = cache.embed(texts.texts, progress_bar=config.trainer.enable_progress_bar)
        digest = array_sha256(embeddings)
    plan = asked.plan.held_to(digest)
    if plan != asked.plan:
        log.warning("%s: %s", name, plan.remark)
        splits = split(seeds=plan.compute)
    cost.count("embed", cache.encoded.texts, cache.encoded.flops)
    return Prepared(texts, imbalance_ratio, minority, splits, embeddings, digest, cache.identity, cache.encoded)


def augment(config: DictConfig, prepared: Prepared, cost: Cost) -> TrainingData:
    """Make the synthetic rows of every split."""
    augmenter = make_augmenter(config.augmenter)
    graphs = neighbour_graphs(
        prepared.embeddings,
        prepared.texts.labels,
        cache_folder(config.cache_dir) / "neighbours",
        prepared.embeddings_sha256,
    )
    with cost.stage("augment"):
        log.info("augmenting the training rows of %d splits with %s", len(prepared.splits), augmenter.name)
        data = augment_splits(
            prepared.texts,
            prepared.embeddings,
            prepared.splits,
            augmenter,
            graphs,
            minority=prepared.minority,
            ratio=prepared.imbalance_ratio.ratio,
            standardize=config.standardize,
        )
    n_synthetic = sum(len(training_set.augmented.synthetic) for training_set in data.training_sets)
    cost.count("augment", n_synthetic, sum(graph.flops_done for graph in graphs.values()))
    return data


def fit(training: Fits, data: TrainingData, cost: Cost) -> Predictions:
    """Train, and predict the rows that did not."""
    with cost.stage("train"):
        predictions = training.fit(data)
    cost.count("train", predictions.n_trained, predictions.flops)
    return predictions


def score(config: DictConfig, data: TrainingData, predictions: Predictions, cost: Cost) -> dict[str, Any]:
    """Score all splits under all decision rules."""
    with cost.stage("score"):
        scored = score_splits(
            data.splits,
            data.labels,
            data.class_names,
            data.minority,
            validation=predictions.validation,
            test=predictions.test,
            prior=predictions.prior,
            target_prior=config.target_prior,
        )
    cost.count("score", predictions.n_predicted)
    return scored


def provenance(config: DictConfig, folder: Path, asked: Asked) -> dict[str, Any]:
    """What was asked for, and by which code it was done."""
    return {
        "schema": record.SCHEMA,
        "run": folder.name,
        "name": config.name,
        "identity": asked.identity,
        "choices": dict(asked.choices),
        "config": OmegaConf.to_container(config, resolve=True),
        "overrides": list(asked.overrides),
        "configs_sha256": asked.configs_sha256,
        "versions": record.versions(),
        "code": record.code_sha256(),
        "git_commit": record.git_commit(),
    }


def describe(prepared: Prepared, source: str) -> dict[str, Any]:
    """What the data are (names, counts, digests), and the encoder."""
    texts = prepared.texts
    validation_labels = texts.labels[prepared.splits[0].validation]
    data = {
        "source": source,
        "name": texts.title,
        "fingerprint": texts.fingerprint,
        "embeddings_sha256": prepared.embeddings_sha256,
        "report": texts.report,
        "class_names": texts.class_names,
        "validation_rows_per_class": np.bincount(validation_labels, minlength=len(texts.class_names)).tolist(),
        "rows_per_class": texts.rows_per_class.tolist(),
        "minority": [texts.class_names[label] for label in prepared.minority],
    }
    return {"data": data, "encoder": prepared.encoder}


def training_tables(data: TrainingData, predictions: Predictions) -> dict[str, Any]:
    """What was trained on, and how it went."""
    return {
        "diagnostics": tables.diagnostics(data),
        "curves": tables.curves(data, predictions.curves),
        "best": tables.best(data, predictions.curves),
    }


def spent(cost: Cost, encoded: Encoded) -> dict[str, Any]:
    """What the run took, and when it was done."""
    return {
        **cost.table(),
        "encoded": asdict(encoded),
        "peak_memory_bytes": record.peak_memory(),
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


@contextmanager
def logging_to(config: DictConfig) -> Iterator[Logger | None]:
    """Make the logger, if one is wanted, and end it with what became of the run."""
    logger = instantiate(config, _convert_="all") if config.get("_target_") else None
    exit_code = 1
    try:
        yield logger
        exit_code = 0
    finally:
        with of_no_consequence():
            wandb_run.finish(logger, exit_code)


@contextmanager
def of_no_consequence() -> Iterator[None]:
    """Say that a logger failed, and go on: a run that is recorded has not failed, one that failed says why itself."""
    try:
        yield
    except (Exception, SystemExit) as error:
        if isinstance(error, SystemExit) and interrupts.behind(error) is not None:
            raise
        said = "the logger failed (%s: %s); the run does not depend on it"
        log.warning(said, type(error).__name__, error, exc_info=True)


def make_augmenter(config: DictConfig) -> Augmenter:
    """Make the group's sampler and hold it to the contract of `synaug.augmenter.Augmenter`.

    Raises
    ------
    UserError
        If the target is no sampler, or rejects a parameter.
    """
    sampler_config = OmegaConf.masked_copy(config, [str(key) for key in config if key not in ("amount", "strict")])
    sampler = instantiate(sampler_config, _convert_="all")
    check_parameters(sampler)
    return Augmenter(sampler, amount=config.amount, strict=config.strict)


def make_training(config: DictConfig, logger: Logger | None = None) -> StackedTraining:
    """The classifier with all of its settings."""
    return StackedTraining(
        instantiate(config.classifier, _convert_="all"),
        batch_size=config.batch_size,
        max_steps=config.max_steps,
        steps_per_epoch=config.steps_per_epoch,
        trainer=OmegaConf.to_container(config.trainer, resolve=True),  # type: ignore[arg-type]
        logger=logger,
    )


def quieten_lightning() -> None:
    """Silence Lightning's advertisements and its deprecation warning about torch."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*LeafSpec", module="pytorch_lightning")
    warnings.filterwarnings("ignore", message="The `srun` command is available")  # a run is one process
