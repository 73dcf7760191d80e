"""One run, top to bottom: the way of the data."""

import logging
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import Trainer
from pytorch_lightning.loggers import Logger
from pytorch_lightning.plugins.environments import LightningEnvironment  # type: ignore[attr-defined]

from synaug import record
from synaug.augmenter import Augmenter
from synaug.augmenter.balance import warn_of_fallbacks
from synaug.classifier.module import Classifier, predicted
from synaug.embeddings.cache import EmbeddingCache, cache_folder
from synaug.encoder.workers import torch_threads
from synaug.errors import UserError
from synaug.record.cost import Cost
from synaug.scores import score as results
from synaug.seeding import derive_seed
from synaug.splits import rows_needed, split
from synaug.sweep import interrupts
from synaug.tracking import run as tracking
from synaug.training.datamodule import EmbeddingDataModule
from synaug.training.progress import TrainingBar

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
    """

    identity: str
    sources: Mapping[str, str]
    choices: Mapping[str, str]
    overrides: Sequence[str]
    configs_sha256: str | None


def run(config: DictConfig, folder: Path, asked: Asked) -> dict[str, Any]:
    """Run a checked config and record it in `folder`; should data or weights change meanwhile, nothing is recorded.

    Returns
    -------
    dict
        The record, as `synaug.record.read` reads it back.

    Raises
    ------
    UserError
        If the data or the weights are not those that the run was named for.
    """
    with torch_threads(config.threads):
        return _run(config, folder, asked)


def _run(config: DictConfig, folder: Path, asked: Asked) -> dict[str, Any]:
    quieten_lightning()
    cost = Cost()

    with cost.stage("load"):
        dataset, encoder, imbalance_ratio = (
            instantiate(config[group], _convert_="all") for group in ("dataset", "encoder", "imbalance_ratio")
        )
        # Where classes stay as they are, a cap takes from all of them in proportion.
        texts = dataset.load(
            proportional=imbalance_ratio.ratio is None,
            at_least=rows_needed(config.n_folds, config.validation.share),
        )
        if {"dataset": dataset.source(), "encoder": encoder.source()} != asked.sources:
            raise UserError(f"the data or weights of {folder.name} changed while it started: give the command again")
        # Before the texts are encoded: what the ratio and the folds cannot have is said at once.
        options = {"seeds": list(config.seeds), "n_folds": config.n_folds}
        validation = {"validation_share": config.validation.share, "thin_validation": config.validation.thinned}
        minority = imbalance_ratio.minority_classes(texts.class_names, texts.rows_per_class)
        log.info(
            "%s: %d rows; minority: %s (imbalance_ratio.minority=[...] chooses)",
            texts.title,
            len(texts.labels),
            ", ".join(texts.class_names[label] for label in minority) or "none",
        )
        members = list(split(texts.name, texts.labels, texts.class_names, imbalance_ratio, **options, **validation))
    with cost.stage("embed"):
        cache = EmbeddingCache(encoder, cache_folder(config.cache_dir))
        embeddings = cache.embed(texts.texts, progress_bar=config.trainer.enable_progress_bar)
    cost.count("embed", cache.encoded.texts, cache.encoded.flops)

    datamodule = EmbeddingDataModule(
        embeddings,
        texts,
        members,
        imbalance_ratio=imbalance_ratio,
        augmenter=make_augmenter(config.augmenter),
        batch_size=config.batch_size,
        max_steps=config.max_steps,
        steps_per_epoch=config.steps_per_epoch,
        standardize=config.standardize,
        neighbours=cache_folder(config.cache_dir) / "neighbours",
    )
    with cost.stage("augment"):
        log.info("augmenting the training rows of %d members with %s", len(members), datamodule.augmenter.name)
        balances = [each.augmented.balance for each in datamodule.training_sets]
    cost.count("augment", sum(len(each.augmented.made) for each in datamodule.training_sets), datamodule.search_flops)
    fallbacks = warn_of_fallbacks(balances, texts.class_names)

    logger = instantiate(config.logger, _convert_="all") if config.logger.get("_target_") else None
    exit_code = 1
    try:
        with cost.stage("train"):
            log.info("training %d members for %d steps", len(members), config.max_steps)
            trainer, classifier = make_trainer(config, datamodule, logger), make_classifier(config, datamodule)
            trainer.fit(classifier, datamodule)
        cost.count("train", *results.training_work(datamodule, classifier))
        with cost.stage("score"):
            blocks = trainer.predict(classifier, datamodule=datamodule)
            assert blocks is not None
            validation_rows = predicted(blocks[0], [len(member.validation) for member in members])
            test_rows = predicted(blocks[1], [len(member.test) for member in members])
            tables = results.score(datamodule, validation_rows, test_rows, config.target_prior)
            probabilities_sha256 = results.write_probabilities(folder, datamodule, test_rows)
        cost.count("score", sum(map(len, validation_rows)) + sum(map(len, test_rows)))
        result = {
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
            "data": {"source": asked.sources["dataset"], **results.describe(datamodule, texts)},
            "encoder": cache.identity,
            **tables,
            **results.training_tables(datamodule, classifier),
            "warnings": fallbacks,
            "probabilities_sha256": probabilities_sha256,
            "cost": {
                **cost.table(),
                "encoded": asdict(cache.encoded),
                "peak_memory_bytes": record.peak_memory(),
                "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            },
        }
        record.write(folder, result)
        exit_code = 0
        log.info("%s", cost.line())
        with of_no_consequence():
            tracking.log_result(logger, result)
    finally:
        with of_no_consequence():
            tracking.finish(logger, exit_code)
    return result


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
    validate = getattr(sampler, "_validate_params", None)
    if validate is not None and hasattr(
        sampler, "_parameter_constraints"
    ):  # scikit-learn's check, which would otherwise wait for fit_resample
        try:
            validate()
        except AttributeError as error:  # get_params finds no attribute of a parameter's name
            raise UserError(
                f"{type(sampler).__name__} hides a parameter ({error}): let its constructor store each argument under "
                "its own name, as scikit-learn's estimators do"
            ) from error
    return Augmenter(sampler, amount=config.amount, strict=config.strict)


def make_classifier(config: DictConfig, datamodule: EmbeddingDataModule) -> Classifier:
    """The stack: one classifier a member, each with initial weights of its own seed."""
    classifier: Classifier = instantiate(config.classifier, _convert_="all")(
        n_features=datamodule.embeddings.shape[1],
        n_classes=len(datamodule.class_names),
        minority=datamodule.minority,
        class_frequencies=datamodule.class_frequencies(),
        seeds=[derive_seed("weights", member.seed, member.fold) for member in datamodule.members],
    )
    return classifier


def make_trainer(config: DictConfig, datamodule: EmbeddingDataModule, logger: Logger | None) -> Trainer:
    """Lightning's own Trainer; synaug keeps best weights by member itself, so it writes no checkpoints."""
    arguments: dict[str, Any] = {"enable_model_summary": False, "log_every_n_steps": 1}
    for key, value in config.trainer.items():
        arguments[str(key)] = OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
    return Trainer(
        max_epochs=datamodule.n_epochs,
        logger=logger or False,
        callbacks=[TrainingBar()] if config.trainer.enable_progress_bar else None,
        enable_checkpointing=False,
        num_sanity_val_steps=0,
        plugins=[LightningEnvironment()],  # one process, also inside a job of SLURM's, where it would look for others
        **arguments,
    )


def quieten_lightning() -> None:
    """Silence its advertisements and what it does not heed in torch itself."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*LeafSpec", module="pytorch_lightning")
