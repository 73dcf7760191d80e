"""Needs that no run has recorded, served from the log probabilities that runs kept: nothing is trained.

Each need chooses its decision in each split, on that split's out-of-fold rows, and is judged on its test rows. All of
it is at the class frequencies of the data set (`synaug.scores.needs`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synaug import record as records
from synaug.comparison.estimate import range_of_measure
from synaug.comparison.evidence import Evidence
from synaug.comparison.labels import NO_AUGMENTER
from synaug.comparison.stats import corrected_t_test, intervals
from synaug.errors import UserError
from synaug.report import kept, own_rules
from synaug.report.kept import KeptSplit
from synaug.scores import metrics
from synaug.scores.abstaining import area_under_risk, judged_without_abstained
from synaug.scores.needs import Decision, Need, read_need
from synaug.scores.prior_correction import prior_correction
from synaug.scores.thresholds import confusion
from synaug.settings import did_you_mean

Array = NDArray[np.float64]

LIKELIEST = "likeliest class"
OF_NEEDS = {
    "scenario": "what methods are compared in",
    "augmenter, loss": "what trained; an empty loss is the plain one. The baseline and the best without and with "
    "synthesis decide by their own rules, and not by the need",
    "need": "what was asked for, as it was given; its threshold was chosen in each split on out-of-fold rows",
    "measure": "what was measured on test rows; the cost of a row is in the unit of the costs given, and precision "
    "and cost are at the class frequencies of the test rows",
    "asked": "the least that was asked of it; empty where nothing was",
    "mean, low, high": "mean over splits, and its interval (Nadeau and Bengio 2003; t, 95 %), of this one mean alone",
    "kept": "share of splits whose test rows have what was asked; 1 is every split; those without a test row of the "
    "class are left out",
    "reached": "share of splits whose out-of-fold rows have a threshold that gives what was asked; in the others the "
    "nearest was taken, and with no out-of-fold row of the class, no threshold was chosen; empty under their own rules",
    "threshold": "of two classes, the probability from which the class that the need names (of a matrix and a metric "
    "of all classes, the second) is decided for, at the data set's class frequencies; mean over splits",
    "gain, gain_low, gain_high": "mean over splits of the difference from no augmentation with the plain loss under "
    "the same need, and its interval, not corrected for the number of methods; empty for that method itself",
    "splits": "how many the mean is over",
}
OF_ABSTAINING = {
    "scenario": "what methods are compared in",
    "augmenter, loss": "what trained; an empty loss is the plain one",
    "decision": f"what is decided where it does not abstain: for the {LIKELIEST}, or as a need has it",
    "abstain_below": "no class is decided for where the probability of the decided class is below this",
    "coverage, coverage_low, coverage_high": "share of test rows decided on: mean over splits, and its interval "
    "(Nadeau and Bengio 2003; t, 95 %)",
    "risk, risk_low, risk_high": "share of these that are decided wrongly; splits without a decided row are left out",
    "balanced_risk": "mean over classes of the share of a class's decided rows that are decided wrongly",
    "minority_coverage": "share of the minority classes' test rows decided on, mean over these classes",
    "aurc": "area under the curve of risk against coverage (Geifman and El-Yaniv 2017): the mean risk over all "
    "coverages; less is better",
    "splits": "how many the means are over",
}
KEY = ["scenario", "augmenter", "loss"]


@dataclass(frozen=True)
class Later:
    """What was asked for later, and what it gave in each split.

    Attributes
    ----------
    needs
        As given.
    served
        One row a run, split, need and measure: `scenario`, `augmenter`, `loss`, `need`, `measure`, `asked`, `seed`,
        `fold`, `n_folds`, `value`, `reached`, `threshold`.
    own
        The same of the baseline and of what is picked as best, each under its own rule.
    abstained
        One row a run, split, decision and level: `scenario`, `augmenter`, `loss`, `decision`, `abstain_below`, `seed`,
        `fold`, `n_folds`, `coverage`, `risk`, `balanced_risk`, `minority_coverage`, `aurc`.
    """

    needs: Sequence[Need] = ()
    served: pd.DataFrame = field(default_factory=pd.DataFrame)
    abstained: pd.DataFrame = field(default_factory=pd.DataFrame)
    own: pd.DataFrame = field(default_factory=pd.DataFrame)

    @cached_property
    def needs_table(self) -> pd.DataFrame:
        """Means over splits, with intervals: columns as in `OF_NEEDS`."""
        if self.served.empty:
            return pd.DataFrame()
        by = [*KEY, "need", "measure"]
        is_first = (self.served["augmenter"] == NO_AUGMENTER) & (self.served["loss"] == "")
        first = self.served[is_first].set_index(["scenario", "need", "measure", "seed", "fold"])["value"]
        rows = []
        for key, of in pd.concat([self.own, self.served], ignore_index=True).groupby(by, observed=True, sort=False):
            asked = of["asked"].iloc[0]
            least, most = range_of_measure(str(key[-1]))
            place = pd.MultiIndex.from_frame(of[["scenario", "need", "measure", "seed", "fold"]])
            gains = of["value"].to_numpy() - first.reindex(place).to_numpy()
            if key[1:3] == (NO_AUGMENTER, ""):  # which is what the others are compared with
                gains = np.full(len(of), np.nan)
            rows.append(
                [
                    *key,
                    asked,
                    *_mean(of["value"], of["n_folds"], least, most),
                    np.nan if np.isnan(asked) else _kept(of["value"], asked),
                    float(of["reached"].astype(float).mean()),
                    float(of["threshold"].mean()),
                    *_mean(pd.Series(gains), of["n_folds"], least - most, most - least),
                    int(of["value"].notna().sum()),
                ]
            )
        return pd.DataFrame(rows, columns=[name for names in OF_NEEDS for name in names.split(", ")])

    @cached_property
    def abstaining_table(self) -> pd.DataFrame:
        """Means over splits, with intervals: columns as in `OF_ABSTAINING`."""
        if self.abstained.empty:
            return pd.DataFrame()
        rows = []
        for key, of in self.abstained.groupby([*KEY, "decision", "abstain_below"], observed=True, sort=False):
            means = [float(of[name].mean()) for name in ("balanced_risk", "minority_coverage", "aurc")]
            ends = [each for name in ("coverage", "risk") for each in _mean(of[name], of["n_folds"])]
            rows.append([*key, *ends, *means, len(of)])
        return pd.DataFrame(rows, columns=[name for names in OF_ABSTAINING for name in names.split(", ")])


def _kept(values: "pd.Series[float]", asked: float) -> float:
    """Share of the splits that have what was asked; those without a row to judge it by are left out."""
    known = values.dropna()
    return float((known >= asked - 1e-9).mean()) if len(known) else np.nan


def _mean(
    values: "pd.Series[float]", n_folds: "pd.Series[int]", least: float = 0.0, most: float = 1.0
) -> tuple[float, float, float]:
    """Mean over splits and its corrected interval, within a range; splits without a value are left out."""
    known = values.to_numpy(np.float64)
    known = known[~np.isnan(known)]
    if not len(known):
        return np.nan, np.nan, np.nan
    found = corrected_t_test(known, int(n_folds.iloc[0]))
    low, high = map(float, intervals(found.mean, found.error, len(known), within=(least, most)))
    return float(found.mean), low, high


def judge(evidence: Evidence, needs: Sequence[Need], abstain: Sequence[float] = ()) -> tuple[Evidence, Later]:
    """Serve needs by every run that has their classes, and add the scores of their decisions to those recorded.

    Raises
    ------
    UserError
        If no run has a class, two needs of one name differ, or a run's log probabilities are gone or are others than
        were recorded.
    """
    if not needs and not abstain:
        return evidence, Later()
    _check(evidence, needs)
    labels = list(evidence.scores.columns[: evidence.scores.columns.get_loc("seed")])
    first = evidence.scores.drop_duplicates("identity").set_index("identity", drop=False)[labels]
    parts, served, abstained = [evidence.scores], [], []
    for identity, folder in zip(evidence.runs["identity"], evidence.runs["folder"], strict=True):
        record = evidence.records[identity]
        names = record["data"]["class_names"]
        wanted = [need for need in needs if set(need.classes) <= set(names)]
        if not wanted and not abstain:
            continue
        scores: list[tuple[Any, ...]] = []
        of_run = {**first.loc[identity][KEY].to_dict(), "n_folds": record["config"]["n_folds"]}
        for split in kept.splits(Path(folder), record):
            minority = [*map(names.index, record["data"]["minority_by_seed"][str(split.seed)])]
            decisions = [need.choose(split.known, names, split.frequencies) for need in wanted]
            where = {**of_run, "seed": split.seed, "fold": split.fold}
            for need, decision in zip(wanted, decisions, strict=True):
                for metric, label, value in _scores(split, decision, minority):
                    name = None if label is None else names[label]
                    scores.append((split.seed, split.fold, decision.name, metric, name, float(value)))
                served += [{**where, **row} for row in _served(split, need, decision, names)]
            if abstain:
                abstained += [
                    {**where, **row} for row in _abstained(split, [_likeliest(split), *decisions], abstain, minority)
                ]
        if scores:
            scored = pd.DataFrame(scores, columns=[*records.SCORE_COLUMNS])
            parts.append(scored.assign(**first.loc[identity].to_dict())[[*evidence.scores.columns]])
    # What is concatenated of other categories is text; a million rows of it would be slow.
    whole = pd.concat([part.astype(dict.fromkeys(_text(part), object)) for part in parts], ignore_index=True)
    found = replace(evidence, scores=whole.astype(dict.fromkeys(_text(evidence.scores), "category")))
    own = pd.DataFrame(own_rules.rows(evidence, needs))
    return found, Later(needs, pd.DataFrame(served), pd.DataFrame(abstained), own)


def of_metrics(evidence: Evidence, asked: Sequence[str]) -> list[Need]:
    """The needs behind metrics like ``f1[spam]``, where all runs that have the class kept their log probabilities."""
    needs = [read_need("metric", metric) for metric in asked if metric.startswith("f1[")]
    folders = dict(zip(evidence.runs["identity"], map(Path, evidence.runs["folder"]), strict=True))

    def can_be_served(need: Need) -> bool:
        records = {each: evidence.records[each] for each in folders}
        having = [each for each, record in records.items() if set(need.classes) <= set(record["data"]["class_names"])]
        return bool(having) and all(kept.is_there(folders[each], records[each]) for each in having)

    return [need for need in needs if can_be_served(need)]


def with_rules(evidence: Evidence, needs: Sequence[Need]) -> Evidence:
    """The evidence of `judge` alone."""
    return judge(evidence, needs)[0]


def _check(evidence: Evidence, needs: Sequence[Need]) -> None:
    known = dict.fromkeys(name for record in evidence.records.values() for name in record["data"]["class_names"])
    for name in (name for need in needs for name in need.classes):
        if name not in known:
            raise UserError(f"no run has a class {name!r}{did_you_mean(name, known, '')} (known: {', '.join(known)})")
    by_name: dict[str, Need] = {}
    for need in needs:
        if by_name.setdefault(need.name, need) is not need:
            raise UserError(f"{need.name} is asked for twice: give it once, or files of different names")


def _text(frame: pd.DataFrame) -> list[str]:
    return [str(name) for name in frame if isinstance(frame[name].dtype, pd.CategoricalDtype)]


def _scores(split: KeptSplit, decision: Decision, minority: Sequence[int]) -> Iterator[tuple[str, int | None, float]]:
    """The scores of a decision on test rows."""
    probabilities = decision.probabilities(split.log_probabilities)
    if decision.costs is None:
        yield from metrics.scores(split.labels, probabilities, minority)
        return
    # Under a cost matrix the likeliest class need not be the one decided for: what is of decisions is scored by them.
    decided = np.eye(probabilities.shape[1])[decision.classes(split.log_probabilities)]
    of_probabilities = (*metrics.LOSSES, "auroc_macro", "auprc_macro")
    for wanted, by in ((False, decided), (True, probabilities)):
        for metric, label, value in metrics.scores(split.labels, by, minority):
            if (metric in of_probabilities) is wanted:
                yield metric, label, value


def _served(split: KeptSplit, need: Need, decision: Decision, class_names: Sequence[str]) -> Iterator[dict[str, Any]]:
    """What a need gave on a split's test rows, measure by measure."""
    decided = decision.classes(split.log_probabilities)
    same = {"need": need.name, "reached": decision.reached, "threshold": _threshold(split, need, decision, class_names)}
    if need.kind == "abstain":
        judged = judged_without_abstained(split.labels, decided, ())
        yield from ({**same, "measure": name, "asked": np.nan, "value": judged[name]} for name in ("coverage", "risk"))
        return
    matrix = confusion(split.labels, decided, len(class_names))
    for measure, asked, value in need.measures(matrix, class_names):
        yield {**same, "measure": measure, "asked": asked, "value": value}


