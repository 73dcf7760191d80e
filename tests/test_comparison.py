"""Everything compared at once, and its verdict: right about what is there, and about what is not."""

import json
import math
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from synaug import record
from synaug.comparison import compare as comparison
from synaug.comparison import evidence
from synaug.comparison.formatting import Unit, signed, words_for_p
from synaug.comparison.labels import BASELINE, BEST_WITHOUT_SYNTHESIS, Method
from synaug.comparison.significance import outcomes
from synaug.comparison.verdict import by_outcome, effect, verdict
from synaug.errors import UserError
from synaug.scores.metrics import LOSSES
from tests import fabricated


def compared(folder: Path, **options: object) -> comparison.Comparison:
    return comparison.compare(evidence.read([folder]), ["balanced_accuracy"], **options)  # type: ignore[arg-type]


def shift(folder: Path, augmenter: str, by: float, table: str = "scores") -> None:
    """Plant a difference: move all shares of an augmenter, as far as shares go."""
    for path in folder.glob(f"*-{augmenter}-*/record.json"):
        written = json.loads(path.read_text())
        for row in written[table]["data"]:
            if row[3] not in LOSSES:
                row[-1] = min(max(row[-1] + by, 0), 1)
        path.write_text(json.dumps(written))


def change_scores(folder: Path, pattern: str, change: Callable[[list[Any]], float]) -> None:
    """Make other scores, of test and validation rows, of what a row says: seed, fold, decision, metric, …, value."""
    for path in folder.glob(f"{pattern}/record.json"):
        written = json.loads(path.read_text())
        for table in ("scores", "validation_scores"):
            for row in written[table]["data"]:
                row[-1] = change(row)
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
    words = compared(null).verdict
    assert words.headline.startswith("Augmenting the minority was not shown to beat the best without synthesis")
    rule, both, alone = words.datasets["trec"]
    # The rule gains over argmax, with an augmenter or without; what the augmenter adds to it is nothing.
    assert re.search(r"the best without synthesis .* gains", rule)
    assert both.endswith(").")
    assert "and is equivalent in balanced accuracy to the best without synthesis" in both
    assert re.search(r"argmax for both, smote \(.?0\.\d\) is equivalent", alone)
    assert not re.search(r"\b(better|worse)\b", alone)


@pytest.mark.parametrize(
    ("by", "verb", "headline"),
    [(0.1, "and gains 10", "beat the best without synthesis in 1 of 1 scenario"), (-0.2, "and loses", r"\(worse\)")],
)
def test_a_planted_difference_is_said_with_its_size_interval_and_p(
    null: Path, by: float, verb: str, headline: str
) -> None:
    shift(null, "smote", by)
    words = compared(null).verdict
    assert re.search(headline, words.headline)
    both = words.datasets["trec"][1]
    assert verb in both
    assert re.search(r"points of balanced accuracy .*\(95 % .* to .*, corrected p < 0\.001\)\.$", both)


def test_a_difference_that_does_not_matter_is_no_win(null: Path) -> None:
    shift(null, "smote", 0.004)
    words = compared(null).verdict
    assert "was not shown to beat" in words.headline
    assert "(equivalent)" in words.headline


def test_what_the_rule_alone_does_not_gain_is_not_advised(null: Path) -> None:
    for path in null.glob("*/record.json"):
        written = json.loads(path.read_text())
        for name in ("scores", "validation_scores"):
            argmax = {tuple(row[:2] + row[3:-1]): row[-1] for row in written[name]["data"] if row[2] == "argmax"}
            written[name]["data"] = [[*row[:-1], argmax[tuple(row[:2] + row[3:-1])]] for row in written[name]["data"]]
        path.write_text(json.dumps(written))
    assert "choose the decision rule first" not in compared(null).verdict.headline


def test_a_single_common_split_is_no_test_and_no_nan(null: Path) -> None:
    for path in null.glob("*/record.json"):
        written = json.loads(path.read_text())
        for name in ("scores", "validation_scores"):
            written[name]["data"] = [row for row in written[name]["data"] if row[1] == 0]
        path.write_text(json.dumps(written))
    words = " ".join(str(compared(null).verdict).split())
    assert "nan" not in words
    reason = "by a test, as they have only 1 split in common"
    assert f"cannot be compared with the baseline, no augmentation with argmax {reason}" in words
    assert "in its only split" in words


