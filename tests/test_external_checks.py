"""`python -m synaug.check` follows MTEB's protocol to the letter, and says what does not agree."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from imblearn.over_sampling import SMOTE
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from synaug.check import gaussians, mteb, ours, peers
from synaug.check.comparison import Comparison, table
from synaug.command import external_checks
from synaug.errors import UserError
from tests import program as programs
from tests import toy
from tests.program import Outcome
from tests.thorough import THOROUGH

CONF = Path(__file__).parent / "conf"
CLASSES = ("sport", "trade", "space")


def check(*arguments: str) -> Outcome:
    """Run ``python -m synaug.check`` with these arguments, here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(programs, "main", external_checks.main)
        return programs.run(*arguments)


@pytest.fixture
def toy_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A mirror with a data set of the hub's kind whose texts repeat, and the words that make a task of it."""
    folder = tmp_path / "mirror" / "toy" / "topics"
    folder.mkdir(parents=True)
    for split, n, seed in (("train", 40, 0), ("test", 15, 1)):
        texts, names = toy.texts(n, CLASSES, seed)
        order = np.random.RandomState(seed).permutation(len(texts))
        frame = pd.DataFrame({"text": texts, "label": [CLASSES.index(name) for name in names]}).iloc[order]
        if split == "train":  # a merge would change which rows are drawn
            frame = pd.concat([frame.head(20), frame])
        frame.to_parquet(folder / f"{split}-00000-of-00001.parquet", index=False)
    monkeypatch.setenv("SYNAUG_DATA", str(tmp_path / "mirror"))
    (tmp_path / "conf" / "dataset").mkdir(parents=True)
    (tmp_path / "conf" / "dataset" / "topics.yaml").write_text(
        "_target_: synaug.dataset.HubDataset\nname: topics\nhub_id: toy/topics\nsplits: [train, test]\n"
        f"text: text\nlabel: label\nclass_names: [{', '.join(CLASSES)}]\n"
    )
    (tmp_path / "conf" / "encoder").mkdir()
    (tmp_path / "conf" / "encoder" / "toy.yaml").write_text((CONF / "encoder" / "toy.yaml").read_text())
    return [
        f"--config-dir={tmp_path / 'conf'}",
        f"cache_dir={tmp_path / 'cache'}",
        "task=Topics",
        "dataset=topics",
        "encoder=toy",
        "k=4",
    ]


def by_hand(folder: Path, k: int) -> dict[str, Any]:
    """The protocol as MTEB writes it: a shuffle of what was shuffled before, and a count for each label."""
    train, test = (pd.read_parquet(folder / f"{split}-00000-of-00001.parquet") for split in ("train", "test"))
    encoder = toy.HashingEncoder(32)
    X, y = encoder.encode(list(train.text)), train.label.to_numpy()
    X_test, y_test = encoder.encode(list(test.text)), test.label.to_numpy()
    rows = list(range(len(y)))
    scores = []
    for _ in range(10):
        np.random.RandomState(42).shuffle(rows)
        taken = dict.fromkeys(set(y), 0)
        drawn = []
        for row in rows:
            if taken[y[row]] < k:
                drawn.append(row)
                taken[y[row]] += 1
        predicted = LogisticRegression(max_iter=100, random_state=42).fit(X[drawn], y[drawn]).predict(X_test)
        scores.append({"accuracy": (predicted == y_test).mean(), "f1": f1_score(y_test, predicted, average="macro")})
    means = {name: float(np.mean([each[name] for each in scores])) for name in ("accuracy", "f1")}
    of_test = {**means, "hf_subset": "default", "scores_per_experiment": scores}
    return {"task_name": "Topics", "scores": {"test": [of_test]}}


def test_a_task_of_one_s_own_agrees_with_the_protocol_done_by_hand(toy_task: list[str], tmp_path: Path) -> None:
    published = tmp_path / "Topics.json"
    published.write_text(json.dumps(by_hand(tmp_path / "mirror" / "toy" / "topics", 4)))
    outcome = check(*toy_task, f"published={published}")
    assert outcome.code == 0, outcome.err
    assert "12 of 12 values agree" in outcome.out


def test_what_does_not_agree_is_said_and_ends_with_1(toy_task: list[str], tmp_path: Path) -> None:
    published = tmp_path / "Topics.json"
    scores = by_hand(tmp_path / "mirror" / "toy" / "topics", 4)
    scores["scores"]["test"][0]["f1"] += 0.01
    published.write_text(json.dumps(scores))
    outcome = check(*toy_task, f"published={published}")
    assert outcome.code == 1
    assert "11 of 12 values agree" in outcome.out
    assert next(line for line in outcome.out.splitlines() if "DOES NOT AGREE" in line).lstrip().startswith("macro F1")


def test_emotion_agrees_with_the_published_scores(mirror: Path, tmp_path: Path) -> None:
    outcome = check("task=Emotion", f"cache_dir={tmp_path}")
    assert outcome.code == 0, outcome.err
    assert "12 of 12 values agree" in outcome.out


