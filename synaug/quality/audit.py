"""The audit of a run's synthetic rows: what they are like beside the rows that trained and beside rows held back."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from synaug.augmenter.returned import SAME_ANYWHERE
from synaug.quality import discriminant, measures
from synaug.quality.distances import Base, Ids, Rows, among_themselves, lengths_between, squared_distances
from synaug.quality.geometry import folds
from synaug.record.tables import HELD_BACK, QUALITY_COLUMNS, TRAINING, as_table
from synaug.seeding import derive_seed
from synaug.splits import Split
from synaug.training.training_sets import TrainingData, TrainingSet

# What is looked at: enough to tell methods apart by a few points, and a small part of a run's time.
CLASS_ROWS = 300
SPLIT_ROWS = 2000  # of all classes
TRAINING_ROWS = 500  # of a class, whose surroundings are looked into; copies and neighbours are looked for among all
FEWEST = 10  # rows, real or synthetic, that anything is said of

# A line of the table without its split: class, measure, against what, its value and that of real rows, and the rows.
Line = tuple[str | None, str, str, float, float, int, int, int]


@dataclass(frozen=True)
class OfClass:
    """The rows of one class of a split that are compared.

    Attributes
    ----------
    label
        The class.
    synthetic
        Rows that were made, drawn from all of them, `[s, d]`.
    parents
        Places of the training rows that each was made of, `[s, 2]`; -1 where the sampler does not tell.
    to_parent
        Distance of each to the nearest row it was made of, `[s]`; NaN where the sampler does not tell.
    unseen
        As many real rows that neither trained nor stand in `reference`; none where none were held back.
    reference
        As many other rows that were held back; none where none were.
    halves
        Where none were held back, the class's training rows in two equal parts, of a draw of their own.
    """

    label: int
    synthetic: Rows
    parents: Ids
    to_parent: NDArray[np.float64]
    unseen: Rows
    reference: Rows
    halves: tuple[Rows, Rows]


@dataclass(frozen=True)
class Trained:
    """The real rows of a split that its sampler was given.

    Attributes
    ----------
    rows, labels
        `[n, d]` and `[n]`.
    base
        The rows, laid out to be searched.
    spread
        Root mean square distance of rows from their mean.
    """

    rows: Rows
    labels: Ids
    base: Base
    spread: float

    def of(self, label: int) -> Rows:
        """Those of one class."""
        of_class: Rows = self.rows[self.labels == label]
        return of_class


def audit(data: TrainingData) -> dict[str, Any]:
    """The table `quality` of a record: measures of the synthetic rows of each split and class.

    It is of the fits on all rows of a split (of replicas the first), of the first five folds of each seed (fewer, if
    classes are more than 20: `geometry.folds`), and of at most 300 rows a class and 2,000 a split. Each measure has two
    numbers: that of the synthetic rows, and that of as many real rows of the class that were held back, which is what a
    perfect sampler would have. Rows held back are cut in two: one part is what rows are compared with, the other is
    compared with it as the synthetic rows are.

    Classes of which no row is held back, such as the majority, take part with training rows instead, except those that
    synthetic rows of another class name as parents (as with EOS, Remix and GE3). Where these are almost all rows of a
    class, it is left out.

    Where none are held back, as under natural imbalance, comparisons with them are left out, and the second number is
    of training rows. Copies, distances and nearest classes are those of each training row beside all others. For
    variance, norm, density and coverage the class's training rows are drawn into two halves: synthetic rows stand
    beside one half, and in their place as many rows of the other half. A class of fewer than 20 training rows has no
    such measure.

    No test row is looked at. All draws have seeds of their own and none depends on the method, so that methods that
    make equally many rows are compared with the same, except for parents of another class's rows.

    Returns
    -------
    dict
        A table with the columns `QUALITY_COLUMNS`; it has no line for a run that makes no row.
    """
    lines: list[list[Any]] = []
    n_folds = folds(len(data.class_names))
    # On one thread, as products of several are summed in another order.
    with threadpool_limits(1, user_api="blas"):
        for training_set in data.whole:
            split = training_set.split
            if training_set.replica == 0 and split.fold < n_folds and len(training_set.augmented.synthetic):
                lines += ([split.seed, split.fold, *_plain(line)] for line in _of_split(data, training_set))
    return as_table(QUALITY_COLUMNS, lines)


def _plain(line: Line) -> Iterator[Any]:
    for value in line:
        yield _rounded(value) if isinstance(value, float) else value


def _rounded(value: float) -> float | None:
    return float(f"{value:.5g}") if np.isfinite(value) else None


def _of_split(data: TrainingData, training_set: TrainingSet) -> Iterator[Line]:
    names = data.class_names
    rows = training_set.embeddings[training_set.rows]
    base = Base.of(rows)
    spread = float(np.sqrt(base.lengths.mean(dtype=np.float64)))
    trained = Trained(rows, data.labels[training_set.rows], base, spread)
    pools = {label: _pool(data, training_set, label) for label in range(len(names))}
    classes = [_of_class(data, training_set, label, pools[label]) for label in _made(training_set, len(names))]
    for of_class in classes:
        for line in _beside_training(of_class, trained):
            yield names[of_class.label], *line
    judged = [of_class for of_class in classes if len(of_class.reference) >= FEWEST]
    references = {label: pool.reference for label, pool in pools.items()}
    for of_class in judged:
        for line in _beside_held_back(of_class, references):
            yield names[of_class.label], *line
    for line in _trained_on_synthetic(judged, pools, trained):
        yield None, *line


def _made(training_set: TrainingSet, n_classes: int) -> list[int]:
    """Classes of which enough rows were made."""
    made: list[int] = np.flatnonzero(np.bincount(training_set.augmented.labels, minlength=n_classes) >= FEWEST).tolist()
    return made


@dataclass(frozen=True)
class Pool:
    """Real rows of one class, in two parts of drawn order: what is compared with, and what is compared.

    They are rows that were held back, where there are enough of them (`is_held_back`), and else rows that trained. Both
    parts are half of the rows, but for rows that trained and that rows of another class were made of: these are not
    compared with, as their offspring would be nearer to them than any new real row is. Where they leave too few, none
    is compared with.
    """

    reference: Rows
    unseen: Rows
    is_held_back: bool


def _pool(data: TrainingData, training_set: TrainingSet, label: int) -> Pool:
    split = training_set.split
    held_back = split.held_back[data.labels[split.held_back] == label]
    is_held_back = len(held_back) >= 2 * FEWEST
    rows = held_back if is_held_back else split.train[data.labels[split.train] == label]
    drawn = _random(data, split, label, "real").permutation(rows)
    half, most = len(drawn) // 2, _most(data)
    asked = drawn[~np.isin(drawn, _lent(training_set, label))][:half]
    if len(asked) < min(half, FEWEST):
        asked = asked[:0]
    others = drawn[~np.isin(drawn, asked)][:half]
    return Pool(training_set.embeddings[asked[:most]], training_set.embeddings[others[:most]], is_held_back)


def _halves(data: TrainingData, training_set: TrainingSet, label: int) -> tuple[Rows, Rows]:
    """A class's training rows, drawn into two equal parts, each of at most as many as are looked at."""
    split = training_set.split
    drawn = _random(data, split, label, "halves").permutation(split.train[data.labels[split.train] == label])
    half, most = len(drawn) // 2, _most(data)
    return training_set.embeddings[drawn[:half][:most]], training_set.embeddings[drawn[half : 2 * half][:most]]


