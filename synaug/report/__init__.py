"""A comparison as a page, figures and tables that stand by themselves."""

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from synaug.atomic import replacing

if TYPE_CHECKING:
    import pandas as pd

    from synaug.comparison import Comparison
    from synaug.evidence import Evidence
    from synaug.report.material import Drawing, Material

PAGE = "index.html"
FIGURE = re.compile(
    r"(gains|ratio|forest|ranks|amount|neighbours|classes|confusion|reliability|curves)-[\w-]+\.(svg|pdf)"
)
# Of the metrics after the first, how many are drawn, too; the table has all.
MOST_METRICS = 4
MINORITY = "minority_recall"
LARGE = 300  # runs


def write(evidence: "Evidence", comparison: "Comparison", folder: str | Path) -> Path:
    """Write ``index.html``, the scores, the comparisons, LaTeX tables and figures.

    Parameters
    ----------
    folder
        Files of an earlier report are replaced, each whole or not at all, and its figures go; others stay.

    Returns
    -------
    Path
        The page.
    """
    from synaug.report import latex, page, svg
    from synaug.report.material import Material

    folder = Path(folder)
    material = Material(evidence, comparison)
    _forget_figures(folder / "figures")
    svgs = {}
    drawn = list(drawings(material))
    for drawing in drawn:
        raw = svg.raw_svg(drawing.figure, drawing.name)
        svgs[drawing.name] = svg.inline(raw, drawing.alt)
        _write(folder / "figures" / f"{drawing.name}.svg", svg.standalone(raw, drawing.title, drawing.alt).encode())
        if drawing.metric in (None, material.metric) or not is_large(material):
            path = folder / "figures" / f"{drawing.name}.pdf"
            _write(path, svg.pdf(drawing.figure, quick=is_large(material)))
    write_scores(evidence.scores, folder)
    _write(folder / "comparisons.csv", comparisons_csv(comparison))
    for name, text in latex.tables(material).items():
        _write(folder / "tables" / name, text.encode())
    _write(folder / PAGE, page.render(material, drawn, svgs).encode(errors="replace"))
    return folder / PAGE


def drawings(material: "Material") -> Iterator["Drawing"]:
    """All figures: those of the first metric and of no metric, then fewer of the next metrics."""
    from synaug.report import calibration, classes, curves, forest, heatmap, ranks, ratios, sweeps

    if material.evidence.runs.empty:
        return
    large = is_large(material)
    for index, metric in enumerate(material.comparison.metrics[: MOST_METRICS - 2 * large]):
        for reference in ("none", "free"):
            yield from heatmap.draw(material, metric, reference, 1 if index else heatmap.MOST_FIGURES - large)
        if metric != MINORITY or index == 0:
            yield from filter(None, [ratios.draw(material, metric)])
        if index == 0 and metric != MINORITY and MINORITY in material.comparison.metrics:
            # Beside every metric: what the minority gets is the question.
            yield from (replace(drawn, metric=None) for drawn in filter(None, [ratios.draw(material, MINORITY)]))
        yield from forest.draw(material, metric, 1 - large if index else forest.MOST_FIGURES - 2 * large)
        yield from filter(None, [ranks.draw(material, metric)])
        if index == 0:
            yield from sweeps.draw(material, metric)
    for draw in (classes.recalls, classes.confusions, calibration.draw, curves.draw):
        yield from draw(material, 2 if large else 4)


def is_large(material: "Material") -> bool:
    """Whether there are so many runs that fewer figures are drawn, lest the report take minutes."""
    return len(material.evidence.runs) > LARGE


def write_scores(scores: "pd.DataFrame", folder: Path) -> None:
    """Write the long table as ``scores.parquet`` and ``scores.csv``."""
    import pyarrow as pa
    from pyarrow import csv, parquet

    table = pa.Table.from_pandas(scores, preserve_index=False)
    with replacing(folder / "scores.parquet") as file:
        parquet.write_table(table, file)
    plain = pa.table({name: _plain(table[name]) for name in table.column_names})
    with replacing(folder / "scores.csv") as file:
        csv.write_csv(plain, file)


def _plain(column: "object") -> "object":
    import pyarrow as pa

    assert isinstance(column, pa.ChunkedArray)
    if pa.types.is_dictionary(column.type):
        return column.cast(column.type.value_type)
    return column


def comparisons_csv(comparison: "Comparison") -> bytes:
    """All comparisons of all metrics."""
    import pandas as pd

    buffer = io.BytesIO()
    frames = [table.assign(metric=metric) for metric, table in comparison.tables.items()]
    whole = pd.concat(frames, ignore_index=True)
    whole = whole[["metric", *(name for name in whole.columns if name != "metric")]]
    whole.to_csv(buffer, index=False, float_format="%.6g")
    return buffer.getvalue()


def _forget_figures(folder: Path) -> None:
    """Remove an earlier report's figures: those that this one lacks would be taken for its own."""
    for path in folder.glob("*"):
        if FIGURE.fullmatch(path.name):
            path.unlink()


def _write(path: Path, content: bytes) -> None:
    with replacing(path) as file:
        file.write(content)
