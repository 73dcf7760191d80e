"""oneDNN's linear layers say what torch's say, and give way where they cannot be had, or are slower."""

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.functional import linear as by_torch

from synaug.augmenter.neighbours.brute_force import nearest
from synaug.encoder import products
from synaug.encoder.int8 import Int8Linear, has_int8
from synaug.encoder.onednn import OneDNNLinear, has_onednn, linear
from synaug.encoder.products import prepare

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


@pytest.fixture
def onednn_is_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it is here: no test depends on a clock."""
    monkeypatch.setattr("synaug.encoder.products.fastest", lambda *_: products.ONEDNN)


@pytest.mark.usefixtures("onednn_is_faster")
def test_a_model_s_float32_layers_are_replaced_and_say_the_same() -> None:
    model = Model()
    before = model(**IDS).last_hidden_state
    assert prepare(model, 64, IDS)
    assert isinstance(model.dense, OneDNNLinear)
    assert type(model.coarse) is torch.nn.Linear
    assert (model.dense.in_features, model.dense.out_features) == (6, 6)
    with torch.inference_mode():
        torch.testing.assert_close(model(**IDS).last_hidden_state, before)


@pytest.mark.usefixtures("onednn_is_faster")
@pytest.mark.parametrize("model", [Model(reads_weights=True), Model(noise=1.0)], ids=["reads its weights", "differs"])
def test_a_model_that_would_fail_or_differ_stays_as_it_was(model: Model) -> None:
    before = model.dense
    assert not prepare(model, 64, IDS)
    assert model.dense is before


# ---- which library is faster

LAYERS = {(6, 6): 2, (6, 9): 1}


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch, user_cache: Path) -> Iterator[dict[str, float]]:
    """What the next measurement finds, and under ``"times"`` how many there were; nothing is kept from before."""
    found = {products.TORCH: 1.0, products.ONEDNN: 1.0, "times": 0}

    def measure(*_: object) -> dict[str, float]:
        found["times"] += 1
        return {name: found[name] for name in (products.TORCH, products.ONEDNN)}

    monkeypatch.setattr(products, "measure", measure)
    products._fastest.cache_clear()
    yield found
    products._fastest.cache_clear()


def in_a_new_process(rows: int = 64) -> str:
    products._fastest.cache_clear()
    return products.fastest(LAYERS, rows)


@pytest.mark.parametrize(
    ("by_torch", "chosen"),
    [(0.5, products.TORCH), (0.9, products.TORCH), (0.95, products.ONEDNN), (1, products.ONEDNN), (9, products.ONEDNN)],
)
def test_another_library_than_the_default_must_be_a_tenth_faster(
    measured: dict[str, float], by_torch: float, chosen: str
) -> None:
    measured[products.TORCH] = by_torch
    assert in_a_new_process() == chosen


def test_a_choice_is_kept_and_stays_whatever_a_later_measurement_would_find(
    measured: dict[str, float], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, products.__name__)
    measured[products.TORCH] = 0.5
    assert in_a_new_process() == products.TORCH
    assert "products by torch, for 64 rows through all layers take: torch 500 ms, onednn 1e+03 ms" in caplog.text
    measured[products.TORCH] = 2.0
    assert in_a_new_process() == products.TORCH
    assert products.fastest(LAYERS, 64) == products.TORCH
    assert measured["times"] == 1
    assert in_a_new_process(rows=65) == products.ONEDNN  # another question
    assert measured["times"] == 2


def test_another_processor_is_measured_by_itself(measured: dict[str, float], monkeypatch: pytest.MonkeyPatch) -> None:
    measured[products.TORCH] = 0.5
    assert in_a_new_process() == products.TORCH
    measured[products.TORCH] = 2.0
    monkeypatch.setattr(products, "processor", lambda: {"model name": "another"})
    assert in_a_new_process() == products.ONEDNN


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: "[]",
        lambda text: text.replace(f'"{products.TORCH}",', f'"{products.ONEDNN}",'),
        lambda text: text.replace('"rows": 64', '"rows": 63'),
        lambda text: json.dumps({"library": "torch"}),
    ],
)
def test_a_damaged_choice_is_measured_anew_and_mended(
    measured: dict[str, float], user_cache: Path, damage: Callable[[str], str]
) -> None:
    measured[products.TORCH] = 0.5
    in_a_new_process()
    (path,) = user_cache.glob("synaug/products/*.json")
    whole = path.read_text()
    assert damage(whole) != whole
    path.write_text(damage(whole))
    assert in_a_new_process() == products.TORCH
    assert measured["times"] == 2
    assert path.read_text() == whole


def test_a_cache_that_cannot_be_written_costs_a_measurement_and_nothing_else(
    measured: dict[str, float], user_cache: Path
) -> None:
    user_cache.mkdir()
    (user_cache / "synaug").write_text("no folder")
    assert in_a_new_process() == in_a_new_process() == products.ONEDNN
    assert measured["times"] == 2


def test_both_libraries_are_measured_and_torch_keeps_its_threads() -> None:
    before = torch.get_num_threads()
    seconds = products.measure({(5, 7): 3, (7, 5): 1}, 4)
    assert set(seconds) == {products.TORCH, products.ONEDNN}
    assert all(0 <= taken < float("inf") for taken in seconds.values())
    assert torch.get_num_threads() == before


def test_a_model_s_layers_stay_where_torch_multiplies_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Model()
    assert products.shapes(model) == {(6, 6): 1}
    monkeypatch.setattr("synaug.encoder.products.fastest", lambda *_: products.TORCH)
    assert not prepare(model, 64, IDS)
    assert type(model.dense) is torch.nn.Linear


# ---- int8


@pytest.mark.skipif(not has_int8(), reason="this torch has no such products")
@pytest.mark.parametrize("biased", [True, False])
def test_whole_numbers_of_8_bits_multiply_exactly_and_each_row_by_itself(biased: bool) -> None:
    draw = torch.Generator().manual_seed(0)
    weight = torch.randint(-127, 128, (48, 64), generator=draw).float()
    weight[:, 0] = 127  # so that the scale is 1
    bias = torch.randn(48, generator=draw) if biased else None
    rows = torch.randint(-63, 64, (33, 64), generator=draw).float()
    rows[:, 1] = 63
    rows[-1] = 63  # as far from 0 as can be, where 16 bits could overflow
    scales = 2.0 ** torch.arange(-16, 17)[:, None]
    with torch.inference_mode():
        layer = Int8Linear(weight, bias, 16)
        torch.testing.assert_close(layer(rows * scales), by_torch(rows * scales, weight, bias), rtol=1e-4, atol=1e-2)
        torch.testing.assert_close(layer(rows[None, :1] / 7)[0, 0], layer(rows / 7)[0], rtol=0, atol=0)
        torch.testing.assert_close(layer(torch.zeros(2, 64)), by_torch(torch.zeros(2, 64), weight, bias))


@pytest.fixture
def forget_int8() -> Iterator[None]:
    has_int8.cache_clear()
    yield
    has_int8.cache_clear()


@pytest.mark.usefixtures("forget_int8")
@pytest.mark.parametrize("operator", [missing, refusing, lambda *_: torch.zeros(2, 3)])
def test_int8_is_not_offered_where_its_operators_are_not_what_they_were(
    operator: Callable[..., torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.ops.onednn, "qlinear_pointwise", operator)
    assert not has_int8()
