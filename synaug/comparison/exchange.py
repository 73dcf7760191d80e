"""What a method is worth in real minority rows: the learning curve of the best without synthesis, inverted.

Runs that differ in nothing but the imbalance ratio differ in nothing but the number of minority rows: splits are the
same, and rows that are kept at 1:50 are among those that are kept at 1:10. So the scores of the best without synthesis
at several ratios are a learning curve of real rows, split by split, and a method that scores at `n` rows what the curve
has at `n + m` is worth `m` rows.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from synaug.comparison import power
from synaug.comparison.choices import DECIMALS, SPLIT
from synaug.comparison.evidence import Evidence
from synaug.comparison.labels import BEST_WITHOUT_SYNTHESIS, CHOSEN, METHOD, Scenario, methods_of
from synaug.comparison.significance import INTERVAL, LEVEL

FEWEST_RATIOS = 4
OF_THE_RATIO = "imbalance_ratio.ratio="  # a setting in which scenarios of one family may differ
# A knot whose rows are hardly more than the last one's gives the curve no direction.
LEAST_STEP = 1.02
FEW = 2.95

Array = NDArray[np.float64]

NOTES = {
    "scenario": "where the method is judged",
    "augmenter": "the option with its settings; `best with synthesis` is picked for each split on out-of-fold rows",
    "loss": "the option with its settings; empty: the plain loss",
    "decision": "the rule; `chosen` is the better candidate on the out-of-fold rows of each split",
    "with_synthesis": "whether the method makes new points",
    "metric": "in which the method and the curve are compared",
    "n_ratios": "imbalance ratios of the learning curve",
    "n_splits": "splits (seed and fold) that the method and the whole curve have in common",
    "rows": "real training rows of a minority class in this scenario, mean over minority classes and splits",
    "least": "the rows of the curve's harshest ratio, less `rows`",
    "most": "the rows of the curve's mildest ratio, less `rows`",
    "value": "mean score of the method over those splits",
    "curve_value": "mean score of the best without synthesis over those splits",
    "worth": "how many more real rows of a minority class (negative: fewer) the best without synthesis needs to score "
    "as the method does; empty where the method's mean lies beyond the curve (`beyond`)",
    "low": f"lower end of the {INTERVAL} interval of `worth`: all numbers of rows at which the corrected t-test, "
    "paired by split, finds no difference between the method and the curve. Each interval stands by itself: nothing is "
    "adjusted for the number of methods and scenarios",
    "high": "its upper end",
    "low_open": "whether the interval goes on below `low`, where the curve ends",
    "high_open": "whether the interval goes on above `high`, where the curve ends",
    "beyond": "1 where the method's mean is above all of the curve, −1 where it is below",
    "parts": "how many parts the interval has; `low` and `high` enclose all of them. Above 1 where the curve is not "
    "monotone, 0 where the method differs from all of the curve",
}
COLUMNS = [*NOTES]


class Worth(NamedTuple):
    """What `invert` returns; rows are differences to those that the method had.

    Attributes
    ----------
    rows
        At which the mean of the curve is the method's; NaN where it never is.
    low, high
        Ends of the interval, within the curve. Where the method differs from all of the curve, the end of the curve
        that is nearer, twice.
    low_open, high_open
        Whether the interval reaches the end of the curve, beyond which nothing is known.
    beyond
        1 where the method's mean is above that of all of the curve, −1 where it is below; else 0.
    parts
        Of the interval.
    """

    rows: float
    low: float
    high: float
    low_open: bool
    high_open: bool
    beyond: int
    parts: int


def invert(rows: Array, curve: Array, method: Array, at: float, n_folds: int) -> Worth:
    """Find how many more real rows a method is worth, with an interval.

    The curve of each split is linear in the logarithm of rows between the ratios that there are. The interval holds
    all numbers of rows at which the mean over splits of method less curve is not told from 0 by the t-test with the
    variance of Nadeau and Bengio (2003). Between two ratios differences are linear in the logarithm of rows, so that
    the ends are roots of quadratics, as in the theorem of Fieller (1954), and exact. That the curve rises is not
    assumed.

    Parameters
    ----------
    rows
        Real rows of a minority class at each ratio `[r]`, ascending.
    curve
        Scores of the best without synthesis `[n, r]`, of which more is better.
    method
        Scores of the method on the same splits `[n]`.
    at
        Real rows of a minority class that the method had.
    n_folds
        Folds of a seed.

    Returns
    -------
    Worth
        Without an interval, but for one that is open on both sides, where there are fewer than 2 splits or folds. Of
        several numbers of rows at which the means agree, that is told which is nearest to `at`, in logarithms.

    References
    ----------
    Fieller, "Some problems in interval estimation", Journal of the Royal Statistical Society B 16, 1954. Nadeau and
    Bengio, "Inference for the generalization error", Machine Learning 52, 2003.
    """
    n = len(method)
    gaps = np.round(method[:, None] - curve, DECIMALS)
    roots = [root for piece in range(len(rows) - 1) for root in _root(gaps[:, piece : piece + 2].mean(0), piece)]
    nearest = min(roots, key=lambda place: abs(np.log(_rows(rows, place) / at)), default=None)
    found = np.nan if nearest is None else _rows(rows, nearest) - at
    beyond = 0 if nearest is not None else int(np.sign(gaps.mean()))
    least, most = float(rows[0] - at), float(rows[-1] - at)
    if n < 2 or n_folds < 2:
        return Worth(found, least, most, True, True, beyond, 1)
    quantile = stats.t.isf(LEVEL / 2, n - 1) ** 2 * power.variance_factor(n, n_folds)
    accepted = [(root, root) for root in roots]
    for piece in range(len(rows) - 1):
        accepted += [(piece + low, piece + high) for low, high in _accepted(gaps[:, piece : piece + 2], quantile)]
    parts = _joined(accepted)
    if not parts:
        end = most if beyond > 0 else least
        return Worth(found, end, end, beyond < 0, beyond > 0, beyond, 0)
    low, high = parts[0][0], parts[-1][1]
    return Worth(
        found,
        _rows(rows, low) - at,
        _rows(rows, high) - at,
        low == 0 and _is_accepted(gaps[:, 0], quantile) and not _is_exact(gaps[:, 0]),
        high == len(rows) - 1 and _is_accepted(gaps[:, -1], quantile) and not _is_exact(gaps[:, -1]),
        beyond,
        len(parts),
    )


def _rows(rows: Array, place: float) -> float:
    """Rows at a place of the curve: piece and share of the piece, in logarithms."""
    piece = min(int(place), len(rows) - 2)
    share = place - piece
    return float(rows[piece + 1] if share == 1 else rows[piece] * (rows[piece + 1] / rows[piece]) ** share)


def _root(ends: Array, piece: int) -> Iterator[float]:
    """Where the mean gap is 0 in a piece, from its gaps at both ends `[2]`."""
    first, last = (0.0 if abs(end) < 10.0**-DECIMALS else float(end) for end in ends)
    if first == 0:
        yield float(piece)
    if last == 0:
        yield float(piece + 1)
    if first * last < 0:
        yield piece + first / (first - last)


def _accepted(gaps: Array, quantile: float) -> Iterator[tuple[float, float]]:
    """Parts of a piece, 0 to 1, where the test finds no difference; gaps at both ends `[n, 2]`."""
    start, slope = gaps[:, 0], gaps[:, 1] - gaps[:, 0]
    (of_start, both), (_, of_slope) = np.cov(start, slope)
    square = slope.mean() ** 2 - quantile * of_slope
    half = start.mean() * slope.mean() - quantile * both
    constant = start.mean() ** 2 - quantile * of_start
    roots = np.roots([square, 2 * half, constant])
    cuts = [0.0, *sorted(float(root.real) for root in roots if abs(root.imag) < 1e-9 and 0 < root.real < 1), 1.0]
    for low, high in pairwise(cuts):
        middle = (low + high) / 2
        if high > low and square * middle**2 + 2 * half * middle + constant <= 0:
            yield low, high


def _is_accepted(gaps: Array, quantile: float) -> bool:
    return bool(gaps.mean() ** 2 <= quantile * gaps.var(ddof=1))


def _is_exact(gaps: Array) -> bool:
    """Whether a method and the curve are the same on every split, so that nothing lies beyond."""
    return not gaps.any()


def _joined(parts: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    joined: list[tuple[float, float]] = []
    for low, high in sorted(parts):
        if joined and low <= joined[-1][1] + 1e-9:
            joined[-1] = (joined[-1][0], max(high, joined[-1][1]))
        else:
            joined.append((low, high))
    return joined


@dataclass(frozen=True)
class Curve:
    """The learning curve of the best without synthesis, of scenarios that differ in their ratio alone.

    Attributes
    ----------
    scenarios
        By rows, ascending: the harshest ratio first.
    rows
        Real training rows of a minority class in each `[r]`, means over minority classes and splits.
    values
        Scores `[split, scenario]`, of the splits that all of them have.
    """

    scenarios: Sequence[Scenario]
    rows: Array
    values: pd.DataFrame


def curves(evidence: Evidence, values: pd.DataFrame) -> list[Curve]:
    """The learning curves of all scenarios that have at least `FEWEST_RATIOS` ratios between them.

    Parameters
    ----------
    values
        Scores of one metric with those of what was chosen (`synaug.comparison.choices.with_choices`).

    Notes
    -----
    Ratios are those of the profile ``step``, as under others the majority changes, too; a scenario in which it does is
    left out all the same. So is natural imbalance, and a ratio that leaves as many rows as the one before.
    """
    best = values[methods_of(values) == BEST_WITHOUT_SYNTHESIS].astype({"scenario": object})
    # Of each scenario the run with most seeds: rows do not depend on the method.
    runs = sorted(evidence.runs["identity"], key=lambda identity: len(evidence.records[identity]["config"]["seeds"]))
    scenario_of = dict(zip(evidence.runs["identity"], evidence.runs["scenario"], strict=True))
    records = {scenario_of[identity]: identity for identity in runs}
    families: dict[Scenario, list[Scenario]] = defaultdict(list)
    for scenario in dict.fromkeys(best["scenario"]):
        if not scenario.is_natural and not scenario.profile:
            families[_family(scenario)].append(scenario)
    found = (
        _curve(best, {scenario: evidence.records[records[scenario]] for scenario in family})
        for family in families.values()
        if len(family) >= FEWEST_RATIOS
    )
    return [curve for curve in found if curve is not None]


def _family(scenario: Scenario) -> Scenario:
    settings = tuple(setting for setting in scenario.settings if not setting.startswith(OF_THE_RATIO))
    return replace(scenario, imbalance_ratio="", settings=settings)


def _curve(best: pd.DataFrame, records: Mapping[Scenario, Mapping[str, Any]]) -> Curve | None:
    by_ratio = sorted(records, key=lambda scenario: -scenario.ratio)
    harshest = records[by_ratio[0]]["data"]
    minority = harshest.get("minority_by_seed", {})
    of_class = {scenario: _rows_per_class(records[scenario]) for scenario in by_ratio}
    splits = set.intersection(*(set(table.index) for table in of_class.values()))
    if not splits:
        return None
    scenarios: list[Scenario] = []
    rows: list[float] = []
    others = None
    for scenario in by_ratio:
        table = of_class[scenario].loc[sorted(splits)]
        is_minority = np.array(
            [
                [name in minority.get(str(seed), harshest["minority"]) for name in table.columns]
                for seed, _ in table.index
            ]
        )
        few = float(table.where(is_minority).mean(axis=1).mean())
        many = table.where(~is_minority)
        if others is None:
            others = many
        if not many.equals(others) or not few > LEAST_STEP * (rows[-1] if rows else 0):
            continue
        scenarios.append(scenario)
        rows.append(few)
    of_scenarios = best[best["scenario"].isin(scenarios)]
    wide = of_scenarios.pivot_table(index=SPLIT, columns="scenario", values="value", aggfunc="first", sort=False)
    complete = wide.reindex(columns=scenarios).dropna()
    if len(scenarios) < FEWEST_RATIOS or complete.empty:
        return None
    return Curve(scenarios, np.array(rows), complete)


def _rows_per_class(record: Mapping[str, Any]) -> pd.DataFrame:
    """Real training rows of each split and class, before anything was added or removed."""
    table = pd.DataFrame(**record["balance"])
    if "inner" in table:
        table = table[table["inner"].isna()]
    return table.pivot_table(index=SPLIT, columns="class", values="real", aggfunc="first", observed=True)


def exchange(evidence: Evidence, values: pd.DataFrame, metric: str, *, higher_is_better: bool = True) -> pd.DataFrame:
    """What each method is worth in real rows, in every scenario that lies on a learning curve.

    Parameters
    ----------
    values
        Scores of `metric`, with those of what was chosen.
    higher_is_better
        False for losses.

    Returns
    -------
    DataFrame
        `COLUMNS`; `NOTES` says what each is. The methods are all with their rules chosen, and the best with synthesis.
    """
    rows: list[dict[str, Any]] = []
    chosen = values[values["decision"] == CHOSEN].astype({"scenario": object})
    chosen = chosen[methods_of(chosen) != BEST_WITHOUT_SYNTHESIS]
    sign = 1 if higher_is_better else -1
    for curve in curves(evidence, values):
        for place, scenario in enumerate(curve.scenarios):
            here = chosen[chosen["scenario"] == scenario]
            for method, of_method in here.groupby(METHOD, sort=False, observed=True):
                scores = of_method.set_index(SPLIT)["value"].dropna()
                common = curve.values.index.intersection(scores.index)
                if common.empty:
                    continue
                on_curve, scored = curve.values.loc[common], scores.loc[common].to_numpy(dtype=float)
                n_folds = common.get_level_values("fold").nunique()
                at = float(curve.rows[place])
                worth = invert(curve.rows, sign * on_curve.to_numpy(dtype=float), sign * scored, at, n_folds)
                rows.append(
                    {
                        "scenario": scenario,
                        **dict(zip(METHOD, method, strict=True)),
                        "with_synthesis": bool(of_method["with_synthesis"].iloc[0]),
                        "metric": metric,
                        "n_ratios": len(curve.scenarios),
                        "n_splits": len(common),
                        "rows": at,
                        "least": float(curve.rows[0] - at),
                        "most": float(curve.rows[-1] - at),
                        "value": float(scored.mean()),
                        "curve_value": float(on_curve[scenario].mean()),
                        "worth": worth.rows,
                        **{name: getattr(worth, name) for name in Worth._fields if name != "rows"},
                    }
                )
    return pd.DataFrame(rows, columns=COLUMNS)


def sentence(row: "pd.Series[Any]", method: str) -> str:
    """What a method is worth, in words.

    Parameters
    ----------
    row
        Of `exchange`'s frame.
    method
        Its name.
    """
    if not row["parts"]:
        if row["beyond"] < 0 and _count(row["low"]) == "0":
            return f"{method} is worth less than nothing: it scores below the whole learning curve"
        than = "more" if row["beyond"] > 0 else "less"
        return (
            f"{method} is worth {than} than {_count(row['low'])} real texts of a minority class, where the curve ends"
        )
    if row["low_open"] and row["high_open"]:
        return f"what {method} is worth cannot be told: there are too few splits, or the learning curve is too flat"
    low, high = _count(row["low"]), _count(row["high"])
    gap = "; not every number in between, as the curve falls in places" if row["parts"] > 1 else ""
    if row["beyond"]:
        end = _count(row["most"] if row["beyond"] > 0 else row["least"])
        told = f"more than {end} (at least {low}{gap})" if row["beyond"] > 0 else f"less than {end} (up to {high}{gap})"
    else:
        low, high = f"less than {low}" if row["low_open"] else low, f"more than {high}" if row["high_open"] else high
        told = f"{_count(row['worth'])} ({low} to {high}{gap})"
    return f"{method} is worth {told} real texts of a minority class"


def _count(rows: float) -> str:
    """Rows as a reader needs them: a few to a tenth, more as whole numbers."""
    text = f"{rows:z,.1f}" if abs(rows) < FEW else f"{rows:z,.0f}"
    return text.removesuffix(".0").replace("-", "−")
