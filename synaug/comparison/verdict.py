"""The comparison in words, none of them stronger than its test."""

import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from synaug.comparison.ranking import TOO_FEW_BLOCKS
from synaug.comparison.stats import holm
from synaug.comparison.wording import (
    LEVEL,
    MOSTLY_BY_FALLBACK,
    OUTCOMES,
    Unit,
    counted,
    effect,
    first_of,
    is_mostly_by_fallback,
    method,
    outcome,
    said,
    split,
    words_for_p,
)
from synaug.escaping import shown

if TYPE_CHECKING:
    from synaug.comparison.evidence import Evidence
    from synaug.comparison.ranking import Ranking

MOST_PLACES = 4
MOST_LEFT_OUT = 5
NOTHING_SMALLER = "no class is smaller: nothing was there to augment"


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
            lines += ["", shown(dataset), *(_filled(sentence, "  - ") for sentence in sentences)]
        lines += ["", *map(_filled, self.overall)] if self.overall else []
        lines += ["", *(_filled(caution, "! ") for caution in self.cautions)] if self.cautions else []
        return "\n".join(lines)


def _filled(sentence: str, bullet: str = "") -> str:
    return textwrap.fill(shown(sentence), 110, initial_indent=bullet, subsequent_indent=" " * len(bullet))


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
        `synaug.comparison.stats.compare`'s frame, and the frame it was made of.
    """
    blocks = evidence.runs.drop_duplicates("block").set_index("block", drop=False)
    rows = {str(row["block"]): row for _, row in blocks.iterrows()}
    idle = evidence.idle_blocks()
    told = {
        str(block): part
        for block, part in comparisons.groupby("block", observed=True)
        if block not in idle and _has_verdict(part)
    }
    unit = Unit(metric, rope)
    datasets: dict[str, list[str]] = {}
    several = {column for column in ("encoder", "classifier") if len(set(blocks[column])) > 1}
    for dataset, own in blocks.groupby("dataset", sort=False):
        in_order = sorted(own["block"], key=lambda block: _order(rows[block]))
        each = [block for block in in_order if block in told]
        sentences = [s for block in each for s in _of_block(rows[block], several, told[block], members, unit)]
        if len(each) > 1:
            sentences.insert(0, f"On {dataset}, {_counted([told[block] for block in each])}")
        sentences += [f"{_where(rows[block], several)}, {NOTHING_SMALLER}." for block in in_order if block in idle]
        datasets[str(dataset)] = sentences or [
            "There is nothing to compare: it takes runs of augmenter=none and of an augmenter, of the same settings."
        ]
    tables = list(told.values())
    places = [_where(rows[str(block)], several).removeprefix("On ") for block in told]
    of_block = dict(zip(blocks["block"], blocks["content"], strict=True))
    ranks = list(_ranks(ranking, of_block, _shares(evidence.runs), unit)) if tables else []
    return Verdict(
        headline=_headline(tables, places, unit, bool(idle)) if len(evidence.runs) else _nothing_ran(evidence),
        datasets=datasets,
        overall=[*_overall(tables, unit), *ranks],
        # What the ranks cannot bear is of interest to who was told of ranks.
        cautions=[*_cautions(evidence, gaps), *(ranking.cautions if ranks else ()), *_of_settings(evidence)],
    )


def _has_verdict(part: pd.DataFrame) -> bool:
    return all(len(_rows(part, *each)) for each in (("picked", "none"), ("picked", "free"), ("none", "none")))


def _rows(part: pd.DataFrame, augmenter: str, reference: str) -> pd.DataFrame:
    """Rows of an augmenter whose rule was chosen on validation, over a reference."""
    return part[(part["augmenter"] == augmenter) & (part["decision"] == "chosen") & (part["reference"] == reference)]


def _row(part: pd.DataFrame, augmenter: str, reference: str) -> pd.Series:
    return _rows(part, augmenter, reference).iloc[0]


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
    alone, both = _row(part, "none", "none"), _row(part, "picked", "none")
    by_fallback = part["augmenter"][is_mostly_by_fallback(part["by_fallback"])].astype(str).unique()
    yield (
        f"{where}, choosing the decision rule on validation ({_most(own, 'none')}), which costs nothing, "
        f"{effect(alone, unit, 'argmax')}."
    )
    yield (
        f"{where}, choosing augmenter and rule on validation ({_most(own, 'picked', by_fallback)}) "
        f"{effect(both, unit, 'no augmentation with argmax')}, and "
        f"{effect(_row(part, 'picked', 'free'), unit, 'choosing the rule alone, which costs nothing')}."
    )
    argmax = part[(part["decision"] == "argmax") & (part["reference"] == "none") & (part["augmenter"] != "none")]
    fair = part[(part["decision"] == "chosen") & (part["reference"] == "free") & (part["augmenter"] != "picked")]
    yield (
        f"{where}, each augmenter by itself: over no augmentation, argmax for both, {split(argmax, unit)}; "
        f"against what costs nothing, each with its rule chosen on validation, {split(fair, unit)}."
    )


def _most(own: pd.DataFrame, augmenter: str, mostly_by_fallback: Iterable[str] = ()) -> str:
    """Name what was chosen most often, of `picked` the augmenter, else the decision rule."""
    chosen = own.loc[own["augmenter"] == augmenter, "chosen_from"].astype(str)
    names = chosen.str.rpartition(", ")[0 if augmenter == "picked" else 2]
    counts = names.value_counts()
    name, n = str(counts.index[0]), len(names)
    if any(name == each or name.startswith(f"{each}, ") for each in mostly_by_fallback):
        name = f"{name} {MOSTLY_BY_FALLBACK}"
    return f"{name} in {'its only member' if n == 1 else f'{counts.iloc[0]} of {n} members'}"


def _outcomes(tables: Sequence[pd.DataFrame], augmenter: str, reference: str) -> dict[str, int]:
    found = [outcome(_row(part, augmenter, reference)) for part in tables]
    return {name: found.count(name) for name in OUTCOMES}


def _counted(tables: Sequence[pd.DataFrame]) -> str:
    none, free = _outcomes(tables, "picked", "none"), _outcomes(tables, "picked", "free")
    return (
        f"in {counted(len(tables), 'block')}, choosing augmenter and rule on validation is, against no augmentation "
        f"with argmax, {said(none)}; against choosing the rule alone, which costs nothing, {said(free)}."
    )


def _nothing_ran(evidence: "Evidence") -> str:
    """Count the runs that the last sweep wanted; those that an earlier one did are another story."""
    failures = [each for each in evidence.failures if each["current"]] or evidence.failures
    all_of_them = "the only run" if len(failures) == 1 else f"all {len(failures)} runs"
    return f"No verdict: {all_of_them} failed{first_of([each['sentence'] for each in failures])}"


def _headline(tables: Sequence[pd.DataFrame], places: Sequence[str], unit: Unit, is_idle: bool) -> str:
    """Count the one question of each block, whose p-values Holm's step-down now corrects over the blocks, too."""
    if not tables and is_idle:
        return f"No verdict, as {NOTHING_SMALLER}."
    if not tables:
        return (
            f"No verdict: no block has {unit.name} of both augmenter=none and an augmenter with plain cross-entropy: "
            "run both under one name with the same settings (augmenter=none adds the reference)."
        )
    rows = pd.DataFrame([_row(part, "picked", "free") for part in tables]).reset_index(drop=True)
    rows["p_holm"] = holm(rows["p_holm"])
    found = rows.apply(outcome, axis=1)
    n, won = len(rows), int((found == "better").sum())
    rest = {"lost": "worse", "made no practical difference": "equal", "could not be told apart": "open"}
    others = "".join(f", {word} in {(found == key).sum()}" for word, key in rest.items() if (found == key).any())
    if n == 1:
        others = others.removesuffix(" in 1")
    if not won:
        where = "the only block" if n == 1 else f"any of {n} blocks"
        rule_helps = any(outcome(_row(part, "none", "none")) == "better" for part in tables)
        return (
            f"Augmenting the minority was not shown to beat what costs nothing in {where} "
            f"({others.removeprefix(', ')}){': choose the decision rule first' if rule_helps else ''}."
        )
    gains = rows["gain"][found == "better"]
    if won <= MOST_PLACES:
        where = ", ".join(
            f"{unit.size(gain)} on {places[at]}" for at, gain in enumerate(rows["gain"]) if found[at] == "better"
        )
        size = f"in {unit.name} ({where})"
    else:
        size = f"(by {unit.size(float(gains.median()))} of {unit.name} in the median of these)"
    return f"Augmenting the minority beat what costs nothing in {won} of {counted(n, 'block')} {size}{others}."


