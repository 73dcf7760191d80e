"""oneDNN's linear layers say what torch's say, and give way where they cannot be had."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from torch.nn.functional import linear as by_torch

from synaug.augmenter.neighbours.brute_force import nearest
from synaug.encoder.onednn import OneDNNLinear, has_onednn, linear, prepare

IDS = {"input_ids": torch.tensor([[3, 1, 4, 1, 5]])}


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 7, 3), (300, 33, 65), (17, 384, 1536)])
def test_the_products_are_torch_s(shape: tuple[int, int, int], biased: bool) -> None:
    draw = torch.Generator().manual_seed(0)
    n_rows, n_in, n_out = shape
    rows, weight = torch.randn(n_rows, n_in, generator=draw), torch.randn(n_out, n_in, generator=draw)
    bias = torch.randn(n_out, generator=draw) if biased else None
    with torch.inference_mode():
        product = OneDNNLinear(weight, bias, 64)(rows)
        torch.testing.assert_close(product, by_torch(rows, weight, bias), rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(linear(weight, bias, 64)(rows[None])[0], product, rtol=0, atol=0)


def missing(*_: object) -> torch.Tensor:
    raise AttributeError("'_OpNamespace' 'mkldnn' object has no attribute '_linear_pointwise'")


def refusing(*_: object) -> torch.Tensor:
    raise RuntimeError("mkldnn_linear_pointwise: expected 7 arguments")


def adding_no_bias(rows: torch.Tensor, weight: torch.Tensor, *_: object) -> torch.Tensor:
    return rows @ weight.to_dense().T


def of_another_shape(rows: torch.Tensor, weight: torch.Tensor, *_: object) -> torch.Tensor:
    return weight.to_dense() @ rows[0].T


@pytest.fixture
def forget_what_was_tried() -> Iterator[None]:
    has_onednn.cache_clear()
    yield
    has_onednn.cache_clear()


@pytest.mark.usefixtures("forget_what_was_tried")
@pytest.mark.parametrize("operator", [missing, refusing, adding_no_bias, of_another_shape])
def test_where_onednn_s_operators_are_not_what_they_were_torch_s_product_serves(
    operator: Callable[..., torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.ops.mkldnn, "_linear_pointwise", operator)
    assert not has_onednn()
    rows, weight, bias = torch.randn(5, 3), torch.randn(4, 3), torch.randn(4)
    assert torch.equal(linear(weight, bias, 64)(rows), by_torch(rows, weight, bias))
    model = Model()
    before = model.dense
    assert not prepare(model, 64, IDS)
    assert model.dense is before


def test_neighbours_are_the_same_whoever_multiplies(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.RandomState(0)
    embeddings = draw.standard_normal((700, 40)).astype(np.float32)
    every, chosen = np.arange(700), np.arange(0, 700, 3)
    by_onednn = nearest(embeddings.__getitem__, every, chosen, 6, "cosine")
    monkeypatch.setattr("synaug.encoder.onednn.has_onednn", lambda: False)
    by_torch_alone = nearest(embeddings.__getitem__, every, chosen, 6, "cosine")
    np.testing.assert_array_equal(by_onednn[1], by_torch_alone[1])
    np.testing.assert_allclose(by_onednn[0], by_torch_alone[0], atol=1e-5)


class Model(torch.nn.Module):
    """Like one of transformers', as far as it matters here; may read its layer's weights, or have noise."""

    def __init__(self, *, reads_weights: bool = False, noise: float = 0.0) -> None:
        super().__init__()
        self.embedding = torch.nn.Embedding(9, 6)
        self.dense = torch.nn.Linear(6, 6)
        self.coarse = torch.nn.Linear(6, 6, dtype=torch.bfloat16)
        self.reads_weights, self.noise = reads_weights, noise

    def forward(self, input_ids: torch.Tensor) -> torch.nn.Module:
        states = self.embedding(input_ids)
        if self.reads_weights:
            states = states.to(self.dense.weight.dtype)
        said = torch.nn.Module()
        said.last_hidden_state = self.dense(states) + self.noise * torch.randn(6)
        return said


def test_a_model_s_float32_layers_are_replaced_and_say_the_same() -> None:
    model = Model()
    before = model(**IDS).last_hidden_state
    assert prepare(model, 64, IDS)
    assert isinstance(model.dense, OneDNNLinear)
    assert type(model.coarse) is torch.nn.Linear
    assert (model.dense.in_features, model.dense.out_features) == (6, 6)
    with torch.inference_mode():
        torch.testing.assert_close(model(**IDS).last_hidden_state, before)


@pytest.mark.parametrize("model", [Model(reads_weights=True), Model(noise=1.0)], ids=["reads its weights", "differs"])
def test_a_model_that_would_fail_or_differ_stays_as_it_was(model: Model) -> None:
    before = model.dense
    assert not prepare(model, 64, IDS)
    assert model.dense is before
