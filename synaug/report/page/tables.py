"""The page's tables as JSON: names once, then numbers; page.js renders the rows that are looked at."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from synaug.comparison.stats import EXACT_RANKS
from synaug.comparison.wording import MOSTLY_BY_FALLBACK, is_mostly_by_fallback, outcome
from synaug.escaping import shown
from synaug.report import words
from synaug.report.figures.material import Material
from synaug.scores.metrics import LOSSES

Table = dict[str, Any]
MOST_COMPARISONS = 60_000
MOST_BALANCES = 4_000
OUTCOMES = {"better": "▲ better", "worse": "▼ worse", "equal": "≈ equal", "open": "? open"}
STAGES = ("load", "embed", "augment", "train", "score")


def column(label: str, kind: str, at: int, **options: Any) -> dict[str, Any]:
    """Describe a column: `kind` says how a cell is written and sorted, `at` where it stands in a row."""
    return {"label": label, "kind": kind, "at": at, **options}


def name_column(label: str, at: int, values: Sequence[str], **options: Any) -> dict[str, Any]:
    """Describe a column of names, whose cells are places in `values`."""
    return column(label, "name", at, values=[shown(value) for value in values], **options)


def comparisons(material: Material) -> Table:
    """Every comparison of as many metrics as the page can carry."""
    blocks = material.blocks
    panels, ats = material.panels, _ordered_ratios(blocks)
    augmenters = [*material.augmenters, "picked"]
    losses, rules = material.losses, list(words.DECISIONS)
    labels = [", ".join(filter(None, (name, loss))) for name in augmenters for loss in losses]
    if any(is_mostly_by_fallback(table["by_fallback"]).any() for table in material.comparison.tables.values()):
        labels += [f"{label} ({MOSTLY_BY_FALLBACK})" for label in labels]
    columns = [
        name_column("data set", 0, panels, filter=True),
        name_column("ratio", 1, ats, filter=True, ordered=True),
        name_column("augmenter", 2, labels, filter=True),
        name_column("decision", 3, [words.decision(rule) for rule in rules], filter=True),
        name_column("over", 4, ["no augmentation", "free remedy"], filter=True),
        column("mean", "level", 5),
        column("reference", "level", 6, help="mean of the reference"),
        column("gain", "gain", 7, strong=True),
        column("95 % interval", "interval", 8),
        column("p (Holm)", "p", 10, help="Nadeau–Bengio corrected t-test, Holm over all comparisons of the block"),
        name_column("verdict", 11, list(OUTCOMES.values()), filter=True, outcome=True),
        column("P(worse)", "probability", 12, more=True, help="Bayesian correlated t-test"),
        column("P(equal)", "probability", 13, more=True, help="within the region of practical equivalence"),
        column("P(better)", "probability", 14, more=True),
        column("effect", "decimal", 15, more=True, help="gain in standard deviations of the differences"),
        column("p corrected", "p", 16, more=True, help="before Holm"),
        column(
            "p Wilcoxon",
            "p",
            17,
            more=True,
            help=f"exact up to {EXACT_RANKS} members, else the normal approximation; too liberal on overlapping folds",
        ),
        column("p paired t", "p", 18, more=True, help="too liberal on overlapping folds"),
        column("members", "count", 19, more=True),
        column("missing", "count", 20, more=True),
    ]
    place: dict[str, dict[Any, int]] = {
        "panel": {block: panels.index(panel) for block, panel in blocks["panel"].items()},
        "at": {block: ats.index(at) for block, at in blocks["at"].items()},
        "order": material.order,
        "augmenter": {name: index for index, name in enumerate(augmenters)},
        "loss": {name: index for index, name in enumerate(losses)},
    }
    rows: dict[str, list[list[Any]]] = {}
    for metric in material.comparison.metrics:
        if metric == material.metric or sum(map(len, rows.values())) < MOST_COMPARISONS:
            rows[metric] = _comparison_rows(material.table(metric), metric, place, rules, len(losses))
    return {"columns": columns, "rows": rows, "noun": ["comparison", "comparisons"]}


def _ordered_ratios(blocks: pd.DataFrame) -> list[str]:
    return list(blocks.sort_values(["ratio", "at"], na_position="last")["at"].drop_duplicates())


def _comparison_rows(
    table: pd.DataFrame, metric: str, place: Mapping[str, Mapping[Any, int]], rules: list[str], n_losses: int
) -> list[list[Any]]:
    scale, digits = (1.0, 4) if metric in LOSSES else (100.0, 2)
    frame = table.iloc[table["block"].map(place["order"]).argsort(kind="stable")]
    augmenters, losses = (frame[name].map(place[name]).fillna(0).astype(int) for name in ("augmenter", "loss"))
    n_labels = len(place["augmenter"]) * n_losses
    # Of each label there is a second one, for methods most of whose rows a fallback made.
    methods = augmenters * n_losses + losses + n_labels * is_mostly_by_fallback(frame["by_fallback"])
    references = {name: index for index, name in enumerate(words.REFERENCES)}
    columns: list[list[Any]] = [
        frame["block"].map(place["panel"]).tolist(),
        frame["block"].map(place["at"]).tolist(),
        methods.tolist(),
        frame["decision"].map(rules.index).tolist(),
        frame["reference"].map(references).tolist(),
        *(_rounded(frame[name] * scale, digits) for name in ("value", "reference_value", "gain", "low", "high")),
        _significant(frame["p_holm"]),
        outcomes(frame),
        *(_rounded(frame[name], 3) for name in ("p_worse", "p_equivalent", "p_better")),
        _rounded(frame["effect"], 2),
        *(_significant(frame[name]) for name in ("p_corrected", "p_wilcoxon", "p_paired_t")),
        frame["n_members"].astype(int).tolist(),
        frame["missing"].astype(int).tolist(),
    ]
    return [list(row) for row in zip(*columns, strict=True)]


def outcomes(rows: pd.DataFrame) -> list[int]:
    """Say for each row, as a place in `OUTCOMES`, what `synaug.comparison.wording.outcome` says of it."""
    names = list(OUTCOMES)
    needed = rows[["p_holm", "gain", "p_equivalent"]]
    told = (outcome(dict(zip(needed.columns, row, strict=True))) for row in needed.itertuples(index=False))  # type: ignore[arg-type]
    return [names.index(name) for name in told]


def _rounded(values: Iterable[float], digits: int) -> list[float | None]:
    return [round(value, digits) if math.isfinite(value) else None for value in values]


def _significant(values: Iterable[float]) -> list[float | None]:
    return [float(f"{p:.3g}") if math.isfinite(p) else None for p in values]


def balance(material: Material) -> Table:
    """Rows asked for and made, by block, augmenter and class, summed over members."""
    entries: list[list[Any]] = []
    labels = material.evidence.runs[["block", "augmenter", "loss", "identity"]].itertuples(index=False)
    for block, augmenter, loss, identity in sorted(labels, key=lambda row: (material.order[row[0]], *row[1:])):
        if loss == material.losses[0] or len(material.losses) == 1:  # augmentation comes before the loss
            entries += _balance_rows(material, block, augmenter, material.evidence.records[identity])
    kept = sorted(entries, key=lambda entry: (entry[5] == entry[6] and not entry[7], entry[0]))[:MOST_BALANCES]
    blocks = material.blocks
    panels, ats = material.panels, _ordered_ratios(blocks)
    panel_of, at_of = blocks["panel"].to_dict(), blocks["at"].to_dict()
    classes, reasons = (list(dict.fromkeys(entry[index] for entry in kept)) for index in (2, 8))
    places = [{name: index for index, name in enumerate(names)} for names in (panels, ats, material.augmenters)]
    class_places, reason_places = ({name: index for index, name in enumerate(each)} for each in (classes, reasons))
    rows = [
        [
            places[0][panel_of[entry[9]]],
            places[1][at_of[entry[9]]],
            places[2][entry[1]],
            class_places[entry[2]],
            *entry[4:8],
            reason_places[entry[8]],
        ]
        for entry in kept
    ]
    columns = [
        name_column("data set", 0, panels, filter=True),
        name_column("ratio", 1, ats, filter=True, ordered=True),
        name_column("augmenter", 2, material.augmenters, filter=True),
        name_column("class", 3, classes),
        column("real", "count", 4, help="real rows that train, a member"),
        column("asked", "count", 5),
        column("made", "count", 6),
        column("by fallback", "count", 7),
        name_column("why not as asked, e.g.", 8, reasons),
    ]
    return {"columns": columns, "rows": rows, "noun": ["class", "classes"], "left_out": len(entries) - len(kept)}


def _balance_rows(material: Material, block: str, augmenter: str, record: Mapping[str, Any]) -> Iterable[list[Any]]:
    """Means over members, by class."""
    if augmenter == "none":
        return
    columns = record["balance"]["columns"]
    at = [columns.index(name) for name in ("real", "asked", "made", "made_by_fallback")]
    name_at, reason_at = columns.index("class"), columns.index("reason")
    by_class: dict[str, list[list[Any]]] = {}
    for row in record["balance"]["data"]:
        by_class.setdefault(row[name_at], []).append(row)
    place = material.order[block]
    for name, rows in by_class.items():
        numbers = [_mean_of_known(row[index] for row in rows) for index in at]
        if any(numbers[1:]):  # negative where a sampler removes rows; asked is None where it decides by itself
            reason = next((row[reason_at] for row in rows if row[reason_at]), "")
            yield [place, augmenter, str(name), 0, *numbers, reason, block]


def _mean_of_known(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(sum(known) / len(known), 1) if known else None


def runs(material: Material) -> Table:
    """What each run took."""
    frame = material.evidence.runs
    records = material.evidence.records
    stages = [stage for stage in STAGES if any(stage in record["cost"]["seconds"] for record in records.values())]
    rows = [
        [
            index,
            *_rounded((records[identity]["cost"]["seconds"].get(stage, math.nan) for stage in stages), 2),
            *_rounded([seconds], 1),
            round(memory / 2**20),
            index,
        ]
        for index, (identity, seconds, memory) in enumerate(
            zip(frame["identity"], frame["seconds"], frame["peak_memory_bytes"], strict=True)
        )
    ]
    columns = [
        name_column("run", 0, list(frame["run"])),
        *(column(f"{stage} (s)", "decimal", 1 + index) for index, stage in enumerate(stages)),
        column("all (s)", "decimal", 1 + len(stages)),
        column(
            "peak memory (MiB)", "count", 2 + len(stages), help="of the process, earlier runs of the sweep included"
        ),
        name_column("finished", 3 + len(stages), list(frame["finished"])),
    ]
    return {"columns": columns, "rows": rows, "noun": ["run", "runs"]}


def holes(material: Material) -> Table:
    """What incomplete blocks lack."""
    gaps = material.comparison.gaps
    labels = [", ".join(filter(None, (str(a), str(b)))) for a, b in zip(gaps["augmenter"], gaps["loss"], strict=True)]
    columns = [
        name_column("block", 0, [str(block) for block in gaps["block"]]),
        name_column("lacks", 1, labels),
        column("members missing", "count", 2),
        name_column("because", 3, [str(reason) for reason in gaps["reason"]]),
    ]
    rows = [[index, index, int(missing), index] for index, missing in enumerate(gaps["missing"])]
    return {"columns": columns, "rows": rows, "noun": ["gap", "gaps"]}


def failures(material: Material) -> Table:
    """Runs that failed, with their sentence and what they were asked for."""
    found = material.evidence.failures
    columns = [
        name_column("run", 0, [each["run"] for each in found]),
        name_column("why", 1, [each["sentence"] for each in found]),
        name_column("kind", 2, [each["type"] for each in found]),
        name_column("asked for", 3, [" ".join(each["overrides"]) for each in found]),
        name_column("of the last sweep", 4, ["yes" if each.get("current") else "no" for each in found]),
    ]
    return {"columns": columns, "rows": [[i] * 5 for i in range(len(found))], "noun": ["failure", "failures"]}


def all_tables(material: Material) -> dict[str, Table]:
    """The page's tables by name."""
    return {
        "comparisons": comparisons(material),
        "balance": balance(material),
        "failures": failures(material),
        "holes": holes(material),
        "runs": runs(material),
    }
