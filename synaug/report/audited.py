"""What the audits of runs found, as tables with names: of synthetic rows by method, of data by scenario."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from synaug.comparison.evidence import CHOICES
from synaug.comparison.labels import Scenario
from synaug.record.tables import GEOMETRY_COLUMNS, HELD_BACK, QUALITY_COLUMNS, TRAINING
from synaug.report import words
from synaug.report.results import Results


@dataclass(frozen=True)
class Measure:
    """A measure of synthetic rows, as the page shows it.

    Attributes
    ----------
    name, against
        Which lines of a record's table `quality` it is.
    label, note
        Its heading, and what it says.
    kind
        How its numbers are written: ``share`` (per cent), ``ratio`` or ``distance``.
    """

    name: str
    against: str
    label: str
    note: str
    kind: str = "share"


MEASURES = (
    Measure(
        "copies",
        TRAINING,
        "copies",
        "synthetic rows that repeat a training row. Real rows: those held back that repeat one",
    ),
    Measure(
        "nearest",
        TRAINING,
        "distance to training",
        "median distance to the nearest training row of the class. Less than for real rows: they stay closer to the "
        "training rows than new texts do",
        "distance",
    ),
    Measure(
        "other_class",
        TRAINING,
        "other class, training rows",
        "rows whose nearest training row, their parents aside, is of another class (Hassanat et al. 2022). As larger "
        "classes have more rows, this is so for many real minority rows, too, and for as many repeated ones. More "
        "than for real rows: synthetic rows lie among another class. Where parents are not known, all rows count",
    ),
    Measure(
        "other_class",
        HELD_BACK,
        "other class, real rows",
        "the same among real rows that the sampler did not see, equally many of each class (of majority classes, "
        "training rows that no row of another class was made of). More than for real rows: synthetic rows lie among "
        "another class",
    ),
    Measure(
        "variance_ratio",
        HELD_BACK,
        "variance",
        "total variance divided by that of real rows. SMOTE gives two thirds where all rows are neighbours",
        "ratio",
    ),
    Measure("norm_ratio", HELD_BACK, "length", "mean length of the vectors divided by that of real rows", "ratio"),
    Measure(
        "density",
        HELD_BACK,
        "density",
        "in how many real rows' neighbourhoods a row lies, divided by the number that equal distributions give (Naeem "
        "et al. 2020). Far above 1: rows crowd in the middle, where the neighbourhoods of all real rows overlap",
        "ratio",
    ),
    Measure(
        "clipped_density",
        HELD_BACK,
        "clipped density",
        "the share of rows that lie where real rows do; rows in the middle cannot make up for others (Salvy et al. "
        "2026)",
    ),
    Measure(
        "clipped_coverage",
        HELD_BACK,
        "clipped coverage",
        "how many new real rows would cover the real rows equally well, as a share of the synthetic rows (Salvy et al. "
        "2026). Rows in the middle cover much, too, so read it together with variance and density",
    ),
    Measure(
        "two_sample_linear",
        HELD_BACK,
        "told apart by a plane",
        "accuracy of a linear rule that tells synthetic rows from as many real ones: at 50 % it is guessing, at "
        "100 % they lie elsewhere (Lopez-Paz and Oquab 2017)",
    ),
    Measure(
        "two_sample_spread",
        HELD_BACK,
        "told apart by spread",
        "the same for a rule that knows only how far a row is from the middle of the real ones",
    ),
    Measure(
        "trained_on_synthetic",
        HELD_BACK,
        "trained on them",
        "balanced accuracy on real rows of a simple linear rule that learned these classes from synthetic rows alone. "
        "Real rows: the same, learned from as many rows that were held back",
    ),
    Measure(
        "trained_on_training",
        HELD_BACK,
        "trained on the few real",
        "the same, learned from training rows. If “trained on them” is lower, synthetic rows teach less than their "
        "sources do",
    ),
)
# Where no row was held back, these are of halves of the training rows.
OF_TRAINING_ALONE = ("variance_ratio", "norm_ratio", "density", "clipped_density", "clipped_coverage")
# These there are only where rows were held back.
OF_HELD_BACK_ALONE = (("two_sample_linear", HELD_BACK), ("two_sample_spread", HELD_BACK))
GEOMETRY = {
    "rows": "real rows that train, in the mean over splits; the smallest class in brackets",
    "overlap": "share of rows whose five nearest others speak for another class, mean over classes; each class counts "
    "the same. 0 %: the classes lie apart; 50 %: two classes lie in the same place",
    "separability": "share of rows that lie nearest to the mean of their own class's other rows, mean over classes. A "
    "mean of few rows is uncertain, so it falls as classes get smaller; compare it only where they are of one size",
    "fisher_ratio": "variance between the classes' means, divided by that within classes, without what the means of "
    "few rows vary by chance; slightly below 0 where the classes have the same mean",
    "dimension": "intrinsic dimension, estimated from the distances to the 20 nearest others (Levina and Bickel 2004, "
    "with MacKay and Ghahramani's mean). The estimate is too low where the dimension is high and rows are few",
    "hubness": "skewness of how often a row is among the ten nearest of others: 0 is even, above 1 a few rows are "
    "neighbours of very many others (Radovanović et al. 2010)",
}
OF_QUALITY = {
    "scenario, dataset, encoder, imbalance_ratio, ratio, classifier": "as in the table of scores",
    "augmenter": "the option with its settings",
    "identity": "of the run; of runs that differ in their loss alone, the first",
    "seed, fold, class": "the split, and the class that rows were made for; empty: all classes",
    "measure": "what is measured",
    "against": f"the real rows that others are compared with: `{TRAINING}`, those that the sampler was given, or "
    f"`{HELD_BACK}`, those that the imbalance ratio took away and that nobody saw",
    "value": "of synthetic rows",
    "real_value": "the same of as many real rows that were held back: what a perfect sampler would have. Where none "
    "were held back, of training rows: each compared with all others or, for variance, norm, density and coverage, one "
    "half compared with the other, with which as many synthetic rows are compared, too. Under equal distributions the "
    "accuracy of a two-sample test has a standard deviation of √(1/(4n)), with n = `rows`",
    "rows, real_rows, reference_rows": "how many synthetic rows were measured, how many real rows for "
    "`real_value`, and how many rows both were compared with",
}
OF_GEOMETRY = {
    "scenario, dataset, encoder, imbalance_ratio, ratio, classifier": "as in the table of scores",
    "seed, fold, class": "the split, and the class; empty: all classes",
    "measure": "; ".join(f"`{name}`: {note}" for name, note in GEOMETRY.items()),
    "value": "of the real rows that train, thinned",
    "rows": "how many rows were measured",
}


def quality(results: Results) -> pd.DataFrame:
    """All audits of synthetic rows in one long table, with the columns of `OF_QUALITY`."""
    frames = [
        _frame(record["quality"], QUALITY_COLUMNS).assign(
            **_of(results, scenario), augmenter=augmenter, identity=record["identity"]
        )
        for scenario in results.scenarios
        for augmenter, record in results.records_of(scenario).items()
        if record["quality"]["data"]
    ]
    names = ["scenario", *CHOICES, "augmenter", "identity", *QUALITY_COLUMNS]
    return pd.concat(frames, ignore_index=True)[names] if frames else pd.DataFrame(columns=names)


def geometry(results: Results) -> pd.DataFrame:
    """The geometry of all scenarios in one long table, with the columns of `OF_GEOMETRY`."""
    frames = []
    for scenario in results.scenarios:
        # The same for all methods: of the record that knows most seeds.
        tables = [record["geometry"] for record in results.records_of(scenario).values()]
        table = max(tables, key=lambda each: len(each["data"]), default=None)
        if table and table["data"]:
            frames.append(_frame(table, GEOMETRY_COLUMNS).assign(**_of(results, scenario)))
    names = ["scenario", *CHOICES, *GEOMETRY_COLUMNS]
    return pd.concat(frames, ignore_index=True)[names] if frames else pd.DataFrame(columns=names)


def _of(results: Results, scenario: Scenario) -> dict[str, Any]:
    runs = results.evidence.runs
    first = runs[runs["scenario"] == scenario].iloc[0]
    return {"scenario": scenario, **{name: first[name] for name in CHOICES}}


def _frame(table: Mapping[str, Any], columns: tuple[str, ...]) -> pd.DataFrame:
    """A record's table, whose columns may be more, with its numbers as such."""
    frame = pd.DataFrame(table["data"], columns=table["columns"])[[*columns]]
    numbers = [name for name in columns if name not in ("class", "measure", "against")]
    return frame.assign(**{name: pd.to_numeric(frame[name]) for name in numbers})


