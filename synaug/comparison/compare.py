"""All that the evidence says, compared: tables, ranks, gaps and the verdict."""

import html
from collections import defaultdict
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from synaug.comparison import evidence as evidences
from synaug.comparison import exchange as exchanges
from synaug.comparison import ranking, stats
from synaug.comparison.choices import KEY, SPLIT, choose, with_choices
from synaug.comparison.evidence import LABELS, Evidence
from synaug.comparison.formatting import class_metric
from synaug.comparison.labels import (
    ARGMAX,
    BASELINE,
    BEST_WITHOUT_SYNTHESIS,
    CHOSEN,
    METHOD,
    PICKED,
    Method,
    as_text,
    methods_of,
)
from synaug.comparison.layout import Verdict
from synaug.comparison.significance import ROPE as ROPE
from synaug.comparison.verdict import NOTHING_SMALLER, verdict
from synaug.errors import UserError
from synaug.scores import metrics as known_metrics
from synaug.settings import did_you_mean, is_number, written

# The first is what the verdict speaks of. On balanced test folds it is the paper's accuracy.
DEFAULT_METRICS = ("balanced_accuracy", "accuracy", "f1_macro", "minority_recall", "log_loss")
CALIBRATION_METRICS = ("log_loss", "brier_score", "calibration_error")
FIRST_COLUMNS = [
    "scenario",
    "method",
    "reference",
    "value",
    "reference_value",
    "gain",
    "low",
    "high",
    "p_holm",
    "outcome",
    "family",
]
NOT_RUN = "not run"
# What stands beside every gain, and of the reference `reference_minority_recall`, ….
MINORITY = ("recall", "precision")


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """Methods compared within scenarios and across them.

    Attributes
    ----------
    metrics
        Names; the first is the one that the verdict speaks of.
    tables
        By metric, `synaug.comparison.stats.compare`'s frame, and `by_fallback`: the share of the augmenter's rows
        that a fallback made, NaN where it made none and of the best of several methods; `minority_recall` and
        `minority_precision`, the means over the minority classes and the splits that the gain is over, and the
        reference's, `reference_minority_recall`, ….
    values
        By metric, the splits' scores with the methods that `synaug.comparison.choices.with_choices` adds.
    choices
        What was chosen for each split, and by which out-of-fold loss: `synaug.comparison.choices.choose`'s frame.
    calibration
        Of log loss, Brier score and expected calibration error (column `metric`), `synaug.comparison.stats.compare`'s
        rows of methods with their chosen rules.
    rankings
        By metric, `synaug.comparison.ranking.rank` of the baseline, the best without synthesis and the methods with
        synthesis under their chosen rules, over the scenarios in which there was something to augment.
    gaps
        What is not there to be compared: `scenario`, `augmenter`, `loss`, `missing` (splits), `reason`.
    verdict
        In words.
    rope
        Half the width of the region of practical equivalence, in the metric's own unit.
    exchange
        What each method is worth in real minority rows, by the first metric, in scenarios of at least four ratios:
        `synaug.comparison.exchange.exchange`'s frame.
    """

    metrics: tuple[str, ...]
    tables: dict[str, pd.DataFrame]
    values: dict[str, pd.DataFrame]
    choices: pd.DataFrame
    calibration: pd.DataFrame
    rankings: dict[str, ranking.Ranking]
    gaps: pd.DataFrame
    verdict: Verdict
    rope: float
    exchange: pd.DataFrame

    @property
    def table(self) -> pd.DataFrame:
        """The first metric's table for reading and for files, names as text.

        One row for each scenario, method and reference: what the method gains over the baseline, or over the best
        without synthesis, with the interval, Holm's p and the outcome; then all else that
        `synaug.comparison.stats.compare` tells.
        """
        rows = self.tables[self.metrics[0]]
        rows = as_text(rows.assign(method=methods_of(rows)))
        return rows[[*FIRST_COLUMNS, *(name for name in rows.columns if name not in FIRST_COLUMNS)]]

    def __repr__(self) -> str:
        return f"<Comparison by {', '.join(self.metrics)}: {self.verdict.headline}>"

    def _repr_html_(self) -> str:
        table = self.table[FIRST_COLUMNS].to_html(index=False, max_rows=20, float_format="{:.3g}".format)
        return f"<pre>{html.escape(str(self.verdict))}</pre>{table}"


