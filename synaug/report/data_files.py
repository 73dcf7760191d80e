"""Scores and comparisons as files for other programs."""

import gzip
import io
from typing import BinaryIO

import pandas as pd
import pyarrow as pa
from pyarrow import csv, parquet

from synaug import escaping
from synaug.comparison.compare import Comparison
from synaug.comparison.labels import as_text


def write_parquet(scores: pd.DataFrame, file: BinaryIO) -> None:
    """Write the long table of scores, with names as they are."""
    parquet.write_table(pa.Table.from_pandas(escaping.utf8_frame(as_text(scores)), preserve_index=False), file)


def write_packed_csv(scores: pd.DataFrame, file: BinaryIO) -> None:
    """Write the long table of scores for spreadsheets, packed with gzip."""
    table = pa.Table.from_pandas(escaping.csv_frame(as_text(scores)), preserve_index=False)
    plain = pa.table({name: _plain(table[name]) for name in table.column_names})
    with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=6, mtime=0) as packed:
        csv.write_csv(plain, packed)


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def comparisons_csv(comparison: Comparison) -> bytes:
    """All comparisons of all metrics."""
    buffer = io.BytesIO()
    rows = pd.concat([as_text(table).assign(metric=metric) for metric, table in comparison.tables.items()])
    rows = rows[["metric", *(name for name in rows.columns if name != "metric")]]
    escaping.csv_frame(rows).to_csv(buffer, index=False, float_format="%.6g")
    return buffer.getvalue()
