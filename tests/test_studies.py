"""The studies of `benchmarks/` that ask what answers are worth, on toy sizes."""

import argparse
import json
import logging
from pathlib import Path

import numpy as np
import pytest

from benchmarks import bagged_or_refit, logistic_regression, verdict, why_vae
from synaug.augmenter import CVAE, VAE, Augmenter
from tests import toy

TINY = verdict.Design(rows_per_class=48, width=4, ratio=4.0, n_folds=3, inner_folds=2, max_steps=16)


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("pytorch_lightning"), "level", logging.ERROR)


def test_a_repetition_answers_alone_as_beside_others() -> None:
    setting = verdict.SETTINGS["planted_100"]
    beside = verdict.block(setting, TINY, first=0, n=3, n_seeds=2)
    assert verdict.block(setting, TINY, first=1, n=1, n_seeds=2) == beside[1:2]
    assert beside[0] != beside[1]


def test_the_planted_gain_is_one() -> None:
    answers = verdict.block(verdict.SETTINGS["planted_100"], TINY, first=0, n=8, n_seeds=1)
    assert np.mean([answer["gain"] for answer in answers]) > 0.02


def test_repeats_drawn_anew_are_other_repeats_and_count_as_new() -> None:
    labels = np.repeat([0, 1], [40, 8])
    X = verdict.gaussian(labels, 4, 2.0, np.random.RandomState(0)).astype(np.float32)
    rows = {}
    for method in verdict.SETTINGS["repeats"].methods:
        made = toy.augmented(Augmenter(method.sampler), X, labels)
        assert (made.balance[1].new > 0) == (method is not verdict.REPEATED)
        minority = X[labels == 1]
        of_row = np.linalg.norm(made.synthetic_embeddings[:, None] - minority, axis=2)
        assert of_row.min(1).max() < 0.01
        rows[method.augmenter] = of_row.argmin(1).tolist()
    assert rows["random"] != rows["repeated anew"]


def test_the_summary_counts_what_was_rejected_and_covered() -> None:
    def answer(gain: float, half: float, p: float, outcome: str) -> dict[str, float | str]:
        return {
            "gain": gain,
            "low": gain - half,
            "high": gain + half,
            "p_holm": p,
            "detectable": 0.03,
            "outcome": outcome,
        }

    answers = [answer(0.04, 0.035, 0.01, "better"), *[answer(0.0, 0.03, 0.9, "inconclusive")] * 3]
    found = verdict.summary(answers)
    assert found["rates"]["better"][0] == found["rates"]["rejected"][0] == 0.25
    assert found["rates"]["worse"][0] == 0
    assert found["gain"] == pytest.approx(0.01)
    assert found["covered"] == 1.0
    low, high = found["rates"]["rejected"][1:]
    assert low < 0.25 < high


def test_a_study_goes_on_where_it_stopped(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[int, int]] = []

    def block(setting: object, design: object, first: int, n: int, n_seeds: int) -> list[dict[str, object]]:
        asked.append((first, n))
        nothing = {"gain": 0.0, "low": -0.1, "high": 0.1, "p_holm": 1.0, "detectable": 0.1, "outcome": "inconclusive"}
        return [dict(nothing) for _ in range(n)]

    monkeypatch.setattr(verdict, "block", block)
    for repetitions in ("12", "25"):
        words = ["verdict", "--settings", "repeats", "--repetitions", repetitions, "--results", str(tmp_path)]
        monkeypatch.setattr("sys.argv", words)
        verdict.main()
    assert asked == [(0, 10), (10, 2), (12, 10), (22, 3)]
    assert len(json.loads((tmp_path / verdict.RESULTS).read_text())["answers"]["repeats/1"]) == 25
    assert "| no gain: rows are repeated on both sides | 1 | 25 |" in capsys.readouterr().out


def test_the_table_has_the_cells_of_a_scenario_side_by_side_and_means_last() -> None:
    cells = [
        bagged_or_refit.Cell(scenario, 3, final, (70.0 + place, 71.0, 72.0, 71.0), 1.0, -1.0, 3.0, 50.0, 0.5)
        for final in ("bagged", "refit")
        for place, scenario in enumerate(("a, 1:10", "b, 1:10"))
    ]
    lines = bagged_or_refit.table(cells).splitlines()[2:]
    assert [line.split(" | ")[:3] for line in lines] == [
        ["| a, 1:10", "3", "bagged"],
        ["| a, 1:10", "3", "refit"],
        ["| b, 1:10", "3", "bagged"],
        ["| b, 1:10", "3", "refit"],
        ["| **mean**", "3", "bagged"],
        ["| **mean**", "3", "refit"],
    ]
    assert "**70.5**" in lines[4]
    assert "+1.0, width 4.0" in lines[4]


def test_the_handicap_is_the_distance_of_the_last_look_from_the_best_mean() -> None:
    curves = {
        "columns": ["seed", "fold", "step", "argmax_test"],
        "data": [[0, 0, 8, 0.5], [0, 1, 8, 0.7], [0, 0, 16, 0.9], [0, 1, 16, 0.7], [0, 0, 32, 0.6], [0, 1, 32, 0.8]],
    }
    assert bagged_or_refit._argmax(curves) == pytest.approx((70.0, 10.0))


def test_logistic_regression_with_a_corrected_prior_does_better_than_argmax(tmp_path: Path) -> None:
    path = toy.write_csv(tmp_path / "mine.csv", *toy.texts(60))
    override = [
        f"dataset.path={path}",
        "dataset.text=body",
        "dataset.label=topic",
        f"cache_dir={tmp_path}",
        "n_folds=3",
    ]
    arguments = argparse.Namespace(max_per_class=60, seeds=1, override=override)
    found = logistic_regression.measured("files", 10, 1.0, arguments)
    assert found.splits == 3
    assert found.scores["prior corrected"] > found.scores["argmax"]


def test_what_probabilistic_pca_predicts_of_a_vae() -> None:
    found = why_vae.predicted(np.array([3.0, 2.0, 1.0, 0.5, 0.5]), latents=1)
    assert found == {
        "predicted ratio": pytest.approx(2 / 7),
        "predicted gain": pytest.approx((2 - np.log(3)) / 2),
        "eigenvalues above 1": 2,
    }
    rows = np.random.RandomState(0).normal(size=(50, 4)) @ np.diag([1, 2, 3, 0])
    assert why_vae.eigenvalues(rows).sum() == pytest.approx(3)  # a dead feature has no part


def test_a_vaes_gain_on_its_own_rows_is_what_its_diagnostics_say() -> None:
    rng = np.random.RandomState(0)
    X, y = rng.normal(size=(90, 8)) @ rng.normal(size=(8, 8)), np.repeat([0, 1], [30, 60])
    for sampler in (VAE(max_epochs=40, validation_share=0, random_state=0), CVAE(validation_share=0, random_state=0)):
        models = sampler._prepare(X, y)
        sampler._train(models)
        sampler.fit_resample(X, y, trained=models)
        gain = why_vae.gain(models[0], X[y == 0], y[y == 0])
        assert gain == pytest.approx(sampler.diagnostics_[0]["elbo_gain"], abs=0.3)  # another draw of the latents


def test_rows_half_as_long_vary_a_quarter_as_much() -> None:
    rows = np.random.RandomState(0).normal(size=(20, 4))
    assert why_vae.of_rows(rows / 2, rows) == {"variance": pytest.approx(0.25), "norm": pytest.approx(0.5)}
