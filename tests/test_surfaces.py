"""Response surfaces: gains over an amount of 0, and one family of tests over all points of a scenario."""

from pathlib import Path

import numpy as np
import pytest

from synaug.comparison import evidence as evidences
from synaug.comparison.choices import SPLIT
from synaug.comparison.compare import compare
from synaug.comparison.labels import CHOSEN
from synaug.comparison.multiplicity import holm
from synaug.comparison.stats import corrected_t_test
from synaug.comparison.surfaces import TESTED, surface
from synaug.report.figures import amount, neighbours
from synaug.report.results import Results
from tests import fabricated

METRIC = "balanced_accuracy"
AMOUNTS = (0.25, 0.5, 1.0, 2.0)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("amounts")
    settings = [{"amount": each} for each in AMOUNTS]
    fabricated.write_runs(folder, ["imdb"], [10.0, 50.0], ["none", "random", "smote"], augmenter_settings=settings)
    evidence = evidences.read([folder])
    return Results(evidence, compare(evidence, (METRIC,)))


def test_gains_are_over_none_with_its_rule_chosen_too(results: Results) -> None:
    found = results.surface(METRIC, ["amount"])
    assert len(found) == 2 * 2 * len(AMOUNTS)
    values = results.comparison.values[METRIC]
    values = values[values["decision"] == CHOSEN]
    for point in found.to_dict("records"):
        here = values[values["scenario"] == point["scenario"]]
        of_both = [
            here[here["augmenter"] == name].set_index(SPLIT)["value"].astype(float)
            for name in (point["augmenter"], "none")
        ]
        test = corrected_t_test((of_both[0] - of_both[1]).round(12), 10)
        assert point["gain"] == pytest.approx(float(test.mean))
        assert point["p_raw"] == pytest.approx(float(test.p))


def test_all_points_of_a_scenario_are_one_family(results: Results) -> None:
    found = results.surface(METRIC, ["amount"])
    assert set(TESTED) <= set(found)
    for _, points in found.groupby("scenario"):
        assert (points["n_points"] == 2 * len(AMOUNTS)).all()
        assert points["p_holm"].to_numpy() == pytest.approx(holm(points["p_raw"]).p)
        excludes = (points["low"] > 0) | (points["high"] < 0)
        assert (excludes == (points["p_holm"] < 0.05)).all()


def test_points_that_are_the_same_on_every_split_count_once(results: Results) -> None:
    runs = results.evidence.runs
    values = results.comparison.values[METRIC].astype({"augmenter": object})
    same = values[values["augmenter"] == "smote 100 %"]
    twice = values[values["augmenter"] != "smote 200 %"]
    values = type(values)(np.concatenate([twice, same.assign(augmenter="smote 200 %")]), columns=values.columns)
    values = values.astype({"value": float, "seed": int, "fold": int})
    found = surface(values, runs, ["amount"])
    assert (found["n_points"] == 2 * len(AMOUNTS) - 1).all()


def test_losses_are_turned(results: Results) -> None:
    values = results.comparison.values[METRIC]
    gains, turned = (
        surface(values, results.evidence.runs, ["amount"], higher_is_better=better)["gain"] for better in (True, False)
    )
    assert np.allclose(gains, -turned)


def test_the_figure_says_the_interval_and_the_family(results: Results) -> None:
    (plan,) = amount.plans(results)
    drawing = plan.draw()
    assert drawing is not None
    assert "one family (of 8)" in drawing.note
    assert " to " in drawing.alt


def test_neighbours_have_one_surface_with_hubness_beside_the_gain(tmp_path: Path) -> None:
    settings = [
        {"k_neighbors": {"_target_": "x", "k": k, "metric": metric}}
        for k in (1, 5)
        for metric in ("cosine", "euclidean", "manhattan")
    ]
    fabricated.write_runs(tmp_path, ["imdb"], [10.0], ["none", "smote"], n_folds=3, augmenter_settings=settings)
    evidence = evidences.read([tmp_path])
    for record in evidence.records.values():
        chosen = record["config"]["augmenter"].get("k_neighbors")
        if chosen:
            row = {"class": "sports", "search": "nn_k", "k": chosen["k"], "hubness": 0.5 * chosen["k"]}
            record["diagnostics"] = [{"seed": 0, "fold": fold, **row} for fold in range(3)]
    (plan,) = neighbours.plans(Results(evidence, compare(evidence, (METRIC,))))
    drawing = plan.draw()
    assert drawing is not None
    assert "one family (of 6)" in drawing.note
    assert "Hubness from 0.5 to 2.5" in drawing.alt