def test_the_picked_augmenter_is_picked_on_validation_whatever_the_test_scores(null: Path) -> None:
    fabricated.write_runs(null, datasets=["trec"], ratios=[10.0], augmenters=["adasyn"])
    shift(null, "adasyn", 1.0, "validation_scores")
    shift(null, "smote", 1.0)
    table = compared(null).values["balanced_accuracy"]
    picked = table.loc[table.augmenter == "picked", "chosen_from"]
    assert {method.augmenter for method in picked} == {"adasyn"}


def test_words_are_never_stronger_than_the_test() -> None:
    rows = [
        (0.05, 0.051, 0.2, "inconclusive"),
        (0.05, 0.049, 0.2, "better"),
        (-0.05, 0.01, 0.0, "worse"),
        (0.001, 0.9, 0.96, "equivalent"),
        (0.004, 0.001, 0.96, "equivalent"),
        (0.3, np.nan, np.nan, "inconclusive"),
    ]
    frame = pd.DataFrame(rows, columns=["gain", "p_holm", "p_equivalent", "expected"])
    assert outcomes(frame).tolist() == frame["expected"].tolist()


def test_the_headline_corrects_over_scenarios_too(tmp_path: Path) -> None:
    """One lucky scenario among many is not called a win, though its own test would."""
    fabricated.write_runs(
        tmp_path, datasets=["trec"], ratios=[2.0, 5.0, 10.0, 20.0, 50.0, 100.0], augmenters=["none", "smote"]
    )
    found = compared(tmp_path)
    table = found.tables["balanced_accuracy"]
    picked = (table.reference == "best_without_synthesis") & (table.augmenter == "picked")
    table.loc[picked, ["p_holm", "gain", "p_equivalent"]] = [0.5, 0.0, 0.0]
    table.loc[table.index[picked][0], ["p_holm", "gain"]] = [0.04, 0.02]
    ev = evidence.read([tmp_path])
    arguments = ("balanced_accuracy", table, found.values["balanced_accuracy"], found.rankings["balanced_accuracy"])
    words = verdict(ev, *arguments, found.gaps, 0.01)
    assert "was not shown to beat the best without synthesis in any of 6 scenarios" in words.headline


def test_numbers_are_written_as_a_reader_wants_them() -> None:
    points, loss = Unit("balanced_accuracy", 0.01), Unit("log_loss", 0.01)
    assert points.of(0.0123) == "1.2"
    assert points.of(-0.0123) == "−1.2"
    assert points.of(-0.0001) == "0.0"
    assert points.signed(0.0123) == "+1.2"
    assert loss.of(-0.0123) == "−0.012"
    assert (words_for_p(0.0004), words_for_p(0.0251), words_for_p(0.3)) == ("p < 0.001", "p = 0.025", "p = 0.30")


def test_incomplete_scenarios_are_named_with_the_reason(tmp_path: Path) -> None:
    fabricated.write_runs(tmp_path, datasets=["trec"], ratios=[10.0, 50.0], augmenters=["none", "smote", "vae"])
    for augmenter, ratio in (("vae", "ir50"), ("smote", "ir10")):
        (run,) = tmp_path.glob(f"trec-*-{ratio}-{augmenter}-*")
        (run / record.RECORD).unlink()
        if augmenter == "vae":
            fabricated.write_failure(tmp_path, run.name, "the ELBO was never finite")
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


def test_without_a_reference_there_is_no_verdict(tmp_path: Path) -> None:
    fabricated.write_runs(tmp_path, datasets=["trec"], ratios=[10.0], augmenters=["smote"])
    words = compared(tmp_path).verdict
    assert words.headline.startswith("No verdict")
    assert words.overall == []


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


