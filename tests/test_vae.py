import inspect
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from imblearn.utils.estimator_checks import estimator_checks_generator
from sklearn.base import clone
from torch.distributions import Normal, kl_divergence

from synaug.augmenter.stack import padded
from synaug.augmenter.vae.network import StackedVAE, initial_weights
from synaug.augmenter.vae.sampler import CVAE, VAE
from synaug.augmenter.vae.training import train_all
from synaug.errors import TooFewRowsError, UserError

QUICK: dict[str, Any] = {"latent_dim": 4, "hidden": 16, "warmup_epochs": 1, "max_epochs": 2}
PRIOR: dict[str, Any] = {"sample_from": "prior", "observation_noise": False}  # what the decoder makes, by itself
LEARN: dict[str, Any] = {"latent_dim": 8, "hidden": 64, "lr": 5e-3, "max_epochs": 100}


def three_classes(counts: Any = (12, 20, 40), d: Any = 6, seed: Any = 0) -> Any:
    rng = np.random.RandomState(seed)
    y = np.repeat(np.arange(3), counts)
    X = rng.normal(size=(len(y), d)) + 3 * y[:, None]
    shuffled = rng.permutation(len(y))
    return X[shuffled].astype(np.float32), y[shuffled]


def curved(n: Any = 200, d: Any = 80, seed: Any = 0) -> Any:
    """Class 0 lies near a curved sheet of two dimensions in `d`; class 1 is there to balance to."""
    rng = np.random.RandomState(seed)
    u, v = rng.normal(size=(2, n))
    sheet = np.stack([u, v, u * v, np.sin(2 * u)], axis=1) @ rng.normal(size=(4, d))
    X = np.vstack([sheet + 0.1 * rng.normal(size=(n, d)), rng.normal(size=(2 * n, d))])
    return X.astype(np.float32), np.repeat([0, 1], [n, 2 * n])


def synthetic(vae: Any, X: Any, y: Any) -> Any:
    return vae.fit_resample(X, y)[0][len(X) :]


def test_same_seed_gives_the_same_rows_and_another_seed_others() -> None:
    X, y = three_classes()
    first = synthetic(VAE(**QUICK, random_state=5), X, y)
    np.testing.assert_array_equal(first, synthetic(VAE(**QUICK, random_state=5), X, y))
    state = np.random.RandomState(5)
    np.testing.assert_array_equal(first, synthetic(VAE(**QUICK, random_state=state), X, y))
    assert not np.array_equal(first, synthetic(VAE(**QUICK, random_state=state), X, y))
    assert not np.array_equal(first, synthetic(VAE(**QUICK, random_state=6), X, y))


@pytest.mark.parametrize("sample_from", ["prior", "posterior"])
def test_no_global_generator_is_touched(sample_from: Any) -> None:
    X, y = three_classes()
    of_torch, of_numpy = torch.random.get_rng_state(), np.random.get_state(legacy=False)
    vae = VAE(**QUICK, random_state=0, sample_from=sample_from, observation_noise=True)
    vae.fit_resample(X, y)
    assert torch.equal(torch.random.get_rng_state(), of_torch)
    np.testing.assert_equal(np.random.get_state(legacy=False), of_numpy)


def test_classes_with_the_same_rows_get_different_draws() -> None:
    rows = np.random.RandomState(0).normal(size=(10, 4))
    X, y = np.vstack([rows, rows, rows, rows]), np.repeat([0, 1, 2, 2], 10)
    made = synthetic(VAE(**QUICK, random_state=0), X, y)
    assert made.shape == (20, 4)
    assert not np.isclose(made[:10], made[10:]).any()


def test_rows_of_a_class_do_not_depend_on_the_other_classes_wanted() -> None:
    X, y = three_classes()
    both = synthetic(VAE(**QUICK, random_state=0, sampling_strategy={0: 40, 1: 40}), X, y)
    alone = synthetic(VAE(**QUICK, random_state=0, sampling_strategy={1: 40}), X, y)
    np.testing.assert_array_equal(both[28:], alone)


@settings(max_examples=15, deadline=None)
@given(st.tuples(*[st.integers(0, 15)] * 3), st.sampled_from(["prior", "posterior"]))
def test_originals_come_first_and_counts_are_exact(extra: Any, sample_from: Any) -> None:
    X, y = three_classes(counts=(5, 9, 40))
    kept = X.copy(), y.copy()
    total = {0: 5 + extra[0], 1: 9 + extra[1], 2: 40}
    vae = VAE(**QUICK, sampling_strategy=total, sample_from=sample_from, random_state=0)
    X_new, y_new = vae.fit_resample(X, y)
    for before, now, resampled in ((kept[0], X, X_new), (kept[1], y, y_new)):
        np.testing.assert_array_equal(before, now)
        np.testing.assert_array_equal(before, resampled[: len(before)])
    assert dict(enumerate(np.bincount(y_new))) == total
    assert (X_new.dtype, y_new.dtype) == (X.dtype, y.dtype)
    assert np.isfinite(X_new).all()
    wanted = {label: n for label, n in vae.sampling_strategy_.items() if n}
    assert {d["class"]: d["made"] for d in vae.diagnostics_} == wanted


