"""Our own training of one classifier on given rows: through the stack, the looks and the predictions of any run."""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from imblearn import FunctionSampler
from numpy.typing import NDArray

from synaug.augmenter import Augmenter
from synaug.classifier import Classifier
from synaug.classifier.stacked import StackedMLP
from synaug.dataset import LabelledTexts
from synaug.loss import Plain
from synaug.seeding import derive_seed
from synaug.settings import BAGGED
from synaug.splits import InnerFold, Split
from synaug.training.fit import StackedTraining
from synaug.training.training_sets import augment, member_seeds

Rows = NDArray[np.float32]
Labels = NDArray[np.int64]


def fitted(
    train: tuple[Rows, Labels],
    test: tuple[Rows, Labels],
    *,
    hidden: Sequence[int],
    optimizer: Callable[..., torch.optim.Optimizer],
    n_steps: int,
) -> NDArray[np.float64]:
    """Log probabilities `[n_test, n_classes]` of a classifier with its last weights.

    Each step sees all training rows, so that no order of rows makes a difference.

    Parameters
    ----------
    train, test
        Rows float32 `[n, d]` and their labels.
    hidden
        Widths of the hidden layers; none for a linear model.
    optimizer
        Called with the parameters.
    n_steps
        How many it takes.
    """
    split, n_classes = one_split(len(train[0]), len(test[0])), int(train[1].max()) + 1
    labels = np.concatenate([train[1], test[1]])
    texts = LabelledTexts("check", [], labels, tuple(map(str, range(n_classes))))
    nothing = Augmenter(FunctionSampler(), amount=0)
    data = augment(texts, np.concatenate([train[0], test[0]]), [split], nothing, {}, ratio=None)
    training = StackedTraining(
        partial(Classifier, hidden=hidden, optimizer=optimizer),
        Plain(),
        batch_size=len(train[0]),
        max_steps=n_steps,
        trainer={"accelerator": "cpu", "enable_progress_bar": False},
        final=BAGGED,
    )
    return training.fit(data).splits[0].last


def first_weights(n_features: int, n_classes: int, hidden: Sequence[int]) -> list[tuple[Rows, Rows]]:
    """Weights `[in, out]` and biases `[out]` of each layer, as `fitted` begins with them."""
    seed = derive_seed("weights", *member_seeds(one_split(2, 0), None, 0))
    network = StackedMLP(n_features, n_classes, hidden, [seed])
    weights = [weight.detach().numpy()[0] for weight in network.parameters()]
    return [(weight, bias[0]) for weight, bias in zip(weights[::2], weights[1::2], strict=True)]


def one_split(n_train: int, n_test: int) -> Split:
    """Rows that train before rows that test."""
    rows = np.arange(n_train)
    inner = InnerFold(rows[::2], rows[1::2])  # a run needs one; what it chooses is not asked for
    return Split(0, 0, (), rows, (inner,), np.arange(n_train, n_train + n_test))
