"""Dashboards ask for what is logged, and a sweep sent to a server arrives: its runs, and its report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import combinations
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest
import wandb
from wandb.sdk.lib.service.service_connection import WandbApiFailedError

from synaug.comparison import compare as comparison
from synaug.comparison import evidence
from synaug.comparison.labels import PICKED, as_text
from synaug.report import draw
from synaug.report.results import Results
from synaug.scores.decision import RULES
from synaug.tracking import dashboard, wandb_report
from tests import fabricated, toy
from tests.program import TOY, Program
from tests.wandb_runs import clean_session, end_session, inspect, media, run_folder, tables
from tests.wandb_server import KEY, Server

# wandb_workspaces' own
pytestmark = pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince20")


@dataclass
class Sent:
    """A toy sweep of three runs, and its report, sent to a server."""

    runs: list[dict[str, Any]]  # as their transaction logs have them
    report: dict[str, Any]
    tables: list[str]  # keys
    pages: list[str]
    arrived: list[dict[str, Any]]  # all four, as the server has them
    arrived_report: dict[str, Any]  # its artifacts, its files, its comparisons

    def logged(self, what: str) -> set[str]:
        """Keys of the runs and the report."""
        return {key for run in [*self.runs, self.report] for key in run[what]}


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory) -> Sent:
    """One sweep for all tests."""
    folder = tmp_path_factory.mktemp("sweep")
    with pytest.MonkeyPatch.context() as patch, clean_session(folder, patch):
        return send_sweep(folder, patch)


def send_sweep(folder: Path, patch: pytest.MonkeyPatch) -> Sent:
    """Run a sweep, log its report, and ask the server for both."""
    (folder / "server").mkdir()
    csv = toy.write_csv(folder / "mine.csv", *toy.texts(60, ("sport", "trade", "space")))
    with Server(folder / "server") as server:
        patch.setenv("WANDB_BASE_URL", server.url)
        patch.setenv("WANDB_API_KEY", KEY)
        program = Program(folder)
        settings = [f"dataset.path={csv}", "name=toy", "logger=wandb", "augmenter=none,random,smote"]
        settings += ["n_folds=2", "max_steps=16"]
        assert program("--multirun", *TOY, *settings).code == 0
        found = evidence.read([folder / "multirun" / "toy"])
        written = folder / "multirun" / "toy" / "report"
        (written / "figures").mkdir(parents=True)
        (written / "index.html").write_text("<title>page</title>")
        (written / "figures" / "forest.svg").write_text("<svg><title>forest</title></svg>")
        as_text(found.scores).to_parquet(written / "scores.parquet")
        wandb_report.log_report(found, comparison.compare(found), written, project="synaug")

        arrived = server.get("/api/v2/projects/default/synaug/runs")["runs"]
        (run,) = [run["run_id"] for run in arrived if run["display_name"] == "report of toy"]
        artifacts = server.get(f"/api/v2/runs/{run}/artifacts")["artifacts"]
        files = [one["name"] for one in server.get(f"/api/v1/runs/{run}/files")["files"]]
        (table,) = [name for name in files if name.startswith("media/table/comparisons_")]
        comparisons = server.get(f"/files/default/synaug/{run}/{table}")
    folders = [run_folder(Path(each), "run") for each in found.runs["folder"]]
    of_report = run_folder(written, "run")
    return Sent(
        runs=[inspect(each) for each in folders],
        report=inspect(of_report),
        tables=[key for each in [*folders, of_report] for key in tables(each)],
        pages=list(media(of_report, "html", ".html")),
        arrived=arrived,
        arrived_report={"run": run, "artifacts": artifacts, "files": files, "comparisons": comparisons},
    )


@pytest.fixture(autouse=True)
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with clean_session(tmp_path, monkeypatch):
        yield


@pytest.fixture
def boards() -> dict[str, Any]:
    """Specifications of both boards."""
    found = {"workspace": dashboard.workspace("team", "synaug"), "report": dashboard.report("team", "synaug")}
    return {name: dashboard.specification(board) for name, board in found.items()}


def sections(board: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Panels of a workspace's or a report's specification, by section."""
    if "section" in board["spec"]:
        bank = board["spec"]["section"]["panelBankConfig"]["sections"]
        return {section["name"]: section["panels"] for section in bank}
    found, name = {}, ""
    for block in board["spec"]["blocks"]:
        if block["type"] == "heading":
            name = block["children"][0]["text"]
        elif block["type"] == "panel-grid":
            found[name] = block["metadata"]["panelBankSectionConfig"]["panels"]
    return found


