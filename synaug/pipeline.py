"""One run, top to bottom: the way of the data."""

import logging
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from hydra.utils import instantiate
from imblearn import FunctionSampler
from numpy.typing import NDArray
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.loggers import Logger

from synaug import record, settings
from synaug.augmenter import Augmenter
from synaug.augmenter.balance import fallbacks, warn_of_fallbacks
from synaug.augmenter.texts import said_of_texts
from synaug.augmenter.tightness import said_of_spread
from synaug.classifier import FineTuned
from synaug.comparison import power
from synaug.dataset import LabelledTexts, TextSource
from synaug.embeddings.cache import EmbeddingCache, Encoded, cache_folder
from synaug.encoder.contract import for_dataset
from synaug.encoder.workers import torch_threads
from synaug.errors import UserError, is_out_of_memory
from synaug.files.digest import array_sha256
from synaug.imbalance_ratio import ImbalanceRatio
from synaug.loss import Loss
from synaug.parts import make_augmenters, make_loss, make_training, make_tuning
from synaug.quality import audit, geometry
from synaug.record.cost import Cost
from synaug.record.extending import extend
from synaug.record.tables import FAULT_COLUMNS, GEOMETRY_COLUMNS, LABEL_NOISE_COLUMNS, QUALITY_COLUMNS, as_table
from synaug.scores.decision import ARGMAX, ARGMAX_CHOSEN_STEP, CANDIDATES, TAU_NORM
from synaug.scores.probabilities import Said, probabilities
from synaug.scores.score import ToScore, as_it_is, judged
from synaug.scores.score import score as score_splits
from synaug.settings import names
from synaug.splits import (
    Split,
    Validation,
    make_splits,
    minority_by_seed,
    said_of_unjudged,
    split_of_all_rows,
    texts_to_split,
    unjudged_by_seed,
)
from synaug.splits.near_copies import near_copies, said_of_near_copies, warn_of_near_copies
from synaug.sweep import interrupts
from synaug.tracking import wandb_run
from synaug.training import tables
from synaug.training.amounts import Fitted, best_of
from synaug.training.fit import Fits
from synaug.training.predictions import OfSplit, Predictions
from synaug.training.training_sets import Graphs, Spaces, TrainingData, neighbour_graphs
from synaug.training.training_sets import augment as augment_splits
from synaug.training.watch import judge_of
from synaug.tuning.spaces import tuned_spaces
from synaug.tuning.training import TunedTraining

log = logging.getLogger(__name__)

