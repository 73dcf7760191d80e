"""Maps of real and synthetic rows, as far as `python -m synaug.maps` has drawn some beside the runs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from synaug.files.escaping import shown
from synaug.record import maps as map_files
from synaug.report import limits
from synaug.report.results import Results

NAMES = {"umap": "UMAP", "pca": "PCA", "tsne": "t-SNE"}


def maps(results: Results) -> list[dict[str, Any]]:
    """The newest map of each scenario, for so many scenarios as the page can carry; page.js draws them.

    Returns
    -------
    list of dict
        As in a file of `synaug.record.maps`, without methods whose run is not compared, and with `scenario` (its
        label); text is as it may be shown.
    """
    runs = results.evidence.runs
    if runs.empty:
        return []
    scenario_of = dict(zip(runs["identity"], runs["scenario"], strict=True))
    label_of = dict(zip(runs["identity"], runs["augmenter"], strict=True))
    found: dict[Any, dict[str, Any]] = {}
    for drawn in map_files.below(sorted({Path(folder).parent for folder in runs["folder"]})):
        methods = [method for method in drawn["methods"] if method["identity"] in scenario_of]
        scenarios = {scenario_of[method["identity"]] for method in methods}
        if len(scenarios) == 1:
            found.setdefault(scenarios.pop(), {**drawn, "methods": methods})
    ordered = [scenario for scenario in results.scenarios if scenario in found][: limits.MAPS]
    return [_for_the_page(found[scenario], results.label(scenario), label_of) for scenario in ordered]


def _for_the_page(drawn: Mapping[str, Any], label: str, label_of: Mapping[str, str]) -> dict[str, Any]:
    real = dict(drawn["real"])
    if "texts" in real:
        real["texts"] = [shown(text) for text in real["texts"]]
    return {
        "scenario": shown(label),
        "seed": drawn["seed"],
        "fold": drawn["fold"],
        "kinds": [[kind, NAMES[kind]] for kind in drawn["kinds"] if kind in NAMES],
        "side": map_files.SIDE,
        "class_names": [shown(name) for name in drawn["class_names"]],
        "real": real,
        "methods": [
            {
                **{name: value for name, value in method.items() if name != "identity"},
                "label": shown(label_of[method["identity"]]),
            }
            for method in drawn["methods"]
        ],
    }
