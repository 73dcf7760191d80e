"""The verdict: every sentence of it, none stronger than its test."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from synaug.comparison.evidence import Evidence
from synaug.comparison.formatting import Unit, counted, words_for_p
from synaug.comparison.labels import (
    ARGMAX,
    BASELINE,
    BEST_WITHOUT_SYNTHESIS,
    CHOSEN,
    DECISIONS,
    MOSTLY_BY_FALLBACK,
    NO_AUGMENTER,
    PICKED,
    REFERENCE_LABELS,
    REFERENCES,
    Method,
    Scenario,
    is_mostly_by_fallback,
    methods_of,
)
from synaug.comparison.ranking import TOO_FEW_SCENARIOS, Ranking
from synaug.comparison.significance import BETTER, EQUIVALENT, INCONCLUSIVE, INTERVAL, LEVEL, OUTCOMES, WORSE, outcomes
from synaug.comparison.stats import holm
from synaug.escaping import shown

MOST_PLACES = 4
MOST_LEFT_OUT = 5
MOST_NAMED = 8
NOTHING_SMALLER = "no class is smaller: nothing was there to augment"
PICKING = "choosing augmenter and rule on validation"
THE_BASELINE, THE_BEST = (REFERENCE_LABELS[name] for name in REFERENCES)


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
        Sentences about all scenarios.
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
    evidence: Evidence,
    metric: str,
    comparisons: pd.DataFrame,
    scores: pd.DataFrame,
    ranking: Ranking,
    gaps: pd.DataFrame,
    rope: float,
) -> Verdict:
    """Put one metric's comparisons into words.

    Parameters
    ----------
    comparisons, scores
        `synaug.comparison.stats.compare`'s frame, and the frame it was made of.
    """
    runs = evidence.runs
    idle = evidence.idle_scenarios()
    parts: dict[Any, pd.DataFrame] = {
        scenario: part
        for scenario, part in comparisons.groupby("scenario")
        if scenario not in idle and _has_verdict(part)
    }
    unit = Unit(metric, rope)
    several = [column for column in ("classifier", "encoder") if len(set(runs[column])) > 1]
    datasets: dict[str, list[str]] = {}
    for dataset, of_dataset in runs.groupby("dataset", sort=False):
        scenarios = sorted(of_dataset["scenario"].unique(), key=lambda scenario: (scenario.place, scenario))
        with_verdict = [scenario for scenario in scenarios if scenario in parts]
        sentences: list[str] = []
        if len(with_verdict) > 1:
            sentences.append(f"On {dataset}, {_counts([parts[scenario] for scenario in with_verdict])}")
        for scenario in with_verdict:
            sentences += _of_scenario(scenario, several, parts[scenario], scores, unit)
        sentences += [
            f"On {_place(scenario, several)}, {NOTHING_SMALLER}." for scenario in scenarios if scenario in idle
        ]
        datasets[str(dataset)] = sentences or [
            "There is nothing to compare: run augmenter=none and an augmenter with the same settings."
        ]
    tables = list(parts.values())
    places = [_place(scenario, several) for scenario in parts]
    contents = dict(zip(runs["scenario"], runs["content"], strict=True))
    ranks = list(_ranks(ranking, contents, _shares_by_fallback(runs), unit)) if tables else []
    return Verdict(
        headline=_headline(tables, places, unit, bool(idle)) if len(evidence.validation) else _no_choice(evidence),
        datasets=datasets,
        overall=[*_overall(tables, unit), *ranks],
        # What the ranks cannot bear is of interest to who was told of ranks.
        cautions=[*_cautions(evidence, gaps), *(ranking.cautions if ranks else ()), *_of_settings(evidence)],
    )


def _has_verdict(part: pd.DataFrame) -> bool:
    asked = ((PICKED, BASELINE), (PICKED, BEST_WITHOUT_SYNTHESIS), (NO_AUGMENTER, BASELINE))
    return all(len(_rows(part, augmenter, reference)) for augmenter, reference in asked)


def _rows(part: pd.DataFrame, augmenter: str, reference: Method) -> pd.DataFrame:
    """Rows of an augmenter whose rule was chosen on validation, over a reference."""
    over = part["reference"].map(REFERENCES) == reference
    return part[over & (part["augmenter"] == augmenter) & (part["decision"] == CHOSEN)]


def _row(part: pd.DataFrame, augmenter: str, reference: Method) -> pd.Series:
    return _rows(part, augmenter, reference).iloc[0]


def _place(scenario: Scenario, several: Sequence[str]) -> str:
    """A scenario by its data set and ratio, and what else there are several of."""
    ratio = "its natural imbalance" if scenario.is_natural else f"1:{scenario.ratio:g}"
    choices = [getattr(scenario, column) for column in several]
    named = [*choices, *filter(None, [scenario.profile]), *scenario.settings]
    return f"{scenario.dataset} at {ratio}" + (f" ({', '.join(named)})" if named else "")


def _of_scenario(
    scenario: Scenario, several: Sequence[str], part: pd.DataFrame, scores: pd.DataFrame, unit: Unit
) -> Iterator[str]:
    at = f"On {_place(scenario, several)}"
    chosen = scores[(scores["scenario"] == scenario) & (scores["decision"] == CHOSEN)]
    by_fallback = set(part["augmenter"][is_mostly_by_fallback(part["by_fallback"])])
    yield (
        f"{at}, {THE_BEST} ({_most_chosen(chosen, NO_AUGMENTER)}) "
        f"{effect(_row(part, NO_AUGMENTER, BASELINE), unit, f'{THE_BASELINE}, no augmentation with argmax')}."
    )
    yield (
        f"{at}, {PICKING} ({_most_chosen(chosen, PICKED, by_fallback)}) "
        f"{effect(_row(part, PICKED, BASELINE), unit, THE_BASELINE)}, and "
        f"{effect(_row(part, PICKED, BEST_WITHOUT_SYNTHESIS), unit, THE_BEST)}."
    )
    references = part["reference"].map(REFERENCES)
    argmax = part[(part["decision"] == ARGMAX) & (references == BASELINE) & (part["augmenter"] != NO_AUGMENTER)]
    fair = part[(part["decision"] == CHOSEN) & (references == BEST_WITHOUT_SYNTHESIS) & (part["augmenter"] != PICKED)]
    yield (
        f"{at}, each augmenter by itself: against {THE_BASELINE}, argmax for both, {by_outcome(argmax, unit)}; "
        f"against {THE_BEST}, each with its rule chosen on validation, {by_outcome(fair, unit)}."
    )


def _most_chosen(chosen: pd.DataFrame, augmenter: str, by_fallback: "set[str] | frozenset[str]" = frozenset()) -> str:
    """Name what was chosen most often: of `PICKED` the augmenter, else the decision rule."""
    methods: list[Method] = chosen.loc[chosen["augmenter"] == augmenter, "chosen_from"].tolist()
    names = [
        method.label_without_rule if augmenter == PICKED else DECISIONS.get(method.decision, method.decision)
        for method in methods
    ]
    counts = pd.Series(names).value_counts()
    name, n = str(counts.index[0]), len(names)
    if methods[names.index(name)].augmenter in by_fallback:
        name = f"{name} {MOSTLY_BY_FALLBACK}"
    return f"{name} in {'its only split' if n == 1 else f'{counts.iloc[0]} of {n} splits'}"


def effect(row: "pd.Series[Any]", unit: Unit, other: str) -> str:
    """Say what one comparison told, as what follows a subject."""
    if not np.isfinite(row["p_holm"]):
        return f"cannot be compared with {other} by a test, as {_too_little(int(row['n_splits']))}"
    evidence = f"{INTERVAL} {unit.of(row['low'])} to {unit.of(row['high'])}, corrected {words_for_p(row['p_holm'])}"
    if row["outcome"] in (BETTER, WORSE):
        return f"{unit.change(row['gain'], other)} ({evidence})"
    if row["outcome"] == EQUIVALENT:
        sure = f"within ±{unit.of(unit.rope)}{unit.points} with probability {row['p_equivalent']:.2f}"
        return f"is equivalent in {unit.name} to {other} ({unit.signed(row['gain'])}, {sure})"
    return f"is inconclusive in {unit.name} against {other} ({unit.signed(row['gain'])}{unit.points}, {evidence})"


def _too_little(n_splits: int) -> str:
    if n_splits > 1:
        return "there is only 1 fold"
    return f"they have {'only 1 split' if n_splits else 'no split'} in common"


def by_outcome(rows: pd.DataFrame, unit: Unit) -> str:
    """Name the methods by outcome with their gains, of many only the first and the last."""
    if rows.empty:
        return "there is nothing to compare"
    tiny = f"by {unit.size(0.0)}"
    named: dict[str, list[str]] = {key: [] for key in (*OUTCOMES, tiny)}
    in_order = rows.sort_values("gain", ascending=False)
    for method, (_, row) in zip(methods_of(in_order), in_order.iterrows(), strict=True):
        is_tiny = row["outcome"] in (BETTER, WORSE) and unit.is_nothing(row["gain"])
        label = _with_fallback(method.label_without_rule, row["by_fallback"])
        named[tiny if is_tiny else row["outcome"]].append(f"{label} ({unit.signed(row['gain'])})")
    parts = []
    for key, names in named.items():
        verb = ("differs" if key == tiny else "is") if len(names) == 1 else ("differ" if key == tiny else "are")
        if len(names) > MOST_NAMED:
            parts.append(f"{len(names)} methods, from {names[0]} to {names[-1]}, {verb} {key}")
        elif names:
            parts.append(f"{', '.join(names)} {verb} {key}")
    return "; ".join(parts)


def _with_fallback(label: str, share: float) -> str:
    return f"{label} ({MOSTLY_BY_FALLBACK})" if is_mostly_by_fallback(share) else label


def _counts(tables: Sequence[pd.DataFrame]) -> str:
    """Count the scenarios by outcome, over either reference."""

    def against(reference: Method) -> str:
        results = [_row(part, PICKED, reference)["outcome"] for part in tables]
        return ", ".join(f"{name} in {results.count(name)}" for name in OUTCOMES if name in results)

    return (
        f"in {counted(len(tables), 'scenario')}, {PICKING} is, against {THE_BASELINE}, {against(BASELINE)}; "
        f"against {THE_BEST}, {against(BEST_WITHOUT_SYNTHESIS)}."
    )


def _no_choice(evidence: Evidence) -> str:
    """Say why no rule can be chosen; of failures, those count that the last sweep wanted, if there are any."""
    if len(evidence.runs):
        return (
            "No verdict: the records are of an older version and have no validation scores, by which a rule is chosen: "
            "make them anew with force=true."
        )
    failures = [each for each in evidence.failures if each["current"]] or evidence.failures
    all_of_them = "the only run" if len(failures) == 1 else f"all {len(failures)} runs"
    return f"No verdict: {all_of_them} failed{_first_of([each['sentence'] for each in failures])}"


def _first_of(sentences: Sequence[str]) -> str:
    """What follows what was counted: ``: …``, or ``; the first: …``."""
    return f"{': ' if len(sentences) == 1 else '; the first: '}{sentences[0]}"


def _headline(tables: Sequence[pd.DataFrame], places: Sequence[str], unit: Unit, is_idle: bool) -> str:
    """Count the one question of each scenario, whose p-values Holm's step-down now corrects over scenarios, too."""
    if not tables and is_idle:
        return f"No verdict, as {NOTHING_SMALLER}."
    if not tables:
        return (
            f"No verdict: no scenario has {unit.name} of augmenter=none and an augmenter with plain cross-entropy: "
            "run both under one name with the same settings (augmenter=none adds the reference)."
        )
    rows = pd.DataFrame([_row(part, PICKED, BEST_WITHOUT_SYNTHESIS) for part in tables]).reset_index(drop=True)
    rows["p_holm"] = holm(rows["p_holm"])
    results = outcomes(rows)
    n, won = len(rows), int((results == BETTER).sum())
    others = [
        f"{name} in {n_of}" for name in (WORSE, EQUIVALENT, INCONCLUSIVE) if (n_of := int((results == name).sum()))
    ]
    if not won:
        where, how = ("the only scenario", results[0]) if n == 1 else (f"any of {n} scenarios", ", ".join(others))
        rule_helps = any(_row(part, NO_AUGMENTER, BASELINE)["outcome"] == BETTER for part in tables)
        return (
            f"Augmenting the minority was not shown to beat {THE_BEST} in {where} "
            f"({how}){': choose the decision rule first' if rule_helps else ''}."
        )
    gains = rows["gain"][results == BETTER]
    where_won = [place for place, name in zip(places, results, strict=True) if name == BETTER]
    if won <= MOST_PLACES:
        where = ", ".join(f"{unit.size(gain)} on {place}" for gain, place in zip(gains, where_won, strict=True))
        size = f"in {unit.name} ({where})"
    else:
        size = f"(by {unit.size(float(gains.median()))} of {unit.name} in the median of these)"
    rest = f"; it was {', '.join(others)}" if others else ""
    return f"Augmenting the minority beat {THE_BEST} in {won} of {counted(n, 'scenario')} {size}{rest}."


