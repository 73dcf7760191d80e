"""Everything compared at once, and its verdict: right about what is there, and about what is not."""

import json
import math
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from synaug import record
from synaug.comparison import compare as comparison
from synaug.comparison import evidence, stats
from synaug.comparison.columns import readme
from synaug.comparison.formatting import Unit, signed, words_for_p
from synaug.comparison.labels import BASELINE, BEST_WITHOUT_SYNTHESIS, PICKED, WITH, WITHOUT, Method
from synaug.comparison.layout import MOST_LINES, Table
from synaug.comparison.multiplicity import holm
from synaug.comparison.significance import DEFINITIONS, OUTCOMES, outcomes
from synaug.comparison.told import effect
from synaug.errors import UserError
from synaug.files.escaping import WIDTH
from synaug.scores.decision import CANDIDATE_RULES
from synaug.scores.metrics import LOSSES
from tests import fabricated


def compared(folder: Path, **options: object) -> comparison.Comparison:
    return comparison.compare(evidence.read([folder]), ["balanced_accuracy"], **options)  # type: ignore[arg-type]


def shift(folder: Path, augmenter: str, by: float) -> None:
    """Plant a difference: move all test scores that are shares of an augmenter, as far as shares go."""
    for path in folder.glob(f"*-{augmenter}-*/record.json"):
        written = json.loads(path.read_text())
        for row in written["scores"]["data"]:
            if row[3] not in LOSSES:
                row[-1] = min(max(row[-1] + by, 0), 1)
        path.write_text(json.dumps(written))


def favour(folder: Path, pattern: str, metric: str = "balanced_log_loss") -> None:
    """Make the out-of-fold losses of some runs small, so that they are picked."""
    for path in folder.glob(f"{pattern}/record.json"):
        written = json.loads(path.read_text())
        for row in written["validation_scores"]["data"]:
            if row[3] == metric:
                row[-1] /= 10
        path.write_text(json.dumps(written))


@pytest.fixture
def null(tmp_path: Path) -> Path:
    """Runs in which augmentation does nothing: `smote`'s scores are those of `none`."""
    fabricated.write_runs(tmp_path, datasets=["trec"], ratios=[10.0], augmenters=["none", "smote"])
    none = json.loads(next(tmp_path.glob("*-none-*/record.json")).read_text())
    draw = np.random.RandomState(0)
    path = next(tmp_path.glob("*-smote-*/record.json"))
    smote = json.loads(path.read_text())
    for table, noise in (("scores", 0.001), ("validation_scores", 0.0)):
        smote[table]["data"] = [
            [*row[:-1], min(abs(row[-1] + draw.normal(0, noise)), 1 if row[3] not in LOSSES else math.inf)]
            for row in none[table]["data"]
        ]
    path.write_text(json.dumps(smote))
    return tmp_path


def test_no_difference_is_no_gain_in_words(null: Path) -> None:
    found = compared(null).verdict
    assert found.headline.startswith("On trec at 1:10, synthesis makes no difference that matters: ")
    assert re.search(r"equivalent in balanced accuracy \([+−]?0\.\d points, 95 % interval", found.headline)
    assert "corrected for" not in found.headline  # one scenario, one question
    assert found.advice[0].startswith("Do without synthesis. Without it, picked most often: none")
    sentences = found.datasets["trec"]
    assert any(sentence.startswith("The best without synthesis gains") for sentence in sentences)
    assert any("smote (" in sentence and "is equivalent" in sentence for sentence in sentences)


@pytest.mark.parametrize(
    ("by", "said", "advice"),
    [
        (0.1, "synthesis helps: the best method with synthesis gains 10", "Use synthesis here"),
        (
            -0.2,
            "synthesis does worse than what needs none: the best method with synthesis loses",
            "Do without synthesis. ",
        ),
    ],
)
def test_a_planted_difference_is_said_with_its_size_interval_and_p(
    null: Path, by: float, said: str, advice: str
) -> None:
    shift(null, "smote", by)
    found = compared(null).verdict
    assert said in found.headline
    assert re.search(r"points of balanced accuracy .* \(95 % interval .* to .*, p < 0\.001\)\.$", found.headline)
    assert found.advice[0].startswith(advice)


def test_a_difference_that_does_not_matter_is_no_win(null: Path) -> None:
    shift(null, "smote", 0.004)
    assert "makes no difference that matters" in compared(null).verdict.headline


def noisy(folder: Path, pattern: str, spread: float) -> None:
    """Make the test scores of some runs vary."""
    draw = np.random.RandomState(1)
    for path in folder.glob(f"{pattern}/record.json"):
        written = json.loads(path.read_text())
        for row in written["scores"]["data"]:
            if row[3] not in LOSSES:
                row[-1] = min(max(row[-1] + draw.normal(0, spread), 0), 1)
        path.write_text(json.dumps(written))


def test_beside_what_is_inconclusive_stands_what_would_have_been_found(null: Path) -> None:
    noisy(null, "*-smote-*", 0.03)
    found = compared(null)
    assert "the evidence is inconclusive" in found.verdict.headline
    row = found.tables["balanced_accuracy"].query("family == 'primary'").iloc[0]
    assert row["detectable"] > row["detectable_any_seeds"] > 0
    said = (
        f"A true difference of {100 * row['detectable']:.1f} points is found with a probability of 80 %; more seeds "
        f"(decide how many before you look) can lower this to about {100 * row['detectable_any_seeds']:.1f} at best; "
        "to go lower takes more rows."
    )
    assert said in found.verdict.advice
    assert found.verdict.advice[0].startswith(
        "Nothing shows that synthesis is worth its trouble here; the simpler choice is to do without. Without it, "
    )
    assert said in found.verdict.datasets["trec"]


