"""All that the evidence says, compared: tables, ranks, gaps and the verdict."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from synaug.comparison import evidence as evidences
from synaug.comparison import ranking, stats
from synaug.comparison.evidence import LABELS, Evidence
from synaug.comparison.labels import ARGMAX, BEST_WITHOUT_SYNTHESIS, Method, as_text, methods_of
from synaug.comparison.significance import ROPE as ROPE
from synaug.comparison.verdict import NOTHING_SMALLER, Verdict, verdict
from synaug.errors import UserError
from synaug.scores import metrics as known_metrics
from synaug.settings import did_you_mean, is_number, written

# The first is what the verdict speaks of. On balanced test folds it is the paper's accuracy.
DEFAULT_METRICS = ("balanced_accuracy", "accuracy", "f1_macro", "minority_recall", "log_loss")
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
]


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """Methods compared within scenarios and across them.

    Attributes
    ----------
    metrics
        Names; the first is the one that the verdict speaks of.
    tables
        By metric, `synaug.comparison.stats.compare`'s frame, and `by_fallback`: the share of the augmenter's rows
        that a fallback made, NaN where it made none and of `picked`.
    values
        By metric, the splits' scores with the methods that `synaug.comparison.stats.with_choices` adds.
    rankings
        By metric, `synaug.comparison.ranking.rank` of the augmenters under argmax and of the best without synthesis,
        over the scenarios in which there was something to augment.
    gaps
        What is not there to be compared: `scenario`, `augmenter`, `loss`, `missing` (splits), `reason`.
    verdict
        In words.
    rope
        Half the width of the region of practical equivalence, in the metric's own unit.
    """

    metrics: tuple[str, ...]
    tables: dict[str, pd.DataFrame]
    values: dict[str, pd.DataFrame]
    rankings: dict[str, ranking.Ranking]
    gaps: pd.DataFrame
    verdict: Verdict
    rope: float

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
    """Compare all runs below some folders, as ``python -m synaug.report`` does.

    Parameters
    ----------
    folders
        Of experiments that have run, e.g. ``"multirun/mine"``.
    metric
        A name of `synaug.scores.metrics.METRICS`, or several, of which the verdict speaks of the first.
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
        Names of `synaug.scores.metrics.METRICS`; None for `DEFAULT_METRICS`.
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
    contents = dict(zip(evidence.runs["scenario"], evidence.runs["content"], strict=True))
    idle = evidence.idle_scenarios()
    by_fallback = evidence.runs.groupby(["scenario", "augmenter"])["by_fallback"].mean()
    tables, values, rankings = {}, {}, {}
    for metric in chosen:
        better = metric not in known_metrics.LOSSES
        values[metric] = stats.with_choices(*evidence.scores_of(metric), higher_is_better=better)
        compared = stats.compare(values[metric], higher_is_better=better, rope=rope)
        tables[metric] = compared.join(by_fallback, on=["scenario", "augmenter"])
        ranked = headline_values(values[metric][~values[metric]["scenario"].isin(idle)])
        rankings[metric] = ranking.rank(ranked, contents, higher_is_better=better)
    gaps = find_gaps(evidence)
    words = verdict(evidence, chosen[0], tables[chosen[0]], values[chosen[0]], rankings[chosen[0]], gaps, rope)
    return Comparison(chosen, tables, values, rankings, gaps, words, rope)


def check_metrics(names: Sequence[str]) -> None:
    """Refuse names that are no metric's.

    Raises
    ------
    UserError
        Of the first such name.
    """
    for name in names:
        if name not in known_metrics.METRICS:
            near = did_you_mean(str(name), known_metrics.METRICS, "")
            raise UserError(f"{name!r} is no metric{near} (known: {', '.join(known_metrics.METRICS)})")


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
    for name in asked if recorded else ():
        if name not in recorded:
            why = f" ({NOTHING_SMALLER})" if name == "minority_recall" else ""
            raise UserError(f"no run has {name}{why}: choose among {', '.join(sorted(recorded))}")


def _mixed(versions: dict[str, list[str]]) -> str:
    named = "; ".join(f"{len(runs)} of {version} (e.g. {runs[0]})" for version, runs in versions.items())
    return (
        f"the runs were made by {len(versions)} versions of the code, whose numbers may differ: {named}: "
        "run the older ones again with force=true, or compare them all the same with --mixed (in Python: mixed=True)"
    )


def headline_values(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean scores `[scenario, method]` of what the paper compares, argmax, and of the best without synthesis."""
    methods = methods_of(scores)
    argmax = scores["decision"] == ARGMAX
    shown = scores[argmax | (methods == BEST_WITHOUT_SYNTHESIS)].astype({"scenario": object})
    wide = shown.assign(method=methods).groupby(["scenario", "method"])["value"].mean().unstack()
    order: list[Method] = [*dict.fromkeys(methods[argmax]), BEST_WITHOUT_SYNTHESIS]
    return wide.reindex(columns=[method for method in order if method in wide])


def find_gaps(evidence: Evidence) -> pd.DataFrame:
    """Find what a scenario lacks of the methods and splits that others have."""
    rows = []
    runs = evidence.runs
    methods = runs[["augmenter", "loss"]].drop_duplicates()
    splits = evidence.scores.loc[evidence.scores["decision"] == ARGMAX, [*LABELS, "seed", "fold"]].drop_duplicates()
    counts = splits.groupby(list(LABELS), observed=True).size().to_dict()
    for scenario, part in runs.groupby("scenario", sort=False):
        most = max(counts.get(key, 0) for key in part[list(LABELS)].itertuples(index=False, name=None))
        present = set(zip(part["augmenter"], part["loss"], strict=True))
        for augmenter, loss in methods.itertuples(index=False):
            if (augmenter, loss) not in present:
                rows.append((scenario, augmenter, loss, most, _reason(evidence, part.iloc[0], augmenter)))
            elif (missing := most - counts.get((scenario, augmenter, loss), 0)) > 0:
                rows.append((scenario, augmenter, loss, missing, "fewer seeds or folds than others of its scenario"))
    return pd.DataFrame(rows, columns=[*LABELS, "missing", "reason"])


def _reason(evidence: Evidence, run: "pd.Series[Any]", augmenter: str) -> str:
    option = dict(zip(evidence.runs["augmenter"], evidence.runs["augmenter_option"], strict=True))[augmenter]
    record = evidence.records[run["identity"]]
    choices = record["choices"] | {"augmenter": option}
    beginning = "-".join([*choices.values(), ""])  # of the name of its folder
    failed = [each["sentence"] for each in evidence.failures if _is_of(each, beginning, record["config"])]
    if not failed:
        return "not run"
    of = "" if augmenter == option else f", with these settings or others of {option}"
    return f"failed{of}: {failed[0]}"


def _is_of(failure: Mapping[str, Any], beginning: str, config: Mapping[str, Any]) -> bool:
    """Whether a run that failed is of a scenario, by its name and, as all own files have one, by the file's."""
    if not failure["run"].startswith(beginning):
        return False
    asked = dict(each.lstrip("+").split("=", 1) for each in failure["overrides"] if "=" in each)
    dataset = config.get("dataset", {})
    names = [name for name in ("path", "name") if f"dataset.{name}" in asked and dataset.get(name) is not None]
    return all(asked[f"dataset.{name}"].strip("'\"") == str(dataset[name]) for name in names)
