"""Runs are read once, named by all that differs, and never pooled or dropped unseen."""

import json
import os
import re
import shutil
from pathlib import Path

import pandas as pd
import pytest

from synaug import record
from synaug.comparison import compare as comparison
from synaug.comparison import evidence
from synaug.comparison.labels import Scenario
from synaug.comparison.load import load
from synaug.errors import UserError
from synaug.scores import metrics
from synaug.scores.decision import CANDIDATE_RULES, RULES
from tests import fabricated


def altered(folder: Path, run: Path, **config: object) -> None:
    """Write a run's record again with other settings (dotted names), as another run."""
    written = json.loads((run / record.RECORD).read_text())
    for key, value in config.items():
        *parents, leaf = key.split("__")
        node = written["config"]
        for parent in parents:
            node = node.setdefault(parent, {})
        node[leaf] = value
    written["identity"] = record.identity(written["config"], {"salt": str(config)})
    written["run"] = f"{run.name[:-8]}{written['identity'][:8]}"
    fabricated.write(folder, written)


@pytest.fixture
def runs(tmp_path: Path) -> list[Path]:
    fabricated.write_runs(tmp_path, datasets=["trec"], ratios=[10.0], augmenters=["none", "smote"])
    return sorted(path.parent for path in tmp_path.glob("*/record.json"))


def test_every_score_and_run_of_a_folder_is_there(tmp_path: Path, runs: list[Path]) -> None:
    found = evidence.read([tmp_path])
    assert set(found.runs.run) == {run.name for run in runs}
    assert set(found.runs.augmenter) == {"none", "smote"}
    assert len(set(found.runs.scenario)) == 1
    columns = ["scenario", "augmenter", "loss", "decision", "seed", "fold", "value", "with_synthesis"]
    test, out_of_fold = found.scores_of("balanced_accuracy"), found.out_of_fold()
    assert list(test.columns) == columns
    assert list(out_of_fold.columns) == [*columns, "new_points"]
    assert (out_of_fold["new_points"] == out_of_fold["with_synthesis"]).all()
    assert len(test) == 2 * 10 * len(RULES)
    assert len(out_of_fold) == 2 * 10 * len(CANDIDATE_RULES)
    assert (test["with_synthesis"] == (test["augmenter"] == "smote")).all()
    assert found.failures == []


def test_a_run_that_stands_in_two_folders_counts_once(tmp_path: Path, runs: list[Path]) -> None:
    assert len(evidence.read([tmp_path, *runs]).runs) == 2


def test_of_a_run_in_two_folders_the_record_with_more_seeds_counts(tmp_path: Path) -> None:
    for folder, seeds in (("a", [0]), ("b", [0, 1]), ("c", [1, 2])):
        fabricated.write_runs(tmp_path / folder, ["trec"], [10.0], ["none"], n_folds=3, seeds=[0, 1, 2])
        (path,) = (tmp_path / folder).glob("*/record.json")
        keep_seeds(path, seeds)
    for folders in (["a", "b"], ["b", "a"]):
        found = evidence.read([tmp_path / folder for folder in folders])
        assert set(found.scores["seed"]) == {0, 1}
        assert not found.left_out
    found = evidence.read([tmp_path / "b", tmp_path / "c"])
    assert set(found.scores["seed"]) == {0, 1}
    assert "has other seeds than" in found.left_out[0]


def keep_seeds(path: Path, seeds: list[int]) -> None:
    """Leave of a record what is of some seeds."""
    content = json.loads(path.read_text())
    content["config"]["seeds"] = seeds
    for table in ("scores", "validation_scores"):
        content[table]["data"] = [row for row in content[table]["data"] if row[0] in seeds]
    path.write_text(json.dumps(content))


