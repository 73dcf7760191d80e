"""Synthetic rows in words: the same rows again, their parents, their neighbours, and what is refused."""

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from synaug import pipeline
from synaug.command import explain_rows
from synaug.command.remake import Wanted, remake
from synaug.quality import lineage as lineages
from synaug.record import explained as explained_files
from synaug.record.shapes import MisshapenError
from synaug.training.training_sets import TrainingData
from tests import toy
from tests.program import TOY, Outcome, Program

CONFIGS = TOY[0].partition("=")[2]
SHORT = [*TOY, "max_steps=4"]  # what is trained has no part in this


@pytest.fixture
def recorded(program: Program, monkeypatch: pytest.MonkeyPatch, csv: str) -> Any:
    """Makes a run; its folder, and all that it trained on."""
    augment = pipeline.augment

    def run(*arguments: str) -> tuple[Path, TrainingData]:
        kept: list[TrainingData] = []

        def noting(*given: Any) -> TrainingData:
            kept.append(augment(*given))
            return kept[-1]

        with monkeypatch.context() as patched:
            patched.setattr(pipeline, "augment", noting)
            outcome = program(*SHORT, csv, *arguments)
        assert outcome.code == 0, outcome.err
        (data,) = kept
        return program.run_folders[-1], data

    return run


def explain(*words: str) -> Outcome:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = explain_rows.main([*words, "--config-dir", CONFIGS])
    return Outcome(code, out.getvalue(), err.getvalue())


@pytest.mark.parametrize("augmenter", ["smote", "adasyn", "random", "vae", "mine", "tomek"])
def test_one_split_alone_has_the_rows_that_it_had_among_all(recorded: Any, augmenter: str) -> None:
    epochs = ["augmenter.max_epochs=2"] if augmenter == "vae" else []
    folder, data = recorded(f"augmenter={augmenter}", "seeds=[0,1]", *epochs)
    for inner in (None, 1):
        remade = remake(Wanted(folder, seed=1, fold=2, inner=inner, config_dir=CONFIGS))
        (then,) = (
            each for each in data.training_sets if (each.split.seed, each.split.fold, each.inner) == (1, 2, inner)
        )
        now = remade.training_set
        np.testing.assert_array_equal(now.real, then.real)
        np.testing.assert_array_equal(now.split.held_back, then.split.held_back)
        np.testing.assert_array_equal(now.augmented.labels, then.augmented.labels)
        np.testing.assert_array_equal(now.augmented.synthetic_embeddings, then.augmented.synthetic_embeddings)


def test_a_row_is_said_with_its_parents_and_the_nearest_texts(recorded: Any) -> None:
    folder, data = recorded("augmenter=smote", "augmenter.k_neighbors=2")
    outcome = explain(str(folder), "--row", "3", "--json")
    assert outcome.code == 0, outcome.err
    told = json.loads(outcome.out)
    (row,) = told["rows"]
    (then,) = (each for each in data.whole if each.split.fold == 0)
    point = then.augmented.synthetic_embeddings[3]
    parents = [each["row"] for each in row["parents"]]
    shares = [each["share"] for each in row["parents"]]
    assert sum(shares) == pytest.approx(1)
    np.testing.assert_allclose(np.average(data.embeddings[parents], axis=0, weights=shares), point, atol=1e-6)
    assert {each["class"] for each in row["parents"]} == {row["class"]}
    distances = np.linalg.norm(data.embeddings[then.real] - point, axis=1)
    assert [each["distance"] for each in row["nearest"]] == pytest.approx(np.sort(distances)[:5], abs=1e-6)
    assert row["nearest"][0]["row"] == then.real[distances.argmin()]
    assert row["nearest"][0]["class"] == data.class_names[data.labels[then.real[distances.argmin()]]]
    held = {each["row"] for each in row["held_back"]}
    assert held <= set(then.split.held_back.tolist())
    assert held
    texts = pd.read_csv(folder.parents[2] / "mine.csv")["body"].tolist()
    assert all(each["text"] in texts for each in [*row["parents"], *row["nearest"]])
    said = explain(str(folder), "--row", "3").out
    assert f"made of {shares[0]:.2f} × row {parents[0]}" in said
    assert row["nearest"][0]["text"] in said


