"""All that the evidence says, compared: tables, ranks, gaps and the verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from synaug.comparison import ranking, stats
from synaug.comparison.evidence import LABELS, Evidence
from synaug.comparison.verdict import Verdict, verdict
from synaug.errors import UserError
from synaug.scores import metrics as known_metrics

# The first is what the verdict speaks of. On balanced test folds it is the paper's accuracy.
METRICS = ("balanced_accuracy", "accuracy", "f1_macro", "minority_recall", "log_loss")
ROPE = 0.01


@dataclass(frozen=True)
class Comparison:
    """Methods compared within blocks and across them.

    Attributes
    ----------
    metrics
        Names; the first is the one that the verdict speaks of.
    tables
        By metric, `synaug.comparison.stats.compare`'s frame, and `by_fallback`: the share of the augmenter's rows
        that a fallback made, NaN where it made none and of `picked`.
    values
        By metric, the members' scores with the methods that `synaug.comparison.stats.with_choices` adds.
    rankings
        By metric, `synaug.comparison.ranking.rank` of the augmenters under argmax and of the free remedy, over the
        blocks in which there was something to augment.
    gaps
        What is not there to be compared: `block`, `augmenter`, `loss`, `missing` (members), `reason`.
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


def compare(
    evidence: Evidence, metrics: Sequence[str] | None = None, rope: float = ROPE, mixed: bool = False
) -> Comparison:
    """Compare every method with both references in every block.

    Parameters
    ----------
    metrics
        Names of `synaug.scores.metrics.METRICS`; None for `METRICS`.
    rope
        Differences up to it are of no practical importance.
    mixed
        Compare runs of different versions of the code all the same.

    Raises
    ------
    UserError
        If a metric is unknown, if `rope` is not positive, or if versions are mixed and `mixed` is not set.
    """
    chosen = tuple(metrics or METRICS)
    unknown = [name for name in chosen if name not in known_metrics.METRICS]
    if unknown:
        raise UserError(f"{unknown[0]!r} is no metric: choose among {', '.join(known_metrics.METRICS)}")
    if not rope > 0:
        raise UserError(f"rope={rope} must be positive, e.g. 0.01 for one point")
    versions = evidence.code_versions()
    if len(versions) > 1 and not mixed:
        raise UserError(_mixed(versions))
    datasets = dict(zip(evidence.runs["block"], evidence.runs["content"], strict=True))
    idle = evidence.idle_blocks()
    by_fallback = evidence.runs.groupby(["block", "augmenter"])["by_fallback"].mean()
    tables, values, rankings = {}, {}, {}
    for metric in chosen:
        better = metric not in known_metrics.LOSSES
        values[metric] = stats.with_choices(*evidence.members(metric), higher_is_better=better)
        compared = stats.compare(values[metric], higher_is_better=better, rope=rope)
        own = by_fallback.reindex(pd.MultiIndex.from_frame(compared[["block", "augmenter"]]))
        tables[metric] = compared.assign(by_fallback=own.to_numpy())
        ranked = headline_values(values[metric][~values[metric]["block"].isin(idle)])
        rankings[metric] = ranking.rank(ranked, datasets, higher_is_better=better)
    gaps = find_gaps(evidence)
    words = verdict(evidence, chosen[0], tables[chosen[0]], values[chosen[0]], rankings[chosen[0]], gaps, rope)
    return Comparison(chosen, tables, values, rankings, gaps, words, rope)


def _mixed(versions: dict[str, list[str]]) -> str:
    named = "; ".join(f"{len(runs)} of {version} (e.g. {runs[0]})" for version, runs in versions.items())
    return (
        f"the runs were made by {len(versions)} versions of the code, whose numbers may differ: {named}: "
        "run the older ones again with force=true, or compare them all the same with --mixed"
    )


def headline_values(members: pd.DataFrame) -> pd.DataFrame:
    """Mean scores `[block, method]` of what the paper compares (argmax everywhere) and of the free remedy."""
    argmax = members[members["decision"] == "argmax"]
    names = (argmax["augmenter"].astype(str) + " " + argmax["loss"].astype(str)).str.strip()
    free = members[(members["augmenter"] == "none") & (members["decision"] == "chosen")]
    both = pd.concat([argmax.assign(method=names), free.assign(method="free remedy")])
    wide = both.groupby(["block", "method"], observed=True)["value"].mean().unstack()
    order = [*dict.fromkeys(names), "free remedy"]
    return wide.reindex(columns=[name for name in order if name in wide])


def find_gaps(evidence: Evidence) -> pd.DataFrame:
    """Find what a block lacks of the methods and members that others have."""
    rows = []
    runs = evidence.runs
    methods = runs[["augmenter", "loss"]].drop_duplicates()
    counted = evidence.validation[[*LABELS, "seed", "fold"]].drop_duplicates()
    counts = counted.groupby(list(LABELS), observed=True).size()
    most = counts.groupby("block", observed=True).max()
    for block, own in runs.groupby("block", sort=False):
        present = set(zip(own["augmenter"], own["loss"], strict=True))
        for augmenter, loss in methods.itertuples(index=False):
            if (augmenter, loss) not in present:
                rows.append((block, augmenter, loss, most[block], _reason(evidence, own.iloc[0], augmenter)))
            elif counts[block, augmenter, loss] < most[block]:
                missing = most[block] - counts[block, augmenter, loss]
                rows.append((block, augmenter, loss, missing, "fewer seeds or folds than the others of its block"))
    return pd.DataFrame(rows, columns=[*LABELS, "missing", "reason"])


def _reason(evidence: Evidence, run: pd.Series, augmenter: str) -> str:
    record = evidence.records[run["identity"]]
    choices = record["choices"] | {"augmenter": augmenter.split(" ")[0]}
    beginning = "-".join([*choices.values(), ""])  # of the name of its folder
    failed = [each["sentence"] for each in evidence.failures if _is_of(each, beginning, record["config"])]
    if not failed:
        return "not run"
    of = "" if " " not in augmenter else f", with these settings or others of {augmenter.split(' ')[0]}"
    return f"failed{of}: {failed[0]}"


def _is_of(failure: Mapping[str, Any], beginning: str, config: Mapping[str, Any]) -> bool:
    """Whether a run that failed is of a block, by its name and, as all own files have one, by the file's."""
    if not failure["run"].startswith(beginning):
        return False
    asked = dict(each.lstrip("+").split("=", 1) for each in failure["overrides"] if "=" in each)
    own = config.get("dataset", {})
    names = [name for name in ("path", "name") if f"dataset.{name}" in asked and own.get(name) is not None]
    return all(asked[f"dataset.{name}"].strip("'\"") == str(own[name]) for name in names)
