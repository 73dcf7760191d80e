"""How many labels are doubtful in each scenario, and how many synthetic rows were made of such rows: a line each."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from synaug.comparison.labels import NO_AUGMENTER, Scenario
from synaug.report import limits
from synaug.report.results import Results


def sentences(results: Results) -> list[str]:
    """One for each scenario whose records count doubtful labels, as far as the page shows scenarios."""
    said = (_sentence(results, scenario) for scenario in results.scenarios)
    return [each for each in said if each is not None][: limits.SCENARIO_TABLES]


def _sentence(results: Results, scenario: Scenario) -> str | None:
    records = results.records_of(scenario)
    tables = {name: _counts(record) for name, record in records.items() if record["label_noise"]["data"]}
    if not tables:
        return None
    first = NO_AUGMENTER if NO_AUGMENTER in tables else next(iter(tables))  # what nothing synthetic has taught, if any
    table = tables[first]
    rows, doubtful = table[["rows", "doubtful"]].sum()
    said = f"{results.label(scenario)}: {doubtful:.1f} of {rows:.1f} rows ({_percent(doubtful, rows)})"
    few = table[table["minority"]]
    if len(few):
        of_few, doubtful_few = few[["rows", "doubtful"]].sum()
        said += f", {doubtful_few:.1f} of {of_few:.1f} minority rows ({_percent(doubtful_few, of_few)})"
    shares = list(_shares(tables))
    return f"{said}; synthetic rows with such a parent: {', '.join(shares)}" if shares else said


def _shares(tables: Mapping[str, pd.DataFrame]) -> Iterator[str]:
    """Of each method whose sampler tells parents, by what its own models doubt."""
    for name, table in tables.items():
        with_parents, of_doubtful = table[["with_parents", "with_doubtful_parent"]].sum()
        if with_parents:
            yield f"{name} {_percent(of_doubtful, with_parents)}"


def _counts(record: Mapping[str, Any]) -> pd.DataFrame:
    """Means over splits by class, and which classes are a minority in all of the record's seeds or some."""
    table = pd.DataFrame(**record["label_noise"])
    means = table.drop(columns=["seed", "fold"]).groupby("class", sort=False).mean()
    return means.assign(minority=means.index.isin(record["data"]["minority"]))


def _percent(some: float, of: float) -> str:
    return f"{some / of:.0%}".replace("%", " %") if of else "–"
