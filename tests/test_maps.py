"""Maps: what decides a projection, what a file of one must look like, and the command."""

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from synaug.command import draw_maps, drawn_rows
from synaug.errors import UserError
from synaug.quality.maps import project
from synaug.record import maps as map_files
from synaug.record.shapes import MisshapenError
from tests.program import TOY, Outcome, Program

CONFIGS = TOY[0].partition("=")[2]
SHORT = [*TOY, "n_folds=2", "max_steps=4"]  # what is trained has no part in this
DRAW = np.random.RandomState(0)
REAL = DRAW.normal(size=(40, 12)).astype(np.float32) * np.linspace(3, 0.1, 12, dtype=np.float32)


def draw(*words: str) -> Outcome:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = draw_maps.main([*words, "--config-dir", CONFIGS])
    return Outcome(code, out.getvalue(), err.getvalue())


def test_pca_is_the_two_largest_directions_of_the_real_rows_alone() -> None:
    others = REAL[:5] + 100
    placed, (applied, none) = project("pca", REAL, [others, REAL[:0]])
    centred = REAL.astype(float) - REAL.mean(0, dtype=float)
    _, _, directions = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(np.abs(placed), np.abs(centred @ directions[:2].T), atol=1e-5)
    np.testing.assert_allclose(
        np.abs(applied), np.abs((others - REAL.mean(0, dtype=float)) @ directions[:2].T), rtol=1e-4
    )
    assert none.shape == (0, 2)


def test_few_rows_and_unknown_projections_are_refused() -> None:
    with pytest.raises(UserError, match="choose among umap, pca, tsne"):
        project("mds", REAL, [])
    with pytest.raises(UserError, match="needs 4 real rows"):
        project("pca", REAL[:3], [])


@pytest.mark.parametrize("kind", ["umap", "tsne"])
def test_a_projection_repeats_itself_and_others_decide_nothing(kind: str) -> None:
    threads = torch.get_num_threads()
    first, (applied,) = project(kind, REAL, [REAL[:6] + 0.01])
    assert torch.get_num_threads() == threads  # numba would set its own number for all
    again, (far, same) = project(kind, REAL, [REAL[:9] * 50, REAL[:6] + 0.01])
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(applied, same)
    assert far.shape == (9, 2)
    spread = np.linalg.norm(first - first.mean(0), axis=1).mean()
    assert np.median(np.linalg.norm(applied - first[:6], axis=1)) < spread  # near the rows that they are nearly


def test_small_classes_are_drawn_whole_and_large_ones_alike() -> None:
    labels = np.repeat([0, 1, 2, 3], [900, 700, 40, 5])
    chosen = drawn_rows.chosen_rows(labels, 401)
    assert np.bincount(labels[chosen]).tolist() == [178, 178, 40, 5]
    assert np.diff(chosen[:178]).max() <= 6  # evenly, over all of the class
    assert drawn_rows.chosen_rows(labels, 5000).tolist() == list(range(len(labels)))
    assert len(drawn_rows.chosen_rows(labels, 3)) == 3  # of more classes than places
    assert len(drawn_rows.chosen_rows(labels[:0], 3)) == 0


def test_parents_of_drawn_rows_are_drawn_as_far_as_there_is_room() -> None:
    labels = np.repeat([0, 1], [500, 500])
    times = np.zeros(1000, int)
    times[1:1000:11] = 1  # 91 rows that an even choice would mostly miss
    assert set(np.flatnonzero(times)) <= set(drawn_rows.chosen_rows(labels, 100, times))
    # Of more parents than room, those used most; other classes keep a part.
    times[500:] = 1
    times[900:920] = 9
    chosen = drawn_rows.chosen_rows(labels, 100, times)
    assert len(chosen) == 100
    assert set(range(900, 920)) <= set(chosen)
    assert 25 <= (labels[chosen] == 0).sum() <= 75
    assert (times[chosen] > 0).all()


