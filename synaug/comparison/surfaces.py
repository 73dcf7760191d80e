"""Response surfaces: what an augmenter's settings gain over no augmentation, all points in one family of tests."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from synaug.comparison.choices import DECIMALS, SPLIT
from synaug.comparison.labels import CHOSEN, NO_AUGMENTER, PICKED
from synaug.comparison.multiplicity import holm
from synaug.comparison.stats import corrected_t_test, intervals

KEYS = ["scenario", "augmenter", "loss"]
TESTED = ["n_splits", "gain", "error", "p_raw", "p_holm", "low", "high", "n_points"]


def surface(
    values: pd.DataFrame,
    runs: pd.DataFrame,
    settings: Sequence[str],
    *,
    higher_is_better: bool = True,
    within: tuple[float, float] = (-np.inf, np.inf),
) -> pd.DataFrame:
    """Compare each point of a surface with no augmentation (an amount of 0), paired by split.

    Parameters
    ----------
    values
        Scores of one metric, with those of what was chosen (`synaug.comparison.choices.with_choices`).
    runs
        Of the evidence, with the settings as columns. A run that lacks the first is no point of the surface.
    settings
        Of the augmenter, by their names in `runs`.
    higher_is_better
        False for losses: then gains are turned.
    within
        The differences that the metric allows, to which intervals are cut (`synaug.comparison.stats.gain_range`).

    Returns
    -------
    DataFrame
        A row for each scenario, augmenter and loss: `KEYS`, `option`, the settings and `TESTED`. The reference is
        ``none`` with the same loss; the decision rules are those chosen on out-of-fold rows, for both. The points of a
        scenario are one family: p_holm, low and high are adjusted over them (Holm), of which there are `n_points`;
        those that are the same on every split count once.
    """
    points = runs[[*KEYS, "augmenter_option", *settings]].drop_duplicates(KEYS)
    points = points.rename(columns={"augmenter_option": "option"}).dropna(subset=[settings[0]])
    points = points[points["option"] != NO_AUGMENTER]
    chosen = values[(values["decision"] == CHOSEN) & ~values["augmenter"].isin(PICKED)].astype({"scenario": object})
    wide = chosen.pivot_table(index=SPLIT, columns=KEYS, values="value", aggfunc="first", observed=True, sort=False)
    rows: list[dict[str, Any]] = []
    for _, of_scenario in points.groupby("scenario", sort=False):
        rows += _family(wide, of_scenario, 1 if higher_is_better else -1, within)
    return pd.DataFrame(rows, columns=[*KEYS, "option", *settings, *TESTED])


def _family(wide: pd.DataFrame, points: pd.DataFrame, sign: int, within: tuple[float, float]) -> list[dict[str, Any]]:
    """The points of one scenario, tested together; `wide` has a column for each method, and a row for each split."""
    found: list[dict[str, Any]] = []
    differences: list[bytes] = []
    for row in points.to_dict("records"):
        point = {str(name): value for name, value in row.items()}
        method = tuple(point[key] for key in KEYS)
        reference = (point["scenario"], NO_AUGMENTER, point["loss"])
        if method not in wide or reference not in wide:
            continue
        gaps = (sign * (wide[method] - wide[reference])).round(DECIMALS).dropna() + 0.0
        if gaps.empty:
            continue
        n_folds = gaps.index.get_level_values("fold").nunique()
        mean, error, _, p = (float(each) for each in corrected_t_test(gaps.to_numpy(), n_folds))
        found.append({**point, "n_splits": len(gaps), "gain": mean, "error": error, "p_raw": p})
        differences.append(repr(gaps.index.tolist()).encode() + gaps.to_numpy().tobytes())
    if not found:
        return []
    _, first, same = np.unique(np.array(differences, dtype=object), return_index=True, return_inverse=True)
    adjusted = holm([found[place]["p_raw"] for place in first])
    n_points = int(np.isfinite(adjusted.p).sum())
    for place, point in enumerate(found):
        factor = adjusted.factor[same[place]]
        low, high = intervals(point["gain"], point["error"], point["n_splits"], factor, within=within)
        point |= {"p_holm": float(adjusted.p[same[place]]), "low": float(low), "high": float(high)}
        point["n_points"] = n_points
    return found
