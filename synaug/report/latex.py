r"""Tables for a paper: LaTeX with booktabs, of which `\usepackage{booktabs}` is all they need."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd

from synaug.comparison.stats import METHOD, REFERENCES
from synaug.escaping import latex
from synaug.report import words
from synaug.scores.decision import RULES
from synaug.scores.metrics import LOSSES

if TYPE_CHECKING:
    from synaug.report.figures.material import Material

COLUMNS_OF_A_TABLE = 6
ROWS_OF_A_TABLE = 40
LEVEL = 0.05
MARKS = {"none": "*", "free": r"\dagger"}
NAMES = {
    "none": "no augmentation (argmax)",
    "free": "the free remedy (no augmentation, loss and decision rule chosen on validation scores)",
}
TEST = "the corrected resampled $t$-test (Nadeau and Bengio, 2003; {rho})"
FAMILY = "Holm-adjusted over all comparisons of a block with both references"
Blocks = Mapping[str, tuple[str, str]]
Method = tuple[str, str, str]
Item = TypeVar("Item")


def tables(material: "Material") -> dict[str, str]:
    """Make every table of every metric.

    Returns
    -------
    dict
        LaTeX by file name.
    """
    comparison = material.comparison
    blocks = {str(block): (str(row["panel"]), str(row["at"])) for block, row in material.blocks.iterrows()}
    made = {}
    for metric, table in comparison.tables.items():
        made[f"results_{metric}.tex"] = results_table(comparison.values[metric], table, metric, blocks)
        for reference in REFERENCES:
            made[f"against_{reference}_{metric}.tex"] = comparison_table(table, reference, metric, blocks)
    return made


def results_table(members: pd.DataFrame, comparisons: pd.DataFrame, metric: str, blocks: Blocks) -> str:
    """Tabulate mean ± standard deviation, methods × blocks: the best in bold, what is significantly better marked.

    Parameters
    ----------
    members
        Scores of one metric, as `synaug.comparison.stats.with_choices` returns them.
    comparisons
        What `synaug.comparison.stats.compare` makes of them.
    metric
        Its name.
    blocks
        In the order of columns, for each block its data set and its own heading, such as "1:10".

    Returns
    -------
    str
        Tables of at most 6 blocks and 40 methods each.
    """
    cells = _cells(members, comparisons, metric)
    caption = (
        f"{_sentence(words.level_label(metric))}: mean $\\pm$ standard deviation over members (seed and fold). Bold: "
        f"best of a column, as printed. $^*$ better than {NAMES['none']}, $^\\dagger$ better than {NAMES['free']}: "
        f"$p < {LEVEL}$ of {TEST.format(rho=_rho(comparisons))}, {FAMILY}."
    )
    if any("_{(" in cell for cell in cells.values()):
        caption += " A subscript counts the members where some are missing."
    made: list[str] = []
    for columns in _packed(blocks):
        for methods in _chunks(_methods(members), ROWS_OF_A_TABLE):
            rows = [
                _row([latex(words.method(*method)), *(cells.get((block, *method), "--") for block in columns)])
                for method in methods
            ]
            for at in range(len(methods) - 1, 0, -1):
                if methods[at][0] != methods[at - 1][0]:
                    rows.insert(at, r"\addlinespace")
            head = _spans([blocks[block][0] for block in columns])
            head.append(_row(["method", *(latex(blocks[block][1]) for block in columns)]))
            label = f"tab:{metric}-{len(made) + 1}"
            made.append(_table("l" + "c" * len(columns), head, rows, caption, label))
    return "\n".join(made) or "% there are no scores\n"


def comparison_table(comparisons: pd.DataFrame, reference: str, metric: str, blocks: Blocks) -> str:
    """Tabulate every method's gain over a reference, with its interval and tests.

    Parameters
    ----------
    comparisons
        What `synaug.comparison.stats.compare` returns, with the interval at 95 %.
    reference
        `none` or `free`.
    metric
        Its name.
    blocks
        For each block its data set and its own heading.

    Returns
    -------
    str
        Tables of one block and at most 40 rows each; a comment where nothing was compared.
    """
    own = comparisons[comparisons["reference"] == reference]
    what = (
        f"{latex(words.gain_label(metric))} over {NAMES[reference]}, positive where better, with its 95\\,\\% "
        f"interval. $p$: of {TEST.format(rho=_rho(own))}; $p_\\mathrm{{H}}$: {FAMILY}; "
        "$d$: gain in standard deviations of the differences; $P_-$, $P_=$, $P_+$: posterior probability of worse, "
        "practically equivalent and better (Bayesian correlated $t$-test); $n$: members in common."
    )
    head = ["method", "gain", r"95\,\%", "$p$", r"$p_\mathrm{H}$", "$d$", "$P_-$", "$P_=$", "$P_+$", "$n$"]
    methods = _methods(own)
    lines = {
        (row.block, row.augmenter, row.loss, row.decision): _row(_comparison(row, metric))
        for row in own.itertuples(index=False)
    }
    made: list[str] = []
    for block, (dataset, heading) in blocks.items():
        rows = [lines[block, *method] for method in methods if (block, *method) in lines]
        for some in _chunks(rows, ROWS_OF_A_TABLE):
            caption = f"{latex(dataset)}, {latex(heading)}: {what}"
            made.append(_table("lrcrrrrrrr", [_row(head)], some, caption, f"tab:{reference}-{metric}-{len(made) + 1}"))
    return "\n".join(made) or f"% nothing was compared with {reference}\n"


def _cells(members: pd.DataFrame, comparisons: pd.DataFrame, metric: str) -> dict[tuple[str, ...], str]:
    """By block and method, what stands in the table."""
    found = members.groupby(["block", *METHOD], observed=True)["value"].agg(["mean", "std", "count"])
    better = comparisons[(comparisons["p_holm"] < LEVEL) & (comparisons["gain"] > 0)]
    marked = better.groupby(["block", *METHOD], observed=True)["reference"].agg(set).to_dict()
    by_block = found.groupby("block", observed=True)
    best = by_block["mean"].agg("min" if metric in LOSSES else "max")
    most = by_block["count"].max()
    cells = {}
    for key, mean, std, count in found.dropna(subset="mean").itertuples():
        text = _number(mean, metric)
        bold = text == _number(best[key[0]], metric)
        text += f" \\pm {_number(std, metric)}" if np.isfinite(std) else ""
        marks = "".join(mark for reference, mark in MARKS.items() if reference in marked.get(key, ()))
        counted = f"_{{({count})}}" if count < most[key[0]] else ""
        text = rf"\mathbf{{{text}}}" if bold else text
        cells[key] = f"${text}^{{{marks}}}{counted}$" if marks else f"${text}{counted}$"
    return cells


def _comparison(row: Any, metric: str) -> Iterator[str]:
    yield latex(words.method(row.augmenter, row.loss, row.decision))
    yield f"${_number(row.gain, metric, '+')}$"
    known = np.isfinite(row.low)
    yield f"$[{_number(row.low, metric)},\\ {_number(row.high, metric)}]$" if known else "--"
    for p in (row.p_corrected, row.p_holm):
        yield f"${words.p_value(p)}$" if np.isfinite(p) else "--"
    yield f"${row.effect:.2f}$".replace("inf", r"\infty") if not np.isnan(row.effect) else "--"
    for p in (row.p_worse, row.p_equivalent, row.p_better):
        yield f"{p:.2f}" if np.isfinite(p) else "--"
    yield str(row.n_members)


def _methods(frame: pd.DataFrame) -> list[Method]:
    """None first, augmenters and losses as they appear, rules in their order; what was picked last."""
    augmenters, losses = (list(frame[name].unique()) for name in ("augmenter", "loss"))
    rules = [*RULES, "chosen"]

    def place(method: Method) -> tuple[bool, bool, int, bool, int, int]:
        augmenter, loss, rule = method
        first = augmenter == "picked", augmenter != "none", augmenters.index(augmenter)
        return *first, loss != "", losses.index(loss), rules.index(rule)

    return sorted(frame[METHOD].drop_duplicates().itertuples(index=False, name=None), key=place)


def _packed(blocks: Blocks) -> Iterator[list[str]]:
    """Blocks of one table: data sets stay together where they fit."""
    columns: list[str] = []
    for dataset in dict.fromkeys(dataset for dataset, _ in blocks.values()):
        for own in _chunks([block for block, (of, _) in blocks.items() if of == dataset], COLUMNS_OF_A_TABLE):
            if len(columns) + len(own) > COLUMNS_OF_A_TABLE:
                yield columns
                columns = []
            columns += own
    if columns:
        yield columns


def _chunks(items: Sequence[Item], size: int) -> Iterator[list[Item]]:
    for start in range(0, len(items), size):
        yield list(items[start : start + size])


def _spans(datasets: Sequence[str]) -> list[str]:
    """Data sets over their columns, with a rule below each."""
    counts = {dataset: datasets.count(dataset) for dataset in dict.fromkeys(datasets)}
    cells, rules, first = [""], [], 2
    for dataset, count in counts.items():
        cells.append(rf"\multicolumn{{{count}}}{{c}}{{{latex(dataset)}}}")
        rules.append(rf"\cmidrule(lr){{{first}-{first + count - 1}}}")
        first += count
    return [_row(cells), "".join(rules)]


def _row(cells: Iterable[str]) -> str:
    return " & ".join(cells) + r" \\"


def _table(columns: str, head: Sequence[str], rows: Sequence[str], caption: str, label: str) -> str:
    lines = [r"\begin{table*}", r"\centering\footnotesize\setlength{\tabcolsep}{3pt}"]
    lines += [rf"\caption{{{caption}}}", rf"\label{{{label}}}", rf"\begin{{tabular}}{{{columns}}}", r"\toprule"]
    lines += [*head, r"\midrule", *rows, r"\bottomrule", r"\end{tabular}", r"\end{table*}"]
    return "\n".join([*lines, ""])


def _sentence(text: str) -> str:
    return latex(text[:1].upper() + text[1:])


def _rho(comparisons: pd.DataFrame) -> str:
    return r"$\rho = " + r",\ ".join(f"{rho:.3g}" for rho in sorted(comparisons["rho"].unique())) + "$"


def _number(value: float, metric: str, sign: str = "-") -> str:
    return f"{words.scale(metric) * value:{sign}.{3 if metric in LOSSES else 1}f}"