def test_settings_that_differ_name_the_method_or_the_scenario(tmp_path: Path, runs: list[Path]) -> None:
    smote = next(run for run in runs if "smote" in run.name)
    altered(tmp_path, smote, augmenter__amount=0.5)
    altered(tmp_path, smote, loss__label_smoothing=0.1)
    altered(tmp_path, smote, max_steps=3000)
    found = evidence.read([tmp_path]).runs
    assert set(found.augmenter) == {"none", "smote 100 %", "smote 50 %"}
    assert set(found.loss) == {"", "label_smoothing=0.1"}
    assert {scenario.settings for scenario in found.scenario} == {("max_steps=512",), ("max_steps=3000",)}
    assert set(found["augmenter.amount"].dropna()) == {0.5, 1.0}


@pytest.mark.parametrize(
    ("change", "setting"),
    [
        ({"classifier__optimizer__eps": 1.0}, "classifier.optimizer.eps=1"),
        ({"trainer__precision": "16-mixed"}, "trainer.precision=16-mixed"),
        ({"imbalance_ratio__minority": ["0123456789abcdef" * 4, "a"]}, "imbalance_ratio.minority="),
        ({"imbalance_ratio__minority": ["0123456789abcdef" * 4, "b"]}, "imbalance_ratio.minority="),
    ],
)
def test_a_setting_that_others_lack_makes_another_scenario(
    tmp_path: Path, runs: list[Path], change: dict[str, object], setting: str
) -> None:
    altered(tmp_path, runs[0], **change)
    if "minority" in setting:
        altered(tmp_path, runs[0], imbalance_ratio__minority=["0123456789abcdef" * 4, "c"])
    found = evidence.read([tmp_path]).runs
    assert len(set(found.scenario)) == (3 if "minority" in setting else 2)
    assert any(setting in given for scenario in found.scenario for given in scenario.settings)


def test_a_sampler_s_setting_of_another_kind_makes_another_method(tmp_path: Path, runs: list[Path]) -> None:
    smote = next(run for run in runs if "smote" in run.name)
    altered(tmp_path, smote, augmenter__k_neighbors={"k": 3, "metric": "cosine"})
    found = evidence.read([tmp_path]).runs
    assert len(set(found.augmenter)) == 3


def test_settings_that_end_alike_are_named_in_full(tmp_path: Path, runs: list[Path]) -> None:
    smote = next(run for run in runs if "smote" in run.name)
    for far, near in ((3, 5), (3, 7), (4, 5)):
        altered(tmp_path, smote, augmenter__far__metric_order=far, augmenter__near__metric_order=near)
    found = set(evidence.read([tmp_path]).runs.augmenter)
    assert "smote far.metric_order=3 near.metric_order=7" in found
    assert len(found) == 5  # with none, and smote as it is


def test_two_ways_of_writing_a_number_are_one_scenario(tmp_path: Path, runs: list[Path]) -> None:
    for run in runs:
        written = json.loads((run / record.RECORD).read_text())
        written["config"]["imbalance_ratio"]["ratio"] = 10 if "none" in run.name else 10.0
        (run / record.RECORD).write_text(json.dumps(written))
    assert len(set(evidence.read([tmp_path]).runs.scenario)) == 1


def test_losses_are_named_by_option_and_by_what_differs_and_plain_goes_without_saying(tmp_path: Path) -> None:
    losses: list[fabricated.Loss] = ["plain", "class_weighted", ("focal", {"gamma": 1.0}), ("focal", {"gamma": 2.0})]
    fabricated.write_runs(tmp_path, ["trec"], [10.0], ["none", "smote"], losses=losses)
    found = evidence.read([tmp_path]).runs
    assert set(found["loss"]) == {"", "class_weighted", "focal gamma=1", "focal gamma=2"}
    assert set(found["loss_option"]) == {"plain", "class_weighted", "focal"}
    assert len(set(found["scenario"])) == 1
    smoothed: list[fabricated.Loss] = [("plain", {"label_smoothing": value}) for value in (0.0, 0.1)]
    fabricated.write_runs(tmp_path / "smoothed", ["imdb"], [10.0], ["none"], losses=smoothed)
    assert set(evidence.read([tmp_path / "smoothed"]).runs["loss"]) == {"", "label_smoothing=0.1"}


