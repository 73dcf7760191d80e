"""Evidence and its comparison, in the order in which all parts of a report show them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from synaug.comparison.compare import Comparison
from synaug.comparison.evidence import Evidence
from synaug.comparison.labels import (
    BEST_WITH_SYNTHESIS,
    BEST_WITHOUT_SYNTHESIS,
    METHOD,
    NO_AUGMENTER,
    REFERENCES,
    SEPARATOR,
    Method,
    Scenario,
)
from synaug.comparison.layout import Table, Verdict
from synaug.comparison.significance import BETTER
from synaug.comparison.stats import gain_range
from synaug.comparison.surfaces import surface
from synaug.report import limits
from synaug.report.digest import value_sha256
from synaug.report.kept import KeptSplit, is_there, splits
from synaug.report.later import Later
from synaug.scores.metrics import LOSSES

# In the order in which figures show them, and in which they get their colours.
SHIPPED_AUGMENTERS = ("random", "smote", "borderline_smote", "adasyn", "vae", "random_under", "near_miss", "tomek")

# What all scenarios together decide.
OF_ALL = ("is_large", "option_of", "augmenters", "main_augmenters")
# What each of them has, seen beside the others.
OF_EACH = ("panel_of", "favoured_of")
REFERENCE_OF_BEST = next(name for name, method in REFERENCES.items() if method == BEST_WITHOUT_SYNTHESIS)


@dataclass(frozen=True)
class Panel:
    """Scenarios that differ in nothing but their imbalance ratio: a data set, mostly.

    Attributes
    ----------
    label
        The data set, with the encoder and the classifier where there are several, and the settings.
    """

    dataset: str
    encoder: str
    classifier: str
    settings: tuple[str, ...]
    label: str = field(compare=False)

    def __str__(self) -> str:
        return self.label


@dataclass(frozen=True)
class Results:
    """Evidence and comparison, with what was asked for later, and what is derived from them."""

    evidence: Evidence
    comparison: Comparison
    later: Later = field(default_factory=Later)

    @property
    def metric(self) -> str:
        """The primary metric."""
        return self.comparison.metrics[0]

    @cached_property
    def is_large(self) -> bool:
        """Whether there are so many runs that fewer figures are drawn, lest the report take minutes."""
        return len(self.evidence.runs) > limits.LARGE

    def only(self, scenarios: Sequence[Scenario]) -> "Results":
        """What was measured in these scenarios, for a figure that looks at nothing else.

        Names and colours are those of all. How sure a difference is depends on how many others there are, so the tables
        of comparisons are not here.
        """
        wanted = tuple(scenarios)
        if wanted not in self._parts:
            runs = of_scenarios(self.evidence.runs, wanted)
            evidence = Evidence(
                runs,
                of_scenarios(self.evidence.scores, wanted),
                of_scenarios(self.evidence.validation, wanted),
                {identity: self.evidence.records[identity] for identity in runs["identity"]},
                failures=(),
            )
            of_all = self.comparison
            comparison = replace(
                of_all,
                tables={},
                values={metric: of_scenarios(values, wanted) for metric, values in of_all.values.items()},
                choices=of_scenarios(of_all.choices, wanted),
                calibration=of_all.calibration.iloc[:0],
                rankings={},
                gaps=of_scenarios(of_all.gaps, wanted),
                verdict=Verdict("", Table(), [], {}, [], [], len(wanted)),
                exchange=of_all.exchange.iloc[:0],
            )
            later = Later(
                self.later.needs,
                of_scenarios(self.later.served, wanted),
                of_scenarios(self.later.abstained, wanted),
                of_scenarios(self.later.own, wanted),
            )
            part = Results(evidence, comparison, later)
            # What a cached property holds is not worked out again.
            vars(part).update({name: getattr(self, name) for name in OF_ALL})
            for name in OF_EACH:
                of = getattr(self, name)
                vars(part)[name] = {scenario: of[scenario] for scenario in self.scenarios if scenario in wanted}
            self._parts[wanted] = part
        return self._parts[wanted]

    @cached_property
    def _parts(self) -> dict[tuple[Scenario, ...], "Results"]:
        return {}

    @cached_property
    def sha256(self) -> str:
        """Digest of all that a figure can see here."""
        runs, records = self.evidence.runs, self.evidence.records
        of_runs = [] if runs.empty else zip(runs["folder"], runs["identity"], strict=True)
        kept = [is_there(Path(folder), records[identity]) for folder, identity in of_runs]
        names = [getattr(self, name) for name in (*OF_ALL, *OF_EACH)]
        return value_sha256([self.evidence, self.comparison, self.later, names, kept])

    @property
    def metrics_drawn(self) -> Sequence[str]:
        """The metrics that have figures: the primary one first."""
        return self.comparison.metrics[: limits.METRICS_DRAWN - 2 * self.is_large]

    @cached_property
    def panel_of(self) -> dict[Scenario, Panel]:
        """The panel of each scenario; both in order."""
        scenarios = list(dict.fromkeys(self.evidence.runs["scenario"]))
        several = [name for name in ("encoder", "classifier") if len({getattr(each, name) for each in scenarios}) > 1]
        panels = {}
        for each in scenarios:
            label = SEPARATOR.join([each.dataset, *(getattr(each, name) for name in several), *each.settings])
            panels[each] = Panel(each.dataset, each.encoder, each.classifier, each.settings, label)
        datasets = list(dict.fromkeys(each.dataset for each in scenarios))

        def place(scenario: Scenario) -> tuple[int, str, bool, float, str]:
            return datasets.index(scenario.dataset), panels[scenario].label, *scenario.place

        return {scenario: panels[scenario] for scenario in sorted(scenarios, key=place)}

    @property
    def scenarios(self) -> list[Scenario]:
        """Scenarios by data set, panel and ratio, natural imbalance last."""
        return list(self.panel_of)

    @cached_property
    def panels(self) -> list[Panel]:
        """Data sets, with the encoder, classifier and settings where there are several."""
        return list(dict.fromkeys(self.panel_of.values()))

    @property
    def examples(self) -> list[Scenario]:
        """Of each of the first panels one scenario, for what is shown of one alone."""
        n = limits.EXAMPLES - 2 * self.is_large
        return [self._example(panel) for panel in self.panels[:n]]

    def scenarios_of(self, panel: Panel) -> list[Scenario]:
        """The scenarios of a panel, by ratio."""
        return [scenario for scenario, of in self.panel_of.items() if of == panel]

    def label(self, scenario: Scenario) -> str:
        """A scenario as `data set at 1:10`."""
        return f"{self.panel_of[scenario]} at {scenario.at}"

    @cached_property
    def option_of(self) -> dict[str, str]:
        """The option behind each augmenter's label."""
        runs = self.evidence.runs
        return dict(zip(runs["augmenter"], runs["augmenter_option"], strict=True))

    @cached_property
    def augmenters(self) -> list[str]:
        """Labels: none first, then those that ship, then others by name and amount."""

        def place(label: str) -> tuple[bool, int, str, int, str]:
            option = self.option_of[label]
            shipped = SHIPPED_AUGMENTERS.index(option) if option in SHIPPED_AUGMENTERS else len(SHIPPED_AUGMENTERS)
            return label != NO_AUGMENTER, shipped, option, len(label), label

        return sorted(self.option_of, key=place)

    @cached_property
    def main_augmenters(self) -> list[str]:
        """None and those that fill the whole gap or a share that is chosen, where a sweep makes a dozen of a few."""
        runs = self.evidence.runs
        whole = set(runs["augmenter"][runs["amount"].isin((0, 1)) | runs["amount"].isna()])
        main = [name for name in self.augmenters if name in whole or name == NO_AUGMENTER]
        return main if set(main) - {NO_AUGMENTER} else self.augmenters

    @cached_property
    def losses(self) -> list[str]:
        """Labels of the losses, the plain one first."""
        return sorted(self.evidence.runs["loss"].unique())

    def table(self, metric: str, reference: str | None = None) -> pd.DataFrame:
        """The comparisons of one metric."""
        table = self.comparison.tables[metric]
        return table if reference is None else table[table["reference"] == reference]

    def means(self, metric: str) -> pd.Series:
        """Mean score by scenario, augmenter, loss and decision."""
        return self._means[metric]

    @cached_property
    def _means(self) -> dict[str, pd.Series]:
        keys = ["scenario", *METHOD]
        return {
            metric: values.groupby(keys, observed=True, sort=False)["value"].mean()
            for metric, values in self.comparison.values.items()
        }

    def surface(self, metric: str, settings: Sequence[str]) -> pd.DataFrame:
        """Gains over no augmentation by settings of the augmenter: `synaug.comparison.surfaces.surface`'s frame."""
        values = self.comparison.values[metric]
        return surface(
            values,
            self.evidence.runs,
            settings,
            higher_is_better=metric not in LOSSES,
            within=gain_range(metric),
        )

    def _example(self, panel: Panel) -> Scenario:
        """Pick the scenario that stands for a panel: the harshest ratio with most augmenters."""
        scenarios = self.scenarios_of(panel)
        counts = self.evidence.runs.groupby("scenario")["augmenter"].nunique().to_dict()
        most = max(counts[scenario] for scenario in scenarios)
        complete = [scenario for scenario in scenarios if counts[scenario] == most]
        return max(complete, key=lambda scenario: -1.0 if scenario.is_natural else scenario.ratio)

    def records_of(self, scenario: Scenario) -> dict[str, dict[str, Any]]:
        """Records of a scenario by augmenter, in order; of the plain loss or the first there is."""
        runs = self.evidence.runs
        runs = runs[runs["scenario"] == scenario]
        runs = runs[runs["loss"] == min(runs["loss"])]
        identities = dict(zip(runs["augmenter"], runs["identity"], strict=True))
        return {name: self.evidence.records[identities[name]] for name in self.augmenters if name in identities}

    def main_records(self, scenario: Scenario, most: int) -> dict[str, dict[str, Any]]:
        """Those of `records_of` that are of `main_augmenters`, as many as a figure can hold, and that of `favoured`."""
        records = self.records_of(scenario)
        main = {name: records[name] for name in [each for each in self.main_augmenters if each in records][:most]}
        favoured = self.favoured(scenario)
        record = None if favoured is None else self.record_of(scenario, favoured)
        if favoured is not None and record is not None and all(record is not each for each in main.values()):
            main[favoured.label_without_rule] = record
        return main

    def favoured(self, scenario: Scenario) -> Method | None:
        """The method that is taken most often as the best of its kind: with synthesis where that is better."""
        return self.favoured_of[scenario]

    @cached_property
    def favoured_of(self) -> dict[Scenario, Method | None]:
        """`favoured`, scenario by scenario."""
        return {scenario: self._favoured(scenario) for scenario in self.scenarios}

    def _favoured(self, scenario: Scenario) -> Method | None:
        rows = self.table(self.metric, REFERENCE_OF_BEST)
        rows = rows[(rows["scenario"] == scenario) & (rows["augmenter"] == BEST_WITH_SYNTHESIS.augmenter)]
        is_better = len(rows) > 0 and rows["outcome"].iloc[0] == BETTER
        return self.most_taken(scenario, BEST_WITH_SYNTHESIS if is_better else BEST_WITHOUT_SYNTHESIS)

    def kept(self, scenario: Scenario, most: int) -> dict[str, list[KeptSplit]]:
        """What runs of `main_records` kept, by augmenter; those that kept nothing are left out."""
        folders = dict(zip(self.evidence.runs["identity"], map(Path, self.evidence.runs["folder"]), strict=True))
        records = self.main_records(scenario, most)
        there = {name: record for name, record in records.items() if is_there(folders[record["identity"]], record)}
        return {name: list(splits(folders[record["identity"]], record)) for name, record in there.items()}

    def most_taken(self, scenario: Scenario, picked: Method) -> Method | None:
        """The method that is taken in most splits for the best without synthesis, or with it."""
        values = self.comparison.values[self.metric]
        taken = values[(values["scenario"] == scenario) & (values["augmenter"] == picked.augmenter)]["chosen_from"]
        return None if taken.empty else taken.value_counts().index[0]

    def record_of(self, scenario: Scenario, method: Method) -> dict[str, Any] | None:
        """The record of the run that trained a method."""
        runs = self.evidence.runs
        same = (runs["scenario"] == scenario) & (runs["augmenter"] == method.augmenter) & (runs["loss"] == method.loss)
        identities = runs["identity"][same].tolist()
        return self.evidence.records[identities[0]] if identities else None

    @cached_property
    def without_minority(self) -> list[str]:
        """Panels, or some of their ratios, of which no class is a minority, so that there is nothing to augment."""
        runs = self.evidence.runs
        bare = {
            scenario
            for scenario, identity in zip(runs["scenario"], runs["identity"], strict=True)
            if not self.evidence.records[identity]["data"]["minority"]
        }
        labels: list[str] = []
        for panel in self.panels:
            scenarios = self.scenarios_of(panel)
            without = [scenario for scenario in scenarios if scenario in bare]
            labels += [panel.label] if len(without) == len(scenarios) else [f"{panel} ({each.at})" for each in without]
        return labels

    def over_splits(self, scenario: Scenario) -> str:
        """Say what the numbers of a scenario are means of."""
        configs = [record["config"] for record in self.records_of(scenario).values()]
        most = max((len(config["seeds"]) * config["n_folds"] for config in configs), default=0)
        return "one split" if most == 1 else "means over splits"


def of_scenarios(rows: pd.DataFrame, scenarios: Sequence[Scenario]) -> pd.DataFrame:
    """The rows of some scenarios; of a table that knows none, all."""
    return rows[rows["scenario"].isin(scenarios)].reset_index(drop=True) if "scenario" in rows else rows
