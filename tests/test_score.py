"""Predictions to tables, each entry computed again from what it must be of."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.special import log_softmax

from synaug.imbalance_ratio import ImbalanceRatio
from synaug.scores import decision, metrics
from synaug.scores.decision import ARGMAX, ARGMAX_CHOSEN_STEP, CANDIDATES, TAU_NORM, OutOfFold
from synaug.scores.probabilities import Said, probabilities
from synaug.scores.score import ToScore, as_it_is, judged, score
from synaug.scores.tuned_offsets import tune
from synaug.splits import Split, make_splits
from synaug.validation import Nested

NAMES = ("many", "some", "few")
COUNTS = (61, 32, 16)  # no multiples of the folds: the splits' class frequencies differ
LABELS = np.repeat(np.arange(3), COUNTS)

Logs = dict[str, NDArray[np.float64]]


@pytest.fixture(scope="module")
def splits() -> list[Split]:
    options: dict[str, Any] = {"seeds": [0, 7], "n_folds": 3, "validation": Nested(3)}
    return make_splits("toy", LABELS, NAMES, ImbalanceRatio(None), **options)


@pytest.fixture(scope="module")
def of_test_rows(splits: list[Split]) -> list[Logs]:
    """What each split's models say of its test rows, by decision; somewhat better than chance, each another thing."""
    draw = np.random.RandomState(1)
    return [{rule: guess(split.test, draw) for rule in decision.RULES} for split in splits]


@pytest.fixture(scope="module")
def out_of_fold(splits: list[Split]) -> list[Logs]:
    """What they say of out-of-fold rows, by candidate."""
    draw = np.random.RandomState(2)
    return [{rule.name: guess(split.out_of_fold, draw) for rule in CANDIDATES} for split in splits]


def guess(rows: NDArray[np.int64], draw: np.random.RandomState) -> NDArray[np.float64]:
    logits = draw.standard_normal((len(rows), 3)) + 1.5 * np.eye(3)[LABELS[rows]]
    logs: NDArray[np.float64] = log_softmax(logits + np.array([1.0, 0.0, -1.0]), axis=1)
    return logs


def target_of(split: Split, target_prior: str) -> NDArray[np.float64]:
    if target_prior == "uniform":
        return np.full(3, 1 / 3)
    return np.array([np.mean(LABELS[split.train] == label) for label in range(3)])


def known(split: Split, logs: NDArray[np.float64], target_prior: str) -> OutOfFold:
    inner = np.concatenate([np.full(len(fold.left_out), place) for place, fold in enumerate(split.inner)])
    return OutOfFold(logs, LABELS[split.out_of_fold], inner, target_of(split, target_prior))


def scored(
    splits: list[Split], of_test_rows: list[Logs], out_of_fold: list[Logs], target_prior: str = "uniform"
) -> dict[str, Any]:
    to_score = []
    for split, test, left_out in zip(splits, of_test_rows, out_of_fold, strict=True):
        rules = [as_it_is(rule, test[rule]) for rule in (ARGMAX, ARGMAX_CHOSEN_STEP, TAU_NORM)]
        rules += [judged(rule, known(split, left_out[rule.name], target_prior), test[rule.name]) for rule in CANDIDATES]
        labels, of_left_out = LABELS[split.test], LABELS[split.out_of_fold]
        to_score.append(ToScore(split.seed, split.fold, split.minority, labels, of_left_out, rules))
    return score(to_score, NAMES)


def frame(table: dict[str, Any], *by: str) -> pd.Series:
    """A table's values by the columns named."""
    return pd.DataFrame(**table).set_index(list(by))["value"]


@pytest.mark.parametrize("target_prior", ["uniform", "natural"])
def test_each_split_has_offsets_of_its_own(
    splits: list[Split], of_test_rows: list[Logs], out_of_fold: list[Logs], target_prior: str
) -> None:
    found = scored(splits, of_test_rows, out_of_fold, target_prior)["offsets"]
    offsets = {(each["seed"], each["fold"], each["decision"]): each["offset"] for each in found}
    assert len(offsets) == 6 * 5
    assert len({tuple(offset) for (_, _, rule), offset in offsets.items() if rule == "tuned"}) == 6
    for split, logs in zip(splits, out_of_fold, strict=True):
        target, labels = target_of(split, target_prior), LABELS[split.out_of_fold]
        weights = target[labels] / np.bincount(labels)[labels]
        key = split.seed, split.fold
        # What is corrected already is not corrected again.
        for rule in (ARGMAX, ARGMAX_CHOSEN_STEP, TAU_NORM, "prior_corrected"):
            assert offsets[*key, rule] == [0, 0, 0]
        assert offsets[*key, "tuned"] == pytest.approx(tune(logs["tuned"], labels, weights))


