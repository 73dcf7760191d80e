"""The whole program on a small data set: what it writes, that it repeats itself, that it does not leak."""

import json
import random
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from synaug import record as records
from synaug.comparison.load import load
from synaug.errors import UserError
from synaug.imbalance_ratio import ImbalanceRatio
from synaug.scores import metrics
from tests import toy
from tests.program import BRIEF, TOY, Kept, Outcome, Program, signalled, without_cost
from tests.thorough import THOROUGH

pytestmark = pytest.mark.xdist_group("run")  # what several read is run once

# Of 40 steps.
LOOKS = [8, 11, 16, 23, 32, 40]
AUGMENTERS = ("none", "random", "smote", "borderline_smote", "adasyn", "vae")


def csv_in(folder: Path) -> str:
    rows, labels = toy.texts(120, ("sport", "trade", "space"))
    return f"dataset.path={toy.write_csv(folder / 'mine.csv', rows, labels)}"


@pytest.fixture
def csv(tmp_path: Path) -> str:
    return csv_in(tmp_path)


def ok(outcome: Outcome) -> Outcome:
    assert outcome.code == 0, outcome.err
    return outcome


@dataclass
class Recorded:
    """A run that a test may read, and what it said."""

    program: Program
    outcome: Outcome


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """A run of the default method with which tests have nothing to do but to read it."""
    program = Program(tmp_path_factory.mktemp("one"))
    return Recorded(program, ok(program(*TOY, csv_in(program.folder))))


