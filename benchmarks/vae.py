"""Synthetic rows of the VAE for ten folds: ten splits at once against one after another."""

import argparse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from benchmarks import process
from benchmarks.generator import TRAINING_SHARE, D, augmented, embeddings, ten_folds
from benchmarks.measure import Arrays, Differs, Row, Stage, interleave, require_close

if TYPE_CHECKING:
    from synaug.splits import Split
    from synaug.training.training_sets import TrainingSet


def measure(args: argparse.Namespace) -> list[Row]:
    """Augment the same ten folds both ways."""
    with process.sides("benchmarks.vae", ("one_by_one", "synaug", "gemm"), args) as started:
        runs = interleave(started, args.repetitions, require_same)
    gflop = float(runs["synaug"][0].arrays["gflop"])
    per_fold = round(float(runs["synaug"][0].arrays["minority"].mean()))
    name = f"VAEs of 10 folds, {per_fold} minority rows each"
    return [Row.of(name, runs, "one_by_one", called="one fold after another", target=5.0, gflop=gflop)]


def require_same(computed: dict[str, Arrays]) -> None:
    """Demand the same synthetic rows, to the bit.

    Raises
    ------
    Differs
        If they are not, or if there are none.
    """
    one, other = computed["one_by_one"]["synthetic"], computed["synaug"]["synthetic"]
    if not len(one):
        raise Differs("the VAE made no row: nothing was measured")
    require_close(one, other, "synthetic rows")


def one_by_one(args: argparse.Namespace) -> Callable[[], Arrays]:
    """What a loop over folds does."""
    return _side(args, lambda chosen: [[each] for each in chosen])


def synaug(args: argparse.Namespace) -> Callable[[], Arrays]:
    """What a run does."""
    return _side(args, lambda chosen: [list(chosen)])


def _side(
    args: argparse.Namespace, grouped: Callable[[Sequence["Split"]], list[list["Split"]]]
) -> Callable[[], Arrays]:
    from synaug.augmenter import VAE, Augmenter

    rows, texts = embeddings(round(args.rows / TRAINING_SHARE))
    folds = ten_folds(texts, args.ratio)

    def augment(max_epochs: int) -> Arrays:
        sets: list[TrainingSet] = []
        for chosen in grouped(folds):
            augmenter = Augmenter(VAE(max_epochs=max_epochs, warmup_epochs=min(20, max_epochs)))
            sets += augmented(rows, texts, chosen, augmenter, ratio=args.ratio).training_sets
        made = np.concatenate([each.augmented.synthetic for each in sets])
        minority = [entry["rows"] for each in sets for entry in each.augmented.diagnostics]
        return {
            "synthetic": made,
            "minority": np.array(minority),
            "gflop": np.array(sum(needed_gflop(each) for each in sets)),
        }

    augment(2)
    return lambda: augment(args.max_epochs)


def needed_gflop(training_set: "TrainingSet", hidden: int = 256, latent: int = 32) -> float:
    """Operations of the training steps (not of judging and decoding), /1e9.

    Each row of an epoch meets every weight forwards, and backwards twice: for the weight's gradient and for its
    input's, which the first layer spares.
    """
    weights = 2 * D * hidden + 3 * hidden * latent
    total = 0.0
    for entry in training_set.augmented.diagnostics:
        held_out = round(0.1 * entry["rows"]) if entry["stopped_on"] == "validation" else 0
        total += entry["epochs"] * (entry["rows"] - held_out) * (6 * weights - 2 * D * hidden)
    return total / 1e9


STAGE = Stage(
    name="vae",
    about="Train the VAEs of ten folds and draw their synthetic rows.",
    sizes={
        "rows": (2000, "that train in each fold before thinning, 384-d"),
        "ratio": (5, "one minority row to so many"),
        "max_epochs": (200, "of each VAE; it stops early as it does in a run"),
    },
    measure=measure,
    sides={"one_by_one": one_by_one, "synaug": synaug},
)

if __name__ == "__main__":
    STAGE.main()
