import inspect
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from imblearn.utils.estimator_checks import estimator_checks_generator

from synaug.augmenter.flow import FREQUENCIES, Flow, SetFlow, Settings, StackedVelocity, _at, _classes_given
from synaug.errors import TooFewRowsError, UserError
from tests.test_vae import three_classes

QUICK: dict[str, Any] = {"hidden": 16, "n_components": 4, "steps": 5}


def synthetic(flow: Any, X: Any, y: Any) -> Any:
    return flow.fit_resample(X, y)[0][len(X) :]


def two_classes(rows: Any, n_other: Any) -> Any:
    """Class 0 has these rows; class 1 is wide, and there to balance to."""
    rng = np.random.RandomState(9)
    other = rng.normal(size=(n_other, rows.shape[1])) + 3
    return np.vstack([rows, other]), np.repeat([0, 1], [len(rows), n_other])


@pytest.mark.parametrize("n_components", [0, 3, 6])
def test_a_flow_on_a_gaussian_returns_its_moments(n_components: Any) -> None:
    rng = np.random.RandomState(0)
    mixing = rng.normal(size=(6, 6))
    X, y = np.vstack([rng.normal(size=(n, 6)) @ mixing + shift for n, shift in ((2000, 0), (6000, 5))]), None
    y = np.repeat([0, 1], [2000, 6000])
    made = synthetic(Flow(n_components=n_components, steps=600, random_state=0), X, y)
    assert made.shape == (4000, 6)
    deviation = np.sqrt(np.diag(mixing.T @ mixing))
    # Of 2,000 real and 4,000 synthetic rows: 4 standard errors.
    assert (np.abs(made.mean(0)) < 4 * deviation * np.sqrt(1 / 2000 + 1 / 4000)).all()
    found, truth = (np.linalg.inv(mixing.T) @ np.cov(rows.T) @ np.linalg.inv(mixing) for rows in (made, X[y == 0]))
    np.testing.assert_allclose(found, truth, atol=0.12)
    third = ((made - made.mean(0)) / made.std(0)) ** 3
    assert (np.abs(third.mean(0)) < 0.25).all()


@pytest.mark.parametrize("n", [300, 5])
def test_what_lies_beside_the_plane_is_drawn_by_no_more_numbers_than_features(n: Any, monkeypatch: Any) -> None:
    d, sizes = 8, list[tuple[int, ...]]()
    rows = np.random.RandomState(0).normal(size=(n, d)) @ np.random.RandomState(1).normal(size=(d, d))
    residuals = rows - rows.mean(0)
    flow = SetFlow(rows, np.zeros(n, np.int64), {0: 20000}, 0, [1], Settings(2, 4, 0, 8, 1e-3, 1))
    values, directions = np.linalg.eigh(residuals.T @ residuals)
    outside = directions[:, :-2] * values[:-2] @ directions[:, :-2].T
    np.testing.assert_allclose(flow._beside.T @ flow._beside, outside / (n - 1), atol=1e-10)
    drawn = torch.randn

    def noted(*size: int, **given: Any) -> Any:
        sizes.append(size)
        return drawn(*size, **given)

    monkeypatch.setattr(torch, "randn", noted)
    flow.start()
    flow.loss = 0.0
    flow.sample()
    assert sizes[-2:] == [(20000, 2), (20000, min(n - 1, d) - 2)]
    whole = residuals.T @ residuals / (n - 1)
    scale = np.sqrt(np.outer(np.diag(whole), np.diag(whole)))
    np.testing.assert_allclose(np.cov(flow.made[0].rows.T) / scale, whole / scale, atol=0.04)  # 4 standard errors


def few_of_each(counts: Any = (1, 2, 3, 2000), d: Any = 4, seed: Any = 0) -> Any:
    """Classes of one covariance, far apart."""
    rng = np.random.RandomState(seed)
    y = np.repeat(np.arange(len(counts)), counts)
    return rng.normal(size=(len(y), d)) @ rng.normal(size=(d, d)) + 5 * y[:, None], y


@pytest.mark.parametrize("n_components", [0, 2, 4])
def test_rows_have_the_unbiased_pooled_covariance_whatever_few_rows_a_class_has(n_components: Any) -> None:
    X, y = few_of_each(counts=[2] * 30 + [1] * 20 + [60])
    within = X - np.stack([X[y == label].mean(0) for label in range(51)])[y]
    pooled = within.T @ within / (len(X) - 51)
    scale = np.sqrt(np.outer(np.diag(pooled), np.diag(pooled)))
    flow = Flow(n_components=n_components, steps=0, random_state=0, sampling_strategy={0: 10000, 40: 10000})
    made = synthetic(flow, X, y)
    for label, rows in zip((0, 40), np.split(made, [9998]), strict=True):
        np.testing.assert_allclose(np.cov(rows.T) / scale, pooled / scale, atol=0.06)
        np.testing.assert_allclose((rows.mean(0) - X[y == label].mean(0)) / np.sqrt(np.diag(pooled)), 0, atol=0.04)


