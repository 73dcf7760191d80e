"""The comparison in words, none of them stronger than its test."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from synaug.metrics import LOSSES
from synaug.stats import holm

if TYPE_CHECKING:
    from synaug.evidence import Evidence
    from synaug.ranking import Ranking

LEVEL = 0.05
# Of the posterior: as sure as the tests are asked to be.
SURE = 0.95
OUTCOMES = ("better", "worse", "equal", "open")
Outcomes = dict[str, int]


@dataclass(frozen=True)
class Verdict:
    """What is to be said.

    Attributes
    ----------
    headline
        The sentence that decides.
    datasets
        By data set, sentences; the first sums up the others.
    overall
        Sentences about all blocks.
    cautions
        What a reader must know before believing any of it.
    """

    headline: str
    datasets: dict[str, list[str]]
    overall: list[str]
    cautions: list[str]

    def __str__(self) -> str:
        lines = [_filled(self.headline)]
        for dataset, sentences in self.datasets.items():
            lines += ["", dataset, *(_filled(sentence, "  - ") for sentence in sentences)]
        lines += ["", *map(_filled, self.overall)] if self.overall else []
        lines += ["", *(_filled(caution, "! ") for caution in self.cautions)] if self.cautions else []
        return "\n".join(lines)


def _filled(sentence: str, bullet: str = "") -> str:
    return textwrap.fill(sentence, 110, initial_indent=bullet, subsequent_indent=" " * len(bullet))


def verdict(
    evidence: "Evidence",
    metric: str,
    comparisons: pd.DataFrame,
    members: pd.DataFrame,
    ranking: "Ranking",
    gaps: pd.DataFrame,
    rope: float,
) -> Verdict:
    """Put one metric's comparisons into words.

    Parameters
    ----------
    comparisons, members
        `synaug.stats.compare`'s frame, and the frame it was made of.
    """
    blocks = evidence.runs.drop_duplicates("block").set_index("block", drop=False)
    rows = {str(row["block"]): row for _, row in blocks.iterrows()}
    told = {block: part for block, part in comparisons.groupby("block", observed=True) if _has_verdict(part)}
    unit = Unit(metric, rope)
    datasets: dict[str, list[str]] = {}
    for dataset, own in blocks.groupby("dataset", sort=False):
        several = {column for column in ("encoder", "classifier") if len(set(own[column])) > 1}
        each = sorted((block for block in own["block"] if block in told), key=lambda block: _order(rows[block]))
        sentences = [s for block in each for s in _of_block(rows[block], several, told[block], members, unit)]
        if len(each) > 1:
            sentences.insert(0, f"On {dataset}, {_counted([told[block] for block in each])}")
        datasets[str(dataset)] = sentences or [
            "There is nothing to compare: it takes runs of augmenter=none and of an augmenter, of the same settings."
        ]
    tables = list(told.values())
    of_block = dict(zip(blocks["block"], blocks["dataset"], strict=True))
    return Verdict(
        headline=_headline(tables, unit),
        datasets=datasets,
        overall=[*_overall(tables, unit), *_ranks(ranking, of_block, unit)] if tables else [],
        cautions=list(_cautions(evidence, ranking, gaps)),
    )


@dataclass(frozen=True)
class Unit:
    """How a metric's differences are written: shares as points, others as they are."""

    metric: str
    rope: float

    @property
    def name(self) -> str:
        """The metric in words."""
        return self.metric.replace("_", " ")

    def of(self, difference: float) -> str:
        """Write a difference."""
        text = f"{difference:.3f}" if self.metric in LOSSES else f"{100 * difference:.1f}"
        return text.replace("-", "−") if float(text) else text.removeprefix("-")

    def signed(self, difference: float) -> str:
        """Write a difference with its sign."""
        text = self.of(difference)
        return text if text.startswith("−") else f"+{text}"

    @property
    def points(self) -> str:
        """What follows a difference."""
        return "" if self.metric in LOSSES else " points"


def outcome(row: pd.Series) -> str:
    """Tell better and worse by Holm's p, equal by the posterior; what neither tells is open."""
    if row["p_holm"] < LEVEL:
        return "better" if row["gain"] > 0 else "worse"
    return "equal" if row["p_equivalent"] >= SURE else "open"


