"""Maps of real and synthetic rows, as far as `synaug maps` has drawn some beside the runs."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from synaug.comparison.labels import Scenario
from synaug.files.escaping import shown
from synaug.record import maps as map_files
from synaug.report import limits, words
from synaug.report.results import Results
from synaug.settings.names import of_class

NAMES = {"umap": "UMAP", "pca": "PCA", "tsne": "t-SNE"}


def maps(results: Results) -> tuple[list[dict[str, Any]], list[str]]:
    """The maps that were drawn last, one a scenario, and as many as the page can carry; page.js draws them.

    Returns
    -------
    list of dict
        As in a file of `synaug.record.maps`, without methods whose run is not compared or was run again by another
        state of the code, and with `scenario` (its label); text is as it may be shown.
    list of str
        Sentences on maps that are not shown.
    """
    found, outdated = _newest(results)
    label_of = dict(zip(results.evidence.runs["identity"], results.evidence.runs["augmenter"], strict=True))
    carried: dict[Scenario, dict[str, Any]] = {}
    room, without = limits.MAPS_BYTES, []
    for scenario, drawn in found.items():
        size = room + 1
        if len(carried) < limits.MAPS:
            for_the_page = _for_the_page(drawn, results.label(scenario), label_of)
            size = len(json.dumps(for_the_page, separators=(",", ":")))
        if size <= room:
            carried[scenario] = for_the_page
            room -= size
        else:
            without.append(scenario)
    sentences = []
    if without:
        sentences.append(
            f"The page has room for {words.counted(limits.MAPS, 'map')} and {limits.MAPS_BYTES // 1_000_000} MB of "
            f"them, and shows those that were drawn last. Not shown: {_listed(results, without)}. To see one of them, "
            "draw it again (synaug maps FOLDER --scenario TEXT; a large one with fewer rows, --most N) and "
            "write the report again."
        )
    if outdated:
        sentences.append(
            "Not shown, because the state of synaug's code that drew these maps is not the one that made the runs: "
            f"{_listed(results, outdated)}. To see them, draw them again (synaug maps FOLDER) and write the "
            "report again."
        )
    return [carried[scenario] for scenario in results.scenarios if scenario in carried], sentences


def _newest(results: Results) -> tuple[dict[Scenario, dict[str, Any]], set[Scenario]]:
    """The newest map of each scenario, newest first, and scenarios of which there are only outdated ones."""
    runs, records = results.evidence.runs, results.evidence.records
    found: dict[Scenario, dict[str, Any]] = {}
    outdated: set[Scenario] = set()
    scenario_of = dict(zip(runs["identity"], runs["scenario"], strict=True))
    for drawn in map_files.below(sorted({Path(folder).parent for folder in runs["folder"]})):
        methods = [method for method in drawn["methods"] if method["identity"] in scenario_of]
        scenarios = {scenario_of[method["identity"]] for method in methods}
        if len(scenarios) != 1:
            continue
        scenario = scenarios.pop()
        current = [each for each in methods if records[each["identity"]]["code"] == drawn.get("code")]
        if current:
            found.setdefault(scenario, {**drawn, "methods": current})
        else:
            outdated.add(scenario)
    return found, outdated - set(found)


def _listed(results: Results, some: Collection[Scenario]) -> str:
    return words.listed(shown(scenario) for scenario in results.scenarios if scenario in some)


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
        "class_names": [of_class(shown(name)) for name in drawn["class_names"]],
        "real": real,
        "methods": [
            {
                **{name: value for name, value in method.items() if name != "identity"},
                "label": shown(label_of[method["identity"]]),
            }
            for method in drawn["methods"]
        ],
    }
