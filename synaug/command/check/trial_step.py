"""One step of a tiny classifier: an optimiser's and a loss's own checks come as late as that."""

from collections.abc import Iterator
from typing import Any

from hydra.utils import instantiate
from omegaconf import DictConfig

from synaug.command.check.instantiation import REFUSALS, refusal


def classifier_problems(config: DictConfig, loss_config: DictConfig) -> Iterator[str]:
    """Take one step with a tiny classifier: an optimiser's and a loss's own checks come as late as that."""
    import numpy as np
    import torch
    from pytorch_lightning import LightningModule

    from synaug.loss import Loss, Plain

    part, target = "loss", f"classifier._target_={config.get('_target_')}"
    try:
        with torch.random.fork_rng(devices=[]):
            loss = instantiate(loss_config, _convert_="all")
            if not isinstance(loss, Loss):
                yield (
                    f"loss._target_={loss_config.get('_target_')} is no loss that says which class frequencies its "
                    "logits carry: derive it from synaug.loss.Loss, or choose loss=plain"
                )
                return
            if type(loss).for_classes is not Loss.for_classes:
                loss = Plain()  # one that asks what classes are called is not tried before there are some
            carried = loss.carried_prior(np.array([[2, 1]]))
            if carried.shape != (1, 2) or not (carried > 0).all() or not np.allclose(carried.sum(), 1):
                yield (
                    f"loss carries the class frequencies {carried.tolist()} where two classes have 2 rows and 1: "
                    "mend its carried_prior, which must return positive numbers, [m, C], whose rows add up to 1"
                )
                return
            part = "classifier"
            made = instantiate(config, _convert_="all")
            if not callable(made):
                yield f"{target} makes no classifier: set classifier._partial_=true"
                return
            tiny: Any = made(n_features=2, n_classes=2, seeds=[0])
            if not isinstance(tiny, LightningModule):
                yield f"{target} makes no LightningModule: choose classifier=mlp"
                return
            part = "classifier.optimizer"
            optimizer = tiny.configure_optimizers()
            part = "classifier"
            logits = tiny(torch.tensor([[[0.0, 1.0], [1.0, 0.0]]]))
            part = "loss"
            losses = loss(logits, torch.tensor([[0, 1]]), torch.ones(1, 2))
            if losses.shape != (1, 2) or not torch.isfinite(losses).all():
                yield f"loss gives {losses.tolist()} for two rows: choose one that gives each row a number"
                return
            losses.sum().backward()  # type: ignore[no-untyped-call]
            part = "classifier.optimizer"
            if isinstance(optimizer, torch.optim.Optimizer):
                optimizer.step()
    except (*REFUSALS, RuntimeError, AssertionError) as error:
        yield refusal(part, error)
