"""One step of a tiny classifier: an optimiser's and a loss's own checks come as late as that."""

from collections.abc import Iterator
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig

from synaug.command.check.instantiation import REFUSALS, refusal


def classifier_problems(config: DictConfig) -> Iterator[str]:
    """Take one step with a tiny classifier: an optimiser's and a loss's own checks come as late as that."""
    import torch
    from pytorch_lightning import LightningModule

    part, target = "classifier", f"classifier._target_={config.get('_target_')}"
    try:
        with torch.random.fork_rng(devices=[]):
            made = instantiate(config, _convert_="all")
            if not callable(made):
                yield f"{target} makes no classifier: set classifier._partial_=true"
                return
            tiny: Any = made(n_features=2, n_classes=2, minority=[1], seeds=[0])
            if not isinstance(tiny, LightningModule):
                yield f"{target} makes no LightningModule: choose classifier=mlp"
                return
            part = "classifier.optimizer"
            optimizer = tiny.configure_optimizers()
            part = "classifier.loss"
            losses = _tiny_losses(tiny)
            if losses is None:  # one of the user's own, which may keep its loss elsewhere
                return
            if losses.shape != (2,) or not torch.isfinite(losses).all():
                yield f"classifier.loss gives {losses.tolist()} for two rows: choose one that gives each row a number"
                return
            losses.sum().backward()
            part = "classifier.optimizer"
            if isinstance(optimizer, torch.optim.Optimizer):
                optimizer.step()
    except (*REFUSALS, RuntimeError, AssertionError) as error:
        yield refusal(part, error)


def _tiny_losses(classifier: Any) -> Any:
    """A classifier's losses of two rows, one of each class; None if it has no attribute `loss`."""
    import torch

    loss = getattr(classifier, "loss", None)
    if loss is None:
        return None
    logits = classifier(torch.tensor([[[0.0, 1.0], [1.0, 0.0]]]))[0]
    return loss(logits, torch.tensor([0, 1]), reduction="none")
