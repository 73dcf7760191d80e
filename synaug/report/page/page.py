"""The page: one file of HTML that asks nothing of the network."""

import base64
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from synaug.comparison import columns
from synaug.comparison.significance import DEFINITIONS, INTERVAL
from synaug.files.escaping import console, shown
from synaug.report import asked_for, audited, limits, words
from synaug.report.draw import Section
from synaug.report.drawing.contract import Question
from synaug.report.page import answer as answers
from synaug.report.page import (
    audits,
    chosen_amounts,
    classifiers,
    explained,
    label_noise,
    maps,
    reproduction,
    scenarios,
    tables,
)
from synaug.report.results import Results

HERE = Path(__file__).parent
# Columns of comparisons, as the page calls them; outcomes are explained beside the verdict.
EXPLAINED = {
    "gain": "gain",
    "family": "family",
    "low": "interval",
    "p_holm": "p (Holm)",
    "p_raw": "p raw",
    "detectable": "found from",
    "p_wilcoxon": "p Wilcoxon",
    "p_paired_t": "p paired t",
    "effect": "effect",
    "p_worse": "P(worse)",
    "p_equivalent": "P(equivalent)",
    "p_better": "P(better)",
}


def render(results: Results, sections: Sequence[Section]) -> str:
    """Render the page.

    Parameters
    ----------
    sections
        Of figures, and of those that could not be drawn, which are named where they would stand.
    """
    sheet, script = style(), (HERE / "page.js").read_text(encoding="utf-8")
    all_tables = tables.all_tables(results)
    by_scenario = scenarios.tables(results)
    drawn_maps, maps_not_shown = maps.maps(results)
    explained_rows, explained_not_shown = explained.scenarios(results)
    data = {"tables": all_tables, "maps": drawn_maps, "metrics": [_metric(name) for name in results.comparison.metrics]}
    amounts = chosen_amounts.sentences(results)
    needs, abstaining = asked_for.needs(results), asked_for.abstaining(results)
    asked = {section.kind.question for section in sections}
    asked |= {Question.HOW_MUCH} if amounts else set()
    asked |= {Question.NEEDS} if needs or abstaining else set()
    context: dict[str, Any] = {
        "style": Markup(sheet),  # noqa: S704 (a file of ours)
        "script": Markup(script),  # noqa: S704 (a file of ours)
        "policy": policy(sheet, script),
        "data": json_for_script(data),
        "tables": all_tables,
        "metrics": results.comparison.metrics,
        "verdict": results.comparison.verdict,
        "answer": answers.answer(results),
        "questions": {question.name: question.value for question in Question},
        "asked": [question.name for question in asked],
        "summary": summary(results),
        "sections": sections,
        "without_minority": without_minority(results),
        "limits": limits,
        "warnings": warnings(results),
        "maps": drawn_maps,
        "maps_not_shown": maps_not_shown,
        "explained": explained_rows,
        "explained_not_shown": explained_not_shown,
        "chosen_amounts": amounts,
        "classifiers": classifiers.beside(results),
        "label_noise": label_noise.sentences(results),
        "commands": reproduction.commands(results),
        "facts": reproduction.facts(results),
        "config": reproduction.example_config(results),
        "rope": words.difference(results.comparison.rope, results.metric) + words.unit(results.metric),
        "interval": INTERVAL,
        "outcomes": DEFINITIONS,
        "columns": {label: columns.NOTES[name] for name, label in EXPLAINED.items()},
        "scenarios": by_scenario,
        "scenarios_left_out": len(results.scenarios) - len(by_scenario) if by_scenario else 0,
        "audit_measures": audited.MEASURES,
        "geometry": audits.geometry(results),
        "faults": audits.faults(results),
        "geometry_measures": audited.GEOMETRY,
        "needs": needs,
        "abstaining": abstaining,
        "calibration": [words.metric(name) for name in scenarios.CALIBRATION],
    }
    return _environment().get_template("page.html.jinja").render(context)


def first_figure(results: Results) -> str:
    """The figure of the first screen as HTML, for another page that has this page's `style`; empty if there is none."""
    answer = answers.answer(results)
    if answer is None:
        return ""
    module: Any = _environment().get_template("answer.html.jinja").module
    return str(module.figure(answer))


def style() -> str:
    """The page's style sheet."""
    return (HERE / "page.css").read_text(encoding="utf-8")


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    environment.filters |= {
        "shown": shown,
        "metric": words.metric,
        "counted": words.counted,
        "inline": Markup,  # of a figure, as serialised by ElementTree
    }
    return environment


def policy(style: str, script: str) -> str:
    """The Content-Security-Policy: this style, this script, images within the page, and nothing else."""
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)]
    return (
        f"default-src 'none'; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def json_for_script(value: Any) -> Markup:
    """JSON that ends no script element, whatever it holds."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)  # ASCII: U+2028 and the like are escaped
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 (escaped above)


def summary(results: Results) -> list[str]:
    """What was looked at, in a few numbers."""
    runs = results.evidence.runs
    failures = [each for each in results.evidence.failures if each["current"]]  # the table lists older ones, too
    counts = [words.counted(len(runs), "run")]
    if len(runs):
        records = results.evidence.records.values()
        n_trained = sum(record["cost"].get("members", 0) for record in records)
        validations = dict.fromkeys(reproduction.validation(record["config"]) for record in records)
        counts += [
            words.counted(runs["dataset"].nunique(), "data set"),
            words.counted(len(results.scenarios), "scenario"),
            words.counted(len(results.augmenters), "augmenter"),
            f"validation: {words.listed(validations)}",
            *([f"{words.counted(n_trained, 'classifier')} trained"] if n_trained else []),
        ]
    if failures:
        counts.append(words.counted(len(failures), "failure"))
    return counts


def warnings(results: Results) -> list[tuple[str, int]]:
    """What runs warned of, each with how many did."""
    counts: dict[str, int] = {}
    for record in results.evidence.records.values():
        for each in record["warnings"]:
            counts[str(each)] = counts.get(str(each), 0) + 1
    return sorted(counts.items(), key=lambda item: -item[1])


def _visible(value: Any) -> Any:
    """Whatever the template writes, with what cannot be seen written out; Jinja escapes HTML after it."""
    return console(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _metric(name: str) -> dict[str, Any]:
    return {"name": name, "label": words.metric(name), "digits": words.digits(name)}


def without_minority(results: Results) -> str:
    """Say where there is no minority to show, and why."""
    bare = results.without_minority
    if not bare:
        return ""
    said = "no class is smaller: nothing was there to augment, and no minority to show."
    return said.capitalize() if bare == [panel.label for panel in results.panels] else f"{words.listed(bare)}: {said}"
