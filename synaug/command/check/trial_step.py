"""One step of a tiny classifier: an optimiser's and a loss's own checks come as late as that."""

import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from hydra.utils import get_object, instantiate
from omegaconf import DictConfig

from synaug.command.check.instantiation import REFUSALS, refusal
from synaug.errors import UserError

if TYPE_CHECKING:
    from synaug.loss import Loss


def classifier_problems(config: DictConfig, loss_config: DictConfig) -> Iterator[str]:
    """Take one step with a tiny classifier, where it is one that is trained in steps."""
    import torch

    from synaug.loss import Loss, Plain

    part = "loss"
    try:
        with torch.random.fork_rng(devices=[]):
            loss = _loss(loss_config)
            part = "classifier"
            tiny = _tiny(config, loss_config, loss)
            if tiny is None:
                return
            part = "classifier.optimizer"
            optimizer = tiny.configure_optimizers()
            part = "classifier"
            logits = tiny(torch.tensor([[[0.0, 1.0], [1.0, 0.0]]]))
            part = "loss"
            # One that asks what classes are called cannot be tried before there are some.
            tried = loss if type(loss).for_classes is Loss.for_classes else Plain()
            _losses(tried, logits).sum().backward()
            part = "classifier.optimizer"
            if isinstance(optimizer, torch.optim.Optimizer):
                optimizer.step()
    except (*REFUSALS, RuntimeError, AssertionError, ImportError) as error:
        yield refusal(part, error)


def _loss(config: DictConfig) -> "Loss":
    from synaug.loss import Loss

    kind = get_object(config.get("_target_"))
    if not inspect.isclass(kind) or not issubclass(kind, Loss):
        raise UserError(
            f"loss._target_={config.get('_target_')} is no loss that says which class frequencies its logits follow: "
            "derive it from synaug.loss.Loss, or choose loss=plain"
        )
    loss: Loss = instantiate(config, _convert_="all")
    return loss


def _tiny(config: DictConfig, loss_config: DictConfig, loss: "Loss") -> Any:
    """A stack of one classifier for two classes; None of what is not trained in steps."""
    from synaug.classifier import Classifier, FineTuned, FittedAtOnce
    from synaug.loss import Plain

    target = f"classifier._target_={config.get('_target_')}"
    made = instantiate(config, _convert_="all")
    if isinstance(made, FittedAtOnce):
        if not isinstance(loss, Plain) or loss.label_smoothing:
            raise UserError(
                f"{target} is not trained in steps, so that loss._target_={loss_config.get('_target_')} has no effect "
                "on it: choose loss=plain, or classifier=mlp or linear"
            )
        return None
    if isinstance(made, FineTuned):
        made = made.head  # what is above the encoder; in batches too, where it has no hidden layer
    if not callable(made):
        raise UserError(f"{target} makes no classifier: set classifier._partial_=true")
    tiny = made(n_features=2, n_classes=2, seeds=[0])
    if not isinstance(tiny, Classifier):
        raise UserError(
            f"{target} makes no synaug.classifier.Classifier and no FittedAtOnce: derive it from one of the two, or "
            "choose classifier=mlp"
        )
    return tiny


def _losses(loss: "Loss", logits: Any) -> Any:
    """Losses `[1, 2]` of two rows, one of each class."""
    import numpy as np
    import torch

    labels, counts = torch.tensor([[0, 1]]), torch.tensor([[2.0, 1.0]])
    losses = loss(logits, labels, counts)
    if not isinstance(losses, torch.Tensor):
        raise UserError(f"loss gives a {type(losses).__name__} for two rows: it must return a tensor, a number a row")
    if losses.shape != (1, 2) or not torch.isfinite(losses).all():
        raise UserError(f"loss gives {losses.tolist()} for two rows: choose one that gives each row a number")
    if not losses.requires_grad:
        raise UserError("loss has no gradient: it must be computed by torch from the logits, and not be detached")
    beside = loss(torch.cat([logits, 3 * logits]), labels.repeat(2, 1), counts.repeat(2, 1))
    if not torch.equal(beside[:1], losses):
        raise UserError(
            "loss gives a member other numbers where another stands beside it: it must act on each member, the first "
            "dimension, by itself"
        )
    carried: Any = loss.carried_prior(np.array([[2, 1]]))
    if (
        not isinstance(carried, np.ndarray)
        or carried.shape != (1, 2)
        or not (carried > 0).all()
        or not np.allclose(carried.sum(), 1)
    ):
        raise UserError(
            f"loss carries the class frequencies {carried} where two classes have 2 rows and 1: mend its "
            "carried_prior, which must return positive numbers [m, C] whose rows add up to 1"
        )
    return losses
