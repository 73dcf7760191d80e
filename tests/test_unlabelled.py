"""Tables whose rows are to be predicted: what stands in them, and nothing else."""

from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow.parquet import write_table

from synaug.dataset.unlabelled import UnlabelledTable


@pytest.mark.parametrize("setting", ["text", "vectors"])
def test_of_a_column_of_vectors_no_lists_are_made(tmp_path: Path, setting: str) -> None:
    path = tmp_path / "new.parquet"
    lists = pa.array([[0.5, 1.0], [2.0, 3.0]], pa.list_(pa.float32()))
    write_table(pa.table({"id": [7, 8], "text": ["a", "b"], "vector": lists}), path)
    column = {"text": "text", "vectors": "vector"}[setting]
    found = UnlabelledTable(str(path), column, setting=setting).whole()
    assert [*found.header] == ["id", "text", "vector"]
    assert [row[:2] for row in found.rows] == [(7, "a"), (8, "b")]
    # Vectors are read as numbers, by another.
    assert found.wanted == (["a", "b"] if setting == "text" else [None, None])
