"""Rules that no run recorded, judged on kept log probabilities."""

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import log_softmax

from synaug import record as records
from synaug.comparison import evidence as evidences
from synaug.comparison.compare import compare
from synaug.errors import UserError
from synaug.report import draw, later
from synaug.report.__main__ import main
from tests.fabricated import write_runs

HAM, SPAM = 0, 1
N_ROWS = 40


def write_probabilities(folder: Path, n_classes: int = 2) -> dict[str, np.ndarray]:
    """What a run keeps of its test rows, and its digest into the record."""
    record = json.loads((folder / records.RECORD).read_text())
    splits = sorted({tuple(row[:2]) for row in record["scores"]["data"]})
    draw = np.random.RandomState(len(folder.name))
    seed, fold = np.repeat(np.array(splits), N_ROWS, axis=0).T
    label = np.tile(np.arange(N_ROWS) % n_classes, len(splits)).astype(np.int16)
    logits = 1.2 * np.eye(n_classes)[label] + draw.normal(0, 1, (len(label), n_classes))
    kept = {"seed": seed, "fold": fold, "row": np.arange(len(label)), "label": label}
    kept["prior_corrected"] = log_softmax(logits, axis=1).astype(np.float32)
    packed = io.BytesIO()
    np.savez_compressed(packed, **kept)
    records.write(folder, record, packed.getvalue())
    return kept


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (folder,) = write_runs(tmp_path, ["sms"], [10.0], ["none"], n_folds=3, class_names=("ham", "spam"))
    return folder


def value(evidence: evidences.Evidence, decision: str, metric: str, of: str | None = None) -> np.ndarray:
    """A score of each split."""
    scores = evidence.scores
    of_class = scores["class"].isna() if of is None else scores["class"] == of
    chosen = scores[(scores["decision"] == decision) & (scores["metric"] == metric) & of_class]
    return chosen.sort_values(["seed", "fold"])["value"].to_numpy()


def test_a_class_that_costs_more_is_decided_for_where_its_expected_cost_is_largest(run: Path) -> None:
    kept = write_probabilities(run)
    rule = later.read_rule("costs", "spam=5")
    found = later.with_rules(evidences.read([run]), [rule])
    probability = np.exp(kept["prior_corrected"].astype(float))
    as_spam = probability[:, HAM] < 5 * probability[:, SPAM]  # deciding ham costs 5 P(spam), deciding spam 1 P(ham)
    recall = [as_spam[(kept["fold"] == fold) & (kept["label"] == SPAM)].mean() for fold in range(3)]
    np.testing.assert_allclose(value(found, "costs spam=5", "recall", "spam"), recall)
    assert 0 < np.mean(recall) < 1


def test_a_threshold_is_the_probability_from_which_on_a_class_is_decided_for(run: Path) -> None:
    kept = write_probabilities(run)
    found = later.with_rules(evidences.read([run]), [later.read_rule("threshold", "spam=0.3")])
    as_spam = np.exp(kept["prior_corrected"][:, SPAM].astype(float)) >= 0.3
    recall = [as_spam[(kept["fold"] == fold) & (kept["label"] == SPAM)].mean() for fold in range(3)]
    np.testing.assert_allclose(value(found, "threshold spam=0.3", "recall", "spam"), recall)
    assert 0 < np.mean(recall) < 1


def test_costs_that_are_equal_change_no_decision_and_no_ranking_changes_under_any(run: Path) -> None:
    write_probabilities(run)
    rules = [later.read_rule("costs", text) for text in ("spam=1", "spam=3,ham=3", "spam=9")]
    found = later.with_rules(evidences.read([run]), rules)
    for metric in ("accuracy", "f1_macro", "log_loss"):
        equal = value(found, "costs spam=1", metric)
        np.testing.assert_allclose(value(found, "costs spam=3, ham=3", metric), equal, atol=1e-12)
    equal, unequal = (value(found, name, "auroc_macro") for name in ("costs spam=1", "costs spam=9"))
    np.testing.assert_allclose(unequal, equal)  # of two classes


def test_what_was_recorded_stays_as_it_is(run: Path) -> None:
    write_probabilities(run)
    before = evidences.read([run])
    after = later.with_rules(before, [later.read_rule("costs", "spam=5")])
    pd.testing.assert_frame_equal(after.scores.iloc[: len(before.scores)].astype(object), before.scores.astype(object))
    assert set(after.scores["decision"]) - set(before.scores["decision"]) == {"costs spam=5"}
    assert later.with_rules(before, []) is before


