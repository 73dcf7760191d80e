"""Records that were written before a table was: compared and shown as far as they go."""

import json
from pathlib import Path

import pytest

from synaug import record, report
from synaug.comparison import compare, evidence
from synaug.errors import UserError
from tests import fabricated

SINCE_SCHEMA_1 = ("validation_scores", "reliability", "code")
DESCRIPTIVE = ("reliability", "code", "confusion", "offsets", "balance", "diagnostics", "curves", "best", "warnings")


def write(folder: Path, lacking: tuple[str, ...], *, all_of_them: bool, schema: int = record.SCHEMA) -> None:
    """Two runs of one scenario; what `lacking` names is taken from the first or from both."""
    runs = fabricated.write_runs(folder, ["trec"], [10.0], ["none", "smote"], n_folds=5)
    for run in runs if all_of_them else runs[1:]:
        path = run / record.RECORD
        content = json.loads(path.read_bytes())
        kept = {key: value for key, value in content.items() if key not in lacking}
        path.write_text(json.dumps({**kept, "schema": schema}))


@pytest.mark.parametrize("all_of_them", [True, False])
@pytest.mark.parametrize("table", [*DESCRIPTIVE, "validation_scores"])
def test_any_table_may_lack_of_what_is_compared(tmp_path: Path, table: str, all_of_them: bool) -> None:
    write(tmp_path, (table,), all_of_them=all_of_them)
    read = evidence.read([tmp_path])
    assert len(read.runs) == 2
    assert not read.left_out
    comparison = compare.compare(read, metrics=["accuracy"], mixed=True)
    assert len(comparison.tables["accuracy"])


@pytest.mark.parametrize(
    ("lacking", "schema", "all_of_them"),
    [
        (SINCE_SCHEMA_1, 1, True),
        (SINCE_SCHEMA_1, 1, False),
        (DESCRIPTIVE, record.SCHEMA, True),
        (DESCRIPTIVE, record.SCHEMA, False),
    ],
)
def test_a_report_is_written_of_what_older_records_have(
    tmp_path: Path, lacking: tuple[str, ...], schema: int, all_of_them: bool
) -> None:
    write(tmp_path / "runs", lacking, all_of_them=all_of_them, schema=schema)
    read = evidence.read([tmp_path / "runs"])
    comparison = compare.compare(read, metrics=["accuracy"], mixed=True)
    path = report.write(read, comparison, tmp_path / "report")
    errors = tmp_path / "report" / report.ERRORS
    assert not errors.exists(), errors.read_text()
    page = path.read_text(encoding="utf-8")
    assert "of an older version" in page
    assert "reliability" in page


def test_of_records_that_are_newer_the_remedy_is_an_update(tmp_path: Path) -> None:
    write(tmp_path, (), all_of_them=True, schema=record.SCHEMA + 1)
    with pytest.raises(UserError, match=r"update synaug, or remove it and run again$"):
        evidence.read([tmp_path])


def test_a_record_without_the_scores_of_argmax_is_compared_as_far_as_it_goes(tmp_path: Path) -> None:
    write(tmp_path, (), all_of_them=True)
    path = next(tmp_path.glob("*none*/record.json"))
    damaged = json.loads(path.read_text())
    place = damaged["scores"]["columns"].index("decision")
    damaged["scores"]["data"] = [row for row in damaged["scores"]["data"] if row[place] != "argmax"]
    path.write_text(json.dumps(damaged))
    gaps = compare.compare(evidence.read([tmp_path]), metrics=["accuracy"]).gaps
    assert set(gaps["augmenter"]) == {"none"}
