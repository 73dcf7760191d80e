"""oneDNN's linear layers say what torch's say, and give way where they cannot be had."""

import pytest
import torch
from torch.nn.functional import linear as by_torch

from synaug.encoder.linear import OneDNNLinear, linear, prepare

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


@pytest.mark.parametrize("error", [AttributeError, RuntimeError])
def test_where_torch_has_no_onednn_its_own_product_serves(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(OneDNNLinear, "__init__", fail)
    rows, weight = torch.randn(5, 3), torch.randn(4, 3)
    torch.testing.assert_close(linear(weight, None, 64)(rows), rows @ weight.T)
    model = Model()
    before = model.dense
    assert not prepare(model, 64, IDS)
    assert model.dense is before


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