def test_a_loss_that_all_share_is_named_all_the_same(tmp_path: Path) -> None:
    """Or what is no baseline would be taken for it."""
    fabricated.write_runs(tmp_path, ["trec"], [10.0], ["none", "smote"], losses=["class_weighted"])
    found = evidence.read([tmp_path]).runs
    assert set(found["loss"]) == {"class_weighted"}
    assert set(found["scenario"]) == {Scenario("trec", "minilm", "ir10", "mlp")}


def test_a_loss_that_an_older_record_has_among_the_classifier_s_settings_is_named(
    tmp_path: Path, runs: list[Path]
) -> None:
    for run, loss in zip(runs, ("mine.cross_entropy", "torch.nn.functional.cross_entropy"), strict=True):
        written = json.loads((run / record.RECORD).read_text())
        del written["choices"]["loss"], written["config"]["loss"]
        written["config"]["classifier"]["loss"] = {"_target_": loss, "label_smoothing": 0.0}
        (run / record.RECORD).write_text(json.dumps(written))
    assert set(evidence.read([tmp_path]).runs["loss"]) == {"", "mine.cross_entropy"}


def test_ways_of_choosing_other_than_the_default_make_another_scenario_and_are_named(
    tmp_path: Path, runs: list[Path]
) -> None:
    for run in runs:
        written = json.loads((run / record.RECORD).read_text())
        written["choices"]["validation"] = "holdout"
        written["config"]["validation"] = {"_target_": "synaug.validation.Holdout", "share": 0.1}
        written["identity"] = record.identity(written["config"], {"of": run.name})
        written["run"] = f"{run.name[:-8]}{written['identity'][:8]}"
        fabricated.write(tmp_path, written)
    scenarios = set(evidence.read([tmp_path]).runs["scenario"])
    assert {scenario.settings for scenario in scenarios} == {(), ("validation=holdout",)}


@pytest.mark.parametrize(("new", "expected"), [(0, False), (3, True), (None, True)])
def test_synthesis_is_told_by_new_points_and_of_older_records_by_the_augmenter(
    tmp_path: Path, runs: list[Path], new: int | None, expected: bool
) -> None:
    run = next(run for run in runs if "smote" in run.name)
    written = json.loads((run / record.RECORD).read_text())
    table = written["balance"]
    at = table["columns"].index("new")
    for number, row in enumerate(table["data"]):
        row[at] = new if number == 5 else 0
    if new is None:
        table["columns"].pop(at)
        for row in table["data"]:
            row.pop(at)
    (run / record.RECORD).write_text(json.dumps(written))
    found = evidence.read([tmp_path]).runs.set_index("augmenter")["with_synthesis"]
    assert found.to_dict() == {"none": False, "smote": expected}


def test_repetition_and_removal_are_without_synthesis(tmp_path: Path) -> None:
    fabricated.write_runs(tmp_path, ["trec"], [10.0], ["none", "random", "random_under", "smote"])
    found = evidence.read([tmp_path])
    assert set(found.runs["augmenter"][found.runs["with_synthesis"]]) == {"smote"}
    assert not found.idle_scenarios()


def test_a_rule_of_the_name_that_a_comparison_uses_is_refused(tmp_path: Path, runs: list[Path]) -> None:
    written = json.loads((runs[0] / record.RECORD).read_text())
    for row in written["scores"]["data"]:
        row[2] = "chosen" if row[2] == "tuned" else row[2]
    (runs[0] / record.RECORD).write_text(json.dumps(written))
    with pytest.raises(UserError, match=r"has a decision rule called chosen, .*: give it another name and run again"):
        evidence.read([tmp_path])


def test_what_follows_from_the_ratio_is_in_no_name_of_a_scenario(tmp_path: Path) -> None:
    fabricated.write_runs(tmp_path, datasets=["trec"], ratios=[None, 10.0], augmenters=["none"])
    found = evidence.read([tmp_path])
    assert not any(record.IN_PROPORTION in str(scenario) for scenario in found.runs["scenario"])
    assert not [column for column in found.runs.columns if record.IN_PROPORTION in column]


