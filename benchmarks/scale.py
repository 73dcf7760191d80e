"""From 10,000 to 1,000,000 rows: SMOTE and training of ten folds, in time and in memory."""

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import process
from benchmarks.generator import D, ten_folds, training
from benchmarks.measure import Arrays, Differs, Row, Run
from benchmarks.stage import Stage

# Above the interpreter, of the size of the embeddings.
MOST_MEMORY = 1.5
MINORITY_SHARE = 0.1
BLOCK_ROWS = 10_000
STEPS, WARM_UP_STEPS = 500, 50
# The neighbours of the whole minority among itself, which all folds filter, stand apart: exact search is quadratic.
PARTS = ("split", "neighbours", "rest_of_augmenting", "training")


def measure(args: argparse.Namespace) -> list[Row]:
    """One size after the other, each in a process of its own."""
    rows = []
    for n_rows in map(int, args.rows.split(",")):
        sized = argparse.Namespace(**{**vars(args), "n_rows": n_rows})
        runs = []
        for _ in range(args.repetitions):  # a process each: memory that was freed once is seldom given back
            with process.sides("benchmarks.scale", ("synaug",), sized) as started:
                runs.append(started["synaug"]())
        rows += _rows(n_rows, runs)
    return rows


def _rows(n_rows: int, runs: list[Run]) -> list[Row]:
    size = 4 * n_rows * D
    above = max((run.memory or 0) - int(run.arrays["interpreter"]) for run in runs)
    if float(runs[0].arrays["accuracy"]) < 0.6:
        raise Differs(
            f"{n_rows} rows: mean accuracy {float(runs[0].arrays['accuracy']):.2f}, so that nothing was learnt"
        )
    name = f"{n_rows:,} × {D}"
    rows = [
        Row(
            f"{name}, memory above the interpreter in sizes of the embeddings ({size / 1e6:.0f} MB)",
            (above / size,),
            target=MOST_MEMORY if n_rows >= 1_000_000 else None,
            kind="times",
            synaug_memory=above,
        )
    ]
    for part in PARTS:
        seconds = tuple(float(run.arrays[part]) for run in runs)
        rows.append(Row(f"{name}, {part.replace('_', ' ')}", seconds, kind="seconds"))
    return rows


def generated(n_rows: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Rows of length 1, `[n_rows, 384]`, block by block, and labels: one in ten is of the minority."""
    draw = np.random.default_rng(0)
    directions = draw.standard_normal((32, D), dtype=np.float32) / 6
    minority = draw.standard_normal(D, dtype=np.float32) / 8
    labels = (np.arange(n_rows) % round(1 / MINORITY_SHARE) == 0).astype(np.int64)
    rows = np.empty((n_rows, D), dtype=np.float32)
    for start in range(0, n_rows, BLOCK_ROWS):
        block = rows[start : start + BLOCK_ROWS]
        block[:] = draw.standard_normal((len(block), 32), dtype=np.float32) @ directions
        block += draw.standard_normal(block.shape, dtype=np.float32) / 2
        block += labels[start : start + BLOCK_ROWS, None] * minority
        block /= np.linalg.norm(block, axis=1, keepdims=True)
    return rows, labels


def synaug(args: argparse.Namespace) -> Callable[[], Arrays]:
    """The program's own way from embeddings to predictions, `augmenter=smote imbalance_ratio=natural`."""
    from imblearn.over_sampling import SMOTE

    from synaug.augmenter import Augmenter
    from synaug.dataset import LabelledTexts
    from synaug.training.training_sets import augment, neighbour_graphs

    def program(n_rows: int, steps: int) -> dict[str, Any]:
        clock, spent = time.perf_counter(), {}

        def lap(part: str) -> None:
            nonlocal clock
            spent[part] = time.perf_counter() - clock
            clock += spent[part]

        rows, labels = generated(n_rows)
        lap("generated")
        texts = LabelledTexts("generated", ["nobody reads it"] * n_rows, labels, ("a", "b"))
        folds = ten_folds(texts, None)
        lap("split")
        graphs = neighbour_graphs(rows, labels)
        minority = np.flatnonzero(labels == 1)
        graphs["euclidean"].neighbours(minority, folds[0].train[labels[folds[0].train] == 1], 5)
        lap("neighbours")
        sampler = Augmenter(SMOTE())
        data = augment(texts, rows, folds, sampler, graphs, ratio=None)
        lap("rest_of_augmenting")
        predicted = training(steps).fit(data).splits
        lap("training")
        accuracy = np.mean(
            [
                (of_split.last.argmax(1) == labels[fold.test]).mean()
                for of_split, fold in zip(predicted, folds, strict=True)
            ]
        )
        return {**spent, "accuracy": accuracy}

    program(2000, WARM_UP_STEPS)
    interpreter = process.memory()
    return lambda: {
        name: np.array(value) for name, value in {"interpreter": interpreter, **program(args.n_rows, STEPS)}.items()
    }


STAGE = Stage(
    name="scale",
    about="SMOTE and training of ten folds of natural imbalance (1 in 10), in time and in memory.",
    sizes={"rows": ("10000,100000,1000000", "of the data sets, 384-d")},
    measure=measure,
    sides={"synaug": synaug},
    repetitions=1,
)

if __name__ == "__main__":
    STAGE.main()
