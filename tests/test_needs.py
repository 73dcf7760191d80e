"""What users need of decisions, and that the decision chosen on out-of-fold rows gives it."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import log_softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    f1_score,
    make_scorer,
    matthews_corrcoef,
    precision_recall_curve,
    precision_score,
    recall_score,
)
from sklearn.model_selection import TunedThresholdClassifierCV

from synaug.errors import UserError
from synaug.scores import metrics
from synaug.scores.abstaining import area_under_risk, judged_without_abstained, read_level, risk_by_coverage
from synaug.scores.decision import OutOfFold, Rule, shift
from synaug.scores.needs import ABSTAINS, Decision, Need, read_need, read_rule
from synaug.scores.thresholds import OF_ALL, tally

NAMES = ("ham", "spam")
SIX = ("a", "b", "c", "d", "e", "f")
Array = NDArray[np.float64]


def rows(n: int, n_classes: int, seed: int, *, ties: bool = False) -> OutOfFold:
    """Out-of-fold rows of unequal classes that overlap; with `ties`, of few different probabilities."""
    draw = np.random.RandomState(seed)
    labels = np.concatenate([np.arange(n_classes), draw.choice(n_classes, n - n_classes, p=_shares(n_classes))])
    logits = draw.normal(0, 1, (n, n_classes)) + 1.5 * np.eye(n_classes)[labels]
    logits = logits.round(0) if ties else logits
    return OutOfFold(log_softmax(logits, axis=1), labels, np.arange(n) % 5, np.full(n_classes, 1 / n_classes))


def _shares(n_classes: int) -> Array:
    weights = 1.0 / (1 + np.arange(n_classes)) ** 1.5
    shares: Array = weights / weights.sum()
    return shares


def own_frequencies(known: OutOfFold) -> Array:
    frequencies: Array = np.bincount(known.labels, minlength=len(known.target)) / len(known.labels)
    return frequencies


class Given(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Says of each row the probability that stands in it."""

    def fit(self, X: Array, y: NDArray[np.int64]) -> "Given":
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, X: Array) -> Array:
        return np.column_stack([1 - X[:, 0], X[:, 0]])


def tuned_by_scikit_learn(known: OutOfFold, probability: Array, scorer: Any, cv: Any) -> TunedThresholdClassifierCV:
    """Tune on the very thresholds between the rows."""
    values = np.unique(probability)
    between = np.concatenate([[0.0], (values[1:] + values[:-1]) / 2, [1.0 + 1e-9]])
    tuned = TunedThresholdClassifierCV(Given(), scoring=scorer, thresholds=between, cv=cv, store_cv_results=True)
    return tuned.fit(probability[:, None], known.labels)


SCORES = {
    "accuracy": accuracy_score,
    "balanced_accuracy": balanced_accuracy_score,
    "mcc": matthews_corrcoef,
    "f1[spam]": f1_score,
    "f1[ham]": lambda y, decided: f1_score(y, decided, pos_label=0),
    "f1_macro": lambda y, decided: f1_score(y, decided, average="macro"),
}


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("metric", SCORES)
@pytest.mark.parametrize("seed", range(4))
def test_of_two_classes_a_metric_is_served_as_by_scikit_learn(metric: str, seed: int, ties: bool) -> None:
    known = rows(120, 2, seed, ties=ties)
    frequencies = own_frequencies(known)
    decision = read_need("metric", metric).choose(known, NAMES, frequencies)
    # scikit-learn is given what we decide by: probabilities at the rows' own frequencies.
    probability = shift(known.log_probabilities, np.log(frequencies / known.target))[:, 1]
    everything = [(np.arange(120), np.arange(120))]
    theirs = tuned_by_scikit_learn(known, probability, make_scorer(SCORES[metric]), everything)
    ours = decision.classes(known.log_probabilities)
    assert SCORES[metric](known.labels, ours) == pytest.approx(theirs.best_score_, abs=1e-9)
    if metric != "f1[ham]":  # of equals, both take the lowest threshold on the second class; there, on the first
        np.testing.assert_array_equal(ours, theirs.predict(probability[:, None]))