def test_two_contents_under_one_name_are_two_scenarios(tmp_path: Path, runs: list[Path]) -> None:
    written = json.loads((runs[0] / record.RECORD).read_text())
    written["data"]["fingerprint"] = "0" * 64
    written["identity"], written["run"] = "1" * 64, "another"
    fabricated.write(tmp_path, written)
    found = evidence.read([tmp_path]).runs
    assert found.scenario.nunique() == 2
    assert all("content=" in str(scenario) for scenario in found.scenario)


def test_failures_say_whether_the_last_sweep_wanted_them_and_whether_a_record_stands(
    tmp_path: Path, runs: list[Path]
) -> None:
    fabricated.write_failure(tmp_path, "wanted", "too few rows")
    fabricated.write_failure(tmp_path, "mistyped", "no such thing")
    fabricated.write_failure(tmp_path, runs[0].name, "disk full")  # a forced run, as a success clears it
    (tmp_path / record.SWEEP).write_text(json.dumps({"runs": ["wanted", runs[0].name]}))
    found = {each["run"]: each for each in evidence.read([tmp_path]).failures}
    current = {run: each["current"] for run, each in found.items()}
    assert current == {"wanted": True, "mistyped": False, runs[0].name: True}
    assert found[runs[0].name]["sentence"] == "an older record stands, but running it again failed: disk full"
    assert found["wanted"]["sentence"] == "too few rows"


def test_failures_alone_can_be_read(tmp_path: Path) -> None:
    fabricated.write_failure(tmp_path, "a-run", "too few rows")
    found = evidence.read([tmp_path])
    assert found.runs.empty
    assert len(found.failures) == 1
    assert found.scores_of("accuracy").empty
    assert found.minority_scores("recall").empty
    assert found.out_of_fold().empty


def test_what_cannot_be_read_gets_a_sentence(tmp_path: Path, runs: list[Path]) -> None:
    with pytest.raises(UserError, match="is not a folder: give the folder of an experiment"):
        evidence.read([tmp_path / "nowhere"])
    with pytest.raises(UserError, match="no folder is given: give the folder of an experiment"):
        evidence.read([])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="give the folder of an experiment that has run"):
        evidence.read([tmp_path / "empty"])
    for run in runs:
        newer = json.loads((run / record.RECORD).read_text()) | {"schema": record.SCHEMA + 1}
        (run / record.RECORD).write_text(json.dumps(newer))
    with pytest.raises(
        UserError,
        match=r"no sound record\.json below .* is of schema \d+, newer than the \d+ that this synaug reads\): up",
    ):
        evidence.read([tmp_path])


@pytest.mark.parametrize("name", ["record.json", "failure.json", "sweep.json"])
@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b"{", b"[" * 100_000, b'{"schema": 1, "runs": 1}'])
def test_one_file_of_another_shape_is_named_and_the_rest_is_read(
    tmp_path: Path, runs: list[Path], name: str, content: bytes
) -> None:
    bad = (tmp_path if name == "sweep.json" else tmp_path / "broken") / name
    bad.parent.mkdir(exist_ok=True)
    bad.write_bytes(content)
    found = evidence.read([tmp_path])
    assert set(found.runs.run) == {run.name for run in runs}
    (sentence,) = found.left_out
    assert sentence.startswith(f"{bad} ")
    words = comparison.compare(found, ["accuracy"]).verdict
    assert any(sentence in caution for caution in words.cautions)
    with pytest.warns(UserWarning, match=re.escape(f"left out: {bad} ")):
        assert set(load(tmp_path).run) == {run.name for run in runs}


def test_what_is_no_file_is_named_and_the_rest_is_read(tmp_path: Path, runs: list[Path]) -> None:
    for name in ("pipe", "link", "folder"):
        (tmp_path / name).mkdir()
    os.mkfifo(tmp_path / "pipe" / record.RECORD)
    os.mkfifo(tmp_path / "pipe" / record.FAILURE)
    (tmp_path / "link" / record.RECORD).symlink_to(tmp_path / "nowhere")
    (tmp_path / "folder" / record.RECORD).mkdir()
    found = evidence.read([tmp_path])
    assert set(found.runs.run) == {run.name for run in runs}
    assert [sentence.partition(" is ")[2] for sentence in found.left_out] == [
        "a folder",
        "a link to nothing",
        "not a regular file",
        "not a regular file",
    ]