def compare_folders(
    *folders: str | Path, metric: str | Sequence[str] | None = None, rope: float = ROPE, mixed: bool = False
) -> Comparison:
    """Compare all runs below some folders, as ``synaug report`` does.

    Parameters
    ----------
    folders
        Of experiments that have run, e.g. ``"multirun/mine"``.
    metric
        A name of `synaug.scores.metrics.METRICS` or of a score of one class, e.g. ``f1[spam]``; or several, of
        which the verdict speaks of the first.
    rope
        Differences up to it are of no practical importance.
    mixed
        Compare runs of different versions of the code all the same.

    Returns
    -------
    Comparison
        With `verdict`, to be printed, and `table`, a DataFrame.

    Raises
    ------
    UserError
        If there is no run below the folders, if a metric is unknown or no run has it, if `rope` is no size that a
        difference can have, or if versions are mixed and `mixed` is not set.
    """
    metrics = (metric,) if isinstance(metric, str) else None if metric is None else tuple(metric)
    return compare(evidences.read(folders), metrics, rope, mixed)


def compare(
    evidence: Evidence, metrics: Sequence[str] | None = None, rope: float = ROPE, mixed: bool = False
) -> Comparison:
    """Compare every method with both references in every scenario.

    Parameters
    ----------
    metrics
        Names of `synaug.scores.metrics.METRICS` or of scores of one class, e.g. ``f1[spam]``; None for
        `DEFAULT_METRICS`.
    rope
        Differences up to it are of no practical importance.
    mixed
        Compare runs of different versions of the code all the same.

    Raises
    ------
    UserError
        If a metric is unknown or no run has it, if `rope` is no size that a difference can have, or if versions are
        mixed and `mixed` is not set.
    """
    check_metrics(metrics or DEFAULT_METRICS)
    check_rope(rope)
    _check_recorded(metrics or (), evidence)
    chosen = tuple(dict.fromkeys(metrics or DEFAULT_METRICS))
    versions = evidence.code_versions()
    if len(versions) > 1 and not mixed:
        raise UserError(_mixed(versions))
    contents = evidence.contents()
    idle = evidence.idle_scenarios()
    choices = choose(evidence.out_of_fold())
    minority = _of_minority(evidence, choices)
    by_fallback = evidence.runs.groupby(["scenario", "augmenter"])["by_fallback"].mean()
    tables, values, rankings = {}, {}, {}
    for metric in chosen:
        better = metric not in known_metrics.LOSSES
        values[metric] = with_choices(evidence.scores_of(metric), choices)
        compared = stats.compare(values[metric], higher_is_better=better, rope=rope, within=stats.gain_range(metric))
        beside = stats.means_beside(values[metric], minority)
        compared = compared.merge(beside, on=["scenario", *METHOD, "reference"], how="left")
        tables[metric] = compared.join(by_fallback, on=["scenario", "augmenter"])
        ranked = headline_values(values[metric][~values[metric]["scenario"].isin(idle)])
        rankings[metric] = ranking.rank(ranked, contents, higher_is_better=better)
    calibration = _calibration(evidence, choices, rope)
    gaps = find_gaps(evidence)
    words = verdict(
        evidence, chosen[0], tables[chosen[0]], values[chosen[0]], choices, calibration, rankings[chosen[0]], gaps, rope
    )
    worth = exchanges.exchange(
        evidence, values[chosen[0]], chosen[0], higher_is_better=chosen[0] not in known_metrics.LOSSES
    )
    return Comparison(chosen, tables, values, choices, calibration, rankings, gaps, words, rope, worth)