def test_data_out_of_reach_are_said_not_to_be_checked(
    no_mirror: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The last is of five times as many rows.
    monkeypatch.setattr(gaussians, "CASES", gaussians.CASES if THOROUGH else gaussians.CASES[:-1])
    outcome = check(f"cache_dir={tmp_path}")
    assert "not checked: MTEB's EmotionClassification" in outcome.out
    assert "set SYNAUG_DATA to a folder that holds dair-ai/emotion" in outcome.out
    assert outcome.out.rstrip().endswith("agree; not checked: 1")
    assert outcome.code == 0


def test_a_task_asked_for_whose_data_are_out_of_reach_is_an_error(no_mirror: None, tmp_path: Path) -> None:
    outcome = check("task=Banking77", f"cache_dir={tmp_path}")
    assert outcome.code == 1
    assert "PolyAI/banking77 is not in its cache" in outcome.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["k=8"], "k=8 describes a task: name the task, too, with task=..."),
        (["task=Banking77", "k=many"], "k=many must be a whole number of at least 1"),
        (["task=Banking77", "k=4"], "k=4 must be 8, as in the published scores of Banking77Classification"),
        (["task=Mine", "k=4"], "task=Mine is not known here (EmotionClassification, "),
        (["task=Emotion", "published=nowhere.json"], "published=nowhere.json cannot be read"),
        (
            ["task=Emotion", "encoder=toy"],
            "are of sentence-transformers/all-MiniLM-L6-v2, not of tests.toy.HashingEncoder",
        ),
        (["task=Emotion", "dataset=rotten_tomatos"], "rotten_tomatos"),
    ],
)
def test_what_cannot_be_checked_is_said_in_a_sentence(words: list[str], said: str, tmp_path: Path) -> None:
    outcome = check(f"--config-dir={CONF}", *words, f"cache_dir={tmp_path}")
    assert outcome.code == 1
    assert said in outcome.err
    assert "Traceback" not in outcome.err


def test_help_names_the_known_tasks() -> None:
    outcome = check("--help")
    assert outcome.code == 0
    assert all(task.name in outcome.out for task in mteb.TASKS)


def test_a_file_without_scores_of_the_test_split_is_refused(tmp_path: Path) -> None:
    (tmp_path / "odd.json").write_text(json.dumps({"scores": {"validation": []}}))
    with pytest.raises(UserError, match="holds no accuracy and f1 of the split 'test'"):
        mteb.read_published(tmp_path / "odd.json")


def test_a_class_with_fewer_than_k_rows_gives_all_of_them() -> None:
    labels = np.array([0] * 9 + [1] * 2)
    for rows in mteb.draws(labels, 4):
        assert np.bincount(labels[rows]).tolist() == [4, 2]
        assert len(set(rows.tolist())) == 6


def test_nan_never_agrees() -> None:
    assert not Comparison("x", float("nan"), 1.0, 1.0).agrees


def test_the_table_names_each_value_and_what_was_allowed() -> None:
    lines = table("title", [Comparison("a", 0.5, 0.5, 1e-3), Comparison("b", 0.5, 0.7, 1e-3)]).splitlines()
    assert lines[2].split() == ["a", "0.5000", "0.5000", "+0.0e+00", "1.0e-03", "agrees"]
    assert lines[3].endswith("DOES NOT AGREE")


def test_samplers_agree_with_imbalanced_learn() -> None:
    compared = list(peers.compare_samplers())
    assert len(compared) == 4
    assert all(each.agrees for each in compared)


def test_a_sampler_that_draws_otherwise_does_not_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "clone", lambda sampler: SMOTE(k_neighbors=3))
    assert not any(each.agrees for each in peers.compare_samplers())


def test_models_agree_with_scikit_learn() -> None:
    compared = list(peers.compare_models())
    assert len(compared) == 3
    assert all(each.agrees for each in compared)


def test_an_mlp_that_begins_with_other_weights_does_not_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    def other_weights(n_features: int, n_classes: int, hidden: Sequence[int]) -> Any:
        return [(weight[::-1], bias) for weight, bias in ours.first_weights(n_features, n_classes, hidden)]

    monkeypatch.setattr(peers, "first_weights", other_weights)
    assert [each.agrees for each in peers.compare_models()] == [True, False, False]


@pytest.mark.parametrize(("corrected", "agree"), [(True, [True, True]), (False, [True, False])])
def test_two_gaussian_classes_agree_with_the_formula_if_the_prior_is_corrected(
    monkeypatch: pytest.MonkeyPatch, corrected: bool, agree: list[bool]
) -> None:
    monkeypatch.setattr(gaussians, "CASES", gaussians.CASES[:1])
    if not corrected:
        monkeypatch.setattr(gaussians, "prior_correction", lambda carried, target: np.zeros(2))
    assert [each.agrees for each in gaussians.compare()] == agree


def test_the_formula_is_the_mean_recall_of_the_shifted_threshold() -> None:
    rows, labels = gaussians.gaussian_rows((10**6, 10**6), 2.0, np.random.RandomState(0))
    decided = 2.0 * rows[:, 0] > np.log(9)
    recalls = [(decided[labels == label] == label).mean() for label in (0, 1)]
    assert gaussians.formula(2.0, np.log(9)) == pytest.approx(np.mean(recalls), abs=2e-3)
    assert gaussians.formula(2.0, 0.0) == pytest.approx(0.8413447, abs=1e-7)
