"""What a run does on an accelerator, without one: on a stand-in for a device, and with memory that runs short.

Nothing here has run on a GPU; `benchmarks/gpu.py` is for a machine that has one.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from synaug import accelerator
from synaug.accelerator import in_halves, is_out_of_memory, usable_bytes
from synaug.classifier import Classifier
from synaug.classifier.batch import StackedBatch
from synaug.encoder import TransformerEncoder
from synaug.errors import UserError
from synaug.training import batches, fit
from synaug.training.batches import RowPool
from synaug.training.predictions import Predictions
from synaug.training.training_sets import TrainingData
from tests.test_encoder import SHAPE, TINY_TEXTS, save
from tests.test_fit import assert_same, make_data, stack

ROOT = Path(__file__).parent.parent
# As in tests/on_stand_in.py, which is not imported: torch would then have that device here, too.
CHECKS = (
    "tensors_of_two_devices_do_not_mix",
    "a_training_is_what_it_is_on_the_cpu",
    "so_is_one_of_rows_that_are_not_augmented",
    "so_is_a_refit",
    "so_is_one_with_each_loss",
    "draws_are_those_of_the_cpu_to_the_bit",
    "replayed_steps_are_those_taken_one_by_one",
    "weights_are_copied_to_the_cpu_at_looks_alone",
    "a_pool_of_rows_gathers_on_the_device_what_it_gathers_on_the_cpu",
    "a_loss_that_waits_is_trained_step_by_step",
    "texts_are_embedded_as_on_the_cpu",
)


# ---- on the stand-in


@pytest.fixture(scope="module")
def done() -> Any:
    """What `tests.on_stand_in` found, in a process of its own."""
    ended = subprocess.run(
        [sys.executable, "-m", "tests.on_stand_in"],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout.splitlines()[-1])


@pytest.mark.xdist_group("stand-in")  # whose process then runs once
@pytest.mark.parametrize("check", CHECKS)
def test_on_a_device(done: Any, check: str) -> None:
    assert check not in done["failed"], done["failed"][check]
    assert check in done["done"]


@pytest.mark.xdist_group("stand-in")
def test_all_checks_on_a_device_are_asked_for(done: Any) -> None:
    assert done["done"] == list(CHECKS)


# ---- memory that runs short


def out_of_memory() -> RuntimeError:
    return torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


def test_halves_are_halved_again_and_results_keep_their_order() -> None:
    asked = []

    def work(items: list[int]) -> list[int]:
        asked.append(len(items))
        if len(items) > 2:
            raise out_of_memory()
        return items

    assert [item for result in in_halves(work, range(7)) for item in result] == list(range(7))
    assert asked == [7, 3, 1, 2, 4, 2, 2]


def test_other_errors_and_a_single_item_that_does_not_fit_are_raised_at_once() -> None:
    calls = []

    def fail(items: list[int], error: Exception) -> None:
        calls.append(items)
        raise error

    with pytest.raises(RuntimeError, match="shapes"):
        in_halves(lambda items: fail(items, RuntimeError("shapes do not match")), [1, 2])
    with pytest.raises(torch.OutOfMemoryError):
        in_halves(lambda items: fail(items, out_of_memory()), [1])
    assert calls == [[1, 2], [1]]


def test_memory_of_each_kind_of_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1000, 9000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 500)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 300)
    monkeypatch.setattr(torch.mps, "recommended_max_memory", lambda: 800)
    monkeypatch.setattr(torch.mps, "driver_allocated_memory", lambda: 1000)
    assert usable_bytes(torch.device("cuda", 0)) == 1200 * (1 - accelerator.MARGIN)
    assert usable_bytes(torch.device("mps")) == 0
    assert usable_bytes(torch.device("cpu")) is None


@pytest.mark.parametrize(
    "said",
    [
        "MPS backend out of memory (MPS allocated: 9 GiB)",
        "CUDA error: out of memory\nCompile with `TORCH_USE_CUDA_DSA` to enable device-side assertions.",
        "HIP out of memory. Tried to allocate 2.00 GiB",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED",
    ],
)
def test_an_accelerators_lack_of_memory_is_known_by_its_words(said: str) -> None:
    assert is_out_of_memory(RuntimeError(said))
    assert not is_out_of_memory(ValueError(said))


@pytest.mark.parametrize(
    "said",
    [
        "out of patience",
        "CUDA error: an illegal memory access was encountered",
        "[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes",
    ],
)
def test_what_is_no_lack_of_an_accelerators_memory_is_not_taken_for_it(said: str) -> None:
    assert not is_out_of_memory(RuntimeError(said))


@pytest.fixture(scope="module")
def data() -> TrainingData:
    return make_data()


@pytest.fixture(scope="module")
def at_once(data: TrainingData) -> Predictions:
    return stack().fit(data)


def require_same(found: Predictions, expected: Predictions) -> None:
    for one, other in zip(found.splits, expected.splits, strict=True):
        assert_same(one, other)
    counted = ("members", "n_trained", "optimiser_steps", "flops")
    assert {name: getattr(found, name) for name in counted} == {name: getattr(expected, name) for name in counted}
    for name, points in expected.curves.points.items():
        np.testing.assert_array_equal(found.curves.points[name], points)


def test_a_stack_that_does_not_fit_is_trained_in_halves_with_the_same_numbers(
    data: TrainingData, at_once: Predictions, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, sizes = Classifier.training_step, []

    def short(self: Classifier, *arguments: Any) -> None:
        sizes.append(len(self.class_counts))
        if sizes[-1] > 3:  # the members of one split
            raise out_of_memory()
        step(self, *arguments)

    monkeypatch.setattr(Classifier, "training_step", short)
    require_same(stack().fit(data), at_once)
    assert max(sizes) == 9


def test_so_is_one_that_does_not_fit_once_it_is_asked_what_it_says(
    data: TrainingData, at_once: Predictions, monkeypatch: pytest.MonkeyPatch
) -> None:
    predict, failures = Classifier.predict_step, []

    def short(self: Classifier, batch: StackedBatch, batch_idx: int) -> torch.Tensor:
        if self.trainer.predicting and len(batch.x) > 3:  # with the weights that were chosen, after all have trained
            failures.append(1)
            raise out_of_memory()
        return predict(self, batch, batch_idx)

    monkeypatch.setattr(Classifier, "predict_step", short)
    require_same(stack().fit(data), at_once)
    assert failures


def test_a_split_that_does_not_fit_is_said_in_one_sentence(data: TrainingData, monkeypatch: pytest.MonkeyPatch) -> None:
    def short(self: Classifier, *arguments: Any) -> None:
        raise out_of_memory()

    monkeypatch.setattr(Classifier, "training_step", short)
    with pytest.raises(UserError, match=r"cpu has too little free memory for the 3 models of one split: lower batch_"):
        stack().fit(data)


def test_rows_that_do_not_fit_are_said_in_one_sentence(data: TrainingData, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = RowPool(data.embeddings, data.labels, data.training_sets)

    class Short:
        def to(self, device: torch.device) -> torch.Tensor:
            raise out_of_memory()

        nbytes = 3 << 30

        def __len__(self) -> int:
            return 7

    pool.rows = Short()  # type: ignore[assignment]
    with pytest.raises(
        UserError, match=r"the 7 rows of this run, 3.0 GiB, do not fit into the memory of cuda:0: train on"
    ):
        pool.to(torch.device("cuda", 0))


@pytest.mark.parametrize(("usable", "stacks"), [(None, 1), (10**9, 1), (1, 3)])
def test_a_stack_has_as_many_members_as_the_memory_of_a_device_holds(
    data: TrainingData, monkeypatch: pytest.MonkeyPatch, usable: int | None, stacks: int
) -> None:
    monkeypatch.setattr(fit, "usable_bytes", lambda device: usable)
    fits = []
    monkeypatch.setattr(fit.Task, "inner", lambda self, members, bar: fits.append(list(members)))
    monkeypatch.setattr(fit.Task, "check", lambda self: None)
    monkeypatch.setattr(fit.Task, "whole", lambda self, members, bar: None)
    monkeypatch.setattr(fit.Task, "predictions", lambda self: None)
    stack().fit(data)
    assert len(fits) == stacks
    assert sorted(member for members in fits for member in members) == list(range(9))


def test_on_a_device_lightning_is_handed_more_steps_at_a_time(data: TrainingData) -> None:
    pool = RowPool(data.embeddings, data.labels, data.training_sets)
    assert batches.TrainingBatches(pool, [], [0], 16, 300).block_steps == batches.BLOCK_STEPS
    assert batches.ACCELERATOR_BLOCK_STEPS > batches.BLOCK_STEPS


# ---- encoders


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    return save(BertModel(BertConfig(**SHAPE)), tmp_path_factory.mktemp("tiny") / "bert")


def encoder(folder: Path, **settings: Any) -> TransformerEncoder:
    return TransformerEncoder(**{"model": str(folder), "max_length": 40, **settings})


def cosines(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float64]:
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    found: NDArray[np.float64] = (one.astype(np.float64) * other).sum(1) / lengths
    return found


@pytest.mark.parametrize(("precision", "least"), [("float16", 0.9999), ("bfloat16", 0.999)])
@pytest.mark.parametrize("pooling", ["mean", "cls", "pooler"])
def test_half_precision_is_done_on_a_cpu_too_and_enters_the_identity(
    tiny: Path, precision: str, least: float, pooling: str
) -> None:
    whole = encoder(tiny, pooling=pooling)
    half = encoder(tiny, pooling=pooling, precision=precision, normalize=True)
    found, expected = half.encode(TINY_TEXTS), whole.encode(TINY_TEXTS)
    assert found.dtype == np.float32
    assert cosines(found, expected).min() > least
    assert not np.array_equal(found, encoder(tiny, pooling=pooling, normalize=True).encode(TINY_TEXTS))
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)  # scaled in float32
    assert half.identity()["precision"] == precision
    assert "precision" not in whole.identity()


def test_a_batch_that_does_not_fit_is_encoded_in_halves(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = encoder(tiny).encode(TINY_TEXTS)
    embed, sizes = TransformerEncoder._embed, []

    def short(self: TransformerEncoder, model: Any, tokens: list[list[int]]) -> NDArray[np.float32]:
        sizes.append(len(tokens))
        if len(tokens) > 2:
            raise out_of_memory()
        return embed(self, model, tokens)

    monkeypatch.setattr(TransformerEncoder, "_embed", short)
    np.testing.assert_allclose(encoder(tiny, batch_tokens=1000).encode(TINY_TEXTS), expected, atol=1e-6)
    assert max(sizes) > 2


def test_a_text_that_does_not_fit_is_said_in_one_sentence(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def short(self: TransformerEncoder, model: Any, tokens: list[list[int]]) -> NDArray[np.float32]:
        raise out_of_memory()

    monkeypatch.setattr(TransformerEncoder, "_embed", short)
    with pytest.raises(UserError, match=r"cpu has too little free memory for a single text: lower encoder.max_length"):
        encoder(tiny).encode(TINY_TEXTS)
