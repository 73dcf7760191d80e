"""Another classifier that does better than the best of a verdict."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from synaug.comparison import compare as comparison
from synaug.comparison import evidence
from synaug.comparison.formatting import Unit
from synaug.comparison.labels import PICKED
from tests import fabricated

OVERALL_SHARES = ("balanced_accuracy", "accuracy", "recall_macro")


def write(folder: Path, by: float, ratios: tuple[float, ...] = (10.0,)) -> None:
    """Runs of the mlp, and beside them one of another classifier, whose scores lie higher by so much."""
    fabricated.write_runs(folder, ["trec"], ratios, ["none", "smote"], losses=["plain", "class_weighted"], seeds=(0, 1))
    for ratio in ratios:
        write_other(folder, by, ratio)


def write_other(
    folder: Path, by: float, ratio: float = 10.0, estimator: str | None = None, augmenter: str = "none"
) -> None:
    """A run of another classifier, whose scores lie higher by so much."""
    record = fabricated.fabricate(
        "trec", ratio, augmenter, {}, "plain", 10, (0, 1), ("business", "science", "sports", "world"), 1.0
    )
    name = f"sklearn-{estimator}" if estimator else "sklearn"
    record["choices"]["classifier"] = "sklearn"
    if estimator:
        record["config"]["classifier"] = {"estimator": estimator}
    record |= {"identity": f"{name}-{record['identity']}", "run": f"trec-{ratio:g}-{name}-{augmenter}"}
    for row in record["scores"]["data"]:
        if row[3] in OVERALL_SHARES or row[3] == "log_loss":
            row[-1] += by if row[3] in OVERALL_SHARES else -by
    fabricated.write(folder, record)


def compared(folder: Path, metric: str = "balanced_accuracy") -> comparison.Comparison:
    return comparison.compare(evidence.read([folder]), [metric])


def cautions(found: comparison.Comparison) -> list[str]:
    return [each for each in found.verdict.cautions if "another classifier" in each]


@pytest.mark.parametrize("metric", ["balanced_accuracy", "log_loss"])
def test_a_classifier_that_is_better_is_a_caution_with_its_interval(tmp_path: Path, metric: str) -> None:
    write(tmp_path, by=0.06)
    found = compared(tmp_path, metric)
    (said,) = cautions(found)
    # What it says is the corrected test of the splits, by itself; the best is told by out-of-fold rows alone.
    picks = found.choices[found.choices["augmenter"].isin(PICKED)]
    scenarios = {each.classifier: each for each in picks["scenario"].unique()}
    of_mlp = picks[picks["scenario"] == scenarios["mlp"]].groupby("augmenter")["out_of_fold"].mean()
    values, best = found.values[metric], str(of_mlp.idxmin())
    mlp, other = (
        values[(values["scenario"] == scenarios[name]) & (values["augmenter"] == pick)].set_index(["seed", "fold"])
        for name, pick in (("mlp", best), ("sklearn", "best without synthesis"))
    )
    sign = 1 if metric == "balanced_accuracy" else -1
    differences = (sign * (other["value"] - mlp["value"])).to_numpy()
    half = stats.t.isf(0.025, 19) * differences.std(ddof=1) * np.sqrt(1 / 20 + (1 / 10) / (9 / 10))
    unit = Unit(metric, 0.01)
    numbers = [unit.of(each) for each in (differences.mean(), differences.mean() - half, differences.mean() + half)]
    assert said == (
        f"In 1 scenario another classifier does better: trec at 1:10: sklearn (best without synthesis) is {numbers[0]}"
        f"{unit.points} [{numbers[1]}, {numbers[2]}] better than mlp ({best})."
    )


@pytest.mark.parametrize("by", [0.0, -0.06])
def test_a_classifier_that_is_not_better_goes_unsaid(tmp_path: Path, by: float) -> None:
    write(tmp_path, by)
    assert not cautions(compared(tmp_path))


def test_two_settings_of_one_classifier_are_compared_and_named(tmp_path: Path) -> None:
    write(tmp_path, by=-0.06)
    write_other(tmp_path, 0.06, estimator="good")
    write_other(tmp_path, -0.2, estimator="bad")
    (said,) = cautions(compared(tmp_path))
    assert "sklearn estimator=good" in said
    assert " better than mlp (best" in said
    assert "bad" not in said


def test_of_other_data_nothing_is_compared(tmp_path: Path) -> None:
    write(tmp_path, by=0.06)
    path = next(tmp_path.glob("*sklearn*/record.json"))
    written = json.loads(path.read_text())
    written["data"] |= {"fingerprint": "0" * 64, "source": "another file"}
    path.write_text(json.dumps(written))
    assert not cautions(compared(tmp_path))


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


def test_a_method_that_failed_with_a_classifier_is_a_gap_of_its(tmp_path: Path) -> None:
    write(tmp_path, by=0.0)
    of = fabricated.fabricate("trec", 10.0, "smote", {}, "plain", 10, (0, 1), ("a", "b", "c", "d"), 1.0)
    of["choices"]["classifier"] = "sklearn"
    fabricated.write_failure(tmp_path, "trec-10-sklearn-smote", "too few rows", of=of)
    gaps = compared(tmp_path).gaps
    assert gaps[["augmenter", "reason"]].to_numpy().tolist() == [["smote", "failed: too few rows"]]


def test_each_scenario_has_a_place_in_the_sentence(tmp_path: Path) -> None:
    write(tmp_path, by=0.06, ratios=(10.0, 50.0))
    (said,) = cautions(compared(tmp_path))
    assert said.startswith("In 2 scenarios another classifier does better: ")
    assert said.count("at 1:10") == said.count("at 1:50") == 1