def test_a_grid_of_one_other_loss_has_its_verdict(tmp_path: Path) -> None:
    losses = [{"_target_": "torch.nn.functional.cross_entropy", "label_smoothing": 0.1}]
    fabricated.write_runs(tmp_path, datasets=["trec"], ratios=[10.0], augmenters=["none", "smote"], losses=losses)
    assert not compared(tmp_path).verdict.headline.startswith("No verdict")


def test_two_scenarios_rank_without_a_test(tmp_path: Path) -> None:
    fabricated.write_runs(tmp_path, datasets=["trec", "emotion"], ratios=[10.0])
    overall = " ".join(compared(tmp_path).verdict.overall)
    assert "2 scenarios are too few for Friedman's test: the ranks describe" in overall
    assert "differ" not in overall.partition("Mean ranks")[2]


@pytest.mark.parametrize(("gain", "outcome", "verb"), [(0.1, "better", "lowers"), (-0.1, "worse", "raises")])
def test_losses_fall_in_words(gain: float, outcome: str, verb: str) -> None:
    row = pd.Series({"gain": gain, "low": gain - 0.05, "high": gain + 0.05, "p_holm": 0.01, "outcome": outcome})
    assert effect(row, Unit("log_loss", 0.01), "the baseline").startswith(
        f"{verb} log loss by 0.100 against the baseline (95 %"
    )


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


def test_the_best_without_synthesis_is_ranked_by_its_chosen_rule() -> None:
    """Neither by argmax nor by a rule that was not chosen."""
    rows = [
        ("scenario", augmenter, "", decision, fold, value)
        for augmenter, decision, value in (
            ("none", "argmax", 0.1),
            ("none", "tuned", 0.2),
            ("none", "prior_corrected", 0.3),
            ("none", "chosen", 0.4),
            ("smote", "argmax", 0.5),
            ("smote", "tuned", 0.6),
            ("smote", "chosen", 0.7),
            ("picked", "chosen", 0.8),
        )
        for fold in (0, 1)
    ]
    scores = pd.DataFrame(rows, columns=["scenario", "augmenter", "loss", "decision", "fold", "value"])
    values = comparison.headline_values(scores)
    assert values.loc["scenario"].to_dict() == pytest.approx(
        {BASELINE: 0.1, Method("smote"): 0.5, BEST_WITHOUT_SYNTHESIS: 0.4}
    )


def test_where_classes_are_thinned_a_rule_is_not_chosen_by_validation_accuracy(tmp_path: Path) -> None:
    """Which follows the prior of rows that are not balanced, as the fabricated ones are not."""
    fabricated.write_runs(tmp_path, datasets=["trec"], ratios=[10.0], augmenters=["none", "smote"])
    found = evidence.read([tmp_path])
    chosen = {}
    for metric in ("accuracy", "balanced_accuracy"):
        values = comparison.compare(found, [metric]).values[metric]
        chosen[metric] = values[values.decision == "chosen"].reset_index(drop=True)
    pd.testing.assert_frame_equal(chosen["accuracy"], chosen["balanced_accuracy"])


def without_minority(folder: Path, pattern: str = "*") -> None:
    """As if no class were smaller: no minority, no recall of one, and nothing asked for or made."""
    for path in folder.glob(f"{pattern}/record.json"):
        written = json.loads(path.read_text())
        written["data"]["minority"] = []
        for table in ("scores", "validation_scores"):
            written[table]["data"] = [row for row in written[table]["data"] if not row[3].startswith("minority")]
        written["balance"]["data"] = [[*row[:4], 0, 0, 0, None] for row in written["balance"]["data"]]
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
        words = comparison.compare(evidence.read([tmp_path]), [metric, "log_loss"]).verdict
        assert re.search(r"\b3 scenarios\b", words.headline)
        assert words.datasets["trec"][-1].endswith("no class is smaller: nothing was there to augment.")
        assert not any("no class is smaller" in sentence for sentence in words.datasets["imdb"])
        assert any("over 3 scenarios" in sentence for sentence in words.overall)


def by_fallback(folder: Path, pattern: str, share: float) -> None:
    """As if a fallback had made a share of the rows."""
    for path in folder.glob(f"{pattern}/record.json"):
        written = json.loads(path.read_text())
        for row in written["balance"]["data"]:
            row[6] = round(row[5] * share)
        path.write_text(json.dumps(written))


