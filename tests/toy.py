"""A data set, texts that somebody wrote for it, an encoder and samplers small enough for tests of the whole program."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from imblearn.over_sampling.base import BaseOverSampler
from numpy.typing import NDArray
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.utils import check_random_state

from synaug.augmenter import Augmented, Augmenter, Texts, ToAugment, TrainingRows
from synaug.dataset import LabelledTexts

WORDS = {
    "sport": ["goal", "team", "match", "win", "player", "score", "season", "coach"],
    "trade": ["market", "price", "share", "bank", "profit", "loss", "sale", "stock"],
    "space": ["orbit", "moon", "rocket", "star", "planet", "launch", "probe", "comet"],
}
FILLER = [
    "the",
    "a",
    "of",
    "in",
    "on",
    "with",
    "after",
    "before",
    "while",
    "new",
    "old",
    "big",
    "small",
    "said",
    "today",
]


def augmented(
    augmenter: Augmenter,
    X: NDArray[np.float32],
    y: NDArray[np.int64],
    seed: int = 0,
    where: str = "",
    class_names: Sequence[str] | None = None,
) -> Augmented:
    """One training set, given as arrays, after its sampler; one that brings texts gets some near each row."""
    augmenter = with_texts(augmenter, X, y)
    to_augment = ToAugment(TrainingRows.of(X, y), np.random.RandomState(seed), where)
    (found,) = augmenter.augment_all([to_augment], class_names)
    return found


def with_texts(augmenter: Augmenter, X: NDArray[np.float32], y: NDArray[np.int64], n_each: int = 30) -> Augmenter:
    """An augmenter that brings texts, with some for each row of a data set, and vectors near the row's."""
    if not augmenter.brings_texts:
        return augmenter
    texts, class_names = [f"row {row}" for row in range(len(X))], tuple(map(str, range(int(y.max()) + 1)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "written.csv")
        written(texts, y.tolist(), n_each).to_csv(path, index=False)
        known = Augmenter(Texts(path=str(path)), augmenter.amount, augmenter.strict)
        matched = known.matched(LabelledTexts("toy", texts, y, class_names))
    of_rows = np.repeat(np.arange(len(X)), n_each)
    vectors = X[of_rows] + 0.01 * np.random.RandomState(0).normal(size=(len(of_rows), X.shape[1]))
    return matched.embedded(vectors.astype(np.float32), X)


class HashingEncoder:
    """Words hashed into `dim` numbers; deterministic and quick."""

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def source(self) -> str:
        return f"toy:{self.dim}"

    def identity(self) -> dict[str, Any]:
        return {"model": "toy", "dim": self.dim}

    def encode(
        self, texts: Sequence[str], progress: Callable[[int], object] = lambda done: None
    ) -> NDArray[np.float32]:
        rows: NDArray[np.float32] = HashingVectorizer(n_features=self.dim).transform(texts).toarray().astype(np.float32)
        return rows


class NoisyCopies(BaseOverSampler):  # type: ignore[misc]
    """What a user of ours would write: repeated rows with a little noise."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {}

    def __init__(self, *, sampling_strategy: Any = "auto", random_state: Any = None, noise: float = 0.1) -> None:
        super().__init__(sampling_strategy=sampling_strategy)
        self.random_state = random_state
        self.noise = noise

    def _fit_resample(self, X: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        draw = check_random_state(self.random_state)
        rows, labels = [X], [y]
        for label, count in self.sampling_strategy_.items():
            chosen = draw.choice(np.flatnonzero(y == label), count)
            rows.append((X[chosen] + self.noise * draw.standard_normal((count, X.shape[1]))).astype(X.dtype))
            labels.append(np.full(count, label, y.dtype))
        return np.concatenate(rows), np.concatenate(labels)


class LeakySampler(BaseOverSampler):  # type: ignore[misc]
    """Synthesises the whole data set, test rows included, as a sampler that was let near them would."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {}
    everything: ClassVar[tuple[NDArray[Any], NDArray[Any]]]

    def _fit_resample(self, X: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        rows, labels = self.everything
        return np.concatenate([X, rows, rows]), np.concatenate([y, labels, labels])


def texts(n_per_class: int, classes: Sequence[str] = ("sport", "trade"), seed: int = 0) -> tuple[list[str], list[str]]:
    """Distinct sentences, most of whose words are filler, and their class names."""
    draw = np.random.RandomState(seed)
    found: dict[str, str] = {}
    for name in classes:
        wanted = len(found) + n_per_class
        while len(found) < wanted:
            words = [*draw.choice(FILLER, 6), *draw.choice(WORDS[name], 2), str(draw.randint(10**6))]
            found.setdefault(" ".join(draw.permutation(words)), name)
    return list(found), list(found.values())


def write_csv(path: Path, rows: Sequence[str], labels: Sequence[Any]) -> Path:
    """A csv with the columns body and topic."""
    pd.DataFrame({"body": rows, "topic": labels}).to_csv(path, index=False)
    return path


def written(sources: Sequence[str], labels: Sequence[Any], n_each: int = 3, seed: int = 0) -> pd.DataFrame:
    """Texts as a careless writer makes them: words of a source shuffled, and one that is new; text, label, source."""
    draw = np.random.RandomState(seed)
    rows = [
        (" ".join([*draw.permutation(source.split())[:-2], f"new{draw.randint(10**9)}"]), label, source)
        for source, label in zip(sources, labels, strict=True)
        for _ in range(n_each)
    ]
    return pd.DataFrame(rows, columns=["text", "label", "source"])
