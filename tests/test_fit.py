"""Members of inner folds and of all rows: what is chosen where, and what the final classifier says.

Any classifier can be fitted: what stands behind `Predictions` does not know the stack.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from imblearn import FunctionSampler
from imblearn.over_sampling import SMOTE
from numpy.typing import NDArray
from pytorch_lightning import Trainer
from pytorch_lightning.loggers import CSVLogger
from scipy.special import log_softmax, logsumexp
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestCentroid

from synaug import pipeline, record
from synaug.augmenter import Augmenter
from synaug.classifier import Classifier
from synaug.dataset import LabelledTexts
from synaug.errors import UserError
from synaug.imbalance_ratio import ImbalanceRatio
from synaug.loss import Plain
from synaug.record.cost import Cost
from synaug.record.extending import extend
from synaug.scores.decision import CANDIDATE_RULES, RULES, TAU_NORM
from synaug.scores.prior_correction import corrected
from synaug.scores.tuned_offsets import tune
from synaug.settings import BAGGED
from synaug.splits import Validation, make_splits
from synaug.tracking import wandb_run
from synaug.training import fit, progress, tables
from synaug.training.batches import RowPool
from synaug.training.datamodule import EmbeddingDataModule
from synaug.training.fit import Fits, StackedTraining
from synaug.training.looks import looks, pooled
from synaug.training.predictions import Chosen, Curves, OfSplit, Predictions
from synaug.training.training_sets import TrainingData, augment, neighbour_graphs
from synaug.training.watch import InnerWatch, judge_of, out_of_fold
from synaug.validation import Holdout, Nested, Oracle
from tests import fabricated

NAMES = ("a", "b", "c")
SPLITS, FOLDS, MAX_STEPS, BATCH = 3, 3, 60, 16
UNIFORM = np.full(3, 1 / 3)
Array = NDArray[np.float64]


def texts(per_class: Sequence[int] = (60, 60, 60)) -> tuple[LabelledTexts, NDArray[np.float32]]:
    labels = np.repeat(np.arange(3), per_class)
    embeddings = np.random.RandomState(0).standard_normal((len(labels), 8)) + 1.5 * np.eye(8)[labels]
    return LabelledTexts("toy", [str(row) for row in labels], labels, NAMES), embeddings.astype(np.float32)


def make_data(
    sampler: Any = None,
    *,
    per_class: Sequence[int] = (60, 60, 60),
    ratio: float | None = 4.0,
    validation: Validation | None = None,
    changed: tuple[NDArray[np.int64], float] | None = None,
    minority: Sequence[str] = ("b", "c"),
    **options: Any,
) -> TrainingData:
    """Three classes, the last two of them thinned; `changed` rows are moved."""
    toy, embeddings = texts(per_class)
    if changed is not None:
        rows, by = changed
        embeddings[rows] += np.float32(by) * np.random.RandomState(9).standard_normal((len(rows), 8)).astype(np.float32)
    imbalance_ratio = ImbalanceRatio(ratio, minority=list(minority))
    rows_left_out = validation or Nested(FOLDS)
    splits = make_splits("toy", toy.labels, NAMES, imbalance_ratio, seeds=[0], n_folds=SPLITS, validation=rows_left_out)
    graphs, augmenter = neighbour_graphs(embeddings, toy.labels), Augmenter(sampler or SMOTE(k_neighbors=2))
    return augment(toy, embeddings, splits, augmenter, graphs, ratio=ratio, **{"standardize": True, **options})


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return make_data()


@pytest.fixture(scope="module")
def unbalanced() -> TrainingData:
    """Without synthetic rows: members carry priors, and those of inner folds differ."""
    return make_data(FunctionSampler())


def of_one_split(data: TrainingData, place: int) -> TrainingData:
    """A split and its members, and nothing else."""
    members = [replace(each, place=0) for each in data.training_sets if each.place == place]
    return replace(data, splits=[data.splits[place]], training_sets=members, target=data.target[place : place + 1])


def of_one_fold(data: TrainingData, inner: int) -> TrainingData:
    """The members of one inner fold of the first split, beside that of all its rows."""
    alone = of_one_split(data, 0)
    split = alone.splits[0]
    members = [each for each in alone.training_sets if each.inner in (inner, None)]
    return replace(alone, splits=[replace(split, inner=(split.inner[inner],))], training_sets=members)


@dataclass(frozen=True)
class ScikitLearn:
    """A classifier of scikit-learn's for each training set."""

    estimator: type

    def fit(self, data: TrainingData) -> Predictions:
        carried = Plain().carried_prior(data.class_counts())
        splits = []
        for place, split in enumerate(data.splits):
            members = [member for member, each in enumerate(data.training_sets) if each.place == place]
            *inner, whole = (self._fitted(data, member) for member in members)
            judge, target = judge_of(data, place), data.target[place]
            said = [fitted(rows.left_out) for fitted, rows in zip(inner, split.inner, strict=True)]
            judge.look(0, out_of_fold(data, carried, members[:-1], said))
            test = [fitted(split.test) for fitted in inner]
            of_inner = [corrected(each, carried[member], target) for member, each in zip(members, test, strict=False)]
            chosen = {
                rule: Chosen(
                    step=0,
                    loss=judge.best[rule],
                    chance=judge.chance,
                    out_of_fold=out_of_fold(data, carried, members[:-1], said),
                    test=pooled(of_inner),
                    test_as_it_is=pooled(test),
                )
                for rule in CANDIDATE_RULES
            }
            splits.append(OfSplit(whole(split.test), chosen))
        return Predictions(splits, members=len(data.training_sets), n_trained=int(data.class_counts().sum()))

    def _fitted(self, data: TrainingData, member: int) -> Any:
        training_set = data.training_sets[member]

        def scaled(rows: NDArray[Any]) -> Any:
            return (rows - training_set.mean) / training_set.scale

        synthetic = training_set.augmented
        X = np.concatenate([data.embeddings[training_set.real], synthetic.synthetic_embeddings])
        y = np.concatenate([data.labels[training_set.real], synthetic.labels])
        fitted = self.estimator().fit(scaled(X), y)
        return lambda rows: np.log(fitted.predict_proba(scaled(data.embeddings[rows])))


