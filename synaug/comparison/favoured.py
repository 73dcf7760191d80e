"""The one method that a verdict favours: what is fitted for use."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from synaug.comparison.choices import DECIMALS, SPLIT
from synaug.comparison.compare import Comparison
from synaug.comparison.evidence import Evidence
from synaug.comparison.labels import (
    BEST_WITH_SYNTHESIS,
    BEST_WITHOUT_SYNTHESIS,
    METHOD,
    NO_AUGMENTER,
    PLAIN_LOSS,
    Method,
    Scenario,
)
from synaug.comparison.significance import BETTER
from synaug.comparison.stats import PRIMARY
from synaug.errors import UserError
from synaug.scores.decision import CANDIDATE_RULES

MOST_LISTED = 12


@dataclass(frozen=True)
class Favoured:
    """A run and a rule.

    Attributes
    ----------
    identity, folder
        Of the run.
    scenario, method
        What it is, with its rule.
    out_of_fold
        Its mean out-of-fold loss over splits (nats), by which it was taken.
    outcome
        Of the verdict on its scenario; None where there is none, as only methods of one kind were run.
    headline
        The verdict's sentence; empty where there is none.
    metric
        That the verdict speaks of.
    with_synthesis
        Whether the method is one with synthesis.
    chosen
        Whether it was chosen among several; not so where a run is taken by itself.
    """

    identity: str
    folder: Path
    scenario: Scenario
    method: Method
    out_of_fold: float
    outcome: str | None = None
    headline: str = ""
    metric: str = "balanced_accuracy"
    with_synthesis: bool = False
    chosen: bool = False


def favoured(evidence: Evidence, comparison: Comparison | None, scenario: str | None = None) -> Favoured:
    """The method that the verdict on a scenario favours, chosen by no test score but the verdict's own.

    Where methods with synthesis are better, it is one of them; else it is one without. Of these, the method is taken
    (run and candidate rule) whose mean out-of-fold loss is the lowest over the splits that all methods have; of
    equals as `synaug.comparison.choices.choose` does.

    Parameters
    ----------
    comparison
        Of the evidence; None where a run is taken by itself.
    scenario
        Label of the scenario, or a part of it that no other has; may be left out where there is one.

    Raises
    ------
    UserError
        If there are several scenarios, none is called so, or no run has out-of-fold losses.
    """
    wanted = _scenario(evidence, scenario)
    outcome, headline = _verdict(comparison, wanted)
    known = evidence.out_of_fold()
    known = known[(known["scenario"] == wanted) & known["decision"].isin(CANDIDATE_RULES)].dropna(subset="value")
    kinds = known["with_synthesis"].unique()
    with_synthesis = outcome == BETTER if len(kinds) > 1 else bool(kinds[0]) if len(kinds) else False
    means = _means(known)
    means = means[means["with_synthesis"] == with_synthesis]
    if means.empty:
        raise UserError(
            f"no run of {wanted} has the out-of-fold losses by which a method is taken: run again with force=true"
        )
    first = means.iloc[0]
    method = Method(*(str(first[name]) for name in METHOD))
    runs = evidence.runs
    (row,) = runs[
        (runs["scenario"] == wanted) & (runs["augmenter"] == method.augmenter) & (runs["loss"] == method.loss)
    ][["identity", "folder"]].itertuples(index=False, name=None)
    metric = "balanced_accuracy" if comparison is None else comparison.metrics[0]
    return Favoured(
        row[0],
        Path(row[1]),
        wanted,
        method,
        float(first["value"]),
        outcome,
        headline,
        metric,
        with_synthesis,
        comparison is not None,
    )


def _scenario(evidence: Evidence, asked: str | None) -> Scenario:
    scenarios: Sequence[Scenario] = sorted(evidence.runs["scenario"].unique(), key=lambda each: (each.place, each))
    if not scenarios:
        raise UserError("no run is recorded there: all of them failed")
    matching = scenarios
    if asked is not None:
        matching = [each for each in scenarios if each.label == asked] or [
            each for each in scenarios if asked in each.label
        ]
    if len(matching) == 1:
        return matching[0]
    listed = "; ".join(each.label for each in (matching or scenarios)[:MOST_LISTED])
    more = len(matching or scenarios) - MOST_LISTED
    listed += f"; and {more} more" if more > 0 else ""
    if asked is not None and not matching:
        raise UserError(f"fit.scenario={asked} is part of no scenario's name: choose among {listed}")
    raise UserError(
        f"there are {len(matching)} scenarios, and a model is of one: choose with fit.scenario=... or a run with "
        f"fit.run=<folder> ({listed})"
    )


def _verdict(comparison: Comparison | None, scenario: Scenario) -> tuple[str | None, str]:
    """The outcome of the scenario's primary question, and its sentence."""
    if comparison is None:
        return None, ""
    table = comparison.tables[comparison.metrics[0]]
    rows = table[(table["family"] == PRIMARY) & (table["scenario"] == scenario)]
    if rows.empty:
        return None, ""
    row = rows.iloc[0]
    from synaug.comparison.formatting import Unit

    unit = Unit(comparison.metrics[0], comparison.rope)
    interval = f", 95 % interval {unit.of(row['low'])} to {unit.of(row['high'])}" if np.isfinite(row["low"]) else ""
    return str(row["outcome"]), (
        f"{row['outcome']}: {BEST_WITH_SYNTHESIS.label} against {BEST_WITHOUT_SYNTHESIS.label}, "
        f"{unit.signed(row['gain'])}{unit.points} of {unit.name}{interval}"
    )


def _means(known: pd.DataFrame) -> pd.DataFrame:
    """Mean loss of each method over the splits that all have, the lowest first."""
    trained = known[["augmenter", "loss"]].drop_duplicates()
    n_of_split = known.drop_duplicates(["augmenter", "loss", *SPLIT]).groupby(SPLIT)["value"].transform("size")
    of_split = known.assign(_n=n_of_split).groupby(SPLIT)["_n"].transform("max")
    common = known[of_split == len(trained)]
    means = common.groupby([*METHOD, "with_synthesis"], observed=True)["value"].mean().reset_index()
    return means.assign(
        value=means["value"].round(DECIMALS),
        _rule=means["decision"].map(CANDIDATE_RULES.index).astype(int),
        _loss=means["loss"] != PLAIN_LOSS,
        _augmenter=means["augmenter"] != NO_AUGMENTER,
    ).sort_values(["value", "_rule", "_loss", "loss", "_augmenter", "augmenter"])
