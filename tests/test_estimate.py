"""What a model card promises for a need: recomputed from what runs kept, row by row."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from synaug import record as records
from synaug.command.fit_record import Asked, Source, source_of
from synaug.comparison.estimate import Estimate
from synaug.errors import UserError
from synaug.model import card
from synaug.report import kept
from synaug.scores.needs import COST, read_rule
from tests.fabricated import write_runs
from tests.test_later import write_probabilities

CLASSES = ("ham", "news", "spam")
CANDIDATES = ("prior_corrected", "tuned")
WITHOUT = ("none", "random")


@pytest.fixture
def swept(tmp_path: Path) -> Path:
    """Six methods whose best on out-of-fold rows changes from split to split; log probabilities of all are kept."""
    folders = write_runs(
        tmp_path,
        ["mails"],
        [10.0],
        ["none", "random", "smote"],
        n_folds=4,
        seeds=(0, 1),
        class_names=CLASSES,
        losses=("plain", "class_weighted"),
        effect=0.0,
    )
    for folder in folders:
        write_probabilities(folder, 3)
    return tmp_path


def rows_of(table: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]


def taken_in_each_split(folder: Path, *, with_synthesis: bool) -> dict[tuple[int, int], Path]:
    """The run of the kind with the lowest out-of-fold loss under either candidate rule."""
    losses: dict[tuple[int, int], list[tuple[float, Path]]] = {}
    for run in sorted(folder.glob("*/record.json")):
        record = records.read(run.parent)
        if (record["choices"]["augmenter"] not in WITHOUT) is not with_synthesis:
            continue
        for row in rows_of(record["validation_scores"]):
            if row["metric"] == "balanced_log_loss" and row["decision"] in CANDIDATES:
                losses.setdefault((row["seed"], row["fold"]), []).append((row["value"], run.parent))
    return {split: min(of)[1] for split, of in losses.items()}


def kept_of(run: Path) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """What a run kept, and the class frequencies of its data set."""
    record = records.read(run)
    path = records.probabilities_file(run, record)
    assert path is not None
    with np.load(path, allow_pickle=False) as stored:
        counts = np.array(record["data"]["rows_per_class"], float)
        return dict(stored), counts / counts.sum()


def probabilities(stored: Mapping[str, np.ndarray], frequencies: np.ndarray, seed: int, fold: int) -> Any:
    """Those of the test rows at the data set's frequencies, and their labels."""
    rows = (stored["seed"] == seed) & (stored["fold"] == fold)
    weighted = np.exp(stored["prior_corrected"][rows].astype(float)) * frequencies
    return weighted / weighted.sum(1, keepdims=True), stored["label"][rows]


def cost_of_split(run: Path, split: tuple[int, int]) -> float:
    """Each row goes where its expected cost is least, if spam that is missed costs 7 and all else 1."""
    given, labels = probabilities(*kept_of(run), *split)
    total = 0.0
    for row, label in zip(given, labels, strict=True):
        costs = [row[1] + 7 * row[2], row[0] + 7 * row[2], row[0] + row[1]]
        decided = min(range(3), key=costs.__getitem__)
        total += 0 if decided == label else 7 if label == 2 else 1
    return total / len(labels)


def without_the_unsure(run: Path, split: tuple[int, int]) -> tuple[float, float]:
    """Coverage and risk where a class needs a probability of .6."""
    given, labels = probabilities(*kept_of(run), *split)
    sure = given.max(1) >= 0.6
    return sure.mean(), (given.argmax(1) != labels)[sure].mean()


def one(estimates: Sequence[Estimate], metric: str) -> Estimate:
    (found,) = (each for each in estimates if (each.metric, each.label) == (metric, None))
    return found


def interval(values: list[float], n_folds: int) -> tuple[float, float]:
    """Nadeau and Bengio's, written out: the t of 7 degrees of freedom is 2.3646."""
    error = np.sqrt((1 / len(values) + 1 / (n_folds - 1)) * np.var(values, ddof=1))
    return np.mean(values) - 2.364624 * error, np.mean(values) + 2.364624 * error


def told(source: Source) -> tuple[list[str], str]:
    """What the console and the card's table of scores say of a source."""
    record = {
        "measures": source.measures,
        "metric": source.favoured.metric,
        "outcome": source.favoured.outcome,
        "estimates": [asdict(each) for each in source.estimates],
        "picked": [asdict(each) for each in source.picked],
        "seeds": [0, 1],
        "n_folds": 4,
    }
    assert source.need is not None
    decision = {"name": source.need.name, "costs": source.need.costs(CLASSES), "abstain_below": source.need.level}
    return card.promised(record), "\n".join(card._scores({"record": record, "decision": decision}))


def test_costs_are_told_of_the_method_and_with_its_choice_made_again_in_each_split(swept: Path) -> None:
    source = source_of(Asked(swept, rule="costs:spam=7"))
    taken = taken_in_each_split(swept, with_synthesis=source.favoured.with_synthesis)
    assert len(taken) == 8
    assert len({*taken.values()}) > 1  # else the two estimates would be one
    of_run = [cost_of_split(source.favoured.folder, split) for split in taken]
    anew = [cost_of_split(run, split) for split, run in taken.items()]
    for estimates, values in ((source.estimates, of_run), (source.picked, anew)):
        found = one(estimates, COST)
        assert found.n_splits == 8
        assert found.value == pytest.approx(np.mean(values))
        assert (found.low, found.high) == pytest.approx(interval(values, 4), rel=1e-5)
    assert source.measures == [COST]
    (line,), table = told(source)
    assert line.startswith(f"on rows not used for training: {COST} {np.mean(of_run):.4g} [")
    assert f"chosen again in each split {np.mean(anew):.4g} [" in line
    assert f"| {COST} | {np.mean(of_run):.4g} | " in table
    assert f"| {np.mean(anew):.4g} [" in table
    assert "in the unit of the costs that were given" in table


