"""How many steps runs took, and what argmax loses by going on to the last: ``python -m benchmarks.budget FOLDER…``.

Reads records and trains nothing. The best look is told by test scores, so it describes and chooses nothing.
"""

import argparse
from collections.abc import Mapping
from typing import Any

import pandas as pd

from synaug.comparison import evidence
from synaug.comparison.labels import ARGMAX, methods_of

COLUMNS = ("method", "scenario", "below its best look", "at half the budget", "inner steps", "steps of a seed")


def of_run(record: Mapping[str, Any]) -> dict[str, float]:
    """What one run's curves and costs say.

    Returns
    -------
    dict
        In points of balanced accuracy, how far argmax on test rows at the last look lies below the look with the
        highest mean, and how far the look at half of the steps lies above it; the median of the steps after which inner
        members stopped; optimiser steps of all members, for one seed.
    """
    curves = pd.DataFrame(**record["curves"]).astype({"argmax_test": float, "prior_corrected_loss": float})
    at = curves.groupby("step")["argmax_test"].mean()
    last, half = float(at.iloc[-1]), float(at[at.index <= at.index[-1] / 2].iloc[-1])
    stopped = curves.dropna(subset="prior_corrected_loss").groupby(["seed", "fold"])["step"].max()
    return {
        "below its best look": 100 * (float(at.max()) - last),
        "at half the budget": 100 * (half - last),
        "inner steps": float(stopped.median()),
        "steps of a seed": record["cost"]["optimiser_steps"] / len(record["config"]["seeds"]),
    }


def table(known: evidence.Evidence) -> pd.DataFrame:
    """A row for each run that was trained in steps: `COLUMNS`."""
    names = [method.label_without_rule for method in methods_of(known.runs, ARGMAX)]
    rows = [
        {"method": name, "scenario": scenario.label, **of_run(known.records[identity])}
        for name, scenario, identity in zip(names, known.runs["scenario"], known.runs["identity"], strict=True)
        if known.records[identity]["curves"]["data"]
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def main() -> None:
    """Print means and extremes over scenarios, by method."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.budget", description=__doc__)
    parser.add_argument("folders", nargs="+", metavar="FOLDER")
    found = table(evidence.read(parser.parse_args().folders))
    by_method = found.groupby("method", sort=False)
    print(by_method[list(COLUMNS[2:])].agg(["mean", "min", "max"]).round(1).to_string())
    print(f"\nsteps of a seed, in the mean over {len(found)} runs: {found['steps of a seed'].mean():.0f}")


if __name__ == "__main__":
    main()
