"""What the methods of the verdict give by themselves, measured by what was asked of decisions."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synaug.comparison.choices import SPLIT, TAKEN, choose
from synaug.comparison.evidence import Evidence
from synaug.comparison.labels import BASELINE, PICKED
from synaug.scores.needs import Need

OF_BASELINE = "baseline (none, argmax)"
OWN = (OF_BASELINE, *PICKED)

Place = tuple[str, str, str, int, int]  # augmenter, loss, rule, seed, fold
Matrix = NDArray[np.float64]


def rows(evidence: Evidence, needs: Sequence[Need]) -> Iterator[dict[str, Any]]:
    """The baseline and what is picked as best, each under its own rule, in the columns of `Later.served`.

    They are read off the confusion matrices of the records; of records without any there are no rows.
    """
    choices = choose(evidence.out_of_fold())
    picked = choices[choices["augmenter"].isin(PICKED)]
    parts: Mapping[Any, pd.DataFrame] = dict(list(evidence.runs.groupby("scenario", sort=False)))
    for scenario, runs in parts.items():
        matrices, records = _matrices(evidence, scenario), [evidence.records[each] for each in runs["identity"]]
        baseline = (BASELINE.augmenter, BASELINE.loss, BASELINE.decision)
        places = {(OF_BASELINE, *place[3:]): place for place in matrices if place[:3] == baseline}
        of_scenario = picked[picked["scenario"] == scenario]
        for own, seed, fold, *taken in of_scenario[["augmenter", *SPLIT, *TAKEN]].itertuples(index=False):
            places[own, seed, fold] = (*taken, seed, fold)
        names, n_folds = records[0]["data"]["class_names"], records[0]["config"]["n_folds"]
        for (own, seed, fold), place in sorted(places.items(), key=lambda each: OWN.index(each[0][0])):
            if place not in matrices:
                continue
            where = {"scenario": scenario, "augmenter": own, "loss": "", "seed": seed, "fold": fold, "n_folds": n_folds}
            for need in needs:
                # Nothing abstains under a rule of its own.
                if need.kind != "abstain" and set(need.classes) <= set(names):
                    same = {**where, "need": need.name, "reached": np.nan, "threshold": np.nan}
                    for measure, asked, value in need.measures(matrices[place], names):
                        yield {**same, "measure": measure, "asked": asked, "value": value}


def _matrices(evidence: Evidence, scenario: Any) -> dict[Place, Matrix]:
    found = {}
    runs = evidence.runs[evidence.runs["scenario"] == scenario]
    for augmenter, loss, identity in runs[["augmenter", "loss", "identity"]].itertuples(index=False):
        for each in evidence.records[identity].get("confusion", ()):
            place = augmenter, loss, each["decision"], each["seed"], each["fold"]
            found[place] = np.asarray(each["matrix"], np.float64)
    return found
