"""A folder that is signed as a model's is and holds what no model can: refused in a sentence when it is loaded."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from synaug.command import predict_texts
from synaug.errors import UserError
from synaug.files.digest import json_sha256
from synaug.model import card
from synaug.model import folder as folders
from synaug.model.head import MEANS, NEIGHBOURS, SKLEARN, STACKED, Head
from synaug.model.model import load_model

D, C, M = 4, 3, 2
RNG = np.random.RandomState(0)
SHARED = {"target": np.full(C, 1 / C), "carried": np.full((M, C), 1 / C)}
OF_KIND: Mapping[str, Mapping[str, Any]] = {
    STACKED: {
        "mean": np.zeros((M, D), np.float32),
        "scale": np.ones((M, D), np.float32),
        "layers.0.weight": RNG.normal(size=(M, D, 5)).astype(np.float32),
        "layers.0.bias": np.zeros((M, 1, 5), np.float32),
        "layers.1.weight": RNG.normal(size=(M, 5, C)).astype(np.float32),
        "layers.1.bias": np.zeros((M, 1, C), np.float32),
    },
    MEANS: {"means": RNG.normal(size=(M, C, D)), "sharpness": np.ones(M)},
    NEIGHBOURS: {
        **{f"rows.{member}": RNG.normal(size=(6, D)).astype(np.float32) for member in range(M)},
        **{f"labels.{member}": np.arange(6) % C for member in range(M)},
    },
}
SETTINGS = {STACKED: {}, MEANS: {}, NEIGHBOURS: {"k": 2, "metric": "euclidean"}}
RULE = {"name": "tuned", "offset": [0.1, 0.2, 0.3], "costs": None, "abstain_below": None, "reached": True}
CONFIG = {
    "classes": ["a", "b", "c"],
    "decision": RULE,
    "encoder": {"settings": {"_target_": "synaug.encoder.TransformerEncoder"}, "identity": {}, "reads_texts": True},
    "record": {"method": "smote"},
}


def signed(
    folder: Path, kind: str = STACKED, sizes: Any = (D, C, M), settings: Any = None, changes: Any = None, **config: Any
) -> Path:
    """A folder whose digests are right, with other tensors (None: without) and another config."""
    tensors = {**SHARED, **OF_KIND[kind], **(changes or {})}
    given = {name: array for name, array in tensors.items() if array is not None}
    n_features, n_classes, n_members = sizes
    head = Head(kind, n_features, n_classes, n_members, given, SETTINGS[kind] if settings is None else settings)
    folders.write(folder, folders.Stored({**CONFIG, **config}, head, "card"))
    return folder


@pytest.mark.parametrize("kind", OF_KIND)
def test_what_is_whole_is_read_and_predicts(tmp_path: Path, kind: str) -> None:
    model = load_model(signed(tmp_path / "model", kind))
    np.testing.assert_allclose(model.predict_proba(RNG.normal(size=(5, D))).sum(1), 1)


@pytest.mark.parametrize(
    ("kind", "name", "spoil"),
    [
        (kind, name, spoil)
        for kind, of in OF_KIND.items()
        for name in (*SHARED, *of)
        for spoil in ("absent", "NaN", "type", "size", "dimension")
        if (name, spoil) != ("carried", "absent")  # of a rule that takes probabilities as they are
    ],
)
def test_each_tensor_is_what_it_must_be(tmp_path: Path, kind: str, name: str, spoil: str) -> None:
    array = {**SHARED, **OF_KIND[kind]}[name]
    other = {
        "absent": None,
        "NaN": array * np.array(np.nan, array.dtype) if array.dtype.kind == "f" else array + C,
        "type": array.astype(np.float16),
        "size": np.repeat(array, 2, axis=-1),
        "dimension": array[None],
    }[spoil]
    with pytest.raises(UserError, match=r"head\.safetensors is of no model that synaug has written"):
        load_model(signed(tmp_path / "model", kind, changes={name: other}))


def test_no_tensor_stands_beside_those_of_a_head(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"another is of no use"):
        load_model(signed(tmp_path / "model", changes={"another": np.ones(3)}))


@pytest.mark.parametrize("sizes", [(10**9, C, M), (D, 10**9, M), (D, C, 10**9), (D, C, 0), (D, C, -1), (D, "3", M)])
@pytest.mark.parametrize("kind", OF_KIND)
def test_sizes_are_those_of_the_tensors(tmp_path: Path, kind: str, sizes: Any) -> None:
    with pytest.raises(UserError, match="is of no model that synaug has written"):
        load_model(signed(tmp_path / "model", kind, sizes))


@pytest.mark.parametrize(
    "config",
    [
        {"classes": ["a", "b"]},
        {"classes": ["a", "b", "b"]},
        {"classes": ["a", "b", 3]},
        {"classes": "abc"},
        {"decision": {**RULE, "offset": [1.0]}},
        {"decision": {**RULE, "offset": [0.0, float("nan"), 0.0]}},
        {"decision": {**RULE, "offset": "abc"}},
        {"decision": {**RULE, "costs": [[0, 1], [1, 0]]}},
        {"decision": {**RULE, "abstain_below": "x"}},
        {"decision": {"name": "tuned"}},
        {"decision": None},
        {"encoder": {}},
        {"encoder": {**CONFIG["encoder"], "settings": {}}},  # type: ignore[dict-item]
        {"record": None},
    ],
)
def test_what_says_how_a_head_is_used_fits_it(tmp_path: Path, config: Any) -> None:
    with pytest.raises(UserError, match=r"config\.json is of no model that synaug has written"):
        load_model(signed(tmp_path / "model", **config))


@pytest.mark.parametrize("settings", [{}, {"k": "x", "metric": "euclidean"}, {"k": 0, "metric": "euclidean"}, {"k": 2}])
def test_neighbours_have_a_number_and_a_metric(tmp_path: Path, settings: Any) -> None:
    with pytest.raises(UserError, match="neighbours have no k or no metric"):
        load_model(signed(tmp_path / "model", NEIGHBOURS, settings=settings))


@pytest.mark.parametrize("name", ["os", "import_module", "nothing", "transformer"])
def test_an_encoder_is_one_of_synaugs(tmp_path: Path, name: str) -> None:
    encoder = {**CONFIG["encoder"], "settings": {"_target_": f"synaug.encoder.{name}"}}  # type: ignore[dict-item]
    with pytest.raises(UserError, match="none of synaug's"):
        load_model(signed(tmp_path / "model", encoder=encoder)).predict(["a text"])


def test_what_is_no_file_of_tensors_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "_tensors", lambda tensors: b"nothing of the kind")
    with pytest.raises(UserError, match="it holds no tensors"):
        load_model(signed(tmp_path / "model"))


@pytest.mark.parametrize("name", ["config.json", "head.safetensors"])
def test_a_folder_in_the_place_of_a_file_is_refused(tmp_path: Path, name: str) -> None:
    place = signed(tmp_path / "model")
    (place / name).unlink()
    (place / name).mkdir()
    with pytest.raises(UserError, match=rf"{name} cannot be read"):
        load_model(place)


def test_other_kinds_of_heads_name_no_files_that_are_not_members(tmp_path: Path) -> None:
    place = signed(tmp_path / "model")
    assert {*load_file(place / "head.safetensors")} == {*SHARED, *OF_KIND[STACKED]}
    head = Head(SKLEARN, D, C, 10**9, SHARED)
    folders.write(tmp_path / "other", folders.Stored(CONFIG, head, ""))
    with pytest.raises(UserError, match=r"member-0\.skops is missing"):
        load_model(tmp_path / "other")


@pytest.mark.parametrize(
    ("rule", "prior", "said"),
    [
        ({"name": "argmax"}, "uniform", "class frequencies that it was trained on"),
        ({"name": "tuned"}, "uniform", "classes of equal size"),
        ({"name": "prior_corrected"}, "uniform", "classes of equal size"),
        ({"name": "tuned"}, "natural", "class frequencies of the data set"),
        ({"name": "recall a=0.9"}, "uniform", "class frequencies of the data set, and then moved by the threshold"),
        ({"name": "costs a=5", "costs": [[0, 1], [1, 0]]}, "uniform", "class frequencies of the data set. The class"),
    ],
)
def test_the_card_says_at_which_frequencies_probabilities_hold(rule: Any, prior: str, said: str) -> None:
    found = card.said_of_probabilities({"decision": {"costs": None, **rule}, "target_prior": prior})
    assert said in found
    assert ("equal size" in found) == ("equal size" in said)


@pytest.mark.parametrize("value", ["[x", "1: 2: 3", "'a", "\t- b"])
def test_a_place_that_cannot_be_read_is_said(tmp_path: Path, value: str) -> None:
    with pytest.raises(UserError, match="cannot be read as a value"):
        predict_texts.loaded(signed(tmp_path / "model"), [f"encoder.model={value}"], None)


def test_a_model_whose_replacement_was_killed_between_the_moves_is_found_again(tmp_path: Path) -> None:
    place, new = signed(tmp_path / "model"), signed(tmp_path / "new", MEANS)
    place.rename(tmp_path / ".model.0123abcd.old.tmp")
    new.rename(tmp_path / ".model.0123abcd.tmp")
    assert load_model(place).head.kind == MEANS
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    place.rename(tmp_path / ".model.0123abcd.old.tmp")
    signed(tmp_path / ".model.0123abcd.tmp", NEIGHBOURS)
    signed(place)  # whoever saves one next
    assert load_model(place).head.kind == STACKED
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize(
    ("name", "said"),
    [("head.safetensors", "was altered"), ("config.json", "is not of a model"), ("README.md", None)],
)
def test_a_file_that_has_grown_beyond_all_memory_is_not_read_whole(tmp_path: Path, name: str, said: str | None) -> None:
    place = signed(tmp_path / "model")
    with (place / name).open("r+b") as file:
        file.truncate(1 << 40)  # of which the disk holds next to nothing
    if said is None:
        assert load_model(place).card.startswith("card")
        return
    with pytest.raises(UserError, match=said):
        load_model(place)


@pytest.mark.parametrize("sizes", [None, "x", {}, {"head.safetensors": "x"}])
def test_sizes_need_not_be_told(tmp_path: Path, sizes: Any) -> None:
    place = signed(tmp_path / "model")
    config = json.loads((place / "config.json").read_text())
    del config["sha256"]
    config["bytes_of_files"] = sizes
    (place / "config.json").write_text(json.dumps({**config, "sha256": json_sha256(config)}))
    assert load_model(place).head.n_classes == len(config["classes"])


def test_a_path_is_no_encoder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r'is not an encoder: give its place as \{"model": \'/models/minilm\'\}'):
        load_model(signed(tmp_path / "model"), "/models/minilm")