MOST_OF_A_REASON = 300  # characters of an error that a record names


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
    is_first
        Whether no other job of its sweep comes before it; what is alike for all jobs, the console has from the first.
    """

    identity: str
    sources: Mapping[str, str]
    choices: Mapping[str, str]
    overrides: Sequence[str]
    configs_sha256: str | None
    plan: record.Plan
    is_first: bool = True


@dataclass(frozen=True)
class Prepared:
    """Texts, and all that is settled before a row is made.

    Attributes
    ----------
    texts
        The data set.
    imbalance_ratio
        How many rows each class keeps.
    validation
        How rows are left out to choose steps and decision rules.
    augmenters
        What makes synthetic rows, or brings them; one for each amount that there is to choose from, ascending.
    loss
        What is trained on.
    splits
        Which rows train and test.
    near_copies
        For each class, the share of test rows that a training row is nearly the same as.
    embeddings, embeddings_sha256
        float32 `[n, d]`, row by row those of the texts, and their digest.
    encoder
        What made them.
    encoded
        What of them was not in the cache.
    option
        What the augmenter is called where it was chosen; nothing where it was made in Python.
    """

    texts: LabelledTexts
    imbalance_ratio: ImbalanceRatio
    validation: Validation
    augmenters: Sequence[Augmenter]
    loss: Loss
    splits: Sequence[Split]
    near_copies: Mapping[str, float]
    embeddings: NDArray[np.float32]
    embeddings_sha256: str
    encoder: Mapping[str, Any]
    encoded: Encoded
    option: str = ""


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
        warn_of_near_copies(prepared.near_copies, prepared.texts.title)
        described = describe(prepared, asked.sources["dataset"])
        for sentence in said_of_unjudged(described["data"]["unjudged_by_seed"], config.n_folds):
            log.warning("%s", sentence)
        with logging_to(config.logger) as logger:
            training = training_of(config, prepared)
            fitted = augment_and_fit(config, prepared, training, cost)
            data, predictions = fitted.data, fitted.predictions
            with of_no_consequence():
                wandb_run.log_curves(logger, predictions.curves.steps.tolist(), predictions.curves.points)
            scored = score(data, predictions, cost)
            computed = {
                **provenance(config, folder, asked),
                **described,
                **scored,
                **written_texts(prepared),
                **look_into(data, predictions, cost, audited=not isinstance(training, TunedTraining)),
                **training_tables(data, predictions),
                "amounts": tables.amounts(fitted),
                "cost": spent(cost, prepared.encoded, predictions),
            }
            recorded = extend(folder, computed, log_probabilities(data, predictions), warnings_of)
            forget(training)  # not before: a run that is killed while it is scored trains nothing anew
            log.info("%s", cost.line())
            with of_no_consequence():
                wandb_run.log_result(logger, recorded)
    return recorded


class Loaded(NamedTuple):
    """A data set with its texts, the encoder that is to embed them, and how rows are to be kept and left out."""

    dataset: TextSource
    encoder: Any
    imbalance_ratio: ImbalanceRatio
    validation: Validation
    texts: LabelledTexts


def load(config: DictConfig) -> Loaded:
    """Load the texts that a run trains, validates and tests on.

    Raises
    ------
    UserError
        If they cannot be read, or if the caps leave the classes too few of them.
    """
    dataset, encoder, imbalance_ratio, validation = (
        instantiate(config[group], _convert_="all") for group in ("dataset", "encoder", "imbalance_ratio", "validation")
    )
    encoder = for_dataset(encoder, dataset)
    texts = texts_to_split(dataset, encoder, imbalance_ratio, validation, config.n_folds)
    return Loaded(dataset, encoder, imbalance_ratio, validation, texts)


def prepare(config: DictConfig, name: str, asked: Asked, cost: Cost) -> Prepared:
    """Load the texts, settle the splits, and look the embeddings up.

    Raises
    ------
    UserError
        If the data or the weights are not those that the run of this name was named for, or if the classes have too
        few rows.
    """
    with cost.stage("load"):
        dataset, encoder, imbalance_ratio, validation, texts = load(config)
        # Before the texts are encoded: what augmenter, loss, ratio and folds cannot have is said at once.
        *_, augmenter = augmenters = make_augmenters(config.augmenter)  # the last has the largest amount
        augmenter = augmenter.matched(texts)
        brought = {"augmenter": augmenter.sampler.digest()} if augmenter.brings_texts else {}
        if {"dataset": dataset.source(), "encoder": encoder.source(), **brought} != asked.sources:
            raise UserError(f"the data or weights of {name} changed while it started: give the command again")
        loss = make_loss(config.loss, texts.class_names)
        split = partial(
            make_splits,
            texts.name,
            texts.labels,
            texts.class_names,
            imbalance_ratio,
            n_folds=config.n_folds,
            validation=validation,
            groups=texts.groups,
        )
        splits = split(seeds=asked.plan.compute)
        minority = minority_by_seed(splits, texts.class_names)
        log.info(
            "%s: %d rows; minority: %s (imbalance_ratio.minority=[...] chooses)",
            texts.title,
            len(texts.labels),
            "; ".join(
                dict.fromkeys(", ".join(map(names.of_class, of_seed)) or "none" for of_seed in minority.values())
            ),
        )
        n_classes = len(texts.class_names)
        test_rows = np.mean([np.bincount(texts.labels[split.test], minlength=n_classes) for split in splits], axis=0)
        level = logging.INFO if asked.is_first else logging.DEBUG
        log.log(level, "%s", power.sentence_before(test_rows, config.n_folds, len(asked.plan.holds)))
    with cost.stage("embed"):
        cache = EmbeddingCache(encoder, cache_folder(config.cache_dir))
        embeddings = cache.embeddings_of(texts, progress_bar=config.trainer.enable_progress_bar)
        encoded = cache.encoded
        digest = array_sha256(embeddings)
        if augmenter.texts:
            own = cache.embed(augmenter.texts, progress_bar=config.trainer.enable_progress_bar)
            augmenter, encoded = augmenter.embedded(own, embeddings), encoded + cache.encoded
        plan = asked.plan.held_to(digest)
        if plan != asked.plan:
            log.warning("%s: %s", name, plan.remark)
            splits = split(seeds=plan.compute)
        copies = near_copies(embeddings, texts.labels, texts.class_names, splits)
    cost.count("embed", encoded.texts, encoded.flops)
    return Prepared(
        texts,
        imbalance_ratio,
        validation,
        [augmenter.with_amount(each.amount) for each in augmenters],
        loss,
        splits,
        copies,
        embeddings,
        digest,
        cache.identity,
        encoded,
        asked.choices.get("augmenter", ""),
    )


def training_of(config: DictConfig, prepared: Prepared, *, keep: bool = False) -> Fits:
    """What trains the classifiers of a run; `keep`: it also returns them (`OfSplit.members`)."""
    sampler, final = prepared.augmenters[-1].sampler, prepared.validation.final
    return make_training(config, prepared.texts, prepared.loss, sampler, final, keep=keep)


def augment_and_fit(config: DictConfig, prepared: Prepared, training: Fits, cost: Cost) -> Fitted:
    """Make the synthetic rows and train on them; with several amounts to choose from, with each of these."""
    augmenters = prepared.augmenters
    graphs = neighbours(config, prepared)
    spaces = tune(config, prepared, graphs, cost, keep=training.keep)

    def fitted(augmenter: Augmenter) -> Fitted:
        data = augment(config, prepared, augmenter, graphs, cost, spaces)
        if len(augmenters) == 1:  # of several, what was chosen is warned of in the end
            warn_of_rows(prepared, data)
        return Fitted.with_amount(augmenter.amount, data, fit(training, data, cost))

    best = best_of(augmenters, fitted)
    if len(augmenters) > 1:
        warn_of_rows(prepared, best.data)
        log.info("%s", best.sentence())
    return best


def forget(training: Fits) -> None:
    """Remove what a training has kept against an interruption, as its results are known elsewhere."""
    if isinstance(training, TunedTraining):
        training.forget()


def on_all_rows(prepared: Prepared, seed: int) -> Prepared:
    """The same data, for one classifier that is to be used: all rows train (`synaug.splits.split_of_all_rows`)."""
    texts = prepared.texts
    split = split_of_all_rows(
        texts.name,
        texts.labels,
        texts.class_names,
        prepared.imbalance_ratio,
        seed=seed,
        validation=prepared.validation,
        groups=texts.groups,
    )
    return replace(prepared, splits=[split])


def neighbours(config: DictConfig, prepared: Prepared) -> Graphs:
    """The data set's neighbours, which all splits and amounts share."""
    return neighbour_graphs(
        prepared.embeddings,
        prepared.texts.labels,
        cache_folder(config.cache_dir) / "neighbours",
        prepared.embeddings_sha256,
    )


