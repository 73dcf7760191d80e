"""A run's identity, and its record on disk: whole or absent."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from synaug.errors import UserError
from synaug.record.code import code_sha256
from synaug.record.identity import IN_PROPORTION, SCIENTIFIC, identity, is_idle, science
from synaug.record.provenance import git_commit, peak_memory, versions
from synaug.record.shapes import SCHEMA, lacking
from synaug.record.store import (
    FAILURE,
    PROBABILITIES,
    RECORD,
    SWEEP,
    failure_of,
    is_done,
    is_overtaken,
    problem,
    read,
    read_json,
    sweep_of,
    write,
    write_failure,
)
from synaug.record.tables import SCORE_COLUMNS, VALIDATION_COLUMNS, as_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "FAILURE",
    "IN_PROPORTION",
    "PROBABILITIES",
    "RECORD",
    "SCHEMA",
    "SCIENTIFIC",
    "SCORE_COLUMNS",
    "SWEEP",
    "VALIDATION_COLUMNS",
    "as_table",
    "code_sha256",
    "failure_of",
    "git_commit",
    "identity",
    "is_done",
    "is_idle",
    "is_overtaken",
    "lacking",
    "load",
    "peak_memory",
    "problem",
    "read",
    "read_json",
    "science",
    "sweep_of",
    "versions",
    "write",
    "write_failure",
]


def load(folder: str | Path) -> "pd.DataFrame":
    """Read the scores of all runs below a folder.

    Returns
    -------
    DataFrame
        One row a score: the run (`name`, `run`, `identity`), its choices (`dataset`, `encoder`,
        `imbalance_ratio`, `ratio`, `augmenter`, `amount`, `loss`, `classifier`, `block`), `content` (which data
        set it is, whatever it is called), `by_fallback` (the share of its synthetic rows that a fallback made),
        every other setting in which runs of one option differ (e.g. `augmenter.k_neighbors`; it stands in the
        label `augmenter`, `loss` or `block`, too, so that a comparison cannot pool them unseen), and `seed`,
        `fold`, `decision`, `metric`, `class` (missing for scores of all classes), `value`.

    Warns
    -----
    UserWarning
        Of each file that is left out, as it is not what synaug writes.

    Raises
    ------
    UserError
        If there is no record below the folder.
    """
    from synaug.comparison.evidence import read as read_evidence

    evidence = read_evidence([folder])
    for sentence in evidence.left_out:
        warnings.warn(f"left out: {sentence}", stacklevel=2)
    of_the_report = ["folder", "n_classes", "n_minority", "rows_made", "code", "finished", "seconds"]
    runs = evidence.runs.drop(columns=[*of_the_report, "peak_memory_bytes"])
    if runs.empty:
        raise UserError(f"no {RECORD} below {folder}: all of its runs failed")
    scores = evidence.scores[["identity", *SCORE_COLUMNS]]
    return runs.merge(scores, on="identity")