def _threshold(split: KeptSplit, need: Need, decision: Decision, class_names: Sequence[str]) -> float:
    """Of two classes, the probability at the data set's frequencies from which the need's class is decided for."""
    if len(class_names) != 2 or decision.offset is None:
        return np.nan
    label = [*class_names].index(need.classes[0]) if need.classes and need.matrix is None else 1
    odds = decision.offset - prior_correction(split.known.target, split.frequencies)
    if decision.costs is not None:
        gained = decision.costs - np.diag(decision.costs)[:, None]
        with np.errstate(divide="ignore"):
            odds = odds + np.log(gained.sum(1))
    return float(1 / (1 + np.exp(odds[label] - odds[1 - label])))


def _likeliest(split: KeptSplit) -> Decision:
    return Decision(LIKELIEST, prior_correction(split.known.target, split.frequencies))


def _abstained(
    split: KeptSplit, decisions: Sequence[Decision], levels: Sequence[float], minority: Sequence[int]
) -> Iterator[dict[str, Any]]:
    for decision in decisions:
        probabilities = decision.probabilities(split.log_probabilities)
        decided = replace(decision, abstain_below=None).classes(split.log_probabilities)
        confidence = probabilities[np.arange(len(decided)), decided]
        aurc = area_under_risk(confidence, decided == split.labels)
        for level in levels:
            classes = replace(decision, abstain_below=level).classes(split.log_probabilities)
            found = judged_without_abstained(split.labels, classes, minority)
            yield {"decision": decision.name, "abstain_below": level, **found, "aurc": aurc}
