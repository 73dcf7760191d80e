"""The stack: what a member computes does not depend on who stands beside it."""

import functools
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from imblearn import FunctionSampler
from imblearn.over_sampling import SMOTE
from numpy.typing import NDArray
from pytorch_lightning import Trainer
from torch.nn import functional

from synaug.augmenter import Augmenter
from synaug.classifier import Classifier
from synaug.classifier.batch import StackedBatch
from synaug.classifier.stacked import StackedLinear, StackedMLP
from synaug.classifier.tally import ClassTally
from synaug.dataset import LabelledTexts
from synaug.imbalance_ratio import ImbalanceRatio
from synaug.scores import decision
from synaug.scores.prior_correction import prior_correction
from synaug.splits import Split, make_splits
from synaug.training.datamodule import EmbeddingDataModule
from synaug.training.fit import predicted
from synaug.training.training_sets import augment, neighbour_graphs

N_STEPS, STEPS_PER_EPOCH = 60, 20


@pytest.fixture(scope="module")
def data() -> tuple[NDArray[np.float32], LabelledTexts]:
    draw = np.random.RandomState(0)
    labels = np.repeat([0, 1, 2], 130)
    embeddings = (draw.standard_normal((390, 24)) + 1.2 * draw.standard_normal((3, 24))[labels]).astype(np.float32)
    names = ("a", "b", "c")
    return embeddings, LabelledTexts("toy", [str(row) for row in range(390)], labels, names)


def datamodule(
    data: tuple[NDArray[np.float32], LabelledTexts],
    splits: Sequence[Split],
    augmenter: Augmenter | None = None,
    standardize: bool = False,
) -> EmbeddingDataModule:
    embeddings, texts = data
    training_data = augment(
        texts,
        embeddings,
        splits,
        augmenter or Augmenter(SMOTE()),
        neighbour_graphs(embeddings, texts.labels),
        minority=[2],
        ratio=8.0,
        standardize=standardize,
    )
    return EmbeddingDataModule(training_data, batch_size=16, steps_per_epoch=STEPS_PER_EPOCH)


def splits_of(data: tuple[NDArray[np.float32], LabelledTexts], n_folds: int = 10) -> list[Split]:
    _, texts = data
    options: dict[str, Any] = {"seeds": [0], "validation_share": 0.1, "thin_validation": False}
    return make_splits(
        texts.name, texts.labels, texts.class_names, ImbalanceRatio(8.0), [2], n_folds=n_folds, **options
    )


def classifier(module: EmbeddingDataModule, **changes: Any) -> Classifier:
    seeds = [1000 + split.fold for split in module.data.splits]
    return Classifier(n_features=24, n_classes=3, minority=[2], seeds=seeds, **changes)


