"""A multirun as a whole: how far it is, what failed, what a second try does, and how it ends."""

import json
import platform
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from synaug import record
from synaug.sweep import status
from synaug.sweep.forecast import seconds_left
from synaug.sweep.sweep import has_reference
from tests import toy
from tests.fabricated import write_runs
from tests.program import BRIEF, Kept, Program, signalled

# What several go on from is swept once.
pytestmark = [pytest.mark.xdist_group("sweep"), pytest.mark.usefixtures("no_figures")]


TWO = "augmenter=none,smote"
GRID = [TWO, "imbalance_ratio.ratio=5.0,500.0"]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """A program that has recorded two runs, of its own data."""
    done = Program(tmp_path_factory.mktemp("two"))
    toy.write_csv(done.folder / "mine.csv", *toy.texts(60))
    assert done("--multirun", *BRIEF, csv_of(done), TWO).code == 0
    return Kept(done)


@pytest.fixture
def swept(two: Kept) -> Program:
    """It, to go on from."""
    return two.put_back()


def csv_of(program: Program) -> str:
    return f"dataset.path={program.folder / 'mine.csv'}"


def note(program: Program) -> dict[str, object]:
    found = json.loads((program.folder / "multirun" / "default" / record.SWEEP).read_text())
    assert isinstance(found, dict)
    return found


def statuses(program: Program) -> list[str]:
    return [job["status"] for job in note(program)["jobs"]]  # type: ignore[attr-defined]


def test_each_job_says_how_far_the_sweep_is(program: Program, csv: str) -> None:
    outcome = program("--multirun", *BRIEF, csv, "augmenter=none,random,smote")
    assert outcome.code == 0
    lines = [line for line in outcome.err.splitlines() if line.startswith("[")]
    assert [line[:5] for line in lines] == ["[1/3]", "[2/3]", "[3/3]"]
    *earlier, last = lines
    assert all(re.search(r"done in \d+ s · 0:0\d:\d\d elapsed, about \d:\d\d:\d\d left$", line) for line in earlier)
    assert re.search(r"done in \d+ s · 0:0\d:\d\d elapsed$", last)
    assert outcome.out == ""  # the runs' tables stand in the report
    again = program("--multirun", *BRIEF, csv, "augmenter=none,random,smote")
    assert "3 of 3 jobs are already recorded and are not started (force=true runs them again)" in again.err


def test_the_metric_of_a_sweep_is_what_its_verdict_speaks_of_and_what_it_can_show_is_said_once(
    program: Program, csv: str
) -> None:
    sweep = ["--multirun", *BRIEF, "report=true", csv, TWO]
    refused = program(*sweep, "metric=f2[trade]")
    assert refused.code == 1
    assert "metric='f2[trade]' is no metric" in refused.err
    outcome = program(*sweep, "metric=f1[trade]")
    assert outcome.code == 0, outcome.err
    assert "F1 of trade" in " ".join(outcome.out.split())
    said = r"2 folds of \d+ test rows and 1 seed find a true difference of about \d+\.\d points of balanced accuracy"
    assert len(re.findall(said, outcome.err)) == 1


def test_failures_stop_nothing_and_are_tabled_and_tried_again_alone(program: Program, csv: str) -> None:
    outcome = program("--multirun", *BRIEF, csv, *GRID)
    assert outcome.code == 1
    assert statuses(program) == ["done", "failed", "done", "failed"]
    table = outcome.err[outcome.err.index("2 of 4 jobs failed, 2 are recorded; the same command tries the mis") :]
    rows = [re.split(r"\s\s+", line.strip()) for line in table.splitlines()[1:3]]
    assert [row[0].rsplit("-", 1)[0] for row in rows] == [
        f"files-toy-ir500-{augmenter}-plain-mlp-nested" for augmenter in ("none", "smote")
    ]
    assert rows[0][1].startswith("imbalance_ratio.ratio=500.0 leaves class 'trade' no training row")
    assert rows[1][1] == "(the same as above)"
    assert "Traceback (most" not in outcome.err
    for run in program.run_folders:
        if "ir500" in run.name:
            assert "Traceback (most recent call last)" in (run / "synaug.log").read_text()
            failure = json.loads((run / record.FAILURE).read_text())
            assert "lower the ratio" in failure["sentence"]
            assert "-".join(failure["choices"].values()) == run.name[:-9]
            assert failure["dataset"]["path"] in csv
    again = program("--multirun", *BRIEF, csv, *GRID)
    assert again.code == 1
    assert statuses(program) == ["skipped", "failed", "skipped", "failed"]
    mended = program("--multirun", *BRIEF, csv, TWO, "imbalance_ratio.ratio=5.0,4.0")
    assert mended.code == 0
    assert statuses(program) == ["skipped", "done", "skipped", "done"]


