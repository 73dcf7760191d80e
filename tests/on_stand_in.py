"""What a run does on a device, done on the stand-in: ``python -m tests.on_stand_in`` prints what failed as JSON.

A process of its own, as `tests.stand_in` asks for; `tests/test_accelerator.py` starts it.
"""

import functools
import json
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from imblearn import FunctionSampler
from transformers import BertConfig, BertModel

from synaug import loss as losses
from synaug.classifier import Classifier, module
from synaug.encoder import TransformerEncoder
from synaug.scores.decision import CANDIDATE_RULES
from synaug.settings import REFIT
from synaug.training import batches
from synaug.training.datamodule import EmbeddingDataModule
from synaug.training.predictions import Predictions
from synaug.training.watch import InnerWatch, WholeWatch
from tests import stand_in
from tests.test_encoder import SHAPE, save
from tests.test_fit import MAX_STEPS, make_data, stack

CHECKS: dict[str, Callable[[], None]] = {}


def check(function: Callable[[], None]) -> Callable[[], None]:
    """Have `main` do it."""
    CHECKS[function.__name__] = function
    return function


def adam(**arguments: Any) -> Any:
    """A small classifier whose learning rate does not overfit at once: then many steps lie between two looks."""
    optimizer = functools.partial(torch.optim.Adam, lr=arguments.pop("lr", 0.003))
    return functools.partial(Classifier, optimizer=optimizer, hidden=[16], **arguments)


def trained(*, on_device: bool, recorder: Any = None, data: Any = None, **changes: Any) -> Predictions:
    """A whole training; on the device no step may wait for it, and only looks and predictions copy to the CPU."""
    data = make_data() if data is None else data
    settings = {"classifier": adam(), "max_steps": MAX_STEPS, **changes}
    if not on_device:
        return stack(**settings).fit(data)
    trainer = stand_in.trainer()
    recorded_on = (stand_in.NAME,) if recorder else ()
    with (
        mock.patch.object(Classifier, "training_step", stand_in.never_waiting(Classifier.training_step)),
        mock.patch.object(Classifier, "recorder", recorder),
        mock.patch.object(module, "RECORDED_ON", recorded_on),
    ):
        return stack(**settings, trainer=trainer).fit(data)


def require_close(found: Predictions, expected: Predictions, tolerance: float) -> None:
    """Demand the same steps and log probabilities."""
    for of_split, other in zip(found.splits, expected.splits, strict=True):
        pairs = [(of_split.last, other.last)]
        for rule in CANDIDATE_RULES:
            assert of_split.chosen[rule].step == other.chosen[rule].step
            pairs.append((of_split.chosen[rule].test, other.chosen[rule].test))
            pairs.append((of_split.chosen[rule].out_of_fold, other.chosen[rule].out_of_fold))
        assert (of_split.tau_norm is None) == (other.tau_norm is None)
        if of_split.tau_norm is not None and other.tau_norm is not None:
            pairs.append((of_split.tau_norm.test, other.tau_norm.test))
        for one, another in pairs:
            assert np.abs(one - another).max() <= tolerance


@check
def tensors_of_two_devices_do_not_mix() -> None:
    on_device = torch.ones(2, 2).to(stand_in.NAME)
    with pytest.raises(RuntimeError, match="mixes tensors of the device with 1 of the CPU"):
        on_device + torch.ones(2, 2)
    with pytest.raises(RuntimeError, match="has the CPU wait"), stand_in.without_waiting():
        on_device.sum().item()
    with pytest.raises(RuntimeError, match="has the CPU wait"), stand_in.without_waiting():
        on_device.cpu()


@check
def a_training_is_what_it_is_on_the_cpu() -> None:
    require_close(trained(on_device=True), trained(on_device=False), 1e-4)


@check
def so_is_one_of_rows_that_are_not_augmented() -> None:
    data = make_data(FunctionSampler())
    require_close(trained(on_device=True, data=data), trained(on_device=False, data=data), 1e-4)


@check
def so_is_a_refit() -> None:
    require_close(trained(on_device=True, final=REFIT), trained(on_device=False, final=REFIT), 1e-4)


@check
def so_is_one_with_each_loss() -> None:
    for loss in (
        losses.Plain(0.1),
        losses.ClassWeighted(),
        losses.ClassWeighted([1.0, 2.0, 3.0]),
        losses.EffectiveNumber(),
        losses.LogitAdjusted(),
        losses.BalancedSoftmax(),
        losses.Focal(),
        losses.LDAM(),
    ):
        # A recorded step must not wait for the device in any of them: not even in its first.
        found = trained(on_device=True, recorder=stand_in.Recordings(), loss=loss, max_steps=40)
        require_close(found, trained(on_device=False, loss=loss, max_steps=40), 1e-4)