def test_runs_without_the_class_are_left_as_they_are(tmp_path: Path) -> None:
    for folder in write_runs(tmp_path, ["sms"], [10.0], ["none"], n_folds=2, class_names=("ham", "spam")):
        write_probabilities(folder)
    write_runs(tmp_path, ["imdb"], [10.0], ["none"], n_folds=2, class_names=("neg", "pos"))
    found = later.with_rules(evidences.read([tmp_path]), [later.read_rule("costs", "spam=5")]).scores
    assert set(found["dataset"][found["decision"] == "costs spam=5"]) == {"sms"}


def test_help_says_where_costs_and_thresholds_hold(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    assert capsys.readouterr().out.count("target_prior") == 2


def test_a_rule_that_is_judged_later_changes_no_other_comparison(tmp_path: Path) -> None:
    for folder in write_runs(tmp_path, ["sms"], [10.0], ["none", "smote"], n_folds=3, class_names=("ham", "spam")):
        write_probabilities(folder)
    before = evidences.read([tmp_path])
    after = later.with_rules(before, [later.read_rule("costs", "spam=5")])
    first, second = (compare(each, ["accuracy"]).tables["accuracy"] for each in (before, after))
    kept = second[second["decision"] != "costs spam=5"].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept.astype({"decision": object}), first.astype({"decision": object}))


@pytest.mark.parametrize(
    ("kind", "text", "sentence"),
    [
        ("costs", "spam", "--costs=spam must name classes with numbers, e.g. --costs=spam=0.5"),
        ("costs", "spam=x", "must name classes with numbers"),
        ("costs", "spam=0", "with numbers above 0, e.g."),
        ("costs", "=2", "must name classes"),
        ("costs", "spam=nan", "with numbers above 0, e.g."),
        ("threshold", "spam=1", "above 0 and below 1"),
        ("threshold", "spam=0.5,ham=0.5", "must name one class"),
    ],
)
def test_a_rule_that_cannot_be_is_said(kind: later.Kind, text: str, sentence: str) -> None:
    with pytest.raises(UserError) as raised:
        later.read_rule(kind, text)
    assert sentence in str(raised.value)


def test_a_class_that_no_run_has_is_said(run: Path) -> None:
    with pytest.raises(UserError, match=r"no run has a class 'spm': did you mean spam\?"):
        later.with_rules(evidences.read([run]), [later.read_rule("costs", "spm=2")])


def test_a_threshold_of_several_classes_is_refused(tmp_path: Path) -> None:
    (run,) = write_runs(tmp_path, ["news"], [10.0], ["none"], n_folds=2, class_names=("a", "b", "c"))
    write_probabilities(run, 3)
    with pytest.raises(UserError, match="takes two classes, and there are 3"):
        later.with_rules(evidences.read([run]), [later.read_rule("threshold", "b=0.3")])


def test_probabilities_that_are_gone_or_others_are_said(run: Path) -> None:
    rule = later.read_rule("costs", "spam=2")
    with pytest.raises(UserError, match=r"lacks the log probabilities that rules are judged on: .*force=true"):
        later.with_rules(evidences.read([run]), [rule])
    write_probabilities(run)
    next(run.glob("*.npz")).write_bytes(b"other")
    with pytest.raises(UserError, match="does not hold the log probabilities that were recorded"):
        later.with_rules(evidences.read([run]), [rule])


def test_the_command_shows_a_later_rule_beside_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = write_runs(tmp_path / "runs", ["sms"], [10.0], ["none", "smote"], n_folds=3, class_names=("ham", "spam"))
    for folder in runs:
        write_probabilities(folder)
    monkeypatch.setattr(draw, "sections", lambda results: [])
    asked = [str(tmp_path / "runs"), "metric=accuracy", "costs=spam=5", f"output={tmp_path / 'out'}"]
    assert main(asked) == 0
    compared = pd.read_csv(tmp_path / "out" / "comparisons.csv", keep_default_na=False)
    assert "costs spam=5" in set(compared["decision"])
    assert main([str(tmp_path / "runs"), "--costs=spm=5"]) == 1
    assert capsys.readouterr().err.startswith("no run has a class 'spm'")
