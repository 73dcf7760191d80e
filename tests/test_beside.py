"""What stands beside a verdict: accuracy, what was chosen for another metric, the favoured method in figures."""

import json
from pathlib import Path

import numpy as np
import pytest

from synaug.comparison import compare as comparison
from synaug.comparison import evidence as evidences
from synaug.comparison.labels import Method
from synaug.report import own_rules
from synaug.report.figures import classes, gains, ratio
from synaug.report.results import Results
from synaug.scores.needs import COST, read_need
from tests import fabricated

COMMON = 6  # times as many test rows of the first class as of any other


def natural(folder: Path, times: int = COMMON) -> Path:
    """Runs at natural imbalance, in which the best without synthesis is of another loss than the plain one."""
    fabricated.write_runs(
        folder, ["trec"], [None], ["none", "smote"], losses=["plain", "class_weighted"], n_folds=4, effect=0.5
    )
    for path in folder.glob("*/record.json"):
        written = json.loads(path.read_text())
        for each in written["confusion"]:
            each["matrix"][0] = [times * n for n in each["matrix"][0]]
        if "-none-class_weighted-" in path.parent.name:
            for row in written["validation_scores"]["data"]:
                row[-1] /= 10
        path.write_text(json.dumps(written))
    return folder


def compared(folder: Path, metric: str = "balanced_accuracy") -> comparison.Comparison:
    return comparison.compare(evidences.read([folder]), [metric])


def test_accuracy_stands_beside_that_of_the_commonest_class(tmp_path: Path) -> None:
    evidence = evidences.read([natural(tmp_path)])
    scores = evidence.scores_of("accuracy")
    of_baseline = (scores["augmenter"] == "none") & (scores["loss"] == "") & (scores["decision"] == "argmax")
    baseline = 100 * scores[of_baseline]["value"].mean()
    constant = 100 * COMMON / (COMMON + 3)
    found = compared(tmp_path).verdict
    (said,) = [sentence for sentence in found.advice if sentence.startswith("Accuracy")]
    assert said.startswith(f"Accuracy (%): {baseline:.1f} for the baseline, ")
    assert f"and {constant:.1f} for always predicting class business, the most common" in said
    assert said in found.datasets["trec"]


@pytest.mark.parametrize("metric", ["balanced_accuracy", "accuracy"])
def test_what_decisions_aim_at_is_said_beside_accuracy_and_nothing_is_called_its_cause(
    tmp_path: Path, metric: str
) -> None:
    natural(tmp_path)
    (said,) = [each for each in compared(tmp_path, metric).verdict.advice if each.startswith("Accuracy")]
    assert ("aim at all classes equally" in said) == (metric != "accuracy")
    assert "cost" not in said


def test_of_equal_classes_none_is_the_commonest(tmp_path: Path) -> None:
    found = compared(natural(tmp_path, times=1)).verdict
    assert not [sentence for sentence in found.advice if "most common" in sentence]


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        ("balanced_accuracy", None),
        ("balanced_log_loss", None),
        ("f1[world]", '"fit.rule=metric:f1[world]" with synaug fit decides for it; target_prior=natural'),
        ("accuracy", '"fit.rule=metric:accuracy" with synaug fit decides for it'),
        ("recall[world]", '"fit.rule=recall:world=0.9" with synaug fit reaches a recall of 0.9'),
        ("auroc_macro", "so others may do better on it."),
    ],
)
def test_a_verdict_on_another_metric_says_by_what_methods_were_chosen(
    tmp_path: Path, metric: str, said: str | None
) -> None:
    advice = compared(natural(tmp_path), metric).verdict.advice
    found = [sentence for sentence in advice if sentence.startswith("Methods and rules were chosen by class-balanced")]
    assert len(found) == (said is not None)
    assert said is None or said in found[0]


def test_the_method_that_the_verdict_favours_stands_in_the_figures(tmp_path: Path) -> None:
    evidence = evidences.read([natural(tmp_path)])
    results = Results(evidence, comparison.compare(evidence, ["balanced_accuracy"]))
    (scenario,) = results.scenarios
    favoured = results.favoured(scenario)
    assert favoured is not None
    assert favoured.label_without_rule == "none class_weighted"
    assert list(results.main_records(scenario, 9)) == ["none", "smote", "none class_weighted"]
    table = classes.recalls(results, scenario)
    scores = evidence.scores
    own = scores[
        (scores["loss"] == "class_weighted") & (scores["augmenter"] == "none") & (scores["metric"] == "recall")
    ]
    own = own[(own["decision"] == favoured.decision) & (own["class"] == "world")]
    assert table["world"].to_dict()[favoured] == pytest.approx(own["value"].mean())
    assert table.index[0] == Method("none")


def test_of_one_scenario_no_figure_repeats_the_verdict_s_or_has_one_place_on_its_axis(tmp_path: Path) -> None:
    evidence = evidences.read([natural(tmp_path)])
    results = Results(evidence, comparison.compare(evidence, ["balanced_accuracy", "minority_recall"]))
    assert not [*gains.plans(results), *ratio.plans(results)]


def test_the_baseline_and_the_best_are_measured_under_their_own_rules(tmp_path: Path) -> None:
    evidence = evidences.read([natural(tmp_path)])
    needs = [read_need("costs", "world=5"), read_need("recall", "world=0.9")]
    rows = list(own_rules.rows(evidence, needs))
    assert {row["augmenter"] for row in rows} == {*own_rules.OWN}
    (record,) = [each for each in evidence.records.values() if "-none-plain-" in each["run"]]
    first = {each["fold"]: np.array(each["matrix"]) for each in record["confusion"] if each["decision"] == "argmax"}
    of_baseline = [row for row in rows if row["augmenter"] == own_rules.OF_BASELINE]
    for row in of_baseline:
        matrix = first[row["fold"]]
        if row["measure"] == COST:  # 5 for each row of the last class that is missed, 1 for any other
            wrong = matrix.sum(1) - np.diag(matrix)
            assert row["value"] == pytest.approx((wrong[:-1].sum() + 5 * wrong[-1]) / matrix.sum())
        if row["measure"] == "recall[world]":
            assert row["value"] == pytest.approx(matrix[-1, -1] / matrix[-1].sum())
            assert row["asked"] == 0.9
