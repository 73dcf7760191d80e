"""Dashboards as code: a W&B workspace and a W&B report over a project's runs and the reports of its sweeps.

``synaug dashboard ENTITY/PROJECT`` sends both, as new ones; ``--print`` shows what it would send.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import unicodedata
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from synaug.comparison.labels import NO_AUGMENTER, PICKED, REFERENCE_LABELS, WITH
from synaug.errors import UserError
from synaug.files.sign_of_life import busy
from synaug.record import tables
from synaug.scores.decision import RULES
from synaug.settings import GROUPS, conf_dir
from synaug.tracking import wandb_report, wandb_run
from synaug.tracking.dashboard_command import TITLE
from synaug.tracking.dashboard_command import main as main

if TYPE_CHECKING:
    from wandb_workspaces.reports.v2 import CustomChart, Report, Runset
    from wandb_workspaces.reports.v2.interface import PanelTypes
    from wandb_workspaces.workspaces import Workspace

# In the order of the report's page: what answers, how sure it is, against what, which classes, and how it came about.
WORDS = {
    "Verdict": "What the report of each sweep says.",
    "How sure": "Each difference with its interval, and every comparison behind the verdict.",
    "Gains": "Of each method, over both references; below, the scores themselves under each decision rule.",
    "Classes": "Who gains and who pays, and what the probabilities mean.",
    "Confusion matrices": "Summed over splits, under each decision rule.",
    "Choices": "One line a run: its choices, the out-of-fold loss by which synaug chooses, and test scores, which "
    "choose nothing.",
    "Curves": "Mean over splits at each look. The losses of the decision rules choose the step: they are of the rows "
    "that inner models were not trained on. argmax on test rows is described, and chooses nothing.",
    "Whole report": "The report's page. Above, figures that a sweep does not have stay empty; the page has all that "
    "there are.",
}
SCORES = ("balanced_accuracy", "minority_recall")
COORDINATES = ("argmax/balanced_accuracy", "prior_corrected/balanced_accuracy", "argmax/minority_recall")
# Of the report's figures, by section.
DRAWN = {
    "How sure": (f"forest-{SCORES[0]}-1",),
    "Gains": (*(f"gains-{SCORES[0]}-over-{reference}" for reference in REFERENCE_LABELS), f"ratio-{SCORES[0]}"),
    "Classes": ("classes-1", "reliability-1"),
}
CURVES = tuple(map(wandb_run.curve_key, tables.CURVES))
# Of a section of the workspace, where not 2.
COLUMNS_OF = {"Verdict": 1, "How sure": 1, "Whole report": 1, "Confusion matrices": len(RULES)}
LEVELS = ("dataset", "imbalance_ratio", "augmenter")  # below the sweep, in the workspace's table of runs
COLUMNS = tuple(f"summary:{key}" for key in (wandb_run.OBJECTIVE, *COORDINATES))
MOST_RUNS = 100  # of one chart, where W&B's default is 10
MOST = {"max_runs_to_show": MOST_RUNS, "max_bars_to_show": MOST_RUNS}
LONGEST_TITLE = 128  # that W&B takes
ROW = 9  # height of a panel in a report's units
HOW_TO_INSTALL = (
    "synaug dashboard needs wandb-workspaces: pip install -e '.[wandb]' in the checkout, "
    "or pip install wandb-workspaces"
)
HOW_TO_LOG_IN = (
    "https://wandb.ai/authorize shows the key for `wandb login` or WANDB_API_KEY, WANDB_BASE_URL a server of your "
    "own, and --print needs neither"
)


def workspace(entity: str, project: str, title: str = TITLE) -> Workspace:
    """Build the workspace, without asking a server: a section for each subject, and runs grouped by sweep.

    The runs are grouped below their sweep, too, since W&B draws the groups of the last level.
    """
    import wandb_workspaces.workspaces as ws
    from wandb_workspaces import expr

    return ws.Workspace(
        entity=entity,
        project=project,
        name=title,
        sections=[
            ws.Section(
                name=name,
                panels=of_section,
                is_open=True,
                layout_settings=ws.SectionLayoutSettings(columns=COLUMNS_OF.get(name, 2)),
            )
            for name, of_section in panels().items()
        ],
        settings=ws.WorkspaceSettings(x_axis=wandb_run.STEP, max_runs=MOST_RUNS),
        runset_settings=ws.RunsetSettings(
            groupby=[expr.Metric("Group"), *(expr.Config(_choice(group)) for group in LEVELS)],
            order=[expr.Ordering(expr.Metric("Name"))],
            pinned_columns=["run:displayName", "run:jobType", "run:state", *COLUMNS],
        ),
    )


def report(entity: str, project: str, title: str = TITLE) -> Report:
    """Build the report, without asking a server: the workspace's sections with words, then the table of runs.

    Its sets of runs name no entity, which makes them the report's own project's; one that names it
    looks the project up.
    """
    import wandb_workspaces.reports.v2 as wr

    reports, runs = wandb_report.JOB_TYPE, wandb_run.JOB_TYPE
    of_reports = ("Verdict", "How sure", "Classes", "Whole report")
    shown = {**{name: [reports] for name in of_reports}, "Gains": [reports, runs]}
    blocks: list[Any] = [wr.TableOfContents()]
    for name, of_section in panels().items():
        runsets = [_runs(project, job_type) for job_type in shown.get(name, [runs])]
        blocks += [wr.H2(name), wr.P(WORDS[name]), wr.PanelGrid(runsets=runsets, panels=of_section)]
    by_sweep = _runs(project, runs, groupby=["run.group"], pinned_columns=["run:displayName", "run:state", *COLUMNS])
    blocks += [wr.H2("Runs"), wr.P("Grouped by sweep."), wr.PanelGrid(runsets=[by_sweep])]
    return wr.Report(entity=entity, project=project, title=title, blocks=blocks, width="fluid")


def _runs(project: str, job_type: str, **options: Any) -> Runset:
    import wandb_workspaces.reports.v2 as wr
    from wandb_workspaces import expr

    of_job_type = expr.Metric("JobType") == job_type
    return wr.Runset(project=project, name=f"runs of job type {job_type}", filters=expr.And(of_job_type), **options)


def panels() -> dict[str, list[PanelTypes]]:
    """Panels by section; the keys are those that `wandb_run` and `wandb_report` log."""
    import wandb_workspaces.reports.v2 as wr

    by_method = {"groupby": wr.Config(_choice("augmenter")), "groupby_aggfunc": "mean", "groupby_rangefunc": "minmax"}
    gains = wandb_report.GAIN_TITLES.items()
    choices = [wr.ParallelCoordinatesPlotColumn(wr.Config(_choice(group)), _words(group)) for group in GROUPS]
    keys = (wandb_run.OBJECTIVE, *COORDINATES)
    scores = [wr.ParallelCoordinatesPlotColumn(wr.SummaryMetric(key), _words(key)) for key in keys]
    of_scores = [f"{rule}/{score}" for score in SCORES for rule in RULES]
    confusion = {name: name for name in wandb_run.CONFUSION_COLUMNS}
    drawn = {
        section: [wr.MediaBrowser(title=_words(name), media_keys=[f"{wandb_report.FIGURES}/{name}"]) for name in names]
        for section, names in DRAWN.items()
    }
    verdict, page = (wr.MediaBrowser(title=key, media_keys=[key]) for key in (wandb_report.VERDICT, wandb_report.PAGE))
    comparisons = wr.WeavePanelSummaryTable(table_name=wandb_report.COMPARISONS)
    return {
        "Verdict": _placed(1, [verdict], rows=2),
        "How sure": _placed(1, [*drawn["How sure"], comparisons], rows=2),
        "Gains": [
            *_placed(2, [wr.BarPlot(title=title, metrics=gain_keys(gain), **MOST) for gain, title in gains]),
            *_placed(
                2,
                [
                    _chart(wandb_report.chart_key(gain), wandb_report.BARS, wandb_report.BAR_FIELDS, name)
                    for gain, name in gains
                ],
                below=1,
            ),
            *_placed(2, drawn["Gains"], below=2),
            *_placed(
                len(RULES),
                [wr.BarPlot(title=_words(key), metrics=[key], **by_method, **MOST) for key in of_scores],
                below=4,
            ),
        ],
        "Classes": _placed(2, drawn["Classes"]),
        "Confusion matrices": _placed(
            len(RULES),
            [
                _chart(wandb_run.confusion_key(rule), wandb_run.CONFUSION_CHART, confusion, _words(f"{rule}/confusion"))
                for rule in RULES
            ],
        ),
        "Choices": _placed(1, [wr.ParallelCoordinatesPlot(title="choices and scores", columns=choices + scores)]),
        "Curves": _placed(
            2,
            [
                wr.LinePlot(title=_words(key), x=wandb_run.STEP, y=[key], max_runs_to_show=MOST_RUNS, **by_method)
                for key in CURVES
            ],
        ),
        "Whole report": _placed(1, [page], rows=2),
    }


def _placed(columns: int, row_by_row: list[Any], below: int = 0, rows: int = 1) -> list[PanelTypes]:
    """Give panels their places in a grid that is 24 units wide, below so many rows, each so many rows high."""
    import wandb_workspaces.reports.v2 as wr

    width = 24 // columns
    for index, panel in enumerate(row_by_row):
        row, column = divmod(index, columns)
        panel.layout = wr.Layout(x=column * width, y=(below + row * rows) * ROW, w=width, h=rows * ROW)
    return row_by_row


def gain_keys(gain: str) -> list[str]:
    """Keys of one of the gains, of the augmenters that synaug ships; the bar charts have those of any other."""
    shipped = sorted(path.stem for path in (conf_dir() / "augmenter").glob("*.yaml"))
    beside = PICKED if gain == wandb_report.GAINS["baseline"] else (WITH,)
    return [f"{gain}/{name}" for name in [*shipped, *beside] if name != NO_AUGMENTER]


def specification(board: Workspace | Report) -> dict[str, Any]:
    """What a board sends, made the same each time: W&B's random ids are numbered."""
    text = board._to_model().model_dump_json(by_alias=True, exclude_none=True)
    ids = dict.fromkeys(_ids(json.loads(text)))
    for number, name in enumerate(ids):
        text = text.replace(json.dumps(name), json.dumps(f"id{number}"))
    numbered: dict[str, Any] = json.loads(text)
    return numbered


