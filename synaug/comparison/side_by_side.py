"""Classifiers side by side: of each data set and ratio, what each scores without synthesis and with it.

A scenario fixes its classifier. Where several were run on the same splits (a frozen encoder's and tuned ones, say), a
reader wants to see at once whether synthesis gains with each of them, and what the classifier itself is worth.
"""

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from synaug.comparison.choices import SPLIT
from synaug.comparison.labels import CHOSEN, PICKED, WITH, WITHOUT, Scenario
from synaug.comparison.multiplicity import holm
from synaug.comparison.other_classifiers import without_classifier
from synaug.comparison.stats import corrected_t_test, intervals

# Beside which of them the others stand: the paper's, else the first by name.
FIRST = ("mlp", "linear")


@dataclass(frozen=True)
class Difference:
    """A mean difference, in the metric's own unit, paired by split; positive is better.

    Attributes
    ----------
    mean, low, high
        With the interval, adjusted by Holm's step-down for all differences of its kind; NaN where none can be said.
    """

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Side:
    """One classifier among several that were run on the same splits.

    Attributes
    ----------
    scenario
        Of the classifier.
    without, with_synthesis
        Mean score of the best without synthesis, and with it, over the splits that all of the classifiers have; NaN
        where there is none.
    gain
        Of the best with synthesis over the best without, of this classifier.
    over_first
        Of this classifier's best without synthesis over that of the first; None of the first.
    """

    scenario: Scenario
    without: float
    with_synthesis: float
    gain: Difference
    over_first: Difference | None


def side_by_side(values: pd.DataFrame, contents: Mapping[Scenario, str], *, higher_is_better: bool) -> list[list[Side]]:
    """Put classifiers beside each other wherever nothing else differs.

    Parameters
    ----------
    values
        What `synaug.comparison.choices.with_choices` returns: the scores of one metric.
    contents
        Which data set each scenario is of, whatever it is called.
    higher_is_better
        False for losses.

    Returns
    -------
    list
        For each data set and ratio with several classifiers, one `Side` each, the first of them first.
    """
    picked = values[values["augmenter"].isin(PICKED) & (values["decision"] == CHOSEN)].dropna(subset="value")
    scores: dict[Scenario, dict[str, pd.Series[float]]] = defaultdict(dict)
    for scenario, of_scenario in picked.groupby(picked["scenario"].astype(object), sort=False):
        for name in PICKED:
            part = of_scenario[of_scenario["augmenter"] == name]
            if len(part):
                scores[scenario][name] = part.set_index(SPLIT)["value"]
    alike: dict[Hashable, list[Scenario]] = defaultdict(list)
    for scenario, of_kinds in scores.items():
        if WITHOUT in of_kinds:
            alike[without_classifier(scenario), contents[scenario]].append(scenario)
    groups = [sorted(group, key=_order) for group in alike.values() if len(group) > 1]
    sign = 1 if higher_is_better else -1
    gains, overs = [], []
    for group in groups:
        first = scores[group[0]][WITHOUT]
        for scenario in group:
            own = scores[scenario]
            gains.append(sign * (own[WITH] - own[WITHOUT]).dropna() if WITH in own else first[:0])
            if scenario != group[0]:
                overs.append(sign * (own[WITHOUT] - first).dropna())
    of_gains, of_overs = iter(_differences(gains)), iter(_differences(overs))
    found = []
    for group in groups:
        shared = _shared([each for scenario in group for each in scores[scenario].values()])
        found.append(
            [
                Side(
                    scenario,
                    _mean(scores[scenario][WITHOUT], shared),
                    _mean(scores[scenario].get(WITH), shared),
                    next(of_gains),
                    None if scenario == group[0] else next(of_overs),
                )
                for scenario in group
            ]
        )
    return sorted(found, key=lambda sides: (sides[0].scenario.dataset, sides[0].scenario.place))


def _order(scenario: Scenario) -> tuple[int, Scenario]:
    name = scenario.classifier
    return (FIRST.index(name) if name in FIRST else len(FIRST), scenario)


def _shared(scores: "Sequence[pd.Series[float]]") -> pd.Index:
    shared = scores[0].index
    for each in scores[1:]:
        shared = shared.intersection(each.index)
    return shared


def _mean(scores: "pd.Series[float] | None", splits: pd.Index) -> float:
    return np.nan if scores is None or not len(splits) else float(scores.loc[splits].mean())


def _differences(of_splits: "Sequence[pd.Series[float]]") -> list[Difference]:
    """Means with intervals; those that can be tested are one family."""
    n_folds = [each.index.get_level_values("fold").nunique() for each in of_splits]
    tests = {
        place: corrected_t_test(each.to_numpy(), n_folds[place])
        for place, each in enumerate(of_splits)
        if len(each) > 1 and n_folds[place] > 1
    }
    found = [Difference(float(each.mean()), np.nan, np.nan) for each in of_splits]
    if not tests:
        return found
    gain, error, _, p = (np.array([float(test[at]) for test in tests.values()]) for at in range(4))
    n_splits = [len(of_splits[place]) for place in tests]
    low, high = intervals(gain, error, n_splits, holm(p).factor)
    for place, *numbers in zip(tests, gain.tolist(), low.tolist(), high.tolist(), strict=True):
        found[place] = Difference(*numbers)
    return found
