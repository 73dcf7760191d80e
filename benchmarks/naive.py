"""What a careful user writes today: a Hydra app, embeddings kept in a file, a Lightning fit for each fold.

``python -m benchmarks.naive --multirun texts=FILE.csv embeddings=FILE.npy augmenter=none,smote ratio=5,20``
"""

import copy
import json
import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hydra
import numpy as np
import pandas as pd
import pytorch_lightning as pl
import torch
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from imblearn.over_sampling import ADASYN, SMOTE, BorderlineSMOTE, RandomOverSampler
from numpy.typing import NDArray
from omegaconf import MISSING
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import StratifiedKFold, train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

SAMPLERS: dict[str, Callable[..., Any]] = {
    "random": RandomOverSampler,
    "smote": SMOTE,
    "borderline_smote": BorderlineSMOTE,
    "adasyn": ADASYN,
}
Part = tuple[NDArray[np.float32], NDArray[np.int64]]


@dataclass
class Config:
    """Settings of one job; the csv has the columns text and label (an index)."""

    texts: str = MISSING
    embeddings: str = MISSING
    augmenter: str = "smote"
    ratio: int = 10
    n_folds: int = 10
    max_steps: int = 1024
    steps_per_epoch: int = 50
    seed: int = 0
    accelerator: str = "auto"


class MLP(pl.LightningModule):
    """d -> 128 -> classes; remembers the weights with the best prior-corrected validation loss."""

    def __init__(self, d: int, n_classes: int, log_prior: torch.Tensor) -> None:
        super().__init__()
        self.network = nn.Sequential(nn.Linear(d, 128), nn.ReLU(), nn.Linear(128, n_classes))
        self.log_prior = log_prior
        self.best_loss = float("inf")
        self.best_weights: dict[str, Any] = {}
        self.losses: list[torch.Tensor] = []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits `[n, n_classes]`."""
        return self.network(x)  # type: ignore[no-any-return]

    def training_step(self, batch: list[torch.Tensor], batch_idx: int) -> torch.Tensor:
        """Lightning's hook."""
        x, y = batch
        return nn.functional.cross_entropy(self(x), y)

    def validation_step(self, batch: list[torch.Tensor], batch_idx: int) -> None:
        """Lightning's hook."""
        x, y = batch
        self.losses.append(nn.functional.cross_entropy(self(x) - self.log_prior.to(x.device), y, reduction="none"))

    def on_validation_epoch_end(self) -> None:
        """Lightning's hook."""
        loss = torch.cat(self.losses).mean().item()
        self.losses.clear()
        if loss < self.best_loss:
            self.best_loss, self.best_weights = loss, copy.deepcopy(self.network.state_dict())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Lightning's hook."""
        return torch.optim.Adam(self.parameters(), lr=1e-3)


def fit(
    train: Part, validation: Part | None, max_steps: int, steps_per_epoch: int, *, accelerator: str = "auto"
) -> MLP:
    """Train on one fold; validate every `steps_per_epoch`, keep the best weights; without validation rows the last."""
    data = TensorDataset(*map(torch.from_numpy, train))
    watched = None if validation is None else TensorDataset(*map(torch.from_numpy, validation))
    counts = torch.from_numpy(np.bincount(train[1]))
    model = MLP(train[0].shape[1], len(counts), (counts / counts.sum()).log())
    trainer = pl.Trainer(
        accelerator=accelerator,
        max_epochs=-1,
        max_steps=max_steps,
        val_check_interval=None if watched is None else steps_per_epoch,
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        enable_checkpointing=False,
    )
    batches = DataLoader(data, batch_size=64, shuffle=True)
    if watched is None:
        trainer.fit(model, batches)
    else:
        trainer.fit(model, batches, DataLoader(watched, batch_size=256))
        model.network.load_state_dict(model.best_weights)
    return model


@torch.inference_mode()
def predict(model: nn.Module, rows: NDArray[np.float32]) -> NDArray[np.int64]:
    """Labels `[n]`."""
    labels: NDArray[np.int64] = model(torch.from_numpy(rows)).argmax(1).cpu().numpy()
    return labels


def quieten_lightning() -> None:
    """Leave its advertisements out, and the advice to load rows that lie in memory by workers."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message=".*does not have many workers")
    warnings.filterwarnings("ignore", message=".*The number of training batches")
    warnings.filterwarnings("ignore", message=".*LeafSpec")
    warnings.filterwarnings("ignore", message="You defined a `validation_step` but have no `val_dataloader`")


def embedded(texts: list[str], path: Path) -> NDArray[np.float32]:
    """Encode once, and read the file ever after."""
    if not path.exists():
        from sentence_transformers import SentenceTransformer

        from benchmarks.encode import model_folder

        np.save(path, SentenceTransformer(model_folder()).encode(texts))
    rows: NDArray[np.float32] = np.load(path, allow_pickle=False)
    return rows


def run(config: Config) -> dict[str, Any]:
    """Every fold of one job: thin, augment, train, score."""
    quieten_lightning()
    pl.seed_everything(config.seed, verbose=False)
    frame = pd.read_csv(config.texts)
    labels = frame["label"].to_numpy()
    rows = embedded(frame["text"].tolist(), Path(config.embeddings))
    draw = np.random.RandomState(config.seed)
    scores: dict[str, list[float]] = {"accuracy": [], "f1_macro": []}
    folds = StratifiedKFold(config.n_folds, shuffle=True, random_state=config.seed)
    for rest, test in folds.split(rows, labels):
        train, validation = train_test_split(rest, test_size=0.1, stratify=labels[rest], random_state=config.seed)
        majority, minority = (train[labels[train] == label] for label in (0, 1))
        kept = draw.permutation(minority)[: round(len(majority) / config.ratio)]
        train = np.concatenate([majority, kept])
        x, y = rows[train], labels[train]
        if config.augmenter != "none":
            x, y = SAMPLERS[config.augmenter](random_state=config.seed).fit_resample(x, y)
        model = fit(
            (x, y),
            (rows[validation], labels[validation]),
            config.max_steps,
            config.steps_per_epoch,
            accelerator=config.accelerator,
        )
        predicted = predict(model, rows[test])
        scores["accuracy"].append(float(accuracy_score(labels[test], predicted)))
        scores["f1_macro"].append(float(f1_score(labels[test], predicted, average="macro")))
    return {"augmenter": config.augmenter, "ratio": config.ratio, **scores}


@hydra.main(version_base="1.3", config_path=None, config_name="naive")
def main(config: Config) -> None:
    """One job."""
    folder = Path(HydraConfig.get().runtime.output_dir)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "scores.json").write_text(json.dumps(run(config), indent=1))


if __name__ == "__main__":
    ConfigStore.instance().store(name="naive", node=Config)
    main()