@pytest.mark.parametrize("seed", range(4))
def test_over_folds_of_equal_classes_pooling_chooses_what_scikit_learn_chooses_by_means(seed: int) -> None:
    known = rows(600, 2, seed)
    keep = np.concatenate([np.flatnonzero(known.labels == label)[:60] for label in (0, 1)])
    known = known.rows(np.isin(np.arange(600), keep))
    folds = np.empty(120, dtype=int)
    for label in (0, 1):
        folds[known.labels == label] = np.arange(60) % 5
    probability = np.exp(known.log_probabilities[:, 1])
    cv = [(np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)) for fold in range(5)]
    theirs = tuned_by_scikit_learn(known, probability, "balanced_accuracy", cv)
    decision = read_need("metric", "balanced_accuracy").choose(known, NAMES)
    ours = decision.classes(known.log_probabilities)
    assert balanced_accuracy_score(known.labels, ours) == pytest.approx(theirs.best_score_, abs=1e-9)
    scores = theirs.cv_results_["scores"]
    if (scores > scores.max() - 1e-9).sum() == 1:  # rounding decides among equals in their means
        np.testing.assert_array_equal(ours, theirs.predict(probability[:, None]))


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("least", [0.5, 0.9, 0.95, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_recall_and_precision_are_served_as_the_whole_curve_says(least: float, seed: int, ties: bool) -> None:
    known = rows(150, 2, seed, ties=ties)
    frequencies = own_frequencies(known)
    precision, recall, _ = precision_recall_curve(known.labels == 1, known.log_probabilities[:, 1])
    precision, recall = precision[:-1], recall[:-1]  # the last point is no threshold's
    decision = read_need("recall", f"spam={least}").choose(known, NAMES, frequencies)
    decided = decision.classes(known.log_probabilities)
    assert decision.reached
    assert recall_score(known.labels, decided) >= least - 1e-12
    assert precision_score(known.labels, decided) == pytest.approx(precision[recall >= least].max())
    decision = read_need("precision", f"spam={least}").choose(known, NAMES, frequencies)
    decided = decision.classes(known.log_probabilities)
    assert decision.reached == bool((precision >= least).any())
    best = recall[precision >= least].max() if decision.reached else recall[precision >= precision.max()].max()
    assert recall_score(known.labels, decided) == pytest.approx(best)
    assert precision_score(known.labels, decided) >= min(least, precision.max()) - 1e-12


@pytest.mark.parametrize("seed", range(3))
def test_of_six_classes_one_is_set_against_the_rest(seed: int) -> None:
    known = rows(300, 6, seed)
    frequencies = own_frequencies(known)
    met = known.log_probabilities + np.log(frequencies / known.target)
    margin = met[:, 5] - met[:, :5].max(1)
    precision, recall, _ = precision_recall_curve(known.labels == 5, margin)
    decision = read_need("recall", "f=0.8").choose(known, SIX, frequencies)
    decided = decision.classes(known.log_probabilities)
    found = tally(known.labels, decided, 6)
    assert found.recall(5)[0] >= 0.8
    assert found.precision(5)[0] == pytest.approx(precision[:-1][recall[:-1] >= 0.8].max())
    others = decided != 5
    np.testing.assert_array_equal(decided[others], met[others, :5].argmax(1))  # the rest keeps its order


@pytest.mark.parametrize("metric", ["f1[c]", *OF_ALL])
@pytest.mark.parametrize("seed", range(3))
def test_what_is_chosen_for_a_metric_is_never_worse_than_no_offset(metric: str, seed: int) -> None:
    known = rows(200, 6, seed)
    frequencies = own_frequencies(known)
    need = read_need("metric", metric)
    label = None if need.label is None else SIX.index(need.label)
    as_it_is = Decision("", np.log(frequencies / known.target)).classes(known.log_probabilities)
    chosen = need.choose(known, SIX, frequencies).classes(known.log_probabilities)
    name = str(need.metric)
    before, after = (tally(known.labels, each, 6).metric(name, label)[0] for each in (as_it_is, chosen))
    assert after >= before - 1e-9
    # The metric is that of the scores that runs record.
    recorded = {(each, of): value for each, of, value in metrics.scores(known.labels, np.eye(6)[chosen], [5])}
    assert after == pytest.approx(recorded[name, label], abs=1e-9)


@pytest.mark.parametrize("metric", ["balanced_accuracy", "f1_macro", "mcc"])
def test_offsets_of_all_classes_gain_over_one(metric: str) -> None:
    known = rows(200, 3, 1)
    known = OutOfFold(
        log_softmax(known.log_probabilities + np.array([3.0, 0.0, -3.0]), axis=1),
        *(known.labels, known.parts, known.target),
    )
    decided = (
        read_need("metric", metric)
        .choose(known, ("a", "b", "c"), own_frequencies(known))
        .classes(known.log_probabilities)
    )
    grid = np.linspace(-8, 8, 33)
    best = max(
        tally(known.labels, (known.log_probabilities + np.array([0, one, two])).argmax(1), 3).metric(metric)[0]
        for one, two in itertools.product(grid, grid)
    )
    assert tally(known.labels, decided, 3).metric(metric)[0] >= best - 0.02


@given(missed=st.floats(0.01, 100), alarm=st.floats(0.01, 100), frequency=st.floats(0.01, 0.99))
def test_of_two_classes_the_threshold_of_costs_is_elkans(missed: float, alarm: float, frequency: float) -> None:
    threshold = alarm / (alarm + missed)
    frequencies = np.array([1 - frequency, frequency])
    target = np.array([0.5, 0.5])
    nothing = np.zeros(0, dtype=np.int64)
    known = OutOfFold(np.zeros((0, 2)), nothing, nothing, target)
    need = read_need("costs", f"spam={missed!r},ham={alarm!r}")
    at = np.array([threshold * 0.999, threshold + 0.001 * (1 - threshold)])
    met = np.log(np.column_stack([1 - at, at]))
    stored = log_softmax(met - np.log(frequencies / target), axis=1)  # as a run with another prior keeps them
    assert need.choose(known, NAMES, frequencies).classes(stored).tolist() == [0, 1]


def matrix_file(folder: Path, costs: Array, names: tuple[str, ...] = SIX) -> Path:
    lines = [",".join(names), *(",".join(map(repr, row)) for row in costs.tolist())]
    (folder / "costs.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "costs.csv"


@pytest.mark.parametrize("seed", range(3))
def test_a_cost_matrix_is_served_by_the_least_expected_cost(tmp_path: Path, seed: int) -> None:
    costs = np.random.RandomState(seed).uniform(1, 9, (6, 6)).round(3) * (1 - np.eye(6))
    known = rows(100, 6, seed)
    frequencies = own_frequencies(known)
    decision = read_need("costs", str(matrix_file(tmp_path, costs))).choose(known, SIX, frequencies)
    decided = decision.classes(known.log_probabilities)
    for row, log_probability in enumerate(known.log_probabilities):
        weighted = np.exp(log_probability) * frequencies / known.target
        expected = [sum(weighted[true] * costs[true, called] for true in range(6)) for called in range(6)]
        assert expected[decided[row]] == pytest.approx(min(expected))
    np.testing.assert_allclose(decision.probabilities(known.log_probabilities).sum(1), 1)


def test_costs_by_class_are_a_matrix_whose_rows_are_alike(tmp_path: Path) -> None:
    known = rows(200, 6, 0)
    of_class = np.array([1, 1, 3, 1, 1, 20.0])
    path = matrix_file(tmp_path, of_class[:, None] * (1 - np.eye(6)))
    by_file, by_class = (read_need("costs", text).choose(known, SIX) for text in (str(path), "c=3,f=20"))
    np.testing.assert_array_equal(by_file.classes(known.log_probabilities), by_class.classes(known.log_probabilities))
    np.testing.assert_array_equal(
        by_class.classes(known.log_probabilities), (known.log_probabilities + np.log(of_class)).argmax(1)
    )


@pytest.mark.parametrize(
    "text",
    [
        "spam,ham\n0,10\n1,0\n",
        "true,ham,spam\nham,0,1\nspam,10,0\n",
        ",spam,ham\nham,1,0\nspam,0,10\n",
        "ham;spam\n0;1,0\n10,0;0\n",
        "\ufeffham\tspam\n0\t1\n10\t0\n",
        "ham, spam\r\n0, 1\r\n\r\n10, 0\r\n",
    ],
)
def test_a_matrix_is_read_in_all_its_forms(tmp_path: Path, text: str) -> None:
    (tmp_path / "costs.csv").write_bytes(text.encode())
    need = read_need("costs", str(tmp_path / "costs.csv"))
    assert need.name == "costs costs.csv"
    np.testing.assert_array_equal(need.costs(NAMES), [[0, 1], [10, 0]])


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"0,1\n10,0\n", "has no header of class names"),
        (b"ham,spam\n0,1\n", "must be square"),
        (b"ham,spam\n0,1,2\n1,0,2\n1,0,2\n", "must be square"),
        (b"ham,spam\n0,1\n1\n", "must be square"),
        (b"ham,spam\n0,-1\n10,0\n", "a row of ham that is called spam is '-1', and must be a number of 0 or more"),
        (b"ham,spam\n0,x\n10,0\n", "is 'x', and must be a number"),
        (b"ham,spam\n0,nan\n10,0\n", "is 'nan', and must be a number"),
        (b"ham,spam\n0,inf\n10,0\n", "is 'inf', and must be a number"),
        (b"ham,spam\n1,0\n0,10\n", "being right must cost the least"),
        (b"ham,spam\n0,0\n0,0\n", "no mistake costs more than being right"),
        (b"ham,ham\n0,1\n1,0\n", "must name each class once"),
        (b"t,ham,spam\nham,0,1\nspm,1,0\n", "give both the same class names"),
        ("hâm,spam\n0,1\n1,0\n".encode("latin-1"), "is not UTF-8 (byte 1): save it as UTF-8"),
        ("ham,spam\n0,1\n1,0\n".encode("utf-16"), "is not UTF-8 (byte 0)"),
    ],
)
def test_a_file_that_is_no_cost_matrix_is_said(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "costs.csv").write_bytes(content)
    with pytest.raises(UserError) as raised:
        read_need("costs", str(tmp_path / "costs.csv"))
    assert sentence in str(raised.value)
    assert "costs.csv" in str(raised.value)