def send(options: argparse.Namespace) -> None:
    """Do what a command line asks for; exit with 1 and one sentence where nothing could be sent."""
    try:
        place = (*_place(options.place), _title(options.title))
    except UserError as error:
        sys.exit(str(error))
    try:
        with busy("building them"):
            boards = {"report": report(*place), "workspace": workspace(*place)}
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("wandb_workspaces"):
            raise
        sys.exit(HOW_TO_INSTALL)
    if options.print:
        specifications = {name: specification(board) for name, board in boards.items()}
        sys.stdout.write(f"{json.dumps(specifications, indent=2)}\n")
        return
    try:
        for name, address in _send(boards):
            sys.stdout.write(f"{name}: {address}\n")
    except UserError as error:
        sys.exit(str(error))


def _place(place: str) -> tuple[str, str]:
    matched = re.fullmatch(r"([\w.-]+)/([\w.-]+)", place)
    if not matched:
        raise UserError(f"{place!r} must be ENTITY/PROJECT, e.g. my-team/synaug, as in the project's address")
    return matched[1], matched[2]


def _title(title: str) -> str:
    if not 0 < len(title) <= LONGEST_TITLE or any(unicodedata.category(character) == "So" for character in title):
        raise UserError(f"--title={title!r} must be 1 to {LONGEST_TITLE} characters without emoji or other symbols")
    return title