def run_sets(board: dict[str, Any]) -> list[dict[str, Any]]:
    if "section" in board["spec"]:
        return list(board["spec"]["section"]["runSets"])
    grids = [block["metadata"] for block in board["spec"]["blocks"] if block["type"] == "panel-grid"]
    return [runs for grid in grids for runs in grid["runSets"]]


def configs(board: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Settings of its panels, by kind."""
    found = defaultdict(list)
    for panels in sections(board).values():
        for panel in panels:
            found[panel["viewType"]].append(panel["config"])
    return found


def test_runs_of_a_sweep_arrive_grouped_with_their_report(sent: Sent) -> None:
    assert [run["state"] for run in sent.arrived] == 4 * ["finished"]
    # The server keeps neither group nor job type; the experiment's name is in every config, too,
    # and the runs' own logs have what was sent.
    assert [run["config"]["name"]["value"] for run in sent.arrived] == 4 * ["toy"]
    assert [run["run"]["run_group"] for run in [*sent.runs, sent.report]] == 4 * ["toy"]
    assert [run["run"]["job_type"] for run in sent.runs] == 3 * ["train"]
    assert sent.report["run"]["job_type"] == "report"

    of_report = sent.arrived_report
    (summary,) = [run["summary"] for run in sent.arrived if run["run_id"] == of_report["run"]]
    gains = {key for key in summary if key.startswith("gain_over_baseline/")}
    assert gains == {f"gain_over_baseline/{name}" for name in ("random", "smote", *PICKED)}
    artifacts = [one["name"] for one in of_report["artifacts"] if one["artifact_type"] == "report"]
    assert artifacts == ["report-toy"]
    table = of_report["comparisons"]
    assert table["columns"][:5] == ["metric", "scenario", "augmenter", "loss", "decision"]
    assert {row[2] for row in table["data"]} == {"none", "random", "smote", *PICKED}
    assert [name for name in of_report["files"] if name.startswith("media/html/figures/forest_")]


@pytest.mark.parametrize("board", ["workspace", "report"])
def test_every_key_that_a_panel_asks_for_is_logged(sent: Sent, boards: dict[str, Any], board: str) -> None:
    used = configs(boards[board])
    summary, history = sent.logged("summary"), sent.logged("history")
    shown = {key for config in used["Media Browser"] for key in config["mediaKeys"]}
    assert shown - figures(boards[board]) <= set(sent.pages)
    metrics = {key for config in used["Bar Chart"] for key in config["metrics"]}
    gains = {key for key in metrics if key.startswith("gain_over_")}
    assert {key for key in summary if key.startswith("gain_over_") and "/chart_table" not in key} <= gains
    assert metrics - gains <= summary
    assert {f"{rule}/balanced_accuracy" for rule in RULES} <= metrics
    for config in used["Run History Line Plot"]:
        assert {config["xAxis"], *config["metrics"]} <= history
    (coordinates,) = used["Parallel Coordinates Plot"]
    for column in coordinates["columns"]:
        kind, _, key = column["accessor"].partition(":")
        assert key in (summary if kind == "summary" else {f"choices.value.{group}" for group in choices(sent)})
    grouped = {config.get("groupBy") for kind in ("Bar Chart", "Run History Line Plot") for config in used[kind]}
    assert grouped - {None} == {"choices.value.augmenter"}
    (table,) = used["Weave"]
    assert f'"{wandb_report.COMPARISONS}"' in json.dumps(table)
    assert wandb_report.COMPARISONS in sent.tables


def figures(board: dict[str, Any]) -> set[str]:
    shown = {key for config in configs(board)["Media Browser"] for key in config["mediaKeys"]}
    return {key for key in shown if key.startswith("figures/")}


def test_figures_shown_are_figures_drawn(boards: dict[str, Any], tmp_path: Path) -> None:
    fabricated.write_runs(tmp_path, ["imdb"], augmenters=["none", "smote"], n_folds=2)
    found = evidence.read([tmp_path])
    sections = draw.sections(Results(found, comparison.compare(found)))
    drawn = {f"figures/{drawn.name}" for section in sections for drawn in section.drawn}
    assert figures(boards["workspace"]) == figures(boards["report"])
    assert figures(boards["report"]) <= drawn
    assert len(figures(boards["report"])) == 6


def choices(sent: Sent) -> set[str]:
    return {group for run in sent.runs for group in run["config"]["choices"]}


@pytest.mark.parametrize("board", ["workspace", "report"])
def test_charts_are_those_that_logging_makes(sent: Sent, boards: dict[str, Any], board: str) -> None:
    prefix = "_wandb.visualize."
    logged = {
        one["panelDefId"] + json.dumps(one["userQuery"]["queryFields"][0]["fields"], sort_keys=True): one
        for run in [*sent.runs, sent.report]
        for key, value in run["config"].items()
        if key.startswith(prefix)
        for one in [value["panel_config"]]
    }
    charts = configs(boards[board])["Vega2"]
    assert len(charts) == len(logged) == len(RULES) + len(wandb_report.GAINS)
    by_name = {field["name"]: field for field in charts[0]["userQuery"]["queryFields"][0]["fields"]}
    assert by_name.keys() == {"id", "name", "_defaultColorIndex", "summaryTable"}
    for chart in charts:
        fields = chart["userQuery"]["queryFields"][0]["fields"]
        own = logged[chart["panelDefId"] + json.dumps(fields, sort_keys=True)]
        assert chart["fieldSettings"] == own["fieldSettings"]
        assert chart["transform"] == own["transform"]
        assert chart["stringSettings"].keys() == own["stringSettings"].keys()
        (key,) = [arg["value"] for field in fields for arg in field.get("args", [])]
        assert key in sent.tables


def test_both_boards_have_the_same_sections(boards: dict[str, Any]) -> None:
    workspace, of_report = (sections(boards[name]) for name in ("workspace", "report"))
    of_the_answer = ["Verdict", "How sure", "Gains", "Classes", "Confusion matrices"]
    assert list(workspace) == [*of_the_answer, "Choices", "Curves", "Whole report"]
    assert list(of_report) == [*workspace, "Runs"]
    for name, panels in workspace.items():
        assert [panel["viewType"] for panel in of_report[name]] == [panel["viewType"] for panel in panels]


def test_runs_are_grouped_by_sweep(sent: Sent, boards: dict[str, Any]) -> None:
    for runs in (run_sets(boards["workspace"])[0], run_sets(boards["report"])[-1]):
        assert runs["grouping"][0] == {"section": "run", "name": "group"}
        assert {"run:displayName", "summary:argmax/balanced_accuracy"} <= runs["runFeed"]["columnPinned"].keys()
    filters = [one for runs in run_sets(boards["report"]) for one in runs["filters"]["filters"]]
    assert {one["key"]["name"] for one in filters} == {"jobType"}
    assert {one["value"] for one in filters} == {run["run"]["job_type"] for run in [*sent.runs, sent.report]}


def test_no_two_panels_of_a_report_lie_upon_each_other(boards: dict[str, Any]) -> None:
    for panels in sections(boards["report"]).values():
        for one, other in combinations([panel["layout"] for panel in panels], 2):
            beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
            assert beside or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert all(panel["layout"]["x"] + panel["layout"]["w"] <= 24 for panel in panels)


def test_building_asks_no_server_and_gives_the_same_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wandb, "Api", lambda *arguments, **options: pytest.fail("asked a server"))
    for build in (dashboard.workspace, dashboard.report):
        first, second = (dashboard.specification(build("team", "synaug", "mine")) for _ in range(2))
        assert first == second
        assert first["displayName"] == "mine"


def test_the_specification_is_printed_without_an_account(tmp_path: Path, boards: dict[str, Any]) -> None:
    command = [sys.executable, "-m", "synaug.tracking.dashboard", "team/synaug", "--print"]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == boards


class Account(BaseHTTPRequestHandler):
    """Answers what saving a board asks, and keeps what was saved; openwandb knows no boards."""

    saved: ClassVar[dict[str, Any]] = {}

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        query, variables = asked["query"], asked.get("variables") or {}
        if "upsertView" in query:
            self.saved[variables["type"]] = {**variables, "spec": json.loads(variables["spec"])}
            place = {"id": "p", "name": variables["projectName"], "entityName": variables["entityName"]}
            view = {**variables, "id": "VIEW", "project": place, "updatedAt": "2026-01-01T00:00:00"}
            data: dict[str, Any] = {"upsertView": {"view": view, "inserted": True}}
        elif "upsertModel" in query:
            data = {"result": {"project": None, "model": None, "inserted": True}}
        elif "models(" in query:
            data = {"models": {"edges": [], "pageInfo": {"endCursor": None, "hasNextPage": False}}}
        else:
            teams: dict[str, Any] = {"edges": []}
            data = {"viewer": {"id": "u", "entity": "team", "username": "me", "flags": "{}", "teams": teams}}
        answer = json.dumps({"data": data}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


def test_both_boards_are_sent_and_their_addresses_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], boards: dict[str, Any]
) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Account) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("WANDB_API_KEY", KEY)
        monkeypatch.setenv("WANDB_BASE_URL", url)
        dashboard.main(["team/synaug", "--title", "mine"])
        end_session()
        server.shutdown()
    said = capsys.readouterr()
    assert said.err == ""
    first, second = said.out.splitlines()
    assert first == f"report: {url}/team/synaug/reports/mine--VIEW"
    assert second.startswith(f"workspace: {url}/team/synaug?nw=")
    assert Account.saved.keys() == {"runs", "project-view"}
    for saved, name in zip(Account.saved.values(), ("report", "workspace"), strict=True):
        assert (saved["entityName"], saved["projectName"], saved["displayName"]) == ("team", "synaug", "mine")
        assert list(sections(saved)) == list(sections(boards[name]))


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What the command says as it exits with 1."""
    with pytest.raises(SystemExit) as stop:
        dashboard.main(arguments)
    assert isinstance(stop.value.code, str)  # which Python writes to stderr, and exits with 1
    assert "\n" not in stop.value.code
    assert capsys.readouterr() == ("", "")
    return stop.value.code


def test_without_a_key_it_says_how_to_get_one(capsys: pytest.CaptureFixture[str]) -> None:
    sentence = refusal(capsys, "team/synaug")
    for word in ("`wandb login`", "https://wandb.ai/authorize", "WANDB_API_KEY", "WANDB_BASE_URL", "--print"):
        assert word in sentence


@pytest.mark.parametrize("place", ["synaug", "a/b/c", "/synaug", "team/", "a b/c", "https://wandb.ai/team/synaug"])
def test_a_place_that_is_none_is_refused(capsys: pytest.CaptureFixture[str], place: str) -> None:
    assert refusal(capsys, place).startswith(f"{place!r} must be ENTITY/PROJECT")


@pytest.mark.parametrize("title", ["", 129 * "a", "fire \N{FIRE}"])
def test_a_title_that_wandb_refuses_is_refused_first(capsys: pytest.CaptureFixture[str], title: str) -> None:
    assert "1 to 128 characters without emoji" in refusal(capsys, "team/synaug", "--print", "--title", title)


def test_offline_nothing_is_sent(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert refusal(capsys, "team/synaug") == "WANDB_MODE=offline sends nothing: unset it, or give --print"


def test_without_the_package_it_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "wandb_workspaces"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "wandb_workspaces", None)
    assert "pip install -e '.[wandb]'" in refusal(capsys, "team/synaug", "--print")


@pytest.mark.parametrize(
    "trouble",
    [
        wandb.errors.CommError("Failed to verify credentials.\nHint"),
        WandbApiFailedError("Failed to verify credentials."),
        ConnectionRefusedError("Failed to verify credentials"),
        TimeoutError("Failed to verify credentials"),
    ],
    ids=lambda trouble: type(trouble).__name__,
)
def test_a_server_out_of_reach_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], trouble: Exception
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    # Not over a real port: W&B's service tries again and again, and its end may then wait without limit.
    monkeypatch.setattr("wandb_workspaces.reports.v2.Report.save", lambda board: _raise(trouble))
    url = os.environ["WANDB_BASE_URL"]
    sentence = f"{url} did not take the report (Failed to verify credentials): {dashboard.HOW_TO_LOG_IN}"
    assert refusal(capsys, "team/synaug") == sentence


def _raise(error: Exception) -> None:
    raise error


def test_a_server_that_knows_no_dashboards_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    with Server(tmp_path) as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        sentence = refusal(capsys, "default/synaug")
        end_session()
    assert sentence.startswith(f"{server.url} did not take the report (Unknown operation")
