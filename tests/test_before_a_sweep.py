"""What is wrong with every job of a sweep is said once, before one starts, and leaves nothing behind."""

import logging
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

import synaug
from synaug.command import before_a_sweep
from synaug.command.before_a_sweep import NothingCanStartError
from synaug.errors import UserError
from tests import toy
from tests.program import BRIEF, TOY, Outcome, Program

pytestmark = pytest.mark.usefixtures("no_figures")

SWEEP = ["--multirun", *TOY, "report=true"]
METHODS = "augmenter=none,random,smote"
MISTAKES = {
    "a column": (["dataset.text=boddy"], "has no column 'boddy': did you mean 'body'?"),
    "a file": (["dataset.path=nowhere.csv"], "nowhere.csv"),
    "a class": (["imbalance_ratio.minority=[spotr]"], "names 'spotr', which is no class of the data set"),
    "a number": (["n_folds=500"], "2 of 2 classes have fewer rows than n_folds=500"),
    "a ratio": (["imbalance_ratio.ratio=5000"], "leaves class 'trade' no training row"),
    "a cap": (["dataset.max_rows=3"], "dataset.max_rows=3 is too few for 2 classes"),
    "the metric": (["metric=f2[trade]"], "metric='f2[trade]' is no metric"),
    "what a library is given": (["+classifier.nonsense=1"], "classifier.nonsense is no setting"),
    "devices": (["trainer.devices=7"], "trainer.devices=7"),
}


def unwrapped(outcome: Outcome) -> str:
    return " ".join(outcome.err.split())


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_of_every_job_is_said_once_and_nothing_is_made(program: Program, csv: str, mistake: str) -> None:
    settings, said = MISTAKES[mistake]
    outcome = program(*SWEEP, csv, METHODS, *settings)
    assert outcome.code == 1
    assert unwrapped(outcome).count(said) == 1, outcome.err
    assert "Traceback" not in outcome.err
    assert "jobs failed" not in outcome.err
    assert outcome.out == ""
    assert not (program.folder / "multirun").exists()


def test_so_it_is_with_a_launcher_of_processes(program: Program, csv: str) -> None:
    for mistake in ("a column", "a class", "what a library is given"):
        settings, said = MISTAKES[mistake]
        outcome = program(*SWEEP, csv, METHODS, *settings, "hydra/launcher=cores", "threads=1")
        assert outcome.code == 1
        assert unwrapped(outcome).count(said) == 1, outcome.err
        assert not (program.folder / "multirun").exists()


def test_each_of_several_mistakes_is_said_once(program: Program, tmp_path: Path) -> None:
    files = [toy.write_csv(tmp_path / name, *toy.texts(20)) for name in ("one.csv", "two.csv")]
    paths = f"dataset.path={','.join(map(str, files))}"
    outcome = program(*SWEEP, paths, METHODS, "dataset.text=boddy")
    assert outcome.code == 1
    for file in files:
        assert unwrapped(outcome).count(f"{file} has no column 'boddy'") == 1, outcome.err


def test_a_mistake_of_some_jobs_is_theirs(program: Program, csv: str) -> None:
    outcome = program(
        *SWEEP,
        csv,
        "augmenter=none,smote",
        "imbalance_ratio.ratio=5000,5",
        "n_folds=2",
        "validation.n_folds=2",
        "max_steps=8",
    )
    assert outcome.code == 1
    assert "2 of 4 jobs failed, 2 are recorded" in outcome.err
    assert len(program.records()) == 2
    assert (program.folder / "multirun" / "default" / "report" / "index.html").is_file()