def _send(boards: Mapping[str, Workspace | Report]) -> Iterator[tuple[str, str]]:
    """Save each board as a new one, and give its address."""
    import wandb

    os.environ.setdefault("WANDB_SILENT", "true")  # its own lines beside the one sentence
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    settings = wandb.setup().settings
    if settings.mode != "online":
        raise UserError(f"WANDB_MODE={settings.mode} sends nothing: unset it, or give --print")
    try:
        wandb_run.require_key()
    except wandb.Error as error:
        raise UserError(f"a dashboard needs an account ({wandb_run.first_line(error)}): {HOW_TO_LOG_IN}") from error
    for name, board in boards.items():
        try:
            with busy(f"sending the {name}"):
                address = board.save().url
            yield name, address
        except wandb_run.server_trouble() as error:
            reason = wandb_run.first_line(error)
            raise UserError(f"{settings.base_url} did not take the {name} ({reason}): {HOW_TO_LOG_IN}") from error


def _chart(key: str, definition: str, fields: Mapping[str, str], title: str) -> CustomChart:
    """One of W&B's own charts, of the table that logging it put under its key."""
    import wandb_workspaces.reports.v2 as wr

    query = {"id": None, "name": None, "_defaultColorIndex": None, "summaryTable": {"tableKey": f"{key}_table"}}
    return wr.CustomChart(query=query, chart_name=definition, chart_fields=dict(fields), chart_strings={"title": title})


def _choice(group: str) -> str:
    return f"choices.{group}"


def _words(key: str) -> str:
    of, _, name = key.rpartition("/")
    return (f"{name}, {of}" if of else name).replace("_", " ")


def _ids(content: Any) -> Iterator[str]:
    """Random ids of panels and of sets of runs, in their order."""
    if isinstance(content, list):
        for part in content:
            yield from _ids(part)
    elif isinstance(content, dict):
        for key, value in content.items():
            if key in ("id", "__id__") and isinstance(value, str) and value:
                yield value
            yield from _ids(value)


if __name__ == "__main__":
    sys.exit(main())