def test_posterior_rows_lie_around_their_parents() -> None:
    X, y = curved()
    y = y[order := np.random.RandomState(1).permutation(len(y))]
    X = X[order]
    vae = VAE(**LEARN, random_state=0, sample_from="posterior", observation_noise=False)
    made = synthetic(vae, X, y)
    assert vae.parents_ is not None
    assert vae.parents_.dtype == np.int64
    assert vae.parents_.shape == (len(made), 1)
    parents = vae.parents_[:, 0]
    assert (y[parents] == 0).all()
    to_parent = np.linalg.norm(made - X[parents], axis=1)
    to_another = np.linalg.norm(made - X[np.roll(parents, 1)], axis=1)
    assert np.median(to_parent) < np.median(to_another) / 3


def test_prior_rows_have_no_parents() -> None:
    vae = VAE(**QUICK, **PRIOR, random_state=0)
    vae.fit_resample(*three_classes())
    assert vae.parents_ is None


def test_balanced_classes_are_left_alone() -> None:
    X, y = three_classes(counts=(8, 8, 8))
    vae = VAE(**QUICK, sample_from="posterior")
    np.testing.assert_array_equal(vae.fit_resample(X, y)[0], X)
    assert vae.diagnostics_ == []
    assert vae.parents_ is not None
    assert vae.parents_.shape == (0, 1)


def test_it_learns_a_curved_sheet() -> None:
    X, y = curved()
    made = {beta: synthetic(VAE(**LEARN, **PRIOR, random_state=0, beta=beta), X, y) for beta in (1.0, 1000.0)}
    learnt, collapsed = (np.linalg.norm(np.cov(made[beta].T) - np.cov(X[y == 0].T)) for beta in (1.0, 1000.0))
    assert learnt < collapsed * 2 / 3


def test_diagnostics_tell_learning_from_collapse() -> None:
    X, y = curved()
    learnt, collapsed = VAE(**LEARN, **PRIOR, random_state=0), VAE(**LEARN, **PRIOR, random_state=0, beta=1000.0)
    learnt.fit_resample(X, y)
    collapsed.fit_resample(X, y)
    assert learnt.diagnostics_[0]["active_units"] >= 2
    assert 0.4 < learnt.diagnostics_[0]["variance_ratio"] < 1.2
    assert collapsed.diagnostics_[0]["active_units"] == 0
    assert collapsed.diagnostics_[0]["variance_ratio"] < 0.05
    assert collapsed.diagnostics_[0]["kl"] < 0.05 < 1 < learnt.diagnostics_[0]["kl"]
    assert collapsed.diagnostics_[0]["elbo_gain"] < 1 < 10 < learnt.diagnostics_[0]["elbo_gain"]
    assert collapsed.diagnostics_[0]["useful_units"] == 0 < 2 < learnt.diagnostics_[0]["useful_units"]


def test_units_count_as_active_before_training_but_not_as_useful() -> None:
    # What counts units by how much they vary, or by their KL, is met by initial weights: it cannot diagnose a VAE that
    # stops after a few dozen steps.
    X, y = curved(d=384)
    untrained = VAE(max_epochs=1, warmup_epochs=1, lr=1e-9, random_state=0)
    untrained.fit_resample(X, y)
    told = untrained.diagnostics_[0]
    assert told["active_units"] == 32
    assert told["varying_units"] > 25
    assert told["useful_units"] < 8
    assert told["elbo_gain"] < 0


@pytest.fixture(scope="module")
def linear() -> Any:
    """A linear VAE of rows with three strong directions, what it made, and its rows standardised."""
    rng = np.random.RandomState(0)
    rows = rng.normal(size=(1500, 3)) @ rng.normal(size=(3, 12)) * [1.5] + rng.normal(size=(1500, 12))
    X, y = np.vstack([rows, rng.normal(size=(4500, 12))]), np.repeat([0, 1], [1500, 4500])
    vae = VAE(
        hidden=0,
        latent_dim=6,
        lr=3e-3,
        max_epochs=400,
        patience=400,
        batch_size=500,
        validation_share=0,
        random_state=0,
        **PRIOR,
    )
    made = synthetic(vae, X, y)
    (trained,) = vae._untrained(X, y)
    return vae, made, (rows - rows.mean(0)) / rows.std(0), trained