def test_the_command_writes_a_sound_file_a_scenario_and_texts_only_if_asked(program: Program, csv: str) -> None:
    for augmenter in ("none", "smote", "mine"):
        assert program(*SHORT, csv, f"augmenter={augmenter}").code == 0
    folder = program.folder / "multirun" / "default"
    outcome = draw(str(folder), "--kind", "pca", "--most", "30")
    assert outcome.code == 0, outcome.err
    (path,) = (folder / "maps").glob("*.json")
    drawn = map_files.read(path)
    assert [each["label"] for each in drawn["methods"]] == ["mine", "smote"]
    assert "texts" not in drawn["real"]
    assert len(drawn["real"]["labels"]) == 30
    smote = drawn["methods"][1]
    assert smote["total"] >= len(smote["labels"])
    assert drawn["real"]["total"] > 30
    assert drawn["code"] == program.records()[0]["code"]
    assert min(smote["parents"]) >= 0  # its parents are drawn, too
    assert max(smote["parents"]) < len(drawn["real"]["labels"])
    assert all(0 <= each < map_files.SIDE for each in smote["places"]["pca"])
    assert draw(str(folder.parent), "--kind", "pca", "--texts").code == 0  # of all experiments: the same place
    (path,) = (folder / "maps").glob("*.json")  # in its place
    assert len(map_files.read(path)["real"]["texts"]) == len(map_files.read(path)["real"]["labels"])
    assert "nothing to draw" in draw(str(folder), "--scenario", "elsewhere").err


def test_each_augmenter_is_drawn_whichever_losses_it_was_run_with(program: Program, csv: str) -> None:
    for augmenter, loss in (("smote", "class_weighted"), ("random", "focal"), ("random", "plain")):
        assert program(*SHORT, csv, f"augmenter={augmenter}", f"loss={loss}").code == 0
    folder = program.folder / "multirun" / "default"
    outcome = draw(str(folder), "--kind", "pca")
    assert outcome.code == 0, outcome.err
    (drawn,) = map_files.below([folder])
    assert [each["label"] for each in drawn["methods"]] == ["random", "smote"]


def test_all_methods_of_a_map_are_of_one_seed_or_a_sentence_says_why_not(program: Program, csv: str) -> None:
    seeds = {"random": "[0,2,3]", "smote": "[2,3]", "mine": "[5]"}
    for augmenter in ("random", "smote"):
        assert program(*SHORT, csv, f"augmenter={augmenter}", f"seeds={seeds[augmenter]}").code == 0
    folder = program.folder / "multirun" / "default"
    outcome = draw(str(folder), "--kind", "pca")
    assert outcome.code == 0, outcome.err
    (drawn,) = map_files.below([folder])
    assert drawn["seed"] == 2
    assert len(drawn["methods"]) == 2
    assert program(*SHORT, csv, "augmenter=mine", f"seeds={seeds['mine']}").code == 0
    outcome = draw(str(folder), "--kind", "pca")
    assert outcome.code == 1
    assert "no seed is common to all of its methods (mine: 5; random: 0, 2, 3; smote: 2, 3)" in outcome.err
    assert "run them with a common seed" in outcome.err
    assert len(outcome.err.splitlines()) == 1
    # Where another scenario can be drawn, it is.
    assert program(*SHORT, csv, "augmenter=mine", "seeds=[5]", "imbalance_ratio=ir2").code == 0
    outcome = draw(str(folder), "--kind", "pca")
    assert outcome.code == 0, outcome.err
    assert "no seed is common" in outcome.err
    assert "ir2" in outcome.out


def test_a_file_that_is_not_as_written_is_no_map(tmp_path: Path) -> None:
    rows: dict[str, Any] = {"labels": [0, 1], "places": {"pca": [0, 1, 2, 3]}}
    sound: dict[str, Any] = {
        "seed": 0,
        "fold": 0,
        "kinds": ["pca"],
        "class_names": ["a", "b"],
        "real": {**rows, "trains": [1, 0]},
        "methods": [{**rows, "identity": "x", "label": "smote", "total": 2, "parents": [0, 1, -1, -1]}],
    }
    older = map_files.write(tmp_path, sound)  # without the code's digest and the number of real rows
    assert map_files.read(older) == sound
    sound |= {"code": "c0de", "real": {**sound["real"], "total": 9}}
    path = map_files.write(tmp_path, sound)
    assert map_files.read(path) == sound
    wrong: list[dict[str, Any]] = [
        {"kinds": ["umap"]},
        {"class_names": ["a"]},
        {"real": {**sound["real"], "trains": [1]}},
        {"real": {**sound["real"], "places": {"pca": [0, 1, 2, 1000]}}},
        {"methods": [{**sound["methods"][0], "parents": [0, 2, -1, -1]}]},
        {"methods": [{**sound["methods"][0], "parents": [0]}]},
        {"code": 1},
        {"more": 1},
    ]
    for change in wrong:
        path.write_text(json.dumps({**sound, **change}))
        with pytest.raises(MisshapenError):
            map_files.read(path)
    assert list(map_files.below([tmp_path])) == []


def test_a_link_to_nothing_as_an_editor_leaves_it_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / ".#a.json").symlink_to("me@here.1234")
    assert list(map_files.below([tmp_path])) == []
