import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synaug.comparison.choices import KEY, choose, with_choices
from synaug.comparison.compare import compare as compare_all
from synaug.comparison.evidence import read
from synaug.comparison.labels import PICKED, REFERENCES
from synaug.comparison.stats import compare
from synaug.files.escaping import latex as escape
from synaug.report import limits
from synaug.report.latex import comparison_table, results_table, tables
from synaug.report.results import Results
from synaug.scores.decision import RULES
from tests.fabricated import write_runs

EVIL = '<script>_%&#${}~^\\[x]*|`"--\\end{tabular}'
AUGMENTERS = ("smote", "none", "random_50 %")


def scores(
    seed: int = 0, scenarios: Sequence[str] = ("a", "b"), augmenters: Sequence[str] = AUGMENTERS, n_folds: int = 10
) -> pd.DataFrame:
    """Scores of methods, of which the first augmenter is far better."""
    draw = np.random.RandomState(seed)
    rows = [
        (scenario, augmenter, "", rule, 0, fold, (0.8 if augmenter == augmenters[0] else 0.5) + 0.01 * draw.rand())
        for scenario in scenarios
        for augmenter in augmenters
        for rule in RULES
        for fold in range(n_folds)
    ]
    frame = pd.DataFrame(rows, columns=[*KEY, "value"])
    return frame.assign(with_synthesis=frame["augmenter"] == augmenters[0])


def placed(scenarios: Sequence[str], per_data_set: int = 2) -> dict[str, tuple[str, str]]:
    return {each: (f"data_{at // per_data_set}", f"1:{at + 2}") for at, each in enumerate(scenarios)}


def chosen(scored: pd.DataFrame) -> pd.DataFrame:
    """Scores with those of what is chosen, by losses that fall as the scores rise."""
    return with_choices(scored, choose(scored.assign(value=-scored["value"])))