def test_the_collapsed_units_of_a_linear_vae_are_those_that_probabilistic_pca_predicts(linear: Any) -> None:
    # Lucas et al. 2019: with unit noise, unit i is collapsed exactly where the eigenvalue is at most 1. The others have
    # weights sqrt(lambda - 1) and posterior variance 1 / lambda, hence a KL of log(lambda) / 2.
    vae, _, rows, _ = linear
    eigenvalues = np.linalg.eigvalsh(np.cov(rows.T, bias=True))[::-1]
    alive = eigenvalues[eigenvalues > 1]
    assert len(alive) == 3
    told = vae.diagnostics_[0]
    assert (told["active_units"], told["varying_units"], told["useful_units"]) == (3, 3, 3)
    np.testing.assert_allclose(told["kl_by_unit"], np.log(alive) / 2, rtol=0.05)
    assert told["elbo_gain"] == pytest.approx(((alive - 1 - np.log(alive)) / 2).sum(), rel=0.03)
    assert told["variance_ratio"] == pytest.approx((alive - 1).sum() / eigenvalues.sum(), rel=0.05)


def test_a_linear_vaes_rows_lie_in_the_plane_of_the_leading_eigenvectors(linear: Any) -> None:
    _, made, rows, trained = linear
    trained.start()
    _, vectors = np.linalg.eigh(np.cov(rows.T, bias=True))
    standard = (made - trained._rows.mean(0)) / trained._rows.std(0)
    values, found = np.linalg.eigh(np.cov(standard.T))
    cosines = np.linalg.svd(vectors[:, -3:].T @ found[:, -3:], compute_uv=False)
    assert cosines.min() > 0.99
    assert values[:-3].sum() < 0.01 * values.sum()


# One conditional VAE of all classes


def in_common(few: Any = 12, many: Any = 300, d: Any = 30, seed: Any = 0) -> Any:
    """Two classes of one shape, three directions wide, far apart; one has few rows."""
    rng = np.random.RandomState(seed)
    y = np.repeat([0, 1], [few, many])
    X = 2 * rng.normal(size=(few + many, 3)) @ rng.normal(size=(3, d)) + rng.normal(size=(few + many, d)) / 2
    return (X + 10 * y[:, None]).astype(np.float32), y


def test_a_conditional_vae_lends_a_small_class_the_shape_of_a_large_one() -> None:
    X, y = in_common()
    truth = np.cov(X[y == 1].T)
    learn: dict[str, Any] = {"latent_dim": 8, "hidden": 64, "lr": 5e-3}
    apart = {
        type(vae): np.linalg.norm(np.cov(synthetic(vae, X, y).T) - truth) / np.linalg.norm(truth)
        for vae in (VAE(**learn, **PRIOR, random_state=0), CVAE(**learn, **PRIOR, max_epochs=60, random_state=0))
    }
    assert apart[CVAE] < 0.4 < 0.5 < apart[VAE]


def test_a_conditional_vaes_rows_are_of_the_class_asked_for() -> None:
    X, y = in_common()
    made = synthetic(CVAE(**QUICK, random_state=0), X, y)
    assert len(made) == 288
    np.testing.assert_allclose(made.mean(0), X[y == 0].mean(0), atol=2.5)  # the other class is 10 away


@pytest.mark.parametrize("sample_from", ["prior", "posterior"])
def test_conditional_vaes_keep_the_contract_in_a_stack_as_alone(sample_from: Any) -> None:
    sets = [three_classes(counts=c, d=40, seed=i) for i, c in enumerate([(1, 13, 90), (31, 33, 90), (31, 33, 90)] * 2)]
    options = {**QUICK, "sample_from": sample_from, "observation_noise": True}
    alone, together = ([CVAE(**options, random_state=np.random.RandomState(i)) for i in range(6)] for _ in range(2))
    expected = [cvae.fit_resample(X, y) for cvae, (X, y) in zip(alone, sets, strict=True)]
    found = CVAE.fit_resample_all(together, sets)
    for (X, y), a, b, one, other in zip(sets, expected, found, alone, together, strict=True):
        assert isinstance(b, tuple)
        np.testing.assert_array_equal(a[0], b[0])
        np.testing.assert_array_equal(a[0][: len(X)], X)
        assert np.bincount(a[1]).tolist() == [90] * 3
        assert one.diagnostics_ == other.diagnostics_
        np.testing.assert_equal(one.parents_, other.parents_)
        assert (one.parents_ is None) == (sample_from == "prior")
        if one.parents_ is not None:
            np.testing.assert_array_equal(y[one.parents_[:, 0]], a[1][len(X) :])
    told = alone[0].diagnostics_
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    assert [(each["class"], each["rows"], each["judged_on"]) for each in told] == [
        (0, 1, "other classes"),
        (1, 13, "training"),
    ]
    assert {each["judged_on"] for each in alone[1].diagnostics_} == {"validation"}