def _overall(tables: Sequence[pd.DataFrame], unit: Unit) -> Iterator[str]:
    if len(tables) < 2:  # whose sentences say it all
        return
    yield f"Over all, each block corrected by itself: {_counted(tables)}"
    free = [_row(part, "none", "none") for part in tables]
    counts = [outcome(row) for row in free]
    mean = float(np.mean([row["gain"] for row in free]))
    sure = [f"{name} in {counts.count(name)}" for name in ("better", "worse") if name in counts]
    yield (
        f"Choosing the rule alone {unit.change(mean, 'no augmentation with argmax')} in the mean of "
        f"{counted(len(tables), 'block')}, significantly {' and '.join(sure) if sure else 'in none of them'}."
    )


def _shares(runs: pd.DataFrame) -> dict[str, float]:
    """Which share of a method's rows a fallback made at least, in whatever block."""
    names = (runs["augmenter"] + " " + runs["loss"]).str.strip()
    return {str(name): float(share) for name, share in runs.groupby(names)["by_fallback"].min().items()}


def _ranks(
    ranking: "Ranking", datasets: Mapping[str, str], by_fallback: Mapping[str, float], unit: Unit
) -> Iterator[str]:
    if len(ranking.methods) < 3 or not np.isfinite(ranking.iman_davenport_p):
        return
    ranks = ranking.mean_ranks.sort_values()
    listed = ", ".join(
        f"{method(str(name), '', by_fallback.get(str(name), 0))} {rank:.1f}" for name, rank in ranks.items()
    )
    yield (
        f"Mean ranks by {unit.name} over {counted(len(ranking.blocks), 'block')} (1 is best; argmax, and the free "
        f"remedy): {listed}."
    )
    p = words_for_p(ranking.iman_davenport_p)
    if len({datasets[block] for block in ranking.blocks}) < len(ranking.blocks):
        yield f"Blocks share data sets, so the ranks describe and do not test (Friedman, as if independent: {p})."
    elif len(ranking.blocks) < TOO_FEW_BLOCKS:
        yield f"{counted(len(ranking.blocks), 'block')} are too few for Friedman's test: the ranks describe."
    elif ranking.iman_davenport_p < LEVEL:
        yield (
            f"By Friedman's test (Iman–Davenport {p}) the methods differ; by Nemenyi's, those whose ranks lie further "
            f"apart than {ranking.critical_difference:.2f} do."
        )
    else:
        yield f"By Friedman's test (Iman–Davenport {p}) the methods are not shown to differ."