def _lent(training_set: TrainingSet, label: int) -> Ids:
    """Rows of the data set that synthetic rows of other classes than this one name as their parents."""
    augmented = training_set.augmented
    parents = augmented.parents[augmented.labels != label]
    lent: Ids = training_set.rows[np.unique(parents[parents >= 0])]
    return lent


def _most(data: TrainingData) -> int:
    """Rows of a class that are looked at."""
    return min(CLASS_ROWS, max(FEWEST, SPLIT_ROWS // len(data.class_names)))


def _random(data: TrainingData, split: Split, label: int, what: str) -> np.random.RandomState:
    return np.random.RandomState(derive_seed("quality", data.dataset, split.seed, split.fold, label, what))


def _of_class(data: TrainingData, training_set: TrainingSet, label: int, pool: Pool) -> OfClass:
    augmented = training_set.augmented
    made = np.flatnonzero(augmented.labels == label)
    drawn = _random(data, training_set.split, label, "synthetic").permutation(made)[: _most(data)]
    real = len(pool.reference) if pool.is_held_back else 0
    n = min(len(drawn), real) if real else len(drawn)
    taken = np.zeros(len(augmented.labels), dtype=bool)
    taken[drawn[:n]] = True
    synthetic = augmented.synthetic.where(taken).values(augmented.given)
    # In drawn order again: `where` leaves rows in that of the sampler, of which halves need not be alike.
    order = np.argsort(np.argsort(drawn[:n]))
    synthetic, parents = synthetic[order], augmented.parents[drawn[:n]]
    given = training_set.rows
    to_parent = np.min([lengths_between(synthetic, training_set.embeddings[given[each]]) for each in parents.T], axis=0)
    to_parent[parents.min(axis=1) < 0] = np.nan
    unseen, reference = (part[: min(n, real)] for part in (pool.unseen, pool.reference))
    none = synthetic[:0]
    halves = (none, none) if pool.is_held_back else _halves(data, training_set, label)
    return OfClass(label, synthetic, parents, to_parent, unseen, reference, halves)


# Beside the rows that trained


def _beside_training(of_class: OfClass, trained: Trained) -> Iterator[tuple[Any, ...]]:
    rows, unseen = of_class.synthetic, of_class.unseen
    near = _nearest(rows, trained, of_class.label, parents=of_class.parents)
    if len(unseen):
        null = _nearest(unseen, trained, of_class.label)
    else:
        places = np.flatnonzero(trained.labels == of_class.label)[:CLASS_ROWS]
        null = _nearest(trained.rows[places], trained, of_class.label, itself=places)
    same = SAME_ANYWHERE * trained.spread
    found: list[tuple[str, float, float]] = [
        ("copies", float((near.any <= same).mean()), float((null.any <= same).mean())),
        ("nearest", float(np.median(near.own)), float(np.median(null.own))),
        ("other_class", float(near.is_other.mean()), float(null.is_other.mean())),
    ]
    known = of_class.to_parent[~np.isnan(of_class.to_parent)]
    if len(known):
        found.append(("parent", float(np.median(known)), float(np.median(null.own))))
    for name, value, real_value in found:
        yield name, TRAINING, value, real_value, len(rows), len(null.own), len(trained.rows)
    if len(unseen):
        own = trained.of(of_class.label)
        own = own[np.linspace(0, len(own) - 1, min(len(own), TRAINING_ROWS)).astype(int)]
        if len(own) > measures.K:
            yield from _like(rows, unseen, own, TRAINING)
    elif len(of_class.halves[0]) >= FEWEST:
        one, other = of_class.halves
        n = min(len(rows), len(one))
        yield from _like(rows[:n], other[:n], one, TRAINING)


@dataclass(frozen=True)
class Nearest:
    """Of each row, its distance to the nearest training row of any class, and to that of its own class.

    And whether the nearest row that it was not made of is of another class. A training row is not compared with itself,
    and so a synthetic one must not be compared with its parents: a copy then says what its source says.
    """

    any: NDArray[np.float64]
    own: NDArray[np.float64]
    is_other: NDArray[np.bool_]


def _nearest(
    rows: Rows, trained: Trained, label: int, itself: Ids | None = None, parents: Ids | None = None
) -> Nearest:
    """Look rows up among those that trained; `itself` says which of these they are, and is passed over."""
    of_any, of_own, besides = (np.zeros(len(rows), np.int64) for _ in range(3))
    own = np.flatnonzero(trained.labels == label)
    for start, squared in trained.base.blocks(rows):
        here = slice(start, start + len(squared))
        if itself is not None:
            squared[np.arange(len(squared)), itself[here]] = np.inf
        of_any[here] = squared.argmin(axis=1)
        of_own[here] = own[squared[:, own].argmin(axis=1)]
        if parents is not None:
            row, column = np.nonzero(parents[here] >= 0)
            squared[row, parents[here][row, column]] = np.inf
        besides[here] = squared.argmin(axis=1)
    to_any, to_own = (lengths_between(rows, trained.rows[of]) for of in (of_any, of_own))
    if itself is not None and len(own) == 1:
        to_own[:] = np.nan
    return Nearest(to_any, to_own, trained.labels[besides] != label)


def _like(rows: Rows, unseen: Rows, real: Rows, against: str) -> Iterator[tuple[Any, ...]]:
    """Measures of rows, and of unseen ones, beside real rows of their class."""
    k = measures.K
    among = among_themselves(real)
    reach = measures.radii(among, k)

    def of(each: Rows) -> dict[str, float]:
        squared = squared_distances(real, each)
        return {
            "variance_ratio": measures.variance_ratio(each, real),
            "norm_ratio": measures.norm_ratio(each, real),
            "density": measures.density(squared, reach, k),
            "coverage": measures.coverage(squared, reach),
            "clipped_density": measures.clipped_density(squared, among, reach, k),
            "clipped_coverage": measures.clipped_coverage(squared, reach, k),
        }

    null = of(unseen)
    for name, value in of(rows).items():
        yield name, against, value, null[name], len(rows), len(unseen), len(real)


# Beside rows that were held back


def _beside_held_back(of_class: OfClass, references: Mapping[int, Rows]) -> Iterator[tuple[Any, ...]]:
    rows, unseen, real = of_class.synthetic, of_class.unseen, of_class.reference
    n = len(rows)
    both = np.concatenate([rows, unseen])
    yield from _like(rows, unseen, real, HELD_BACK)
    # Equally many of each class, as far as there are: so that a class is not nearest because it is large.
    others = np.concatenate([each[:n] for label, each in references.items() if label != of_class.label])
    of_own, of_unseen = squared_distances(both, real).reshape(2, n, -1).min(axis=2)
    if len(others):
        to_others = squared_distances(both, others).reshape(2, n, -1).min(axis=2)
        yield (
            "other_class",
            HELD_BACK,
            float((to_others[0] < of_own).mean()),
            float((to_others[1] < of_unseen).mean()),
            *(n, n, n + len(others)),
        )
    nearest = (float(np.median(np.sqrt(each))) for each in (of_own, of_unseen))
    yield "nearest", HELD_BACK, *nearest, n, n, n
    for name, test in (
        ("two_sample_linear", measures.two_sample_linear),
        ("two_sample_spread", measures.two_sample_spread),
    ):
        yield name, HELD_BACK, test(rows, real), test(unseen, real), n, n, n


def _trained_on_synthetic(
    judged: Sequence[OfClass], pools: Mapping[int, Pool], trained: Trained
) -> Iterator[tuple[Any, ...]]:
    """Train on synthetic rows, test on real ones; beside it, on unseen real rows, and on those that trained.

    Each class that rows were made for is learned from these, from as many unseen real rows, or from its training rows
    alone; each other class, from one half of its real rows. All are asked about the other halves, and the balanced
    accuracy is told: rows that ask were neither learned from, nor are they test rows of the split. Classes that have
    none to ask (`Pool`) are left out.
    """
    made = {of_class.label: of_class for of_class in judged}
    labels = [label for label, pool in pools.items() if len(pool.reference)]
    if not made or len(labels) < 2:
        return
    asked = [made[label].reference if label in made else pools[label].reference for label in labels]

    def accuracy(learned: Mapping[int, Rows]) -> float:
        rule = discriminant.fit([learned[label] if label in made else pools[label].unseen for label in labels])
        return float(np.mean([(rule.decide(rows) == place).mean() for place, rows in enumerate(asked)]))

    of_real = accuracy({label: of_class.unseen for label, of_class in made.items()})
    n, n_asked = sum(len(of_class.synthetic) for of_class in judged), sum(map(len, asked))
    of_synthetic = accuracy({label: of_class.synthetic for label, of_class in made.items()})
    yield "trained_on_synthetic", HELD_BACK, of_synthetic, of_real, n, n, n_asked
    of_training = {label: trained.of(label)[: _n_of(made[label])] for label in made}
    n_training = sum(map(len, of_training.values()))
    yield "trained_on_training", HELD_BACK, accuracy(of_training), of_real, n_training, n, n_asked


def _n_of(of_class: OfClass) -> int:
    return len(of_class.synthetic)