def test_a_record_in_the_folder_of_another_run_is_named(tmp_path: Path, runs: list[Path]) -> None:
    none, smote = sorted(runs)
    shutil.copy(none / record.RECORD, smote / record.RECORD)
    found = evidence.read([tmp_path])
    assert set(found.runs.run) == {none.name}
    assert found.left_out == [f"{smote / record.RECORD} is the record of another run, {none.name}"]


def test_a_folder_that_was_renamed_is_read(tmp_path: Path, runs: list[Path]) -> None:
    runs[0].rename(tmp_path / "my favourite")
    found = evidence.read([tmp_path])
    assert set(found.runs.run) == {run.name for run in runs}
    assert found.left_out == []


def test_one_run_with_two_results_is_named(tmp_path: Path, runs: list[Path]) -> None:
    copy = tmp_path / "elsewhere" / runs[0].name
    shutil.copytree(runs[0], copy)
    assert evidence.read([tmp_path]).left_out == []
    written = json.loads((copy / record.RECORD).read_text())
    written["scores"]["data"][0][-1] = 0.123
    (copy / record.RECORD).write_text(json.dumps(written))
    found = evidence.read([tmp_path])
    assert len(found.runs) == 2
    (sentence,) = found.left_out
    assert "has other scores than" in sentence
    assert str(copy) in sentence or str(runs[0]) in sentence


def sampler_settings(folder: Path, *values: object) -> pd.DataFrame:
    """Runs of SMOTE with these values of `k_neighbors`; `...` for none."""
    fabricated.write_runs(folder, datasets=["trec"], ratios=[10.0], augmenters=["none"])
    for value in values:
        settings = {} if value is ... else {"k_neighbors": value}
        fabricated.write_runs(
            folder, datasets=["trec"], ratios=[10.0], augmenters=["smote"], augmenter_settings=[settings]
        )
    return evidence.read([folder]).runs


def test_numbers_and_absence_stay_apart(tmp_path: Path) -> None:
    runs = sampler_settings(tmp_path, 3, 5, ...)
    assert set(runs.augmenter) == {"none", "smote k_neighbors=3", "smote k_neighbors=5", "smote k_neighbors unset"}
    column = runs["augmenter.k_neighbors"]
    assert column.dtype == float
    assert dict(zip(runs.augmenter, column, strict=True))["smote k_neighbors=3"] == 3
    assert column.isna().sum() == 2  # of none and of the run without


@pytest.mark.parametrize(
    ("values", "labels", "column"),
    [
        ((3, "3"), {"3", "'3'"}, {"3"}),
        ((3, "auto"), {"3", "auto"}, {"3", "auto"}),
        ((1, True), {"1", "True"}, {"1", "true"}),
        ((True, False), {"True", "False"}, {True, False}),
        ((3, None), {"3", "None"}, {3}),
        ((None, "None"), {"None", "'None'"}, {"None"}),
        ((..., "unset"), {None, "'unset'"}, {"unset"}),
        ((3, [3, "a"]), {"3", "[3, 'a']"}, {"3", "[3, 'a']"}),
        ((10**30, 3), {str(10**30), "3"}, {str(10**30), "3"}),
        ((0.5, "1e3", ...), {"0.5", "'1e3'", None}, {"0.5", "1e3"}),
    ],
)
def test_settings_of_several_kinds_are_told_apart_and_can_be_stored(
    tmp_path: Path, values: tuple[object, ...], labels: set[str | None], column: set[object]
) -> None:
    runs = sampler_settings(tmp_path / "runs", *values)
    named = {f"smote k_neighbors={label}" if label else "smote k_neighbors unset" for label in labels}
    assert set(runs.augmenter) == {"none", *named}
    assert set(runs["augmenter.k_neighbors"].dropna()) == column
    scores = load(tmp_path / "runs")
    scores.to_parquet(tmp_path / "scores.parquet")
    back = pd.read_parquet(tmp_path / "scores.parquet")["augmenter.k_neighbors"]
    assert set(back.dropna()) == column
    assert back.isna().sum() == scores["augmenter.k_neighbors"].isna().sum()


