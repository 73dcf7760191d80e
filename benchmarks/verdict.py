"""How often the primary question is answered wrongly, and how often a true gain is found.

``python -m benchmarks.verdict`` draws data sets of Gaussian rows, takes each through synaug's own splits, samplers,
training, scores and comparison, and counts the answers. It goes on where it was stopped; ``--minutes`` bounds a call.
"""

import argparse
import json
import logging
import math
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from imblearn import FunctionSampler
from imblearn.over_sampling import SMOTE, RandomOverSampler
from imblearn.over_sampling.base import BaseOverSampler
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from statsmodels.stats.proportion import proportion_confint

from benchmarks import measure
from synaug.augmenter import Augmenter
from synaug.classifier import Classifier
from synaug.comparison import stats
from synaug.comparison.choices import choose, with_choices
from synaug.comparison.labels import NO_AUGMENTER, PLAIN_LOSS
from synaug.comparison.significance import BETTER, LEVEL, OUTCOMES, WORSE
from synaug.dataset import LabelledTexts
from synaug.files.atomic import replacing
from synaug.imbalance_ratio import ImbalanceRatio
from synaug.loss import ClassWeighted, Loss, Plain
from synaug.pipeline import quieten_lightning, to_score
from synaug.scores.metrics import balanced_accuracy, balanced_log_loss
from synaug.settings import BAGGED
from synaug.splits import Split, make_splits
from synaug.training.fit import StackedTraining
from synaug.training.training_sets import TrainingData, augment
from synaug.validation import Nested

SCENARIO = "simulated"
COLUMNS = ["scenario", "augmenter", "loss", "with_synthesis", "decision", "seed", "fold", "value"]
CLASS_NAMES = ("majority", "minority")
RESULTS = "verdict.json"
BLOCK = 10  # repetitions that train in one stack


@dataclass(frozen=True)
class Design:
    """What every repetition has in common."""

    rows_per_class: int = 200
    width: int = 16
    ratio: float = 10.0
    n_folds: int = 10
    inner_folds: int = 5
    max_steps: int = 128
    batch_size: int = 64