def test_scores_are_of_the_test_rows_under_the_offsets_beside_them(
    splits: list[Split], of_test_rows: list[Logs], out_of_fold: list[Logs]
) -> None:
    tables = scored(splits, of_test_rows, out_of_fold, "natural")
    values = frame(tables["scores"], "seed", "fold", "decision", "metric", "class")
    place = {(split.seed, split.fold): index for index, split in enumerate(splits)}
    sums = {rule: np.zeros((metrics.CALIBRATION_BINS, 3)) for rule in decision.RULES}
    for offset, confusion in zip(tables["offsets"], tables["confusion"], strict=True):
        key = offset["seed"], offset["fold"], offset["decision"]
        assert key == (confusion["seed"], confusion["fold"], confusion["decision"])
        split = splits[place[key[:2]]]
        labels = LABELS[split.test]
        logits = of_test_rows[place[key[:2]]][key[2]] + offset["offset"]
        under_the_rule = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        decided = logits.argmax(1)
        recall = [np.mean(decided[labels == label] == label) for label in range(3)]
        of_rule = values.xs(key, level=("seed", "fold", "decision"))
        assert [of_rule["recall", name] for name in NAMES] == pytest.approx(recall)
        overall = of_rule[of_rule.index.get_level_values("class").isna()]
        overall = overall.droplevel("class")
        assert tuple(overall.index) == metrics.METRICS
        minority = list(split.minority)
        assert 0 < len(minority) < 3
        assert overall["majority_recall"] == pytest.approx(np.mean(np.delete(recall, minority)))
        assert overall["minority_recall"] == pytest.approx(np.mean(np.take(recall, minority)))
        nats = -np.log(under_the_rule[np.arange(len(labels)), labels])
        assert overall["log_loss"] == pytest.approx(nats.mean())
        of_classes = [nats[labels == label].mean() for label in range(3)]
        assert overall["balanced_log_loss"] == pytest.approx(np.mean(of_classes))
        matrix = [[int(((labels == actual) & (decided == said)).sum()) for said in range(3)] for actual in range(3)]
        assert confusion["matrix"] == matrix
        sums[key[2]] += metrics.reliability(labels, under_the_rule)
    for each in tables["reliability"]:
        np.testing.assert_allclose(each["rows_confidence_hits"], sums[each["decision"]])


def test_scores_to_choose_by_are_of_out_of_fold_rows_and_cross_fitted(
    splits: list[Split], of_test_rows: list[Logs], out_of_fold: list[Logs]
) -> None:
    tables = scored(splits, of_test_rows, out_of_fold, "natural")
    values = frame(tables["validation_scores"], "seed", "fold", "decision", "metric")
    # A reference is never chosen, so there is nothing to choose it by.
    assert set(values.index.get_level_values("decision")) == {rule.name for rule in CANDIDATES}
    offsets = {(each["seed"], each["fold"], each["decision"]): np.array(each["offset"]) for each in tables["offsets"]}
    for split, logs in zip(splits, out_of_fold, strict=True):
        labels, (minority, seed, fold) = LABELS[split.out_of_fold], (split.minority, split.seed, split.fold)
        expected = metrics.overall_scores(labels, np.exp(logs["prior_corrected"]), minority)
        assert values[seed, fold, "prior_corrected"].to_dict() == pytest.approx(expected)
        under_the_rule = np.empty((len(labels), 3))
        for part, rows in enumerate(split.inner):
            judged_here = np.isin(split.out_of_fold, rows.left_out)
            assert judged_here.sum() == len(rows.left_out)
            others = known(split, logs["tuned"], "natural").rows(~judged_here)
            assert part not in others.parts
            offset = tune(others.log_probabilities, others.labels, others.weights)
            under_the_rule[judged_here] = decision.shift(logs["tuned"][judged_here], offset)
        expected = metrics.overall_scores(labels, under_the_rule, minority)
        assert values[seed, fold, "tuned"].to_dict() == pytest.approx(expected)
        flattered = decision.shift(logs["tuned"], offsets[seed, fold, "tuned"])
        # No row is scored under an offset that it helped to choose, which would look better than it is.
        assert metrics.balanced_log_loss(labels, flattered) < expected["balanced_log_loss"]


