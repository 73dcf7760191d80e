r"""Tables for a paper: LaTeX with booktabs, of which `\usepackage{booktabs}` is all they need."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from synaug.comparison.labels import METHOD, NO_AUGMENTER, PICKED, PLAIN_LOSS, REFERENCE_LABELS, Method, methods_of
from synaug.comparison.significance import BETTER, INTERVAL
from synaug.files.escaping import latex
from synaug.report import limits, words
from synaug.report.results import Results
from synaug.scores.decision import RULES
from synaug.scores.metrics import LOSSES

MARKS = {"baseline": "*", "best_without_synthesis": r"\dagger"}
WHAT_REFERENCES_ARE = {
    "baseline": "no augmentation, plain loss, argmax",
    "best_without_synthesis": "picked out of fold for each split among all methods that make no new point",
}
TEST = "the corrected resampled $t$-test (Nadeau and Bengio, 2003; {rho})"
FAMILY = (
    "adjusted by Holm's step-down over the comparisons of the scenario with the same reference (by argmax and with "
    "rules chosen; under any other rule, over those with that rule), for the two best methods over the scenarios"
)
MISSING = "--"
LAYOUT: Any = {"hrules": True, "environment": "table*", "position_float": "centering", "multicol_align": "c"}
SMALL: Any = [{"selector": "footnotesize", "props": ":"}, {"selector": "setlength", "props": r":{\tabcolsep}{3pt}"}]
Headings = Mapping[Any, tuple[str, str]]
Item = TypeVar("Item")


def tables(results: Results) -> dict[str, str]:
    """Make every table of every metric.

    Returns
    -------
    dict
        LaTeX by file name.
    """
    comparison = results.comparison
    headings = {scenario: (panel.label, scenario.at) for scenario, panel in results.panel_of.items()}
    by_name = {}
    for metric, table in comparison.tables.items():
        name = words.in_a_file_name(metric)
        by_name[f"results_{name}.tex"] = results_table(comparison.values[metric], table, metric, headings)
        for reference in REFERENCE_LABELS:
            by_name[f"against_{reference}_{name}.tex"] = comparison_table(table, reference, metric, headings)
    return by_name


def results_table(values: pd.DataFrame, comparisons: pd.DataFrame, metric: str, headings: Headings) -> str:
    """Tabulate mean ± standard deviation, methods × scenarios: the best in bold, what is significantly better marked.

    Parameters
    ----------
    values
        Scores of one metric, as `synaug.comparison.stats.with_choices` returns them.
    comparisons
        What `synaug.comparison.stats.compare` makes of them.
    metric
        Its name.
    headings
        In the order of columns, for each scenario its data set and its own heading, such as "1:10".

    Returns
    -------
    str
        Tables of at most `limits.LATEX_COLUMNS` scenarios and `limits.LATEX_ROWS` methods each.
    """
    cells = _cells(values, comparisons, metric)
    marked = ", ".join(f"$^{mark}$ better than {_reference(name)}" for name, mark in MARKS.items())
    caption = (
        f"{_sentence(words.level_label(metric))}: mean $\\pm$ standard deviation over splits (seed and fold). Bold: "
        f"best of a column, as printed. {marked}: "
        f"the {latex(INTERVAL)} interval of {TEST.format(rho=_rho(comparisons))}, {FAMILY}, lies above 0."
    )
    if any("_{(" in cell for cell in cells.to_numpy().flat):
        caption += " A subscript counts the splits where some are missing."
    in_order = _in_order(values)
    parts: list[str] = []
    for scenarios in _packed(headings):
        heads = [headings[scenario] for scenario in scenarios]
        for methods in _chunks(in_order, limits.LATEX_ROWS):
            table = cells.reindex(index=methods, columns=scenarios, fill_value=MISSING)
            table.index = pd.Index(_rows_in_groups(methods))
            table.columns = pd.MultiIndex.from_tuples([(latex(dataset), latex(at)) for dataset, at in heads])
            table.columns.names = ["", f"{_rules(heads)}\nmethod"]
            parts.append(
                _table(
                    table, "l" + "c" * len(scenarios), caption, f"tab:{words.in_a_file_name(metric)}-{len(parts) + 1}"
                )
            )
    return "\n".join(parts) or "% there are no scores\n"


def comparison_table(comparisons: pd.DataFrame, reference: str, metric: str, headings: Headings) -> str:
    """Tabulate every method's gain over a reference, with its interval and tests.

    Parameters
    ----------
    comparisons
        What `synaug.comparison.stats.compare` returns.
    reference
        One of `synaug.comparison.labels.REFERENCES`.
    metric
        Its name.
    headings
        For each scenario its data set and its own heading.

    Returns
    -------
    str
        Tables of one scenario and at most `limits.LATEX_ROWS` rows each; a comment where nothing was compared.
    """
    over = comparisons[comparisons["reference"] == reference]
    what = (
        f"{latex(words.gain_label(metric))} over {_reference(reference)}, positive where better, with its "
        f"{latex(INTERVAL)} interval and $p_\\mathrm{{H}}$ of {TEST.format(rho=_rho(over))}, both {FAMILY}. $p$: not "
        "adjusted; "
        "$d$: gain in standard deviations of the differences; $P_-$, $P_=$, $P_+$: posterior probability of worse, "
        "equivalent and better (Bayesian correlated $t$-test); $n$: splits in common."
    )
    head = ["gain", latex(INTERVAL), r"$p_\mathrm{H}$", "outcome", "$p$", "$d$", "$P_-$", "$P_=$", "$P_+$", "$n$"]
    methods = _in_order(over)
    lines_of: dict[Any, dict[Method, list[str]]] = {}
    for scenario, method, row in zip(over["scenario"], methods_of(over), over.itertuples(), strict=True):
        lines_of.setdefault(scenario, {})[method] = list(_line(row, metric))
    parts: list[str] = []
    for scenario, (dataset, heading) in headings.items():
        lines = lines_of.get(scenario, {})
        for some in _chunks([method for method in methods if method in lines], limits.LATEX_ROWS):
            names = [latex(method) for method in some]
            table = pd.DataFrame([lines[method] for method in some], names, pd.Index(head, name="method"))
            caption = f"{latex(dataset)}, {latex(heading)}: {what}"
            parts.append(
                _table(
                    table, "lrcrlrrrrrr", caption, f"tab:{reference}-{words.in_a_file_name(metric)}-{len(parts) + 1}"
                )
            )
    return "\n".join(parts) or f"% nothing was compared with {REFERENCE_LABELS[reference]}\n"


def _cells(values: pd.DataFrame, comparisons: pd.DataFrame, metric: str) -> pd.DataFrame:
    """What stands in the table `[method, scenario]`."""
    keys = ["scenario", "method"]
    scores = (
        values.assign(method=methods_of(values)).groupby(keys, observed=True)["value"].agg(["mean", "std", "count"])
    )
    better = comparisons[comparisons["outcome"] == BETTER]
    marked = better.assign(method=methods_of(better)).groupby(keys, observed=True)["reference"].agg(set).to_dict()
    by_scenario = scores.groupby("scenario", observed=True)
    best = by_scenario["mean"].agg("min" if metric in LOSSES else "max")
    most = by_scenario["count"].max()
    cells = {}
    for key, mean, std, count in scores.dropna(subset="mean").itertuples():
        text = _number(mean, metric)
        bold = text == _number(best[key[0]], metric)
        text += f" \\pm {_number(std, metric)}" if np.isfinite(std) else ""
        marks = "".join(mark for reference, mark in MARKS.items() if reference in marked.get(key, ()))
        counted = f"_{{({count})}}" if count < most[key[0]] else ""
        text = rf"\mathbf{{{text}}}" if bold else text
        cells[key] = f"${text}^{{{marks}}}{counted}$" if marks else f"${text}{counted}$"
    return (
        pd.Series(cells, dtype=object, index=pd.MultiIndex.from_tuples(cells, names=keys))
        .unstack("scenario")
        .fillna(MISSING)
    )


def _line(row: Any, metric: str) -> Iterator[str]:
    gain = _number(row.gain, metric)
    yield f"${'+' if float(gain) > 0 else ''}{gain}$" if np.isfinite(row.gain) else MISSING
    known = np.isfinite(row.low)
    yield f"$[{_number(row.low, metric)},\\ {_number(row.high, metric)}]$" if known else MISSING
    yield _p(row.p_holm)
    yield row.outcome if known else MISSING
    yield _p(row.p_raw)
    yield f"${words.fixed(row.effect, 2)}$".replace("inf", r"\infty") if not np.isnan(row.effect) else MISSING
    for p in (row.p_worse, row.p_equivalent, row.p_better):
        yield words.fixed(p, 2) if np.isfinite(p) else MISSING
    yield str(row.n_splits)


def _p(value: float) -> str:
    return f"${words.p_value(value)}$" if np.isfinite(value) else MISSING


def _in_order(frame: pd.DataFrame) -> list[Method]:
    """None first, augmenters and losses as they appear, rules in their order; what is picked from them last."""
    losses = list(frame["loss"].unique())
    augmenters = [*(name for name in frame["augmenter"].unique() if name not in PICKED), *PICKED]

    def place(method: Method) -> tuple[bool, bool, int, bool, int, int]:
        rule = RULES.index(method.decision) if method.decision in RULES else len(RULES)
        first = method.augmenter in PICKED, method.augmenter != NO_AUGMENTER, augmenters.index(method.augmenter)
        return *first, method.loss != PLAIN_LOSS, losses.index(method.loss), rule

    return sorted(methods_of(frame[list(METHOD)].drop_duplicates()), key=place)


def _packed(headings: Headings) -> Iterator[list[Any]]:
    """Scenarios of one table: data sets stay together where they fit."""
    columns: list[Any] = []
    for dataset in dict.fromkeys(dataset for dataset, _ in headings.values()):
        of_dataset = [scenario for scenario, (of, _) in headings.items() if of == dataset]
        for some in _chunks(of_dataset, limits.LATEX_COLUMNS):
            if len(columns) + len(some) > limits.LATEX_COLUMNS:
                yield columns
                columns = []
            columns += some
    if columns:
        yield columns


def _chunks(items: Sequence[Item], size: int) -> Iterator[list[Item]]:
    for start in range(0, len(items), size):
        yield list(items[start : start + size])


def _rows_in_groups(methods: Sequence[Method]) -> list[str]:
    """Names of rows, with some space before each further augmenter."""
    starts = [False, *(before.augmenter != after.augmenter for before, after in pairwise(methods))]
    return [
        f"\\addlinespace\n{latex(method)}" if new else latex(method)
        for method, new in zip(methods, starts, strict=True)
    ]


def _rules(heads: Sequence[tuple[str, str]]) -> str:
    """A rule below each data set, which pandas does not draw."""
    rules, first = "", 2
    for _, columns in groupby(heads, key=lambda head: head[0]):
        last = first + len(list(columns)) - 1
        rules, first = rules + rf"\cmidrule(lr){{{first}-{last}}}", last + 1
    return rules


def _table(table: pd.DataFrame, columns: str, caption: str, label: str) -> str:
    """Write a table whose names and cells are LaTeX already."""
    styler = table.style.set_table_styles(SMALL)
    return str(styler.to_latex(column_format=columns, caption=caption, label=label, **LAYOUT))


def _reference(name: str) -> str:
    return f"{REFERENCE_LABELS[name]} ({WHAT_REFERENCES_ARE[name]})"


def _sentence(text: str) -> str:
    return latex(text[:1].upper() + text[1:])


def _rho(comparisons: pd.DataFrame) -> str:
    return r"$\rho = " + r",\ ".join(f"{rho:.3g}" for rho in sorted(comparisons["rho"].unique())) + "$"


def _number(value: float, metric: str) -> str:
    return words.fixed(words.scale(metric) * value, words.digits(metric))