def test_where_there_are_many_seeds_more_of_them_are_no_remedy(tmp_path: Path) -> None:
    fabricated.write_runs(tmp_path, ["trec"], [10.0], ["none", "smote"], n_folds=5, seeds=range(8), effect=0)
    noisy(tmp_path, "*-smote-*", 0.05)
    (_, sentence) = compared(tmp_path).verdict.advice
    assert sentence.endswith("; more seeds would hardly lower this, but more rows would.")


def test_a_single_common_split_is_no_test_and_no_nan(null: Path) -> None:
    for path in null.glob("*/record.json"):
        written = json.loads(path.read_text())
        for name in ("scores", "validation_scores"):
            written[name]["data"] = [row for row in written[name]["data"] if row[1] == 0]
        path.write_text(json.dumps(written))
    found = compared(null).verdict
    said = " ".join([*str(found).split(), *found.datasets["trec"]])
    assert "nan" not in said
    assert "no test is possible, as they have only 1 split in common" in said
    assert "cannot be compared with the baseline by a test" in said
    assert "(the only split)" in said


def test_what_is_picked_is_picked_by_the_out_of_fold_loss_whatever_the_metric_and_the_test_scores(null: Path) -> None:
    fabricated.write_runs(null, ["trec"], [10.0], ["adasyn", "random"], losses=["class_weighted"])
    favour(null, "*-adasyn-*")
    favour(null, "*-random-*")
    shift(null, "smote", 1.0)
    for metric in ("balanced_accuracy", "log_loss", "minority_recall"):
        table = comparison.compare(evidence.read([null]), [metric]).values[metric]
        for picked, expected in ((WITH, "adasyn"), (WITHOUT, "random")):
            taken = table.loc[table.augmenter == picked, "chosen_from"]
            assert {(method.augmenter, method.loss) for method in taken} == {(expected, "class_weighted")}
            assert {method.decision for method in taken} <= set(CANDIDATE_RULES)


def test_where_decisions_serve_the_natural_prior_the_plain_log_loss_chooses(tmp_path: Path) -> None:
    runs = fabricated.write_runs(tmp_path, ["trec"], [None], ["none", "smote", "adasyn"])
    favour(tmp_path, "*-smote-*", metric="log_loss")
    favour(tmp_path, "*-adasyn-*")
    for target_prior, expected in (("uniform", "adasyn"), ("natural", "smote")):
        for run in runs:
            written = json.loads((run / record.RECORD).read_text())
            written["config"]["target_prior"] = target_prior
            (run / record.RECORD).write_text(json.dumps(written))
        choices = compared(tmp_path).choices
        assert set(choices[choices["augmenter"] == WITH]["taken_augmenter"]) == {expected}


def test_words_are_those_of_the_printed_interval() -> None:
    rows = [
        (-0.001, 0.05, -0.01, 0.06, "inconclusive"),
        (0.001, 0.05, -0.01, 0.06, "better"),
        (-0.05, -0.001, -0.06, 0.01, "worse"),
        (-0.009, 0.01, -0.009, 0.01, "equivalent"),
        (0.001, 0.009, 0.001, 0.01, "equivalent"),
        (-0.009, 0.01, -0.009, 0.011, "inconclusive"),
        (0.001, 0.009, -0.001, 0.011, "inconclusive"),
        (np.nan, np.nan, np.nan, np.nan, "inconclusive"),
    ]
    frame = pd.DataFrame(rows, columns=["low", "high", "low_family", "high_family", "expected"])
    assert outcomes(frame, 0.01).tolist() == frame["expected"].tolist()
    assert set(DEFINITIONS) == set(OUTCOMES)


def test_what_is_said_of_equivalence_is_the_interval_of_the_whole_family_without_a_p() -> None:
    row: dict[str, float | str] = {
        "gain": 0.0,
        "low": -0.006,
        "high": 0.006,
        "low_family": -0.009,
        "high_family": 0.009,
        "p_holm": 0.9,
    }
    row |= {"n_comparisons": 18, "family": "primary", "outcome": "equivalent"}
    unit = Unit("accuracy", 0.01)
    said = effect(pd.Series(row), unit, "the baseline")
    assert said == (
        "is equivalent to the baseline (0.0 points of accuracy, 95 % interval −0.9 to 0.9, corrected for 18 scenarios)"
    )
    row |= {"low_family": -0.02, "high_family": 0.02, "outcome": "inconclusive"}
    said = effect(pd.Series(row), unit, "the baseline")
    assert said.endswith("95 % interval −2.0 to 2.0, corrected for 18 scenarios)")