def test_test_rows_have_no_say_in_what_is_chosen_by(
    splits: list[Split], of_test_rows: list[Logs], out_of_fold: list[Logs]
) -> None:
    first = scored(splits, of_test_rows, out_of_fold)
    draw = np.random.RandomState(3)
    others = [{rule: guess(split.test, draw) for rule in decision.RULES} for split in splits]
    second = scored(splits, others, out_of_fold)
    assert first["scores"] != second["scores"]
    for table in ("offsets", "validation_scores"):
        assert first[table] == second[table]


def test_a_class_without_out_of_fold_rows_is_scored_on_test_rows_all_the_same(
    splits: list[Split], of_test_rows: list[Logs], out_of_fold: list[Logs]
) -> None:
    split, keep = splits[0], LABELS[splits[0].out_of_fold] != 2
    labels, left_out = LABELS[split.out_of_fold][keep], out_of_fold[0]["tuned"][keep]
    # Both rules on the same probabilities here.
    some = known(split, out_of_fold[0]["tuned"], "uniform").rows(keep)
    rules = [as_it_is(rule, of_test_rows[0][rule]) for rule in (ARGMAX, ARGMAX_CHOSEN_STEP, TAU_NORM)]
    rules += [judged(rule, some, of_test_rows[0][rule.name]) for rule in CANDIDATES]
    tables = score([ToScore(0, 0, [2], LABELS[split.test], labels, rules)], NAMES)
    tuned = tables["offsets"][-1]["offset"]
    assert tuned[2] == pytest.approx(np.mean(tuned[:2]), abs=1e-12)
    of_left_out = frame(tables["validation_scores"], "decision", "metric")
    assert np.isfinite(of_left_out).all()
    nats = -left_out[np.arange(len(labels)), labels]
    by_hand = (nats[labels == 0].mean() + nats[labels == 1].mean()) / 2
    assert of_left_out["prior_corrected", "balanced_log_loss"] == pytest.approx(by_hand)
    # Nothing can be said there of the minority, which has no row.
    assert "minority_recall" not in of_left_out["tuned"].index
    assert "minority_recall" in frame(tables["scores"], "decision", "metric")["tuned"].index


def test_log_probabilities_are_kept_row_by_row_beside_labels_splits_and_inner_folds(
    splits: list[Split], of_test_rows: list[Logs], out_of_fold: list[Logs]
) -> None:
    said = [Said(*of_split) for of_split in zip(splits, of_test_rows, out_of_fold, strict=True)]
    kept = probabilities(LABELS, said)
    np.testing.assert_array_equal(kept["label"], LABELS[kept["row"]])
    np.testing.assert_array_equal(kept["oof_label"], LABELS[kept["oof_row"]])
    assert kept["argmax"].dtype == kept["oof_tuned"].dtype == np.float32
    for split, test, left_out in zip(splits, of_test_rows, out_of_fold, strict=True):
        rows = (kept["seed"] == split.seed) & (kept["fold"] == split.fold)
        np.testing.assert_array_equal(kept["row"][rows], split.test)
        for rule, logs in test.items():
            np.testing.assert_array_equal(kept[rule][rows], logs.astype(np.float32))
        rows = (kept["oof_seed"] == split.seed) & (kept["oof_fold"] == split.fold)
        np.testing.assert_array_equal(kept["oof_row"][rows], split.out_of_fold)
        for rule, logs in left_out.items():
            np.testing.assert_array_equal(kept[f"oof_{rule}"][rows], logs.astype(np.float32))
        for place, fold in enumerate(split.inner):
            in_fold = rows & (kept["oof_inner"] == place)
            np.testing.assert_array_equal(kept["oof_row"][in_fold], fold.left_out)