def test_a_method_whose_rows_a_fallback_made_is_called_so(tmp_path: Path) -> None:
    fabricated.write_runs(tmp_path, datasets=["trec"], ratios=[10.0], augmenters=["none", "random", "smote"])
    by_fallback(tmp_path, "*-smote-*", 1.0)
    by_fallback(tmp_path, "*-random-*", 0.4)
    shift(tmp_path, "smote", 0.3, "validation_scores")
    found = compared(tmp_path)
    _, picked, alone = found.verdict.datasets["trec"]
    assert "(smote mostly by fallback in 10 of 10 splits)" in picked
    assert "smote (mostly by fallback) (" in alone
    fabricated.write_runs(tmp_path, datasets=["imdb"], ratios=[10.0], augmenters=["none", "random", "smote"])
    by_fallback(tmp_path, "*-smote-*", 1.0)
    assert any("smote (mostly by fallback) 2.0" in sentence for sentence in compared(tmp_path).verdict.overall)
    for run in tmp_path.glob("imdb-*"):
        (run / record.RECORD).unlink()
    assert "random (mostly" not in alone
    table = found.tables["balanced_accuracy"].groupby("augmenter")["by_fallback"].mean()
    assert table["smote"] == 1
    assert table["random"] == pytest.approx(0.4, abs=0.01)
    assert np.isnan(table[["none", "picked"]]).all()
    said = " ".join(found.verdict.cautions)
    assert "In 2 of 3 runs a sampler fell short and a fallback made rows" in said
    assert "A fallback made 100 % of the rows of smote, so that its scores tell of the fallback." in said


def test_a_fallback_in_some_scenarios_is_said_of_those(tmp_path: Path) -> None:
    fabricated.write_runs(tmp_path, datasets=["trec"], ratios=[10.0, 50.0], augmenters=["none", "smote"])
    by_fallback(tmp_path, "*-ir50-smote-*", 0.8)
    words = compared(tmp_path).verdict
    assert any("A fallback made 80 % of the rows of smote in 1 of 2 scenarios" in caution for caution in words.cautions)
    assert " ".join(str(words).split()).count("smote (mostly by fallback)") == 2  # over either reference


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
    row = {
        "augmenter": "smote",
        "loss": "",
        "decision": "argmax",
        "gain": 0.0004,
        "outcome": "better",
        "by_fallback": 0,
    }
    assert by_outcome(pd.DataFrame([row]), points) == "smote (0.0) differs by less than 0.05 points"


def test_a_ranking_that_is_not_told_is_not_warned_of(tmp_path: Path) -> None:
    fabricated.write_runs(tmp_path, datasets=["trec"], ratios=[10.0])
    assert not re.search("ranking|Friedman|independent", str(compared(tmp_path).verdict))
    fabricated.write_runs(tmp_path, datasets=["trec"], ratios=[50.0])
    words = compared(tmp_path).verdict
    assert any("Mean ranks" in sentence for sentence in words.overall)
    assert any("ranking describes" in caution for caution in words.cautions)


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
    words = " ".join(str(compared(tmp_path).verdict).split())
    wrong = [found for found in ONE.findall(words) if found not in ("is", "was", "versus")]
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
    assert "of f1 macro over the baseline" in " ".join(str(found.verdict).split())
    table = found.table
    assert set(table["scenario"]) == {"trec · minilm · ir10 · mlp", "trec · minilm · ir50 · mlp"}
    assert set(table["reference"]) == {"baseline", "best_without_synthesis"}
    row = table[(table["method"] == "smote") & table["scenario"].str.contains("ir50")].iloc[0]
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
            words = compared(tmp_path).verdict
            assert re.search(r"\b1 of 1 scenario\b|the only scenario", words.headline)
            assert any(caution.startswith("2 records are of an older version") for caution in words.cautions)
    found = compared(tmp_path)
    assert found.verdict.headline.startswith("No verdict: the records are of an older version")
    assert set(found.tables["balanced_accuracy"]["reference"]) == {"baseline"}  # which needs no choice