def test_a_flow_learns_from_rows_as_far_from_the_mean_as_those_of_the_class_and_not_from_one_alone() -> None:
    X, y = few_of_each((1, 2, 3, 40))
    flow = SetFlow(X, y, {0: 5}, 0, range(4), Settings(4, 4, 1, 8, 1e-3, 2))
    flow.start()
    back = flow.x[:, :4].double().numpy() * flow._scale @ flow._directions.T
    places = flow.given_class[:, 1 + FREQUENCIES :].argmax(1).numpy()
    assert np.bincount(places).tolist() == [0, 2, 3, 40]
    for label, m in ((1, 2), (2, 3), (3, 40)):
        own = X[y == label]
        np.testing.assert_allclose(back[places == label], (own - own.mean(0)) * np.sqrt(m / (m - 1)), atol=1e-5)


def test_a_class_of_one_row_takes_the_spread_that_others_have() -> None:
    # The weights of its own place are never trained.
    X, y = few_of_each((1, 1500, 1500))
    X[y == 1, 0] += np.where(np.arange(1500) % 2, 10, -10)
    flow = Flow(steps=400, lr=5e-3, random_state=0, sampling_strategy={0: 4001})
    made = synthetic(flow, X, y)
    rest = np.vstack([X[y == label] - X[y == label].mean(0) for label in (1, 2)])
    np.testing.assert_allclose((made - X[y == 0]).std(0), rest.std(0), rtol=0.1)
    far = np.abs(made - X[y == 0])[:, 0] > 5
    assert far.mean() == pytest.approx((np.abs(rest[:, 0]) > 5).mean(), abs=0.06)
    assert flow.diagnostics_[0]["variance_ratio"] is None


def test_where_no_class_has_two_rows_a_flow_says_what_it_needs() -> None:
    X, y = np.random.RandomState(0).normal(size=(3, 4)), np.arange(3)
    with pytest.raises(
        TooFewRowsError, match=r"each class has 1 row; the flow learns how rows .*use augmenter=random$"
    ):
        Flow(**QUICK, sampling_strategy={0: 5}).fit_resample(X, y)


def test_rows_of_a_class_do_not_depend_on_the_other_classes_wanted() -> None:
    X, y = three_classes()
    both = synthetic(Flow(**QUICK, random_state=0, sampling_strategy={0: 40, 1: 40}), X, y)
    alone = synthetic(Flow(**QUICK, random_state=0, sampling_strategy={1: 40}), X, y)
    np.testing.assert_array_equal(both[28:], alone)


def test_a_flow_learns_what_is_not_gaussian_and_of_a_class_alone() -> None:
    rng = np.random.RandomState(0)
    modes = rng.choice([-2, 2], size=(1500, 1)) + 0.3 * rng.normal(size=(1500, 1))
    X, y = two_classes(np.hstack([modes, rng.normal(size=(1500, 1))]), 3000)
    flow = Flow(steps=1500, lr=5e-3, random_state=0)
    made = synthetic(flow, X, y)
    gaussian = synthetic(Flow(steps=0, random_state=0), X, y)
    between = [float((np.abs(rows[:, 0]) < 1).mean()) for rows in (made, gaussian)]
    assert between[0] < 0.08 < 0.3 < between[1]
    assert 0.85 < flow.diagnostics_[0]["variance_ratio"] < 1.15
    assert flow.diagnostics_[0]["loss"] < 1.9


def test_the_midpoint_rule_is_that_of_the_velocity() -> None:
    # A velocity of c, whatever the point: after time 1 every point has moved by c.
    rows = np.random.RandomState(0).normal(size=(20, 3))
    flow = SetFlow(rows, np.zeros(20, np.int64), {0: 4}, 0, [1], Settings(3, 4, 1, 8, 1e-3, 7))
    flow.start()
    moved = torch.tensor([1.0, -2.0, 0.5])
    flow.weights[-1][0, :3] = moved
    x = torch.randn(1, 4, 16)
    after = flow._carried(StackedVelocity([flow.weights]), x, _classes_given(torch.zeros(4).long(), 1)[None])
    torch.testing.assert_close(after[..., :3], x[..., :3] + moved)
    torch.testing.assert_close(after[..., 3:], x[..., 3:])


