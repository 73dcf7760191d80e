"""Scores and comparisons as files for other programs, and what their columns are."""

import gzip
import io
from collections.abc import Mapping, Sequence
from typing import BinaryIO

import pandas as pd
import pyarrow as pa
from pyarrow import csv, parquet

from synaug.comparison import columns, exchange
from synaug.comparison.compare import Comparison
from synaug.comparison.evidence import CHOICES, Evidence
from synaug.comparison.labels import as_text
from synaug.files import escaping
from synaug.report import ABSTAINING, COMPARISONS, EXCHANGE, GEOMETRY, NEEDS, QUALITY, SCORES, SCORES_CSV
from synaug.report.audited import OF_GEOMETRY, OF_QUALITY
from synaug.report.later import OF_ABSTAINING, OF_NEEDS

TEST, OUT_OF_FOLD = "test", "out_of_fold"
OF_SCORES = {
    "scenario": "what methods are compared in",
    "dataset, encoder, imbalance_ratio, ratio, classifier": "parts of the scenario; an empty ratio: natural imbalance",
    "augmenter, loss, decision": "the method: augmenter, loss (empty: the plain one) and decision rule. `chosen` is "
    "the rule with the best out-of-fold loss of its split; `best without synthesis` and `best with synthesis` stand in "
    "the place of an augmenter",
    "with_synthesis": "whether the method makes new points; repetition and removal of rows make none",
    "new_points": "whether the method made any in this split: with amount=auto a split may choose none. The best with "
    "synthesis is picked among methods that did, where any did; empty for methods that choose",
    "identity": "of the run; empty where each split may be of another one",
    "seed, fold": "the split",
    "rows": f"which rows were scored: `{TEST}`, or `{OUT_OF_FOLD}`, the training rows, each by the inner model that "
    "was not trained on it",
    "metric, class, value": "the score; an empty class means a score of all classes",
    "decides": "whether the best methods are chosen by this score: the class-balanced log loss of out-of-fold rows, or "
    "the plain one where target_prior is natural. Test rows never decide",
    "chosen_from": "the method that was taken in this split, where the method is one that chooses",
}


def scores(evidence: Evidence, comparison: Comparison) -> pd.DataFrame:
    """All scores in one long table: of test rows and of out-of-fold rows, of what was run and of what was chosen.

    The verdict's question can be answered from it alone.

    Returns
    -------
    DataFrame
        Columns as in `OF_SCORES`, one by one.
    """
    makes_points = dict(zip(evidence.runs["identity"], evidence.runs["with_synthesis"], strict=True))
    test = evidence.scores.assign(rows=TEST, decides=False)
    decides = evidence.validation.index.isin(evidence.out_of_fold().index)
    recorded = pd.concat([test, evidence.validation.assign(rows=OUT_OF_FOLD, decides=decides)], ignore_index=True)
    recorded["with_synthesis"] = recorded["identity"].astype(object).map(makes_points).astype(bool)
    recorded["new_points"] = pd.array(evidence.new_points(recorded), dtype="boolean")
    chosen = pd.concat(
        [values.dropna(subset="chosen_from").assign(metric=metric) for metric, values in comparison.values.items()]
    )
    places = evidence.runs.drop_duplicates("scenario").set_index("scenario")
    places = places.loc[chosen["scenario"].astype(object), [*CHOICES]].reset_index(drop=True)
    chosen = pd.concat([chosen.reset_index(drop=True), places], axis=1).assign(rows=TEST, decides=False)
    # What is concatenated of other categories is text.
    text = [name for name in recorded if not pd.api.types.is_numeric_dtype(recorded[name])]
    whole = pd.concat([recorded, chosen.astype({"scenario": object})], ignore_index=True)
    names = [name for names in OF_SCORES for name in names.split(", ")]
    return as_text(whole)[names].astype(dict.fromkeys([*text, "chosen_from"], "category"))


def write_parquet(scores: pd.DataFrame, file: BinaryIO) -> None:
    """Write the long table of scores, with names as they are."""
    parquet.write_table(pa.Table.from_pandas(escaping.utf8_frame(scores), preserve_index=False), file)


def write_packed_csv(scores: pd.DataFrame, file: BinaryIO) -> None:
    """Write the long table of scores for spreadsheets, packed with gzip."""
    table = pa.Table.from_pandas(escaping.csv_frame(scores), preserve_index=False)
    plain = pa.table({name: _plain(table[name]) for name in table.column_names})
    with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=6, mtime=0) as packed:
        csv.write_csv(plain, packed)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def comparisons_csv(comparison: Comparison) -> bytes:
    """All comparisons of all metrics."""
    buffer = io.BytesIO()
    escaping.csv_frame(_comparisons(comparison)).to_csv(buffer, index=False, float_format="%.6g")
    return buffer.getvalue()


def exchange_csv(comparison: Comparison) -> bytes:
    """What each method is worth in real rows, where a learning curve tells."""
    buffer = io.BytesIO()
    escaping.csv_frame(as_text(comparison.exchange)).to_csv(buffer, index=False, float_format="%.6g")
    return buffer.getvalue()


def audit_csv(table: pd.DataFrame) -> bytes:
    """A table of audits; an empty class means all classes."""
    buffer = io.BytesIO()
    escaping.csv_frame(table.assign(scenario=table["scenario"].map(str))).to_csv(buffer, index=False)
    return buffer.getvalue()


def later_csv(table: pd.DataFrame) -> bytes:
    """What was asked of decisions, and what they gave."""
    buffer = io.BytesIO()
    escaping.csv_frame(as_text(table)).to_csv(buffer, index=False, float_format="%.6g")
    return buffer.getvalue()


def readme(comparison: Comparison, others_there: Sequence[str] = ()) -> str:
    """What the columns of the files are, as Markdown; of the files that some reports lack those that are there."""
    notes_of = {QUALITY: OF_QUALITY, GEOMETRY: OF_GEOMETRY, NEEDS: OF_NEEDS, ABSTAINING: OF_ABSTAINING}
    others = {} if comparison.exchange.empty else {EXCHANGE: exchange.NOTES}
    others |= {file: notes_of[file] for file in notes_of if file in others_there}
    return (
        f"# {COMPARISONS}\n\n{columns.readme(_comparisons(comparison).columns, comparison.rope)}\n"
        f"# {SCORES}, and {SCORES_CSV} where it was asked for\n\n{_listed(OF_SCORES)}"
        + "".join(f"\n# {file}\n\n{_listed(notes)}" for file, notes in others.items())
    )


def _listed(notes: Mapping[str, str]) -> str:
    return "".join(f"- {name}: {note}.\n" for name, note in notes.items())


def _comparisons(comparison: Comparison) -> pd.DataFrame:
    rows = pd.concat([as_text(table).assign(metric=metric) for metric, table in comparison.tables.items()])
    return rows[["metric", *(name for name in rows.columns if name != "metric")]]
