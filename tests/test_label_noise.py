"""Doubtful labels: cleanlab's rule, planted flips that are found again, and the counts of a record."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cleanlab.filter import find_label_issues
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from synaug.comparison import compare as comparisons
from synaug.comparison import evidence as evidences
from synaug.report.page import label_noise
from synaug.report.results import Results
from synaug.scores.label_noise import doubtful
from tests.fabricated import write_runs
from tests.program import TOY, Program


def flipped(
    rows_per_class: tuple[int, ...], share: float, seed: int = 0
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.bool_]]:
    """Out-of-fold log probabilities of Gaussian classes, labels, and which of these (a share) are wrong."""
    draw = np.random.RandomState(seed)
    n_classes = len(rows_per_class)
    truth = np.repeat(np.arange(n_classes), rows_per_class)
    X = draw.normal(size=(len(truth), 10)) + 3 * np.eye(n_classes, 10)[truth]
    is_flipped = draw.uniform(size=len(truth)) < share
    labels = np.where(is_flipped, (truth + draw.randint(1, n_classes, len(truth))) % n_classes, truth)
    model = LogisticRegression(class_weight="balanced", max_iter=500)
    said = cross_val_predict(model, X, labels, cv=StratifiedKFold(5), method="predict_proba")
    return np.log(np.maximum(said, 1e-300)), labels, is_flipped


@pytest.mark.parametrize("rows_per_class", [(300, 300), (400, 100, 40), (50, 50, 50, 50, 50)])
def test_the_rows_are_cleanlabs(rows_per_class: tuple[int, ...]) -> None:
    for seed in range(5):
        said, labels, _ = flipped(rows_per_class, 0.1, seed)
        theirs = find_label_issues(labels, np.exp(said), filter_by="confident_learning", n_jobs=1)
        np.testing.assert_array_equal(doubtful(said, labels), theirs)


def test_planted_flips_are_found() -> None:
    """Of 5 % flipped labels 86 % are found, and 95 % of the rows found are flipped, where models are right in 98 %."""
    found, n_found, n_flipped = 0, 0, 0
    for seed in range(10):
        said, labels, is_flipped = flipped((300, 300, 300), 0.05, seed)
        is_doubtful = doubtful(said, labels)
        found += int((is_doubtful & is_flipped).sum())
        n_found += int(is_doubtful.sum())
        n_flipped += int(is_flipped.sum())
    assert found / n_flipped == pytest.approx(0.86, abs=0.02)
    assert found / n_found == pytest.approx(0.95, abs=0.02)


def test_a_class_without_rows_takes_none() -> None:
    said = np.log(np.array([[0.1, 0.2, 0.7], [0.5, 0.2, 0.3], [0.2, 0.7, 0.1], [0.1, 0.8, 0.1]]))
    assert not doubtful(said, np.array([1, 0, 1, 1]))[0]  # nothing is labelled 2
    assert doubtful(said, np.array([0, 0, 1, 0])).tolist() == [False, False, False, True]


def test_a_record_counts_doubtful_rows_and_what_was_made_of_them(program: Program, csv: str) -> None:
    path = Path(csv.partition("=")[2])
    texts = pd.read_csv(path)
    flips = texts.groupby("topic").head(6).index
    other = {"sport": "trade", "trade": "sport"}
    texts.loc[flips, "topic"] = texts.loc[flips, "topic"].map(other)
    texts.to_csv(path, index=False)
    for augmenter in ("smote", "vae_prior", "none"):
        outcome = program(*TOY, csv, f"augmenter={augmenter}", "seeds=[0,1]")
        assert outcome.code == 0, outcome.err
    for record in program.records():
        table = pd.DataFrame(**record["label_noise"])
        assert len(table) == 2 * 4 * 2
        balance = pd.DataFrame(**record["balance"])
        whole = balance[balance["inner"].isna()]
        assert table["rows"].sum() == whole["real"].sum()  # every row that trains is left out once
        assert table["synthetic"].tolist() == whole["made"].tolist()
        assert (table["doubtful"] <= table["rows"]).all()
        assert table["doubtful"].sum() > 0
        told = record["choices"]["augmenter"] == "smote"
        assert table["with_parents"].tolist() == (table["synthetic"] * told).tolist()
        assert (table["with_doubtful_parent"] <= table["with_parents"]).all()
        assert (table["with_doubtful_parent"].sum() > 0) == told


@pytest.mark.parametrize(("validation", "share_judged"), [("holdout", 0.5), ("oracle", 0.0)])
def test_only_rows_that_were_judged_are_counted(
    program: Program, csv: str, validation: str, share_judged: float
) -> None:
    """Rows that nothing judged cannot be doubtful, so synthetic rows made of them say nothing."""
    settings = [] if validation == "oracle" else [f"validation.share={share_judged}"]
    outcome = program(*TOY, csv, "augmenter=smote", f"validation={validation}", *settings)
    assert outcome.code == 0, outcome.err
    table = pd.DataFrame(**program.record()["label_noise"])
    if not share_judged:
        assert table.empty
        return
    assert 0 < table["with_parents"].sum() < table["synthetic"].sum()
    # Half of the rows are judged, and of two parents at least one in about three quarters of the rows.
    assert table["with_parents"].sum() / table["synthetic"].sum() == pytest.approx(0.75, abs=0.15)


def test_the_page_says_how_many_labels_are_doubtful(tmp_path: Path) -> None:
    write_runs(tmp_path / "runs", datasets=("imdb",), ratios=(10.0,), augmenters=("none", "smote", "vae"), n_folds=3)
    evidence = evidences.read([tmp_path / "runs"])
    (said,) = label_noise.sentences(Results(evidence, comparisons.compare(evidence)))
    # Of 4 classes 2 are thinned from 200 rows to 20, of which one is doubtful, as are 10 of 200.
    assert said == (
        "imdb at 1:10: 22.0 of 440.0 rows (5 %), 2.0 of 40.0 minority rows (5 %); synthetic rows with such a parent: "
        "smote 10 %"
    )
