"""Synthetic rows of the VAE for ten folds: one stack against a loop over folds, and gradients by hand or autograd."""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
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


def measure(args: argparse.Namespace) -> list[Row]:
    """Augment the same ten folds one after the other and at once; and at once for some epochs, by both gradients."""
    with process.sides("benchmarks.vae", ("one_by_one", "synaug", "gemm"), args) as started:
        runs = interleave(started, args.repetitions, require_same)
    with process.sides("benchmarks.vae", ("by_hand", "by_autograd"), args) as started:
        by_gradients = interleave(started, args.repetitions, partial(require_same, sides=("by_hand", "by_autograd")))
    gflop = float(runs["synaug"][0].arrays["gflop"])
    per_fold = round(float(runs["synaug"][0].arrays["minority"].mean()))
    name = f"VAEs of 10 folds, {per_fold} minority rows each"
    return [
        Row.of(name, runs, "one_by_one", called="one fold after another", target=5.0, gflop=gflop),
        Row.of(
            f"{name}, {args.gradient_epochs} epochs",
            by_gradients,
            "by_hand",
            called="the same, gradients by hand",
            synaug="by_autograd",
        ),
    ]


def require_same(computed: dict[str, Arrays], sides: tuple[str, str] = ("one_by_one", "synaug")) -> None:
    """Demand the same synthetic rows of two sides, to the bit.

    Raises
    ------
    Differs
        If they are not, or if there are none.
    """
    one, other = (computed[side]["synthetic"] for side in sides)
    if not len(one):
        raise Differs("the VAE made no row: nothing was measured")
    require_close(one, other, "synthetic rows")


def one_by_one(args: argparse.Namespace) -> Callable[[], Arrays]:
    """What a loop over folds does."""
    return _side(args, lambda chosen: [[split] for split in chosen])


def synaug(args: argparse.Namespace) -> Callable[[], Arrays]:
    """What a run does."""
    return _side(args, lambda chosen: [list(chosen)])


def by_autograd(args: argparse.Namespace) -> Callable[[], Arrays]:
    """What a run does, and no VAE stops before the others."""
    return _side(args, lambda chosen: [list(chosen)], args.gradient_epochs)


def by_hand(args: argparse.Namespace) -> Callable[[], Arrays]:
    """The same with the gradients that somebody writes who counts calls and memory."""
    import torch

    from synaug.augmenter.vae import network, training

    class ByHand(network.StackedVAE):
        """Backwards through ``d -> hidden -> (mu, log var)`` and ``latent -> hidden -> d``."""

        def differentiate(self, x: torch.Tensor, noise: torch.Tensor, share: torch.Tensor, beta: float) -> None:
            gradients = {}

            def of_layer(layer: int, entering: torch.Tensor, by_leaving: torch.Tensor) -> None:
                gradients[layer] = torch.bmm(entering.mT, by_leaving)
                gradients[layer + 1] = by_leaving.sum(1, keepdim=True)

            _, _, w2, _, w3, _, w4, _ = self.weights
            encoder_hidden = self._hidden(x, 0)
            mu, log_var = self._code(encoder_hidden)
            std = (log_var / 2).exp()
            deviation = std * noise
            z = mu + deviation
            decoder_hidden = self._hidden(z, 4)
            by_output = torch.baddbmm(self.weights[7], decoder_hidden, w4).sub_(x).mul_(share)
            of_layer(6, decoder_hidden, by_output)
            by_hidden = torch.bmm(by_output, w4.mT).mul_(decoder_hidden.sign())
            of_layer(4, z, by_hidden)
            by_z = torch.bmm(by_hidden, w3.mT)
            kl_share = beta * share
            by_log_var = std.square_().sub_(1).mul_(kl_share).add_(deviation.mul_(by_z)).div_(2)
            by_code = torch.cat([mu.mul(kl_share).add_(by_z), by_log_var], dim=2)
            of_layer(2, encoder_hidden, by_code)
            of_layer(0, x, torch.bmm(by_code, w2.mT).mul_(encoder_hidden.sign()))
            self.gradients = [gradients[layer] for layer in range(len(self.weights))]

    def augment() -> Arrays:
        with mock.patch.object(training, "StackedVAE", ByHand):
            return timed()

    timed = by_autograd(args)
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
    # Of all rows of each fold alone: an inner fold would train VAEs of its own.
    folds = [replace(split, inner=()) for split in ten_folds(texts, args.ratio)]

    def augment(max_epochs: int) -> Arrays:
        sets: list[TrainingSet] = []
        for chosen in grouped(folds):
            patience = 20 if epochs is None else max_epochs
            augmenter = Augmenter(VAE(max_epochs=max_epochs, warmup_epochs=min(20, max_epochs), patience=patience))
            sets += augmented(rows, texts, chosen, augmenter, ratio=args.ratio).training_sets
        synthetic = np.concatenate([training_set.augmented.synthetic_embeddings for training_set in sets])
        minority = [entry["rows"] for training_set in sets for entry in training_set.augmented.diagnostics]
        return {
            "synthetic": synthetic,
            "minority": np.array(minority),
            "gflop": np.array(sum(needed_gflop(training_set) for training_set in sets)),
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
