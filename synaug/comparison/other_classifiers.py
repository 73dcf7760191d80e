"""Whether another classifier does better, on the same data, than the best that a verdict is about.

A scenario fixes its classifier, so its verdict is silent on that. Where another one was run on the same splits (a
logistic regression, say), whoever reads that some method is the best must know if it is not.
"""

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pandas as pd

from synaug.comparison.choices import SPLIT
from synaug.comparison.labels import CHOSEN, PICKED, Scenario
from synaug.comparison.stats import family

OF_THE_CLASSIFIER = "classifier."


@dataclass(frozen=True)
class Surpassed:
    """The best of a scenario, and the classifier that does better there.

    Attributes
    ----------
    scenario
        Whose best it is.
    best
        `best without synthesis` or `best with synthesis`: the one with the lower loss on out-of-fold rows.
    other
        The scenario of the other classifier.
    other_best
        As `best`, of the other classifier.
    gain, low, high
        What the other is better by, in the metric's own unit, and its interval, adjusted by Holm's step-down for all
        pairs of classifiers.
    """

    scenario: Scenario
    best: str
    other: Scenario
    other_best: str
    gain: float
    low: float
    high: float


def surpassed(
    values: pd.DataFrame,
    choices: pd.DataFrame,
    contents: Mapping[Scenario, str],
    verdicts: Sequence[Scenario],
    *,
    higher_is_better: bool,
    within: tuple[float, float] = (-np.inf, np.inf),
) -> list[Surpassed]:
    """Compare the best of each scenario with the best of every other classifier, paired by split.

    Parameters
    ----------
    values
        What `synaug.comparison.choices.with_choices` returns: the scores of one metric.
    choices
        Of `synaug.comparison.choices.choose`: by its losses the best with synthesis or without is taken.
    contents
        Which data set each scenario is of, whatever it is called.
    verdicts
        Scenarios that have a verdict.
    higher_is_better
        False for losses.
    within
        The differences that the metric allows, to which intervals are cut (`synaug.comparison.stats.gain_range`).

    Returns
    -------
    list
        Of each scenario the classifier that is better by most, if any is: if the whole interval lies above 0.
        Classifiers are comparable where nothing else differs between their scenarios: then the splits are the same.
    """
    picked = values[values["augmenter"].isin(PICKED) & (values["decision"] == CHOSEN)].dropna(subset="value")
    losses = choices[choices["augmenter"].isin(PICKED)].groupby(["scenario", "augmenter"], observed=True)["out_of_fold"]
    best = losses.mean().reset_index().sort_values("out_of_fold", kind="stable").drop_duplicates("scenario")
    best_of = dict(zip(best["scenario"].astype(object), best["augmenter"].astype(str), strict=True))
    sign = 1 if higher_is_better else -1
    scores: dict[Scenario, pd.Series[float]] = {}
    alike: dict[Hashable, list[Scenario]] = defaultdict(list)
    for scenario, part in picked.groupby(picked["scenario"].astype(object), sort=False):
        scores[scenario] = sign * part[part["augmenter"] == best_of[scenario]].set_index(SPLIT)["value"]
        alike[without_classifier(scenario), contents[scenario]].append(scenario)
    pairs = [pair for scenarios in alike.values() for pair in combinations(scenarios, 2)]
    found = family([(scores[other] - scores[scenario]).dropna() for scenario, other in pairs], within)
    rows = [(*pair, each.mean, each.low, each.high) for pair, each in zip(pairs, found, strict=True)]
    tested = pd.DataFrame(rows, columns=["scenario", "other", "gain", "low", "high"])
    turned = {"scenario": tested["other"], "other": tested["scenario"], "gain": -tested["gain"]}
    both = pd.concat([tested, tested.assign(**turned, low=-tested["high"], high=-tested["low"])])
    better = both[(both["low"] > 0) & both["scenario"].isin(list(verdicts))].sort_values("gain", ascending=False)
    return [
        Surpassed(scenario, best_of[scenario], other, best_of[other], gain, low, high)
        for scenario, other, gain, low, high in better.drop_duplicates("scenario")[
            ["scenario", "other", "gain", "low", "high"]
        ].itertuples(index=False, name=None)
    ]


def without_classifier(scenario: Scenario) -> Scenario:
    """The scenario as it is for all classifiers."""
    settings = tuple(setting for setting in scenario.settings if not setting.startswith(OF_THE_CLASSIFIER))
    return replace(scenario, classifier="", settings=settings)


def classifier_of(scenario: Scenario) -> str:
    """The classifier with its settings, where those of runs of one option differ."""
    own = [setting for setting in scenario.settings if setting.startswith(OF_THE_CLASSIFIER)]
    return " ".join([scenario.classifier, *(setting.removeprefix(OF_THE_CLASSIFIER) for setting in own)])