def test_points_lie_on_the_line_from_noise_to_a_row() -> None:
    rows = np.random.RandomState(0).normal(size=(20, 3))
    flow = SetFlow(rows, np.arange(20) % 2, {0: 4}, 0, [1, 2], Settings(2, 4, 1, 8, 1e-3, 7))
    flow.start()
    x, given, velocity = flow.draw(3)
    ends = x + (1 - given[..., :1]) * velocity
    assert torch.cdist(ends.view(-1, 16), flow.x).min(1).values.max() < 1e-4
    assert x.shape == velocity.shape == (3, 8, 16)
    torch.testing.assert_close(given[..., 1], torch.cos(torch.pi * given[..., 0]))
    assert (given[..., 1 + FREQUENCIES :].sum(-1) == 1).all()
    assert _at(torch.zeros(1, 1, 1), _classes_given(torch.tensor([1]), 2)[None]).shape == given[:1, :1].shape


def test_a_flow_in_a_stack_has_the_bits_that_it_has_alone(monkeypatch: Any) -> None:
    sets = [three_classes(counts=c, d=40, seed=i) for i, c in enumerate([(1, 13, 90), (31, 33, 90), (31, 33, 90)] * 2)]
    alone, together, cut = ([Flow(**QUICK, random_state=np.random.RandomState(i)) for i in range(6)] for _ in range(3))
    expected = [flow.fit_resample(X, y) for flow, (X, y) in zip(alone, sets, strict=True)]
    found = Flow.fit_resample_all(together, sets)
    monkeypatch.setattr("synaug.augmenter.stack.STACK_BYTES", 1 << 16)
    in_parts = Flow.fit_resample_all(cut, sets)
    for (X, _), a, b, c, one, other in zip(sets, expected, found, in_parts, alone, together, strict=True):
        assert isinstance(b, tuple)
        assert isinstance(c, tuple)
        np.testing.assert_array_equal(a[0], b[0])
        np.testing.assert_array_equal(a[0], c[0])
        np.testing.assert_array_equal(a[0][: len(X)], X)
        assert np.bincount(a[1]).tolist() == [90] * 3
        assert one.diagnostics_ == other.diagnostics_
        assert one.parents_ is None
    told = alone[0].diagnostics_
    assert json.loads(json.dumps(told, allow_nan=False)) == told


def test_features_that_are_constant_within_each_class_keep_the_classs_value() -> None:
    X, y = three_classes()
    X[:, 1] = 0.1
    X[:, 5] = y
    X_new, y_new = Flow(**QUICK, random_state=0).fit_resample(X, y)
    np.testing.assert_allclose(X_new[:, 1], 0.1, atol=1e-6)
    np.testing.assert_allclose(X_new[:, 5], y_new, atol=1e-6)


def test_classes_of_identical_rows_are_repeated() -> None:
    X, y = np.repeat([[1.0, 2.0], [5.0, 6.0]], [3, 9], axis=0), np.repeat([0, 1], [3, 9])
    flow = Flow(**QUICK, random_state=0)
    np.testing.assert_allclose(synthetic(flow, X, y), [[1, 2]] * 6)
    assert (flow.diagnostics_[0]["components"], flow.diagnostics_[0]["variance_ratio"]) == (0, None)


def test_divergence_is_an_error_with_a_remedy() -> None:
    with pytest.raises(TooFewRowsError, match=r"the flow of all classes diverged with lr=1000.0 .*lower augmenter.lr$"):
        Flow(**QUICK | {"steps": 40}, random_state=0, lr=1000.0).fit_resample(*three_classes())


@pytest.mark.parametrize(
    "wrong", [{"n_components": -1}, {"hidden": 0}, {"steps": 1.5}, {"batch_size": 0}, {"lr": 0}, {"ode_steps": 0}]
)
def test_wrong_parameters_get_a_sentence(wrong: Any) -> None:
    ((name, value),) = wrong.items()
    with pytest.raises(UserError, match=f"^augmenter.{name}={value} must be "):
        Flow(**wrong).fit_resample(*three_classes())


def test_yaml_holds_every_parameter_with_its_default() -> None:
    config = yaml.safe_load((Path(__file__).parents[1] / "conf/augmenter/flow.yaml").read_text(encoding="utf-8"))
    assert config.pop("_target_") == "synaug.augmenter.Flow"
    defaults = {name: parameter.default for name, parameter in inspect.signature(Flow).parameters.items()}
    assert config == {name: value for name, value in defaults.items() if not name.endswith(("strategy", "state"))}


@pytest.mark.parametrize(
    ("estimator", "check"),
    list(estimator_checks_generator(Flow(**QUICK, random_state=0))),
    ids=lambda value: value.func.__name__ if hasattr(value, "func") else "",
)
def test_imbalanced_learns_own_checks_hold(estimator: Any, check: Any) -> None:
    check(estimator)
