"""Synthetic rows of the VAE for ten folds: one stack against a loop over folds, and gradients by hand or autograd."""

import argparse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING
from unittest import mock

import numpy as np

from benchmarks import process
from benchmarks.generator import TRAINING_SHARE, D, augmented, embeddings, ten_folds
from benchmarks.measure import Arrays, Differs, Row, interleave, require_close
from benchmarks.stage import Stage

if TYPE_CHECKING:
    from synaug.splits import Split
    from synaug.training.training_sets import TrainingSet

# Of a synthetic row's numbers, which are about 0.05: what two orders of the same sums may make of them.
ROUNDING = 2e-3


def measure(args: argparse.Namespace) -> list[Row]:
    """Augment the same ten folds one after the other and at once; and at once for some epochs, by both gradients."""
    with process.sides("benchmarks.vae", ("one_by_one", "synaug", "gemm"), args) as started:
        runs = interleave(started, args.repetitions, require_same)
    with process.sides("benchmarks.vae", ("by_autograd", "by_hand"), args) as started:
        by_gradients = interleave(started, args.repetitions, require_alike)
    gflop = float(runs["synaug"][0].arrays["gflop"])
    per_fold = round(float(runs["synaug"][0].arrays["minority"].mean()))
    name = f"VAEs of 10 folds, {per_fold} minority rows each"
    return [
        Row.of(name, runs, "one_by_one", called="one fold after another", target=5.0, gflop=gflop),
        Row.of(
            f"{name}, {args.gradient_epochs} epochs",
            by_gradients,
            "by_autograd",
            called="the same, gradients by autograd",
            synaug="by_hand",
        ),
    ]


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


def require_alike(computed: dict[str, Arrays]) -> None:
    """Demand the same synthetic rows but for rounding, which an epoch hands on to the next.

    Raises
    ------
    Differs
        If they are not.
    """
    one, other = computed["by_autograd"]["synthetic"], computed["by_hand"]["synthetic"]
    require_close(one, other, "synthetic rows by both gradients", ROUNDING)


def one_by_one(args: argparse.Namespace) -> Callable[[], Arrays]:
    """What a loop over folds does."""
    return _side(args, lambda chosen: [[each] for each in chosen])


def synaug(args: argparse.Namespace) -> Callable[[], Arrays]:
    """What a run does."""
    return _side(args, lambda chosen: [list(chosen)])


def by_hand(args: argparse.Namespace) -> Callable[[], Arrays]:
    """What a run does, and no VAE stops before the others."""
    return _side(args, lambda chosen: [list(chosen)], args.gradient_epochs)


def by_autograd(args: argparse.Namespace) -> Callable[[], Arrays]:
    """The same with a loss that torch differentiates."""
    import torch
    from torch.optim.adam import adam

    from synaug.augmenter.vae import network, training

    class ByAutograd(network.StackedVAE):
        """Gradients as torch makes them; they go into Adam's step as they are."""

        def differentiate(self, x: torch.Tensor, noise: torch.Tensor, share: torch.Tensor, beta: float) -> None:
            for weight in self.weights:
                weight.requires_grad_()
            with torch.enable_grad():
                squares, kl = self.elbo_terms(x, noise)
                loss = torch.vdot((squares / 2 + beta * kl).flatten(), share.flatten())
                self.gradients = list(torch.autograd.grad(loss, self.weights))

        def step(self, lr: float) -> None:
            weights, _, means, squares = self._views()
            steps = [self._steps[0].clone() for _ in weights]
            adam(weights, self.gradients, means, squares, [], steps, lr=lr, **network.ADAM)
            self._steps = steps[:1]

    def augment() -> Arrays:
        with mock.patch.object(training, "StackedVAE", ByAutograd):
            return timed()

    timed = by_hand(args)
    augment()
    return augment


def _side(
    args: argparse.Namespace,
    grouped: Callable[[Sequence["Split"]], list[list["Split"]]],
    epochs: int | None = None,
) -> Callable[[], Arrays]:
    """Augment the folds in groups; with `epochs`, every VAE trains so long."""
    from synaug.augmenter import VAE, Augmenter

    rows, texts = embeddings(round(args.rows / TRAINING_SHARE))
    folds = ten_folds(texts, args.ratio)

    def augment(max_epochs: int) -> Arrays:
        sets: list[TrainingSet] = []
        for chosen in grouped(folds):
            patience = 20 if epochs is None else max_epochs
            augmenter = Augmenter(VAE(max_epochs=max_epochs, warmup_epochs=min(20, max_epochs), patience=patience))
            sets += augmented(rows, texts, chosen, augmenter, ratio=args.ratio).training_sets
        made = np.concatenate([each.augmented.synthetic_embeddings for each in sets])
        minority = [entry["rows"] for each in sets for entry in each.augmented.diagnostics]
        return {
            "synthetic": made,
            "minority": np.array(minority),
            "gflop": np.array(sum(needed_gflop(each) for each in sets)),
        }

    augment(2)
    return lambda: augment(args.max_epochs if epochs is None else epochs)


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
        "gradient_epochs": (20, "of each VAE, for the comparison of gradients"),
    },
    measure=measure,
    sides={"one_by_one": one_by_one, "synaug": synaug, "by_hand": by_hand, "by_autograd": by_autograd},
)

if __name__ == "__main__":
    STAGE.main()