@pytest.mark.parametrize(
    ("outcomes_of_two", "said"),
    [
        (("worse", "equivalent"), "Do without synthesis. "),
        (("inconclusive", "inconclusive"), "Nothing shows that synthesis is worth its trouble; the simpler choice is "),
        (("worse", "inconclusive"), "Do without synthesis where it is worse or equivalent; elsewhere nothing shows "),
        (("better", "worse"), "Elsewhere do without synthesis. "),
        (("better", "inconclusive"), "Elsewhere nothing shows that synthesis is worth its trouble; the simpler "),
    ],
)
def test_advice_is_no_stronger_than_what_was_found(
    tmp_path: Path, outcomes_of_two: Sequence[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fabricated.write_runs(tmp_path, datasets=["trec"], ratios=[10.0, 50.0], augmenters=["none", "smote"])

    def told(rows: pd.DataFrame, rope: float) -> pd.Series:
        return rows["scenario"].map(lambda scenario: outcomes_of_two[scenario.ratio > 10])

    monkeypatch.setattr(stats, "outcomes", told)
    assert any(sentence.startswith(said) for sentence in compared(tmp_path).verdict.advice)


def test_the_primary_question_is_corrected_over_scenarios_and_nothing_else(tmp_path: Path) -> None:
    ratios = [2.0, 5.0, 10.0, 20.0, 50.0, 100.0]
    fabricated.write_runs(tmp_path, datasets=["trec"], ratios=ratios, augmenters=["none", "smote", "vae"])
    primary = compared(tmp_path).tables["balanced_accuracy"].query("family == 'primary'")
    assert primary["scenario"].nunique() == len(primary) == 6
    np.testing.assert_allclose(primary["p_holm"], holm(primary["p_raw"]).p)
    assert (primary["n_comparisons"] == 6).all()


def test_several_scenarios_are_counted_and_have_a_line_each(tmp_path: Path) -> None:
    fabricated.write_runs(tmp_path, datasets=["trec", "imdb"], ratios=[10.0, 50.0], augmenters=["none", "smote"])
    shift(tmp_path, "smote", 0.05)
    found = compared(tmp_path).verdict
    assert re.match(
        r"In 4 of 4 scenarios, the best method with synthesis is better than the best without in balanced accuracy "
        r"\([\d.]+ points on imdb at 1:10, ",
        found.headline,
    )
    assert max(map(len, str(found).splitlines())) <= WIDTH
    assert [row[0] for row in found.table.rows] == ["imdb at 1:10", "imdb at 1:50", "trec at 1:10", "trec at 1:50"]
    assert all(re.fullmatch(r"[\d.]+ → [\d.]+", cell) for row in found.table.rows for cell in row[-2:])
    assert found.advice[0].startswith("Use synthesis where it is better. Picked most often there: smote, ")
    assert len(found.advice) == 1
    shift(tmp_path, "smote", -0.3)
    assert compared(tmp_path).verdict.headline.startswith(
        "In none of 4 scenarios is the best method with synthesis better than the best without in balanced accuracy: "
        "worse in 4."
    )
    (advice,) = compared(tmp_path).verdict.advice
    assert re.match(
        r"Do without synthesis\. Without it, picked most often: none, .* in 4 of 4 scenarios \(median gain \+", advice
    )


@pytest.mark.parametrize("losses", [["plain"], ["plain", "class_weighted", ("focal", {"gamma": 2.0})]])
@pytest.mark.parametrize("effect_size", [0.0, 1.0])
def test_of_one_scenario_the_console_has_a_headline_a_table_advice_and_cautions_in_few_lines(
    tmp_path: Path, losses: Sequence[fabricated.Loss], effect_size: float
) -> None:
    with_new_points = {"smote", "borderline_smote", "adasyn", "vae"}
    augmenters = ["none", "random", "random_under", *with_new_points]
    fabricated.write_runs(tmp_path, ["trec"], [10.0], augmenters, losses=losses, effect=effect_size)
    for at in range(20):
        (tmp_path / f"bad-{at}").mkdir()
        (tmp_path / f"bad-{at}" / record.RECORD).write_text("")
    found = compared(tmp_path).verdict
    lines = str(found).splitlines()
    assert len(lines) <= MOST_LINES
    table = [line for line in lines if re.search(r"\d\d\.\d  +\d\d\.\d$", line)]
    names = [re.split("  +", line.strip())[0] for line in table]
    assert names[:3] == ["baseline (none, argmax)", "best without synthesis", "best with synthesis"]
    assert len(names) >= 5
    assert {name.split()[0] for name in names[3:]} <= with_new_points
    assert any(line.startswith(("Do without", "Use synthesis")) for line in lines)
    assert re.fullmatch(r"! \d+ (more )?cautions? in the report", lines[-1])
    assert len(found.table.rows) == 3 + len(with_new_points) * len(losses)


def test_minority_recall_and_precision_stand_beside_every_gain_and_turn_with_the_minority(tmp_path: Path) -> None:
    runs = fabricated.write_runs(tmp_path, ["trec"], [10.0], ["none", "smote"], seeds=(0, 1))
    for run in runs:
        written = json.loads((run / record.RECORD).read_text())
        written["data"]["minority_by_seed"] = {"0": ["sports", "world"], "1": ["business"]}
        (run / record.RECORD).write_text(json.dumps(written))
    found = compared(tmp_path)
    table = found.tables["balanced_accuracy"]
    scores = evidence.read([tmp_path]).scores
    for row in table[table["decision"].isin(["tuned", "argmax"])].itertuples():
        mine = scores[(scores["augmenter"] == row.augmenter) & (scores["decision"] == row.decision)]
        for metric in ("recall", "precision"):
            rows = mine[mine["metric"] == metric]
            first = rows[(rows["seed"] == 0) & rows["class"].isin(["sports", "world"])]["value"].mean()
            second = rows[(rows["seed"] == 1) & (rows["class"] == "business")]["value"].mean()
            assert getattr(row, f"minority_{metric}") == pytest.approx((first + second) / 2)
    of_primary = table[table["family"] == "primary"].iloc[0]
    of_best = table[(table["augmenter"] == WITHOUT) & (table["reference"] == "baseline")].iloc[0]
    for metric in ("recall", "precision"):
        assert of_primary[f"reference_minority_{metric}"] == of_best[f"minority_{metric}"]
    assert found.verdict.table.columns[-2:] == ("minority recall", "minority precision")


@pytest.mark.parametrize("metric", ["f1[world]", "precision[world]", "recall[world]"])
def test_a_score_of_one_class_can_be_the_metric(tmp_path: Path, metric: str) -> None:
    fabricated.write_runs(tmp_path, ["trec"], [10.0], ["none", "smote"])
    found = comparison.compare_folders(tmp_path, metric=metric)
    name = metric.partition("[")[0]
    scores = evidence.read([tmp_path]).scores.query(f"metric == '{name}' and decision == 'argmax'")
    mine = scores[(scores["class"] == "world") & (scores["augmenter"] == "smote")]["value"].mean()
    row = found.tables[metric].query("augmenter == 'smote' and decision == 'argmax'").iloc[0]
    assert row["value"] == pytest.approx(mine)
    assert f"{name.replace('f1', 'F1')} of world" in found.verdict.headline
    with pytest.raises(UserError, match=r"no run has a class 'wrld': did you mean world\? \(known: business, "):
        comparison.compare_folders(tmp_path, metric=f"{name}[wrld]")


def test_calibration_is_compared_under_the_chosen_rules(tmp_path: Path) -> None:
    fabricated.write_runs(tmp_path, ["trec"], [10.0], ["none", "smote"])
    found = compared(tmp_path)
    assert set(found.calibration["metric"]) == {"log_loss", "brier_score", "calibration_error"}
    assert set(found.calibration["decision"]) == {"chosen"}
    rows = found.calibration.query("metric == 'calibration_error' and reference == 'baseline'")
    row = rows[rows["augmenter"] == WITH].iloc[0]
    (sentence,) = (each for each in found.verdict.datasets["trec"] if each.startswith("Calibration"))
    assert f"expected calibration error {row['reference_value']:.3f}, " in sentence
    assert f", {row['value']:.3f};" in sentence


def test_usual_methods_that_lack_and_members_that_learned_nothing_are_said(tmp_path: Path) -> None:
    fabricated.write_runs(tmp_path, ["trec"], [10.0], ["none", "smote"])
    lacking = "No loss that balances the classes was run: "
    assert any(caution.startswith(lacking) for caution in compared(tmp_path).verdict.cautions)
    (weighted,) = fabricated.write_runs(tmp_path, ["trec"], [10.0], ["none"], losses=["class_weighted"])
    cautions = " ".join(compared(tmp_path).verdict.cautions)
    assert lacking not in cautions
    assert "nothing was learned" not in cautions
    written = json.loads((weighted / record.RECORD).read_text())
    for row in written["best"]["data"]:
        row[-1] = row[1] > 2 or (row[1] == 2 and row[2] == "tuned")  # in two folds nothing by either rule
    (weighted / record.RECORD).write_text(json.dumps(written))
    said = (
        "In 2 cases (a method on a split) nothing was learned, as no rule's loss was better than chance: "
        "none class_weighted (2)."
    )
    assert said in compared(tmp_path).verdict.cautions


def test_a_loss_balances_by_what_it_is_and_not_by_the_name_of_its_option(tmp_path: Path) -> None:
    fabricated.write_runs(tmp_path, ["trec"], [10.0], ["none", "smote"])
    (own,) = fabricated.write_runs(tmp_path, ["trec"], [10.0], ["none"], losses=["mine"])
    cautions = compared(tmp_path).verdict.cautions
    assert any(caution.startswith("No loss that balances the classes was run: ") for caution in cautions)
    written = json.loads((own / record.RECORD).read_text())
    written["config"]["loss"]["_target_"] = "synaug.loss.EffectiveNumber"
    (own / record.RECORD).write_text(json.dumps(written))
    assert not any("balances the classes" in caution for caution in compared(tmp_path).verdict.cautions)


def test_of_a_classifier_that_takes_no_loss_repetition_and_removal_are_advised(tmp_path: Path) -> None:
    def without_steps(augmenters: Sequence[str]) -> str:
        for run in fabricated.write_runs(tmp_path, ["trec"], [10.0], augmenters):
            written = json.loads((run / record.RECORD).read_text())
            written["cost"]["optimiser_steps"] = 0
            (run / record.RECORD).write_text(json.dumps(written))
        return " ".join(compared(tmp_path).verdict.cautions)

    cautions = without_steps(["none", "smote"])
    assert "loss=plain" not in cautions
    assert "No repetition or removal of rows was run: with them (augmenter=random,random_under) the best " in cautions
    assert "may be better" not in without_steps(["random"])


def test_near_copies_and_other_validations_are_said(tmp_path: Path) -> None:
    runs = fabricated.write_runs(tmp_path, ["trec"], [10.0, 50.0], ["none", "smote"])
    for share, run in zip((0.29, 0.25, 0.12, 0.11), runs, strict=True):
        written = json.loads((run / record.RECORD).read_text())
        written["data"]["near_copies"]["world"] = share
        written["choices"]["validation"] = "oracle"
        (run / record.RECORD).write_text(json.dumps(written))
    found = compared(tmp_path).verdict
    assert found.table.rows[0][0] == "trec at 1:10 (validation=oracle)"
    cautions = " ".join(found.cautions)
    assert "validation=oracle chose with minority rows that nobody has" in cautions
    assert cautions.count("near copies") == 1
    assert "trec: 29% of class 'world' in the test folds are near copies of training rows" in cautions


def test_every_column_has_a_note(tmp_path: Path) -> None:
    fabricated.write_runs(tmp_path, ["trec"], [10.0], ["none", "smote"])
    columns = ["metric", *compared(tmp_path).table.columns]
    text = readme(columns, 0.01)
    assert re.findall(r"^- (\w+): \S.*\.$", text, re.MULTILINE) == columns
    assert "−0.01 to 0.01" in text


def test_numbers_are_written_as_a_reader_wants_them() -> None:
    points, loss = Unit("balanced_accuracy", 0.01), Unit("log_loss", 0.01)
    assert points.of(0.0123) == "1.2"
    assert points.of(-0.0123) == "−1.2"
    assert points.of(-0.0001) == "0.0"
    assert points.signed(0.0123) == "+1.2"
    assert loss.of(-0.0123) == "−0.012"
    assert (words_for_p(0.0004), words_for_p(0.0251), words_for_p(0.3)) == ("p < 0.001", "p = 0.025", "p = 0.30")
    assert (Unit("f1[spam]", 0.01).name, Unit("f1_macro", 0.01).name) == ("F1 of spam", "f1 macro")
    assert (Unit("f1[2]", 0.01).name, Unit("recall[1]", 0.01).name) == ("F1 of class 2", "recall of class 1")


def test_incomplete_scenarios_are_named_with_the_reason(tmp_path: Path) -> None:
    fabricated.write_runs(tmp_path, datasets=["trec"], ratios=[10.0, 50.0], augmenters=["none", "smote", "vae"])
    for augmenter, ratio in (("vae", "ir50"), ("smote", "ir10")):
        (run,) = tmp_path.glob(f"trec-*-{ratio}-{augmenter}-*")
        written = json.loads((run / record.RECORD).read_text())
        (run / record.RECORD).unlink()
        if augmenter == "vae":
            fabricated.write_failure(tmp_path, run.name, "the ELBO was never finite", of=written)
    gaps = {gap["augmenter"]: gap for gap in compared(tmp_path).gaps.to_dict("records")}
    assert gaps["vae"]["reason"] == "failed: the ELBO was never finite"
    assert gaps["smote"]["reason"] == "not run"
    assert gaps["vae"]["scenario"].at == "1:50"
    assert any("2 scenarios are incomplete (2 gaps)" in caution for caution in compared(tmp_path).verdict.cautions)


def test_missing_splits_are_a_gap_too(tmp_path: Path) -> None:
    fabricated.write_runs(tmp_path, datasets=["trec"], ratios=[10.0], augmenters=["none", "smote"])
    path = next(tmp_path.glob("*-smote-*/record.json"))
    written = json.loads(path.read_text())
    for name in ("scores", "validation_scores"):
        written[name]["data"] = [row for row in written[name]["data"] if row[1] != 3]
    path.write_text(json.dumps(written))
    found = compared(tmp_path)
    assert found.gaps[["augmenter", "missing"]].to_numpy().tolist() == [["smote", 1]]
    table = found.tables["balanced_accuracy"]
    assert (table[table.augmenter == "smote"].missing == 1).all()


def test_mixed_versions_are_refused_unless_asked_for(tmp_path: Path) -> None:
    fabricated.write_runs(tmp_path, datasets=["trec"], ratios=[10.0], augmenters=["none", "smote"])
    path = next(tmp_path.glob("*-smote-*/record.json"))
    path.write_text(json.dumps(json.loads(path.read_text()) | {"code": "0" * 64}))
    with pytest.raises(ValueError, match=r"2 versions of the code.*1 of code 00000000 \(.*force=true.*--mixed"):
        compared(tmp_path)
    assert "versions of the code are mixed" in compared(tmp_path, mixed=True).verdict.cautions[0]
    written = json.loads(path.read_text())
    path.write_text(json.dumps(written | {"versions": written["versions"] | {"torch": "2.14.0"}}))
    with pytest.raises(ValueError, match=r"1 of code 00000000 with torch 2\.14\.0 \("):  # and not with all packages
        compared(tmp_path)


def test_without_methods_of_both_kinds_there_is_no_verdict_but_a_remedy(tmp_path: Path) -> None:
    for augmenter, remedy in (("smote", "add augmenter=none"), ("none", "add one, e.g. augmenter=none,smote")):
        fabricated.write_runs(tmp_path / augmenter, datasets=["trec"], ratios=[10.0], augmenters=[augmenter])
        found = compared(tmp_path / augmenter).verdict
        assert found.headline.startswith("No verdict: ")
        assert remedy in found.headline
        assert found.overall == found.advice == []
        assert found.table.rows == ()


def test_without_the_baseline_the_primary_question_is_asked_all_the_same(tmp_path: Path) -> None:
    fabricated.write_runs(tmp_path, ["trec"], [10.0], ["none", "smote"], losses=["class_weighted"])
    found = compared(tmp_path).verdict
    assert found.headline.startswith("On trec at 1:10, ")
    assert "There is no baseline: add augmenter=none with loss=plain." in found.cautions
    names = [row[0] for row in found.table.rows]
    assert names == ["best without synthesis", "best with synthesis", "smote class_weighted"]


def test_a_run_alone_and_failures_alone_are_compared_without_an_error(tmp_path: Path) -> None:
    fabricated.write_failure(tmp_path, "a-run", "too few rows")
    assert compared(tmp_path).verdict.headline.startswith("No verdict")
    fabricated.write_runs(tmp_path, datasets=["trec"], ratios=[None], augmenters=["none"])
    assert compared(tmp_path).verdict.headline.startswith("No verdict")


def test_what_is_no_metric_or_rope_gets_a_sentence(tmp_path: Path) -> None:
    fabricated.write_runs(tmp_path, datasets=["trec"], ratios=[10.0], augmenters=["none"])
    ev = evidence.read([tmp_path])
    with pytest.raises(
        ValueError, match=r"'acuracy' is no metric: did you mean accuracy\? \(known: balanced_accuracy, "
    ):
        comparison.compare(ev, ["acuracy"])
    with pytest.raises(ValueError, match="rope=0 must be positive"):
        comparison.compare(ev, rope=0)


def test_two_scenarios_rank_without_a_test(tmp_path: Path) -> None:
    fabricated.write_runs(tmp_path, datasets=["trec", "emotion"], ratios=[10.0])
    overall = " ".join(compared(tmp_path).verdict.overall)
    assert "2 scenarios are too few for Friedman's test: the ranks describe" in overall
    assert "differ" not in overall.partition("Mean ranks")[2]


@pytest.mark.parametrize(("gain", "outcome", "verb"), [(0.1, "better", "lowers"), (-0.1, "worse", "raises")])
def test_losses_fall_in_words(gain: float, outcome: str, verb: str) -> None:
    row = {"gain": gain, "low": gain - 0.05, "high": gain + 0.05, "p_holm": 0.01, "outcome": outcome}
    said = effect(pd.Series(row | {"n_comparisons": 1, "family": "planned"}), Unit("log_loss", 0.01), "the baseline")
    assert said.startswith(f"{verb} log loss by 0.100 against the baseline (95 %")


def test_what_compares_and_reports_imports_no_torch() -> None:
    program = (
        "import sys, synaug.comparison.evidence, synaug.comparison.compare\n"
        "import synaug.report.page.page, synaug.report.latex\n"
        "sys.exit(','.join({'torch', 'transformers', 'pytorch_lightning'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_losses_gain_by_falling(tmp_path: Path) -> None:
    fabricated.write_runs(tmp_path, datasets=["trec"], ratios=[10.0], augmenters=["none", "smote"])
    found = comparison.compare(evidence.read([tmp_path]), ["log_loss"])
    table = found.tables["log_loss"]
    np.testing.assert_allclose(table.gain, table.reference_value - table.value, atol=1e-12)


def test_what_is_ranked_has_its_rule_chosen_but_for_the_baseline() -> None:
    rows = [
        ("scenario", augmenter, "", decision, 0, fold, augmenter in ("smote", WITH), value)
        for augmenter, decision, value in (
            ("none", "argmax", 0.1),
            ("none", "tuned", 0.2),
            ("none", "chosen", 0.3),
            (WITHOUT, "chosen", 0.4),
            ("smote", "argmax", 0.5),
            ("smote", "tuned", 0.6),
            ("smote", "chosen", 0.7),
            (WITH, "chosen", 0.8),
        )
        for fold in (0, 1)
    ]
    columns = ["scenario", "augmenter", "loss", "decision", "seed", "fold", "with_synthesis", "value"]
    values = comparison.headline_values(pd.DataFrame(rows, columns=columns))
    assert values.loc["scenario"].to_dict() == pytest.approx(
        {BASELINE: 0.1, BEST_WITHOUT_SYNTHESIS: 0.4, Method("smote", "", "chosen"): 0.7}
    )


def test_ranks_and_what_stands_beside_gains_are_means_over_common_splits(tmp_path: Path) -> None:
    runs = fabricated.write_runs(tmp_path, ["trec"], [10.0], ["none", "smote", "vae"])
    for run in (run for run in runs if "-smote-" in run.name):
        written = json.loads((run / record.RECORD).read_text())
        for name in ("scores", "validation_scores"):
            written[name]["data"] = [row for row in written[name]["data"] if row[1] >= 4]
        (run / record.RECORD).write_text(json.dumps(written))
    found = compared(tmp_path)
    scores = evidence.read([tmp_path]).scores
    of_none = scores[(scores["augmenter"] == "none") & (scores["decision"] == "argmax") & (scores["fold"] >= 4)]
    (ranked,) = comparison.headline_values(found.values["balanced_accuracy"])[BASELINE]
    expected = of_none[of_none["metric"] == "balanced_accuracy"]["value"].mean()
    assert ranked == pytest.approx(expected)
    row = found.table.query("augmenter == 'smote' and decision == 'argmax'").iloc[0]
    assert row["reference_value"] == pytest.approx(expected)
    for metric in ("recall", "precision"):
        rows = of_none[(of_none["metric"] == metric) & of_none["class"].isin(["sports", "world"])]
        assert row[f"reference_minority_{metric}"] == pytest.approx(rows["value"].mean())


def without_minority(folder: Path, pattern: str = "*") -> None:
    """As if no class were smaller: no minority, no recall of one, and nothing asked for or made."""
    for path in folder.glob(f"{pattern}/record.json"):
        written = json.loads(path.read_text())
        written["data"]["minority"] = []
        written["data"]["minority_by_seed"] = {"0": []}
        for table in ("scores", "validation_scores"):
            written[table]["data"] = [row for row in written[table]["data"] if not row[3].startswith("minority")]
        written["balance"]["data"] = [[*row[:5], row[4], 0, 0, 0, 0, None] for row in written["balance"]["data"]]
        path.write_text(json.dumps(written))


def test_where_no_class_is_smaller_there_was_nothing_to_augment(tmp_path: Path) -> None:
    fabricated.write_runs(tmp_path, datasets=["trec"], ratios=[None])
    without_minority(tmp_path)
    found = comparison.compare(evidence.read([tmp_path]))
    assert found.verdict.headline == "No verdict, as no class is smaller: nothing was there to augment."
    assert found.verdict.datasets == {
        "trec": ["On trec at its natural imbalance, no class is smaller: nothing was there to augment."]
    }
    assert found.verdict.overall == []
    assert not any("ranking" in caution for caution in found.verdict.cautions)
    assert found.tables["minority_recall"].empty
    assert found.rankings["balanced_accuracy"].scenarios == ()


def test_scenarios_without_a_minority_leave_the_verdict_to_the_others(tmp_path: Path) -> None:
    fabricated.write_runs(tmp_path, datasets=["trec", "imdb"], ratios=[None, 10.0])
    without_minority(tmp_path, "trec-*-natural-*")
    for metric in ("balanced_accuracy", "minority_recall"):
        found = comparison.compare(evidence.read([tmp_path]), [metric, "log_loss"]).verdict
        assert re.search(r"\b3 scenarios\b", found.headline)
        assert found.datasets["trec"][-1].endswith("no class is smaller: nothing was there to augment.")
        assert not any("no class is smaller" in sentence for sentence in found.datasets["imdb"])
        assert any("over 3 scenarios" in sentence for sentence in found.overall)


def by_fallback(folder: Path, pattern: str, share: float) -> None:
    """As if a fallback had made a share of the rows."""
    for path in folder.glob(f"{pattern}/record.json"):
        written = json.loads(path.read_text())
        columns = written["balance"]["columns"]
        for row in written["balance"]["data"]:
            row[columns.index("made_by_fallback")] = round(row[columns.index("made")] * share)
        path.write_text(json.dumps(written))


def test_a_method_whose_rows_a_fallback_made_is_called_so(tmp_path: Path) -> None:
    fabricated.write_runs(tmp_path, datasets=["trec"], ratios=[10.0], augmenters=["none", "random", "smote"])
    by_fallback(tmp_path, "*-smote-*", 1.0)
    by_fallback(tmp_path, "*-random-*", 0.4)
    found = compared(tmp_path)
    assert found.verdict.table.rows[-1][0] == "smote (mostly by fallback)"
    assert any("smote (mostly by fallback) (" in sentence for sentence in found.verdict.datasets["trec"])
    table = found.tables["balanced_accuracy"].groupby("augmenter")["by_fallback"].mean()
    assert table["smote"] == 1
    assert table["random"] == pytest.approx(0.4, abs=0.01)
    assert np.isnan(table[["none", *PICKED]]).all()
    said = " ".join(found.verdict.cautions)
    assert "In 2 of 3 runs a sampler fell short and a fallback made rows" in said
    assert "A fallback made 100 % of the rows of smote, so its scores are those of the fallback." in said
    fabricated.write_runs(tmp_path, datasets=["imdb"], ratios=[10.0], augmenters=["none", "random", "smote"])
    by_fallback(tmp_path, "*-smote-*", 1.0)
    assert any("smote (mostly by fallback) " in sentence for sentence in compared(tmp_path).verdict.overall)


def test_a_fallback_in_some_scenarios_is_said_of_those(tmp_path: Path) -> None:
    fabricated.write_runs(tmp_path, datasets=["trec"], ratios=[10.0, 50.0], augmenters=["none", "smote"])
    by_fallback(tmp_path, "*-ir50-smote-*", 0.8)
    found = compared(tmp_path).verdict
    assert any("A fallback made 80 % of the rows of smote in 1 of 2 scenarios" in caution for caution in found.cautions)
    assert " ".join(found.datasets["trec"]).count("smote (mostly by fallback)") == 2  # over either reference


def test_only_failures_of_the_last_sweep_are_counted(tmp_path: Path) -> None:
    for at in range(6):
        fabricated.write_failure(tmp_path, f"earlier-{at}", "mistyped")
        fabricated.write_failure(tmp_path, f"run-{at}", "too few rows")
    (tmp_path / record.SWEEP).write_text(json.dumps({"runs": [f"run-{at}" for at in range(6)]}))
    assert compared(tmp_path).verdict.headline == "No verdict: all 6 runs failed; the first: too few rows"
    (tmp_path / record.SWEEP).write_text(json.dumps({"runs": ["run-3"]}))
    assert compared(tmp_path).verdict.headline == "No verdict: the only run failed: too few rows"


def test_a_run_that_failed_again_is_not_missing(tmp_path: Path) -> None:
    run, *_ = fabricated.write_runs(tmp_path, datasets=["trec"], ratios=[10.0], augmenters=["none", "smote"])
    fabricated.write_failure(tmp_path, run.name, "disk full")
    fabricated.write_failure(tmp_path, "another", "too few rows")
    cautions = compared(tmp_path).verdict.cautions
    assert "1 run failed and is missing: too few rows" in cautions
    older = "1 run failed when run again: an older record stands, but running it again failed: disk full"
    assert older in cautions


def test_what_rounds_to_nothing_is_no_gain_and_no_loss() -> None:
    points, loss = Unit("balanced_accuracy", 0.01), Unit("log_loss", 0.01)
    for unit, least in ((points, "less than 0.05 points of balanced accuracy"), (loss, "less than 0.0005 in log loss")):
        for gain in (0.0004, -0.0004):
            assert unit.change(gain, "argmax") == f"differs from argmax by {least}"
        assert unit.change(0.0, "argmax") == f"does not differ from argmax in {unit.name}"
    assert points.change(-0.0006, "argmax") == "loses 0.1 points of balanced accuracy to argmax"
    assert [signed(value, "accuracy") for value in (0.0004, -0.0004, 0.0, 0.01)] == ["0.0", "0.0", "0.0", "+1.0"]


def test_a_ranking_that_is_not_told_is_not_warned_of(tmp_path: Path) -> None:
    fabricated.write_runs(tmp_path, datasets=["trec"], ratios=[10.0])
    found = compared(tmp_path).verdict
    assert not re.search("ranking|Friedman|independent", " ".join([str(found), *found.overall]))
    fabricated.write_runs(tmp_path, datasets=["trec"], ratios=[50.0])
    found = compared(tmp_path).verdict
    assert any("Mean ranks" in sentence for sentence in found.overall)
    assert any("ranking describes" in sentence for sentence in found.overall)


ONE = re.compile(r"(?<![\d.,:/])1 (\w+s)\b(?! of)")
MANY = re.compile(r"(?<![\d.])(?:[02-9]|[1-9]\d+) (scenario|run|split|gap|file|fold|seed|data set|method|point)\b(?!s)")


@pytest.mark.parametrize("datasets", [["trec"], ["trec", "imdb"]])
@pytest.mark.parametrize("ratios", [[10.0], [10.0, 50.0]])
@pytest.mark.parametrize("n_folds", [1, 2])
@pytest.mark.parametrize("n_others", [1, 2])
def test_one_is_singular_and_several_are_plural(
    tmp_path: Path, datasets: list[str], ratios: list[float], n_folds: int, n_others: int
) -> None:
    augmenters = ["none", "random", "smote"][: n_others + 1]
    fabricated.write_runs(tmp_path, datasets, ratios, augmenters, n_folds=n_folds)
    if len(ratios) > 1:
        run = next(iter(tmp_path.glob("*-ir50-random-*")))
        (run / record.RECORD).unlink()
    for at in range(n_others):
        fabricated.write_failure(tmp_path, f"failed-{at}", "too few rows")
        (tmp_path / f"bad-{at}").mkdir()
        (tmp_path / f"bad-{at}" / record.RECORD).write_text("")
    by_fallback(tmp_path, "trec-*-random-*", 1.0)
    found = compared(tmp_path).verdict
    sentences = [sentence for of_dataset in found.datasets.values() for sentence in of_dataset]
    words = " ".join(" ".join([str(found), *sentences, *found.overall]).split())
    wrong = [each for each in ONE.findall(words) if each not in ("is", "was", "versus")]
    assert wrong == [], words
    assert MANY.findall(words) == [], words
    assert not re.search(r"\bnan\b|\(\)|  ,| \.|\bNone\b", words), words
    assert not re.search(r"\bblocks?\b|\bmembers?\b|free remedy|costs nothing|told apart|\bequal\b", words), words
    assert not re.search(r"(gains?|loses?) [−+]?0\.0 ", words), words


def test_folders_are_compared_in_one_line_and_the_table_says_what_the_verdict_says(tmp_path: Path) -> None:
    for folder, ratio in (("one", 10.0), ("two", 50.0)):
        fabricated.write_runs(tmp_path / folder, datasets=["trec"], ratios=[ratio], augmenters=["none", "smote"])
    found = comparison.compare_folders(tmp_path / "one", str(tmp_path / "two"), metric="f1_macro")
    assert found.metrics == ("f1_macro",)
    assert "than the best without in f1 macro" in " ".join(str(found.verdict).split())
    table = found.table
    assert set(table["scenario"]) == {"trec · minilm · ir10 · mlp", "trec · minilm · ir50 · mlp"}
    assert set(table["reference"]) == {"baseline", "best_without_synthesis"}
    of_smote = (table["method"] == "smote") & (table["reference"] == "baseline")
    row = table[of_smote & table["scenario"].str.contains("ir50")].iloc[0]
    assert row["low"] < row["gain"] < row["high"]
    assert row["outcome"] == "better"
    table.to_parquet(tmp_path / "table.parquet")  # nothing but text and numbers
    assert found.verdict.headline in repr(found)
    assert "smote" in found._repr_html_()


def test_options_of_one_line_are_those_of_the_report(tmp_path: Path) -> None:
    fabricated.write_runs(tmp_path, datasets=["trec"], ratios=[10.0], augmenters=["none", "smote"])
    found = comparison.compare_folders(tmp_path, metric=["accuracy", "log_loss"], rope=0.2)
    assert (found.metrics, found.rope) == (("accuracy", "log_loss"), 0.2)
    assert set(found.table["outcome"]) == {"equivalent"}
    assert comparison.compare_folders(tmp_path).metrics == comparison.DEFAULT_METRICS
    without_minority(tmp_path)
    with pytest.raises(
        UserError, match=r"no run has minority_recall \(no class is smaller: .*\): choose among accuracy"
    ):
        comparison.compare_folders(tmp_path, metric="minority_recall")


def test_records_of_an_older_version_are_compared_as_far_as_they_go(tmp_path: Path) -> None:
    runs = fabricated.write_runs(tmp_path, datasets=["trec"], ratios=[10.0, 50.0], augmenters=["none", "smote"])
    later = ("validation_scores", "confusion", "reliability", "offsets", "balance", "diagnostics", "curves", "best")
    for number, run in enumerate(runs):
        written = json.loads((run / record.RECORD).read_text())
        (run / record.RECORD).write_text(
            json.dumps({key: value for key, value in written.items() if key not in later} | {"schema": 1})
        )
        if number == 1:
            verdict = compared(tmp_path).verdict
            assert verdict.headline.startswith("On trec at 1:50")
            assert any(caution.startswith("2 records are of an older version") for caution in verdict.cautions)
    found = compared(tmp_path)
    assert found.verdict.headline.startswith("No verdict: the records are of an older version")
    assert set(found.tables["balanced_accuracy"]["reference"]) == {"baseline"}  # which needs no choice


def test_methods_that_average_more_models_than_others_are_named(tmp_path: Path) -> None:
    fabricated.write_runs(tmp_path, ["trec"], [10.0], ["none", "smote"], losses=["plain", "class_weighted"])
    assert not any("averag" in each for each in compared(tmp_path).verdict.cautions)
    fabricated.write_runs(tmp_path, ["trec"], [10.0], ["easy_ensemble"], augmenter_settings=({"replicas": 10},))
    (said,) = (each for each in compared(tmp_path).verdict.cautions if "averag" in each)
    assert said == (
        "On each split easy_ensemble averages 50 models (fewest: 5). Averaging more models may by itself "
        "explain part of a gain."
    )


def test_two_ways_of_validating_are_two_scenarios_and_no_caution_about_averages(tmp_path: Path) -> None:
    fabricated.write_runs(tmp_path, ["trec"], [10.0], ["none", "smote"], losses=["plain", "class_weighted"])
    other = {"_target_": "synaug.validation.Nested", "n_folds": 3, "final": "bagged"}
    for path in fabricated.write_runs(tmp_path, ["imdb"], [10.0], ["none", "smote"]):
        written = json.loads((path / "record.json").read_text())
        written["config"]["validation"] = other
        (path / "record.json").write_text(json.dumps(written))
    assert not any("averag" in each for each in compared(tmp_path).verdict.cautions)


def test_names_that_are_cut_can_still_be_told_apart() -> None:
    long = "my own data set of messages at its natural imbalance"
    wide = ("inconclusive",) * 5
    table = Table(("", *(["outcome"] * 5)), ((f"{long} mlp", *wide), (f"{long} lora", *wide)))
    *_, first, second = table.lines(9)
    assert all(len(line) <= 100 for line in (first, second))
    assert first.split("  ")[1].endswith("mlp")
    assert second.split("  ")[1].endswith("lora")
    *_, alone = Table(table.columns, table.rows[:1]).lines(9)
    assert alone.split("  ")[1].endswith("…")
