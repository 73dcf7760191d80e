"""Names that would act on a terminal, a spreadsheet, a page or LaTeX do so in no output; records keep them."""

import csv
import gzip
import io
import json
import logging
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pandas as pd
import pytest
import wandb
from pytorch_lightning.loggers import WandbLogger

from synaug import report
from synaug.command import console as logs
from synaug.comparison import compare as comparisons
from synaug.comparison import evidence as evidences
from synaug.files import escaping
from synaug.report import words
from synaug.report.drawing import style, svg
from synaug.tracking import wandb_report, wandb_run
from tests import fabricated
from tests.test_latex import check as check_latex
from tests.thorough import some

NAMES = {
    "colour": "\x1b[31mred\x1b[0m",
    "title of the window": "\x1b]0;owned\x07",
    "C1 control": "\x9b31mred",
    "next line": "one\x85two",
    "null": "nul\x00",
    "delete": "del\x7f\x08",
    "bidi override": "abc\u202exyz",
    "bidi isolate": "abc\u2066xyz\u2069",
    "bidi mark": "abc\u200fxyz",
    "zero width": "ze\u200bro",
    "joiner": "jo\u200din",
    "soft hyphen": "so\u00adft",
    "byte order mark": "\ufeffbom",
    "line separator": "one\u2028two\u2029three",
    "tag": "tag\U000e0041",
    "filler": "fill\u3164er",
    "half a surrogate": "caf\udce9",
    "noncharacter": "non\uffff",
    "lines": "one\n=two\r\nthree",
    "formula": "=HYPERLINK(0)",
    "plus": "+1",
    "minus": "-1",
    "at": "@SUM(1)",
    "tab and formula": "\t=1",
    "carriage return": "\r=2",
    "apostrophe": "'=HYPERLINK(0)",
    "full width": "＝1",
    "script": "</script><script>window.__pwned=1</script>",
    "attribute": "\" onload='x' x=\"",
    "entity": "&lt;b&gt; <!-- ]]>",
    "template": "{{ 7*7 }} {% raw %}",
    "latex": "\\input{x}%\n$&_#{^^M~`",
    "mathematics": "$x_1$",
}
INNOCENT = [
    "sport",
    "Ärger & Glück",
    "می\u200cخواهم",
    "\U0001f469\u200d\U0001f4bb",
    "文章",
    "naïve",
    "1:10",
    "a-b",
    "ش\u0601",
]
# Written down by itself, not as the module has it; the joiner is allowed between signs that are not ASCII.
UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\ufff9-\uffff\ud800-\udfff"
    "\U000e0000-\U000e007f]|[\x20-\x7e][\u200c\u200d]"
)
AT_THE_START = ("=", "+", "-", "@", "\t", "\r", "\n", "＝")


def is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


@pytest.fixture(params=NAMES.values(), ids=list(NAMES))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def in_xml(name: str) -> str:
    with style.applied():
        figure = style.figure(2)
        figure.add_subplot().set_xlabel(words.short(name, 99))
    text = svg.standalone(svg.raw_svg(figure, "one"), name, name)
    ElementTree.fromstring(text)  # valid
    return text


def in_the_log(name: str) -> str:
    return logs.LogFile("unused", delay=True).format(logging.LogRecord("x", logging.INFO, "", 0, "%s", (name,), None))


def on_the_console(name: str) -> str:
    return logs.ConsoleFormatter().format(logging.LogRecord("x", logging.INFO, "", 0, "%s", (name,), None))


def in_wandb(name: str) -> str:
    name = escaping.utf8(name)  # Arrow's strings, which pandas keeps, have no halves of surrogates
    table = wandb_report.table("names", pd.DataFrame({name: [name]}))
    return f"{table.columns} {table.data[0][0]}"


OUTPUTS: Mapping[str, Callable[[str], str]] = {
    "page": escaping.html,
    "figure": in_xml,
    "console": on_the_console,
    "log": in_the_log,
    "latex": escaping.latex,
    "csv": escaping.csv_cell,
    "wandb": in_wandb,
}


