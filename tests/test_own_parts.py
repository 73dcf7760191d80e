"""A user's own loss, validation or classifier that is wrong: one sentence with the remedy, before anything trains."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from omegaconf import OmegaConf
from pytorch_lightning import LightningModule

from synaug.command.check.trial_division import division_problems
from synaug.command.check.trial_step import classifier_problems
from synaug.errors import UserError
from synaug.loss import Loss, Plain
from synaug.parts import make_loss
from synaug.splits import InnerFold, Outside, Rows, Validation
from synaug.validation import Holdout, Nested, Oracle
from tests.program import TOY, Program

PLAIN = Plain()


class MeanOfAll(Loss):
    def __call__(self, logits: torch.Tensor, labels: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        return PLAIN(logits, labels, counts).mean()


class NotANumber(Loss):
    def __call__(self, logits: torch.Tensor, labels: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        return PLAIN(logits, labels, counts) * float("nan")


class Array(Loss):
    def __call__(self, logits: torch.Tensor, labels: torch.Tensor, counts: torch.Tensor) -> Any:
        return PLAIN(logits, labels, counts).detach().numpy()


class Detached(Loss):
    def __call__(self, logits: torch.Tensor, labels: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        return PLAIN(logits, labels, counts).detach()


class Coupled(Loss):
    def __call__(self, logits: torch.Tensor, labels: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        losses = PLAIN(logits, labels, counts)
        return losses / losses.mean()


class NoMinimum(Loss):
    def __call__(self, logits: torch.Tensor, labels: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        return logits.sum(-1)


class TwoArguments(Loss):
    def __call__(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        return logits.sum(-1)


class CountsForFrequencies(Plain):
    def carried_prior(self, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        return counts.astype(np.float64)


class NoFrequencies(Plain):
    def carried_prior(self, counts: NDArray[np.int64]) -> Any:
        return None


def try_step(loss: str, classifier: str = "synaug.classifier.Classifier") -> list[str]:
    optimizer = {"_target_": "torch.optim.Adam", "_partial_": True}
    config = OmegaConf.create({"_target_": classifier, "_partial_": True, "optimizer": optimizer})
    return list(classifier_problems(config, OmegaConf.create({"_target_": loss})))


def own(part: type | Callable[..., Any]) -> str:
    return f"{__name__}.{part.__name__}"


@pytest.mark.parametrize(
    ("loss", "sentence"),
    [
        (MeanOfAll, "loss gives 0.7"),
        (NotANumber, "loss gives [[nan, nan]] for two rows: choose one that gives each row a number"),
        (Array, "loss gives a ndarray for two rows: it must return a tensor, a number a row"),
        (Detached, "loss has no gradient: it must be computed by torch from the logits, and not be detached"),
        (Coupled, "loss gives a member other numbers where another stands beside it"),
        (NoMinimum, "are not known: give it a method carried_prior"),
        (TwoArguments, "takes 3 positional arguments but 4 were given"),
        (CountsForFrequencies, "loss carries the class frequencies [[2. 1.]] where two classes have 2 rows and 1"),
        (NoFrequencies, "loss carries the class frequencies None where two classes have 2 rows and 1"),
        (Nested, "is no loss that says which class frequencies its logits follow: derive it from synaug.loss.Loss"),
        (own, "is no loss that says which class frequencies its logits follow: derive it from synaug.loss.Loss"),
    ],
)
def test_a_loss_that_is_none_is_said(loss: type, sentence: str) -> None:
    (said,) = try_step(own(loss) if loss.__module__ == __name__ else "synaug.validation.Nested")
    assert sentence in said
    assert "\n" not in said


class Forgetful(Plain):
    def for_classes(self, class_names: Sequence[str]) -> Any:
        self.class_names = class_names


def test_a_loss_that_is_lost_when_it_hears_of_the_classes_is_said() -> None:
    config = OmegaConf.create({"_target_": own(Forgetful)})
    with pytest.raises(UserError, match=r"Forgetful returns NoneType from for_classes, .*: return self, or a loss"):
        make_loss(config, ["a", "b"])


class Network(LightningModule):
    def __init__(self, n_features: int, n_classes: int, seeds: Sequence[int], **more: Any) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(n_features, n_classes)


class NoArguments(LightningModule):
    def __init__(self, optimizer: Any) -> None:
        super().__init__()


@pytest.mark.parametrize(
    ("classifier", "sentence"),
    [
        (
            Network,
            "makes no synaug.classifier.Classifier and no FittedAtOnce: derive it from one of the two, or choose",
        ),
        (NoArguments, "classifier: NoArguments.__init__() got an unexpected keyword argument 'n_features'"),
    ],
)
def test_a_classifier_that_is_none_is_said(classifier: type, sentence: str) -> None:
    (said,) = try_step("synaug.loss.Plain", own(classifier))
    assert sentence in said


class Divided(Validation):
    """What a test says that it makes of rows."""

    def __init__(self, divide: Callable[[Outside, Rows], Any], final: str = "bagged") -> None:
        self._divide = divide
        self.final = final

    def divide(self, outside: Outside, thin: Callable[[Rows], Rows]) -> Any:
        return self._divide(outside, thin(outside.rows))


def fold(rows: Rows, out: Rows) -> InnerFold:
    return InnerFold(np.setdiff1d(rows, out), out)


def other_rows(outside: Outside) -> Rows:
    return np.setdiff1d(np.arange(len(outside.labels)), outside.rows)


@pytest.mark.parametrize(
    ("divide", "sentence"),
    [
        (lambda outside, train: train, "must divide rows into a pair, those that train and a tuple of inner folds"),
        (lambda outside, train: (train, ()), "must give at least one inner fold"),
        (lambda outside, train: (train, ((train, train),)), "all of them as synaug.splits.InnerFold in a tuple"),
        (lambda outside, train: (train, (InnerFold(train, train[:5]),)), "rows out that train in the same inner fold"),
        (lambda outside, train: (train, (fold(train, train[:4]), fold(train, train[:4]))), "leaves a row out twice"),
        (lambda outside, train: (train, (InnerFold(train, train[:0]),)), "has an inner fold that leaves out no row"),
        (lambda outside, train: (train, (InnerFold(train[4:], train[:4] * 1.0),)), "gives rows as float64, where"),
        (
            lambda outside, train: (train, (InnerFold(train > 9, train[:4]),)),
            "gives rows as bool, where the",
        ),
        (lambda outside, train: (train, (InnerFold(train, other_rows(outside)),)), "uses rows of the test fold"),
        (
            lambda outside, train: (np.arange(80), (fold(train, train[:4]),)),
            "uses rows of the test fold",
        ),
        (
            lambda outside, train: (train, (fold(outside.rows, train[:4]),)),
            "trains inner folds on rows that are not among those that train",
        ),
        (
            lambda outside, train: (train, (fold(train, train[outside.labels[train] == 1]),)),
            "leaves an inner fold no row of a class that has 18 to train on",
        ),
    ],
)
def test_a_validation_that_would_judge_by_the_wrong_rows_is_said(
    divide: Callable[[Outside, Rows], Any], sentence: str
) -> None:
    (said,) = division_problems(Divided(divide), "mine.Divided")
    assert said.startswith("validation._target_=mine.Divided ")
    assert sentence in said
    assert said.endswith(": mend it, as synaug.splits.Validation says, or choose nested")


def test_a_validation_whose_final_classifier_is_none_is_said() -> None:
    (said,) = division_problems(Divided(lambda outside, train: None, final="best"), "mine.Divided")
    assert "has final=best, which must be one of bagged, refit" in said


@pytest.mark.parametrize(
    "validation",
    [
        *(Nested(n_folds) for n_folds in (2, 5, 20, 36, 1000)),
        *(kind(share) for kind in (Holdout, Oracle) for share in (1e-9, 0.1, 0.5, 0.9, 0.99999)),
        Divided(lambda outside, train: (train, (fold(train, train[:4]),)), final="refit"),
    ],
)
def test_a_sound_validation_has_no_problem(validation: Validation) -> None:
    assert not list(division_problems(validation, "mine.Sound"))


class Sound(Nested):
    """A user's own that works."""


class Leaking(Nested):
    def divide(self, outside: Outside, thin: Callable[[Rows], Rows]) -> tuple[Rows, tuple[InnerFold, ...]]:
        return outside.rows, (InnerFold(outside.rows, outside.rows),)


class Halved(Plain):
    """A user's own that works, as it says itself what it carries."""

    def __call__(self, logits: torch.Tensor, labels: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        return super().__call__(logits, labels, counts) / 2


def test_own_parts_work_in_a_run_and_wrong_ones_are_said_together(program: Program, csv: str) -> None:
    short = [*TOY, csv, "n_folds=2", "max_steps=9", "augmenter=none"]
    outcome = program(*short, f"loss._target_={own(Halved)}", f"validation._target_={own(Sound)}")
    assert outcome.code == 0, outcome.err
    outcome = program(
        *short, f"loss._target_={own(Detached)}", "~loss.label_smoothing", f"validation._target_={own(Leaking)}"
    )
    assert outcome.code == 1
    assert "2 problems in the configuration:\n  - loss has no gradient" in outcome.err
    assert "leaves rows out that train in the same inner fold" in outcome.err
    assert "Traceback" not in outcome.err
    assert len(program.records()) == 1
