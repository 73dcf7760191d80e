"""The page: one file of HTML that asks nothing of the network."""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from synaug.escaping import console, shown
from synaug.report import words
from synaug.report.figures.material import Drawing, Failed, Material
from synaug.report.page import again, tables

HERE = Path(__file__).parent
# Sections that hold figures, in the order of the page.
SECTIONS = {
    "gains": ("Gains", "What each method adds, by data set and imbalance ratio."),
    "ratio": ("Against the imbalance ratio", "Scores at each ratio: the larger it is, the rarer the minority."),
    "forest": ("Differences with intervals", "How sure each gain is, over both references."),
    "ranks": ("Ranks over all blocks", "Which methods rank first across data sets and ratios."),
    "sweeps": ("Settings swept", "What an augmenter's amount and neighbours change."),
    "classes": ("Recall of each class", "Who gains and who pays."),
    "confusion": ("Confusion", "What is taken for what."),
    "calibration": ("Reliability", "Whether probabilities mean what they say, before and after each decision rule."),
    "training": ("Training", "Losses, and what is learnt by heart."),
}
OF_THE_MINORITY = ("ratio", "training")  # sections whose figures show it, where there is one


def render(
    material: Material, drawings: Sequence[Drawing], svgs: Mapping[str, str], failed: Sequence[Failed] = ()
) -> str:
    """Render the page.

    Parameters
    ----------
    svgs
        The figures by name, as `synaug.report.figures.svg.inline` gives them.
    failed
        Figures that could not be drawn, which are named where they would stand.
    """
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    environment.filters |= {"shown": shown, "metric": words.metric, "counted": words.counted}
    style, script = ((HERE / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    found = tables.all_tables(material)
    data = {"tables": found, "metrics": [_metric(name) for name in material.comparison.metrics]}
    context: dict[str, Any] = {
        "style": Markup(style),  # noqa: S704 (a file of ours)
        "script": Markup(script),  # noqa: S704 (a file of ours)
        "policy": policy(style, script),
        "data": json_for_script(data),
        "tables": found,
        "metrics": material.comparison.metrics,
        "verdict": material.comparison.verdict,
        "summary": summary(material),
        "sections": _sections(material, drawings, failed),
        "svgs": {name: Markup(text) for name, text in svgs.items()},  # noqa: S704 (serialised by ElementTree)
        "warnings": warnings(material),
        "commands": again.commands(material),
        "most_commands": again.MOST_COMMANDS,
        "facts": again.facts(material),
        "config": again.example_config(material),
        "rope": words.signed(material.comparison.rope, material.metric).lstrip("+") + words.unit(material.metric),
        "rhos": rhos(material),
    }
    return environment.get_template("page.html.jinja").render(context)


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


def summary(material: Material) -> list[str]:
    """What was looked at, in a few numbers."""
    runs = material.evidence.runs
    failures = [each for each in material.evidence.failures if each["current"]]  # the table lists older ones, too
    found = [words.counted(len(runs), "run")]
    if len(runs):
        records = material.evidence.records.values()
        members = sum(len(record["config"]["seeds"]) * record["config"]["n_folds"] for record in records)
        found += [
            words.counted(runs["dataset"].nunique(), "data set"),
            words.counted(len(material.blocks), "block"),
            words.counted(len(material.augmenters), "augmenter"),
            f"{words.counted(members, 'classifier')} trained",
        ]
    if failures:
        found.append(words.counted(len(failures), "failure"))
    return found


def warnings(material: Material) -> list[tuple[str, int]]:
    """What runs warned of, each with how many did."""
    counts: dict[str, int] = {}
    for record in material.evidence.records.values():
        for each in record["warnings"]:
            counts[str(each)] = counts.get(str(each), 0) + 1
    return sorted(counts.items(), key=lambda item: -item[1])


def rhos(material: Material) -> str:
    """The share of rows that test, as the corrected test takes it."""
    values = sorted({f"{value:.2g}" for value in material.table(material.metric)["rho"].dropna()})
    return words.listed(values) if values else "one over the number of folds"


def _visible(value: Any) -> Any:
    """Whatever the template writes, with what cannot be seen written out; Jinja escapes HTML after it."""
    return console(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _metric(name: str) -> dict[str, Any]:
    return {"name": name, "label": words.metric(name), "digits": 3 if words.scale(name) == 1 else 1}


def _sections(material: Material, drawings: Sequence[Drawing], failed: Sequence[Failed]) -> list[dict[str, Any]]:
    found = [
        {
            "id": key,
            "title": title,
            "lead": lead,
            "drawings": [each for each in drawings if each.section == key],
            "failed": [each for each in failed if each.section == key],
            "missing": without_minority(material) if key in OF_THE_MINORITY else "",
        }
        for key, (title, lead) in SECTIONS.items()
    ]
    return [section for section in found if section["drawings"] or section["failed"]]


def without_minority(material: Material) -> str:
    """Say where there is no minority to show, and why."""
    bare = material.without_minority
    if not bare:
        return ""
    said = "no class is smaller: nothing was there to augment, and no minority to show."
    return said.capitalize() if bare == material.panels else f"{words.listed(bare)}: {said}"
