"""Rows like embeddings, drawn instead of read: classes that overlap, a spread of few dimensions, length 1."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from synaug.augmenter import Augmenter
    from synaug.dataset import LabelledTexts
    from synaug.splits import Split
    from synaug.training.fit import StackedTraining
    from synaug.training.training_sets import TrainingData

D = 384
BATCH_SIZE = 64
N_FOLDS = 10
VALIDATION_SHARE = 0.1
# Of the rows, what trains: neither in the test fold nor in the validation part.
TRAINING_SHARE = (1 - 1 / N_FOLDS) * (1 - VALIDATION_SHARE)


def embeddings(n_rows: int, *, seed: int = 0) -> tuple[NDArray[np.float32], "LabelledTexts"]:
    """Rows `[n_rows, 384]` of two classes of like size that a linear model tells apart nearly always."""
    from synaug.dataset import LabelledTexts

    draw = np.random.RandomState(seed)
    labels = np.arange(n_rows) % 2
    shared = draw.standard_normal((n_rows, 32)) @ draw.standard_normal((32, D)) / 6
    rows = shared + draw.standard_normal((n_rows, D)) / 2
    rows += np.where(labels == 1, 1, -1)[:, None] * draw.standard_normal(D) / 8
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    texts = LabelledTexts("generated", [str(row) for row in range(n_rows)], labels, ("a", "b"))
    return rows.astype(np.float32), texts


def ten_folds(texts: "LabelledTexts", ratio: float | None) -> list["Split"]:
    """Ten folds, thinned to a ratio, each with one part left out to choose by: two fits each, of the same rows."""
    from synaug.imbalance_ratio import ImbalanceRatio
    from synaug.splits import make_splits
    from synaug.validation import Oracle

    return make_splits(
        texts.name,
        texts.labels,
        texts.class_names,
        ImbalanceRatio(ratio),
        seeds=[0],
        n_folds=N_FOLDS,
        validation=Oracle(VALIDATION_SHARE),
    )


def augmented(
    rows: NDArray[np.float32],
    texts: "LabelledTexts",
    chosen: Sequence["Split"],
    augmenter: "Augmenter",
    *,
    ratio: float | None,
) -> "TrainingData":
    """The program's own way from rows to training sets, for these splits."""
    from synaug.training.training_sets import augment, neighbour_graphs

    graphs = neighbour_graphs(rows, texts.labels)
    return augment(texts, rows, chosen, augmenter, graphs, ratio=ratio)


def training(max_steps: int, *, accelerator: str = "auto", cuda_graphs: bool = True) -> "StackedTraining":
    """The program's default classifier and loss, on batches of 64; `accelerator` is Lightning's word."""
    from hydra import compose, initialize_config_dir
    from hydra.utils import instantiate

    from synaug.pipeline import quieten_lightning
    from synaug.settings import BAGGED, conf_dir
    from synaug.training.fit import StackedTraining

    quieten_lightning()
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        config = compose("config")
    trainer: dict[str, Any] = {**config.trainer, "accelerator": accelerator, "enable_progress_bar": False}
    return StackedTraining(
        instantiate(config.classifier),
        instantiate(config.loss),
        BATCH_SIZE,
        max_steps,
        trainer,
        final=BAGGED,
        cuda_graphs=cuda_graphs,
    )
