"""Scenarios and methods are values: equal where they are the same, sorted, and labelled for readers."""

import math

import pandas as pd

from synaug.comparison.labels import (
    BASELINE,
    BEST_WITH_SYNTHESIS,
    BEST_WITHOUT_SYNTHESIS,
    PICKED,
    REFERENCES,
    Method,
    Scenario,
    as_text,
    methods_of,
)

NATURAL = Scenario("trec", "minilm", "natural", "mlp")
THINNED = Scenario("trec", "minilm", "ir10_linear", "mlp", ("max_steps=500",), ratio=10.0, profile="linear")


def test_a_scenario_is_labelled_by_all_that_it_is() -> None:
    assert str(THINNED) == THINNED.label == "trec · minilm · ir10_linear · mlp · max_steps=500"
    assert (NATURAL.at, THINNED.at) == ("natural", "1:10 linear")
    assert (NATURAL.is_natural, THINNED.is_natural) == (True, False)


def test_equal_scenarios_are_one_key_though_no_ratio_equals_another() -> None:
    again = Scenario("trec", "minilm", "natural", "mlp", ratio=math.nan)
    assert {NATURAL: 1}[again] == 1
    assert sorted([NATURAL, THINNED]) == [THINNED, NATURAL]


def test_parts_that_hold_the_separator_do_not_make_two_scenarios_one() -> None:
    first, second = Scenario("a · b", "c", "ir10", "mlp"), Scenario("a", "b · c", "ir10", "mlp")
    assert first.label == second.label
    assert len({first, second}) == 2
    frame = pd.DataFrame({"scenario": pd.Categorical([first, second, first])})
    assert frame.groupby("scenario", observed=True).size().tolist() == [1, 2]
    assert as_text(frame)["scenario"].tolist() == ["a · b · c · ir10 · mlp"] * 3


def test_methods_are_labelled_and_argmax_goes_without_saying() -> None:
    labels = {
        BASELINE: "none",
        BEST_WITHOUT_SYNTHESIS: "best without synthesis",
        BEST_WITH_SYNTHESIS: "best with synthesis",
        Method("smote 50 %", "label_smoothing=0.1"): "smote 50 % label_smoothing=0.1",
        Method("smote", decision="prior_corrected"): "smote, prior corrected",
        Method("none", "focal", "chosen"): "none focal, rule chosen",
        Method("none", decision="argmax_chosen_step"): "none, argmax at the chosen step",
    }
    assert {method: method.label for method in labels} == labels


def test_the_methods_of_a_frame_are_those_of_its_columns() -> None:
    columns = {"augmenter": ["best without synthesis", "none"], "loss": "", "decision": ["chosen", "tuned"]}
    frame = pd.DataFrame(columns, index=[7, 3])
    assert methods_of(frame).to_dict() == {7: REFERENCES["best_without_synthesis"], 3: Method("none", "", "tuned")}
    assert methods_of(frame, "argmax").tolist()[1] == BASELINE
    chosen_from = pd.Series([None, Method("smote")], index=frame.index, dtype=object)
    text = as_text(frame.assign(method=methods_of(frame), chosen_from=chosen_from))
    assert text["method"].tolist() == ["best without synthesis", "none, tuned"]
    assert text["chosen_from"].isna().tolist() == [True, False]


def test_no_option_and_no_settings_read_as_what_is_picked() -> None:
    """An option's name has no space, and a setting that follows it an equals sign, a share or `unset`."""
    for name in PICKED:
        _, _, rest = name.partition(" ")
        assert rest
        assert "=" not in rest
        assert not rest.endswith(("%", "unset"))
