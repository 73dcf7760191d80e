"""A sweep's report as one run of job type ``report`` in Weights & Biases, in the group of the sweep's runs."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from synaug import record
from synaug.comparison.labels import (
    ARGMAX,
    CHOSEN,
    PICKED,
    REFERENCE_LABELS,
    as_text,
    methods_of,
)
from synaug.files import escaping
from synaug.tracking import wandb_run

if TYPE_CHECKING:
    import wandb

    from synaug.comparison.compare import Comparison
    from synaug.comparison.evidence import Evidence
    from synaug.comparison.layout import Verdict

log = logging.getLogger(__name__)

JOB_TYPE = "report"
# What the run is asked for by name, as `synaug.tracking.dashboard` does.
VERDICT, PAGE, COMPARISONS, SCORES, FIGURES = "verdict", "page", "comparisons", "scores", "figures"
GAINS = {reference: f"gain_over_{reference}" for reference in REFERENCE_LABELS}  # by reference, keys of the summary
GAIN_TITLES = {
    GAINS[reference]: f"Gain over {label}, mean over scenarios" for reference, label in REFERENCE_LABELS.items()
}
BARS, BAR_FIELDS = "wandb/bar/v0", {"label": "method", "value": "gain"}  # W&B's own bar chart
ATTACHED = ("index.html", "README.md", "comparisons.csv", "errors.log", "scores.parquet", "tables/*.tex", "figures/*")


def log_report(
    evidence: Evidence,
    comparison: Comparison,
    folder: Path,
    *,
    project: str,
    entity: str | None = None,
    name: str | None = None,
    init_timeout: float = 20,
    finish_timeout: float = 60,
) -> None:
    """Log a written report: verdict, gains, tables, figures, page, and all files with the runs' records as an artifact.

    W&B shows `wandb.Table.MAX_ARTIFACT_ROWS` (200,000) rows of a table. What is more is left out of
    the table, scores of single classes first, and said; the artifact has every row. Figures go
    as HTML around their SVG, since W&B's images are rasters. A server that is out of reach or
    dies costs a warning, never an error: the run is offline then, as in `wandb_run.start_run`.

    Parameters
    ----------
    evidence, comparison
        What the report shows.
    folder
        Where the report is. A file that it lacks is not logged.
    project, entity
        As in ``wandb.init``.
    name
        The group, by default the experiment's name, as its runs have it.
    init_timeout, finish_timeout
        Seconds to wait for the server when the run starts and when it ends.
    """
    name = escaping.shown(name or ", ".join(evidence.runs["name"].unique()))
    n_scenarios = int(evidence.runs["scenario"].nunique())
    run = wandb_run.start_run(
        project=project,
        entity=entity,
        save_dir=str(folder),
        name=f"report of {name}",
        group=name,
        job_type=JOB_TYPE,
        config={"name": name, "metric": comparison.metrics[0], "runs": len(evidence.runs), "scenarios": n_scenarios},
        init_timeout=init_timeout,
        finish_timeout=finish_timeout,
    )
    exit_code = 1
    try:
        _log(run, evidence, comparison, folder, name)
        exit_code = 0
    except wandb_run.server_trouble() as error:  # an online run asks the server before it takes a table
        log.warning("W&B did not take all of the report (%s); %s has it.", wandb_run.first_line(error), folder)
    finally:
        wandb_run.finish_run(run, exit_code)


def _log(run: wandb.Run, evidence: Evidence, comparison: Comparison, folder: Path, name: str) -> None:
    primary = comparison.metrics[0]
    gains = mean_gains(comparison.tables[primary])
    run.summary["headline"] = escaping.shown(comparison.verdict.headline)
    run.summary.update(
        {f"{GAINS[reference]}/{escaping.shown(method)}": gain for reference, method, gain, _ in _rows(gains)}
    )
    run.log_artifact(_artifact(evidence, comparison, folder, name))
    charts = {
        chart_key(key): _bars(gains[gains["reference"] == reference], f"{GAIN_TITLES[key]}: {primary}")
        for reference, key in GAINS.items()
    }
    run.log({**charts, **_pages(evidence, comparison, folder), **_tables(comparison, folder)})


def mean_gains(comparisons: pd.DataFrame) -> pd.DataFrame:
    """Mean gain over scenarios: of argmax over the baseline, and of the chosen rule over the best without synthesis.

    The best without synthesis and the best with it stand beside both.

    Parameters
    ----------
    comparisons
        Of one metric, as `Comparison.tables` has them.

    Returns
    -------
    DataFrame
        `reference`, `method` (its label), `gain`, `scenarios` (how many have the method), best first.
    """
    rows = comparisons.assign(method=[method.label_without_rule for method in methods_of(comparisons)])
    rule = rows["reference"].map({"baseline": ARGMAX}).fillna(CHOSEN)
    rows = rows[rows["augmenter"].isin(PICKED) | (rows["decision"] == rule)]
    gains = rows.groupby(["reference", "method"])["gain"].agg(["mean", "count"]).reset_index()
    gains = gains.rename(columns={"mean": "gain", "count": "scenarios"})
    return gains.dropna().sort_values("gain", ascending=False, ignore_index=True)


def verdict_page(verdict: Verdict, figure: str = "", style: str = "") -> str:
    """What the report's first screen says, then the verdict's other words and its table, as HTML, escaped.

    Parameters
    ----------
    figure, style
        Of the report's page: `synaug.report.page.page.first_figure` and its style sheet.
    """
    sections = [
        ("", verdict.advice[1:]),
        ("Cautions", verdict.cautions),
        ("Overall", verdict.overall),
        *verdict.datasets.items(),
    ]
    first = [f'<p class="headline">{escaping.html(verdict.headline)}</p>']
    first += [f'<p class="advice">{escaping.html(sentence)}</p>' for sentence in verdict.advice[:1]]
    parts = [f'<section id="verdict"><div class="first">{"".join(first)}{figure}</div></section>']
    for heading, sentences in sections:
        if sentences:
            items = "".join(f"<li>{escaping.html(sentence)}</li>" for sentence in sentences)
            parts.append(f"{f'<h3>{escaping.html(heading)}</h3>' if heading else ''}<ul>{items}</ul>")
    if verdict.table.rows:
        rows = [_row("th", verdict.table.columns), *(_row("td", row) for row in verdict.table.rows)]
        table = f'<div class="scroll"><table>{"".join(rows)}</table></div>'
        parts.append(f"<h3>In numbers</h3>{table}<p>{escaping.html(verdict.table.note)}</p>")
    return _html_around("Verdict", f'<main class="wide">{"".join(parts)}</main>', style)


def _row(tag: str, cells: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{escaping.html(cell)}</{tag}>' for cell in cells)}</tr>"


def _html_around(title: str, body: str, style: str = "") -> str:
    style = style or (
        "body{font:16px/1.5 sans-serif;margin:1em;background:#fff;color:#111}svg{max-width:100%;height:auto}"
        "td,th{padding:.2em .7em;text-align:left}"
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escaping.html(title)}</title>'
        f"<style>{style}</style></head><body>{body}</body></html>"
    )


def _pages(evidence: Evidence, comparison: Comparison, folder: Path) -> dict[str, wandb.Html]:
    import wandb

    from synaug.report.page import page as report_page
    from synaug.report.results import Results

    figure = report_page.first_figure(Results(evidence, comparison))
    pages = {VERDICT: verdict_page(comparison.verdict, figure, report_page.style())}
    for path in sorted(folder.glob("figures/*.svg")):
        _, tag, drawing = path.read_text(encoding="utf-8").partition("<svg")  # without its XML declaration
        pages[f"{FIGURES}/{path.stem}"] = _html_around(path.stem, tag + drawing)
    if (folder / "index.html").is_file():
        pages[PAGE] = (folder / "index.html").read_text(encoding="utf-8")
    return {key: wandb.Html(page, inject=False, data_is_not_path=True) for key, page in pages.items()}


def _tables(comparison: Comparison, folder: Path) -> dict[str, wandb.Table]:
    frames = {COMPARISONS: as_text(pd.concat(comparison.tables, names=["metric"]).reset_index("metric"))}
    if (folder / "scores.parquet").is_file():
        frames[SCORES] = pd.read_parquet(folder / "scores.parquet")
    return {key: table(key, frame) for key, frame in frames.items()}


def table(key: str, frame: pd.DataFrame) -> wandb.Table:
    """Make a W&B table of text and numbers, with no more rows than W&B shows.

    Parameters
    ----------
    key
        What the rows are, for the warning where some are left out.
    """
    import wandb

    limit = wandb.Table.MAX_ARTIFACT_ROWS
    if len(frame) > limit:
        log.warning(
            "W&B shows %d rows of a table, so %d of the %d %s are left out of it; the artifact has them all.",
            limit,
            len(frame) - limit,
            len(frame),
            key,
        )
        overall_first = frame["class"].notna() if "class" in frame else pd.Series(0, frame.index)
        frame = frame.loc[overall_first.sort_values(kind="stable").index[:limit]]
    kinds = [float if pd.api.types.is_numeric_dtype(dtype) else str for dtype in frame.dtypes]
    rows = wandb.Table(columns=[escaping.shown(name) for name in frame], data=[], dtype=kinds)
    # Row by row, as add_data takes them, each value's type is looked at anew: 20 s for 200,000 rows.
    rows.data = _rows(escaping.shown_frame(frame))
    return rows


def _rows(frame: pd.DataFrame) -> list[list[Any]]:
    """Rows of JSON's values: what is missing or infinite is null."""
    columns = []
    for _, column in frame.items():
        known = column.notna() & ~column.isin([math.inf, -math.inf])
        columns.append(column.astype(object).where(known, None).tolist())
    return [list(row) for row in zip(*columns, strict=True)]


def chart_key(gain: str) -> str:
    """Key of the bar chart of one of the `GAINS`; W&B puts its table under this key and ``_table``."""
    return f"{gain}/chart"


def _bars(gains: pd.DataFrame, title: str) -> Any:
    import wandb

    return wandb.plot_table(
        BARS, table("gains", gains[[*BAR_FIELDS.values(), "scenarios"]]), BAR_FIELDS, {"title": title}
    )


def _artifact(evidence: Evidence, comparison: Comparison, folder: Path, name: str) -> wandb.Artifact:
    import wandb

    slug = re.sub(r"[^\w.-]+", "_", name, flags=re.ASCII)[:100]  # W&B takes 128 characters
    artifact = wandb.Artifact(f"report-{slug}", JOB_TYPE, description=escaping.shown(comparison.verdict.headline))
    for path in sorted(path for pattern in ATTACHED for path in folder.glob(pattern)):
        artifact.add_file(str(path), path.relative_to(folder).as_posix())
    for run, place in zip(evidence.runs["run"], evidence.runs["folder"], strict=True):
        path = Path(place) / record.RECORD
        if path.is_file():
            artifact.add_file(str(path), f"records/{escaping.shown(run)}.json")
    return artifact
