"""Weights of normalised length: Kang's formula, the choice of tau, and where the rule is and is not."""

import functools
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from imblearn import FunctionSampler
from numpy.typing import NDArray
from pandas.testing import assert_frame_equal
from scipy.special import log_softmax
from torch.nn import functional

from synaug.classifier import Classifier, WithoutBiases
from synaug.classifier.batch import StackedBatch
from synaug.classifier.stacked import StackedMLP
from synaug.comparison import evidence
from synaug.comparison.compare import compare
from synaug.comparison.labels import DECISIONS, Method
from synaug.loss import Plain
from synaug.record.store import RECORD, read
from synaug.scores.decision import OutOfFold
from synaug.scores.tau_norm import TAUS, LinearEnd, choose
from synaug.training import fit, tables
from synaug.training.fit import StackedTraining
from synaug.training.training_sets import TrainingData
from tests import fabricated, toy
from tests.program import BRIEF, Program
from tests.test_fit import SPLITS, make_data, of_one_split, stack

Array = NDArray[np.float64]
N_CLASSES = 4


def drawn(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights `[classes, features]` of very different lengths, and features of rows."""
    generator = torch.Generator().manual_seed(seed)
    weights = torch.randn(N_CLASSES, 6, generator=generator, dtype=torch.float64)
    return weights * torch.tensor([[9.0], [2.0], [0.5], [0.1]]), torch.randn(
        200, 6, generator=generator, dtype=torch.float64
    )


def end_of(weights: torch.Tensor, features: torch.Tensor) -> LinearEnd:
    return LinearEnd((features @ weights.T).numpy(), weights.norm(dim=1).numpy())


# The formula


@pytest.mark.parametrize("tau", [0.0, 0.5, 1.0])
def test_decisions_are_those_of_kangs_definition(tau: float) -> None:
    weights, features = drawn()
    layer = torch.nn.Linear(6, N_CLASSES, bias=False, dtype=torch.float64)
    layer.weight.data = torch.stack([of_class / of_class.norm() ** tau for of_class in weights])
    expected = layer(features).argmax(1).numpy()
    assert len(set(expected.tolist())) == N_CLASSES
    np.testing.assert_array_equal(end_of(weights, features).log_probabilities(tau).argmax(1), expected)
    # And their logits, but for a factor that all classes share.
    found, by_definition = end_of(weights, features).log_probabilities(tau), layer(features).detach().numpy()
    found, by_definition = (each - each.mean(1, keepdims=True) for each in (found, by_definition))
    shared = np.exp(tau * np.log(weights.norm(dim=1).numpy()).mean())
    np.testing.assert_allclose(found, shared * by_definition, atol=1e-10)


def test_without_tau_nothing_but_the_bias_is_gone() -> None:
    weights, features = drawn()
    found = end_of(weights, features).log_probabilities(0.0)
    np.testing.assert_array_equal(found, log_softmax((features @ weights.T).numpy(), axis=1))


@pytest.mark.parametrize("tau", TAUS)
def test_longer_weights_change_no_decision_and_equal_ones_nothing_at_all(tau: float) -> None:
    weights, features = drawn()
    decided = end_of(weights, features).log_probabilities(tau).argmax(1)
    np.testing.assert_array_equal(end_of(7 * weights, features).log_probabilities(tau).argmax(1), decided)
    # Whose lengths are equal keep them: the scale of their logits says nothing for or against a tau.
    equal = 5 * weights / weights.norm(dim=1, keepdim=True)
    as_they_are = end_of(equal, features).log_probabilities(0.0)
    np.testing.assert_allclose(end_of(equal, features).log_probabilities(tau), as_they_are, atol=1e-9)


@pytest.mark.parametrize("without_length", [1, N_CLASSES])
def test_a_class_whose_weights_are_all_zero_has_the_logit_zero(without_length: int) -> None:
    weights, features = drawn()
    weights[:without_length] = 0
    found = end_of(weights, features).log_probabilities(1.0)
    assert np.isfinite(found).all()
    lengths = weights[without_length:].norm(dim=1, keepdim=True)
    others = (features @ (weights[without_length:] / lengths).T).numpy() * np.exp(
        np.log(lengths.numpy()).mean() if len(lengths) else 0
    )
    expected = log_softmax(np.concatenate([np.zeros((200, without_length)), others], axis=1), axis=1)
    np.testing.assert_allclose(found, expected, atol=1e-10)


@pytest.mark.parametrize("hidden", [(), (5,), (7, 5)])
def test_a_stack_without_biases_is_its_network_with_those_of_its_last_layer_at_zero(hidden: Sequence[int]) -> None:
    classifier = Classifier(n_features=6, n_classes=3, seeds=[4, 5], hidden=hidden)
    assert classifier.ends_linearly
    x = torch.randn(2, 10, 6, generator=torch.Generator().manual_seed(0))
    batch = StackedBatch(x, torch.zeros(2, 10, dtype=torch.long))
    without_biases = WithoutBiases(classifier)
    found = without_biases.predict_step(batch, 0).detach()
    assert found.dtype == torch.float64
    *_, weight, bias = classifier.network.parameters()
    np.testing.assert_allclose(found, (classifier(x) - bias).detach(), atol=1e-5)
    assert bias.abs().min() > 1e-3
    np.testing.assert_allclose(without_biases.norms, weight.detach().double().norm(dim=1), rtol=1e-12)
    bias.data.zero_()
    np.testing.assert_array_equal(found, classifier(x).detach().double())


# The choice


def test_of_equal_losses_the_smaller_tau_is_chosen() -> None:
    labels = np.array([0, 1, 1])
    target = np.full(2, 0.5)

    def under(tau: float, best: Sequence[float]) -> OutOfFold:
        sure = 2.0 if tau in best else 1.0
        return OutOfFold(log_softmax(sure * np.eye(2)[labels], axis=1), labels, labels, target)

    assert choose(functools.partial(under, best=(0.7, 0.3)))[0] == 0.3
    tau, loss = choose(functools.partial(under, best=()))
    assert tau == 0.0
    assert loss == pytest.approx(np.log(1 + np.exp(-1)))


@pytest.mark.parametrize(("final", "replicas"), [("bagged", 1), ("bagged", 2), ("refit", 2)])
def test_the_tau_is_that_of_the_lowest_loss_and_the_test_rows_are_said_under_it(
    monkeypatch: pytest.MonkeyPatch, final: str, replicas: int
) -> None:
    """Weights are taken out of the stack, and everything else is done by hand."""
    seen: list[tuple[list[int], list[torch.Tensor]]] = []
    ends = fit.Task.linear_ends

    def watched(task: Any, trainer: Any, classifier: Classifier, batches: Any, members: Sequence[int]) -> Any:
        seen.append((list(members), [weight.clone() for weight in classifier.weights.values()]))
        return ends(task, trainer, classifier, batches, members)

    monkeypatch.setattr(fit.Task, "linear_ends", watched)
    data = make_data(FunctionSampler(), replicas=replicas, ratio=10.0)
    predictions = stack(final=final).fit(data)
    weights = {
        member: [each[at] for each in of_stack] for members, of_stack in seen for at, member in enumerate(members)
    }
    # One pass over rows left out and one over test rows.
    assert len(seen) == 2
    taus = set()
    for place, (split, said) in enumerate(zip(data.splits, predictions.splits, strict=True)):
        members = [member for member, each in enumerate(data.training_sets) if each.place == place]
        inner = [member for member in members if data.training_sets[member].inner is not None]
        of_final = inner if final == "bagged" else [member for member in members if member not in inner]
        labels = data.labels[split.out_of_fold]
        losses = []
        for tau in TAUS:
            rows = []
            for number, fold in enumerate(split.inner):
                of_fold = [member for member in inner if data.training_sets[member].inner == number]
                assert len(of_fold) == replicas
                rows.append(
                    np.mean([by_hand(data, member, weights[member], fold.left_out, tau) for member in of_fold], 0)
                )
            nats = -np.log(np.concatenate(rows))[np.arange(len(labels)), labels]
            losses.append(np.mean([nats[labels == label].mean() for label in range(3)]))
        assert said.tau_norm is not None
        assert said.tau_norm.loss == pytest.approx(min(losses), rel=1e-5)
        assert losses[TAUS.index(said.tau_norm.tau)] == pytest.approx(min(losses), rel=1e-5)
        taus.add(said.tau_norm.tau)
        test = np.mean(
            [by_hand(data, member, weights[member], split.test, said.tau_norm.tau) for member in of_final], 0
        )
        np.testing.assert_allclose(np.exp(said.tau_norm.test), test, atol=1e-5)
    assert taus != {0.0}
    table = pd.DataFrame(**tables.tau_norm(data, predictions))
    assert list(table.columns) == ["seed", "fold", "tau", "loss"]
    assert table[["seed", "fold"]].to_numpy().tolist() == [[0, fold] for fold in range(SPLITS)]
    assert set(table["tau"]) == taus


def by_hand(
    data: TrainingData, member: int, weights: Sequence[torch.Tensor], rows: NDArray[np.int64], tau: float
) -> Array:
    """Probabilities of one member, a layer after another, by Kang's definition but for the common factor."""
    training_set = data.training_sets[member]
    first, bias, last, _ = (weight.double() for weight in weights)
    x = torch.from_numpy((data.embeddings[rows] - training_set.mean) / training_set.scale).double()
    features = functional.relu(x @ first + bias)
    lengths = last.norm(dim=0)
    normalised = last / lengths**tau * lengths.log().mean().exp() ** tau
    said: Array = (features @ normalised).softmax(1).numpy()
    return said


@pytest.mark.parametrize("final", ["bagged", "refit"])
def test_no_test_row_has_a_say(final: str) -> None:
    before = of_one_split(make_data(FunctionSampler()), 0)
    test = before.splits[0].test
    labels, embeddings = before.labels.copy(), before.embeddings.copy()
    labels[test] = np.random.RandomState(0).permutation(labels[test])
    assert (labels != before.labels).any()
    embeddings[test] += 3
    given = [replace(each.augmented.given, embeddings=embeddings) for each in before.training_sets]
    sets = [
        replace(each, augmented=replace(each.augmented, given=rows))
        for each, rows in zip(before.training_sets, given, strict=True)
    ]
    found = [
        stack(final=final).fit(data).splits[0].tau_norm
        for data in (before, replace(before, labels=labels), replace(before, embeddings=embeddings, training_sets=sets))
    ]
    first, relabelled, moved = (each for each in found if each is not None)
    assert (first.tau, first.loss) == (relabelled.tau, relabelled.loss) == (moved.tau, moved.loss)
    np.testing.assert_array_equal(first.test, relabelled.test)
    assert not np.allclose(first.test, moved.test)


# Where it is, and where it is not


class Rescaled(Classifier):
    """Whose logits are not those of its last layer."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(super().forward(x))


class Bent(StackedMLP):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.tanh(super().forward(x))


class WithBentNetwork(Classifier):
    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.network = Bent(options["n_features"], options["n_classes"], (4,), options["seeds"])


def trained(kind: type[Classifier], **options: Any) -> StackedTraining:
    quiet = {"accelerator": "cpu", "enable_progress_bar": False}
    classifier = functools.partial(kind, **options)
    return StackedTraining(classifier, Plain(), batch_size=16, max_steps=8, trainer=quiet, final="bagged")


@pytest.mark.parametrize("kind", [Rescaled, WithBentNetwork])
def test_a_classifier_that_does_not_end_in_a_linear_layer_lacks_the_rule(kind: type[Classifier]) -> None:
    data = of_one_split(make_data(), 0)
    predictions = trained(kind).fit(data)
    assert [split.tau_norm for split in predictions.splits] == [None]
    assert tables.tau_norm(data, predictions)["data"] == []


def test_a_linear_model_has_it() -> None:
    (split,) = trained(Classifier, hidden=[]).fit(of_one_split(make_data(), 0)).splits
    assert split.tau_norm is not None


def test_scenarios_with_and_without_the_rule_are_compared_to_the_end(program: Program, tmp_path: Path) -> None:
    rows, labels = toy.texts(60, ("sport", "trade", "space"))
    data = f"dataset.path={toy.write_csv(tmp_path / 'mine.csv', rows, labels)}"
    given = [*(each for each in BRIEF if each != "report=false"), data]
    outcome = program("--multirun", *given, "augmenter=none,smote", "classifier=linear,knn", "name=both")
    assert outcome.code == 0, outcome.err
    assert "Nothing" in outcome.out or "synthesis" in outcome.out
    folder = program.folder / "multirun" / "both"
    page = (folder / "report" / "index.html").read_text()
    assert DECISIONS["tau_norm"] in page
    assert not (folder / "report" / "errors.log").exists()
    for path in folder.glob("*/record.json"):
        record = read(path.parent)
        has_rule = record["choices"]["classifier"] == "linear"
        for name in ("scores", "confusion", "reliability", "offsets"):
            of_all = pd.DataFrame(record[name]) if isinstance(record[name], list) else pd.DataFrame(**record[name])
            assert ("tau_norm" in set(of_all["decision"])) == has_rule
        assert "tau_norm" not in set(pd.DataFrame(**record["validation_scores"])["decision"])
        assert len(record["tau_norm"]["data"]) == (2 if has_rule else 0)
        with np.load(next(path.parent.glob("probabilities-*.npz"))) as kept:
            assert ("tau_norm" in kept) == has_rule


# It changes nothing else


def without_rule(value: Any) -> Any:
    """A record's part as it would be without the rule."""
    if isinstance(value, dict) and "decision" in value.get("columns", ()):
        at = value["columns"].index("decision")
        return {**value, "data": [row for row in value["data"] if row[at] != "tau_norm"]}
    if isinstance(value, list):
        return [each for each in value if not (isinstance(each, dict) and each.get("decision") == "tau_norm")]
    return value


def test_no_other_number_of_a_comparison_knows_of_it(tmp_path: Path) -> None:
    folders = fabricated.write_runs(tmp_path / "with", augmenters=["none", "random", "smote"], n_folds=5)
    for folder in folders:
        content = {name: without_rule(value) for name, value in json.loads((folder / RECORD).read_text()).items()}
        del content["tau_norm"]  # as of a record from before
        other = tmp_path / "without" / folder.name
        other.mkdir(parents=True)
        (other / RECORD).write_text(json.dumps(content))
    whole, rest = (compare(evidence.read([tmp_path / name])) for name in ("with", "without"))
    of_rule = whole.table[whole.table["decision"] == "tau_norm"]
    assert set(of_rule["family"]) == {"of_a_rule"}
    assert set(of_rule["reference"]) == {"baseline"}
    assert of_rule["p_holm"].notna().all()
    others = whole.table[whole.table["decision"] != "tau_norm"].reset_index(drop=True)
    assert_frame_equal(others, rest.table, check_exact=True)
    assert str(whole.verdict) == str(rest.verdict)


def test_some_runs_may_lack_it(tmp_path: Path) -> None:
    folders = fabricated.write_runs(tmp_path, augmenters=["none", "smote"], n_folds=5)
    first = next(folder for folder in folders if "-smote-" in folder.name)
    content = {name: without_rule(value) for name, value in json.loads((first / RECORD).read_text()).items()}
    del content["tau_norm"]
    (first / RECORD).write_text(json.dumps(content))
    table = compare(evidence.read([tmp_path])).table
    of_rule = table[table["decision"] == "tau_norm"]
    assert 0 < len(of_rule) < len(table[table["decision"] == "tuned"])
    assert read(first)["tau_norm"]["data"] == []


def test_it_is_called_so_that_a_reader_understands() -> None:
    assert str(Method("smote", decision="tau_norm")) == "smote, tau-normalised"