def test_a_file_that_is_not_there_or_is_a_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no file"):
        read_need("costs", str(tmp_path / "cots.csv"))
    with pytest.raises(UserError, match="is a folder"):
        read_need("costs", str(tmp_path))


@pytest.mark.parametrize(
    ("kind", "text", "sentence"),
    [
        ("recall", "spam=1.5", "above 0 and at most 1"),
        ("recall", "spam=95", "above 0 and at most 1"),
        ("recall", "spam=0", "above 0 and at most 1"),
        ("recall", "spam=nan", "above 0 and at most 1"),
        ("recall", "spam", "must name classes with numbers, e.g. --recall=spam=0.5"),
        ("precision", "spam=0.9,ham=0.9", "one threshold cannot serve two"),
        ("recall", "spam=0.9,spam=0.8", "names the class spam twice"),
        ("threshold", "spam=1", "above 0 and below 1"),
        ("metric", "recall[spam]", "ask for spam=0.95 as recall"),
        ("metric", "log_loss", "must name a metric of decisions"),
        ("metric", "balanced_acuracy", "did you mean balanced_accuracy?"),
        ("rule", "tund", "did you mean tuned?"),
    ],
)
def test_a_need_that_cannot_be_is_said(kind: Any, text: str, sentence: str) -> None:
    with pytest.raises(UserError) as raised:
        read_need(kind, text)
    assert sentence in str(raised.value)
    assert text in str(raised.value)


