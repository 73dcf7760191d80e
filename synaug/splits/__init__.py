"""Labels and groups to the rows that train, judge and test."""

from synaug.splits.account import minority_by_seed, said_of_unjudged, unjudged_by_seed
from synaug.splits.draws import first_of_each_class, permuted
from synaug.splits.make import ALL_ROWS, make_splits, rows_needed, split_of_all_rows, texts_to_split
from synaug.splits.split import InnerFold, Outside, Rows, Split, Validation, misuse

__all__ = [
    "ALL_ROWS",
    "InnerFold",
    "Outside",
    "Rows",
    "Split",
    "Validation",
    "first_of_each_class",
    "make_splits",
    "minority_by_seed",
    "misuse",
    "permuted",
    "rows_needed",
    "said_of_unjudged",
    "split_of_all_rows",
    "texts_to_split",
    "unjudged_by_seed",
]
