"""Rules that no run recorded, judged on kept log probabilities."""

import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import log_softmax
from scipy.stats import t as student
from sklearn.metrics import precision_recall_curve

from synaug import record as records
from synaug.comparison import evidence as evidences
from synaug.comparison.compare import compare
from synaug.errors import UserError
from synaug.report import draw, figures, kept, later
from synaug.report.__main__ import main
from synaug.report.drawing.contract import Drawing
from synaug.report.figures import costs, precision_recall
from synaug.report.results import Results
from synaug.scores.needs import Kind, Need, read_need
from tests.fabricated import write_runs

HAM, SPAM = 0, 1
N_ROWS = 40


def write_probabilities(
    folder: Path, n_classes: int = 2, *, out_of_fold: bool = True, changes: Mapping[str, Any] | None = None
) -> dict[str, np.ndarray]:
    """What a run keeps of its test rows and of those left out of inner folds, and its digest into the record."""
    record = json.loads((folder / records.RECORD).read_text())
    splits = sorted({tuple(row[:2]) for row in record["scores"]["data"]})
    draw = np.random.RandomState(len(folder.name))
    seed, fold = np.repeat(np.array(splits), N_ROWS, axis=0).T
    label = np.tile(np.arange(N_ROWS) % n_classes, len(splits)).astype(np.int16)
    logits = 1.2 * np.eye(n_classes)[label] + draw.normal(0, 1, (len(label), n_classes))
    kept = {"seed": seed, "fold": fold, "row": np.arange(len(label)), "label": label}
    kept["prior_corrected"] = log_softmax(logits, axis=1).astype(np.float32)
    if out_of_fold:
        kept |= {f"oof_{name}": column for name, column in kept.items() if name != "row"}
        kept["oof_inner"] = (np.arange(len(label)) % 5).astype(np.int16)
        logits = 1.2 * np.eye(n_classes)[label] + draw.normal(0, 1, (len(label), n_classes))
        kept["oof_prior_corrected"] = log_softmax(logits, axis=1).astype(np.float32)
    for path, value in (changes or {}).items():
        part, name = path.split(".")
        record[part][name] = value
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
    rule = read_need("costs", "spam=5")
    found = later.with_rules(evidences.read([run]), [rule])
    probability = np.exp(kept["prior_corrected"].astype(float))
    as_spam = probability[:, HAM] < 5 * probability[:, SPAM]  # deciding ham costs 5 P(spam), deciding spam 1 P(ham)
    recall = [as_spam[(kept["fold"] == fold) & (kept["label"] == SPAM)].mean() for fold in range(3)]
    np.testing.assert_allclose(value(found, "costs spam=5", "recall", "spam"), recall)
    assert 0 < np.mean(recall) < 1


def test_a_threshold_is_the_probability_from_which_on_a_class_is_decided_for(run: Path) -> None:
    kept = write_probabilities(run)
    found = later.with_rules(evidences.read([run]), [read_need("threshold", "spam=0.3")])
    as_spam = np.exp(kept["prior_corrected"][:, SPAM].astype(float)) >= 0.3
    recall = [as_spam[(kept["fold"] == fold) & (kept["label"] == SPAM)].mean() for fold in range(3)]
    np.testing.assert_allclose(value(found, "threshold spam=0.3", "recall", "spam"), recall)
    assert 0 < np.mean(recall) < 1


def test_costs_that_are_equal_change_no_decision_and_no_ranking_changes_under_any(run: Path) -> None:
    write_probabilities(run)
    rules = [read_need("costs", text) for text in ("spam=1", "spam=3,ham=3", "spam=9")]
    found = later.with_rules(evidences.read([run]), rules)
    for metric in ("accuracy", "f1_macro", "log_loss"):
        equal = value(found, "costs spam=1", metric)
        np.testing.assert_allclose(value(found, "costs spam=3, ham=3", metric), equal, atol=1e-12)
    equal, unequal = (value(found, name, "auroc_macro") for name in ("costs spam=1", "costs spam=9"))
    np.testing.assert_allclose(unequal, equal)  # of two classes