def test_features_that_are_constant_within_each_class_keep_the_classs_value() -> None:
    X, y = three_classes()
    X[:, 1] = 0.1
    X[:, 5] = y
    X_new, y_new = CVAE(**QUICK, random_state=0).fit_resample(X, y)
    np.testing.assert_array_equal(X_new[:, 1], np.float32(0.1))
    np.testing.assert_array_equal(X_new[:, 5], y_new)


def trained(sampler: Any, X: Any, y: Any) -> Any:
    models = sampler._prepare(X, y)
    sampler._train(models)
    return models


def test_a_conditional_vae_learns_from_rows_with_the_unbiased_pooled_variance_and_not_from_one_alone() -> None:
    X, y = three_classes(counts=(1, 2, 40), d=5)
    (cvae,) = trained(CVAE(**QUICK, random_state=0), X, y)
    within = X.astype(float) - np.stack([X[y == label].mean(0, dtype=float) for label in range(3)])[y]
    pooled = (within**2).sum(0) / (len(X) - 3)
    np.testing.assert_allclose(cvae._scale, np.sqrt(pooled), rtol=1e-6)
    for label, m in ((1, 2), (2, 40)):
        own = X[y == label].astype(float)
        seen = cvae.x[:-1, :5][torch.from_numpy(y == label)].double().numpy() * cvae._scale
        np.testing.assert_allclose(seen.var(0), own.var(0, ddof=1), rtol=1e-4)
        np.testing.assert_allclose(seen, (own - own.mean(0)) * np.sqrt(m / (m - 1)), atol=1e-5)
    assert sorted(y[cvae._train]) == [1] * 2 + [2] * 36
    assert sorted(y[cvae._judged]) == [2] * 4


@pytest.mark.parametrize("options", [{"sample_from": "prior"}, {"sample_from": "posterior"}])
def test_a_class_of_one_row_takes_the_spread_that_others_have(options: Any) -> None:
    X, y = in_common(few=1, many=300)
    learn: dict[str, Any] = {"latent_dim": 8, "hidden": 64, "lr": 5e-3, "max_epochs": 60, "observation_noise": True}
    cvae = CVAE(**learn, **options, random_state=0)
    lone = synthetic(cvae, X, y) - X[y == 0]
    other = synthetic(CVAE(**learn, **options, random_state=0, sampling_strategy={1: 600}), X, y) - X[y == 1].mean(0)
    np.testing.assert_allclose(lone.std(0), other.std(0), rtol=0.25)
    np.testing.assert_allclose(lone.mean(0) / other.std(0), 0, atol=0.3)
    (told,) = cvae.diagnostics_
    assert (told["rows"], told["judged_on"], told["variance_ratio"]) == (1, "other classes", None)
    if cvae.parents_ is not None:
        assert (cvae.parents_ == np.flatnonzero(y == 0)).all()


def test_where_no_class_has_two_rows_a_conditional_vae_says_what_it_needs() -> None:
    X, y = np.random.RandomState(0).normal(size=(3, 4)), np.arange(3)
    with pytest.raises(
        TooFewRowsError, match=r"each class has 1 row; the CVAE learns how rows .*use augmenter=random$"
    ):
        CVAE(**QUICK, sampling_strategy={0: 5}).fit_resample(X, y)


@pytest.mark.parametrize(
    ("share", "held_out"), [(0.75, [0, 0, 30]), (0.95, [0, 0, 38]), (0.999, [0, 0, 0]), (0, [0] * 3)]
)
def test_a_conditional_vae_never_holds_out_all_rows_of_a_class(share: Any, held_out: Any) -> None:
    X, y = three_classes(counts=(2, 3, 40))
    cvae = CVAE(**QUICK, validation_share=share, random_state=0)
    (model,) = trained(cvae, X, y)
    assert model._held_out.tolist() == held_out
    assert np.bincount(y[model._train]).tolist() == [n - out for n, out in zip((2, 3, 40), held_out, strict=True)]
    assert np.isfinite(synthetic(cvae, X, y)).all()
    assert [each["judged_on"] for each in cvae.diagnostics_] == ["training"] * 2


