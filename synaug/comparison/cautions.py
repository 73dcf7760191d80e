"""What a reader must know before believing a verdict, the gravest first."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from synaug.comparison.evidence import Evidence
from synaug.comparison.formatting import Unit, counted
from synaug.comparison.labels import ARGMAX, BASELINE, Scenario, is_mostly_by_fallback, methods_of
from synaug.comparison.naming import NESTED
from synaug.comparison.other_classifiers import Surpassed, classifier_of, without_classifier
from synaug.comparison.told import place_of
from synaug.settings import BAGGED
from synaug.splits.near_copies import said_of_near_copies

MOST_LEFT_OUT = 5
MOST_NAMED = 5
MOST_PLACES = 4
# Losses that weigh or shift the classes by their size, whatever their options are called: what anybody would try before
# synthesis.
BALANCING_LOSSES = tuple(
    f"synaug.loss.{name}" for name in ("ClassWeighted", "EffectiveNumber", "BalancedSoftmax", "LogitAdjusted")
)


def cautions(evidence: Evidence, gaps: pd.DataFrame, compared: Sequence[Scenario]) -> Iterator[str]:
    """Sentences, the gravest first: the console shows few of them.

    Parameters
    ----------
    gaps
        Of `synaug.comparison.compare.find_gaps`.
    compared
        Scenarios that have a verdict.
    """
    versions = evidence.code_versions()
    if len(versions) > 1:
        yield f"{len(versions)} versions of the code are mixed (--mixed); differences may come from that."
    yield from _of_files(evidence)
    yield from _of_methods(evidence, compared)
    yield from _of_averages(evidence, compared)
    yield from _of_amounts(evidence, compared)
    yield from _of_learning(evidence.runs)
    if len(gaps):
        n = gaps["scenario"].nunique()
        yield f"{counted(n, 'scenario')} {'is' if n == 1 else 'are'} incomplete ({counted(len(gaps), 'gap')})."
    yield from _of_protocol(evidence)
    yield from _of_fallbacks(evidence.runs)


def _of_methods(evidence: Evidence, compared: Sequence[Scenario]) -> Iterator[str]:
    """What the best without synthesis could not be picked from, and where there is no baseline."""
    runs, records = evidence.runs, [evidence.records[identity] for identity in evidence.runs["identity"]]
    without = ~runs["with_synthesis"].astype(bool)
    losses = np.array([record["config"].get("loss", {}).get("_target_") for record in records], dtype=object)
    # What is not trained in steps makes no loss small, and takes none but the plain one.
    at_once = np.array([record["cost"].get("optimiser_steps") == 0 for record in records], dtype=bool)
    resampled = runs["augmenter"] != BASELINE.augmenter
    balanced = set(runs["scenario"][without & (np.isin(losses, BALANCING_LOSSES) | (at_once & resampled))])
    of_them = set(runs["scenario"][at_once])
    for lacking, what in (
        (
            [scenario for scenario in compared if scenario not in balanced | of_them],
            "loss that balances the classes was run{}: with one (loss=plain,class_weighted)",
        ),
        (
            [scenario for scenario in compared if scenario in of_them - balanced],
            "repetition or removal of rows was run{}: with them (augmenter=random,random_under)",
        ),
    ):
        if lacking:
            yield f"No {what.format(_in(lacking, compared))} the best without synthesis may be better."
    plain = set(runs["scenario"][(runs["augmenter"] == BASELINE.augmenter) & (runs["loss"] == BASELINE.loss)])
    lacking = [scenario for scenario in compared if scenario not in plain]
    if lacking:
        yield f"There is no baseline{_in(lacking, compared)}: add augmenter=none with loss=plain."


def _of_averages(evidence: Evidence, compared: Sequence[Scenario]) -> Iterator[str]:
    """Where some methods average more models than others: that alone may gain something."""
    averaged: dict[Scenario, dict[str, int]] = defaultdict(dict)
    names = [method.label_without_rule for method in methods_of(evidence.runs, ARGMAX)]
    for scenario, name, identity in zip(evidence.runs["scenario"], names, evidence.runs["identity"], strict=True):
        config = evidence.records[identity]["config"]
        validation = config.get("validation", {})
        n_inner = validation.get("n_folds", 1) if validation.get("final") == BAGGED else 1
        averaged[scenario][name] = n_inner * config["augmenter"].get("replicas", 1)
    more = {
        (n, min(of_scenario.values()), name)
        for of_scenario in (averaged[scenario] for scenario in compared)
        for name, n in of_scenario.items()
        if n > min(of_scenario.values())
    }
    if more:
        in_order = sorted(more, key=lambda each: each[2])
        said = ", ".join(f"{name} averages {n} models (fewest: {fewest})" for n, fewest, name in in_order)
        yield f"On each split {said}. Averaging more models may by itself explain part of a gain."


def _of_amounts(evidence: Evidence, compared: Sequence[Scenario]) -> Iterator[str]:
    """Where what is called the best with synthesis made nothing, as no method did in a split: amount=auto chose 0."""
    rows = evidence.out_of_fold()
    rows = rows[rows["with_synthesis"] & rows["scenario"].isin(list(compared))]
    made = rows.groupby(["scenario", "seed", "fold"], observed=True)["new_points"].any()
    by_scenario = (~made).groupby("scenario", observed=True).agg(["sum", "size"])
    some = by_scenario[by_scenario["sum"] > 0]
    scenarios = [scenario for scenario in compared if scenario in some.index]
    if scenarios:
        yield (
            f"In {some['sum'].sum()} of {counted(int(some['size'].sum()), 'split')}{_in(scenarios, compared)} no "
            "method made a new point, because amount=auto chose 0 or a fallback repeated rows. There, even the best "
            "with synthesis made none, "
            "so its gain does not come from synthesis."
        )


def of_other_classifiers(found: Sequence[Surpassed], several: Sequence[str], unit: Unit) -> Iterator[str]:
    """Where another classifier does better than what is called the best."""
    if not found:
        return
    n_scenarios = len({without_classifier(each.scenario) for each in found})
    named = [
        f"{place_of(each.scenario, several)}: {classifier_of(each.other)} ({each.other_best}) is {unit.of(each.gain)}"
        f"{unit.points} [{unit.of(each.low)}, {unit.of(each.high)}] better than {classifier_of(each.scenario)} "
        f"({each.best})"
        for each in found[:MOST_PLACES]
    ]
    more = f"; and {len(found) - MOST_PLACES} more" if len(found) > MOST_PLACES else ""
    yield f"In {counted(n_scenarios, 'scenario')} another classifier does better: {'; '.join(named)}{more}."


def _in(some: Sequence[Scenario], scenarios: Sequence[Scenario]) -> str:
    return "" if len(some) == len(scenarios) else f" in {len(some)} of {counted(len(scenarios), 'scenario')}"


def _of_learning(runs: pd.DataFrame) -> Iterator[str]:
    """Where training was of no use, each run by its methods."""
    unlearned = runs[runs["n_unlearned"] > 0]
    if unlearned.empty:
        return
    by_method: Counter[str] = Counter()
    for method, n in zip(methods_of(unlearned, ARGMAX), unlearned["n_unlearned"], strict=True):
        by_method[method.label_without_rule] += n
    named = [f"{name} ({n})" for name, n in by_method.most_common(MOST_NAMED)]
    more = f" and {len(by_method) - MOST_NAMED} more" if len(by_method) > MOST_NAMED else ""
    said = ", ".join(named)
    yield (
        f"In {counted(by_method.total(), 'case')} (a method on a split) nothing was learned, as no rule's loss was "
        f"better than chance: {said}{more}."
    )


def _of_files(evidence: Evidence) -> Iterator[str]:
    current = [each for each in evidence.failures if each["current"]]
    missing = [each["sentence"] for each in current if not each["recorded"]]
    if missing:
        verb = "is missing" if len(missing) == 1 else "are missing"
        yield f"{counted(len(missing), 'run')} failed and {verb}{first_of(missing)}"
    older = [each["sentence"] for each in current if each["recorded"]]
    if older:
        yield f"{counted(len(older), 'run')} failed when run again{first_of(older)}"
    if evidence.left_out:
        n, named = len(evidence.left_out), evidence.left_out[:MOST_LEFT_OUT]
        more = f"; and {n - len(named)} more" if n > len(named) else ""
        yield f"{counted(n, 'file')} {'was' if n == 1 else 'were'} left out: {'; '.join(named)}{more}."
    if evidence.lacking:
        tables = ", ".join(dict.fromkeys(table for of_run in evidence.lacking.values() for table in of_run))
        is_of, lack, them = ("is", "lacks", "it") if len(evidence.lacking) == 1 else ("are", "lack", "them")
        yield (
            f"{counted(len(evidence.lacking), 'record')} {is_of} of an older version and {lack} {tables}: "
            f"force=true makes {them} anew."
        )


def first_of(sentences: Sequence[str]) -> str:
    """What follows what was counted: ``: …``, or ``; the first: …``."""
    return f"{': ' if len(sentences) == 1 else '; the first: '}{sentences[0]}"


def _of_protocol(evidence: Evidence) -> Iterator[str]:
    records = list(evidence.records.values())
    validations = dict.fromkeys(record["choices"].get("validation", NESTED) for record in records)
    if "oracle" in validations:
        yield (
            "validation=oracle chose with minority rows that nobody has at this ratio: scores are too high for every "
            "method alike."
        )
    if records and all(len(record["config"]["seeds"]) == 1 for record in records):
        yield (
            "There is one seed, so the folds were drawn only once, and results depend on that draw: plan more seeds "
            'from the start, e.g. "seeds=[0,1,2]".'
        )
    yield from _of_near_copies(records)


def _of_near_copies(records: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A sentence for each data set, with each class's largest share, as how many rows train depends on the ratio."""
    largest: dict[str, dict[str, float]] = defaultdict(dict)
    for data in (record["data"] for record in records):
        known = largest[data["name"]]
        for name, share in (data.get("near_copies") or {}).items():
            known[name] = max(known.get(name, 0.0), share or 0.0)
    for title, shares in largest.items():
        yield from (f"{sentence}." for sentence in said_of_near_copies(shares, title))


def _of_fallbacks(runs: pd.DataFrame) -> Iterator[str]:
    fallen = int(runs["by_fallback"].gt(0).sum())
    if fallen:
        yield (
            f"In {fallen} of {counted(len(runs), 'run')} a sampler fell short and a fallback made rows (the report "
            "says why)."
        )
    mostly = runs[is_mostly_by_fallback(runs["by_fallback"])]
    for augmenter, part in mostly.groupby("augmenter", sort=False):
        n, of = part["scenario"].nunique(), runs.loc[runs["augmenter"] == augmenter, "scenario"].nunique()
        least, most = (f"{100 * share:.0f} %" for share in (part["by_fallback"].min(), part["by_fallback"].max()))
        share = most if least == most else f"{least} to {most}"
        where = "" if of == 1 else f" in {n} of {of} scenarios"
        yield f"A fallback made {share} of the rows of {augmenter}{where}, so its scores are those of the fallback."
