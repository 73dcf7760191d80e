"""MTEB's protocol for classification, step by step.

Ten experiments: each draws `k` training rows of each class, fits scikit-learn's logistic regression on their
embeddings and predicts all test rows (Muennighoff et al. 2023, and MTEB's ``AbsTaskClassification``). The rows that are
drawn depend on the order of the data set, so nothing may be merged, dropped or sorted on the way.
"""

import json
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score

from synaug.check.comparison import Comparison
from synaug.check.tasks import TASKS as TASKS
from synaug.check.tasks import Published as Published
from synaug.check.tasks import Task as Task
from synaug.errors import UserError

# MTEB's own constants.
N_EXPERIMENTS = 10
SEED = 42
MAX_ITER = 100
SPLIT = "test"
SUBSETS = ("default", "en")
# Embeddings differ by some 1e-6 from one processor to another, and a test row on the border between two classes may
# fall to either side; another protocol, another pooling or other rows move an accuracy by a hundredth.
TOLERANCE = 1e-3


def find_task(name: str) -> Task | None:
    """The known task of a name, with or without ``Classification`` at its end."""
    return next((task for task in TASKS if name in (task.name, task.name.removesuffix("Classification"))), None)


def draws(labels: NDArray[np.int64], k: int) -> Iterator[NDArray[np.int64]]:
    """Training rows of each experiment: the first `k` of each class in an order that each experiment shuffles on.

    The shuffle is the same each time, applied to what the last experiment has left.

    Parameters
    ----------
    labels
        int64 `[n]`, of the training rows in the data set's order.
    k
        Rows of each class; a class that has fewer gives all of its own.
    """
    order = np.arange(len(labels))
    for _ in range(N_EXPERIMENTS):
        np.random.RandomState(SEED).shuffle(order)
        of_class = labels[order]
        place = np.empty(len(order), dtype=np.int64)  # among the rows of the same class
        for label in np.unique(labels):
            mine = of_class == label
            place[mine] = np.arange(mine.sum())
        yield order[place < k]


def experiments(
    train: NDArray[np.float32],
    train_labels: NDArray[np.int64],
    test: NDArray[np.float32],
    test_labels: NDArray[np.int64],
) -> tuple[float, float]:
    """Accuracy and macro F1 of one experiment.

    Parameters
    ----------
    train, train_labels
        float32 `[r, d]` and int64 `[r]` of the rows drawn, in the order of the draw.
    test, test_labels
        float32 `[n, d]` and int64 `[n]`.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # so many iterations are the protocol's
        model = LogisticRegression(max_iter=MAX_ITER, random_state=SEED).fit(train, train_labels)
    predicted = model.predict(test)
    return float(accuracy_score(test_labels, predicted)), float(f1_score(test_labels, predicted, average="macro"))


def compare(scores: Sequence[tuple[float, float]], published: Published) -> Iterator[Comparison]:
    """Accuracies and macro F1 of all experiments beside those published."""
    accuracies, f1 = np.array(scores).T
    for place, (ours, theirs) in enumerate(zip(accuracies, published.accuracies, strict=False), start=1):
        yield Comparison(f"accuracy, experiment {place}", float(ours), theirs, TOLERANCE)
    yield Comparison("accuracy, mean", float(accuracies.mean()), published.accuracy, TOLERANCE)
    yield Comparison("macro F1, mean", float(f1.mean()), published.f1, TOLERANCE)


def read_published(path: Path) -> Published:
    """Read one of MTEB's result files.

    Raises
    ------
    UserError
        If it cannot be read, or holds no scores of a test split.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise UserError(f"published={path} cannot be read ({error}): give one of MTEB's result files") from error
    try:
        (scores,) = (each for each in found["scores"][SPLIT] if each["hf_subset"] in SUBSETS)
        each_experiment = scores.get("scores_per_experiment", [])
        return Published(
            tuple(float(each["accuracy"]) for each in each_experiment), float(scores["accuracy"]), float(scores["f1"])
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"published={path} holds no accuracy and f1 of the split {SPLIT!r}: give the JSON of one classification "
            "task from MTEB's results"
        ) from error


def asked_for(name: str, k: str | None, published: str | None, *, has_dataset: bool) -> Task:
    """The task that a command line names.

    Parameters
    ----------
    name, k, published
        As they were written; None for what was not.
    has_dataset
        Whether the command line names a data set.

    Raises
    ------
    UserError
        If the task is not known here and the command line does not say all of it, or if `k` cannot be.
    """
    known = find_task(name)
    if k is not None and not (k.isdecimal() and int(k) > 0):
        raise UserError(f"k={k} must be a whole number of at least 1: the training rows of each class")
    theirs = None if published is None else read_published(Path(published))
    if known is None:
        if k is None or theirs is None or not has_dataset:
            raise UserError(
                f"task={name} is not known here ({', '.join(task.name for task in TASKS)}): give its k=..., "
                "dataset=... and published=FILE, too"
            )
        return Task(name, int(k), theirs)
    if k is not None and int(k) != known.k and theirs is None:
        raise UserError(
            f"k={k} must be {known.k}, as in the published scores of {known.name}: leave it out, or give published=FILE"
        )
    if theirs is None:
        return known
    return replace(known, k=known.k if k is None else int(k), published=theirs, model=None)