def test_a_conditional_vaes_rows_of_a_class_do_not_depend_on_the_other_classes_wanted() -> None:
    X, y = three_classes()
    both = synthetic(CVAE(**QUICK, random_state=0, sampling_strategy={0: 40, 1: 40}), X, y)
    alone = synthetic(CVAE(**QUICK, random_state=0, sampling_strategy={1: 40}), X, y)
    np.testing.assert_array_equal(both[28:], alone)


def test_a_conditional_vae_that_diverges_says_so() -> None:
    with pytest.raises(TooFewRowsError, match=r"the CVAE of all classes diverged with lr=1000.0"):
        CVAE(**QUICK | {"max_epochs": 4}, random_state=0, lr=1000.0).fit_resample(*three_classes())


def test_by_default_rows_vary_as_real_ones_do_and_have_parents() -> None:
    X, y = curved()
    for kind in (VAE, CVAE):
        vae = kind(random_state=0, max_epochs=30, warmup_epochs=5)
        vae.fit_resample(X, y)
        assert 0.8 < vae.diagnostics_[0]["variance_ratio"] < 1.2
        assert vae.parents_ is not None


def test_observation_noise_restores_the_variance_of_a_collapsed_decoder() -> None:
    X, y = curved()
    vae = VAE(**LEARN, random_state=0, beta=1000.0, sample_from="prior", observation_noise=True)
    vae.fit_resample(X, y)
    assert 0.8 < vae.diagnostics_[0]["variance_ratio"] < 1.2


def stack(v: Any = 3, rows: Any = 8, d: Any = 5, hidden: Any = 12, latent_dim: Any = 3) -> Any:
    """`v` VAEs of that shape, and a batch: rows and noise, padded."""
    live = np.arange(d) != 1
    generator = torch.Generator().manual_seed(0)
    network = StackedVAE([initial_weights(live, hidden, latent_dim, generator) for _ in range(v)])
    x = torch.zeros(v, rows, padded(d))
    x[..., np.flatnonzero(live)] = torch.randn(v, rows, live.sum(), generator=generator)
    noise = torch.zeros(v, rows, padded(latent_dim))
    noise[..., :latent_dim] = torch.randn(v, rows, latent_dim, generator=generator)
    return network, x, noise


def test_elbo_terms_are_those_of_torch_distributions() -> None:
    network, x, noise = stack()
    squares, kl = network.elbo_terms(x, noise)
    mu, log_var = network.encode(x)
    q = Normal(mu, log_var.exp().sqrt())
    p = Normal(network.decode(mu + q.stddev * noise), 1)
    live = [0, 2, 3, 4]
    log_likelihood = -squares / 2 - len(live) / 2 * math.log(2 * math.pi)
    torch.testing.assert_close(log_likelihood, p.log_prob(x)[..., live].sum(2))
    torch.testing.assert_close(kl, kl_divergence(q, Normal(0, 1)).sum(2))


def test_gradients_are_those_of_the_elbo() -> None:
    network, x, noise = stack()
    share = torch.rand(3, 8, 1, generator=torch.Generator().manual_seed(1))
    share[0, 5:] = 0
    network.differentiate(x, noise, share, 0.7)
    gradients = network.gradients
    network.weights = [weight.clone().requires_grad_() for weight in network.weights]
    squares, kl = network.elbo_terms(x, noise)
    loss = (share[..., 0] * (0.7 * kl + squares / 2)).sum()
    for mine, theirs in zip(gradients, torch.autograd.grad(loss, network.weights), strict=True):
        assert mine.abs().max() > 0
        torch.testing.assert_close(mine, theirs)


def test_padding_and_dead_features_stay_zero() -> None:
    network, x, noise = stack()
    was_zero = [weight == 0 for weight in network.weights]
    for _ in range(3):
        network.differentiate(x, noise, torch.full((3, 8, 1), 1 / 8), 1.0)
        network.step(0.1)
    for before, weight in zip(was_zero, network.weights, strict=True):
        assert (weight[before] == 0).all()
        assert (weight[~before] != 0).any()


def test_a_vae_that_leaves_the_stack_leaves_the_others_as_they_were() -> None:
    together, x, noise = stack()
    share = torch.full((3, 8, 1), 1 / 8)
    alone = StackedVAE([[weight[2].clone() for weight in together.weights]])
    for step in range(6):
        if step == 3:
            together.keep([2])
        last = slice(-1, None) if step >= 3 else slice(None)
        together.differentiate(x[last], noise[last], share[last], 1.0)
        together.step(1e-2)
        alone.differentiate(x[2:], noise[2:], share[2:], 1.0)
        alone.step(1e-2)
    for mine, theirs in zip(together.weights, alone.weights, strict=True):
        assert torch.equal(mine, theirs)


