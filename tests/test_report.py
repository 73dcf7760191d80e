import io
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from pyarrow import parquet
from scipy import stats

from synaug import record, report
from synaug.comparison import compare as comparisons
from synaug.comparison import evidence as evidences
from synaug.comparison.labels import PICKED, Scenario
from synaug.record import explained as explained_files
from synaug.record import maps as map_files
from synaug.report import audited, data_files, drawn_before, figures, limits, words
from synaug.report.__main__ import main
from synaug.report.digest import value_sha256
from synaug.report.drawing import colours, style, svg
from synaug.report.drawing.contract import Drawing, Plan
from synaug.report.figures import forest, gains
from synaug.report.page import explained, page, reproduction, tables
from synaug.report.page import maps as page_maps
from synaug.report.results import Results
from tests.fabricated import CODE, fabricate, write, write_failure, write_runs
from tests.thorough import THOROUGH, some

SCRIPT = "<script>window.__pwned=1</script>"
PDF = svg.pdf
VOID = {"meta", "link", "br", "input", "img"}


class Page(HTMLParser):
    """The elements of a page, with their attributes and the text of each script, style and heading."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self.stack: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)
            self.texts.setdefault(tag, []).append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.stack:
            self.texts[self.stack[-1]][-1] += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    def data(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.texts["script"][0])
        return found


def written(folder: Path, output: Path, metrics: Sequence[str] | None = ("accuracy",), *, csv: bool = False) -> str:
    evidence = evidences.read([folder])
    comparison = comparisons.compare(evidence, metrics=metrics)
    path = report.write(evidence, comparison, output, csv=csv)
    assert path == output / "index.html"
    assert not (output / report.ERRORS).exists()
    return path.read_text(encoding="utf-8")


def drawing_of(plan: Plan) -> Drawing:
    """The figure that a plan draws, which must be one."""
    drawing = plan.draw()
    assert isinstance(drawing, Drawing)
    return drawing


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of two data sets at two ratios, and natural imbalance; its figures are PDFs, too."""
    root = tmp_path_factory.mktemp("small")
    write_runs(root / "runs", ratios=(10.0, 50.0, None), n_folds=4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(svg, "pdf", PDF)
        written(root / "runs", root / "report", ("accuracy", "minority_recall"), csv=True)
    return root


@pytest.fixture(scope="module")
def page_text(small: Path) -> str:
    return (small / "report" / "index.html").read_text(encoding="utf-8")


def test_the_verdict_comes_first_and_large(page_text: str) -> None:
    headline = page_text.index('class="headline"')
    assert headline < page_text.index("<table") if "<table" in page_text else True
    assert headline < page_text.index("<figure") < page_text.index('id="glossary"')


def test_headings_are_in_order_and_the_language_is_named(page_text: str) -> None:
    found = Page(page_text)
    levels = [int(name[1]) for name, _ in found.elements if re.fullmatch("h[1-6]", name)]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert found.all("html") == [{"lang": "en"}]


def test_the_page_forbids_every_request_and_names_no_address(page_text: str) -> None:
    found = Page(page_text)
    policy = next(each["content"] for each in found.all("meta") if each.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    addresses = [value for _, each in found.elements for key, value in each.items() if key in ("src", "href") and value]
    assert all(value.startswith(("#", "data:")) for value in addresses)
    assert not any("style" in each for _, each in found.elements)  # the policy would drop them


def test_no_id_occurs_twice(page_text: str) -> None:
    ids = [each["id"] for _, each in Page(page_text).elements if "id" in each]
    assert len(ids) == len(set(ids))


def test_every_reference_within_figures_has_its_target(page_text: str) -> None:
    ids = {each.get("id") for _, each in Page(page_text).elements}
    assert set(re.findall(r"url\(#([^)]+)\)", page_text)) <= ids
    assert set(re.findall(r'xlink:href="#([^"]+)"', page_text)) <= ids


def test_every_figure_says_in_words_and_numbers_what_it_shows(page_text: str) -> None:
    images = [each for each in Page(page_text).all("svg") if each.get("role") == "img"]
    assert len(images) == page_text.count("<figure ")
    for each in images:
        text = each["aria-label"] or ""
        assert len(text) > 60
        assert re.search(r"\d", text)


def test_audits_are_told_by_scenario_and_in_files_of_their_own(small: Path, page_text: str) -> None:
    assert page_text.count('<table class="audit">') == 6
    assert 'id="geometry"' in page_text
    for name, notes in ((report.QUALITY, audited.OF_QUALITY), (report.GEOMETRY, audited.OF_GEOMETRY)):
        table = pd.read_csv(small / "report" / name)
        assert set(", ".join(notes).split(", ")) == {*table.columns}
        assert len(set(table["scenario"])) == 6
    quality = pd.read_csv(small / "report" / report.QUALITY)
    shown = quality[(quality["augmenter"] == "smote") & (quality["measure"] == "copies")]
    mean = shown[shown["scenario"] == shown["scenario"].iloc[0]]["value"].mean()
    assert f'<td class="number">{100 * mean:.1f}<span class="power">70.0</span></td>' in page_text


def test_every_kind_of_figure_is_there_as_svg_and_pdf(small: Path) -> None:
    names = {path.stem for path in (small / "report" / "figures").iterdir()}
    kinds = {name.partition("-")[0] for name in names}
    assert kinds == {"gains", "ratio", "forest", "ranks", "classes", "confusion", "reliability", "curves", "quality"}
    for name in names:
        text = (small / "report" / "figures" / f"{name}.svg").read_text(encoding="utf-8")
        root = ElementTree.fromstring(text)
        assert [child.tag.rpartition("}")[2] for child in root][:2] == ["title", "desc"]
        assert (small / "report" / "figures" / f"{name}.pdf").read_bytes().startswith(b"%PDF")


def test_the_long_table_and_the_comparisons_stand_beside_the_page(small: Path) -> None:
    scores = pd.read_parquet(small / "report" / "scores.parquet")
    csv = pd.read_csv(small / "report" / "scores.csv.gz", keep_default_na=False)
    evidence = evidences.read([small / "runs"])
    assert len(scores) == len(csv)
    assert set(csv["augmenter"]) == {"none", "random", "smote", "adasyn", *PICKED}
    recorded = scores[scores["chosen_from"].isna()]
    for rows, read in (("test", evidence.scores), ("out_of_fold", evidence.validation)):
        np.testing.assert_allclose(recorded["value"][recorded["rows"] == rows], read["value"])
    compared = pd.read_csv(small / "report" / "comparisons.csv", keep_default_na=False)
    assert set(compared["metric"]) == {"accuracy", "minority_recall"}
    assert {"p_holm", "gain", "low", "high"} <= set(compared.columns)
    assert list((small / "report" / "tables").glob("*.tex"))
    readme = (small / "report" / "README.md").read_text(encoding="utf-8")
    for name in (*compared.columns, *scores.columns):
        assert re.search(rf"^- (?:\w+, )*{name}(?:, \w+)*: ", readme, re.MULTILINE), name


def headline_of(rows: list[dict[str, Any]], metric: str) -> dict[str, tuple[float, float, float, float]]:
    """Gain, p of Holm, and interval of each scenario's primary question, by hand from the long table alone.

    For each split the method with the least deciding out-of-fold loss is taken, among those that make new points and
    among the others; their test scores are compared by Nadeau and Bengio's corrected t-test.
    """
    recorded = [row for row in rows if row["class"] is None and row["chosen_from"] is None]
    test = {_cell(row): row["value"] for row in recorded if row["rows"] == "test" and row["metric"] == metric}
    candidates: dict[str, dict[tuple[int, int], dict[bool, list[dict[str, Any]]]]] = {}
    for row in recorded:
        if row["decides"]:
            of_split = candidates.setdefault(row["scenario"], {}).setdefault((row["seed"], row["fold"]), {})
            of_split.setdefault(row["with_synthesis"], []).append(row)
            assert row["new_points"] == row["with_synthesis"]
    asked = []
    for scenario, splits in candidates.items():
        taken = [
            [test[_cell(min(split[kind], key=_least_loss))] for kind in (True, False)] for split in splits.values()
        ]
        differences = np.subtract(*np.transpose(taken))
        n, n_folds = len(differences), len({fold for _, fold in splits})
        gain, error = differences.mean(), differences.std(ddof=1) * np.sqrt(1 / n + 1 / (n_folds - 1))
        asked.append((2 * stats.t.sf(abs(gain / error), n - 1), scenario, gain, error, n))
    found, reached = {}, 0.0
    for step, (p, scenario, gain, error, n) in enumerate(sorted(asked)):
        reached = max(reached, (len(asked) - step) * p)
        half = stats.t.isf(0.05 / (reached / p) / 2, n - 1) * error  # at the level that p was adjusted for
        found[scenario] = gain, min(reached, 1.0), gain - half, gain + half
    return found


def _cell(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("scenario", "seed", "fold", "augmenter", "loss", "decision"))


def _least_loss(row: dict[str, Any]) -> tuple[Any, ...]:
    """The order in which methods are taken; of equals as documented."""
    rule = ("prior_corrected", "tuned").index(row["decision"])
    loss, augmenter = row["loss"], row["augmenter"]
    return round(row["value"], 12), rule, loss != "", loss, augmenter != "none", augmenter


@pytest.mark.parametrize("effect", [0.0, 1.0])
def test_the_headline_can_be_recomputed_from_the_reports_folder_alone(tmp_path: Path, effect: float) -> None:
    write_runs(tmp_path / "runs", n_folds=5, seeds=(0, 1), losses=("plain", "class_weighted"), effect=effect)
    evidence = evidences.read([tmp_path / "runs"])
    comparison = comparisons.compare(evidence, metrics=["balanced_accuracy"])
    with (tmp_path / "scores.parquet").open("wb") as file:
        data_files.write_parquet(data_files.scores(evidence, comparison), file)
    table = pd.read_csv(io.BytesIO(data_files.comparisons_csv(comparison)), keep_default_na=False)
    primary = table[table["family"] == "primary"].set_index("scenario").to_dict("index")
    recomputed = headline_of(parquet.read_table(tmp_path / "scores.parquet").to_pylist(), "balanced_accuracy")
    assert recomputed.keys() == primary.keys()
    for scenario, numbers in recomputed.items():
        written_down = [float(primary[scenario][name]) for name in ("gain", "p_holm", "low", "high")]
        assert numbers == pytest.approx(written_down, rel=1e-4, abs=1e-6)


def test_the_page_holds_the_comparisons_of_every_metric(page_text: str, small: Path) -> None:
    rows = Page(page_text).data()["tables"]["comparisons"]["rows"]
    tables = comparisons.compare(evidences.read([small / "runs"]), metrics=("accuracy", "minority_recall")).tables
    assert {name: len(each) for name, each in rows.items()} == {name: len(each) for name, each in tables.items()}


def test_gains_stand_in_points(page_text: str, small: Path) -> None:
    table = Page(page_text).data()["tables"]["comparisons"]
    gain = next(column["at"] for column in table["columns"] if column["label"] == "gain")
    shown = sorted(row[gain] for row in table["rows"]["accuracy"])
    compared = comparisons.compare(evidences.read([small / "runs"]), metrics=["accuracy"]).tables["accuracy"]
    np.testing.assert_allclose(shown, sorted(100 * compared["gain"]), atol=0.005)


def test_scripts_in_data_and_config_stay_text_everywhere(tmp_path: Path) -> None:
    names = (SCRIPT, "$x$ & <b>", 'quote"\u2028</svg>', "nul\x00\x1b")
    write_runs(
        tmp_path / "runs",
        datasets=[f"set{SCRIPT.replace('/', '')}"],
        augmenters=("none", "smote"),
        n_folds=3,
        class_names=names,
        warning=f"class {SCRIPT!r} fell short",
    )
    write_failure(tmp_path / "runs", "broken", f"no {SCRIPT}", [f"dataset={SCRIPT}"])
    text = written(tmp_path / "runs", tmp_path / "report")
    assert "<script>window" not in text
    assert "<b>" not in text
    assert "\x00" not in text
    found = Page(text)
    assert [each.get("type") for each in found.all("script")] == ["application/json", None]
    assert SCRIPT in found.data()["tables"]["failures"]["columns"][1]["values"][0]
    assert "\u2028" not in found.texts["script"][0]
    for path in (tmp_path / "report" / "figures").glob("*.svg"):
        root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
        assert not [element for element in root.iter() if element.tag.rpartition("}")[2] in ("script", "b")]
    drawn = (tmp_path / "report" / "figures" / "classes-1.svg").read_text(encoding="utf-8")
    assert "$x$ &amp; &lt;b&gt;" in drawn  # as it is, not as mathematics


def test_one_run_alone_has_a_page_that_says_what_is_missing(tmp_path: Path) -> None:
    write_runs(tmp_path / "runs", datasets=["imdb"], ratios=[10.0], augmenters=["smote"], n_folds=3)
    text = written(tmp_path / "runs", tmp_path / "report")
    assert "There is nothing to compare" in text
    assert 'id="figure-classes-1"' in text


def test_runs_without_the_reference_have_a_page(tmp_path: Path) -> None:
    write_runs(tmp_path / "runs", augmenters=["smote", "adasyn"], n_folds=3)
    text = written(tmp_path / "runs", tmp_path / "report")
    assert "There is nothing to compare" in text
    assert 'id="figure-ratio-accuracy"' in text


def test_failures_alone_have_a_page_that_names_them(tmp_path: Path) -> None:
    write_failure(tmp_path / "runs", "trec-minilm-ir10-smote-mlp-1", "class 3 has 4 rows", ["dataset=trec"])
    text = written(tmp_path / "runs", tmp_path / "report")
    assert "class 3 has 4 rows" in text
    assert "There is no recorded run" in text
    assert (tmp_path / "report" / "scores.parquet").is_file()


def test_one_fold_and_one_data_set_with_two_classes_have_a_page(tmp_path: Path) -> None:
    write_runs(tmp_path / "runs", ["imdb"], [None], ["none", "smote"], n_folds=1, class_names=("neg", "pos"))
    assert "<figure" in written(tmp_path / "runs", tmp_path / "report")


@pytest.mark.usefixtures("no_figures")
def test_a_sampler_that_decides_by_itself_and_one_that_removes_rows_have_their_balance(tmp_path: Path) -> None:
    write_runs(tmp_path, ["imdb"], [10.0], ["none", "smote", "adasyn"], n_folds=2)
    for name, asked, made in (("smote", None, 7), ("adasyn", -5, -5)):
        path = next(tmp_path.glob(f"*-{name}-*/record.json"))
        found = json.loads(path.read_text())
        columns = found["balance"]["columns"]
        for row in found["balance"]["data"]:
            row[columns.index("asked")], row[columns.index("made")] = asked, made
        path.write_text(json.dumps(found))
    rows = Page(written(tmp_path, tmp_path / "report")).data()["tables"]["balance"]["rows"]
    assert {(row[6], row[7]) for row in rows} == {(None, 7.0), (-5.0, -5.0)}


def test_many_classes_are_drawn_without_numbers(tmp_path: Path) -> None:
    names = [f"intent_{index}_of_a_customer" for index in range(77)]
    write_runs(tmp_path / "runs", ["banking77"], [10.0], ["none", "smote"], n_folds=2, class_names=names)
    text = written(tmp_path / "runs", tmp_path / "report")
    assert "Of 77 classes the 24 that change most are shown" in text
    assert "77 classes: darker is more" in text


@pytest.mark.usefixtures("no_figures")
def test_an_incomplete_scenario_is_named_with_its_reason(tmp_path: Path) -> None:
    folders = write_runs(tmp_path / "runs", n_folds=3)
    gone = next(folder for folder in folders if "imdb-minilm-ir50-smote" in folder.name)
    record_of_it = json.loads((gone / "record.json").read_text())
    kept = {"choices": record_of_it["choices"], "dataset": record_of_it["config"]["dataset"]}
    (gone / "record.json").unlink()
    failed = write_failure(tmp_path / "runs", gone.name, "the disk was full") / "failure.json"
    failed.write_text(json.dumps({**json.loads(failed.read_text()), **kept}))
    holes = Page(written(tmp_path / "runs", tmp_path / "report")).data()["tables"]["holes"]
    assert holes["columns"][1]["values"] == ["smote"]
    assert "the disk was full" in holes["columns"][3]["values"][0]


def test_amounts_and_neighbours_of_a_sweep_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "names", lambda: ["amount", "neighbours"])
    amounts = [{"amount": amount} for amount in (0.5, 1.0, 2.0)]
    write_runs(tmp_path / "a", ["imdb"], [10.0], ["none", "smote"], n_folds=3, augmenter_settings=amounts)
    assert 'id="figure-amount-accuracy"' in written(tmp_path / "a", tmp_path / "report_a")
    neighbours = [
        {"k_neighbors": {"_target_": "x", "k": k, "metric": metric}}
        for k in (1, 5)
        for metric in ("cosine", "euclidean")
    ]
    write_runs(tmp_path / "k", ["imdb"], [10.0], ["none", "smote"], n_folds=3, augmenter_settings=neighbours)
    assert 'id="figure-neighbours-accuracy"' in written(tmp_path / "k", tmp_path / "report_k")


@pytest.mark.usefixtures("no_figures")
def test_losses_are_methods_of_their_own(tmp_path: Path) -> None:
    losses = ["plain", "class_weighted"]
    write_runs(tmp_path / "runs", ["imdb"], [10.0], ["none", "smote"], n_folds=3, losses=losses)
    table = Page(written(tmp_path / "runs", tmp_path / "report")).data()["tables"]["comparisons"]
    assert "smote class_weighted" in table["columns"][2]["values"]


@pytest.mark.usefixtures("no_figures")
def test_a_decision_rule_that_is_new_to_the_page_is_shown(tmp_path: Path) -> None:
    for augmenter in ("none", "smote"):
        made = fabricate("imdb", 10.0, augmenter, {}, "plain", 3, [0], ("neg", "pos"), 1.0)
        for table in ("scores", "validation_scores"):
            place = made[table]["columns"].index("decision")
            more = [row for row in made[table]["data"] if row[place] == "tuned"]
            made[table]["data"] += [[*row[:place], "cost_matrix", *row[place + 1 :]] for row in more]
        made["reliability"].append({**made["reliability"][0], "decision": "cost_matrix"})
        write(tmp_path / "runs", made)
    table = Page(written(tmp_path / "runs", tmp_path / "report")).data()["tables"]["comparisons"]
    assert "cost_matrix" in table["columns"][3]["values"]
    assert all(isinstance(row[3], int) for rows in table["rows"].values() for row in rows)


@pytest.mark.usefixtures("no_figures")
def test_several_encoders_are_told_apart(tmp_path: Path) -> None:
    for encoder in ("minilm", "bert_base"):
        for augmenter in ("none", "smote"):
            made = fabricate("imdb", 10.0, augmenter, {}, "plain", 3, [0], ("neg", "pos"), 1.0)
            made["choices"]["encoder"] = encoder
            made |= {"identity": f"{encoder}{augmenter}", "run": f"imdb-{encoder}-ir10-{augmenter}-mlp-0"}
            write(tmp_path / "runs", made)
    text = written(tmp_path / "runs", tmp_path / "report")
    assert "imdb · bert_base" in text
    assert "imdb · minilm" in text


def test_a_data_set_may_have_the_separator_in_its_name(tmp_path: Path) -> None:
    write_runs(tmp_path, ["mine · or · yours"], [10.0, 50.0], ["none", "smote"], n_folds=2)
    evidence = evidences.read([tmp_path])
    results = Results(evidence, comparisons.compare(evidence, metrics=["accuracy"]))
    assert [panel.dataset for panel in results.panels] == ["mine · or · yours"]


def test_a_second_report_replaces_the_figures_of_the_first(tmp_path: Path) -> None:
    write_runs(tmp_path / "runs", ["imdb"], [10.0, 50.0], ["none", "smote"], n_folds=2)
    written(tmp_path / "runs", tmp_path / "report", ("accuracy",))
    assert [path for path in (tmp_path / "report" / "figures").iterdir() if "accuracy" in path.name]
    (tmp_path / "report" / "figures" / "mine.svg").write_text("<svg/>")
    written(tmp_path / "runs", tmp_path / "report", ("f1_macro",))
    names = {path.name for path in (tmp_path / "report" / "figures").iterdir()}
    assert "mine.svg" in names
    assert not [name for name in names if "accuracy" in name]


def test_the_same_evidence_gives_the_same_page(small: Path, tmp_path: Path, page_text: str) -> None:
    assert written(small / "runs", tmp_path / "report", ("accuracy", "minority_recall")) == page_text


@pytest.mark.usefixtures("no_figures")
def test_the_command_is_told_without_the_paths_of_this_machine(tmp_path: Path) -> None:
    write_runs(tmp_path / "runs", ["imdb"], [10.0], ["none", "smote"], n_folds=2)
    command = ["__main__.py", "-m", "experiment=demo", "output_dir=/secret", "threads=1", "augmenter=none,smote"]
    (tmp_path / "runs" / record.SWEEP).write_text(json.dumps({"command": command, "runs": []}), encoding="utf-8")
    text = written(tmp_path / "runs", tmp_path / "report")
    assert "python -m synaug -m experiment=demo augmenter=none,smote" in text
    assert "/secret" not in text


def test_commands_of_single_runs_come_from_their_overrides(tmp_path: Path) -> None:
    for folder in write_runs(tmp_path / "runs", ["imdb"], [10.0], ["none", "smote"], n_folds=2):
        (folder / ".hydra").mkdir()
        (folder / ".hydra" / "overrides.yaml").write_text(f"- augmenter={folder.name.split('-')[3]}\n- cache_dir=/x\n")
    evidence = evidences.read([tmp_path / "runs"])
    results = Results(evidence, comparisons.compare(evidence, metrics=["accuracy"]))
    assert reproduction.commands(results) == ["python -m synaug augmenter=none", "python -m synaug augmenter=smote"]


@pytest.mark.parametrize(
    ("override", "left_out"),
    [("output_dir=/x", True), ("logger.project=p", True), ("+threads=2", True), ("dataset=imdb", False)],
)
def test_what_only_says_where_to_run_is_left_out_of_commands(override: str, left_out: bool) -> None:
    assert reproduction.is_left_out(override) is left_out


def test_validation_and_near_copies_are_named(tmp_path: Path) -> None:
    for folder in write_runs(tmp_path / "runs", ["sms"], [10.0], ["none", "smote"], n_folds=2):
        record_of_it = json.loads((folder / "record.json").read_text())
        record_of_it["choices"]["validation"] = "oracle"
        record_of_it["config"]["validation"] = {"_target_": "synaug.validation.Oracle", "share": 0.1}
        record_of_it["data"]["near_copies"]["world"] = 0.29
        (folder / "record.json").write_text(json.dumps(record_of_it))
    text = written(tmp_path / "runs", tmp_path / "report")
    assert "validation: oracle (share=0.1)" in text
    assert "sms · validation=oracle at 1:10" in text  # of figures and tables
    assert "test rows of sms with a near copy among the training rows" in text
    assert "world 29 %, " in text
    assert "29% of class &#39;world&#39; in the test folds are near copies of training rows" in text


def test_json_ends_no_script_element() -> None:
    text = page.json_for_script({"a": "</script><!--&\u2028\u2029"})
    assert not re.search("[<>&\u2028\u2029]", text)
    assert json.loads(text) == {"a": "</script><!--&\u2028\u2029"}


def test_many_scenarios_are_left_out_of_figures_in_words(tmp_path: Path) -> None:
    datasets = [f"set_{index}" for index in range(25)]
    write_runs(tmp_path / "runs", datasets, (2.0, 10.0, 20.0, 50.0), ["none", "smote"], n_folds=2)
    evidence = evidences.read([tmp_path / "runs"])
    results = Results(evidence, comparisons.compare(evidence, metrics=["accuracy"]))
    drawn = [drawing_of(plan) for plan in forest.plans(results)]
    assert len(drawn) == limits.FOREST_FIGURES
    assert "Not drawn, but in the table" in drawn[0].note
    maps = [drawing_of(plan) for plan in gains.plans(results) if "-over-baseline" in plan.key]
    assert len(maps) == limits.GAINS_FIGURES
    assert "Not drawn, but in the table: set_" in maps[-1].note
    assert max(each.figure.get_figheight() for each in [*drawn, *maps]) < 30


def test_examples_are_fewer_where_scenarios_are_many_and_of_the_records_own_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_runs(tmp_path / "runs", ["one", "two"], (2.0, 10.0), ["none", "random", "smote"], n_folds=2)
    evidence = evidences.read([tmp_path / "runs"])
    row: dict[str, Any] = {"parents": [], "off": None, "moved": None, "nearest": None}
    for identity, augmenter, folder in evidence.runs[["identity", "augmenter", "folder"]].itertuples(index=False):
        rows = [{**row, "row": place, "class_name": "abc"[place // 20]} for place in range(60)]
        code = evidence.records[identity]["code"] if augmenter == "smote" else "of another state"
        whole = {"identity": identity, "seed": 0, "fold": 0, "remark": None, "total": 90}
        explained_files.write(Path(folder), {**whole, "code": code, "rows": rows})
    results = Results(evidence, comparisons.compare(evidence, metrics=["accuracy"]))

    def shown() -> set[str]:
        tables, not_shown = explained.scenarios(results)
        assert not_shown == []  # each scenario has a method that is
        assert len(tables) == 4
        methods = [method for table in tables for method in table["methods"]]
        assert [method["label"] for method in methods] == ["smote"] * 4
        assert len(methods[0]["lines"]) == len(methods[-1]["lines"])
        return {f"{line['class_name']}{line['row']}" for line in methods[0]["lines"]}

    assert limits.EXPLAINED_ROWS == 12
    assert shown() == {f"{name}{20 * number + place}" for number, name in enumerate("abc") for place in range(4)}
    monkeypatch.setattr(limits, "EXPLAINED_LINES", 18)
    assert shown() == {"a0", "a1", "b20", "c40"}
    monkeypatch.setattr(limits, "SCENARIO_TABLES", 3)
    tables, (sentence,) = explained.scenarios(results)
    assert len(tables) == 3
    assert sentence.startswith("1 further scenario: two · ")


def write_map(results: Results, scenario: Scenario, code: str | None, n: int = 4) -> Path:
    """One of the scenario's SMOTE, with `n` rows of each kind."""
    runs = results.evidence.runs
    run = runs[(runs["scenario"] == scenario) & (runs["augmenter"] == "smote")].iloc[0]
    rows: dict[str, Any] = {"labels": [0] * n, "places": {"pca": [0] * 2 * n}}
    method = {**rows, "identity": run["identity"], "label": "smote", "total": n, "parents": [-1] * 2 * n}
    drawn = {"seed": 0, "fold": 0, "kinds": ["pca"], "class_names": ["a"], "real": {**rows, "trains": [1] * n}}
    own = {} if code is None else {"code": code}
    return map_files.write(Path(run["folder"]).parent, {**drawn, "methods": [method], **own})


def test_the_page_carries_the_maps_drawn_last_and_names_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_runs(tmp_path / "runs", ["one", "two"], (2.0, 10.0, 50.0), ["none", "smote"], n_folds=2)
    evidence = evidences.read([tmp_path / "runs"])
    results = Results(evidence, comparisons.compare(evidence, metrics=["accuracy"]))
    assert page_maps.maps(results) == ([], [])
    scenarios = results.scenarios
    # Of other code than the records have now; of an older version, which did not say; and of the same.
    for age, (scenario, code) in enumerate(zip(scenarios, ["0ther", None, CODE, CODE, CODE, CODE], strict=True)):
        path = write_map(results, scenario, code, n=400 if scenario == scenarios[-1] else 4)
        os.utime(path, (age, age))
    maps, (sentence,) = page_maps.maps(results)
    assert [each["scenario"] for each in maps] == [results.label(scenario) for scenario in scenarios[2:]]
    assert f"{scenarios[0]} and {scenarios[1]}. To see them, draw them again (synaug maps FOLDER)" in sentence
    monkeypatch.setattr(limits, "MAPS", 2)
    maps, (first, second) = page_maps.maps(results)
    assert [each["scenario"] for each in maps] == [results.label(scenario) for scenario in scenarios[4:]]
    assert f"Not shown: {scenarios[2]} and {scenarios[3]}." in first
    assert second == sentence
    monkeypatch.setattr(limits, "MAPS_BYTES", 2000)  # too few for the largest
    maps, (first, _) = page_maps.maps(results)
    assert [each["scenario"] for each in maps] == [results.label(scenario) for scenario in scenarios[3:5]]
    assert f"Not shown: {scenarios[2]} and {scenarios[5]}." in first


def test_limits_of_colours_are_symmetric(small: Path) -> None:
    evidence = evidences.read([small / "runs"])
    results = Results(evidence, comparisons.compare(evidence, metrics=["accuracy"]))
    drawing = drawing_of(next(gains.plans(results)))
    norm = drawing.figure.axes[0].collections[0].norm
    assert norm.vmin == -norm.vmax < 0  # type: ignore[operator]


def test_figures_follow_the_theme_by_classes() -> None:
    with style.applied():
        figure = style.figure(2)
        figure.add_subplot().plot([0, 1], [0, 1], color=colours.INK)
    text = svg.inline(svg.raw_svg(figure, "one"), "alt <&>")
    assert 'class="stroke-ink"' in text
    assert colours.INK not in text
    assert "style=" not in text
    assert 'aria-label="alt &lt;&amp;&gt;"' in text


@pytest.mark.parametrize(("quick", "fonts"), [(False, b"/CIDFontType2"), (True, b"/Type3")])
def test_a_pdf_has_its_fonts_in_it_truetype_unless_it_must_be_quick(quick: bool, fonts: bytes) -> None:
    with style.applied():
        figure = style.figure(2)
        figure.add_subplot().plot([0, 1], [0, 1])
    made = PDF(figure, quick=quick)
    assert made.startswith(b"%PDF")
    assert fonts in made


@pytest.mark.parametrize(("value", "text"), [(0.012, "+1.2"), (-0.0345, "−3.5"), (float("nan"), "–")])
def test_differences_are_written_in_points(value: float, text: str) -> None:
    assert words.signed(value, "accuracy") == text


@pytest.mark.parametrize(("p", "text"), [(0.0004, "< 0.001"), (0.0312, "0.031"), (0.5, "0.50"), (float("nan"), "–")])
def test_p_values_are_no_more_exact_than_they_mean(p: float, text: str) -> None:
    assert words.p_value(p) == text


@pytest.mark.usefixtures("no_figures")
def test_the_command_line_prints_the_verdict_and_where_the_page_is(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(small / "runs"), "--metric", "accuracy", "--output", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr().out
    assert "accuracy" in printed
    assert printed.strip().endswith(f"report: {tmp_path / 'out' / 'index.html'}")


def _fail(*arguments: object, **options: object) -> None:
    raise ValueError("operands could not be broadcast together with shapes (3,) (4,) \x1b[31m")


@pytest.mark.parametrize(
    ("planted", "name", "section"),
    some(
        [
            ("synaug.report.figures.classes.recalls", "classes-1", "classes"),
            ("synaug.report.figures.forest._rows", "forest", "forest"),
            ("synaug.report.figures.gains._draw", "gains-accuracy-over-baseline", "gains"),
            ("synaug.report.figures.ratio._draw", "ratio-accuracy", "ratio"),
            ("synaug.report.drawing.svg.raw_svg", "curves-1", "curves"),
        ],
        3,
    ),
)
def test_a_figure_that_fails_costs_that_figure_and_is_named(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    planted: str,
    name: str,
    section: str,
) -> None:
    write_runs(tmp_path / "runs", ["imdb"], [10.0, 50.0], ["none", "smote"], n_folds=2)
    monkeypatch.setattr(planted, _fail)
    assert main([str(tmp_path / "runs"), "--metric", "accuracy", "--output", str(tmp_path / "report")]) == 0
    text = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    part = text.partition(f'<section id="{section}">')[2].partition("</section>")[0]
    assert f"<code>{name}</code> could not be drawn" in part
    assert "shapes (3,) (4,) \\x1b[31m" in part
    assert f'id="figure-{name}"' not in text
    assert planted.endswith("raw_svg") or "<figure" in text
    assert f"figure {name} is left out of the report" in caplog.text
    assert "Traceback" in (tmp_path / "report" / report.ERRORS).read_text(encoding="utf-8")
    assert "report: " in capsys.readouterr().out
    monkeypatch.undo()
    written(tmp_path / "runs", tmp_path / "report")  # which has no errors.log any more


FIGURE_OF_SOMEBODY = """
from synaug.report.drawing import style
from synaug.report.drawing.contract import Drawing, FigureKind, Plan


def draw():
    with style.applied():
        figure = style.figure(2)
        figure.add_subplot().plot([0, 1])
    return Drawing(figure, title="A line", alt="A line from 0 to 1.")


FIGURE = FigureKind(15, "Of somebody", "An added figure.", lambda results: [Plan("one", draw)])
"""


@pytest.fixture
def figure_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the folder of figures, in which files can be added and removed."""
    folder = tmp_path / "figures"
    shutil.copytree(figures.__path__[0], folder)
    monkeypatch.setattr(figures, "__path__", [str(folder)])
    before = set(sys.modules)
    yield folder
    for name in [name for name in sys.modules if name.startswith(f"{figures.__name__}.") and name not in before]:
        del sys.modules[name]


def titles(text: str) -> list[str]:
    """Headings of the page's sections."""
    return re.findall("<h3[^>]*>(.*?)</h3>", text)


def test_a_file_added_is_a_figure_added_and_a_file_removed_a_figure_removed(tmp_path: Path, figure_files: Path) -> None:
    write_runs(tmp_path / "runs", ["imdb"], [10.0, 50.0], ["none", "smote"], n_folds=2)
    before = titles(written(tmp_path / "runs", tmp_path / "report"))
    (figure_files / "line.py").write_text(FIGURE_OF_SOMEBODY)
    text = written(tmp_path / "runs", tmp_path / "report")
    after = titles(text)
    assert after[after.index("Gains") + 1] == "Of somebody"
    assert [title for title in after if title != "Of somebody"] == before
    assert 'id="figure-line-one"' in text
    assert "A line from 0 to 1." in text
    assert (tmp_path / "report" / "figures" / "line-one.svg").is_file()
    for name in ("line", "ratio"):
        (figure_files / f"{name}.py").unlink()
    after = titles(written(tmp_path / "runs", tmp_path / "report"))
    assert after == [title for title in before if title != "Against the imbalance ratio"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("import nothing_of_that_name", "No module named &#39;nothing_of_that_name&#39;"),
        ("1 +", "invalid syntax"),
        ("FIGURES = []", "line has no FIGURE"),
        (FIGURE_OF_SOMEBODY.replace("[Plan(", "[Plans("), "name &#39;Plans&#39; is not defined"),
        (FIGURE_OF_SOMEBODY.replace("style.figure(2)", "style.figures(2)"), "has no attribute &#39;figures&#39;"),
        (FIGURE_OF_SOMEBODY.replace("style.figure(2)", "open('/nowhere')"), "No such file or directory"),
        (FIGURE_OF_SOMEBODY.replace("style.figure(2)", "exit(0)"), "SystemExit: 0"),
        (FIGURE_OF_SOMEBODY.replace('[Plan("one", draw)]', "[draw]"), "is no Plan"),
        (FIGURE_OF_SOMEBODY.replace('"one"', '"../one"'), "&#39;../one&#39; cannot name a file"),
        (FIGURE_OF_SOMEBODY.replace('[Plan("one", draw)]', '2 * [Plan("one", draw)]'), "names another figure&#39;s"),
        (FIGURE_OF_SOMEBODY.replace("15,", "'first',"), "with a whole number for its place"),
    ],
)
def test_a_file_that_is_no_figure_costs_no_other(tmp_path: Path, figure_files: Path, content: str, reason: str) -> None:
    write_runs(tmp_path / "runs", ["imdb"], [10.0], ["none", "smote"], n_folds=2)
    for path in figure_files.glob("*.py"):
        if path.stem not in ("__init__", "curves"):  # one other is enough
            path.unlink()
    (figure_files / "line.py").write_text(content)
    text = report.write(*_compared(tmp_path / "runs"), tmp_path / "report").read_text(encoding="utf-8")
    part = text.partition('<section id="line">')[2].partition("</section>")[0]
    assert "could not be drawn" in part
    assert reason in part
    assert 'id="figure-curves-1"' in text
    assert "Traceback" in (tmp_path / "report" / report.ERRORS).read_text(encoding="utf-8")


def _compared(folder: Path) -> tuple[evidences.Evidence, comparisons.Comparison]:
    evidence = evidences.read([folder])
    return evidence, comparisons.compare(evidence, metrics=["accuracy"])


def test_a_disk_that_fails_is_no_fault_of_a_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_runs(tmp_path / "runs", ["imdb"], [10.0], ["none", "smote"], n_folds=3)

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device", "place")

    monkeypatch.setattr("synaug.report.figures.classes.recalls", full)
    with pytest.raises(OSError, match="No space left"):
        written(tmp_path / "runs", tmp_path / "report")


@pytest.mark.usefixtures("no_figures")
def test_an_error_in_the_statistics_is_no_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_runs(tmp_path / "runs", ["imdb"], [10.0], ["none", "smote"], n_folds=3)
    monkeypatch.setattr("synaug.report.latex.tables", _fail)
    with pytest.raises(ValueError, match="broadcast"):
        written(tmp_path / "runs", tmp_path / "report")


@pytest.mark.parametrize("beside", [False, True])
def test_where_no_class_is_smaller_the_minority_is_left_out_in_words(tmp_path: Path, beside: bool) -> None:
    write_runs(tmp_path / "runs", ["even"], [None], ["none", "smote"], n_folds=3, minority=[])
    if beside:
        write_runs(tmp_path / "runs", ["imdb"], [10.0], ["none", "smote"], n_folds=3)
    metrics = ("accuracy", "minority_recall") if beside else ("accuracy",)
    text = written(tmp_path / "runs", tmp_path / "report", metrics)
    said = "o class is smaller: nothing was there to augment"
    assert (f"even: n{said}" if beside else f"N{said}") in text
    assert ("An asterisk marks minority classes" in text) == beside
    assert 'id="figure-curves-1"' in text


def test_where_one_ratio_has_no_smaller_class_only_that_one_is_named(tmp_path: Path) -> None:
    write_runs(tmp_path / "runs", ["even"], [None], ["none", "smote"], n_folds=3, minority=[])
    write_runs(tmp_path / "runs", ["even"], [10.0], ["none", "smote"], n_folds=3)
    text = written(tmp_path / "runs", tmp_path / "report")
    assert "even (natural): no class is smaller" in text
    assert "No class is smaller" not in text


@pytest.mark.usefixtures("no_figures")
def test_failures_that_the_last_sweep_did_not_want_are_not_counted_as_its_own(tmp_path: Path) -> None:
    write_runs(tmp_path / "runs", ["imdb"], [10.0], ["none", "smote"], n_folds=2)
    write_failure(tmp_path / "runs", "of-an-earlier-try", "8 rows have no text")
    wanted = [path.parent.name for path in (tmp_path / "runs").glob("*/record.json")]
    note = tmp_path / "runs" / "sweep.json"
    for runs, counted in ((wanted, False), ([*wanted, "of-an-earlier-try"], True)):
        note.write_text(json.dumps({"command": ["synaug"], "runs": runs}))
        text = written(tmp_path / "runs", tmp_path / "report")
        assert ("1 failure<" in text) == counted
        assert "8 rows have no text" in text  # the table has it


def test_captions_speak_of_what_is_drawn(tmp_path: Path) -> None:
    write_runs(tmp_path / "one", ["imdb"], [10.0], ["none", "smote"], n_folds=1, effect=0.0)
    text = written(tmp_path / "one", tmp_path / "report_one")
    for absent in (
        "95 % interval, adjusted",
        "A dot and bold print",
        "Dashed lines",
        "means over splits",
    ):
        assert absent not in re.sub("<section id=.glossary.*", "", text, flags=re.DOTALL), absent
    write_runs(tmp_path / "smote", ["imdb"], [10.0, 50.0], ["smote"], n_folds=3)
    text = written(tmp_path / "smote", tmp_path / "report_smote")
    assert "Dashed lines: best with synthesis, picked on out-of-fold rows." in text
    assert "Without augmentation the worst" not in text


def test_long_names_are_cut_by_the_width_that_they_are_drawn_in() -> None:
    assert words.short("a" * 30, 10) == "a" * 9 + "…"
    assert words.short("文" * 30, 10) == "文" * 4 + "…"
    assert words.width(words.short("文章分類" * 9, 17)) <= 17


@pytest.mark.parametrize("limit", [1e-5, 0.003, 0.05, 1.0, 9.7, 123.4])
@pytest.mark.parametrize("n_columns", [1, 8])
def test_numbers_of_a_colour_bar_have_room(limit: float, n_columns: int) -> None:
    with style.applied():
        figure = style.figure(3)
        axes = list(figure.subplots(1, n_columns, squeeze=False)[0])
        style.colour_bar(figure, axes, limit, "gain")
        svg.lay_out(figure)
        FigureCanvasAgg(figure).draw()
        ticks = figure.axes[-1].get_xticklabels()
        boxes = [tick.get_window_extent() for tick in ticks if tick.get_text()]
    assert 3 <= len(boxes) <= 7
    assert all(left.x1 + 3 < right.x0 for left, right in pairwise(sorted(boxes, key=lambda box: box.x0)))


@pytest.mark.parametrize("folders", [("runs", "runs"), ("runs", "."), (".", "runs/../runs")])
@pytest.mark.usefixtures("no_figures")
def test_a_folder_given_twice_or_within_another_counts_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folders: tuple[str, str]
) -> None:
    write_failure(tmp_path / "runs", "broken", "no")
    write_runs(tmp_path / "runs", ["imdb"], [10.0], ["none", "smote"], n_folds=2)
    monkeypatch.chdir(tmp_path)
    assert main([*folders, "--metric", "accuracy", "--output", "report"]) == 0
    text = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    assert "2 runs" in text
    assert len(Page(text).data()["tables"]["failures"]["rows"]) == 1


@pytest.mark.usefixtures("no_figures")
def test_the_long_table_is_csv_on_request_only(tmp_path: Path) -> None:
    write_runs(tmp_path / "runs", ["imdb"], [10.0], ["none", "smote"], n_folds=2)
    for asked, there in ((["--csv"], True), ([], False)):  # an older one must not stay
        assert main([str(tmp_path / "runs"), "--metric", "accuracy", "--output", str(tmp_path / "out"), *asked]) == 0
        assert (tmp_path / "out" / report.SCORES_CSV).exists() is there
        assert (tmp_path / "out" / report.SCORES).exists()


def test_the_score_of_one_class_may_be_the_metric_whatever_the_class_is_called(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("ham", "spam, or/so & more", "spam, or/so + more")
    write_runs(tmp_path / "runs", ["sms"], [10.0, 50.0], ["none", "smote"], n_folds=3, class_names=names)
    asked = ",".join(f"f1[{name}]" for name in names)
    assert main([str(tmp_path / "runs"), f"metric={asked}", f"output={tmp_path / 'out'}"]) == 0
    assert "in F1 of ham" in capsys.readouterr().out
    assert not (tmp_path / "out" / report.ERRORS).exists()
    found = Page((tmp_path / "out" / "index.html").read_text(encoding="utf-8"))
    assert [metric["label"] for metric in found.data()["metrics"]] == [f"F1 of {name}" for name in names]
    assert len([each for each in found.all("figure") if each.get("data-metric") == f"f1[{names[1]}]"]) > 2
    tables = {path.name for path in (tmp_path / "out" / "tables").iterdir()}
    assert len(tables) == 3 * len(names)


def test_a_metric_that_no_run_has_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_runs(tmp_path / "runs", ["even"], [None], ["none", "smote"], n_folds=2, minority=[])
    assert main([str(tmp_path / "runs"), "--metric", "accuracy,minority_recall"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("no run has minority_recall (no class is smaller: nothing was there to augment)")
    assert said.count("\n") == 1


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_an_output_that_cannot_be_is_said_before_anything_is_read(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(evidences, "read", lambda folders: pytest.fail("read"))
    assert main([str(small / "runs"), "--output", str(tmp_path / place)]) == 1
    assert f"{tmp_path / 'file'} is a file: give a folder with --output" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        *(
            ([f"--rope={value}"], "must be positive, and at most 1")
            for value in ("nan", "-1", "0", "1e308", "inf", "-inf")
        ),
        (["--metric", "acuracy"], "'acuracy' is no metric: did you mean accuracy?"),
        (["--metric", "xyz"], "'xyz' is no metric"),
        (["--metric", ","], "names no metric"),
    ],
)
def test_the_command_line_says_errors_in_one_sentence(
    small: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], sentence: str
) -> None:
    assert main([str(small / "runs"), *arguments]) == 1
    assert sentence in capsys.readouterr().err


def test_a_folder_that_is_none_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "nothing")]) == 1
    assert "is not a folder" in capsys.readouterr().err


def test_an_output_that_is_a_file_is_said(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert main([str(small / "runs"), "--metric", "accuracy", "--output", str(tmp_path / "file")]) == 1
    assert "--output" in capsys.readouterr().err


def test_a_thousand_runs_fit_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ninth of them, of fewer folds, usually, and what counts as large is as much less."""
    n_datasets, n_folds = (9, 10) if THOROUGH else (1, 2)
    if not THOROUGH:
        monkeypatch.setattr(limits, "LARGE", limits.LARGE // 9)
    write_runs(
        tmp_path / "runs",
        datasets=[f"set_{index}" for index in range(n_datasets)],
        ratios=(2.0, 5.0, 10.0, 20.0, 50.0, 100.0, None),
        augmenters=("none", "random", "smote", "borderline_smote", "adasyn", "vae"),
        augmenter_settings=[{"amount": amount} for amount in (0.5, 1.0, 2.0)],
        n_folds=n_folds,
    )
    started = time.perf_counter()
    evidence = evidences.read([tmp_path / "runs"])
    read = time.perf_counter()
    comparison = comparisons.compare(evidence)
    compared = time.perf_counter()
    path = report.write(evidence, comparison, tmp_path / "report")
    done = time.perf_counter()
    assert len(evidence.runs) == 112 * n_datasets > limits.LARGE
    assert path.stat().st_size < 15e6 * n_datasets / 9
    seconds = {"read": read - started, "compare": compared - read, "write": done - compared}
    print({stage: round(each, 1) for stage, each in seconds.items()}, f"{path.stat().st_size / 1e6:.1f} MB")  # noqa: T201


def test_a_method_whose_rows_a_fallback_made_is_called_so_in_the_table(tmp_path: Path) -> None:
    write_runs(tmp_path, datasets=["trec"], ratios=[10.0], augmenters=["none", "random", "smote"])
    comparison = comparisons.compare(evidences.read([tmp_path]), ["accuracy"])
    (sound,) = _shown_methods(Results(evidences.read([tmp_path]), comparison))
    assert not any("fallback" in label for label in sound)
    for path in tmp_path.glob("*-smote-*/record.json"):
        written = json.loads(path.read_text())
        columns = written["balance"]["columns"]
        for row in written["balance"]["data"]:
            row[columns.index("made_by_fallback")] = row[columns.index("made")]
        path.write_text(json.dumps(written))
    evidence = evidences.read([tmp_path])
    (fallen,) = _shown_methods(Results(evidence, comparisons.compare(evidence, ["accuracy"])))
    assert {"smote (mostly by fallback)", "random"} <= fallen
    assert "smote" not in fallen


def _shown_methods(results: Results) -> list[set[str]]:
    """Labels of the methods in the page's table of comparisons, of each metric."""
    found = tables.comparisons(results)
    labels = next(column["values"] for column in found["columns"] if column["label"] == "augmenter")
    return [{labels[row[2]] for row in rows} for rows in found["rows"].values()]


@pytest.mark.usefixtures("no_figures")
def test_a_place_that_cannot_be_written_gets_the_remedy_of_this_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_runs(tmp_path / "runs", ["imdb"], [10.0], ["none", "smote"], n_folds=2)
    (tmp_path / "page" / "scores.parquet").mkdir(parents=True)
    assert main([str(tmp_path / "runs"), f"--output={tmp_path / 'page'}"]) == 1
    assert "Is a directory: choose another place with --output" in capsys.readouterr().err


def _drawn_by(monkeypatch: pytest.MonkeyPatch, write: Callable[[], object]) -> list[str]:
    """The figures that are drawn meanwhile."""
    names: list[str] = []
    raw_svg = svg.raw_svg

    def noted(figure: Figure, name: str) -> str:
        names.append(name)
        return raw_svg(figure, name)

    with monkeypatch.context() as patched:
        patched.setattr(svg, "raw_svg", noted)
        write()
    return names


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_report_made_again_draws_only_what_changed_and_is_the_same_to_the_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs, again, anew = tmp_path / "runs", tmp_path / "again", tmp_path / "anew"
    write_runs(runs, ["ag_news", "imdb"], [10.0], ["none", "smote"], n_folds=2)
    first = _drawn_by(monkeypatch, lambda: written(runs, again))
    assert any(name.startswith("gains-") for name in first)
    assert _drawn_by(monkeypatch, lambda: written(runs, again)) == []
    # Another ratio of one data set: what is drawn of the other alone stays.
    write_runs(runs, ["imdb"], [50.0], ["none", "smote"], n_folds=2)
    second = _drawn_by(monkeypatch, lambda: written(runs, again))
    of_one = {"curves-1", "confusion-1", "classes-1", "reliability-1", "quality-1"}
    assert of_one < set(first)
    assert not of_one & set(second)
    assert {name.replace("-1", "-2") for name in of_one} < set(second)
    written(runs, anew)
    assert _files(again) == _files(anew)


def test_a_figure_that_is_kept_damaged_or_gone_or_of_other_code_is_drawn_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs, output = tmp_path / "runs", tmp_path / "report"
    write_runs(runs, ["imdb"], [10.0], ["none", "smote"], n_folds=2)
    written(runs, output)
    before = _files(output)
    kept = output / drawn_before.FOLDER
    whole = (kept / "curves-1.json").read_bytes()
    (kept / "curves-1.json").write_bytes(whole.replace(b"<svg", b"<gvs", 1))
    (kept / "classes-1.json").write_bytes(whole[: len(whole) // 2])
    (kept / "confusion-1.json").write_text("[]")
    (kept / "reliability-1.json").write_bytes(whole)
    (kept / "quality-1.json").unlink()
    (kept / "gone-1.json").write_bytes(whole)
    damaged = {"curves-1", "classes-1", "confusion-1", "reliability-1", "quality-1"}
    assert set(_drawn_by(monkeypatch, lambda: written(runs, output))) == damaged
    assert _files(output) == before
    monkeypatch.setattr(drawn_before, "_what_draws", lambda: ["other code"])
    assert len(_drawn_by(monkeypatch, lambda: written(runs, output))) == len(list(kept.glob("*.json")))


def test_what_a_figure_is_drawn_from_is_told_by_content() -> None:
    scenario = Scenario("imdb", "minilm", "ir10", "mlp")
    frame = pd.DataFrame({"scenario": [scenario, scenario], "value": [1.0, np.nan], "class": [None, "a"]})
    one = value_sha256({"frame": frame, "of": (scenario, {3, 1, 2}), "array": np.arange(3)})
    assert one == value_sha256({"frame": frame.copy(), "of": (replace(scenario), {2, 3, 1}), "array": np.arange(3)})
    others: list[list[Any]] = [[scenario, "imdb"], [1.0, 2.0], ["a", None]]
    for name, values in zip(frame, others, strict=True):
        assert value_sha256(frame) != value_sha256(frame.assign(**{str(name): pd.Series(list(values))}))
    assert value_sha256(np.arange(3)) != value_sha256(np.arange(3, dtype=np.int32))
    assert value_sha256(["1"]) != value_sha256([1]) != value_sha256([[1]])
    with pytest.raises(TypeError, match="nothing says"):
        value_sha256(object())
