"""What stands beside a verdict: accuracy, which balanced decisions cost, and what was chosen for another metric."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd

from synaug.comparison.choices import SPLIT, with_choices
from synaug.comparison.evidence import Evidence
from synaug.comparison.formatting import class_metric
from synaug.comparison.formatting import metric as in_words
from synaug.comparison.labels import BASELINE, BEST_WITH_SYNTHESIS, BEST_WITHOUT_SYNTHESIS, Scenario, methods_of
from synaug.scores.decision import ARGMAX
from synaug.scores.thresholds import OF_ALL

RANKED = ("auroc_macro", "auprc_macro")  # by probabilities: nothing is decided
ACCURACY, NATURAL = "accuracy", "natural"
# What choices and decisions are made for: each class counts alike.
BALANCED = ("balanced_accuracy", "balanced_log_loss", "minority_recall")
# Folds cannot always be cut evenly: a class has to have this much more than its part to be called the commonest.
UNEQUAL = 1.05
SHOWN = (BASELINE, BEST_WITHOUT_SYNTHESIS, BEST_WITH_SYNTHESIS)


def accuracies(
    evidence: Evidence, choices: pd.DataFrame, scenarios: Collection[Scenario], named: str
) -> dict[Scenario, str]:
    """Say what accuracy methods have beside always naming the commonest class, where test rows have one.

    Balanced accuracy hides what decisions for all classes alike cost where most rows are of one class. Test rows of a
    data set that was made balanced have no commonest class, and then nothing is said.

    Parameters
    ----------
    choices
        Of `synaug.comparison.choices.choose`.
    named
        The metric that the verdict is about.

    Returns
    -------
    dict
        A sentence by scenario; all means are over the splits that the three methods have.
    """
    counts = {scenario: counted for scenario in scenarios if (counted := _test_rows(evidence, scenario))}
    rows = evidence.scores_of(ACCURACY)
    values = with_choices(rows[rows["scenario"].isin(list(counts))], choices)
    values = values.assign(method=methods_of(values))
    said = {}
    for scenario, (names, by_split) in counts.items():
        of_scenario = values[(values["scenario"] == scenario) & values["method"].isin(list(SHOWN))]
        wide = of_scenario.pivot(index=SPLIT, columns="method", values="value").reindex(columns=list(SHOWN)).dropna()
        splits = [split for split in wide.index if split in by_split]
        if not splits:
            continue
        all_rows = sum(by_split[split] for split in splits)
        commonest = int(np.argmax(all_rows))
        if all_rows[commonest] * len(names) <= UNEQUAL * all_rows.sum():
            continue
        constant = float(np.mean([by_split[split][commonest] / by_split[split].sum() for split in splits]))
        several = (all_rows * UNEQUAL >= all_rows[commonest]).sum() > 1
        what = f"class {names[commonest]}, {'one of the most common' if several else 'the most common'}"
        balanced = _aims_at_all_alike(evidence, scenario)
        said[scenario] = _sentence(wide.loc[splits].mean().to_dict(), what, constant, balanced, named)
    return said


def _sentence(means: Mapping[Any, float], commonest: str, constant: float, balanced: bool, named: str) -> str:
    baseline, without, with_it = (f"{100 * means[method]:.1f}" for method in SHOWN)
    why = "; the decisions aim at all classes equally, not at accuracy" if balanced and named != ACCURACY else ""
    return (
        f"Accuracy (%): {baseline} for the baseline, {without} for the best without synthesis, {with_it} for the best "
        f"with it, and {100 * constant:.1f} for always predicting {commonest}{why}."
    )


def _test_rows(evidence: Evidence, scenario: Scenario) -> "tuple[list[str], dict[tuple[int, int], Any]] | None":
    """The classes, and how many test rows of each a split has, from the run of the scenario with the most splits."""
    found: dict[tuple[int, int], Any] = {}
    names: list[str] = []
    for identity in evidence.runs.loc[evidence.runs["scenario"] == scenario, "identity"]:
        record = evidence.records[identity]
        names = record["data"]["class_names"]
        for each in record.get("confusion", ()):
            if each["decision"] == ARGMAX:
                found[each["seed"], each["fold"]] = np.sum(each["matrix"], axis=1)
    return (names, found) if found else None


def _aims_at_all_alike(evidence: Evidence, scenario: Scenario) -> bool:
    """Whether no run of a scenario decides for the frequencies that classes have."""
    of_scenario = evidence.runs.loc[evidence.runs["scenario"] == scenario, "identity"]
    return all(evidence.records[each]["config"].get("target_prior") != NATURAL for each in of_scenario)


def of_another_metric(evidence: Evidence, metric: str, scenarios: Collection[Scenario]) -> str | None:
    """Say by what methods were chosen, where a verdict is about something else; None where it is not.

    Methods may then stand above those that are called best.
    """
    if metric in BALANCED or not scenarios:
        return None
    balanced = all(_aims_at_all_alike(evidence, scenario) for scenario in scenarios)
    if not balanced and metric in (ACCURACY, "log_loss"):
        return None
    by = "class-balanced log loss, which weighs all classes equally," if balanced else "log loss"
    said = f"Methods and rules were chosen by {by} and not by {in_words(metric)}, so others may do better on it."
    of_class = class_metric(metric)
    asked = []
    if metric in OF_ALL or (of_class and of_class[0] == "f1"):
        asked.append(f'"fit.rule=metric:{metric}" with synaug fit decides for it')
    elif of_class:
        asked.append(f'"fit.rule={of_class[0]}:{of_class[1]}=0.9" with synaug fit reaches a {of_class[0]} of 0.9')
    if balanced and metric not in RANKED:
        asked.append(f"target_prior={NATURAL} in a new sweep decides for the class frequencies of the data")
    return f"{said} {'; '.join(asked)}." if asked else said
