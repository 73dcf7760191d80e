"""Stacked batches hold each member's own rows: every one of them, and no other."""

import copy
from collections import Counter
from collections.abc import Sequence
from itertools import chain
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from imblearn import FunctionSampler
from imblearn.over_sampling import ADASYN, SMOTE, RandomOverSampler
from imblearn.under_sampling import RandomUnderSampler
from numpy.typing import NDArray

from synaug.augmenter import VAE, Augmenter
from synaug.classifier.batch import EVALUATION_ROWS, StackedBatch
from synaug.dataset import LabelledTexts
from synaug.imbalance_ratio import ImbalanceRatio
from synaug.splits import Validation, make_splits
from synaug.training.batches import RowPool, Steps
from synaug.training.datamodule import EmbeddingDataModule
from synaug.training.training_sets import TrainingData, TrainingSet, augment, neighbour_graphs
from synaug.validation import Holdout, Nested, Oracle

N, D, SPLITS, FOLDS = 400, 6, 8, 3
LOOKS = (30, 60, 100)
both_kinds = pytest.mark.parametrize("kind", ["inner", "whole"])


def make_data(
    sampler: Any = None,
    *,
    ratio: float | None = 4.0,
    amount: float = 1.0,
    validation: Validation | None = None,
    groups: NDArray[np.int64] | None = None,
    **options: Any,
) -> TrainingData:
    draw = np.random.RandomState(0)
    labels = np.repeat([0, 1], [N // 2, N // 2])
    embeddings = draw.standard_normal((N, D)).astype(np.float32)
    embeddings[:, 0] = np.arange(N)  # a row can be told by its first number
    texts = LabelledTexts("toy", [str(row) for row in range(N)], labels, ("a", "b"))
    splits = make_splits(
        "toy",
        labels,
        texts.class_names,
        ImbalanceRatio(ratio),
        seeds=[0, 1],
        n_folds=4,
        validation=validation or Nested(FOLDS),
        groups=groups,
    )
    augmenter = Augmenter(sampler or SMOTE(), amount)
    graphs = neighbour_graphs(embeddings, labels)
    return augment(texts, embeddings, splits, augmenter, graphs, ratio=ratio, **options)


def make(sampler: Any = None, kind: str = "inner", *, batch_size: int = 8, **changes: Any) -> EmbeddingDataModule:
    """The members of one kind in one stack."""
    data = make_data(sampler, **changes)
    pool = RowPool(data.embeddings, data.labels, data.training_sets)
    n_inner = len(data.inner)
    members = range(n_inner) if kind == "inner" else range(n_inner, len(data.training_sets))
    return EmbeddingDataModule(data, pool, members, batch_size=batch_size, looks=LOOKS)


def sets_of(module: EmbeddingDataModule) -> list[TrainingSet]:
    return [module.data.training_sets[member] for member in module.members]


def blocks(module: EmbeddingDataModule, epoch: int = 0) -> list[Steps]:
    module.trainer = SimpleNamespace(current_epoch=epoch)  # type: ignore[assignment]
    return list(module.train_dataloader())


def batches(module: EmbeddingDataModule, epochs: Sequence[int] = (0, 1, 2)) -> list[StackedBatch]:
    return list(chain.from_iterable(block for epoch in epochs for block in blocks(module, epoch)))


def rows_of(module: EmbeddingDataModule) -> list[list[float]]:
    """What each member trains on up to the last look."""
    seen: list[list[float]] = [[] for _ in module.running]
    for batch in batches(module):
        for index, rows in enumerate(batch.x[..., 0].tolist()):
            seen[index] += rows
    return seen


@both_kinds
def test_an_epoch_goes_from_one_look_to_the_next_in_steps_of_one_shape(kind: str) -> None:
    module = make(kind=kind)
    n_members = SPLITS * FOLDS if kind == "inner" else SPLITS
    for epoch, n_steps in enumerate((30, 30, 40)):
        found = blocks(module, epoch)
        assert len(found) == len(module.train_dataloader()) == n_steps // 10
        steps = list(chain.from_iterable(found))
        assert len(steps) == n_steps
        assert {tuple(batch.x.shape) for batch in steps} == {(n_members, 8, D)}


def test_a_step_that_fills_no_block_is_taken_all_the_same() -> None:
    module = make()
    module.looks = (8, 11, 16)
    assert [sum(map(len, blocks(module, epoch))) for epoch in range(3)] == [8, 3, 5]


@both_kinds
def test_each_member_cycles_all_of_its_own_rows_and_no_other(kind: str) -> None:
    module = make(FunctionSampler(), kind)
    for training_set, seen in zip(sets_of(module), rows_of(module), strict=True):
        split, inner = training_set.split, training_set.inner
        counts = Counter(int(row) for row in seen)
        assert set(counts) == set((split.train if inner is None else split.inner[inner].fit).tolist())
        assert max(counts.values()) - min(counts.values()) <= 1  # whole passes, then a part of one


def test_every_pass_has_an_order_of_its_own() -> None:
    module = make(FunctionSampler())
    n = len(module.data.splits[0].inner[0].fit)
    seen = rows_of(module)[0]
    assert sorted(seen[:n]) == sorted(seen[n : 2 * n])
    assert seen[:n] != seen[n : 2 * n]


@both_kinds
def test_members_that_go_on_draw_the_same_rows_whoever_has_left(kind: str) -> None:
    module, thinned_out = make(kind=kind), make(kind=kind)
    everybody = [batches(module, [epoch]) for epoch in range(3)]
    positions = list(range(len(module.members)))
    for epoch, step in enumerate((1, 2, 3)):
        positions = positions[::step]
        thinned_out.running = [thinned_out.members[position] for position in positions]
        for batch, expected in zip(batches(thinned_out, [epoch]), everybody[epoch], strict=True):
            assert torch.equal(batch.x, expected.x[positions])
            assert torch.equal(batch.y, expected.y[positions])
    assert 1 < len(positions) < len(module.members)


@pytest.mark.parametrize("validation", [Nested(FOLDS), Holdout(0.2), Oracle(0.2)])
@both_kinds
def test_no_row_that_judges_or_tests_is_ever_trained_on(kind: str, validation: Validation) -> None:
    module = make(RandomOverSampler(), kind, validation=validation)
    for training_set, seen in zip(sets_of(module), rows_of(module), strict=True):
        rows = set(map(int, seen))
        assert rows
        assert not rows & set(training_set.split.test.tolist())
        assert not rows & set(training_set.left_out.tolist())
        assert rows <= set(training_set.split.train.tolist())


def test_no_row_of_a_group_that_judges_or_tests_is_ever_trained_on() -> None:
    groups = np.random.RandomState(0).randint(80, size=N)
    for kind in ("inner", "whole"):
        module = make(RandomOverSampler(), kind, groups=groups)
        for training_set, seen in zip(sets_of(module), rows_of(module), strict=True):
            trained = set(groups[list(map(int, seen))].tolist())
            assert not trained & set(groups[training_set.split.test].tolist())
            assert not trained & set(groups[training_set.left_out].tolist())


@both_kinds
def test_labels_travel_with_their_rows(kind: str) -> None:
    module = make(RandomOverSampler(), kind, amount=2.0)
    loaders: list[Any] = [batches(module), module.val_dataloader(), module.left_out_rows(), module.test_rows()]
    for loader in loaders:
        for batch in loader:
            assert torch.equal(batch.y, (batch.x[..., 0] >= N // 2).long())


@both_kinds
def test_synthetic_rows_are_drawn_as_often_as_real_ones(kind: str) -> None:
    module = make(RandomOverSampler(), kind)
    training_set = sets_of(module)[0]
    made = len(training_set.augmented.synthetic_embeddings)
    is_minority = training_set.rows >= N // 2
    assert made == (~is_minority).sum() - is_minority.sum()
    seen = Counter(map(int, rows_of(module)[0]))
    minority = sum(count for row, count in seen.items() if row >= N // 2)
    assert minority / sum(seen.values()) == pytest.approx(0.5, abs=0.02)


def test_class_counts_are_of_the_rows_trained_on() -> None:
    for sampler, amount in ((FunctionSampler(), 1.0), (SMOTE(), 0.5), (SMOTE(), 2.0), (RandomUnderSampler(), 1.0)):
        data = make_data(sampler, amount=amount)
        counts = data.class_counts()
        assert counts.shape == (SPLITS * (FOLDS + 1), 2)
        for training_set, of_member in zip(data.training_sets, counts.tolist(), strict=True):
            real = np.bincount(data.labels[training_set.rows], minlength=2)
            made = [entry.made for entry in training_set.augmented.balance]
            assert of_member == (real + made).tolist()
    # Members of inner folds have fewer rows than the fit on all rows.
    assert counts[:-SPLITS].sum(1).max() < counts[-SPLITS:].sum(1).min()


def test_members_stand_split_by_split_inner_folds_first_and_replicas_side_by_side() -> None:
    data = make_data(replicas=2)
    found = [(each.place, each.inner, each.replica) for each in data.training_sets]
    inner = [(place, fold, replica) for place in range(SPLITS) for fold in range(FOLDS) for replica in range(2)]
    assert found == [*inner, *((place, None, replica) for place in range(SPLITS) for replica in range(2))]
    assert all(each.split is data.splits[each.place] for each in data.training_sets)


@both_kinds
def test_evaluation_rows_come_in_order_before_the_padding(kind: str) -> None:
    module = make(kind=kind)
    sets = sets_of(module)
    module.running = module.members[::2]
    for loader, expected in (
        (module.test_rows(), [each.split.test for each in sets]),
        (module.left_out_rows(), [each.left_out for each in sets]),
        (module.val_dataloader(), [each.left_out if kind == "inner" else each.split.test for each in sets[::2]]),
    ):
        assert loader.n_rows == list(map(len, expected))
        for index, rows in enumerate(expected):
            found = [row for batch in loader for row in batch.x[index, :, 0].tolist()]
            assert found[: loader.n_rows[index]] == rows.tolist()
        assert {batch.x.shape[1] for batch in loader} == {EVALUATION_ROWS}


def test_what_judges_the_inner_members_is_each_training_row_once() -> None:
    module = make()
    for place, split in enumerate(module.data.splits):
        rows = [each.left_out for each in sets_of(module) if each.place == place]
        np.testing.assert_array_equal(np.concatenate(rows), split.out_of_fold)
        assert sorted(split.out_of_fold.tolist()) == split.train.tolist()


@both_kinds
def test_standardising_sees_the_real_training_rows_of_the_member_only(kind: str) -> None:
    plain, scaled = make(kind=kind, amount=2.0), make(kind=kind, amount=2.0, standardize=True)
    for training_set in sets_of(scaled):
        split, inner = training_set.split, training_set.inner
        real = scaled.data.embeddings[split.train if inner is None else split.inner[inner].fit]
        np.testing.assert_allclose(training_set.mean, real.mean(0), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(training_set.scale, real.std(0), rtol=1e-4)
    for before, after in zip(
        (batches(plain)[0], next(iter(plain.test_rows()))),
        (batches(scaled)[0], next(iter(scaled.test_rows()))),
        strict=True,
    ):
        for index, training_set in enumerate(sets_of(scaled)):
            expected = (before.x[index].numpy() - training_set.mean) / training_set.scale
            np.testing.assert_allclose(after.x[index].numpy(), expected, rtol=1e-4, atol=1e-5)


def test_the_sampler_sees_embeddings_as_they_are() -> None:
    plain, scaled = make_data(), make_data(standardize=True)
    for left, right in zip(plain.training_sets, scaled.training_sets, strict=True):
        np.testing.assert_array_equal(left.augmented.synthetic_embeddings, right.augmented.synthetic_embeddings)


@both_kinds
def test_a_sampler_that_removes_rows_leaves_the_others(kind: str) -> None:
    module = make(RandomUnderSampler(), kind)
    for training_set, seen in zip(sets_of(module), rows_of(module), strict=True):
        kept = training_set.rows[training_set.augmented.kept]
        assert set(map(int, seen)) == set(kept.tolist())
        assert np.bincount(module.data.labels[kept]).tolist() == [np.bincount(module.data.labels[kept])[1]] * 2


@pytest.mark.parametrize(
    "sampler", [SMOTE(), ADASYN(), RandomOverSampler(), VAE(max_epochs=2, sample_from="posterior")]
)
def test_no_row_that_judges_or_tests_is_ever_a_parent(sampler: Any) -> None:
    groups = np.random.RandomState(0).randint(80, size=N)
    data = make_data(sampler, groups=groups)
    for index, training_set in enumerate(data.training_sets):
        parents = data.parents(index)
        assert parents.shape == (len(training_set.augmented.synthetic_embeddings), 2)
        assert len(parents)
        assert np.isin(parents, training_set.rows).all()
        others = np.concatenate([training_set.left_out, training_set.split.test])
        assert not np.isin(groups[parents], groups[others]).any()
        assert (data.labels[parents] == 1).all()


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
    assert len(make_data(sampler, **changes).training_sets) == len(Witness.drawn)
    return Witness.drawn.copy()


def test_a_samplers_draws_depend_on_split_inner_fold_and_ratio_but_not_on_method_or_amount() -> None:
    found = drawn(Witness())
    assert len(found) == len(set(found)) == SPLITS * (FOLDS + 1)
    assert drawn(Witness(), amount=0.5) == drawn(Witness(), amount=2.0) == found
    assert drawn(OtherWitness()) == found
    others = drawn(Witness(), ratio=3.0) + drawn(Witness(), ratio=8.0)
    assert not set(others) & set(found)
    assert len(set(others)) == 2 * SPLITS * (FOLDS + 1)


def test_replicas_have_draws_of_their_own_and_the_first_those_of_a_run_without() -> None:
    found, of_three = drawn(Witness()), drawn(Witness(), replicas=3)
    assert of_three[::3] == found
    assert len(set(of_three)) == 3 * len(found)


def test_more_inner_folds_leave_the_draws_of_the_fit_on_all_rows_as_they_are() -> None:
    assert drawn(Witness())[-SPLITS:] == drawn(Witness(), validation=Nested(2))[-SPLITS:]


@both_kinds
def test_batches_depend_on_the_member_alone(kind: str) -> None:
    first, second = (rows_of(make(FunctionSampler(), kind, replicas=2)) for _ in range(2))
    assert first == second
    assert len({tuple(seen) for seen in first}) == len(first)


def test_embeddings_must_match_the_texts() -> None:
    embeddings = make_data().embeddings
    texts = LabelledTexts("toy", ["a"], np.array([0]), ("a", "b"))
    with pytest.raises(ValueError, match="400 embeddings for 1 texts"):
        augment(texts, embeddings, [], Augmenter(SMOTE()), neighbour_graphs(embeddings, texts.labels), ratio=None)