@pytest.mark.parametrize(
    ("need", "names", "sentence"),
    [
        (read_need("recall", "spm=0.9"), NAMES, "did you mean spam?"),
        (read_need("metric", "f1[spm]"), NAMES, "did you mean spam?"),
        (read_need("threshold", "a=0.9"), SIX, "takes two classes, and there are 6"),
    ],
)
def test_a_need_that_the_data_cannot_have_is_said(need: Need, names: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence.replace("?", r"\?")):
        need.choose(rows(50, len(names), 0), names)


def test_a_matrix_that_lacks_a_class_is_said(tmp_path: Path) -> None:
    path = matrix_file(tmp_path, 1 - np.eye(2), ("a", "b"))
    with pytest.raises(UserError, match="the matrix lacks the class c"):
        read_need("costs", str(path)).choose(rows(50, 3, 0), ("a", "b", "c"))


@pytest.mark.parametrize("text", ["recall:b=0.9", "precision:b=0.9", "metric:f1[b]"])
def test_a_class_without_out_of_fold_rows_changes_nothing_and_is_counted(text: str) -> None:
    known = rows(90, 3, 0)
    known = known.rows(known.labels != 1)
    frequencies = np.array([0.6, 0.1, 0.3])
    decision = read_rule(text).choose(known, ("a", "b", "c"), frequencies)
    assert not decision.reached
    np.testing.assert_allclose(decision.offset, np.log(frequencies * 3))  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["recall:spam=0.9", "precision:spam=0.9", "metric:mcc"])
