"""smote-variants' samplers behind synaug's contract."""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.base import clone

from benchmarks import smote_variants as benchmark
from synaug.augmenter import Augmenter, SmoteVariants, smote_variants
from synaug.errors import TooFewRowsError, UserError
from tests.test_augmenter import FOUR, TWO, mixed
from tests.toy import augmented as run

variants = pytest.importorskip("smote_variants")


class Variant(variants.base.OverSampling):  # type: ignore[misc, name-defined]
    """A sampler as smote-variants' are: two classes, a share, any keyword taken."""

    def __init__(self, proportion: float = 1.0, *, n_neighbors: int = 5, random_state: Any = None, **_: Any) -> None:
        super().__init__(random_state=random_state)
        self.check_greater_or_equal(n_neighbors, "n_neighbors", 1)
        self.proportion, self.n_neighbors = proportion, n_neighbors

    def sampling_algorithm(self, X: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        n = self.det_n_to_sample(self.proportion)
        rows = X[self.random_state.choice(np.flatnonzero(y == 1), n)] + 0.01 * self.random_state.normal(
            size=(n, X.shape[1])
        )
        return self.returned(X, y, rows)

    def returned(self, X: NDArray[Any], y: NDArray[Any], rows: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        return np.concatenate([X, rows]), np.concatenate([y, np.ones(len(rows), int)])


def variant(monkeypatch: pytest.MonkeyPatch, returned: Any = None, kind: type[Any] = Variant) -> SmoteVariants:
    """The adaptor of a sampler of the tests' own."""
    made = type("Made", (kind,), {} if returned is None else {"returned": returned})
    monkeypatch.setattr(variants, "Made", made, raising=False)
    monkeypatch.setattr(smote_variants, "sampler_names", lambda: ["Made", "SMOTE"])
    return SmoteVariants("Made")


@pytest.mark.parametrize("name", ["SMOTE", "polynom_fit_SMOTE_star", "Borderline_SMOTE1", "ROSE"])
@pytest.mark.parametrize("counts", [TWO, FOUR])
@pytest.mark.parametrize("amount", [0.5, 1, 2])
def test_each_class_gets_the_rows_that_it_is_asked_for(name: str, counts: Sequence[int], amount: float) -> None:
    X, y = mixed(counts, gap=0.3)
    augmented = run(Augmenter(SmoteVariants(name), amount), X, y)
    for entry in augmented.balance:
        assert (entry.made, entry.made_by_fallback) == (entry.asked, 0)
    np.testing.assert_array_equal(augmented.kept, np.arange(len(X)))
    assert [entry["class"] for entry in augmented.diagnostics] == [
        entry.label for entry in augmented.balance if entry.asked
    ]


def test_rows_of_star_lie_between_a_row_and_the_mean_of_its_class() -> None:
    X, y = mixed(FOUR)
    augmented = run(Augmenter(SmoteVariants()), X, y)
    for label in (2, 3):
        real = X[y == label].astype(np.float64)
        for row in augmented.synthetic_embeddings[augmented.labels == label]:
            to_row, to_mean = real - row, real.mean(0) - row
            cosine = (to_row @ to_mean) / np.linalg.norm(to_row, axis=1) / np.linalg.norm(to_mean)
            assert cosine.min() < -1 + 1e-5


def test_of_three_classes_each_is_made_of_its_own_real_rows_alone() -> None:
    X, y = mixed((40, 20, 10))
    both = run(Augmenter(SmoteVariants("SMOTE")), X, y)
    alone = SmoteVariants("SMOTE", sampling_strategy={1: 40}, random_state=np.random.RandomState(0))
    rows, labels = alone.fit_resample(X, y)
    np.testing.assert_array_equal(labels[len(X) :], 1)
    assert both.synthetic_embeddings[both.labels == 1].tobytes() == rows[len(X) :].tobytes()


def test_rows_of_a_class_do_not_depend_on_the_other_classes_wanted() -> None:
    X, y = mixed((40, 20, 10))
    made = {}
    for wanted in ({2: 40}, {1: 40, 2: 40}):
        rows, labels = SmoteVariants("SMOTE", sampling_strategy=wanted, random_state=0).fit_resample(X, y)
        made[len(wanted)] = rows[len(X) :][labels[len(X) :] == 2]
    np.testing.assert_array_equal(made[1], made[2])


def test_it_is_cloned_and_draws_from_the_random_state_alone() -> None:
    X, y = mixed(TWO)
    sampler = SmoteVariants("SMOTE", {"n_neighbors": 3})
    assert clone(sampler).get_params() == sampler.get_params()
    first, again, other = (run(Augmenter(sampler), X, y, seed).synthetic_embeddings.tobytes() for seed in (0, 0, 1))
    assert first == again != other


def test_parameters_reach_the_sampler() -> None:
    X, y = mixed(TWO)
    assert (
        run(Augmenter(SmoteVariants("SMOTE", {"n_neighbors": 1})), X, y).synthetic_embeddings.tobytes()
        != run(Augmenter(SmoteVariants("SMOTE")), X, y).synthetic_embeddings.tobytes()
    )


def test_a_sampler_that_rounds_down_is_asked_for_more_and_one_that_makes_too_many_is_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def tens(self: Any, X: Any, y: Any, rows: Any) -> Any:
        return Variant.returned(self, X, y, rows[: len(rows) // 10 * 10])

    X, y = mixed(TWO)
    augmented = run(Augmenter(variant(monkeypatch, tens)), X, y)
    assert augmented.balance[1].made == augmented.balance[1].new == 45
    (entry,) = augmented.diagnostics
    assert (entry["calls"], entry["made"], entry["used"]) == (2, 50, 45)


def test_a_sampler_that_never_makes_enough_is_filled_up_by_smote_with_a_word(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = mixed(TWO)
    augmented = run(
        Augmenter(variant(monkeypatch, lambda self, X, y, rows: Variant.returned(self, X, y, rows[:20]))), X, y
    )
    assert augmented.balance[1].made_by_fallback == 25
    assert augmented.balance[1].reason == (
        "SmoteVariants made 20 of 45 rows for class 1; SMOTE with k_neighbors=5 made 25 in its place"
    )
    assert augmented.diagnostics[0]["calls"] == smote_variants.MOST_CALLS


def test_real_rows_are_known_in_another_order_and_those_left_out_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def some_of_the_rest(self: Any, X: Any, y: Any, rows: Any) -> Any:
        keep = np.r_[np.flatnonzero(y == 1), np.flatnonzero(y == 0)[7:]]
        return np.concatenate([rows, X[keep]]), np.concatenate([np.ones(len(rows), int), y[keep]])

    X, y = mixed(TWO)
    augmented = run(Augmenter(variant(monkeypatch, some_of_the_rest)), X, y)
    majority, minority = augmented.balance
    assert (majority.kept, majority.made, minority.kept, minority.made) == (53, -7, 15, 45)
    np.testing.assert_array_equal(augmented.kept, np.delete(np.arange(75), np.flatnonzero(y == 0)[:7]))
    assert augmented.diagnostics[0]["removed"] == 7


def test_of_a_class_that_rows_are_asked_for_another_class_s_call_removes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def own_alone(self: Any, X: Any, y: Any, rows: Any) -> Any:
        keep = np.r_[np.flatnonzero(y == 1), np.flatnonzero(y == 0)[:1], np.flatnonzero(y == 0)[-40:]]
        return np.concatenate([X[keep], rows]), np.concatenate([y[keep], np.ones(len(rows), int)])

    X, y = mixed((60, 15, 10))
    balance = run(Augmenter(variant(monkeypatch, own_alone)), X, y).balance
    assert balance[0].kept < 60
    assert [entry.kept for entry in balance[1:]] == [15, 10]


def test_rows_of_the_rest_are_the_other_class_s_and_of_more_classes_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def moves_one(self: Any, X: Any, y: Any, rows: Any) -> Any:
        X = X.copy()
        X[np.flatnonzero(y == 0)[0]] += 5
        return Variant.returned(self, X, y, rows)

    X, y = mixed(TWO)
    sampler = Augmenter(variant(monkeypatch, moves_one))
    augmented = run(sampler, X, y)
    assert (augmented.balance[0].kept, augmented.balance[0].made) == (59, 0)
    assert (augmented.labels == 0).sum() == 1
    with pytest.raises(UserError, match="also makes or moves rows of classes that it was not asked for"):
        run(sampler, *mixed((40, 20, 10)))


@pytest.mark.parametrize(
    "error", [IndexError("out of bounds"), ValueError("shapes"), np.linalg.LinAlgError("singular")]
)
def test_a_fault_of_the_package_is_no_shortage_where_there_are_rows_enough(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(self: Any, X: Any, y: Any, rows: Any) -> Any:
        raise error

    sampler = Augmenter(variant(monkeypatch, fail))
    with pytest.raises(
        UserError, match=r"smote-variants' Made failed on the 15 rows of class 1 \(\w+: .*choose another"
    ):
        run(sampler, *mixed(TWO))
    entry = run(sampler, *mixed((40, 4))).balance[1]
    assert (entry.made, entry.made_by_fallback) == (36, 36)
    assert "Made failed on the 4 rows" in (entry.reason or "")
    with pytest.raises(TooFewRowsError):
        SmoteVariants("Made").fit_resample(*mixed((40, 4)))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (("SMOTTE",), "augmenter.sampler=SMOTTE is no sampler of smote-variants: did you mean 'SMOTE'?"),
        (("prowsyn",), "augmenter.sampler=prowsyn is no sampler of smote-variants: did you mean 'ProWSyn'?"),
        (("base",), "augmenter.sampler=base is no sampler of smote-variants"),
        (("E_SMOTE",), "augmenter.sampler=E_SMOTE leaves columns of the embeddings out: choose another"),
        (("SMOTE", {"n_neighbours": 3}), "augmenter.parameters.n_neighbours is no parameter of SMOTE: did you mean"),
        (("SMOTE", {"proportion": 3}), "augmenter.parameters.proportion cannot be set, for augmenter.amount says"),
        (("SMOTE", {"n_neighbors": 0}), "augmenter.parameters={'n_neighbors': 0} is refused by SMOTE"),
    ],
)
def test_what_cannot_be_is_one_sentence(given: tuple[Any, ...], sentence: str) -> None:
    with pytest.raises(UserError) as caught:
        SmoteVariants(*given)
    assert str(caught.value).startswith(sentence)


def test_a_missing_package_names_the_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        UserError, match=r"needs a package that is not installed .*pip install 'synaug\[smote-variants\]'"
    ):
        SmoteVariants()


def test_what_is_refused_is_a_sampler_of_the_package() -> None:
    assert set(smote_variants.REFUSED) - {"NoSMOTE"} <= set(smote_variants.sampler_names())


def test_the_package_s_own_log_stays_out_of_ours(capfd: pytest.CaptureFixture[str]) -> None:
    run(Augmenter(SmoteVariants("SMOTE")), *mixed(TWO))
    assert "smote_variants" in logging.root.manager.loggerDict
    assert capfd.readouterr().err == ""


def test_the_benchmark_tells_what_works_from_what_does_not() -> None:
    found = {name: {"two": benchmark.in_a_process(name, (40, 10), 60)} for name in ("SMOTE", "E_SMOTE", "SPY")}
    assert [benchmark.verdict(each) for each in found.values()] == ["work", "fail", "fall short"]
    assert found["SMOTE"]["two"]["made"] == 30
    assert "**refused**" in benchmark.line("E_SMOTE", found["E_SMOTE"])
    text = benchmark.table(found, 60)
    assert "1 work, 1 fall short of what is asked on these rows, 1 fail." in text