@pytest.fixture(scope="module")
def brief(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """One whose numbers are no matter."""
    program = Program(tmp_path_factory.mktemp("brief"))
    ok(program(*BRIEF, csv_in(program.folder)))
    return Kept(program)


@pytest.fixture
def again(brief: Kept) -> Program:
    """The brief one, to go on from, with the data of `csv`."""
    return brief.put_back()


def probabilities_file(folder: Path) -> Path:
    path = records.probabilities_file(folder, records.read(folder))
    assert path is not None
    return path


def test_a_run_prints_one_table_and_the_path_of_its_record(one: Recorded) -> None:
    outcome, program = one.outcome, one.program
    record = program.record()
    folder = program.run_folders[0]
    assert folder.name.startswith("files-toy-ir5-smote-plain-mlp-nested-")
    assert folder.name.endswith(record["identity"][:8])
    assert f"record: {folder / 'record.json'}" in outcome.out
    assert outcome.out.count("balanced_accuracy") == 1
    header = next(line for line in outcome.out.splitlines() if "argmax" in line)
    assert header.split() == ["argmax", "argmax_chosen_step", "tau_norm", "prior_corrected", "tuned"]
    scores = pd.DataFrame(record["scores"]["data"], columns=record["scores"]["columns"])
    shown = next(line for line in outcome.out.splitlines() if line.startswith("accuracy"))
    accuracy = scores[(scores.metric == "accuracy") & (scores.decision == "argmax")].value
    assert shown.split()[1:4] == [f"{accuracy.mean():.3f}", "±", f"{accuracy.std(ddof=1):.3f}"]


def test_the_record_holds_what_the_design_promises(program: Program, csv: str) -> None:
    ok(program(*TOY, csv, "seeds=[0,1]", "augmenter=vae"))
    record = program.record()
    scores = pd.DataFrame(record["scores"]["data"], columns=record["scores"]["columns"])
    assert list(scores.columns) == ["seed", "fold", "decision", "metric", "class", "value"]
    overall = scores[scores["class"].isna()]
    assert set(overall.metric) == set(metrics.METRICS)
    assert len(overall) == 2 * 4 * 5 * len(metrics.METRICS)
    assert len(scores) - len(overall) == 2 * 4 * 5 * 3 * len(metrics.CLASS_METRICS)
    assert set(scores.decision) == {"argmax", "argmax_chosen_step", "tau_norm", "prior_corrected", "tuned"}
    validation = pd.DataFrame(**record["validation_scores"])
    assert set(validation.decision) == {"prior_corrected", "tuned"}  # argmax is a reference, and no candidate
    assert len(validation) == 2 * 4 * 2 * len(metrics.METRICS)
    for rule in record["reliability"]:
        rows, confidence, hits = np.array(rule["rows_confidence_hits"]).sum(0)
        of_rule = overall[(overall.decision == rule["decision"]) & (overall.metric == "accuracy")]
        assert rows == 2 * 360
        assert hits / rows == pytest.approx(of_rule["value"].mean())
        assert rows / 3 <= confidence <= rows
    assert len(record["code"]) == 64
    assert record["data"]["class_names"] == ["space", "sport", "trade"]
    assert record["data"]["minority"] == ["trade"]
    assert record["data"]["report"]["rows"] == 360
    assert {"python", "torch", "imbalanced-learn", "hydra-core"} <= set(record["versions"])
    assert record["choices"] == {
        "dataset": "files",
        "encoder": "toy",
        "imbalance_ratio": "ir5",
        "augmenter": "vae",
        "loss": "plain",
        "classifier": "mlp",
        "validation": "nested",
    }
    assert record["data"]["minority_by_seed"] == {"0": ["trade"], "1": ["trade"]}
    assert set(record["data"]["near_copies"]) == {"space", "sport", "trade"}
    matrices = [np.array(entry["matrix"]) for entry in record["confusion"]]
    assert len(matrices) == 2 * 4 * 5
    assert all(matrix.sum() == 90 for matrix in matrices)
    balance = pd.DataFrame(record["balance"]["data"], columns=record["balance"]["columns"])
    minority = balance[balance["class"] == "trade"]
    assert (minority["made"] == minority["asked"]).all()
    assert (minority["real"] + minority["made"] == balance[balance["class"] == "sport"]["real"].to_numpy()).all()
    assert (minority["new"] == minority["made"]).all()
    assert (balance["kept"] == balance["real"]).all()
    assert sorted(balance.inner.dropna().unique()) == [0, 1, 2, 3, 4]
    assert balance.inner.isna().sum() == 8 * 3  # of the fits on all rows
    assert len(record["diagnostics"]) == 8  # a VAE of the minority class, of the fits on all rows
    assert {"seed", "fold", "active_units", "variance_ratio", "reconstruction", "kl"} <= set(record["diagnostics"][0])
    curves = pd.DataFrame(record["curves"]["data"], columns=record["curves"]["columns"])
    assert sorted(set(curves.step)) == LOOKS
    assert len(curves) == 8 * len(LOOKS)
    assert curves.argmax_test.notna().all()  # the fit on all rows runs to the end
    best = pd.DataFrame(record["best"]["data"], columns=record["best"]["columns"])
    assert list(zip(best.seed, best.fold, best.decision, strict=True)) == [
        (seed, fold, rule) for seed in (0, 1) for fold in range(4) for rule in ("prior_corrected", "tuned")
    ]
    tau_norm = pd.DataFrame(**record["tau_norm"])
    assert tau_norm[["seed", "fold"]].to_numpy().tolist() == [[seed, fold] for seed in (0, 1) for fold in range(4)]
    assert tau_norm["tau"].between(0, 1).all()
    for rule in ("prior_corrected", "tuned"):
        of_rule = best[best.decision == rule]
        at_best = of_rule.merge(curves, on=["seed", "fold", "step"])
        losses = curves.groupby(["seed", "fold"])[f"{rule}_loss"].min()
        np.testing.assert_allclose(at_best[f"{rule}_loss"], losses)
        np.testing.assert_allclose(of_rule.loss, losses)
    assert (best.learned == (best.loss < np.log(3))).all()
    assert record["cost"]["members"] == 8 * 6
    assert 8 * 40 < record["cost"]["optimiser_steps"] <= 8 * 6 * 40
    assert set(record["cost"]["seconds"]) == {"load", "embed", "augment", "audit", "train", "score"}
    assert record["cost"]["peak_memory_bytes"] > 50e6


def test_minority_classes_are_found_once_a_job(program: Program, csv: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    once = ImbalanceRatio.minority_classes

    def counted(*arguments: Any) -> list[int]:
        calls.append(arguments)
        return once(*arguments)

    monkeypatch.setattr(ImbalanceRatio, "minority_classes", counted)
    ok(program(*BRIEF, csv))
    assert len(calls) == 1


def test_scores_can_be_made_again_from_the_probabilities_beside_the_record(one: Recorded) -> None:
    record, folder = one.program.record(), one.program.run_folders[0]
    with np.load(probabilities_file(folder), allow_pickle=False) as stored:
        probabilities = {name: stored[name] for name in stored.files}
    assert sorted(probabilities["row"].tolist()) == list(range(360))  # every row is tested once a seed
    offsets = {(each["fold"], each["decision"]): np.array(each["offset"]) for each in record["offsets"]}
    for _, fold, decision, metric, _, value in record["scores"]["data"]:
        if metric == "accuracy" and decision in probabilities:
            mine = probabilities["fold"] == fold
            decided = (probabilities[decision][mine] + offsets[fold, decision]).argmax(1)
            assert (decided == probabilities["label"][mine]).mean() == pytest.approx(value)
    best = {(fold, rule): loss for _, fold, rule, _, loss, _ in record["best"]["data"]}
    out_of_fold, labels = probabilities["oof_prior_corrected"], probabilities["oof_label"]
    for fold in range(4):
        mine = probabilities["oof_fold"] == fold
        assert not set(probabilities["oof_row"][mine]) & set(probabilities["row"][probabilities["fold"] == fold])
        losses = -out_of_fold[mine, labels[mine]]
        balanced = np.mean([losses[labels[mine] == label].mean() for label in range(3)])
        assert balanced == pytest.approx(best[fold, "prior_corrected"], abs=1e-5)


def test_a_recorded_run_is_skipped_unless_forced(again: Program, csv: str) -> None:
    path = again.run_folders[0] / records.RECORD
    first = path.stat().st_mtime_ns
    skipped = ok(again(*BRIEF, csv))
    assert "already recorded, skipped (force=true runs it again)" in skipped.err
    assert path.stat().st_mtime_ns == first
    ok(again(*BRIEF, csv, "force=true"))
    assert path.stat().st_mtime_ns > first
    assert len(again.run_folders) == 1


def test_a_record_of_a_newer_synaug_is_refused_by_name_and_kept(again: Program, csv: str) -> None:
    path = again.run_folders[0] / records.RECORD
    newer = json.dumps({**json.loads(path.read_bytes()), "schema": records.SCHEMA + 1})
    path.write_text(newer)
    for force in ([], ["force=true"]):
        outcome = again(*BRIEF, csv, *force)
        assert outcome.code == 1
        assert f"is of schema {records.SCHEMA + 1}, newer than the {records.SCHEMA} that this" in outcome.err
        assert path.read_text() == newer


def test_a_record_of_an_older_synaug_is_not_made_again(again: Program, csv: str) -> None:
    path = again.run_folders[0] / records.RECORD
    content = json.loads(path.read_bytes())
    older = json.dumps({key: value for key, value in content.items() if key not in ("reliability", "code")})
    path.write_text(older)
    assert "already recorded, skipped" in ok(again(*BRIEF, csv)).err
    assert path.read_text() == older


def test_the_same_command_gives_the_same_record_but_for_times(tmp_path: Path, csv: str) -> None:
    found = []
    for name, threads in (("one", 1), ("again", 1), ("two_threads", 2)):
        program = Program(tmp_path / name)
        for augmenter in ("adasyn", "vae"):
            ok(program(*TOY, "n_folds=2", csv, f"augmenter={augmenter}", f"threads={threads}"))
        found.append([without_cost(record) for record in program.records()])
    assert found[0] == found[1]
    assert found[0] == found[2]


@pytest.mark.parametrize(
    "change",
    [
        "dataset.max_per_class=50",
        "imbalance_ratio.ratio=4",
        "augmenter.amount=0.5",
        "augmenter.k_neighbors=3",
        "classifier.optimizer.lr=0.01",
        "standardize=true",
        "loss=class_weighted",
        "validation=holdout",
        "validation.n_folds=3",
        "augmenter.replicas=2",
        "encoder.dim=16",
    ],
)
def test_what_decides_numbers_makes_another_run(again: Program, csv: str, change: str) -> None:
    # validation=holdout has no inner folds that could be set
    brief = [each for each in BRIEF if not (change.startswith("validation") and each.startswith("validation"))]
    ok(again(*brief, csv, change))
    assert len(again.records()) == 2


def test_logging_devices_and_ways_of_writing_a_number_do_not(again: Program, csv: str) -> None:
    for change in (
        "trainer.accelerator=cpu",
        "logger=csv",
        "threads=1",
        "imbalance_ratio.ratio=5.0",
        "imbalance_ratio.ratio=5",
        "dataset.licence=mine",
    ):
        outcome = ok(again(*BRIEF, csv, f"+{change}" if "licence" in change else change))
        assert "already recorded" in outcome.err, change


def test_all_ways_of_augmenting_nothing_are_one_run(program: Program, csv: str) -> None:
    ok(program(*BRIEF, csv, "augmenter=none"))
    for change in ("augmenter.amount=0", "augmenter.amount=0.0", "augmenter.k_neighbors=2"):
        amount = [] if "amount" in change else ["augmenter.amount=0"]
        assert "already recorded" in ok(program(*BRIEF, csv, "augmenter=smote", change, *amount)).err
    assert program.record()["choices"]["augmenter"] == "none"


def test_an_ensemble_of_self_paced_undersamples_is_a_run_without_synthesis(program: Program, csv: str) -> None:
    for augmenter, replicas in (("self_paced", 3), ("self_paced", 1), ("random_under", 1)):
        ok(program(*BRIEF, csv, f"augmenter={augmenter}", f"augmenter.replicas={replicas}"))
    by_choice = {
        (record["choices"]["augmenter"], record["config"]["augmenter"]["replicas"]): record
        for record in program.records()
    }
    for record in by_choice.values():
        balance = pd.DataFrame(record["balance"]["data"], columns=record["balance"]["columns"])
        assert (balance["new"] == 0).all()
        assert (balance["made"] == balance["asked"]).all()
        assert balance["made"].sum() < 0
    # One of them is a random undersample, three are something else.
    one, other = by_choice["self_paced", 1]["scores"], by_choice["random_under", 1]["scores"]
    assert one == other != by_choice["self_paced", 3]["scores"]
    found = load(program.folder / "multirun")
    assert set(found["augmenter_option"]) == {"self_paced", "random_under"}
    assert not found["with_synthesis"].any()


def test_another_content_of_the_same_file_is_another_run(program: Program, tmp_path: Path) -> None:
    rows, labels = toy.texts(60)
    path = toy.write_csv(tmp_path / "mine.csv", rows, labels)
    ok(program(*BRIEF, f"dataset.path={path}"))
    toy.write_csv(path, rows[1:], labels[1:])
    ok(program(*BRIEF, f"dataset.path={path}"))
    assert len({record["identity"] for record in program.records()}) == 2


def test_comparisons_are_paired(program: Program, csv: str) -> None:
    ok(program("--multirun", *BRIEF, csv, "augmenter=none,smote", "imbalance_ratio=ir5,ir2"))
    tested = {}
    for folder in program.run_folders:
        with np.load(probabilities_file(folder), allow_pickle=False) as stored:
            tested[folder.name] = (stored["fold"].tolist(), stored["row"].tolist())
    assert len(tested) == 4
    assert len({json.dumps(rows) for rows in tested.values()}) == 1  # the same test rows for every method and ratio
    real = {}
    for record in program.records():
        balance = pd.DataFrame(record["balance"]["data"], columns=record["balance"]["columns"])
        key = (record["choices"]["imbalance_ratio"], record["choices"]["augmenter"])
        real[key] = balance["real"].tolist()
    assert real["ir5", "none"] == real["ir5", "smote"]
    assert real["ir5", "none"] != real["ir2", "none"]


def test_load_gives_one_long_table_of_many_runs(program: Program, csv: str) -> None:
    ok(program("--multirun", *BRIEF, csv, "augmenter=none,random", "augmenter.amount=1.0,2.0"))
    frame = load(program.folder / "multirun")
    described = {"name", "run", "identity", "dataset", "encoder", "imbalance_ratio", "ratio", "augmenter", "amount"}
    assert described | {"loss", "classifier", "scenario"} <= set(frame.columns)
    assert list(frame.columns[-6:]) == ["seed", "fold", "decision", "metric", "class", "value"]
    assert frame.run.nunique() == 3  # filling nothing of the gap is one run, whatever the amount
    assert set(frame.amount) == {0.0, 1.0, 2.0}
    assert set(frame.augmenter) == {"none", "random 100 %", "random 200 %"}
    ok(program(*BRIEF, csv, "augmenter=smote", "augmenter.k_neighbors=3", "standardize=true"))
    ok(program(*BRIEF, csv, "augmenter=smote", "augmenter.k_neighbors=4"))
    frame = load(program.folder / "multirun")
    assert {"smote k_neighbors=3", "smote k_neighbors=4"} <= set(frame.augmenter)
    assert set(frame["augmenter.k_neighbors"].dropna()) == {3, 4}
    assert set(frame.standardize) == {True, False}
    assert {label.rpartition(" · ")[2] for label in set(frame.scenario)} == {"standardize=True", "standardize=False"}
    assert "max_steps" not in frame.columns
    with pytest.raises(UserError, match="give the folder of an experiment that has run"):
        load(program.folder / "nowhere")


def test_a_user_s_own_sampler_needs_one_file(program: Program, csv: str) -> None:
    ok(program(*BRIEF, csv, "augmenter=mine", "augmenter.amount=0.5", "augmenter.noise=0.2"))
    record = program.record()
    assert record["config"]["augmenter"]["noise"] == 0.2
    balance = pd.DataFrame(record["balance"]["data"], columns=record["balance"]["columns"])
    minority = balance[balance["class"] == "trade"]
    assert (minority["made"] == minority["asked"]).all()
    assert (minority["asked"] > 0).all()


def test_natural_keeps_the_classes_and_tests_on_them(program: Program, tmp_path: Path) -> None:
    rows, labels = toy.texts(100, ("sport",))
    few, few_labels = toy.texts(20, ("space",))
    path = toy.write_csv(tmp_path / "mine.csv", rows + few, labels + few_labels)
    ok(program(*TOY, f"dataset.path={path}", "imbalance_ratio=natural"))
    record = program.record()
    assert record["data"]["minority"] == ["space"]
    assert np.array(record["confusion"][0]["matrix"]).sum(1).tolist() == [5, 25]
    assert program.run_folders[0].name.startswith("files-toy-natural-")


def test_a_cap_leaves_natural_classes_their_proportions_and_each_enough_rows(program: Program, tmp_path: Path) -> None:
    rows, labels = toy.texts(120, ("sport", "trade"))
    uneven = [row for row in range(240) if row < 120 or row % 4 == 0]
    rare, rare_labels = toy.texts(5, ("space",))
    path = toy.write_csv(
        tmp_path / "mails.csv", [rows[row] for row in uneven] + rare, [labels[row] for row in uneven] + rare_labels
    )
    assert sorted(labels[row] for row in uneven).count("trade") == 30
    ok(program(*TOY, f"dataset.path={path}", "imbalance_ratio=natural", "dataset.max_per_class=60"))
    data = program.record()["data"]
    assert data["name"] == "mails"
    assert dict(zip(data["class_names"], data["rows_per_class"], strict=True)) == {"space": 4, "sport": 60, "trade": 15}
    assert data["report"]["proportions_changed"] is True  # four folds need four rows of each class


def test_csv_logger_leaves_curves_beside_the_record(program: Program, csv: str) -> None:
    ok(program(*TOY, csv, "logger=csv"))
    (path,) = program.run_folders[0].rglob("metrics.csv")
    logged = pd.read_csv(path)
    curves = program.record()["curves"]
    at = logged.loc[logged["curves/argmax_test"].notna(), "step"].tolist()
    assert at == sorted({row[curves["columns"].index("step")] for row in curves["data"]})


def chance(record: dict[str, Any]) -> dict[str, float]:
    """How many standard errors each decision rule's accuracy lies from chance."""
    found = {}
    n_classes = len(record["data"]["class_names"])
    for rule in sorted({entry["decision"] for entry in record["confusion"]}):
        total = np.sum([entry["matrix"] for entry in record["confusion"] if entry["decision"] == rule], axis=0)
        n_tested, expected = total.sum(), 1 / n_classes
        found[rule] = (np.trace(total) / n_tested - expected) / (expected * (1 - expected) / n_tested) ** 0.5
    return found


def shuffled(tmp_path: Path, n_per_class: int) -> str:
    rows, labels = toy.texts(n_per_class)
    random.Random(1).shuffle(labels)
    return f"dataset.path={toy.write_csv(tmp_path / 'shuffled.csv', rows, labels)}"


def test_with_shuffled_labels_every_augmenter_scores_chance(program: Program, tmp_path: Path) -> None:
    ok(program("--multirun", *TOY, shuffled(tmp_path, 300), f"augmenter={','.join(AUGMENTERS)}", "max_steps=100"))
    found = {record["choices"]["augmenter"]: chance(record) for record in program.records()}
    assert set(found) == set(AUGMENTERS)
    assert all(abs(errors) <= 3 for rules in found.values() for errors in rules.values()), found


def test_a_planted_leak_is_seen_by_the_same_check(program: Program, tmp_path: Path) -> None:
    from synaug.dataset import FileDataset

    path = shuffled(tmp_path, 60)
    texts = FileDataset(name="files", path=path.partition("=")[2], text="body", label="topic").load()
    # As many dimensions as rows: what was leaked is learnt by heart in a few steps.
    toy.LeakySampler.everything = toy.HashingEncoder(128).encode(texts.texts), texts.labels
    ok(program(*TOY, path, "encoder.dim=128", "augmenter=leaky", "max_steps=100", "classifier.optimizer.lr=0.01"))
    assert max(chance(program.record()).values()) > 3


# A sweep of twenty jobs is killed at many moments in tests/test_faults.py.
@pytest.mark.skipif(not THOROUGH, reason="make thorough kills this one, too")
def test_a_killed_sweep_ends_with_the_same_records(tmp_path: Path, csv: str) -> None:
    arguments = ["--multirun", *TOY, "n_folds=2", csv, "augmenter=random,adasyn", "imbalance_ratio=ir2,ir5"]
    undisturbed = Program(tmp_path / "undisturbed")
    ok(undisturbed(*arguments))
    program = Program(tmp_path / "killed")
    places = [f"output_dir={program.folder / 'multirun'}", f"cache_dir={program.folder / 'cache'}"]
    code = signalled("SIGKILL", 2, *arguments, *places, output=tmp_path / "output")
    assert code == -signal.SIGKILL, (tmp_path / "output").read_text()
    done = {path: path.stat().st_mtime_ns for path in program.folder.glob("multirun/*/*/record.json")}
    assert len(done) == 2
    ok(program(*arguments))
    assert all(path.stat().st_mtime_ns == written for path, written in done.items())
    assert [without_cost(each) for each in program.records()] == [without_cost(each) for each in undisturbed.records()]