def warn_of_rows(prepared: Prepared, data: TrainingData) -> None:
    """Say once what a reader should know of the rows that were made or brought."""
    balance, diagnostics = tables.balance(data), tables.diagnostics(data)
    warn_of_fallbacks(balance, data.class_names)
    of_texts = said_of_texts({**written_texts(prepared), "balance": balance, "diagnostics": diagnostics})
    for sentence in (*said_of_spread(diagnostics), *of_texts):
        log.warning("%s", sentence)


def tune(config: DictConfig, prepared: Prepared, graphs: Graphs, cost: Cost, *, keep: bool = False) -> Spaces | None:
    """Where a tuned encoder puts the texts, for each training set; None where encoders are not tuned beforehand.

    Parameters
    ----------
    keep
        Whether spaces are to have the weights of their encoders.
    """
    classifier = instantiate(config.classifier, _convert_="all")
    if not isinstance(classifier, FineTuned) or classifier.when != settings.FEATURES:
        return None
    with cost.stage("tune"):
        data = augment_splits(
            prepared.texts,
            prepared.embeddings,
            prepared.splits,
            Augmenter(FunctionSampler()),
            graphs,
            ratio=prepared.imbalance_ratio.ratio,
            target_prior=config.target_prior,
        )
        tuning = make_tuning(config, prepared.texts, prepared.loss, classifier)
        tuned = tuned_spaces(tuning, data, cache_folder(config.cache_dir) / "neighbours", keep=keep)
    cost.count("tune", tuned.n_trained, tuned.flops + (tuned.encoded.flops or 0))
    return tuned.lookup