@check
def draws_are_those_of_the_cpu_to_the_bit() -> None:
    data = make_data()
    found = []
    for device in ("cpu", f"{stand_in.NAME}:0"):
        pool = batches.RowPool(data.embeddings, data.labels, data.training_sets).to(torch.device(device))
        passes = EmbeddingDataModule(data, pool, [0, 1], batch_size=4, looks=[8])._passes
        steps = next(iter(batches.TrainingBatches(pool, list(passes.values()), [0, 1], 4, 8)))
        network = adam()(n_features=8, n_classes=3, seeds=[1, 2]).to(device)
        found.append([steps.rows.cpu(), *(weight.cpu() for weight in network.weights.values())])
    for of_cpu, of_device in zip(*found, strict=True):
        assert torch.equal(of_cpu, of_device[: len(of_cpu)])


@check
def replayed_steps_are_those_taken_one_by_one() -> None:
    recorder = stand_in.Recordings()
    replayed, taken = trained(on_device=True, recorder=recorder), trained(on_device=True)
    assert recorder.recorded >= 2  # of inner folds, and of all rows
    assert recorder.replayed >= 30
    require_close(replayed, taken, 1e-6)
    assert replayed.optimiser_steps == taken.optimiser_steps
    np.testing.assert_allclose(replayed.curves.points["train_loss"], taken.curves.points["train_loss"], rtol=1e-5)


@check
def weights_are_copied_to_the_cpu_at_looks_alone() -> None:
    at_looks = []

    def counted(look: Any) -> Any:
        def count(self: Any, *arguments: Any) -> Any:
            before = stand_in.copies_to_the_cpu()
            going_on = look(self, *arguments)
            at_looks.append(stand_in.copies_to_the_cpu() - before)
            return going_on

        return count

    with (
        mock.patch.object(InnerWatch, "look", counted(InnerWatch.look)),
        mock.patch.object(WholeWatch, "look", counted(WholeWatch.look)),
    ):
        trained(on_device=True)  # in which no step may copy
    assert sum(at_looks) > 0


@check
def a_pool_of_rows_gathers_on_the_device_what_it_gathers_on_the_cpu() -> None:
    for sampler in (None, FunctionSampler()):
        data = make_data() if sampler is None else make_data(sampler)
        of_cpu = batches.RowPool(data.embeddings, data.labels, data.training_sets)
        of_device = batches.RowPool(data.embeddings, data.labels, data.training_sets).to(torch.device(stand_in.NAME, 0))
        last = len(of_cpu.labels) - 1
        rows, members = torch.tensor([[0, last, 5], [last - 3, 1, 2]], dtype=torch.int32), torch.tensor([1, 0])
        expected = of_cpu.take(rows, members)
        placed = of_device.place(rows), of_device.place(members)
        with stand_in.without_waiting():
            found = of_device.take(*placed)
        assert torch.equal(found.x.cpu(), expected.x)
        assert torch.equal(found.y.cpu(), expected.y)


@check
def a_loss_that_waits_is_trained_step_by_step() -> None:
    class Waits(losses.Plain):
        def __call__(self, logits: torch.Tensor, labels: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
            return super().__call__(logits, labels, counts) * float(counts.sum() > 0)

    recorder = stand_in.Recordings()
    settings = {"loss": Waits(), "classifier": adam()}
    trainer = stand_in.trainer()
    with (
        mock.patch.object(Classifier, "recorder", recorder),
        mock.patch.object(module, "RECORDED_ON", (stand_in.NAME,)),
    ):
        found = stack(**settings, trainer=trainer).fit(make_data())
    assert recorder.recorded == recorder.replayed == 0
    require_close(found, stack(**settings).fit(make_data()), 1e-4)


@check
def texts_are_embedded_as_on_the_cpu() -> None:
    texts = ["a good film", "bad", "a very long story about nothing at all", "good good bad"]
    with TemporaryDirectory() as place, mock.patch("torch.inference_mode", torch.no_grad):
        folder = save(BertModel(BertConfig(**SHAPE)), Path(place) / "bert")
        for pooling in ("mean", "cls"):
            encoders = [TransformerEncoder(model=str(folder), max_length=16, pooling=pooling) for _ in range(2)]
            encoders[0].device = f"{stand_in.NAME}:0"  # no device that a user may name
            found, expected = (encoder.encode(texts) for encoder in encoders)
            assert np.abs(found - expected).max() < 1e-5


def main() -> None:
    """Do all checks, or those that are named; print the tracebacks of those that failed, by name."""
    failed = {}
    chosen = {name: do for name, do in CHECKS.items() if name in (sys.argv[1:] or CHECKS)}
    for name, do in chosen.items():
        try:
            do()
        except Exception:  # noqa: BLE001 (each is told, whatever it is)
            failed[name] = traceback.format_exc()
    sys.stdout.write("\n" + json.dumps({"done": list(chosen), "failed": failed}) + "\n")


if __name__ == "__main__":
    main()
