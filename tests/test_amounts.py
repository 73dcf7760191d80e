"""The amount of synthesis is chosen split by split, by rows that trained nothing and by no test row."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from imblearn import FunctionSampler
from imblearn.over_sampling import SMOTE
from imblearn.under_sampling import RandomUnderSampler, TomekLinks

from synaug import record, settings
from synaug.augmenter import Augmenter
from synaug.classifier.at_once import ScikitLearn
from synaug.comparison import compare as comparisons
from synaug.comparison import evidence
from synaug.errors import UserError
from synaug.imbalance_ratio import ImbalanceRatio
from synaug.record import tables as record_tables
from synaug.report.page import chosen_amounts
from synaug.report.results import Results
from synaug.settings import BAGGED
from synaug.splits import make_splits
from synaug.training import tables
from synaug.training.amounts import Fitted, best_of
from synaug.training.at_once import TrainingAtOnce
from synaug.training.training_sets import augment, neighbour_graphs
from synaug.validation import Nested
from tests import fabricated
from tests.program import BRIEF, TOY, Program, without_cost
from tests.test_at_once import assert_same
from tests.test_fit import NAMES, texts

AMOUNTS = (0, 0.5, 1, 2)


def tried(amounts: Sequence[float], *, changed_labels: bool = False, replicas: int = 1) -> list[Fitted]:
    """Two splits, with each of some amounts; the test rows of the first may have other labels."""
    from sklearn.linear_model import LogisticRegression

    toy, embeddings = texts()
    splits = make_splits(
        "toy",
        toy.labels,
        NAMES,
        ImbalanceRatio(6.0, minority=["b", "c"]),
        seeds=[0],
        n_folds=3,
        validation=Nested(3),
    )[:1]
    if changed_labels:
        labels = toy.labels.copy()
        labels[splits[0].test] = np.random.RandomState(0).permutation(labels[splits[0].test])
        assert (labels != toy.labels).any()
        toy = replace(toy, labels=labels)
    graphs = neighbour_graphs(embeddings, toy.labels)
    training = TrainingAtOnce(ScikitLearn(LogisticRegression(max_iter=1000)), BAGGED, progress_bar=False)

    def fitted(augmenter: Augmenter) -> Fitted:
        data = augment(toy, embeddings, splits, augmenter, graphs, ratio=6.0, replicas=replicas)
        return Fitted.with_amount(augmenter.amount, data, training.fit(data))

    return list(map(fitted, Augmenter.of_amounts(SMOTE(k_neighbors=2), amounts)))


def joined(parts: Sequence[Fitted]) -> Fitted:
    return best_of(parts, lambda each: each)


def with_losses(each: Fitted, losses: Sequence[float]) -> Fitted:
    return replace(each, losses=np.array([losses]))


@pytest.fixture(scope="module")
def parts() -> list[Fitted]:
    return tried(AMOUNTS)


def test_one_amount_is_that_amount_to_the_bit(parts: list[Fitted]) -> None:
    alone, of_a_list = parts[AMOUNTS.index(1)], joined(tried([1]))
    assert_same(of_a_list.predictions, alone.predictions)
    assert tables.balance(of_a_list.data) == tables.balance(alone.data)
    assert not tables.amounts(of_a_list)["data"]


@pytest.mark.parametrize("wanted", AMOUNTS)
def test_all_of_a_split_is_that_of_its_amount(parts: list[Fitted], wanted: float) -> None:
    losses = [0.1 if amount == wanted else 0.2 for amount in AMOUNTS]
    best = joined([with_losses(each, [loss]) for each, loss in zip(parts, losses, strict=True)])
    alone = parts[AMOUNTS.index(wanted)]
    assert best.data.training_sets == alone.data.training_sets
    assert best.predictions.splits == alone.predictions.splits
    assert best.predictions.members == len(AMOUNTS) * alone.predictions.members
    assert best.predictions.n_trained == sum(each.predictions.n_trained for each in parts)
    table = tables.amounts(best)
    assert table["columns"] == list(record_tables.AMOUNT_COLUMNS)
    assert [row[2:] for row in table["data"]] == [
        [amount, loss, amount == wanted] for amount, loss in zip(AMOUNTS, losses, strict=True)
    ]


def test_the_loss_is_that_of_the_better_candidate_rule(parts: list[Fitted]) -> None:
    for each in parts:
        (of_split,) = each.predictions.splits
        assert each.losses.tolist() == [[min(chosen.loss for chosen in of_split.chosen.values())]]
    best = joined(parts)
    assert list(best.amounts) == list(AMOUNTS)
    assert best.losses[best.chosen[0], 0] == min(float(each.losses[0, 0]) for each in parts)


def test_of_equals_the_least_is_chosen(parts: list[Fitted]) -> None:
    losses = [0.3, 0.2, 0.2 - 1e-15, 0.2]
    best = joined([with_losses(each, [loss]) for each, loss in zip(parts, losses, strict=True)])
    assert best.amounts[best.chosen[0]] == 0.5
    assert "0.5 in 1 of 1 splits" in best.sentence()


def test_test_rows_choose_nothing(parts: list[Fitted]) -> None:
    other = joined(tried(AMOUNTS, changed_labels=True))
    assert np.array_equal(joined(parts).losses, other.losses)
    assert np.array_equal(joined(parts).chosen, other.chosen)


def test_replicas_are_chosen_together() -> None:
    best = joined(tried((0, 1), replicas=2))
    sets = best.data.training_sets
    assert len({each.replica for each in sets}) == 2
    made = {len(each.augmented.synthetic) > 0 for each in sets}
    assert made == {bool(best.amounts[best.chosen[0]])}


@pytest.mark.parametrize(
    ("sampler", "amounts"),
    [
        (SMOTE(), settings.AMOUNTS),
        (RandomUnderSampler(), (0, 0.25, 0.5, 1)),
        (FunctionSampler(), (0,)),
    ],
)
def test_each_kind_of_sampler_has_amounts_of_its_own(sampler: Any, amounts: Sequence[float]) -> None:
    found = Augmenter.of_amounts(sampler, settings.AMOUNTS)
    assert [each.amount for each in found] == list(amounts)


@pytest.mark.parametrize("sampler", [TomekLinks(), FunctionSampler(func=lambda X, y: (X, y))])
def test_a_sampler_that_decides_by_itself_has_nothing_to_choose(sampler: Any) -> None:
    with pytest.raises(UserError, match=r"decides by itself.*augmenter\.amount=1"):
        Augmenter.of_amounts(sampler, (0, 1))
    assert Augmenter.of_amounts(sampler, (1,))[0].amount == 1


@pytest.mark.parametrize(
    ("setting", "amounts"), [(1.0, (1.0,)), ("auto", (0, 0.25, 0.5, 1, 2)), ([1, 0, 1.0], (0, 1)), ([2], (2,))]
)
def test_a_setting_says_what_there_is_to_choose_from(setting: Any, amounts: Sequence[float]) -> None:
    assert settings.amounts(setting) == tuple(amounts)


def test_ways_of_writing_one_choice_are_one_run() -> None:
    def identity(amount: Any) -> str:
        return record.identity({"augmenter": {"_target_": "x", "amount": amount}}, {})

    assert identity("auto") == identity([0, 0.25, 0.5, 1, 2]) == identity([2.0, 1.0, 0.0, 0.5, 0.25])
    assert identity(1) == identity([1.0]) != identity("auto") != identity([0, 1])
    assert identity(0) == identity([0])


def test_what_is_chosen_is_named_and_told_from_what_is_set(tmp_path: Path) -> None:
    amounts = [{"amount": amount} for amount in (1.0, 0.5, 2.0)]
    written = fabricated.write_runs(tmp_path, ["imdb"], [10.0], ["none", "smote"], augmenter_settings=amounts)
    for folder, amount in zip(written[2:], ("auto", [0, 2.0]), strict=True):
        content = json.loads((folder / record.RECORD).read_text())
        content["config"]["augmenter"]["amount"] = amount
        fabricated.write(tmp_path, content)
    runs = evidence.read([tmp_path]).runs.set_index("augmenter")["amount"]
    assert runs.index.tolist() == ["none", "smote 100 %", "smote auto", "smote auto of 0, 200 %"]
    assert runs.fillna(-1).tolist() == [0, 1, -1, -1]


def test_a_split_that_chose_none_is_told_from_synthesis(tmp_path: Path) -> None:
    """The page counts what was chosen, and a caution says where the best with synthesis made no row."""
    written = fabricated.write_runs(tmp_path, ["imdb"], [10.0], ["none", "smote"], n_folds=3)
    content = json.loads((written[1] / record.RECORD).read_text())
    content["config"]["augmenter"]["amount"] = "auto"
    content["amounts"] = record_tables.as_table(
        record_tables.AMOUNT_COLUMNS,
        [[0, fold, amount, 0.5, amount == (0 if fold == 1 else 1)] for fold in range(3) for amount in (0, 0.5, 1)],
    )
    fold_at, new_at = (content["balance"]["columns"].index(name) for name in ("fold", "new"))
    for row in content["balance"]["data"]:
        row[new_at] *= row[fold_at] != 1
    fabricated.write(tmp_path, content)
    found = evidence.read([tmp_path])
    assert found.runs["with_synthesis"].tolist() == [False, True]
    assert found.splits_with_new_points() == {found.runs["identity"].iloc[1]: {(0, 0), (0, 2)}}
    losses = found.out_of_fold()
    assert set(losses.loc[losses["new_points"], "fold"]) == {0, 2}
    assert (losses["with_synthesis"] == (losses["augmenter"] == "smote auto")).all()
    compared = comparisons.compare(found)
    said = [each for each in compared.verdict.cautions if "made a new point" in each]
    assert said == [
        "In 1 of 3 splits no method made a new point, because amount=auto chose 0 or a fallback repeated rows. There, "
        "even the best with synthesis made none, so its gain does not come from synthesis."
    ]
    assert chosen_amounts.sentences(Results(found, compared)) == [
        "imdb at 1:10, smote auto: 0 % in 1, 50 % in 0, 100 % in 2 of 3 splits"
    ]


def test_a_run_chooses_and_records_it(program: Program, csv: str) -> None:
    command = [*TOY, csv, "augmenter.k_neighbors=2", "augmenter.amount=auto"]
    outcome = program(*command)
    assert outcome.code == 0, outcome.err
    assert "augmenter.amount: " in outcome.err
    found = program.record()
    rows = found["amounts"]["data"]
    assert [row[2] for row in rows[:5]] == [0, 0.25, 0.5, 1, 2]
    assert sum(row[4] for row in rows) == 4
    assert found["cost"]["members"] == 5 * 4 * 6
    chosen = {(seed, fold): amount for seed, fold, amount, _, is_chosen in rows if is_chosen}
    for seed, fold, _, _, real, _, asked, *_ in found["balance"]["data"]:
        assert asked == 0 or chosen[seed, fold] > 0, real
    losses = {(row[0], row[1]): row[3] for row in rows if row[4]}
    for (seed, fold), loss in losses.items():
        of_split = [row[4] for row in found["best"]["data"] if row[:2] == [seed, fold]]
        assert min(of_split) == loss
    assert program(*command, "seeds=[0,1]").code == 0
    both = program.record()
    assert [row for row in both["amounts"]["data"] if row[0] == 0] == rows
    assert len(both["amounts"]["data"]) == 2 * len(rows)


def test_a_list_of_one_is_the_run_of_that_amount(program: Program, csv: str) -> None:
    assert program(*BRIEF, csv, "augmenter.k_neighbors=2", "augmenter.amount=[0.5]").code == 0
    of_a_list = program.record()
    again = program(*BRIEF, csv, "augmenter.k_neighbors=2", "augmenter.amount=0.5", "force=true")
    assert again.code == 0, again.err
    found = without_cost(program.record())
    assert {**found, "config": 0} == {**without_cost(of_a_list), "config": 0}


def test_a_sweep_has_the_word_among_numbers(program: Program, csv: str) -> None:
    command = [*BRIEF, csv, "augmenter=none,random,random_under", "augmenter.amount=1,auto", "--multirun"]
    outcome = program(*command)
    assert outcome.code == 0, outcome.err
    assert len(program.run_folders) == 5  # none is one run
    assert program(*BRIEF, csv, "augmenter=tomek", "augmenter.amount=auto").err.count("decides by itself") == 1
    wrong = program(*TOY, csv, "augmenter.amount=automatic")
    assert "augmenter.amount=automatic must be a number" in wrong.err