def means(results: Results, scenario: Scenario) -> Iterator[tuple[str, dict[tuple[str, str], tuple[float, float]]]]:
    """Of each audited method of a scenario, by measure and what it is against, its mean and that of real rows.

    Over classes and splits; a mean that nothing is known of is NaN.
    """
    for augmenter, record in results.records_of(scenario).items():
        if record["quality"]["data"]:
            frame = _frame(record["quality"], QUALITY_COLUMNS)
            of_measures = frame.groupby(["measure", "against"])[["value", "real_value"]].mean()
            found: dict[Any, tuple[float, float]] = {
                key: (float(value), float(real)) for key, value, real in of_measures.itertuples(name=None)
            }
            if not any(against == HELD_BACK for _, against in found):
                found |= {
                    (name, HELD_BACK): found[name, TRAINING] for name in OF_TRAINING_ALONE if (name, TRAINING) in found
                }
            yield augmenter, found


def deviation(results: Results, scenario: Scenario) -> float:
    """How much a two-sample test's accuracy scatters in one split under equal distributions: √(1/(4n)); NaN if none is.

    Of methods and splits with different numbers of rows, in the mean.
    """
    frames = [_frame(record["quality"], QUALITY_COLUMNS) for record in results.records_of(scenario).values()]
    n = [frame["rows"][frame["measure"].str.startswith("two_sample", na=False)] for frame in frames if len(frame)]
    rows = pd.concat(n) if n else pd.Series(dtype=float)
    return float((0.25 / rows).pow(0.5).mean())


def written(kind: str, value: float) -> str:
    """A number as the page has it: shares in per cent, others with two digits, or none where they are large."""
    if kind == "share":
        return words.level(value, "recall")
    return words.fixed(value, 2 if abs(value) < 9.995 else 1)