def own_file(folder: Path, name: str, content: str, **data: object) -> list[Path]:
    """Runs of a user's own file, as they were before files had names where `name` is "files"."""
    written = []
    for run in fabricated.write_runs(folder, datasets=[content], ratios=[10.0], augmenters=["none", "smote"]):
        made = json.loads((run / record.RECORD).read_text())
        shutil.rmtree(run)
        made["choices"]["dataset"] = "files"
        made["config"]["dataset"] |= {"_target_": "synaug.dataset.FileDataset", "name": name}
        made["data"] |= {"name": name, **data}
        made["identity"] = record.identity(made["config"], {"content": content, "name": name})
        made["run"] = "-".join([*made["choices"].values(), made["identity"][:8]])
        written.append(fabricated.write(folder, made))
    return written


def test_own_files_are_shown_by_name_and_known_by_content(tmp_path: Path) -> None:
    own_file(tmp_path, "reviews", "one")
    own_file(tmp_path, "tickets · 2024", "two")
    runs = evidence.read([tmp_path]).runs
    assert set(runs.dataset) == {"reviews", "tickets · 2024"}
    assert {str(scenario) for scenario in runs.scenario} == {
        "reviews · minilm · ir10 · mlp",
        "tickets · 2024 · minilm · ir10 · mlp",
    }
    assert runs.content.nunique() == 2
    words = comparison.compare(evidence.read([tmp_path]), ["accuracy"]).verdict
    assert set(words.datasets) == {"reviews", "tickets · 2024"}
    assert any("On reviews at 1:10" in sentence for sentence in words.datasets["reviews"])


def test_two_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for name in ("files", "reviews"):
        own_file(tmp_path / name, name, "one")
        own_file(tmp_path / name, name, "two")
        runs = evidence.read([tmp_path / name]).runs
        assert runs.dataset.nunique() == runs.content.nunique() == runs.scenario.nunique() == 2
        assert all(re.fullmatch(rf"{name} #[0-9a-f]{{6}}", shown) for shown in runs.dataset)