@pytest.mark.parametrize("output", OUTPUTS)
def test_nothing_unseen_comes_out(name: str, output: str) -> None:
    written = OUTPUTS[output](name)
    assert not UNSEEN.search(written)
    written.encode("utf-8")


def test_a_name_is_no_formula_for_a_spreadsheet(name: str) -> None:
    assert not escaping.csv_cell(name).startswith(AT_THE_START)


def test_a_name_is_no_element_of_the_page(name: str) -> None:
    assert not set(escaping.html(name)) & set("<>\"'")


def test_a_name_is_no_command_of_latex(name: str) -> None:
    written = escaping.latex(name)
    check_latex(f"{written}\n")
    assert "\\input" not in written


def test_no_two_names_look_like_one() -> None:
    for escape in (escaping.shown, escaping.csv_cell, escaping.latex):
        assert len({escape(each) for each in NAMES.values()}) == len(NAMES)


@pytest.mark.parametrize("text", INNOCENT)
def test_what_is_seen_stays_as_it_is(text: str) -> None:
    assert escaping.shown(text) == escaping.console(text) == text


def test_a_frame_keeps_its_numbers_and_what_is_missing() -> None:
    frame = pd.DataFrame({"class": pd.Categorical(["=1", None, "b"]), "value": [-1.5, 2.0, float("nan")]})
    made = escaping.csv_frame(frame)
    assert made["class"].astype(object).where(made["class"].notna(), None).tolist() == ["'=1", None, "b"]
    pd.testing.assert_series_equal(made["value"], frame["value"])


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report in which data sets, classes, errors, overrides, warnings and an experiment are called by such names."""
    root = tmp_path_factory.mktemp("hostile")
    everything = " ".join(NAMES.values())
    in_frames = [escaping.utf8(each) for each in NAMES.values()]
    fabricated.write_runs(
        root / "runs",
        datasets=["=\x1b[31m\u202e\x9b31m\u200b"],
        augmenters=("none", "smote"),
        n_folds=2,
        class_names=in_frames,
        warning=everything,
        changes={"name": escaping.utf8(everything)},
    )
    for index, each in enumerate(NAMES.values()):
        fabricated.write_failure(root / "runs", f"broken-{index}", f"no {each}", [f"dataset={each}"])
    evidence = evidences.read([root / "runs"])
    comparison = comparisons.compare(evidence, metrics=["accuracy"])
    report.write(evidence, comparison, root / "report", csv=True)
    (root / "console.txt").write_bytes(escaping.console(comparison.verdict).encode())
    (root / "verdict.html").write_bytes(wandb_report.verdict_page(comparison.verdict).encode())
    return root


def test_every_file_of_a_report_is_free_of_what_is_unseen(hostile: Path) -> None:
    assert not (hostile / "report" / report.ERRORS).exists()
    texts = [path for ending in ("html", "svg", "tex", "csv", "txt") for path in hostile.rglob(f"*.{ending}")]
    assert len(texts) > 10
    for path in texts:
        assert not UNSEEN.search(path.read_text(encoding="utf-8")), path.name
    for path in hostile.rglob("*.svg"):
        ElementTree.fromstring(path.read_text(encoding="utf-8"))
    for path in hostile.rglob("*.tex"):
        check_latex(path.read_text(encoding="utf-8"))


def test_tables_in_the_page_hold_nothing_unseen_either(hostile: Path) -> None:
    page = (hostile / "report" / "index.html").read_text(encoding="utf-8")
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    tables = json.loads(data)["tables"]
    names = [value for table in tables.values() for column in table["columns"] for value in column.get("values", [])]
    whole = [each for each in NAMES.values() if escaping.utf8(each) == each]
    assert {escaping.shown(f"no {each}") for each in whole} <= set(names)
    assert not [each for each in names if UNSEEN.search(each)]


def test_no_cell_of_a_csv_is_a_formula(hostile: Path) -> None:
    packed = gzip.decompress((hostile / "report" / report.SCORES_CSV).read_bytes()).decode()
    compared = (hostile / "report" / "comparisons.csv").read_text(encoding="utf-8")
    for text in (packed, compared):
        cells = {cell for row in csv.reader(io.StringIO(text)) for cell in row}
        assert not [cell for cell in cells if cell.startswith(AT_THE_START) and not is_number(cell)]
    assert {escaping.csv_cell(each) for each in NAMES.values()} <= {
        cell for row in csv.reader(io.StringIO(packed)) for cell in row
    }


def test_the_parquet_keeps_names_exactly(hostile: Path) -> None:
    kept = pd.read_parquet(hostile / "report" / report.SCORES)["class"].dropna()
    assert set(kept) == {escaping.utf8(each) for each in NAMES.values()}
    assert [each for each in NAMES.values() if escaping.utf8(each) != each] == [NAMES["half a surrogate"]]


def test_confusion_charts_and_config_of_wandb_hold_nothing_unseen(hostile: Path) -> None:
    record = json.loads(next(hostile.rglob("record.json")).read_text(encoding="utf-8"))
    sent: dict[str, Any] = {}
    run = SimpleNamespace(
        config=SimpleNamespace(update=lambda values, **_: sent.update(config=values)),
        summary=SimpleNamespace(update=lambda values: sent.update(summary=values)),
        log=sent.update,
        sweep_id=None,
    )
    wandb_run.log_result(_Logger(run), record)
    tables = [sent["splits"], sent["balance"], *(sent[wandb_run.confusion_key(rule)] for rule in ("argmax", "tuned"))]
    told = [*map(_cells, tables), sent["config"], sent["summary"]]
    for each in told:
        assert not UNSEEN.search(json.dumps(each, ensure_ascii=False, default=str))


class _Logger(WandbLogger):
    """Lightning's, of a run that only notes what it is sent."""

    def __init__(self, run: Any) -> None:
        self._run = run

    @property
    def experiment(self) -> Any:
        return self._run


