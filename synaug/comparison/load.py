"""The scores of some folders as one table, for a notebook."""

import warnings
from pathlib import Path

import pandas as pd

from synaug.comparison import evidence as evidences
from synaug.comparison.labels import as_text
from synaug.errors import UserError
from synaug.record import RECORD, SCORE_COLUMNS

OF_THE_REPORT = ["folder", "n_classes", "n_minority", "rows_made", "code", "finished", "seconds", "peak_memory_bytes"]


def load(*folders: str | Path) -> pd.DataFrame:
    """Read the scores of all runs below some folders.

    Returns
    -------
    DataFrame
        One row a score: the run (`name`, `run`, `identity`), its choices (`dataset`, `encoder`,
        `imbalance_ratio`, `ratio`, `augmenter`, `amount`, `loss`, `classifier`, `scenario`), `augmenter_option` (the
        augmenter without its settings), `content` (which data set it is, whatever it is called), `by_fallback` (the
        share of its synthetic rows that a fallback made), every other setting in which runs of one option differ (e.g.
        `augmenter.k_neighbors`; it stands in the label `augmenter`, `loss` or `scenario`, too, so that a comparison
        cannot pool them unseen), and `seed`, `fold`, `decision`, `metric`, `class` (missing for scores of all
        classes), `value`. Scenarios are text, so that the frame can be written to any file.

    Warns
    -----
    UserWarning
        Of each file that is left out, as it is not what synaug writes.

    Raises
    ------
    UserError
        If there is no record below the folders.
    """
    evidence = evidences.read(folders)
    for sentence in evidence.left_out:
        warnings.warn(f"left out: {sentence}", stacklevel=2)
    runs = as_text(evidence.runs.drop(columns=OF_THE_REPORT))
    if runs.empty:
        raise UserError(f"no {RECORD} below {', '.join(map(str, folders))}: all of its runs failed")
    return runs.merge(evidence.scores[["identity", *SCORE_COLUMNS]], on="identity")