class FromTheSource(BaseOverSampler):  # type: ignore[misc]
    """New rows from where the data come from: a share of them true draws, the others repeats, moved by a hair.

    Nobody can have it; it plants a gain whose size the share decides. With a share of 0 it gains nothing over
    repetition: the repeats are drawn anew, so that the scores of both differ by chance alone.
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {}
    HAIR = 1e-3

    def __init__(
        self, *, distance: float = 0.0, share: float = 0.0, sampling_strategy: Any = "auto", random_state: Any = None
    ) -> None:
        super().__init__(sampling_strategy=sampling_strategy)
        self.distance = distance
        self.share = share
        self.random_state = random_state

    def _fit_resample(self, X: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
        # One draw more than other samplers, which start from the same state and must not repeat the same rows.
        draw = np.random.RandomState(check_random_state(self.random_state).randint(2**32, dtype=np.uint32))
        rows, labels = [X], [y]
        for label, count in self.sampling_strategy_.items():
            repeats = X[draw.choice(np.flatnonzero(y == label), count)]
            true = gaussian(np.full(count, label), X.shape[1], self.distance, draw)
            is_true = draw.random_sample(count) < self.share
            made = np.where(is_true[:, None], true, repeats + self.HAIR * draw.standard_normal(repeats.shape))
            rows.append(made.astype(X.dtype))
            labels.append(np.full(count, label, y.dtype))
        return np.concatenate(rows), np.concatenate(labels)


def gaussian(
    labels: NDArray[np.int64], width: int, distance: float, draw: np.random.RandomState
) -> NDArray[np.float64]:
    """Rows of two classes whose means lie so many standard deviations apart, `[n, width]`."""
    rows = draw.standard_normal((len(labels), width))
    rows[:, 0] += (labels - 0.5) * distance
    return rows


@dataclass(frozen=True)
class Method:
    """An augmenter and a loss, as the comparison names them."""

    augmenter: str
    sampler: Any
    loss: Loss = field(default_factory=Plain)
    loss_name: str = PLAIN_LOSS


@dataclass(frozen=True)
class Setting:
    """A question whose true answer is known.

    Attributes
    ----------
    about
        What is true.
    distance
        Of the classes' means; at 0, labels are random.
    methods
        What is compared.
    """

    about: str
    distance: float
    methods: tuple[Method, ...]


NONE = Method(NO_AUGMENTER, FunctionSampler())
WEIGHTED = replace(NONE, loss=ClassWeighted(), loss_name="class_weighted")
REPEATED = Method("random", RandomOverSampler())
DISTANCE = 2.0


def _planted(share: float) -> Setting:
    sampler = FromTheSource(distance=DISTANCE, share=share)
    about = f"a planted gain: {share:.0%} of the synthetic rows are true draws"
    return Setting(about, DISTANCE, (NONE, WEIGHTED, Method("planted", sampler)))


SETTINGS = {
    "random_labels": Setting("no gain: labels are random", 0.0, (NONE, WEIGHTED, Method("smote", SMOTE()))),
    "repeats": Setting(
        "no gain: rows are repeated on both sides", DISTANCE, (REPEATED, Method("repeated anew", FromTheSource()))
    ),
    **{f"planted_{round(100 * share)}": _planted(share) for share in (0.1, 0.3, 1.0)},
}


def block(setting: Setting, design: Design, first: int, n: int, n_seeds: int) -> list[dict[str, Any]]:
    """The primary question's answers in `n` repetitions, which train side by side.

    Each repetition is a data set of its own, with splits of its own; its splits carry numbers of their own as seeds, so
    that its draws are its own, too.
    """
    labels = np.repeat(np.arange(2), design.rows_per_class)
    rows, splits = [], []
    for place, repetition in enumerate(range(first, first + n)):
        rows.append(gaussian(labels, design.width, setting.distance, np.random.RandomState(repetition)))
        of_this = make_splits(
            f"{SCENARIO} {repetition}",
            labels,
            CLASS_NAMES,
            ImbalanceRatio(design.ratio),
            seeds=range(n_seeds),
            n_folds=design.n_folds,
            validation=Nested(design.inner_folds),
        )
        splits += [_moved(split, place * len(labels), repetition * n_seeds) for split in of_this]
    texts = LabelledTexts(SCENARIO, [], np.tile(labels, n), CLASS_NAMES)
    tests, out_of_fold = [], []
    for method in setting.methods:
        scored = _scored(method, design, texts, np.concatenate(rows).astype(np.float32), splits)
        tests.append(scored[0])
        out_of_fold.append(scored[1])
    by_test, by_oof = pd.concat(tests), pd.concat(out_of_fold)
    return [
        _answer(*(frame[frame["seed"] // n_seeds == repetition] for frame in (by_test, by_oof)))
        for repetition in range(first, first + n)
    ]


def _moved(split: Split, by: int, seed: int) -> Split:
    inner = tuple(replace(fold, fit=fold.fit + by, left_out=fold.left_out + by) for fold in split.inner)
    return replace(split, seed=seed + split.seed, train=split.train + by, test=split.test + by, inner=inner)


def _scored(
    method: Method, design: Design, texts: LabelledTexts, rows: NDArray[np.float32], splits: Sequence[Split]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores of test rows, and losses on out-of-fold rows, as the comparison reads them."""
    amount = 0.0 if method.augmenter == NO_AUGMENTER else 1.0
    data = augment(texts, rows, splits, Augmenter(method.sampler, amount), {}, ratio=design.ratio)
    training = StackedTraining(
        partial(Classifier),
        method.loss,
        batch_size=design.batch_size,
        max_steps=design.max_steps,
        trainer={"accelerator": "cpu", "enable_progress_bar": False},
        final=BAGGED,
    )
    predictions = training.fit(data)
    named = (SCENARIO, method.augmenter, method.loss_name, _makes_new_rows(data))
    test, out_of_fold = [], []
    for place, said in enumerate(predictions.splits):
        # All of `synaug.scores.metrics.scores` would take more time than the training.
        split = to_score(data, place, said)
        for rule in split.rules:
            where = (*named, rule.rule, split.seed, split.fold)
            test.append((*where, balanced_accuracy(split.labels, rule.test.argmax(1))))
            if rule.out_of_fold is not None:
                out_of_fold.append((*where, balanced_log_loss(split.out_of_fold_labels, rule.out_of_fold)))
    return pd.DataFrame(test, columns=COLUMNS), pd.DataFrame(out_of_fold, columns=COLUMNS)