def test_one_file_under_two_names_is_one_data_set(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        own_file(tmp_path, name, "one")
    found = evidence.read([tmp_path])
    assert set(found.runs.dataset) == {"a", "b", "c"}
    assert len(set(found.runs.content)) == 1
    ranking = comparison.compare(found, ["accuracy"]).rankings["accuracy"]
    assert any("come from 1 data set;" in caution for caution in ranking.cautions)


def test_the_same_texts_of_two_files_and_two_parts_of_one_file_are_one_data_set(tmp_path: Path) -> None:
    own_file(tmp_path, "csv", "one", source="file:1", fingerprint="a")
    own_file(tmp_path, "jsonl", "two", source="file:2", fingerprint="a")
    own_file(tmp_path, "part", "three", source="file:2", fingerprint="b")
    own_file(tmp_path, "other", "four", source="file:3", fingerprint="c")
    runs = evidence.read([tmp_path]).runs
    assert runs.groupby("content").dataset.unique().map(sorted).map(tuple).to_list() in (
        [("csv", "jsonl", "part"), ("other",)],
        [("other",), ("csv", "jsonl", "part")],
    )


def test_a_failure_of_one_own_file_is_no_failure_of_another(tmp_path: Path) -> None:
    own_file(tmp_path, "a", "one")
    (none, smote) = own_file(tmp_path, "b", "two")
    written = json.loads((smote / record.RECORD).read_text())
    (smote / record.RECORD).unlink()
    fabricated.write_failure(tmp_path, smote.name, "too few rows", of=written)
    vae = f"{smote.name[:-8].replace('smote', 'vae')}01234567"
    written["choices"]["augmenter"] = "vae"
    fabricated.write_failure(tmp_path, vae, "diverged", of=written)
    gaps = comparison.compare(evidence.read([tmp_path]), ["accuracy"]).gaps
    assert gaps[["augmenter", "reason"]].to_numpy().tolist() == [["smote", "failed: too few rows"]]
    (none / record.RECORD).unlink()
    assert comparison.compare(evidence.read([tmp_path]), ["accuracy"]).gaps.empty


CLASSES = ("", "None", "nan", "null", "NA", "true", "1e3", "naïve", 'a"b', "x,y")


def test_a_class_of_any_name_stays_a_class_and_is_never_missing(tmp_path: Path) -> None:
    fabricated.write_runs(
        tmp_path, datasets=["trec"], ratios=[10.0], augmenters=["none"], n_folds=2, class_names=CLASSES
    )
    scores = load(tmp_path)
    of_all = {*metrics.METRICS}
    assert set(scores["class"].dropna()) == set(CLASSES)
    assert set(scores["metric"][scores["class"].isna()]) == of_all
    assert set(scores["metric"][scores["class"].notna()]) == set(metrics.CLASS_METRICS)
    scores.to_parquet(tmp_path / "scores.parquet")
    back = pd.read_parquet(tmp_path / "scores.parquet")
    assert back["class"].astype(object).fillna(-1).tolist() == scores["class"].astype(object).fillna(-1).tolist()


def test_a_run_that_was_recorded_after_its_failure_did_not_fail(tmp_path: Path, runs: list[Path]) -> None:
    record.write_failure(runs[0], {"error": "no", "sentence": "no", "type": "E", "overrides": []})
    assert evidence.read([tmp_path]).failures[0]["recorded"]
    written = json.loads((runs[0] / record.RECORD).read_text())
    written["cost"]["finished"] = "2026-11-26T00:00:00Z"
    (runs[0] / record.RECORD).write_text(json.dumps(written))
    assert evidence.read([tmp_path]).failures == []
    # As an older version wrote it, which did not say what stood there: then the files' times tell.
    fabricated.write_failure(tmp_path, runs[0].name, "no")
    os.utime(runs[0] / record.FAILURE, (1, 1))
    assert evidence.read([tmp_path]).failures == []


def test_a_record_that_is_not_sound_makes_its_failure_no_success(tmp_path: Path, runs: list[Path]) -> None:
    (runs[0] / record.RECORD).write_text("[]")
    fabricated.write_failure(tmp_path, runs[0].name, "no")
    (failure,) = evidence.read([tmp_path]).failures
    assert (failure["sentence"], failure["recorded"]) == ("no", False)


def test_the_share_of_rows_that_a_fallback_made_is_known(tmp_path: Path) -> None:
    fabricated.write_runs(tmp_path, datasets=["trec"], ratios=[10.0])
    shares = evidence.read([tmp_path]).runs.groupby("augmenter")["by_fallback"].max()
    assert pd.isna(shares["none"])  # which made none
    assert shares["smote"] == shares["random"] == 0
    assert 0 < shares["adasyn"] < 0.5


def test_rows_that_replaced_others_count_as_made(tmp_path: Path) -> None:
    """Of 20 rows 15 were kept and 25 are there in the end: 10 are new, of which a fallback made 4."""
    run, *_ = fabricated.write_runs(tmp_path, datasets=["trec"], ratios=[10.0], augmenters=["smote"])
    written = json.loads((run / record.RECORD).read_text())
    name = written["data"]["class_names"][0]
    columns = ["seed", "fold", "class", "real", "kept", "asked", "made", "made_by_fallback", "reason"]
    written["balance"] = {"columns": columns, "data": [[0, 0, name, 20, 15, None, 5, 4, "few rows"]]}
    (run / record.RECORD).write_text(json.dumps(written))
    (row,) = evidence.read([tmp_path]).runs[["rows_made", "by_fallback"]].to_numpy().tolist()
    assert row == [15, 0.4]
