"""A classifier that was fine-tuned, in use: the run's own numbers, its encoders kept whole, and refused where altered."""

import json
import logging
from collections.abc import Callable
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
from synaug.tuning import stack as stacks
from tests import toy
from tests.program import Program
from tests.test_estimator import CONFIGS
from tests.test_fit_model import fit_command, predict_command, rows_of, split_again
from tests.test_tuning import SMALL, Killed, run, tiny  # noqa: F401

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
    kept = np.load(path, allow_pickle=False)
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
