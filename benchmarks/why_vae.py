"""Why a VAE's rows are worth less: what it learns, what its rows vary, and what probabilistic PCA predicts of both.

``python -m benchmarks.why_vae`` thins data sets, trains VAEs on the few rows that are left of a class, and holds them
against the real rows of the class that were taken away. No classifier is trained; ``experiment=why_vae`` has scores.
"""

import argparse
import itertools
import json
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from hydra import compose, initialize_config_dir
from imblearn.over_sampling import SMOTE
from numpy.typing import NDArray

from benchmarks import measure
from synaug.augmenter import CVAE, VAE, Flow
from synaug.augmenter.vae.network import StackedVAE
from synaug.embeddings.cache import EmbeddingCache, cache_folder
from synaug.files.atomic import replacing
from synaug.pipeline import load
from synaug.settings import conf_dir
from synaug.splits import make_splits

DATASETS = ("sst2", "imdb", "ag_news", "trec", "emotion", "sms_spam", "banking77", "rotten_tomatoes")
# Rows of a class at most: an imdb text takes ten times as long to embed as another.
CAPS = {"imdb": 400, "banking77": 130, "ag_news": 700}
CAP = 1000
LATENT = 32  # the VAE's own default
RESULTS = "why_vae.json"
# How rows are drawn is said of each: what is the default may change.
PRIOR: dict[str, Any] = {"sample_from": "prior", "observation_noise": False}
POSTERIOR: dict[str, Any] = {"sample_from": "posterior", "observation_noise": False}
NOISE: dict[str, Any] = {"observation_noise": True}
VARIANTS: dict[str, Callable[[], Any]] = {
    "VAE, prior": lambda: VAE(**PRIOR),
    "VAE, prior, noise": lambda: VAE(**PRIOR | NOISE),
    "VAE, posterior": lambda: VAE(**POSTERIOR),
    "VAE, posterior, noise": lambda: VAE(**POSTERIOR | NOISE),
    "VAE, beta 0.1": lambda: VAE(**PRIOR, beta=0.1),
    "VAE, beta 4": lambda: VAE(**PRIOR, beta=4),
    "VAE, 4 latents": lambda: VAE(**PRIOR, latent_dim=4),
    "VAE, 128 latents": lambda: VAE(**PRIOR, latent_dim=128),
    "VAE, linear": lambda: VAE(**PRIOR, hidden=0),
    "CVAE, prior": lambda: CVAE(**PRIOR),
    "CVAE, posterior": lambda: CVAE(**POSTERIOR),
    "CVAE, posterior, noise": lambda: CVAE(**POSTERIOR | NOISE),
    "Gaussian": lambda: Flow(steps=0),
    "flow": Flow,
    "SMOTE": SMOTE,
}


def eigenvalues(rows: NDArray[Any]) -> NDArray[np.float64]:
    """Of the covariance of a class's standardised features, the largest first: what a VAE of the class sees."""
    rows = rows.astype(np.float64)
    spread = rows.std(0)
    live = spread > 1e-6
    values: NDArray[np.float64] = np.linalg.eigvalsh(np.corrcoef(rows[:, live].T))[::-1]
    return values.clip(0)


def predicted(values: NDArray[np.float64], latents: int = LATENT) -> dict[str, float]:
    """What a linear VAE with unit noise comes to, by probabilistic PCA (Lucas et al. 2019).

    A latent is alive exactly where an eigenvalue is above 1; then it keeps `lambda - 1` of a variance of `lambda`, and
    gains ``(lambda - 1 - log lambda) / 2`` nats.
    """
    alive = values[:latents][values[:latents] > 1]
    return {
        "predicted ratio": float((alive - 1).sum() / values.sum()),
        "predicted gain": float((alive - 1 - np.log(alive)).sum() / 2),
        "eigenvalues above 1": int((values > 1).sum()),
    }


def gain(vae: Any, rows: NDArray[Any], classes: NDArray[np.int64] | None = None) -> float:
    """ELBO of real rows that a VAE has not seen, in nats a row, over that of its training rows' mean."""
    x = torch.from_numpy(vae.in_its_units(rows, classes))
    network = StackedVAE([vae.weights])
    noise = torch.zeros(1, len(x), vae.judge_noise.shape[1])
    noise[..., : vae.settings.latent_dim] = torch.randn(
        len(x), vae.settings.latent_dim, generator=torch.Generator().manual_seed(0)
    )
    squares, kl = network.elbo_terms(x[None], noise)
    features, _ = network.parted(x)
    return float((features.square().sum(1) - squares[0]).mean() / 2 - kl.mean())