def stack(**changes: Any) -> StackedTraining:
    quiet = {"accelerator": "cpu", "enable_progress_bar": False}
    # A learning rate that overfits soon, so that the last look is not the best one.
    classifier = functools.partial(Classifier, optimizer=functools.partial(torch.optim.Adam, lr=0.03), hidden=[16])
    settings = {"classifier": classifier, "loss": Plain(), "batch_size": BATCH, "max_steps": MAX_STEPS, "final": BAGGED}
    return StackedTraining(**{**settings, "trainer": quiet, **changes})


@pytest.fixture(scope="module")
def predictions(data: TrainingData) -> Predictions:
    return stack().fit(data)


def assert_same(found: OfSplit, expected: OfSplit) -> None:
    """Two splits' predictions are one to the bit."""
    np.testing.assert_array_equal(found.last, expected.last)
    assert found.tau_norm is not None
    assert expected.tau_norm is not None
    assert (found.tau_norm.tau, found.tau_norm.loss) == (expected.tau_norm.tau, expected.tau_norm.loss)
    np.testing.assert_array_equal(found.tau_norm.test, expected.tau_norm.test)
    assert found.chosen.keys() == expected.chosen.keys()
    for rule, chosen in found.chosen.items():
        other = expected.chosen[rule]
        assert (chosen.step, chosen.loss, chosen.chance) == (other.step, other.loss, other.chance)
        for name in ("out_of_fold", "test", "test_as_it_is"):
            np.testing.assert_array_equal(getattr(chosen, name), getattr(other, name), err_msg=f"{rule} {name}")


def balanced_loss(log_probabilities: Array, labels: NDArray[np.int64]) -> float:
    nats = -log_probabilities[np.arange(len(labels)), labels]
    return float(np.mean([nats[labels == label].mean() for label in np.unique(labels)]))


def cross_fitted(log_probabilities: Array, labels: NDArray[np.int64], inner: NDArray[np.int64]) -> Array:
    """What the rule `tuned` says, each inner fold under the offset of the others, by hand."""
    found = np.empty_like(log_probabilities)
    for fold in np.unique(inner):
        others = inner != fold
        counts = np.bincount(labels[others], minlength=3)
        weights = 1 / counts[labels[others]] / (counts > 0).sum()
        offset = tune(log_probabilities[others], labels[others], weights)
        found[~others] = log_softmax(log_probabilities[~others] + offset, axis=1)
    return found


# One stack for all


@pytest.mark.parametrize("stack_bytes", [1, 60_000, 1 << 30])
@pytest.mark.parametrize("final", ["bagged", "refit"])
def test_a_split_alone_is_the_same_to_the_bit_as_among_others_however_stacks_are_cut(
    monkeypatch: pytest.MonkeyPatch, final: str, stack_bytes: int
) -> None:
    data = make_data(replicas=2)
    monkeypatch.setattr(fit, "STACK_BYTES", stack_bytes)
    together = stack(final=final).fit(data)
    # Splits leave the stack at steps of their own.
    assert len({chosen.step for split in together.splits for chosen in split.chosen.values()}) > 1
    for place in (0, 2):
        alone = stack(final=final).fit(of_one_split(data, place))
        assert_same(together.splits[place], alone.splits[0])
        for name, values in together.curves.points.items():
            np.testing.assert_array_equal(values[:, place], alone.curves.points[name][:, 0], err_msg=name)