def test_a_sweep_of_which_nothing_is_recorded_has_no_report(
    program: Program, csv: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise UserError("the encoder is tired: let it sleep")

    monkeypatch.setattr(toy.HashingEncoder, "encode", fail)
    outcome = program(*SWEEP, csv, "augmenter=none,smote")
    assert outcome.code == 1
    assert "2 of 2 jobs failed, 0 are recorded" in outcome.err
    assert "report:" not in outcome.out
    assert not (program.folder / "multirun" / "default" / "report").exists()


def test_the_check_says_nothing_of_what_a_job_will_say(program: Program, tmp_path: Path) -> None:
    rows, labels = toy.texts(30, ("sport", "trade"))
    csv = toy.write_csv(tmp_path / "mine.csv", [*rows, *rows[:3]], [*labels, *labels[:3]])
    settings = [f"dataset.path={csv}", "augmenter=none", "n_folds=2", "max_steps=8"]
    outcome = program("--multirun", *TOY, *settings)
    assert outcome.code == 0, outcome.err
    assert unwrapped(outcome).count("3 rows repeat another's text and were merged") == 1
    assert logging.getLogger("synaug").level != logging.CRITICAL


def test_recorded_jobs_are_not_read_again(program: Program, csv: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = ["--multirun", *BRIEF, csv, "augmenter=none"]
    assert program(*sweep).code == 0
    monkeypatch.setattr(
        "synaug.command.before_a_sweep._texts_that_can_be_split", lambda config: pytest.fail("it is recorded")
    )
    outcome = program(*sweep, "threads=1")  # composed otherwise, and the same run
    assert outcome.code == 0, outcome.err
    assert "already recorded, skipped" in outcome.err


def test_from_python_a_mistake_is_raised_and_said_nowhere_else(
    program: Program, csv: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given: dict[str, Any] = {"output_dir": program.folder / "multirun", "cache_dir": program.folder / "cache"}
    own = Path(__file__).parent / "conf"
    with pytest.raises(UserError, match="has no column 'boddy'"):
        synaug.run(*TOY[1:], csv, "dataset.text=boddy", config_dir=own, **given)
    said = capsys.readouterr()
    assert "boddy" not in said.out + said.err
    (log,) = (program.folder / "multirun").rglob("synaug.log")
    assert "has no column 'boddy'" in log.read_text()
    assert not list((program.folder / "multirun").rglob("report"))


def test_an_import_that_ctrl_c_hits_ends_the_sweep_and_a_fault_is_left_to_the_job(
    program: Program, csv: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt:
            raise ImportError("cannot import name 'x' from partially initialized module 'y'")  # noqa: B904

    sweep = ["--multirun", *BRIEF, csv, "augmenter=none"]
    with monkeypatch.context() as patch:
        patch.setattr("synaug.command.before_a_sweep.check_parts", interrupted)
        outcome = program(*sweep)
        assert outcome.code == 1
        assert "interrupted after 0 of 1 jobs" in outcome.err
        patch.setattr("synaug.command.before_a_sweep.check_parts", lambda *_: 1 / 0)
        assert program(*sweep).code == 0


def test_what_stops_a_sweep_is_no_exception_of_a_callback() -> None:
    """Hydra makes a warning of those."""
    assert not issubclass(NothingCanStartError, Exception)


# ---- all that is wrong with a data set, at once


def test_empty_rows_and_rare_classes_are_told_at_once(program: Program, tmp_path: Path) -> None:
    rows, labels = toy.texts(30)
    rare, _ = toy.texts(2, ("sport",), seed=1)
    labels = [*labels, "rare", "rare", "sport", "", "rare"]
    csv = toy.write_csv(tmp_path / "mine.csv", [*rows, *rare, "", "", ""], labels)
    said = unwrapped(program(*TOY, f"dataset.path={csv}", "augmenter=none"))
    assert f"2 problems in {csv}:" in said
    assert f"3 of the 65 rows of {csv} have no text in column 'body' (rows 63, 64, 65)" in said
    assert f"1 of the 65 rows of {csv} has no label in column 'topic' (row 64)" in said
    assert "fill or remove them, or set dataset.drop_empty=true to drop them" in said
    assert (
        "without these rows, class 'rare' has 2 rows, fewer than n_folds=4: lower n_folds to 2, set "
        "dataset.min_per_class=4 to drop it, or use more data"
    ) in said
    drop = ["dataset.drop_empty=true", "dataset.min_per_class=4"]
    assert program(*TOY, f"dataset.path={csv}", "augmenter=none", "max_steps=8", *drop).code == 0


def test_what_only_the_nodes_of_a_cluster_have_is_left_to_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(before_a_sweep, "_composed", lambda *_: pytest.fail("looked at here"))
    launcher = {"_target_": "hydra_plugins.hydra_submitit_launcher.submitit_launcher.SlurmLauncher"}
    before_a_sweep.refuse_if_nothing_can_start([["n_folds=500"]], OmegaConf.create({"hydra": {"launcher": launcher}}))