def test_without_a_row_some_of_each_class_and_the_parents_used_most_are_told(recorded: Any, tmp_path: Path) -> None:
    folder, data = recorded("augmenter=smote")
    table = tmp_path / "rows.csv"
    outcome = explain(str(folder), "--csv", str(table), "--examples", "2")
    assert outcome.code == 0, outcome.err
    assert "parents used most:" in outcome.out
    assert outcome.out.count("nearest real rows that train") == 2  # one class is the minority
    (then,) = (each for each in data.whole if each.split.fold == 0)
    rows = pd.read_csv(table, keep_default_na=False)
    assert len(rows) == len(then.augmented.labels)
    assert set(rows["parent_1"]) <= set(then.rows.tolist())
    np.testing.assert_allclose(rows["share_1"].astype(float) + rows["share_2"].astype(float), 1, atol=1e-5)


def test_rows_without_parents_have_the_nearest_texts_only(recorded: Any) -> None:
    folder, _ = recorded("augmenter=vae_prior", "augmenter.max_epochs=2")
    outcome = explain(str(folder), "--row", "0")
    assert outcome.code == 0, outcome.err
    assert "its parents are not known" in outcome.out
    assert "nearest real rows that train" in outcome.out


def test_a_text_cannot_act_on_the_console(program: Program, tmp_path: Path) -> None:
    rows, labels = toy.texts(60)
    path = toy.write_csv(tmp_path / "mine.csv", [f"\x1b[31m=1+1 {row}" for row in rows], labels)
    assert program(*SHORT, f"dataset.path={path}").code == 0
    outcome = explain(str(program.run_folders[0]))
    assert outcome.code == 0, outcome.err
    assert "\x1b" not in outcome.out
    assert "\\x1b[31m=1+1" in outcome.out


def test_what_is_not_the_records_own_is_refused(program: Program, csv: str, tmp_path: Path) -> None:
    assert program(*SHORT, csv).code == 0
    folder = program.run_folders[0]
    path = folder / "record.json"
    sound = path.read_text()

    def refused(*words: str, **changes: Any) -> str:
        path.write_text(json.dumps({**json.loads(sound), **changes}))
        outcome = explain(str(folder), *words)
        path.write_text(sound)
        assert outcome.code == 1
        assert outcome.err.count("\n") == 1
        return outcome.err

    config, data = json.loads(sound)["config"], json.loads(sound)["data"]
    assert "another state of synaug's code" in refused(code="0" * 64)
    assert "embeddings are not those" in refused(data={**data, "embeddings_sha256": "0" * 64})
    assert "texts or labels are not those" in refused(data={**data, "fingerprint": "0" * 64})
    assert "weights or settings are not those" in refused("batch_size=7")
    assert "still to be resolved" in refused(config={**config, "name": "${oc.env:HOME}"})
    evil = {**config, "augmenter": {**config["augmenter"], "_target_": "tests.toy.LeakySampler.evil"}}
    assert "tests.toy.LeakySampler.evil" in refused(config=evil)
    assert "--seed 7 is not recorded" in refused("--seed", "7")
    assert "give one from 0 to 3" in refused("--fold", "4")
    assert "give one from 0 to 4" in refused("--inner", "5")
    assert "--row 1000" in refused("--row", "1000")
    assert "no setting of this run" in refused("dataset.pth=x")
    balance = json.loads(sound)["balance"]
    made = balance["columns"].index("made")
    fewer = [[*row[:made], row[made] + 1, *row[made + 1 :]] for row in balance["data"]]
    assert "makes other numbers of rows" in refused(balance={**balance, "data": fewer})
    texts = Path(csv.partition("=")[2])
    texts.write_text(texts.read_text().replace("goal", "gaol"))
    assert "have changed" in refused()
    texts.rename(tmp_path / "moved.csv")
    assert "out of reach" in refused()
    moved = tmp_path / "moved.csv"
    moved.write_text(moved.read_text().replace("gaol", "goal"))
    assert explain(str(folder), f"dataset.path={moved}").code == 0


def test_a_run_that_makes_no_row_says_so(program: Program, csv: str) -> None:
    assert program(*SHORT, csv, "augmenter=none").code == 0
    outcome = explain(str(program.run_folders[0]))
    assert outcome.code == 1
    assert "made no synthetic row" in outcome.err


def test_the_nearest_rows_are_the_exact_ones_in_order() -> None:
    draw = np.random.RandomState(0)
    embeddings = draw.normal(size=(50, 6)).astype(np.float32) + 100  # large squares, small distances
    points = embeddings[::7] + draw.normal(size=(8, 6)).astype(np.float32) * 1e-3
    among = np.arange(0, 50, 2)
    found = lineages.nearest(points, embeddings, among, 4)
    exact = np.linalg.norm(points[:, None].astype(float) - embeddings[among], axis=2)
    np.testing.assert_array_equal(found.rows, among[np.argsort(exact, axis=1, kind="stable")[:, :4]])
    np.testing.assert_allclose(found.distances, np.sort(exact, axis=1)[:, :4], rtol=1e-9)
    assert lineages.nearest(points, embeddings, among[:2], 4).rows.shape == (8, 2)
    assert lineages.nearest(points, embeddings, among[:0], 4).rows.shape == (8, 0)


