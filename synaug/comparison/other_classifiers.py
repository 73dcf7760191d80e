"""Whether another classifier does better, on the same data, than the best that a verdict is about.

A scenario fixes its classifier, so its verdict is silent on that. Where another one was run on the same splits (a
logistic regression, say), whoever reads that some method is the best must know if it is not.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from synaug.comparison.choices import SPLIT
from synaug.comparison.labels import CHOSEN, PICKED, Scenario
from synaug.comparison.multiplicity import holm
from synaug.comparison.stats import corrected_t_test, intervals


@dataclass(frozen=True)
class Surpassed:
    """The best of a scenario, and the classifier that does better there.

    Attributes
    ----------
    scenario
        Whose best it is.
    best
        `best without synthesis` or `best with synthesis`: the one with the higher mean.
    other
        The scenario of the other classifier; its best is picked in the same way.
    other_best
        As `best`, of the other classifier.
    gain, low, high
        What the other is better by, in the metric's own unit, and its interval, adjusted by Holm's step-down for all
        pairs of a scenario and another classifier.
    """

    scenario: Scenario
    best: str
    other: Scenario
    other_best: str
    gain: float
    low: float
    high: float


def surpassed(values: pd.DataFrame, verdicts: Sequence[Scenario], *, higher_is_better: bool) -> list[Surpassed]:
    """Compare the best of each scenario with the best of every other classifier, paired by split.

    Parameters
    ----------
    values
        What `synaug.comparison.choices.with_choices` returns: the scores of one metric.
    verdicts
        Scenarios that have a verdict.
    higher_is_better
        False for losses.

    Returns
    -------
    list
        Those whose interval lies below the other classifier's best as a whole, the largest difference of each
        scenario. Classifiers are comparable where nothing else differs between their scenarios: then the splits are
        the same.
    """
    picked = values[values["augmenter"].isin(PICKED) & (values["decision"] == CHOSEN)].dropna(subset="value")
    sign = 1 if higher_is_better else -1
    by_scenario: dict[Scenario, pd.DataFrame] = {}
    for scenario, part in picked.groupby(picked["scenario"].astype(object), sort=False):
        by_scenario[scenario] = sign * part.pivot(index=SPLIT, columns="augmenter", values="value")
    alike: dict[Scenario, list[Scenario]] = defaultdict(list)
    for scenario in by_scenario:
        alike[replace(scenario, classifier="")].append(scenario)
    pairs = [
        (scenario, other)
        for scenario in verdicts
        if scenario in by_scenario
        for other in alike[replace(scenario, classifier="")]
        if other != scenario
    ]
    rows = []
    for scenario, other in pairs:
        (best, ours), (other_best, theirs) = (_best(by_scenario[each]) for each in (scenario, other))
        differences = (theirs - ours).dropna()
        n_folds = differences.index.get_level_values("fold").nunique()
        if len(differences) > 1 and n_folds > 1:
            test = corrected_t_test(differences.to_numpy(), n_folds)
            rows.append((scenario, best, other, other_best, len(differences), *map(float, test)))
    if not rows:
        return []
    columns = ["scenario", "best", "other", "other_best", "n_splits", "gain", "error", "t", "p"]
    tested = pd.DataFrame(rows, columns=columns)
    tested["low"], tested["high"] = intervals(
        tested["gain"], tested["error"], tested["n_splits"], holm(tested["p"]).factor
    )
    found = tested[tested["low"] > 0].sort_values("gain", ascending=False, kind="stable").drop_duplicates("scenario")
    return [
        Surpassed(*row)
        for row in found[["scenario", "best", "other", "other_best", "gain", "low", "high"]].itertuples(
            index=False, name=None
        )
    ]


def _best(by_split: pd.DataFrame) -> tuple[str, "pd.Series[float]"]:
    """Of the best without synthesis and the best with it, the one with the higher mean, and its scores."""
    means = by_split.mean()
    name = str(means.index[int(np.argmax(means.to_numpy()))])
    return name, by_split[name]
