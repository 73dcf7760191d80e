"""A comparison as a page, figures and tables that stand by themselves."""

import gzip
import io
import logging
import re
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from synaug import escaping
from synaug.files.atomic import replacing

if TYPE_CHECKING:
    import pandas as pd

    from synaug.comparison.compare import Comparison
    from synaug.comparison.evidence import Evidence
    from synaug.report.figures.material import Drawing, Failed, Material, Plan

log = logging.getLogger(__name__)

PAGE, SCORES, SCORES_CSV, ERRORS = "index.html", "scores.parquet", "scores.csv.gz", "errors.log"
FIGURE = re.compile(
    r"(gains|ratio|forest|ranks|amount|neighbours|classes|confusion|reliability|curves)-[\w-]+\.(svg|pdf)"
)
# Of the metrics after the first, how many are drawn, too; the table has all.
MOST_METRICS = 4
MOST_PANELS = 4  # data sets whose classes, probabilities and training are drawn
MINORITY = "minority_recall"
LARGE = 300  # runs
Made = TypeVar("Made")


def write(evidence: "Evidence", comparison: "Comparison", folder: str | Path, *, csv: bool = False) -> Path:
    """Write ``index.html``, the scores, the comparisons, LaTeX tables and figures.

    A figure that cannot be drawn is missing, and named on the page, in the log and in ``errors.log``, which has its
    traceback; the rest is written all the same.

    Parameters
    ----------
    folder
        Files of an earlier report are replaced, each whole or not at all, and its figures go; others stay.
    csv
        Write the long table as compressed CSV, too.

    Returns
    -------
    Path
        The page.
    """
    from synaug.report import latex
    from synaug.report.figures.material import Failed, Material
    from synaug.report.page import page

    folder = Path(folder)
    material = Material(evidence, comparison)
    _forget(folder)
    svgs: dict[str, str] = {}
    drawn: list[Drawing] = []
    failed: list[Failed] = []
    for drawing in drawings(material):
        if isinstance(drawing, Failed):
            failed.append(drawing)
            continue
        files = _attempt(drawing.name, drawing.section, partial(_files, drawing, material))
        if isinstance(files, Failed):
            failed.append(files)
            continue
        drawn.append(drawing)
        svgs[drawing.name], contents = files
        for name, content in contents.items():
            _write(folder / "figures" / name, content)
    if failed:
        _say(failed, folder)
    write_scores(evidence.scores, folder, csv=csv)
    _write(folder / "comparisons.csv", comparisons_csv(comparison))
    for name, text in latex.tables(material).items():
        _write(folder / "tables" / name, text.encode())
    _write(folder / PAGE, page.render(material, drawn, svgs, failed).encode())
    return folder / PAGE


def drawings(material: "Material") -> "Iterator[Drawing | Failed]":
    """All figures, or why there is none: of the first metric and of no metric, then fewer of the next metrics."""
    from tqdm.auto import tqdm

    for name, section, plan in tqdm(list(_plans(material)), desc="figures", unit="figure", disable=None):
        found = _attempt(name, section, plan)
        if found is not None:
            yield found


def _plans(material: "Material") -> "Iterator[tuple[str, str, Plan]]":
    """Name, section and plan of each figure."""
    from synaug.report.figures import calibration, classes, curves, forest, heatmap, ranks, ratios, sweeps

    if material.evidence.runs.empty:
        return
    large = is_large(material)
    for index, metric in enumerate(material.comparison.metrics[: MOST_METRICS - 2 * large]):
        most = 1 if index else heatmap.MOST_FIGURES - large
        for reference in ("none", "free"):
            gains = partial(heatmap.draw, material, metric, reference, most)
            yield from _each(f"gains-{metric}-over-{reference}", "gains", gains)
        if metric != MINORITY or index == 0:
            yield f"ratio-{metric}", "ratio", partial(ratios.draw, material, metric)
        if index == 0 and metric != MINORITY and MINORITY in material.comparison.metrics:
            # Beside every metric: what the minority gets is the question.
            yield f"ratio-{MINORITY}", "ratio", partial(_of_every_metric, partial(ratios.draw, material, MINORITY))
        most = 1 - large if index else forest.MOST_FIGURES - 2 * large
        yield from _each(f"forest-{metric}", "forest", partial(forest.draw, material, metric, most))
        yield f"ranks-{metric}", "ranks", partial(ranks.draw, material, metric)
        if index == 0:
            yield f"amount-{metric}", "sweeps", partial(sweeps.amounts, material, metric)
            yield f"neighbours-{metric}", "sweeps", partial(sweeps.neighbours, material, metric)
    kinds = (
        ("classes", "classes", classes.recalls),
        ("confusion", "confusion", classes.confusions),
        ("reliability", "calibration", calibration.draw),
        ("curves", "training", curves.draw),
    )
    for kind, section, draw in kinds:
        for number, panel in enumerate(material.panels[: 2 if large else MOST_PANELS]):
            yield f"{kind}-{number + 1}", section, partial(draw, material, panel, number)


