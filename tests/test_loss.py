"""Losses: what they are, what they agree with, and the class frequencies that their logits follow."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from numpy.typing import NDArray
from torch.nn import functional

from synaug.errors import UserError
from synaug.loss import LDAM, BalancedSoftmax, ClassWeighted, EffectiveNumber, Focal, LogitAdjusted, Loss, Plain
from synaug.loss.best_constant import best_constant
from synaug.scores.prior_correction import prior_correction
from synaug.settings import conf_dir

SHIPPED = sorted(path.stem for path in (conf_dir() / "loss").glob("*.yaml"))
COUNTS = np.array([[900, 90, 9], [300, 300, 300], [5, 1, 700]])


class OfTheUsers(Loss):
    """The squared error of the probabilities (Brier's score), which says nothing of the prior that it carries."""

    def __call__(self, logits: torch.Tensor, labels: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        missed = functional.one_hot(labels, logits.shape[-1]) - logits.softmax(-1)
        return (missed * missed).sum(-1)


class Unbounded(Loss):
    """The smaller, the larger the logits are."""

    def __call__(self, logits: torch.Tensor, labels: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
        return logits.gather(-1, labels[..., None])[..., 0]


def composed(*overrides: str) -> Any:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return instantiate(compose("config", list(overrides)).loss, _convert_="all")


def examples(counts: NDArray[Any] = COUNTS, n_rows: int = 17) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits, labels and counts of a stack; the number of rows is no multiple of a register."""
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(*counts.shape[:1], n_rows, counts.shape[1], generator=generator)
    labels = torch.randint(counts.shape[1], logits.shape[:2], generator=generator)
    return logits, labels, torch.from_numpy(counts).float()


def with_gradient(
    loss: Callable[..., torch.Tensor], logits: torch.Tensor, labels: torch.Tensor, counts: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    logits = logits.clone().requires_grad_()
    losses = loss(logits, labels, counts)
    (gradient,) = torch.autograd.grad(losses.mean(1).sum(), logits)
    return losses.detach(), gradient


@pytest.mark.parametrize(
    "loss",
    [
        Focal(gamma=0.0),
        LDAM(max_margin=0.0),
        LogitAdjusted(tau=0.0),
        EffectiveNumber(beta=0.0),
        ClassWeighted(weights=[2.0, 2.0, 2.0]),
    ],
    ids=lambda loss: type(loss).__name__,
)
def test_at_its_neutral_setting_a_loss_is_the_plain_one_to_the_bit(loss: Loss) -> None:
    for n_rows in (1, 17, 64):
        given = examples(n_rows=n_rows)
        for found, expected in zip(with_gradient(loss, *given), with_gradient(Plain(), *given), strict=True):
            assert torch.equal(found, expected)
    np.testing.assert_allclose(loss.carried_prior(COUNTS), Plain().carried_prior(COUNTS), rtol=1e-5)


def test_the_plain_loss_is_torch_s_cross_entropy() -> None:
    logits, labels, counts = examples()
    for smoothing in (0.0, 0.2):
        expected = functional.cross_entropy(logits[1], labels[1], reduction="none", label_smoothing=smoothing)
        assert torch.equal(Plain(smoothing)(logits, labels, counts)[1], expected)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("n_rows", [10, 17, 64])
@pytest.mark.parametrize(
    "loss", [*map(composed, (f"loss={name}" for name in SHIPPED)), Focal(1.3)], ids=lambda loss: type(loss).__name__
)
def test_a_member_s_loss_and_gradient_have_the_same_bits_alone_and_in_a_stack(
    loss: Loss, n_rows: int, threads: int
) -> None:
    counts = np.random.RandomState(0).randint(1, 900, (33, 3))
    logits, labels, told = examples(counts, n_rows)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        stacked = with_gradient(loss, logits, labels, told)
        for index in range(len(counts)):
            member = slice(index, index + 1)
            alone = with_gradient(loss, logits[member].clone(), labels[member].clone(), told[member].clone())
            for of_stack, of_member in zip(stacked, alone, strict=True):
                assert torch.equal(of_stack[index], of_member[0])
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_member_s_carried_prior_has_the_same_bits_alone_and_in_a_stack(name: str) -> None:
    loss = composed(f"loss={name}")
    together = loss.carried_prior(COUNTS)
    np.testing.assert_allclose(together.sum(1), 1, rtol=1e-12)
    for index in range(len(COUNTS)):
        np.testing.assert_array_equal(loss.carried_prior(COUNTS[index : index + 1])[0], together[index])


@pytest.mark.parametrize("name", SHIPPED)
def test_every_row_s_gradient_is_finite_also_where_a_row_is_predicted_perfectly_or_not_at_all(name: str) -> None:
    loss = composed(f"loss={name}")
    logits = torch.tensor([[[200.0, 0.0, 0.0], [0.0, 0.0, 0.0], [-200.0, 0.0, 0.0]]])
    losses, gradient = with_gradient(loss, logits, torch.zeros(1, 3, dtype=torch.int64), torch.tensor([[90.0, 9, 9]]))
    assert torch.isfinite(losses).all()
    assert torch.isfinite(gradient).all()
    assert losses[0, 0] < losses[0, 1] < losses[0, 2]
    assert (gradient[0, 1:, 0] < 0).all()  # more of its own class makes a row's loss smaller


def test_a_focal_loss_with_a_small_exponent_has_a_gradient_where_a_row_is_predicted_perfectly() -> None:
    given = torch.tensor([[[200.0, 0.0]]]), torch.zeros(1, 1, dtype=torch.int64), torch.ones(1, 2)
    assert torch.isfinite(with_gradient(Focal(0.3), *given)[1]).all()


# What is published


def test_balanced_softmax_is_logit_adjustment_with_tau_1_and_ren_s_formula() -> None:
    logits, labels, counts = examples()
    found = BalancedSoftmax()(logits, labels, counts)
    assert torch.equal(found, LogitAdjusted(tau=1.0)(logits, labels, counts))
    weighted = counts.double()[:, None] * logits.double().exp()
    expected = -(weighted / weighted.sum(-1, keepdim=True)).gather(-1, labels[..., None])[..., 0].log()
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-6)


def test_focal_loss_is_lin_s_formula() -> None:
    logits, labels, counts = examples()
    p = logits.double().softmax(-1).gather(-1, labels[..., None])[..., 0]
    for gamma in (0.5, 2.0, 5.0):
        torch.testing.assert_close(
            Focal(gamma)(logits, labels, counts).double(), -((1 - p) ** gamma) * p.log(), rtol=1e-4, atol=1e-6
        )


def test_ldam_is_cao_s_formula() -> None:
    logits, labels, counts = examples()
    found = LDAM(max_margin=0.5)(logits, labels, counts)
    for member in range(len(counts)):
        # As in the authors' code, with their scale of 1: m_list, then x_m where the class is the row's own.
        margins = 1 / np.sqrt(np.sqrt(counts[member].numpy()))
        margins = torch.from_numpy(margins * (0.5 / margins.max())).float()
        lowered = logits[member] - functional.one_hot(labels[member], 3) * margins
        torch.testing.assert_close(found[member], functional.cross_entropy(lowered, labels[member], reduction="none"))


def test_effective_number_weighs_as_cui_and_lies_between_no_weights_and_inverse_ones() -> None:
    logits, labels, counts = examples()
    plain = Plain()(logits, labels, counts)
    weights = (1 - 0.99) / (1 - 0.99 ** counts.double())
    ratio = (EffectiveNumber(0.99)(logits, labels, counts) / plain).double()
    of_rows = weights.gather(1, labels)
    torch.testing.assert_close(ratio / ratio[:, :1], of_rows / of_rows[:, :1], rtol=1e-5, atol=1e-6)
    inverse = ClassWeighted()(logits, labels, counts)
    torch.testing.assert_close(EffectiveNumber(1 - 1e-9)(logits, labels, counts), inverse, rtol=1e-4, atol=1e-5)


# Weights


def test_whole_weights_do_in_a_full_batch_what_rows_repeated_as_often_do() -> None:
    labels = torch.tensor([[0, 0, 0, 0, 1, 1, 2]])
    logits = torch.randn(1, 7, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    weights = torch.tensor([1, 2, 4])
    weighted = ClassWeighted(weights.tolist())(logits, labels, torch.tensor([[4, 2, 1]])).mean()
    rows = torch.arange(7).repeat_interleave(weights[labels[0]])
    repeated = Plain()(logits[:, rows], labels[:, rows], torch.tensor([[4, 4, 4]])).mean()
    torch.testing.assert_close(weighted, repeated)
    for found, expected in zip(
        torch.autograd.grad(weighted, logits), torch.autograd.grad(repeated, logits), strict=True
    ):
        torch.testing.assert_close(found, expected)


def test_weights_are_scikit_learn_s_balanced_ones_unless_given() -> None:
    from sklearn.utils.class_weight import compute_class_weight

    labels = torch.from_numpy(np.repeat([0, 1, 2], [40, 8, 2]))[None]
    logits = torch.randn(1, 50, 3, generator=torch.Generator().manual_seed(0))
    counts = torch.tensor([[40, 8, 2]])
    found = ClassWeighted()(logits, labels, counts) / Plain()(logits, labels, counts)
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels[0].numpy())
    np.testing.assert_allclose(found[0], expected[labels[0]], rtol=1e-6)


def test_weights_by_name_are_those_in_the_order_of_the_classes() -> None:
    logits, labels, counts = examples()
    by_name = composed("loss=class_weighted", "loss.weights={spam:5,1e3:2}").for_classes(["ham", "spam", "1e3"])
    in_order = composed("loss=class_weighted", "loss.weights=[1,5,2]").for_classes(["ham", "spam", "1e3"])
    assert torch.equal(by_name(logits, labels, counts), in_order(logits, labels, counts))
    np.testing.assert_allclose(by_name.carried_prior(np.array([[100, 10, 5]])), [[100 / 160, 50 / 160, 10 / 160]])


@pytest.mark.parametrize(
    ("weights", "sentence"),
    [
        ({"spma": 5}, "loss.weights names 'spma', which is no class of the data set: choose among 'ham', 'spam'"),
        ({"spam": 5, " spam": 3}, "loss.weights names spam twice: give each class one weight"),
        ([1, 2, 3], "loss.weights holds 3 weights, but there are 2 classes ('ham', 'spam')"),
    ],
)
def test_weights_that_do_not_fit_the_classes_are_refused(weights: Any, sentence: str) -> None:
    with pytest.raises(UserError, match=re.escape(sentence)):
        ClassWeighted(weights).for_classes(["ham", "spam"])


# The class frequencies that the trained logits follow


@pytest.mark.parametrize(
    "loss",
    [
        Plain(),
        Plain(0.1),
        ClassWeighted(),
        ClassWeighted([3.0, 1.0, 0.2]),
        EffectiveNumber(0.99),
        BalancedSoftmax(),
        LogitAdjusted(0.3),
        LogitAdjusted(1.7),
    ],
    ids=lambda loss: type(loss).__name__,
)
def test_the_carried_prior_is_the_best_answer_to_a_row_that_tells_nothing(loss: Loss) -> None:
    np.testing.assert_allclose(loss.carried_prior(COUNTS), best_constant(loss, COUNTS), rtol=1e-5)


def test_carried_priors_are_the_published_ones() -> None:
    pi = COUNTS / COUNTS.sum(1, keepdims=True)
    uniform = np.full((3, 3), 1 / 3)
    np.testing.assert_array_equal(Plain().carried_prior(COUNTS), pi)
    np.testing.assert_allclose(ClassWeighted().carried_prior(COUNTS), uniform)
    np.testing.assert_array_equal(BalancedSoftmax().carried_prior(COUNTS), uniform)
    np.testing.assert_allclose(ClassWeighted([9, 1, 1]).carried_prior(COUNTS)[1], np.array([9, 1, 1]) / 11)
    assert (EffectiveNumber().carried_prior(COUNTS).max(1) <= pi.max(1)).all()


@pytest.mark.parametrize("gamma", [0.5, 2.0, 5.0])
def test_the_prior_of_the_focal_loss_is_that_of_charoenphakdee(gamma: float) -> None:
    q = Focal(gamma).carried_prior(COUNTS)
    h = q / ((1 - q) ** gamma - gamma * q * (1 - q) ** (gamma - 1) * np.log(q))
    np.testing.assert_allclose(h / h.sum(1, keepdims=True), COUNTS / COUNTS.sum(1, keepdims=True), rtol=1e-5)
    assert (q.max(1) <= (COUNTS / COUNTS.sum(1, keepdims=True)).max(1) + 1e-12).all()


def test_many_classes_have_a_best_constant_answer_too() -> None:
    counts = np.rint(1000 * 0.95 ** np.arange(100)).astype(np.int64)[None]
    np.testing.assert_allclose(best_constant(Plain(), counts), counts / counts.sum(), rtol=1e-5)


@pytest.mark.parametrize(
    "loss",
    [
        Plain(),
        Plain(0.2),
        ClassWeighted(),
        ClassWeighted([1.0, 5.0]),
        EffectiveNumber(0.99),
        LogitAdjusted(0.5),
        Focal(2.0),
        LDAM(2.0),
        OfTheUsers(),
    ],
    ids=lambda loss: type(loss).__name__,
)
def test_after_the_correction_two_classes_are_told_apart_where_their_densities_are_equal(loss: Loss) -> None:
    # A row with the likelihood ratio r has the class probabilities π₁ r : π₀; the best that a loss would have said
    # of it, corrected, must decide by r > 1. Of many rows of one kind, the best answer is a best constant.
    for counts in (np.array([[990, 10]]), np.array([[60, 40]])):
        offset = prior_correction(loss.carried_prior(counts)[0], np.full(2, 0.5))
        for ratio in (0.5, 0.9, 1.1, 2.0):
            posterior = counts[0] * np.array([1, ratio])

            def of_such_rows(logits: torch.Tensor, labels: torch.Tensor, told: torch.Tensor) -> torch.Tensor:
                return loss(logits, labels, torch.from_numpy(counts))  # noqa: B023

            said = best_constant(of_such_rows, np.rint(1000 * posterior)[None].astype(np.int64))[0]
            assert (np.log(said) + offset).argmax() == (ratio > 1)


def test_post_hoc_adjustment_with_tau_1_is_the_prior_correction_of_the_plain_loss() -> None:
    # Menon et al. 2021, equation 9: argmax of the logits minus τ · log π.
    offset = prior_correction(Plain().carried_prior(COUNTS), np.full(3, 1 / 3))
    shares = COUNTS / COUNTS.sum(1, keepdims=True)
    logits = np.random.RandomState(0).standard_normal((3, 50, 3))
    adjusted = logits - np.log(shares)[:, None]
    np.testing.assert_allclose((logits + offset[:, None]) - adjusted, np.log(1 / 3), rtol=1e-12)
    # Trained in, the same frequencies are added: what is left to correct is nothing.
    np.testing.assert_array_equal(prior_correction(LogitAdjusted(1.0).carried_prior(COUNTS), np.full(3, 1 / 3)), 0)


def test_a_loss_of_the_user_s_own_needs_no_formula_for_its_prior() -> None:
    # Brier's score is proper: its best constant answer is the class frequencies.
    np.testing.assert_allclose(
        OfTheUsers().carried_prior(COUNTS), COUNTS / COUNTS.sum(1, keepdims=True), rtol=1e-3, atol=1e-6
    )


def test_a_loss_without_a_smallest_value_is_refused() -> None:
    with pytest.raises(UserError, match="Unbounded has no smallest value over constant logits"):
        Unbounded().carried_prior(COUNTS)


# Settings


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Plain(1.0), "loss.label_smoothing=1.0 must be below 1"),
        (lambda: ClassWeighted([1, 0]), "loss.weights=[1,0] must be a list of positive numbers"),
        (lambda: ClassWeighted({"spam": -1}), "loss.weights={spam:-1} must be a list of positive numbers"),
        (lambda: EffectiveNumber(1.0), "loss.beta=1.0 must be below 1"),
        (lambda: LogitAdjusted(-0.5), "loss.tau=-0.5 must be at least 0"),
        (lambda: Focal(-1.0), "loss.gamma=-1.0 must be at least 0"),
        (lambda: LDAM(-1.0), "loss.max_margin=-1.0 must be at least 0"),
    ],
)
def test_a_setting_out_of_its_range_is_refused(make: Callable[[], Loss], sentence: str) -> None:
    with pytest.raises(UserError, match=re.escape(sentence)):
        make()


def test_every_option_is_a_loss_and_every_loss_has_an_option(tmp_path: Path) -> None:
    made = {type(composed(f"loss={name}")) for name in SHIPPED}
    assert made == {LDAM, BalancedSoftmax, ClassWeighted, EffectiveNumber, Focal, LogitAdjusted, Plain}
