"""Which amounts of synthesis amount=auto chose, and in how many splits: a line each method and scenario."""

from collections import Counter
from collections.abc import Iterator

from synaug.comparison.labels import Scenario
from synaug.report import limits
from synaug.report.results import Results


def sentences(results: Results) -> list[str]:
    """One for each run that chose among amounts, as far as the page shows scenarios."""
    shown = results.scenarios[: limits.SCENARIO_TABLES]
    return [sentence for scenario in shown for sentence in _of_scenario(results, scenario)]


def _of_scenario(results: Results, scenario: Scenario) -> Iterator[str]:
    for name, record in results.records_of(scenario).items():
        table = record["amounts"]
        amount_at, chosen_at = (table["columns"].index(column) for column in ("amount", "chosen"))
        n_splits = Counter({row[amount_at]: 0 for row in table["data"]})
        n_splits.update(row[amount_at] for row in table["data"] if row[chosen_at])
        if n_splits:
            said = ", ".join(f"{100 * amount:g} % in {n}" for amount, n in sorted(n_splits.items()))
            yield f"{results.label(scenario)}, {name}: {said} of {n_splits.total()} splits"
