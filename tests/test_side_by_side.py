"""Classifiers that were run on the same splits, side by side in a table of the page."""

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from synaug.comparison import compare as comparison
from synaug.comparison import evidence
from synaug.comparison.labels import CHOSEN, WITH, WITHOUT
from synaug.comparison.side_by_side import side_by_side
from synaug.report.page import classifiers
from synaug.report.results import Results
from tests import fabricated
from tests.test_other_classifiers import write, write_other


def test_each_classifier_has_its_scores_its_gain_and_its_difference_from_the_first(tmp_path: Path) -> None:
    write(tmp_path, by=0.06, ratios=(10.0, 50.0))
    for ratio in (10.0, 50.0):
        write_other(tmp_path, by=0.06, ratio=ratio, augmenter="smote")
    found = evidence.read([tmp_path])
    compared = comparison.compare(found, ["balanced_accuracy"])
    values = compared.values["balanced_accuracy"]
    places = side_by_side(
        found.scores_of("balanced_accuracy"), found.out_of_fold(), found.contents(), higher_is_better=True
    )
    assert [[side.scenario.classifier for side in sides] for sides in places] == [["mlp", "sklearn"]] * 2
    assert [sides[0].scenario.ratio for sides in places] == [10.0, 50.0]
    picked = values[(values["decision"] == CHOSEN) & (values["loss"] == "")]
    for mlp, other in places:
        # With the plain loss alone: the other was not run with class weights.
        own, theirs = (
            {
                name: picked[(picked["scenario"] == side.scenario) & (picked["augmenter"] == augmenter)].set_index(
                    ["seed", "fold"]
                )["value"]
                for name, augmenter in ((WITHOUT, "none"), (WITH, "smote"))
            }
            for side in (mlp, other)
        )
        for side, scores in ((mlp, own), (other, theirs)):
            np.testing.assert_allclose(
                [side.without, side.with_synthesis, side.gain.mean],
                [scores[WITHOUT].mean(), scores[WITH].mean(), (scores[WITH] - scores[WITHOUT]).mean()],
            )
        assert mlp.over_first is None
        differences = (theirs[WITHOUT] - own[WITHOUT]).to_numpy()
        assert other.over_first is not None
        np.testing.assert_allclose(other.over_first.mean, differences.mean())
        error = differences.std(ddof=1) * np.sqrt(1 / 20 + (1 / 10) / (9 / 10))
        alone = stats.t.isf(0.025, 19) * error  # by itself; of two, at most twice the level
        assert (
            alone * 0.9999 <= other.over_first.high - other.over_first.mean <= stats.t.isf(0.0125, 19) * error * 1.0001
        )


def test_the_page_shows_them_where_there_are_several_and_nothing_where_there_is_one(tmp_path: Path) -> None:
    fabricated.write_runs(tmp_path, ["trec"], (10.0,), ["none", "smote"], losses=["plain"], seeds=(0, 1))

    def beside() -> list[classifiers.OfPlace]:
        found = evidence.read([tmp_path])
        return classifiers.beside(Results(found, comparison.compare(found, ["balanced_accuracy"])))

    assert beside() == []
    write_other(tmp_path, by=0.06)
    (place,) = beside()
    assert (place.label, place.first) == ("trec at 1:10", "mlp")
    mlp, other = place.lines
    assert (other.name, other.with_synthesis, other.gain) == ("sklearn", "–", "–")
    assert other.over_first.startswith("+")
    assert " to " in mlp.interval
    write_other(tmp_path, by=0.06, augmenter="smote")
    (place,) = beside()
    mlp, other = place.lines
    assert " to " in mlp.interval
    assert " to " in other.interval


def test_the_best_are_picked_from_what_all_classifiers_were_run_with(tmp_path: Path) -> None:
    """Else a classifier with more methods to pick from would seem the better one."""
    write(tmp_path, by=0.06)
    write_other(tmp_path, by=0.06, augmenter="smote")
    found = evidence.read([tmp_path])
    out_of_fold, contents = found.out_of_fold(), found.contents()
    more = out_of_fold[(out_of_fold["augmenter"] == "smote")].assign(augmenter="adasyn", value=0.0)
    of_mlp = np.array([each.classifier == "mlp" for each in more["scenario"]])
    scores = found.scores_of("balanced_accuracy")
    plain = side_by_side(scores, out_of_fold, contents, higher_is_better=True)
    assert side_by_side(scores, pd.concat([out_of_fold, more[of_mlp]]), contents, higher_is_better=True) == plain


def test_a_split_that_one_classifier_lacks_counts_for_none(tmp_path: Path) -> None:
    write(tmp_path, by=0.06)
    found = evidence.read([tmp_path])
    losses, scores = found.out_of_fold(), found.scores_of("balanced_accuracy")
    is_other = np.array([each.classifier == "sklearn" for each in losses["scenario"]])
    lacking = losses[~(is_other & (losses["fold"] == 9))]
    ((mlp, other),) = side_by_side(scores, lacking, found.contents(), higher_is_better=True)
    rest = scores["fold"] < 9
    ((same_mlp, same_other),) = side_by_side(
        scores[rest], losses[losses["fold"] < 9], found.contents(), higher_is_better=True
    )
    assert (mlp.without, other.without, other.over_first) == (
        same_mlp.without,
        same_other.without,
        same_other.over_first,
    )