def words_for_p(p: float) -> str:
    """Write a p-value as a reader wants it."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def _has_verdict(part: pd.DataFrame) -> bool:
    return bool((part["augmenter"] == "picked").any() and (part["reference"] == "free").any())


def _row(part: pd.DataFrame, augmenter: str, reference: str) -> pd.Series:
    found = part[(part["augmenter"] == augmenter) & (part["decision"] == "chosen") & (part["reference"] == reference)]
    return found.iloc[0]


def _order(block: pd.Series) -> tuple[float, str]:
    return (block["ratio"] if np.isfinite(block["ratio"]) else 0.0, str(block["block"]))


def _where(row: pd.Series, several: set[str]) -> str:
    ratio = "its natural imbalance" if not np.isfinite(row["ratio"]) else f"1:{row['ratio']:g}"
    settings = row["block"].split(" · ")[4:]
    if row["imbalance_ratio"].rpartition("_")[2] in ("linear", "exponential"):
        settings.insert(0, row["imbalance_ratio"].rpartition("_")[2])
    named = [str(row[column]) for column in sorted(several)] + settings
    return f"On {row['dataset']} at {ratio}" + (f" ({', '.join(named)})" if named else "")


def _of_block(
    row: pd.Series, several: set[str], part: pd.DataFrame, members: pd.DataFrame, unit: Unit
) -> Iterator[str]:
    where = _where(row, several)
    own = members[(members["block"] == row["block"]) & (members["decision"] == "chosen")]
    free = f"what costs nothing (no augmentation, {_most(own, 'none')})"
    yield (
        f"{where}, the augmenter that validation picks ({_most(own, 'picked')}) "
        f"{_effect(_row(part, 'picked', 'none'), unit, 'no augmentation')}, and "
        f"{_effect(_row(part, 'picked', 'free'), unit, free)}."
    )
    alone = part[(part["decision"] == "argmax") & (part["reference"] == "none") & (part["augmenter"] != "none")]
    fair = part[(part["decision"] == "chosen") & (part["reference"] == "free") & (part["augmenter"] != "picked")]
    yield (
        f"{where}, each augmenter by itself: over no augmentation, argmax for both, {_split(alone, unit)}; "
        f"against what costs nothing, each with its rule chosen on validation, {_split(fair, unit)}."
    )


def _most(own: pd.DataFrame, augmenter: str) -> str:
    """Name what was chosen most often, of `picked` the augmenter, else the decision rule."""
    chosen = own.loc[own["augmenter"] == augmenter, "chosen_from"].astype(str)
    names = chosen.str.rpartition(", ")[0 if augmenter == "picked" else 2]
    counts = names.value_counts()
    return f"{counts.index[0]} in {counts.iloc[0]} of {len(names)} members"


def _effect(row: pd.Series, unit: Unit, other: str) -> str:
    found = outcome(row)
    evidence = f"95 % {unit.of(row['low'])} to {unit.of(row['high'])}, corrected {words_for_p(row['p_holm'])}"
    size = f"{unit.of(abs(row['gain']))}{unit.points} of {unit.name}"
    if found == "better":
        return f"gains {size} over {other} ({evidence})"
    if found == "worse":
        return f"loses {size} to {other} ({evidence})"
    if found == "equal":
        sure = f"within ±{unit.of(unit.rope)} with probability {row['p_equivalent']:.2f}"
        return f"is practically equal to {other} in {unit.name} ({unit.signed(row['gain'])}{unit.points}, {sure})"
    return f"is not shown to differ from {other} in {unit.name} ({unit.signed(row['gain'])}{unit.points}, {evidence})"


def _split(rows: pd.DataFrame, unit: Unit) -> str:
    """Name the methods by outcome with their gains."""
    if rows.empty:
        return "there is nothing to compare"
    found = {name: [] for name in OUTCOMES}  # type: dict[str, list[str]]
    for _, row in rows.sort_values("gain", ascending=False).iterrows():
        label = " ".join(filter(None, (str(row["augmenter"]), str(row["loss"]))))
        found[outcome(row)].append(f"{label} ({unit.signed(row['gain'])})")
    verbs = {"better": "gain", "worse": "lose", "equal": "make no practical difference", "open": "cannot be told apart"}
    single = {"better": "gains", "worse": "loses", "equal": "makes no practical difference"}
    said = [
        f"{', '.join(names)} {single.get(key, verbs[key]) if len(names) == 1 else verbs[key]}"
        for key, names in found.items()
        if names
    ]
    return "; ".join(said)


def _outcomes(tables: Sequence[pd.DataFrame], augmenter: str, reference: str) -> Outcomes:
    found = [outcome(_row(part, augmenter, reference)) for part in tables]
    return {name: found.count(name) for name in OUTCOMES}


def _counted(tables: Sequence[pd.DataFrame]) -> str:
    none, free = _outcomes(tables, "picked", "none"), _outcomes(tables, "picked", "free")
    return (
        f"in {_blocks(len(tables))}, the augmenter that validation picks is, against no augmentation with argmax, "
        f"{_said(none)}; against what costs nothing, {_said(free)}."
    )


def _said(counts: Outcomes) -> str:
    words = {"better": "better", "worse": "worse", "equal": "practically equal", "open": "not told apart"}
    return ", ".join(f"{words[key]} in {n}" for key, n in counts.items() if n)


def _headline(tables: Sequence[pd.DataFrame], unit: Unit) -> str:
    """Count the one question of each block, whose p-values Holm's step-down now corrects over the blocks, too."""
    if not tables:
        return (
            "No verdict: there is no block with both augmenter=none and an augmenter; run both with the same settings."
        )
    rows = pd.DataFrame([_row(part, "picked", "free") for part in tables]).reset_index(drop=True)
    rows["p_holm"] = holm(rows["p_holm"])
    found = rows.apply(outcome, axis=1)
    n, won = len(rows), int((found == "better").sum())
    rest = {"lost": "worse", "made no practical difference": "equal", "could not be told apart": "open"}
    others = "".join(f", {word} in {(found == key).sum()}" for word, key in rest.items() if (found == key).any())
    if not won:
        where = "the only block" if n == 1 else f"any of {n} blocks"
        return (
            f"Synthetic minority embeddings were not shown to beat what costs nothing in {where} "
            f"({others.removeprefix(', ')}): choose the decision rule first."
        )
    median = unit.of(float(rows["gain"][found == "better"].median())) + unit.points
    return (
        f"Synthetic minority embeddings beat what costs nothing in {won} of {n} {'block' if n == 1 else 'blocks'} "
        f"(by {median} of {unit.name} in the median of these){others}."
    )