def test_coverage_and_risk_are_told_alike(swept: Path) -> None:
    source = source_of(Asked(swept, rule="abstain:0.6"))
    taken = taken_in_each_split(swept, with_synthesis=source.favoured.with_synthesis)
    for place, measure in enumerate(("coverage", "risk")):
        of_run = [without_the_unsure(source.favoured.folder, split)[place] for split in taken]
        anew = [without_the_unsure(run, split)[place] for split, run in taken.items()]
        assert one(source.estimates, measure).value == pytest.approx(np.mean(of_run))
        assert one(source.picked, measure).value == pytest.approx(np.mean(anew))
    assert source.measures == ["coverage", "risk"]
    (line,), table = told(source)
    assert line.count("coverage") == line.count("risk") == 2
    assert "share of rows that get a class" in table


@pytest.mark.parametrize(
    ("rule", "measures"),
    [
        ("recall:spam=0.7", ["recall[spam]", "precision[spam]"]),
        ("precision:spam=0.5", ["precision[spam]", "recall[spam]"]),
        ("metric:f1[spam]", ["f1[spam]", "recall[spam]", "precision[spam]"]),
        ("metric:f1_macro", ["f1_macro"]),
    ],
)
def test_the_threshold_is_chosen_in_each_split_too(swept: Path, rule: str, measures: list[str]) -> None:
    source = source_of(Asked(swept, rule=rule))
    taken = taken_in_each_split(swept, with_synthesis=source.favoured.with_synthesis)
    assert source.measures == measures
    need = read_rule(rule)
    for estimates, runs in ((source.estimates, dict.fromkeys(taken, source.favoured.folder)), (source.picked, taken)):
        values: dict[str, list[float]] = {measure: [] for measure in measures}
        for split, run in runs.items():
            (own,) = (of for of in kept.splits(run, records.read(run)) if (of.seed, of.fold) == split)
            decided = need.choose(own.known, CLASSES, own.frequencies).classes(own.log_probabilities)
            hit = [((decided == label) & (own.labels == label)).sum() for label in range(3)]
            named, actual = np.bincount(decided, minlength=3), np.bincount(own.labels, minlength=3)
            recall, precision = hit / actual, hit / np.maximum(named, 1)
            f1 = 2 * np.array(hit) / (named + actual)
            shares = {"recall[spam]": recall[2], "precision[spam]": precision[2], "f1[spam]": f1[2]}
            for measure in measures:
                values[measure].append({**shares, "f1_macro": f1.mean()}[measure])
        for measure in measures:
            assert one(estimates, measure).value == pytest.approx(np.mean(values[measure]))


@pytest.mark.parametrize("rule", [None, "tuned", "argmax"])
def test_a_rule_that_was_asked_for_is_kept_and_one_that_was_not_is_chosen(swept: Path, rule: str | None) -> None:
    source = source_of(Asked(swept, rule=rule))
    values = []
    for split in taken_in_each_split(swept, with_synthesis=source.favoured.with_synthesis):
        best: list[tuple[float, float]] = []
        for run in swept.glob("*/record.json"):
            record = records.read(run.parent)
            if (record["choices"]["augmenter"] not in WITHOUT) is not source.favoured.with_synthesis:
                continue
            scores = {
                row["decision"]: row["value"]
                for row in rows_of(record["scores"])
                if (row["metric"], row["class"], row["seed"], row["fold"]) == ("balanced_accuracy", None, *split)
            }
            best += [
                (row["value"], scores[rule or row["decision"]])
                for row in rows_of(record["validation_scores"])
                if (row["metric"], row["seed"], row["fold"]) == ("balanced_log_loss", *split)
                and row["decision"] in CANDIDATES
            ]
        values.append(min(best)[1])
    assert one(source.picked, "balanced_accuracy").value == pytest.approx(np.mean(values))


def test_of_a_run_that_was_named_there_is_no_choice_to_make_again(swept: Path) -> None:
    run = next(swept.glob("*/record.json")).parent
    source = source_of(Asked(run, rule="costs:spam=7"))
    assert not source.picked
    assert one(source.estimates, COST).value > 0


def test_where_another_run_lacks_its_log_probabilities_the_card_does_without(
    swept: Path, caplog: pytest.LogCaptureFixture
) -> None:
    favoured = source_of(Asked(swept)).favoured
    taken = taken_in_each_split(swept, with_synthesis=favoured.with_synthesis)
    (other, *_) = (run for run in taken.values() if run != favoured.folder)
    for path in other.glob("probabilities-*"):
        path.unlink()
    source = source_of(Asked(swept, rule="costs:spam=7"))
    assert not source.picked
    assert one(source.estimates, COST).value > 0
    assert "lack their log probabilities" in caplog.text
    for path in favoured.folder.glob("probabilities-*"):
        path.unlink()
    with pytest.raises(UserError, match="lacks the log probabilities"):
        source_of(Asked(swept, rule="costs:spam=7"))


@pytest.mark.parametrize("level", ["0", "1", "x", "", "nan"])
def test_a_level_is_a_probability(level: str) -> None:
    with pytest.raises(UserError, match=r"fit\.rule=abstain:.* above 0 and below 1, e\.g\. fit\.rule=abstain:0\.7"):
        read_rule(f"abstain:{level}")