def _cautions(evidence: "Evidence", gaps: pd.DataFrame) -> Iterator[str]:
    versions = evidence.code_versions()
    if len(versions) > 1:
        yield f"{len(versions)} versions of the code are mixed, as was asked for; differences may come from them."
    if evidence.left_out:
        n, named = len(evidence.left_out), evidence.left_out[:MOST_LEFT_OUT]
        more = f"; and {n - len(named)} more" if n > len(named) else ""
        yield f"{counted(n, 'file')} {'was' if n == 1 else 'were'} left out: {'; '.join(named)}{more}."
    current = [each for each in evidence.failures if each["current"]]
    missing = [each["sentence"] for each in current if not each["recorded"]]
    if missing:
        verb = "is missing" if len(missing) == 1 else "are missing"
        yield f"{counted(len(missing), 'run')} failed and {verb}{first_of(missing)}"
    older = [each["sentence"] for each in current if each["recorded"]]
    if older:
        yield f"{counted(len(older), 'run')} failed when run again{first_of(older)}"
    if len(gaps):
        n = gaps["block"].nunique()
        yield f"{counted(n, 'block')} {'is' if n == 1 else 'are'} incomplete ({counted(len(gaps), 'gap')})."


def _of_settings(evidence: "Evidence") -> Iterator[str]:
    configs = [record["config"] for record in evidence.records.values()]
    if configs and all(len(config["seeds"]) == 1 for config in configs):
        yield "One seed draws the folds once; seeds=[0,1,2] tells how far a result depends on that draw."
    thinned = [config["imbalance_ratio"].get("ratio") not in (None, 1) for config in configs]
    whole = [not config.get("validation", {}).get("thinned", False) for config in configs]
    if any(a and b for a, b in zip(thinned, whole, strict=True)):
        yield (
            "The validation part keeps its balance, so weights and rules were chosen with more minority rows than "
            "trained, alike for every method; validation.thinned=true is what somebody without other data has."
        )
    yield from _of_fallbacks(evidence.runs)


def _of_fallbacks(runs: pd.DataFrame) -> Iterator[str]:
    fallen = int(runs["by_fallback"].gt(0).sum())
    if fallen:
        yield (
            f"In {fallen} of {counted(len(runs), 'run')} a sampler fell short and a fallback made rows "
            "(the report's balance table says which and why)."
        )
    mostly = runs[is_mostly_by_fallback(runs["by_fallback"])]
    for augmenter, own in mostly.groupby("augmenter", sort=False):
        n, of = own["block"].nunique(), runs.loc[runs["augmenter"] == augmenter, "block"].nunique()
        least, most = (f"{100 * share:.0f} %" for share in (own["by_fallback"].min(), own["by_fallback"].max()))
        share = most if least == most else f"{least} to {most}"
        where = "" if of == 1 else f" in {n} of {of} blocks"
        yield f"A fallback made {share} of the rows of {augmenter}{where}, so that its scores tell of the fallback."