def _overall(tables: Sequence[pd.DataFrame], unit: Unit) -> Iterator[str]:
    n = len(tables)
    yield f"Over all, {_counted(tables)}"
    free = [_row(part, "none", "none") for part in tables]
    counts = [outcome(row) for row in free]
    mean = float(np.mean([row["gain"] for row in free]))
    yield (
        f"What costs nothing (no augmentation, the decision rule chosen on validation) itself "
        f"{'gains' if mean >= 0 else 'loses'} {unit.of(abs(mean))}{unit.points} of {unit.name} over argmax in the "
        f"mean of {_blocks(n)}, significantly better in {counts.count('better')} and worse in {counts.count('worse')}."
    )


def _blocks(n: int) -> str:
    return "1 block" if n == 1 else f"{n} blocks"


def _ranks(ranking: "Ranking", datasets: Mapping[str, str], unit: Unit) -> Iterator[str]:
    if len(ranking.methods) < 3 or not np.isfinite(ranking.iman_davenport_p):
        return
    listed = ", ".join(f"{name} {rank:.1f}" for name, rank in ranking.mean_ranks.sort_values().items())
    yield (
        f"Mean ranks by {unit.name} over {_blocks(len(ranking.blocks))} (1 is best; argmax, and the free remedy): "
        f"{listed}."
    )
    p = words_for_p(ranking.iman_davenport_p)
    if len({datasets[block] for block in ranking.blocks}) < len(ranking.blocks):
        yield f"Blocks share data sets, so the ranks describe and do not test (Friedman, as if independent: {p})."
        return
    told = "differ" if ranking.iman_davenport_p < LEVEL else "are not shown to differ"
    yield (
        f"By Friedman's test (Iman–Davenport {p}) the methods {told}; by Nemenyi's, those whose ranks lie "
        f"further apart than {ranking.critical_difference:.2f} do."
    )


def _cautions(evidence: "Evidence", ranking: "Ranking", gaps: pd.DataFrame) -> Iterator[str]:
    versions = evidence.code_versions()
    if len(versions) > 1:
        yield f"{len(versions)} versions of the code are mixed, as was asked for; differences may come from them."
    current = [failure for failure in evidence.failures if failure["current"]]
    if current:
        yield f"{len(current)} runs failed and are missing; the first: {current[0]['sentence']}"
    if len(gaps):
        n, gap = gaps["block"].nunique(), "gap" if len(gaps) == 1 else "gaps"
        yield f"{_blocks(n)} {'is' if n == 1 else 'are'} incomplete ({len(gaps)} {gap})."
    yield from ranking.cautions
    yield from _of_settings(evidence.records)


def _of_settings(records: Mapping[str, dict[str, Any]]) -> Iterator[str]:
    configs = [record["config"] for record in records.values()]
    if any(len(config["seeds"]) == 1 for config in configs):
        yield "one seed draws the folds once; seeds=[0,1,2] tells how far a result depends on that draw."
    thinned = [config["imbalance_ratio"].get("ratio") not in (None, 1) for config in configs]
    whole = [not config["validation"]["thinned"] for config in configs]
    if any(a and b for a, b in zip(thinned, whole, strict=True)):
        yield (
            "the validation part keeps its balance, so weights and rules were chosen with more minority rows than "
            "trained, alike for every method; validation.thinned=true is what somebody without other data has."
        )
    fallen = sum(bool(record["warnings"]) for record in records.values())
    if fallen:
        yield f"in {fallen} of {len(configs)} runs a sampler fell short and a fallback made rows (see its balance)."