def _each(name: str, section: str, draw: "Callable[[], Iterable[Plan]]") -> "Iterator[tuple[str, str, Plan]]":
    """Plans of figures that share what they are made of; where that fails, so do they, as one."""
    from synaug.report.figures.material import Failed

    plans = _attempt(name, section, lambda: list(draw()))
    if isinstance(plans, Failed):
        yield name, section, lambda: plans
    else:
        for number, plan in enumerate(plans):
            yield f"{name}-{number + 1}", section, plan


def _of_every_metric(plan: "Plan") -> "Drawing | Failed | None":
    from synaug.report.figures.material import Drawing

    found = plan()
    return replace(found, metric=None) if isinstance(found, Drawing) else found


def _attempt(name: str, section: str, make: "Callable[[], Made]") -> "Made | Failed":
    """Make a figure, or tell why it cannot be made."""
    from synaug.report.figures.material import Failed

    try:
        return make()
    except OSError:  # of the disk, most likely, and the rest needs it as well
        raise
    except Exception as error:  # noqa: BLE001 (whatever is wrong with one figure must not cost the others, nor the report)
        return Failed(name, section, error)


def _files(drawing: "Drawing", material: "Material") -> tuple[str, dict[str, bytes]]:
    """A figure as SVG for the page, and its files."""
    from synaug.report.figures import svg

    raw = svg.raw_svg(drawing.figure, drawing.name)
    files = {f"{drawing.name}.svg": svg.standalone(raw, drawing.title, drawing.alt).encode()}
    if drawing.metric in (None, material.metric) or not is_large(material):
        files[f"{drawing.name}.pdf"] = svg.pdf(drawing.figure, quick=is_large(material))
    return svg.inline(raw, drawing.alt), files


def _say(failed: "Sequence[Failed]", folder: Path) -> None:
    """Name the figures that failed, and write their tracebacks; the log of a sweep is that of its last job."""
    tracebacks = "\n".join(f"{each.name}\n{''.join(traceback.format_exception(each.error))}" for each in failed)
    _write(folder / ERRORS, escaping.console(tracebacks).encode())
    for each in failed:
        log.error(
            "figure %s is left out of the report, by a fault of synaug (%s); the traceback stands in %s",
            each.name,
            each.reason,
            folder / ERRORS,
        )


def is_large(material: "Material") -> bool:
    """Whether there are so many runs that fewer figures are drawn, lest the report take minutes."""
    return len(material.evidence.runs) > LARGE


def write_scores(scores: "pd.DataFrame", folder: Path, *, csv: bool = False) -> None:
    """Write the long table as ``scores.parquet``, with names as they are, and on request as ``scores.csv.gz``."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv
    from pyarrow import parquet

    with replacing(folder / SCORES) as file:
        parquet.write_table(pa.Table.from_pandas(escaping.utf8_frame(scores), preserve_index=False), file)
    if not csv:
        return
    table = pa.Table.from_pandas(escaping.csv_frame(scores), preserve_index=False)
    plain = pa.table({name: _plain(table[name]) for name in table.column_names})
    with (
        replacing(folder / SCORES_CSV) as file,
        gzip.GzipFile(fileobj=file, mode="wb", compresslevel=6, mtime=0) as packed,
    ):
        arrow_csv.write_csv(plain, packed)


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
    escaping.csv_frame(whole).to_csv(buffer, index=False, float_format="%.6g")
    return buffer.getvalue()


def _forget(folder: Path) -> None:
    """Remove an earlier report's figures and scores that this one may lack: they would be taken for its own."""
    for path in folder.glob("figures/*"):
        if FIGURE.fullmatch(path.name):
            path.unlink()
    for name in (ERRORS, SCORES_CSV, "scores.csv"):
        with suppress(FileNotFoundError, NotADirectoryError):
            (folder / name).unlink()


def _write(path: Path, content: bytes) -> None:
    with replacing(path) as file:
        file.write(content)
