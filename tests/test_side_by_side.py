"""Classifiers that were run on the same splits, side by side in a table of the page."""

from pathlib import Path

import numpy as np
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
    found = evidence.read([tmp_path])
    compared = comparison.compare(found, ["balanced_accuracy"])
    values = compared.values["balanced_accuracy"]
    places = side_by_side(values, found.contents(), higher_is_better=True)
    assert [[side.scenario.classifier for side in sides] for sides in places] == [["mlp", "sklearn"]] * 2
    assert [sides[0].scenario.ratio for sides in places] == [10.0, 50.0]
    picked = values[values["decision"] == CHOSEN]
    for mlp, other in places:
        own, theirs = (
            {
                name: picked[(picked["scenario"] == side.scenario) & (picked["augmenter"] == name)].set_index(
                    ["seed", "fold"]
                )["value"]
                for name in (WITHOUT, WITH)
            }
            for side in (mlp, other)
        )
        np.testing.assert_allclose([mlp.without, mlp.with_synthesis], [np.mean(own[WITHOUT]), np.mean(own[WITH])])
        assert mlp.over_first is None
        np.testing.assert_allclose(mlp.gain.mean, (own[WITH] - own[WITHOUT]).mean())
        assert np.isnan(other.with_synthesis)  # it was run without
        assert np.isnan(other.gain.mean)
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