@pytest.mark.parametrize(("stack_bytes", "n_stacks"), [(1, 2 * SPLITS), (1 << 30, 2)])
def test_members_of_a_split_stand_in_one_stack_and_inner_ones_come_first(
    data: TrainingData, monkeypatch: pytest.MonkeyPatch, stack_bytes: int, n_stacks: int
) -> None:
    monkeypatch.setattr(fit, "STACK_BYTES", stack_bytes)
    stacks: list[list[int]] = []

    class Watched(EmbeddingDataModule):
        def __init__(self, data: TrainingData, pool: Any, members: Sequence[int], **options: Any) -> None:
            stacks.append(list(members))
            super().__init__(data, pool, members, **options)

    monkeypatch.setattr(fit, "EmbeddingDataModule", Watched)
    stack(max_steps=8).fit(data)
    assert len(stacks) == n_stacks
    assert [member for members in stacks for member in members] == list(range(len(data.training_sets)))
    for place in range(SPLITS):
        of_split = {member for member in range(SPLITS * FOLDS) if data.training_sets[member].place == place}
        assert sum(bool(of_split & set(members)) for members in stacks) == 1


def test_losses_are_told_the_rows_that_each_member_trains_on(unbalanced: TrainingData) -> None:
    told: list[NDArray[np.float32]] = []

    class Told(Plain):
        def __call__(self, logits: torch.Tensor, labels: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
            told.append(counts.numpy().copy())
            return super().__call__(logits, labels, counts)

    stack(loss=Told(), max_steps=8).fit(unbalanced)
    expected = unbalanced.class_counts()
    assert len(np.unique(expected, axis=0)) > 2
    np.testing.assert_array_equal(told[0], expected[: SPLITS * FOLDS])
    np.testing.assert_array_equal(told[-1], expected[SPLITS * FOLDS :])


# What is chosen


def test_every_out_of_fold_row_and_every_test_row_is_predicted(data: TrainingData, predictions: Predictions) -> None:
    for split, said in zip(data.splits, predictions.splits, strict=True):
        expected = {"out_of_fold": len(split.out_of_fold), "test": len(split.test), "test_as_it_is": len(split.test)}
        for chosen in said.chosen.values():
            for name, rows in expected.items():
                logs = getattr(chosen, name)
                assert logs.shape == (rows, 3)
                np.testing.assert_allclose(np.exp(logs).sum(1), 1)
        assert said.last.shape == (len(split.test), 3)
    rows = sum(2 * len(split.out_of_fold) + 3 * len(split.test) for split in data.splits)
    assert predictions.n_predicted == rows
    assert predictions.members == SPLITS * (FOLDS + 1)
    assert predictions.curves.steps.tolist() == [8, 11, 16, 23, 32, 45, 60]


def test_the_step_chosen_is_that_of_the_lowest_pooled_class_balanced_loss(
    data: TrainingData, predictions: Predictions
) -> None:
    steps = predictions.curves.steps
    for place, (split, said) in enumerate(zip(data.splits, predictions.splits, strict=True)):
        labels = data.labels[split.out_of_fold]
        inner = np.concatenate([np.full(len(fold.left_out), number) for number, fold in enumerate(split.inner)])
        for rule, chosen in said.chosen.items():
            curve = predictions.curves.points[f"{rule}_loss"][:, place]
            assert chosen.loss == np.nanmin(curve)
            assert chosen.step == steps[np.nanargmin(curve)]
            # The weights that were kept are those of that look: the loss is recomputed of what they say.
            logs = chosen.out_of_fold
            by_hand = balanced_loss(cross_fitted(logs, labels, inner) if rule == "tuned" else logs, labels)
            assert chosen.loss == pytest.approx(by_hand, rel=1e-9)
    last = [chosen.step for said in predictions.splits for chosen in said.chosen.values()]
    assert min(last) < MAX_STEPS


def test_the_kept_weights_are_those_of_the_chosen_step(data: TrainingData, predictions: Predictions) -> None:
    for rule in CANDIDATE_RULES:
        chosen = predictions.splits[0].chosen[rule]
        # With that budget the chosen look is the last one.
        again = stack(max_steps=chosen.step).fit(of_one_split(data, 0)).splits[0].chosen[rule]
        assert again.step == chosen.step
        for name in ("out_of_fold", "test", "test_as_it_is"):
            np.testing.assert_array_equal(getattr(chosen, name), getattr(again, name))


def test_a_splits_inner_members_stop_one_look_after_the_last_improvement_of_any_rule(
    data: TrainingData, predictions: Predictions
) -> None:
    n_looks, stopped = len(predictions.curves.steps), []
    for place in range(SPLITS):
        curves = [predictions.curves.points[f"{rule}_loss"][:, place] for rule in CANDIDATE_RULES]
        (looked_at,) = {int(np.isfinite(curve).sum()) for curve in curves}
        assert all(np.isfinite(curve[:looked_at]).all() for curve in curves)
        for look in range(1, looked_at):
            improved = any(curve[look] < curve[:look].min() for curve in curves)
            assert improved or look == looked_at - 1
        assert looked_at == n_looks or not improved
        stopped.append(predictions.curves.steps[looked_at - 1])
    assert min(stopped) < MAX_STEPS
    # Members on all rows run the whole budget.
    steps = sum(stopped) * FOLDS + SPLITS * MAX_STEPS
    assert predictions.optimiser_steps == steps
    assert predictions.n_trained == steps * BATCH
    for name in ("train_loss", "argmax_test"):
        assert np.isfinite(predictions.curves.points[name]).all()


def test_weights_are_kept_by_member_though_the_first_splits_leave_first(data: TrainingData) -> None:
    n_inner = SPLITS * FOLDS
    pool = RowPool(data.embeddings, data.labels, data.training_sets)
    module = EmbeddingDataModule(data, pool, range(n_inner), batch_size=BATCH, looks=[8, 11, 16, 23])
    watch = InnerWatch(module, np.full((n_inner, 3), 1 / 3))
    # How sure the members of each split are of the right classes, from look to look.
    strengths = {0: [2.0, 1.0], 1: [1.0, 2.0, 3.0, 0.5], 2: [1.0, 2.0, 1.5]}
    for look, step in enumerate([8, 11, 16, 23]):
        running = list(module.running)
        said = np.zeros((len(running), 256, 3))
        for position, member in enumerate(running):
            training_set = data.training_sets[member]
            eye = np.eye(3)[data.labels[training_set.left_out]]
            said[position, : len(eye)] = strengths[training_set.place][look] * eye
        stacked: Any = SimpleNamespace(weights={"weight": torch.tensor([[1000.0 * step + each] for each in running])})
        going_on = watch.look(step, np.zeros(len(running)), log_softmax(said, axis=-1), stacked)
        places = {data.training_sets[running[position]].place for position in going_on}
        seen = {place: strength[: look + 1] for place, strength in strengths.items()}
        assert places == {
            place for place, strength in seen.items() if len(strength) > look and max(strength) == strength[-1]
        }
        assert module.running == [running[position] for position in going_on]
        if not places:
            break
    best = {0: 8, 1: 16, 2: 11}
    for rule in CANDIDATE_RULES:
        assert {place: judge.step[rule] for place, judge in watch.judges.items()} == best
        kept = watch.kept[rule].weights["weight"].squeeze(1).tolist()
        assert kept == [1000 * best[data.training_sets[member].place] + member for member in range(n_inner)]
    assert watch.optimiser_steps == FOLDS * (11 + 23 + 16)


def test_a_larger_budget_changes_no_choice(data: TrainingData, predictions: Predictions) -> None:
    place = int(np.argmin(np.isfinite(predictions.curves.points["tuned_loss"]).sum(0)))
    more = stack(max_steps=128).fit(of_one_split(data, place)).splits[0]
    for rule, chosen in predictions.splits[place].chosen.items():
        assert more.chosen[rule].step == chosen.step
        np.testing.assert_array_equal(more.chosen[rule].test, chosen.test)
    assert not np.array_equal(more.last, predictions.splits[place].last)


def test_argmax_is_the_fit_on_all_rows_with_its_last_weights(data: TrainingData, predictions: Predictions) -> None:
    refit = stack(final="refit").fit(data)
    for place, split in enumerate(data.splits):
        last = predictions.splits[place].last
        np.testing.assert_array_equal(last, refit.splits[place].last)
        labels = data.labels[split.test]
        recall = np.mean([(last.argmax(1) == labels)[labels == label].mean() for label in range(3)])
        assert predictions.curves.points["argmax_test"][-1, place] == pytest.approx(recall)


def test_the_argmax_reference_does_not_depend_on_how_rows_are_left_out() -> None:
    first, other = (stack(max_steps=23).fit(make_data(validation=each)) for each in (Nested(2), Holdout(0.3)))
    for left, right in zip(first.splits, other.splits, strict=True):
        np.testing.assert_array_equal(left.last, right.last)


# Priors, and the final classifier


class Uncorrected(Plain):
    """As if the logits followed uniform frequencies."""

    def carried_prior(self, counts: NDArray[np.int64]) -> Array:
        return np.full(counts.shape, 1 / counts.shape[1])


def test_each_inner_fold_is_corrected_by_the_prior_that_it_carries(unbalanced: TrainingData) -> None:
    # One look, so that both are of the same step.
    raw, found = (stack(loss=loss, max_steps=8).fit(unbalanced) for loss in (Uncorrected(), Plain()))
    for place, split in enumerate(unbalanced.splits):
        for rule in CANDIDATE_RULES:
            as_it_is, chosen = raw.splits[place].chosen[rule], found.splits[place].chosen[rule]
            start = 0
            for fold in split.inner:
                rows = slice(start, start + len(fold.left_out))
                start = rows.stop
                own = np.bincount(unbalanced.labels[fold.fit], minlength=3) / len(fold.fit)
                expected = log_softmax(as_it_is.out_of_fold[rows] - np.log(own), axis=1)
                np.testing.assert_allclose(chosen.out_of_fold[rows], expected, atol=1e-12)
            np.testing.assert_array_equal(as_it_is.test_as_it_is, chosen.test_as_it_is)
            np.testing.assert_allclose(as_it_is.test, chosen.test_as_it_is, atol=1e-12)
            assert not np.allclose(chosen.test, chosen.test_as_it_is)


def test_one_prior_for_all_inner_folds_would_give_another_loss() -> None:
    """Of classes of few rows, a fold that lacks one row carries another prior than all rows do."""
    data = make_data(FunctionSampler(), ratio=20.0)
    split = data.splits[0]
    counts = data.class_counts()[:FOLDS]
    assert len(np.unique(counts[:, 1:], axis=0)) > 1
    # Perfect members: each says the posterior under its own class frequencies.
    of_fold = np.concatenate([np.full(len(fold.left_out), number) for number, fold in enumerate(split.inner)])
    densities = log_softmax(np.random.RandomState(0).standard_normal((len(of_fold), 3)), axis=1)
    priors = counts / counts.sum(1, keepdims=True)
    said = [log_softmax(densities[of_fold == fold] + np.log(priors[fold]), axis=1) for fold in range(FOLDS)]
    found = out_of_fold(data, priors, range(FOLDS), said)
    np.testing.assert_allclose(found, densities, atol=1e-12)
    common = np.bincount(data.labels[split.train], minlength=3) / len(split.train)
    wrong = out_of_fold(data, np.tile(common, (FOLDS, 1)), range(FOLDS), said)
    labels = data.labels[split.out_of_fold]
    assert abs(balanced_loss(wrong, labels) - balanced_loss(found, labels)) > 0.01


def test_a_natural_target_is_what_probabilities_are_corrected_to() -> None:
    data = make_data(FunctionSampler(), ratio=None, per_class=(60, 30, 15), target_prior="natural")
    predictions = stack(max_steps=23).fit(data)
    for place, split in enumerate(data.splits):
        target = np.bincount(data.labels[split.train]) / len(split.train)
        np.testing.assert_allclose(data.target[place], target)
        labels = data.labels[split.out_of_fold]
        chosen = predictions.splits[place].chosen["prior_corrected"]
        nats = -chosen.out_of_fold[np.arange(len(labels)), labels]
        expected = sum(share * nats[labels == label].mean() for label, share in enumerate(target))
        assert chosen.loss == pytest.approx(expected)
        assert chosen.chance == pytest.approx(-(target * np.log(target)).sum())
        # Each inner member trained on nearly these frequencies, so that next to nothing is corrected.
        np.testing.assert_allclose(np.exp(chosen.test), np.exp(chosen.test_as_it_is), atol=0.05)


def test_bagging_is_the_mean_of_the_inner_members_corrected_probabilities(unbalanced: TrainingData) -> None:
    whole = of_one_split(unbalanced, 0)
    bag = stack(max_steps=8).fit(whole).splits[0].chosen["tuned"]
    alone = [stack(max_steps=8).fit(of_one_fold(unbalanced, fold)).splits[0].chosen["tuned"] for fold in range(FOLDS)]
    np.testing.assert_allclose(np.exp(bag.test), np.mean([np.exp(each.test) for each in alone], axis=0), atol=1e-12)
    as_they_are = np.mean([np.exp(each.test_as_it_is) for each in alone], axis=0)
    np.testing.assert_allclose(np.exp(bag.test_as_it_is), as_they_are, atol=1e-12)
    # Alone, and out of fold, each says the very same.
    np.testing.assert_array_equal(bag.out_of_fold, np.concatenate([each.out_of_fold for each in alone]))
    # The mean of corrected probabilities is not the corrected mean.
    counts = unbalanced.class_counts()[-SPLITS]
    assert not np.allclose(bag.test, corrected(bag.test_as_it_is, counts / counts.sum(), UNIFORM), atol=1e-4)


def test_a_refit_is_the_fit_on_all_rows_at_the_chosen_step_corrected(unbalanced: TrainingData) -> None:
    refit, bag = (stack(final=final).fit(unbalanced) for final in ("refit", "bagged"))
    shares = unbalanced.class_counts() / unbalanced.class_counts().sum(1, keepdims=True)
    for rule in CANDIDATE_RULES:
        chosen = refit.splits[0].chosen[rule]
        # How the final classifier is made has no say in what is chosen.
        assert chosen.step == bag.splits[0].chosen[rule].step
        np.testing.assert_array_equal(chosen.out_of_fold, bag.splits[0].chosen[rule].out_of_fold)
        last = stack(max_steps=chosen.step).fit(of_one_split(unbalanced, 0)).splits[0].last
        np.testing.assert_array_equal(chosen.test_as_it_is, last)
        np.testing.assert_allclose(chosen.test, corrected(last, shares[-SPLITS], UNIFORM), atol=1e-12)
        assert not np.allclose(chosen.test, bag.splits[0].chosen[rule].test)


def test_replicas_probabilities_are_averaged_in_every_place() -> None:
    data = of_one_split(make_data(replicas=2), 0)
    both = stack(max_steps=8).fit(data).splits[0]
    each = [
        stack(max_steps=8).fit(
            replace(data, training_sets=[one for one in data.training_sets if one.replica == replica])
        )
        for replica in range(2)
    ]

    def mean(logs: Sequence[Array]) -> Array:
        found: Array = logsumexp(logs, axis=0) - np.log(2)
        return found

    np.testing.assert_allclose(both.last, mean([one.splits[0].last for one in each]), atol=1e-12)
    for rule, chosen in both.chosen.items():
        for name in ("out_of_fold", "test", "test_as_it_is"):
            logs = [getattr(one.splits[0].chosen[rule], name) for one in each]
            np.testing.assert_allclose(getattr(chosen, name), mean(logs), atol=1e-12)


def test_replicas_that_are_sure_are_scored() -> None:
    data = of_one_split(make_data(replicas=3), 0)
    sure = stack(classifier=functools.partial(Classifier, optimizer=functools.partial(torch.optim.Adam, lr=3.0)))
    predictions = sure.fit(data)
    assert np.exp(predictions.splits[0].chosen["tuned"].out_of_fold).max() == 1
    scored = pipeline.score(data, predictions, Cost())
    assert np.isfinite([row[-1] for row in scored["validation_scores"]["data"]]).all()


# No leaks


def test_changing_test_rows_changes_no_choice_to_the_bit() -> None:
    before = of_one_split(make_data(), 0)
    test = before.splits[0].test
    after = of_one_split(make_data(changed=(test, 3.0)), 0)
    assert not np.array_equal(before.embeddings[test], after.embeddings[test])
    for final in ("bagged", "refit"):
        first, second = (stack(final=final).fit(each) for each in (before, after))
        for rule, chosen in first.splits[0].chosen.items():
            other = second.splits[0].chosen[rule]
            assert (chosen.step, chosen.loss) == (other.step, other.loss)
            np.testing.assert_array_equal(chosen.out_of_fold, other.out_of_fold)
            assert not np.allclose(chosen.test, other.test)
        scored = [pipeline.score(each, said, Cost()) for each, said in ((before, first), (after, second))]
        assert scored[0]["offsets"] == scored[1]["offsets"]
        assert scored[0]["validation_scores"] == scored[1]["validation_scores"]
        assert scored[0]["scores"] != scored[1]["scores"]
        for name in ("train_loss", "prior_corrected_loss", "tuned_loss"):
            np.testing.assert_array_equal(first.curves.points[name], second.curves.points[name])


def test_rows_that_judge_an_inner_fold_have_no_part_in_its_member() -> None:
    before = make_data()
    left_out = before.splits[0].inner[1].left_out
    after = make_data(changed=(left_out, 3.0))
    said = []
    for data in (before, after):
        member = data.training_sets[1]
        assert (member.place, member.inner) == (0, 1)
        said.append(stack(max_steps=8).fit(of_one_fold(data, 1)).splits[0])
    first, second = (each.chosen["prior_corrected"] for each in said)
    with_before, with_after = (data.training_sets[1] for data in (before, after))
    np.testing.assert_array_equal(with_before.mean, with_after.mean)
    np.testing.assert_array_equal(with_before.scale, with_after.scale)
    made_before, made_after = (each.augmented.synthetic_embeddings for each in (with_before, with_after))
    np.testing.assert_array_equal(made_before, made_after)
    np.testing.assert_array_equal(first.test_as_it_is, second.test_as_it_is)
    assert not np.allclose(first.out_of_fold, second.out_of_fold)
    # They do train the fit on all rows.
    assert not np.allclose(said[0].last, said[1].last)


# Few rows


@pytest.mark.parametrize("validation", [Nested(FOLDS), Holdout(0.1), Oracle(0.1)])
@pytest.mark.parametrize("sampler", [FunctionSampler(), SMOTE()])
def test_a_class_with_one_row_trains_and_everything_else_works(validation: Validation, sampler: Any) -> None:
    data = make_data(sampler, ratio=40.0, validation=validation)
    assert np.bincount(data.labels[data.splits[0].train]).tolist()[1:] == [1, 1]
    predictions = stack().fit(data)
    scored = pipeline.score(data, predictions, Cost())
    offsets = {(each["fold"], each["decision"]): each["offset"] for each in scored["offsets"]}
    for place, (split, said) in enumerate(zip(data.splits, predictions.splits, strict=True)):
        labels = data.labels[split.out_of_fold]
        present = np.unique(labels)
        if not isinstance(validation, Oracle):
            # No row of theirs can be left out, and of the other class alone nothing can be learned.
            assert present.tolist() == [0]
            assert offsets[place, "tuned"] == [0, 0, 0]
            assert said.chosen["prior_corrected"].chance == pytest.approx(0)
        for chosen in said.chosen.values():
            assert np.isfinite(chosen.loss)
            assert chosen.chance == pytest.approx(np.log(len(present)))
        chosen = said.chosen["prior_corrected"]
        assert chosen.loss == pytest.approx(balanced_loss(chosen.out_of_fold, labels))
    best = pd.DataFrame(**tables.best(data, predictions))
    assert isinstance(validation, Oracle) or not best["learned"].any()
    for name in ("scores", "validation_scores"):
        assert np.isfinite([row[-1] for row in scored[name]["data"]]).all()


def test_a_class_without_out_of_fold_rows_gets_the_mean_of_the_others_offsets() -> None:
    # As if no row of class c could be left out.
    data = make_data(FunctionSampler(), ratio=None, per_class=(60, 9, 3), validation=Nested(2))
    split = data.splits[0]
    train = np.bincount(data.labels[split.train]).tolist()
    assert train == [40, 6, 2]
    alone = replace(
        split,
        inner=tuple(replace(fold, left_out=fold.left_out[data.labels[fold.left_out] < 2]) for fold in split.inner),
    )
    members = [replace(each, split=alone) for each in data.training_sets if each.place == 0]
    cut = replace(data, splits=[alone], training_sets=members, target=data.target[:1])
    scored = pipeline.score(cut, stack().fit(cut), Cost())
    (offset,) = [each["offset"] for each in scored["offsets"] if each["decision"] == "tuned"]
    assert offset[2] == pytest.approx((offset[0] + offset[1]) / 2, abs=1e-12)
    assert offset[0] != 0


def test_a_split_that_diverges_is_an_error(data: TrainingData) -> None:
    lost = functools.partial(Classifier, optimizer=functools.partial(torch.optim.SGD, lr=1e30))
    with pytest.raises(UserError, match=r"out-of-fold rows of 3 of 3 splits was never finite: lower classifier\."):
        stack(classifier=lost).fit(data)


class Growing(torch.optim.SGD):
    """Steps that grow until weights are not finite."""

    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            group["lr"] = min(4 * group["lr"], 1e30)
        return super().step(closure)


@pytest.mark.parametrize("replicas", [1, 2])
def test_a_fit_on_all_rows_that_diverges_is_an_error_though_inner_ones_were_sound(replicas: int) -> None:
    growing = functools.partial(Classifier, optimizer=functools.partial(Growing, lr=1e-6))
    with pytest.raises(UserError, match=r"fit on all rows of 3 of 3 splits diverged by step 128: lower classifier\."):
        stack(classifier=growing, max_steps=128).fit(make_data(replicas=replicas))


# Records


@pytest.mark.parametrize("training", [ScikitLearn(LogisticRegression), ScikitLearn(NearestCentroid), stack()])
def test_any_classifier_is_scored_and_recorded_alike(data: TrainingData, tmp_path: Path, training: Fits) -> None:
    cost = Cost()
    predictions = pipeline.fit(training, data, cost)
    (folder,) = fabricated.write_runs(tmp_path, ["toy"], [4.0], ["smote"], n_folds=SPLITS, class_names=NAMES)
    (folder / record.RECORD).rename(tmp_path / record.RECORD)
    content = {
        **record.read(tmp_path),
        **pipeline.score(data, predictions, cost),
        **pipeline.training_tables(data, predictions),
        "balance": tables.balance(data),
    }
    content["cost"] |= cost.table()
    written = extend(folder, content, pipeline.log_probabilities(data, predictions), pipeline.warnings_of)
    assert record.problem(folder, content["identity"]) is None
    scores = pd.DataFrame(**written["scores"])
    overall = scores[scores["class"].isna()].groupby(["metric", "decision"])["value"].mean()
    lacking = set() if isinstance(training, StackedTraining) else {TAU_NORM}
    assert set(scores["decision"]) == set(RULES) - lacking
    assert overall["accuracy"].min() > 0.5
    with np.load(str(record.probabilities_file(folder, written))) as kept:
        assert len(kept["row"]) == sum(len(split.test) for split in data.splits)
        assert len(kept["oof_row"]) == sum(len(split.out_of_fold) for split in data.splits)


def test_a_classifier_without_steps_has_no_curves_and_chooses_no_step(data: TrainingData) -> None:
    predictions = ScikitLearn(LogisticRegression).fit(data)
    assert tables.curves(data, predictions.curves)["data"] == []
    assert set(pd.DataFrame(**tables.best(data, predictions))["step"]) == {0}


def test_a_logger_takes_the_scores_of_a_classifier_without_steps(data: TrainingData, tmp_path: Path) -> None:
    (folder,) = fabricated.write_runs(tmp_path, ["toy"], [4.0], ["smote"], n_folds=3)
    curves = tables.curves(data, ScikitLearn(LogisticRegression).fit(data).curves)
    logger = CSVLogger(str(tmp_path / "logs"))
    wandb_run.log_result(logger, {**record.read(folder), "curves": curves})
    logged = pd.read_csv(Path(logger.log_dir) / "metrics.csv")
    assert logged["step"].tolist() == [0]
    assert "argmax/accuracy" in logged


def test_each_decision_is_scored_on_what_its_own_models_say(data: TrainingData, predictions: Predictions) -> None:
    for place, said in enumerate(predictions.splits):
        to_score = pipeline.to_score(data, place, said)
        assert [rule.rule for rule in to_score.rules] == list(RULES)
        argmax, at_chosen_step, tau_norm, prior_corrected, tuned = to_score.rules
        np.testing.assert_allclose(argmax.test, np.exp(said.last), rtol=1e-12)
        np.testing.assert_allclose(
            at_chosen_step.test, np.exp(said.chosen["prior_corrected"].test_as_it_is), rtol=1e-12
        )
        np.testing.assert_allclose(prior_corrected.test, np.exp(said.chosen["prior_corrected"].test), rtol=1e-12)
        shifted = np.exp(log_softmax(said.chosen["tuned"].test + tuned.offset, axis=1))
        np.testing.assert_allclose(tuned.test, shifted, rtol=1e-12)
        # References are chosen by nothing.
        assert argmax.out_of_fold is at_chosen_step.out_of_fold is tau_norm.out_of_fold is None
        assert said.tau_norm is not None
        np.testing.assert_allclose(tau_norm.test, np.exp(said.tau_norm.test), rtol=1e-12)


def test_tables_of_training_name_the_step_that_a_point_is_of(data: TrainingData) -> None:
    draw = np.random.RandomState(0)
    points = {name: draw.uniform(size=(3, SPLITS)) for name in record.tables.CURVES}
    points["tuned_loss"][2, 1] = np.nan
    table = tables.curves(data, Curves(np.array([8, 11, 16]), points))
    rows = pd.DataFrame(**table).to_dict("records")
    assert len(rows) == 3 * SPLITS
    for each in rows:
        for name in record.tables.CURVES:
            np.testing.assert_equal(each[name], points[name][[8, 11, 16].index(each["step"]), each["fold"]])
    # JSON has no NaN.
    assert [row for row in table["data"] if None in row] == [
        [0, 1, 16, *(table["data"][5][3:5]), None, table["data"][5][6]]
    ]


def test_the_table_of_choices_says_where_nothing_was_learned(data: TrainingData) -> None:
    empty = np.zeros((0, 3))
    losses = [np.log(3) - 0.01, np.log(3), np.log(3) + 0.5]
    splits = [
        OfSplit(
            empty, {rule: Chosen(8 + place, loss, float(np.log(3)), empty, empty, empty) for rule in CANDIDATE_RULES}
        )
        for place, loss in enumerate(losses)
    ]
    best = pd.DataFrame(**tables.best(data, Predictions(splits, members=12, n_trained=0)))
    assert best["decision"].tolist() == [*CANDIDATE_RULES] * SPLITS
    assert best["step"].tolist() == [8, 8, 9, 9, 10, 10]
    assert best["learned"].tolist() == [True, True, False, False, False, False]
    assert best["loss"].tolist() == [loss for loss in losses for _ in CANDIDATE_RULES]


def test_the_balance_is_of_each_inner_fold_and_of_all_rows() -> None:
    data = make_data(replicas=2)
    balance = pd.DataFrame(**tables.balance(data))
    # Replicas are asked for the same.
    assert len(balance) == SPLITS * (FOLDS + 1) * 3
    assert balance["inner"].isna().sum() == SPLITS * 3
    for training_set in data.training_sets:
        of_fold = balance["inner"].isna() if training_set.inner is None else balance["inner"] == training_set.inner
        rows = balance[(balance["fold"] == training_set.split.fold) & of_fold]
        assert rows["real"].tolist() == np.bincount(data.labels[training_set.rows]).tolist()
        assert (rows["new"] == rows["made"]).all()


# Lightning and the bar


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_the_bar_is_closed_when_the_training_breaks_off(
    data: TrainingData, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    closed: list[bool] = []

    class Bar:
        n = 0

        def __init__(self, **_: Any) -> None: ...

        def update(self, n: int) -> None:
            raise error

        def close(self) -> None:
            closed.append(True)

    monkeypatch.setattr(progress, "tqdm", Bar)
    with pytest.raises((error, SystemExit)):
        stack(trainer={"accelerator": "cpu"}).fit(data)
    assert closed


def test_the_bar_counts_every_members_steps_and_ends_full(data: TrainingData, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    class Bar:
        def __init__(self, total: int, **_: Any) -> None:
            self.total, self.n = total, 0

        def update(self, n: int) -> None:
            assert n >= 0
            self.n += n
            seen.append(self.n)

        def close(self) -> None:
            assert self.n == self.total == SPLITS * (FOLDS + 1) * MAX_STEPS

    monkeypatch.setattr(progress, "tqdm", Bar)
    monkeypatch.setattr(fit, "STACK_BYTES", 1)
    stack().fit(data)
    assert seen == sorted(seen)
    assert len(seen) > 10


def test_a_trainer_s_own_arguments_reach_lightning(data: TrainingData, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[dict[str, Any]] = []

    def trainer(**arguments: Any) -> Trainer:
        given.append(arguments)
        return Trainer(**arguments)

    monkeypatch.setattr(fit, "Trainer", trainer)
    stack(trainer={"accelerator": "cpu", "enable_progress_bar": False, "limit_val_batches": 1.0}).fit(data)
    of_stacks = given[1:]  # after the one that only tells on which device
    assert of_stacks
    assert {each["limit_val_batches"] for each in of_stacks} == {1.0}
    assert {each["max_epochs"] for each in of_stacks} == {len(looks(MAX_STEPS))} == {7}