def _cells(table: Any) -> Any:
    if isinstance(table, pd.DataFrame):
        return [list(table.columns), table.to_numpy().tolist()]
    found = table if isinstance(table, wandb.Table) else table.table
    return [found.columns, found.data]


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "utf-8"])
def test_a_console_that_cannot_show_a_sign_shows_a_simpler_one(encoding: str) -> None:
    program = "from synaug.files import escaping\nescaping.make_console_safe()\nprint('0.5 ± 0.1 − … ▲ 文 \\udce9')"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONIOENCODING": encoding, "PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    shown = done.stdout.decode(encoding)
    assert (
        shown.rstrip()
        == {
            "ascii": r"0.5 +/- 0.1 - ... ^ \u6587 \udce9",
            "cp1252": r"0.5 ± 0.1 - … ^ \u6587 \udce9",
            "latin-1": r"0.5 ± 0.1 - ... ^ \u6587 \udce9",
            "utf-8": r"0.5 ± 0.1 − … ▲ 文 \udce9",
        }[encoding]
    )


@pytest.mark.parametrize("encoding", some(["ascii", "cp1252"], 1))
def test_the_report_is_printed_on_such_a_console(hostile: Path, tmp_path: Path, encoding: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "synaug.report", str(hostile / "runs"), "--metric=log_loss", f"--output={tmp_path}"],
        env={"PYTHONIOENCODING": encoding, "PYTHONPATH": str(Path(__file__).parents[1])},
        capture_output=True,
        timeout=250,
    )
    assert done.returncode == 0, done.stderr
    assert not UNSEEN.search(done.stdout.decode(encoding, "replace"))


def test_a_log_is_utf_8_whatever_the_locale(tmp_path: Path) -> None:
    handler = logs.LogFile(str(tmp_path / "synaug.log"))
    handler.emit(logging.LogRecord("x", logging.INFO, "", 0, "caf\udce9 ± \x1b[31m\n  more", (), None))
    handler.close()
    assert (tmp_path / "synaug.log").read_text(encoding="utf-8") == "caf\\udce9 ± \\x1b[31m\n  more\n"
