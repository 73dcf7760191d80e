"""Rows like embeddings, drawn instead of read: classes that overlap, a spread of few dimensions, length 1."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from synaug.augmenter import Augmenter
    from synaug.dataset import LabelledTexts
    from synaug.splits import Member
    from synaug.training.datamodule import EmbeddingDataModule

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


def members(texts: "LabelledTexts", ratio: float | None) -> list["Member"]:
    """Ten folds, thinned to a ratio."""
    from synaug.imbalance_ratio import ImbalanceRatio
    from synaug.splits import split

    return list(
        split(
            texts.name,
            texts.labels,
            texts.class_names,
            ImbalanceRatio(ratio),
            seeds=[0],
            n_folds=N_FOLDS,
            validation_share=VALIDATION_SHARE,
            thin_validation=False,
        )
    )


def datamodule(
    rows: NDArray[np.float32],
    texts: "LabelledTexts",
    chosen: Sequence["Member"],
    augmenter: "Augmenter",
    *,
    ratio: float | None,
    epochs: int = 1,
    steps_per_epoch: int = 1,
) -> "EmbeddingDataModule":
    """The program's own way from rows to batches, for these members."""
    from synaug.imbalance_ratio import ImbalanceRatio
    from synaug.training.datamodule import EmbeddingDataModule

    return EmbeddingDataModule(
        rows,
        texts,
        chosen,
        imbalance_ratio=ImbalanceRatio(ratio),
        augmenter=augmenter,
        batch_size=BATCH_SIZE,
        max_steps=epochs * steps_per_epoch,
        steps_per_epoch=steps_per_epoch,
        standardize=False,
    )