def _overall(tables: Sequence[pd.DataFrame], unit: Unit) -> Iterator[str]:
    if len(tables) < 2:  # whose sentences say it all
        return
    yield f"Overall, with p-values corrected within each scenario only: {_counts(tables)}"
    best = [_row(part, NO_AUGMENTER, BASELINE) for part in tables]
    results = [row["outcome"] for row in best]
    mean = float(np.mean([row["gain"] for row in best]))
    sure = [f"{name} in {results.count(name)}" for name in (BETTER, WORSE) if name in results]
    yield (
        f"{THE_BEST.capitalize()} {unit.change(mean, THE_BASELINE)} on average over "
        f"{counted(len(tables), 'scenario')}, significantly {' and '.join(sure) if sure else 'in none of them'}."
    )


def _shares_by_fallback(runs: pd.DataFrame) -> dict[Method, float]:
    """Which share of a method's rows a fallback made at least, in whatever scenario."""
    shares = runs["by_fallback"].groupby(methods_of(runs, ARGMAX)).min()
    return dict(zip(shares.index.tolist(), shares.tolist(), strict=True))


def _ranks(
    ranking: Ranking, contents: Mapping[Scenario, str], by_fallback: Mapping[Method, float], unit: Unit
) -> Iterator[str]:
    if len(ranking.methods) < 3 or not np.isfinite(ranking.iman_davenport_p):
        return
    ranks = ranking.mean_ranks.sort_values()
    methods: list[Method] = ranks.index.tolist()
    labels = [_with_fallback(method.label, by_fallback.get(method, 0.0)) for method in methods]
    listed = ", ".join(f"{label} {rank:.1f}" for label, rank in zip(labels, ranks, strict=True))
    n = len(ranking.scenarios)
    yield (f"Mean ranks by {unit.name} over {counted(n, 'scenario')} (1 is best; argmax, and {THE_BEST}): {listed}.")
    p = words_for_p(ranking.iman_davenport_p)
    if len({contents[scenario] for scenario in ranking.scenarios}) < n:
        yield f"Scenarios share data sets, so the ranks describe and do not test (Friedman, as if independent: {p})."
    elif n < TOO_FEW_SCENARIOS:
        yield f"{counted(n, 'scenario')} are too few for Friedman's test: the ranks describe."
    elif ranking.iman_davenport_p < LEVEL:
        yield (
            f"By Friedman's test (Iman–Davenport {p}) the methods differ; by Nemenyi's, those whose ranks lie further "
            f"apart than {ranking.critical_difference:.2f} do."
        )
    else:
        yield f"By Friedman's test (Iman–Davenport {p}) the methods are not shown to differ."


