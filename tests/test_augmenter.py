"""One suite over every sampler, then what each trap of imbalanced-learn comes to."""

import logging
import re
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, ClassVar

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from hypothesis import given, settings
from hypothesis import strategies as st
from imblearn import FunctionSampler
from imblearn.combine import SMOTEENN, SMOTETomek
from imblearn.over_sampling import ADASYN, SMOTE, SVMSMOTE, BorderlineSMOTE, KMeansSMOTE, RandomOverSampler
from imblearn.over_sampling.base import BaseOverSampler
from imblearn.pipeline import make_pipeline
from imblearn.under_sampling import EditedNearestNeighbours, RandomUnderSampler, TomekLinks
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.cluster import MiniBatchKMeans
from sklearn.neighbors import NearestNeighbors
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import InvalidParameterError

from synaug import config as configuration
from synaug.augmenter import VAE, Augmented, Augmenter, Balance, nearest_neighbours, segment_parents
from synaug.augmenter.balance import warn_of_fallbacks
from synaug.errors import UserError

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


def doubled_first_rows(X: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    return np.concatenate([X, X[:10] * 2]), np.concatenate([y, y[:10]])


QUICK_VAE = {"hidden": 8, "latent_dim": 3, "warmup_epochs": 1, "max_epochs": 2}
SHIPPED = sorted(path.stem for path in (configuration.conf_dir() / "augmenter").glob("*.yaml"))
OTHERS: dict[str, Callable[[], Any]] = {
    "borderline-2": lambda: BorderlineSMOTE(kind="borderline-2"),
    "svm": SVMSMOTE,
    "kmeans": lambda: KMeansSMOTE(kmeans_estimator=MiniBatchKMeans(3, n_init=1), cluster_balance_threshold=0.05),
    "vae, posterior": lambda: VAE(sample_from="posterior", **QUICK_VAE),  # type: ignore[arg-type]
    "smote + enn": SMOTEENN,
    "own smote + enn": lambda: SMOTEENN(smote=SMOTE(k_neighbors=3)),
    "smote + tomek": SMOTETomek,
    "undersampling": RandomUnderSampler,
    "tomek links": TomekLinks,
    "function": lambda: FunctionSampler(func=doubled_first_rows),
    "user's own": Jitter,
}
CLEANERS = ("smote + enn", "own smote + enn", "smote + tomek")
DECIDE_BY_THEMSELVES = ("none", "function", "tomek links")
OVERSAMPLERS = [name for name in (*SHIPPED, *OTHERS) if name not in (*CLEANERS, *DECIDE_BY_THEMSELVES, "undersampling")]
WITHOUT_DRAWS = DECIDE_BY_THEMSELVES


@cache
def composed(name: str) -> Any:
    with initialize_config_dir(str(configuration.conf_dir()), version_base="1.3"):
        quick = [f"augmenter.{key}={value}" for key, value in QUICK_VAE.items()] if name == "vae" else []
        return compose("config", [f"augmenter={name}", *quick]).augmenter


def make(name: str, amount: float = 1.0, strict: bool = False) -> Augmenter:
    """As the program does it, for what is shipped."""
    if name in OTHERS:
        return Augmenter(OTHERS[name](), amount, strict)
    config = composed(name).copy()
    config.amount, config.strict = amount, strict
    return configuration.augmenter(config)  # type: ignore[no-any-return]


def run(augmenter: Augmenter, X: NDArray[Any], y: NDArray[Any], seed: int = 0, **more: Any) -> Augmented:
    return augmenter.augment(X, y, np.random.RandomState(seed), **more)


def training_labels(y: NDArray[Any], augmented: Augmented) -> NDArray[Any]:
    return np.concatenate([y[augmented.kept], augmented.labels])


every_sampler = pytest.mark.parametrize("name", [*SHIPPED, *OTHERS])
every_oversampler = pytest.mark.parametrize("name", OVERSAMPLERS)


def test_the_suite_runs_over_every_shipped_option() -> None:
    assert {"none", "random", "smote", "borderline_smote", "adasyn", "vae"} <= set(SHIPPED)
    assert {type(make(name).sampler) for name in SHIPPED} >= {FunctionSampler, RandomOverSampler, SMOTE, ADASYN, VAE}


# The suite over every sampler


@every_sampler
@pytest.mark.parametrize("counts", [TWO, FOUR])
def test_amount_0_changes_nothing(name: str, counts: Sequence[int]) -> None:
    X, y = mixed(counts)
    augmented = run(make(name, amount=0), X, y)
    np.testing.assert_array_equal(augmented.kept, np.arange(len(X)))
    assert augmented.synthetic.shape == (0, X.shape[1])
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
        rounds = name in ("adasyn", "kmeans")
        assert abs(entry.made - entry.asked) <= (0.1 * entry.asked + 2 if rounds else 0)


@every_oversampler
@pytest.mark.parametrize("counts", [TWO, FOUR])
def test_real_rows_are_kept_to_the_bit_and_in_place(name: str, counts: Sequence[int]) -> None:
    X, y = mixed(counts)
    before = X.copy()
    augmented = run(make(name), X, y)
    assert X.tobytes() == before.tobytes()
    np.testing.assert_array_equal(augmented.kept, np.arange(len(X)))
    assert len(augmented.synthetic)


@every_sampler
@pytest.mark.parametrize("counts", [TWO, FOUR])
def test_rows_are_float32_and_finite(name: str, counts: Sequence[int]) -> None:
    X, y = mixed(counts)
    augmented = run(make(name, amount=2), X, y)
    assert augmented.synthetic.dtype == np.float32
    assert augmented.labels.dtype == augmented.kept.dtype == np.int64
    assert augmented.synthetic.shape == (len(augmented.labels), X.shape[1])
    assert np.isfinite(augmented.synthetic).all()


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
    assert same.synthetic.tobytes() == again.synthetic.tobytes()
    assert same.balance == again.balance
    if name not in WITHOUT_DRAWS:
        assert (same.kept.tobytes(), same.synthetic.tobytes()) != (other.kept.tobytes(), other.synthetic.tobytes())


@every_sampler
def test_the_sampler_handed_in_is_not_altered(name: str) -> None:
    X, y = mixed(TWO)
    augmenter = make(name)
    before = (repr(augmenter.sampler.get_params(deep=True)), set(vars(augmenter.sampler)))
    first = run(augmenter, X, y)
    assert (repr(augmenter.sampler.get_params(deep=True)), set(vars(augmenter.sampler))) == before
    assert run(augmenter, X, y).synthetic.tobytes() == first.synthetic.tobytes()


@every_oversampler
def test_two_equal_classes_get_different_draws(name: str) -> None:
    X, y = mixed((40, 40, 12))
    twin = X[y == 2]
    X, y = np.concatenate([X, twin]), np.concatenate([y, np.full(12, 3)])
    augmented = run(make(name), X, y)
    made = [augmented.synthetic[augmented.labels == label] for label in (2, 3)]
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
    parents = segment_parents(augmented.synthetic, X)
    assert (parents >= 0).all()
    np.testing.assert_array_equal(y[parents], np.stack([augmented.labels] * 2, axis=1))


def test_each_row_of_the_vae_posterior_has_a_parent_of_its_class() -> None:
    X, y = mixed(FOUR)
    vae = VAE(sample_from="posterior", random_state=np.random.RandomState(0), **QUICK_VAE)  # type: ignore[arg-type]
    _, labels = vae.fit_resample(X, y)
    assert vae.parents_ is not None
    np.testing.assert_array_equal(y[vae.parents_[:, 0]], labels[len(X) :])


# Samplers that remove rows, or that decide by themselves


@pytest.mark.parametrize(("amount", "left"), [(0.5, [26, 26, 12, 12]), (1, [12] * 4), (2, [12] * 4)])
def test_undersampling_removes_the_share_of_the_surplus(amount: float, left: list[int]) -> None:
    X, y = mixed(FOUR)
    augmented = run(make("undersampling", amount), X, y)
    assert np.bincount(y[augmented.kept]).tolist() == left
    assert [entry.asked for entry in augmented.balance] == [n - real for n, real in zip(left, FOUR, strict=True)]
    assert len(augmented.synthetic) == 0
    assert len(np.unique(augmented.kept)) == len(augmented.kept)


def test_kept_rows_are_told_from_new_ones_where_both_change() -> None:
    X, y = mixed(TWO, gap=0.5)
    random_state = np.random.RandomState(0)
    rows, labels = SMOTEENN(random_state=random_state, sampling_strategy={1: 60}).fit_resample(X, y)
    augmented = run(make("smote + enn"), X, y)
    assert 0 < len(augmented.kept) < len(X)
    ours = np.concatenate([X[augmented.kept], augmented.synthetic])
    assert sorted(map(bytes, ours)) == sorted(map(bytes, rows.astype(np.float32)))
    assert not {row.tobytes() for row in augmented.synthetic} & {row.tobytes() for row in X}
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


@pytest.mark.parametrize("name", ["undersampling", "smote + enn"])
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
    assert few.made_by_fallback >= 36  # of its real rows some were removed with the others'
    assert few.reason is not None
    assert "of 36 rows for class 2 (ValueError: Expected n_neighbors" in few.reason
    assert len(augmented.kept) < len(X)
    assert augmented.balance[1].made_by_fallback == 0


def test_the_smote_inside_a_combination_is_told_the_amount() -> None:
    X, y = mixed(TWO, gap=8)  # nothing to clean
    augmented = run(Augmenter(SMOTETomek(smote=SMOTE(k_neighbors=3), tomek=TomekLinks()), 0.5), X, y)
    assert augmented.balance == [Balance(0, 60, 0, 0), Balance(1, 15, 22, 22)]


def test_a_class_that_is_cleaned_away_is_an_error() -> None:
    X, y = mixed((60, 60, 6), gap=0)
    with pytest.raises(ValueError, match="removed all 6 rows of class 'c' in seed 0 fold 1; training needs one"):
        run(Augmenter(EditedNearestNeighbours(sampling_strategy=[2])), X, y, where="seed 0 fold 1", class_names="abc")


@pytest.mark.parametrize("name", DECIDE_BY_THEMSELVES)
def test_an_amount_that_says_nothing_to_a_sampler_is_recorded(name: str) -> None:
    X, y = mixed(TWO)
    balanced, half = run(make(name), X, y), run(make(name, amount=0.5), X, y)
    assert [entry.reason for entry in balanced.balance] == [None, None]
    assert all("amount=0.5 says nothing to it" in (entry.reason or "") for entry in half.balance)
    assert [entry.made for entry in half.balance] == [entry.made for entry in balanced.balance]


def test_a_function_that_relabels_rows_does_not_keep_them() -> None:
    X, y = mixed(TWO)

    def relabel(X: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        return X, np.where(np.arange(len(y)) == 5, 1 - y, y)

    augmented = run(Augmenter(FunctionSampler(func=relabel)), X, y)
    np.testing.assert_array_equal(augmented.kept, np.delete(np.arange(len(X)), 5))
    np.testing.assert_array_equal(augmented.synthetic, X[5:6])
    assert augmented.labels.tolist() == [1 - y[5]]


def test_samplers_in_a_pipeline_draw_from_the_random_state() -> None:
    X, y = mixed(FOUR)
    augmenter = Augmenter(make_pipeline(RandomOverSampler(shrinkage=0.1), RandomUnderSampler()))
    first, again, other = (run(augmenter, X, y, seed) for seed in (0, 0, 1))
    assert first.synthetic.tobytes() == again.synthetic.tobytes() != other.synthetic.tobytes()


# The traps


def test_borderline_smote_on_separate_classes_falls_back_to_smote() -> None:
    X, y = mixed(TWO, gap=20)
    assert len(BorderlineSMOTE().fit_resample(X, y)[0]) == len(X)
    augmented = run(make("borderline_smote"), X, y)
    reason = "BorderlineSMOTE made 0 of 45 rows for class 1; SMOTE with k_neighbors=5 made the rest"
    assert augmented.balance[1] == Balance(1, 15, 45, 45, 45, reason)


def test_adasyn_on_separate_classes_falls_back_to_smote_and_says_why() -> None:
    X, y = mixed(TWO, gap=20)
    augmented = run(make("adasyn"), X, y, class_names=["spam", "ham"], where="seed 0 fold 2")
    entry = augmented.balance[1]
    assert (entry.made, entry.made_by_fallback) == (45, 45)
    assert entry.reason is not None
    assert entry.reason.startswith(
        "ADASYN made 0 of 45 rows for class 'ham' in seed 0 fold 2 (RuntimeError: Not any neigbours belong to"
    )
    assert entry.reason.endswith("; SMOTE with k_neighbors=5 made the rest")


def test_svm_smote_that_stops_short_is_filled_up() -> None:
    X, y = mixed((90, 30), gap=20)
    short = len(SVMSMOTE(random_state=np.random.RandomState(0)).fit_resample(X, y)[0]) - len(X)
    assert 0 < short < 54
    entry = run(Augmenter(SVMSMOTE()), X, y).balance[1]
    reason = f"SVMSMOTE made {short} of 60 rows for class 1; SMOTE with k_neighbors=5 made the rest"
    assert entry == Balance(1, 30, 60, 60, 60 - short, reason)


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
    assert entry.reason.endswith(f"; {how} made the rest")
    assert np.isfinite(augmented.synthetic).all()
    np.testing.assert_array_equal(augmented.kept, np.arange(len(X)))
    if rows == 1:
        assert len(np.unique(augmented.synthetic, axis=0)) == 1


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
    assert np.isfinite(augmented.synthetic).all()


def test_adasyn_rounds_and_that_is_no_shortage() -> None:
    X, y = mixed((300, 40), gap=0.5)
    rows, _ = ADASYN(random_state=np.random.RandomState(0)).fit_resample(X, y)
    made = len(rows) - len(X)
    assert made != 260
    entry = run(make("adasyn", strict=True), X, y).balance[1]
    assert entry == Balance(1, 40, 260, made, 0, f"ADASYN decided on {made:+d} rows where +260 were asked for")


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
    assert number.synthetic.tobytes() == neighbours.synthetic.tobytes()


def test_a_neighbours_object_is_given_fewer_neighbours_and_not_altered() -> None:
    X, y = mixed((40, 4))
    neighbours = NearestNeighbors(n_neighbors=6)
    entry = run(Augmenter(SMOTE(k_neighbors=neighbours)), X, y).balance[1]
    assert entry.made == entry.made_by_fallback == 36
    assert entry.reason == (
        "class 1 has 4 rows; SMOTE needs k_neighbors.n_neighbors = 6: lower augmenter.k_neighbors.n_neighbors or the "
        "imbalance ratio; SMOTE with k_neighbors=3 made the rest"
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
    assert (entry.reason or "").endswith("SMOTE with k_neighbors=3 made the rest")


# strict


@pytest.mark.parametrize(
    ("sampler", "sentence"),
    [
        (
            SMOTE(),
            "class 3 has 4 rows in seed 0 fold 2; SMOTE needs k_neighbors + 1 = 6: "
            "lower augmenter.k_neighbors or the imbalance ratio",
        ),
        (
            ADASYN(n_neighbors=7),
            "class 3 has 4 rows in seed 0 fold 2; ADASYN needs n_neighbors + 1 = 8: "
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
    assert run(make("smote", strict=True), X, y).balance[1] == Balance(1, 6, 24, 24)
    with pytest.raises(ValueError, match=r"class 1 has 5 rows; SMOTE needs k_neighbors \+ 1 = 6"):
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
    with pytest.raises(ValueError, match=r"VAE made 0 of 9 rows for class 1 \(ValueError: class 1 has 1 row; the VAE"):
        run(make("vae", strict=True), X, y)


@every_oversampler
def test_strict_is_content_where_nothing_is_asked(name: str) -> None:
    X, y = mixed((3, 3))
    assert len(run(make(name, strict=True), X, y).synthetic) == 0


# Errors that are no shortage


@pytest.mark.parametrize("rows", [15, 4])
def test_a_wrong_parameter_is_never_taken_for_a_shortage(rows: int) -> None:
    X, y = mixed((60, rows))
    for sampler in (SMOTE(k_neighbors=0), ADASYN(n_neighbors="five"), VAE(beta=-1.0)):
        with pytest.raises(InvalidParameterError):
            run(Augmenter(sampler), X, y)


@pytest.mark.parametrize("error", [KeyError("x"), TypeError("x"), AttributeError("x"), MemoryError("x")])
def test_an_error_that_is_a_bug_is_not_taken_for_a_shortage(error: Exception) -> None:
    X, y = mixed(TWO)
    with pytest.raises(type(error)):
        run(Augmenter(Faulty(error)), X, y)


def test_the_user_sees_the_error_behind_a_fallback(caplog: pytest.LogCaptureFixture) -> None:
    # A ValueError may be a shortage or a bug: the sentence lets the user tell, the log has the traceback.
    X, y = mixed(TWO)
    with caplog.at_level(logging.DEBUG, "synaug"):
        augmented = run(Augmenter(Faulty(ValueError("operands could\n not be broadcast"))), X, y, where="seed 0 fold 0")
        sentences = warn_of_fallbacks([augmented.balance], ["spam", "ham"])
    assert sentences == [
        "class 'ham': a fallback made 45 of 45 rows in 1 of 1 members, e.g. Faulty made 0 of 45 rows for class 1 "
        "in seed 0 fold 0 (ValueError: operands could not be broadcast); SMOTE with k_neighbors=5 made the rest"
    ]
    traced, warned = caplog.records
    assert (warned.levelname, warned.getMessage()) == ("WARNING", sentences[0])
    assert traced.exc_info


def test_a_fallback_is_warned_of_once_for_all_members(caplog: pytest.LogCaptureFixture) -> None:
    balances = [
        [Balance(0, 9, 0, 0), Balance(1, 2, 7, 7, 7, "two rows"), Balance(2, 8, 1, 1)],
        [Balance(0, 9, 0, 0), Balance(1, 3, 6, 6, 5, "three rows"), Balance(2, 8, 1, 2, 0, "rounds")],
        [Balance(0, 9, None, 0), Balance(1, 5, 4, 4), Balance(2, 8, 1, 1)],
    ]
    sentences = warn_of_fallbacks(balances, ["a", "b", "c"])
    assert sentences == ["class 'b': a fallback made 12 of 13 rows in 2 of 3 members, e.g. two rows"]
    assert [record.getMessage() for record in caplog.records] == sentences


def test_rows_that_are_not_finite_are_not_trained_on() -> None:
    X, y = mixed(TWO)

    def spoil(rows: NDArray[Any], labels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        rows[-1, 3] = np.nan
        return rows, labels

    augmented = run(Augmenter(Faulty(spoil)), X, y)
    assert np.isfinite(augmented.synthetic).all()
    assert "(ValueError: Faulty made rows that are not finite)" in (augmented.balance[1].reason or "")


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (lambda X, y: (X[:, :3], y), r"returned rows \[120, 3\] and labels \[120\]; they must be \[n, 20\] and \[n\]"),
        (lambda X, y: (X, y[:-1]), r"returned rows \[120, 20\] and labels \[119\]"),
        (lambda X, y: (X, np.where(np.arange(len(y)) == 119, 7, y)), "returned the label 7, which no row"),
    ],
)
def test_a_sampler_that_breaks_the_contract_is_named(fault: Any, message: str) -> None:
    X, y = mixed(TWO)
    with pytest.raises(UserError, match=message):
        run(Augmenter(Faulty(fault)), X, y)


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
    by_number = Augmenter(SMOTE(k_neighbors=k)).augment(X, y, np.random.RandomState(0))
    by_metric = Augmenter(SMOTE(k_neighbors=nearest_neighbours(k, "euclidean"))).augment(X, y, np.random.RandomState(0))
    np.testing.assert_allclose(by_metric.synthetic, by_number.synthetic, atol=1e-6)


@pytest.mark.parametrize(
    ("k", "metric", "sentence"),
    [(0, "cosine", "augmenter.k_neighbors.k=0 must be at least 1"), (5, "cosin", "'metric' parameter of NearestNei")],
)
def test_neighbours_that_cannot_be_get_a_sentence(k: int, metric: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)):
        nearest_neighbours(k, metric)
