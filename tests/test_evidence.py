"""Runs are read once, named by all that differs, and never pooled or dropped unseen."""

import json
from pathlib import Path

import pandas as pd
import pytest

from synaug import evidence, record
from synaug.errors import UserError
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
    assert len(set(found.runs.block)) == 1
    members, validation = found.members("balanced_accuracy")
    assert list(members.columns) == ["block", "augmenter", "loss", "decision", "seed", "fold", "value"]
    assert len(members) == len(validation) == 2 * 10 * 3
    assert found.failures == []


def test_a_run_that_stands_in_two_folders_counts_once(tmp_path: Path, runs: list[Path]) -> None:
    assert len(evidence.read([tmp_path, *runs]).runs) == 2


def test_settings_that_differ_name_the_method_or_the_block(tmp_path: Path, runs: list[Path]) -> None:
    smote = next(run for run in runs if "smote" in run.name)
    altered(tmp_path, smote, augmenter__amount=0.5)
    altered(tmp_path, smote, classifier__loss__label_smoothing=0.1)
    altered(tmp_path, smote, max_steps=3000)
    found = evidence.read([tmp_path]).runs
    assert set(found.augmenter) == {"none", "smote 100 %", "smote 50 %"}
    assert set(found.loss) == {"", "label_smoothing=0.1"}
    assert {block.rpartition(" · ")[2] for block in found.block} == {"max_steps=1500", "max_steps=3000"}
    assert set(found["augmenter.amount"].dropna()) == {0.5, 1.0}


@pytest.mark.parametrize(
    ("change", "block"),
    [
        ({"classifier__optimizer__eps": 1.0}, "classifier.optimizer.eps=1"),
        ({"trainer__precision": "16-mixed"}, "trainer.precision=16-mixed"),
        ({"imbalance_ratio__minority": ["0123456789abcdef" * 4, "a"]}, "imbalance_ratio.minority="),
        ({"imbalance_ratio__minority": ["0123456789abcdef" * 4, "b"]}, "imbalance_ratio.minority="),
    ],
)
def test_a_setting_that_others_lack_makes_another_block(
    tmp_path: Path, runs: list[Path], change: dict[str, object], block: str
) -> None:
    altered(tmp_path, runs[0], **change)
    if "minority" in block:
        altered(tmp_path, runs[0], imbalance_ratio__minority=["0123456789abcdef" * 4, "c"])
    found = evidence.read([tmp_path]).runs
    assert len(set(found.block)) == (3 if "minority" in block else 2)
    assert any(block in each for each in found.block)


def test_a_sampler_s_setting_of_another_kind_makes_another_method(tmp_path: Path, runs: list[Path]) -> None:
    smote = next(run for run in runs if "smote" in run.name)
    altered(tmp_path, smote, augmenter__k_neighbors={"k": 3, "metric": "cosine"})
    found = evidence.read([tmp_path]).runs
    assert len(set(found.augmenter)) == 3


def test_two_ways_of_writing_a_number_are_one_block(tmp_path: Path, runs: list[Path]) -> None:
    for run in runs:
        written = json.loads((run / record.RECORD).read_text())
        written["config"]["imbalance_ratio"]["ratio"] = 10 if "none" in run.name else 10.0
        (run / record.RECORD).write_text(json.dumps(written))
    assert len(set(evidence.read([tmp_path]).runs.block)) == 1


def test_a_loss_that_only_sounds_plain_is_another(tmp_path: Path, runs: list[Path]) -> None:
    altered(tmp_path, runs[0], classifier__loss={"_target_": "mine.cross_entropy", "label_smoothing": 0.0})
    assert set(evidence.read([tmp_path]).runs.loss) == {"", "mine.cross_entropy"}


def test_a_loss_that_all_share_names_the_block(tmp_path: Path) -> None:
    losses = [{"_target_": "torch.nn.functional.cross_entropy", "label_smoothing": 0.1}]
    fabricated.write_runs(tmp_path, datasets=["trec"], ratios=[10.0], augmenters=["none", "smote"], losses=losses)
    found = evidence.read([tmp_path]).runs
    assert set(found.loss) == {""}
    assert set(found.block) == {"trec · minilm · ir10 · mlp · loss: label_smoothing=0.1"}


def test_two_contents_under_one_name_are_two_blocks(tmp_path: Path, runs: list[Path]) -> None:
    written = json.loads((runs[0] / record.RECORD).read_text())
    written["data"]["fingerprint"] = "0" * 64
    written["identity"], written["run"] = "1" * 64, "another"
    fabricated.write(tmp_path, written)
    found = evidence.read([tmp_path]).runs
    assert found.block.nunique() == 2
    assert all("content=" in block for block in found.block)


def test_a_choice_by_accuracy_is_a_choice_by_balanced_accuracy_where_classes_are_thinned(
    tmp_path: Path, runs: list[Path]
) -> None:
    fabricated.write_runs(tmp_path, datasets=["trec"], ratios=[None], augmenters=["none"])
    found = evidence.read([tmp_path])
    natural = found.runs.block[found.runs.ratio.isna()].iloc[0]
    key = ["block", "augmenter", "decision", "seed", "fold"]
    for metric, wanted in (
        ("accuracy", {True: "accuracy", False: "balanced_accuracy"}),
        ("mcc", {True: "mcc", False: "mcc"}),
    ):
        _, validation = found.members(metric)
        for is_natural, source in wanted.items():
            mine = validation[(validation.block == natural) == is_natural].set_index(key).value.sort_index()
            all_of_it = found.validation[found.validation.metric == source]
            theirs = all_of_it[(all_of_it.block == natural) == is_natural].set_index(key).value.sort_index()
            pd.testing.assert_series_equal(mine, theirs)


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
    members, validation = found.members("accuracy")
    assert members.empty
    assert validation.empty


def test_what_cannot_be_read_gets_a_sentence(tmp_path: Path, runs: list[Path]) -> None:
    with pytest.raises(UserError, match="is no folder: give the folder of an experiment"):
        evidence.read([tmp_path / "nowhere"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="give the folder of an experiment that has run"):
        evidence.read([tmp_path / "empty"])
    old = json.loads((runs[0] / record.RECORD).read_text()) | {"schema": 1}
    (runs[0] / record.RECORD).write_text(json.dumps(old))
    with pytest.raises(ValueError, match="is of schema 1, this synaug reads 2: run it again"):
        evidence.read([tmp_path])