def augment(
    config: DictConfig,
    prepared: Prepared,
    augmenter: Augmenter,
    graphs: Graphs,
    cost: Cost,
    spaces: Spaces | None = None,
) -> TrainingData:
    """Make the synthetic rows of every training set, in one space or in those of `tune`."""
    flops_before = sum(graph.flops_done for graph in graphs.values())
    with cost.stage("augment"):
        n_splits = len(prepared.splits)
        log.info(
            "augmenting the training rows of %d splits, and of their inner folds: %s",
            n_splits,
            prepared.option or augmenter.name,
        )
        data = augment_splits(
            prepared.texts,
            prepared.embeddings,
            prepared.splits,
            augmenter,
            graphs,
            ratio=prepared.imbalance_ratio.ratio,
            replicas=config.augmenter.replicas,
            standardize=config.standardize,
            target_prior=config.target_prior,
            spaces=spaces,
        )
    n_synthetic = sum(len(training_set.augmented.synthetic) for training_set in data.training_sets)
    cost.count("augment", n_synthetic, sum(graph.flops_done for graph in graphs.values()) - flops_before)
    return data


def look_into(data: TrainingData, predictions: Predictions, cost: Cost, *, audited: bool = True) -> dict[str, Any]:
    """What the synthetic rows are like beside real ones, how classes lie, and which labels are doubtful.

    Nothing is chosen by it, and the run has trained: a fault of ours costs the table that it is in, which is empty
    then, and is logged with its traceback. The table `faults` names it, for each seed. A lack of memory is no fault of
    ours, and is raised.

    Parameters
    ----------
    audited
        Whether the synthetic rows of `data` are those that trained: where rows are mixed anew in each batch, there are
        none to look at.
    """
    looks: Sequence[tuple[str, Sequence[str], Callable[[], dict[str, Any]]]] = [
        ("quality", QUALITY_COLUMNS, lambda: audit(data) if audited else as_table(QUALITY_COLUMNS, ())),
        (
            "geometry",
            GEOMETRY_COLUMNS,
            lambda: geometry(data.dataset, data.embeddings, data.labels, data.class_names, data.splits),
        ),
        ("label_noise", LABEL_NOISE_COLUMNS, lambda: tables.label_noise(data, predictions)),
    ]
    found: dict[str, Any] = {}
    faults = []
    with cost.stage("audit"):
        for name, columns, look in looks:
            try:
                found[name] = look()
            except Exception as error:
                if is_out_of_memory(error) or interrupts.behind(error) is not None:
                    raise
                log.exception("the record's table %s is empty because of a fault in synaug; the rest is recorded", name)
                found[name] = as_table(columns, ())
                reason = f"{type(error).__name__}: {error}"[:MOST_OF_A_REASON]
                faults += [[seed, name, reason] for seed in sorted({split.seed for split in data.splits})]
    return {**found, "faults": as_table(FAULT_COLUMNS, faults)}


def fit(training: Fits, data: TrainingData, cost: Cost) -> Predictions:
    """Train, and predict the rows that did not."""
    with cost.stage("train"):
        predictions = training.fit(data)
    cost.count("train", predictions.n_trained, predictions.flops)
    return predictions


def score(data: TrainingData, predictions: Predictions, cost: Cost) -> dict[str, Any]:
    """Score all splits under all decision rules."""
    with cost.stage("score"):
        splits = [to_score(data, place, of_split) for place, of_split in enumerate(predictions.splits)]
        scored = score_splits(splits, data.class_names)
    cost.count("score", predictions.n_predicted)
    return scored


