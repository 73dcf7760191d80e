"""Classifiers side by side: of each data set and ratio, what each scores without synthesis and with it.

A scenario fixes its classifier. Where several were run on the same splits (a frozen encoder's and tuned ones, say), a
reader wants to see at once whether synthesis gains with each of them, and what the classifier itself is worth.
"""

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from synaug.comparison.choices import SPLIT, choose, with_choices
from synaug.comparison.labels import CHOSEN, PICKED, WITH, WITHOUT, Scenario
from synaug.comparison.other_classifiers import without_classifier
from synaug.comparison.stats import Difference, family

# Beside which of them the others stand: the paper's, else the first by name.
FIRST = ("mlp", "linear")


@dataclass(frozen=True)
class Side:
    """One classifier among several that were run on the same splits.

    Attributes
    ----------
    scenario
        Of the classifier.
    without, with_synthesis
        Mean score of the best without synthesis, and with it, of the methods and over the splits that all of the
        classifiers have; NaN where there is none.
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


def side_by_side(
    scores: pd.DataFrame,
    out_of_fold: pd.DataFrame,
    contents: Mapping[Scenario, str],
    *,
    higher_is_better: bool,
    within: tuple[float, float] = (-np.inf, np.inf),
) -> list[list[Side]]:
    """Put classifiers beside each other wherever nothing else differs.

    Parameters
    ----------
    scores
        Of test rows in one metric, as `synaug.comparison.choices.with_choices` takes them.
    out_of_fold
        As `synaug.comparison.choices.choose` takes it. The best of each classifier are picked among the methods, and
        on the splits, that all classifiers of the data set and ratio have: else one with more to pick from would seem
        the better classifier.
    contents
        Which data set each scenario is of, whatever it is called.
    higher_is_better
        False for losses.
    within
        The differences that the metric allows (`synaug.comparison.stats.gain_range`).

    Returns
    -------
    list
        For each data set and ratio with several classifiers, one `Side` each, the first of them first; none of those
        whose classifiers have no method without synthesis, or no split, in common.
    """
    values = with_choices(scores, choose(_in_common(out_of_fold, contents)))
    picked = values[values["augmenter"].isin(PICKED) & (values["decision"] == CHOSEN)].dropna(subset="value")
    of_best: dict[Scenario, dict[str, pd.Series[float]]] = defaultdict(dict)
    for scenario, of_scenario in picked.groupby(picked["scenario"].astype(object), sort=False):
        for name in PICKED:
            part = of_scenario[of_scenario["augmenter"] == name]
            if len(part):
                of_best[scenario][name] = part.set_index(SPLIT)["value"]
    alike: dict[Hashable, list[Scenario]] = defaultdict(list)
    for scenario, of_kinds in of_best.items():
        if WITHOUT in of_kinds:
            alike[without_classifier(scenario), contents[scenario]].append(scenario)
    groups = [sorted(group, key=_order) for group in alike.values() if len(group) > 1]
    sign = 1 if higher_is_better else -1
    gains, overs, of_groups = [], [], []
    for group in groups:
        shared = _shared([each for scenario in group for each in of_best[scenario].values()])
        of_groups.append((group, shared))
        first = of_best[group[0]][WITHOUT].loc[shared]
        for scenario in group:
            own = {name: each.loc[shared] for name, each in of_best[scenario].items()}
            gains.append(sign * (own[WITH] - own[WITHOUT]).dropna() if WITH in own else first[:0])
            if scenario != group[0]:
                overs.append(sign * (own[WITHOUT] - first).dropna())
    of_gains, of_overs = iter(family(gains, within)), iter(family(overs, within))
    found = []
    for group, shared in of_groups:
        found.append(
            [
                Side(
                    scenario,
                    _mean(of_best[scenario][WITHOUT], shared),
                    _mean(of_best[scenario].get(WITH), shared),
                    next(of_gains),
                    None if scenario == group[0] else next(of_overs),
                )
                for scenario in group
            ]
        )
    return sorted(found, key=lambda sides: (sides[0].scenario.dataset, sides[0].scenario.place))


def _in_common(out_of_fold: pd.DataFrame, contents: Mapping[Scenario, str]) -> pd.DataFrame:
    """The rows of methods and splits that all classifiers of a data set and ratio have.

    A classifier that was run without synthesis alone has no say in which methods with synthesis count.
    """
    scenarios = out_of_fold["scenario"].astype(object)
    places: dict[Hashable, int] = {}
    of_scenario = {
        each: places.setdefault((without_classifier(each), contents[each]), len(places)) for each in scenarios.unique()
    }
    known = out_of_fold.assign(_place=scenarios.map(of_scenario).astype(int), _scenario=pd.factorize(scenarios)[0])
    known = known.dropna(subset="value")
    for of, what in ((["_place", "with_synthesis"], ["augmenter", "loss"]), (["_place"], SPLIT)):
        n_scenarios = known.groupby(of)["_scenario"].transform("nunique")
        having = known.groupby([*of, *what], observed=True)["_scenario"].transform("nunique")
        known = known[having == n_scenarios]
    return known.drop(columns=["_place", "_scenario"])


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