def _of_minority(evidence: Evidence, choices: pd.DataFrame) -> pd.DataFrame:
    """Minority recall and precision of each method and split: `KEY`, `minority_recall`, `minority_precision`."""
    recall, precision = (
        with_choices(evidence.minority_scores(metric), choices)[[*KEY, "value"]].rename(
            columns={"value": f"minority_{metric}"}
        )
        for metric in MINORITY
    )
    return recall.merge(precision, on=KEY)


def _calibration(evidence: Evidence, choices: pd.DataFrame, rope: float) -> pd.DataFrame:
    """How well probabilities fit under the chosen rules, as balancing classes is said to harm that."""
    compared = []
    for metric in CALIBRATION_METRICS:
        values = with_choices(evidence.scores_of(metric), choices)
        shown = values[(values["decision"] == CHOSEN) | (methods_of(values) == BASELINE)]
        within = stats.gain_range(metric)
        compared.append(stats.compare(shown, higher_is_better=False, rope=rope, within=within).assign(metric=metric))
    return pd.concat(compared, ignore_index=True)


def check_metrics(names: Sequence[str]) -> None:
    """Refuse names that are no metric's.

    Raises
    ------
    UserError
        Of the first such name.
    """
    for name in names:
        if name not in known_metrics.METRICS and class_metric(str(name)) is None:
            near = did_you_mean(str(name), known_metrics.METRICS, "")
            known = f"{', '.join(known_metrics.METRICS)}; of one class, e.g. f1[spam]"
            raise UserError(f"{name!r} is no metric{near} (known: {known})")


def check_rope(rope: float) -> None:
    """Refuse what is no size that a difference can have.

    Raises
    ------
    UserError
        If it is not above 0, and at most 1.
    """
    if not is_number(rope) or not 0 < rope <= 1:
        raise UserError(
            f"rope={written(rope)} must be positive, and at most 1: 0.01 is one point, or 0.01 nats of a loss"
        )


def _check_recorded(asked: Sequence[str], evidence: Evidence) -> None:
    """Refuse metrics that no run has; the mean recall of the minority has no score where no class is smaller."""
    recorded = list(evidence.scores["metric"][evidence.scores["class"].isna()].unique())
    classes = dict.fromkeys(name for record in evidence.records.values() for name in record["data"]["class_names"])
    for name in asked if recorded else ():
        of_class = class_metric(name)
        if of_class is None and name not in recorded:
            why = f" ({NOTHING_SMALLER})" if name == "minority_recall" else ""
            raise UserError(f"no run has {name}{why}: choose among {', '.join(sorted(recorded))}")
        if of_class is not None and of_class[1] not in classes:
            near = did_you_mean(of_class[1], classes, "")
            raise UserError(f"{name}: no run has a class {of_class[1]!r}{near} (known: {_first(list(classes))})")


def _first(names: Sequence[str], most: int = 20) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _mixed(versions: dict[str, list[str]]) -> str:
    named = "; ".join(f"{len(runs)} of {version} (e.g. {runs[0]})" for version, runs in versions.items())
    return (
        f"the runs were made by {len(versions)} versions of the code, whose numbers may differ: {named}: "
        "run the older ones again with force=true, or compare them all the same with --mixed (in Python: mixed=True)"
    )