def log_probabilities(data: TrainingData, predictions: Predictions) -> dict[str, NDArray[np.generic]]:
    """Those that the record keeps: of each split each rule's, at its own step."""
    said = [
        Said(
            split,
            {
                ARGMAX: of_split.last,
                **({} if of_split.tau_norm is None else {TAU_NORM: of_split.tau_norm.test}),
                **{rule: chosen.test for rule, chosen in of_split.chosen.items()},
            },
            {rule: chosen.out_of_fold for rule, chosen in of_split.chosen.items()},
        )
        for split, of_split in zip(data.splits, predictions.splits, strict=True)
    ]
    return probabilities(data.labels, said)


def warnings_of(recorded: Mapping[str, Any]) -> list[str]:
    """What a reader of a record is warned of, over all of its seeds."""
    data = recorded["data"]
    return [
        *said_of_near_copies(data["near_copies"], data["name"]),
        *said_of_unjudged(data["unjudged_by_seed"], recorded["config"]["n_folds"]),
        *(each.sentence for each in fallbacks(recorded["balance"], data["class_names"])),
        *said_of_spread(recorded["diagnostics"]),
        *said_of_texts(recorded),
    ]


def to_score(data: TrainingData, place: int, predicted: OfSplit) -> ToScore:
    """What there is to score in one split: the rules that may be chosen, and others beside them."""
    split, judge = data.splits[place], judge_of(data, place)
    first = predicted.chosen[CANDIDATES[0].name]
    rules = [as_it_is(ARGMAX, predicted.last), as_it_is(ARGMAX_CHOSEN_STEP, first.test_as_it_is)]
    if predicted.tau_norm is not None:
        rules.append(as_it_is(TAU_NORM, predicted.tau_norm.test))
    for rule in CANDIDATES:
        chosen = predicted.chosen[rule.name]
        rules.append(judged(rule, judge.known(chosen.out_of_fold), chosen.test))
    return ToScore(split.seed, split.fold, split.minority, data.labels[split.test], judge.labels, rules)


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
    of_seeds = minority_by_seed(prepared.splits, texts.class_names)
    out_of_fold = {
        str(split.seed): np.bincount(texts.labels[split.out_of_fold], minlength=len(texts.class_names)).tolist()
        for split in prepared.splits
        if split.fold == 0
    }
    data = {
        "source": source,
        "name": texts.title,
        "fingerprint": texts.fingerprint,
        "embeddings_sha256": prepared.embeddings_sha256,
        "report": texts.report,
        "class_names": texts.class_names,
        "out_of_fold_rows_by_seed": out_of_fold,  # of its first fold
        "unjudged_by_seed": unjudged_by_seed(prepared.splits, texts.labels, texts.class_names),
        "rows_per_class": texts.rows_per_class.tolist(),
        "minority": [name for name in texts.class_names if any(name in minority for minority in of_seeds.values())],
        "minority_by_seed": of_seeds,
        "near_copies": dict(prepared.near_copies),
    }
    return {"data": data, "encoder": prepared.encoder}


def written_texts(prepared: Prepared) -> dict[str, Any]:
    """What became of the texts that an augmenter brought; nothing of one that makes its rows."""
    augmenter = prepared.augmenters[-1]
    return {"written_texts": augmenter.sampler.report} if augmenter.brings_texts else {}


def training_tables(data: TrainingData, predictions: Predictions) -> dict[str, Any]:
    """What was trained on, and how it went."""
    return {
        "balance": tables.balance(data),
        "diagnostics": tables.diagnostics(data),
        "curves": tables.curves(data, predictions.curves),
        "best": tables.best(data, predictions),
        "tau_norm": tables.tau_norm(data, predictions),
    }


def spent(cost: Cost, encoded: Encoded, predictions: Predictions) -> dict[str, Any]:
    """What the run took, and when it was done."""
    return {
        **cost.table(),
        "members": predictions.members,
        "optimiser_steps": predictions.optimiser_steps,
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
        if interrupts.behind(error) is not None:
            raise
        said = "the logger failed (%s: %s); the run does not depend on it"
        log.warning(said, type(error).__name__, error, exc_info=True)


def quieten_lightning() -> None:
    """Silence Lightning's advertisements and its deprecation warning about torch."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", message=".*LeafSpec", module="pytorch_lightning")
    warnings.filterwarnings("ignore", message="The `srun` command is available")  # a run is one process
