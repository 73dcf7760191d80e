"""A classifier that was fine-tuned, in use: the run's own numbers, and its encoders kept, or refused where altered."""

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hydra.utils import instantiate
from safetensors.numpy import load_file, save_file

import synaug
from synaug import record
from synaug.command import fit_record
from synaug.command.remake import Wanted, recorded_config
from synaug.encoder.tuned import LORA_A, LORA_B, TunedEncoder, sha256_of
from synaug.errors import UserError
from synaug.model.head import SPACE, Head
from synaug.model.model import Model, load_model
from synaug.model.tuned import encoders_of
from synaug.model.vectors import as_tuned
from synaug.parts import encoder_in_use
from synaug.scores.decision import ARGMAX
from synaug.scores.needs import read_rule
from tests import toy
from tests.program import Program
from tests.test_estimator import CONFIGS
from tests.test_fit_model import fit_command, predict_command, rows_of, split_again
from tests.test_tuning import MANY, SMALL, Killed, dies, run, runner, tiny  # noqa: F401

Run = Callable[..., Any]
LORA = ["classifier=lora", "classifier.rank=2", "classifier.lr=0.01", *SMALL]
ALL = ["classifier=finetune", "classifier.lr=0.005", *SMALL]
REFIT = "validation.final=refit"
BATCH = "classifier.when=batch"
NEW = toy.texts(12, seed=7)[0]


def made(run: Run, program: Program, *settings: str) -> Path:  # noqa: F811
    """The folder of a run of the tiny encoder on toy texts."""
    done = run("encoder.device=cpu", *settings)
    assert done.code == 0, done.err
    return program.run_folders[-1]


def fitted(folder: Path, **options: Any) -> Model:
    return synaug.fit(folder, config_dir=CONFIGS, **options)


@pytest.mark.parametrize(
    "settings",
    [
        (*LORA, "augmenter=smote"),
        (*ALL, "augmenter=smote", "augmenter.replicas=2", "standardize=true"),
        (*ALL, REFIT, "augmenter=random", "encoder.normalize=true"),
        (*LORA, BATCH, "augmenter=smote", "encoder.normalize=true", "classifier.max_length=6"),
        (*ALL, BATCH, REFIT, "augmenter=mixup", "loss=class_weighted"),
    ],
    ids=" ".join,
)
def test_fitted_on_the_training_rows_of_a_split_it_says_what_the_run_said_of_its_test_rows(
    run: Run,  # noqa: F811
    program: Program,
    settings: tuple[str, ...],
) -> None:
    folder = made(run, program, *settings)
    recorded = record.read(folder)
    path = record.probabilities_file(folder, recorded)
    assert path is not None
    with np.load(path, allow_pickle=False) as file:
        kept = dict(file)
    fits, (prepared, split) = split_again(folder, seed=0, fold=1)
    texts = [prepared.texts.texts[row] for row in split.test]
    config = recorded_config(Wanted(folder, config_dir=CONFIGS), recorded)
    for rule in ("prior_corrected", "tuned", ARGMAX):
        need = None if rule == ARGMAX else read_rule(rule)
        weights, _ = fit_record.decision_of(need, fits, prepared.texts.class_names, prepared.texts.rows_per_class)
        members = fits.predictions.splits[0].members[weights]
        encoders, _ = encoders_of(members)
        assert len(encoders) == (1 if REFIT in settings or rule == ARGMAX else 2)
        encoder = as_tuned(instantiate(encoder_in_use(config), _convert_="all"), encoders)
        said = Head.of(members, fits.data.target[0]).log_probabilities(encoder.encode(texts))
        np.testing.assert_allclose(said, kept[rule][kept["fold"] == 1], atol=1e-5)


@pytest.fixture(scope="module")
def lora(tmp_path_factory: pytest.TempPathFactory, tiny: Path) -> tuple[Path, Model]:  # noqa: F811
    """A run of LoRA with SMOTE, and the model of it."""
    program = Program(tmp_path_factory.mktemp("lora"))
    rows, labels = toy.texts(30)
    path = toy.write_csv(program.folder / "mine.csv", rows, labels)
    folder = made(runner(program, tiny, f"dataset.path={path}"), program, *LORA, "augmenter=smote")
    return folder, fitted(folder)


@pytest.fixture
def place(lora: tuple[Path, Model], tmp_path: Path) -> Path:
    return lora[1].save(tmp_path / "model")


