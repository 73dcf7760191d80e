"""The audit's measures against closed forms, and the audit of whole runs."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from imblearn.over_sampling import SMOTE, RandomOverSampler
from imblearn.over_sampling.base import BaseOverSampler
from numpy.typing import NDArray
from sklearn.covariance import ledoit_wolf_shrinkage

from synaug import record
from synaug.augmenter import Augmenter
from synaug.comparison import compare as comparisons
from synaug.comparison import evidence as evidences
from synaug.dataset import LabelledTexts
from synaug.imbalance_ratio import ImbalanceRatio
from synaug.quality import audit, discriminant, measures
from synaug.quality.audit import FEWEST
from synaug.quality.distances import Base, among_themselves, squared_distances
from synaug.record import extending, shapes
from synaug.record.tables import HELD_BACK, QUALITY_COLUMNS, TRAINING
from synaug.report.figures import quality
from synaug.report.results import Results
from synaug.splits import make_splits
from synaug.training.training_sets import TrainingData, augment, neighbour_graphs
from synaug.validation import Nested
from tests import fabricated

Rows = NDArray[np.float32]
K = measures.K


def gaussian(n: int, d: int = 8, seed: int = 0, shift: float = 0.0, scale: float = 1.0) -> Rows:
    rows: Rows = (shift + scale * np.random.RandomState(seed).normal(size=(n, d))).astype(np.float32)
    return rows


def of_pairs(measure: Callable[[Rows, Rows], float], n: int = 60, draws: int = 150, d: int = 8) -> NDArray[np.float64]:
    """A measure of many pairs of samples of one distribution."""
    return np.array([measure(gaussian(n, d, 2 * draw), gaussian(n, d, 2 * draw + 1)) for draw in range(draws)])


def covered(rows: Rows, real: Rows) -> float:
    return measures.coverage(squared_distances(real, rows), measures.radii(among_themselves(real), K))


def dense(rows: Rows, real: Rows) -> float:
    return measures.density(squared_distances(real, rows), measures.radii(among_themselves(real), K), K)


def clipped_dense(rows: Rows, real: Rows) -> float:
    among = among_themselves(real)
    return measures.clipped_density(squared_distances(real, rows), among, measures.radii(among, K), K)


def clipped_covered(rows: Rows, real: Rows) -> float:
    return measures.clipped_coverage(squared_distances(real, rows), measures.radii(among_themselves(real), K), K)


# Distances


def test_distances_are_those_of_the_definition() -> None:
    rows, others = gaussian(7, shift=50.0), gaussian(5, seed=1, shift=50.0)
    expected = np.square(rows[:, None].astype(np.float64) - others[None]).sum(axis=2)
    np.testing.assert_allclose(squared_distances(rows, others), expected, rtol=1e-4)
    blocks = Base.of(others).blocks(rows)
    np.testing.assert_allclose(np.concatenate([block for _, block in blocks]), expected, rtol=1e-4)
    assert np.isinf(np.diag(among_themselves(rows))).all()


# Closed forms


@pytest.mark.parametrize(("n", "s"), [(40, 40), (60, 20), (20, 60)])
def test_equal_distributions_cover_each_other_as_naeems_lemma_says(n: int, s: int) -> None:
    found = [covered(gaussian(s, 8, 2 * draw), gaussian(n, 8, 2 * draw + 1)) for draw in range(300)]
    error = np.std(found) / math.sqrt(len(found))
    assert np.mean(found) == pytest.approx(measures.expected_coverage(n, s, K), abs=float(4 * error))
    assert error < 0.01


def test_of_many_rows_the_lemma_is_one_less_a_half_to_the_power_of_k() -> None:
    assert measures.expected_coverage(10**6, 10**6, K) == pytest.approx(1 - 0.5**K, abs=1e-5)
    n = 30
    by_hand = 1 - math.prod(n - k for k in range(1, K + 1)) / math.prod(2 * n - k for k in range(1, K + 1))
    assert measures.expected_coverage(n, n, K) == pytest.approx(by_hand)


def test_the_table_behind_clipped_coverage_ends_in_naeems_lemma_for_one_neighbour() -> None:
    found = measures.covered_by(30, 40, 1)
    expected = [measures.expected_coverage(30, s, 1) if s else 0.0 for s in range(41)]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert (np.diff(measures.covered_by(30, 40, K)) > 0).all()


def test_density_of_equal_distributions_is_one() -> None:
    found = of_pairs(dense)
    assert found.mean() == pytest.approx(1, abs=4 * found.std() / math.sqrt(len(found)))


@pytest.mark.parametrize("measure", [clipped_dense, clipped_covered])
def test_what_is_clipped_is_near_one_for_equal_distributions_and_nothing_far_away(
    measure: Callable[[Rows, Rows], float],
) -> None:
    found = of_pairs(measure, draws=60)
    assert 0.85 < found.mean() <= 1
    assert found.max() <= 1
    assert measure(gaussian(60, shift=20.0), gaussian(60, seed=1)) == 0


@pytest.mark.parametrize("measure", [clipped_dense, clipped_covered])
@pytest.mark.parametrize("good", [0.25, 0.5, 0.75])
def test_what_is_clipped_tells_the_share_of_good_rows(measure: Callable[[Rows, Rows], float], good: float) -> None:
    n = 300
    n_good = int(good * n)
    found = [
        measure(np.concatenate([gaussian(n_good, 8, draw), gaussian(n - n_good, 8, 99, 30.0)]), gaussian(n, 8, 50))
        for draw in range(10)
    ]
    assert np.mean(found) == pytest.approx(good, abs=0.06)


def test_one_real_row_far_out_makes_no_room_for_rows_between() -> None:
    real = np.concatenate([gaussian(60), gaussian(1, shift=40.0, seed=1)])
    between = gaussian(60, shift=20.0, seed=2)
    assert dense(between, real) > 0.15
    assert clipped_dense(between, real) == 0


@pytest.mark.parametrize("test", [measures.two_sample_linear, measures.two_sample_spread])
def test_two_samples_of_one_distribution_are_told_apart_by_chance(test: Callable[[Rows, Rows], float]) -> None:
    found = of_pairs(test, n=100, draws=300)
    sd = measures.deviation(100)
    assert found.mean() == pytest.approx(0.5, abs=4 * sd / math.sqrt(300))
    assert found.std() == pytest.approx(sd, rel=0.15)


@pytest.mark.parametrize("n", [16, 24, 40])
def test_rows_of_too_little_spread_are_told_apart_where_rows_are_few(n: int) -> None:
    accuracies = []
    for seed in range(40):
        draw = np.random.RandomState(seed)
        crowded, real = (draw.normal(size=(n, 384)).astype(np.float32) for _ in range(2))
        accuracies.append(measures.two_sample_spread(crowded * np.float32(0.85**0.5), real))
    # Were a known row's own part in the mean left in its distance, it would be .34 to .5 with 20 rows: the wrong way.
    assert np.mean(accuracies) > 0.7


def test_the_linear_test_sees_a_shift_and_the_other_a_spread() -> None:
    real = gaussian(200, 50)
    assert measures.two_sample_linear(gaussian(200, 50, 1, shift=0.5), real) > 0.95
    for scale in (0.5, 2.0):
        crowded = gaussian(200, 50, 1, scale=scale)
        assert measures.two_sample_spread(crowded, real) > 0.95
        assert abs(measures.two_sample_linear(crowded, real) - 0.5) < 0.15


def test_of_rows_in_the_middle_the_nearest_neighbour_would_see_little() -> None:
    """Why the nearest neighbour is not the classifier of the test."""
    real, crowded = gaussian(200, 200), gaussian(200, 200, 1, scale=0.4)
    known = np.concatenate([crowded[:100], real[:100]])
    is_made = squared_distances(np.concatenate([crowded[100:], real[100:]]), known).argmin(axis=1) < 100
    assert (is_made[:100].mean() + 1 - is_made[100:].mean()) / 2 == pytest.approx(0.5, abs=0.02)
    assert measures.two_sample_spread(crowded, real) == 1


def test_the_shrinkage_is_ledoit_and_wolfs() -> None:
    for n, d in ((30, 50), (200, 20), (400, 5)):
        rows = gaussian(n, d) * np.linspace(0.2, 2, d, dtype=np.float32)
        centred = rows - rows.mean(axis=0)
        found = discriminant.shrinkage(centred, centred.T @ centred / n)
        assert found == pytest.approx(ledoit_wolf_shrinkage(centred, assume_centered=True), rel=1e-3)


def test_a_discriminant_finds_the_direction_of_gaussians() -> None:
    spread = np.array([3.0, 1.0, 1.0], np.float32)
    first, second = gaussian(4000, 3) * spread, gaussian(4000, 3, 1) * spread + np.array([1, 1, 0], np.float32)
    rule = discriminant.fit([first, second])
    direction = rule.directions[1] - rule.directions[0]
    np.testing.assert_allclose(direction / direction[1], [1 / 9, 1, 0], atol=0.06)
    assert (rule.decide(second) == 1).mean() == pytest.approx(0.70, abs=0.03)  # Φ(√(1 + 1/9) / 2)


def test_rows_without_variance_are_decided_by_their_means() -> None:
    rule = discriminant.fit([np.zeros((4, 3), np.float32), np.ones((4, 3), np.float32)])
    assert rule.decide(np.array([[0.1, 0, 0], [0.9, 1, 1]], np.float32)).tolist() == [0, 1]


# The audit


class Swapped(BaseOverSampler):  # type: ignore[misc]
    """Copies rows of class 0, and half of class 1, as rows of class 1."""

    _parameter_constraints: dict[str, Any] = {}  # noqa: RUF012

    def _fit_resample(self, X: Rows, y: NDArray[np.int64]) -> tuple[Rows, NDArray[np.int64]]:
        n = self.sampling_strategy_[1]
        rows = np.concatenate([X[y == label][np.arange(n // 2) % (y == label).sum()] for label in (0, 1)]) + 1e-4
        return np.concatenate([X, rows]), np.concatenate([y, np.ones(len(rows), y.dtype)])


class FromTruth(BaseOverSampler):  # type: ignore[misc]
    """Draws from the distribution that real rows were drawn from."""

    _parameter_constraints: dict[str, Any] = {}  # noqa: RUF012

    def __init__(self, *, sampling_strategy: Any = "auto", random_state: Any = None) -> None:
        super().__init__(sampling_strategy=sampling_strategy)
        self.random_state = random_state

    def _fit_resample(self, X: Rows, y: NDArray[np.int64]) -> tuple[Rows, NDArray[np.int64]]:
        n = self.sampling_strategy_[1]
        rows = self.random_state.normal(MEAN, 1, (n, X.shape[1])).astype(np.float32)
        return np.concatenate([X, rows]), np.concatenate([y, np.ones(n, y.dtype)])


class Borrowing(BaseOverSampler):  # type: ignore[misc]
    """Copies rows of class 0 as rows of class 1, all but `spared` of them, and says so."""

    _parameter_constraints: dict[str, Any] = {}  # noqa: RUF012

    def __init__(self, *, sampling_strategy: Any = "auto", spared: int = 60) -> None:
        super().__init__(sampling_strategy=sampling_strategy)
        self.spared = spared

    def _fit_resample(self, X: Rows, y: NDArray[np.int64]) -> tuple[Rows, NDArray[np.int64]]:
        lenders = np.flatnonzero(y == 0)[self.spared :]
        self.parents_ = lenders[np.arange(self.sampling_strategy_[1]) % len(lenders)][:, None]
        rows = X[self.parents_[:, 0]] + np.float32(0.05)
        return np.concatenate([X, rows]), np.concatenate([y, np.ones(len(rows), y.dtype)])


MEAN = 1.0


def training_data(
    sampler: Any,
    ratio: float | None = 8.0,
    *,
    amount: float = 1.0,
    seeds: tuple[int, ...] = (0,),
    n: int = 500,
    mean: float = MEAN,
) -> TrainingData:
    """Two Gaussians of unit variance in ten dimensions, the second thinned (or, naturally, with an eighth of rows)."""
    n_second = n if ratio is not None else n // 4
    labels = np.repeat([0, 1], [n, n_second]).astype(np.int64)
    embeddings = gaussian(n + n_second, 10) + (mean * labels[:, None]).astype(np.float32)
    texts = LabelledTexts("toy", [str(row) for row in range(len(labels))], labels, ("many", "few"))
    splits = make_splits(
        "toy",
        labels,
        texts.class_names,
        ImbalanceRatio(ratio, minority=["few"]) if ratio is not None else ImbalanceRatio(None),
        n_folds=4,
        seeds=seeds,
        validation=Nested(n_folds=2),
    )
    return augment(
        texts, embeddings, splits, Augmenter(sampler, amount), neighbour_graphs(embeddings, labels), ratio=ratio
    )


def means(data: TrainingData) -> Any:
    frame: Any = pd.DataFrame(**audit(data))
    return frame.groupby(["measure", "against"])[["value", "real_value", "rows", "real_rows", "reference_rows"]].mean()


def test_repeated_rows_are_copies() -> None:
    found = means(training_data(RandomOverSampler()))
    assert found.loc[("copies", TRAINING), "value"] == 1
    assert found.loc[("copies", TRAINING), "real_value"] == 0
    assert found.loc[("nearest", TRAINING), "value"] == found.loc[("parent", TRAINING), "value"] == 0
    # A copy beside all rows but its source says what the source says.
    copied, real = found.loc[("other_class", TRAINING), ["value", "real_value"]]
    assert copied == pytest.approx(real, abs=0.08)
    assert found.loc[("variance_ratio", TRAINING), "value"] == pytest.approx(1, abs=0.1)


def test_smote_with_all_rows_as_neighbours_has_two_thirds_of_the_variance() -> None:
    data = training_data(SMOTE(k_neighbors=40))
    fewest = min(np.bincount(data.labels[each.rows])[1] for each in data.whole)
    assert fewest > 41  # rows of the minority
    found = means(training_data(SMOTE(k_neighbors=int(fewest) - 1)))
    assert found.loc[("variance_ratio", TRAINING), "value"] == pytest.approx(2 / 3, abs=0.05)
    assert found.loc[("variance_ratio", HELD_BACK), "real_value"] == pytest.approx(1, abs=0.06)
    assert found.loc[("copies", TRAINING), "value"] < 0.02


def test_draws_from_the_truth_are_as_good_as_real_rows() -> None:
    found = means(training_data(FromTruth(), seeds=(0, 1)))
    held_back = found.xs(HELD_BACK, level="against")
    for name in (
        "variance_ratio",
        "density",
        "coverage",
        "clipped_density",
        "clipped_coverage",
        "trained_on_synthetic",
    ):
        assert held_back.loc[name, "value"] == pytest.approx(held_back.loc[name, "real_value"], abs=0.1), name
        assert held_back.loc[name, "value"] == pytest.approx(found_for(name), abs=0.1), name
    for name in ("two_sample_linear", "two_sample_spread"):
        sd = measures.deviation(int(held_back.loc[name, "rows"]))
        assert held_back.loc[name, "value"] == pytest.approx(0.5, abs=2 * sd)
    assert held_back.loc["other_class", "value"] == pytest.approx(held_back.loc["other_class", "real_value"], abs=0.05)


def found_for(name: str) -> float:
    # Φ(√10 / 2) is the accuracy of the best rule for two such Gaussians.
    return {"trained_on_synthetic": 0.94, "coverage": 1 - 0.5**K}.get(name, 1.0)


def test_a_planted_swap_of_classes_is_the_share_of_rows_nearer_to_another_class() -> None:
    found = means(training_data(Swapped()))
    assert found.loc[("other_class", TRAINING), "value"] == pytest.approx(0.5, abs=0.06)
    swapped, real = found.loc[("other_class", HELD_BACK), ["value", "real_value"]]
    # Of the half that is of the other class all but as many as are misjudged anyway.
    assert swapped == pytest.approx((real + 1 - real) / 2, abs=0.08)
    assert real < 0.25
    assert (
        found.loc[("trained_on_synthetic", HELD_BACK), "value"]
        < found.loc[("trained_on_synthetic", HELD_BACK), "real_value"]
    )


def test_rows_made_of_another_class_are_not_asked_about_beside_their_parents() -> None:
    # Of one distribution in truth, a row is as near to either class, however it was made.
    found = means(training_data(Borrowing(), mean=0.0, seeds=(0, 1)))
    borrowed, real = found.loc[("other_class", HELD_BACK), ["value", "real_value"]]
    assert borrowed == pytest.approx(real, abs=0.06)


def test_a_class_of_which_all_rows_are_parents_is_not_asked_about() -> None:
    found = means(training_data(Borrowing(spared=FEWEST - 1), amount=1.2))
    held_back = found.xs(HELD_BACK, level="against")
    assert "variance_ratio" in held_back.index
    assert not {"other_class", "trained_on_synthetic", "trained_on_training"} & {*held_back.index}


def test_value_and_null_are_of_equally_many_rows() -> None:
    found = means(training_data(SMOTE()))
    held_back = found.xs(HELD_BACK, level="against").drop("trained_on_training")
    assert (held_back["rows"] == held_back["real_rows"]).all()


def test_no_row_that_tests_is_looked_at() -> None:
    data = training_data(SMOTE())
    before, split = audit(data), data.splits[0]
    data.embeddings[split.test] += 5
    of_first = [[row for row in table["data"] if row[1] == split.fold] for table in (before, audit(data))]
    assert of_first[0] == of_first[1]


def test_the_reference_rows_do_not_depend_on_the_method() -> None:
    nulls = [
        {tuple(row[:5]): row[6] for row in audit(training_data(sampler))["data"] if row[4] == HELD_BACK}
        for sampler in (SMOTE(), RandomOverSampler())
    ]
    assert nulls[0] == nulls[1]


def test_without_rows_held_back_the_rows_that_trained_are_beside_each_other() -> None:
    table: Any = pd.DataFrame(**audit(training_data(SMOTE(), None)))
    assert set(table["against"]) == {TRAINING}
    named = table[table["measure"] == "other_class"]
    assert named["real_value"].notna().all()


def test_without_rows_held_back_halves_of_the_training_rows_are_beside_each_other() -> None:
    found = means(training_data(FromTruth(), None, seeds=(0, 1), n=1600))
    training = found.xs(TRAINING, level="against")
    for name in ("variance_ratio", "norm_ratio", "density", "clipped_density", "clipped_coverage"):
        # Draws from the truth are as good as real rows, and both are one but for chance.
        assert training.loc[name, "real_value"] == pytest.approx(1, abs=0.12), name
        assert training.loc[name, "value"] == pytest.approx(training.loc[name, "real_value"], abs=0.12), name
    halves = training.loc[["variance_ratio", "norm_ratio", "density", "coverage", "clipped_density"]]
    assert (halves["rows"] == halves["real_rows"]).all()
    assert (halves["real_rows"] == halves["reference_rows"]).all()
    # No row stands beside itself.
    assert training.loc["coverage", "real_value"] == pytest.approx(1 - 0.5**K, abs=0.05)


def test_the_halves_do_not_depend_on_the_method() -> None:
    nulls = [
        {tuple(row[:5]): row[6:] for row in audit(training_data(sampler, None))["data"] if row[3] == "variance_ratio"}
        for sampler in (SMOTE(), RandomOverSampler())
    ]
    assert nulls[0] == nulls[1]
    assert nulls[0]


def test_a_class_of_too_few_training_rows_has_no_halves() -> None:
    assert 2 * FEWEST == 20  # as the page says
    # Natural imbalance: 24 rows in the minority, of which 18 train.
    table: Any = pd.DataFrame(**audit(training_data(RandomOverSampler(), None, n=96)))
    assert "nearest" in set(table["measure"])
    assert "variance_ratio" not in set(table["measure"])


def test_runs_that_make_no_row_have_no_line() -> None:
    assert audit(training_data(SMOTE(), amount=0.0)) == {"columns": list(QUALITY_COLUMNS), "data": []}


def test_few_rows_are_left_alone() -> None:
    data = training_data(SMOTE(k_neighbors=2), ratio=1.05, n=120)
    made = [np.bincount(each.augmented.labels, minlength=2)[1] for each in data.whole]
    assert max(made) < FEWEST
    assert not audit(data)["data"]


def test_seeds_do_not_depend_on_each_other() -> None:
    both = audit(training_data(SMOTE(), seeds=(0, 1)))["data"]
    alone = audit(training_data(SMOTE(), seeds=(1,)))["data"]
    assert [row for row in both if row[0] == 1] == alone


# In a record


def line(**changes: Any) -> list[Any]:
    row: dict[str, Any] = {
        "seed": 0,
        "fold": 0,
        "class": "world",
        "measure": "coverage",
        "against": HELD_BACK,
        "value": 0.5,
        "real_value": None,
        "rows": 20,
        "real_rows": 20,
        "reference_rows": 20,
    }
    return list({**row, **changes}.values())


def read_with(folder: Path, **tables: Any) -> dict[str, Any]:
    (run,) = fabricated.write_runs(folder, ["trec"], [10.0], ["smote"], n_folds=2, changes=tables)
    return shapes.record(run / record.RECORD)


def test_a_record_keeps_the_table_and_an_older_one_has_it_empty(tmp_path: Path) -> None:
    table = {"columns": list(QUALITY_COLUMNS), "data": [line()]}
    assert read_with(tmp_path / "new", quality=table)["quality"] == table
    (old,) = fabricated.write_runs(tmp_path / "old", ["trec"], [10.0], ["smote"], n_folds=2)
    content = json.loads((old / record.RECORD).read_text())
    for name in ("quality", "geometry"):
        content.pop(name, None)
    (old / record.RECORD).write_text(json.dumps(content))
    read = shapes.record(old / record.RECORD)
    assert not read["quality"]["data"]
    assert not read["geometry"]["data"]


@pytest.mark.parametrize(
    "change",
    [
        {"value": "0.5"},
        {"value": 1.2},
        {"value": -0.1},
        {"real_value": 1.2},
        {"value": 1e300, "measure": "density"},
        {"class": "nowhere"},
        {"against": "test"},
        {"measure": 5},
        {"rows": -1},
        {"rows": 2**60},
        {"seed": "0"},
    ],
)
def test_what_no_audit_can_have_said_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    with pytest.raises(shapes.MisshapenError, match="quality"):
        read_with(tmp_path, quality={"columns": list(QUALITY_COLUMNS), "data": [line(**change)]})


def test_measures_of_later_versions_are_kept(tmp_path: Path) -> None:
    table = {"columns": [*QUALITY_COLUMNS, "more"], "data": [[*line(measure="of_later", value=77.0), {"any": 1}]]}
    assert read_with(tmp_path, quality=table)["quality"] == table


def test_seeds_are_joined_also_where_one_record_was_audited_otherwise() -> None:
    first = fabricated.fabricate("trec", 10.0, "smote", {}, "plain", 2, (0,), ("a", "b"), 1.0)
    second = fabricated.fabricate("trec", 10.0, "smote", {}, "plain", 2, (1,), ("a", "b"), 1.0)
    for each in (first, second):
        each["cost"] |= {"rows": {}, "flops": {}}
    row = line(**{"class": "a"})
    first["quality"] = {"columns": list(QUALITY_COLUMNS), "data": [row]}
    second["quality"] = {"columns": [*QUALITY_COLUMNS, "more"], "data": [[1, *row[1:], 3]]}
    joined = extending.join(first, second)["quality"]
    assert joined["columns"] == [*QUALITY_COLUMNS, "more"]
    assert joined["data"] == [[*row, None], [1, *row[1:], 3]]
    # And whichever came first.
    assert extending.join(second, first)["quality"]["data"] == joined["data"]


def test_the_figures_words_say_which_real_rows_stand_beside(tmp_path: Path) -> None:
    said = {}
    for ratio, against in ((10.0, HELD_BACK), (None, TRAINING)):
        shown = ["variance_ratio", "clipped_density", *(["two_sample_linear"] if against == HELD_BACK else [])]
        rows = [line(measure=each, against=against, value=0.6, real_value=0.5) for each in shown]
        changes = {"quality": {"columns": list(QUALITY_COLUMNS), "data": rows}}
        folder = tmp_path / against
        fabricated.write_runs(folder, ["trec"], [ratio], ["none", "smote"], n_folds=2, changes=changes)
        evidence = evidences.read([folder])
        results = Results(evidence, comparisons.compare(evidence, metrics=["accuracy"]))
        (plan,) = quality.FIGURE.plans(results)
        drawing = plan.draw()
        assert drawing is not None
        said[against] = (drawing.alt, drawing.note)
    for text in said[HELD_BACK]:
        assert "as many real rows that were held back" in text
    for text in said[TRAINING]:
        assert "one half of a class compared with its other half" in text
        assert "held back:" in text