def compared(scored: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    return chosen(scored), compare(chosen(scored))


def unescaped(latex: str) -> str:
    """What is left when everything that is escaped is gone."""
    return re.sub(r"\\[_%&#${}]", "", latex.replace("\\\\", ""))


def check(latex: str) -> None:
    """As near to compiling as it gets without LaTeX."""
    bare = unescaped(latex)
    depth = np.cumsum([(character == "{") - (character == "}") for character in bare])
    assert depth.min() >= 0
    assert depth[-1] == 0
    opened: list[str] = []
    for kind, name in re.findall(r"\\(begin|end)\{(.*?)\}", bare):
        if kind == "begin":
            opened.append(name)
        else:
            assert opened.pop() == name
    assert opened == []
    assert bare.count("$") % 2 == 0
    assert "%" not in bare
    assert "#" not in bare
    for columns, body in re.findall(r"\\begin\{tabular\}\{(\w+)\}(.*?)\\end\{tabular\}", latex, re.DOTALL):
        rows = [line for line in body.splitlines() if line.endswith(r"\\")]
        assert len(rows) > 1
        for row in rows:
            spanned = sum(int(count) - 1 for count in re.findall(r"\\multicolumn\{(\d+)\}", row))
            assert unescaped(row).count("&") + spanned == len(columns) - 1


def cell(latex: str, method: str, column: int = 0) -> str:
    row = next(line for line in latex.splitlines() if line.startswith(f"{method} &"))
    return row.removesuffix(r" \\").split(" & ")[column + 1]


def test_a_cell_is_mean_and_deviation_in_per_cent() -> None:
    values, table = compared(scores())
    latex = results_table(values, table, "balanced_accuracy", placed(["a", "b"]))
    check(latex)
    own = values.query("scenario == 'b' and augmenter == 'none' and decision == 'tuned'")["value"] * 100
    assert cell(latex, "none, tuned", 1) == f"${own.mean():.1f} \\pm {own.std(ddof=1):.1f}$"
    assert r"\multicolumn{2}{c}{data\_0}" in latex
    assert r"method & 1:2 & 1:3 \\" in latex
    assert "Balanced accuracy (\\%)" in latex
    assert "Nadeau and Bengio, 2003; $\\rho = 0.1$" in latex
    assert "adjusted by Holm's step-down over the comparisons of the scenario with the same reference" in latex


def test_losses_are_not_per_cent_and_the_least_is_best() -> None:
    scored = scores()
    values = with_choices(scored, choose(scored))
    latex = results_table(values, compare(values, higher_is_better=False), "log_loss", placed(["a", "b"]))
    check(latex)
    assert re.fullmatch(r"\$0\.80\d \\pm 0\.00\d\$", cell(latex, "smote"))
    assert r"\mathbf" not in cell(latex, "smote")
    best = values.query("scenario == 'a'").groupby(["augmenter", "decision"])["value"].mean().round(3)
    bold = [line for line in latex.splitlines() if line.split(" & ")[1:2] and r"\mathbf" in line.split(" & ")[1]]
    assert len(bold) == (best == best.min()).sum()


def test_the_best_is_bold_and_what_is_better_is_marked() -> None:
    values, table = compared(scores())
    latex = results_table(values, table, "accuracy", placed(["a", "b"]))
    assert cell(latex, "smote").endswith("^{*}$")
    assert cell(latex, "smote, rule chosen").endswith(r"^{*\dagger}$")
    for method in ("none", "none, tuned", r"random\_50 \%", "best without synthesis"):
        assert "dagger" not in cell(latex, method)
        assert r"\mathbf" not in cell(latex, method)
    means = values.query("scenario == 'a'").groupby(["augmenter", "decision"])["value"].mean().mul(100).round(1)
    bold = [line for line in latex.splitlines() if line.split(" & ")[1:2] and r"\mathbf" in line.split(" & ")[1]]
    assert len(bold) == (means == means.max()).sum() > 0


@pytest.mark.parametrize("outcome", ["better", "worse", "equivalent", "inconclusive"])
def test_only_what_is_better_is_marked(outcome: str) -> None:
    values, table = compared(scores())
    is_smote = (
        (table["augmenter"] == "smote")
        & (table["decision"] == "chosen")
        & (table["reference"] == "best_without_synthesis")
    )
    table["outcome"] = np.where(is_smote, outcome, "inconclusive")
    latex = results_table(values, table, "accuracy", placed(["a", "b"]))
    assert (r"^{\dagger}" in cell(latex, "smote, rule chosen")) == (outcome == "better")
    assert latex.count(r"^{\dagger}") == 2 * (outcome == "better")  # in both scenarios
    assert "^{*" not in latex


def test_splits_that_lack_are_counted_in_the_cell() -> None:
    scored = scores()
    lacking = scored.query("not (scenario == 'a' and augmenter == 'smote' and decision == 'argmax' and fold > 6)")
    latex = results_table(*compared(lacking), "accuracy", placed(["a", "b"]))
    check(latex)
    assert cell(latex, "smote").endswith("_{(7)}$")
    assert "subscript" in latex
    assert latex.count("_{(") == 1
    assert "subscript" not in results_table(*compared(scored), "accuracy", placed(["a", "b"]))


def test_what_is_missing_is_a_dash() -> None:
    scored = scores().query("not (scenario == 'b' and augmenter == 'smote')")
    latex = results_table(*compared(scored), "accuracy", placed(["a", "b"]))
    check(latex)
    assert cell(latex, "smote", 1) == "--"


def test_more_than_six_scenarios_are_several_tables_and_data_sets_stay_together() -> None:
    scenarios = [f"b{at}" for at in range(14)]
    places = {each: ("big" if at < 8 else f"small{at % 2}", f"1:{at}") for at, each in enumerate(scenarios)}
    latex = results_table(*compared(scores(scenarios=scenarios, n_folds=3)), "accuracy", places)
    check(latex)
    spans = [re.findall(r"multicolumn\{(\d)\}\{c\}\{(\w+)\}", part) for part in latex.split(r"\begin{table*}")[1:]]
    assert spans == [[("6", "big")], [("2", "big"), ("3", "small0")], [("3", "small1")]]
    assert len(set(re.findall(r"\\label\{(.*?)\}", latex))) == 3


def test_many_methods_are_several_tables() -> None:
    many = ["none", *(f"smote k={k}" for k in range(25))]
    latex = results_table(*compared(scores(scenarios=["a"], augmenters=many, n_folds=3)), "accuracy", placed(["a"]))
    check(latex)
    n_methods = len(many) * (len(RULES) + 1) + len(PICKED)
    assert latex.count(r"\begin{table*}") == -(-n_methods // limits.LATEX_ROWS) == 4


def test_none_comes_first_and_picked_last() -> None:
    latex = results_table(*compared(scores()), "accuracy", placed(["a", "b"]))
    rows = latex.split(r"\midrule")[1].split(r"\bottomrule")[0].split(r"\addlinespace")
    assert [row.strip().split(" & ")[0] for row in rows] == [
        *("none", "smote", r"random\_50 \%", "best without synthesis", "best with synthesis"),
    ]


def test_a_comparison_shows_the_gain_with_its_interval_and_tests() -> None:
    _, table = compared(scores())
    latex = comparison_table(table, "baseline", "accuracy", placed(["a", "b"]))
    check(latex)
    assert latex.count(r"\begin{table*}") == 2
    row = table.query(
        "scenario == 'a' and augmenter == 'smote' and decision == 'argmax' and reference == 'baseline'"
    ).iloc[0]
    cells = [cell(latex, "smote", column) for column in range(10)]
    assert cells[0] == f"${100 * row['gain']:+.1f}$"
    assert cells[1] == f"$[{100 * row['low']:.1f},\\ {100 * row['high']:.1f}]$"
    assert cells[2:5] == ["$< 0.001$", "better", "$< 0.001$"]
    assert cells[5] == f"${row['effect']:.2f}$"
    assert cells[6:] == ["0.00", "0.00", "1.00", "10"]
    assert (
        r"\caption{data\_0, 1:2: gain in accuracy (points) over the baseline (no augmentation, plain loss, argmax)"
        in latex
    )
    assert "none &" not in latex
    against_best = comparison_table(table, "best_without_synthesis", "accuracy", placed(["a", "b"]))
    check(against_best)
    assert "none, tuned" not in against_best


def test_what_cannot_be_tested_is_a_dash() -> None:
    values, table = compared(scores(n_folds=1))
    latex = comparison_table(table, "baseline", "accuracy", placed(["a", "b"]))
    check(latex)
    assert [cell(latex, "smote", column) for column in range(1, 10)] == [*["--"] * 8, "1"]
    check(results_table(values, table, "accuracy", placed(["a", "b"])))


def test_nothing_compared_is_said() -> None:
    scored = scores().query("augmenter == 'smote'")
    values, table = compared(scored)
    assert (
        comparison_table(table, "best_without_synthesis", "accuracy", placed(["a", "b"]))
        == "% nothing was compared with the best without synthesis\n"
    )
    check(results_table(values, table, "accuracy", placed(["a", "b"])))


def test_there_is_a_file_for_each_metric_and_reference(tmp_path: Path) -> None:
    write_runs(tmp_path)
    evidence = read([tmp_path])
    metrics = ("balanced_accuracy", "log_loss")
    made = tables(Results(evidence, compare_all(evidence, metrics)))
    assert set(made) == {
        f"{name}_{metric}.tex"
        for name in ("results", "against_baseline", "against_best_without_synthesis")
        for metric in metrics
    }
    for latex in made.values():
        check(latex)
    assert r"\multicolumn{2}{c}{ag\_news} & \multicolumn{2}{c}{imdb}" in made["results_log_loss.tex"]
    assert r"method & 1:10 & 1:50 & 1:10 & 1:50 \\" in made["results_log_loss.tex"]


def test_hostile_names_do_no_harm() -> None:
    values, table = compared(scores(augmenters=("none", EVIL)))
    places = {"a": (EVIL, EVIL), "b": ("fine", "1:2")}
    made = [comparison_table(table, reference, "accuracy", places) for reference in REFERENCES]
    for latex in (*made, results_table(values, table, "accuracy", places)):
        check(latex)
        assert "<script>" not in latex
        assert latex.count(r"\end{tabular}") == latex.count(r"\begin{tabular}")


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("a_b 50 % & #1 $", r"a\_b 50 \% \& \#1 \$"),
        ("{x}", r"\{x\}"),
        ("~^\\", r"\textasciitilde{}\textasciicircum{}\textbackslash{}"),
        ("<b>", r"\textless{}b\textgreater{}"),
        ("[1]*", "{[}1{]}{*}"),
        ("a\n\n\tb\x00", r"a b\textbackslash{}x00"),
        ("a---b", "a-{}-{}-b"),
        ("ag_news · 1:10", r"ag\_news $\cdot$ 1:10"),
    ],
)
def test_text_is_escaped(text: str, latex: str) -> None:
    assert escape(text) == latex


@given(st.text(st.sampled_from('_%&#${}~^\\<>[]*|`"-\n ab·×')))
def test_escaped_text_has_no_command_of_its_own(text: str) -> None:
    latex = escape(text)
    bare = unescaped(latex)
    assert bare.count("{") == bare.count("}")
    assert set(re.findall(r"\\([a-zA-Z]+)", bare)) <= {
        *("textasciitilde", "textasciicircum", "textbackslash", "textasciigrave"),
        *("textless", "textgreater", "textbar", "cdot", "times"),
    }
    assert not set(bare) & set('%&#^<>|`"\n')
    assert "--" not in latex


@pytest.mark.parametrize("metric", ["accuracy", "log_loss"])
def test_what_rounds_to_nothing_has_no_sign(metric: str) -> None:
    _, table = compared(scores())
    nothing = dict.fromkeys(("gain", "low", "high", "effect", "p_worse"), -1e-9)
    latex = comparison_table(table.assign(**nothing), "baseline", metric, placed(["a", "b"]))
    assert not re.search(r"[-+−]0\.0+(?![0-9])", latex)
    assert cell(latex, "smote") == ("$0.0$" if metric == "accuracy" else "$0.000$")