def fit(module: EmbeddingDataModule, model: Classifier, n_steps: int = N_STEPS) -> Classifier:
    trainer(n_steps // STEPS_PER_EPOCH).fit(model, module)
    return model


def trainer(n_epochs: int = 1) -> Trainer:
    return Trainer(
        max_epochs=n_epochs,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_checkpointing=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_member_of_ten_is_bit_identical_to_the_same_member_alone(
    data: tuple[NDArray[np.float32], LabelledTexts], threads: int, standardize: bool
) -> None:
    everybody = splits_of(data)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        together = datamodule(data, everybody, standardize=standardize)
        stack = fit(together, classifier(together))
        predictions = trainer().predict(stack, datamodule=together)
        for index in (0, 3, 9):
            lonely = datamodule(data, [everybody[index]], standardize=standardize)
            alone = fit(lonely, classifier(lonely))
            for name, weight in alone.network.named_parameters():
                assert torch.equal(weight[0], dict(stack.network.named_parameters())[name][index]), name
            assert alone.best_step[0] == stack.best_step[index]
            for point, stacked_point in zip(alone.curves, stack.curves, strict=True):
                for name, values in point.items():
                    assert values[0] == stacked_point[name][index], name
            its_own = trainer().predict(alone, datamodule=lonely)
            assert predictions is not None
            assert its_own is not None
            n_test = [len(split.test) for split in everybody]
            np.testing.assert_array_equal(
                predicted(its_own[1], n_test[index : index + 1])[0], predicted(predictions[1], n_test)[index]
            )
    finally:
        torch.set_num_threads(before)


def test_members_of_different_sizes_share_a_stack(data: tuple[NDArray[np.float32], LabelledTexts]) -> None:
    few, many = splits_of(data)[:2]
    shorter = Split(few.seed, few.fold, np.sort(few.train[::2]), few.validation[::2], few.test[:5])
    together = datamodule(data, [shorter, many], augmenter=Augmenter(SMOTE(k_neighbors=2)))
    stack = fit(together, classifier(together))
    lonely = datamodule(data, [many], augmenter=Augmenter(SMOTE(k_neighbors=2)))
    alone = fit(lonely, classifier(lonely))
    for name, weight in alone.network.named_parameters():
        assert torch.equal(weight[0], dict(stack.network.named_parameters())[name][1])


def test_a_stacked_layer_starts_and_multiplies_as_torch_linear() -> None:
    layer = StackedLinear(5, 3, [torch.Generator().manual_seed(seed) for seed in (7, 8)])
    x = torch.randn(2, 4, 5)
    for index in range(2):
        expected = torch.nn.functional.linear(x[index], layer.weight[index].T, layer.bias[index, 0])
        torch.testing.assert_close(layer(x)[index], expected)
    assert layer.weight.abs().max() <= 1 / 5**0.5
    assert not torch.equal(layer.weight[0], layer.weight[1])


def test_no_hidden_layer_makes_a_linear_model() -> None:
    network = StackedMLP(4, 3, [], [0, 1])
    assert [type(layer) for layer in network] == [StackedLinear]
    x, y = torch.randn(2, 5, 4), torch.randn(2, 5, 4)
    zero = torch.zeros(2, 5, 4)
    torch.testing.assert_close(network(x) + network(y) - network(zero), network(x + y))


def test_initial_weights_depend_on_the_members_own_seed_alone() -> None:
    one, other = StackedMLP(4, 3, [6], [5, 6]), StackedMLP(4, 3, [6], [9, 5])
    for (_, left), (_, right) in zip(one.named_parameters(), other.named_parameters(), strict=True):
        assert torch.equal(left[0], right[1])
        assert not torch.equal(left[1], right[0])


def test_the_best_weights_of_each_member_are_kept(data: tuple[NDArray[np.float32], LabelledTexts]) -> None:
    module = datamodule(data, splits_of(data)[:4])
    # A learning rate that overfits soon: the last epoch is not the best one.
    model = classifier(module, optimizer=lambda parameters: torch.optim.Adam(parameters, lr=0.05))
    fit(module, model, 200)
    losses = np.stack([point["validation_loss"] for point in model.curves])
    np.testing.assert_array_equal(model.best_step, (losses.argmin(0) + 1) * STEPS_PER_EPOCH)
    assert (model.best_step < 200).any()
    (after, _) = trainer().validate(model, datamodule=module, verbose=False)
    assert after["validation/loss"] == pytest.approx(losses.min(0).mean(), rel=1e-6)
    assert len(model.curves) == 10


def test_a_member_that_diverges_is_an_error(data: tuple[NDArray[np.float32], LabelledTexts]) -> None:
    module = datamodule(data, splits_of(data)[:2])
    model = classifier(module, optimizer=lambda parameters: torch.optim.SGD(parameters, lr=1e30))
    with pytest.raises(ValueError, match=r"2 of 2 members was never finite: lower classifier\.optimizer\.lr"):
        fit(module, model)


def test_the_validation_loss_is_the_mean_over_classes() -> None:
    tally = ClassTally(1, 3)
    y = torch.tensor([[0, 0, 0, 1, 2, 0]])
    real = torch.tensor([[True, True, True, True, True, False]])
    losses = torch.tensor([[1.0, 2.0, 3.0, 10.0, 4.0, 1000.0]])
    hits = torch.tensor([[True, False, True, True, False, True]])
    tally.add(losses, hits, StackedBatch(torch.empty(1, 6, 2), y, real))
    assert tally.balanced_loss().tolist() == [pytest.approx((2 + 10 + 4) / 3)]
    assert tally.accuracy(torch.tensor([True, False, False])).tolist() == [pytest.approx(2 / 3)]
    assert tally.accuracy(torch.tensor([False, True, True])).tolist() == [0.5]


def test_curves_hold_a_point_an_epoch_and_reach_the_logger(
    data: tuple[NDArray[np.float32], LabelledTexts], tmp_path: Path
) -> None:
    module = datamodule(data, splits_of(data)[:3])
    model = fit(module, classifier(module))
    assert len(model.curves) == N_STEPS // STEPS_PER_EPOCH
    for point in model.curves:
        assert {name: values.shape for name, values in point.items()} == dict.fromkeys(
            ("train_loss", "validation_loss", "train_minority_accuracy", "validation_minority_accuracy"), (3,)
        )


def test_curves_tell_the_minority_accuracy_of_the_decisions_themselves(
    data: tuple[NDArray[np.float32], LabelledTexts],
) -> None:
    # One epoch alone, so that the weights kept are those that the one point is of.
    module = datamodule(data, splits_of(data)[:3], augmenter=Augmenter(FunctionSampler()))
    frequencies = module.data.class_frequencies()
    model = fit(module, classifier(module, class_frequencies=frequencies), STEPS_PER_EPOCH)
    (point,) = model.curves
    validation, _ = trainer().predict(model, datamodule=module) or ([], [])
    logs = predicted(validation, [len(each.validation) for each in module.data.splits])
    moved = 0
    for index, split in enumerate(module.data.splits):
        np.testing.assert_allclose(np.exp(logs[index]).sum(1), 1, rtol=1e-13)
        few = module.data.labels[split.validation] == 2
        assert point["validation_minority_accuracy"][index] == (logs[index][few].argmax(1) == 2).mean()
        moved += (logs[index][few] - np.log(frequencies[index])).argmax(1).tolist() != logs[index][few].argmax(
            1
        ).tolist()
        rows = split.train[module.data.labels[split.train] == 2]
        with torch.no_grad():
            logits = model(torch.from_numpy(module.data.embeddings[rows]).expand(3, -1, -1))[index]
        assert point["train_minority_accuracy"][index] == (logits.argmax(1) == 2).double().mean()
    assert moved  # a prior taken off first would have told another accuracy


def test_the_training_loss_of_an_epoch_is_of_its_own_steps(data: tuple[NDArray[np.float32], LabelledTexts]) -> None:
    steps = itertools.count(1)

    def counted(logits: torch.Tensor, y: torch.Tensor, *, reduction: str) -> torch.Tensor:
        return functional.cross_entropy(logits, y, reduction=reduction) * 0 + next(steps)

    module = datamodule(data, splits_of(data)[:2])
    model = fit(module, classifier(module, loss=counted))
    assert [point["train_loss"].tolist() for point in model.curves] == [[10.5] * 2, [30.5] * 2, [50.5] * 2]


def test_weights_are_chosen_by_prior_corrected_loss(data: tuple[NDArray[np.float32], LabelledTexts]) -> None:
    # Without a correction an unbalanced member's loss mostly tells how far it follows its prior.
    module = datamodule(data, splits_of(data)[:3], augmenter=Augmenter(FunctionSampler()))
    frequencies = module.data.class_frequencies()
    assert frequencies.max() > 2 * frequencies.min()
    model = fit(module, classifier(module, class_frequencies=frequencies), 100)
    (validation, _) = trainer().predict(model, datamodule=module) or ([], [])
    for index, split in enumerate(module.data.splits):
        corrected = decision.shift(
            predicted(validation, [len(each.validation) for each in module.data.splits])[index],
            prior_correction(frequencies[index], np.full(3, 1 / 3)),
        )
        labels = module.data.labels[split.validation]
        losses = -np.log(corrected[np.arange(len(labels)), labels])
        expected = np.mean([losses[labels == label].mean() for label in range(3)])
        chosen = model.curves[model.best_step[index] // STEPS_PER_EPOCH - 1]["validation_loss"][index]
        assert chosen == pytest.approx(expected, rel=1e-5)


def test_the_loss_is_what_the_config_says() -> None:
    logits, y = torch.randn(2, 3, 4), torch.randint(4, (2, 3))
    common: dict[str, Any] = {"n_features": 2, "n_classes": 4, "minority": [3], "seeds": [0, 1]}
    smoothing = functools.partial(functional.cross_entropy, label_smoothing=0.2)
    smooth = Classifier(**common, loss=smoothing)._losses(logits, y)
    torch.testing.assert_close(smooth.flatten(), smoothing(logits.flatten(0, 1), y.flatten(), reduction="none"))
    assert not torch.allclose(smooth, Classifier(**common)._losses(logits, y))


def test_a_width_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"classifier.hidden=\[0\] must hold positive widths"):
        Classifier(n_features=2, n_classes=2, minority=[1], seeds=[0], hidden=[0])


def test_steps_without_torch_s_fused_optimiser_agree_to_rounding(
    data: tuple[NDArray[np.float32], LabelledTexts],
) -> None:
    module = datamodule(data, splits_of(data)[:2])
    choices: tuple[dict[str, Any], ...] = ({}, {"fused": False})
    fused, plain = (
        fit(module, classifier(module, optimizer=functools.partial(torch.optim.Adam, **options))) for options in choices
    )
    for (name, weight), (_, other) in zip(
        fused.network.named_parameters(), plain.network.named_parameters(), strict=True
    ):
        torch.testing.assert_close(weight, other, atol=1e-4, rtol=1e-3, msg=name)
    np.testing.assert_array_equal(fused.best_step, plain.best_step)