def test_saved_and_loaded_it_has_the_same_bits_and_says_on_its_card_how_it_was_tuned(
    lora: tuple[Path, Model], place: Path, tmp_path: Path
) -> None:
    _, model = lora
    own = ["encoder-0.safetensors", "encoder-1.safetensors"]
    assert sorted(path.name for path in place.iterdir()) == ["README.md", "config.json", *own, "head.safetensors"]
    again = load_model(place)
    assert again.head.n_spaces == 2
    said = model.log_probabilities(NEW)
    np.testing.assert_array_equal(again.log_probabilities(NEW), said)
    vectors = [TunedEncoder.of(again.encoder.encoders[0].base, weights).encode(NEW) for weights in again.tuned]  # type: ignore[attr-defined]
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-3
    np.testing.assert_array_equal(again.encoder.encode(NEW), np.hstack(vectors))
    for path, weights in zip(own, again.tuned, strict=True):
        # Two layers of six linear maps each, and nothing of the pretrained weights.
        assert {name.rpartition(".")[2] for name in weights} == {LORA_A, LORA_B}
        assert len(weights) == 2 * 2 * 6
        assert sha256_of(load_file(place / path)) == sha256_of(weights)
    numbers = sum(each.size for each in again.tuned[0].values())
    card = model.card.replace("\\", "")
    assert "low-rank adapters (LoRA, rank 2) of its linear layers, without synthetic rows" in card
    assert f"2 encoders, one for each classifier ({numbers:,} numbers, 0.0 MB each)" in card
    assert json.loads((place / "config.json").read_text())["synaug_model"] == 2
    (tmp_path / "new.csv").write_text("\n".join(["text", *NEW]))
    outcome = predict_command(str(place), str(tmp_path / "new.csv"))
    assert outcome.code == 0, outcome.err
    assert [row[1] for row in rows_of(outcome.out)[1:]] == model.predict(NEW).tolist()
    assert model.save(place) == place  # its own files are no others'


def altered(place: Path) -> None:
    name = place / "encoder-1.safetensors"
    save_file({weight: each + np.float32(1e-6) for weight, each in load_file(name).items()}, name)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (altered, r"encoder-1\.safetensors was altered"),
        (lambda place: (place / "encoder-0.safetensors").unlink(), r"encoder-0\.safetensors is missing"),
    ],
)
def test_an_encoder_that_was_altered_or_is_gone_is_refused_by_its_name(place: Path, change: Any, said: str) -> None:
    change(place)
    with pytest.raises(UserError, match=said):
        load_model(place)


def test_vectors_and_encoders_that_are_not_the_models_are_refused(
    place: Path,
    tmp_path: Path,
    tiny: Path,  # noqa: F811
) -> None:
    model = load_model(place)
    with pytest.raises(UserError, match=r"would misread vectors of any other: give texts"):
        model.predict(np.zeros((2, 32), np.float32))
    np.save(tmp_path / "new.npy", np.zeros((2, 32), np.float32))
    outcome = predict_command(str(place), str(tmp_path / "new.npy"))
    assert (outcome.code, outcome.out) == (1, "")
    assert "give texts, not vectors" in outcome.err.replace("\n  ", " ")

    class Another:
        """An encoder that says it is the same, and has no weights."""

        def identity(self) -> dict[str, Any]:
            return dict(model.config["encoder"]["identity"])

    with pytest.raises(UserError, match=r"the model's encoder was tuned, which Another cannot be"):
        load_model(place, Another()).predict(NEW)
    other = {"model": str(tiny), "device": "cpu", "batch_tokens": 64}
    np.testing.assert_allclose(load_model(place, other).log_probabilities(NEW), model.log_probabilities(NEW), atol=1e-5)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda head, tuned: ({**head, SPACE: np.array([0, 2])}, tuned), "space names other encoders"),
        (lambda head, tuned: ({**head, SPACE: np.array([0])}, tuned), r"space is int64 \[1\]"),
        (lambda head, tuned: (head, tuned[:1]), "it has 1 tuned encoders where its head reads 2"),
        (lambda head, tuned: (head, ()), "it has 0 tuned encoders where its head reads 2"),
        (
            lambda head, tuned: (head, [{name: each * np.nan for name, each in of.items()} for of in tuned]),
            "holds other than finite float32",
        ),
    ],
)
def test_a_folder_that_no_fit_has_written_is_refused_in_a_sentence(
    lora: tuple[Path, Model], tmp_path: Path, change: Any, said: str
) -> None:
    _, model = lora
    tensors, tuned = change(dict(model.head.tensors), model.tuned)
    other = Model(replace(model.head, tensors=tensors), model.config, "", tuned=tuned)
    with pytest.raises(UserError, match=said):
        load_model(other.save(tmp_path / "other"))