def test_without_any_out_of_fold_row_nothing_is_reached(text: str) -> None:
    nothing = np.zeros(0, dtype=np.int64)
    assert not read_rule(text).choose(OutOfFold(np.zeros((0, 2)), nothing, nothing, np.full(2, 0.5)), NAMES).reached


def test_a_precision_that_no_threshold_has_is_taken_as_near_as_can_be() -> None:
    log_odds = np.array([3.0, 2.0, 1.0, 0.0, -1.0])
    labels = np.array([0, 1, 1, 0, 1])
    known = OutOfFold(
        log_softmax(np.column_stack([np.zeros(5), log_odds]), axis=1), labels, np.arange(5), np.array([0.5, 0.5])
    )
    decision = read_need("precision", "spam=0.9").choose(known, NAMES, np.array([0.4, 0.6]))
    assert not decision.reached
    assert decision.classes(known.log_probabilities).tolist() == [1, 1, 1, 0, 0]  # 2 of 3, the best there is


def test_precision_is_that_of_the_frequencies_that_will_be_met() -> None:
    known = rows(400, 2, 3)
    half, rare = (read_need("precision", "spam=0.9").choose(known, NAMES, np.array([1 - p, p])) for p in (0.5, 0.02))
    met_half, met_rare = (each.classes(known.log_probabilities) for each in (half, rare))
    assert 0 < met_rare.sum() < met_half.sum()  # where spam is rare, only surer rows are worth calling it
    hits, alarms = (met_rare[known.labels == label].mean() for label in (1, 0))
    assert not rare.reached or 0.02 * hits / (0.02 * hits + 0.98 * alarms) >= 0.9 - 1e-9


@pytest.mark.parametrize("text", ["tuned", "prior_corrected"])
def test_rules_of_a_run_are_decisions_with_their_offset(text: str) -> None:
    from synaug.scores.decision import CANDIDATES

    known = rows(100, 3, 0)
    (rule,) = (each for each in CANDIDATES if each.name == text)
    assert isinstance(rule, Rule)
    decision = read_rule(text).choose(known, ("a", "b", "c"), np.array([0.8, 0.1, 0.1]))
    np.testing.assert_array_equal(decision.offset, rule.offset(known))
    assert decision.name == text


@pytest.mark.parametrize("n_classes", [2, 100])
def test_costs_of_however_many_classes_are_read(n_classes: int) -> None:
    numbers = {f"class number {each}": float(each + 1) for each in range(n_classes)}
    assert read_need("costs", ",".join(f"{name}={number}" for name, number in numbers.items())).numbers == numbers


@pytest.mark.parametrize("kind", ["recall", "precision", "threshold", "costs"])
@pytest.mark.parametrize("name", ["news, sport", "a=b", "a,b=c", "1,5", "top 10"])
def test_a_class_may_be_called_as_it_is(kind: Any, name: str) -> None:
    assert read_need(kind, f"{name}=0.5").numbers == {name: 0.5}


def test_names_with_commas_stand_beside_others() -> None:
    assert read_need("costs", "news, sport=10, ham=2,a, b=3").numbers == {"news, sport": 10, "ham": 2, "a, b": 3}


@pytest.mark.parametrize("text", ["spam=1,", "spam=1,ham", "spam", "", "spam=", ",", "spam=1,ham="])
def test_what_is_left_over_is_said(text: str) -> None:
    with pytest.raises(UserError, match="must name classes with numbers"):
        read_need("costs", text)


@pytest.mark.parametrize("text", ['"a, x";b\n0;1,5\n2;0\n', '"a, x",b\n0,1.5\n2,0\n', '"a, x"\tb\n0\t1.5\n2\t0\n'])
def test_a_matrix_may_have_names_with_commas(tmp_path: Path, text: str) -> None:
    path = tmp_path / "costs.csv"
    path.write_text(text)
    matrix = read_need("costs", str(path)).matrix
    assert matrix is not None
    assert matrix.classes == ("a, x", "b")
    np.testing.assert_array_equal(matrix.costs, [[0, 1.5], [2, 0]])