def test_steps_are_those_of_torchs_adam() -> None:
    network, x, noise = stack()
    theirs = [weight.clone().requires_grad_() for weight in network.weights]
    optimizer = torch.optim.Adam(theirs, lr=0.01)
    for _ in range(5):
        network.differentiate(x, noise, torch.full((3, 8, 1), 1 / 8), 1.0)
        network.step(0.01)
        for weight, gradient in zip(theirs, network.gradients, strict=True):
            weight.grad = gradient.clone()
        optimizer.step()
    for mine, other in zip(network.weights, theirs, strict=True):
        torch.testing.assert_close(mine, other.detach())


@pytest.mark.parametrize(("rows", "stopped_on"), [(14, "training"), (15, "validation")])
def test_small_classes_stop_on_their_training_rows(rows: Any, stopped_on: Any) -> None:
    X, y = three_classes(counts=(rows, 40, 40))
    vae = VAE(**QUICK, random_state=0)
    vae.fit_resample(X, y)
    assert vae.diagnostics_[0]["stopped_on"] == stopped_on


def test_training_stops_when_patience_ends_and_reports_the_best_epoch() -> None:
    X, y = three_classes()
    vae = VAE(latent_dim=4, hidden=64, lr=0.02, patience=4, warmup_epochs=3, random_state=0)
    vae.fit_resample(X, y)
    for diagnostics in vae.diagnostics_:
        assert 3 <= diagnostics["best_epoch"] == diagnostics["epochs"] - 4 < 196


def test_the_best_weights_are_kept() -> None:
    X, y = three_classes(counts=(20, 20, 40))
    made = {
        epochs: synthetic(
            VAE(latent_dim=4, hidden=64, lr=0.02, warmup_epochs=3, max_epochs=epochs,
                patience=4, random_state=0, sampling_strategy={0: 40}),
            X,
            y,
        )
        for epochs in (50, 200)
    }  # fmt: skip
    np.testing.assert_array_equal(made[50], made[200])


def test_warmup_holds_the_kl_term_back() -> None:
    X, y = curved()
    kl = []
    for warmup_epochs in (0, 2000):
        vae = VAE(**LEARN | {"max_epochs": 20}, warmup_epochs=warmup_epochs, random_state=0)
        vae.fit_resample(X, y)
        kl.append(vae.diagnostics_[0]["kl"])
    assert kl[1] > 2 * kl[0]


def test_warmup_longer_than_training_still_keeps_the_last_weights() -> None:
    X, y = three_classes()
    vae = VAE(latent_dim=4, hidden=16, warmup_epochs=20, max_epochs=3, random_state=0)
    assert np.isfinite(synthetic(vae, X, y)).all()
    assert {d["best_epoch"] for d in vae.diagnostics_} == {3}


def test_diagnostics_are_json_with_plain_labels() -> None:
    X, y = three_classes()
    vae = VAE(**QUICK, random_state=0)
    vae.fit_resample(X, np.array(["cat", "dog", "emu"])[y])
    assert json.loads(json.dumps(vae.diagnostics_, allow_nan=False)) == vae.diagnostics_
    assert [d["class"] for d in vae.diagnostics_] == ["cat", "dog"]
    assert set(vae.diagnostics_[0]) == {
        "class", "rows", "epochs", "best_epoch", "stopped_on", "reconstruction", "kl",
        "elbo_gain", "active_units", "kl_by_unit", "varying_units", "useful_units", "variance_ratio", "norm_ratio",
        "made",
    }  # fmt: skip


def test_constant_features_keep_their_value() -> None:
    X, y = three_classes()
    X[:, 1] = 0.1
    X[:, 4] = 0
    X[y == 0, 5] = 7  # constant in one class only
    X_new, y_new = VAE(**QUICK, random_state=0).fit_resample(X, y)
    assert np.isfinite(X_new).all()
    np.testing.assert_array_equal(X_new[:, 1], np.float32(0.1))
    np.testing.assert_array_equal(X_new[:, 4], 0)
    np.testing.assert_array_equal(X_new[y_new == 0, 5], 7)
    assert X_new[y_new == 1, 5].std() > 0.1


def test_a_class_of_identical_rows_is_repeated() -> None:
    X, y = three_classes()
    X[y == 0] = X[y == 0][0]
    vae = VAE(**QUICK, random_state=0, observation_noise=True)
    X_new, y_new = vae.fit_resample(X, y)
    assert len(np.unique(X_new[y_new == 0], axis=0)) == 1
    assert vae.diagnostics_[0]["variance_ratio"] is None


