"""From a verdict to a model: the run's own numbers, kept to the bit, told on a card, and refused where altered."""

import contextlib
import csv
import io
import json
import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from huggingface_hub import ModelCard
from safetensors.numpy import load_file, save_file
from sklearn.preprocessing import FunctionTransformer

import synaug
from synaug import pipeline, record
from synaug.command import fit_model, fit_record, predict_texts
from synaug.command.remake import Wanted, recorded_config, same_sources
from synaug.encoder.workers import torch_threads
from synaug.errors import UserError
from synaug.model.head import Head
from synaug.model.model import Model, load_model
from synaug.record.cost import Cost
from synaug.scores.decision import ARGMAX
from synaug.scores.needs import read_rule
from tests import toy
from tests.program import TOY, Outcome, Program

pytestmark = pytest.mark.xdist_group("fit_model")  # the experiment that most read is swept once

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
        training = pipeline.training_of(config, alone, keep=True)
        return pipeline.augment_and_fit(config, alone, training, Cost()), (prepared, split)


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
    folder = made(program, of_classes(tmp_path, THREE), "seeds=[0,1]", "n_folds=3", *settings)
    path = record.probabilities_file(folder, record.read(folder))
    assert path is not None
    with np.load(path, allow_pickle=False) as file:
        kept = dict(file)
    offsets = {(of["seed"], of["fold"], of["decision"]): of["offset"] for of in record.read(folder)["offsets"]}
    fits, (prepared, split) = split_again(folder, seed=1, fold=2)
    rows = (kept["seed"] == 1) & (kept["fold"] == 2)
    np.testing.assert_array_equal(kept["row"][rows], split.test)
    for rule in ("prior_corrected", "tuned", ARGMAX):
        need = None if rule == ARGMAX else read_rule(rule)
        counts = prepared.texts.rows_per_class
        weights, decision = fit_record.decision_of(need, fits, prepared.texts.class_names, counts)
        head = Head.of(fits.predictions.splits[0].members[weights], fits.data.target[0])
        said = head.log_probabilities(prepared.embeddings[split.test])
        np.testing.assert_array_equal(said.astype(np.float32), kept[rule][rows])
        offset = np.zeros(3) if decision.offset is None else decision.offset
        np.testing.assert_array_equal(offset, offsets[1, 2, rule])


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An experiment of three methods on three unequal classes."""
    folder = tmp_path_factory.mktemp("swept")
    program, data = Program(folder), of_classes(folder, THREE)
    for settings in (("augmenter=none",), ("augmenter=smote",), ("augmenter=none", "loss=class_weighted")):
        made(program, data, *settings)
    return folder / "multirun" / "default"


@pytest.fixture(scope="module")
def model(swept: Path) -> Model:
    return fitted(swept)


@pytest.fixture
def place(model: Model, tmp_path: Path) -> Path:
    """The folder of a model."""
    return model.save(tmp_path / "model")


def fit_command(*words: str) -> Outcome:
    return command(fit_model.main, *words, "--config-dir", CONFIGS)


def predict_command(*words: str) -> Outcome:
    return command(predict_texts.main, *words, "--config-dir", CONFIGS)


def command(main: Any, *words: str) -> Outcome:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(words)
    return Outcome(code, out.getvalue(), err.getvalue())


def rows_of(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def test_saved_and_loaded_it_has_the_same_bits(model: Model, tmp_path: Path) -> None:
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
    np.testing.assert_array_equal(again.log_probabilities(text for text in texts), model.log_probabilities(texts))
    vectors = ENCODER.encode(texts)
    np.testing.assert_array_equal(load_model(place).predict_log_proba(vectors), said)
    assert (again.predict(texts) == np.repeat(THREE, 70)).mean() > 0.6


def test_the_method_is_of_the_verdicts_arm_and_has_the_lowest_mean_out_of_fold_loss(swept: Path, model: Model) -> None:
    config = model.config["record"]
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


def test_the_card_quotes_the_runs_outer_estimate_and_is_one_that_the_hub_reads(swept: Path, model: Model) -> None:
    about = model.config["record"]
    record_of = json.loads((swept / about["run"] / "record.json").read_text())
    rule = about["method"].split()[-1]
    table = record_of["scores"]
    rows = [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
    values = [
        row["value"]
        for row in rows
        if (row["decision"], row["metric"], row["class"]) == (rule, "balanced_accuracy", None)
    ]
    (quoted,) = (each for each in about["estimates"] if each["metric"] == "balanced_accuracy")
    assert quoted["value"] == pytest.approx(np.mean(values))
    assert quoted["low"] < quoted["value"] < quoted["high"]
    assert f"| balanced accuracy | {quoted['value']:.3f} | {quoted['low']:.3f} to {quoted['high']:.3f} |" in model.card
    card = ModelCard(model.card)
    assert card.data.library_name == "synaug"
    assert card.data.eval_results[0].dataset_name == "mine"
    assert "What it is not for" in model.card
    assert "thinned its training rows to 1:5" in model.card.replace("\\", "")


def altered_head(place: Path) -> None:
    tensors = load_file(place / "head.safetensors")
    tensors["layers.0.bias"] = tensors["layers.0.bias"] + np.float32(1e-6)
    save_file(tensors, place / "head.safetensors")


def altered_config(place: Path) -> None:
    config = json.loads((place / "config.json").read_text())
    config["classes"] = config["classes"][::-1]
    (place / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (altered_head, "head.safetensors was altered"),
        (altered_config, "config.json was altered"),
        (lambda place: (place / "config.json").write_text("{"), "config.json is no JSON"),
        (lambda place: (place / "config.json").write_text('{"a": 1}'), "config.json is not of a model"),
        (lambda place: (place / "config.json").unlink(), "holds no config.json"),
        (lambda place: (place / "head.safetensors").unlink(), "head.safetensors is missing"),
    ],
)
def test_an_altered_model_is_refused_by_the_name_of_its_file(place: Path, change: Any, named: str) -> None:
    change(place)
    with pytest.raises(UserError, match=named):
        load_model(place)


def test_another_encoder_is_refused_by_what_differs(place: Path) -> None:
    with pytest.raises(UserError, match="its dim is 16, and was 32"):
        load_model(place, toy.HashingEncoder(16)).predict(["a goal"])
    with pytest.raises(UserError, match=r"vectors of shape \[1, 16\] are given"):
        load_model(place).predict(np.zeros((1, 16)))
    with pytest.raises(UserError, match="none of synaug's"):
        load_model(place).predict(["a goal"])


def test_nothing_in_the_folder_is_a_pickle(place: Path) -> None:
    for path in place.iterdir():
        content = path.read_bytes()
        assert content[:1] != b"\x80"
        assert b"pickle" not in content


def test_what_is_no_model_is_not_overwritten_and_a_model_is(model: Model, place: Path, tmp_path: Path) -> None:
    assert model.save(place) == place
    (place / "notes.txt").write_text("mine")
    with pytest.raises(UserError, match=r"notes.txt.*would be lost"):
        model.save(place)
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "config.json").write_text("{}")
    with pytest.raises(UserError, match="is no model"):
        model.save(mine)
    assert (mine / "config.json").read_text() == "{}"
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(UserError, match="is no folder of a model"):
        model.save(file)


KILLED = """
import os, signal, sys
from pathlib import Path
from synaug.model import folder
from synaug.model.model import load_model
model, left = load_model(sys.argv[1]), int(sys.argv[3])
flushed = folder._flushed
def counted(path, content):
    global left
    left -= 1
    if left < 0:
        path.write_bytes(content[: len(content) // 2])
        os.kill(os.getpid(), signal.SIGKILL)
    flushed(path, content)
folder._flushed = counted
model.save(sys.argv[2])
"""


@pytest.mark.parametrize("written", [0, 2])
def test_killed_while_saving_it_leaves_no_half_folder(place: Path, tmp_path: Path, written: int) -> None:
    target = tmp_path / "other"
    command = [sys.executable, "-c", KILLED, str(place), str(target), str(written)]
    assert subprocess.run(command, check=False, cwd=Path(__file__).parents[1]).returncode == -9
    assert not target.exists()
    subprocess.run([*command[:-1], "9"], check=True, cwd=Path(__file__).parents[1])
    before = (target / "head.safetensors").read_bytes()
    subprocess.run(command, check=False, cwd=Path(__file__).parents[1])
    assert (target / "head.safetensors").read_bytes() == before
    load_model(target)


def test_loading_imports_nothing_heavy(place: Path) -> None:
    code = (
        f"import sys; import synaug; model = synaug.load_model({str(place)!r}); model.classes_; "
        "print([name for name in ('torch', 'scipy', 'sklearn', 'pandas', 'transformers', 'pydantic', 'hydra') "
        "if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=Path(__file__).parents[1]
    )
    assert done.stdout.strip() == "[]"


def test_the_function_is_found_whatever_has_imported_the_module(swept: Path) -> None:
    code = (
        "import synaug.fit, synaug.predict, synaug\n"
        "try:\n    synaug.fit('nowhere')\nexcept synaug.errors.UserError as error:\n    print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=Path(__file__).parents[1]
    )
    assert "nowhere is not a folder" in done.stdout


def test_the_commands_fit_and_predict(swept: Path, tmp_path: Path, model: Model) -> None:
    place = tmp_path / "model"
    outcome = fit_command(str(swept), str(place))
    assert outcome.code == 0, outcome.err
    assert "balanced accuracy" in outcome.out
    assert str(place / "README.md") in outcome.out
    table = tmp_path / "new.csv"
    texts = toy.texts(300, THREE, seed=9)[0]
    texts[7] = "  "
    texts[3] = '=cmd "quoted", a\nsecond line'
    pd.DataFrame({"id": range(900), "body": texts}).to_csv(table, index=False)
    outcome = predict_command(str(place), str(table), "--text", "body", "--output", str(tmp_path / "out.csv"))
    assert outcome.code == 0, outcome.err
    assert "row 8: no text" in outcome.err
    found = pd.read_csv(tmp_path / "out.csv", dtype=str, keep_default_na=False)
    names = [f"probability[{name}]" for name in model.classes_]
    assert found.columns.tolist() == ["id", "body", "predicted", *names]
    assert found["id"].tolist() == [str(number) for number in range(900)]
    assert found["body"].tolist() == texts
    assert found.iloc[7, 2:].tolist() == ["", "", "", ""]
    there = [row for row in range(900) if row != 7]
    kept = [texts[row].strip() for row in there]
    assert found["predicted"].iloc[there].tolist() == model.predict(kept).tolist()
    np.testing.assert_allclose(found[names].iloc[there].astype(float), model.predict_proba(kept), rtol=1e-5)


def test_lines_vectors_and_other_tables_are_read(place: Path, tmp_path: Path, monkeypatch: Any, model: Model) -> None:
    texts = toy.texts(3, THREE, seed=3)[0]
    expected = model.predict(texts).tolist()
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join([*texts, "", ""])))
    outcome = predict_command(str(place), "-")
    header, *rows = rows_of(outcome.out)
    assert header[:2] == ["text", "predicted"]
    assert [row[:2] for row in rows[:9]] == [list(pair) for pair in zip(texts, expected, strict=True)]
    assert rows[9] == [""] * 5
    assert "line 10: no text" in outcome.err
    frame = pd.DataFrame({"n": range(9), "text": texts, "v": list(ENCODER.encode(texts))})
    frame.to_parquet(tmp_path / "new.parquet")
    frame.drop(columns="v").to_json(tmp_path / "new.jsonl", orient="records", lines=True)
    np.save(tmp_path / "new.npy", ENCODER.encode(texts))
    for words, own in (
        (("new.jsonl",), ["n", "text"]),
        (("new.parquet", "--vectors", "v"), ["n", "text"]),
        (("new.npy",), ["row"]),
    ):
        outcome = predict_command(str(place), str(tmp_path / words[0]), *words[1:])
        header, *rows = rows_of(outcome.out)
        assert header[: len(own) + 1] == [*own, "predicted"]
        assert [row[len(own)] for row in rows] == expected


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nothing.csv",), "is not a file"),
        (("lines.txt",), "give its lines on standard input"),
        (("new.csv",), "has no column 'text'"),
        (("new.csv", "--text", "body", "encoder.pooling=cls"), "decides what vectors are"),
        (("new.csv", "--text", "predicted"), "has a column 'predicted'"),
    ],
)
def test_what_cannot_be_predicted_is_said_and_no_file_is_left(
    place: Path, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    pd.DataFrame({"body": ["a"], "predicted": ["b"]}).to_csv(tmp_path / "new.csv", index=False)
    (tmp_path / "lines.txt").write_text("a goal")
    out = tmp_path / "out.csv"
    outcome = predict_command(str(place), str(tmp_path / words[0]), *words[1:], "--output", str(out))
    assert (outcome.code, out.exists()) == (1, False)
    assert said in outcome.err


def test_a_rule_may_be_asked_for_and_a_run_be_named(swept: Path) -> None:
    smote = next(path for path in swept.iterdir() if "smote" in path.name)
    for rule in ("argmax", "tuned", "recall:space=0.9", "costs:space=5", "abstain:0.5"):
        model = fitted(swept, run=smote.name, rule=rule)
        assert model.config["record"]["run"] == smote.name
        assert model.config["record"]["method"].endswith(rule.replace(":", " "))
        assert model.config["record"]["outcome"] is None
        assert {each["metric"] for each in model.config["record"]["estimates"]} > {"balanced_accuracy", "recall"}
        assert "the run was named and not chosen from several" in model.card
        assert set(model.predict(["goal team", "moon orbit"])) <= {*THREE, *([None] if "abstain" in rule else [])}
    with pytest.raises(UserError, match="no rule"):
        fitted(swept, rule="nonsense")
    with pytest.raises(UserError, match="there is no class 'cheese'"):
        fitted(swept, rule="recall:cheese=0.9")
    with pytest.raises(UserError, match="no folder of a recorded run"):
        fitted(swept, run="nothing")


def test_several_scenarios_are_refused_with_the_remedy_and_may_be_chosen(program: Program, tmp_path: Path) -> None:
    data = of_classes(tmp_path)
    made(program, data, "augmenter=none")
    made(program, data, "augmenter=none", "imbalance_ratio=ir2")
    folder = program.folder / "multirun" / "default"
    with pytest.raises(UserError, match=r"2 scenarios.*fit.scenario=.*ir2.*ir5"):
        fitted(folder)
    assert "ir2" in fitted(folder, scenario="ir2").config["record"]["scenario"]
    with pytest.raises(UserError, match="part of no scenario's name"):
        fitted(folder, scenario="ir3")


def test_data_that_changed_are_refused(program: Program, tmp_path: Path) -> None:
    folder = made(program, of_classes(tmp_path), "augmenter=none")
    path = tmp_path / "mine.csv"
    path.write_text(path.read_text() + "one more text,sport\n")
    with pytest.raises(UserError, match="have changed"):
        fitted(folder)


def test_hostile_class_names_stay_names(program: Program, tmp_path: Path) -> None:
    hostile = ("=HYPERLINK(1)", "| a | <script>alert(1)</script> [x](y) ` \u202e")
    rows, labels = toy.texts(40)
    names = [hostile[label == "trade"] for label in labels]
    data = f"dataset.path={toy.write_csv(tmp_path / 'mine.csv', rows, names)}"
    model = fitted(made(program, data, "augmenter=smote"))
    place = model.save(tmp_path / "model")
    assert load_model(place).classes_.tolist() == sorted(hostile)
    assert "<script>" not in model.card
    assert "\u202e" not in model.card
    yaml.safe_load(model.card.split("---")[1])
    pd.DataFrame({"text": rows[:4]}).to_csv(tmp_path / "new.csv", index=False)
    outcome = predict_command(str(place), str(tmp_path / "new.csv"))
    header, *found = rows_of(outcome.out)
    assert not any(cell.startswith("=") for row in [header, *found] for cell in row[1:])
    assert len(found) == 4


@pytest.mark.parametrize(
    ("settings", "files"),
    [
        (("classifier=knn", "standardize=true"), []),
        (("classifier=nearest_class_mean",), []),
        (("classifier=sklearn",), [f"member-{member}.skops" for member in range(5)]),
        (
            ("classifier=sklearn", "classifier.estimator._target_=sklearn.ensemble.HistGradientBoostingClassifier"),
            [f"member-{member}.skops" for member in range(5)],
        ),
    ],
    ids=["knn", "nearest_class_mean", "logistic", "boosting"],
)
def test_classifiers_without_steps_are_kept_to_the_bit_and_without_a_pickle(
    program: Program, tmp_path: Path, settings: tuple[str, ...], files: list[str]
) -> None:
    model = fitted(made(program, of_classes(tmp_path), "augmenter=random", *settings))
    texts = toy.texts(20, seed=7)[0]
    place = model.save(tmp_path / "model")
    assert sorted(path.name for path in place.iterdir()) == ["README.md", "config.json", "head.safetensors", *files]
    np.testing.assert_array_equal(load_model(place, ENCODER).predict_log_proba(texts), model.predict_log_proba(texts))
    if files:
        (place / files[0]).write_bytes((place / files[1]).read_bytes()[:-1])
        with pytest.raises(UserError, match=r"member-0.skops was altered"):
            load_model(place)


def test_a_part_that_might_run_code_is_not_kept(tmp_path: Path, model: Model) -> None:
    estimator = FunctionTransformer(subprocess.run)
    head = replace(model.head, kind="sklearn", estimators=[estimator])
    with pytest.raises(UserError, match="not among those that are known to run no code"):
        Model(head, model.config).save(tmp_path / "model")
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("normalize", [False, True])
def test_of_vectors_that_were_brought_it_predicts_from_vectors_alone(
    program: Program, tmp_path: Path, normalize: bool
) -> None:
    rows, labels = toy.texts(40)
    path = toy.write_csv(tmp_path / "mine.csv", rows, labels)
    vectors = 7 * ENCODER.encode(rows)
    np.save(tmp_path / "mine.npy", vectors)
    words = (*TOY, f"dataset.path={path}", "encoder=precomputed", f"encoder.path={tmp_path / 'mine.npy'}")
    outcome = program(*words, "augmenter=smote", f"encoder.normalize={normalize}")
    assert outcome.code == 0, outcome.err
    place = fitted(program.run_folders[-1]).save(tmp_path / "model")
    with pytest.raises(UserError, match="fitted on vectors of your own"):
        load_model(place).predict(rows)
    # Vectors are brought as the run's were: what scaled those scales these.
    trained_on = vectors / np.linalg.norm(vectors, axis=1, keepdims=True) if normalize else vectors
    model = load_model(place)
    np.testing.assert_allclose(
        model.log_probabilities(vectors), model.head.log_probabilities(trained_on.astype(np.float32)), atol=1e-5
    )
    outcome = predict_command(str(place), str(tmp_path / "mine.npy"))
    assert outcome.code == 0, outcome.err
    assert np.mean([row[1] == label for row, label in zip(rows_of(outcome.out)[1:], labels, strict=True)]) > 0.6


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("folder", "is a folder"),
        ("new.csv", "is the input file"),
        ("link.csv", "is the input file"),
        ("model/out.csv", "is in the model's folder"),
        ("model/config.json", "is in the model's folder"),
        ("new.csv/out.csv", "to be a folder, which it is not"),
        ("circle.csv", "cannot be used"),
    ],
)
def test_an_output_that_cannot_be_is_refused_before_anything_is_predicted(
    place: Path, tmp_path: Path, output: str, said: str
) -> None:
    table = tmp_path / "new.csv"
    table.write_text("text\na goal\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.csv").symlink_to(table)
    (tmp_path / "circle.csv").symlink_to(tmp_path / "circle.csv")
    before = sorted(tmp_path.rglob("*"))
    outcome = predict_command(str(place), str(table), "--output", str(tmp_path / output))
    assert (outcome.code, outcome.out) == (1, "")
    assert said in outcome.err.replace("\n  ", " ")
    assert sorted(tmp_path.rglob("*")) == before
    assert table.read_text() == "text\na goal\n"
    load_model(place)


def test_an_output_may_be_a_link_which_stays_and_a_pipe_that_somebody_reads(place: Path, tmp_path: Path) -> None:
    table, written, link, pipe = (tmp_path / name for name in ("new.csv", "written.csv", "link.csv", "pipe"))
    table.write_text("text\na goal\n")
    written.write_text("old")
    link.symlink_to(written)
    assert predict_command(str(place), str(table), "--output", str(link)).code == 0
    assert link.is_symlink()
    expected = written.read_text()
    assert expected.startswith("text,predicted")
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    outcome = predict_command(str(place), str(table), "--output", str(pipe))
    reader.join(60)
    assert (outcome.code, read) == (0, [expected])
    assert pipe.is_fifo()


@pytest.mark.parametrize(
    ("content", "words", "said"),
    [
        ("good\ncaf\u00e9\n".encode("latin-1"), (), "line 2 of standard input is not UTF-8"),
        (b"a\0b\n", (), "line 1 of standard input is not UTF-8, or has a NUL"),
        (None, (), "standard input is closed"),
        (b"a goal\n", ("--vectors", "v"), "--vectors is for files"),
        (b"a goal\n", ("--separator", "tab"), "--separator is for files"),
    ],
)
def test_standard_input_that_is_no_text_is_refused(
    place: Path, monkeypatch: Any, content: bytes | None, words: tuple[str, ...], said: str
) -> None:
    monkeypatch.setattr(sys, "stdin", None if content is None else io.TextIOWrapper(io.BytesIO(content)))
    outcome = predict_command(str(place), "-", *words)
    assert outcome.code == 1
    assert said in outcome.err.replace("\n  ", " ")


def test_what_a_jsonl_holds_beside_its_texts_is_kept_as_it_stood(place: Path, tmp_path: Path) -> None:
    table = tmp_path / "new.jsonl"
    others = [{"a": {"b": [1, {"c": None}]}}, [], {}, [["a", 1]], True, 1.5, None, "x"]
    table.write_text("\n".join(json.dumps({"text": "a goal", "other": other}) for other in others))
    outcome = predict_command(str(place), str(table))
    cells = [row[1] for row in rows_of(outcome.out)[1:]]
    assert [json.loads(cell) for cell in cells[:6]] == others[:6]
    assert cells[6:] == ["", "x"]


def test_vectors_of_another_width_leave_no_line(place: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "new.npy", np.zeros((2, 3), np.float32))
    outcome = predict_command(str(place), str(tmp_path / "new.npy"))
    assert (outcome.code, outcome.out) == (1, "")
    assert "fitted on vectors of 32 numbers" in outcome.err.replace("\n  ", " ")


def test_a_place_where_nothing_can_be_written_is_told_before_anything_is_fitted(swept: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    outcome = fit_command(str(swept), str(tmp_path / "file" / "model"))
    assert outcome.code == 1
    assert "to be a folder, which it is not: give another place for the model" in outcome.err.replace("\n  ", " ")


@pytest.mark.parametrize(
    ("chosen", "outcome", "said"),
    [
        (False, None, "There is no verdict, as the run was named"),
        (True, None, "There is no verdict, as methods with synthesis were not compared"),
        (True, "worse", "verdict: On mine, the best method with synthesis is worse"),
    ],
)
def test_the_console_says_what_the_verdict_was_or_why_there_is_none(
    chosen: bool, outcome: str | None, said: str
) -> None:
    headline = "On mine, the best method with synthesis is worse" if outcome else ""
    told_of = {"method": "none", "chosen": chosen, "outcome": outcome, "verdict": headline}
    record_of = {**told_of, "estimates": [], "picked": [], "measures": []}
    lines = fit_model.told({"record": record_of, "fitted": {"rows": 9}, "data": {"name": "mine"}})
    assert lines[1].startswith(said)