def test_a_matrix_that_is_no_csv_is_said(tmp_path: Path) -> None:
    path = tmp_path / "costs.csv"
    path.write_text("a,b\n0," + "9" * 200_000 + "\n1,0\n")
    with pytest.raises(UserError, match="cannot be read as a csv"):
        read_need("costs", str(path))


def test_a_rule_in_one_word_is_read_as_by_its_option() -> None:
    assert read_rule("recall:spam=0.95") == read_need("recall", "spam=0.95")
    with pytest.raises(UserError, match=r"fit.rule=recal:spam=0.95 must begin with .*: did you mean recall\?"):
        read_rule("recal:spam=0.95")


@pytest.mark.parametrize("text", ["recall:c=0.9", "costs:c=10", "tuned", "metric:balanced_accuracy"])
def test_a_decision_survives_json_to_the_bit(text: str) -> None:
    known = rows(100, 3, 0)
    decision = read_rule(text).choose(known, ("a", "b", "c"), own_frequencies(known))
    decision = Decision(decision.name, decision.offset, decision.costs, 0.6, decision.reached)
    read = Decision.from_json(json.loads(json.dumps(decision.to_json())))
    assert read.to_json() == decision.to_json()
    for function in ("probabilities", "classes"):
        ours, theirs = (getattr(each, function)(known.log_probabilities) for each in (decision, read))
        np.testing.assert_array_equal(ours, theirs)


def test_abstaining_leaves_the_other_decisions_as_they_are() -> None:
    known = rows(200, 3, 0)
    always = Decision("").classes(known.log_probabilities)
    sometimes = Decision("", abstain_below=0.7).classes(known.log_probabilities)
    sure = np.exp(known.log_probabilities).max(1) >= 0.7
    assert 0 < sure.sum() < 200
    np.testing.assert_array_equal(sometimes, np.where(sure, always, ABSTAINS))
    found = judged_without_abstained(known.labels, sometimes, [1, 2])
    assert found["coverage"] == sure.mean()
    assert found["risk"] == pytest.approx((always != known.labels)[sure].mean())
    of_class = [(always != known.labels)[sure & (known.labels == label)].mean() for label in range(3)]
    assert found["balanced_risk"] == pytest.approx(np.mean(of_class))
    assert found["minority_coverage"] == pytest.approx(
        np.mean([sure[known.labels == label].mean() for label in (1, 2)])
    )


def test_where_nothing_is_decided_there_is_no_risk() -> None:
    found = judged_without_abstained(np.array([0, 1]), np.array([ABSTAINS, ABSTAINS]), [1])
    assert found["coverage"] == found["minority_coverage"] == 0
    assert np.isnan(found["risk"])
    assert np.isnan(found["balanced_risk"])


@given(seed=st.integers(0, 100), n_values=st.sampled_from([1, 2, 5, 1000]))
def test_the_area_under_risk_does_not_depend_on_the_order_of_ties(seed: int, n_values: int) -> None:
    draw = np.random.RandomState(seed)
    confidence, right = draw.randint(n_values, size=40) / n_values, draw.rand(40) < 0.7
    area = area_under_risk(confidence, right)
    # The mean over many orders of equals is the area.
    if n_values == 1000 and len(set(confidence)) == 40:
        order = np.argsort(-confidence)
        by_hand = np.mean([(~right[order])[:k].mean() for k in range(1, 41)])
        assert area == pytest.approx(by_hand)
    mixed = draw.permutation(40)
    assert area_under_risk(confidence[mixed], right[mixed]) == pytest.approx(area, abs=1e-12)
    coverage, risk = risk_by_coverage(confidence, right)
    assert risk[-1] == pytest.approx((~right).mean())
    assert coverage[-1] == 1
    if n_values == 1:
        np.testing.assert_allclose(risk, (~right).mean())


@pytest.mark.parametrize("text", ["0", "1", "1.2", "-0.5", "nan", "x", ""])
def test_a_level_that_is_no_probability_is_said(text: str) -> None:
    with pytest.raises(UserError, match=f"--abstain={text} must be a probability above 0 and below 1"):
        read_level(text)