def test_two_rows_are_enough_and_one_is_not() -> None:
    X, y = three_classes(counts=(2, 20, 40))
    assert len(synthetic(VAE(**QUICK, random_state=0), X, y)) == 38 + 20
    X, y = three_classes(counts=(1, 20, 40))
    message = "class 0 has 1 row; the VAE needs at least 2: lower the imbalance ratio or use augmenter=random"
    with pytest.raises(ValueError, match=f"^{message}$"):
        VAE(**QUICK).fit_resample(X, y)
    VAE(**QUICK, sampling_strategy={1: 40}).fit_resample(X, y)  # class 0 is not asked for


def test_divergence_is_an_error_with_a_remedy() -> None:
    X, y = three_classes()
    with pytest.raises(ValueError, match=r"the VAE of class 0 diverged with lr=1000.0.*lower augmenter.lr$"):
        VAE(**QUICK | {"max_epochs": 4}, random_state=0, lr=1000.0).fit_resample(X, y)


@pytest.mark.parametrize("kind", [VAE, CVAE])
@pytest.mark.parametrize("factor", [1e3, 1e30])
def test_weights_that_grew_are_divergence_though_the_elbo_is_a_number(kind: Any, factor: Any, monkeypatch: Any) -> None:
    # Which of the two comes first depends on the processor: so the weights are planted.
    def train_and_grow(models: Any) -> None:
        train_all(models)
        for model in models:
            assert math.isfinite(model.diagnostics["reconstruction"])
            for weight in model.weights:
                weight *= factor
            model.sample()

    monkeypatch.setattr(kind, "_train", staticmethod(train_and_grow))
    with pytest.raises(TooFewRowsError, match=r"diverged .* times the variance of real rows.*lower augmenter.lr$"):
        kind(**QUICK, random_state=0).fit_resample(*three_classes())


@pytest.mark.parametrize(
    "wrong",
    [
        {"latent_dim": 0}, {"hidden": -1}, {"hidden": 2.5}, {"beta": -1}, {"beta": "1"}, {"warmup_epochs": -1},
        {"max_epochs": 0}, {"patience": 0}, {"batch_size": 0}, {"lr": 0}, {"validation_share": 1},
        {"sample_from": "aggregate"}, {"observation_noise": "yes"},
    ],
)  # fmt: skip
def test_wrong_parameters_get_a_sentence(wrong: Any) -> None:
    ((name, value),) = wrong.items()
    with pytest.raises(UserError, match=f"^augmenter.{name}={str(value).lower()} must be "):
        VAE(**wrong).fit_resample(*three_classes())
    (error,) = VAE.fit_resample_all([VAE(**wrong)], [three_classes()])
    assert isinstance(error, UserError)


@pytest.mark.parametrize("threads", [2, 4])
def test_thread_count_neither_matters_nor_changes(threads: Any) -> None:
    # On four threads, products of this very shape differ in the last bits from those on one.
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(2400, 101)), np.repeat([0, 1, 2], [777, 800, 823])
    before, made = torch.get_num_threads(), []
    try:
        for n in (1, threads):
            torch.set_num_threads(n)
            vae = VAE(random_state=0, hidden=300, batch_size=777, max_epochs=2, warmup_epochs=1)
            made.append(synthetic(vae, X, y))
            assert torch.get_num_threads() == n
        with pytest.raises(ValueError, match="diverged"):
            VAE(**QUICK, lr=1000.0).fit_resample(*three_classes())
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(*made)


