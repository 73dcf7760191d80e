"""Another classifier that does better than the best of a verdict."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from synaug.comparison import compare as comparison
from synaug.comparison import evidence
from synaug.comparison.other_classifiers import surpassed
from tests import fabricated

OVERALL_SHARES = ("balanced_accuracy", "accuracy", "recall_macro")


def write(folder: Path, by: float, ratios: tuple[float, ...] = (10.0,)) -> None:
    """Runs of the mlp, and beside them one of another classifier, whose scores lie higher by so much."""
    fabricated.write_runs(folder, ["trec"], ratios, ["none", "smote"], losses=["plain", "class_weighted"], seeds=(0, 1))
    for ratio in ratios:
        record = fabricated.fabricate(
            "trec", ratio, "none", {}, "plain", 10, (0, 1), ("business", "science", "sports", "world"), 1.0
        )
        record["choices"]["classifier"] = "sklearn"
        record |= {"identity": record["identity"][::-1], "run": f"trec-{ratio:g}-sklearn"}
        for row in record["scores"]["data"]:
            if row[3] in OVERALL_SHARES or row[3] == "log_loss":
                row[-1] += by if row[3] in OVERALL_SHARES else -by
        fabricated.write(folder, record)


def compared(folder: Path, metric: str = "balanced_accuracy") -> comparison.Comparison:
    return comparison.compare(evidence.read([folder]), [metric])


@pytest.mark.parametrize("metric", ["balanced_accuracy", "log_loss"])
def test_a_classifier_that_is_better_is_a_caution_with_its_interval(tmp_path: Path, metric: str) -> None:
    write(tmp_path, by=0.06)
    found = compared(tmp_path, metric)
    said = [each for each in found.verdict.cautions if "another classifier is better" in each]
    assert len(said) == 1
    assert "trec at 1:10: the best" in said[0]
    assert "with mlp is" in said[0]
    assert "below the best without synthesis with sklearn." in said[0]
    # What it says is the corrected test of the splits, by itself.
    values = found.values[metric]
    is_pick = values["augmenter"].isin(["best without synthesis", "best with synthesis"])
    wide = values[is_pick].assign(classifier=[each.classifier for each in values.loc[is_pick, "scenario"]])
    means = wide.groupby(["classifier", "augmenter"])["value"].mean()
    sign = 1 if metric == "balanced_accuracy" else -1
    best = (sign * means["mlp"]).idxmax()
    mlp, other = (
        wide[(wide["classifier"] == name) & (wide["augmenter"] == pick)].set_index(["seed", "fold"])["value"]
        for name, pick in (("mlp", best), ("sklearn", "best without synthesis"))
    )
    differences = (sign * (other - mlp)).to_numpy()
    half = stats.t.isf(0.025, 19) * differences.std(ddof=1) * np.sqrt(1 / 20 + (1 / 10) / (9 / 10))
    (one,) = surpassed(
        values, [each for each in values["scenario"].unique() if each.classifier == "mlp"], higher_is_better=sign > 0
    )
    assert (one.gain, one.low, one.high) == pytest.approx(
        (differences.mean(), differences.mean() - half, differences.mean() + half)
    )


@pytest.mark.parametrize("by", [0.0, -0.06])
def test_a_classifier_that_is_not_better_goes_unsaid(tmp_path: Path, by: float) -> None:
    write(tmp_path, by)
    assert not any("another classifier" in each for each in compared(tmp_path).verdict.cautions)


def test_a_classifier_that_stands_beside_lacks_nothing_and_changes_no_name(tmp_path: Path) -> None:
    write(tmp_path, by=0.06, ratios=(10.0, 50.0))
    found = compared(tmp_path)
    assert found.gaps.empty
    assert found.verdict.n_scenarios == 2
    assert not any("(mlp)" in cell for row in found.verdict.table.rows for cell in row)
    alone = tmp_path / "alone"
    fabricated.write_runs(
        alone, ["trec"], (10.0, 50.0), ["none", "smote"], losses=["plain", "class_weighted"], seeds=(0, 1)
    )
    assert compared(alone).verdict.table == found.verdict.table


def test_the_largest_difference_of_each_scenario_is_said(tmp_path: Path) -> None:
    write(tmp_path, by=0.06, ratios=(10.0, 50.0))
    (said,) = (each for each in compared(tmp_path).verdict.cautions if "another classifier" in each)
    assert said.startswith("In 2 scenarios another classifier is better")
    assert said.count("at 1:10") == said.count("at 1:50") == 1