def test_weights_that_the_encoder_has_not_are_refused_in_a_sentence(lora: tuple[Path, Model]) -> None:
    _, model = lora
    base = model.encoder.encoders[0].base  # type: ignore[attr-defined]
    name = next(name for name in model.tuned[0] if name.endswith(LORA_A)).removesuffix(f".{LORA_A}")
    for weights in (
        {"no.such.weight": np.ones((2, 2), np.float32)},
        {f"{name}.weight": np.ones((2, 2), np.float32)},
        {f"{name}.{LORA_A}": np.ones((2, 2), np.float32)},
        {f"{name}.{LORA_A}": np.ones((2, 16), np.float32), f"{name}.{LORA_B}": np.ones((16, 3), np.float32)},
    ):
        with pytest.raises(UserError, match=r"the encoder has no weight"):
            TunedEncoder.of(base, weights).encode(NEW)


def test_vectors_are_cached_by_the_digest_of_the_weights_that_made_them(lora: tuple[Path, Model]) -> None:
    folder, model = lora
    cache = folder.parents[2] / "cache"
    cached = [json.loads(path.read_text()) for path in cache.glob("embeddings/*/encoder.json")]
    known = {each["tuned"].get("weights_sha256") for each in cached if "tuned" in each}
    assert {sha256_of(weights) for weights in model.tuned} <= known
    assert not list((cache / "tuning").glob("*.safetensors"))


def test_what_trains_no_encoder_predicts_as_the_frozen_model_to_the_bit(run: Run, program: Program) -> None:  # noqa: F811
    for classifier in (["classifier=mlp"], [*LORA, "classifier.rank=0"], [*ALL, "classifier.lr=0"]):
        made(run, program, "augmenter=smote", *classifier)
    models = {model.config["record"]["choices"]["classifier"]: model for model in map(fitted, program.run_folders)}
    frozen = models.pop("mlp")
    assert {name: len(model.tuned) for name, model in models.items()} == {"lora": 0, "finetune": 1}
    assert "was tuned" not in models["lora"].card
    for model in models.values():
        np.testing.assert_array_equal(model.log_probabilities(NEW), frozen.log_probabilities(NEW))


@pytest.mark.parametrize("when", [[BATCH], []], ids=["batch", "features"])
def test_a_fit_that_was_killed_goes_on_and_gives_the_same_model(
    run: Run,  # noqa: F811
    program: Program,
    dies: Callable[[int], list[int]],  # noqa: F811
    caplog: Any,
    when: list[str],
) -> None:
    left = dies(MANY)
    folder = made(run, program, *ALL, *when, "augmenter=smote")
    caplog.set_level(logging.INFO)
    dies(MANY)
    expected = fitted(folder)
    assert "at most" in caplog.text
    n_steps = MANY - left[0]
    dies(20)
    with pytest.raises(Killed):
        fitted(folder)
    kept = program.folder / "cache" / "tuning"
    assert list(kept.glob("*.safetensors"))
    dies(MANY)
    model = fitted(folder)
    assert MANY - left[0] < n_steps  # it did not begin anew
    assert [sha256_of(each) for each in model.tuned] == [sha256_of(each) for each in expected.tuned]
    np.testing.assert_array_equal(model.log_probabilities(NEW), expected.log_probabilities(NEW))
    assert not list(kept.glob("*.safetensors"))


def test_one_encoder_is_kept_of_a_refit_and_its_size_told(
    run: Run,  # noqa: F811
    program: Program,
    tmp_path: Path,
    caplog: Any,
) -> None:
    made(run, program, *ALL, BATCH, REFIT, "augmenter=none")
    place = tmp_path / "model"
    caplog.clear()
    outcome = fit_command(f"fit.run={program.run_folders[-1]}", str(place))
    assert outcome.code == 0, outcome.err
    assert "tuning 3 members for at most 8 steps each" in caplog.text
    model = load_model(place)
    assert SPACE not in model.head.tensors
    (weights,) = model.tuned
    assert not any("pooler" in name or LORA_A in name for name in weights)
    assert model.config["encoder"]["settings"]["normalize"] is False
    assert f"Tuned weights: {sum(each.size for each in weights.values()):,} numbers" in model.card
    assert "all of its weights, together with the classifier, for at most 8 steps" in model.card


def test_a_classifier_of_scikit_learns_kind_is_fine_tuned_on_texts_and_refuses_vectors(
    tmp_path: Path,
    tiny: Path,  # noqa: F811
) -> None:
    rows, labels = toy.texts(12)
    words = [f"encoder.model={tiny}", "encoder.max_length=24", "encoder.device=cpu", f"cache_dir={tmp_path}"]
    quick = [*LORA[1:], "max_steps=16", "validation.n_folds=2", "trainer.enable_progress_bar=false"]
    one = synaug.Classifier(encoder="huggingface", classifier="lora", settings=(*words, *quick))
    said = one.fit(rows, labels).predict_proba(rows)
    np.testing.assert_allclose(said.sum(1), 1)
    assert one.n_features_in_ == one.head_.n_features == 32
    with pytest.raises(UserError, match="has no weights to fine-tune"):
        synaug.Classifier(classifier="lora", settings=quick).fit(np.eye(24, 4), labels)
