"""One suite over every sampler, then what each trap of imbalanced-learn comes to."""

import logging
import random
import re
import threading
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
import torch
from hydra import compose, initialize_config_dir
from hypothesis import given, settings
from hypothesis import strategies as st
from imblearn import FunctionSampler
from imblearn.combine import SMOTEENN, SMOTETomek
from imblearn.over_sampling import ADASYN, SMOTE, SMOTENC, SVMSMOTE, BorderlineSMOTE, KMeansSMOTE, RandomOverSampler
from imblearn.over_sampling.base import BaseOverSampler
from imblearn.pipeline import make_pipeline
from imblearn.under_sampling import ClusterCentroids, EditedNearestNeighbours, RandomUnderSampler, TomekLinks
from imblearn.utils.testing import all_estimators
from numpy.typing import NDArray
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.cluster import MiniBatchKMeans
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils import check_random_state

from synaug.augmenter import (
    VAE,
    Augmented,
    Augmenter,
    Balance,
    SmoteVariants,
    TooFewRowsError,
    nearest_neighbours,
    segment_parents,
)
from synaug.augmenter.balance import fallbacks, warn_of_fallbacks
from synaug.augmenter.global_state import seeded
from synaug.augmenter.samplers import check_parameters, sampling_type
from synaug.errors import UserError
from synaug.parts import make_augmenters
from synaug.record.tables import as_table
from synaug.settings import conf_dir
from tests.toy import augmented as run

TWO, FOUR = (60, 15), (40, 40, 12, 12)


def mixed(counts: Sequence[int], d: int = 20, gap: float = 1.0, seed: int = 0) -> tuple[NDArray[Any], NDArray[Any]]:
    """Shuffled unit-norm float32 rows: classes `gap` apart, of unit spread."""
    draw = np.random.RandomState(seed)
    y = np.repeat(np.arange(len(counts)), counts)
    X = draw.normal(size=(len(y), d))
    X[np.arange(len(y)), y] += gap
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    order = draw.permutation(len(y))
    return X[order].astype(np.float32), y[order]


class Jitter(BaseOverSampler):  # type: ignore[misc]
    """As small as a user's own can be."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {}

    def __init__(self, *, sampling_strategy: Any = "auto", random_state: Any = None) -> None:
        super().__init__(sampling_strategy=sampling_strategy)
        self.random_state = random_state

    def _fit_resample(self, X: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        draw = check_random_state(self.random_state)
        rows, labels = [X], [y]
        for label, n in self.sampling_strategy_.items():
            chosen = X[draw.choice(np.flatnonzero(y == label), n)]
            rows.append((chosen + 0.01 * draw.normal(size=chosen.shape)).astype(X.dtype))
            labels.append(np.full(n, label))
        return np.concatenate(rows), np.concatenate(labels)


class Faulty(Jitter):
    """A user's own, with a bug of any kind."""

    def __init__(self, fault: Any = None, *, sampling_strategy: Any = "auto", random_state: Any = None) -> None:
        super().__init__(sampling_strategy=sampling_strategy, random_state=random_state)
        self.fault = fault

    def fit_resample(self, X: NDArray[Any], y: NDArray[Any]) -> Any:
        if isinstance(self.fault, Exception):
            raise self.fault
        return self.fault(*super().fit_resample(X, y))


class Telling(Jitter):
    """Tells of itself what its user likes."""

    def __init__(self, stated: Any = None, *, sampling_strategy: Any = "auto", random_state: Any = None) -> None:
        super().__init__(sampling_strategy=sampling_strategy, random_state=random_state)
        self.stated = stated

    def fit_resample(self, X: NDArray[Any], y: NDArray[Any]) -> Any:
        self.diagnostics_ = self.stated
        return super().fit_resample(X, y)


