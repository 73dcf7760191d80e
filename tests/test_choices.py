"""What is chosen on out-of-fold rows: rules, and the best methods without synthesis and with it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from synaug.comparison.choices import COLUMNS, KEY, choose, with_choices
from synaug.comparison.labels import METHOD, WITH, WITHOUT, Method
from synaug.scores.decision import CANDIDATE_RULES, RULES

TRAINED = [("none", ""), ("none", "class_weighted"), ("random", ""), ("smote", ""), ("smote", "class_weighted")]
WITHOUT_NEW_POINTS = ("none", "random")
SPLITS = [(seed, fold) for seed in (0, 1) for fold in range(3)]


def drawn(seed: int, rules: Sequence[str] = RULES) -> pd.DataFrame:
    """A value for each method and split of two scenarios."""
    draw = np.random.RandomState(seed)
    rows = [
        (scenario, *trained, rule, *split, trained[0] not in WITHOUT_NEW_POINTS, draw.rand())
        for scenario in ("x", "y")
        for trained in TRAINED
        for rule in rules
        for split in SPLITS
    ]
    return pd.DataFrame(rows, columns=[*KEY, "with_synthesis", "value"])


def best_of(rows: pd.DataFrame) -> Method:
    return Method(*rows.sort_values("value")[METHOD].iloc[0])


def test_the_least_out_of_fold_loss_is_chosen_of_candidates_alone() -> None:
    losses, scores = drawn(1), drawn(0)
    made = with_choices(scores, choose(losses)).dropna(subset="chosen_from").set_index(KEY)
    chosen_from, chosen_value = made["chosen_from"].to_dict(), made["value"].to_dict()
    # Whatever rule is no candidate: argmax has losses here, too.
    of_candidates = losses[losses["decision"].isin(CANDIDATE_RULES)]
    by_key = scores.set_index(KEY)["value"].to_dict()
    for (scenario, seed, fold), rows in of_candidates.groupby(["scenario", "seed", "fold"]):
        expected = {(augmenter, loss): best_of(same) for (augmenter, loss), same in rows.groupby(["augmenter", "loss"])}
        for kind, same in rows.groupby("with_synthesis"):
            expected[WITH if kind else WITHOUT, ""] = best_of(same)
        for (augmenter, loss), method in expected.items():
            key = (scenario, augmenter, loss, "chosen", seed, fold)
            assert chosen_from[key] == method
            taken = (scenario, method.augmenter, method.loss, method.decision, seed, fold)
            assert chosen_value[key] == by_key[taken]
    assert len(made) == 2 * len(SPLITS) * (len(TRAINED) + 2)


def test_repetition_competes_without_synthesis_and_losses_on_both_sides() -> None:
    losses = drawn(1)
    favoured = (losses["loss"] == "class_weighted") | (losses["augmenter"] == "random")
    picked = choose(losses.assign(value=losses["value"] - favoured))
    without = picked[picked["augmenter"] == WITHOUT]
    assert set(zip(without["taken_augmenter"], without["taken_loss"], strict=True)) == {
        ("none", "class_weighted"),
        ("random", ""),
    }
    with_it = picked[picked["augmenter"] == WITH]
    assert set(zip(with_it["taken_augmenter"], with_it["taken_loss"], strict=True)) == {("smote", "class_weighted")}
    assert not without["with_synthesis"].any()
    assert with_it["with_synthesis"].all()


def test_a_split_in_which_a_method_made_no_point_is_no_synthesis() -> None:
    """With amount=auto a split may choose 0: the best with synthesis is one that made some there, if any did."""
    losses = drawn(1)
    losses.loc[(losses["augmenter"] == "smote") & (losses["loss"] == ""), "value"] -= 2
    first = (losses["seed"] == 0) & (losses["fold"] == 0)
    second = (losses["seed"] == 0) & (losses["fold"] == 1)
    is_smote, plain = losses["augmenter"] == "smote", losses["loss"] == ""
    losses["new_points"] = is_smote & ~(first & plain) & ~second
    picked = choose(losses)
    with_it = picked[picked["augmenter"] == WITH].set_index(["scenario", "seed", "fold"])["taken_loss"]
    for scenario in ("x", "y"):
        assert with_it[scenario, 0, 0] == "class_weighted"  # plain SMOTE made none, and has the least loss
        assert with_it[scenario, 0, 1] == with_it[scenario, 0, 2] == ""  # neither made any; both did
    without = picked[picked["augmenter"] == WITHOUT]
    assert set(without["taken_augmenter"]) <= {"none", "random"}
    assert len(without) == len(with_it) == 2 * len(SPLITS)


@pytest.mark.parametrize("seed", range(2, 6))
@pytest.mark.parametrize("permuted", [True, False])
def test_the_choice_never_sees_test_scores(seed: int, permuted: bool) -> None:
    scores, losses = drawn(0), drawn(1)
    columns = [*KEY, "chosen_from"]
    expected = with_choices(scores, choose(losses))[columns]
    draw = np.random.RandomState(seed)
    others = draw.permutation(scores["value"]) if permuted else draw.rand(len(scores))
    found = with_choices(scores.assign(value=others), choose(losses))[columns]
    pd.testing.assert_frame_equal(found, expected)


@pytest.mark.parametrize("seed", range(5))
def test_of_equals_the_earlier_rule_the_plain_loss_and_none_are_chosen_in_whatever_order_they_come(seed: int) -> None:
    losses = drawn(1).assign(value=0.5)
    shuffled = losses.sample(frac=1, random_state=seed)
    made = choose(shuffled)
    assert set(made["taken_decision"]) == {"prior_corrected"}
    for picked, expected in ((WITHOUT, ("none", "")), (WITH, ("smote", ""))):
        rows = made[made["augmenter"] == picked]
        assert set(zip(rows["taken_augmenter"], rows["taken_loss"], strict=True)) == {expected}
    # A rounding error is no difference; a better rule beats a plainer loss.
    nearly = losses.assign(value=np.where(losses["decision"] == "tuned", 0.5 - 1e-15, 0.5))
    assert set(choose(nearly)["taken_decision"]) == {"prior_corrected"}


def test_the_best_are_picked_where_all_methods_are_and_each_rule_where_its_method_is() -> None:
    """A method whose second seed is missing must not leave the other side more to pick from there."""
    losses = drawn(1)
    lacking = (losses["scenario"] == "x") & (losses["augmenter"] == "random") & (losses["seed"] == 1)
    made = choose(losses[~lacking])
    of_x = made[made["scenario"] == "x"].groupby(["augmenter", "loss"]).size().to_dict()
    assert [of_x[key] for key in ((WITH, ""), (WITHOUT, ""), ("random", ""))] == [3, 3, 3]
    assert of_x["smote", ""] == of_x["smote", "class_weighted"] == 6
    assert (made[made["scenario"] == "y"].groupby(["augmenter", "loss"]).size() == 6).all()


@pytest.mark.parametrize("kept", [WITHOUT_NEW_POINTS, ("smote",)])
def test_with_methods_of_one_kind_only_that_kind_has_a_best(kept: Sequence[str]) -> None:
    losses = drawn(1)
    made = choose(losses[losses["augmenter"].isin(kept)])
    assert set(made["augmenter"]) - set(losses["augmenter"]) == {WITH if kept == ("smote",) else WITHOUT}


def test_without_losses_nothing_is_chosen() -> None:
    scores = drawn(0)
    made = choose(drawn(1)[:0])
    assert made.empty
    assert list(made.columns) == COLUMNS
    assert with_choices(scores, made)["decision"].isin(RULES).all()
    unknown = drawn(1).assign(value=np.nan)
    assert choose(unknown).empty


def test_a_split_without_a_test_score_of_what_was_chosen_gets_no_row() -> None:
    scores, losses = drawn(0), drawn(1)
    made = with_choices(scores[scores["fold"] != 2], choose(losses))
    assert set(made["fold"]) == {0, 1}
