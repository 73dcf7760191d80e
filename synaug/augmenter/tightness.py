"""Synthetic rows that vary far less than real ones, told of once for a whole run."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

log = logging.getLogger(__name__)

# Of variances. Prior samples of a VAE were seen at .06 to .3, those of SMOTE lie near two thirds.
TOO_TIGHT = 0.5


def said_of_spread(diagnostics: Sequence[Mapping[str, Any]]) -> list[str]:
    """Which classes' synthetic rows vary less than half as much as real ones, in one sentence.

    Parameters
    ----------
    diagnostics
        Of all training sets, as the record has them: those with a `class` and a `variance_ratio` are looked at, and
        averaged over training sets.

    Returns
    -------
    list of str
        The sentence, or nothing.
    """
    found: dict[str, list[float]] = {}
    for row in diagnostics:
        if row.get("variance_ratio") is not None:
            found.setdefault(str(row.get("class")), []).append(float(row["variance_ratio"]))
    means = {name: float(np.mean(ratios)) for name, ratios in found.items()}
    tight = sorted((name for name, mean in means.items() if mean < TOO_TIGHT), key=lambda name: means[name])
    if not tight:
        return []
    if len(means) == 1:
        said = f"synthetic rows of class {tight[0]!r} vary {means[tight[0]]:.2f} times as much as real ones"
    else:
        said = (
            f"in {len(tight)} of {len(means)} classes, synthetic rows vary less than half as much as real ones "
            f"(least in class {tight[0]!r}, {means[tight[0]]:.2f} times as much)"
        )
    return [
        f"{said}, so the classifier learns a class that is too tight: set augmenter.sample_from=posterior and "
        "augmenter.observation_noise=true (the defaults of vae and cvae) or, if the augmenter has no such settings, "
        "use another augmenter"
    ]


def warn_of_spread(diagnostics: Sequence[Mapping[str, Any]]) -> None:
    """Say so once for a whole run."""
    for sentence in said_of_spread(diagnostics):
        log.warning("%s", sentence)