def _cautions(evidence: Evidence, gaps: pd.DataFrame) -> Iterator[str]:
    versions = evidence.code_versions()
    if len(versions) > 1:
        yield f"{len(versions)} versions of the code are mixed, as was asked for; differences may come from them."
    if evidence.left_out:
        n, named = len(evidence.left_out), evidence.left_out[:MOST_LEFT_OUT]
        more = f"; and {n - len(named)} more" if n > len(named) else ""
        yield f"{counted(n, 'file')} {'was' if n == 1 else 'were'} left out: {'; '.join(named)}{more}."
    if evidence.lacking:
        tables = ", ".join(dict.fromkeys(table for of_run in evidence.lacking.values() for table in of_run))
        is_of, lack, them = ("is", "lacks", "it") if len(evidence.lacking) == 1 else ("are", "lack", "them")
        yield (
            f"{counted(len(evidence.lacking), 'record')} {is_of} of an older version and {lack} {tables}: "
            f"force=true makes {them} anew."
        )
    current = [each for each in evidence.failures if each["current"]]
    missing = [each["sentence"] for each in current if not each["recorded"]]
    if missing:
        verb = "is missing" if len(missing) == 1 else "are missing"
        yield f"{counted(len(missing), 'run')} failed and {verb}{_first_of(missing)}"
    older = [each["sentence"] for each in current if each["recorded"]]
    if older:
        yield f"{counted(len(older), 'run')} failed when run again{_first_of(older)}"
    if len(gaps):
        n = gaps["scenario"].nunique()
        yield f"{counted(n, 'scenario')} {'is' if n == 1 else 'are'} incomplete ({counted(len(gaps), 'gap')})."


def _of_settings(evidence: Evidence) -> Iterator[str]:
    configs = [record["config"] for record in evidence.records.values()]
    if configs and all(len(config["seeds"]) == 1 for config in configs):
        yield "One seed draws the folds once; seeds=[0,1,2] tells how far a result depends on that draw."
    thinned = [config["imbalance_ratio"].get("ratio") not in (None, 1) for config in configs]
    whole = [not config.get("validation", {}).get("thinned", False) for config in configs]
    if any(a and b for a, b in zip(thinned, whole, strict=True)):
        yield (
            "The validation part keeps its balance, so weights and rules were chosen with more minority rows than "
            "trained, alike for every method; validation.thinned=true shows the case without other data."
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
    for augmenter, part in mostly.groupby("augmenter", sort=False):
        n, of = part["scenario"].nunique(), runs.loc[runs["augmenter"] == augmenter, "scenario"].nunique()
        least, most = (f"{100 * share:.0f} %" for share in (part["by_fallback"].min(), part["by_fallback"].max()))
        share = most if least == most else f"{least} to {most}"
        where = "" if of == 1 else f" in {n} of {of} scenarios"
        yield f"A fallback made {share} of the rows of {augmenter}{where}, so that its scores tell of the fallback."