def _makes_new_rows(data: TrainingData) -> bool:
    return any(entry.new > 0 for training_set in data.training_sets for entry in training_set.augmented.balance)


def _answer(test: pd.DataFrame, out_of_fold: pd.DataFrame) -> dict[str, Any]:
    """The primary row of one repetition's comparison."""
    compared = stats.compare(with_choices(test, choose(out_of_fold)))
    (primary,) = compared[compared["family"] == stats.PRIMARY].to_dict("records")
    told = {name: float(primary[name]) for name in ("gain", "low", "high", "p_holm", "detectable")}
    return {**told, "outcome": str(primary["outcome"])}


def summary(answers: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Rates with Wilson's intervals, the mean gain, and how often the interval holds it."""
    n = len(answers)
    gain = float(np.mean([answer["gain"] for answer in answers]))
    rejected = sum(answer["p_holm"] < LEVEL for answer in answers)
    outcomes = {name: sum(answer["outcome"] == name for answer in answers) for name in OUTCOMES}
    found = {"rejected": rejected, BETTER: outcomes[BETTER], WORSE: outcomes[WORSE]}
    return {
        "repetitions": n,
        "gain": gain,
        "gain_error": float(np.std([answer["gain"] for answer in answers], ddof=1) / math.sqrt(n)) if n > 1 else None,
        "covered": sum(answer["low"] <= gain <= answer["high"] for answer in answers) / n,
        "detectable": float(np.median([answer["detectable"] for answer in answers])),
        "outcomes": outcomes,
        "rates": {
            name: [count / n, *map(float, proportion_confint(count, n, method="wilson"))]
            for name, count in found.items()
        },
    }


def table(kept: dict[str, Any]) -> str:
    """A table in markdown of what is known so far."""
    lines = [
        "| what is true | seeds | repetitions | mean gain | difference found with 80 % probability | p < .05 "
        "| better | worse | interval holds the mean gain |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for key, answers in kept["answers"].items():
        if not answers:
            continue
        name, n_seeds = key.rsplit("/", 1)
        found = summary(answers)
        rates: list[list[float]] = list(found["rates"].values())
        cells = [
            SETTINGS[name].about,
            n_seeds,
            str(found["repetitions"]),
            f"{100 * found['gain']:+.1f}",
            f"{100 * found['detectable']:.1f}",
            *(f"{100 * rate:.1f} % [{100 * low:.1f}, {100 * high:.1f}]" for rate, low, high in rates),
            f"{100 * found['covered']:.0f} %",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Add repetitions, the settings with the fewest first, until all have enough or the time is up."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.verdict", description=__doc__)
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument("--repetitions", type=int, default=400, help="of each setting; what is kept counts")
    parser.add_argument("--minutes", type=float, default=10.0, help="no block of repetitions is begun afterwards")
    parser.add_argument("--seeds", type=int, default=1, help="seeds of each repetition's splits")
    parser.add_argument("--results", type=Path, default=measure.RESULTS, help="folder of verdict.json")
    arguments = parser.parse_args()
    quieten_lightning()
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    path, design = arguments.results / RESULTS, Design()
    kept: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"answers": {}}
    if kept.setdefault("design", asdict(design)) != asdict(design):
        raise SystemExit(f"{path} is of another design: move it away")
    answers = {f"{name}/{arguments.seeds}": SETTINGS[name] for name in arguments.settings}
    end = time.monotonic() + 60 * arguments.minutes
    while time.monotonic() < end:
        key = min(answers, key=lambda each: len(kept["answers"].get(each, ())))
        done = kept["answers"].setdefault(key, [])
        n = min(BLOCK, arguments.repetitions - len(done))
        if n <= 0:
            break
        done += block(answers[key], design, len(done), n, arguments.seeds)
        with replacing(path) as file:
            file.write((json.dumps(kept, indent=1) + "\n").encode())
        print(f"{key}: {len(done)} repetitions", flush=True)
    print(f"\n{table(kept)}")


if __name__ == "__main__":
    main()
