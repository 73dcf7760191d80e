"""From a verdict to a model: the run's own numbers, kept to the bit, told on a card, and refused where altered."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import synaug
from synaug import pipeline, record
from synaug.command import fit_model, fit_record
from synaug.command.remake import Wanted, recorded_config, same_sources
from synaug.encoder.workers import torch_threads
from synaug.errors import UserError
from synaug.model.head import Head
from synaug.model.model import Model, load_model
from synaug.record.cost import Cost
from synaug.scores.decision import ARGMAX
from tests import toy
from tests.program import TOY, Program

CONFIGS = TOY[0].partition("=")[2]
ENCODER = toy.HashingEncoder(32)
THREE = ("sport", "trade", "space")


def of_classes(folder: Path, classes: tuple[str, ...] = ("sport", "trade"), n: int = 60) -> str:
    """Classes of n, 2 n / 3, 4 n / 9, … rows."""
    rows, labels = toy.texts(n, classes)
    kept = [row for row in range(len(rows)) if row % n < round(n * (2 / 3) ** (row // n))]
    path = toy.write_csv(folder / "mine.csv", [rows[row] for row in kept], [labels[row] for row in kept])
    return f"dataset.path={path}"


def made(program: Program, data: str, *arguments: str) -> Path:
    outcome = program(*TOY, data, *arguments)
    assert outcome.code == 0, outcome.err
    return program.run_folders[-1]


def fitted(folder: Path, *settings: str, **options: Any) -> Model:
    return synaug.fit(folder, *settings, config_dir=CONFIGS, **options)


def split_again(folder: Path, seed: int, fold: int) -> tuple[Any, Any]:
    """A split of a run, fitted as a model is: without its test rows; and the whole data."""
    recorded = record.read(folder)
    wanted = Wanted(folder, config_dir=CONFIGS)
    config = recorded_config(wanted, recorded)
    sources = same_sources(wanted, recorded, config)
    source = fit_record.source_of(fit_record.Asked(folder))
    with torch_threads(config.threads):
        prepared = pipeline.prepare(config, folder.name, fit_record._as_asked(source, sources, seed), Cost())
        (split,) = (each for each in prepared.splits if each.fold == fold)
        alone = replace(prepared, splits=[replace(split, test=split.test[:0])])
        return pipeline.augment_and_fit(config, alone, Cost(), keep=True), (prepared, split)


@pytest.mark.parametrize(
    "settings",
    [
        ("augmenter=none",),
        ("augmenter=smote", "standardize=true"),
        ("augmenter=smote", "validation.final=refit", "augmenter.replicas=2"),
        ("augmenter=smote", "augmenter.amount=[0,1]", "target_prior=natural", "imbalance_ratio=natural"),
        ("augmenter=self_paced", "augmenter.replicas=2"),
        ("augmenter=smote", "classifier=linear", "loss=class_weighted", "validation=holdout"),
        ("augmenter=smote", "classifier=knn", "standardize=true"),
        ("augmenter=none", "classifier=nearest_class_mean", "validation.final=refit"),
        ("augmenter=smote", "classifier=sklearn"),
    ],
    ids=" ".join,
)
def test_fitted_on_the_training_rows_of_a_split_it_says_what_the_run_said_of_its_test_rows(
    program: Program, tmp_path: Path, settings: tuple[str, ...]
) -> None:
    folder = made(program, of_classes(tmp_path, THREE), "seeds=[0,1]", *settings)
    kept = np.load(record.probabilities_file(folder, record.read(folder)), allow_pickle=False)
    offsets = {(of["seed"], of["fold"], of["decision"]): of["offset"] for of in record.read(folder)["offsets"]}
    fits, (prepared, split) = split_again(folder, seed=1, fold=2)
    rows = (kept["seed"] == 1) & (kept["fold"] == 2)
    np.testing.assert_array_equal(kept["row"][rows], split.test)
    for rule in ("prior_corrected", "tuned", ARGMAX):
        need = None if rule == ARGMAX else fit_record.read_rule(rule)
        counts = prepared.texts.rows_per_class
        weights, decision = fit_record.decision_of(need, fits, prepared.texts.class_names, counts)
        head = Head.of(fits.predictions.splits[0].members[weights], fits.data.target[0])
        said = head.log_probabilities(prepared.embeddings[split.test])
        np.testing.assert_array_equal(said.astype(np.float32), kept[rule][rows])
        offset = np.zeros(3) if decision.offset is None else decision.offset
        np.testing.assert_array_equal(offset, offsets[1, 2, rule])


@pytest.fixture
def swept(program: Program, tmp_path: Path) -> Path:
    """An experiment of three methods on three unequal classes."""
    data = of_classes(tmp_path, THREE)
    for settings in (("augmenter=none",), ("augmenter=smote",), ("augmenter=none", "loss=class_weighted")):
        made(program, data, *settings)
    return program.folder / "multirun" / "default"


def test_the_favoured_method_is_fitted_saved_and_loaded_with_the_same_bits(swept: Path, tmp_path: Path) -> None:
    model = fitted(swept)
    assert model.classes_.tolist() == sorted(THREE)
    texts = toy.texts(70, THREE, seed=5)[0]
    said = model.predict_log_proba(texts)
    assert said.shape == (210, 3)
    np.testing.assert_allclose(np.exp(said).sum(1), 1)
    place = model.save(tmp_path / "model")
    assert sorted(path.name for path in place.iterdir()) == ["README.md", "config.json", "head.safetensors"]
    again = load_model(place, ENCODER)
    np.testing.assert_array_equal(again.predict_log_proba(texts), said)
    np.testing.assert_array_equal(again.log_probabilities(texts), model.log_probabilities(texts))
    vectors = ENCODER.encode(texts)
    np.testing.assert_array_equal(load_model(place).predict_log_proba(vectors), said)
    assert (again.predict(texts) == np.repeat(THREE, 70)).mean() > 0.6


def test_the_method_is_of_the_verdicts_arm_and_has_the_lowest_mean_out_of_fold_loss(swept: Path) -> None:
    config = fitted(swept).config["record"]
    of_methods = {}
    for path in swept.glob("*/record.json"):
        of = json.loads(path.read_text())
        table = of["validation_scores"]
        rows = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
        for rule in ("prior_corrected", "tuned"):
            losses = [row["value"] for row in rows if row["decision"] == rule and row["metric"] == "balanced_log_loss"]
            of_methods[of["run"], rule] = np.mean(losses)
    comparison = synaug.compare(swept)
    primary = comparison.tables["balanced_accuracy"]
    outcome = primary.loc[primary["family"] == "primary", "outcome"].item()
    assert config["outcome"] == outcome
    arm = {key: loss for key, loss in of_methods.items() if ("smote" in key[0]) == (outcome == "better")}
    run, rule = min(arm, key=lambda key: arm[key])
    assert (config["run"], config["method"].split()[-1]) == (run, rule)