def test_a_fault_of_the_program_is_tabled_with_its_traceback_in_the_log(
    program: Program, csv: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(toy.HashingEncoder, "encode", lambda self, texts, progress: [][0])
    outcome = program("--multirun", *BRIEF, csv, TWO)
    assert outcome.code == 1
    assert outcome.err.count("IndexError: list index out of range (the log beside failure.json has the trace") >= 2
    assert outcome.err.count("Traceback (most") == 1  # of two that are the same
    assert all("IndexError" in (run / "synaug.log").read_text() for run in program.run_folders)


def test_a_longer_grid_runs_only_its_new_points(swept: Program) -> None:
    written = {path: path.stat().st_mtime_ns for path in swept.folder.rglob(record.RECORD)}
    assert (
        swept("--multirun", *BRIEF, csv_of(swept), "augmenter=smote,random,none", "imbalance_ratio=ir5,ir2").code == 0
    )
    assert statuses(swept) == ["skipped", "done", "skipped", "done", "done", "done"]
    assert all(path.stat().st_mtime_ns == when for path, when in written.items())
    assert len(swept.records()) == 6


def test_a_sweep_ends_with_its_report_and_verdict_also_after_failures(program: Program, csv: str) -> None:
    outcome = program("--multirun", *BRIEF, csv, *GRID, "report=true")
    assert outcome.code == 1
    page = program.folder / "multirun" / "default" / "report" / "index.html"
    assert page.is_file()
    assert f"report: {page}" in outcome.out
    said = outcome.out.replace("\n    ", " ")
    assert "On mine at 1:5, the evidence is inconclusive: the best method with synthesis differs from the best" in said
    assert "2 runs failed and are missing" in page.read_text()
    assert "no training row" in page.read_text()


def test_a_report_that_cannot_be_written_loses_nothing(
    program: Program, csv: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device", "page")

    monkeypatch.setattr("synaug.report.write", refuse)
    outcome = program("--multirun", *BRIEF, csv, TWO, "report=true")
    assert outcome.code == 1
    assert len(program.records()) == 2
    folder = program.folder / "multirun" / "default"
    assert "no report: page: No space left on device: make room there, or choose another place" in outcome.err
    assert f"; then: synaug report {folder}" in outcome.err


def test_a_fault_of_the_report_keeps_its_traceback(swept: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("synaug.report.write", lambda *_: int("x"))
    with pytest.raises(ValueError, match="invalid literal for int"):
        swept("--multirun", *BRIEF, csv_of(swept), TWO, "report=true")
    assert statuses(swept) == ["skipped", "skipped"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_while_the_report_is_written_is_said(
    swept: Program, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.setattr("synaug.report.write", lambda *_: signal.raise_signal(number))
    outcome = swept("--multirun", *BRIEF, csv_of(swept), TWO, "report=true")
    assert outcome.code == 1
    assert "interrupted while the report was written; the runs are recorded (synaug report" in outcome.err
    assert "Traceback" not in outcome.err


def test_batches_go_on_after_a_failure(program: Program, csv: str) -> None:
    outcome = program("--multirun", *BRIEF, csv, *GRID, "hydra.sweeper.max_batch_size=1")
    assert outcome.code == 1
    assert statuses(program) == ["done", "failed", "done", "failed"]


def test_a_glob_is_counted_and_its_failures_are_seen(program: Program, csv: str) -> None:
    outcome = program("--multirun", *BRIEF, csv, "augmenter=glob(ran*m)", "imbalance_ratio.ratio=500.0,5.0")
    assert outcome.code == 1
    assert "1 of 2 jobs failed, 1 is recorded" in outcome.err


def test_a_setting_that_some_options_of_a_sweep_lack_is_said_with_a_remedy(program: Program, csv: str) -> None:
    outcome = program("--multirun", *BRIEF, csv, TWO, "augmenter.k_neighbors=2", "name=mine", "report=true")
    assert outcome.code == 1
    assert (
        "augmenter.k_neighbors is a setting of some options of augmenter in this sweep, but not of all" in outcome.err
    )
    assert "+augmenter" not in outcome.err
    assert program("--multirun", *BRIEF, csv, "augmenter=none", "name=mine").code == 0
    advised = program(
        "--multirun", *BRIEF, csv, "augmenter=smote", "augmenter.k_neighbors=2", "name=mine", "report=true"
    )
    assert advised.code == 0
    assert "nothing to compare" not in advised.out


@pytest.mark.parametrize("override", ["name=a,b", "experiment=demo,ratios"])
def test_a_sweep_has_one_folder(program: Program, csv: str, override: str) -> None:
    outcome = program("--multirun", *BRIEF, csv, override)
    assert outcome.code == 1
    assert f"{override} names several, but a sweep has one folder: give one command for each" in outcome.err
    assert program.run_folders == []


def test_two_points_of_a_grid_that_are_one_run_are_forced_once(program: Program, csv: str) -> None:
    grid = ["augmenter=random,smote", "augmenter.amount=0,1"]
    assert program("--multirun", *BRIEF, csv, *grid, "force=true").code == 0
    assert statuses(program) == ["done", "done", "skipped", "done"]


def test_a_sweep_whose_note_cannot_be_written_still_names_its_failures(program: Program, csv: str) -> None:
    (program.folder / "multirun" / "default" / record.SWEEP / "in the way").mkdir(parents=True)
    outcome = program("--multirun", *BRIEF, csv, *GRID)
    assert outcome.code == 1
    assert "2 of 4 jobs failed" in outcome.err
    assert "sweep.json could not be written" in outcome.err
    assert "Traceback (most" not in outcome.err


def test_ctrl_c_ends_a_sweep_cleanly_and_the_same_command_goes_on(program: Program, csv: str, tmp_path: Path) -> None:
    arguments = ["--multirun", *BRIEF, csv, "augmenter=none,random", "imbalance_ratio=ir2,ir5"]
    places = [f"output_dir={program.folder / 'multirun'}", f"cache_dir={program.folder / 'cache'}"]
    assert signalled("SIGINT", 2, *arguments, *places, output=tmp_path / "output") == 1
    said = (tmp_path / "output").read_text()
    ended = re.search(r"interrupted after (\d) of 4 jobs; what is recorded is kept", said)
    assert ended, said
    assert "Traceback" not in said
    done = len(program.records())
    assert done == 2
    assert program(*arguments).code == 0
    assert statuses(program).count("skipped") == done
    assert len(program.records()) == 4


def test_a_sweep_without_a_reference_says_so_before_its_first_job(
    program: Program, csv: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = program("--multirun", *BRIEF, csv, "augmenter=random,smote", "report=true")
    said = "there is no augmenter=none in this sweep"
    assert outcome.err.index(said) < outcome.err.index("[1/2]")
    monkeypatch.setattr("synaug.report.write", lambda *_: Path("page"))
    assert program(*BRIEF, csv, "augmenter=none").code == 0  # into the same folder
    assert said not in program("--multirun", *BRIEF, csv, "augmenter=random,smote", "report=true").err
    assert said not in program("--multirun", *BRIEF, csv, "augmenter=adasyn", "augmenter.amount=0,1", "report=true").err


def test_what_the_command_line_chooses_takes_the_place_of_an_experiments_methods_and_the_other_way_round(
    program: Program, csv: str, tmp_path: Path
) -> None:
    shutil.copytree(Path(__file__).parent / "conf", tmp_path / "own")
    own = tmp_path / "own" / "experiment"
    own.mkdir()
    head = "# @package _global_\nhydra:\n  mode: MULTIRUN\n  sweeper:\n    params:\n"
    (own / "by_method.yaml").write_text(f"{head}      method: none,class_weighted,smote\n")
    (own / "by_augmenter.yaml").write_text(f"{head}      augmenter: smote\n      augmenter.k_neighbors: 1,2\n")
    arguments = [f"--config-dir={tmp_path / 'own'}", *BRIEF[1:], csv]
    instead = program(*arguments, "experiment=by_method", "augmenter=none,random")
    assert instead.code == 0, instead.err
    said = "left out of the experiment, as the command line chooses it otherwise:"
    assert f"{said} method=none,class_weighted,smote\n" in instead.err
    assert [each["choices"]["augmenter"] for each in program.records()] == ["none", "random"]
    instead = program(*arguments, "experiment=by_augmenter", "method=class_weighted,none")
    assert instead.code == 0, instead.err
    assert f"{said} augmenter=smote augmenter.k_neighbors=1,2\n" in instead.err
    assert [(each["choices"]["augmenter"], each["choices"]["loss"]) for each in program.records()] == [
        ("none", "class_weighted"),
        ("none", "plain"),
        ("random", "plain"),
    ]
    assert said not in program(*arguments, "experiment=by_method").err


def test_what_a_killed_sweep_left_is_cleared_away_and_a_living_one_s_is_kept(swept: Program) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as alive:
        folders = [
            swept.folder / "multirun" / "default" / f".sweep-{platform.node()}-{each.pid}" for each in (dead, alive)
        ]
        for folder in folders:
            folder.mkdir(parents=True)
            (folder / "0.json").write_text("{}")
        assert swept("--multirun", *BRIEF, csv_of(swept), TWO).code == 0
        assert [folder.exists() for folder in folders] == [False, True]


def test_a_single_run_is_no_sweep(swept: Program) -> None:
    before = note(swept)
    assert swept(*BRIEF, csv_of(swept), "augmenter=random").code == 0
    assert note(swept) == before
    assert not list(swept.folder.rglob(".sweep-*"))


def test_what_is_left_is_told_by_what_ran_not_by_what_was_skipped() -> None:
    ended = [
        {"number": number, "run": "a-run", "status": how, "seconds": seconds}
        for number, (how, seconds) in enumerate([("skipped", 0.0)] * 5 + [("done", 60.0)])
    ]
    said = "[ 6/10] a-run: done in 60 s · 0:01:00 elapsed, about 0:04:00 left"
    assert status.progress_line(ended, 10, elapsed=60.0) == said
    assert status.progress_line(ended, None, elapsed=60.0) == "[6/?] a-run: done in 60 s · 0:01:00 elapsed"
    assert status.clock(3 * 3600 + 61) == "3:01:01"


def test_what_the_first_job_does_for_all_is_not_expected_of_the_others() -> None:
    first = {"number": 0, "run": "a-run", "status": "done", "seconds": 300.0, "once": 295.0}
    assert status.progress_line([first], 10, elapsed=301.0).endswith("0:05:01 elapsed, about 0:00:45 left")
    two_at_once = [{"number": n, "run": "a-run", "status": "done", "seconds": 60.0} for n in range(4)]
    assert status.progress_line(two_at_once, 10, elapsed=120.0).endswith("about 0:03:00 left")
    known = status.progress_line([first], 10, elapsed=301.0, n_recorded=8)
    assert known == "[ 9/10] a-run: done in 300 s · 0:05:01 elapsed, about 0:00:05 left"


def test_jobs_that_take_long_are_told_from_short_ones_by_the_setting_that_tells_them_apart() -> None:
    grid = [[f"dataset={data}", f"classifier={kind}"] for data in ("a", "b") for kind in ("mlp", "lora", "full")]
    took = {0: 1.0, 1: 900.0, 3: 2.0}
    ended = [{"number": n, "run": "a-run", "status": "done", "seconds": seconds} for n, seconds in took.items()]
    # left: full, lora and full; nobody has seen how long full takes
    assert seconds_left(ended, 3, grid) == pytest.approx(3 * 900.0)
    ended.append({"number": 2, "run": "a-run", "status": "done", "seconds": 1800.0})
    assert seconds_left(ended, 2, grid) == pytest.approx(900.0 + 1800.0)
    # alike, or of a grid that is not known: as the median
    alike = [{**job, "seconds": 10.0 + number} for number, job in enumerate(ended)]
    assert seconds_left(alike, 2, grid) == pytest.approx(2 * 11.5)
    assert seconds_left(ended, 2, None) == pytest.approx(2 * 451.0)
    assert "about 0:45:00 left" in status.progress_line(ended, 6, elapsed=2703.0, grid=grid)


def test_a_job_that_could_not_tell_for_lack_of_room_is_not_said_to_have_died_of_something_else(
    program: Program, csv: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(folder: Path, job: dict[str, object]) -> None:
        if job["status"] == status.STARTED:
            noted(folder, job)

    noted = status.note
    monkeypatch.setattr("synaug.sweep.status.note", full)
    outcome = program("--multirun", *BRIEF, csv, *GRID)
    assert "2 of 4 jobs failed, 2 are recorded" in outcome.err
    assert "lack of memory" not in outcome.err
    assert statuses(program) == ["done", "failed", "done", "failed"]
    started = [{"number": 0, "run": "a-run", "status": status.STARTED, "seconds": 0.0, "overrides": []}]
    monkeypatch.setattr("os.statvfs", lambda _: SimpleNamespace(f_bavail=0, f_favail=9, f_files=9))
    assert status.lost(started, None, program.folder)[0]["sentence"] == status.NO_ROOM
    monkeypatch.setattr("os.statvfs", lambda _: SimpleNamespace(f_bavail=9, f_favail=0, f_files=9))
    assert status.lost(started, None, program.folder)[0]["sentence"] == status.NO_ROOM
    monkeypatch.setattr("os.statvfs", lambda _: SimpleNamespace(f_bavail=9, f_favail=9, f_files=9))
    assert "lack of memory" in status.lost(started, None, program.folder)[0]["sentence"]


def test_a_sweep_ends_with_its_table_where_nothing_can_be_locked(
    program: Program, csv: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_inodes(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "/full/.lock")

    monkeypatch.setattr("synaug.sweep.run_lock.locked", no_inodes)
    outcome = program("--multirun", *BRIEF, csv, TWO)
    assert outcome.code == 1
    assert "2 of 2 jobs failed, 0 are recorded" in outcome.err
    assert "/full/.lock: No space left on device: make room there, or choose another place" in outcome.err
    assert "Traceback (most" not in outcome.err


def test_a_job_whose_status_cannot_be_read_just_now_is_passed_over(tmp_path: Path) -> None:
    status.note(tmp_path, {"number": 1, "run": "a-run", "status": status.DONE, "seconds": 1.0})
    (tmp_path / "0.json").write_text('{"number": 0, "sta')
    (tmp_path / "2.json").symlink_to(tmp_path / "removed")
    assert [job["number"] for job in status.noted(tmp_path)] == [1]


def test_a_reference_is_a_run_that_augments_nothing_whatever_it_is_called(tmp_path: Path) -> None:
    write_runs(tmp_path / "named", ["x-none-y"], [10.0], ["smote"], n_folds=2)
    write_runs(tmp_path / "idle", ["imdb"], [10.0], ["none"], n_folds=2)
    assert not has_reference([["augmenter=smote"]], tmp_path / "named")
    assert has_reference([["augmenter=smote"]], tmp_path / "idle")