def headline_values(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean scores `[scenario, method]` of the baseline, the best without synthesis, and each method with synthesis.

    The last have their rules chosen, as the best without synthesis has: none is handicapped. Means are over the splits
    that all of these methods of the scenario have; a scenario without such a split is left out.
    """
    methods = methods_of(scores)
    ranked = (scores["decision"] == CHOSEN) & scores["with_synthesis"] & ~scores["augmenter"].isin(PICKED)
    references = [BASELINE, BEST_WITHOUT_SYNTHESIS]
    shown = scores[ranked | methods.isin(references)].astype({"scenario": object})
    shown = shown.assign(method=methods).dropna(subset="value")
    n_methods = shown.groupby(["scenario", *SPLIT])["method"].transform("size")
    common = shown[n_methods == shown.groupby("scenario")["method"].transform("nunique")]
    wide = common.groupby(["scenario", "method"])["value"].mean().unstack()
    order: list[Method] = [*references, *dict.fromkeys(methods[ranked])]
    return wide.reindex(columns=[method for method in order if method in wide])


def find_gaps(evidence: Evidence) -> pd.DataFrame:
    """Find what a scenario lacks of the methods and splits that others have.

    Methods are those that were run with the scenario's classifier, or failed with it: one that stands beside as a
    reference needs no others.
    """
    rows = []
    runs = evidence.runs
    methods = runs[["augmenter", "loss"]].drop_duplicates()
    of_classifier: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for classifier, augmenter, loss in runs[["classifier", "augmenter", "loss"]].itertuples(index=False):
        of_classifier[classifier].add((augmenter, loss))
    rows_of = evidence.scores.loc[evidence.scores["decision"] == ARGMAX, [*LABELS, "seed", "fold"]].drop_duplicates()
    splits = {
        key: set(zip(part["seed"], part["fold"], strict=True))
        for key, part in rows_of.groupby(list(LABELS), observed=True)
    }
    for scenario, part in runs.groupby("scenario", sort=False):
        all_of_them = set().union(
            *(splits.get(key, ()) for key in part[list(LABELS)].itertuples(index=False, name=None))
        )
        present = set(zip(part["augmenter"], part["loss"], strict=True))
        for augmenter, loss in methods.itertuples(index=False):
            if (augmenter, loss) not in present:
                reason = _reason(evidence, part.iloc[0], augmenter, loss)
                if reason != NOT_RUN or (augmenter, loss) in of_classifier[part["classifier"].iloc[0]]:
                    rows.append((scenario, augmenter, loss, len(all_of_them), reason))
            elif missing := all_of_them - (own := splits.get((scenario, augmenter, loss), set())):
                rows.append((scenario, augmenter, loss, len(missing), _lacks(missing, own)))
    return pd.DataFrame(rows, columns=[*LABELS, "missing", "reason"])


def _lacks(missing: Set[tuple[int, int]], present: Set[tuple[int, int]]) -> str:
    """What the missing splits are: seeds, which the same command with them adds, or folds of seeds that are there."""
    seeds = sorted({seed for seed, _ in missing} - {seed for seed, _ in present})
    if not seeds:
        return "lacks folds that others of its scenario have"
    return f"lacks seed{'' if len(seeds) == 1 else 's'} {', '.join(map(str, seeds))}, which others of its scenario have"


def _reason(evidence: Evidence, run: "pd.Series[Any]", augmenter: str, loss: str) -> str:
    """Why a scenario lacks a method, told by the choices that a failed run kept."""
    options = evidence.runs.loc[(evidence.runs["augmenter"] == augmenter) & (evidence.runs["loss"] == loss)].iloc[0]
    record = evidence.records[run["identity"]]
    wanted = record["choices"] | {"augmenter": options["augmenter_option"]}
    if "loss" in wanted:
        wanted["loss"] = options["loss_option"]
    failed = [each["sentence"] for each in evidence.failures if _is_of(each, wanted, record["config"])]
    if not failed:
        return NOT_RUN
    of = ""
    if wanted["augmenter"] != augmenter:
        of = f", with these settings or others of {wanted['augmenter']}"
    return f"failed{of}: {failed[0]}"


def _is_of(failure: Mapping[str, Any], choices: Mapping[str, str], config: Mapping[str, Any]) -> bool:
    """Whether a run that failed has these choices and, as all own files share one, the file's path and name."""
    if failure["choices"] != dict(choices):
        return False
    dataset = config.get("dataset", {})
    own = failure.get("dataset") or {}
    return all(dataset.get(name) == own.get(name) for name in ("path", "name"))