def doubled_first_rows(X: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    return np.concatenate([X, X[:10] * 2]), np.concatenate([y, y[:10]])


class FaultySMOTE(SMOTE):  # type: ignore[misc]
    """A SMOTE of a user's own, with a bug."""

    def __init__(
        self, fault: Any = None, *, sampling_strategy: Any = "auto", k_neighbors: int = 5, random_state: Any = None
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy, k_neighbors=k_neighbors, random_state=random_state)
        self.fault = fault

    def fit_resample(self, X: NDArray[Any], y: NDArray[Any]) -> Any:
        raise self.fault


QUICK_VAE = {"hidden": 8, "latent_dim": 3, "warmup_epochs": 1, "max_epochs": 2}
GIVEN: dict[str, dict[str, Any]] = {
    "vae": QUICK_VAE,
    "vae_prior": QUICK_VAE,
    "cvae": QUICK_VAE,
    "flow": {"hidden": 8, "n_components": 3, "steps": 5},
    "texts": {"path": "new.csv"},  # which the toy puts a file in place of
}
SHIPPED = sorted(path.stem for path in (conf_dir() / "augmenter").glob("*.yaml"))
OTHERS: dict[str, Callable[[], Any]] = {
    "borderline-2": lambda: BorderlineSMOTE(kind="borderline-2"),
    "svm": SVMSMOTE,
    "kmeans": lambda: KMeansSMOTE(kmeans_estimator=MiniBatchKMeans(3, n_init=1), cluster_balance_threshold=0.05),
    "vae, no noise": lambda: VAE(observation_noise=False, **QUICK_VAE),  # type: ignore[arg-type]
    "smote + enn": SMOTEENN,
    "own smote + enn": lambda: SMOTEENN(smote=SMOTE(k_neighbors=3)),
    "smote + tomek": SMOTETomek,
    "function": lambda: FunctionSampler(func=doubled_first_rows),
    "user's own": Jitter,
    "smote_variants, ProWSyn": lambda: SmoteVariants("ProWSyn"),
}
# Of an extra; smote-variants' own metadata asks for TensorFlow, so that no extra can bring it.
PACKAGES = {"geometric_smote": "imblearn_extra", "smote_variants": "smote_variants"}
CLEANERS = ("smote + enn", "own smote + enn", "smote + tomek", "smote_enn", "smote_tomek")
DECIDE_BY_THEMSELVES = ("none", "function", "tomek")
UNDERSAMPLERS = ("random_under", "near_miss", "easy_ensemble", "self_paced")
NO_OVERSAMPLERS = (*CLEANERS, *DECIDE_BY_THEMSELVES, *UNDERSAMPLERS)
OVERSAMPLERS = [name for name in (*SHIPPED, *OTHERS) if name not in NO_OVERSAMPLERS]
WITHOUT_DRAWS = (*DECIDE_BY_THEMSELVES, "near_miss", "smote_variants")


@cache
def composed(name: str) -> Any:
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        given = [f"augmenter.{key}={value}" for key, value in GIVEN.get(name, {}).items()]
        return compose("config", [f"augmenter={name}", *given]).augmenter


def make(name: str, amount: float = 1.0, strict: bool = False) -> Augmenter:
    """As the program does it, for what is shipped."""
    if (package := PACKAGES.get(name.partition(",")[0])) is not None:
        pytest.importorskip(package)
    if name in OTHERS:
        return Augmenter(OTHERS[name](), amount, strict)
    config = composed(name).copy()
    config.amount, config.strict = amount, strict
    (augmenter,) = make_augmenters(config)
    return augmenter


def training_labels(y: NDArray[Any], augmented: Augmented) -> NDArray[Any]:
    return np.concatenate([y[augmented.kept], augmented.labels])


every_sampler = pytest.mark.parametrize("name", [*SHIPPED, *OTHERS])
every_oversampler = pytest.mark.parametrize("name", OVERSAMPLERS)


def test_the_suite_runs_over_every_shipped_option() -> None:
    assert {"none", "random", "smote", "borderline_smote", "adasyn", "vae", "vae_prior"} <= set(SHIPPED)
    assert {type(make(name).sampler) for name in SHIPPED} >= {FunctionSampler, RandomOverSampler, SMOTE, ADASYN, VAE}


# The suite over every sampler


@every_sampler
@pytest.mark.parametrize("counts", [TWO, FOUR])
def test_amount_0_changes_nothing(name: str, counts: Sequence[int]) -> None:
    X, y = mixed(counts)
    augmented = run(make(name, amount=0), X, y)
    np.testing.assert_array_equal(augmented.kept, np.arange(len(X)))
    assert augmented.synthetic_embeddings.shape == (0, X.shape[1])
    assert augmented.labels.shape == (0,)
    assert augmented.balance == [Balance(label, n, n, 0, 0) for label, n in enumerate(counts)]


@every_sampler
@pytest.mark.parametrize("counts", [TWO, FOUR])
@pytest.mark.parametrize("amount", [0.5, 1, 2])
def test_balance_says_what_became_of_every_class(name: str, counts: Sequence[int], amount: float) -> None:
    X, y = mixed(counts)
    augmented = run(make(name, amount), X, y)
    after = np.bincount(training_labels(y, augmented), minlength=len(counts))
    assert [entry.label for entry in augmented.balance] == list(range(len(counts)))
    for entry, real, count in zip(augmented.balance, counts, after.tolist(), strict=True):
        assert (entry.real, entry.real + entry.made) == (real, count)
        if entry.asked is None:
            assert name in DECIDE_BY_THEMSELVES
        elif entry.made != entry.asked or entry.made_by_fallback:
            assert entry.reason


@every_oversampler
@pytest.mark.parametrize("counts", [TWO, FOUR])
@pytest.mark.parametrize("amount", [0.5, 1, 2])
def test_amount_is_the_share_of_the_gap_that_is_filled(name: str, counts: Sequence[int], amount: float) -> None:
    X, y = mixed(counts)
    augmented = run(make(name, amount), X, y)
    for entry in augmented.balance:
        asked = amount * (max(counts) - entry.real)
        assert entry.asked is not None
        assert abs(entry.asked - asked) <= 0.5
        rounds = name in ("adasyn", "kmeans", "kmeans_smote")
        assert abs(entry.made - entry.asked) <= (0.1 * entry.asked + 2 if rounds else 0)


@every_oversampler
@pytest.mark.parametrize("counts", [TWO, FOUR])
def test_real_rows_are_kept_to_the_bit_and_in_place(name: str, counts: Sequence[int]) -> None:
    X, y = mixed(counts)
    before = X.copy()
    augmented = run(make(name), X, y)
    assert X.tobytes() == before.tobytes()
    np.testing.assert_array_equal(augmented.kept, np.arange(len(X)))
    assert len(augmented.synthetic_embeddings)


@every_sampler
@pytest.mark.parametrize("counts", [TWO, FOUR])
def test_rows_are_float32_and_finite(name: str, counts: Sequence[int]) -> None:
    X, y = mixed(counts)
    augmented = run(make(name, amount=2), X, y)
    assert augmented.synthetic_embeddings.dtype == np.float32
    assert augmented.labels.dtype == augmented.kept.dtype == np.int64
    assert augmented.synthetic_embeddings.shape == (len(augmented.labels), X.shape[1])
    assert np.isfinite(augmented.synthetic_embeddings).all()


@every_sampler
def test_rows_follow_from_the_random_state_alone(name: str) -> None:
    X, y = mixed(FOUR)
    found = []
    for seed, of_numpy in ((0, 1), (0, 2), (1, 3)):
        np.random.seed(of_numpy)
        state = np.random.get_state(legacy=False)["state"]["key"].copy()
        found.append(run(make(name), X, y, seed))
        np.testing.assert_array_equal(np.random.get_state(legacy=False)["state"]["key"], state)
    same, again, other = found
    np.testing.assert_array_equal(same.kept, again.kept)
    assert same.synthetic_embeddings.tobytes() == again.synthetic_embeddings.tobytes()
    assert same.balance == again.balance
    if name not in WITHOUT_DRAWS:
        assert (same.kept.tobytes(), same.synthetic_embeddings.tobytes()) != (
            other.kept.tobytes(),
            other.synthetic_embeddings.tobytes(),
        )


@every_sampler
def test_the_sampler_handed_in_is_not_altered(name: str) -> None:
    X, y = mixed(TWO)
    augmenter = make(name)
    before = (repr(augmenter.sampler.get_params(deep=True)), set(vars(augmenter.sampler)))
    first = run(augmenter, X, y)
    assert (repr(augmenter.sampler.get_params(deep=True)), set(vars(augmenter.sampler))) == before
    assert run(augmenter, X, y).synthetic_embeddings.tobytes() == first.synthetic_embeddings.tobytes()


@pytest.mark.parametrize("name", [name for name in OVERSAMPLERS if name not in WITHOUT_DRAWS])
def test_two_equal_classes_get_different_draws(name: str) -> None:
    X, y = mixed((40, 40, 12))
    twin = X[y == 2]
    X, y = np.concatenate([X, twin]), np.concatenate([y, np.full(12, 3)])
    augmented = run(make(name), X, y)
    made = [augmented.synthetic_embeddings[augmented.labels == label] for label in (2, 3)]
    n = min(map(len, made))
    assert n
    assert (made[0][:n] != made[1][:n]).any()


def test_an_int_would_repeat_the_draws_from_class_to_class() -> None:
    # The trap that the test above guards against; where imbalanced-learn mends it, both may go.
    X, y = mixed((40, 12))
    X, y = np.concatenate([X, X[y == 1]]), np.concatenate([y, np.full(12, 2)])
    rows, labels = SMOTE(random_state=0).fit_resample(X, y)
    new, of = rows[len(X) :], labels[len(X) :]
    np.testing.assert_array_equal(new[of == 1], new[of == 2])


@pytest.mark.parametrize("name", ["smote", "borderline_smote", "adasyn", "random", "kmeans"])
def test_both_parents_are_given_rows_of_the_class(name: str) -> None:
    X, y = mixed(FOUR, d=100)
    augmented = run(make(name), X, y)
    assert not any(entry.made_by_fallback for entry in augmented.balance)
    parents = segment_parents(augmented.synthetic_embeddings, X)
    assert (parents >= 0).all()
    np.testing.assert_array_equal(y[parents], np.stack([augmented.labels] * 2, axis=1))


def test_each_row_of_the_vae_posterior_has_a_parent_of_its_class() -> None:
    X, y = mixed(FOUR)
    vae = VAE(sample_from="posterior", random_state=np.random.RandomState(0), **QUICK_VAE)  # type: ignore[arg-type]
    _, labels = vae.fit_resample(X, y)
    assert vae.parents_ is not None
    np.testing.assert_array_equal(y[vae.parents_[:, 0]], labels[len(X) :])


# Rows that are new points


class Copying(Jitter):
    """Returns copies of given rows as plain vectors, and of every `moved`-th row a moved one."""

    def __init__(self, moved: int = 0, *, sampling_strategy: Any = "auto", random_state: Any = None) -> None:
        super().__init__(sampling_strategy=sampling_strategy, random_state=random_state)
        self.moved = moved

    def _fit_resample(self, X: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        rows, labels = [X.astype(np.float64)], [y]
        for label, n in self.sampling_strategy_.items():
            copies = X[np.resize(np.flatnonzero(y == label), n)].astype(np.float64)
            if self.moved:
                copies[:: self.moved] += 0.5
            rows.append(copies)
            labels.append(np.full(n, label))
        return np.concatenate(rows), np.concatenate(labels)


@pytest.mark.parametrize("sampler", ["random", *UNDERSAMPLERS, "none", "tomek", Copying()])
def test_repetition_and_removal_make_no_new_row(sampler: Any) -> None:
    X, y = mixed(FOUR, gap=0.5)
    augmented = run(make(sampler) if isinstance(sampler, str) else Augmenter(sampler), X, y)
    assert sampler == "none" or any(entry.made for entry in augmented.balance)
    assert [entry.new for entry in augmented.balance] == [0] * 4


@pytest.mark.parametrize("name", ["smote", "borderline_smote", "borderline-2", "adasyn", "svm", "vae", "user's own"])
def test_every_row_between_or_beside_given_ones_is_new(name: str) -> None:
    X, y = mixed(FOUR)
    augmented = run(make(name), X, y)
    assert [entry.new for entry in augmented.balance] == [entry.made for entry in augmented.balance]
    assert augmented.balance[2].new > 0


def test_repeated_rows_that_are_shaken_are_new() -> None:
    X, y = mixed(TWO)
    assert run(Augmenter(RandomOverSampler(shrinkage=0.1)), X, y).balance[1] == Balance(1, 15, 15, 45, 45, 45)


def test_copies_among_new_rows_are_not_counted_as_new() -> None:
    X, y = mixed(TWO)
    assert run(Augmenter(Copying(moved=3)), X, y).balance[1] == Balance(1, 15, 15, 45, 45, 15)


def test_prototypes_in_place_of_removed_rows_are_new() -> None:
    X, y = mixed(TWO)
    entry = run(Augmenter(ClusterCentroids(estimator=MiniBatchKMeans(n_init=1))), X, y).balance[0]
    assert entry.made == -45
    assert entry.kept < 15  # the centroid of a single row is that row
    assert entry.kept + entry.new == 15


def test_what_a_cleaner_made_and_kept_is_new() -> None:
    X, y = mixed(TWO, gap=0.5)
    augmented = run(make("smote + enn"), X, y)
    assert [entry.new for entry in augmented.balance] == np.bincount(augmented.labels, minlength=2).tolist()
    assert augmented.balance[1].new > augmented.balance[1].made


def test_a_fallback_to_repetition_makes_no_new_row() -> None:
    X, y = mixed((30, 10, 1))
    smote, repeated = run(make("smote"), X, y).balance[1:]
    assert (smote.made, smote.new) == (20, 20)
    assert (repeated.made, repeated.made_by_fallback, repeated.new) == (29, 29, 0)


# Samplers of libraries


def test_rose_widens_a_class_by_the_bandwidth_for_normal_data() -> None:
    # Menardi and Torelli 2014 take Bowman and Azzalini's: h = (4 / ((d + 2) n))^(1 / (d + 4)), times the deviations,
    # n being the rows of the class. imbalanced-learn takes all rows, which in 384 dimensions at 1:20 is 0.8 % less.
    d, n = 50, 4040
    X, y = mixed((4000, 40), d=d)
    augmented = run(make("rose"), X, y)
    expected = 1 + (4 / ((d + 2) * n)) ** (2 / (d + 4))
    ratio = augmented.synthetic_embeddings.var(0).sum() / X[y == 1].var(0).sum()
    assert ratio == pytest.approx(expected, rel=0.03)
    np.testing.assert_array_equal(y[augmented.parents], 1)


def test_geometric_smote_without_a_ball_lies_on_segments_as_smote_does() -> None:
    X, y = mixed(FOUR, d=100)
    make("geometric_smote")
    config = composed("geometric_smote").copy()
    config.deformation_factor, config.selection_strategy = 1.0, "minority"
    (augmenter,) = make_augmenters(config)
    augmented = run(augmenter, X, y)
    parents = segment_parents(augmented.synthetic_embeddings, X)
    assert (parents >= 0).all()
    np.testing.assert_array_equal(y[parents], np.stack([augmented.labels] * 2, axis=1))


def test_shipped_kmeans_smote_finds_clusters_where_the_minority_is_rare() -> None:
    X, y = mixed((400, 20), d=100, gap=0.1)
    assert run(make("kmeans_smote"), X, y).balance[1].made_by_fallback == 0
    half = KMeansSMOTE(kmeans_estimator=MiniBatchKMeans(8, n_init=1))
    assert run(Augmenter(half), X, y).balance[1].made_by_fallback == 380


@pytest.mark.parametrize("name", ["smote_enn", "smote_tomek"])
def test_what_a_shipped_cleaner_removes_of_the_majority_is_recorded(name: str) -> None:
    X, y = mixed((200, 60), gap=0.2)
    majority, minority = run(make(name), X, y).balance
    assert majority.kept < majority.real == 200
    assert (majority.asked, majority.made) == (0, majority.kept - 200)
    sampler = type(make(name).sampler).__name__
    assert majority.reason == f"{sampler} decided on {majority.made} rows where +0 were asked for"
    assert minority.made_by_fallback == 0


def test_the_class_that_contributing_shows_keeps_the_contract() -> None:
    text = (conf_dir().parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    shown = text.partition("```python\n")[2].partition("```")[0]
    module: dict[str, Any] = {"__name__": "mine"}
    exec(shown, module)
    X, y = mixed((*FOUR, 1))
    augmented = run(Augmenter(module["Midpoints"](), 0.5), X, y)
    for entry in augmented.balance:
        assert (entry.made, entry.made_by_fallback) == (entry.asked, entry.asked if entry.label == 4 else 0)
    of_pairs = augmented.labels < 4
    rows, (first, second) = augmented.synthetic_embeddings[of_pairs], augmented.parents[of_pairs].T
    np.testing.assert_allclose(rows, (X[first] + X[second]) / 2, atol=1e-6)
    assert {"share": 0.5} in augmented.diagnostics


# Samplers that remove rows, or that decide by themselves


@pytest.mark.parametrize("name", UNDERSAMPLERS)
@pytest.mark.parametrize(("amount", "left"), [(0.5, [26, 26, 12, 12]), (1, [12] * 4), (2, [12] * 4)])
def test_undersampling_removes_the_share_of_the_surplus(name: str, amount: float, left: list[int]) -> None:
    X, y = mixed(FOUR)
    augmented = run(make(name, amount), X, y)
    assert np.bincount(y[augmented.kept]).tolist() == left
    assert [entry.asked for entry in augmented.balance] == [n - real for n, real in zip(left, FOUR, strict=True)]
    assert len(augmented.synthetic_embeddings) == 0
    assert len(np.unique(augmented.kept)) == len(augmented.kept)


@pytest.mark.parametrize("name", ["random_under", "near_miss", "tomek", "random"])
@pytest.mark.parametrize("counts", [TWO, FOUR])
def test_removal_and_repetition_make_no_new_point(name: str, counts: Sequence[int]) -> None:
    X, y = mixed(counts, gap=0.3)
    augmented = run(make(name), X, y)
    assert [entry.new for entry in augmented.balance] == [0] * len(counts)
    assert any(entry.made for entry in augmented.balance)
    for entry in augmented.balance:
        assert entry.kept == (y[augmented.kept] == entry.label).sum() <= entry.real
        assert entry.kept == entry.real + min(entry.made, 0)


def test_tomek_s_links_are_pairs_of_nearest_rows_of_which_the_larger_class_s_goes() -> None:
    X, y = mixed(TWO, gap=0.3)
    augmented = run(make("tomek"), X, y)
    nearest = NearestNeighbors(n_neighbors=2).fit(X).kneighbors(X, return_distance=False)[:, 1]
    rows = np.arange(len(X))
    linked = (nearest[nearest] == rows) & (y != y[nearest])
    assert linked.any()
    np.testing.assert_array_equal(augmented.kept, rows[~(linked & (y == 0))])


def test_near_miss_keeps_the_rows_of_the_larger_class_that_are_nearest_to_the_smallest() -> None:
    X, y = mixed(TWO, gap=0.3)
    augmented = run(make("near_miss"), X, y)
    few = X[y == 1]
    distances = np.sort(np.linalg.norm(X[y == 0][:, None] - few[None], axis=2), axis=1)[:, :3].mean(1)
    kept = augmented.kept[y[augmented.kept] == 0]
    expected = np.flatnonzero(y == 0)[np.argsort(distances)[: len(few)]]
    np.testing.assert_array_equal(np.sort(kept), np.sort(expected))


def test_kept_rows_are_told_from_new_ones_where_both_change() -> None:
    X, y = mixed(TWO, gap=0.5)
    random_state = np.random.RandomState(0)
    rows, labels = SMOTEENN(random_state=random_state, sampling_strategy={1: 60}).fit_resample(X, y)
    augmented = run(make("smote + enn"), X, y)
    assert 0 < len(augmented.kept) < len(X)
    ours = np.concatenate([X[augmented.kept], augmented.synthetic_embeddings])
    assert sorted(map(bytes, ours)) == sorted(map(bytes, rows.astype(np.float32)))
    assert not {row.tobytes() for row in augmented.synthetic_embeddings} & {row.tobytes() for row in X}
    assert np.bincount(training_labels(y, augmented)).tolist() == np.bincount(labels).tolist()


def test_what_a_cleaner_removed_is_not_filled_up_again() -> None:
    X, y = mixed(TWO, gap=0.3)
    augmented = run(make("smote + enn", strict=True), X, y)
    majority, minority = augmented.balance
    assert majority.made < 0
    assert minority.made < 45
    assert [entry.made_by_fallback for entry in augmented.balance] == [0, 0]
    assert majority.reason == f"SMOTEENN decided on {majority.made} rows where +0 were asked for"
    assert minority.reason == f"SMOTEENN decided on {minority.made:+d} rows where +45 were asked for"


def test_what_a_cleaner_removed_of_its_own_rows_is_not_filled_up_either() -> None:
    class Picky(SMOTEENN):  # type: ignore[misc]
        def fit_resample(self, X: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
            rows, labels = super().fit_resample(X, y)
            return rows[:-20], labels[:-20]

    X, y = mixed(TWO, gap=20)
    augmented = run(Augmenter(Picky()), X, y)
    assert len(augmented.kept) == len(X)
    assert (augmented.balance[1].made, augmented.balance[1].made_by_fallback) == (25, 0)


@pytest.mark.parametrize("name", ["random_under", "smote + enn"])
def test_of_equal_rows_each_is_kept_once(name: str) -> None:
    X, y = mixed(TWO, gap=0.5)
    augmented = run(make(name), X.repeat(2, axis=0), y.repeat(2))
    assert 0 < len(augmented.kept) < 2 * len(X)
    assert len(np.unique(augmented.kept)) == len(augmented.kept)


def test_cleaning_survives_where_one_class_needs_the_fallback() -> None:
    X, y = mixed((40, 20, 4), gap=0.3)
    augmented = run(make("smote + enn"), X, y)
    few = augmented.balance[2]
    assert few.made == 36
    assert few.made_by_fallback == 36
    assert few.kept == few.real == 4
    assert few.reason is not None
    assert "of 36 rows for class 2 (ValueError: Expected n_neighbors" in few.reason
    assert len(augmented.kept) < len(X)
    assert augmented.balance[1].made_by_fallback == 0


def test_the_smote_inside_a_combination_is_told_the_amount() -> None:
    X, y = mixed(TWO, gap=8)  # nothing to clean
    augmented = run(Augmenter(SMOTETomek(smote=SMOTE(k_neighbors=3), tomek=TomekLinks()), 0.5), X, y)
    assert augmented.balance == [Balance(0, 60, 60, 0, 0), Balance(1, 15, 15, 22, 22, 22)]


def test_a_class_that_is_cleaned_away_is_an_error() -> None:
    X, y = mixed((60, 60, 6), gap=0)
    with pytest.raises(ValueError, match=r"removed every row of class 'c' in seed 0 fold 1 \(6 rows\); training needs"):
        run(Augmenter(EditedNearestNeighbours(sampling_strategy=[2])), X, y, where="seed 0 fold 1", class_names="abc")


@pytest.mark.parametrize("name", DECIDE_BY_THEMSELVES)
def test_an_amount_that_says_nothing_to_a_sampler_is_recorded(name: str) -> None:
    X, y = mixed(TWO)
    balanced, half = run(make(name), X, y), run(make(name, amount=0.5), X, y)
    assert [entry.reason for entry in balanced.balance] == [None, None]
    assert all("amount=0.5 has no effect on it" in (entry.reason or "") for entry in half.balance)
    assert [entry.made for entry in half.balance] == [entry.made for entry in balanced.balance]


def test_a_function_that_relabels_rows_does_not_keep_them() -> None:
    X, y = mixed(TWO)

    def relabel(X: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        return X, np.where(np.arange(len(y)) == 5, 1 - y, y)

    augmented = run(Augmenter(FunctionSampler(func=relabel)), X, y)
    np.testing.assert_array_equal(augmented.kept, np.delete(np.arange(len(X)), 5))
    np.testing.assert_array_equal(augmented.synthetic_embeddings, X[5:6])
    assert augmented.labels.tolist() == [1 - y[5]]


def test_samplers_in_a_pipeline_draw_from_the_random_state() -> None:
    X, y = mixed(FOUR)
    augmenter = Augmenter(make_pipeline(RandomOverSampler(shrinkage=0.1), RandomUnderSampler()))
    first, again, other = (run(augmenter, X, y, seed) for seed in (0, 0, 1))
    assert (
        first.synthetic_embeddings.tobytes()
        == again.synthetic_embeddings.tobytes()
        != other.synthetic_embeddings.tobytes()
    )


# The traps


def test_borderline_smote_on_separate_classes_falls_back_to_smote() -> None:
    X, y = mixed(TWO, gap=20)
    assert len(BorderlineSMOTE().fit_resample(X, y)[0]) == len(X)
    augmented = run(make("borderline_smote"), X, y)
    reason = "BorderlineSMOTE made 0 of 45 rows for class 1; SMOTE with k_neighbors=5 made 45 in its place"
    assert augmented.balance[1] == Balance(1, 15, 15, 45, 45, 45, 45, reason)


def test_adasyn_on_separate_classes_falls_back_to_smote_and_says_why() -> None:
    X, y = mixed(TWO, gap=20)
    augmented = run(make("adasyn"), X, y, class_names=["spam", "ham"], where="seed 0 fold 2")
    entry = augmented.balance[1]
    assert (entry.made, entry.made_by_fallback) == (45, 45)
    assert entry.reason is not None
    assert entry.reason.startswith(
        "ADASYN made 0 of 45 rows for class 'ham' in seed 0 fold 2 (RuntimeError: Not any neigbours belong to"
    )
    assert entry.reason.endswith(f"; SMOTE with k_neighbors=5 made {entry.made_by_fallback} in its place")


def test_svm_smote_that_stops_short_is_filled_up() -> None:
    X, y = mixed((90, 30), gap=20)
    short = len(SVMSMOTE(random_state=np.random.RandomState(0)).fit_resample(X, y)[0]) - len(X)
    assert 0 < short < 54
    entry = run(Augmenter(SVMSMOTE()), X, y).balance[1]
    reason = f"SVMSMOTE made {short} of 60 rows for class 1; SMOTE with k_neighbors=5 made {60 - short} in its place"
    assert entry == Balance(1, 30, 30, 60, 60, 60, 60 - short, reason)


def test_one_class_that_cannot_be_served_does_not_cost_the_others_their_sampler() -> None:
    X, y = mixed((40, 15, 4))
    rows = run(make("smote"), X, y).balance
    assert (rows[1].made, rows[1].made_by_fallback, rows[1].reason) == (25, 0, None)
    assert (rows[2].made, rows[2].made_by_fallback) == (36, 36)


@pytest.mark.parametrize(
    ("name", "rows", "how"),
    [
        ("smote", 4, "SMOTE with k_neighbors=3"),
        ("smote", 2, "SMOTE with k_neighbors=1"),
        ("smote", 1, "repetition"),
        ("adasyn", 4, "ADASYN with n_neighbors=3"),
        ("adasyn", 1, "repetition"),
        ("borderline_smote", 2, "SMOTE with k_neighbors=1"),
        ("borderline_smote", 1, "repetition"),
        ("borderline-2", 1, "repetition"),
        ("svm", 2, "SMOTE with k_neighbors=1"),
        ("svm", 1, "repetition"),
        ("kmeans", 1, "repetition"),
        ("vae", 1, "repetition"),
    ],
)
def test_the_stated_fallback_for_a_tiny_class(name: str, rows: int, how: str) -> None:
    X, y = mixed((40, rows))
    augmented = run(make(name), X, y)
    entry = augmented.balance[1]
    assert entry.made == pytest.approx(40 - rows, abs=2)  # ADASYN rounds
    assert entry.made_by_fallback
    assert entry.reason is not None
    assert entry.reason.endswith(f"; {how} made {entry.made_by_fallback} in its place")
    assert np.isfinite(augmented.synthetic_embeddings).all()
    np.testing.assert_array_equal(augmented.kept, np.arange(len(X)))
    if rows == 1:
        assert len(np.unique(augmented.synthetic_embeddings, axis=0)) == 1


@pytest.mark.parametrize("rows", [1, 2, 4])
@every_oversampler
def test_a_class_of_few_rows_is_always_filled(name: str, rows: int) -> None:
    X, y = mixed((30, rows))
    augmented = run(make(name), X, y)
    assert abs(augmented.balance[1].made - (30 - rows)) <= 2
    np.testing.assert_array_equal(augmented.labels, 1)


@every_oversampler
def test_repeated_rows_do_no_harm(name: str) -> None:
    X, y = mixed(TWO)
    X[y == 1] = X[y == 1][:3].repeat(5, axis=0)
    augmented = run(make(name), X, y)
    assert abs(augmented.balance[1].made - 45) <= 5
    assert np.isfinite(augmented.synthetic_embeddings).all()


def test_adasyn_rounds_and_that_is_no_shortage() -> None:
    X, y = mixed((300, 40), gap=0.5)
    rows, _ = ADASYN(random_state=np.random.RandomState(0)).fit_resample(X, y)
    made = len(rows) - len(X)
    assert made != 260
    entry = run(make("adasyn", strict=True), X, y).balance[1]
    reason = f"ADASYN decided on {made:+d} rows where +260 were asked for"
    assert entry == Balance(1, 40, 40, 260, made, made, 0, reason)


def test_an_amount_over_1_on_purpose_is_not_warned_of() -> None:
    X, y = mixed(TWO)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert [entry.made for entry in run(make("smote", amount=2), X, y).balance] == [0, 90]
    assert not caught


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=2, max_size=5), st.floats(0, 3))
def test_an_exact_sampler_makes_exactly_what_is_asked(counts: list[int], amount: float) -> None:
    X, y = mixed(counts, d=5)
    augmented = run(Augmenter(RandomOverSampler(), amount), X, y)
    for entry in augmented.balance:
        assert entry.made == entry.asked
        assert abs(entry.made - amount * (max(counts) - entry.real)) <= 0.5
        assert entry.reason is None


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_which_label_is_the_minority_does_not_matter(order: tuple[int, ...]) -> None:
    counts = np.array([30, 20, 10])[list(order)]
    X, y = mixed(counts.tolist())
    assert np.bincount(training_labels(y, run(make("smote"), X, y))).tolist() == [30] * 3


# Neighbours as objects


def test_neighbour_objects_serve_as_numbers_do() -> None:
    X, y = mixed(TWO)
    number = run(Augmenter(SMOTE(k_neighbors=5)), X, y)
    neighbours = run(Augmenter(SMOTE(k_neighbors=NearestNeighbors(n_neighbors=6))), X, y)
    assert number.synthetic_embeddings.tobytes() == neighbours.synthetic_embeddings.tobytes()


def test_a_neighbours_object_is_given_fewer_neighbours_and_not_altered() -> None:
    X, y = mixed((40, 4))
    neighbours = NearestNeighbors(n_neighbors=6)
    entry = run(Augmenter(SMOTE(k_neighbors=neighbours)), X, y).balance[1]
    assert entry.made == entry.made_by_fallback == 36
    assert entry.reason == (
        "class 1 has 4 rows; SMOTE needs 6 (k_neighbors.n_neighbors): lower augmenter.k_neighbors.n_neighbors or the "
        "imbalance ratio; SMOTE with k_neighbors=3 made 36 in its place"
    )
    assert neighbours.n_neighbors == 6


def test_a_neighbours_object_need_not_be_of_scikit_learn() -> None:
    class Own(BaseEstimator):  # type: ignore[misc]
        """With what imbalanced-learn asks for, and no more."""

        def __init__(self, n_neighbors: int) -> None:
            self.n_neighbors = n_neighbors

        def fit(self, X: NDArray[Any]) -> None:
            self._inner = NearestNeighbors(n_neighbors=self.n_neighbors).fit(X)

        def kneighbors(self, X: NDArray[Any], return_distance: bool = True) -> Any:
            return self._inner.kneighbors(X, return_distance=return_distance)

        def kneighbors_graph(self) -> None: ...

    X, y = mixed((40, 4))
    entry = run(Augmenter(SMOTE(k_neighbors=Own(6))), X, y).balance[1]
    assert entry.made == 36
    assert (entry.reason or "").endswith(f"SMOTE with k_neighbors=3 made {entry.made_by_fallback} in its place")


# strict


@pytest.mark.parametrize(
    ("sampler", "sentence"),
    [
        (
            SMOTE(),
            "class 3 has 4 rows in seed 0 fold 2; SMOTE needs 6 (k_neighbors + 1): "
            "lower augmenter.k_neighbors or the imbalance ratio",
        ),
        (
            ADASYN(n_neighbors=7),
            "class 3 has 4 rows in seed 0 fold 2; ADASYN needs 8 (n_neighbors + 1): "
            "lower augmenter.n_neighbors or the imbalance ratio",
        ),
    ],
)
def test_strict_raises_the_value_the_requirement_and_the_remedy(sampler: Any, sentence: str) -> None:
    X, y = mixed((30, 30, 10, 4))
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        run(Augmenter(sampler, strict=True), X, y, where="seed 0 fold 2")


def test_one_row_more_than_neighbours_is_enough() -> None:
    X, y = mixed((30, 6))
    few = np.flatnonzero(y == 1)
    assert run(make("smote", strict=True), X, y).balance[1] == Balance(1, 6, 6, 24, 24, 24)
    with pytest.raises(ValueError, match=r"class 1 has 5 rows; SMOTE needs 6 \(k_neighbors \+ 1\)"):
        run(make("smote", strict=True), np.delete(X, few[0], axis=0), np.delete(y, few[0]))


def test_strict_names_the_class_where_names_are_given() -> None:
    X, y = mixed((30, 4))
    with pytest.raises(ValueError, match=r"^class 'ham' has 4 rows; SMOTE needs"):
        run(make("smote", strict=True), X, y, class_names=["spam", "ham"])


def test_strict_raises_where_a_sampler_silently_makes_nothing() -> None:
    X, y = mixed(TWO, gap=20)
    sentence = (
        "BorderlineSMOTE made 0 of 45 rows for class 1 in seed 1 fold 0: "
        "choose another augmenter or augmenter.strict=false"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        run(make("borderline_smote", strict=True), X, y, where="seed 1 fold 0")


def test_strict_raises_for_a_vae_of_one_row() -> None:
    X, y = mixed((10, 1))
    with pytest.raises(ValueError, match=r"VAE made 0 of 9 rows for class 1 \(class 1 has 1 row; the VAE"):
        run(make("vae", strict=True), X, y)


@every_oversampler
def test_strict_is_content_where_nothing_is_asked(name: str) -> None:
    X, y = mixed((3, 3))
    assert len(run(make(name, strict=True), X, y).synthetic_embeddings) == 0


# Kinds


def test_where_imbalanced_learn_s_mark_is_gone_its_classes_tell_a_sampler_s_kind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    samplers = [kind() for _, kind in all_estimators(type_filter="sampler") if kind is not SMOTENC]
    by_mark = [sampling_type(sampler) for sampler in samplers]
    assert set(by_mark) == {"over-sampling", "under-sampling", "clean-sampling", "bypass"}
    for kind in {base for sampler in samplers for base in type(sampler).__mro__ if "_sampling_type" in vars(base)}:
        monkeypatch.delattr(kind, "_sampling_type")
    assert [sampling_type(sampler) for sampler in samplers] == by_mark


def test_parameters_are_checked_early_where_scikit_learn_s_check_is_there_and_else_by_the_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wrong, message = SMOTE(k_neighbors=0), "The 'k_neighbors' parameter of SMOTE must be"
    with pytest.raises(ValueError, match=message):
        check_parameters(wrong)
    monkeypatch.setattr(SMOTE, "_validate_params", None)
    check_parameters(wrong)
    monkeypatch.undo()
    with pytest.raises(ValueError, match=message):
        run(Augmenter(wrong), *mixed((60, 15)))


# Errors that are no shortage


@pytest.mark.parametrize("rows", [15, 4])
def test_a_wrong_parameter_is_never_taken_for_a_shortage(rows: int) -> None:
    X, y = mixed((60, rows))
    for sampler, name in ((SMOTE(k_neighbors=0), "k_neighbors"), (ADASYN(n_neighbors="five"), "n_neighbors")):
        with pytest.raises(ValueError, match=f"The '{name}' parameter of {type(sampler).__name__} must be"):
            run(Augmenter(sampler), X, y)
    with pytest.raises(ValueError, match=r"^augmenter.beta=-1.0 must be at least 0$"):
        run(Augmenter(VAE(beta=-1.0)), X, y)


@pytest.mark.parametrize("error", [KeyError("x"), TypeError("x"), AttributeError("x"), MemoryError("x")])
def test_an_error_that_is_a_bug_is_not_taken_for_a_shortage(error: Exception) -> None:
    X, y = mixed(TWO)
    with pytest.raises(type(error)):
        run(Augmenter(Faulty(error)), X, y)


@pytest.mark.parametrize("error", [ValueError("operands could not be broadcast"), RuntimeError("mat1 and mat2")])
@pytest.mark.parametrize("sampler", [Faulty, FaultySMOTE])
def test_an_error_though_there_are_rows_enough_is_the_samplers_own(sampler: Any, error: Exception) -> None:
    X, y = mixed(TWO)
    with pytest.raises(type(error), match=str(error)):
        run(Augmenter(sampler(error)), X, y)


@pytest.mark.parametrize("error", [ValueError("operands could not be broadcast"), RuntimeError("mat1 and mat2")])
def test_a_faulty_sampler_is_not_excused_by_another_class_of_few_rows(error: Exception) -> None:
    X, y = mixed((60, 15, 4))
    with pytest.raises(type(error), match=str(error)):
        run(Augmenter(FaultySMOTE(error)), X, y)


def test_a_faulty_sampler_is_not_excused_where_fewer_neighbours_do_not_help() -> None:
    X, y = mixed((60, 4))
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        run(Augmenter(FaultySMOTE(RuntimeError("mat1 and mat2"))), X, y)


class Needy(Jitter):
    """Searches among a class's rows, as others' samplers do, by a number that it keeps to itself or is given."""

    def __init__(self, k: int = 5, *, sampling_strategy: Any = "auto", random_state: Any = None) -> None:
        super().__init__(sampling_strategy=sampling_strategy, random_state=random_state)
        self.k = k

    def _fit_resample(self, X: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        for label in self.sampling_strategy_:
            if (y == label).sum() <= self.k:
                raise ValueError("no")
        return super()._fit_resample(X, y)


class Secretive(Jitter):
    """Keeps its number of neighbours, or of clusters, to itself."""

    def _fit_resample(self, X: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        for label in self.sampling_strategy_:
            NearestNeighbors(n_neighbors=8).fit(X[y == label]).kneighbors(X[y == label])
        return super()._fit_resample(X, y)


class Frank(Jitter):
    """Says itself that rows are too few."""

    def _fit_resample(self, X: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        raise TooFewRowsError("I want a hundred rows")


@pytest.mark.parametrize("sampler", [Needy(), Secretive(), Frank()], ids=lambda sampler: type(sampler).__name__)
def test_the_want_of_rows_is_told_by_facts_also_of_samplers_of_the_users_own(sampler: Any) -> None:
    X, y = mixed((40, 4))
    entry = run(Augmenter(sampler), X, y).balance[1]
    assert (entry.made, entry.made_by_fallback) == (36, 36)


def test_scikit_learns_words_are_no_excuse_where_the_numbers_are_not_a_classs_rows() -> None:
    X, y = mixed(TWO)
    words = "Expected n_neighbors <= n_samples_fit, but n_neighbors = 6, n_samples_fit = 3, n_samples = 3"
    with pytest.raises(ValueError, match="n_samples_fit = 3"):
        run(Augmenter(Faulty(ValueError(words))), X, y)


def test_a_pipeline_that_has_too_few_rows_gets_a_sentence() -> None:
    X, y = mixed((40, 4))
    with pytest.raises(
        UserError, match=r"^Pipeline cannot work with the 4 rows of class 1 in seed 0 fold 1 \(Expected"
    ):
        run(Augmenter(make_pipeline(SMOTE())), X, y, where="seed 0 fold 1")


ACCOUNT = ("seed", "fold", "class", "real", "kept", "asked", "made", "made_by_fallback", "reason")


def test_many_fallbacks_are_one_warning_and_the_log_has_the_rest(caplog: pytest.LogCaptureFixture) -> None:
    names = [f"class {label}" for label in range(60)]
    of_the_first: list[object] = [0, 0, names[0], 9, 9, 0, 0, 0, None]
    rows = [of_the_first, *([0, 0, name, 2, 2, 7, 7, 7, "two rows"] for name in names[1:])]
    with caplog.at_level(logging.DEBUG, "synaug"):
        warn_of_fallbacks(as_table(ACCOUNT, rows), names)
    sentences = [each.sentence for each in fallbacks(as_table(ACCOUNT, rows), names)]
    assert len(sentences) == 59
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.INFO]
    assert warning == (f"in 59 of 60 classes a fallback made 413 of 413 rows; {sentences[0]} (the log has the others)")
    assert [record.getMessage() for record in caplog.records[1:]] == sentences[1:]


def test_a_fallback_is_warned_of_once_for_all_members(caplog: pytest.LogCaptureFixture) -> None:
    rows: list[list[object]] = [
        [0, 0, "a", 9, 9, 0, 0, 0, None],
        [0, 0, "b", 2, 2, 7, 7, 7, "two rows"],
        [0, 0, "c", 8, 8, 1, 1, 0, None],
        [0, 1, "a", 9, 9, 0, 0, 0, None],
        [0, 1, "b", 3, 3, 6, 6, 5, "three rows"],
        [0, 1, "c", 8, 8, 1, 2, 0, "rounds"],
        [1, 0, "a", 9, 9, None, 0, 0, None],
        [1, 0, "b", 5, 5, 4, 4, 0, None],
        [1, 0, "c", 8, 8, 1, 1, 0, None],
    ]
    warn_of_fallbacks(as_table(ACCOUNT, rows), ["a", "b", "c"])
    sentences = [record.getMessage() for record in caplog.records]
    assert sentences == ["class 'b': a fallback made 12 of 13 rows in 2 of 3 training sets, e.g. two rows"]


def test_rows_that_are_not_finite_are_refused() -> None:
    X, y = mixed(TWO)

    def spoil(rows: NDArray[Any], labels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        rows[-1, 3] = np.nan
        return rows, labels

    with pytest.raises(UserError, match="Faulty made 45 rows, of which 1 hold NaN or infinity"):
        run(Augmenter(Faulty(spoil)), X, y)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (lambda X, y: (X[:, :3], y), r"returned rows \[120, 3\] and labels \[120\]; they must be \[n, 20\] and \[n\]"),
        (lambda X, y: (X, y[:-1]), r"returned rows \[120, 20\] and labels \[119\]"),
        (lambda X, y: (X, np.where(np.arange(len(y)) == 119, 7, y)), "returned the label 7, which no row"),
        (lambda X, y: None, "returned None; it must return a pair"),
        (lambda X, y: X, "returned a ndarray; it must return a pair"),
        (lambda X, y: (each for each in (X, y)), "returned a generator; it must return a pair"),
        (lambda X, y: (X, y + 0.5), "returned labels that are no whole numbers"),
        (lambda X, y: (X, np.where(y > 0, "ham", "spam")), "returned rows or labels that are no numbers"),
        (lambda X, y: (X.astype(str).astype(object) + "x", y), "returned rows or labels that are no numbers"),
        (lambda X, y: (X + 0j, y), "returned complex numbers"),
        (lambda X, y: ([*X.tolist()[:-1], [1.0]], y), "returned rows or labels that are no numbers"),
        (lambda X, y: (X[75:], y[75:]), "the likely cause is that it returns the new rows alone"),
        (lambda X, y: (np.ma.masked_greater(X, 0.3), y), "hold NaN or infinity"),
    ],
)
def test_a_sampler_that_breaks_the_contract_is_named(fault: Any, message: str) -> None:
    X, y = mixed(TWO)
    with pytest.raises(UserError, match=message):
        run(Augmenter(Faulty(fault)), X, y)


@pytest.mark.parametrize(
    "form",
    [
        lambda X, y: [X.tolist(), y.tolist()],
        lambda X, y: (pd.DataFrame(X), pd.Series(y)),
        lambda X, y: (sparse.csr_matrix(X), y[:, None]),
        lambda X, y: (np.ma.masked_array(X), y.astype(float)),
        lambda X, y: (torch.from_numpy(X).requires_grad_(), torch.from_numpy(y)),
        lambda X, y: (torch.from_numpy(X).to_sparse(), torch.from_numpy(y)),
        lambda X, y: (X.astype(np.float64), y.astype(str)),
    ],
    ids=["lists", "frames", "sparse", "masked", "tensors", "sparse tensors", "texts"],
)
def test_rows_and_labels_come_in_any_kind_of_table(form: Any) -> None:
    X, y = mixed(TWO)
    plain, other = run(Augmenter(Jitter()), X, y), run(Augmenter(Faulty(form)), X, y)
    np.testing.assert_array_equal(other.kept, np.arange(len(X)))
    assert other.synthetic_embeddings.tobytes() == plain.synthetic_embeddings.tobytes()


@pytest.mark.parametrize("stated", [None, {"a": 1}, ["a"], [{"a": {1, 2}}], [{"a": object()}], 3])
def test_diagnostics_that_a_record_cannot_hold_are_refused_before_the_training(stated: Any) -> None:
    X, y = mixed(TWO)
    with pytest.raises(UserError, match=r"Telling.diagnostics_ (is a|cannot be recorded)"):
        run(Augmenter(Telling(stated)), X, y)


def test_diagnostics_of_numpy_and_torch_are_recorded_as_numbers() -> None:
    X, y = mixed(TWO)
    stated = [{"a": np.float32(0.5), "b": np.arange(2), "c": torch.tensor(3)}]
    assert run(Augmenter(Telling(stated)), X, y).diagnostics == [{"a": 0.5, "b": [0, 1], "c": 3}]


# Rows that a sampler moves


def shuffled(X: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    order = np.random.RandomState(0).permutation(len(X))
    return X[order], y[order]


def scaled_and_back(X: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    mean, scale = X.mean(0), X.std(0)
    return ((X - mean) / scale * np.float32(3) / np.float32(3)) * scale + mean, y


ROUNDINGS = {
    "float16": lambda X, y: (X.astype(np.float16), y),
    "float64 and back": lambda X, y: (np.float64(X) * (1 / 3) * 3.0000001, y),
    "decimals": lambda X, y: (X.round(3), y),
    "normalised and undone": scaled_and_back,
    "float16, shuffled": lambda X, y: shuffled(X.astype(np.float16), y),
    "float16, some dropped": lambda X, y: (X[::2].astype(np.float16), y[::2]),
}


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_rounded_rows_are_kept_with_their_own_bits(rounding: str) -> None:
    X, y = mixed(TWO)
    augmented = run(Augmenter(FunctionSampler(func=ROUNDINGS[rounding])), X, y)
    assert len(augmented.synthetic_embeddings) == 0
    n_kept = len(X) // 2 + 1 if "dropped" in rounding else len(X)
    assert len(set(augmented.kept.tolist())) == len(augmented.kept) == n_kept
    assert sum(entry.kept for entry in augmented.balance) == n_kept


def test_rounding_does_not_take_new_rows_for_given_ones() -> None:
    X, y = mixed(TWO)
    augmented = run(Augmenter(Faulty(lambda X, y: shuffled(X.astype(np.float16), y))), X, y)
    np.testing.assert_array_equal(np.sort(augmented.kept), np.arange(len(X)))
    assert augmented.labels.tolist() == [1] * 45


@pytest.mark.parametrize("counts", [TWO, FOUR])
@pytest.mark.parametrize(
    "sampler",
    [
        make_pipeline(StandardScaler(), SMOTE()),
        make_pipeline(PCA(20), SMOTE()),
        make_pipeline(MinMaxScaler(), RandomUnderSampler()),
        make_pipeline(PCA(20), RandomUnderSampler()),
        make_pipeline(StandardScaler(), FunctionSampler(func=shuffled)),
        FunctionSampler(func=lambda X, y: (X / X.std(0), y)),
        FunctionSampler(func=lambda X, y: shuffled(X[:, ::-1], y)),
        Faulty(lambda X, y: (X * 2, y)),
        Faulty(lambda X, y: (np.where(y[:, None] == 1, X * 2, X), y)),  # the class it adds to alone
    ],
    ids=lambda each: re.sub(r" at 0x\w+", "", str(each)),
)
def test_rows_in_another_space_are_refused(sampler: Any, counts: Sequence[int]) -> None:
    X, y = mixed(counts)
    with pytest.raises(UserError, match=r"returned 0 of \d+ rows as they were given to it.*the likely cause is"):
        run(Augmenter(sampler), X, y)


def test_the_step_that_moves_rows_is_named() -> None:
    X, y = mixed(TWO)
    with pytest.raises(
        UserError, match=r"Pipeline returned 0 of 75 rows .* the likely cause is StandardScaler inside it"
    ):
        run(Augmenter(make_pipeline(StandardScaler(), SMOTE())), X, y)


def test_prototypes_are_not_taken_for_moved_rows() -> None:
    X, y = mixed((600, 15))
    assert [entry.kept for entry in run(Augmenter(ClusterCentroids()), X, y).balance] == [0, 15]


def test_prototypes_of_every_class_are_told_from_moved_rows() -> None:
    X, y = mixed((60, 30))
    sampler = make_pipeline(ClusterCentroids(sampling_strategy={0: 10, 1: 10}))
    assert [entry.kept for entry in run(Augmenter(sampler), X, y).balance] == [0, 0]


def test_mixed_up_labels_are_refused() -> None:
    X, y = mixed(TWO)
    with pytest.raises(UserError, match="rows given to it under the label of another class: keep rows and labels"):
        run(Augmenter(Faulty(lambda X, y: (X, shuffled(X, y)[1]))), X, y)


class Scribbler(Jitter):
    """Writes into what it was given."""

    def fit_resample(self, X: NDArray[Any], y: NDArray[Any]) -> Any:
        found = super().fit_resample(X.copy(), y.copy())
        X[:], y[:] = 0, 0
        return found


def test_a_sampler_that_writes_into_what_it_is_given_harms_nothing() -> None:
    X, y = mixed(TWO)
    plain = run(Augmenter(Jitter()), X, y)
    X.flags.writeable = y.flags.writeable = False  # as the shared embeddings are
    scribbled = run(Augmenter(Scribbler()), X, y)
    np.testing.assert_array_equal(scribbled.kept, np.arange(len(X)))
    assert scribbled.synthetic_embeddings.tobytes() == plain.synthetic_embeddings.tobytes()


def test_a_cleaner_leaves_every_class_it_fills_a_real_row() -> None:
    class Ruthless(SMOTEENN):  # type: ignore[misc]
        def fit_resample(self, X: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
            rows, labels = super().fit_resample(X, y)
            given = {row.tobytes() for row in X[y == 1]}
            keep = [row.tobytes() not in given for row in rows.astype(np.float32)]
            return rows[keep], labels[keep]

    X, y = mixed(TWO, gap=8)
    entry = run(Augmenter(Ruthless()), X, y).balance[1]
    assert (entry.real, entry.kept) == (15, 15)
    assert "removed every real row of class 1 (15 rows), and what it removed was put back" in (entry.reason or "")


@pytest.mark.parametrize("counts", [(45, 27, 2), (45, 20, 20, 2), (45, 2, 1)])
def test_class_by_class_a_cleaner_takes_no_row_of_a_class_it_did_not_fill(counts: Sequence[int]) -> None:
    X, y = mixed(counts, gap=0.3)
    balance = run(make("smote + enn"), X, y).balance
    assert all(entry.kept == entry.real for entry in balance if entry.real < 6)
    assert all(entry.kept > 0 for entry in balance)


# The global generators


class Bare(BaseEstimator):  # type: ignore[misc]
    """Draws from the global generators."""

    def fit(self, X: NDArray[Any], y: NDArray[Any]) -> "Bare":
        return self  # a Pipeline wants it

    def fit_resample(self, X: NDArray[Any], y: NDArray[Any]) -> Any:
        chosen = np.random.choice(np.flatnonzero(y == 1), 30)
        noise = np.random.rand() + random.random() + torch.rand(1).item()
        return np.concatenate([X, X[chosen] + np.float32(noise)]), np.concatenate([y, y[chosen]])


def global_states() -> list[Any]:
    return [repr(np.random.get_state()), random.getstate(), torch.get_rng_state().tolist()]


def test_settings_of_the_process_that_a_sampler_alters_are_restored() -> None:
    class Strict(Bare):
        def fit_resample(self, X: NDArray[Any], y: NDArray[Any]) -> Any:
            warnings.simplefilter("error")
            np.seterr(all="raise")
            torch.set_default_dtype(torch.float64)
            return super().fit_resample(X, y)

    X, y = mixed(TWO)
    before = warnings.filters[:], np.geterr(), torch.get_default_dtype()
    run(Augmenter(Strict()), X, y)
    assert (warnings.filters[:], np.geterr(), torch.get_default_dtype()) == before


@pytest.mark.parametrize("sampler", [Bare(), make_pipeline(Bare(), TomekLinks())], ids=["bare", "in a pipeline"])
def test_the_global_generators_are_seeded_for_a_sampler_and_restored(sampler: Any) -> None:
    X, y = mixed(TWO)
    before = global_states()
    first = run(Augmenter(sampler), X, y)
    assert global_states() == before
    np.random.rand(), random.random(), torch.rand(1)
    again, other = run(Augmenter(sampler), X, y), run(Augmenter(sampler), X, y, seed=1)
    assert (
        first.synthetic_embeddings.tobytes()
        == again.synthetic_embeddings.tobytes()
        != other.synthetic_embeddings.tobytes()
    )


def test_the_global_generators_are_restored_when_a_sampler_fails() -> None:
    class Failing(Bare):
        def fit_resample(self, X: NDArray[Any], y: NDArray[Any]) -> Any:
            super().fit_resample(X, y)
            raise KeyError("x")

    X, y = mixed(TWO)
    before = global_states()
    with pytest.raises(KeyError):
        run(Augmenter(Failing()), X, y)
    assert global_states() == before


def test_seeding_the_global_generators_takes_no_draw() -> None:
    state = np.random.RandomState(3)
    with seeded(state):
        pass
    assert state.randint(2**31) == np.random.RandomState(3).randint(2**31)


# Samplers that scikit-learn cannot clone


class Altering(Jitter):
    """Alters a parameter in its constructor."""

    def __init__(self, options: Any = None, *, sampling_strategy: Any = "auto", random_state: Any = None) -> None:
        super().__init__(sampling_strategy=sampling_strategy, random_state=random_state)
        self.options = dict(options or {})


class Positional(BaseEstimator):  # type: ignore[misc]
    """Has a parameter under another name, so that get_params fails."""

    def __init__(self, noise: float, sampling_strategy: Any = "auto", random_state: Any = None) -> None:
        self._noise, self.sampling_strategy, self.random_state = noise, sampling_strategy, random_state

    def fit_resample(self, X: NDArray[Any], y: NDArray[Any]) -> Any:
        return Jitter(sampling_strategy=self.sampling_strategy, random_state=self.random_state).fit_resample(X, y)


class Keywords(Jitter):
    """scikit-learn's clone would forget its keywords without a word."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.wanted = options.get("wanted", 1)

    def fit_resample(self, X: NDArray[Any], y: NDArray[Any]) -> Any:
        assert self.wanted == 7
        return super().fit_resample(X, y)


class Plain:
    """No estimator at all; keeps numpy's module, as smote-variants' samplers do."""

    def __init__(self, sampling_strategy: Any = "auto", random_state: Any = None) -> None:
        self.sampling_strategy, self.random_state, self.numpy = sampling_strategy, random_state, np

    def fit_resample(self, X: NDArray[Any], y: NDArray[Any]) -> Any:
        return Jitter(sampling_strategy=self.sampling_strategy, random_state=self.random_state).fit_resample(X, y)


@pytest.mark.parametrize(
    "sampler",
    [Altering(), Positional(0.1), Keywords(wanted=7), Plain()],
    ids=lambda sampler: type(sampler).__name__,
)
def test_what_cannot_be_cloned_is_copied(sampler: Any) -> None:
    X, y = mixed(FOUR)
    first, again, other = (run(Augmenter(sampler), X, y, seed) for seed in (0, 0, 1))
    assert (
        first.synthetic_embeddings.tobytes()
        == again.synthetic_embeddings.tobytes()
        != other.synthetic_embeddings.tobytes()
    )
    assert [entry.made for entry in first.balance] == [0, 0, 28, 28]
    assert not any(entry.made_by_fallback for entry in first.balance)
    assert sampler.random_state is None


def test_what_can_be_neither_cloned_nor_copied_is_refused_at_once() -> None:
    class Locked(Plain):
        def __init__(self) -> None:
            super().__init__()
            self.lock = threading.Lock()

    with pytest.raises(UserError, match=r"^Locked can be neither cloned nor copied .*let its constructor store"):
        Augmenter(Locked())


def test_a_strategy_inside_a_combination_that_the_amount_would_overrule_is_refused() -> None:
    with pytest.raises(UserError, match=r"^augmenter\.smote\.sampling_strategy=0\.5 would be overruled"):
        Augmenter(SMOTEENN(smote=SMOTE(sampling_strategy=0.5)))
    Augmenter(make_pipeline(SMOTE(sampling_strategy=0.5)))  # which nobody overrules
    Augmenter(SMOTEENN(enn=EditedNearestNeighbours(sampling_strategy="all")))


def test_a_random_state_of_the_users_own_is_overruled_with_a_word(caplog: pytest.LogCaptureFixture) -> None:
    X, y = mixed(TWO)
    plain = run(Augmenter(SMOTE()), X, y)
    assert (
        run(Augmenter(SMOTE(random_state=5)), X, y).synthetic_embeddings.tobytes()
        == plain.synthetic_embeddings.tobytes()
    )
    assert [record.getMessage() for record in caplog.records] == [
        "augmenter.random_state=5 is overruled: every draw follows from seeds"
    ]


@pytest.mark.parametrize("amount", [-0.1, float("nan"), float("inf")])
def test_an_impossible_amount_is_refused(amount: float) -> None:
    with pytest.raises(ValueError, match=f"augmenter.amount={amount} must be 0 or more"):
        Augmenter(SMOTE(), amount)


@pytest.mark.parametrize("no_sampler", [NearestNeighbors(), object(), None])
def test_what_is_no_sampler_is_refused(no_sampler: Any) -> None:
    with pytest.raises(UserError, match="is no sampler: it needs imbalanced-learn's fit_resample"):
        Augmenter(no_sampler)


@pytest.mark.parametrize("strategy", [0.5, {1: 80}, "minority"])
def test_a_strategy_that_the_amount_would_overrule_is_refused(strategy: Any) -> None:
    with pytest.raises(ValueError, match=r"augmenter\.sampling_strategy=.* would be overruled by augmenter\.amount"):
        Augmenter(SMOTE(sampling_strategy=strategy))
    Augmenter(TomekLinks(sampling_strategy="all"))  # a cleaner is not told how many


@pytest.mark.parametrize("k", [1, 3])
def test_k_neighbours_by_a_metric_do_not_count_the_row_itself(k: int) -> None:
    search = nearest_neighbours(k, "manhattan")
    assert (search.n_neighbors, search.metric) == (k + 1, "manhattan")
    X = np.random.RandomState(0).normal(size=(60, 5)).astype(np.float32)
    y = np.repeat([0, 1], [40, 20])
    by_number = run(Augmenter(SMOTE(k_neighbors=k)), X, y)
    by_metric = run(Augmenter(SMOTE(k_neighbors=nearest_neighbours(k, "euclidean"))), X, y)
    np.testing.assert_allclose(by_metric.synthetic_embeddings, by_number.synthetic_embeddings, atol=1e-6)


@pytest.mark.parametrize(
    ("k", "metric", "sentence"),
    [
        (0, "cosine", "augmenter.k_neighbors.k=0 must be at least 1"),
        (2.5, "manhattan", "augmenter.k_neighbors.k=2.5 must be a whole number"),
        (5, "cosin", "metric=cosin is no metric of scikit-learn's NearestNeighbors: did you mean 'cosine'?"),
    ],
)
def test_neighbours_that_cannot_be_get_a_sentence(k: int, metric: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)):
        nearest_neighbours(k, metric)
