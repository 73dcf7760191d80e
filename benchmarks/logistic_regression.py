"""scikit-learn's logistic regression on the rows and splits of a run: what a careful user has in ten lines.

``python -m benchmarks.logistic_regression`` prints its balanced accuracy as it is, with class weights, and with the
prior corrected. No arm of synaug's that is called best should lie much below the last without being asked why.
"""

import argparse
import itertools
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from hydra import compose, initialize_config_dir
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score

from benchmarks import measure
from synaug.embeddings.cache import EmbeddingCache, cache_folder
from synaug.files.atomic import replacing
from synaug.pipeline import load
from synaug.scores.prior_correction import prior_correction
from synaug.settings import conf_dir
from synaug.splits import make_splits

RULES = ("argmax", "class weights", "prior corrected")
MAX_ITER = 2000
RESULTS = "logistic_regression.json"


@dataclass(frozen=True)
class Scores:
    """Balanced accuracies of one scenario: by rule, the mean over splits."""

    dataset: str
    ratio: int
    C: float
    seeds: int
    splits: int
    scores: dict[str, float]


def measured(dataset: str, ratio: int, C: float, arguments: argparse.Namespace) -> Scores:
    """Fit and score every split of a scenario."""
    settings = [
        f"dataset={dataset}",
        f"imbalance_ratio=ir{ratio}",
        f"dataset.max_per_class={arguments.max_per_class}",
        f"seeds=[{','.join(map(str, range(arguments.seeds)))}]",
        *arguments.override,
    ]
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        config = compose("config", settings)
    loaded = load(config)
    texts = loaded.texts
    X, y = EmbeddingCache(loaded.encoder, cache_folder(config.cache_dir)).embed(texts.texts), texts.labels
    splits = make_splits(
        texts.name,
        y,
        texts.class_names,
        loaded.imbalance_ratio,
        seeds=list(config.seeds),
        n_folds=config.n_folds,
        validation=loaded.validation,
        groups=texts.groups,
    )
    scores = []
    for split in splits:
        plain = LogisticRegression(C=C, max_iter=MAX_ITER).fit(X[split.train], y[split.train])
        weighted = LogisticRegression(C=C, max_iter=MAX_ITER, class_weight="balanced").fit(
            X[split.train], y[split.train]
        )
        said = plain.predict_log_proba(X[split.test])
        frequencies = np.bincount(y[split.train]) / len(split.train)
        corrected = said + prior_correction(frequencies, np.full(len(frequencies), 1 / len(frequencies)))
        decided = (said.argmax(1), weighted.predict(X[split.test]), corrected.argmax(1))
        scores.append([balanced_accuracy_score(y[split.test], labels) for labels in decided])
    means = dict(zip(RULES, np.mean(scores, axis=0).tolist(), strict=True))
    return Scores(dataset, ratio, C, arguments.seeds, len(splits), means)


def table(found: list[Scores]) -> str:
    """Balanced accuracies in markdown."""
    lines = [f"| scenario | C | {' | '.join(RULES)} |", f"|---|--:|{'--:|' * len(RULES)}"]
    for each in found:
        values = " | ".join(f"{each.scores[rule]:.3f}" for rule in RULES)
        lines.append(f"| {each.dataset}, 1:{each.ratio} | {each.C:g} | {values} |")
    return "\n".join(lines)


def main() -> None:
    """Measure all scenarios, print the table, and keep the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.logistic_regression", description=__doc__)
    parser.add_argument("--datasets", nargs="+", default=["sst2", "ag_news"])
    parser.add_argument("--ratios", nargs="+", type=int, default=[10, 50, 100])
    parser.add_argument("--C", nargs="+", type=float, default=[1.0], help="inverse strength of the penalty")
    parser.add_argument("--seeds", type=int, default=3, help="how many")
    parser.add_argument("--max-per-class", type=int, default=1000)
    parser.add_argument("--results", type=Path, default=measure.RESULTS, help="folder of logistic_regression.json")
    parser.add_argument("override", nargs="*", help="further settings, e.g. n_folds=5")
    arguments = parser.parse_args()
    found = []
    for scenario in itertools.product(arguments.datasets, arguments.ratios, arguments.C):
        found.append(measured(*scenario, arguments))
        print(table(found[-1:]).splitlines()[-1], flush=True)
    with replacing(arguments.results / RESULTS) as file:
        file.write((json.dumps([asdict(each) for each in found], indent=1) + "\n").encode())
    print(f"\n{table(found)}")


if __name__ == "__main__":
    main()
