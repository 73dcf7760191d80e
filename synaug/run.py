"""One run, top to bottom: the way of the data."""

import logging
import time
import warnings
from pathlib import Path
from typing import Any

import platformdirs
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import Trainer

from synaug import config as configuration
from synaug import record, results, tracking
from synaug.augmenter.contract import warn_of_fallbacks
from synaug.classifier import predicted
from synaug.datamodule import EmbeddingDataModule
from synaug.digest import array_sha256
from synaug.embeddings import EmbeddingCache
from synaug.members import split
from synaug.progress import TrainingBar
from synaug.seeding import derive_seed

log = logging.getLogger(__name__)


def run(config: DictConfig, folder: Path) -> dict[str, Any]:
    """Run a checked config and record it in `folder`.

    Returns
    -------
    dict
        The record, as `synaug.record.read` reads it back.
    """
    if config.threads:
        torch.set_num_threads(config.threads)
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*LeafSpec", module="pytorch_lightning")  # its own, of torch's pytree
    stopwatch = record.Stopwatch()

    with stopwatch("load"):
        dataset = instantiate(config.dataset, _convert_="all")
        encoder = instantiate(config.encoder, _convert_="all")
        imbalance_ratio = instantiate(config.imbalance_ratio, _convert_="all")
        augmenter = configuration.augmenter(config.augmenter)
        texts = dataset.load()
        # Before the texts are encoded: what the ratio and the folds cannot have is said at once.
        members = list(
            split(
                texts.name,
                texts.labels,
                texts.class_names,
                imbalance_ratio,
                seeds=list(config.seeds),
                n_folds=config.n_folds,
                validation_share=config.validation.share,
                thin_validation=config.validation.thinned,
            )
        )
    with stopwatch("embed"):
        cache = EmbeddingCache(encoder, cache_folder(config.cache_dir))
        embeddings = cache.embed(texts.texts, progress_bar=config.trainer.enable_progress_bar)

    datamodule = EmbeddingDataModule(
        embeddings,
        texts,
        members,
        imbalance_ratio=imbalance_ratio,
        augmenter=augmenter,
        batch_size=config.batch_size,
        max_steps=config.max_steps,
        steps_per_epoch=config.steps_per_epoch,
        standardize=config.standardize,
    )
    with stopwatch("augment"):
        training_sets = datamodule.training_sets
    balances = [each.augmented.balance for each in training_sets]
    fallbacks = warn_of_fallbacks(balances, texts.class_names)

    classifier = instantiate(config.classifier, _convert_="all")(
        n_features=embeddings.shape[1],
        n_classes=len(texts.class_names),
        minority=datamodule.minority,
        seeds=[derive_seed("weights", member.seed, member.fold) for member in members],
    )
    logger = instantiate(config.logger, _convert_="all") if config.logger.get("_target_") else None
    exit_code = 1
    try:
        with stopwatch("train"):
            trainer = Trainer(
                max_epochs=datamodule.n_epochs,
                logger=logger or False,
                callbacks=[TrainingBar()] if config.trainer.enable_progress_bar else None,
                enable_checkpointing=False,
                num_sanity_val_steps=0,
                **{"enable_model_summary": False, "log_every_n_steps": 1, **OmegaConf.to_container(config.trainer)},  # type: ignore[dict-item]
            )
            trainer.fit(classifier, datamodule)
        with stopwatch("score"):
            blocks = trainer.predict(classifier, datamodule=datamodule)
            assert blocks is not None
            validation = predicted(blocks[0], [len(member.validation) for member in members])
            test = predicted(blocks[1], [len(member.test) for member in members])
            outcome = results.score(datamodule, validation, test, config.target_prior)
            probabilities_sha256 = results.write_probabilities(folder, datamodule, test)

        result = {
            "schema": record.SCHEMA,
            "run": folder.name,
            "name": config.name,
            "identity": configuration.identity(config),
            "choices": configuration.run_choices(config, HydraConfig.get().runtime.choices),
            "config": OmegaConf.to_container(config, resolve=True),
            "versions": record.versions(),
            "git_commit": record.git_commit(),
            "data": {
                "name": texts.name,
                "source": dataset.source(),
                "fingerprint": texts.fingerprint,
                "embeddings_sha256": array_sha256(embeddings),
                "report": texts.report,
                "class_names": texts.class_names,
                "rows_per_class": texts.rows_per_class.tolist(),
                "minority": [texts.class_names[label] for label in datamodule.minority],
            },
            "encoder": cache.identity,
            "scores": record.as_table(record.SCORE_COLUMNS, outcome["scores"]),
            "confusion": outcome["confusion"],
            "offsets": outcome["offsets"],
            "balance": results.balance_table(datamodule, balances),
            "warnings": fallbacks,
            "diagnostics": [
                {"seed": each.member.seed, "fold": each.member.fold, **row}
                for each in training_sets
                for row in each.augmented.diagnostics
            ],
            "curves": results.curve_table(datamodule, classifier),
            "best": results.best_table(datamodule, classifier),
            "probabilities_sha256": probabilities_sha256,
            "cost": {
                "seconds": stopwatch.seconds,
                "peak_memory_bytes": record.peak_memory(),
                "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            },
        }
        path = record.write(folder, result)
        tracking.log_result(logger, result)
        exit_code = 0
    finally:
        tracking.finish(logger, exit_code)
    print(f"\n{folder.name}\n{results.summary(result)}\n\nrecord: {path}")
    return result


def cache_folder(cache_dir: str | None) -> Path:
    """Where embeddings are kept."""
    return Path(cache_dir).expanduser() if cache_dir else platformdirs.user_cache_path("synaug")
