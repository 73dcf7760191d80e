"""Ten folds of an MLP: stacks under one Trainer each, against Lightning fits and bare torch loops, one by one.

Of each fold there are two fits: one that is stopped by rows left out, and one that runs to the last step.
"""

import argparse
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks import process
from benchmarks.generator import BATCH_SIZE, N_FOLDS, TRAINING_SHARE, D, augmented, embeddings, ten_folds, training
from benchmarks.measure import Arrays, Differs, Row, interleave, require_close
from benchmarks.stage import Stage

if TYPE_CHECKING:
    from synaug.splits import Split

TARGETS = {"lightning": 10.0, "bare": 4.0}
CALLED = {"lightning": "Lightning fits, one by one", "bare": "bare torch loops, one by one"}
# Mean accuracies over ten folds of two programs that draw their own weights and batches.
ACCURACY_NOISE = 0.03
LEAST_ACCURACY = 0.7
HIDDEN, N_CLASSES = 128, 2
CHECKED_ALONE = 3


def measure(args: argparse.Namespace) -> list[Row]:
    """Train, choose weights and predict the test rows, all three ways."""
    steps = steps_per_epoch(args)
    with process.sides("benchmarks.train", (*TARGETS, "synaug", "gemm"), args) as started:
        runs = interleave(started, args.repetitions, require_alike)
        alone = started["synaug"](str(CHECKED_ALONE)).arrays
    require_close(
        alone["log_probabilities"][0],
        runs["synaug"][0].arrays["log_probabilities"][CHECKED_ALONE],
        f"log probabilities of fold {CHECKED_ALONE}, alone and in the stack",
    )
    gflop = needed_gflop(int(runs["synaug"][0].arrays["optimiser_steps"]))
    name = f"two fits of {N_FOLDS} folds of {args.rows} rows, {args.epochs} epochs of {steps} steps"
    return [
        Row.of(name, runs, peer, called=CALLED[peer], target=target, gflop=gflop) for peer, target in TARGETS.items()
    ]


def require_alike(computed: dict[str, Arrays]) -> None:
    """Demand that all learn alike.

    Raises
    ------
    Differs
        If mean test accuracies differ by more than `ACCURACY_NOISE`, or one has learnt little.
    """
    means = {name: float(computed[name]["accuracy"].mean()) for name in (*TARGETS, "synaug")}
    accuracies = np.array(list(means.values()))  # whose least and largest is NaN where there is one
    if not accuracies.min() >= LEAST_ACCURACY or not np.ptp(accuracies) <= ACCURACY_NOISE:
        raise Differs(f"mean test accuracies {means} must be within {ACCURACY_NOISE} and at least {LEAST_ACCURACY}")


def needed_gflop(optimiser_steps: int) -> float:
    """Operations of so many optimiser steps of all fits (validation, test and Adam itself left out), /1e9.

    Forwards a row meets every weight once, backwards twice, but for the first layer: nobody needs its input's gradient.
    """
    per_row = 4 * D * HIDDEN + 6 * HIDDEN * N_CLASSES
    return optimiser_steps * BATCH_SIZE * per_row / 1e9


def steps_per_epoch(args: argparse.Namespace) -> int:
    """Batches that hold the training rows of a fold once."""
    steps: int = math.ceil(args.rows / BATCH_SIZE)
    return steps


def lightning(args: argparse.Namespace) -> Callable[[], Arrays]:
    """A `Trainer.fit` for each, over a `DataLoader` of tensors."""
    from benchmarks import naive

    naive.quieten_lightning()
    return fold_by_fold(args, naive.fit)


def bare(args: argparse.Namespace) -> Callable[[], Arrays]:
    """A loop in torch alone for each."""
    from benchmarks import bare

    return fold_by_fold(args, bare.fit)


def fold_by_fold(args: argparse.Namespace, fit: Callable[..., Any]) -> Callable[[], Arrays]:
    """Fits of all folds, one after the other; `fit` as `benchmarks.naive.fit`."""
    import torch

    from benchmarks.naive import predict

    rows, texts = embeddings(round(args.rows / TRAINING_SHARE))
    folds = ten_folds(texts, None)
    steps = steps_per_epoch(args)

    def train(chosen: Sequence["Split"], epochs: int) -> Arrays:
        torch.manual_seed(0)
        accuracy = []
        for fold in chosen:
            train, left_out = ((rows[part], texts.labels[part]) for part in (fold.train, fold.out_of_fold))
            for watched in (left_out, None):
                model = fit(train, watched, epochs * steps, steps)
                accuracy.append((predict(model, rows[fold.test]) == texts.labels[fold.test]).mean())
        return {"accuracy": np.array(accuracy)}

    train(folds[:1], 1)
    return lambda: train(folds, args.epochs)


def synaug(args: argparse.Namespace, **of_training: Any) -> Callable[..., Arrays]:
    """The program's own way, from `synaug.pipeline.run`: all fits in stacks, or those of one fold alone.

    `of_training` are more arguments of `benchmarks.generator.training`.
    """
    from imblearn import FunctionSampler

    from synaug.augmenter import Augmenter

    rows, texts = embeddings(round(args.rows / TRAINING_SHARE))
    folds = ten_folds(texts, None)

    def train(chosen: Sequence["Split"], epochs: int) -> Arrays:
        data = augmented(rows, texts, chosen, Augmenter(FunctionSampler(), 0.0), ratio=None)
        predicted = training(epochs * steps_per_epoch(args), **of_training).fit(data)
        log_probabilities = [[of_split.chosen["prior_corrected"].test, of_split.last] for of_split in predicted.splits]
        accuracy = [
            (of_fit.argmax(1) == texts.labels[fold.test]).mean()
            for of_split, fold in zip(log_probabilities, chosen, strict=True)
            for of_fit in of_split
        ]
        # Folds may differ by a row; all are filled up with zeros, which equal themselves.
        longest = max(len(fold.test) for fold in folds)
        padded = [
            [np.pad(of_fit, ((0, longest - len(of_fit)), (0, 0))) for of_fit in of_split]
            for of_split in log_probabilities
        ]
        return {
            "accuracy": np.array(accuracy),
            "log_probabilities": np.array(padded),
            "optimiser_steps": np.array(predicted.optimiser_steps),
        }

    train(folds, 1)
    return lambda index=None: train(folds if index is None else [folds[int(index)]], args.epochs)


STAGE = Stage(
    name="train",
    about="Train MLPs (384 -> 128 -> 2) on ten folds, keep the best weights and the last, predict the test rows.",
    sizes={"rows": (2000, "that train in each fold, 384-d"), "epochs": (10, "of batches of 64")},
    measure=measure,
    sides={"lightning": lightning, "bare": bare, "synaug": synaug},
)

if __name__ == "__main__":
    STAGE.main()
