"""SMOTE and its kin: one call at size, and a whole grid of methods, ratios and folds."""

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import process
from benchmarks.measure import Arrays, Differs, Row, interleave, require_close
from benchmarks.stage import Stage

if TYPE_CHECKING:
    from synaug.splits import Split

METHODS = ("SMOTE", "BorderlineSMOTE", "ADASYN")
RATIOS = (2, 10, 50)
N_FOLDS, K, M = 10, 5, 10
# Of each call's synthetic rows, those that are compared: the first, and every so-manyth.
COMPARED_EVERY = 97
# Ties apart, which two exact searches may break in two ways, rows agree to the rounding of float32.
TOLERANCE, TIED_SHARE = 2e-6, 0.001
# Where `make smote-variants` puts it; its own environment, since it asks for versions of its own.
SMOTE_VARIANTS = Path(os.environ.get("SMOTE_VARIANTS_VENV", process.ROOT / ".venv-smote-variants"), "bin", "python")


def measure(args: argparse.Namespace) -> list[Row]:
    """Each method's single call, then the grid."""
    rows = []
    for method in METHODS:
        one = argparse.Namespace(**{**vars(args), "method": method})
        with process.sides("benchmarks.neighbours", ("imbalanced_learn", "synaug", "gemm"), one) as started:
            runs = interleave(started, args.repetitions, require_same)
        name = f"{method}, one call, {args.rows:,} × {args.width}, {args.minority:.0%} minority"
        gflop = float(runs["synaug"][0].arrays["gflop"])
        rows.append(Row.of(name, runs, "imbalanced_learn", called="imbalanced-learn", target=4.0, gflop=gflop))
    if SMOTE_VARIANTS.exists():
        rows.append(_smote_variants(args))
    with process.sides("benchmarks.neighbours", ("grid_imbalanced_learn", "grid_synaug", "gemm"), args) as started:
        # imbalanced-learn's takes one to two minutes at the default size.
        runs = interleave(started, max(args.repetitions // 2, 1), require_same_grid)
    name = f"3 methods × {N_FOLDS} folds × 1:{', 1:'.join(map(str, RATIOS))}, {args.grid_rows:,} × {args.grid_width}"
    gflop = float(runs["grid_synaug"][0].arrays["gflop"])
    peer, own = "grid_imbalanced_learn", "grid_synaug"
    rows.append(Row.of(name, runs, peer, called="imbalanced-learn", synaug=own, target=15.0, gflop=gflop))
    return rows


def _smote_variants(args: argparse.Namespace) -> Row:
    one = argparse.Namespace(**{**vars(args), "method": "SMOTE"})
    pythons = {"smote_variants": str(SMOTE_VARIANTS)}
    with process.sides("benchmarks.neighbours", ("smote_variants", "synaug"), one, pythons) as started:
        runs = interleave(started, args.repetitions, require_counts)
    return Row.of(f"SMOTE, one call, {args.rows:,} × {args.width}", runs, "smote_variants", called="smote-variants")


def require_same(computed: dict[str, Arrays]) -> None:
    """Demand the same synthetic rows but for ties.

    Raises
    ------
    Differs
        If labels differ, or more than `TIED_SHARE` of the rows compared.
    """
    one, other = computed["imbalanced_learn"], computed["synaug"]
    require_close(one["count"], other["count"], "numbers of synthetic rows")
    _require_rows(one["some"], other["some"], "synthetic rows")


def _require_rows(one: NDArray[Any], other: NDArray[Any], what: str) -> None:
    if one.shape != other.shape or not len(one):
        raise Differs(f"{what}: shapes {one.shape} and {other.shape}, which must be alike and not empty")
    differing = float((np.abs(one - other).max(1) > TOLERANCE).mean())
    if differing > TIED_SHARE:
        raise Differs(f"{what}: {differing:.1%} differ by more than {TOLERANCE:g}")


def require_same_grid(computed: dict[str, Arrays]) -> None:
    """Demand the same synthetic rows in every cell of the grid.

    Raises
    ------
    Differs
        From `require_same`'s demands.
    """
    one, other = computed["grid_imbalanced_learn"], computed["grid_synaug"]
    require_close(one["count"], other["count"], "numbers of synthetic rows in the grid")
    _require_rows(one["some"], other["some"], "synthetic rows of the grid")


def require_counts(computed: dict[str, Arrays]) -> None:
    """Demand as many rows: smote-variants draws its own.

    Raises
    ------
    Differs
        If they are not.
    """
    require_close(computed["smote_variants"]["count"], computed["synaug"]["count"], "numbers of synthetic rows")


def generated(n_rows: int, width: int, minority: float) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Two classes that overlap, rows of length 1 near a space of 48 dimensions, in a mixed order."""
    draw = np.random.default_rng(0)
    labels = (draw.permutation(n_rows) < round(minority * n_rows)).astype(np.int64)
    hidden = draw.standard_normal((n_rows, 48), dtype=np.float32) + 0.35 * labels[:, None].astype(np.float32)
    rows = hidden @ draw.standard_normal((48, width), dtype=np.float32)
    rows += 3 * draw.standard_normal(rows.shape, dtype=np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows, labels


def imbalanced_learn(args: argparse.Namespace) -> Callable[[], Arrays]:
    """The sampler as it comes."""
    from imblearn import over_sampling

    rows, labels = generated(args.rows, args.width, args.minority)
    sampler = getattr(over_sampling, args.method)

    def call() -> Arrays:
        resampled, resampled_labels = sampler(random_state=np.random.RandomState(0)).fit_resample(rows, labels)
        synthetic = resampled[len(rows) :]
        return {"count": np.bincount(resampled_labels[len(rows) :]), "some": synthetic[::COMPARED_EVERY].copy()}

    return call


def synaug(args: argparse.Namespace) -> Callable[[], Arrays]:
    """The same sampler under synaug's contract, with nothing searched for before."""
    from imblearn import over_sampling

    from synaug.augmenter import Augmenter, ToAugment, TrainingRows

    rows, labels = generated(args.rows, args.width, args.minority)
    augmenter = Augmenter(getattr(over_sampling, args.method)())

    def call(n_rows: int = args.rows) -> Arrays:
        given = TrainingRows.of(rows[:n_rows], labels[:n_rows])
        (augmented,) = augmenter.augment_all([ToAugment(given, np.random.RandomState(0))])
        some = augmented.synthetic.where(np.arange(len(augmented.labels)) % COMPARED_EVERY == 0)
        return {
            "count": np.bincount(augmented.labels),
            "some": some.values(given),
            "gflop": np.array(sum(graph.flops_done for graph in given.graphs.values()) / 1e9),
        }

    call(1000)
    return call


def smote_variants(args: argparse.Namespace) -> Callable[[], Arrays]:
    """SMOTE of smote-variants, in its environment."""
    import logging

    import smote_variants as variants  # type: ignore[import-not-found, unused-ignore]

    logging.getLogger("smote_variants").setLevel(logging.WARNING)
    rows, labels = generated(args.rows, args.width, args.minority)

    def call() -> Arrays:
        sampler = variants.SMOTE(n_neighbors=K, n_jobs=os.cpu_count(), random_state=0)
        _, resampled_labels = sampler.sample(rows, labels)
        return {"count": np.bincount(resampled_labels) - np.bincount(labels) * [1, 1]}

    return call


def _cells(n_rows: int) -> Iterator[tuple[int, list["Split"], NDArray[np.int64]]]:
    from synaug.imbalance_ratio import ImbalanceRatio
    from synaug.splits import make_splits
    from synaug.validation import Oracle

    labels = (np.arange(n_rows) % 2).astype(np.int64)
    cut = partial(make_splits, seeds=[0], n_folds=N_FOLDS, validation=Oracle(0.1))
    for ratio in RATIOS:
        splits = cut("generated", labels, ("a", "b"), ImbalanceRatio(ratio))
        # The rows of an inner fold would be augmented, too.
        yield ratio, [replace(split, inner=()) for split in splits], labels


def _seed(split: "Split", ratio: int) -> np.random.RandomState:
    from synaug.seeding import derive_seed

    return np.random.RandomState(derive_seed("augmenter", "generated", split.seed, split.fold, float(ratio)))


def grid_imbalanced_learn(args: argparse.Namespace) -> Callable[[], Arrays]:
    """Every sampler on every training set."""
    from imblearn import over_sampling

    rows, _ = generated(args.grid_rows, args.grid_width, 0.5)
    cells = list(_cells(args.grid_rows))

    def call() -> Arrays:
        some, counts = [], []
        for ratio, splits, labels in cells:
            for method in METHODS:
                for split in splits:
                    sampler = getattr(over_sampling, method)(random_state=_seed(split, ratio))
                    X, y = rows[split.train], labels[split.train]
                    resampled, resampled_labels = sampler.fit_resample(X, y)
                    some.append(resampled[len(X) :][::COMPARED_EVERY])
                    counts.append(len(resampled_labels) - len(X))
        return {"some": np.concatenate(some), "count": np.array(counts)}

    return call


def grid_synaug(args: argparse.Namespace) -> Callable[[], Arrays]:
    """What a sweep does, a run after the other, with a cache of neighbours that is empty at first."""
    import torch
    from imblearn import over_sampling

    from synaug.augmenter import Augmenter
    from synaug.dataset import LabelledTexts
    from synaug.training.training_sets import augment, neighbour_graphs

    rows, _ = generated(args.grid_rows, args.grid_width, 0.5)
    cells = list(_cells(args.grid_rows))

    def call(n_cells: int = len(cells)) -> Arrays:
        some, counts, flops = [], [], 0.0
        with tempfile.TemporaryDirectory(prefix="synaug-benchmarks-") as folder:
            for ratio, splits, labels in cells[-n_cells:]:
                texts = LabelledTexts("generated", [str(row) for row in range(len(rows))], labels, ("a", "b"))
                for method in METHODS:
                    graphs = neighbour_graphs(rows, labels, Path(folder))
                    sampler = Augmenter(getattr(over_sampling, method)())
                    data = augment(texts, rows, splits, sampler, graphs, ratio=ratio)
                    for training_set in data.training_sets:
                        augmented = training_set.augmented
                        mask = np.arange(len(augmented.labels)) % COMPARED_EVERY == 0
                        some.append(augmented.synthetic.where(mask).values(augmented.given))
                        counts.append(len(augmented.labels))
                    flops += sum(graph.flops_done for graph in graphs.values())
        return {"some": np.concatenate(some), "count": np.array(counts), "gflop": np.array(flops / 1e9)}

    assert torch.get_num_threads()  # loaded before the clock starts
    call(1)
    return call


STAGE = Stage(
    name="neighbours",
    about="Synthetic rows of SMOTE, Borderline SMOTE and ADASYN: one call each, and the grid of a data set.",
    sizes={
        "rows": (100_000, "of the single calls"),
        "width": (768, "of the single calls' rows"),
        "minority": (0.1, "share of the minority in the single calls"),
        "grid_rows": (
            50_000,
            "of the grid's data set (IMDB has as many), before folds and thinning; half the repetitions",
        ),
        "grid_width": (384, "of the grid's rows"),
    },
    measure=measure,
    sides={
        "imbalanced_learn": imbalanced_learn,
        "synaug": synaug,
        "smote_variants": smote_variants,
        "grid_imbalanced_learn": grid_imbalanced_learn,
        "grid_synaug": grid_synaug,
    },
    repetitions=2,
)

if __name__ == "__main__":
    STAGE.main()
