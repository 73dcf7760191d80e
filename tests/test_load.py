"""The scores of folders as one long table, for notebooks and files."""

from pathlib import Path

import pandas as pd
import pytest

from synaug.comparison.load import load
from synaug.errors import UserError
from tests import fabricated


def test_several_folders_are_one_table_whose_labels_are_text(tmp_path: Path) -> None:
    for folder, ratio in (("one", 10.0), ("two", None)):
        fabricated.write_runs(tmp_path / folder, datasets=["trec"], ratios=[ratio], augmenters=["none", "smote"])
    frame = load(tmp_path / "one", str(tmp_path / "two"))
    assert frame["run"].nunique() == 4
    assert set(frame["scenario"]) == {"trec · minilm · ir10 · mlp", "trec · minilm · natural · mlp"}
    assert list(frame.columns[-6:]) == ["seed", "fold", "decision", "metric", "class", "value"]
    assert not frame.duplicated(["run", "seed", "fold", "decision", "metric", "class"]).any()
    frame.to_parquet(tmp_path / "scores.parquet")
    assert len(pd.read_parquet(tmp_path / "scores.parquet")) == len(frame)


def test_an_augmenter_s_option_stands_beside_its_label(tmp_path: Path) -> None:
    settings = ({"amount": 0.5}, {"k_neighbors": 3})
    fabricated.write_runs(tmp_path, ["trec"], [10.0], ["none", "smote"], augmenter_settings=settings)
    frame = load(tmp_path).drop_duplicates("run")
    options = dict(zip(frame["augmenter"], frame["augmenter_option"], strict=True))
    assert options == {
        "none": "none",
        "smote k_neighbors unset 50 %": "smote",
        "smote k_neighbors=3 100 %": "smote",
    }


def test_folders_whose_runs_all_failed_have_no_table(tmp_path: Path) -> None:
    fabricated.write_failure(tmp_path, "a-run", "too few rows")
    with pytest.raises(UserError, match="all of its runs failed"):
        load(tmp_path)
