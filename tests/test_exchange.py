"""What a method is worth in real rows: known curves, known gains, and how often the interval holds the truth."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from synaug import record, report
from synaug.comparison import evidence as evidences
from synaug.comparison import exchange, power
from synaug.comparison.compare import compare
from synaug.comparison.exchange import invert, sentence
from synaug.comparison.labels import BEST_WITH_SYNTHESIS
from synaug.report import figures
from tests import fabricated

ROWS = np.array([9.0, 18.0, 45.0, 90.0, 180.0])
FOLDS = 10
Array = NDArray[np.float64]


def noise(n_splits: int = 10, seed: int = 0) -> Array:
    return np.random.RandomState(seed).normal(0, 0.01, n_splits)


def log_linear(rows: Array) -> Array:
    return 0.5 + 0.08 * np.log(rows)


def curve_of(of_split: Array) -> Array:
    """The same curve in every split, higher or lower."""
    return log_linear(ROWS) + of_split[:, None]


@pytest.mark.parametrize("gain", [-6.0, 0.0, 3.0, 14.0, 60.0])
def test_a_known_gain_on_a_log_linear_curve_comes_back(gain: float) -> None:
    of_split = noise()
    method = log_linear(np.array([18.0 + gain]))[0] + of_split
    found = invert(ROWS, curve_of(of_split), method, 18.0, FOLDS)
    assert found.rows == pytest.approx(gain, abs=1e-6)
    assert found.low == pytest.approx(gain, abs=1e-4)  # without noise of its own there is no other number of rows
    assert found.high == pytest.approx(gain, abs=1e-4)
    assert (found.low_open, found.high_open, found.beyond) == (False, False, 0)


@pytest.mark.parametrize("place", range(len(ROWS) - 1))
def test_more_real_rows_are_worth_themselves(place: int) -> None:
    """Handed the best without synthesis of the next ratio as a method, it returns the rows that were added."""
    curve = log_linear(ROWS) + np.random.RandomState(1).normal(0, 0.02, (20, len(ROWS)))
    found = invert(ROWS, curve, curve[:, place + 1], ROWS[place], FOLDS)
    assert found.rows == ROWS[place + 1] - ROWS[place]
    assert found.low <= found.rows <= found.high


def test_an_end_of_the_interval_is_where_the_test_begins_to_reject() -> None:
    random = np.random.RandomState(3)
    curve = log_linear(ROWS) + random.normal(0, 0.01, (10, len(ROWS)))
    method = log_linear(np.array([30.0]))[0] + random.normal(0, 0.01, 10)
    found = invert(ROWS, curve, method, 18.0, FOLDS)

    def p(more: float) -> float:
        from synaug.comparison.stats import corrected_t_test

        on_curve = np.array([np.interp(np.log(18.0 + more), np.log(ROWS), of_split) for of_split in curve])
        return float(corrected_t_test(method - on_curve, FOLDS).p)

    assert p(found.low) == pytest.approx(0.05, abs=1e-6)
    assert p(found.high) == pytest.approx(0.05, abs=1e-6)
    assert p(found.low * 0.99) < 0.05 < p(found.low * 1.01) or found.low < 0
    assert p(found.rows) == pytest.approx(1)


def test_what_lies_beyond_the_curve_is_said_to() -> None:
    of_split, gain = noise(), 0.2
    above = invert(ROWS, curve_of(of_split), log_linear(ROWS[-1:])[0] + gain + of_split, 18.0, FOLDS)
    assert (np.isnan(above.rows), above.low, above.high_open, above.beyond) == (True, 162.0, True, 1)
    below = invert(ROWS, curve_of(of_split), log_linear(ROWS[:1])[0] - gain + of_split, 18.0, FOLDS)
    assert (np.isnan(below.rows), below.high, below.low_open, below.beyond) == (True, -9.0, True, -1)


def test_a_flat_curve_tells_nothing() -> None:
    random = np.random.RandomState(0)
    curve = 0.8 + random.normal(0, 0.02, (10, len(ROWS)))
    found = invert(ROWS, curve, 0.8 + random.normal(0, 0.02, 10), 18.0, FOLDS)
    assert found.low_open
    assert found.high_open


def test_one_split_has_no_interval() -> None:
    found = invert(ROWS, curve_of(noise(1)), log_linear(np.array([30.0]))[0] + noise(1), 18.0, FOLDS)
    assert found.rows == pytest.approx(12, abs=1e-6)
    assert found.low_open
    assert found.high_open


@pytest.mark.parametrize(("truth", "spread"), [(30.0, 0.01), (30.0, 0.04), (12.0, 0.02), (100.0, 0.02)])
def test_the_interval_holds_the_truth_as_often_as_it_says(truth: float, spread: float) -> None:
    """Noise of splits whose training sets overlap as the test assumes; 1,500 sweeps, 95 ± 1.7 % expected."""
    random = np.random.RandomState(7)
    n_sweeps, n_splits = 1500, 20
    rho = power.floor_factor(FOLDS) / (1 + power.floor_factor(FOLDS))
    shape = (n_sweeps, 1, len(ROWS) + 1)
    shared, own = random.normal(0, spread, shape), random.normal(0, spread, (n_sweeps, n_splits, len(ROWS) + 1))
    errors = np.sqrt(rho) * shared + np.sqrt(1 - rho) * own
    means = np.append(log_linear(ROWS), log_linear(np.array([truth])))
    held = 0
    for scores in means + errors:
        found = invert(ROWS, scores[:, :-1], scores[:, -1], 18.0, FOLDS)
        above = found.low_open or found.low <= truth - 18.0
        below = found.high_open or truth - 18.0 <= found.high
        held += above and below and found.parts > 0
    assert 0.933 <= held / n_sweeps <= 0.985  # above 95 % where parts of an interval are enclosed with what is between


RATIOS = (5.0, 10.0, 20.0, 50.0)


def written(folder: Path, change: Callable[[dict[str, Any]], None] | None = None, **options: Any) -> Path:
    settings: dict[str, Any] = {"ratios": RATIOS, "datasets": ["imdb"], "seeds": [0, 1], **options}
    for run in fabricated.write_runs(folder, **settings):
        if change is not None:
            content = json.loads((run / record.RECORD).read_text())
            change(content)
            fabricated.write(folder, content)
    return folder


def worths(folder: Path, metric: str = "balanced_accuracy") -> pd.DataFrame:
    return compare(evidences.read([folder]), (metric,)).exchange


def test_every_scenario_of_four_ratios_has_its_rates(tmp_path: Path) -> None:
    found = worths(written(tmp_path))
    assert found.columns.tolist() == exchange.COLUMNS
    assert {scenario.ratio for scenario in found["scenario"]} == set(RATIOS)
    methods = set(found["augmenter"])
    assert methods == {"none", "random", "smote", "adasyn", BEST_WITH_SYNTHESIS.augmenter}
    assert found.groupby("scenario")["rows"].first().tolist() != []
    by_ratio = {scenario.ratio: rows for scenario, rows in zip(found["scenario"], found["rows"], strict=True)}
    assert by_ratio == {5.0: 32.0, 10.0: 16.0, 20.0: 8.0, 50.0: 3.0}
    assert (found["n_splits"] == 20).all()
    inside = found[(found["beyond"] == 0) & found["worth"].notna()]
    assert (inside["low"] <= inside["worth"] + 1e-9).all()
    assert (inside["worth"] <= inside["high"] + 1e-9).all()


def test_losses_are_turned(tmp_path: Path) -> None:
    """Fabricated losses fall linearly with balanced accuracy, so that rates are the same."""
    folder = written(tmp_path)
    of_accuracy, of_loss = worths(folder), worths(folder, "brier_score")
    assert np.allclose(of_accuracy["worth"], of_loss["worth"], rtol=2e-2, atol=0.1, equal_nan=True)


@pytest.mark.parametrize("ratios", [RATIOS[:3], (*RATIOS[:3], None)])
def test_fewer_ratios_are_no_curve(tmp_path: Path, ratios: Sequence[float | None]) -> None:
    assert worths(written(tmp_path, ratios=ratios)).empty


def test_where_the_majority_changes_with_the_ratio_there_is_no_curve(tmp_path: Path) -> None:
    def changed(content: dict[str, Any]) -> None:
        at = content["balance"]["columns"].index("real")
        if content["config"]["imbalance_ratio"]["ratio"] == 5.0:
            for row in content["balance"]["data"]:
                row[at] += 10

    assert worths(written(tmp_path, changed)).empty


def test_records_without_a_balance_have_no_rates(tmp_path: Path) -> None:
    assert worths(written(tmp_path, lambda content: content.pop("balance"))).empty


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "smote is worth 14 (6 to 25) real texts of a minority class"),
        (
            {"parts": 0, "beyond": -1, "low": 0.0},
            "smote is worth less than nothing: it scores below the whole learning curve",
        ),
        (
            {"worth": 1.26, "parts": 2},
            "smote is worth 1.3 (6 to 25; not every number in between, as the curve falls in places) real texts of a "
            "minority class",
        ),
        ({"low": -5.4}, "smote is worth 14 (−5 to 25) real texts of a minority class"),
        ({"worth": -0.2, "high_open": True}, "smote is worth −0.2 (6 to more than 25) real texts of a minority class"),
        ({"low_open": True}, "smote is worth 14 (less than 6 to 25) real texts of a minority class"),
        (
            {"beyond": 1, "worth": np.nan, "high_open": True, "high": 80.0},
            "smote is worth more than 80 (at least 6) real texts of a minority class",
        ),
        (
            {"beyond": -1, "parts": 0, "low": -4.0},
            "smote is worth less than −4 real texts of a minority class, where the curve ends",
        ),
        (
            {"low_open": True, "high_open": True},
            "what smote is worth cannot be told: there are too few splits, or the learning curve is too flat",
        ),
    ],
)
def test_it_is_said_in_words(changes: dict[str, Any], said: str) -> None:
    row = {"worth": 14.2, "low": 6.1, "high": 25.4, "low_open": False, "high_open": False, "beyond": 0, "parts": 1}
    assert sentence(pd.Series({**row, "least": -9.0, "most": 80.0, **changes}), "smote") == said


def test_the_report_has_rates_in_words_in_a_figure_and_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "names", lambda: ["exchange"])
    read = evidences.read([written(tmp_path / "runs")])
    comparison = compare(read, ("balanced_accuracy",))
    page = report.write(read, comparison, tmp_path / "report").read_text(encoding="utf-8")
    errors = tmp_path / "report" / report.ERRORS
    assert not errors.exists(), errors.read_text()
    assert "Worth in real texts" in page
    assert 'id="figure-exchange-balanced_accuracy-1"' in page
    row = comparison.exchange[comparison.exchange["augmenter"] == "smote"].iloc[0]
    said = sentence(row, "smote")
    assert f"{said[:1].upper()}{said[1:]}." in page
    table = pd.read_csv(tmp_path / "report" / report.EXCHANGE)
    assert table.columns.tolist() == exchange.COLUMNS
    assert len(table) == len(comparison.exchange)
    assert "# exchange.csv" in (tmp_path / "report" / report.README).read_text(encoding="utf-8")
    few = evidences.read([written(tmp_path / "few", ratios=RATIOS[:2])])
    without = report.write(few, compare(few, ("balanced_accuracy",)), tmp_path / "report").read_text(encoding="utf-8")
    assert "Worth in real texts" not in without
    assert not (tmp_path / "report" / report.EXCHANGE).exists()
