"""A comparison as a page, figures and tables that stand by themselves."""

import logging
import re
import traceback
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from synaug.files import escaping
from synaug.files.atomic import replacing

if TYPE_CHECKING:
    from synaug.comparison.compare import Comparison
    from synaug.comparison.evidence import Evidence
    from synaug.report.draw import Failed
    from synaug.report.later import Later

log = logging.getLogger(__name__)

PAGE, ERRORS = "index.html", "errors.log"
COMPARISONS, SCORES, SCORES_CSV, README = "comparisons.csv", "scores.parquet", "scores.csv.gz", "README.md"
QUALITY, GEOMETRY = "quality.csv", "geometry.csv"
EXCHANGE = "exchange.csv"
NEEDS, ABSTAINING = "needs.csv", "abstaining.csv"


def write(
    evidence: "Evidence",
    comparison: "Comparison",
    folder: str | Path,
    *,
    csv: bool = False,
    later: "Later | None" = None,
) -> Path:
    """Write ``index.html``, scores, comparisons and audits, what their columns are, LaTeX tables and figures.

    A figure that cannot be drawn is missing, and named on the page, in the log and in ``errors.log``, which has its
    traceback; the rest is written all the same.

    Parameters
    ----------
    folder
        Files of an earlier report are replaced, each whole or not at all, and its figures go; others stay. Figures
        that would be drawn from the same as then are not drawn again.
    csv
        Write the long table as compressed CSV, too.
    later
        What was asked of decisions that no run recorded, and what they gave.

    Returns
    -------
    Path
        The page.
    """
    from synaug.report import audited, data_files, draw, figures, latex
    from synaug.report.drawn_before import DrawnBefore
    from synaug.report.page import page
    from synaug.report.results import Results

    folder = Path(folder)
    results = Results(evidence, comparison) if later is None else Results(evidence, comparison, later)
    _forget(folder, figures.names())
    before = DrawnBefore(folder)
    sections = draw.sections(results, before)
    for drawn in (drawn for section in sections for drawn in section.drawn):
        for name, content in drawn.files.items():
            _write(folder / "figures" / name, content)
    before.forget_others()
    failed = [failed for section in sections for failed in section.failed]
    if failed:
        _say(failed, folder)
    scores = data_files.scores(evidence, comparison)
    with replacing(folder / SCORES) as file:
        data_files.write_parquet(scores, file)
    if csv:
        with replacing(folder / SCORES_CSV) as file:
            data_files.write_packed_csv(scores, file)
    _write(folder / COMPARISONS, data_files.comparisons_csv(comparison))
    if not comparison.exchange.empty:
        _write(folder / EXCHANGE, data_files.exchange_csv(comparison))
    audits = {QUALITY: audited.quality(results), GEOMETRY: audited.geometry(results)}
    for name, table in audits.items():
        if len(table):
            _write(folder / name, data_files.audit_csv(table))
    asked = {NEEDS: results.later.needs_table, ABSTAINING: results.later.abstaining_table}
    for name, table in asked.items():
        if len(table):
            _write(folder / name, data_files.later_csv(table))
    there = [name for name, table in {**audits, **asked}.items() if len(table)]
    _write(folder / README, data_files.readme(comparison, there).encode())
    for name, text in latex.tables(results).items():
        _write(folder / "tables" / name, text.encode())
    _write(folder / PAGE, page.render(results, sections).encode())
    return folder / PAGE


def _say(failed: "Iterable[Failed]", folder: Path) -> None:
    """Name the figures that failed, and write their tracebacks; the log of a sweep is that of its last job."""
    tracebacks = [f"{each.name}\n{''.join(traceback.format_exception(each.error))}" for each in failed]
    _write(folder / ERRORS, escaping.console("\n".join(tracebacks)).encode())
    for each in failed:
        log.error(
            "figure %s is left out of the report, by a fault of synaug (%s); the traceback stands in %s",
            each.name,
            each.reason,
            folder / ERRORS,
        )


def _forget(folder: Path, kinds: Iterable[str]) -> None:
    """Remove an earlier report's figures and scores that this one may lack: they would be taken for its own."""
    of_a_report = re.compile(rf"({'|'.join(map(re.escape, kinds))})-[\w-]+\.(svg|pdf)")
    for path in folder.glob("figures/*"):
        if of_a_report.fullmatch(path.name):
            path.unlink()
    for name in (ERRORS, SCORES_CSV, "scores.csv", EXCHANGE, QUALITY, GEOMETRY, NEEDS, ABSTAINING):
        with suppress(FileNotFoundError, NotADirectoryError):
            (folder / name).unlink()


def _write(path: Path, content: bytes) -> None:
    with replacing(path) as file:
        file.write(content)