def many_sets(d: Any) -> Any:
    """Sets of three classes, of unlike and like sizes: 2 rows, fewer than 15, more than a batch; dead features."""
    sets = [three_classes(counts=c, d=d, seed=i) for i, c in enumerate([(2, 13, 90), (31, 33, 90), (81, 82, 90)] * 2)]
    sets[1][0][:, 3] = 0.1
    sets[4][0][sets[4][1] == 1, : d // 2] = 7
    return sets


def outcome(vae: Any, X: Any, y: Any) -> Any:
    try:
        return vae.fit_resample(X, y)
    except ValueError as error:
        return error


def assert_as_alone(parameters: Any, sets: Any) -> Any:
    """`fit_resample_all` gives to the bit what `fit_resample` gives for each set; returned is what it gives."""
    alone = [VAE(**p, random_state=np.random.RandomState(i)) for i, p in enumerate(parameters)]
    together = [VAE(**p, random_state=np.random.RandomState(i)) for i, p in enumerate(parameters)]
    expected = [outcome(vae, X, y) for vae, (X, y) in zip(alone, sets, strict=True)]
    found = VAE.fit_resample_all(together, sets)
    for a, b, one, other in zip(expected, found, alone, together, strict=True):
        assert type(a) is type(b)
        if isinstance(a, ValueError):
            assert str(a) == str(b)
            continue
        assert isinstance(b, tuple)
        np.testing.assert_array_equal(a[0], b[0])
        np.testing.assert_array_equal(a[1], b[1])
        assert one.diagnostics_ == other.diagnostics_
        np.testing.assert_equal(one.parents_, other.parents_)
    return found


@pytest.mark.parametrize("sample_from", ["prior", "posterior"])
@pytest.mark.parametrize("d", [5, 101, 384, 768])
def test_stacked_equals_alone(d: Any, sample_from: Any) -> None:
    parameters = {"sample_from": sample_from, "observation_noise": True, "warmup_epochs": 2, "max_epochs": 6}
    odd = {"latent_dim": 3, "hidden": 19, "patience": 1, "lr": 0.02} if d < 300 else {}
    assert_as_alone([parameters | odd] * 6, many_sets(d))


def test_stacked_equals_alone_where_some_stop_early_and_stacks_are_cut(monkeypatch: Any) -> None:
    sets = [three_classes(counts=(30, 31, 40), seed=i) for i in range(8)]
    parameters: dict[str, Any] = {"latent_dim": 4, "hidden": 64, "lr": 0.02, "patience": 4, "warmup_epochs": 3}
    samplers = [VAE(**parameters, random_state=np.random.RandomState(i)) for i in range(8)]
    whole = assert_as_alone([parameters] * 8, sets)
    monkeypatch.setattr("synaug.augmenter.stack.STACK_BYTES", 1 << 18)
    cut = VAE.fit_resample_all(samplers, sets)
    assert len({d["epochs"] for vae in samplers for d in vae.diagnostics_}) > 3
    for one, other in zip(whole, cut, strict=True):
        assert not isinstance(other, ValueError)
        np.testing.assert_array_equal(one[0], other[0])


def test_errors_of_a_set_are_its_own() -> None:
    sound = three_classes(counts=(12, 20, 40))
    lonely = three_classes(counts=(1, 20, 40))
    missing = sound[0].copy(), sound[1]
    missing[0][3, 3] = np.nan
    found = assert_as_alone([*[QUICK] * 4, QUICK | {"beta": -1}], [sound, lonely, missing, sound, sound])
    assert [type(each) for each in found] == [tuple, TooFewRowsError, ValueError, tuple, UserError]
    assert "class 0 has 1 row" in str(found[1])
    assert "NaN" in str(found[2])


def test_one_that_diverges_leaves_its_stack_alone(monkeypatch: Any) -> None:
    def unlucky(live: Any, *arguments: Any) -> Any:
        return [weight * (1 if live[0] else 1e30) for weight in initial_weights(live, *arguments)]

    monkeypatch.setattr("synaug.augmenter.vae.one_class.initial_weights", unlucky)
    sets = [three_classes(counts=(20, 20, 40), seed=i) for i in range(4)]
    sets[1][0][sets[1][1] == 1, 0] = 0
    found = assert_as_alone([QUICK] * 4, sets)
    assert [type(each) for each in found] == [tuple, TooFewRowsError, tuple, tuple]
    assert "the VAE of class 1 diverged" in str(found[1])


def test_of_no_training_set_nothing_is_made() -> None:
    assert VAE.fit_resample_all([], []) == []


def test_clone_keeps_the_parameters_and_nothing_fitted() -> None:
    vae = VAE(**QUICK, beta=0.5, sample_from="posterior", random_state=0)
    vae.fit_resample(*three_classes())
    copy = clone(vae)
    assert copy.get_params() == vae.get_params()
    assert not hasattr(copy, "diagnostics_")
    assert copy.set_params(beta=2).beta == 2


@pytest.mark.parametrize("kind", [VAE, CVAE])
def test_yaml_holds_every_parameter_with_its_default(kind: Any) -> None:
    path = Path(__file__).parents[1] / f"conf/augmenter/{kind.__name__.lower()}.yaml"
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert len(text.splitlines()[0]) <= 90
    config = yaml.safe_load(text)
    assert config.pop("_target_") == f"synaug.augmenter.{kind.__name__}"
    defaults = {k: p.default for k, p in inspect.signature(kind).parameters.items()}
    assert config == {k: v for k, v in defaults.items() if not k.endswith(("strategy", "state"))}


@pytest.mark.parametrize(
    ("estimator", "check"),
    [
        *estimator_checks_generator(VAE(**QUICK, random_state=0)),
        *estimator_checks_generator(CVAE(**QUICK, random_state=0)),
    ],
    ids=lambda value: value.func.__name__ if hasattr(value, "func") else "",
)
def test_imbalanced_learns_own_checks_hold(estimator: Any, check: Any) -> None:
    check(estimator)