def measured(dataset: str, ratio: int, arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """A row for each fold, minority class and variant."""
    settings = [
        f"dataset={dataset}",
        f"imbalance_ratio=ir{ratio}",
        f"dataset.max_per_class={min(CAPS.get(dataset, CAP), arguments.max_per_class)}",
    ]
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        config = compose("config", settings)
    loaded = load(config)
    texts = loaded.texts
    X = EmbeddingCache(loaded.encoder, cache_folder(config.cache_dir)).embed(texts.texts, progress_bar=False)
    splits = make_splits(
        texts.name,
        texts.labels,
        texts.class_names,
        loaded.imbalance_ratio,
        seeds=[0],
        n_folds=config.n_folds,
        validation=loaded.validation,
        groups=texts.groups,
    )
    for split in splits[: arguments.folds]:
        train, y = X[split.train], texts.labels[split.train]
        held_back = {label: X[split.held_back][texts.labels[split.held_back] == label] for label in np.unique(y)}
        for name, make in VARIANTS.items():
            sampler = make().set_params(random_state=np.random.RandomState(split.fold))
            models: Sequence[Any] = []
            if isinstance(sampler, VAE):
                models = sampler._prepare(train, y)
                sampler._train(models)
                made, labels = sampler.fit_resample(train, y, trained=models)
            else:
                made, labels = safely(sampler, train, y)
            told = {row["class"]: row for row in getattr(sampler, "diagnostics_", [])}
            filled = [label for label, n in sampler.sampling_strategy_.items() if n > 0]
            for place, label in enumerate(filled):
                truth = held_back[label]
                if len(truth) < 2 * (y == label).sum():
                    continue  # no class that was thinned
                model = models[place if len(models) > 1 else 0] if models else None
                yield {
                    "dataset": dataset,
                    "ratio": ratio,
                    "fold": split.fold,
                    "class": texts.class_names[label],
                    "variant": name,
                    "rows": int((y == label).sum()),
                    **of_rows(made[len(train) :][labels[len(train) :] == label], truth),
                    "gain on held-back rows": (
                        None if model is None else gain(model, truth, np.full(len(truth), label))
                    ),
                    **told.get(label, {}),
                    **{
                        f"{key}, rows at hand": value
                        for key, value in predicted(eigenvalues(train[y == label])).items()
                    },
                    **{f"{key}, held-back rows": value for key, value in predicted(eigenvalues(truth)).items()},
                }


def safely(sampler: Any, X: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Resample, with fewer neighbours where a class has no more."""
    if isinstance(sampler, SMOTE):
        sampler.set_params(k_neighbors=min(5, int(np.bincount(y).min()) - 1))
    made: tuple[NDArray[Any], NDArray[Any]] = sampler.fit_resample(X, y)
    return made


def of_rows(synthetic: NDArray[Any], real: NDArray[Any]) -> dict[str, float]:
    """Variance and mean norm of synthetic rows over those of real ones, as they are embedded."""
    return {
        "variance": float(synthetic.var(0, dtype=np.float64).sum() / real.var(0, dtype=np.float64).sum()),
        "norm": float(np.linalg.norm(synthetic, axis=1).mean() / np.linalg.norm(real, axis=1).mean()),
    }


def by_dataset(found: pd.DataFrame) -> str:
    """What one VAE a class learned in each data set, and what was predicted, in markdown."""
    columns = {
        "rows": "rows a class",
        "best_epoch": "epochs kept",
        "active_units": "active units",
        "useful_units": "useful units",
        "kl": "KL",
        "elbo_gain": "ELBO gain, own held-out rows",
        "gain on held-back rows": "ELBO gain, held-back rows",
        "predicted gain, held-back rows": "gain by PCA of held-back rows",
        "predicted ratio, rows at hand": "variance by PCA, rows at hand",
        "predicted ratio, held-back rows": "variance by PCA, held-back rows",
        "variance": "variance found",
    }
    of_vae = found[found["variant"] == "VAE, prior"].groupby(["dataset", "ratio"], sort=False)[list(columns)].mean()
    return in_markdown(of_vae.rename(columns=columns))


def by_variant(found: pd.DataFrame, value: str) -> str:
    """One figure for each variant and scenario, in markdown."""
    found = found.assign(scenario=[f"{d}, 1:{r}" for d, r in zip(found["dataset"], found["ratio"], strict=True)])
    pivot = found.pivot_table(index="variant", columns="scenario", values=value, sort=False)
    return in_markdown(pivot.assign(mean=pivot.mean(axis=1)))


def in_markdown(table: pd.DataFrame) -> str:
    """Figures, two digits each."""
    index = [" ".join(map(str, key)) if isinstance(key, tuple) else str(key) for key in table.index]
    lines = [f"| | {' | '.join(map(str, table.columns))} |", f"|---|{'--:|' * len(table.columns)}"]
    for name, values in zip(index, table.to_numpy(float), strict=True):
        cells = [
            "" if math.isnan(value) else f"{value:.0f}" if abs(value) >= 100 else f"{value:.2f}" for value in values
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure all scenarios, print the tables, and keep the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.why_vae", description=__doc__)
    parser.add_argument("--datasets", nargs="+", default=DATASETS)
    parser.add_argument("--ratios", nargs="+", type=int, default=[10])
    parser.add_argument("--folds", type=int, default=2, help="how many of ten")
    parser.add_argument("--max-per-class", type=int, default=CAP)
    parser.add_argument("--results", type=Path, default=measure.RESULTS, help=f"folder of {RESULTS}")
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for scenario in itertools.product(arguments.datasets, arguments.ratios):
        rows += measured(*scenario, arguments)
        print(by_dataset(pd.DataFrame(rows)).splitlines()[-1], flush=True)
    found = pd.DataFrame(rows)
    keys = ["dataset", "ratio", "variant"]
    summary = found.groupby(keys, sort=False).mean(numeric_only=True).drop(columns=["class", "fold"], errors="ignore")
    with replacing(arguments.results / RESULTS) as file:
        records = json.loads(summary.round(4).reset_index().to_json(orient="records"))
        file.write((json.dumps(records, indent=1) + "\n").encode())
    print(f"\n{by_dataset(found)}")
    for value in ("variance", "norm", "gain on held-back rows", "useful_units"):
        print(f"\n{value}\n{by_variant(found, value)}")


if __name__ == "__main__":
    main()