def test_who_is_both_parents_is_counted_once() -> None:
    parents = np.array([[3, 3], [3, 5], [5, 3], [-1, -1], [7, 5]])
    assert lineages.uses(parents) == [(3, 3), (5, 3), (7, 1)]


def test_the_nearest_row_besides_the_parents_is_found() -> None:
    near = np.array([[4, 2, 9], [4, 2, 9], [4, 2, 9], [4, 4, 2]])
    parents = np.array([[2, 4], [4, 4], [-1, -1], [4, 2]])
    assert lineages._besides(near, parents).tolist() == [9, 2, 4, -1]


def test_examples_for_the_page_stand_beside_the_runs_with_texts_only_if_asked(program: Program, csv: str) -> None:
    for settings in (("none",), ("random",), ("eos",), ("gaussian",), ("random", "loss=class_weighted")):
        assert program(*SHORT, csv, f"augmenter={settings[0]}", *settings[1:]).code == 0
    folder = program.folder / "multirun" / "default"
    outcome = explain(str(folder), "--page", "--examples", "2")
    assert outcome.code == 0, outcome.err
    assert f"synaug report {folder}" in outcome.out
    found = {found["identity"]: found for found in explained_files.below([folder])}
    records = {record["identity"]: record for record in program.records()}
    augmenters = [records[identity]["choices"]["augmenter"] for identity in found]
    assert sorted(augmenters) == ["eos", "gaussian", "random"]  # none makes no row; of two losses one is enough
    assert "text" not in "".join(path.read_text() for path in (folder / "explained").iterdir())
    for identity, each in found.items():
        augmenter = records[identity]["choices"]["augmenter"]
        assert len(each["rows"]) == 2 <= each["total"]  # of the one minority class
        for row in each["rows"]:
            assert row["nearest"]["row"] not in [parent["row"] for parent in row["parents"]]
            others = {parent["class_name"] for parent in row["parents"]} - {row["class_name"]}
            assert bool(others) == (augmenter == "eos")
            assert len(row["parents"]) == {"eos": 2, "gaussian": 0, "random": 1}[augmenter]
    (run,) = (path for path in program.run_folders if "eos" in path.name)
    assert explain(str(run), "--page", "--texts", csv).code == 0
    texts = pd.read_csv(csv.partition("=")[2])["body"].tolist()
    told = explained_files.read(folder / "explained" / f"{run.name}.json")  # in place of the one without
    assert all(real["text"] in texts for row in told["rows"] for real in [*row["parents"], row["nearest"]])


def test_what_is_of_one_run_does_not_go_with_a_page(tmp_path: Path) -> None:
    assert "--row is for a single run" in explain(str(tmp_path), "--page", "--row", "1").err
    assert "--texts goes with --page" in explain(str(tmp_path), "--texts").err
    assert "2 runs are given" in explain(str(tmp_path), str(tmp_path)).err
    with pytest.raises(SystemExit):
        explain("threads=1")


def test_a_file_of_another_shape_explains_nothing(tmp_path: Path) -> None:
    near = {"row": 4, "class_name": "b", "distance": 0.5}
    row: dict[str, Any] = {"row": 0, "class_name": "a", "parents": [], "off": None, "moved": None, "nearest": near}
    sound = {"identity": "x", "code": "y", "seed": 0, "fold": 0, "remark": None, "total": 3, "rows": [row]}
    path = explained_files.write(tmp_path / "run", sound)
    assert explained_files.read(path) == sound
    parent = {"row": 1, "class_name": "a", "share": None}
    wrong: list[dict[str, Any]] = [
        {"more": 1},
        {"rows": []},
        {"rows": [{**row, "row": -1}]},
        {"rows": [{**row, "moved": float("inf")}]},
        {"rows": [{**row, "parents": [parent] * 3}]},
        {"rows": [{**row, "nearest": {**near, "text": "x" * 1001}}]},
    ]
    for change in wrong:
        path.write_text(json.dumps({**sound, **change}))
        with pytest.raises(MisshapenError):
            explained_files.read(path)
    assert list(explained_files.below([tmp_path])) == []
