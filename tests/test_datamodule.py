"""Stacked batches hold each member's own rows: every one of them, and no other."""

import copy
from collections import Counter
from itertools import chain
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from imblearn import FunctionSampler
from imblearn.over_sampling import ADASYN, SMOTE, RandomOverSampler
from imblearn.under_sampling import RandomUnderSampler

from synaug.augmenter import VAE, Augmenter
from synaug.classifier.batch import StackedBatch
from synaug.dataset import LabelledTexts
from synaug.imbalance_ratio import ImbalanceRatio
from synaug.splits import make_splits
from synaug.training.batches import EVALUATION_ROWS
from synaug.training.datamodule import EmbeddingDataModule
from synaug.training.training_sets import augment, neighbour_graphs

N, D = 400, 6


def make(
    sampler: Any = None,
    *,
    ratio: float | None = 4.0,
    amount: float = 1.0,
    standardize: bool = False,
    **changes: Any,
) -> EmbeddingDataModule:
    draw = np.random.RandomState(0)
    labels = np.repeat([0, 1], [N // 2, N // 2])
    embeddings = draw.standard_normal((N, D)).astype(np.float32)
    embeddings[:, 0] = np.arange(N)  # a row can be told by its first number
    texts = LabelledTexts("toy", [str(row) for row in range(N)], labels, ("a", "b"))
    imbalance_ratio = ImbalanceRatio(ratio)
    options: dict[str, Any] = {"seeds": [0, 1], "n_folds": 4, "validation_share": 0.1, "thin_validation": False}
    splits = make_splits("toy", labels, texts.class_names, imbalance_ratio, [1], **options)
    settings = {"batch_size": 8, "steps_per_epoch": 30} | changes
    data = augment(
        texts,
        embeddings,
        splits,
        Augmenter(sampler or SMOTE(), amount),
        neighbour_graphs(embeddings, labels),
        minority=[1],
        ratio=ratio,
        standardize=standardize,
    )
    return EmbeddingDataModule(data, **settings)


def rows_of(module: EmbeddingDataModule, epochs: int) -> list[list[float]]:
    loader = module.train_dataloader()
    seen: list[list[float]] = [[] for _ in module.data.splits]
    for _ in range(epochs):
        for batch in chain.from_iterable(loader):
            for index, rows in enumerate(batch.x[..., 0].tolist()):
                seen[index] += rows
    return seen


def first_batch(module: EmbeddingDataModule) -> StackedBatch:
    return next(chain.from_iterable(module.train_dataloader()))


def test_an_epoch_has_a_fixed_number_of_steps_of_one_shape() -> None:
    module = make()
    loader = module.train_dataloader()
    blocks = list(loader)
    assert len(blocks) == len(loader) == 3
    batches = list(chain.from_iterable(blocks))
    assert len(batches) == 30
    assert {tuple(batch.x.shape) for batch in batches} == {(8, 8, D)}


def test_each_member_cycles_all_of_its_own_rows_and_no_other() -> None:
    module = make(FunctionSampler())
    for split, seen in zip(module.data.splits, rows_of(module, 4), strict=True):
        counts = Counter(int(row) for row in seen)
        assert set(counts) == set(split.train.tolist())
        assert max(counts.values()) - min(counts.values()) <= 1  # whole passes, then a part of one


def test_every_pass_has_an_order_of_its_own() -> None:
    module = make(FunctionSampler())
    n = len(module.data.splits[0].train)
    seen = rows_of(module, 4)[0]
    assert sorted(seen[:n]) == sorted(seen[n : 2 * n])
    assert seen[:n] != seen[n : 2 * n]


def test_no_validation_or_test_row_is_ever_trained_on() -> None:
    module = make(RandomOverSampler())
    for split, seen in zip(module.data.splits, rows_of(module, 4), strict=True):
        assert not set(map(int, seen)) & {*split.validation.tolist(), *split.test.tolist()}


def test_labels_travel_with_their_rows() -> None:
    module = make(RandomOverSampler(), amount=2.0)
    training = chain.from_iterable(module.train_dataloader())
    loaders: list[Any] = [training, *module.val_dataloader(), *module.predict_dataloader()]
    for loader in loaders:
        for batch in loader:
            expected = (batch.x[..., 0] >= N // 2).long()
            assert torch.equal(batch.y[batch.real], expected[batch.real])


def test_synthetic_rows_are_drawn_as_often_as_real_ones() -> None:
    module = make(RandomOverSampler())
    training_set = module.data.training_sets[0]
    made = len(training_set.augmented.synthetic_embeddings)
    is_minority = training_set.split.train >= N // 2
    assert made == (~is_minority).sum() - is_minority.sum()
    seen = Counter(map(int, rows_of(module, 4)[0]))
    minority = sum(count for row, count in seen.items() if row >= N // 2)
    assert minority / sum(seen.values()) == pytest.approx(0.5, abs=0.02)
    np.testing.assert_allclose(module.data.class_frequencies(), 0.5)


def test_class_frequencies_are_those_trained_on() -> None:
    np.testing.assert_allclose(make(FunctionSampler()).data.class_frequencies(), [[0.8, 0.2]] * 8, atol=0.01)
    np.testing.assert_allclose(make(amount=0.5).data.class_frequencies()[0, 1], (0.25 + 0.375) / 1.625, atol=0.01)


def test_evaluation_rows_come_in_order_and_padding_is_marked() -> None:
    module = make()
    _, test = module.predict_dataloader()
    for index, split in enumerate(module.data.splits):
        found = [row for batch in test for row in batch.x[index, batch.real[index], 0].tolist()]
        assert found == split.test.tolist()
    assert {batch.x.shape[1] for batch in test} == {EVALUATION_ROWS}


def test_the_watched_rows_are_real_minority_rows_of_the_training_set() -> None:
    module = make()
    _, watched = module.val_dataloader()
    for batch in watched:
        for index, split in enumerate(module.data.splits):
            rows = {int(row) for row in batch.x[index, batch.real[index], 0].tolist()}
            assert rows == {row for row in split.train.tolist() if row >= N // 2}


def test_standardising_sees_the_real_training_rows_only() -> None:
    plain, scaled = make(amount=2.0), make(amount=2.0, standardize=True)
    for training_set in scaled.data.training_sets:
        real = scaled.data.embeddings[training_set.split.train]
        np.testing.assert_allclose(training_set.mean, real.mean(0), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(training_set.scale, real.std(0), rtol=1e-4)
    before, after = (first_batch(each) for each in (plain, scaled))
    for index, training_set in enumerate(scaled.data.training_sets):
        expected = (before.x[index].numpy() - training_set.mean) / training_set.scale
        np.testing.assert_allclose(after.x[index].numpy(), expected, rtol=1e-4, atol=1e-5)


def test_the_sampler_sees_embeddings_as_they_are() -> None:
    plain, scaled = make(), make(standardize=True)
    for left, right in zip(plain.data.training_sets, scaled.data.training_sets, strict=True):
        np.testing.assert_array_equal(left.augmented.synthetic_embeddings, right.augmented.synthetic_embeddings)


def test_a_sampler_that_removes_rows_leaves_the_others() -> None:
    module = make(RandomUnderSampler())
    for training_set, seen in zip(module.data.training_sets, rows_of(module, 4), strict=True):
        kept = training_set.split.train[training_set.augmented.kept]
        assert set(map(int, seen)) == set(kept.tolist())
        assert np.bincount(module.data.labels[kept]).tolist() == [np.bincount(module.data.labels[kept])[1]] * 2


@pytest.mark.parametrize(
    "sampler", [SMOTE(), ADASYN(), RandomOverSampler(), VAE(max_epochs=2, sample_from="posterior")]
)
def test_no_test_or_validation_row_is_ever_a_parent(sampler: Any) -> None:
    module = make(sampler)
    for index, split in enumerate(module.data.splits):
        parents = module.data.parents(index)
        assert parents.shape == (len(module.data.training_sets[index].augmented.synthetic_embeddings), 2)
        assert np.isin(parents, split.train).all()
        assert (module.data.labels[parents] == 1).all()


class Witness(RandomOverSampler):  # type: ignore[misc]
    """Writes down what it would draw."""

    drawn: ClassVar[list[int]] = []

    def fit_resample(self, X: Any, y: Any) -> Any:
        self.drawn.append(copy.deepcopy(self.random_state).randint(2**31))
        return super().fit_resample(X, y)


class OtherWitness(Witness):
    """By another name."""


def drawn(sampler: Any, **changes: Any) -> list[int]:
    Witness.drawn.clear()
    assert len(make(sampler, **changes).data.training_sets) == 8
    return Witness.drawn.copy()


def test_a_samplers_draws_depend_on_seed_fold_and_ratio_but_not_on_method_or_amount() -> None:
    found = drawn(Witness())
    assert len(set(found)) == 8  # seeds × folds
    assert drawn(Witness(), amount=0.5) == drawn(Witness(), amount=2.0) == found
    assert drawn(OtherWitness()) == found
    others = drawn(Witness(), ratio=3.0) + drawn(Witness(), ratio=8.0)
    assert not set(others) & set(found)
    assert len(set(others)) == 16


def test_batches_depend_on_seed_and_fold_alone() -> None:
    first, second = rows_of(make(FunctionSampler()), 1), rows_of(make(FunctionSampler()), 1)
    assert first == second
    assert len({tuple(seen) for seen in first}) == len(make().data.splits)


def test_embeddings_must_match_the_texts() -> None:
    embeddings = make().data.embeddings
    texts = LabelledTexts("toy", ["a"], np.array([0]), ("a", "b"))
    options: dict[str, Any] = {"minority": [], "ratio": None, "standardize": False}
    with pytest.raises(ValueError, match="400 embeddings for 1 texts"):
        augment(texts, embeddings, [], Augmenter(SMOTE()), neighbour_graphs(embeddings, texts.labels), **options)