def test_what_was_recorded_stays_as_it_is(run: Path) -> None:
    write_probabilities(run)
    before = evidences.read([run])
    after = later.with_rules(before, [read_need("costs", "spam=5")])
    pd.testing.assert_frame_equal(after.scores.iloc[: len(before.scores)].astype(object), before.scores.astype(object))
    assert set(after.scores["decision"]) - set(before.scores["decision"]) == {"costs spam=5"}
    assert later.with_rules(before, []) is before


def test_runs_without_the_class_are_left_as_they_are(tmp_path: Path) -> None:
    for folder in write_runs(tmp_path, ["sms"], [10.0], ["none"], n_folds=2, class_names=("ham", "spam")):
        write_probabilities(folder)
    write_runs(tmp_path, ["imdb"], [10.0], ["none"], n_folds=2, class_names=("neg", "pos"))
    found = later.with_rules(evidences.read([tmp_path]), [read_need("costs", "spam=5")]).scores
    assert set(found["dataset"][found["decision"] == "costs spam=5"]) == {"sms"}


def test_help_says_where_costs_and_thresholds_hold(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "hold at the class frequencies of the data set" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(("prior", "moved"), [("uniform", True), ("natural", False)])
def test_costs_and_thresholds_hold_at_the_frequencies_of_the_data_set(run: Path, prior: str, moved: bool) -> None:
    kept = write_probabilities(run, changes={"config.target_prior": prior, "data.rows_per_class": [180, 20]})
    odds = np.exp(kept["prior_corrected"][:, SPAM].astype(float) - kept["prior_corrected"][:, HAM])
    odds = odds / 9 if moved else odds  # with target_prior=natural they are there already
    needs = [read_need("threshold", "spam=0.3"), read_need("costs", "spam=5")]
    found = later.with_rules(evidences.read([run]), needs)
    for need, least in zip(needs, (0.3 / 0.7, 1 / 5), strict=True):
        recall = [(odds >= least)[(kept["fold"] == fold) & (kept["label"] == SPAM)].mean() for fold in range(3)]
        np.testing.assert_allclose(value(found, need.name, "recall", "spam"), recall)
        assert 0 < np.mean(recall) < 1


NEEDS = (
    ("recall", "spam=0.9"),
    ("precision", "spam=0.8"),
    ("metric", "f1[spam]"),
    ("metric", "mcc"),
    ("costs", "spam=5"),
)


def needs() -> list[Need]:
    return [read_need(kind, text) for kind, text in NEEDS]  # type: ignore[arg-type]


def test_no_test_row_has_a_part_in_a_threshold(run: Path) -> None:
    write_probabilities(run)
    _, first = later.judge(evidences.read([run]), needs())
    record = json.loads((run / records.RECORD).read_text())
    with np.load(next(run.glob("*.npz"))) as stored:
        kept = dict(stored)
    kept["prior_corrected"] = kept["prior_corrected"][:, ::-1]
    packed = io.BytesIO()
    np.savez_compressed(packed, **kept)
    records.write(run, record, packed.getvalue())
    _, second = later.judge(evidences.read([run]), needs())
    assert not first.served["value"].equals(second.served["value"])
    pd.testing.assert_series_equal(first.served["threshold"], second.served["threshold"])


def test_what_a_need_gives_is_told_over_splits_with_its_interval(tmp_path: Path) -> None:
    folders = write_runs(tmp_path, ["sms"], [10.0], ["none", "smote"], n_folds=3, class_names=("ham", "spam"))
    for folder in folders:
        write_probabilities(folder)
    evidence, found = later.judge(evidences.read([tmp_path]), needs())
    table = found.needs_table.set_index(["augmenter", "need", "measure"]).sort_index()
    scores = evidence.scores[(evidence.scores["class"] == "spam") & (evidence.scores["metric"] == "recall")]
    of_split = {
        name: scores[(scores["augmenter"] == name) & (scores["decision"] == "recall spam=0.9")]["value"].to_numpy()
        for name in ("none", "smote")
    }
    for name, values in of_split.items():
        row = table.xs((name, "recall spam=0.9", "recall[spam]"))
        error = values.std(ddof=1) * np.sqrt(1 / 3 + 1 / 2)  # Nadeau and Bengio, three folds
        half = student.ppf(0.975, 2) * error
        assert row["mean"] == pytest.approx(values.mean())
        assert [row["low"], row["high"]] == pytest.approx([max(0, values.mean() - half), min(1, values.mean() + half)])
        assert row["kept"] == pytest.approx((values >= 0.9 - 1e-9).mean())
        assert row["reached"] == 1
        gain = np.nan if name == "none" else (values - of_split["none"]).mean()  # itself is what it is compared with
        assert row["gain"] == pytest.approx(gain, nan_ok=True)
    cost = table.xs(("smote", "costs spam=5", "cost of a row"))["mean"]
    wrong = evidence.scores[(evidence.scores["augmenter"] == "smote") & (evidence.scores["decision"] == "costs spam=5")]
    recall = {
        of: wrong[(wrong["metric"] == "recall") & (wrong["class"] == of)]["value"].mean() for of in ("ham", "spam")
    }
    assert cost == pytest.approx(0.5 * 5 * (1 - recall["spam"]) + 0.5 * (1 - recall["ham"]))


def test_a_matrix_decides_as_the_costs_of_classes_that_it_repeats(tmp_path: Path, run: Path) -> None:
    write_probabilities(run)
    (tmp_path / "costs.csv").write_text("ham,spam\n0,1\n5,0\n")
    both = [read_need("costs", "spam=5"), read_need("costs", str(tmp_path / "costs.csv"))]
    found = later.with_rules(evidences.read([run]), both)
    for metric in ("accuracy", "mcc", "log_loss", "auroc_macro", "balanced_accuracy"):
        by_class, by_file = (value(found, need.name, metric) for need in both)
        np.testing.assert_array_equal(by_class, by_file)


def test_abstaining_is_told_for_each_method_and_its_curve_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(figures, "names", lambda: ["abstaining", "costs", "precision_recall"])
    for folder in write_runs(
        tmp_path / "runs", ["sms"], [10.0], ["none", "smote"], n_folds=3, class_names=("ham", "spam")
    ):
        write_probabilities(folder)
    out = tmp_path / "out"
    assert main([str(tmp_path / "runs"), "--abstain=0.7", "--abstain=0.9", "--recall=spam=0.9", f"--output={out}"]) == 0
    table = pd.read_csv(out / "abstaining.csv", keep_default_na=False)
    assert set(table["decision"]) == {"likeliest class", "recall spam=0.9"}
    first = table[table["decision"] == "likeliest class"].pivot(index="augmenter", columns="abstain_below")
    assert (first["coverage"][0.7] > first["coverage"][0.9]).all()
    assert (first["risk"][0.7] > first["risk"][0.9]).all()
    assert (table["coverage"].between(0, 1) & table["aurc"].between(0, 1)).all()
    needed = pd.read_csv(out / "needs.csv", keep_default_na=False)
    assert set(needed["measure"]) == {"recall[spam]", "precision[spam]"}
    drawn = {path.stem for path in (out / "figures").glob("*.svg")}
    assert {"abstaining-1", "precision_recall-1", "costs-1"} <= drawn
    page = (out / "index.html").read_text()
    for section in ("needs", "abstaining"):
        assert "<h3>" in page.split(f'id="{section}"')[1][:40]
    assert "# needs.csv" in (out / "README.md").read_text()
    said = capsys.readouterr().out
    assert "recall spam=0.9, sms" in said
    assert "abstaining below 0.7, sms" in said
    assert main([str(tmp_path / "runs"), f"--output={out}"]) == 0
    assert not (out / "needs.csv").exists()
    assert not (out / "abstaining.csv").exists()
    assert not (out / "figures" / "abstaining-1.svg").exists()


@pytest.mark.parametrize("n_classes", [2, 6])
def test_curves_are_drawn_where_log_probabilities_are_at_hand_and_nowhere_else(tmp_path: Path, n_classes: int) -> None:
    names = tuple("abcdef"[:n_classes])
    folders = write_runs(tmp_path, ["news"], [10.0], ["none", "smote"], n_folds=2, class_names=names)
    evidence = evidences.read([tmp_path])
    results = Results(evidence, compare(evidence, ["accuracy"]))
    kinds = ("precision_recall", "costs", "abstaining")

    def drawn(results: Results) -> dict[str, Drawing]:
        plans = {name: next(iter(figures.kind(name).plans(results))) for name in kinds}
        return {name: drawing for name, plan in plans.items() if (drawing := plan.draw()) is not None}

    assert not drawn(results)
    for folder in folders:
        write_probabilities(folder, n_classes)
    evidence, served = later.judge(evidences.read([tmp_path]), [read_need("recall", "b=0.9")])
    found = drawn(Results(evidence, compare(evidence, ["accuracy"]), served))
    assert set(found) == {"precision_recall", "costs"}
    for drawing in found.values():
        shown = [axes for axes in drawing.figure.axes if axes.get_visible()]
        assert sorted(axes.get_title(loc="left") for axes in shown) == [*names[n_classes // 2 :]]
        assert all(f"{name}: " in drawing.alt or f"{name}, where" in drawing.alt for name in names[n_classes // 2 :])


def test_curves_are_those_of_scikit_learn_and_of_brute_force(run: Path) -> None:
    write_probabilities(run, changes={"data.rows_per_class": [180, 20]})
    splits = list(kept.splits(run, json.loads((run / records.RECORD).read_text())))
    labels = np.concatenate([split.labels for split in splits])
    spam = np.exp(np.concatenate([split.as_met for split in splits])[:, SPAM])
    recall, precision = precision_recall.curve(splits, SPAM)
    theirs = precision_recall_curve(labels == SPAM, spam)
    for at, best in zip(recall, precision, strict=True):
        assert best == pytest.approx(theirs[0][np.isclose(theirs[1], at)].max())
    ratios = np.array([0.3, 1.0, 7.0, 90.0])
    for ratio, found in zip(ratios, costs.relative_cost(splits, SPAM, ratios), strict=True):
        called = spam * ratio >= 1 - spam
        cost = ratio * (~called & (labels == SPAM)).sum() + (called & (labels == HAM)).sum()
        assert found == pytest.approx(cost / min(ratio * (labels == SPAM).sum(), (labels == HAM).sum()))


def test_a_split_without_a_test_row_of_the_class_says_nothing_of_what_was_kept() -> None:
    where = {"scenario": "a", "augmenter": "smote", "loss": "", "need": "recall spam=0.9", "measure": "recall[spam]"}
    rest = {"asked": 0.9, "seed": 0, "n_folds": 3, "reached": True, "threshold": 0.5}
    rows = [{**where, **rest, "fold": fold, "value": value} for fold, value in enumerate((0.95, 0.8, np.nan))]
    (kept_in,) = later.Later((), pd.DataFrame(rows)).needs_table["kept"]
    assert kept_in == 0.5


@pytest.mark.parametrize(
    ("text", "names", "label", "ratio"),
    [
        ("spam=10", ("ham", "spam"), 1, 10.0),
        ("spam=10", ("ham", "spam"), 0, 0.1),
        ("spam=10,ham=2", ("ham", "spam"), 1, 5.0),
        ("ham=2", ("ham", "spam"), 1, 0.5),
        ("spam=10", ("ham", "spam", "eggs"), 1, 10.0),
        ("spam=10,ham=2,eggs=2", ("ham", "spam", "eggs"), 1, 5.0),
        ("spam=10,ham=2", ("ham", "spam", "eggs"), 1, None),  # a false alarm costs 2 or 1
    ],
)
def test_a_cost_is_marked_where_it_is_one_ratio_of_misses_to_false_alarms(
    text: str, names: tuple[str, ...], label: int, ratio: float | None
) -> None:
    assert costs.ratio_of(read_need("costs", text), names, label) == ratio
    assert costs.ratio_of(read_need("metric", "mcc"), names, label) is None


def test_a_mark_stands_where_the_threshold_that_it_gives_is_that_of_the_need(run: Path) -> None:
    write_probabilities(run, changes={"data.rows_per_class": [180, 20]})
    need = read_need("costs", "spam=10,ham=4")
    ratio = costs.ratio_of(need, ("ham", "spam"), SPAM)
    _, served = later.judge(evidences.read([run]), [need])
    assert ratio is not None
    np.testing.assert_allclose(served.served["threshold"], 1 / (1 + ratio))


def test_a_metric_of_one_class_is_judged_under_its_own_thresholds_where_they_can_be_chosen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = write_runs(tmp_path / "runs", ["sms"], [10.0], ["none", "smote"], n_folds=3, class_names=("ham", "spam"))
    monkeypatch.setattr(draw, "sections", lambda results, before: [])
    asked = [str(tmp_path / "runs"), "metric=f1[spam]", f"output={tmp_path / 'out'}"]
    for is_kept in (False, True):
        if is_kept:
            for folder in folders:
                write_probabilities(folder)
        assert main(asked) == 0
        compared = pd.read_csv(tmp_path / "out" / "comparisons.csv", keep_default_na=False)
        assert ("metric f1[spam]" in set(compared["decision"])) is is_kept


def test_records_older_than_out_of_fold_rows_serve_costs_and_count_what_they_cannot_choose(run: Path) -> None:
    write_probabilities(run, out_of_fold=False)
    _, found = later.judge(evidences.read([run]), needs())
    reached = found.needs_table.groupby("need")["reached"].mean()
    assert reached.pop("costs spam=5") == 1
    assert (reached == 0).all()


def test_two_needs_of_one_name_are_said(run: Path, tmp_path: Path) -> None:
    write_probabilities(run)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "costs.csv").write_text(f"ham,spam\n0,1\n{len(name)},0\n")
    both = [read_need("costs", str(tmp_path / name / "costs.csv")) for name in ("a", "b")]
    with pytest.raises(
        UserError, match=r"costs costs.csv is asked for twice: give it once, or files of different names"
    ):
        later.judge(evidences.read([run]), both)


@pytest.mark.parametrize("option", ["--costs", "--cost"])
def test_costs_have_one_option_under_two_names(tmp_path: Path, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path), f"{option}={tmp_path / 'gone.csv'}"]) == 1
    assert capsys.readouterr().err.startswith(f"--costs={tmp_path / 'gone.csv'}: there is no file")


def test_a_rule_that_is_judged_later_changes_no_other_comparison(tmp_path: Path) -> None:
    for folder in write_runs(tmp_path, ["sms"], [10.0], ["none", "smote"], n_folds=3, class_names=("ham", "spam")):
        write_probabilities(folder)
    before = evidences.read([tmp_path])
    after = later.with_rules(before, [read_need("costs", "spam=5")])
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
def test_a_rule_that_cannot_be_is_said(kind: Kind, text: str, sentence: str) -> None:
    with pytest.raises(UserError) as raised:
        read_need(kind, text)
    assert sentence in str(raised.value)


def test_a_class_that_no_run_has_is_said(run: Path) -> None:
    with pytest.raises(UserError, match=r"no run has a class 'spm': did you mean spam\?"):
        later.with_rules(evidences.read([run]), [read_need("costs", "spm=2")])


def test_a_threshold_of_several_classes_is_refused(tmp_path: Path) -> None:
    (run,) = write_runs(tmp_path, ["news"], [10.0], ["none"], n_folds=2, class_names=("a", "b", "c"))
    write_probabilities(run, 3)
    with pytest.raises(UserError, match="takes two classes, and there are 3"):
        later.with_rules(evidences.read([run]), [read_need("threshold", "b=0.3")])


def test_probabilities_that_are_gone_or_others_are_said(run: Path) -> None:
    rule = read_need("costs", "spam=2")
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
    monkeypatch.setattr(draw, "sections", lambda results, before: [])
    asked = [str(tmp_path / "runs"), "metric=accuracy", "costs=spam=5", f"output={tmp_path / 'out'}"]
    assert main(asked) == 0
    compared = pd.read_csv(tmp_path / "out" / "comparisons.csv", keep_default_na=False)
    assert "costs spam=5" in set(compared["decision"])
    assert main([str(tmp_path / "runs"), "--costs=spm=5"]) == 1
    assert capsys.readouterr().err.startswith("no run has a class 'spm'")
